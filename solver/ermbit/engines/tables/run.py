"""The course of a search over tables: tables, small ones merged, descent, trees, the search."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ermbit.engines.engine import Budget
from ermbit.engines.enumeration_bounds import Bounds
from ermbit.engines.tables.build import Array, Table, TableBuilder, merged_tables
from ermbit.engines.tables.descent import BestResponse
from ermbit.engines.tables.direction import Directions, directions
from ermbit.engines.tables.incumbents import Incumbents
from ermbit.engines.tables.interpolation import halves, interpolate
from ermbit.engines.tables.loss import GapLoss, gap_loss, vector_type
from ermbit.engines.tables.search import SumRule, TupleSearch
from ermbit.engines.tables.symmetry import with_orbits
from ermbit.engines.tables.tree import Tree, build_tree
from ermbit.engines.tables.units import Decomposition, Key
from ermbit_encodings.integer_form import IntegerForm, integer_bounds
from ermbit_instances.errors import InternalError

MERGED_ROWS = 4096
"""Two units are made one if their sums are no more than this: fewer, tighter boxes."""

FIRST_ELEMENTS = 8_000_000
"""Array elements of the descents that come first."""

SEARCH_SHARE = 1
"""Array elements of the search for every one of the descents: they take a fifth of the time."""


class Run:
    """The search for a best row of every table.

    Args:
        form, bounds, parts: of one problem.
        found: called with integer parameters and their total, at most the limit; returns the next
            limit. It ends the search by raising.
        raised: called with every better lower bound on the totals.
        budget: deadline and seed.
    """

    def __init__(
        self,
        form: IntegerForm,
        bounds: Bounds,
        parts: Decomposition,
        found: Callable[[tuple[int, ...], int], int],
        raised: Callable[[int], None],
        budget: Budget,
    ) -> None:
        self.form, self.bounds, self.parts = form, bounds, parts
        self.found, self.raised, self.budget = found, raised, budget
        self.check = budget.check
        self.limit = 0
        self.statistics: dict[str, Any] = {}
        self.fixed: dict[int, int] = {}
        self.tables: list[Table] = []

    def run(self, limit: int) -> None:
        """Go through all choices with a total of at most a limit; returns only after all.

        Raises:
            Expired: the deadline has passed.
        """
        self.limit = limit
        self.check()
        loss, made = self._prepare()
        self.tables = self._merged(made)
        self.statistics |= {"tables": [len(t) for t in self.tables], "type": str(loss.target.dtype)}
        if not self.tables:
            total = int(loss.totals(np.zeros_like(loss.target)[:, None])[0])
            if total <= self.limit:
                self._offer((), total)
            return
        if self._interpolated(loss):
            return
        if len(self.tables) > 1:
            self.tables, generators = with_orbits(self.tables, self.form.inputs, loss, self.check)
            self.statistics |= {"symmetries": generators} if generators else {}
        trees, self.tables = self._trees(loss)
        vectors = [t.vectors for t in self.tables]
        if len(self.tables) == 1:
            # The best response to nothing: a scan of the only table.
            scan = BestResponse(vectors, loss, self.budget.seed, self.check)
            self._offer(*scan.descend())
            return
        incumbents = Incumbents(vectors, loss, self.budget.seed, self._offer, self.check)
        incumbents.round(FIRST_ELEMENTS)
        keys, units = [t.key for t in self.tables], range(len(self.tables))
        mates = [max((j for j in range(u) if keys[j] == keys[u]), default=-1) for u in units]

        def check() -> None:
            self.check()
            if search.evaluated * loss.target.size > SEARCH_SHARE * incumbents.elements:
                # As much again, so that few rounds are needed however long the search takes.
                goal = 2 * incumbents.elements
                while incumbents.elements < goal:
                    incumbents.round(goal - incumbents.elements)
                search.limit = self.limit
                search.rule = SumRule(trees, loss, self._slants(loss, incumbents, trees))

        rule = SumRule(trees, loss, self._slants(loss, incumbents, trees))
        search = TupleSearch(trees, mates, rule, self.limit, self._offer, self.raised, check)
        try:
            search.run()
        finally:
            self.statistics |= {
                "bounded": search.evaluated,
                "cut": search.cut,
                "descents": incumbents.starts,
            }

    def _slants(
        self, loss: GapLoss, incumbents: Incumbents, trees: list[Tree]
    ) -> tuple[Directions, list[Array]] | None:
        """Linear bounds that are tight at the incumbents, with their ends by table."""
        nodes = sum(tree.child.size for tree in {id(tree): tree for tree in trees}.values())
        found = directions(loss, incumbents.gaps(), self.limit, self.parts.reach, nodes)
        if found is None:
            return None
        known: dict[Key, Array] = {}
        for table, tree in zip(self.tables, trees, strict=True):
            self.check()
            if table.key not in known:
                known[table.key] = found.slants(tree, table.vectors)
        return found, [known[t.key] for t in self.tables]

    def _offer(self, rows: tuple[int, ...], total: int) -> int:
        """Pass on a choice that is good enough; the limit afterwards."""
        if total > self.limit:
            return self.limit
        values = dict(self.fixed)
        for table, row in zip(self.tables, rows, strict=True):
            values |= table.assignment(row)
        parameters = tuple(
            values[p] if p in values else integer_bounds(self.form, p)[0]
            for p in range(len(self.form.grids))
        )
        self.limit = self.found(parameters, total)
        return self.limit

    def _prepare(self) -> tuple[GapLoss, list[Table]]:
        """The loss, and the tables of more than one row; the others are settled."""
        reach = self.parts.reach
        kind = vector_type(reach)
        wide = np.int32 if max(self.bounds.magnitude, reach) < 2**30 else np.int64
        builder = TableBuilder(self.form, self.bounds, self.parts.gains, wide, self.check)
        loss = gap_loss(self.form, self.parts.constants, reach)
        if loss is None:
            raise InternalError("the totals were proved to fit 64 bits")
        known: dict[Key, Table] = {}
        tables: list[Table] = []
        for unit in self.parts.units:
            made = known.get(unit.key)
            if made is None:
                table = builder.table(unit)
                vectors: Array = np.ascontiguousarray(loss.columns(table.vectors.astype(kind)))
                made = Table(vectors, table.parameters, table.choices, table.key)
                known[unit.key] = made
            made = Table(made.vectors, unit.parameters, made.choices, made.key)
            if len(made) == 1:
                self.fixed |= made.assignment(0)
                loss.target[:] -= made.vectors[0]
            else:
                tables.append(made)
        return loss, tables

    def _merged(self, tables: list[Table]) -> list[Table]:
        """Two smallest tables made one, as long as their sums are few."""
        while len(tables) > 1:
            tables = sorted(tables, key=len)
            a, b = tables[:2]
            if len(a) * len(b) > MERGED_ROWS:
                break
            tables = [merged_tables(a, b, self.check), *tables[2:]]
        return tables

    def _interpolated(self, loss: GapLoss) -> bool:
        """Whether only exact interpolation counts and all of it has been gone through."""
        if self.limit > 0 or not loss.two_sided:
            return False
        parts = halves([len(t) for t in self.tables])
        if parts is None:
            return False
        rows = interpolate([t.vectors for t in self.tables], loss.target, parts, self.check)
        self.statistics["interpolation"] = True
        if rows is not None:
            self._offer(rows, 0)
        return True

    def _trees(self, loss: GapLoss) -> tuple[list[Tree], list[Table]]:
        """Trees, one for equal tables, and the tables in tree order."""
        known: dict[Key, Tree] = {}
        weights = np.sqrt(loss.column_weights.astype(float))
        for table in self.tables:
            if table.key not in known:
                known[table.key] = build_tree(table.vectors, weights, loss.two_sided, self.check)
        trees = [known[t.key] for t in self.tables]
        tables = [t.reordered(tree.order) for t, tree in zip(self.tables, trees, strict=True)]
        return trees, tables
