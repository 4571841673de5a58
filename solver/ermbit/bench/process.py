"""One command in a session of its own, with limits on time, memory, processors and output."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Literal

from ermbit.bench.guard import Guard
from ermbit.processes import limits
from ermbit.processes.target import speaks_of_memory

End = Literal["itself", "time", "memory", "output", "stopped"]

OUTPUT_BYTES = 2**28
"""A command that prints more than this is killed."""

READ_BYTES = 2**26
"""Of the output and of the errors the last so many bytes are read."""

INTERVAL = 0.1
"""Seconds between two looks at memory and output."""


@dataclass(frozen=True)
class Finished:
    """How a command ended.

    Attributes:
        output, errors: what it printed.
        seconds: wall-clock time from start to end, interpreter and imports included.
        cpu: processor seconds of the process and all descendants that were waited for.
        peak: megabytes: the most that the process and its descendants were seen to have, or the
            largest one of them had, whichever is more.
        end: ``itself``, or the limit at which it was killed.
        code: exit status, negative for a signal.
    """

    output: str
    errors: str
    seconds: float
    cpu: float
    peak: float
    end: End
    code: int

    @property
    def out_of_memory(self) -> bool:
        """Whether the memory limit ended it, by killing it or by refusing an allocation."""
        if self.end == "memory":
            return True
        return self.code != 0 and any(map(speaks_of_memory, self.errors.splitlines()[-3:]))

    def last_words(self) -> str:
        """Why there is no answer, in one line."""
        if self.code < 0:
            with contextlib.suppress(ValueError):
                return f"ended by signal {-self.code} ({signal.Signals(-self.code).name})"
        lines = self.errors.strip().splitlines()
        return lines[-1] if lines else f"exit status {self.code}"


def run(
    command: Sequence[str],
    wall: float,
    memory: int,
    variables: Mapping[str, str] | None = None,
    stop: threading.Event | None = None,
    guard: Guard | None = None,
) -> Finished:
    """Run a command; past a limit it and all that it started are killed.

    It inherits the processors of the calling thread.

    Args:
        wall: seconds after which it is killed.
        memory: megabytes: of data for each process (a limit of the system's), and resident for the
            whole tree (looked at every 0.1 s).
        variables: environment variables to add.
        stop: kills it when set.
        guard: is told of the process group.

    Raises:
        OSError: the command cannot be started.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            env={**os.environ, **(variables or {})},
            start_new_session=True,
        )
        try:
            if guard is not None:
                guard.started(process.pid)
            _limit(process.pid, memory)
            waiter = _Waiter(process.pid)
            end, peak = _watched(process.pid, start + wall, memory, stop, waiter, output, errors)
            kill_tree(process.pid)  # or whatever it left behind
            status, used = waiter.result()
        except BaseException:
            kill_tree(process.pid)
            raise
        if guard is not None:
            guard.ended(process.pid)
        process.returncode = os.waitstatus_to_exitcode(status)
        unit = 1024 if sys.platform == "linux" else 2**20
        return Finished(
            _text(output),
            _text(errors),
            waiter.at - start,
            used.ru_utime + used.ru_stime,
            max(peak / limits.MEGABYTE, used.ru_maxrss / unit),
            end,
            process.returncode,
        )


def _limit(pid: int, memory: int) -> None:
    """Data of each process: from outside, as code between fork and exec is not safe in threads."""
    if sys.platform != "linux":
        return  # the tree's memory is not watched there either
    import resource

    size = memory * limits.MEGABYTE
    with contextlib.suppress(OSError, ValueError):  # it has ended already
        resource.prlimit(pid, resource.RLIMIT_DATA, (size, size))
        resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0))


class _Waiter(threading.Thread):
    """Waits for the end of a process, so that its time is known to the moment."""

    def __init__(self, pid: int) -> None:
        super().__init__(name=f"wait {pid}", daemon=True)
        self.at = 0.0
        self.ended = threading.Event()
        self._pid = pid
        self._result: tuple[int, Any] | None = None
        self.start()

    def run(self) -> None:
        if sys.platform == "linux":
            # Not reaped yet, so that its id, which names the group, is not given to another one.
            os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOWAIT)
        else:
            self._result = os.wait4(self._pid, 0)[1:]
        self.at = time.perf_counter()
        self.ended.set()

    def result(self) -> tuple[int, Any]:
        """The wait status and resource usage."""
        self.join()
        return os.wait4(self._pid, 0)[1:] if self._result is None else self._result


def _watched(
    pid: int,
    deadline: float,
    memory: int,
    stop: threading.Event | None,
    waiter: _Waiter,
    output: IO[bytes],
    errors: IO[bytes],
) -> tuple[End, int]:
    """Wait for the end or for a limit; how it ended, and the most bytes seen."""
    peak = 0
    while not waiter.ended.wait(max(0.0, min(INTERVAL, deadline - time.perf_counter()))):
        peak = max(peak, limits.used_bytes(pid) or 0)
        printed = max(os.fstat(stream.fileno()).st_size for stream in (output, errors))
        if stop is not None and stop.is_set():
            return "stopped", peak
        if peak > memory * limits.MEGABYTE:
            return "memory", peak
        if printed > OUTPUT_BYTES:
            return "output", peak
        if time.perf_counter() >= deadline:
            return "time", peak
    return "itself", peak


def kill_tree(pid: int) -> None:
    """Kill a process, its group, its session and its descendants."""
    found = limits.descendants(pid)[1:]  # before the tree falls apart
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    for _ in range(3):  # one may just be forking
        found += limits.session_members(pid)
        if not found:
            break
        for stray in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(stray, signal.SIGKILL)
        found = []


def _text(stream: IO[bytes]) -> str:
    size = os.fstat(stream.fileno()).st_size
    stream.seek(max(0, size - READ_BYTES))
    return stream.read(READ_BYTES).decode("utf-8", "replace")
