"""Kills the process groups of a benchmark that was itself killed, and removes its scratch folder.

``kill -9`` gives a benchmark no chance to stop what it has started, and a peer that hangs would run
for ever. So a small process in a session of its own is told of every group that starts (``+ID``)
and ends (``-ID``) through a pipe, and of the regular end (``.``); where the pipe closes without it,
the groups that have not ended are killed.
This file is run by its path and imports the standard library alone, to be ready in milliseconds.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path


class Guard:
    """The benchmark's end of the pipe; a context. Its methods are for any thread."""

    def __init__(self, scratch: Path | None = None) -> None:
        """Start the process. ``scratch``: a folder that nobody else would remove."""
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, *([] if scratch is None else [str(scratch)])],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def __enter__(self) -> Guard:
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process.stdin is not None
        self._tell(".\n")
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        self._process.wait()

    def started(self, group: int) -> None:
        """Tell of a process group that has just been started."""
        self._tell(f"+{group}\n")

    def ended(self, group: int) -> None:
        """Tell that nothing of the group is left."""
        self._tell(f"-{group}\n")

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        with self._lock, contextlib.suppress(OSError):  # without a guard it goes on as well
            self._process.stdin.write(line.encode("ascii"))
            self._process.stdin.flush()


def watch(scratch: str | None) -> None:
    """Read what is told until the pipe closes, then kill what is left."""
    alive: set[int] = set()
    regular = False
    for line in sys.stdin:
        if line[0] == ".":
            regular = True
        else:
            (alive.add if line[0] == "+" else alive.discard)(int(line[1:]))
    for group in alive:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)
    if scratch is not None and not regular:
        shutil.rmtree(scratch, ignore_errors=True)


if __name__ == "__main__":
    watch(sys.argv[1] if len(sys.argv) > 1 else None)
