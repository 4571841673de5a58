"""Small linear programs in exact rationals, for the few nodes that floats leave unsettled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gmpy2 import mpq

from ermbit_instances.errors import InternalError
from ermbit_instances.rational import Rational

_ZERO = mpq(0)


@dataclass(frozen=True, slots=True)
class Optimum:
    """A greatest value of c·x with its proof.

    Attributes:
        point: x.
        prices: one number ≥ 0 a row: c ≤ Aᵀ·prices with equality where x > 0.
        value: c·x = b·prices.
    """

    point: tuple[Rational, ...]
    prices: tuple[Rational, ...]
    value: Rational


def maximise(
    goal: Sequence[int],
    matrix: Sequence[Sequence[int]],
    sides: Sequence[int],
    check: Callable[[], None],
) -> Optimum:
    """Maximise goal·x over x ≥ 0, matrix·x ≤ sides, where sides ≥ 0 and the maximum is finite.

    The simplex method on a dense tableau from x = 0. Dantzig's rule while the value rises, Bland's
    rule (1977), which cannot cycle, where it does not.

    Args:
        check: called at every step; ends it by raising.
    """
    width, height = len(goal), len(sides)
    # Row i: the basic variable of row i is last − Σ entries · nonbasic variables.
    rows = [[mpq(v) for v in row] + [mpq(side)] for row, side in zip(matrix, sides, strict=True)]
    top = [-mpq(v) for v in goal] + [_ZERO]
    columns = list(range(width))
    basic = list(range(width, width + height))
    careful = False
    while True:
        check()
        candidates = [j for j in range(width) if top[j] < 0]
        if not candidates:
            break
        if careful:
            j = min(candidates, key=lambda k: columns[k])
        else:
            j = min(candidates, key=lambda k: top[k])
        ratios = [
            (rows[i][width] / rows[i][j], basic[i], i) for i in range(height) if rows[i][j] > 0
        ]
        if not ratios:
            raise InternalError("an unbounded dual of a bounded problem")
        ratio, _, i = min(ratios)
        careful = ratio == 0
        _pivot(rows, top, i, j)
        columns[j], basic[i] = basic[i], columns[j]
    point = [_ZERO] * width
    prices = [_ZERO] * height
    for i, variable in enumerate(basic):
        if variable < width:
            point[variable] = rows[i][width]
    for j, variable in enumerate(columns):
        if variable >= width:
            prices[variable - width] = top[j]
    return Optimum(tuple(point), tuple(prices), top[width])


def _pivot(rows: list[list[Rational]], top: list[Rational], i: int, j: int) -> None:
    """Exchange the basic variable of row i with the nonbasic one of column j."""
    pivot = rows[i]
    inverse = 1 / pivot[j]
    for k in range(len(pivot)):
        pivot[k] = pivot[k] * inverse
    pivot[j] = inverse
    used = [k for k, v in enumerate(pivot) if v != 0 and k != j]
    for row in [*rows[:i], *rows[i + 1 :], top]:
        factor = row[j]
        if factor != 0:
            for k in used:
                row[k] -= factor * pivot[k]
            row[j] = -factor * inverse
