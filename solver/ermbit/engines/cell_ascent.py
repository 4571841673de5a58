"""The simplex method on small polytopes of multipliers, from vertex to neighbouring vertex.

    maximise  goal · x    over    low ≤ x ≤ high,   E x = 0,   G x ≤ rhs

A *vertex* is a set of coordinates inside their bounds and as many rows that hold with equality. A
node of the search has a subset of its parent's rows, so the parent's vertex is a point to start
from; every vertex on the way gives a bound. All of it is floats: a proposal
for :mod:`ermbit.engines.cell_bounds`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TOLERANCE = 1e-9
STEPS = 400
"""Steps after which a climb is given up: it may be going round in circles."""

PATIENCE = 40
"""Steps without progress after which the next direction is drawn at random."""


@dataclass(frozen=True, slots=True)
class Vertex:
    """A vertex of a polytope.

    Attributes:
        inside: the coordinates that are not held at a bound.
        rows: as many row numbers (negative for E) that hold with equality.
        point: x.
        at_high: which of the other coordinates are at their upper bound.
    """

    inside: tuple[int, ...]
    rows: tuple[int, ...]
    point: Floats
    at_high: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Top:
    """Where a climb ended.

    Attributes:
        vertex: the last one.
        value: goal · x.
        multipliers: of the vertex's rows, ``None`` if the target was reached before the maximum.
    """

    vertex: Vertex
    value: float
    multipliers: Floats | None


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of G (m × n) with their numbers, right-hand sides, and which numbers are among them."""

    matrix: Floats
    numbers: NDArray[np.int64]
    rhs: Floats


def climb(
    goal: Floats,
    low: Floats,
    high: Floats,
    active: Floats,
    kept: NDArray[np.bool_],
    rows: Rows,
    start: Vertex,
    target: float,
) -> Top | None:
    """Climb from a vertex to the maximum, or until the target is reached.

    Args:
        goal, low, high: n numbers each.
        active: the rows of the start, k × n.
        kept: which of those are still required (rows of E count as kept and are never left).
        rows: all rows of G, with those of the start that are kept.
        start: a vertex of a polytope that lies inside this one.
        target: a value that is enough.

    Returns:
        where it ended, or ``None`` if the numbers went wrong.
    """
    from scipy.linalg.lapack import dgetrf, dgetrs

    x = start.point.copy()
    inside, numbers = list(start.inside), list(start.rows)
    at_high = start.at_high.copy()
    equal = np.array([number < 0 for number in numbers], dtype=bool)
    gone = ~kept
    matrix = rows.matrix
    slack = rows.rhs - matrix @ x
    stalled = 0
    noise = np.random.default_rng(len(numbers))
    for _ in range(STEPS):
        value = float(goal @ x)
        if value >= target:
            return Top(_vertex(inside, numbers, x, at_high), value, None)
        square = active[:, inside]
        if len(inside):
            factors, pivots, failed = dgetrf(square)
            if failed:
                return None
            multipliers, _ = dgetrs(factors, pivots, goal[inside], trans=1)
        else:
            multipliers = np.zeros(0)
        residual = goal - multipliers @ active if len(inside) else goal.copy()
        gain = np.where(at_high, -residual, residual)
        gain[inside] = 0.0
        gain[low == high] = 0.0
        leave = np.where(gone, np.abs(multipliers), -multipliers)
        leave[equal] = 0.0
        both = np.concatenate([gain, leave])
        if stalled > PATIENCE:
            both = np.where(both > TOLERANCE, both * noise.random(len(both)), both)
        best = int(both.argmax())
        if both[best] < TOLERANCE:
            return Top(_vertex(inside, numbers, x, at_high), value, multipliers)
        step = np.zeros(len(x))
        entering = leaving = -1
        if best < len(x):
            entering = best
            sign = -1.0 if at_high[best] else 1.0
            step[best] = sign
            side = active[:, best] * -sign
        else:
            leaving = best - len(x)
            side = np.zeros(len(numbers))
            side[leaving] = np.sign(multipliers[leaving]) if gone[leaving] else -1.0
        if len(inside):
            step[inside], _ = dgetrs(factors, pivots, side)
        step /= np.abs(step).max()
        rate = matrix @ step
        rising = rate > TOLERANCE
        length, hit = np.inf, -1
        if rising.any():
            where = np.nonzero(rising)[0]
            ratios = np.maximum(slack[where], 0.0) / rate[where]
            length = float(ratios.min())
            ties = where[ratios <= length + 1e-11]
            hit = int(ties[rate[ties].argmax()])
        moving = np.nonzero(np.abs(step) > 1e-11)[0]
        ends = np.where(step[moving] > 0, high[moving], low[moving])
        times = np.maximum((ends - x[moving]) / step[moving], 0.0)
        edge = int(times.argmin())
        if times[edge] < length:
            length, hit, wall = float(times[edge]), -1, int(moving[edge])
        else:
            wall = -1
        stalled = stalled + 1 if length < 1e-12 else 0
        x += length * step
        slack -= length * rate
        if wall >= 0:
            at_high[wall] = step[wall] > 0
            x[wall] = high[wall] if at_high[wall] else low[wall]
            if entering >= 0:
                if wall != entering:
                    inside[inside.index(wall)] = entering
            else:
                inside.remove(wall)
                del numbers[leaving]
                keep = np.arange(len(active)) != leaving
                active, gone, equal = active[keep], gone[keep], equal[keep]
        elif hit >= 0:
            number = int(rows.numbers[hit])
            if entering >= 0:
                inside.append(entering)
                numbers.append(number)
                active = np.concatenate([active, matrix[hit : hit + 1]])
                gone, equal = np.append(gone, False), np.append(equal, False)
            else:
                numbers[leaving] = number
                active = active.copy()
                active[leaving] = matrix[hit]
                gone[leaving] = False
        else:
            return None
    return None


