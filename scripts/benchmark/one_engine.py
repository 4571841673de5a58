"""One engine alone on small random problems, in this process: seconds, answer, incumbents."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from benchmark.case import Document
from ermbit.bench.case import Task
from ermbit.engines.engine import Budget, Event, Incumbent
from ermbit.engines.registry import engine
from ermbit_encodings.problem import Problem
from ermbit_instances.instance import parse_instance


class Named(Protocol):
    """A case."""

    @property
    def name(self) -> str:
        """Unique among the cases."""


C = TypeVar("C", bound=Named)


def measured(name: str, solver: str, task: Task, document: Document, timeout: float) -> str:
    """One line: seconds, outcome, when the best incumbent came, statistics."""
    problem = Problem(parse_instance(document))
    chosen = engine(solver)
    run = chosen.decide if task == "solve" else chosen.minimize
    incumbents: list[float] = []
    start, used = time.perf_counter(), time.process_time()

    def report(event: Event) -> None:
        if isinstance(event, Incumbent):
            incumbents.append(time.perf_counter() - start)

    outcome = run(problem, Budget(time.monotonic() + timeout), report)
    seconds, used = time.perf_counter() - start, time.process_time() - used
    estimate = 10 ** chosen.capability(problem, "decide" if task == "solve" else task).cost
    best = f" best after {incumbents[-1]:.3f} s" if incumbents else ""
    lower = "" if outcome.lower_bound is None else f" {float(outcome.lower_bound):.5g}"
    words = f"{seconds:8.3f} s ({used:.3f} s of processor, estimate {estimate:.2g} s)"
    return f"{name:36} {words} {outcome.status}{lower}{best} {outcome.statistics}"


def run_cases(
    description: str, cases: Sequence[C], warm_up: C, line: Callable[[C, float], str]
) -> None:
    """Print the line of every case whose name contains the text that the command line gives.

    Args:
        description: of the script.
        cases: in their order.
        warm_up: a small one, run first, so that nothing is imported while time is taken.
        line: of a case and a timeout.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--case", default="")
    parser.add_argument("--timeout", type=float, default=60.0)
    arguments = parser.parse_args()
    line(warm_up, 60.0)
    for case in cases:
        if arguments.case in case.name:
            print(line(case, arguments.timeout), flush=True)
