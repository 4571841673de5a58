"""Good networks quickly: from relaxed units down to cells, and on through neighbouring cells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ermbit.engines.cells.ascent import Floats
from ermbit.engines.cells.program import Combination, Mask, Program, Relaxed, Start
from ermbit.engines.cells.rays import RayTable
from ermbit.engines.cells.target import Target

TINY = 1e-9
"""Mixtures (relative to the goals) that count as none."""

ROUNDS = 40
"""Cells that a descent passes through, and cuts of one dive, at most."""


@dataclass(frozen=True, slots=True)
class Mixtures:
    """What the units of a relaxed solution mix, and the network that their rays add up to.

    Attributes:
        weights: by unit and sample, how far the unit is from having one sign there.
        directions: by unit, the sum of its rays: u.
        value: the loss of the network of these u, in floats.
        size: of the goals.
    """

    weights: Floats
    directions: tuple[Floats, ...]
    value: float
    size: float

    @property
    def is_network(self) -> bool:
        """Nothing is mixed: the relaxed solution is the network of the directions."""
        return float(self.weights.max(initial=0.0)) <= TINY * self.size

    def heaviest(self) -> tuple[int, int]:
        """The unit and the sample that are mixed most."""
        unit, sample = np.unravel_index(int(self.weights.argmax()), self.weights.shape)
        return int(unit), int(sample)


@dataclass(frozen=True, slots=True)
class Landing:
    """The best network of a cell for every unit."""

    value: float
    directions: tuple[Floats, ...]
    combination: Combination


@dataclass(frozen=True)
class Ground:
    """What dives and descents look at: the data and the tables of the units."""

    target: Target
    tables: tuple[RayTable, ...]

    def mixtures(self, program: Program, relaxed: Relaxed) -> Mixtures:
        """What the relaxed units mix.

        A unit that sums p > 0 and −n < 0 at a sample contributes more than φ(p − n): by
        |above − below| · min(p, n). The harmonic p·n/(p + n) led to fewer nodes on random data, and
        taking the multipliers of the samples into account to twice as many.
        """
        count = len(self.target.goals)
        directions = []
        weights = np.zeros((len(self.tables), count))
        labels = np.array(self.target.labels, dtype=np.float64)
        free = np.array(self.target.free.rows, dtype=np.float64).reshape(count, -1)
        output = free @ relaxed.free if free.shape[1] else np.zeros(count)
        for j, (table, sign) in enumerate(zip(self.tables, program.signs, strict=True)):
            mine = relaxed.units == j
            rays, amounts = relaxed.rays[mine], relaxed.amounts[mine]
            u = amounts @ table.directions[rays] if len(rays) else np.zeros(table.basis.rank)
            at = table.rows @ u
            if len(rays):
                summands = (amounts[:, None] * table.directions[rays]) @ table.rows.T
                sides = table.sides[rays]
                plus = np.where(sides > 0, summands, 0.0).sum(axis=0)
                minus = np.where(sides < 0, -summands, 0.0).sum(axis=0)
                mixed = plus * minus / np.maximum(plus + minus, 1e-300)
                weights[j] = abs(table.above - table.below) * mixed
            output = output + sign * labels * np.where(at < 0, table.below * at, table.above * at)
            directions.append(u)
        goals = np.array(self.target.goals, dtype=np.float64)
        size = float(np.abs(goals).max(initial=1.0))
        return Mixtures(weights, tuple(directions), self._loss(goals - output), size)

    def _loss(self, residual: Floats) -> float:
        above = np.array(self.target.above, dtype=np.float64)
        below = np.array(self.target.below, dtype=np.float64)
        if self.target.kind == "squared":
            return float((above * residual * residual).sum())
        costs = np.where(residual > 0, above * residual, -below * residual)
        return float(costs.max() if self.target.kind == "max" else costs.sum())

    def around(self, directions: Sequence[Floats]) -> tuple[Mask, ...]:
        """By unit, the rays of all cells that touch its direction."""
        return tuple(_around(t, u) for t, u in zip(self.tables, directions, strict=True))

    def dive(
        self, program: Program, masks: Sequence[Mask], start: Start | None, limit: float
    ) -> Landing | None:
        """Cut the regions down to a cell for every unit, on the side of the relaxed directions.

        Args:
            program: with the signs.
            masks: of the regions.
            start: for regions that contain these.
            limit: only what is better counts.
        """
        narrowed = list(masks)
        for _ in range(ROUNDS):
            relaxed = program.solve(narrowed, start, np.inf)
            if relaxed is None or relaxed.value >= limit:
                return None
            start = relaxed.start
            mixed = self.mixtures(program, relaxed)
            if mixed.is_network:
                combination = program.combination(relaxed)
                if combination is None:
                    return None
                return Landing(relaxed.value, mixed.directions, combination)
            unit, sample = mixed.heaviest()
            table = self.tables[unit]
            side = 1 if table.rows[sample] @ mixed.directions[unit] >= 0 else -1
            cut: Mask = np.logical_and(narrowed[unit], table.sides[:, sample] * side >= 0)
            narrowed[unit] = cut
        return None

    def descend(
        self, program: Program, root: Start | None, directions: Sequence[Floats]
    ) -> Landing | None:
        """From cell to neighbouring cell while the loss falls; ``root`` is a start for all rays."""
        best: Landing | None = None
        limit = np.inf
        for _ in range(ROUNDS):
            landing = self.dive(program, self.around(directions), root, limit)
            if landing is None:
                break
            best, directions = landing, landing.directions
            limit = landing.value * (1 - TINY)
        return best


def _around(table: RayTable, u: Floats) -> Mask:
    at = table.rows @ u
    size = np.abs(table.rows).max(initial=0.0) * np.abs(u).max(initial=0.0)
    side = np.where(np.abs(at) <= 1e-9 * size, 0, np.sign(at)).astype(np.int8)
    result: Mask = np.all(table.sides * side >= 0, axis=1)
    return result
