"""The course of a run: all choices of dichotomies, those with the least bounds first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from math import inf, nextafter, prod
from typing import Any

from gmpy2 import mpq

from ermbit.engines.dichotomies.bounds import Sides
from ermbit.engines.dichotomies.fit import Fit, best_fit
from ermbit.engines.dichotomies.patterns import Arrangement, arrangement
from ermbit.engines.dichotomies.prepared import CHOICE_LIMIT, ORDERS, Kind, Prepared
from ermbit.engines.dichotomies.search import cheapest_first
from ermbit.engines.engine import Budget, Expired, LowerBound, Outcome
from ermbit.engines.lifting.program import Undecided
from ermbit.engines.real_incumbents import OUTSIDE, RealIncumbents
from ermbit_encodings.samples import reduction_unit
from ermbit_instances.errors import InternalError
from ermbit_instances.rational import Rational

_ZERO = mpq(0)

LARGEST = mpq(10**300)
"""Limits past it are infinite as floats."""


class _Done(Exception):
    """The answer is known."""


@dataclass
class Run:
    """One run of the engine.

    Attributes:
        prepared, budget: what is asked.
        known: the best network of the domains, and the lower bound.
        real: the least total of a fit, in the domains or not.
        fitted: how many choices were fitted.
        arrangements: of every kind, with the dichotomies of it that are needed.
    """

    prepared: Prepared
    budget: Budget
    known: RealIncumbents
    real: Rational | None = None
    fitted: int = 0
    arrangements: dict[Kind, tuple[Arrangement, Sides]] = field(default_factory=dict)

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
        except Undecided as error:
            reason = str(error) or "time limit"
            return Outcome("unknown", reason=reason, statistics=self._statistics())
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
        except Undecided as error:
            reason = str(error) or "time limit"
        return self.known.minimized(reason, self._statistics())

    def _limit(self, total: Rational, *, strict: bool) -> Any:
        """The largest bound that leaves room for a total below (or up to) the given one."""
        scaled = total * self.prepared.bound.scale
        if self.prepared.problem.instance.loss.name == "squared":
            return nextafter(float(scaled), inf) if scaled < LARGEST else inf
        floor = int(scaled.numerator // scaled.denominator)
        return floor - 1 if strict and floor == scaled else floor

    def _search(
        self,
        tried: Callable[[tuple[int, ...], Any], Any],
        raised: Callable[[Any], None],
        limit: Any,
    ) -> None:
        prepared = self.prepared
        for kind in prepared.kinds:
            if kind not in self.arrangements:
                found = arrangement(kind.columns, kind.fixed, self.budget.check)
                self.arrangements[kind] = (found, self._needed(kind, found.patterns))
        tables = [self.arrangements[kind][1] for kind in prepared.kinds]
        if prod(len(table) for table in tables) > ORDERS * CHOICE_LIMIT:
            raise Undecided("more choices of dichotomies than were estimated")

        def checked(choice: tuple[int, ...], value: Any) -> Any:
            self.budget.check()
            return tried(choice, value)

        cheapest_first(
            tables, prepared.numbers, prepared.bound, checked, raised, self.budget.check, limit
        )

    def _needed(self, kind: Kind, patterns: Sides) -> Sides:
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
        loss, budget = self.prepared.problem.instance.loss, self.budget
        return best_fit(
            columns, fixed, self.targets, self.weights, loss, budget.check, budget.deadline
        )

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
