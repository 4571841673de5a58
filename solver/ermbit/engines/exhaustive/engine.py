"""Exhaustive enumeration: complete wherever all domains are finite and small enough.

Any architecture, activation, loss and sharing. Hidden units enter through the different vectors of
outputs that they can produce on the data, interchangeable ones as multisets (docs/theory.md E1,
E6); everything is evaluated exactly, many assignments at a time (E7). What is reported has been
recomputed by the plain integer evaluation of the form.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from math import log10
from typing import Any, ClassVar

from ermbit.engines.engine import (
    Budget,
    Capability,
    Engine,
    Outcome,
    Report,
    Task,
)
from ermbit.engines.enumerable import enumerable
from ermbit.engines.enumeration_bounds import (
    BIT_LIMIT,
    Bounds,
    enumeration_work,
)
from ermbit.engines.exhaustive.plan import enumeration_plan
from ermbit.engines.exhaustive.program import Plan
from ermbit.engines.exhaustive.search import Search
from ermbit.engines.total_search import Ended, Found, Run, decide_total, minimize_total
from ermbit_encodings.integer_form import IntegerForm
from ermbit_encodings.problem import Problem

WORK_LIMIT = 1e12
"""Largest estimated number of elementary array operations that is taken on (some minutes)."""

PARAMETER_LIMIT, EDGE_LIMIT, VALUES_LIMIT = 200, 20_000, 2**17
"""Free parameters, edges, and values of one domain beyond which nothing is estimated."""

FROZEN_EDGE_LIMIT, FROZEN_BIT_LIMIT = 10**6, 10**6
"""Edges and bits of numbers beyond which not even a network without parameters is evaluated."""

OPERATIONS_PER_SECOND = 1e9
"""Of the estimated ones: most states are given up after a few samples."""


class _Expired(Exception):
    """The time is up."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    form: IntegerForm
    plan: Plan
    bounds: Bounds
    work: float


class ExhaustiveEngine(Engine):
    """Enumeration of all assignments by tables of distinct activation vectors."""

    name: ClassVar[str] = "exhaustive"
    summary: ClassVar[str] = "enumerates all parameter assignments (finite domains, small problems)"

    def capability(self, problem: Problem, task: Task) -> Capability:
        prepared = self._prepare(problem)
        if isinstance(prepared, str):
            return Capability(False, False, prepared)
        cost = prepared.work - log10(OPERATIONS_PER_SECOND)
        count = problem.assignments
        if not prepared.plan.domains:
            return Capability(True, True, "no free parameter: one evaluation", cost)
        if prepared.work > log10(WORK_LIMIT):
            reason = f"about 10^{prepared.work:.0f} operations are too many"
            return Capability(False, False, reason, cost)
        assert count is not None
        reason = f"{_power(count)} assignments, about 10^{prepared.work:.0f} operations"
        return Capability(True, True, reason, cost)

    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        prepared = self._prepare(problem)
        if isinstance(prepared, str):
            return Outcome("unknown", reason=prepared)
        form = prepared.form
        limit = form.budget(problem.threshold)
        run = self._runner(prepared, budget)
        return decide_total(form, limit, run, "every assignment was tried")

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        prepared = self._prepare(problem)
        if isinstance(prepared, str):
            return Outcome("unknown", reason=prepared)
        # Some θ to begin with: the value nearest to zero of every domain.
        start = tuple(min(values, key=abs) for values in prepared.plan.domains)
        return minimize_total(prepared.form, start, self._runner(prepared, budget), report)

    def _runner(self, prepared: _Prepared, budget: Budget) -> Run:
        """The search as :mod:`~ermbit.engines.total_search` calls it; it raises no bounds."""

        def run(
            limit: int, found: Found, raised: Callable[[int], None]
        ) -> tuple[dict[str, Any], bool]:
            return self._search(prepared, limit, found, budget)

        return run

    @staticmethod
    def _search(
        prepared: _Prepared,
        limit: int,
        found: Found,
        budget: Budget,
    ) -> tuple[dict[str, Any], bool]:
        """Statistics, and whether no assignment that counts was left out."""
        form, plan = prepared.form, prepared.plan
        if not form.grids:
            total = form.total(())
            with suppress(Ended):
                if total <= limit:
                    found((), total)
            return {"evaluated": 1}, True

        def check() -> None:
            if budget.expired:
                raise _Expired

        finished = True
        search = Search(form, plan, prepared.bounds, limit, found, check)
        try:
            check()
            search.run()
        except Ended:
            pass
        except _Expired:
            finished = False
        statistics = {
            "evaluated": search.evaluated,
            "tables": search.tables,
            "merged": search.merged,
            "arithmetic": prepared.bounds.dtype.__name__,
        }
        return statistics, finished

    @staticmethod
    def _prepare(problem: Problem) -> _Prepared | str:
        """Everything the search needs, or why there is no search."""
        network = problem.instance.network
        count, edges = network.parameter_count, network.edge_count
        if count > PARAMETER_LIMIT:
            return f"more than {PARAMETER_LIMIT} free parameters"
        if edges > (EDGE_LIMIT if count else FROZEN_EDGE_LIMIT):
            return "the network is too large to enumerate"
        bits = BIT_LIMIT if count else FROZEN_BIT_LIMIT
        start = enumerable(problem, VALUES_LIMIT, bits, wide=True)
        if isinstance(start, str):
            return start
        form, bounds = start.form, start.bounds
        plan = enumeration_plan(form, start.finite.symmetries if count else ())
        return _Prepared(form, plan, bounds, enumeration_work(form, plan, bounds))


def _power(count: int) -> str:
    return str(count) if count < 10**6 else f"10^{log10(count):.1f}"
