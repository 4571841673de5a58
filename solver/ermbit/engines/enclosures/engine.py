"""Branch and bound on enclosures: finite domains, numbers of any length.

Made for deep polynomial networks, whose numbers have thousands of bits: what fits machine integers
is quicker with the other engines. Complete for every architecture, activation and loss; floats of
MPFR, rounded outwards, rule out, and integers decide the rest.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from math import log10
from typing import Any, ClassVar

from ermbit.engines.enclosures.network import Network
from ermbit.engines.enclosures.search import Search
from ermbit.engines.engine import Budget, Capability, Engine, Outcome, Report, Task
from ermbit.engines.total_search import Found, Raised, decide_total, minimize_total
from ermbit_encodings.finite_form import finite_problem
from ermbit_encodings.integer_form import IntegerForm
from ermbit_encodings.problem import Problem

PARAMETER_LIMIT, EDGE_LIMIT, VALUES_LIMIT = 200, 2_000, 2**16
"""Free parameters, edges, and values of one domain beyond which nothing is searched."""

WORK_LIMIT = 100_000
"""Edges times samples of the largest network that is searched."""

LAYER_EXPONENT, EXPONENT = 0.6, 0.05
"""The nodes are about the assignments of the two largest layers to the first power times all to the
second one, measured: what a deeper layer adds is mostly ruled out, or met before."""

EDGE_SECONDS = 2e-5
"""Time of one node for one edge on one sample, and a constant factor of their number."""

LEAST_COST = -0.7
"""Where machine integers would do, this engine comes after those that use them."""


class _Better(Exception):
    """A total that counts was found; a smaller limit is next."""


class EnclosuresEngine(Engine):
    """Branch and bound with enclosures and exact integers of any length."""

    name: ClassVar[str] = "enclosures"
    summary: ClassVar[str] = "searches by enclosures (finite domains, numbers of any length)"

    def capability(self, problem: Problem, task: Task) -> Capability:
        form = _form(problem)
        if isinstance(form, str):
            return Capability(False, False, form)
        network = problem.instance.network
        layers: dict[int, float] = {}
        met: set[int] = set()
        for neuron in network.neurons:
            for entry in neuron.entries():
                if entry.parameter is not None and entry.parameter not in met:
                    met.add(entry.parameter)
                    values = network.parameters[entry.parameter].domain.size
                    layers[neuron.layer] = layers.get(neuron.layer, 0.0) + log10(values or 1)
        size = sum(layers.values())
        nodes = LAYER_EXPONENT * sum(sorted(layers.values())[-2:]) + EXPONENT * size
        cost = nodes + log10(EDGE_SECONDS * network.edge_count * len(form.inputs))
        reason = f"about 10^{size:.1f} assignments, searched by enclosures"
        return Capability(True, True, reason, max(cost, LEAST_COST))

    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        form = _form(problem)
        if isinstance(form, str):
            return Outcome("unknown", reason=form)
        limit = form.budget(problem.threshold)
        start = partial(_OneSearch, Network(form), budget)
        return decide_total(form, limit, start, "every assignment is ruled out")

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        form = _form(problem)
        if isinstance(form, str):
            return Outcome("unknown", reason=form)
        return minimize_total(form, partial(_Halving, Network(form), budget), report)


def _form(problem: Problem) -> IntegerForm | str:
    """The integer form of a problem, or why there is no search."""
    network = problem.instance.network
    if network.parameter_count == 0:
        return "no free parameter"
    if network.parameter_count > PARAMETER_LIMIT:
        return f"more than {PARAMETER_LIMIT} free parameters"
    edges = network.edge_count
    if edges > EDGE_LIMIT or edges * len(problem.samples.rows) > WORK_LIMIT:
        return "the network is too large"
    sizes = [parameter.domain.size for parameter in network.parameters]
    if any(size is None for size in sizes):
        return "a parameter has infinitely many values"
    if any(size is not None and size > VALUES_LIMIT for size in sizes):
        return f"a parameter has more than {VALUES_LIMIT} values"
    finite = finite_problem(problem)
    form = None if finite is None else finite.integer
    if form is None or not form.inputs:
        return "no integer form"
    return form


class _OneSearch:
    """One search, as :mod:`~ermbit.engines.total_search` runs it.

    Args:
        network: with its domains.
        budget: its deadline counts.
        found, raised: told of assignments and of lower bounds on all totals.
    """

    def __init__(self, network: Network, budget: Budget, found: Found, raised: Raised) -> None:
        self.network, self.budget = network, budget
        self.found, self.raised = found, raised
        self.statistics: dict[str, Any] = {}

    def run(self, limit: int) -> None:
        """Go through all assignments with a total of at most a limit."""
        self._search(limit, self.found)

    def _search(self, limit: int, found: Found) -> None:
        search = Search(self.network, limit, found, self.budget.check)
        try:
            self.budget.check()
            search.run()
        finally:
            for name, number in search.statistics().items():
                known = self.statistics.get(name, 0)
                self.statistics[name] = (
                    max(known, number) if name == "precision" else known + number
                )


class _Halving(_OneSearch):
    """Searches for totals of half the bits that are open, then one for what is left.

    The totals of different assignments may differ by thousands of binary orders of magnitude,
    and a search rules out the more, the smaller its limit is.
    """

    def run(self, limit: int) -> None:
        """Go through all assignments with a total of at most a limit, in several searches."""
        least, most = 0, limit

        def better(parameters: tuple[int, ...], total: int) -> int:
            nonlocal most
            most = self.found(parameters, total)
            raise _Better

        while most.bit_length() - least.bit_length() > 1:
            middle = (1 << (least.bit_length() + most.bit_length()) // 2) - 1
            with suppress(_Better):
                self._search(middle, better)
                least = middle + 1
                self.raised(least)
        if least <= most:
            self._search(most, self.found)
