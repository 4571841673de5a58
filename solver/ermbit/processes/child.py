"""The parent's side of one worker process: start it, read it, stop it, reap it.

Each child has three threads in the parent, because waiting on pipes with `select` does not work on
Windows: one feeds the payload and then waits for the end of the process, one reads frames,
one keeps the tail of the error stream. All they do is to put messages on the race's queue.
"""

from __future__ import annotations

import io
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import IO

from ermbit.processes import limits, protocol
from ermbit.processes.nursery import Process
from ermbit.processes.program import one_numeric_thread
from ermbit.processes.target import MEMORY, one_line, speaks_of_memory

#: Message kinds besides those of frames: the frames have ended; the process has ended.
CLOSED = b"C"
EXITED = b"X"

#: Seconds between the request to end and SIGKILL.
GRACE = 0.3
#: Seconds of silence after which the frames of a worker that has ended are no longer awaited.
LAST_WORDS = 1.0
#: Bytes of a child's error stream that are kept.
TAIL_BYTES = 4096

# Frames of one child that may wait for the parent; then its pipe fills, and `report` blocks.
_BACKLOG = 32
# SIGKILL cannot be refused, but a process in uninterruptible sleep (dead network disk) may take
# it late.
_KILL_WAIT = 10.0

# PermissionError: what macOS says of a group of zombies.
_GONE_IS_FINE = suppress(ProcessLookupError, PermissionError)

Message = tuple["Child", bytes, bytearray]
Inbox = queue.SimpleQueue[Message | None]


def worker_environment() -> dict[str, str]:
    """The environment of a worker: the parent's import path, and one thread per numeric library."""
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join(import_path())
    one_numeric_thread(environment)
    return environment


def import_path() -> list[str]:
    """`sys.path` with the current folder written out."""
    return [entry or os.getcwd() for entry in sys.path]


