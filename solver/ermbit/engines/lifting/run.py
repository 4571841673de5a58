"""The course of a run: the relaxation, ways to reach it, stronger bounds, searches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from gmpy2 import mpq

from ermbit.engines.engine import Budget, LowerBound, Outcome, Report
from ermbit.engines.lifting.attainment import Attainment
from ermbit.engines.lifting.directions import DirectionSearch, read_power_unit
from ermbit.engines.lifting.distance import distance_bound
from ermbit.engines.lifting.findings import Findings
from ermbit.engines.lifting.form_system import form_system
from ermbit.engines.lifting.inner_weights import Family, FormFamily, outer_family
from ermbit.engines.lifting.lattice import is_missed
from ermbit.engines.lifting.least_loss import relaxed_steps
from ermbit.engines.lifting.one_sign import one_sign_bound
from ermbit.engines.lifting.prepared import Prepared
from ermbit.engines.lifting.program import Undecided
from ermbit.engines.lifting.quadratic import read_quadratic_network
from ermbit.engines.lifting.relaxation import Relaxed
from ermbit.engines.lifting.search import candidates
from ermbit_encodings.problem import Problem
from ermbit_instances.certificate import Value
from ermbit_instances.rational import Rational

FIRST_CELLS, LAST_CELLS = 200, 300
"""Cells of directions before the numerical search, and of a lower bound in minimising."""

UNSOLVED = "a linear program could not be solved exactly"
NOT_REACHED = "the relaxation is not known to be reached by a network"
OUTSIDE = "what reaches the relaxation lies outside the domains"


@dataclass
class Run:
    """One run of the engine: what is found and proved so far.

    Attributes:
        problem, prepared, budget, report: what is asked.
        known: the best network and the lower bound.
        attainment: ways to reach the relaxation.
    """

    problem: Problem
    prepared: Prepared
    budget: Budget
    report: Report

    def __post_init__(self) -> None:
        self.known = Findings(self.problem, self.report)
        self.attainment = Attainment(self.prepared, self.budget, self.known)

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
        self.known.lower = relaxed.lower
        if relaxed.loss <= threshold and self.attainment.by_outer_weights(relaxed, threshold):
            return self._sat()
        reached = self.attainment.reached(relaxed)
        if reached is not None:
            if reached.status == "attained" and relaxed.loss <= threshold:
                if self.attainment.by_forms(reached, relaxed, threshold):
                    return self._sat()
            if reached.status == "approached" and relaxed.lower < threshold:
                if self.attainment.approach(reached, relaxed, threshold):
                    return self._sat()
            is_only = relaxed.lower == threshold and self._is_unique(relaxed)
            if is_only and reached.status in ("approached", "refuted"):
                reason = "the only outputs that are so good need more squares than there are units"
                return Outcome("unsat", reason=reason, statistics=self._statistics())
        if self.known.offer(self._least_values(), threshold):
            return self._sat()
        is_tight = self.known.lower == threshold
        if is_tight and self._searched(threshold):
            return self._sat()
        if self._is_refuted(threshold):
            reason = "no network of so few units is so good"
            return Outcome("unsat", reason=reason, statistics=self._statistics())
        for cells in (FIRST_CELLS, None):
            if self._directed(threshold, cells):
                reason = "no direction of the weights of the unit is so good"
                return Outcome("unsat", reason=reason, statistics=self._statistics())
            is_due = cells is not None and not is_tight
            if self.known.meets(threshold) or (is_due and self._searched(threshold)):
                return self._sat()
        return self._unknown(OUTSIDE if self.known.outside else NOT_REACHED)

    def minimize(self) -> Outcome:
        """The least loss."""
        known = self.known
        self.report(LowerBound(mpq(0)))
        if self.budget.expired:
            return self._unknown("time limit")
        relaxed = None
        for relaxed in self._steps():
            known.raise_to(relaxed.lower)
            if known.least is None or relaxed.loss < known.least:
                self.attainment.by_outer_weights(relaxed, relaxed.loss)
        if relaxed is None:
            return self._unknown(UNSOLVED)
        reached = None if known.is_optimal else self.attainment.reached(relaxed)
        if reached is not None and reached.status == "attained":
            self.attainment.by_forms(reached, relaxed, relaxed.loss)
        if known.is_optimal:
            statistics = self._statistics()
            return Outcome("optimal", known.best, known.lower, statistics=statistics)
        if reached is not None and reached.status == "approached" and relaxed.is_solved:
            gap = max(relaxed.lower, mpq(1)) / 1024
            self.attainment.approach(reached, relaxed, relaxed.lower + gap)
            if self._is_unique(relaxed) and self.attainment.is_real:
                reason = "approached by ever larger weights, and not attained"
                return Outcome("infimum", known.best, known.lower, reason, self._statistics())
        known.offer(self._least_values(), known.lower)
        for bound in self._stronger():
            known.raise_to(bound)
        is_done = self._searched(None) or self._directed(None, None)
        if is_done or known.is_optimal:
            return Outcome("optimal", known.best, known.lower, statistics=self._statistics())
        reason = OUTSIDE if known.outside else NOT_REACHED
        if known.best is None:
            return Outcome("unknown", None, known.lower, reason, self._statistics())
        return Outcome("feasible", known.best, known.lower, reason, self._statistics())

    # -- parts

    def _steps(self) -> Iterator[Relaxed]:
        try:
            yield from relaxed_steps(self.prepared.relaxation, self.budget)
        except Undecided:
            return

    def _is_off_the_lattice(self) -> bool:
        """Whether an exact fit is impossible for parameters on grids."""
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
        return is_missed(network, relaxation.inputs, targets, self.budget.deadline) is True

    def _is_unique(self, relaxed: Relaxed) -> bool:
        """Whether no other outputs in the hulls are as good."""
        loss = self.problem.instance.loss
        if not relaxed.is_solved:
            return False
        if loss.name == "squared" and loss.reduction != "max":
            return True
        return relaxed.lower == 0 and loss.name in ("absolute", "squared")

    def _stronger(self) -> Iterator[Rational]:
        """Lower bounds for networks of few squares."""
        relaxation = self.prepared.relaxation
        network = read_quadratic_network(self.problem.instance.network, is_bound=True)
        if isinstance(network, str) or self.budget.expired:
            return
        system = form_system(network, relaxation.inputs)
        deadline = self.budget.deadline
        for find in (distance_bound, one_sign_bound):
            bound = None if self.budget.expired else find(system, relaxation, deadline)
            if bound is not None:
                yield bound

    def _is_refuted(self, threshold: Rational) -> bool:
        """Whether such a bound is above the threshold."""
        for bound in self._stronger():
            self.known.lower = max(self.known.lower, bound)
            if self.known.lower > threshold:
                return True
        return False

    @cached_property
    def _directions(self) -> DirectionSearch | None:
        """Branch and bound, if there is one unit that is a power."""
        relaxation = self.prepared.relaxation
        unit = read_power_unit(self.problem.instance.network, relaxation.inputs)
        if unit is None:
            return None
        search = DirectionSearch(unit, relaxation, self.known.lower)
        return search if search.is_possible else None

    def _directed(self, threshold: Rational | None, cells: int | None) -> bool:
        """Search the directions of a single unit.

        Args:
            threshold: to be passed by the lower bound; ``None``: the least loss is to be met.
            cells: how many at most.

        Returns:
            Whether that is proved.
        """
        search = self._directions
        if search is None:
            return False
        most = cells
        if most is None:
            most = search.limit if threshold is not None else LAST_CELLS

        def limit() -> Rational | None:
            if threshold is None:
                self.known.raise_to(search.lower)
                return self.known.least
            return threshold

        def visit(direction: tuple[Rational, ...]) -> bool:
            theta = search.theta(self.problem.instance.network, direction)
            if theta is None:
                return False
            return self.known.offer(theta, self.known.lower if threshold is None else threshold)

        is_proved = search.run(self.budget, most, limit, visit, is_decision=threshold is not None)
        self.known.lower = max(self.known.lower, search.lower)
        return is_proved

    def _searched(self, threshold: Rational | None) -> bool:
        """Look for networks numerically.

        Args:
            threshold: is enough; ``None``: only the lower bound is, and less than before counts.
        """
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
            return self.known.least if threshold is None else threshold

        for theta in candidates(family, relaxation, self.budget.seed, self.budget.remaining, limit):
            if self.known.offer(theta, self.known.lower if threshold is None else threshold):
                return True
        return False

    def _least_values(self) -> tuple[Value, ...]:
        """θ of values near 0: as good as any where the sign of every output is wrong."""
        found: list[Value] = []
        for parameter in self.problem.instance.network.parameters:
            value = mpq(0)
            if value not in parameter.domain:
                above = parameter.domain.above(value)
                below = parameter.domain.below(value)
                value = next((v for v in (above, below) if v is not None), value)
            found.append(value)
        return tuple(found)

    def _sat(self) -> Outcome:
        return Outcome("sat", self.known.best, statistics=self._statistics())

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