def _vertex(inside: list[int], numbers: list[int], x: Floats, at_high: NDArray[np.bool_]) -> Vertex:
    return Vertex(tuple(inside), tuple(numbers), x, at_high)


def first_vertex(
    goal: Floats, low: Floats, high: Floats, equations: Floats, rows: Rows
) -> Vertex | None:
    """A vertex of greatest value, by a solver of linear programs, or ``None``."""
    from scipy.optimize import linprog

    solved = linprog(
        -goal,
        A_ub=rows.matrix if len(rows.matrix) else None,
        b_ub=rows.rhs if len(rows.matrix) else None,
        A_eq=equations if len(equations) else None,
        b_eq=np.zeros(len(equations)) if len(equations) else None,
        bounds=np.column_stack([low, high]),
        method="highs-ds",
    )
    if solved.x is None:
        return None
    x = np.clip(solved.x, low, high)
    margin = 1e-8 * np.maximum(1.0, high - low)
    at_high, at_low = x > high - margin, x < low + margin
    inside = [int(i) for i in np.nonzero(~at_high & ~at_low)[0]]
    tight = np.zeros(0, dtype=np.int64)
    if len(rows.matrix):
        near = rows.rhs - rows.matrix @ x < 1e-8
        weight = np.where(near, 1.0 - solved.ineqlin.marginals, 0.0)
        tight = np.argsort(-weight, kind="stable")[: int(near.sum())]
    candidates = [(-1 - k, row) for k, row in enumerate(equations)]
    candidates += [(int(rows.numbers[t]), rows.matrix[t]) for t in tight]
    return _spanning(candidates, inside, x, at_high)


def _spanning(
    candidates: list[tuple[int, Floats]],
    inside: list[int],
    x: Floats,
    at_high: NDArray[np.bool_],
) -> Vertex | None:
    """Independent rows, as many as coordinates inside; equations bring more coordinates along."""
    chosen: list[int] = []
    reduced: list[tuple[int, Floats]] = []
    coordinates = list(inside)
    for number, row in candidates:
        if number >= 0 and len(chosen) == len(coordinates):
            break
        rest = row.copy()
        for pivot, other in reduced:
            rest -= rest[pivot] / other[pivot] * other
        within = np.abs(rest[coordinates]) if coordinates else np.zeros(0)
        if within.size and within.max() > 1e-9:
            reduced.append((coordinates[int(within.argmax())], rest))
            chosen.append(number)
        elif number < 0 and np.abs(rest).max() > 1e-9:
            outside = int(np.abs(rest).argmax())
            coordinates.append(outside)
            reduced.append((outside, rest))
            chosen.append(number)
    if len(chosen) != len(coordinates):
        return None
    return Vertex(tuple(coordinates), tuple(chosen), x, at_high)
