"""The ``nra`` engine: nonlinear real arithmetic in z3, for what no rule makes linear.

Real deep networks, several outputs over the reals, polynomial activations. z3's decision procedure
is complete for polynomial constraints over the reals, so given time it ends with an answer; models
may be algebraic and are then verified as such, after an attempt to find rational ones nearby.
"""

from __future__ import annotations

from ermbit_encodings.mixed import NotLinearError, encode_mixed
from ermbit_encodings.mixed.parameters import LISTED_LIMIT
from ermbit_encodings.probe import linearity_obstacle
from ermbit_encodings.problem import Problem
from ermbit_encodings.relaxation import real_relaxation

from ermbit.engines.descent import Descent
from ermbit.engines.engine import Budget, Capability, Engine, Outcome, Report, Task
from ermbit.engines.mixed_search import search
from ermbit.engines.rounding import rational_nearby
from ermbit.engines.z3_backend import Z3Program

SIZE_LIMIT = 100_000
"""Largest number of edges times samples that is encoded."""


class NraEngine(Engine):
    """z3 on the polynomial encoding."""

    name = "nra"
    summary = "nonlinear real arithmetic (z3)"

    def capability(self, problem: Problem, task: Task) -> Capability:
        relaxed = real_relaxation(problem, LISTED_LIMIT)
        size = problem.instance.network.edge_count * len(problem.samples.rows)
        if size > SIZE_LIMIT:
            return Capability(False, False, f"{size} edges times samples are too many")
        obstacle = linearity_obstacle(relaxed, products=True)
        if obstacle is not None:
            return Capability(False, False, obstacle)
        cost = 3.0 + size**0.5 / 10
        if relaxed is not problem:
            return Capability(
                True, False, "real relaxation of large domains: unsat carries over", cost
            )
        if task == "minimize" and problem.integer is None:
            return Capability(True, False, "encloses the minimum over the reals", cost)
        return Capability(True, True, "polynomial constraints over the reals", cost)

    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        threshold = problem.threshold
        if threshold < 0:
            return Outcome("unsat", reason="losses are never negative")
        relaxed = real_relaxation(problem, LISTED_LIMIT)
        try:
            encoding = encode_mixed(relaxed, products=True, exact_fit=threshold == 0)
        except NotLinearError as error:
            return Outcome("unknown", reason=str(error))
        encoding.objective.bound(encoding.program, encoding.budget(threshold))
        solver = Z3Program(encoding.program, budget, linear=encoding.program.is_linear)
        status, found, reason = search(solver, encoding, problem, threshold, strict=False)
        if status == "sat" and found is not None:
            values = rational_nearby(problem.instance, found.values, threshold)
            return Outcome("sat", values or found.values)
        if status == "unsat":
            return Outcome("unsat", reason="the polynomial constraints have no real solution")
        return Outcome("unknown", reason=reason)

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        relaxed = real_relaxation(problem, LISTED_LIMIT)
        try:
            encoding = encode_mixed(relaxed, products=True)
        except NotLinearError as error:
            return Outcome("unknown", reason=str(error))
        linear = encoding.program.is_linear
        return Descent(problem, encoding, budget, report, linear=linear).run()
