"""Minimising: all engines' incumbents and bounds are merged until they meet."""

from __future__ import annotations

from typing import Any

from gmpy2 import mpq

from ermbit.answer import Answer, brief
from ermbit.bounds import Bounds
from ermbit.confirmation import Confirmed, Undecided
from ermbit.engines.engine import Event, Incumbent, LowerBound, Outcome
from ermbit.options import SearchOptions
from ermbit.progress import Listener
from ermbit.search import Search, Settled
from ermbit_encodings.problem import Problem
from ermbit_instances.instance import Instance

START_LIMIT = 200_000
"""Largest number of edges times samples for which a starting certificate is evaluated."""


class Minimization(Search):
    """The least loss."""

    task = "minimize"

    def __init__(
        self, instance: Instance, options: SearchOptions, listen: Listener, *, as_filed: bool
    ) -> None:
        super().__init__(instance, options, listen, as_filed=as_filed)
        self.bounds = Bounds(self.confirmation, self._improved)
        self.proved: tuple[str, str] | None = None
        self._last = ""

    @property
    def settled(self) -> bool:
        return self.proved is not None or self.bounds.met

    def problem(self) -> Problem:
        return Problem(self.instance.with_threshold(None))

    def begin(self, problem: Problem) -> None:
        """Start from a plain certificate, so that there is one however early the search ends."""
        network = self.instance.network
        if self.plan.cross_check or not self.plan.entrants:
            return
        if network.edge_count * len(problem.samples.rows) <= START_LIMIT:
            values = tuple(p.domain.nearest_to_zero() for p in network.parameters)
            self.bounds.accept("start", values)

    def shortcut(self) -> Answer | None:
        if self.instance.network.parameter_count:
            return None
        confirmed = self.confirmation.confirm("evaluation", ())
        if isinstance(confirmed, Undecided):
            return self.answer("unknown", None, reason=confirmed.reason)
        loss = confirmed.loss
        return self.answer("optimal", "evaluation", certificate={}, loss=loss, lower_bound=loss)

    def _improved(self, engine: str, step: str) -> None:
        self._last = engine
        best = None if self.bounds.best is None else self.bounds.best.loss
        self.tell(engine, step, loss=best, lower_bound=self.bounds.lower)

    def hear(self, engine: str, event: Event) -> None:
        if isinstance(event, Incumbent):
            self.bounds.offer(engine, event)
        elif isinstance(event, LowerBound):
            self.bounds.raise_lower(engine, event.loss)
        self._end_if_met()

    def look(self) -> bool:
        self.bounds.look()
        self._end_if_met()
        return False

    def _end_if_met(self) -> None:
        if self.bounds.met and not self.plan.cross_check:
            raise Settled

    def record(self, engine: str, outcome: Outcome) -> None:
        if outcome.status not in ("optimal", "infimum", "feasible", "unknown"):
            raise self.strange(engine, outcome)
        confirmed = None
        if outcome.values is not None:
            confirmed = self.bounds.accept(engine, outcome.values)
        if outcome.status == "optimal":
            self._record_optimal(engine, outcome, confirmed)
        elif outcome.status == "infimum":
            if outcome.lower_bound is None:
                raise self.strange(engine, outcome)
            self.bounds.set_infimum(engine, outcome.lower_bound)
            self.proved = self.proved or (engine, "infimum")
        elif outcome.lower_bound is not None:
            self.bounds.raise_lower(engine, outcome.lower_bound)

    def _record_optimal(self, engine: str, outcome: Outcome, confirmed: Confirmed | None) -> None:
        if outcome.values is None:
            raise self.strange(engine, outcome)
        if confirmed is None:
            if outcome.lower_bound is not None:
                self.bounds.raise_lower(engine, outcome.lower_bound)
            return
        claimed = outcome.lower_bound
        # Beside an irrational loss, a rational bound below it is all that an engine may have.
        weaker = isinstance(claimed, mpq) and not isinstance(confirmed.loss, mpq)
        if claimed is not None and claimed != confirmed.loss and not weaker:
            what = (
                f"{engine} claims the least loss {brief(claimed)}, but its certificate "
                f"has loss {brief(confirmed.loss)}"
            )
            raise self.confirmation.refusal(what, engine, confirmed.parameters)
        if claimed is not None:
            self.bounds.raise_lower(engine, claimed)
        self.bounds.raise_lower(engine, confirmed.loss)
        self.proved = self.proved or (engine, "optimal")

    def conclude(self) -> Answer:
        try:
            self.bounds.flush()
        except KeyboardInterrupt:
            self.interrupted = True
        bounds = self.bounds
        best, lower = bounds.best, bounds.lower
        parts: dict[str, Any] = {"lower_bound": lower}
        if best is not None:
            # The stream was verified against one reading of the file; the answer asks it again.
            self.confirmation.fresh()
            parts |= {"certificate": best.parameters, "loss": best.loss}
        if self.proved is not None:
            engine, status = self.proved
            return self.answer(status, engine, **parts)
        if bounds.met:
            return self.answer("optimal", self._last, **parts)
        status = "unknown" if best is None else "feasible"
        engine_name = None if best is None else best.engine
        return self.answer(status, engine_name, reason=self.reason(bounds.undecided), **parts)
