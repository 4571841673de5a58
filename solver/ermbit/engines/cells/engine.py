"""Cells of real units: exact training of networks with one hidden layer and one output.

A real hidden unit is a sign and a non-negative combination of the rays of one cell of an
arrangement; the rest of the network is linear (docs/theory.md B1, D1 to D7). The best choice is
searched by branch and bound over regions of cells, with bounds proved by duality in rationals. What
is reported has been evaluated again from the instance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log10
from typing import TYPE_CHECKING, ClassVar

from gmpy2 import mpq

from ermbit.engines.cells.network import ConeNetwork, read_cone_network
from ermbit.engines.engine import (
    Budget,
    Capability,
    Engine,
    Expired,
    LowerBound,
    Outcome,
    Report,
    Task,
)
from ermbit.engines.real_incumbents import OUTSIDE, RealIncumbents
from ermbit_encodings.problem import Problem
from ermbit_encodings.samples import Sample
from ermbit_instances.rational import Rational

if TYPE_CHECKING:
    from ermbit.engines.cells.rays import Basis, RayTable
    from ermbit.engines.cells.search import CellSearch, Found, Network
    from ermbit.engines.cells.target import Target

SAMPLE_LIMIT, RAY_LIMIT = 400, 4_000_000
"""Samples; rays of one unit times samples (some 32 MB of float64)."""

NUMBER_BITS = 900
"""Bits of the values of rays; quotients of two of them have to fit a float64."""

FLOAT_BITS = 300
"""Bits of labels, weights, slopes and linear terms: products of three have to fit a float64."""


@dataclass(frozen=True)
class _Prepared:
    problem: Problem
    network: ConeNetwork
    target: Target
    bases: tuple[Basis, ...]

    @property
    def parts(self) -> list[int]:
        """The units that contribute: their values are not always zero."""
        return [j for j, b in enumerate(self.bases) if b.rank]


class CellsEngine(Engine):
    """Branch and bound over cells of real units."""

    name: ClassVar[str] = "cells"
    summary: ClassVar[str] = "searches cells of real hidden units (one hidden layer, one output)"

    def capability(self, problem: Problem, task: Task) -> Capability:
        prepared = _prepare(problem, task)
        if isinstance(prepared, str):
            return Capability(False, False, prepared)
        count = sum(_rays(b) for b in prepared.bases)
        cost = _cost(prepared)
        if prepared.network.relaxed:
            reason = "real relaxation of the domains: unsat carries over"
            return Capability(True, False, reason, cost)
        return Capability(True, True, f"{len(prepared.bases)} real units, {count} rays", cost)

    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        if problem.threshold < 0:
            return Outcome("unsat", reason="losses are never negative")
        prepared = _prepare(problem, "decide")
        if isinstance(prepared, str):
            return Outcome("unknown", reason=prepared)
        known = RealIncumbents(problem.instance, report)
        return _Run(prepared, budget, known).decide(problem.threshold)

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        prepared = _prepare(problem, "minimize")
        if isinstance(prepared, str):
            return Outcome("unknown", reason=prepared)
        known = RealIncumbents(problem.instance, report)
        return _Run(prepared, budget, known).minimize()


def _prepare(problem: Problem, task: Task) -> _Prepared | str:
    """Everything the search starts from, or why there is no search."""
    network = read_cone_network(problem.instance.network)
    if isinstance(network, str):
        return network
    if len(problem.instance.data) > SAMPLE_LIMIT:
        return f"more than {SAMPLE_LIMIT} samples"
    from ermbit.engines.cells.rays import basis
    from ermbit.engines.cells.target import read_target, samples_to_be_right

    rows: Sequence[Sample] = problem.samples.rows
    if problem.instance.loss.name == "zero_one":
        right = samples_to_be_right(problem, problem.threshold if task == "decide" else None)
        if isinstance(right, str):
            return right
        rows = right
    target = read_target(problem, network, rows)
    if isinstance(target, str):
        return target
    inputs = [row.x for row in rows]
    known: dict[tuple[tuple[Rational, ...], ...], Basis] = {}
    bases = []
    for unit in network.units:
        columns = tuple(column.values(inputs) for column in unit.columns)
        if columns not in known:
            known[columns] = basis(columns)
        bases.append(known[columns])
    for found in known.values():
        if _rays(found) * len(inputs) > RAY_LIMIT:
            return f"about 10^{log10(_rays(found)):.0f} rays are too many"
        bits = max((abs(v).bit_length() for row in found.rows for v in row), default=0)
        if bits * max(1, found.rank) > NUMBER_BITS:
            return "the numbers are too long"
    linear = (v for row in target.free.rows for v in row)
    longest = max(abs(v).bit_length() for v in (*target.goals, *target.above, *linear, 1))
    slopes = (s for unit in network.units for s in (unit.below, unit.above))
    if max([longest, *map(_bits, slopes)]) > FLOAT_BITS:
        return "the numbers are too long"
    return _Prepared(problem, network, target, tuple(bases))


def _bits(value: Rational) -> int:
    return int(value.numerator.bit_length() + value.denominator.bit_length())


def _rays(basis: Basis) -> int:
    from ermbit.engines.cells.rays import ray_count

    return ray_count(len(basis.hyperplanes()), basis.rank)


def _cost(prepared: _Prepared) -> float:
    """log10 of the seconds, as measured on random data (scripts/bench_cells.py)."""
    rays = [max(2, _rays(prepared.bases[j])) for j in prepared.parts]
    search = -2.7 + sum(0.6 * log10(count) - 0.4 for count in rays)
    return max(-2.0, search)


class _Done(Exception):
    """The answer is known."""


@dataclass
class _Run:
    prepared: _Prepared
    budget: Budget
    known: RealIncumbents

    def decide(self, threshold: Rational) -> Outcome:
        """Is there a network of a loss up to the threshold?"""
        is_counted = self.prepared.problem.instance.loss.name == "zero_one"
        limit = mpq(0) if is_counted else self.prepared.target.total(threshold)

        def found(network: Network) -> Rational:
            values, loss = self._evaluated(network)
            if loss <= threshold:
                self.known.keeps(values, loss)
                raise _Done
            return limit

        search = self._search(found, lambda bound: None, limit, strict=True)
        try:
            self._origin(found)
            search.run()
        except _Done:
            if self.known.best is not None:
                return Outcome("sat", self.known.best, statistics=search.statistics())
            return Outcome("unknown", reason=OUTSIDE, statistics=search.statistics())
        except Expired:
            return Outcome("unknown", reason="time limit", statistics=search.statistics())
        reason = "every region of the units is worse"
        return Outcome("unsat", reason=reason, statistics=search.statistics())

    def minimize(self) -> Outcome:
        """The least loss."""
        target = self.prepared.target
        real: list[Rational] = []

        def found(network: Network) -> Rational:
            values, loss = self._evaluated(network)
            real.append(loss)
            self.known.improve(values, loss)
            return target.total(min(real))

        def raised(bound: Rational) -> None:
            self.known.raise_to(target.loss(bound))

        self.known.report(LowerBound(mpq(0)))
        start = self._origin(found)
        search = self._search(found, raised, start, strict=False)
        reason = "time limit"
        try:
            if start > 0:
                search.run()
            # Every network is at least as bad as the best one, in the domains or not.
            raised(target.total(min(real)))
            reason = OUTSIDE
        except Expired:
            pass
        return self.known.minimized(reason, search.statistics())

    def _search(
        self, found: Found, raised: Callable[[Rational], None], limit: Rational, *, strict: bool
    ) -> CellSearch:
        from ermbit.engines.cells.rays import ray_table
        from ermbit.engines.cells.search import CellSearch

        prepared = self.prepared
        known: dict[tuple[int, Rational, Rational], RayTable] = {}
        tables, signs = [], []
        for j in prepared.parts:
            unit, basis = prepared.network.units[j], prepared.bases[j]
            key = (id(basis), unit.below, unit.above)
            if key not in known:
                known[key] = ray_table(basis, unit.below, unit.above, prepared.target.labels)
            tables.append(known[key])
            signs.append(unit.signs)

        return CellSearch(
            prepared.target,
            tuple(tables),
            tuple(signs),
            found,
            raised,
            self.budget.check,
            limit,
            strict,
            self.budget.seed,
        )

    def _origin(self, found: Found) -> Rational:
        """Offer the network that is zero wherever it can be."""
        from ermbit.engines.cells.search import Network

        prepared = self.prepared
        free = (mpq(0),) * prepared.target.free.rank
        units = tuple(
            (prepared.network.units[j].signs[0], (mpq(0),) * prepared.bases[j].rank)
            for j in prepared.parts
        )
        return mpq(found(Network(free, units)))

    def _evaluated(self, network: Network) -> tuple[tuple[Rational, ...], Rational]:
        """θ of a network, and its loss by the definition."""
        prepared = self.prepared
        terms = len(prepared.network.free) + len(prepared.network.neurons)
        # Under ``zero_one`` everything is homogeneous: y·f ≥ 1 becomes y·f ≥ the margin.
        factor = max(mpq(1), prepared.problem.instance.loss.margin)
        free = prepared.target.free.weights([factor * c for c in network.free], terms)
        units = [(unit.signs[0], (mpq(0),) * len(unit.columns)) for unit in prepared.network.units]
        for j, (sign, u) in zip(prepared.parts, network.units, strict=True):
            width = len(prepared.network.units[j].columns)
            units[j] = (sign, prepared.bases[j].weights([factor * v for v in u], width))
        values = prepared.network.theta(free, units)
        return values, self.known.loss(values)
