"""Lifting: networks of polynomials as linear functions of monomials.

Over the data the outputs of a polynomial network lie in affine spaces that are known
(docs/theory.md G1); the best point of these is a convex problem and bounds every network from
below, in every domain. Free outer weights (G2, G7) or sums of squares (G3 to G6) often reach that
point: then it is the answer.
"""

from __future__ import annotations

from math import log10
from typing import TYPE_CHECKING, ClassVar

from ermbit.engines.engine import (
    Budget,
    Capability,
    Engine,
    Outcome,
    Report,
    Task,
)
from ermbit_encodings.problem import Problem

if TYPE_CHECKING:
    from ermbit.engines.lifting.prepared import Prepared

EDGE_LIMIT, WORK_LIMIT = 5_000, 400_000
"""Edges, and edges times distinct samples, beyond which nothing is tried."""


class LiftingEngine(Engine):
    """Convex relaxation in the monomials, and ways to reach it."""

    name: ClassVar[str] = "lifting"
    summary: ClassVar[str] = "relaxes polynomial networks to linear functions of monomials"

    def capability(self, problem: Problem, task: Task) -> Capability:
        prepared = _prepare(problem, 0)
        if isinstance(prepared, str):
            return Capability(False, False, prepared)
        complete, reason = _completeness(prepared, task)
        return Capability(True, complete, reason, _cost(prepared))

    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        if problem.threshold < 0:
            return Outcome("unsat", reason="losses are never negative")
        prepared = _prepare(problem, budget.seed)
        if isinstance(prepared, str):
            return Outcome("unknown", reason=prepared)
        from ermbit.engines.lifting.run import Run

        return Run(problem, prepared, budget, report).decide(problem.threshold)

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        prepared = _prepare(problem, budget.seed)
        if isinstance(prepared, str):
            return Outcome("unknown", reason=prepared)
        from ermbit.engines.lifting.run import Run

        return Run(problem, prepared, budget, report).minimize()


def _prepare(problem: Problem, seed: int) -> Prepared | str:
    network = problem.instance.network
    if problem.is_piecewise_linear:
        return "no activation is a polynomial of degree 2 or more"
    if network.edge_count > EDGE_LIMIT:
        return f"more than {EDGE_LIMIT} edges"
    if network.edge_count * len(problem.samples.rows) > WORK_LIMIT:
        return "too many edges and samples"
    from ermbit.engines.lifting.form_system import form_system
    from ermbit.engines.lifting.linked import read_linked_system
    from ermbit.engines.lifting.outer import best_choice, read_outer_weights
    from ermbit.engines.lifting.prepared import Prepared
    from ermbit.engines.lifting.quadratic import read_quadratic_network
    from ermbit.engines.lifting.relaxation import read_relaxation

    relaxation = read_relaxation(problem)
    if isinstance(relaxation, str):
        return relaxation
    outer = read_outer_weights(network)
    choice = None
    if not isinstance(outer, str):
        wanted = [hull.rank for hull in relaxation.hulls]
        if all(len(e) >= r for e, r in zip(outer.edges, wanted, strict=True)):
            choice = best_choice(network, outer, relaxation.inputs, wanted, seed)
    quadratic = read_quadratic_network(network)
    return Prepared(
        relaxation,
        None if isinstance(outer, str) else outer,
        choice,
        None if isinstance(quadratic, str) else form_system(quadratic, relaxation.inputs),
        read_linked_system(network, relaxation.inputs) if isinstance(quadratic, str) else None,
    )


def _completeness(prepared: Prepared, task: Task) -> tuple[bool, str]:
    """Whether the answer will be proved in any case, and what is known."""
    problem = prepared.relaxation.problem
    loss = problem.instance.loss
    ranks = "+".join(str(hull.rank) for hull in prepared.relaxation.hulls)
    reason = f"relaxation of rank {ranks}"
    exact = task == "decide" and problem.threshold == 0 and loss.name in ("absolute", "squared")
    weights = {s.weight for s in prepared.relaxation.samples}
    is_enclosed = len(prepared.relaxation.hulls) > 1 or len(weights) > 1
    solved = exact or loss.name != "squared" or loss.reduction != "max" or not is_enclosed
    if not solved:
        return False, f"{reason}; largest squares are enclosed"
    shifted = loss.margin > 0 and any(any(h.constant) for h in prepared.relaxation.hulls)
    if prepared.is_spanned and not shifted:
        assert prepared.outer is not None
        if prepared.outer.is_real:
            return True, f"{reason}, reached by outer weights"
        return False, f"{reason}, reached by outer weights if their bits suffice"
    if prepared.forms is not None and prepared.forms.network.is_real:
        from ermbit.engines.lifting.form_system import ROOT_LIMIT
        from ermbit.engines.lifting.rank import is_decided

        if prepared.has_all_forms and not shifted:
            return True, f"{reason}, reached by sums of squares"
        frozen = sum(prepared.forms.network.capacity[:2])
        if exact and frozen <= ROOT_LIMIT and is_decided(prepared.forms):
            return True, f"{reason}; an exact fit is a matter of rank"
    linked = prepared.linked
    if exact and linked is not None and linked.is_real and linked.is_decided():
        return True, f"{reason}; an exact fit is a matter of rank"
    return False, f"{reason}: bounds"


def _cost(prepared: Prepared) -> float:
    """log10 of the seconds: measured on random data."""
    relaxation = prepared.relaxation
    if relaxation.problem.instance.loss.name == "zero_one":
        return 0.3
    size = len(relaxation.samples) * (relaxation.width + 1)
    return max(-1.0, log10(size) - 4.0)


