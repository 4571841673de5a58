"""Exact fits of deep networks over finite domains: level by level, equal states merged.

Later levels see of the earlier ones their signals on the data only (docs/theory.md E1, E6). A state
in which two samples with different targets cannot be told apart any more is given up, which leaves
few; the last level and the outputs are sums that are met in the middle (E4). What is reported has
been recomputed by the plain integer evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import prod
from typing import Any, ClassVar

import numpy as np

from ermbit.engines.deep_fits.cost import Sizes, log_seconds, sizes
from ermbit.engines.deep_fits.joins import SUMS_LIMIT
from ermbit.engines.deep_fits.layers import Layers, largest, layers
from ermbit.engines.deep_fits.search import Fits, first_samples, missed
from ermbit.engines.engine import Budget, Capability, Outcome, Report, Task
from ermbit.engines.enumerable import enumerable
from ermbit.engines.enumeration_bounds import Bounds
from ermbit.engines.total_search import Found, Raised, TotalSearchEngine, nearest_to_zero
from ermbit_encodings.integer_form import IntegerForm, integer_domain
from ermbit_encodings.problem import Problem
from ermbit_instances.errors import InternalError

PARAMETER_LIMIT, EDGE_LIMIT, ADDEND_LIMIT = 200, 1000, 12
"""Free parameters, edges, and sources of the outputs beyond which nothing is estimated."""

VALUES_LIMIT, UNIT_LIMIT, LIST_LIMIT, SHARED_LIMIT = 2**12, 2**16, 2**20, 2**14
"""Values of a domain; assignments of a unit, with its outer weights, and of shared parameters."""

COST_LIMIT = 9.0
"""log10 of the seconds beyond which nothing is tried."""


@dataclass(frozen=True, slots=True)
class _Prepared:
    form: IntegerForm
    bounds: Bounds
    layers: Layers
    sizes: Sizes


class DeepFitsEngine(TotalSearchEngine[_Prepared]):
    """Enumeration of states, level by level."""

    name: ClassVar[str] = "deep_fits"
    summary: ClassVar[str] = "tries all levels for an exact fit (finite domains, loss 0, deep)"
    exhausted: ClassVar[str] = "no choice of units fits exactly"

    def capability(self, problem: Problem, task: Task) -> Capability:
        if task == "minimize":
            return Capability(False, False, "only decides exact fits")
        return super().capability(problem, task)

    def claim(self, prepared: _Prepared, problem: Problem, task: Task) -> Capability:
        cost = log_seconds(prepared.form, prepared.bounds, prepared.layers, prepared.sizes)
        if cost > COST_LIMIT:
            return Capability(False, False, f"some 10^{cost:.0f} seconds are too long")
        levels = ", ".join(f"10^{size:.1f}" for size in prepared.sizes.tuples)
        return Capability(True, True, f"exact fit, levels of {levels} choices", cost)

    def search(
        self, prepared: _Prepared, budget: Budget, found: Found, raised: Raised
    ) -> _Search:
        return _Search(prepared, budget, found)

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        return Outcome("unknown", reason="only decides exact fits")

    def prepare(self, problem: Problem) -> _Prepared | str:
        network = problem.instance.network
        if problem.instance.loss.name not in ("absolute", "squared"):
            return "no exact fit is asked for"
        if not 0 < network.parameter_count <= PARAMETER_LIMIT:
            return f"no free parameter, or more than {PARAMETER_LIMIT}"
        if network.depth < 3 or network.edge_count > EDGE_LIMIT:
            return "fewer than two hidden layers, or the network is too large"
        start = enumerable(problem, VALUES_LIMIT)
        if isinstance(start, str):
            return start
        form, bounds = start.form, start.bounds
        if form.budget(problem.threshold) > 0:
            return "no exact fit is asked for"
        found = layers(form)
        if len(found.levels) < 2:
            return "fewer than two levels of hidden units matter"
        if len({t.source for s in found.sums for t in s.terms}) > ADDEND_LIMIT:
            return f"the outputs read more than {ADDEND_LIMIT} units"
        reach = bounds.magnitude * max(
            1, *(abs(s.gain) * max(1, sum(largest(form, t) for t in s.terms)) for s in found.sums)
        )
        if reach + sum(abs(s.constant) for s in found.sums) >= 2**60:
            return "the numbers do not fit 64 bits"
        measured = sizes(form, found)
        if max(u for units in measured.units for u in units) > np.log10(UNIT_LIMIT):
            return f"a unit has more than {UNIT_LIMIT} assignments"
        if measured.longest > np.log10(LIST_LIMIT) or measured.half > np.log10(SUMS_LIMIT):
            return "the lists of contributions are too long"
        if measured.shared > np.log10(SHARED_LIMIT):
            return f"shared parameters have more than {SHARED_LIMIT} assignments"
        return _Prepared(form, bounds, found, measured)


class _Search:
    """The search as :mod:`~ermbit.engines.total_search` runs it; it raises no bounds."""

    def __init__(self, prepared: _Prepared, budget: Budget, found: Found) -> None:
        self.prepared, self.budget, self.found = prepared, budget, found
        self.statistics: dict[str, Any] = {}

    def run(self, limit: int) -> None:
        """Report a fit; returns only if there is none."""
        form, bounds, shape = self.prepared.form, self.prepared.bounds, self.prepared.layers
        rng = np.random.default_rng(self.budget.seed)
        samples, consistent = first_samples(np.array(form.inputs), np.array(form.targets), rng)
        if not consistent:
            return
        start = dict(enumerate(nearest_to_zero(form)))
        domains = [integer_domain(form, p) for p in shape.shared]
        self.statistics["fixed"] = prod(map(len, domains))
        for values in product(*domains):
            fixed = dict(zip(shape.shared, values, strict=True))
            more: list[int] | None = []
            while more is not None:
                samples = np.unique(np.concatenate([samples, np.array(more, dtype=samples.dtype)]))
                fits = Fits(form, bounds, shape, fixed, samples, rng, self.budget.check)
                more = None
                try:
                    for chosen in fits.all():
                        parameters = tuple((start | chosen).values())
                        more = missed(form, parameters)
                        if not more:
                            self.found(parameters, 0)
                            raise InternalError("a search for one fit goes on after it")
                        break
                finally:
                    self.statistics |= {"samples": int(samples.size), **fits.statistics}
                if more is not None and set(more) <= set(samples.tolist()):
                    raise InternalError("an exact fit of some samples does not fit them")
