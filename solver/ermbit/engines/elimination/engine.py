"""The ``elimination`` engine: exact fits as systems of polynomial equations, cell by cell.

Where the loss has to be 0, every choice of pieces of the activations makes the targets polynomial
equations in the parameters, with sign conditions. They are solved by splitting into factors, by
substitution and by elimination; over rational domains a polynomial without rational roots, or
residues, refute what has real solutions.
"""

from __future__ import annotations

from typing import ClassVar

from gmpy2 import mpq

from ermbit.engines.elimination.search import Search, choices, degree
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
from ermbit_encodings.problem import Problem

PARAMETERS = 24
"""Free parameters past which nothing is tried."""

CHOICES = 60
"""Pieces to be chosen, neurons times samples, past which nothing is tried."""

EDGES = 3000
"""Edges times samples past which nothing is tried."""

SAMPLES = 300
"""Samples past which nothing is tried: every one is a level of the search."""

COMPLETE_DEGREE = 128
"""Degree of the outputs up to which one parameter is decided: that of an algebraic number."""


class EliminationEngine(Engine):
    """Polynomial systems of exact fits."""

    name: ClassVar[str] = "elimination"
    summary: ClassVar[str] = "exact fits: polynomial systems, rational roots, residues"

    def capability(self, problem: Problem, task: Task) -> Capability:
        obstacle = self._obstacle(problem, task)
        if obstacle is not None:
            return Capability(False, False, obstacle)
        network = problem.instance.network
        pieces = choices(problem)
        # Measured on random networks: the median; some take two seconds more over the reals.
        cost = -0.9 + 0.06 * pieces + 0.02 * network.parameter_count
        alone = network.parameter_count == 1 and degree(network) <= COMPLETE_DEGREE
        if alone and task == "decide":
            return Capability(True, True, "equations and signs in one parameter", cost)
        return Capability(True, False, "solves and refutes equations where it can", cost)

    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        if problem.threshold < 0:
            return Outcome("unsat", reason="losses are never negative")
        obstacle = self._obstacle(problem, "decide")
        if obstacle is not None:
            return Outcome("unknown", reason=obstacle)
        return Search(problem, budget).run()

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        obstacle = self._obstacle(problem, "minimize")
        if obstacle is not None:
            return Outcome("unknown", reason=obstacle)
        outcome = Search(problem, budget).run()
        if outcome.status == "sat" and outcome.values is not None:
            report(Incumbent(outcome.values, mpq(0)))
            report(LowerBound(mpq(0)))
            return Outcome("optimal", outcome.values, mpq(0), statistics=outcome.statistics)
        reason = outcome.reason
        if outcome.status == "unsat":
            reason = f"no loss of 0, and no bound above it: {reason}"
        return Outcome("unknown", reason=reason, statistics=outcome.statistics)

    @staticmethod
    def _obstacle(problem: Problem, task: Task) -> str | None:
        """Why nothing is tried, or ``None``."""
        instance = problem.instance
        if instance.loss.name not in ("absolute", "squared"):
            return "only for absolute and squared losses"
        if task == "decide" and problem.threshold > 0:
            return "only for a threshold of 0"
        network = instance.network
        if network.parameter_count > PARAMETERS:
            return f"more than {PARAMETERS} free parameters"
        if network.edge_count * len(problem.samples.rows) > EDGES:
            return "the network is too large"
        if len(problem.samples.rows) > SAMPLES:
            return f"more than {SAMPLES} samples"
        if choices(problem) > CHOICES:
            return f"more than {CHOICES} pieces to be chosen"
        return None
