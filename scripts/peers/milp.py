"""Mixed-integer linear programming: HiGHS on a big-M encoding.

A solution of HiGHS is right up to its tolerances. Its parameters are rounded and their loss is
computed exactly: what does not reach the claim is no answer.
"""

from __future__ import annotations

import time
from math import ceil
from typing import Any

from peers.answer import Answer
from peers.evaluation import total_at
from peers.highs import GAP, Solution, solve
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
    if found.values is None:
        if task == "solve" and found.status == "infeasible":
            return Answer("unsat", encoding="big-M")
        return Answer("unknown", reason="no answer in time", encoding="big-M")
    values = [round(found.values[next(iter(p))]) for p in builder.parameters]
    count = total_at(question, values)
    parameters: dict[str, Any] = question.certificate(values)
    if budget is not None:
        if count > budget:
            return Answer("unknown", reason="a solution within tolerances only", encoding="big-M")
        return Answer("sat", parameters=parameters, encoding="big-M")
    low = _bound(found)
    return Answer(
        "optimal" if count == low else "feasible",
        question.loss_of(count),
        None if low is None or low > count else question.loss_of(low),
        parameters,
        encoding="big-M",
    )


def _bound(found: Solution) -> int | None:
    """The least total that HiGHS leaves possible; totals are integers."""
    least = found.bound
    if found.status == "optimal" and found.value is not None:
        least = found.value - GAP
    if least is None or abs(least) > LARGEST:
        return None
    return max(0, ceil(least - 1e-6))
