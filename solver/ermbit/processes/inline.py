"""One job in this process: for tests, and for instances too small to be worth a process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ermbit.processes.job import (
    Decides,
    Job,
    Listener,
    RaceResult,
    any_result_decides,
    check_options,
    child_deadline,
)
from ermbit.processes.target import INTERRUPTED, TIMEOUT, Report, reason_of, resolve


class _Halt(BaseException):
    """Ends the job from within `report`; not an Exception, so that engines do not catch it."""


def run_inline(
    job: Job,
    *,
    timeout: float | None = None,
    decides: Decides = any_result_decides,
    on_event: Listener | None = None,
    on_result: Listener | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> RaceResult:
    """Run `job` here, with the outcome that a race of this one job would have.

    Nothing can stop the job from outside but Ctrl-C: `timeout` and `should_stop` are looked at
    whenever it reports, and memory is not limited. The payload is passed as it is, not copied.
    Raises ValueError for an option out of range, and what the callbacks raise.
    """
    check_options(timeout=timeout)
    start = time.monotonic()
    halted: list[str | BaseException] = []

    def send(event: Any) -> None:
        try:
            if timeout is not None and time.monotonic() - start >= timeout:
                halted.append(TIMEOUT)
            elif should_stop is not None and should_stop():
                halted.append(INTERRUPTED)
            elif on_event is not None:
                on_event(job.name, event)
        except BaseException as error:  # the caller's own, not a failure of the job
            halted.append(error)
        if halted:
            raise _Halt

    finished: dict[str, Any] = {}
    failures: dict[str, str] = {}
    winner = None
    try:
        if timeout is not None and timeout <= 0:
            halted.append(TIMEOUT)
            raise _Halt
        report = Report(send, child_deadline(start, timeout))
        finished[job.name] = resolve(job.target)(job.payload, report)
    except _Halt:
        pass
    except KeyboardInterrupt:
        halted.append(INTERRUPTED)
    except BaseException as error:
        failures[job.name] = reason_of(error)
    end = halted[0] if halted else None
    if isinstance(end, KeyboardInterrupt):
        end = INTERRUPTED
    if isinstance(end, BaseException):
        raise end
    if job.name in finished:
        try:
            if on_result is not None:
                on_result(job.name, finished[job.name])
            if decides(job.name, finished[job.name]):
                winner = job.name
        except KeyboardInterrupt:
            end = INTERRUPTED
    elif end is not None:
        failures[job.name] = end
    return RaceResult(
        winner=winner,
        result=None if winner is None else finished[winner],
        finished=finished,
        failures=failures,
        interrupted=end == INTERRUPTED,
        elapsed=time.monotonic() - start,
    )
