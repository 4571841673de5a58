"""One run of one engine in a process of its own: the function that the portfolio races."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from ermbit.engines.engine import Budget, Engine, Outcome, Task
from ermbit.processes.target import MEMORY, Report, one_line, reason_of
from ermbit_encodings.problem import Problem
from ermbit_instances.errors import ErmbitError, InternalError


@dataclass(frozen=True, slots=True)
class EngineRun:
    """What is to be run; engines have no state, so one travels as the name of its class."""

    engine: Engine
    problem: Problem
    task: Task
    seed: int


@dataclass(frozen=True, slots=True)
class Fault:
    """An engine that failed by a mistake of its own.

    Attributes:
        message: one line.
        trace: the traceback, for the reproduction file.
        contradiction: it noticed that a model of its own was wrong, so nothing here can be
            trusted; otherwise other engines may still answer.
    """

    message: str
    trace: str
    contradiction: bool


def run_engine(run: EngineRun, report: Report) -> Outcome | Fault:
    """Run the engine; running out of memory is left to the race, which knows the limits."""
    budget = Budget(report.deadline, run.seed, report.memory)
    work = run.engine.decide if run.task == "decide" else run.engine.minimize
    try:
        return work(run.problem, budget, report)
    except (AssertionError, InternalError) as error:
        return Fault(one_line(reason_of(error)), traceback.format_exc(), True)
    except ErmbitError as error:
        return Outcome("unknown", reason=one_line(str(error)))
    except Exception as error:
        reason = reason_of(error)
        if reason == MEMORY:
            raise
        return Fault(reason, traceback.format_exc(), False)
