"""SMT: z3 and cvc5 on one encoding.

Minimising: z3's optimiser for a loss over the reals; else the integer budget is bisected, with the
budgets as assumptions of one incremental solver.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from fractions import Fraction
from math import gcd
from typing import Any

from peers.answer import Answer, NotSupported
from peers.evaluation import total_at
from peers.question import Number, Question
from peers.smt_encoding import Builder


def run(
    question: Question,
    task: str,
    timeout: float,
    threads: int,
    backend: str = "z3",
    theory: str = "",
) -> Answer:
    """Decide or minimise within ``timeout`` seconds, on one thread."""
    deadline = time.monotonic() + timeout
    theory = theory or ("integer" if question.integral else "real")
    if theory != "real" and not question.integral:
        raise NotSupported(f"real weights in the theory {theory}")
    budget = question.budget() if task == "solve" else None
    if budget is not None and budget < 0:
        return Answer("unsat", encoding=theory)
    builder = Builder(question, backend, theory, budget)
    total = builder.total()
    encoding = f"{theory}, nonlinear" if builder.t.nonlinear else theory
    if task == "minimize" and any(p.relaxed is not None for p in question.parameters):
        raise NotSupported("minimising over a domain of too many values")
    counted = question.integral or question.loss == "zero_one"
    if task == "minimize" and not counted:
        return _optimise(builder, total, backend, deadline, encoding)
    solver = _solver(builder, backend, task)
    for assertion in builder.t.assertions:
        solver.add(assertion)
    term = builder.t.term(total)
    if budget is not None:
        solver.add(term <= builder.t.constant(_most(builder, budget)))
        status = _check(solver, backend, deadline)
        if status != "sat":
            return Answer(status, encoding=encoding)
        values = builder.network.values(solver.model())
        if not all(p.admits(v) for p, v in zip(question.parameters, values, strict=True)):
            reason = "a solution over the reals that is not in the domains"
            return Answer("unknown", reason=reason, encoding=encoding)
        return Answer("sat", parameters=question.certificate(values), encoding=encoding)
    return _bisected(builder, solver, term, backend, deadline, encoding)


def _bisected(
    builder: Builder, solver: Any, total: Any, backend: str, deadline: float, encoding: str
) -> Answer:
    """The least total where all totals are multiples of a unit: the gap is halved."""
    question = builder.question
    unit: Number = 1 if question.integral else _grid(question)
    best: Answer | None = None
    low, high = 0, -1  # in units: no total is below low; high is reached once there is a model
    while best is None or low < high:
        assumptions = []
        if best is not None:
            middle = (low + high - 1) // 2
            within = builder.t.s.Bool(f"total at most {middle}")
            bound = builder.t.constant(_most(builder, middle * unit))
            solver.add(builder.t.s.Implies(within, total <= bound))
            assumptions = [within]
        status = _check(solver, backend, deadline, assumptions)
        if status == "sat":
            values = builder.network.values(solver.model())
            numbers = [v for v in values if not isinstance(v, str)]
            if len(numbers) < len(values):
                raise NotSupported("minimising with algebraic weights")
            count = total_at(question, numbers)  # the model's total may be larger
            high = int(count / unit) if unit != 1 else int(count)
            parameters = question.certificate(values)
            best = Answer("feasible", question.loss_of(count), None, parameters)
        elif status == "unsat" and best is not None:
            low = middle + 1
        else:
            break
    if best is None:
        return Answer("unknown", reason="no answer in time", encoding=encoding)
    done = low >= high
    bound_reached = question.loss_of(low * unit)
    word = "optimal" if done else "feasible"
    return Answer(word, best.loss, bound_reached, best.parameters, encoding=encoding)


def _most(builder: Builder, budget: Number) -> Number:
    """The largest constant that the theory can write; a larger budget is no constraint."""
    return budget if builder.t.theory != "bits" else min(budget, 2 ** (builder.t.width - 1) - 1)


def _grid(question: Question) -> Fraction:
    """Totals of ``zero_one`` are multiples of this."""
    weights = [Fraction(s.weight) for s in question.samples]
    common = 1
    for w in weights:
        common = common * w.denominator // gcd(common, w.denominator)
    return Fraction(gcd(*(int(w * common) for w in weights)), common)


def _solver(builder: Builder, backend: str, task: str) -> Any:
    logic = {
        "bits": "QF_BV",
        "integer": "QF_NIA" if builder.t.nonlinear else "QF_LIA",
        "real": "QF_NRA" if builder.t.nonlinear else "QF_LRA",
    }[builder.t.theory]
    if backend == "z3":
        if logic == "QF_LRA" or (logic == "QF_LIA" and task == "minimize"):
            return builder.t.s.SimpleSolver()
        return builder.t.s.SolverFor(logic)
    solver = builder.t.s.SolverFor(logic)
    if task == "minimize":
        solver.setOption("incremental", "true")
    return solver


def _check(
    solver: Any, backend: str, deadline: float, assumptions: Sequence[Any] = ()
) -> str:
    """``sat``, ``unsat`` or ``unknown``."""
    left = deadline - time.monotonic()
    if left < 0.05:
        return "unknown"
    if backend == "z3":
        solver.set("timeout", max(1, int(left * 1000)))
    else:
        solver.setOption("tlimit-per", str(max(1, int(left * 1000))))
    return str(solver.check(*assumptions))


def _optimise(
    builder: Builder, total: Any, backend: str, deadline: float, encoding: str
) -> Answer:
    """The least loss over the reals by z3's optimiser; linear encodings only."""
    if backend != "z3":
        raise NotSupported("cvc5 has no optimiser")
    if builder.t.nonlinear:
        raise NotSupported("z3's optimiser is linear")
    optimiser = builder.t.s.Optimize()
    for assertion in builder.t.assertions:
        optimiser.add(assertion)
    handle = optimiser.minimize(builder.t.term(total))
    optimiser.set("timeout", max(1, int((deadline - time.monotonic()) * 1000)))
    status = str(optimiser.check())
    if status != "sat":
        return Answer("unknown", reason="no answer in time", encoding=encoding)
    _, finite, infinitesimal = optimiser.lower_values(handle)
    value = builder.question.loss_of(builder.t.number(finite))  # type: ignore[arg-type]
    if str(infinitesimal) != "0":
        return Answer("infimum", bound=value, encoding=encoding)
    parameters = builder.question.certificate(builder.network.values(optimiser.model()))
    return Answer("optimal", value, value, parameters, encoding=encoding)
