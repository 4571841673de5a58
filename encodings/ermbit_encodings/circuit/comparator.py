"""Comparisons of words, as literals and as assertions.

Thresholds that tighten step by step: ``ge_constant(cnf, total, k)`` returns a literal g(k) that is
equivalent to total >= k, so an incremental solver minimises ``total`` by adding ``-g(k)`` as a unit
clause (or as an assumption) with smaller and smaller k: the gates already built stay valid and
every learnt clause is kept. ``restrict`` is the one-off form: it asserts bounds and returns the
narrower word, from which everything built later profits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from ermbit_encodings.circuit.cnf import FALSE, TRUE, Cnf
from ermbit_encodings.circuit.word import Word, fitted
from ermbit_encodings.errors import EncodingError

__all__ = [
    "equals",
    "equals_constant",
    "ge",
    "ge_constant",
    "lex_le",
    "require_ge_constant",
    "require_le_constant",
    "restrict",
]

# Assertions without gates have total length quadratic in the width; past this width use gates.
_DIRECT_WIDTH: Final = 64


def _ordered(word: Word, value: int) -> Iterator[tuple[int, int]]:
    """(literal, bit of value) from the lowest place on, sign complemented: unsigned order."""
    last = word.width - 1
    for position, literal in enumerate(word.bits):
        bit = value >> position & 1
        yield (-literal, 1 - bit) if position == last else (literal, bit)


def ge_constant(cnf: Cnf, word: Word, bound: int) -> int:
    """The literal of word >= bound; constant when the range decides."""
    if word.lo >= bound:
        return TRUE
    if word.hi < bound:
        return FALSE
    result = TRUE
    for literal, bit in _ordered(word, bound):
        result = cnf.and_(literal, result) if bit else cnf.or_(literal, result)
    return result


def ge(cnf: Cnf, a: Word, b: Word) -> int:
    """The literal of a >= b: the carry out of a + not b + 1, sign bits exchanged."""
    if a.lo >= b.hi or a.bits == b.bits:
        return TRUE
    if a.hi < b.lo:
        return FALSE
    if b.is_constant:
        return ge_constant(cnf, a, b.lo)
    if a.is_constant:
        return -ge_constant(cnf, b, a.lo + 1)
    width = max(a.width, b.width)
    result = TRUE
    for a_bit, b_bit in zip(a.extended(width)[:-1], b.extended(width)[:-1], strict=True):
        result = cnf.majority(a_bit, -b_bit, result)
    return cnf.majority(-a.sign, b.sign, result)


def equals_constant(cnf: Cnf, word: Word, value: int) -> int:
    """The literal of word = value; constant when the range decides."""
    if not word.lo <= value <= word.hi:
        return FALSE
    return cnf.and_all(
        [bit if value >> position & 1 else -bit for position, bit in enumerate(word.bits)]
    )


def equals(cnf: Cnf, a: Word, b: Word) -> int:
    """The literal of a = b."""
    if a.hi < b.lo or b.hi < a.lo:
        return FALSE
    if a.is_constant:
        return equals_constant(cnf, b, a.lo)
    if b.is_constant:
        return equals_constant(cnf, a, b.lo)
    width = max(a.width, b.width)
    pairs = zip(a.extended(width), b.extended(width), strict=True)
    return cnf.and_all([-cnf.xor(a_bit, b_bit) for a_bit, b_bit in pairs])


def require_ge_constant(cnf: Cnf, word: Word, bound: int) -> None:
    """Assert word >= bound."""
    if word.lo >= bound:
        return
    if word.hi < bound or word.width > _DIRECT_WIDTH:
        cnf.require(ge_constant(cnf, word, bound))
        return
    # Smaller means: some place has 0 against 1 and no higher place has 1 against 0.
    above: list[int] = []
    for literal, bit in reversed(list(_ordered(word, bound))):
        if bit:
            cnf.add_clause([literal, *above])
        else:
            above.append(literal)


def require_le_constant(cnf: Cnf, word: Word, bound: int) -> None:
    """Assert word <= bound."""
    if word.hi <= bound:
        return
    if word.lo > bound or word.width > _DIRECT_WIDTH:
        cnf.require(-ge_constant(cnf, word, bound + 1))
        return
    above: list[int] = []
    for literal, bit in reversed(list(_ordered(word, bound))):
        if bit:
            above.append(-literal)
        else:
            cnf.add_clause([-literal, *above])


def restrict(cnf: Cnf, word: Word, lo: int, hi: int) -> Word:
    """Assert lo <= word <= hi and return the word with the narrower range.

    If no value remains, the formula becomes contradictory and the word is returned as it is.
    """
    require_ge_constant(cnf, word, lo)
    require_le_constant(cnf, word, hi)
    lo, hi = max(lo, word.lo), min(hi, word.hi)
    if lo > hi:
        cnf.require(FALSE)
        return word
    return fitted(word.bits, lo, hi)


def lex_le(cnf: Cnf, a: Sequence[Word], b: Sequence[Word]) -> None:
    """Assert that the values of ``a`` come lexicographically before or equal those of ``b``.

    The first word weighs most (Frisch, Hnich, Kiziltan, Miguel, Walsh, Artificial Intelligence 170,
    2006, over the bits of the words). Raises `EncodingError` if the lengths differ.
    """
    if len(a) != len(b):
        raise EncodingError(f"cannot compare {len(a)} words with {len(b)} lexicographically")
    equal = TRUE  # all places so far agree
    for a_word, b_word in zip(a, b, strict=True):
        if a_word.hi < b_word.lo:
            return
        if a_word.lo > b_word.hi:
            cnf.require(-equal)
            return
        width = max(a_word.width, b_word.width)
        places = list(zip(a_word.extended(width), b_word.extended(width), strict=True))
        places[-1] = (-a_word.sign, -b_word.sign)
        for a_bit, b_bit in reversed(places):
            cnf.add_clause((-equal, -a_bit, b_bit))
            equal = cnf.and_(equal, cnf.or_(a_bit, -b_bit))
            if equal == FALSE:
                return
