"""Branch and bound over regions of the units: exact training with one layer of real units.

A node gives every unit a sign and a region, cut out by half-spaces ±u·x̂_i ≥ 0 and known by the
rays inside. Its relaxation bounds the loss of all networks in the node from below; the bound is
proved in rationals by :mod:`ermbit.engines.cell_bounds`. The solution of the relaxation mixes rays
from both sides of some hyperplane, and the node is cut along the one where that matters most; if it
does not mix any, it is a network and attains the bound. Nodes of lowest bound come first. Units of
equal tables and signs are interchangeable: equal regions of theirs are cut together
(docs/theory.md B2).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import combinations_with_replacement, product
from typing import Any

import numpy as np
from gmpy2 import mpq
from numpy.typing import NDArray

from ermbit.engines.cell_ascent import Floats
from ermbit.engines.cell_program import (
    Combination,
    LinearProgram,
    Mask,
    Program,
    Relaxed,
    Start,
    Units,
)
from ermbit.engines.cell_rays import RayTable
from ermbit.engines.cell_squares import SquaredProgram
from ermbit.engines.cell_target import Target
from ermbit_instances.errors import InternalError
from ermbit_instances.rational import Rational

TINY = 1e-9
"""Mixtures (relative to the goals) that count as none."""

NODE_LIMIT = 400_000
"""Open nodes beyond which the search goes into depth."""

DIVES = 64
"""After so many nodes a dive from the best one looks for a better network."""


class Stop(Exception):
    """The search need not go on, or may not."""


@dataclass(frozen=True, slots=True)
class Network:
    """A network by its amounts: linear terms, and by unit its sign and u in the unit's basis."""

    free: tuple[Rational, ...]
    units: tuple[tuple[int, tuple[Rational, ...]], ...]


Found = Callable[[Network], Rational]
"""Takes a network; returns the least total known so far."""


@dataclass(frozen=True, slots=True)
class _Node:
    bound: Rational
    program: int
    masks: tuple[bytes, ...]
    unit: int
    sample: int
    start: Start | None


