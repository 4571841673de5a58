"""Which engines are run on a problem, in which order, and why the others are not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from ermbit.engines import registry
from ermbit.engines.engine import Capability, Engine, Task
from ermbit.magnitude import objection
from ermbit.options import processors
from ermbit.processes.turns import Schedule
from ermbit_encodings.problem import Problem

AUTO = "auto"
CROSS_CHECK = "cross-check"

INLINE_ENGINES = (
    "exhaustive",
    "tables",
    "halfspaces",
    "cells",
    "dichotomies",
    "deep_fits",
    "deep_tables",
    "enclosures",
)
"""Engines of plain Python and numpy, which Ctrl-C ends at once: they may run without a process."""

INLINE_COST = 0.3
"""Largest cost (log10 of seconds) of an engine that runs alone and without a process at first.
Starting a process takes a fifth of a second, and costs are cautious: most such runs end sooner."""

SMALL_COST = -1.0
"""Largest cost of such a run if memory is limited, and of enumeration that settles the choice."""

HEAD_START = 1.5
"""Seconds after which such a run is given up, where every engine of the race has a processor."""

MOST_HEAD_STARTS = 4.0
"""By how much a head start is longer, at most, where processors are scarce."""

PROMPT_COST = 0.5
"""Largest cost of a complete engine that needs no help: it ends within some three seconds."""

TURNS = Schedule((1.0, 3.0), first=5)
"""How engines share processors before the race, where there are more engines than processors."""

HOPELESS_COST = 6.0
"""Cost from which no complete engine is expected to end: two finders are tried before the first."""

PLACES = 3
"""Engines that run at the same time on the smallest machine: where the first finder starts."""


@dataclass(frozen=True)
class Candidate:
    """One engine with what it says about the problem; ``engine`` is ``None`` if it is missing."""

    name: str
    engine: Engine | None
    capability: Capability


@dataclass(frozen=True)
class Plan:
    """What is run, and what is known of everything else.

    Attributes:
        candidates: all engines that were asked.
        entrants: those to be run, in the order of their start.
        cross_check: all of them run to their end, and are compared.
    """

    candidates: tuple[Candidate, ...]
    entrants: tuple[Candidate, ...]
    cross_check: bool = False

    @property
    def is_complete(self) -> bool:
        """Given time and memory, there will be an answer."""
        return any(entrant.capability.complete for entrant in self.entrants)

    def why_incomplete(self) -> str:
        """The reason of an ``unknown`` where no engine is complete."""
        names: dict[str, list[str]] = {}
        for candidate in self.candidates:
            names.setdefault(candidate.capability.reason, []).append(candidate.name)
        reasons = "; ".join(f"{', '.join(who)}: {why}" for why, who in names.items())
        return f"no complete engine for this instance: {reasons}"


def make_plan(problem: Problem, task: Task, engine: str = AUTO) -> Plan:
    """Choose the engines for a problem.

    Complete ones come first, cheapest first; then those that may still find something, but one of
    these is among the first :data:`PLACES`, and another follows: a relaxation that settles nothing
    ends soon, and must not keep training waiting. Where no complete engine is cheap the two kinds
    take turns: a certificate that is found by luck may be all that there is time for. Where none is
    expected to end at all, two finders come first.

    Raises:
        UsageError: no engine has that name.
    """
    names = registry.NAMES if engine in (AUTO, CROSS_CHECK) else (engine,)
    too_large = objection(problem)
    candidates = tuple(_ask(name, problem, task, too_large) for name in names)
    fit = [c for c in candidates if c.engine is not None and c.capability.applicable]
    if engine == CROSS_CHECK:
        fit = [c for c in fit if c.capability.complete]
    fit.sort(key=lambda c: c.capability.cost)
    return Plan(candidates, _ordered(fit), engine == CROSS_CHECK)


def quick_plan(problem: Problem, task: Task, engine: str = AUTO) -> Plan | None:
    """A plan of one engine that is complete, cheap, and needs no process, if there is one.

    Only such engines are asked: asking all of them takes longer than most of these runs.
    """
    names = [n for n in INLINE_ENGINES if n in registry.NAMES and engine in (AUTO, n)]
    if not names or objection(problem) is not None:
        return None
    asked: list[Candidate] = []
    for name in names:
        candidate = _ask(name, problem, task, None)
        asked.append(candidate)
        cost = candidate.capability.cost
        if candidate.engine is None or not candidate.capability.complete or cost > INLINE_COST:
            continue
        # The first is the most general one; the others come from the most special one on.
        if cost <= SMALL_COST or name != INLINE_ENGINES[0]:
            return Plan(tuple(asked), (candidate,))
    fit = [c for c in asked if c.engine is not None and c.capability.complete]
    cheap = [c for c in fit if c.capability.cost <= INLINE_COST]
    return Plan(tuple(asked), tuple(cheap)) if cheap else None


def head_start(threads: int, load: float) -> float:
    """Seconds for a cheap engine alone, before ``threads`` engines are raced.

    In the race it begins anew with its share of the processors, so where these are few, or other
    processes want them (``load``, see :class:`ermbit.processes.load.Load`), a run of two seconds
    that is cut off may take ten.
    """
    crowd = load * max(1.0, threads / processors())
    return HEAD_START * min(crowd, MOST_HEAD_STARTS)


def _ordered(fit: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The order of the start; ``fit`` is sorted by cost."""
    proving = [c for c in fit if c.capability.complete]
    finding = [c for c in fit if not c.capability.complete]
    if not proving or proving[0].capability.cost <= PROMPT_COST:
        first = PLACES - 1
        return (*proving[:first], *finding[:2], *proving[first:], *finding[2:])
    if proving[0].capability.cost > HOPELESS_COST:
        return (*finding[: PLACES - 1], proving[0], *finding[PLACES - 1 :], *proving[1:])
    turns = zip_longest(finding, proving)
    return tuple(c for pair in turns for c in pair if c is not None)


def _ask(name: str, problem: Problem, task: Task, too_large: str | None) -> Candidate:
    try:
        engine = registry.engine(name)
    except ImportError as error:
        return Candidate(name, None, Capability(False, False, f"cannot be loaded: {error}"))
    if too_large is not None:
        return Candidate(name, engine, Capability(False, False, too_large))
    try:
        return Candidate(name, engine, engine.capability(problem, task))
    except (MemoryError, RecursionError):
        reason = "the instance is too large to be examined"
        return Candidate(name, engine, Capability(False, False, reason))
