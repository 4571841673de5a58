"""Best sums of one row from every table: branch and bound on tuples of tree nodes.

A tuple (A, B, …) of nodes, one of every tree, stands for all choices of one row below each. The sum
then lies in the sum of the boxes, which bounds the loss from below (docs/theory.md E2, E5). A tuple
that may matter is cut at its widest node; one of leaves is a choice, and its bound is its loss. So
there is one rule for any number of units, and the output bias is a unit like the others. Tuples are
treated thousands at a time. Trees of equal tables are taken in non-decreasing order of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Protocol

import numpy as np

from ermbit.engines.tables.build import Array, Check
from ermbit.engines.tables.direction import Directions
from ermbit.engines.tables.loss import GapLoss
from ermbit.engines.tables.tree import Tree

BATCH = 4096
"""Tuples that are cut at a time: few enough for their boxes to stay in cache."""

STORED = 3_000_000
"""Tuples waiting beyond which the search goes into depth, which needs hardly any memory."""

DIVE = 4
"""Of so many batches one is taken from the newest tuples, not from the lowest bounds."""


@dataclass(frozen=True, slots=True)
class Examined:
    """What is known of tuples that may still matter.

    Attributes:
        alive: their positions among those that were examined.
        bounds: lower bounds on the totals of all choices below; exact where nothing is left to cut.
        widest: the unit to cut next, whose node has children unless nothing is left to cut.
        spread: 0 where nothing is left to cut: all choices below have the total ``bounds``.
    """

    alive: Array
    bounds: Array
    widest: Array
    spread: Array


class Rule(Protocol):
    """How tuples are bounded and where they are cut."""

    def examine(self, nodes: Array, limit: int) -> Examined:
        """Bound tuples, (units, tuples); those of bounds above the limit are left out."""


@dataclass(frozen=True, slots=True)
class SumRule:
    """Boxes and linear bounds of sums of vectors, one from every tree.

    Attributes:
        trees: one for every unit.
        loss: of the sums.
        slants: linear bounds on the loss and, by unit, their ends at the nodes.
    """

    trees: Sequence[Tree]
    loss: GapLoss
    slants: tuple[Directions, Sequence[Array]] | None

    def examine(self, nodes: Array, limit: int) -> Examined:
        """Bounds; the widest node is cut."""
        bounds = self.loss.least(_summed([tree.boxes for tree in self.trees], nodes))
        alive = np.nonzero(bounds <= limit)[0]
        if self.slants is not None and alive.size:
            directions, ends = self.slants
            lower = directions.least(_summed(ends, nodes[:, alive]))
            bounds[alive] = np.maximum(bounds[alive], lower)
            alive = alive[bounds[alive] <= limit]
        spread = self.trees[0].spread.take(nodes[0, alive])
        widest = np.zeros(spread.size, dtype=np.int8)
        for u in range(1, len(self.trees)):
            other = self.trees[u].spread.take(nodes[u, alive])
            np.putmask(widest, other > spread, u)
            np.maximum(spread, other, out=spread)
        return Examined(alive, bounds[alive], widest, spread)


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Tuples side by side: (units, tuples), their lower bounds, the units to cut next."""

    nodes: Array
    bounds: Array
    widest: Array


