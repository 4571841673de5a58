"""What the function of a job is given, how it is found, and how its failure is worded."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import Any

MEMORY = "memory"
TIMEOUT = "timeout"
INTERRUPTED = "interrupted"

#: Characters of a failure reason.
REASON_LENGTH = 300

# C and C++ libraries do not raise MemoryError; these are their words (GMP, FLINT, libstdc++, MSVC,
# z3, glibc's loader and mmap).
_MEMORY_WORDS = (
    "out of memory",
    "bad_alloc",
    "bad allocation",
    "cannot allocate",
    "unable to allocate",
    "failed to allocate",
    "memory exhausted",
    "memoryerror",
)


class Report:
    """The second argument of a job's function: ``report(event)`` sends an event to the parent.

    `deadline` (a value of `time.monotonic`, whose clock is the same in all processes of a machine;
    None: no limit) lies a little before the moment at which the parent stops the job, so that a
    function that watches it can still return the best it knows. `memory` is the limit in MB
    at the start, or None. A call may block while the parent is busy with earlier events.
    """

    __slots__ = ("_send", "deadline", "memory")

    def __init__(
        self,
        send: Callable[[Any], None],
        deadline: float | None = None,
        memory: int | None = None,
    ) -> None:
        self._send = send
        self.deadline = deadline
        self.memory = memory

    def __call__(self, event: Any) -> None:
        """Send `event`, which must be picklable; events arrive in the order of the calls."""
        self._send(event)

    def seconds_left(self) -> float | None:
        """Seconds until `deadline` (0 when it has passed), or None without one."""
        if self.deadline is None:
            return None
        return max(0.0, self.deadline - time.monotonic())


TargetFunction = Callable[[Any, Report], Any]


def resolve(target: str) -> TargetFunction:
    """Import ``package.module:function``.

    Raises ValueError for another form, ImportError or AttributeError where there is no such thing.
    """
    module, colon, name = target.partition(":")
    if not (module and colon and name):
        raise ValueError(f"target {target!r} is not of the form package.module:function")
    function: TargetFunction = getattr(importlib.import_module(module), name)
    return function


def one_line(text: str) -> str:
    """`text` with its white space collapsed, cut to REASON_LENGTH characters."""
    line = " ".join(text.split())
    return line if len(line) <= REASON_LENGTH else line[: REASON_LENGTH - 1] + "…"


def speaks_of_memory(text: str) -> bool:
    """Whether a message of a library says that it ran out of memory."""
    lowered = text.lower()
    return any(words in lowered for words in _MEMORY_WORDS)


def reason_of(error: BaseException) -> str:
    """The one-line failure reason for an exception that left a job's function."""
    if isinstance(error, MemoryError):
        return MEMORY
    try:
        text = str(error)
    except Exception:  # a broken __str__ must not hide which error it was
        text = ""
    if speaks_of_memory(text):
        return MEMORY
    name = type(error).__name__
    return one_line(f"{name}: {text}" if text.strip() else name)
