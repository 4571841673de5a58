"""The relaxation at a node for absolute and hinge losses, sums and maxima: a linear program.

It is solved through its dual (multipliers λ of the samples) in floats from the parent's vertex;
the vertex is then computed again in exact rationals.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import lcm

import numpy as np
from gmpy2 import mpq

from ermbit.engines.cells.ascent import Floats, Rows, Vertex, climb, first_vertex
from ermbit.engines.cells.bounds import exact_bound, solve_exactly
from ermbit.engines.cells.exact import maximise
from ermbit.engines.cells.program import (
    Combination,
    Mask,
    Relaxed,
    Start,
    Units,
    scaled_floats,
)
from ermbit.engines.cells.target import Target
from ermbit_instances.rational import Rational

NOISE = 1e-6
"""By which float rows of length 1 are loosened; the exact vertex is computed without it."""

SLACK = 1e-9
"""Relative: how far a float bound has to pass a target for the climb to end before its maximum."""


class LinearProgram:
    """Sums and maxima of absolute and hinge losses.

    The coordinates of the dual are λ, or under ``max`` its positive and its negative parts, with
    the budget Σ max(λ/w⁺, −λ/w⁻) ≤ 1 as row 0.
    """

    def __init__(self, target: Target, units: Units, signs: tuple[int, ...]) -> None:
        self.target, self.units, self.signs = target, units, signs
        count = len(target.goals)
        if target.kind == "sum":
            pairs = [(i, 1) for i in range(count)]
            low = [-w for w in target.below]
        else:
            pairs = [(i, 1) for i in range(count)]
            pairs += [(i, -1) for i in range(count) if target.below[i]]
            low = [0] * len(pairs)
        self.samples = [i for i, _ in pairs]
        self.parity = [s for _, s in pairs]
        self.low = low
        self.high = [target.above[i] if s > 0 else target.below[i] for i, s in pairs]
        self.goal = [s * target.goals[i] for i, s in pairs]
        self.equations = [
            [s * target.free.rows[i][k] for i, s in pairs] for k in range(target.free.rank)
        ]
        self.budget: list[int] | None = None
        self.budget_side = 0
        if target.kind == "max":
            self.budget_side = lcm(*self.high)
            self.budget = [self.budget_side // w for w in self.high]
        self._plain = target.kind == "sum"
        self._index = np.array(self.samples, dtype=np.intp)
        self._signs = np.array(self.parity, dtype=np.float64)
        # Floats of size 1: goals and weights are divided by the largest ones.
        self._unit = max(1, *map(abs, self.goal)) if self.goal else 1
        self._weight = max(self.high, default=1)
        self._low, self._high = (
            scaled_floats(self.low, self._weight),
            scaled_floats(self.high, self._weight),
        )
        self._goal = scaled_floats(self.goal, self._unit)
        lengths = [max(map(abs, row)) for row in self.equations]
        scaled = [scaled_floats(row, n) for row, n in zip(self.equations, lengths, strict=True)]
        self._equations = np.array(scaled, dtype=np.float64).reshape(len(scaled), len(pairs))
        self._lengths = lengths
        # Many rows meet in one point: without noise a climb would turn round there for long.
        total = 1 + sum(len(table) for table in units.tables)
        self._noise = NOISE * np.random.default_rng(0).uniform(0.5, 1.0, total)

    def solve(self, masks: Sequence[Mask], start: Start | None, target: float) -> Relaxed | None:
        """The relaxation for these rays; ``start`` is a vertex for larger or equal masks."""
        rows = self._rows(masks)
        goal = target / (float(self._unit) * float(self._weight))
        goal += SLACK * max(1.0, abs(goal))
        top = None
        if isinstance(start, Vertex):
            top = self._climb(masks, rows, start, goal)
        if top is None:
            plain = Rows(rows.matrix, rows.numbers, np.where(rows.numbers == 0, 1.0, 0.0))
            first = first_vertex(self._goal, self._low, self._high, self._equations, plain)
            if first is None:
                return None
            top = self._climb(masks, rows, first, goal)
        return top

    def _climb(
        self, masks: Sequence[Mask], rows: Rows, start: Vertex, target: float
    ) -> Relaxed | None:
        active = np.empty((len(start.rows), len(self._goal)))
        kept = np.ones(len(start.rows), dtype=bool)
        for k, number in enumerate(start.rows):
            if number < 0:
                active[k] = self._equations[-1 - number]
            elif number == 0:
                active[k] = rows.matrix[0]
            else:
                unit, ray = self.units.locate(number)
                active[k] = self._expanded(self.units.tables[unit].scaled[ray]) * self.signs[unit]
                kept[k] = masks[unit][ray]
        top = climb(self._goal, self._low, self._high, active, kept, rows, start, target)
        if top is None:
            return None
        x = top.vertex.point
        multipliers: Floats = x
        if not self._plain:
            multipliers = np.zeros(len(self.target.goals))
            np.add.at(multipliers, self._index, x * self._signs)
        units: list[int] = []
        rays: list[int] = []
        amounts: list[float] = []
        free = np.zeros(len(self.equations))
        if top.multipliers is not None:
            for number, amount in zip(top.vertex.rows, top.multipliers.tolist(), strict=True):
                if number < 0:
                    free[-1 - number] = amount * (self._unit / self._lengths[-1 - number])
                elif number > 0 and amount > 0:
                    unit, ray = self.units.locate(number)
                    units.append(unit)
                    rays.append(ray)
                    amounts.append(amount)
        return Relaxed(
            top.value * float(self._unit) * float(self._weight),
            multipliers,
            np.array(units, dtype=np.intp),
            np.array(rays, dtype=np.intp),
            np.array(amounts) * float(self._unit),
            free,
            top.vertex,
            top.multipliers is not None,
        )

    def _expanded(self, values: Floats) -> Floats:
        return values if self._plain else values[..., self._index] * self._signs

    def _rows(self, masks: Sequence[Mask]) -> Rows:
        numbers = [np.zeros(0 if self.budget is None else 1, dtype=np.int64)]
        parts = []
        for table, mask, sign, offset in zip(
            self.units.tables, masks, self.signs, self.units.offsets, strict=True
        ):
            chosen = np.nonzero(mask)[0]
            part = table.scaled[chosen]
            parts.append(part if sign > 0 else -part)
            numbers.append(chosen + offset)
        width = len(self.target.goals)
        matrix = self._expanded(np.concatenate(parts) if parts else np.zeros((0, width)))
        rhs = self._noise[np.concatenate(numbers[1:])] if parts else np.zeros(0)
        if self.budget is not None:
            row = self._weight / np.array([self.high], dtype=np.float64)
            matrix = np.concatenate([row, matrix])
            rhs = np.concatenate([np.ones(1), rhs])
        return Rows(matrix, np.concatenate(numbers), rhs)

    def _exact_system(self, vertex: Vertex) -> list[list[int]]:
        """The rows of a vertex in integers, over all coordinates."""
        system = []
        for number in vertex.rows:
            if number < 0:
                system.append(self.equations[-1 - number])
            elif number == 0:
                assert self.budget is not None
                system.append(self.budget)
            else:
                unit, ray = self.units.locate(number)
                values, sign = self.units.tables[unit].values[ray].tolist(), self.signs[unit]
                system.append(
                    [sign * s * values[i] for i, s in zip(self.samples, self.parity, strict=True)]
                )
        return system

    def bound(self, relaxed: Relaxed, masks: Sequence[Mask]) -> Rational | None:
        """The exact bound that the vertex proves, ``None`` if it proves none."""
        vertex = relaxed.start
        if not isinstance(vertex, Vertex):
            return None
        system = self._exact_system(vertex)
        x = [
            high if at_high else low
            for low, high, at_high in zip(self.low, self.high, vertex.at_high.tolist(), strict=True)
        ]
        for i in vertex.inside:
            x[i] = 0
        sides = [
            (self.budget_side if number == 0 else 0) - _dot(row, x)
            for number, row in zip(vertex.rows, system, strict=True)
        ]
        solved = solve_exactly([[row[i] for i in vertex.inside] for row in system], sides)
        if solved is None:
            return None
        numerators, denominator = solved
        x = [v * denominator for v in x]
        for i, value in zip(vertex.inside, numerators, strict=True):
            x[i] = value
        multipliers = [0] * len(self.target.goals)
        for i, sign, value in zip(self.samples, self.parity, x, strict=True):
            multipliers[i] += sign * value
        chosen = [np.nonzero(mask)[0] for mask in masks]
        return exact_bound(
            self.target, self.units.exact, self.signs, chosen, multipliers, denominator
        )

    def combination(self, relaxed: Relaxed) -> Combination | None:
        """The primal solution of the vertex, exactly."""
        vertex = relaxed.start
        if not isinstance(vertex, Vertex):
            return None
        system = self._exact_system(vertex)
        square = [[row[i] for row in system] for i in vertex.inside]
        solved = solve_exactly(square, [self.goal[i] for i in vertex.inside])
        if solved is None:
            return None
        free = [mpq(0)] * len(self.equations)
        parts = []
        for number, value in zip(vertex.rows, solved[0], strict=True):
            amount = mpq(value, solved[1])
            if number < 0:
                free[-1 - number] = amount
            elif number > 0 and amount > 0:
                parts.append((*self.units.locate(number), amount))
        return Combination(tuple(free), tuple(parts))

    def settle(
        self, masks: Sequence[Mask], check: Callable[[], None]
    ) -> tuple[Rational, Combination]:
        """The relaxation solved in exact rationals: its least total, and where it is attained."""
        count = len(self.target.goals)
        pairs = [(i, 1) for i in range(count)]
        pairs += [(i, -1) for i in range(count) if self.target.below[i]]
        goal = [s * self.target.goals[i] for i, s in pairs]
        caps = [self.target.above[i] if s > 0 else self.target.below[i] for i, s in pairs]
        matrix: list[list[int]] = []
        for k in range(self.target.free.rank):
            row = [s * self.target.free.rows[i][k] for i, s in pairs]
            matrix += [row, [-v for v in row]]
        places = []
        for j, (table, mask, sign) in enumerate(
            zip(self.units.tables, masks, self.signs, strict=True)
        ):
            for ray in np.nonzero(mask)[0].tolist():
                values = table.values[ray].tolist()
                matrix.append([sign * s * int(values[i]) for i, s in pairs])
                places.append((j, int(ray)))
        sides = [0] * len(matrix)
        if self.target.kind == "max":
            side = lcm(*caps)
            matrix.append([side // w for w in caps])
            sides.append(side)
        else:
            for k, cap in enumerate(caps):
                matrix.append([1 if k == m else 0 for m in range(len(pairs))])
                sides.append(cap)
        best = maximise(goal, matrix, sides, check)
        rank = self.target.free.rank
        free = tuple(best.prices[2 * k] - best.prices[2 * k + 1] for k in range(rank))
        parts = tuple(
            (unit, ray, amount)
            for (unit, ray), amount in zip(places, best.prices[2 * rank :], strict=False)
            if amount > 0
        )
        return best.value, Combination(free, parts)


def _dot(row: Sequence[int], x: Sequence[int]) -> int:
    return sum(a * b for a, b in zip(row, x, strict=True) if b)