class TupleSearch:
    """One pass over all choices of rows.

    Args:
        trees: one for every unit; units of equal tables have the same tree.
        mates: by unit, the unit before it with the same tree whose row is never greater, or −1.
        rule: bounds tuples and says where to cut them; may be replaced between batches.
        limit: largest total that counts as found.
        found: called with the rows (positions in tree order) and their total, which is ≤ the
            limit; returns the next limit. It ends the search by raising.
        raised: called with every better lower bound on the totals of all choices.
        check: called between batches; ends the search by raising.
        together: whether a rule's calls cost so much that a batch is better examined at once.
    """

    def __init__(
        self,
        trees: Sequence[Tree],
        mates: Sequence[int],
        rule: Rule,
        limit: int,
        found: Callable[[tuple[int, ...], int], int],
        raised: Callable[[int], None],
        check: Check,
        together: bool = False,
    ) -> None:
        self.together = together
        self.trees, self.mates, self.rule = trees, mates, rule
        self.limit, self.found, self.raised, self.check = limit, found, raised, check
        self.evaluated = self.cut = 0
        self._waiting: dict[int, _Waiting] = {}
        self._lowest: list[tuple[int, int]] = []
        self._newest: list[int] = []
        self._stored = self._number = 0
        self._proved = 0

    def run(self) -> None:
        """Visit all choices; returns only after all of them."""
        root = np.zeros((len(self.trees), 1), dtype=np.int64)
        self._keep(root)
        turn = 0
        while self._waiting:
            self.check()
            turn += 1
            deep = self._stored > STORED or turn % DIVE == 0
            children = self._cut(self._taken(deep))
            if self.together and children:
                children = [np.concatenate(children, axis=1)]
            for child in children:
                self._keep(child)
            self._raise()

    def _keep(self, nodes: Array) -> None:
        """Store what may matter; choices among it are answers already."""
        self.evaluated += nodes.shape[1]
        seen = self.rule.examine(nodes, self.limit)
        if seen.alive.size == 0:
            return
        bounds, widest, spread = seen.bounds, seen.widest, seen.spread
        if seen.alive.size < nodes.shape[1]:
            nodes = nodes[:, seen.alive]
        closed = np.nonzero(spread == 0)[0]
        if closed.size:
            best = closed[np.argmin(bounds[closed])]
            rows = tuple(
                int(tree.start[n]) for tree, n in zip(self.trees, nodes[:, best], strict=True)
            )
            self.limit = self.found(rows, int(bounds[best]))
            alive = np.nonzero((spread > 0) & (bounds <= self.limit))[0]
            nodes, bounds, widest = nodes[:, alive], bounds[alive], widest[alive]
        size = bounds.size
        if size > max(1, BATCH // 2):
            half = size // 2
            order = np.argpartition(bounds, half)
            # The better half last: it is then the newest.
            for part in (order[half:], order[:half]):
                self._push(_Waiting(nodes[:, part], bounds[part], widest[part]))
        elif size:
            self._push(_Waiting(nodes, bounds, widest))

    def _push(self, waiting: _Waiting) -> None:
        self._number += 1
        self._waiting[self._number] = waiting
        heappush(self._lowest, (int(waiting.bounds.min()), self._number))
        self._newest.append(self._number)
        self._stored += waiting.bounds.size

    def _taken(self, deep: bool) -> list[tuple[Array, Array]]:
        """Nodes of up to about a batch of tuples that may still matter, and where to cut them."""
        parts: list[tuple[Array, Array]] = []
        size = 0
        while self._waiting and size < BATCH:
            number = self._newest.pop() if deep else heappop(self._lowest)[1]
            waiting = self._waiting.pop(number, None)
            if waiting is None:
                continue
            self._stored -= waiting.bounds.size
            alive = np.nonzero(waiting.bounds <= self.limit)[0]
            parts.append((waiting.nodes[:, alive], waiting.widest[alive]))
            size += alive.size
        return parts

    def _cut(self, parts: list[tuple[Array, Array]]) -> list[Array]:
        """The tuples with their widest node replaced by either of its children."""
        nodes = np.concatenate([part for part, _ in parts], axis=1)
        widest = np.concatenate([part for _, part in parts])
        self.cut += widest.size
        children = []
        for u, tree in enumerate(self.trees):
            chosen = nodes[:, np.nonzero(widest == u)[0]]
            if not chosen.size:
                continue
            both = np.concatenate([chosen, chosen], axis=1)
            size = chosen.shape[1]
            both[u, :size] = tree.child.take(chosen[u])
            np.add(both[u, :size], 1, out=both[u, size:])
            children.append(self._ordered(both))
        return [part for part in children if part.size]

    def _ordered(self, nodes: Array) -> Array:
        """Without the tuples all of whose choices are out of order."""
        keep: Array | None = None
        for u, mate in enumerate(self.mates):
            if mate >= 0:
                tree = self.trees[u]
                right = tree.start.take(nodes[mate]) < tree.end.take(nodes[u])
                keep = right if keep is None else keep & right
        return nodes if keep is None or keep.all() else nodes[:, np.nonzero(keep)[0]]

    def _raise(self) -> None:
        while self._lowest and self._lowest[0][1] not in self._waiting:
            heappop(self._lowest)
        least = self.limit + 1
        if self._lowest:
            least = min(least, self._lowest[0][0])
        if least > self._proved:
            self._proved = least
            self.raised(least)


def _summed(ends: Sequence[Array], nodes: Array) -> Array:
    """Sums over the units of what belongs to their nodes, (columns, tuples)."""
    total = ends[0].take(nodes[0], axis=0)
    for part, column in zip(ends[1:], nodes[1:], strict=True):
        total += part.take(column, axis=0)
    return np.ascontiguousarray(total.T)
