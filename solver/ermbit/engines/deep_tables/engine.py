"""Deep networks over finite domains: branch and bound on tables of neurons and groups of weights.

First neurons are tables of activation vectors, later ones tables of parameters
(:mod:`~ermbit.engines.deep_tables.variables`). A tuple of tree nodes stands for all choices below,
and interval evaluation bounds their loss (:mod:`~ermbit.engines.deep_tables.intervals`), so that
most choices of first neurons are ruled out many at a time (docs/theory.md E1, E6). What is reported
has been recomputed by the plain integer evaluation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import lgamma, log, log10
from typing import Any, ClassVar

from ermbit.engines.deep_tables.incumbents import DeepIncumbents
from ermbit.engines.deep_tables.intervals import IntervalNetwork
from ermbit.engines.deep_tables.variables import (
    Group,
    Variable,
    grouped,
    signal_sizes,
    variables,
)
from ermbit.engines.engine import Budget, Capability, Task
from ermbit.engines.enumerable import enumerable
from ermbit.engines.enumeration_bounds import Bounds
from ermbit.engines.tables.loss import GapLoss, gap_loss, vector_type
from ermbit.engines.tables.search import TupleSearch
from ermbit.engines.total_search import Found, Raised, TotalSearchEngine
from ermbit_encodings.integer_form import IntegerForm, integer_bounds
from ermbit_encodings.problem import Problem
from ermbit_encodings.symmetry import Symmetry

PARAMETER_LIMIT, EDGE_LIMIT, GROUP_COUNT_LIMIT = 200, 2000, 60
"""Free parameters, edges and variables beyond which nothing is estimated."""

VALUES_LIMIT = 2**16
"""Values of a domain that are listed."""

ELEMENTS_LIMIT = 2**23
"""Rows times columns of all trees."""

FIRST_ROWS, SEARCH_SHARE = 200_000, 0.25
"""Rows that the descents evaluate at first, and later for every tuple that was bounded."""

SHALLOW_COST = 1.5
"""Added for one hidden layer, whose units `tables` treats without intervals."""

EXPONENT = 0.66
"""The search bounds about (number of choices)^e tuples: measured on random data, not proved."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    form: IntegerForm
    bounds: Bounds
    groups: tuple[Group, ...]
    symmetries: tuple[Symmetry, ...]
    loss: GapLoss
    dtype: type


class DeepTablesEngine(TotalSearchEngine[_Prepared]):
    """Branch and bound on tuples of activation vectors and weights."""

    name: ClassVar[str] = "deep_tables"
    summary: ClassVar[str] = "searches tables of neurons by intervals (finite domains, any depth)"
    exhausted: ClassVar[str] = "no choice of rows is good enough"

    def claim(self, prepared: _Prepared, problem: Problem, task: Task) -> Capability:
        sizes = ", ".join(str(group.raw) for group in prepared.groups[:6])
        more = ", …" if prepared.groups[6:] else ""
        cost = _cost(prepared)
        if problem.instance.network.depth <= 2:
            cost += SHALLOW_COST
        return Capability(True, True, f"choices of {sizes}{more} values", cost)

    def search(
        self, prepared: _Prepared, budget: Budget, found: Found, raised: Raised
    ) -> _Search:
        return _Search(prepared, budget, found, raised)

    def prepare(self, problem: Problem) -> _Prepared | str:
        network = problem.instance.network
        if network.parameter_count == 0:
            return "no free parameter"
        if network.parameter_count > PARAMETER_LIMIT:
            return f"more than {PARAMETER_LIMIT} free parameters"
        if network.edge_count > EDGE_LIMIT:
            return "the network is too large"
        start = enumerable(problem, VALUES_LIMIT)
        if isinstance(start, str):
            return start
        form, bounds = start.form, start.bounds
        groups = grouped(form)
        if not groups:
            return "no parameter matters"
        if len(groups) > GROUP_COUNT_LIMIT:
            return f"more than {GROUP_COUNT_LIMIT} choices"
        samples = len(form.inputs)
        width = sum(g.raw * (samples if g.table else len(g.parameters)) for g in groups)
        if width > ELEMENTS_LIMIT:
            return f"trees of about 10^{log10(width):.0f} numbers are too large"
        sizes, worst = signal_sizes(form, bounds, groups)
        aims = [form.scale, form.margin, *(abs(v) for row in form.targets for v in row)]
        outputs = [
            abs(f) * sizes[node] for node, f in zip(form.outputs, form.output_factors, strict=True)
        ]
        # A score of classes is a difference of two outputs.
        reach = 2 * max(outputs) + max(aims)
        loss = gap_loss(form, [0] * len(outputs), reach)
        if loss is None or max(worst, reach) >= 2**61:
            return "the numbers do not fit 64 bits"
        dtype = vector_type(max(worst, reach))
        return _Prepared(form, bounds, groups, start.finite.symmetries, loss, dtype)