class Child:
    """One running worker. All methods are for the thread that runs the race."""

    def __init__(
        self,
        name: str,
        target: str,
        payload: bytes,
        inbox: Inbox,
        *,
        limit: int | None,
        deadline: float | None,
        process: Process | None = None,
    ) -> None:
        """Start a worker on a pickled payload. `limit` in bytes; `deadline` of `time.monotonic`.

        `process`: a worker that waits for its job; else one is started.
        Raises OSError (no process) or RuntimeError (no thread); then nothing is left running.
        """
        self.name = name
        self.limit = limit
        self.peak = 0
        self.exited = False
        self.closed = False
        self.resting = False
        self.can_rest = False
        self.last_words = 0.0
        self._inbox = inbox
        self._discard = False
        self._room = threading.Semaphore(_BACKLOG)
        self._ended = threading.Event()
        self._tail = bytearray()
        self._process: Process = _start() if process is None else process
        self._limited = limit is not None and limits.limit_process(self._process.pid, limit)
        setup = protocol.encode(
            {
                "path": import_path(),
                "pythonpath": os.environ.get("PYTHONPATH"),
                "target": target,
                "deadline": deadline,
                "memory": None if limit is None else limit // limits.MEGABYTE,
                "limit": None if self._limited else limit,
            }
        )
        self._threads = [
            threading.Thread(target=work, args=arguments, name=f"race {name}", daemon=True)
            for work, arguments in (
                (self._read_frames, ()),
                (self._read_errors, ()),
                (self._feed_and_wait, (setup, payload)),
            )
        ]
        try:
            for thread in self._threads:
                thread.start()
        except RuntimeError:
            self.kill_strays()
            self._process.wait()
            raise

    @property
    def pid(self) -> int:
        """Process id of the worker, which is also the id of its group and session on POSIX."""
        return self._process.pid

    # Threads

    def _read_frames(self) -> None:
        source = _stream(self._process.stdout)
        try:
            if protocol.skip_greeting(source):
                self.can_rest = True  # from now on the system kills it when the parent dies
                while (frame := protocol.read_frame(source)) is not None:
                    if not self._discard:
                        self._room.acquire()
                    if not self._discard:
                        self._inbox.put((self, *frame))
        except (OSError, ValueError, MemoryError):
            pass  # what was read so far stands; the end of the process tells the rest
        self._inbox.put((self, CLOSED, bytearray()))

    def _read_errors(self) -> None:
        fd = _stream(self._process.stderr).fileno()
        try:
            while data := os.read(fd, 1 << 16):
                self._tail = (self._tail + data)[-TAIL_BYTES:]
        except OSError:
            pass

    def _feed_and_wait(self, setup: bytes, payload: bytes) -> None:
        fd = _stream(self._process.stdin).fileno()
        try:
            protocol.write_frame(fd, protocol.SETUP, setup)
            protocol.write_frame(fd, protocol.PAYLOAD, payload)
        except OSError:
            pass  # it died early; its exit status says why
        del setup, payload
        if sys.platform == "linux":
            # Not reaped yet, so that its id, which names the group, is not given to another one.
            # ChildProcessError: the program ignores SIGCHLD, and the system has reaped it.
            with suppress(ChildProcessError):
                os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        else:
            self._process.wait()
        self._ended.set()
        self._inbox.put((self, EXITED, bytearray()))

    # The race's thread

    def taken(self) -> None:
        """Say that a frame of this child was handled, so that the next one may be read."""
        self.hear_last_words()
        self._room.release()

    def hear_last_words(self) -> None:
        """Await frames of a worker that has ended for LAST_WORDS seconds from now."""
        self.last_words = time.monotonic() + LAST_WORDS

    def measure(self) -> bool:
        """Look at the memory of the worker and its children; False if it is over the limit."""
        used = limits.used_bytes(self.pid)
        if used is not None:
            self.peak = max(self.peak, used)
        return self.limit is None or used is None or used <= self.limit

    def raise_limit(self, limit: int) -> None:
        """Give the worker more memory (bytes), where the system allows it for a running process."""
        if self._limited and self.limit is not None and limit > self.limit:
            if limits.limit_process(self.pid, limit):
                self.limit = limit

    def seconds(self) -> float:
        """Seconds of processor time of the worker and its children; 0 where that is unknown."""
        return limits.used_seconds(self.pid)

    def rest(self) -> None:
        """Stop the worker and its group until `resume`.

        On Linux it still dies with its parent, once it has sent its greeting (`can_rest`).
        """
        self._signal("SIGSTOP")
        self.resting = True

    def resume(self) -> None:
        """Let a resting worker go on."""
        if self.resting:
            self._signal("SIGCONT")
            self.resting = False

    def ask_to_end(self) -> None:
        """Send the request to end to the worker and its group; its later frames are dropped."""
        self._drop_frames()
        if sys.platform != "win32":
            self._signal("SIGTERM")
            self.resume()  # one that rests would not hear it
        elif not self._ended.is_set():
            self._process.terminate()

    def _signal(self, name: str) -> None:
        if not self._ended.is_set():
            with _GONE_IS_FINE:
                os.killpg(self.pid, getattr(signal, name))

    def wait_ended(self, until: float) -> bool:
        """Wait for the worker's end, at most up to `until` (of `time.monotonic`)."""
        return self._ended.wait(max(0.0, until - time.monotonic()))

    def kill_strays(self) -> None:
        """Kill the worker's group, session and descendants, whether or not it has ended itself."""
        if sys.platform == "win32":
            subprocess.run(
                ["taskkill", "/T", "/F", "/PID", str(self.pid)],
                capture_output=True,
                check=False,
            )
            return
        strays = limits.descendants(self.pid)[1:]  # before the tree falls apart
        with _GONE_IS_FINE:
            os.killpg(self.pid, signal.SIGKILL)
        for _ in range(3):  # a stray may just be forking
            strays += limits.session_members(self.pid)
            if not strays:
                break
            for stray in strays:
                with _GONE_IS_FINE:
                    os.kill(stray, signal.SIGKILL)
            strays = []

    def kill(self) -> None:
        """Kill the worker and all that it started, and reap it."""
        self._drop_frames()
        self.kill_strays()
        if self._ended.wait(_KILL_WAIT):
            self._process.wait()

    def close(self) -> None:
        """Release threads and descriptors; only after `kill`."""
        until = time.monotonic() + 1.0
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        if not any(thread.is_alive() for thread in self._threads):
            for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
                _stream(stream).close()

    def crash_reason(self) -> str:
        """Why a worker that was killed and closed has sent no result, in one line."""
        code = self._process.returncode
        lines = self.error_tail().strip().splitlines()
        last = lines[-1] if lines else ""  # of a Python traceback, the one that names the error
        near = self.limit is not None and self.peak >= 0.9 * self.limit
        if any(map(speaks_of_memory, lines[-3:])) or (near and code is not None and code < 0):
            return MEMORY
        if code is not None and code < 0:
            text = f"crashed with signal {-code}"
            with suppress(ValueError):  # a real-time signal has no name
                text += f" ({signal.Signals(-code).name})"
        else:
            text = f"exited with status {code}"
        return one_line(f"{text}: {last}" if last else text)

    def error_tail(self) -> str:
        """The last TAIL_BYTES bytes of the worker's standard error (and output) as text."""
        return self._tail.decode("utf-8", "replace")

    def _drop_frames(self) -> None:
        self._discard = True
        self._room.release()  # the reader may be waiting for room


def stop(children: Iterable[Child], grace: float = GRACE) -> None:
    """End all of `children` together: request, `grace` seconds, kill, reap, close."""
    group = list(children)
    for child in group:
        child.ask_to_end()
    until = time.monotonic() + grace
    for child in group:
        child.wait_ended(until)
    for child in group:
        child.kill()
    for child in group:
        child.close()


def _start() -> subprocess.Popen[bytes]:
    if not sys.executable:
        raise OSError("the path of the Python interpreter is unknown")
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NEW_PROCESS_GROUP
    return subprocess.Popen(
        # -P: a file in the user's current folder must not shadow a standard module.
        [sys.executable, "-P", "-m", "ermbit.processes.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        env=worker_environment(),
        start_new_session=sys.platform != "win32",
        creationflags=flags,
    )


def _stream(stream: IO[bytes] | None) -> io.FileIO:
    assert isinstance(stream, io.FileIO)  # all three are pipes, and unbuffered
    return stream
