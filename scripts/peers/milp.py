"""Mixed-integer linear programming: HiGHS on a big-M encoding."""

from __future__ import annotations

import time
from fractions import Fraction
from math import ceil
from typing import Any

from peers.answer import Answer
from peers.highs import solve
from peers.milp_encoding import Builder
from peers.milp_program import LARGEST
from peers.question import Question


def run(question: Question, task: str, timeout: float, threads: int) -> Answer:
    """Decide or minimise within ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    budget = question.budget() if task == "solve" else None
    if budget is not None and budget < 0:
        return Answer("unsat", encoding="big-M")
    builder = Builder(question)
    program, total = builder.build(None if budget is None else int(budget))
    objective = total if task == "minimize" else None
    found = solve(program, objective, deadline - time.monotonic(), threads)
    parameters: dict[str, Any] = {}
    if found.values is not None:
        columns = [next(iter(p)) for p in builder.parameters]
        parameters = question.certificate([round(found.values[c]) for c in columns])
    if task == "solve":
        word = {"infeasible": "unsat"}.get(found.status, "unknown")
        if found.values is not None:
            word = "sat"
        return Answer(word, parameters=parameters, encoding="big-M")
    if found.values is None or found.value is None:
        return Answer("unknown", reason="no answer in time", encoding="big-M")
    loss = question.loss_of(round(found.value))
    low = loss if found.status == "optimal" else _rounded_bound(question, found.bound)
    word = "optimal" if found.status == "optimal" else "feasible"
    return Answer(word, loss, low, parameters, encoding="big-M")


def _rounded_bound(question: Question, bound: float | None) -> Fraction | None:
    if bound is None or abs(bound) > LARGEST:
        return None
    return question.loss_of(max(0, ceil(bound - 1e-6)))
