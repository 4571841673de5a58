"""Turns: how jobs share fewer processors than there are jobs, until it is clear that all need long.

Most questions are settled within a second by one of the engines, and nobody knows by which. Where
all run at once every one of them is slowed down by the others, which have to start first. So at
first each job has a processor to itself for a short turn, one after the other; then each has a
longer one; then all that are left run together. Between its turns a child rests: it is stopped and
keeps what it knows. Where as many rest as may, the child is ended and begins anew.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

PATIENCE = 5.0
"""A turn ends after so many times its length by the clock, for jobs that wait or are held up."""


class Resting(Protocol):
    """What turns ask of a child."""

    resting: bool

    def seconds(self) -> float:
        """Seconds of processor time that it has used."""

    def rest(self) -> None:
        """Stop it for a while."""

    def resume(self) -> None:
        """Let it go on."""


@dataclass(frozen=True)
class _Turn:
    place: int  # of its round
    processor: float  # seconds of processor time at its end
    clock: float

    def is_over(self, child: Resting) -> bool:
        return child.seconds() >= self.processor or time.monotonic() >= self.clock


def can_rest() -> bool:
    """Whether children can be stopped: elsewhere a stopped one might outlive its parent."""
    return sys.platform == "linux"


class Turns:
    """The order of turns.

    Args:
        names: the jobs, in the order of their turns.
        slots: how many have a turn at the same time.
        places: how many may rest at the same time.
        lengths: seconds of processor time for a turn of the first round, of the second, ….
    """

    def __init__(
        self, names: Sequence[str], *, slots: int, places: int, lengths: Sequence[float]
    ) -> None:
        self.slots = slots
        self.places = places
        self._lengths = tuple(lengths)
        self._queue: deque[tuple[str, int]] = deque((name, 0) for name in names)
        self._turns: dict[str, _Turn] = {}
        if not self._lengths or len(names) <= slots or not can_rest():
            self._queue.clear()

    def step(
        self,
        children: Mapping[str, Resting],
        waiting: Collection[str],
        *,
        start: Callable[[str], Resting | None],
        put_back: Callable[[str], None],
    ) -> bool:
        """End turns, begin others. False once there are no more: then all children run.

        Args:
            children: the living ones by the names of their jobs.
            waiting: jobs that could be started.
            start: starts a job that waits; ``None`` if that fails.
            put_back: ends a child, so that its job waits again.
        """
        for name, turn in list(self._turns.items()):
            child = children.get(name)
            if child is None:
                del self._turns[name]
            elif turn.is_over(child):
                del self._turns[name]
                if turn.place + 1 < len(self._lengths):
                    self._queue.append((name, turn.place + 1))
                if sum(other.resting for other in children.values()) < self.places:
                    child.rest()
                else:
                    put_back(name)
        while len(self._turns) < self.slots:
            left = len(children) + len(waiting)
            if not self._queue or left <= self.slots:
                for child in children.values():
                    child.resume()
                return False
            name, place = self._queue.popleft()
            child = children.get(name)
            if child is not None:
                child.resume()
            elif name in waiting:
                child = start(name)
            if child is not None:
                length = self._lengths[place]
                clock = time.monotonic() + PATIENCE * length
                self._turns[name] = _Turn(place, child.seconds() + length, clock)
        return True
