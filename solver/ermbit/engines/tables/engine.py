"""Tables of neurons: provably best shallow networks over finite domains.

Where the output is a sum of units that share nothing, the network is a choice of one vector for
every unit (docs/theory.md E1). All vectors are listed and put into trees; the best sum is searched
by branch and bound on boxes (E2, E5), with an incumbent from descent and a direct way to exact
interpolation (E4). What is reported has been recomputed by the plain integer evaluation.
"""

from __future__ import annotations

from collections.abc import Callable
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
from ermbit.engines.enumeration_bounds import Bounds
from ermbit.engines.tables.choice import MERGED_ROWS, Choice, Expired
from ermbit.engines.tables.units import Decomposition, decompose
from ermbit.engines.total_search import Ended, Found, Run, decide_total, minimize_total
from ermbit_encodings.integer_form import IntegerForm, integer_bounds, integer_domain
from ermbit_encodings.problem import Problem

ELEMENT_LIMIT = 2**25
"""Assignments of one unit times samples: what its table is made from (some 1 GB on the way)."""

PARAMETER_LIMIT, EDGE_LIMIT, UNIT_LIMIT = 200, 20_000, 64
"""Free parameters, edges and units beyond which nothing is estimated."""

LISTED_LIMIT = 2**17
"""Values of a domain that are gone through for the one nearest to zero."""

EXPONENTS = {"max": 0.52, "sum": 0.58, "zero_one": 0.7, "exact": 0.43}
"""The search bounds about (number of choices)^e tuples: measured on random data, not proved. It is
more for the number of errors, less for the largest loss and if only a loss of 0 is good enough."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    form: IntegerForm
    bounds: Bounds
    parts: Decomposition


class TablesEngine(Engine):
    """Branch and bound on tables of the units' contributions."""

    name: ClassVar[str] = "tables"
    summary: ClassVar[str] = "searches tables of hidden units (finite domains, shallow networks)"

    def capability(self, problem: Problem, task: Task) -> Capability:
        prepared = self._prepare(problem)
        if isinstance(prepared, str):
            return Capability(False, False, prepared)
        units = prepared.parts.units
        sizes = ", ".join(str(unit.raw) for unit in units[:4]) + (", …" if units[4:] else "")
        reason = f"units of {sizes} assignments" if units else "no free parameter"
        exact = task == "decide" and prepared.form.budget(problem.threshold) <= 0
        return Capability(True, True, reason, _cost(prepared.form, prepared.parts, exact))

    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        prepared = self._prepare(problem)
        if isinstance(prepared, str):
            return Outcome("unknown", reason=prepared)
        form = prepared.form
        limit = form.budget(problem.threshold)
        run = _runner(prepared, budget)
        return decide_total(form, limit, run, "no choice from the tables is good enough")

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        prepared = self._prepare(problem)
        if isinstance(prepared, str):
            return Outcome("unknown", reason=prepared)
        form = prepared.form
        return minimize_total(form, simple(form), _runner(prepared, budget), report)

    @staticmethod
    def _prepare(problem: Problem) -> _Prepared | str:
        """Everything the search needs, or why there is no search."""
        network = problem.instance.network
        if network.parameter_count > PARAMETER_LIMIT:
            return f"more than {PARAMETER_LIMIT} free parameters"
        if network.edge_count > EDGE_LIMIT:
            return "the network is too large"
        start = enumerable(problem)
        if isinstance(start, str):
            return start
        form, bounds = start.form, start.bounds
        loss, outputs = problem.instance.loss, len(network.outputs)
        parts = decompose(form)
        if isinstance(parts, str):
            return parts
        samples = len(form.inputs) * outputs
        if len(parts.units) > UNIT_LIMIT:
            return f"more than {UNIT_LIMIT} units"
        largest = max((unit.raw for unit in parts.units), default=1)
        if largest * samples > ELEMENT_LIMIT:
            return f"a table of about 10^{log10(largest):.0f} rows is too large"
        # Gaps may be squared and added up.
        worst = parts.reach ** (2 if loss.name == "squared" else 1)
        if max(worst * outputs * sum(form.weights), 2 * parts.reach) >= 2**62:
            return "the numbers do not fit 64 bits"
        return _Prepared(form, bounds, parts)


def _cost(form: IntegerForm, parts: Decomposition, exact: bool) -> float:
    """log10 of the seconds: making the tables, descending, and the tuples of the search."""
    samples = len(form.inputs) * len(form.outputs)
    raw = {unit.key: unit.raw for unit in parts.units}
    choices = sum(log10(unit.raw) for unit in parts.units)
    loss = form.instance.loss
    kind = "zero_one" if loss.name == "zero_one" else "sum"
    kind = "exact" if exact else "max" if loss.reduction == "max" else kind
    steady = 2e-3 + 4e-7 * samples * sum(raw.values())
    if choices > log10(max(1, MERGED_ROWS)):
        steady += 0.07
    searching = EXPONENTS[kind] * choices + log10(0.5e-6 * (1 + samples / 20))
    return max(log10(steady), searching)


def _runner(prepared: _Prepared, budget: Budget) -> Run:
    """The search as :mod:`~ermbit.engines.total_search` calls it."""

    def run(limit: int, found: Found, raised: Callable[[int], None]) -> tuple[dict[str, Any], bool]:
        choice = Choice(prepared.form, prepared.bounds, prepared.parts, found, raised, budget)
        try:
            choice.run(limit)
        except Expired:
            return choice.statistics, False
        except Ended:
            pass
        return choice.statistics, True

    return run


def simple(form: IntegerForm) -> tuple[int, ...]:
    """The value nearest to zero of every domain; of a very long one the least."""
    chosen = []
    for p, parameter in enumerate(form.instance.network.parameters):
        size = parameter.domain.size
        listed = size is not None and size <= LISTED_LIMIT
        least = integer_bounds(form, p)[0]
        chosen.append(min(integer_domain(form, p), key=abs) if listed else least)
    return tuple(chosen)
