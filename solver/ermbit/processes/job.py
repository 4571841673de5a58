"""What is run in a process, and what comes out of a race."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

#: (name of the job, its result) -> whether the race is over.
Decides = Callable[[str, Any], bool]
#: (name of the job, event or result) -> None.
Listener = Callable[[str, Any], None]


@dataclass(frozen=True)
class Job:
    """A function to be run in a process of its own.

    `target` is ``package.module:function``; the function is called as ``function(payload, report)``
    with an `ermbit.processes.target.Report`, and returns the result. The payload, the events and
    the result must be picklable, and of types defined in importable modules (not ``__main__``).
    """

    name: str
    target: str
    payload: Any = None


@dataclass(frozen=True)
class RaceResult:
    """The outcome of a race.

    `winner` is the name of the job whose result decided, `result` that result (None without a
    winner). `finished` has every result that arrived, in the order of arrival. `failures` has a
    one-line reason for every job that ended without one: ``memory``, ``timeout``, ``interrupted``,
    ``crashed with signal 11 (SIGSEGV): …``, ``exited with status 3: …``, ``ValueError: …``. Jobs
    that were stopped, or never started, because another one won are in neither; one that ran out of
    memory while jobs took turns is tried again, and until then counts as never started.
    `interrupted` is true after Ctrl-C or when ``should_stop`` asked for the end. `elapsed` is in
    seconds, clean-up included.
    """

    winner: str | None
    result: Any
    finished: Mapping[str, Any]
    failures: Mapping[str, str]
    interrupted: bool
    elapsed: float


def any_result_decides(name: str, result: Any) -> bool:
    """The default rule: the first result ends the race."""
    return True


def check_options(*, timeout: float | None, memory: int | None = None, threads: int = 1) -> None:
    """Raise ValueError where a limit is not a usable number."""
    if timeout is not None and not timeout >= 0:  # also refuses nan
        raise ValueError(f"timeout must be at least 0 seconds, not {timeout}")
    if memory is not None and memory < 1:
        raise ValueError(f"memory must be at least 1 MB, not {memory}")
    if threads < 1:
        raise ValueError(f"threads must be at least 1, not {threads}")


def child_deadline(start: float, timeout: float | None) -> float | None:
    """When a job should stop by itself: a tenth of the time, at most 0.5 s, before the timeout."""
    if timeout is None or math.isinf(timeout):
        return None
    return start + timeout - min(0.5, timeout / 10)
