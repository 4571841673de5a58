"""How much slower the clock on the wall makes a process than its own processor time.

Turns are chosen in seconds of processor time, solvers are stopped by the clock. On a machine that
is shared, a turn of one second that gets a fifth of a processor would end before it began.
"""

from __future__ import annotations

import os
import time

SHORTEST = 0.02
"""Seconds of processor time below which nothing is measured: the clock is too coarse."""

STEP = 2.0
"""How much larger a factor is than the one before it, at most: a process may have rested once."""

MOST = 20.0
"""Largest factor: what waited for something else than the processor is not taken for load."""


class Load:
    """Seconds of the clock for a second of processor time, since it was last asked."""

    def __init__(self) -> None:
        self._wall, self._processor = time.monotonic(), time.process_time()
        self._factor = min(max(_crowd(), 1.0), MOST)

    def factor(self) -> float:
        """At least 1; the one before where too little has been done since."""
        wall, processor = time.monotonic(), time.process_time()
        if processor - self._processor >= SHORTEST:
            ratio = (wall - self._wall) / (processor - self._processor)
            self._factor = min(max(ratio, 1.0), STEP * self._factor, MOST)
            self._wall, self._processor = wall, processor
        return self._factor

    def forget(self) -> None:
        """Measure from now on: what was since the last time says nothing of the load."""
        self._wall, self._processor = time.monotonic(), time.process_time()


def _crowd() -> float:
    """Processes that wait for a processor, for every one there is; 0 where that is not known."""
    try:
        return os.getloadavg()[0] / (os.cpu_count() or 1)
    except (AttributeError, OSError):
        return 0.0
