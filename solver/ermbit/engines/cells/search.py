"""Branch and bound over regions of the units: exact training with one layer of real units.

A node gives every unit a sign and a region, cut out by half-spaces ±u·x̂_i ≥ 0 and known by the
rays inside. Its relaxation bounds the loss of all networks in the node from below; the bound is
proved in rationals by :mod:`ermbit.engines.cells.bounds`. The solution of the relaxation mixes rays
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

from ermbit.engines.cells.ascent import Floats
from ermbit.engines.cells.descent import Ground
from ermbit.engines.cells.linear_program import LinearProgram
from ermbit.engines.cells.program import Combination, Mask, Program, Start, Units
from ermbit.engines.cells.rays import RayTable
from ermbit.engines.cells.squares import SquaredProgram
from ermbit.engines.cells.target import Target
from ermbit_instances.errors import InternalError
from ermbit_instances.rational import Rational

NODE_LIMIT = 400_000
"""Open nodes beyond which the search goes into depth."""

STARTS = 4
"""Descents from random directions for every choice of signs."""

WANDER = 100
"""After so many nodes there are further descents, whatever the node looks like."""


LARGEST = mpq(10**300)
"""Limits past it are infinite as floats."""


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
        seed: of the directions that descents start from.
    """

    target: Target
    tables: tuple[RayTable, ...]
    signs: tuple[tuple[int, ...], ...]
    found: Found
    raised: Callable[[Rational], None]
    check: Callable[[], None]
    limit: Rational
    strict: bool
    seed: int = 0
    roots: list[Start | None] = field(default_factory=list)
    programs: list[Program] = field(default_factory=list)
    open: list[tuple[Rational, int, _Node]] = field(default_factory=list)
    deep: list[_Node] = field(default_factory=list)
    nodes: int = 0
    wandered: int = 0
    uncertified: int = 0
    settled: int = 0
    _ticks: int = 0

    @property
    def ground(self) -> Ground:
        return Ground(self.target, self.tables)

    def run(self) -> None:
        """Search until every node is ruled out."""
        units = Units.of(self.tables)
        whole = tuple(np.ones(len(table), dtype=bool) for table in self.tables)
        for signs in self._sign_choices():
            kind: Any = SquaredProgram if self.target.kind == "squared" else LinearProgram
            self.programs.append(kind(self.target, units, signs))
            self._first(whole)
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

    def _first(self, whole: tuple[Mask, ...]) -> None:
        """Visit the root of the newest program, after descents from random directions."""
        index = len(self.programs) - 1
        relaxed = self.programs[index].solve(whole, None, np.inf)
        self.roots.append(None if relaxed is None else relaxed.start)
        for _ in range(STARTS):
            self._wander(index)
        self._visit(index, whole, self.roots[index], mpq(0))

    def _wander(self, index: int) -> None:
        """A descent from random sums of rays."""
        self.wandered += 1
        random = np.random.default_rng((self.seed, self.wandered))
        directions = []
        for table in self.tables:
            some = random.integers(len(table), size=3) if len(table) else np.zeros(0, dtype=int)
            directions.append(random.normal(size=len(some)) @ table.directions[some])
        self._descend(index, directions)

    def _descend(self, index: int, directions: Sequence[Floats]) -> None:
        """Offer what a descent from some directions of the units ends with."""
        self.check()
        program = self.programs[index]
        landing = self.ground.descend(program, self.roots[index], directions)
        if landing is not None and landing.value <= _near(self.limit) * (1 + 1e-9):
            self._offer(program, landing.combination)

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
    ) -> None:
        """Bound a node; keep it if it matters."""
        self.nodes += 1
        program = self.programs[index]
        relaxed = program.solve(masks, start, _near(self.limit))
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
        mixed = self.ground.mixtures(program, relaxed)
        if mixed.is_network:
            self._offer(program, program.combination(relaxed))
            if not self._matters(bound):
                return
            self._keep(index, masks, bound, self._any_split(masks), relaxed.start)
            return
        if mixed.value < _near(self.limit):
            self._descend(index, mixed.directions)
        elif self.nodes % WANDER == 0:
            self._wander(index)
        if not self._matters(bound):
            return
        split = mixed.heaviest()
        if self._divides(masks, split):
            self._keep(index, masks, bound, split, relaxed.start)
        else:  # noise of the floats, where the data are far apart
            self._keep(index, masks, bound, self._any_split(masks), relaxed.start)

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

    def _divides(self, masks: Sequence[Mask], split: tuple[int, int]) -> bool:
        """Whether a unit has rays on both sides of a sample: else a child would be its parent."""
        unit, sample = split
        sides = self.tables[unit].sides[masks[unit], sample]
        return bool((sides > 0).any() and (sides < 0).any())

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


def _unpacked(packed: bytes, table: RayTable) -> Mask:
    bits = np.unpackbits(np.frombuffer(packed, dtype=np.uint8), count=len(table))
    return bits.astype(bool)


def _near(limit: Rational) -> float:
    """A float near a limit, infinite past the range of floats."""
    return float(limit) if abs(limit) < LARGEST else np.inf
