"""The simplex method on small polytopes of multipliers, from vertex to neighbouring vertex.

    maximise  goal · x    over    low ≤ x ≤ high,   E x = 0,   G x ≤ rhs

A *vertex* is a set of coordinates inside their bounds and as many rows that hold with equality. A
node of the search has a subset of its parent's rows, so the parent's vertex is a point to start
from; every vertex on the way gives a bound. All of it is floats: a proposal
for :mod:`ermbit.engines.cells.bounds`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ermbit.engines.float_program import FloatProgram

Floats = NDArray[np.float64]

TOLERANCE = 1e-9
STEPS = 2_000
"""Steps after which a climb is given up: it may be going round in circles."""

FIRST_ROWS = 60
"""Rows that the linear program of a first vertex starts with, and takes on at a time."""

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
    x = start.point.copy()
    inside, numbers = list(start.inside), list(start.rows)
    at_high = start.at_high.copy()
    matrix = rows.matrix
    slack = rows.rhs - matrix @ x
    # What a multiplier is worth: rows of E are never left, rows that are gone in either direction.
    kinds = [0 if number < 0 else 1 if kept[k] else 2 for k, number in enumerate(numbers)]
    stalled = 0
    noise = np.random.default_rng(len(numbers))
    for _ in range(STEPS):
        value = float(goal @ x)
        if value >= target:
            return Top(_vertex(inside, numbers, x, at_high), value, None)
        index = np.array(inside, dtype=np.intp)
        multipliers = np.zeros(0)
        gain = goal
        if len(inside):
            try:
                inverse = np.linalg.inv(active.take(index, axis=1))
            except np.linalg.LinAlgError:
                return None
            multipliers = goal.take(index) @ inverse
            gain = goal - multipliers @ active
        gain = np.where(at_high, -gain, gain)
        gain[index] = 0.0
        leave = [
            -m if kind == 1 else abs(m) if kind else 0.0
            for m, kind in zip(multipliers.tolist(), kinds, strict=True)
        ]
        if stalled > PATIENCE:
            gain = gain * noise.uniform(0.1, 1.0, len(gain))
            leave = [v * f for v, f in zip(leave, noise.uniform(0.1, 1.0, len(leave)), strict=True)]
        entering, leaving = int(gain.argmax()), -1
        most = float(gain[entering])
        if leave and max(leave) > most:
            most = max(leave)
            entering, leaving = -1, leave.index(most)
        if most < TOLERANCE:
            return Top(_vertex(inside, numbers, x, at_high), value, multipliers)
        step = np.zeros(len(x))
        if entering >= 0:
            sign = -1.0 if at_high[entering] else 1.0
            step[entering] = sign
            side = active[:, entering] * -sign
        else:
            side = np.zeros(len(numbers))
            side[leaving] = -1.0 if kinds[leaving] == 1 or multipliers[leaving] < 0 else 1.0
        if len(inside):
            step[index] = inverse @ side
        size = np.abs(step)
        step /= size.max()
        # The first bound of a coordinate on the way, or the first row.
        moving = np.nonzero(size > 1e-11)[0]
        speed = step[moving]
        ends = np.where(speed > 0, high[moving], low[moving])
        times = (ends - x[moving]) / speed
        edge = int(times.argmin())
        length, wall, hit = max(0.0, float(times[edge])), int(moving[edge]), -1
        rate = matrix @ step
        where = np.nonzero(rate > TOLERANCE)[0]
        if len(where):
            rising = rate[where]
            ratios = slack[where] / rising
            nearest = max(0.0, float(ratios.min()))
            if nearest <= length:
                ties = np.nonzero(ratios <= nearest + 1e-11)[0]
                length, wall, hit = nearest, -1, int(where[ties[rising[ties].argmax()]])
        if length < 1e-12:
            stalled += 1
        else:
            stalled = 0
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
                del numbers[leaving], kinds[leaving]
                active = np.delete(active, leaving, axis=0)
        else:
            number = int(rows.numbers[hit])
            if entering >= 0:
                inside.append(entering)
                numbers.append(number)
                kinds.append(1)
                active = np.concatenate([active, matrix[hit : hit + 1]])
            else:
                numbers[leaving], kinds[leaving] = number, 1
                active[leaving] = matrix[hit]
    return None


def _vertex(inside: list[int], numbers: list[int], x: Floats, at_high: NDArray[np.bool_]) -> Vertex:
    return Vertex(tuple(inside), tuple(numbers), x, at_high)


def first_vertex(
    goal: Floats, low: Floats, high: Floats, equations: Floats, rows: Rows
) -> Vertex | None:
    """A vertex of greatest value, by a solver of linear programs, or ``None``."""
    # Rows that are violated are added a few at a time: hardly any of them matter.
    used = np.arange(0, len(rows.matrix), max(1, len(rows.matrix) // FIRST_ROWS))
    zeros = np.zeros(len(equations))
    while True:
        program = FloatProgram(
            goal=-goal,
            matrix=np.concatenate([equations, rows.matrix[used]]),
            lower=np.concatenate([zeros, np.full(len(used), -np.inf)]),
            upper=np.concatenate([zeros, rows.rhs[used]]),
            low=low,
            high=high,
        )
        solved = program.solve("simplex")
        if solved is None:
            return None
        excess = rows.matrix @ solved.point - rows.rhs
        excess[used] = 0.0
        worst = np.argsort(-excess, kind="stable")[:FIRST_ROWS]
        worst = worst[excess[worst] > TOLERANCE]
        if not len(worst):
            break
        used = np.concatenate([used, worst])
    x = np.clip(solved.point, low, high)
    margin = 1e-8 * np.maximum(1.0, high - low)
    at_high, at_low = x > high - margin, x < low + margin
    inside = [int(i) for i in np.nonzero(~at_high & ~at_low)[0]]
    tight = np.zeros(0, dtype=np.intp)
    if len(used):
        near = rows.rhs[used] - rows.matrix[used] @ x < 1e-8
        weight = np.where(near, 1.0 - solved.multipliers[len(equations) :], 0.0)
        tight = used[np.argsort(-weight, kind="stable")[: int(near.sum())]]
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
