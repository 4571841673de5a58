"""Exhaustive enumeration: complete wherever all domains are finite and small enough.

Any architecture, activation, loss and sharing. Hidden units enter through the different vectors of
outputs that they can produce on the data, interchangeable ones as multisets (docs/theory.md E1,
E6); everything is evaluated exactly, many assignments at a time (E7). What is reported has been
recomputed by the plain integer evaluation of the form.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log10
from typing import Any, ClassVar

from ermbit.engines.engine import Budget, Capability, Task
from ermbit.engines.enumerable import enumerable
from ermbit.engines.enumeration_bounds import BIT_LIMIT, Bounds, enumeration_work
from ermbit.engines.exhaustive.plan import enumeration_plan
from ermbit.engines.exhaustive.program import Plan
from ermbit.engines.exhaustive.search import Search
from ermbit.engines.total_search import Found, Raised, TotalSearchEngine
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


@dataclass(frozen=True, slots=True)
class _Prepared:
    form: IntegerForm
    plan: Plan
    bounds: Bounds
    work: float


class ExhaustiveEngine(TotalSearchEngine[_Prepared]):
    """Enumeration of all assignments by tables of distinct activation vectors."""

    name: ClassVar[str] = "exhaustive"
    summary: ClassVar[str] = "enumerates all parameter assignments (finite domains, small problems)"
    exhausted: ClassVar[str] = "every assignment was tried"

    def claim(self, prepared: _Prepared, problem: Problem, task: Task) -> Capability:
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

    def search(
        self, prepared: _Prepared, budget: Budget, found: Found, raised: Raised
    ) -> _Enumeration:
        return _Enumeration(prepared, budget, found)

    def prepare(self, problem: Problem) -> _Prepared | str:
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


class _Enumeration:
    """The search as :mod:`~ermbit.engines.total_search` runs it; it raises no bounds."""

    def __init__(self, prepared: _Prepared, budget: Budget, found: Found) -> None:
        self.prepared, self.budget, self.found = prepared, budget, found
        self.statistics: dict[str, Any] = {}

    def run(self, limit: int) -> None:
        """Go through all assignments."""
        form, bounds = self.prepared.form, self.prepared.bounds
        if not form.grids:
            self.statistics = {"evaluated": 1}
            total = form.total(())
            if total <= limit:
                self.found((), total)
            return
        check = self.budget.check
        search = Search(form, self.prepared.plan, bounds, limit, self.found, check)
        try:
            check()
            search.run()
        finally:
            self.statistics = {
                "evaluated": search.evaluated,
                "tables": search.tables,
                "merged": search.merged,
                "arithmetic": bounds.dtype.__name__,
            }


def _power(count: int) -> str:
    return str(count) if count < 10**6 else f"10^{log10(count):.1f}"
