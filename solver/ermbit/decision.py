"""Deciding: the first proved ``sat`` or ``unsat`` is the answer."""

from __future__ import annotations

from ermbit.answer import Answer
from ermbit.confirmation import Confirmed, Undecided
from ermbit.engines.engine import Event, Outcome
from ermbit.options import SearchOptions
from ermbit.progress import Listener
from ermbit.search import Search
from ermbit_encodings.problem import Problem
from ermbit_instances.instance import Instance


class Decision(Search):
    """Is there θ with L(θ) ≤ γ?"""

    task = "decide"

    def __init__(
        self, instance: Instance, options: SearchOptions, listen: Listener, *, as_filed: bool
    ) -> None:
        super().__init__(instance, options, listen, as_filed=as_filed)
        self.verdicts: dict[str, str] = {}
        self.found: Confirmed | None = None
        self.undecided: str | None = None

    @property
    def settled(self) -> bool:
        return bool(self.verdicts)

    def problem(self) -> Problem:
        return Problem(self.instance)

    def shortcut(self) -> Answer | None:
        threshold = self.instance.threshold
        assert threshold is not None
        if threshold < 0:
            reason = "the threshold is negative, and no loss is"
            return self.answer("unsat", "threshold", threshold=threshold, reason=reason)
        if self.instance.network.parameter_count:
            return None
        from ermbit.verifier.verify import verify

        fresh = self.confirmation.fresh()
        verdict = verify(fresh, {"format": "ermbit-certificate", "version": 1, "parameters": {}})
        name = "evaluation"
        if verdict.accepted is None:
            return self.answer("unknown", None, threshold=threshold, reason=verdict.reason)
        if not verdict.accepted:
            reason = "the network has no free parameter: " + "; ".join(verdict.violations)
            return self.answer("unsat", name, threshold=threshold, reason=reason)
        return self.answer("sat", name, certificate={}, loss=verdict.loss, threshold=threshold)

    def hear(self, engine: str, event: Event) -> None:
        """Events do not decide: what was found comes with the outcome."""

    def record(self, engine: str, outcome: Outcome) -> None:
        if outcome.status == "unknown":
            return
        if outcome.status == "sat" and outcome.values is not None:
            confirmed = self.confirmation.confirm(engine, outcome.values)
            if isinstance(confirmed, Undecided):
                self.undecided = confirmed.reason
                return
            if self.found is None:
                self.found = confirmed
        elif outcome.status != "unsat":
            raise self.strange(engine, outcome)
        for other, status in self.verdicts.items():
            if status != outcome.status:
                what = f"{other} answers {status}, {engine} answers {outcome.status}"
                parameters = None if self.found is None else self.found.parameters
                raise self.confirmation.refusal(what, engine, parameters)
        self.verdicts[engine] = outcome.status

    def conclude(self) -> Answer:
        threshold = self.instance.threshold
        if not self.settled:
            reason = self.reason(self.undecided)
            return self.answer("unknown", None, threshold=threshold, reason=reason)
        engine, status = next(iter(self.verdicts.items()))
        if status == "unsat":
            ground = self.outcomes[engine].reason or None
            return self.answer(status, engine, threshold=threshold, reason=ground)
        assert self.found is not None
        return self.answer(
            status,
            self.found.engine,
            certificate=self.found.parameters,
            loss=self.found.loss,
            threshold=threshold,
        )
