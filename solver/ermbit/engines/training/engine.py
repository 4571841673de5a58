"""Numerical training, then exact rounding: certificates and good incumbents, never a refutation.

Two ways take turns. Least squares from many random starts at once end at loss 0 where the data
were made by a network; free scales bring such a solution onto the grid, weight by weight. Where the
domains can be listed, annealing moves single weights on the grid. Every θ that is reported has been
evaluated exactly.
"""

from __future__ import annotations

from math import log10
from typing import Any, ClassVar

from gmpy2 import mpq

from ermbit.engines.engine import (
    Budget,
    Capability,
    Engine,
    LowerBound,
    Outcome,
    Report,
    Task,
    ignore,
)
from ermbit.engines.training.run import Run, annealable, trainable
from ermbit_encodings.problem import Problem

WORK_LIMIT = 4_000_000
"""Edges times samples beyond which nothing is tried: an exact evaluation takes seconds."""

PARAMETER_LIMIT = 20_000
"""Free parameters beyond which nothing is tried."""


class TrainingEngine(Engine):
    """Least squares and annealing from random starts."""

    name: ClassVar[str] = "training"
    summary: ClassVar[str] = "trains in floating point, rounds, checks exactly (never refutes)"

    def capability(self, problem: Problem, task: Task) -> Capability:
        obstacle = self._obstacle(problem)
        if obstacle is not None:
            return Capability(False, False, obstacle)
        network = problem.instance.network
        work = network.edge_count * len(problem.samples.rows)
        reason = "finds certificates by training, refutes nothing"
        return Capability(True, False, reason, -0.7 + log10(1 + work / 500))

    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        obstacle = self._obstacle(problem)
        if obstacle is not None:
            return Outcome("unknown", reason=obstacle)
        if problem.threshold < 0:
            return Outcome("unknown", reason="losses are never negative")
        run = Run(problem, problem.threshold, budget, ignore, agnostic=problem.threshold > 0)
        run.go()
        best, statistics = run.best, _statistics(run)
        if best.loss is not None and best.loss <= problem.threshold:
            return Outcome("sat", best.values, statistics=statistics)
        return Outcome("unknown", reason="training found nothing", statistics=statistics)

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        obstacle = self._obstacle(problem)
        if obstacle is not None:
            return Outcome("unknown", reason=obstacle)
        run = Run(problem, mpq(0), budget, report, agnostic=True)
        run.go()
        best, statistics = run.best, _statistics(run)
        if best.loss is None:
            return Outcome("unknown", reason="training found nothing", statistics=statistics)
        if best.loss == 0:
            # No loss is negative.
            report(LowerBound(best.loss))
            return Outcome("optimal", best.values, best.loss, statistics=statistics)
        reason = "training proves no lower bound"
        return Outcome("feasible", best.values, reason=reason, statistics=statistics)

    @staticmethod
    def _obstacle(problem: Problem) -> str | None:
        """Why nothing is tried, or ``None``."""
        network = problem.instance.network
        if not network.parameter_count:
            return "no free parameter"
        if network.parameter_count > PARAMETER_LIMIT:
            return f"more than {PARAMETER_LIMIT} free parameters"
        if network.edge_count * len(problem.instance.data) > WORK_LIMIT:
            return "the network is too large"
        obstacle = trainable(problem)
        return None if obstacle is None or annealable(problem) is not None else obstacle


def _statistics(run: Run) -> dict[str, Any]:
    """Counts of both ways."""
    found: dict[str, Any] = {"checked": run.best.checked}
    for key, value in run.statistics.items():
        found[key] = value if isinstance(value, int) else vars(value).copy()
    return found
