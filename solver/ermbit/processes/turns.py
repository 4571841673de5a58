"""Turns: how jobs share fewer processors than there are jobs, until it is clear that all need long.

Most questions are settled within a second by one of the engines, and nobody knows by which. Where
all run at once every one of them is slowed down by the others, which have to start first. So at
first each job has a processor to itself for a short turn, one after the other, and then for a
longer one; the last in the order begin when the first have had theirs. Then all that are left run
together. Between its turns a child rests: it is stopped and keeps what it knows. Where as many rest
as may, the child is ended, and its job begins anew.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

PATIENCE = 5.0
"""A turn ends after so many times its length by the clock, for jobs that wait or are held up."""

LOOK = 0.1
"""Seconds between two looks at what the children have used."""


class Move(Enum):
    """What is to be done next."""

    START = auto()
    RESUME = auto()
    REST = auto()
    PUT_BACK = auto()
    """End the child; its job waits again."""
    WAIT = auto()
    """Nothing for now."""
    OVER = auto()
    """There are no more turns: what rests goes on."""


class Runner(Protocol):
    """What turns look at in a child."""

    resting: bool
    can_rest: bool

    def seconds(self) -> float:
        """Seconds of processor time that it has used."""


@dataclass(frozen=True)
class Schedule:
    """Who has a turn when.

    Attributes:
        lengths: seconds of processor time of a job's first turn, of its second, ….
        first: so many jobs have all their turns before the others have any.
    """

    lengths: tuple[float, ...] = ()
    first: int = 5

    def turns(self, names: Sequence[str]) -> list[tuple[str, float]]:
        """The jobs and lengths of all turns in their order."""
        parts = (names[: self.first], names[self.first :])
        return [(name, length) for part in parts for length in self.lengths for name in part]


@dataclass(frozen=True)
class _Turn:
    processor: float  # seconds of processor time of the child at its end
    clock: float

    def is_over(self, child: Runner) -> bool:
        return child.seconds() >= self.processor or time.monotonic() >= self.clock


class Turns:
    """The turns of a race, one move at a time.

    Args:
        names: the jobs, in the order of their start.
        slots: how many have a turn at the same time.
        places: how many may rest at the same time.
        schedule: the turns; none are taken where every job has a slot, or children cannot rest.
    """

    def __init__(
        self, names: Sequence[str], *, slots: int, places: int, schedule: Schedule
    ) -> None:
        self.slots = slots
        self.places = places
        sharing = len(names) > slots and possible()
        self._coming = schedule.turns(names) if sharing else []
        self._turns: dict[str, _Turn] = {}
        self._next_look = 0.0

    def move(self, children: Mapping[str, Runner], waiting: Collection[str]) -> tuple[Move, str]:
        """What to do next, and with which job; to be asked again when it is done.

        Args:
            children: the living ones by the names of their jobs.
            waiting: jobs that could be started.
        """
        for name in [name for name in self._turns if name not in children]:
            del self._turns[name]  # it has ended, or could not be started
        over = self._one_that_is_over(children)
        if over is not None:
            del self._turns[over]
            resting = sum(child.resting for child in children.values())
            may_rest = children[over].can_rest and resting < self.places
            return (Move.REST if may_rest else Move.PUT_BACK), over
        self._coming = [t for t in self._coming if t[0] in children or t[0] in waiting]
        if not self._coming or len(children) + len(waiting) <= self.slots:
            return (Move.OVER, "") if len(self._turns) < self.slots else (Move.WAIT, "")
        if len(self._turns) >= self.slots:
            return Move.WAIT, ""
        for number, (name, length) in enumerate(self._coming):
            if name not in self._turns:
                del self._coming[number]
                child = children.get(name)
                used = 0.0 if child is None else child.seconds()
                clock = time.monotonic() + PATIENCE * length
                self._turns[name] = _Turn(used + length, clock)
                return (Move.START if child is None else Move.RESUME), name
        return Move.WAIT, ""

    def _one_that_is_over(self, children: Mapping[str, Runner]) -> str | None:
        if time.monotonic() < self._next_look:
            return None
        for name, turn in self._turns.items():
            if turn.is_over(children[name]):
                return name
        self._next_look = time.monotonic() + LOOK
        return None


def possible() -> bool:
    """Whether children can be stopped: elsewhere a stopped one might outlive its parent."""
    return sys.platform == "linux"