@dataclass
class CellSearch:
    """One search.

    Attributes:
        target: the data.
        tables: of the units; interchangeable units have the same table (the same object).
        signs: by unit, the signs that its outer weight may have.
        found: called with networks.
        raised: called with proved lower bounds on the total, ascending.
        check: called at every node; ends the search by raising.
        limit: totals from here on are of no interest (with ``strict``, from just above here).
        strict: a node of bound ``limit`` itself still matters.
    """

    target: Target
    tables: tuple[RayTable, ...]
    signs: tuple[tuple[int, ...], ...]
    found: Found
    raised: Callable[[Rational], None]
    check: Callable[[], None]
    limit: Rational
    strict: bool
    programs: list[Program] = field(default_factory=list)
    open: list[tuple[Rational, int, _Node]] = field(default_factory=list)
    deep: list[_Node] = field(default_factory=list)
    nodes: int = 0
    uncertified: int = 0
    settled: int = 0
    _ticks: int = 0

    def run(self) -> None:
        """Search until every node is ruled out."""
        units = Units.of(self.tables)
        whole = tuple(np.ones(len(table), dtype=bool) for table in self.tables)
        for signs in self._sign_choices():
            kind: Any = SquaredProgram if self.target.kind == "squared" else LinearProgram
            self.programs.append(kind(self.target, units, signs))
            self._visit(len(self.programs) - 1, whole, None, mpq(0), dive=True)
        lowest = mpq(-1)
        while self.open or self.deep:
            self.check()
            if self.deep:
                node = self.deep.pop()
            else:
                bound, _, node = heappop(self.open)
                if self._matters(bound) and bound > lowest:
                    lowest = bound
                    self.raised(bound)
            if self._matters(node.bound):
                self._cut(node)

    def _sign_choices(self) -> Iterator[tuple[int, ...]]:
        """Signs of all units, up to the order of interchangeable ones."""
        groups: dict[tuple[int, tuple[int, ...]], list[int]] = {}
        for j, (table, signs) in enumerate(zip(self.tables, self.signs, strict=True)):
            groups.setdefault((id(table), signs), []).append(j)
        members = list(groups.values())
        options = [
            list(combinations_with_replacement(signs, len(group)))
            for (_, signs), group in groups.items()
        ]
        for choice in product(*options):
            result = [0] * len(self.tables)
            for group, given in zip(members, choice, strict=True):
                for j, sign in zip(group, given, strict=True):
                    result[j] = sign
            yield tuple(result)

    def _matters(self, bound: Rational) -> bool:
        """Whether a node of this bound may hold something of interest."""
        return bool(bound <= self.limit if self.strict else bound < self.limit)

    def _push(self, node: _Node) -> None:
        if len(self.open) >= NODE_LIMIT:
            self.deep.append(node)
            return
        self._ticks += 1
        heappush(self.open, (node.bound, -self._ticks, node))

    def _cut(self, node: _Node) -> None:
        masks = [_unpacked(m, t) for m, t in zip(node.masks, self.tables, strict=True)]
        signs = self.programs[node.program].signs
        table = self.tables[node.unit]
        sides = table.sides[:, node.sample]
        mask = masks[node.unit]
        alike = [
            j
            for j in range(len(masks))
            if self.tables[j] is table
            and signs[j] == signs[node.unit]
            and node.masks[j] == node.masks[node.unit]
        ]
        upper, lower = mask & (sides >= 0), mask & (sides <= 0)
        for count in range(len(alike) + 1):
            child = list(masks)
            for k, j in enumerate(alike):
                child[j] = upper if k < count else lower
            self._visit(node.program, tuple(child), node.start, node.bound)

    def _visit(
        self,
        index: int,
        masks: tuple[Mask, ...],
        start: Start | None,
        inherited: Rational,
        dive: bool = False,
    ) -> None:
        """Bound a node; keep it if it matters."""
        self.nodes += 1
        program = self.programs[index]
        relaxed = program.solve(masks, start, float(self.limit))
        bound = inherited
        if relaxed is not None:
            proved = program.bound(relaxed, masks)
            if proved is None:
                self.uncertified += 1
            else:
                bound = max(bound, proved)
            if not self._matters(bound):
                return
            if not relaxed.complete:
                # The target was passed in floats only.
                relaxed = program.solve(masks, relaxed.start, np.inf)
                proved = None if relaxed is None else program.bound(relaxed, masks)
                if proved is not None:
                    bound = max(bound, proved)
                    if not self._matters(bound):
                        return
        if relaxed is None or not relaxed.complete:
            self._keep(index, masks, bound, self._any_split(masks), start)
            return
        mixed = self._mixtures(program, relaxed)
        if mixed.weights.max(initial=0.0) <= TINY * mixed.size:
            self._offer(program, program.combination(relaxed))
            if not self._matters(bound):
                return
            self._keep(index, masks, bound, self._any_split(masks), relaxed.start)
            return
        if dive or mixed.value < float(self.limit) or self.nodes % DIVES == 0:
            self._dive(program, masks, relaxed, mixed)
            if not self._matters(bound):
                return
        unit, sample = np.unravel_index(int(mixed.weights.argmax()), mixed.weights.shape)
        self._keep(index, masks, bound, (int(unit), int(sample)), relaxed.start)

    def _keep(
        self,
        index: int,
        masks: tuple[Mask, ...],
        bound: Rational,
        split: tuple[int, int] | None,
        start: Start | None,
    ) -> None:
        if split is None:
            self._leaf(index, masks, bound)
            return
        packed = tuple(np.packbits(mask).tobytes() for mask in masks)
        self._push(_Node(bound, index, packed, *split, start))

    def _leaf(self, index: int, masks: tuple[Mask, ...], bound: Rational) -> None:
        """One cell for every unit, and the floats did not settle it: exact rationals do."""
        program = self.programs[index]
        bound, combination = program.settle(masks, self.check)
        self.settled += 1
        if self._matters(bound):
            self._offer(program, combination)
            if self._matters(bound):
                raise InternalError("the least loss of a cell is not attained by its network")

    def _any_split(self, masks: Sequence[Mask]) -> tuple[int, int] | None:
        """The cut that divides some unit's rays most evenly; ``None`` if all are in one cell."""
        best, split = 0, None
        for j, (table, mask) in enumerate(zip(self.tables, masks, strict=True)):
            if not mask.any():
                continue
            sides = table.sides[mask]
            counts = np.minimum((sides > 0).sum(axis=0), (sides < 0).sum(axis=0))
            sample = int(counts.argmax())
            if counts[sample] > best:
                best, split = int(counts[sample]), (j, sample)
        return split

    def _mixtures(self, program: Program, relaxed: Relaxed) -> _Mixtures:
        """What the relaxed units mix, and the network of the units that their rays add up to.

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
        residual = np.array(self.target.goals, dtype=np.float64) - output
        size = float(np.abs(np.array(self.target.goals, dtype=np.float64)).max(initial=1.0))
        return _Mixtures(weights, directions, self._loss(residual), size)

    def _loss(self, residual: Floats) -> float:
        above = np.array(self.target.above, dtype=np.float64)
        below = np.array(self.target.below, dtype=np.float64)
        if self.target.kind == "squared":
            return float((above * residual * residual).sum())
        costs = np.where(residual > 0, above * residual, -below * residual)
        return float(costs.max() if self.target.kind == "max" else costs.sum())

    def _dive(
        self, program: Program, masks: tuple[Mask, ...], relaxed: Relaxed, mixed: _Mixtures
    ) -> None:
        """Go down to a single cell for every unit, near the units of the relaxed solution."""
        start = relaxed.start
        narrowed = tuple(
            mask & _around(table, u)
            for mask, table, u in zip(masks, self.tables, mixed.directions, strict=True)
        )
        for _ in range(40):
            below = program.solve(narrowed, start, np.inf)
            if below is None or below.value > float(self.limit):
                return
            start = below.start
            mixed = self._mixtures(program, below)
            if mixed.weights.max(initial=0.0) <= TINY * mixed.size:
                self._offer(program, program.combination(below))
                return
            unit, sample = np.unravel_index(int(mixed.weights.argmax()), mixed.weights.shape)
            table = self.tables[unit]
            side = 1 if table.rows[sample] @ mixed.directions[unit] >= 0 else -1
            cut: Mask = np.logical_and(narrowed[unit], table.sides[:, sample] * side >= 0)
            narrowed = (*narrowed[:unit], cut, *narrowed[unit + 1 :])

    def _offer(self, program: Program, combination: Combination | None) -> None:
        if combination is None:
            return
        scale = self.target.scale
        units = []
        for j, (table, sign) in enumerate(zip(self.tables, program.signs, strict=True)):
            u = [mpq(0)] * table.basis.rank
            for unit, ray, amount in combination.parts:
                if unit == j:
                    factor = amount * table.unit / scale
                    u = [a + factor * int(b) for a, b in zip(u, table.rays[ray], strict=True)]
            units.append((sign, tuple(u)))
        free = tuple(value / scale for value in combination.free)
        self.limit = min(self.limit, self.found(Network(free, tuple(units))))

    def statistics(self) -> dict[str, Any]:
        return {
            "nodes": self.nodes,
            "rays": sum(len(table) for table in self.tables),
            "signs": len(self.programs),
            "unproved": self.uncertified,
            "settled": self.settled,
        }


@dataclass(frozen=True, slots=True)
class _Mixtures:
    """By unit and sample the gap of the relaxation; the units' directions; the loss of those."""

    weights: Floats
    directions: list[Floats]
    value: float
    size: float


def _around(table: RayTable, u: Floats) -> NDArray[np.bool_]:
    """The rays of all cells that touch u."""
    at = table.rows @ u
    size = np.abs(table.rows).max(initial=0.0) * np.abs(u).max(initial=0.0)
    side = np.where(np.abs(at) <= 1e-9 * size, 0, np.sign(at)).astype(np.int8)
    result: Mask = np.all(table.sides * side >= 0, axis=1)
    return result


def _unpacked(packed: bytes, table: RayTable) -> Mask:
    bits = np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=len(table))
    return bits.astype(bool)
