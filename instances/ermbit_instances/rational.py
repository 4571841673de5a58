"""Rational numbers: reading, writing, and the simplest rational of an interval.

A rational is a :class:`gmpy2.mpq`. In files it is a JSON integer, a JSON decimal read as the exact
decimal (``0.1`` is 1/10), or a string such as ``"-7"``, ``"3/4"``, ``"0.125"``, ``"1e-3"``.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import TypeAlias

from gmpy2 import mpq, mpz

from ermbit_instances import limits

Rational: TypeAlias = mpq
"""The exact number type of the whole project."""

_INTEGER = re.compile(r"[+-]?[0-9]+\Z", re.ASCII)
_DECIMAL = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]+))?\Z", re.ASCII)


def parse_rational(text: str) -> Rational:
    """Read ``-7``, ``3/4``, ``0.125`` or ``1e-3`` exactly.

    Raises:
        ValueError: not a number of these forms, a zero denominator, or past the limits on digits
            and exponents (checked on the text, before any big number is built).
    """
    return parse_decimal(text)[0]


def parse_decimal(text: str) -> tuple[Rational, int]:
    """As :func:`parse_rational`, with the number of digits that an exponent expanded to."""
    if len(text) > limits.DIGITS.value + 64:
        raise ValueError(f"a number of more than {limits.DIGITS.value} digits is refused")
    if _INTEGER.match(text):
        return mpq(mpz(text)), 0
    if "/" in text:
        numerator, _, denominator = text.partition("/")
        if not _INTEGER.match(numerator) or not denominator.isascii() or not denominator.isdigit():
            raise ValueError(f"{shorten(text)} is not a number")
        bottom = mpz(denominator)
        if bottom == 0:
            raise ValueError(f"{shorten(text)} has denominator zero")
        return mpq(mpz(numerator), bottom), 0
    match = _DECIMAL.match(text)
    if match is None or not (match[2] or match[3]):
        raise ValueError(f"{shorten(text)} is not a number")
    sign, whole, places, exponent_text = match.groups()
    places = places or ""
    exponent = 0
    if exponent_text:
        if len(exponent_text) > 12 or abs(int(exponent_text)) > limits.EXPONENT.value:
            raise ValueError(
                f"{shorten(text)} has an exponent past the limit of {limits.EXPONENT.value}"
            )
        exponent = int(exponent_text)
    mantissa = mpz((whole + places) or "0")
    if sign == "-":
        mantissa = -mantissa
    shift = exponent - len(places)
    if shift >= 0:
        return mpq(mantissa * mpz(10) ** shift), abs(exponent)
    return mpq(mantissa, mpz(10) ** (-shift)), abs(exponent)


def shorten(text: str, width: int = 40) -> str:
    """A quoted, printable excerpt of a text for error messages."""
    shown = text if len(text) <= width else text[: width - 3] + "..."
    return repr(shown)


def write_rational(value: Rational) -> int | str:
    """The form that written files use: an integer, or ``"p/q"`` in lowest terms.

    Integers of more than 4000 digits are written as strings, since JSON readers in common use
    (Python's among them) refuse longer integer literals.
    """
    if value.denominator == 1:
        number = int(value.numerator)
        return number if number.bit_length() < 13_000 else value.numerator.digits()
    return f"{value.numerator.digits()}/{value.denominator.digits()}"


def from_float(value: float) -> Rational:
    """The dyadic rational that a finite binary float is.

    Raises:
        ValueError: NaN or an infinity.
    """
    if value != value or value in (float("inf"), float("-inf")):
        raise ValueError("NaN and infinities are not numbers here")
    top, bottom = float(value).as_integer_ratio()
    return mpq(top, bottom)


def as_rational(value: object) -> Rational:
    """Convert an int, Fraction, mpq, mpz or decimal string given through the Python interface.

    Raises:
        TypeError: any other type; floats too, since 0.1 would silently become a dyadic rational.
    """
    if isinstance(value, bool):
        raise TypeError("a truth value is not a number")
    if isinstance(value, mpq):
        return value
    if isinstance(value, int | Fraction):
        return mpq(value)
    if isinstance(value, mpz):
        return mpq(value)
    if isinstance(value, str):
        return parse_rational(value)
    raise TypeError(f"expected an exact number, not {type(value).__name__}")


def bit_length(value: Rational) -> int:
    """Bits of the longer one of numerator and denominator (0 has one bit)."""
    return int(max(value.numerator.bit_length(), value.denominator.bit_length(), 1))


def floor(value: Rational) -> int:
    """Largest integer ≤ value."""
    return int(value.numerator // value.denominator)


def ceil(value: Rational) -> int:
    """Smallest integer ≥ value."""
    return -int((-value.numerator) // value.denominator)


def simplest_between(
    low: Rational, high: Rational, *, open_low: bool = False, open_high: bool = False
) -> Rational:
    """The rational of least denominator, and then of least absolute numerator, in an interval.

    By the Stern–Brocot tree the first fraction met inside the interval has both the least
    denominator and the least absolute numerator (docs/theory.md C4).

    Raises:
        ValueError: the interval is empty.
    """
    if low > high or (low == high and (open_low or open_high)):
        raise ValueError("empty interval")
    if (low < 0 or (low == 0 and not open_low)) and (high > 0 or (high == 0 and not open_high)):
        return mpq(0)
    if high < 0 or (high == 0 and open_high):
        return -simplest_between(-high, -low, open_low=open_high, open_high=open_low)
    # Now the interval is positive. Walk down the continued fraction that both ends share; a loop,
    # since long numbers share thousands of terms.
    shared: list[int] = []
    while True:
        whole = floor(low)
        if low == whole and not open_low:
            value = mpq(whole)
            break
        above = mpq(whole + 1)
        if above < high or (above == high and not open_high):
            value = above
            break
        shared.append(whole)
        if low == whole:
            # Open at the integer `whole` and whole + 1 is out of reach: 1/(x - whole) ranges over
            # an interval without upper end.
            value = simplest_above(1 / (high - whole), strict=open_high)
            break
        low, high = 1 / (high - whole), 1 / (low - whole)
        open_low, open_high = open_high, open_low
    for whole in reversed(shared):
        value = whole + 1 / value
    return value


def simplest_above(low: Rational, *, strict: bool) -> Rational:
    """The simplest rational in [low, ∞), or (low, ∞) if strict; ``low`` is positive: an integer."""
    whole = ceil(low)
    return mpq(whole + 1) if strict and whole == low else mpq(whole)
