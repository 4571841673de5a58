"""Products, powers and polynomials of words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from ermbit_encodings.circuit.adder import linear
from ermbit_encodings.circuit.cnf import FALSE, Cnf
from ermbit_encodings.circuit.columns import Columns
from ermbit_encodings.circuit.word import Word, constant, fitted, width_of
from ermbit_encodings.errors import EncodingError

__all__ = [
    "dot_product",
    "multiply",
    "polynomial",
    "power",
    "product_range",
    "shift_left_by",
    "square",
]

# Up to this many values the range of a polynomial is found by trying them all.
_ENUMERATED_VALUES: Final = 2048


def product_range(a: Word, b: Word) -> tuple[int, int]:
    """The interval of a * b over the ranges of the words."""
    corners = (a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi)
    return min(corners), max(corners)


def multiply(cnf: Cnf, a: Word, b: Word) -> Word:
    """a * b. Equal words are squared."""
    if a.bits == b.bits:
        return square(cnf, a)
    return _multiply_within(cnf, a, b, *product_range(a, b))


def _multiply_within(cnf: Cnf, a: Word, b: Word, lo: int, hi: int) -> Word:
    for one, other in ((a, b), (b, a)):
        if one.is_constant:
            return linear(cnf, ((one.lo, other),))
    columns = Columns(lo, hi)
    columns.add_product(cnf, a, b)
    return columns.reduce(cnf)


def dot_product(cnf: Cnf, pairs: Iterable[tuple[Word, Word]], offset: int = 0) -> Word:
    """offset + the sum of a * b over the pairs, in one compressor tree."""
    lo = hi = offset
    kept = []
    for a, b in pairs:
        low, high = product_range(a, b) if a.bits != b.bits else power_range(a, 2)
        lo, hi = lo + low, hi + high
        kept.append((a, b))
    columns = Columns(lo, hi, offset)
    for a, b in kept:
        if a.is_constant:
            columns.add_word(b, a.lo)
        elif b.is_constant:
            columns.add_word(a, b.lo)
        else:
            columns.add_product(cnf, a, b)
    return columns.reduce(cnf)


def power_range(word: Word, exponent: int) -> tuple[int, int]:
    """The exact interval of word ** exponent over the range of the word."""
    ends = (word.lo**exponent, word.hi**exponent)
    if exponent and exponent % 2 == 0 and word.lo < 0 < word.hi:
        return 0, max(ends)
    return min(ends), max(ends)


def square(cnf: Cnf, word: Word) -> Word:
    """word ** 2; the partial products x_i x_j and x_j x_i are one literal, a column higher."""
    return _multiply_within(cnf, word, word, *power_range(word, 2))


def power(cnf: Cnf, word: Word, exponent: int) -> Word:
    """word ** exponent for exponent >= 0, by repeated squaring; 0 ** 0 is 1.

    Raises `EncodingError` for a negative exponent.
    """
    if exponent < 0:
        raise EncodingError(f"the exponent {exponent} is negative")
    if exponent == 0:
        return constant(1)
    if exponent == 1 or word.is_constant:
        return word if exponent == 1 else constant(word.lo**exponent)
    half = power(cnf, word, exponent // 2)
    even = square(cnf, half)
    if exponent % 2 == 0:
        return even
    return _multiply_within(cnf, word, even, *power_range(word, exponent))


def polynomial(cnf: Cnf, word: Word, coefficients: Sequence[int]) -> Word:
    """c_0 + c_1 word + c_2 word^2 + ... with integer coefficients in ascending order."""
    if word.is_constant:
        return constant(sum(c * word.lo**k for k, c in enumerate(coefficients)))
    offset = coefficients[0] if coefficients else 0
    terms = [(c, power(cnf, word, k)) for k, c in enumerate(coefficients) if k and c]
    total = linear(cnf, terms, offset)
    lo, hi = _polynomial_range(word, coefficients, (total.lo, total.hi))
    return fitted(total.bits, lo, hi)


def _polynomial_range(
    word: Word, coefficients: Sequence[int], natural: tuple[int, int]
) -> tuple[int, int]:
    """Few values: the exact hull; otherwise the better of the sum of powers and Horner's rule."""
    if word.hi - word.lo < _ENUMERATED_VALUES:
        values = [_horner(x, coefficients) for x in range(word.lo, word.hi + 1)]
        return min(values), max(values)
    lo = hi = 0
    for coefficient in reversed(coefficients):
        corners = (lo * word.lo, lo * word.hi, hi * word.lo, hi * word.hi)
        lo, hi = min(corners) + coefficient, max(corners) + coefficient
    return max(lo, natural[0]), min(hi, natural[1])


def _horner(x: int, coefficients: Sequence[int]) -> int:
    value = 0
    for coefficient in reversed(coefficients):
        value = value * x + coefficient
    return value


def shift_left_by(cnf: Cnf, word: Word, amount: Word) -> Word:
    """word * 2^amount for an amount that is never negative (a barrel shifter).

    Raises `EncodingError` if the range of the amount contains a negative integer.
    """
    if amount.lo < 0:
        raise EncodingError(f"the shift amount can be as low as {amount.lo}")
    corners = [end << count for end in (word.lo, word.hi) for count in (amount.lo, amount.hi)]
    lo, hi = min(corners), max(corners)
    width = width_of(lo, hi)  # bits past this width never matter
    bits = list(word.bits)
    for position, by_bit in enumerate(amount.bits[:-1]):
        if by_bit == FALSE:
            continue
        shifted = [FALSE] * (1 << position) + bits
        bits += [bits[-1]] * (len(shifted) - len(bits))
        pairs = zip(shifted[:width], bits[:width], strict=True)
        bits = [cnf.mux(by_bit, moved, kept) for moved, kept in pairs]
    return fitted(bits, lo, hi)
