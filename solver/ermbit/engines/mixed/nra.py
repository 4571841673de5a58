"""The ``nra`` engine: nonlinear real arithmetic in z3, for what no rule makes linear.

Real deep networks, several outputs over the reals, polynomial activations. z3's decision procedure
is complete for polynomial constraints over the reals, so given time it ends with an answer; models
may be algebraic and are then verified as such, after an attempt to find rational ones nearby.
"""

from __future__ import annotations

from typing import ClassVar

from ermbit.engines.choice_bits import choice_cost, piece_cost
from ermbit.engines.engine import Budget, Capability, Engine, Outcome, Report, Task
from ermbit.engines.mixed.attempts import decide_in_turns
from ermbit.engines.mixed.descent import Descent
from ermbit.engines.mixed.refinement import refine
from ermbit.engines.mixed.rounding import rational_certificate
from ermbit.engines.mixed.search import MixedSolver, search
from ermbit.engines.mixed.verdict import Verdict
from ermbit.engines.mixed.z3_backend import Z3Program
from ermbit_encodings.mixed import NotLinearError, encode_mixed
from ermbit_encodings.mixed.parameters import LISTED_LIMIT
from ermbit_encodings.mixed.program import MixedProgram, degree
from ermbit_encodings.probe import linearity_obstacle
from ermbit_encodings.problem import Problem
from ermbit_encodings.relaxation import real_relaxation

SIZE_LIMIT = 100_000
"""Largest number of edges times samples that is encoded."""

BEHIND = 0.3
"""By how much the cost exceeds that of going through the pieces of a real network."""


class NraEngine(Engine):
    """z3 on the polynomial encoding."""

    name = "nra"
    summary = "nonlinear real arithmetic (z3)"
    alone: ClassVar[bool] = True
    """Whether training and z3's plain script have turns too."""

    def capability(self, problem: Problem, task: Task) -> Capability:
        relaxed = real_relaxation(problem, LISTED_LIMIT)
        size = problem.instance.network.edge_count * len(problem.samples.rows)
        if size > SIZE_LIMIT:
            return Capability(False, False, f"{size} edges times samples are too many")
        obstacle = linearity_obstacle(relaxed, products=True)
        if obstacle is not None:
            return Capability(False, False, obstacle)
        # Where the linear encoding exists its engine is the better one, and comes first.
        cost = 0.3 + size**0.5 / 10 + choice_cost(problem, task)
        cost = max(cost, piece_cost(problem, task) + BEHIND)
        if relaxed is not problem and task == "decide":
            return Capability(True, True, "real relaxation, refined to the finite domains", cost)
        if task == "minimize" and problem.integer is None:
            return Capability(True, False, "encloses the minimum over the reals", cost)
        return Capability(True, True, "polynomial constraints over the reals", cost)

    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        threshold = problem.threshold
        if threshold < 0:
            return Outcome("unsat", reason="losses are never negative")
        relaxed = real_relaxation(problem, LISTED_LIMIT)
        try:
            verdict = self._decided(problem, relaxed, budget)
        except NotLinearError as error:
            return Outcome("unknown", reason=str(error))
        found = verdict.found
        if verdict.status == "sat" and found is not None:
            values = rational_certificate(problem, found.values)
            return Outcome("sat", values or found.values)
        if verdict.status == "unsat":
            kind = "solution" if relaxed is problem else "solution in the domains"
            return Outcome("unsat", reason=f"the polynomial constraints have no {kind}")
        return Outcome("unknown", reason=verdict.reason)

    def _decided(self, problem: Problem, relaxed: Problem, budget: Budget) -> Verdict:
        """Decide; a linear program needs no turns.

        Raises:
            NotLinearError: an encoding that the solver cannot be given.
        """
        if relaxed is not problem:
            return refine(problem, LISTED_LIMIT, budget, self.solver)
        threshold = problem.threshold
        encoding = encode_mixed(problem, products=True, exact_fit=threshold == 0)
        if not encoding.program.is_linear:
            return decide_in_turns(
                problem, budget, self.solver, scripts=self.alone, training=self.alone
            )
        encoding.objective.bound(encoding.program, encoding.budget(threshold))
        solver = self.solver(encoding.program, budget)
        return Verdict(*search(solver, encoding, problem, threshold, strict=False))

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        relaxed = real_relaxation(problem, LISTED_LIMIT)
        try:
            encoding = encode_mixed(relaxed, products=True, homogenise=relaxed is problem)
        except NotLinearError as error:
            return Outcome("unknown", reason=str(error))
        if encoding.program.is_linear:
            # Only the objective may have products: as rows they pick the right solver.
            terms = encoding.objective.terms
            name = encoding.program.name
            terms[:] = [term if degree(term) <= 1 else name(term) for term in terms]
        solver = self.solver(encoding.program, budget)
        return Descent(problem, encoding, solver, budget, report).run()

    def solver(self, program: MixedProgram, budget: Budget) -> MixedSolver:
        """The solver that decides the program."""
        return Z3Program(program, budget, linear=program.is_linear)
