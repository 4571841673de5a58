"""z3's limit of time is one of the clock; here it is one of the processor's.

A process that rests between its turns, or waits on a crowded machine, finds the time of a check
used up without having worked for it, and what z3 did not find within it counts as not to be found.
"""

from __future__ import annotations

import time
from typing import Any


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
