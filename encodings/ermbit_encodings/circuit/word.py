"""Integer-valued signals: two's complement literals and a proved range.

The invariant of a `Word`: in every model of the formula that its gates were added to, the value of
the literals lies in [lo, hi]. Everything above the literals that a range leaves open is a constant
literal, so a comparison that the range decides costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from ermbit_encodings.circuit.cnf import FALSE, TRUE
from ermbit_encodings.errors import EncodingError

__all__ = ["Model", "Word", "constant", "fitted", "free_width", "is_true", "width_of"]

#: A set or a sequence of the literals that are true. Variables that do not occur count as false.
#: Decoding many words from one model is quickest with a set.
Model = AbstractSet[int] | Sequence[int]


def width_of(lo: int, hi: int) -> int:
    """The number of two's complement bits, sign included, that hold every integer of [lo, hi]."""
    return max((lo if lo >= 0 else ~lo).bit_length(), (hi if hi >= 0 else ~hi).bit_length()) + 1


def free_width(lo: int, hi: int) -> int:
    """The number of low bits that are not the same for all integers of [lo, hi]."""
    difference = lo ^ hi
    return width_of(lo, hi) if difference < 0 else difference.bit_length()


def is_true(literal: int, model: Model) -> bool:
    """Whether the literal is true in the model (a variable that does not occur is false)."""
    if literal in (TRUE, FALSE):
        return literal == TRUE
    variable = abs(literal)
    if isinstance(model, AbstractSet):
        positive = variable in model
    elif len(model) >= variable and abs(model[variable - 1]) == variable:
        positive = model[variable - 1] > 0  # solvers list literal v at position v - 1
    else:
        positive = variable in model
    return positive == (literal > 0)


@dataclass(frozen=True, slots=True)
class Word:
    """A signal with value -2^(w-1) bits[w-1] + sum of 2^i bits[i], always within [lo, hi]."""

    bits: tuple[int, ...]
    lo: int
    hi: int

    @property
    def sign(self) -> int:
        """The literal that is true iff the value is negative."""
        return self.bits[-1]

    @property
    def width(self) -> int:
        """The number of bits, sign included."""
        return len(self.bits)

    @property
    def is_constant(self) -> bool:
        """Whether the range is a single integer."""
        return self.lo == self.hi

    def extended(self, width: int) -> tuple[int, ...]:
        """The literals, sign-extended to ``width`` bits."""
        return self.bits + (self.bits[-1],) * (width - len(self.bits))

    def value(self, model: Model) -> int:
        """The integer that the word has in the model."""
        total = 0
        for position, literal in enumerate(self.bits):
            if is_true(literal, model):
                total += 1 << position
        return total - (1 << len(self.bits)) if is_true(self.sign, model) else total


def fitted(bits: Sequence[int], lo: int, hi: int) -> Word:
    """The word of these two's complement bits, given a proof that the value is in [lo, hi].

    Literals are cut off or sign-extended to the width of the range, and those that the range
    determines become constants: two integers with the same sign and the same leading bits enclose
    only integers with these leading bits. Raises `EncodingError` for an empty range.
    """
    if lo > hi:
        raise EncodingError(f"the range [{lo}, {hi}] is empty")
    width, free = width_of(lo, hi), free_width(lo, hi)
    low = list(bits[:free])
    low += [bits[-1]] * (free - len(low))
    low += [TRUE if lo >> position & 1 else FALSE for position in range(free, width)]
    return Word(tuple(low), lo, hi)


def constant(value: int) -> Word:
    """The word with this one value."""
    return fitted((FALSE,), value, value)
