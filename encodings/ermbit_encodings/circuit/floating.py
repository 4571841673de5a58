"""Words over the finite values of a binary floating-point format, scaled to integers.

With p significand bits (the leading one included) and the least positive value scaled to 1, the
finite values are exactly m 2^e with |m| < 2^p, e >= 0 and absolute value at most the largest one:
subnormal numbers have e = 0, all others |m| >= 2^(p-1). Keeping m and e apart makes products far
smaller than products of the wide integers: only m is multiplied, the result is shifted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from ermbit_encodings.circuit.choice import input_range
from ermbit_encodings.circuit.cnf import FALSE, Cnf
from ermbit_encodings.circuit.columns import Columns
from ermbit_encodings.circuit.comparator import equals_constant, ge_constant
from ermbit_encodings.circuit.multiplier import multiply, product_range, shift_left_by
from ermbit_encodings.circuit.word import Model, Word, fitted
from ermbit_encodings.errors import EncodingError

__all__ = ["FLOAT_SHAPES", "FloatShape", "FloatWord", "float_word", "multiply_float"]


@dataclass(frozen=True, slots=True)
class FloatShape:
    """A format: significand bits, scale and largest value.

    Attributes:
        precision: significand bits, the hidden one included.
        scale_bits: all finite values are integers over 2^scale_bits (docs/theory.md A7).
        largest: the largest finite value times 2^scale_bits.
    """

    precision: int
    scale_bits: int
    largest: int


def _shape(precision: int, scale_bits: int, significand: int, shift: int) -> FloatShape:
    return FloatShape(precision, scale_bits, significand << shift)


#: The formats of the ``float`` domain. e4m3 is the variant without infinities whose all-ones
#: encoding alone is not a number (Open Compute Project, OFP8, 2023), so its largest significand is
#: even; the others are IEEE-like.
FLOAT_SHAPES: Final[Mapping[str, FloatShape]] = MappingProxyType(
    {
        "fp8_e4m3": _shape(4, 9, 14, 14),
        "fp8_e5m2": _shape(3, 16, 7, 29),
        "float16": _shape(11, 24, 2**11 - 1, 29),
        "bfloat16": _shape(8, 133, 2**8 - 1, 253),
        "float32": _shape(24, 149, 2**24 - 1, 253),
    }
)


@dataclass(frozen=True, slots=True)
class FloatWord:
    """A free floating-point number, scaled: word = significand * 2^exponent.

    ``inputs`` are the fresh literals (sign, significand, exponent); each value has exactly one
    assignment, zero is positive.
    """

    word: Word
    significand: Word
    exponent: Word
    inputs: tuple[int, ...]

    def decode(self, model: Model) -> int:
        """The scaled value in a model."""
        return self.word.value(model)


def float_word(cnf: Cnf, shape: FloatShape) -> FloatWord:
    """A free word over exactly the finite values of the format, +0 and -0 being one value.

    Raises `EncodingError` if the largest value is not a significand of ``precision`` bits, leading
    bit set, times a power of two.
    """
    precision, largest = shape.precision, shape.largest
    last_exponent = largest.bit_length() - precision
    if precision < 1 or last_exponent < 0 or largest >> last_exponent << last_exponent != largest:
        raise EncodingError(f"{largest} is not the largest value with {precision} significand bits")
    sign = cnf.fresh()
    magnitude_bits = cnf.fresh_many(precision)
    exponent = input_range(cnf, 0, last_exponent)
    magnitude = fitted((*magnitude_bits, FALSE), 0, (1 << precision) - 1)

    cnf.add_clause((-sign, *magnitude_bits))
    for bit in exponent.bits:
        cnf.add_clause((-bit, magnitude_bits[-1]))
    at_top = equals_constant(cnf, exponent, last_exponent)
    too_large = ge_constant(cnf, magnitude, (largest >> last_exponent) + 1)
    cnf.add_clause((-at_top, -too_large))

    columns = Columns(-magnitude.hi, magnitude.hi)
    for position, bit in enumerate(magnitude.bits):
        columns.add_bit(cnf.xor(bit, sign), position, position == magnitude.width - 1)
    columns.add_bit(sign, 0)
    significand = columns.reduce(cnf)
    shifted = shift_left_by(cnf, significand, exponent)
    word = fitted(shifted.bits, -largest, largest)
    inputs = (sign, *magnitude_bits, *(bit for bit in exponent.bits if bit != FALSE))
    return FloatWord(word, significand, exponent, inputs)


def multiply_float(cnf: Cnf, factor: FloatWord, word: Word) -> Word:
    """factor * word: the significand times the word, shifted by the exponent."""
    if word.is_constant:
        return multiply(cnf, factor.word, word)
    product = shift_left_by(cnf, multiply(cnf, factor.significand, word), factor.exponent)
    return fitted(product.bits, *product_range(factor.word, word))
