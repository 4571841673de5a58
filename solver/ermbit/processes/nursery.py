"""Workers that are forked before a race begins, and wait for their job.

A worker that is started as a program imports numpy and the engines anew: 0.15 to 0.25 seconds of
processor time, as much as many an engine needs for its answer. A forked one has them already. A
process may be forked safely only as long as it has a single thread, since locks that other threads
hold stay locked for ever in the copy; and a race has threads from its first child on. So a race
forks at its beginning all workers that it may need, and those that it did not need are killed.

Everything that a copy could do to its original is cut off in :func:`_serve`: signals, handlers,
descriptors, streams. From there on it is a worker like any other.
"""

from __future__ import annotations

import gc
import io
import os
import select
import signal
import sys
import threading
from collections.abc import Iterable, MutableMapping
from contextlib import suppress
from typing import IO, NoReturn, Protocol

from ermbit.processes import limits, worker

MOST = 5
"""Workers that are forked at most; further ones are started as programs."""

LARGEST = 512 * limits.MEGABYTE
"""Bytes of data of a process beyond which it is not copied: tables of pages cost time."""

PARTS = 4
"""A copy has the data of its original, which must be at most one in so many parts of its limit."""

_READY = b"\n"
_originals: list[object] = []
# Seconds until a copy has left its original's session; a thousandth, mostly.
_READY_WAIT = 5.0


def one_numeric_thread(environment: MutableMapping[str, str]) -> None:
    """Let numeric libraries that are imported from now on have one thread, unless told otherwise.

    A race runs as many processes as it was given threads, so each of them gets one; and a process
    whose libraries have more cannot be copied.
    """
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        environment.setdefault(variable, "1")


class Process(Protocol):
    """What a child of a race is made of, forked or started as a program."""

    pid: int
    returncode: int | None

    @property
    def stdin(self) -> IO[bytes] | None: ...
    @property
    def stdout(self) -> IO[bytes] | None: ...
    @property
    def stderr(self) -> IO[bytes] | None: ...
    def wait(self) -> int: ...
    def terminate(self) -> None: ...


class Forked:
    """A copy of this process, with the interface of `subprocess.Popen` as far as it is needed."""

    def __init__(self, pid: int, stdin: int, stdout: int, stderr: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self.stdin: IO[bytes] | None = io.FileIO(stdin, "wb")
        self.stdout: IO[bytes] | None = io.FileIO(stdout, "rb")
        self.stderr: IO[bytes] | None = io.FileIO(stderr, "rb")

    def wait(self) -> int:
        """Reap it; its exit status, or minus the number of the signal that killed it."""
        if self.returncode is None:
            try:
                self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            except ChildProcessError:  # SIGCHLD is ignored, so the system has reaped it
                self.returncode = 0
        return self.returncode

    def terminate(self) -> None:
        """Ask it to end."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)

    def is_ready(self) -> bool:
        """Await that it leads a session of its own."""
        assert self.stdout is not None
        if not select.select([self.stdout], [], [], _READY_WAIT)[0]:
            return False
        return self.stdout.read(len(_READY)) == _READY

    def dispose(self) -> None:
        """Kill it, before it was given a job."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.wait()
        for stream in (self.stdin, self.stdout, self.stderr):
            assert stream is not None
            stream.close()


class Nursery:
    """Forked workers without a job; to be made while the process has one thread."""

    def __init__(self) -> None:
        self._waiting: list[Forked] = []

    def fill(self, count: int, limit: int | None) -> None:
        """Fork workers, where that is possible; fewer, or none, where it is not.

        Args:
            count: how many are needed at most.
            limit: bytes of memory that each of them will be allowed.
        """
        if not possible(limit):
            return
        with suppress(OSError):  # no more processes or descriptors: the others are programs
            while len(self._waiting) < min(count, MOST):
                self._waiting.append(_fork())

    def take(self) -> Forked | None:
        """A worker that is ready for its job, if there is one left."""
        while self._waiting:
            forked = self._waiting.pop(0)
            if forked.is_ready():
                return forked
            forked.dispose()
        return None

    def close(self) -> None:
        """Kill those that were not needed."""
        while self._waiting:
            self._waiting.pop().dispose()


def possible(limit: int | None) -> bool:
    """Whether this process may be copied now, for a worker with so many bytes of memory."""
    if sys.platform != "linux" or threading.active_count() > 1:
        return False
    try:
        tasks = len(os.listdir("/proc/self/task"))  # those of libraries, too
    except OSError:
        return False
    data = limits.data_bytes()
    if tasks > 1 or data is None:
        return False
    return data <= LARGEST and (limit is None or PARTS * data <= limit)


def _fork() -> Forked:
    pipes = [os.pipe() for _ in range(3)]
    ends = [end for pipe in pipes for end in pipe]
    if min(ends) < 3:  # a standard stream of this process is closed
        for end in ends:
            os.close(end)
        raise OSError("a standard stream is closed")
    (inbound, feed), (output, outbound), (errors, complaints) = pipes
    # A signal to both must not run this process's handlers in the copy.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _serve(inbound, outbound, complaints, mask)
    except OSError:
        for end in ends:
            os.close(end)
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    for end in (inbound, outbound, complaints):
        os.close(end)
    return Forked(pid, feed, output, errors)


def _serve(inbound: int, outbound: int, complaints: int, mask: Iterable[int]) -> NoReturn:
    """The copy's life; nothing of its original is run any more, not even at its exit."""
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        for standard, end in enumerate((inbound, outbound, complaints)):
            os.dup2(end, standard)
        for name in os.listdir("/proc/self/fd"):
            if int(name) > 2:
                with suppress(OSError):
                    os.close(int(name))
        _open_streams()
        gc.freeze()  # pages that no collection touches stay shared
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.write(1, _READY)
        worker.main()
    finally:
        os._exit(1)


def _open_streams() -> None:
    # The old ones have buffers that must not be written twice: they are neither flushed nor
    # dropped, for a stream that is dropped is flushed.
    _originals.extend((sys.stdin, sys.stdout, sys.stderr))
    sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)))
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(
            io.BufferedWriter(io.FileIO(number, "wb", closefd=False)),
            encoding="utf-8",
            errors="backslashreplace",
            line_buffering=number == 2,
        )
        for number in (1, 2)
    )
