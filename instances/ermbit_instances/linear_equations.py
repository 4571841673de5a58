"""Systems of linear equations over the rationals."""

from __future__ import annotations

from collections.abc import Sequence

from gmpy2 import mpq

from ermbit_instances.rational import Rational


def solve(
    rows: Sequence[Sequence[Rational]],
    right: Sequence[Rational],
    guesses: Sequence[Rational] | None = None,
) -> list[Rational] | None:
    """A rational v with rows · v = right; None where there is none, even real.

    Gauss-Jordan elimination, pivots in the order of the columns. Unknowns that stay open keep
    their guesses, by default 0.
    """
    width = len(rows[0]) if rows else len(guesses or ())
    work = [[*map(mpq, row), mpq(t)] for row, t in zip(rows, right, strict=True)]
    pivots: list[int] = []
    for column in range(width):
        at = len(pivots)
        found = next((r for r in range(at, len(work)) if work[r][column] != 0), None)
        if found is None:
            continue
        work[at], work[found] = work[found], work[at]
        pivot = work[at][column]
        work[at] = [entry / pivot for entry in work[at]]
        for r, row in enumerate(work):
            if r != at and row[column] != 0:
                factor = row[column]
                work[r] = [a - factor * b for a, b in zip(row, work[at], strict=True)]
        pivots.append(column)
    if any(row[width] != 0 for row in work[len(pivots) :]):
        return None
    values = [mpq(0)] * width if guesses is None else list(guesses)
    still_open = [c for c in range(width) if c not in pivots and values[c] != 0]
    for row, column in zip(work, pivots, strict=False):
        values[column] = row[width] - sum((row[c] * values[c] for c in still_open), mpq(0))
    return values
