"""A search: engines raced on one problem, from the plan to the answer.

What deciding and minimising share; see :mod:`ermbit.decision` and :mod:`ermbit.minimization`.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from ermbit.answer import Answer
from ermbit.confirmation import Confirmation
from ermbit.engines.engine import Event, Outcome, Task
from ermbit.engines.worker import EngineRun, Fault
from ermbit.options import SearchOptions, processors
from ermbit.plan import (
    SMALL_COST,
    TURNS,
    Candidate,
    Plan,
    head_start,
    make_plan,
    quick_plan,
)
from ermbit.processes.job import Job, RaceResult
from ermbit.processes.load import Load
from ermbit.processes.target import INTERRUPTED, MEMORY, TIMEOUT
from ermbit.processes.turns import Schedule
from ermbit.progress import Listener, Progress
from ermbit.reproduction import Contradiction
from ermbit_encodings.problem import Problem
from ermbit_instances.instance import Instance

_TARGET = "ermbit.engines.worker:run_engine"


class Settled(Exception):
    """Ends a race from within a callback: the answer is known."""


class Search(ABC):
    """One search; see :func:`ermbit.portfolio.search`."""

    task: ClassVar[Task]

    def __init__(
        self, instance: Instance, options: SearchOptions, listen: Listener, *, as_filed: bool
    ) -> None:
        self.instance = instance
        self.options = options
        self.start = time.monotonic()
        self.confirmation = Confirmation(instance, self.task, options.seed, as_filed=as_filed)
        self.plan = Plan((), ())
        self.outcomes: dict[str, Outcome] = {}
        self.faults: dict[str, Fault] = {}
        self.failures: dict[str, str] = {}
        self.interrupted = False
        self._listen = listen

    # -- what the two tasks do differently

    @abstractmethod
    def shortcut(self) -> Answer | None:
        """The answer, where no engine is needed."""

    @abstractmethod
    def problem(self) -> Problem:
        """The problem that the engines get."""

    @abstractmethod
    def hear(self, engine: str, event: Event) -> None:
        """Handle an event of an engine."""

    def look(self) -> bool:
        """Called several times per second; nothing here asks for an early end."""
        return False

    @abstractmethod
    def record(self, engine: str, outcome: Outcome) -> None:
        """Handle the outcome of an engine."""

    @property
    @abstractmethod
    def settled(self) -> bool:
        """The answer is proved."""

    @abstractmethod
    def conclude(self) -> Answer:
        """The answer, when the race is over."""

    def begin(self, problem: Problem) -> None:  # noqa: B027
        """Called once before the engines start; nothing to do here."""

    # -- what they share

    def run(self) -> Answer:
        """Search, and answer; Ctrl-C ends the search and not the answer."""
        try:
            short = self.shortcut()
            if short is not None:
                return short
            problem = self.problem()
            self._search(problem)
        except KeyboardInterrupt:
            self.interrupted = True
        self._expose_faults()
        return self.conclude()

    def _search(self, problem: Problem) -> None:
        quick = quick_plan(problem, self.task, self.options.engine)
        if quick is not None:
            # Without a process of its own nothing limits an engine's memory.
            inline = (
                self.options.memory is None or quick.entrants[0].capability.cost <= SMALL_COST
            )
            self._planned(quick)
            self.begin(problem)
            if self.settled:
                return
            self._stage(quick.entrants[:1], problem, inline=inline, is_alone=True)
            if self.settled or self.interrupted:
                return
            # Cut short it gets another chance, in the race.
            self.outcomes.clear()
            self.failures.clear()
        self._planned(make_plan(problem, self.task, self.options.engine))
        if quick is None:
            self.begin(problem)
        if self.plan.entrants and not self.settled:
            self._stage(self.plan.entrants, problem)

    def _planned(self, plan: Plan) -> None:
        self.plan = plan
        names = ", ".join(c.name for c in plan.entrants)
        self.tell("", "start", text=names or "no engine fits")

    def _stage(
        self,
        entrants: Sequence[Candidate],
        problem: Problem,
        *,
        inline: bool = False,
        is_alone: bool = False,
    ) -> None:
        jobs = [
            Job(c.name, _TARGET, EngineRun(c.engine, problem, self.task, self.options.seed))
            for c in entrants
            if c.engine is not None
        ]
        timeout = self.options.timeout
        if timeout is not None:
            timeout = max(0.0, timeout - (time.monotonic() - self.start))
        if is_alone:
            start = head_start(self.options.threads, Load().factor())
            timeout = start if timeout is None else min(timeout, start)
        try:
            result: RaceResult
            if inline:
                from ermbit.processes.inline import run_inline

                result = run_inline(
                    jobs[0],
                    timeout=timeout,
                    decides=self._decides,
                    on_event=self.hear,
                    on_result=self._on_result,
                    should_stop=self.look,
                )
            else:
                from ermbit.processes.race import race

                result = race(
                    jobs,
                    timeout=timeout,
                    memory=self.options.memory,
                    threads=self.options.threads,
                    slots=processors(),
                    schedule=Schedule() if self.plan.cross_check else TURNS,
                    decides=self._decides,
                    on_event=self.hear,
                    on_result=self._on_result,
                    should_stop=self.look,
                )
        except Settled:
            return
        self.failures.update(result.failures)
        self.interrupted = self.interrupted or result.interrupted

    def _decides(self, engine: str, result: Any) -> bool:
        return self.settled and not self.plan.cross_check

    def _on_result(self, engine: str, result: Any) -> None:
        if isinstance(result, Fault):
            self.faults[engine] = result
            self.tell(engine, "end", text=f"failed: {result.message}")
            if result.contradiction:
                raise self._fault_error(engine)
            return
        if not isinstance(result, Outcome):
            what = f"{engine} returned {type(result).__name__} in place of an outcome"
            raise self.confirmation.refusal(what, engine)
        self.outcomes[engine] = result
        self.tell(engine, "end", text=f"{result.status} {result.reason}".strip())
        self.record(engine, result)

    def _expose_faults(self) -> None:
        """Where nothing but mistakes of engines is the outcome, say so."""
        if self.settled or self.interrupted or not self.faults:
            return
        if not self.outcomes and not self.failures:
            raise self._fault_error(next(iter(self.faults)))

    def _fault_error(self, engine: str) -> Contradiction:
        fault = self.faults[engine]
        what = f"{engine} failed: {fault.message}"
        return self.confirmation.refusal(what, engine, trace=fault.trace)

    def strange(self, engine: str, outcome: Outcome) -> Contradiction:
        """The error for an outcome that makes no sense for the task."""
        what = f"{engine} returned {outcome.status} with what does not belong to it"
        return self.confirmation.refusal(what, engine)

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.start

    def tell(self, engine: str, step: str, **known: Any) -> None:
        """Tell the listener."""
        self._listen(Progress(self.elapsed, engine, step, **known))

    def answer(self, status: Any, engine: str | None, **parts: Any) -> Answer:
        """An answer with what all answers have."""
        statistics: dict[str, Any] = {}
        for name, outcome in self.outcomes.items():
            if outcome.statistics:
                statistics[name] = dict(outcome.statistics)
        if self.plan.cross_check:
            statistics["cross_check"] = {
                **{name: outcome.status for name, outcome in self.outcomes.items()},
                **self.failures,
            }
        failed = {name: fault.message for name, fault in self.faults.items()}
        crashed = (TIMEOUT, MEMORY, INTERRUPTED)
        failed |= {n: why for n, why in self.failures.items() if why not in crashed}
        return Answer(
            status,
            engine,
            self.elapsed,
            statistics=statistics,
            instance=self.instance.sha256,
            warnings=(
                *self.instance.warnings,
                *(f"engine {name} failed: {why}" for name, why in failed.items()),
            ),
            **parts,
        )

    def reason(self, undecided: str | None = None) -> str:
        """Why there is no proved answer."""
        if self.interrupted:
            return INTERRUPTED
        if undecided is not None:
            return undecided
        timeout = self.options.timeout
        if timeout is not None:
            # Engines stop by themselves a little before the end, to hand over what they know.
            near = timeout - min(0.5, timeout / 10) - 0.05
            if TIMEOUT in self.failures.values() or self.elapsed >= near:
                return TIMEOUT
        ends = dict(self.failures)
        ends |= {name: fault.message for name, fault in self.faults.items()}
        ends |= {name: o.reason or "no reason given" for name, o in self.outcomes.items()}
        if not self.plan.is_complete:
            return self.plan.why_incomplete()
        if set(ends.values()) == {MEMORY}:
            return MEMORY
        return "; ".join(f"{name}: {why}" for name, why in ends.items()) or "no engine was run"
