"""Best linear classifiers as least hitting sets, in any dimension.

The samples that a classifier gets wrong meet every set of samples that cannot all be right, and
the least weight of such a hitting set is the least loss (docs/theory.md F1). Bad sets are found as
cores of linear systems (F2), hitting sets of those known so far by a MaxSAT solver: each is a lower
bound, and the answer as soon as all other samples can be right. This is the implicit hitting set
scheme (Moreno-Centeno & Karp 2013; Davies & Bacchus 2011).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Timer
from typing import Any, ClassVar

import numpy as np
from gmpy2 import mpq

from ermbit.engines.engine import (
    Budget,
    Capability,
    Engine,
    Expired,
    Incumbent,
    LowerBound,
    Outcome,
    Report,
    Task,
)
from ermbit.engines.error_weights import WeightLevels, total_weight
from ermbit.engines.float_program import Columns, FloatProgram
from ermbit.engines.hitting_sets.gordan import Core, System
from ermbit.engines.linear_classifier import Classifier, read_classifier
from ermbit_encodings.problem import Problem
from ermbit_encodings.samples import integer_budget, reduction_unit
from ermbit_instances.errors import InternalError
from ermbit_instances.rational import Rational

GREEDY_ROUNDS = 20
"""Cheap hitting sets in a row before the next least one is computed."""

DISAGREEMENT = "a solution of the linear forms does not classify what it should"

SHARES = 2**20
"""Parts into which one unit of weight is divided for lower bounds by linear programs."""

LARGEST = 2**1000
"""Weights are no larger than this in float programs."""

Theta = tuple[Rational, ...]


@dataclass(frozen=True, slots=True)
class BadSet:
    """Samples that cannot all be right."""

    samples: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Step:
    """What is known: the best θ so far with its total, and a lower bound on all totals."""

    theta: Theta
    total: int
    lower: int


class HittingSetsEngine(Engine):
    """Implicit hitting sets over cores of linear systems."""

    name: ClassVar[str] = "hitting_sets"
    summary: ClassVar[str] = "hits sets of samples that cannot all be right (linear classifiers)"

    def capability(self, problem: Problem, task: Task) -> Capability:
        classifier = read_classifier(problem)
        if isinstance(classifier, str):
            return Capability(False, False, classifier)
        count = sum(len(forms) for forms in classifier.forms)
        reason = f"{count} linear forms in {classifier.parameters} parameters"
        # How many cores it takes nobody knows beforehand: from none to far too many.
        return Capability(True, True, reason, 0.3)

    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        classifier = read_classifier(problem)
        if isinstance(classifier, str):
            return Outcome("unknown", reason=classifier)
        divisor = reduction_unit(problem.instance, problem.samples)
        limit = integer_budget(problem.threshold, divisor)
        if limit < 0:
            return Outcome("unsat", reason="losses are never negative")
        search = HittingSearch(classifier, problem.instance.loss.reduction == "max", budget)
        for step in search.steps():
            if step.total <= limit:
                return Outcome("sat", step.theta, statistics=search.statistics)
            if step.lower > limit:
                reason = "every hitting set of the bad sets found is heavier"
                return Outcome("unsat", reason=reason, statistics=search.statistics)
        return Outcome("unknown", reason="time limit", statistics=search.statistics)

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        classifier = read_classifier(problem)
        if isinstance(classifier, str):
            return Outcome("unknown", reason=classifier)
        divisor = reduction_unit(problem.instance, problem.samples)
        search = HittingSearch(classifier, problem.instance.loss.reduction == "max", budget)
        best: _Step | None = None
        for step in search.steps():
            if best is None or step.total < best.total:
                report(Incumbent(step.theta, mpq(step.total, divisor)))
            if best is None or step.lower > best.lower:
                report(LowerBound(mpq(step.lower, divisor)))
            best = step
            if step.lower >= step.total:
                loss = mpq(step.total, divisor)
                return Outcome("optimal", step.theta, loss, statistics=search.statistics)
        if best is None:
            return Outcome("unknown", reason="time limit")
        lower = mpq(best.lower, divisor)
        return Outcome("feasible", best.theta, lower, "time limit", search.statistics)


class HittingSearch:
    """The search on one classifier.

    Args:
        classifier: samples and forms.
        is_max: the loss is the largest weight of an error, not the sum.
        budget: of which the deadline counts.
    """

    def __init__(self, classifier: Classifier, is_max: bool, budget: Budget) -> None:
        self.classifier, self.is_max, self.budget = classifier, is_max, budget
        self.owner = [i for i, forms in enumerate(classifier.forms) for _ in forms]
        self.system = System([form for forms in classifier.forms for form in forms])
        self.weights = [sample.weight for sample in classifier.samples]
        self.bad: set[BadSet] = set()
        self.theta: Theta = (mpq(0),) * classifier.parameters
        self.total = self._total(self.theta)
        self.lower = 0

    @property
    def statistics(self) -> dict[str, int]:
        return {
            "bad sets": len(self.bad),
            "linear programs": self.system.programs,
            "exact systems": self.system.exact,
        }

    def steps(self) -> Iterator[_Step]:
        """Ever better ends; the last one is proved unless the time is up."""
        try:
            yield self._step()
            yield from self._levels() if self.is_max else self._rounds()
        except Expired:
            yield self._step()

    def _step(self) -> _Step:
        return _Step(self.theta, self.total, self.lower)

    def _total(self, theta: Theta) -> int:
        wrong = (w for i, w in enumerate(self.weights) if not self.classifier.is_right(i, theta))
        return total_weight(wrong, self.is_max)

    def _solve(self, good: Sequence[bool]) -> Theta | BadSet:
        """θ that is right at all good samples, or a bad set among them."""
        self.budget.check()
        answer = self.system.solve([k for k, i in enumerate(self.owner) if good[i]])
        if isinstance(answer, Core):
            return BadSet(tuple(sorted({self.owner[k] for k in answer.forms})))
        theta = self.classifier.scaled(answer)
        total = self._total(theta)
        if total < self.total:
            self.theta, self.total = theta, total
        return theta

    # -- the largest weight of an error: heavier samples must all be right

    def _levels(self) -> Iterator[_Step]:
        levels = WeightLevels.of(self.weights)
        while self.lower < self.total:
            level = levels.middle(self.lower, self.total)
            found = self._solve([w > level for w in self.weights])
            if isinstance(found, BadSet):
                self.lower = levels.above(level)
            elif self.total > level:
                raise InternalError(DISAGREEMENT)
            yield self._step()

    # -- the sum of the weights of errors

    def _rounds(self) -> Iterator[_Step]:
        from pysat.examples.rc2 import RC2
        from pysat.formula import WCNF

        formula = WCNF()
        for i, weight in enumerate(self.weights):
            formula.append([-(i + 1)], weight=weight)
        known: set[BadSet] = set()
        with RC2(formula) as hitter:
            while self.lower < self.total:
                self._collect(set())
                for _ in range(GREEDY_ROUNDS):
                    if not self._collect(self._greedy()):
                        break
                    yield self._step()
                self.lower = max(self.lower, self._packed())
                yield self._step()
                for bad in sorted(self.bad - known, key=lambda bad: bad.samples):
                    hitter.add_clause([i + 1 for i in bad.samples])
                known |= self.bad
                least = self._least(hitter)
                cost = sum(self.weights[i] for i in least)
                if cost != hitter.cost or any(least.isdisjoint(bad.samples) for bad in known):
                    raise InternalError("the hitting set is not what it should be")
                self.lower = max(self.lower, cost)
                yield self._step()
                if self.lower < self.total and not self._collect(least):
                    if self.total > cost:
                        raise InternalError(DISAGREEMENT)
                yield self._step()

    def _least(self, hitter: Any) -> set[int]:
        """A hitting set of least weight of the bad sets known."""
        self.budget.check()
        remaining = self.budget.remaining
        timer = None if remaining is None else Timer(remaining, hitter.interrupt)
        if timer is not None:
            timer.daemon = True
            timer.start()
        try:
            model = hitter.compute(expect_interrupt=timer is not None)
        finally:
            if timer is not None:
                timer.cancel()
        if model is None:
            self.budget.check()
            raise Expired
        return {v - 1 for v in model if 0 < v <= len(self.weights)}

    def _packed(self) -> int:
        """A lower bound: shares y of the bad sets with Σ y over those with i ≤ w_i, for all i.

        A float program proposes the shares of this linear relaxation; rounded down to fractions
        of ``SHARES`` and cut where they are too much, they are right whatever it proposes.
        """
        sets = sorted(self.bad, key=lambda bad: bad.samples)
        if not sets:
            return 0
        self.budget.check()
        sizes = [len(bad.samples) for bad in sets]
        entries = Columns(
            starts=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32),
            rows=np.concatenate([bad.samples for bad in sets]).astype(np.int32),
            values=np.ones(sum(sizes)),
        )
        # A weight past the range of floats only makes the proposal worse.
        limits = np.array([float(min(w, LARGEST)) for w in self.weights])
        proposal = FloatProgram(
            goal=-np.ones(len(sets)),
            matrix=entries,
            lower=np.full(len(limits), -np.inf),
            upper=limits,
            low=np.zeros(len(sets)),
            high=np.full(len(sets), np.inf),
        ).solve()
        if proposal is None:
            return 0
        left = [w * SHARES for w in self.weights]
        total = 0
        for bad, proposed in zip(sets, proposal.point.tolist(), strict=True):
            share = min(max(0, round(proposed * SHARES)), *(left[i] for i in bad.samples))
            for i in bad.samples:
                left[i] -= share
            total += share
        # Totals are integers.
        return -(-total // SHARES)

    def _greedy(self) -> set[int]:
        """A hitting set of the bad sets, by weight for sets hit."""
        left = list(self.bad)
        chosen: set[int] = set()
        while left:
            counts: dict[int, int] = {}
            for bad in left:
                for i in bad.samples:
                    counts[i] = counts.get(i, 0) + 1
            best = max(counts, key=lambda i: (counts[i] / self.weights[i], -i))
            chosen.add(best)
            left = [bad for bad in left if best not in bad.samples]
        return chosen

    def _collect(self, given_up: set[int]) -> int:
        """Disjoint bad sets outside a set, until the rest can be right; how many were new."""
        good = [i not in given_up for i in range(len(self.weights))]
        fresh = 0
        while True:
            found = self._solve(good)
            if not isinstance(found, BadSet):
                return fresh
            fresh += found not in self.bad
            self.bad.add(found)
            for i in found.samples:
                good[i] = False
