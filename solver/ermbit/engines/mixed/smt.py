"""The ``smt`` engine: mixed Boolean/linear rational arithmetic in z3.

Complete wherever the instance is linear (see :mod:`ermbit_encodings.mixed.encode`) with a finite
number of squared residual values, or no squares: finite domains, real one-hidden-layer networks
with one output, networks of steps. The solver decides over exact rationals throughout.
"""

from __future__ import annotations

from ermbit.engines.choice_bits import choice_cost, piece_cost
from ermbit.engines.engine import (
    Budget,
    Capability,
    Engine,
    Outcome,
    Report,
    Task,
)
from ermbit.engines.mixed.descent import Descent
from ermbit.engines.mixed.search import Candidate, search
from ermbit.engines.mixed.z3_backend import Z3Program
from ermbit_encodings.mixed import MixedEncoding, NotLinearError, encode_mixed
from ermbit_encodings.mixed.parameters import LISTED_LIMIT
from ermbit_encodings.probe import linearity_obstacle
from ermbit_encodings.problem import Problem
from ermbit_encodings.relaxation import real_relaxation

SIZE_LIMIT = 2_000_000
"""Largest number of edges times samples that is encoded."""


class SmtEngine(Engine):
    """z3 on the linear encoding."""

    name = "smt"
    summary = "mixed Boolean/linear rational arithmetic (z3)"

    def capability(self, problem: Problem, task: Task) -> Capability:
        relaxed = real_relaxation(problem, LISTED_LIMIT)
        size = problem.instance.network.edge_count * len(problem.samples.rows)
        if size > SIZE_LIMIT:
            return Capability(False, False, f"{size} edges times samples are too many")
        plain = relaxed is problem or _is_plain(relaxed)
        obstacle = linearity_obstacle(relaxed, products=False)
        if obstacle is not None:
            return Capability(False, False, f"not linear: {obstacle}")
        cost = -0.7 + size**0.5 / 20 + choice_cost(problem, task)
        cost = max(cost, piece_cost(problem, task))
        if not plain:
            return Capability(
                True, False, "real relaxation of large domains: unsat carries over", cost
            )
        if problem.instance.loss.name == "squared" and problem.integer is None:
            return Capability(
                True, False, "squares by tangents: ends unless the loss must be met exactly", cost
            )
        if task == "minimize" and relaxed is not problem and problem.assignments is None:
            return Capability(
                True, False, "encloses the minimum: large domains beside infinite ones", cost
            )
        return Capability(True, True, "linear in unknowns and Booleans", cost)

    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        threshold = problem.threshold
        if threshold < 0:
            return Outcome("unsat", reason="losses are never negative")
        relaxed = real_relaxation(problem, LISTED_LIMIT)
        try:
            plain = relaxed is not problem and _is_plain(relaxed)
            encoding = encode_mixed(relaxed, exact_fit=threshold == 0, homogenise=not plain)
        except NotLinearError as error:
            return Outcome("unknown", reason=f"not linear: {error}")
        encoding.objective.bound(encoding.program, encoding.budget(threshold))
        solver = Z3Program(encoding.program, budget, linear=True)
        status, found, reason = search(solver, encoding, problem, threshold, strict=False)
        return _decided(status, found, reason, encoding)

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        relaxed = real_relaxation(problem, LISTED_LIMIT)
        try:
            plain = relaxed is not problem and _is_plain(relaxed)
            encoding = encode_mixed(relaxed, homogenise=not plain)
        except NotLinearError as error:
            return Outcome("unknown", reason=f"not linear: {error}")
        solver = Z3Program(encoding.program, budget, linear=True)
        return Descent(problem, encoding, solver, budget, report).run()


def _is_plain(relaxed: Problem) -> bool:
    """A relaxation that is linear without homogenising: its solutions can be refined."""
    return linearity_obstacle(relaxed, products=False, homogenise=False) is None


def _decided(
    status: str, found: Candidate | None, reason: str, encoding: MixedEncoding
) -> Outcome:
    statistics = {
        "booleans": encoding.program.booleans,
        "reals": encoding.program.reals,
        "rows": len(encoding.program.rows),
    }
    if status == "sat" and found is not None:
        return Outcome("sat", found.values, statistics=statistics)
    if status == "unsat":
        return Outcome("unsat", reason="the constraints have no solution", statistics=statistics)
    return Outcome("unknown", reason=reason, statistics=statistics)
