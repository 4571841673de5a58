"""The ``sat`` engine: the integer form as clauses, decided by CaDiCaL.

Complete for all finite grid domains, within the limit of size. Minimising keeps one incremental
solver: each threshold is one literal that is assumed; one that holds for the incumbent becomes a
clause, one that is refuted too, so that everything learnt stays valid to the end.

CaDiCaL (Biere, Faller, Fazekas, Fleury, Froleyks, Pollitt, CAV 2024) cannot be interrupted from
another thread. Where there is a deadline, it runs in slices of conflicts that are measured against
the clock; a slice that overruns is ended by whoever holds the process.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from math import inf, log10
from typing import Any

from ermbit.engines.choice_bits import choice_cost
from ermbit.engines.engine import Budget, Capability, Engine, Outcome, Report, Task
from ermbit.engines.threshold_search import minimize_by_thresholds
from ermbit_encodings.circuit import FALSE
from ermbit_encodings.cnf_encoding import CnfEncoding, encode_cnf, grid_problem
from ermbit_encodings.cnf_size import estimate_clauses
from ermbit_encodings.errors import EncodingLimitError
from ermbit_encodings.integer_form import IntegerForm
from ermbit_encodings.problem import Problem
from ermbit_instances.domain import IntegerDomain
from ermbit_instances.errors import InternalError
from ermbit_instances.rational import floor

CLAUSE_LIMIT = 10_000_000
"""Formulas with more clauses are not built: they would take some gigabytes."""

SOLVER = "cadical195"
_FIRST_SLICE = 1000  # conflicts
_SLICE_SECONDS = 0.5
_RANDOM_STARTS = 64
_START_WORK = 2_000_000  # edges times samples over all random starts


class SatEngine(Engine):
    """CNF and CaDiCaL."""

    name = "sat"
    summary = "propositional encoding of the integer form (CaDiCaL)"

    def capability(self, problem: Problem, task: Task) -> Capability:
        clauses = estimate_clauses(problem)
        if clauses == inf:
            return Capability(False, False, "a parameter has no finite grid of values")
        if clauses > CLAUSE_LIMIT:
            return Capability(
                False, False, f"about {clauses:.0e} clauses, past the limit of {CLAUSE_LIMIT:.0e}"
            )
        cost = log10(max(clauses, 10.0)) - 5.0 + choice_cost(problem, task)
        return Capability(True, True, f"finite domains, about {clauses:.0f} clauses", cost)

    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        finite = grid_problem(problem)
        form = None if finite is None else finite.integer
        if form is None:
            return Outcome("unknown", reason="a parameter has no finite grid of values")
        bound = form.budget(problem.threshold)
        if bound < 0:
            return Outcome("unsat", reason="losses are never negative")
        try:
            encoding = _encode(problem, bound, budget)
        except (_Expired, EncodingLimitError) as error:
            return Outcome("unknown", reason=str(error))
        with _Solver(encoding, budget) as solver:
            status, found = solver.solve(())
            if found is not None:
                _check(form, found, bound)
            statistics = solver.statistics()
        if found is not None:
            return Outcome("sat", form.values(found), statistics=statistics)
        if status == "unsat":
            return Outcome("unsat", reason="the formula has no model", statistics=statistics)
        return Outcome("unknown", reason="stopped at the deadline", statistics=statistics)

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        finite = grid_problem(problem)
        form = None if finite is None else finite.integer
        if form is None:
            return Outcome("unknown", reason="a parameter has no finite grid of values")
        descent = _Descent(problem, form, budget)
        try:
            outcome = minimize_by_thresholds(form, descent.decide, budget, report)
        finally:
            descent.close()
        statistics = {**outcome.statistics, **descent.statistics}
        return Outcome(
            outcome.status,
            outcome.values,
            outcome.lower_bound,
            descent.reason or outcome.reason,
            statistics,
        )


class _Expired(Exception):
    """The deadline passed while clauses were being built."""


def _encode(problem: Problem, bound: int, budget: Budget) -> CnfEncoding:
    def interrupt() -> None:
        if budget.expired:
            raise _Expired("stopped at the deadline, while the formula was being built")

    return encode_cnf(problem, budget=bound, clause_limit=CLAUSE_LIMIT, interrupt=interrupt)


def _check(form: IntegerForm, parameters: tuple[int, ...], bound: int) -> int:
    """The total of a model, computed without the formula."""
    total = form.total(parameters)
    if total > bound:
        raise InternalError(
            f"a model of the formula for a total of at most {bound} has a total of {total}"
        )
    domains = form.instance.network.parameters
    for value, parameter in zip(form.values(parameters), domains, strict=True):
        if value not in parameter.domain:
            raise InternalError(f"a model gives {parameter.name} the value {value}")
    return total


class _Solver:
    """CaDiCaL on an encoding that may still grow."""

    def __init__(self, encoding: CnfEncoding, budget: Budget) -> None:
        from pysat.solvers import Solver

        self.encoding = encoding
        self.budget = budget
        self.solver: Any = Solver(name=SOLVER)
        self.fed = 0
        self.slice = _FIRST_SLICE

    def __enter__(self) -> _Solver:
        return self

    def __exit__(self, *_: object) -> None:
        self.solver.delete()

    def add(self, clause: Sequence[int]) -> None:
        self.solver.add_clause(list(clause))

    def solve(self, assumptions: Sequence[int]) -> tuple[str, tuple[int, ...] | None]:
        """("sat", integer parameters), ("unsat", None) or, past the deadline, ("unknown", None)."""
        clauses = self.encoding.cnf.clauses
        self.solver.append_formula(clauses[self.fed :])
        self.fed = len(clauses)
        status = self._run(list(assumptions))
        if status is None:
            return "unknown", None
        if not status:
            return "unsat", None
        return "sat", self.encoding.decode(self.solver.get_model())

    def _run(self, assumptions: list[int]) -> bool | None:
        if self.budget.deadline is None:
            return bool(self.solver.solve(assumptions=assumptions))
        while not self.budget.expired:
            self.solver.conf_budget(self.slice)
            begin = time.monotonic()
            status: bool | None = self.solver.solve_limited(assumptions=assumptions)
            if status is not None:
                return status
            # Slices of steady length: each one ends all that CaDiCaL has scheduled.
            if time.monotonic() - begin < _SLICE_SECONDS:
                self.slice *= 2
            elif time.monotonic() - begin > 2 * _SLICE_SECONDS:
                self.slice = max(_FIRST_SLICE, self.slice // 2)
        return None

    def statistics(self) -> dict[str, Any]:
        counted = self.solver.accum_stats() or {}
        return {
            "variables": self.encoding.cnf.variables,
            "clauses": len(self.encoding.cnf.clauses),
            "conflicts": counted.get("conflicts", 0),
            "propagations": counted.get("propagations", 0),
        }


class _Descent:
    """Decides totals one after another on one formula, built for the first of them."""

    def __init__(self, problem: Problem, form: IntegerForm, budget: Budget) -> None:
        self.problem = problem
        self.form = form
        self.budget = budget
        self.solver: _Solver | None = None
        self.upper = 0
        self.reason = ""
        self.statistics: dict[str, Any] = {}

    def decide(self, bound: int | None) -> tuple[str, tuple[int, ...] | None]:
        """One decision; ``None`` asks for any θ at all."""
        if bound is None:
            start = first_parameters(self.form, self.budget.seed)
            self.upper = self.form.total(start)
            return "sat", start
        try:
            if self.solver is None:
                encoding = _encode(self.problem, self.upper - 1, self.budget)
                self.solver = _Solver(encoding, self.budget)
            literal = self.solver.encoding.threshold(bound)
        except (_Expired, EncodingLimitError) as error:
            self.reason = str(error)
            return "unknown", None
        if literal == FALSE:
            return "unsat", None
        status, found = self.solver.solve((literal,))
        if found is not None:
            self.upper = _check(self.form, found, bound)
            self.solver.add((literal,))
        elif status == "unsat":
            self.solver.add((-literal,))
        return status, found

    def close(self) -> None:
        if self.solver is not None:
            self.statistics = self.solver.statistics()
            self.solver.solver.delete()
            self.solver = None


def first_parameters(form: IntegerForm, seed: int) -> tuple[int, ...]:
    """Integer parameters to start a descent from: the best of some random ones.

    The first candidate has every parameter as near to zero as its domain allows.
    """
    rng = random.Random(seed)
    domains = [parameter.domain for parameter in form.instance.network.parameters]
    zero = type(form.loss(0))(0)

    def draw(near: bool) -> tuple[int, ...]:
        chosen = []
        for domain, grid in zip(domains, form.grids, strict=True):
            low, high = domain.low, domain.high
            assert low is not None and high is not None
            if isinstance(domain, IntegerDomain) and not near:
                chosen.append(rng.randint(domain.minimum, domain.maximum))
                continue
            point = zero if near else low + (high - low) * rng.randrange(1 << 16) / (1 << 16)
            value = domain.below(max(point, low))
            assert value is not None
            chosen.append(floor(value * grid))
        return tuple(chosen)

    work = form.instance.network.edge_count * max(1, len(form.inputs))
    starts = max(1, min(_RANDOM_STARTS, _START_WORK // max(1, work)))
    return min((draw(near=k == 0) for k in range(starts)), key=form.total)
