"""What makes a worker, and every process below it, die with the parent, however that dies.

Three independent means, each for what the others miss:

* The parent-death signal (Linux, prctl): the kernel kills the worker when the thread that started
  it ends. It works while a C extension holds the interpreter lock, but not for grandchildren.
* Signal-driven input on the pipe from the parent (Linux, O_ASYNC with F_SETSIG): when the last
  write end is closed, the kernel sends SIGKILL to the worker's whole process group. It needs no
  thread of ours either, and takes the grandchildren along.
* A thread that waits for the end of that pipe (everywhere): portable, but it needs the interpreter
  lock to act, which a C extension may hold for hours.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress

_PR_SET_PDEATHSIG = 1
_F_SETSIG = 10  # Linux's number; the fcntl module has the name only from some versions on
_STACK_BYTES = 256 * 1024


def die_with_parent() -> None:
    """Ask Linux to kill this process when its parent dies; elsewhere do nothing."""
    _on_parent_death(signal.SIGKILL)


def _on_parent_death(number: int) -> None:
    if sys.platform != "linux":
        return
    import ctypes

    with suppress(OSError, AttributeError):  # a C library without prctl: the pipe remains
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)


def hold(fd: int) -> None:
    """Die, with the whole process group, when the parent's end of the pipe `fd` closes.

    To be called after the last frame was read: from then on the parent writes nothing, and on
    Linux a single further byte would kill the group as well.
    """
    _kill_group_on_close(fd)
    before = threading.stack_size(_STACK_BYTES)  # a default stack counts 8 MB against the limit
    try:
        threading.Thread(target=_wait_for_end, args=(fd,), name="lifeline", daemon=True).start()
    finally:
        threading.stack_size(before)


def _kill_group_on_close(fd: int) -> None:
    # Only a leader's group is ours to kill. OSError: some sandboxes lack this; two means remain.
    if sys.platform == "linux" and os.getpgrp() == os.getpid():
        import fcntl

        with suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_SETOWN, -os.getpgrp())
            fcntl.fcntl(fd, _F_SETSIG, signal.SIGKILL)
            fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_ASYNC)
            # From here on the pipe does more than the parent-death signal, which must go: when a
            # parent of several threads is killed it may come first, kill this process alone, and
            # with it the pipe's end that was to take the group along.
            _on_parent_death(0)


def _wait_for_end(fd: int) -> None:
    try:
        while os.read(fd, 1):
            pass
    except OSError:
        pass
    if sys.platform != "win32" and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    os._exit(1)
