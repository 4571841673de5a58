"""Tables of neurons: provably best shallow networks over finite domains.

Where the output is a sum of units that share nothing, the network is a choice of one vector for
every unit (docs/theory.md E1). All vectors are listed and put into trees; the best sum is searched
by branch and bound on boxes (E2, E5), with an incumbent from descent and a direct way to exact
interpolation (E4). What is reported has been recomputed by the plain integer evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log10
from typing import ClassVar

from ermbit.engines.engine import Budget, Capability, Task
from ermbit.engines.enumerable import enumerable
from ermbit.engines.enumeration_bounds import Bounds
from ermbit.engines.tables.run import MERGED_ROWS, Run
from ermbit.engines.tables.units import Decomposition, decompose
from ermbit.engines.total_search import Found, Raised, TotalSearchEngine
from ermbit_encodings.integer_form import IntegerForm
from ermbit_encodings.problem import Problem

ELEMENT_LIMIT = 2**25
"""Assignments of one unit times samples: what its table is made from (some 1 GB on the way)."""

PARAMETER_LIMIT, EDGE_LIMIT, UNIT_LIMIT = 200, 20_000, 64
"""Free parameters, edges and units beyond which nothing is estimated."""

EXPONENTS = {"max": 0.52, "sum": 0.58, "zero_one": 0.7, "exact": 0.43}
"""The search bounds about (number of choices)^e tuples: measured on random data, not proved. It is
more for the number of errors, less for the largest loss and if only a loss of 0 is good enough."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    form: IntegerForm
    bounds: Bounds
    parts: Decomposition


class TablesEngine(TotalSearchEngine[_Prepared]):
    """Branch and bound on tables of the units' contributions."""

    name: ClassVar[str] = "tables"
    summary: ClassVar[str] = "searches tables of hidden units (finite domains, shallow networks)"
    exhausted: ClassVar[str] = "no choice from the tables is good enough"

    def claim(self, prepared: _Prepared, problem: Problem, task: Task) -> Capability:
        units = prepared.parts.units
        sizes = ", ".join(str(unit.raw) for unit in units[:4]) + (", …" if units[4:] else "")
        reason = f"units of {sizes} assignments" if units else "no free parameter"
        exact = task == "decide" and prepared.form.budget(problem.threshold) <= 0
        return Capability(True, True, reason, _cost(prepared.form, prepared.parts, exact))

    def search(
        self, prepared: _Prepared, budget: Budget, found: Found, raised: Raised
    ) -> Run:
        return Run(prepared.form, prepared.bounds, prepared.parts, found, raised, budget)

    def prepare(self, problem: Problem) -> _Prepared | str:
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
