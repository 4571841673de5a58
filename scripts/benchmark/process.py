"""One command in a process group of its own, with limits on time, memory and processors."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Finished:
    """How a command ended.

    Attributes:
        output, errors: what it printed.
        seconds: wall-clock time from start to end, interpreter and imports included.
        cpu: processor seconds of the process and all children that it waited for.
        killed: whether it was stopped at the wall limit.
        code: exit status, negative for a signal.
    """

    output: str
    errors: str
    seconds: float
    cpu: float
    killed: bool
    code: int


def run(
    command: Sequence[str],
    wall: float,
    memory: int,
    cores: Sequence[int],
    environment: Mapping[str, str] | None = None,
) -> Finished:
    """Run a command; at ``wall`` seconds its whole process group is killed.

    Args:
        memory: megabytes of data for each process (RLIMIT_DATA, as address space costs nothing).
        cores: the processors that it may use.
    """

    def limit() -> None:
        size = memory * 2**20
        resource.setrlimit(resource.RLIMIT_DATA, (size, size))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, cores)

    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            env=None if environment is None else dict(environment),
            start_new_session=True,
            preexec_fn=limit,
        )
        late = threading.Event()

        def stop() -> None:
            late.set()
            _kill_group(process.pid)

        timer = threading.Timer(wall, stop)
        timer.start()
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        _kill_group(process.pid)  # whatever it left behind
        for stream in (output, errors):
            stream.seek(0)
        return Finished(
            output.read().decode("utf-8", "replace"),
            errors.read().decode("utf-8", "replace"),
            seconds,
            used.ru_utime + used.ru_stime,
            late.is_set(),
            process.returncode,
        )


def _kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
