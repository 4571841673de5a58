"""Dichotomies: exact training of one hidden layer of two-valued units (``step``, ``sign``) over ℝ.

A real unit matters only through the set of samples on which it is on, and N points allow finitely
many sets, O(N^d) (Cover 1965; docs/theory.md D2, D3). All are listed, degenerate ones included; for
every choice of one set a unit the rest is a convex program or a system of signs, solved exactly.
Choices are tried in the order of a bound that is computed for many at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import comb, inf, log10, nextafter, prod
from typing import TYPE_CHECKING, Any, ClassVar

from gmpy2 import mpq

from ermbit.engines.dichotomies.network import (
    DichotomyNetwork,
    TwoValued,
    read_dichotomy_network,
)
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
from ermbit.engines.one_hidden_layer import on_samples
from ermbit.engines.real_incumbents import OUTSIDE, RealIncumbents
from ermbit_encodings.problem import Problem
from ermbit_encodings.samples import reduction_unit
from ermbit_instances.errors import InternalError
from ermbit_instances.rational import Rational

if TYPE_CHECKING:
    from ermbit.engines.dichotomies.bounds import GroupBound, Sides
    from ermbit.engines.dichotomies.fit import Fit
    from ermbit.engines.dichotomies.patterns import Arrangement

SAMPLE_LIMIT = 2_000
"""Different samples, for ``dichotomies``."""

PATTERN_LIMIT = 400_000
"""Candidates for the dichotomies of one unit."""

CHOICE_LIMIT = 10**9
"""Choices of one dichotomy for every unit."""

_ZERO = mpq(0)

Numbers = tuple[tuple[Rational, ...], ...]


@dataclass(frozen=True)
class _Kind:
    """What makes two units interchangeable."""

    columns: Numbers
    fixed: tuple[Rational, ...]
    low: Rational
    high: Rational
    outer: Rational | None


@dataclass(frozen=True)
class _Prepared:
    problem: Problem
    network: DichotomyNetwork
    units: tuple[TwoValued, ...]
    kinds: tuple[_Kind, ...]
    free: Numbers
    fixed: tuple[Rational, ...]
    bound: GroupBound

    @property
    def numbers(self) -> list[int]:
        """Of each unit the number of its kind."""
        known: dict[_Kind, int] = {}
        return [known.setdefault(kind, len(known)) for kind in self.kinds]


class DichotomiesEngine(Engine):
    """All dichotomies of real two-valued units, and the best outer weights for them."""

    name: ClassVar[str] = "dichotomies"
    summary: ClassVar[str] = "lists dichotomies of real step and sign units (one hidden layer)"

    def capability(self, problem: Problem, task: Task) -> Capability:
        prepared = _prepare(problem)
        if isinstance(prepared, str):
            return Capability(False, False, prepared)
        sizes = [_pattern_count(kind) for kind in prepared.kinds]
        count = _choice_estimate(sizes, prepared.numbers)
        if count > CHOICE_LIMIT:
            return Capability(False, False, f"about 10^{log10(count):.0f} choices are too many")
        cost = _cost(prepared, sizes, count)
        if prepared.network.relaxed:
            reason = "real relaxation of the domains: unsat carries over"
            return Capability(True, False, reason, cost)
        reason = f"{len(sizes)} two-valued units, about {max(sizes)} dichotomies"
        return Capability(True, True, reason, cost)

    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        if problem.threshold < 0:
            return Outcome("unsat", reason="losses are never negative")
        prepared = _prepare(problem)
        if isinstance(prepared, str):
            return Outcome("unknown", reason=prepared)
        known = RealIncumbents(problem.instance, report)
        return _Run(prepared, budget, known).decide(problem.threshold)

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        prepared = _prepare(problem)
        if isinstance(prepared, str):
            return Outcome("unknown", reason=prepared)
        known = RealIncumbents(problem.instance, report)
        return _Run(prepared, budget, known).minimize()


def _prepare(problem: Problem) -> _Prepared | str:
    """Everything the search starts from, or why there is no search."""
    network = read_dichotomy_network(problem.instance.network)
    if isinstance(network, str):
        return network
    loss = problem.instance.loss
    if loss.name == "squared" and loss.reduction == "max":
        return "largest squared loss"
    rows = problem.samples.rows
    if not rows:
        return "no samples"
    if len(rows) > SAMPLE_LIMIT:
        return f"more than {SAMPLE_LIMIT} samples"
    from ermbit.engines.dichotomies.bounds import group_bound
    from ermbit.engines.dichotomies.patterns import pattern_bound

    inputs = [row.x for row in rows]
    kinds = []
    candidates: dict[tuple[Numbers, tuple[Rational, ...]], int] = {}
    for unit in network.units:
        columns = tuple(column.values(inputs) for column in unit.columns)
        fixed = on_samples(unit.fixed, inputs)
        if (columns, fixed) not in candidates:
            candidates[columns, fixed] = pattern_bound(columns, fixed)
        kinds.append(_Kind(columns, fixed, unit.low, unit.high, unit.outer))
    most = max(candidates.values())
    if most > PATTERN_LIMIT:
        return f"about 10^{log10(most):.0f} dichotomies of one unit"
    constants = on_samples(network.constant, inputs)
    if loss.margin > 0 and (any(constants) or any(k.outer is not None for k in kinds)):
        return "zero_one with a margin and a fixed part of the output"
    free = tuple(column.values(inputs) for column in network.free)
    blind = any(len(set(column)) > 1 for column in free)
    targets = [row.y[0] for row in rows]
    bound = group_bound(targets, constants, [row.weight for row in rows], loss, blind)
    if isinstance(bound, str):
        return bound
    # Interchangeable units stand next to each other.
    known: dict[_Kind, int] = {}
    order = sorted(
        range(len(kinds)), key=lambda j: (known.setdefault(kinds[j], len(known)), j)
    )
    return _Prepared(
        problem,
        network,
        tuple(network.units[j] for j in order),
        tuple(kinds[j] for j in order),
        free,
        constants,
        bound,
    )


def _pattern_count(kind: _Kind) -> int:
    """An estimate of the number of dichotomies (Cover 1965; halved by complements)."""
    from ermbit.engines.dichotomies.patterns import arrangement_size

    points, rank = arrangement_size(kind.columns, kind.fixed)
    return max(1, sum(comb(max(0, points - 1), i) for i in range(rank)))


def _choice_estimate(sizes: Sequence[int], numbers: Sequence[int]) -> int:
    from ermbit.engines.dichotomies.search import choice_count

    return choice_count(sizes, numbers)


def _cost(prepared: _Prepared, sizes: Sequence[int], count: int) -> float:
    """log10 of the seconds: listing, bounding all choices twice, fitting some of them."""
    samples = len(prepared.fixed)
    listing = sum(3e-5 * size * (1 + samples / 20) for size in set(sizes))
    bounding = 8e-9 * count * samples * (1 << len(sizes))
    fitting = 4e-3 * min(count, 30 + count**0.55)
    return log10(0.01 + listing + bounding + fitting)


class _Done(Exception):
    """The answer is known."""


@dataclass
class _Run:
    prepared: _Prepared
    budget: Budget
    known: RealIncumbents
    real: Rational | None = None
    fitted: int = 0
    arrangements: dict[_Kind, tuple[Arrangement, Sides]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problem = self.prepared.problem
        self.unit = reduction_unit(problem.instance, problem.samples)
        self.targets = [row.y[0] for row in problem.samples.rows]
        self.weights = [row.weight for row in problem.samples.rows]

    def decide(self, threshold: Rational) -> Outcome:
        """Is there a network of a loss up to the threshold?"""
        limit = self._limit(threshold * self.unit, strict=False)

        def tried(choice: tuple[int, ...], value: Any) -> Any:
            fit = self._fit(choice)
            if fit.total <= threshold * self.unit:
                values, loss = self._evaluated(choice, fit)
                if self.known.keeps(values, loss):
                    raise _Done
            return limit

        try:
            self._search(tried, lambda bound: None, limit)
        except _Done:
            return Outcome("sat", self.known.best, statistics=self._statistics())
        except Expired:
            return Outcome("unknown", reason="time limit", statistics=self._statistics())
        if self.known.outside:
            return Outcome("unknown", reason=OUTSIDE, statistics=self._statistics())
        reason = "every choice of dichotomies is worse"
        return Outcome("unsat", reason=reason, statistics=self._statistics())

    def minimize(self) -> Outcome:
        """The least loss."""

        def tried(choice: tuple[int, ...], value: Any) -> Any:
            fit = self._fit(choice)
            if self.real is None or fit.total < self.real:
                self.real = fit.total
            if self.known.least is None or fit.total < self.known.least * self.unit:
                self.known.improve(*self._evaluated(choice, fit))
            return self._limit(self.real, strict=True)

        def raised(bound: Any) -> None:
            total = mpq(Fraction(bound)) / self.prepared.bound.scale
            if self.real is not None:
                total = min(total, self.real)
            self.known.raise_to(total / self.unit)

        self.known.report(LowerBound(_ZERO))
        reason = "time limit"
        try:
            self._search(tried, raised, None)
            if self.real is None:
                raise InternalError("no choice of dichotomies was tried")
            # Every network is at least as bad as the best one, in the domains or not.
            self.known.raise_to(self.real / self.unit)
            reason = OUTSIDE
        except Expired:
            pass
        return self.known.minimized(reason, self._statistics())

    def _limit(self, total: Rational, *, strict: bool) -> Any:
        """The largest bound that leaves room for a total below (or up to) the given one."""
        scaled = total * self.prepared.bound.scale
        if self.prepared.problem.instance.loss.name == "squared":
            return nextafter(float(scaled), inf)
        floor = int(scaled.numerator // scaled.denominator)
        return floor - 1 if strict and floor == scaled else floor

    def _search(
        self,
        tried: Callable[[tuple[int, ...], Any], Any],
        raised: Callable[[Any], None],
        limit: Any,
    ) -> None:
        from ermbit.engines.dichotomies.patterns import arrangement
        from ermbit.engines.dichotomies.search import cheapest_first

        prepared = self.prepared
        for kind in prepared.kinds:
            if kind not in self.arrangements:
                found = arrangement(kind.columns, kind.fixed, self.budget.check)
                self.arrangements[kind] = (found, self._needed(kind, found.patterns))
        tables = [self.arrangements[kind][1] for kind in prepared.kinds]
        if prod(len(table) for table in tables) > 64 * CHOICE_LIMIT:
            raise InternalError("more choices than were estimated")

        def checked(choice: tuple[int, ...], value: Any) -> Any:
            self.budget.check()
            return tried(choice, value)

        cheapest_first(
            tables, prepared.numbers, prepared.bound, checked, raised, self.budget.check, limit
        )

    def _needed(self, kind: _Kind, patterns: Sides) -> Sides:
        """Dichotomies that differ in what they allow; a complement may be the same (B2)."""
        if kind.low == kind.high:
            return patterns[:1]
        has_constant = any(
            column[0] != 0 and len(set(column)) == 1 for column in self.prepared.free
        )
        if kind.outer is not None or not (has_constant or kind.low + kind.high == 0):
            return patterns
        keys = {row.tobytes() for row in patterns}
        kept = [
            row.tobytes() <= (~row).tobytes() or (~row).tobytes() not in keys for row in patterns
        ]
        return patterns[kept]

    def _fit(self, choice: tuple[int, ...]) -> Fit:
        from ermbit.engines.dichotomies.fit import best_fit

        self.fitted += 1
        columns = list(self.prepared.free)
        fixed = list(self.prepared.fixed)
        for kind, unit, place in zip(self.prepared.kinds, self.prepared.units, choice, strict=True):
            pattern = self.arrangements[kind][1][place]
            values = [kind.high if on else kind.low for on in pattern.tolist()]
            if kind.outer is None:
                columns.append(tuple(unit.scale * v for v in values))
            else:
                fixed = [f + kind.outer * v for f, v in zip(fixed, values, strict=True)]
        loss = self.prepared.problem.instance.loss
        return best_fit(columns, fixed, self.targets, self.weights, loss)

    def _evaluated(
        self, choice: tuple[int, ...], fit: Fit
    ) -> tuple[tuple[Rational, ...], Rational]:
        """θ of a choice with its fit, and its loss by the definition."""
        prepared = self.prepared
        theta = [_ZERO] * prepared.network.parameters
        numbers = list(fit.point)
        for column in prepared.network.free:
            theta[column.parameter] = numbers.pop(0)
        for kind, unit, place in zip(prepared.kinds, prepared.units, choice, strict=True):
            found, table = self.arrangements[kind]
            if kind.outer is None:
                theta[unit.parameter] = numbers.pop(0)
            weights = found.weights(table[place].tolist())
            for inner, value in zip(unit.columns, weights, strict=True):
                theta[inner.parameter] = value
        values = tuple(theta)
        loss = self.known.loss(values)
        if loss * self.unit > fit.total:
            raise InternalError("a fit is worse than its program says")
        return values, loss

    def _statistics(self) -> dict[str, Any]:
        sizes = [len(table) for _, table in self.arrangements.values()]
        return {"dichotomies": sizes, "fits": self.fitted}
