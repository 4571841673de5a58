"""Sums, differences and integer linear forms of words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ermbit_encodings.circuit.cnf import FALSE, Cnf
from ermbit_encodings.circuit.columns import Columns
from ermbit_encodings.circuit.word import Word, constant, fitted
from ermbit_encodings.errors import EncodingError

__all__ = [
    "add",
    "linear",
    "linear_range",
    "multiply_constant",
    "negate",
    "shift_left",
    "subtract",
    "sum_of",
]


def linear_range(terms: Iterable[tuple[int, Word]], offset: int = 0) -> tuple[int, int]:
    """The interval of offset + the sum of coefficient * word over the ranges of the words."""
    lo = hi = offset
    for coefficient, word in terms:
        if coefficient >= 0:
            lo += coefficient * word.lo
            hi += coefficient * word.hi
        else:
            lo += coefficient * word.hi
            hi += coefficient * word.lo
    return lo, hi


def linear(cnf: Cnf, terms: Iterable[tuple[int, Word]], offset: int = 0) -> Word:
    """offset + the sum of coefficient * word, in one compressor tree.

    Coefficients are used in canonical signed-digit form; equal words are collected first, so
    differences that cancel cost nothing.
    """
    collected: dict[tuple[int, ...], tuple[int, Word]] = {}
    for coefficient, word in terms:
        if word.is_constant:
            offset += coefficient * word.lo
        else:
            before = collected.get(word.bits, (0, word))
            collected[word.bits] = (before[0] + coefficient, before[1])
    kept = [term for term in collected.values() if term[0]]
    if not kept:
        return constant(offset)
    if len(kept) == 1 and kept[0][0] == 1 and offset == 0:
        return kept[0][1]
    columns = Columns(*linear_range(kept, offset), offset)
    for coefficient, word in kept:
        columns.add_word(word, coefficient)
    return columns.reduce(cnf)


def add(cnf: Cnf, a: Word, b: Word) -> Word:
    """a + b."""
    return linear(cnf, ((1, a), (1, b)))


def subtract(cnf: Cnf, a: Word, b: Word) -> Word:
    """a - b."""
    return linear(cnf, ((1, a), (-1, b)))


def negate(cnf: Cnf, word: Word) -> Word:
    """-word."""
    return linear(cnf, ((-1, word),))


def sum_of(cnf: Cnf, words: Sequence[Word]) -> Word:
    """The sum of the words; 0 without any."""
    return linear(cnf, ((1, word) for word in words))


def multiply_constant(cnf: Cnf, word: Word, factor: int) -> Word:
    """factor * word."""
    return linear(cnf, ((factor, word),))


def shift_left(word: Word, count: int) -> Word:
    """word * 2^count; costs no gate. Raises `EncodingError` if ``count`` is negative."""
    if count < 0:
        raise EncodingError(f"cannot shift left by {count} places")
    return fitted((FALSE,) * count + word.bits, word.lo << count, word.hi << count)