def _cost(prepared: _Prepared) -> float:
    """log10 of the seconds: making the tables and the tuples of the search."""
    form, groups = prepared.form, prepared.groups
    samples = len(form.inputs) * len(form.outputs)
    edges = sum(len(neuron.terms) + 2 for neuron in form.neurons)
    # Neurons of equal numbers of choices are presumably interchangeable: multisets.
    neurons = Counter((g.table, g.scaled, g.raw) for g in groups if g.neuron >= 0)
    choices = sum(log10(g.raw) for g in groups if g.neuron < 0)
    choices += sum(_multisets(raw, count) for (_, _, raw), count in neurons.items())
    steady = 0.12 + 1e-6 * samples * sum(group.raw for group in groups)
    tuple_seconds = 2e-8 * edges * (1 + samples / 10)
    return max(log10(steady), EXPONENT * choices + log10(tuple_seconds))


def _multisets(kinds: int, size: int) -> float:
    """log10 of the number of multisets."""
    return (lgamma(kinds + size) - lgamma(kinds) - lgamma(size + 1)) / log(10)


class _Search:
    """One pass over all choices of rows."""

    def __init__(
        self, prepared: _Prepared, budget: Budget, found: Found, raised: Raised
    ) -> None:
        self.prepared, self.budget = prepared, budget
        self.found, self.raised = found, raised
        self.check = budget.check
        self.limit = 0
        self.variables: tuple[Variable, ...] = ()
        self.statistics: dict[str, Any] = {}

    def run(self, limit: int) -> None:
        """Go through all choices with a total of at most a limit; returns only after all."""
        self.limit = limit
        self.check()
        p = self.prepared
        self.variables = variables(p.form, p.bounds, p.groups, p.symmetries, p.dtype, self.check)
        network = IntervalNetwork(p.form, p.bounds, self.variables, p.loss, p.dtype)
        incumbents = DeepIncumbents(network, self.budget.seed, self._leaves, self.check)

        def check() -> None:
            self.check()
            if SEARCH_SHARE * search.evaluated > incumbents.evaluated:
                # As much again, so that few rounds are needed however long the search takes.
                incumbents.until(2 * incumbents.evaluated)
                search.limit = self.limit

        trees = [v.tree for v in self.variables]
        mates = [v.mate for v in self.variables]
        search = TupleSearch(trees, mates, network, limit, self._offer, self.raised, check, True)
        try:
            incumbents.until(FIRST_ROWS)
            search.limit = self.limit
            search.run()
        finally:
            self.statistics = {
                "rows": [v.choices.shape[0] for v in self.variables],
                "type": p.dtype.__name__,
                "bounded": search.evaluated,
                "cut": search.cut,
                "descents": incumbents.starts,
            }

    def _leaves(self, nodes: Iterable[int], total: int) -> int:
        rows = (int(v.tree.start[n]) for v, n in zip(self.variables, nodes, strict=True))
        return self._offer(tuple(rows), total)

    def _offer(self, rows: tuple[int, ...], total: int) -> int:
        """Report a choice if it meets the limit; the limit afterwards."""
        if total > self.limit:
            return self.limit
        form = self.prepared.form
        values = {p: integer_bounds(form, p)[0] for p in range(len(form.grids))}
        for variable, row in zip(self.variables, rows, strict=True):
            chosen = (int(v) for v in variable.choices[row])
            values |= zip(variable.group.parameters, chosen, strict=True)
        self.limit = self.found(tuple(values.values()), total)
        return self.limit
