"""Pseudo-Boolean sums: weighted counts of true literals and their bounds."""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import Final

from ermbit_encodings.circuit.cnf import FALSE, TRUE, Cnf
from ermbit_encodings.circuit.columns import Columns
from ermbit_encodings.circuit.comparator import ge_constant
from ermbit_encodings.circuit.word import Word
from ermbit_encodings.errors import EncodingError

__all__ = ["require_weighted_sum_le", "totalizer", "weighted_sum", "weighted_sum_le"]

# A full adder is 14 clauses and counting n literals takes fewer than n of them.
_ADDER_CLAUSES: Final = 14
# Unary counts propagate better than binary ones, so they may be this much larger.
_UNARY_ADVANTAGE: Final = 2


def weighted_sum(cnf: Cnf, weights: Sequence[int], literals: Sequence[int]) -> Word:
    """The sum of the weights of the true literals; weights are any integers.

    Raises `EncodingError` if there are not as many weights as literals.
    """
    terms, offset = _normalised(weights, literals)
    columns = Columns(offset, offset + sum(terms.values()), offset)
    for literal, weight in terms.items():
        for position in range(weight.bit_length()):
            if weight >> position & 1:
                columns.add_bit(literal, position)
    return columns.reduce(cnf)


def weighted_sum_le(cnf: Cnf, weights: Sequence[int], literals: Sequence[int], bound: int) -> int:
    """The literal of: the weights of the true literals sum to at most the bound.

    Weights are any integers. After normalisation (one positive weight per variable, divided by
    their greatest common divisor; literals heavier than the bound must be false), equal weights use
    a totalizer if it is not much larger than an adder; everything else is an adder tree and a
    comparator. Raises `EncodingError` if there are not as many weights as literals.
    """
    terms, offset = _normalised(weights, literals)
    bound -= offset
    if bound < 0:
        return FALSE
    light = {literal: weight for literal, weight in terms.items() if weight <= bound}
    none_heavy = cnf.and_all([-literal for literal in terms if literal not in light])
    if sum(light.values()) <= bound:
        return none_heavy
    divisor = gcd(*light.values())
    if all(weight == divisor for weight in light.values()):
        within = _count_le(cnf, list(light), bound // divisor)
    else:
        scaled = [weight // divisor for weight in light.values()]
        total = weighted_sum(cnf, scaled, list(light))
        within = -ge_constant(cnf, total, bound // divisor + 1)
    return cnf.and_(none_heavy, within)


def require_weighted_sum_le(
    cnf: Cnf, weights: Sequence[int], literals: Sequence[int], bound: int
) -> None:
    """Assert that the weights of the true literals sum to at most the bound."""
    cnf.require(weighted_sum_le(cnf, weights, literals, bound))


def _normalised(weights: Sequence[int], literals: Sequence[int]) -> tuple[dict[int, int], int]:
    """(weight of literal, offset): positive weights, one literal per variable, no constants."""
    if len(weights) != len(literals):
        raise EncodingError(f"{len(weights)} weights for {len(literals)} literals")
    offset = 0
    by_variable: dict[int, int] = {}
    for weight, literal in zip(weights, literals, strict=True):
        if literal == TRUE:
            offset += weight
        elif literal == FALSE:
            continue
        elif literal > 0:
            by_variable[literal] = by_variable.get(literal, 0) + weight
        else:  # weight * (1 - variable)
            offset += weight
            by_variable[-literal] = by_variable.get(-literal, 0) - weight
    terms: dict[int, int] = {}
    for variable, weight in by_variable.items():
        if weight > 0:
            terms[variable] = weight
        elif weight < 0:
            offset += weight
            terms[-variable] = -weight
    return terms, offset


# -- counting in unary --------------------------------------------------------------------------


def _count_le(cnf: Cnf, literals: Sequence[int], bound: int) -> int:
    """The literal of: at most ``bound`` of the literals are true, 0 < bound < their number."""
    count = len(literals)
    if count - bound - 1 < bound:  # at most b of n true: not at most n - b - 1 of n false
        complements = [-literal for literal in literals]
        if bound == count - 1:
            return cnf.or_all(complements)
        return -_count_le(cnf, complements, count - bound - 1)
    if _totalizer_clauses(count, bound + 1) <= _UNARY_ADVANTAGE * _ADDER_CLAUSES * count:
        return -totalizer(cnf, literals, bound + 1)[bound]
    total = weighted_sum(cnf, [1] * count, literals)
    return -ge_constant(cnf, total, bound + 1)


def totalizer(cnf: Cnf, literals: Sequence[int], limit: int | None = None) -> tuple[int, ...]:
    """Output k (from 0) is the literal of "at least k + 1 literals are true".

    There are min(limit, number of literals) outputs, all of them equivalences (Bailleux, Boufkhad,
    CP 2003; cut off as by Büttner, Rintanen, 2005). A bound is tightened step by step by asserting
    the complements of earlier and earlier outputs.
    """
    cap = len(literals) if limit is None else min(limit, len(literals))
    if cap <= 0:
        return ()
    level: list[tuple[int, ...]] = [(literal,) for literal in literals]
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        merged = [_merge(cnf, a, b, cap) for a, b in pairs]
        level = merged + level[len(merged) * 2 :]
    return level[0]


def _merge(cnf: Cnf, a: Sequence[int], b: Sequence[int], cap: int) -> tuple[int, ...]:
    size = min(len(a) + len(b), cap)
    outputs = tuple(cnf.fresh_many(size))
    for i in range(len(a) + 1):
        for j in range(min(len(b), size - i) + 1):
            if i + j:  # at least i and at least j
                reasons = [-a[i - 1]] if i else []
                reasons += [-b[j - 1]] if j else []
                cnf.add_clause([*reasons, outputs[i + j - 1]])
            if i + j < size:  # at most i and at most j
                limits = [a[i]] if i < len(a) else []
                limits += [b[j]] if j < len(b) else []
                cnf.add_clause([*limits, -outputs[i + j]])
    return outputs


def _totalizer_clauses(count: int, cap: int) -> int:
    """The number of clauses of a totalizer, give or take one per merge."""
    total = 0
    sizes = [1] * count
    while len(sizes) > 1:
        merged = []
        for a, b in zip(sizes[::2], sizes[1::2], strict=False):
            size = min(a + b, cap)
            total += 2 * sum(min(b, size - i) + 1 for i in range(min(a, size) + 1))
            merged.append(size)
        sizes = merged + sizes[len(merged) * 2 :]
    return total
