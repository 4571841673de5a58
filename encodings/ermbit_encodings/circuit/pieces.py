"""Piecewise linear functions of a word."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from ermbit_encodings.circuit.cnf import Cnf
from ermbit_encodings.circuit.columns import Columns
from ermbit_encodings.circuit.comparator import ge_constant
from ermbit_encodings.circuit.selector import select
from ermbit_encodings.circuit.word import Word, constant, fitted
from ermbit_encodings.errors import EncodingError

__all__ = ["piecewise"]


def piecewise(
    cnf: Cnf, word: Word, breakpoints: Sequence[int], pieces: Sequence[tuple[int, int]]
) -> Word:
    """slope * word + intercept of the piece that the word is in.

    ``breakpoints`` b_1 < ... < b_m are integers and ``pieces`` are m + 1 pairs (slope, intercept);
    piece k holds on [b_k, b_{k+1}). Only pieces that meet the range of the word are built, each
    just as wide as its values on its own part of the range, and a balanced tree of multiplexers
    over the comparisons word >= b_k picks one.

    Raises `EncodingError` if the breakpoints do not increase or the numbers do not match.
    """
    if len(pieces) != len(breakpoints) + 1:
        raise EncodingError(f"{len(breakpoints)} breakpoints need {len(breakpoints) + 1} pieces")
    if any(left >= right for left, right in pairwise(breakpoints)):
        raise EncodingError("the breakpoints must increase")

    # (first integer, slope, intercept) of the pieces within the range, equal neighbours merged.
    parts: list[tuple[int, int, int]] = []
    for k, (slope, intercept) in enumerate(pieces):
        first = word.lo if k == 0 else max(word.lo, breakpoints[k - 1])
        last = word.hi if k == len(breakpoints) else min(word.hi, breakpoints[k] - 1)
        if first <= last and (not parts or parts[-1][1:] != (slope, intercept)):
            parts.append((first, slope, intercept))
    starts = [first for first, _, _ in parts]
    branches = [
        _piece(cnf, word, first, last, slope, intercept)
        for (first, slope, intercept), last in zip(
            parts, [*(start - 1 for start in starts[1:]), word.hi], strict=True
        )
    ]
    reached = [ge_constant(cnf, word, start) for start in starts]
    for earlier, later in pairwise(reached[1:]):
        cnf.add_clause((-later, earlier))  # implied, for propagation

    def chosen(start: int, stop: int) -> Word:
        if stop - start == 1:
            return branches[start]
        middle = (start + stop) // 2
        return select(cnf, reached[middle], chosen(middle, stop), chosen(start, middle))

    return chosen(0, len(branches))


def _piece(cnf: Cnf, word: Word, first: int, last: int, slope: int, intercept: int) -> Word:
    """slope * word + intercept, right whenever first <= word <= last.

    Outside of this part the literals may spell anything, within the range as well as beyond: the
    result must only be used behind a multiplexer that discards it there.
    """
    ends = (slope * first + intercept, slope * last + intercept)
    if ends[0] == ends[1]:
        return constant(ends[0])
    if (slope, intercept) == (1, 0):
        return fitted(word.bits, *ends)
    columns = Columns(min(ends), max(ends), intercept)
    columns.add_word(word, slope)
    return columns.reduce(cnf)
