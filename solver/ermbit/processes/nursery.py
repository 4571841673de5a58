"""Workers that are forked before a race begins, and wait for their job.

A worker that is started as a program imports numpy and the engines anew: 0.15 to 0.25 seconds of
processor time, as much as many an engine needs for its answer. A forked one has them already. A
process may be forked safely only as long as it has a single thread, since locks that other threads
hold stay locked for ever in the copy; and a race has threads from its first child on. So a race
forks at its beginning the workers that it may need, and those that it did not need are killed.

Only the program itself is copied (:mod:`ermbit.processes.program`): what else a process may have,
settings of libraries, streams, half-done work, does not belong into a worker. What the program has
is cut off in :func:`_serve`: session, signals, handlers, descriptors, streams. From there on the
copy is a worker like any other.
"""

from __future__ import annotations

import gc
import io
import os
import select
import signal
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import IO, NoReturn, Protocol

from ermbit.processes import limits, program, worker

MOST = 5
"""Workers that are forked at most; further ones are started as programs."""

LARGEST = 128 * limits.MEGABYTE
"""Bytes of data of a process beyond which it is not copied. Pages that copies share count for each
of them where the memory of a tree of processes is measured."""

PARTS = 4
"""A copy has the data of its original, which must be at most one in so many parts of its limit."""

# What a copy says when it has left its original's session, and seconds that it may take for it.
_READY = b"\n"
_READY_WAIT = 1.0

# Standard streams of the original: to drop them would write out what is in their buffers.
_originals: list[object] = []


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
        poll = select.poll()  # select() knows no descriptors past 1023
        poll.register(self.stdout, select.POLLIN)
        try:
            is_said = bool(poll.poll(1000 * _READY_WAIT))
            return is_said and self.stdout.read(len(_READY)) == _READY
        except OSError:
            return False

    def dispose(self) -> None:
        """Kill it, before it was given a job."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.wait()
        for stream in (self.stdin, self.stdout, self.stderr):
            assert stream is not None
            stream.close()


class Nursery:
    """Forked workers without a job; to be filled while the process has one thread."""

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
                self._fork()

    def take(self) -> Forked | None:
        """A worker that is ready for its job, if there is one left."""
        if not self._waiting:
            return None
        if self._waiting[0].is_ready():
            return self._waiting.pop(0)
        self.close()  # where one is not ready in time, the others are not to be waited for
        return None

    def close(self) -> bool:
        """Kill those that were not needed; whether there were any."""
        found = bool(self._waiting)
        while self._waiting:
            self._waiting[-1].dispose()
            self._waiting.pop()
        return found

    def _fork(self) -> None:
        ends: list[int] = []
        # A signal to both must not run this process's handlers in the copy; and none may come
        # between here before the copy is known.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            try:
                for _ in range(3):
                    ends.extend(os.pipe())
                if min(ends) < 3:
                    raise OSError("a standard stream of this process is closed")
                pid = os.fork()
            except OSError:
                for end in ends:
                    os.close(end)
                raise
            inbound, feed, output, outbound, errors, complaints = ends
            if pid == 0:
                _serve(inbound, outbound, complaints, mask)
            for end in (inbound, outbound, complaints):
                os.close(end)
            self._waiting.append(Forked(pid, feed, output, errors))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def possible(limit: int | None) -> bool:
    """Whether this process may be copied now, for a worker with so many bytes of memory."""
    if sys.platform != "linux" or not program.is_declared() or threads() != 1:
        return False
    data = limits.data_bytes()
    if data is None or data > LARGEST:
        return False
    own = limits.data_limit()
    return all(most is None or PARTS * data <= most for most in (limit, own))


def threads() -> int:
    """Threads of this process, those of libraries included; 0 where that is unknown."""
    try:
        return max(len(os.listdir("/proc/self/task")), threading.active_count())
    except OSError:
        return 0


def _serve(inbound: int, outbound: int, complaints: int, mask: Iterable[int]) -> NoReturn:
    """The copy's life; nothing of its original is run any more, not even at its exit."""
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        for number in signal.valid_signals():
            if callable(signal.getsignal(number)):  # what is ignored stays so, as in a program
                signal.signal(number, signal.SIG_DFL)
        for standard, end in enumerate((inbound, outbound, complaints)):
            os.dup2(end, standard)
        # Not closed: objects of the original have their numbers, and new ones must not get them.
        null = os.open(os.devnull, os.O_RDWR)
        for name in os.listdir("/proc/self/fd"):
            with suppress(OSError):  # that of the list itself is gone
                if int(name) > 2 and os.fstat(int(name)):
                    os.dup2(null, int(name), inheritable=False)
        _open_streams()
        gc.freeze()  # pages that no collection touches stay shared
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        os.write(1, _READY)
        worker.main()
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(1)


def _open_streams() -> None:
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
