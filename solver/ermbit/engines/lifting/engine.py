"""Lifting: networks of polynomials as linear functions of monomials.

Over the data the outputs of a polynomial network lie in affine spaces that are known
(docs/theory.md G1); the best point of these is a convex problem and bounds every network from
below, in every domain. Free outer weights (G2, G7) or sums of squares (G3 to G6) often reach that
point: then it is the answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from math import log10
from typing import TYPE_CHECKING, Any, ClassVar

from gmpy2 import mpq

from ermbit.engines.engine import (
    Budget,
    Capability,
    Engine,
    Incumbent,
    LowerBound,
    Outcome,
    Report,
    Task,
)
from ermbit.verifier.verify import exact_loss
from ermbit_encodings.problem import Problem
from ermbit_instances.algebraic import AlgebraicLimitError
from ermbit_instances.certificate import Value
from ermbit_instances.errors import InternalError
from ermbit_instances.rational import Rational

if TYPE_CHECKING:
    from ermbit.engines.lifting.outer import Choice, OuterWeights, Span
    from ermbit.engines.lifting.quadratic import FormSystem
    from ermbit.engines.lifting.rank import Reach
    from ermbit.engines.lifting.relaxation import Relaxation, Relaxed
    from ermbit.engines.lifting.search import Family

EDGE_LIMIT, WORK_LIMIT = 5_000, 400_000
"""Edges, and edges times distinct samples, beyond which nothing is tried."""

DOUBLINGS = 400
"""How often the size of a network that approaches an infimum is doubled."""

UNSOLVED = "a linear program could not be solved exactly"
NOT_REACHED = "the relaxation is not known to be reached by a network"
OUTSIDE = "what reaches the relaxation lies outside the domains"


@dataclass(frozen=True)
class _Prepared:
    """A relaxation, and the ways to reach it.

    Attributes:
        relaxation: of the outputs to affine hulls.
        outer: the free outer weights, if there are any.
        choice: inner weights that give these a large rank.
        forms: the network as sums of squares, if it is one.
    """

    relaxation: Relaxation
    outer: OuterWeights | None
    choice: Choice | None
    forms: FormSystem | None

    @property
    def is_spanned(self) -> bool:
        """The outer weights reach all of the hulls."""
        wanted = tuple(hull.rank for hull in self.relaxation.hulls)
        return self.choice is not None and self.choice.ranks == wanted

    @property
    def has_all_forms(self) -> bool:
        """The units reach every quadratic form, output by output."""
        if self.forms is None:
            return False
        return self.forms.network.capacity[2] >= self.forms.rank * len(self.forms.fixed)


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
        return _Run(problem, prepared, budget, report).decide(problem.threshold)

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        prepared = _prepare(problem, budget.seed)
        if isinstance(prepared, str):
            return Outcome("unknown", reason=prepared)
        return _Run(problem, prepared, budget, report).minimize()


def _prepare(problem: Problem, seed: int) -> _Prepared | str:
    network = problem.instance.network
    if problem.is_piecewise_linear:
        return "no activation is a polynomial of degree 2 or more"
    if network.edge_count > EDGE_LIMIT:
        return f"more than {EDGE_LIMIT} edges"
    if network.edge_count * len(problem.samples.rows) > WORK_LIMIT:
        return "too many edges and samples"
    from ermbit.engines.lifting.outer import best_choice, read_outer_weights
    from ermbit.engines.lifting.quadratic import form_system, read_quadratic_network
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
    return _Prepared(
        relaxation,
        None if isinstance(outer, str) else outer,
        choice,
        None if isinstance(quadratic, str) else form_system(quadratic, relaxation.inputs),
    )


def _completeness(prepared: _Prepared, task: Task) -> tuple[bool, str]:
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
        from ermbit.engines.lifting.quadratic import ROOT_LIMIT
        from ermbit.engines.lifting.rank import is_decided

        if prepared.has_all_forms and not shifted:
            return True, f"{reason}, reached by sums of squares"
        frozen = sum(prepared.forms.network.capacity[:2])
        if exact and frozen <= ROOT_LIMIT and is_decided(prepared.forms):
            return True, f"{reason}; an exact fit is a matter of rank"
    return False, f"{reason}: bounds"


def _cost(prepared: _Prepared) -> float:
    """log10 of the seconds: measured on random data."""
    relaxation = prepared.relaxation
    if relaxation.problem.instance.loss.name == "zero_one":
        return 0.3
    size = len(relaxation.samples) * (relaxation.width + 1)
    return max(-1.0, log10(size) - 4.0)


@dataclass
class _Run:
    problem: Problem
    prepared: _Prepared
    budget: Budget
    report: Report
    best: tuple[Value, ...] | None = None
    least: Rational | None = None
    lower: Rational = field(default_factory=lambda: mpq(0))
    outside: bool = False

    def decide(self, threshold: Rational) -> Outcome:
        """Is there θ with L(θ) ≤ threshold?"""
        if threshold == 0 and self._is_off_the_lattice():
            reason = "the outputs lie on a lattice that misses the targets"
            return Outcome("unsat", reason=reason, statistics=self._statistics())
        if self.budget.expired:
            return self._unknown("time limit")
        relaxed = None
        for relaxed in self._steps():
            if relaxed.lower > threshold:
                reason = "no polynomial in the monomials of the network is so good"
                return Outcome("unsat", reason=reason, statistics=self._statistics())
            if relaxed.loss <= threshold:
                break
        if relaxed is None:
            return self._unknown(UNSOLVED)
        self.lower = relaxed.lower
        if relaxed.loss <= threshold and self._spanned(relaxed, threshold):
            return self._sat()
        reached = self._reached(relaxed)
        if reached is not None:
            if reached.status == "attained" and relaxed.loss <= threshold:
                if self._forms(reached, relaxed, threshold):
                    return self._sat()
            if reached.status == "approached" and relaxed.lower < threshold:
                if self._approach(reached, relaxed, threshold):
                    return self._sat()
            is_only = relaxed.lower == threshold and self._is_unique(relaxed)
            if is_only and reached.status in ("approached", "refuted"):
                reason = "the only outputs that are so good need more squares than there are units"
                return Outcome("unsat", reason=reason, statistics=self._statistics())
        if self._searched(threshold):
            return self._sat()
        return self._unknown(OUTSIDE if self.outside else NOT_REACHED)

    def minimize(self) -> Outcome:
        """The least loss."""
        self.report(LowerBound(mpq(0)))
        if self.budget.expired:
            return self._unknown("time limit")
        relaxed = None
        for relaxed in self._steps():
            self._raise(relaxed.lower)
            if self.least is None or relaxed.loss < self.least:
                self._spanned(relaxed, relaxed.loss)
        if relaxed is None:
            return self._unknown(UNSOLVED)
        reached = None if self.least == self.lower else self._reached(relaxed)
        if reached is not None and reached.status == "attained":
            self._forms(reached, relaxed, relaxed.loss)
        if self.least is not None and self.least == self.lower:
            statistics = self._statistics()
            return Outcome("optimal", self.best, self.lower, statistics=statistics)
        if reached is not None and reached.status == "approached" and relaxed.is_solved:
            assert self.prepared.forms is not None
            gap = max(relaxed.lower, mpq(1)) / 1024
            self._approach(reached, relaxed, relaxed.lower + gap)
            if self._is_unique(relaxed) and self.prepared.forms.network.is_real:
                reason = "approached by ever larger weights, and not attained"
                return Outcome("infimum", self.best, self.lower, reason, self._statistics())
        if self._searched(None):
            return Outcome("optimal", self.best, self.lower, statistics=self._statistics())
        reason = OUTSIDE if self.outside else NOT_REACHED
        if self.best is None:
            return Outcome("unknown", None, self.lower, reason, self._statistics())
        return Outcome("feasible", self.best, self.lower, reason, self._statistics())

    # -- parts

    @cached_property
    def _span(self) -> Span | None:
        """What the outer weights reach, exactly."""
        prepared = self.prepared
        if prepared.outer is None or prepared.choice is None:
            return None
        from ermbit.engines.lifting.outer import span

        network, inputs = self.problem.instance.network, prepared.relaxation.inputs
        return span(network, prepared.outer, inputs, prepared.choice.inner)

    def _steps(self) -> Iterator[Relaxed]:
        from ermbit.engines.lifting.program import Undecided
        from ermbit.engines.lifting.relaxation import relaxed_steps

        try:
            yield from relaxed_steps(self.prepared.relaxation, self.budget)
        except Undecided:
            return

    def _is_off_the_lattice(self) -> bool:
        """Whether an exact fit is impossible for parameters on grids."""
        from ermbit.engines.lifting.lattice import is_missed

        relaxation = self.prepared.relaxation
        if self.problem.instance.loss.name not in ("absolute", "squared"):
            return False
        if len(relaxation.samples) > len(relaxation.inputs):
            return False  # contradictory labels: the relaxation knows
        order = sorted(range(len(relaxation.rows)), key=lambda s: relaxation.rows[s])
        targets = [
            tuple(relaxation.samples[s].y[o] for s in order) for o in range(len(relaxation.hulls))
        ]
        network = self.problem.instance.network
        return is_missed(network, relaxation.inputs, targets) is True

    def _is_unique(self, relaxed: Relaxed) -> bool:
        """Whether no other outputs in the hulls are as good."""
        loss = self.problem.instance.loss
        if not relaxed.is_solved:
            return False
        if loss.name == "squared" and loss.reduction != "max":
            return True
        return relaxed.lower == 0 and loss.name in ("absolute", "squared")

    def _reached(self, relaxed: Relaxed) -> Reach | None:
        if self.prepared.forms is None:
            return None
        from ermbit.engines.lifting.rank import reach

        return reach(self.prepared.forms, relaxed.values)

    def _spanned(self, relaxed: Relaxed, limit: Rational) -> bool:
        """Take θ with the outputs of a relaxed solution, if outer weights reach them."""
        if self._span is None or self.prepared.outer is None:
            return False
        from ermbit.engines.lifting.outer import theta_for

        theta = theta_for(self.prepared.outer, self._span, relaxed.values)
        return theta is not None and self._offer(theta, limit)

    def _forms(self, reached: Reach, relaxed: Relaxed, limit: Rational) -> bool:
        assert self.prepared.forms is not None
        from ermbit.engines.lifting.rank import reaching

        theta = reaching(self.prepared.forms, reached, relaxed.values)
        return theta is not None and self._offer(theta, limit)

    def _approach(self, reached: Reach, relaxed: Relaxed, limit: Rational) -> bool:
        """Networks that come ever nearer, until the loss is at most the limit."""
        from ermbit.engines.lifting.rank import approaching

        assert reached.line is not None and self.prepared.forms is not None
        through, sign = reached.line
        size = 1
        for _ in range(DOUBLINGS):
            if self.budget.expired:
                return False
            theta = approaching(self.prepared.forms, through, sign * size, relaxed.values[0])
            if self._offer(theta, limit):
                return True
            size *= 4
        return False

    def _searched(self, threshold: Rational | None) -> bool:
        """Look for networks numerically.

        Args:
            threshold: is enough; ``None``: only the lower bound is, and less than before counts.
        """
        from ermbit.engines.lifting.search import FormFamily, candidates, outer_family

        prepared, relaxation = self.prepared, self.prepared.relaxation
        if self.problem.instance.loss.name == "zero_one":
            return False
        family: Family | None = None
        forms = prepared.forms
        if forms is not None and len(forms.fixed) == 1 and not any(forms.network.capacity[:2]):
            if len(forms.network.units) < forms.rank:
                family = FormFamily(forms)
        elif prepared.outer is not None and not prepared.is_spanned:
            family = outer_family(self.problem.instance.network, prepared.outer, relaxation.inputs)
        if family is None:
            return False

        def limit() -> Rational | None:
            return self.least if threshold is None else threshold

        for theta in candidates(family, relaxation, self.budget.seed, self.budget.remaining, limit):
            if self._offer(theta, self.lower if threshold is None else threshold):
                return True
        return False

    def _offer(self, theta: tuple[Value, ...], limit: Rational) -> bool:
        """Keep θ if it is admissible and better; whether its loss is at most the limit."""
        parameters = self.problem.instance.network.parameters
        if not all(v in p.domain for v, p in zip(theta, parameters, strict=True)):
            self.outside = True
            return False
        try:
            loss, _ = exact_loss(self.problem.instance, theta)
        except AlgebraicLimitError:
            return False
        if not isinstance(loss, mpq):
            return False
        if loss < self.lower:
            raise InternalError("a network is better than its relaxation")
        if self.least is None or loss < self.least:
            self.best, self.least = theta, loss
            self.report(Incumbent(theta, loss))
        return bool(loss <= limit)

    def _raise(self, bound: Rational) -> None:
        if bound > self.lower:
            self.lower = bound
            self.report(LowerBound(bound))

    def _sat(self) -> Outcome:
        return Outcome("sat", self.best, statistics=self._statistics())

    def _unknown(self, reason: str) -> Outcome:
        if self.budget.expired:
            reason = "time limit"
        return Outcome("unknown", reason=reason, statistics=self._statistics())

    def _statistics(self) -> dict[str, Any]:
        relaxation = self.prepared.relaxation
        return {
            "rank": relaxation.width,
            "distinct inputs": len(relaxation.inputs),
        }
