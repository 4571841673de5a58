"""What an engine is: what it declares, what it is given, what it returns.

An engine is one module with one class. It never prints, never reads files, never decides whether
its own certificate is right: it returns data, and the verifier has the last word.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, TypeAlias

from ermbit_encodings.problem import Problem
from ermbit_instances.certificate import Value
from ermbit_instances.rational import Rational

Task = Literal["decide", "minimize"]
Status = Literal["sat", "unsat", "unknown", "optimal", "infimum", "feasible"]


@dataclass(frozen=True, slots=True)
class Capability:
    """What an engine says about one problem, before running.

    Attributes:
        applicable: it can be run at all.
        complete: given time and memory it ends with a definite, proved answer.
        reason: why, in one line, for ``ermbit info``.
        cost: rough logarithm (base 10) of the seconds it may take; smaller is started first.
    """

    applicable: bool
    complete: bool
    reason: str
    cost: float = 0.0


class Expired(Exception):
    """The time is up."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What a run may use.

    Attributes:
        deadline: wall-clock end, in the seconds of :func:`time.monotonic`; ``None`` for none.
        seed: for the random choices of a search; answers never depend on it, certificates may.
        memory: megabytes for the engine's process, ``None`` for no limit of its own.
    """

    deadline: float | None = None
    seed: int = 0
    memory: int | None = None

    @property
    def remaining(self) -> float | None:
        """Seconds left, never negative; ``None`` without a deadline."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    @property
    def expired(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline

    def check(self) -> None:
        """Raise :class:`Expired` once the deadline has passed."""
        if self.expired:
            raise Expired


@dataclass(frozen=True, slots=True)
class Incumbent:
    """Event: a better θ (to be verified by the receiver), with the loss the engine computed."""

    values: tuple[Value, ...]
    loss: Rational | None = None


@dataclass(frozen=True, slots=True)
class LowerBound:
    """Event: no θ has a loss below this, proved."""

    loss: Rational


Event: TypeAlias = Incumbent | LowerBound
Report: TypeAlias = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run ended with.

    Attributes:
        status: ``sat``/``unsat``/``unknown`` for deciding; ``optimal`` (the values attain the
            least loss), ``infimum`` (``lower_bound`` is approached, not attained), ``feasible`` or
            ``unknown`` for minimising.
        values: θ by parameter number, where there is one.
        lower_bound: proved lower bound on the loss (minimising).
        reason: why unknown, or on what ground unsat.
        statistics: numbers worth seeing: nodes, conflicts, sizes.
    """

    status: Status
    values: tuple[Value, ...] | None = None
    lower_bound: Rational | None = None
    reason: str = ""
    statistics: dict[str, Any] = field(default_factory=dict)


class Engine(ABC):
    """Base class of engines. Instances have no state; one may serve many problems."""

    name: ClassVar[str]
    summary: ClassVar[str]

    @abstractmethod
    def capability(self, problem: Problem, task: Task) -> Capability:
        """What this engine can do for the problem. Must be quick (milliseconds)."""

    @abstractmethod
    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        """Is there θ with L(θ) ≤ γ? Must respect ``capability`` and the deadline."""

    @abstractmethod
    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        """The least loss. Reports every better incumbent and every better lower bound."""


def ignore(event: Event) -> None:
    """A report that goes nowhere."""
