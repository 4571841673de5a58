"""Limits by the clock that are meant as time of the processor.

Solvers are stopped by the clock. A process that rests between its turns, or waits on a crowded
machine, finds the time of a trial used up without having worked for it, and what was not found
within it counts as not to be found. Where hardly any of it was worked there is a second trial.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from ermbit.processes.load import Load

T = TypeVar("T")


def patiently(
    trial: Callable[[float], T],
    seconds: float,
    deadline: float | None,
    load: Load,
    is_open: Callable[[T], bool],
) -> T:
    """What a trial of limited time ends with, or the second one, where there is a second.

    Args:
        trial: is given its end, by :func:`time.monotonic`.
        seconds: of the processor that it should have.
        deadline: by :func:`time.monotonic`; no trial is given more, and none begins after it.
        load: how slowly the clock gives them.
        is_open: whether a result leaves something to be tried again.
    """
    limit = seconds * load.factor()
    begin, worked = time.monotonic(), time.process_time()
    found = trial(_end(begin + limit, deadline))
    end, worked = time.monotonic(), time.process_time() - worked
    late = deadline is not None and end >= deadline
    if end - begin < limit or 2 * worked >= seconds or late or not is_open(found):
        return found
    load.forget()  # a rest is no load
    return trial(_end(end + limit, deadline))


def _end(end: float, deadline: float | None) -> float:
    return end if deadline is None else min(end, deadline)


def patient_check(solver: Any, milliseconds: int, deadline: float | None = None) -> str:
    """What a z3 solver says: ``sat``, ``unsat`` or ``unknown``.

    Args:
        solver: with its constraints; its timeout is set here.
        milliseconds: for the check. Where the process got less than half of it there is a second
            check with what is left.
        deadline: of :func:`time.monotonic`, after which there is no second check.
    """
    begin = time.process_time()
    solver.set("timeout", milliseconds)
    answer = str(solver.check())
    used = int(1000 * (time.process_time() - begin))
    late = deadline is not None and time.monotonic() >= deadline
    if answer != "unknown" or 2 * used >= milliseconds or late:
        return answer
    solver.set("timeout", milliseconds - used)
    return str(solver.check())
