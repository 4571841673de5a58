"""Enclosures: closed rational intervals around one fixed real number, as narrow as asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

from gmpy2 import mpq

Enclosure: TypeAlias = Callable[[int], tuple[mpq, mpq]]
"""Maps a number of bits to a closed interval around the number; its width tends to 0."""


def doubling(start: int) -> Iterator[int]:
    """start, 2 start, 4 start, ... without end: the precisions to try."""
    while True:
        yield start
        start *= 2


def sum_enclosure(first: Enclosure, second: Enclosure) -> Enclosure:
    """Encloses the sum of the two numbers."""

    def enclose(bits: int) -> tuple[mpq, mpq]:
        (lo1, hi1), (lo2, hi2) = first(bits), second(bits)
        return lo1 + lo2, hi1 + hi2

    return enclose


def product_enclosure(first: Enclosure, second: Enclosure) -> Enclosure:
    """Encloses the product of the two numbers."""

    def enclose(bits: int) -> tuple[mpq, mpq]:
        corners = [x * y for x in first(bits) for y in second(bits)]
        return min(corners), max(corners)

    return enclose


def nearest_float(enclosure: Enclosure) -> float:
    """The correctly rounded double of the number, which must be irrational.

    Raises:
        OverflowError: its absolute value is larger than every finite double.
    """
    for bits in doubling(64):
        lo, hi = enclosure(bits)
        # Division of integers in Python is correctly rounded, that of mpq to float is not.
        below = int(lo.numerator) / int(lo.denominator)
        above = int(hi.numerator) / int(hi.denominator)
        if below == above:
            return below
    raise AssertionError("unreachable: the loop above has no other end")
