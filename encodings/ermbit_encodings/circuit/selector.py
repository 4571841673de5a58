"""Case distinctions on words: multiplexers, masks, maxima, absolute values."""

from __future__ import annotations

from collections.abc import Sequence

from ermbit_encodings.circuit.adder import negate
from ermbit_encodings.circuit.cnf import FALSE, TRUE, Cnf
from ermbit_encodings.circuit.columns import Columns
from ermbit_encodings.circuit.comparator import ge
from ermbit_encodings.circuit.word import Word, fitted, width_of
from ermbit_encodings.errors import EncodingError

__all__ = ["absolute", "mask", "max_of", "relu", "select"]


def select(cnf: Cnf, condition: int, then: Word, otherwise: Word) -> Word:
    """``then`` if the literal is true, else ``otherwise``."""
    if condition == TRUE:
        return then
    if condition == FALSE:
        return otherwise
    # The range of a branch may hold only while that branch is chosen, so equal literals do not
    # allow the range of one branch alone.
    lo, hi = min(then.lo, otherwise.lo), max(then.hi, otherwise.hi)
    width = width_of(lo, hi)
    pairs = zip(then.extended(width), otherwise.extended(width), strict=True)
    return fitted([cnf.mux(condition, t, e) for t, e in pairs], lo, hi)


def mask(cnf: Cnf, condition: int, word: Word) -> Word:
    """``word`` if the literal is true, else 0."""
    if condition == TRUE:
        return word
    if condition == FALSE:
        return fitted((FALSE,), 0, 0)
    bits = [cnf.and_(condition, bit) for bit in word.bits]
    return fitted(bits, min(word.lo, 0), max(word.hi, 0))


def max_of(cnf: Cnf, words: Sequence[Word]) -> Word:
    """The maximum of one or more words, as a balanced tree. Raises `EncodingError` without any."""
    if not words:
        raise EncodingError("the maximum of no words is not defined")
    # A word that never exceeds another one's least value cannot be needed.
    floor = max(word.lo for word in words)
    best = next(word for word in words if word.lo == floor)
    level = [word for word in words if word is best or word.hi > floor]
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        merged = [_larger(cnf, a, b) for a, b in pairs]
        level = merged + level[len(merged) * 2 :]
    return level[0]


def _larger(cnf: Cnf, a: Word, b: Word) -> Word:
    chosen = select(cnf, ge(cnf, a, b), a, b)
    return fitted(chosen.bits, max(a.lo, b.lo), max(a.hi, b.hi))


def relu(cnf: Cnf, word: Word) -> Word:
    """max(word, 0)."""
    if word.lo >= 0:
        return word
    positive = mask(cnf, -word.sign, word)
    return fitted(positive.bits, 0, max(word.hi, 0))


def absolute(cnf: Cnf, word: Word) -> Word:
    """abs(word): complement and add one when negative."""
    if word.lo >= 0:
        return word
    if word.hi < 0:
        return negate(cnf, word)
    columns = Columns(0, max(-word.lo, word.hi))
    for position, bit in enumerate(word.bits[:-1]):
        columns.add_bit(cnf.xor(bit, word.sign), position)
    columns.add_bit(word.sign, 0)
    return columns.reduce(cnf)
