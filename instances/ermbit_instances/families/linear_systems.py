"""Output layers by exact linear algebra: all targets, given the values of the last hidden units."""

from __future__ import annotations

from collections.abc import Sequence

from gmpy2 import mpq

from ermbit_instances.rational import Rational


def solve(
    rows: Sequence[Sequence[Rational]], targets: Sequence[Rational]
) -> list[Rational] | None:
    """A rational v with rows · v = targets, free entries 0; None where there is none, even real.

    Gauss-Jordan elimination over the rationals, pivots in the order of the columns.
    """
    width = len(rows[0]) if rows else 0
    work = [[*map(mpq, row), mpq(t)] for row, t in zip(rows, targets, strict=True)]
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
    values = [mpq(0)] * width
    for row, column in zip(work, pivots, strict=False):
        values[column] = row[width]
    return values
