"""Every θ that an engine finds is verified here before anybody sees it.

The instance is read again from its file, θ is written as a certificate document and read back,
and the verifier, which knows nothing of engines, evaluates exactly. A refusal is an internal error.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ermbit.engines.engine import Task
from ermbit.reproduction import Contradiction, contradiction
from ermbit.verifier.question import Question
from ermbit.verifier.verify import verify
from ermbit_instances.certificate import Certificate, Value, parse_certificate
from ermbit_instances.errors import ErmbitError, InputError, InternalError
from ermbit_instances.instance import Instance, load, parse_instance
from ermbit_instances.jsonfile import parse_json


@dataclass(frozen=True)
class Confirmed:
    """A certificate that the verifier accepted.

    Attributes:
        engine: who found it.
        parameters: its parameters document.
        loss: the exact loss that the verifier computed; ``None`` where it proved L(θ) ≤ γ without
            it, because the number is too long.
    """

    engine: str
    parameters: dict[str, Any]
    loss: Value | None

    @property
    def measured(self) -> Value:
        """The loss, which every certificate of a minimisation has."""
        if self.loss is None:
            raise InternalError(f"a certificate of {self.engine} was confirmed without its loss")
        return self.loss


@dataclass(frozen=True)
class Undecided:
    """A certificate whose numbers are too large for the verifier: no support for any answer."""

    reason: str


class Confirmation:
    """Verifies the certificates of one search against the instance read anew."""

    def __init__(self, instance: Instance, task: Task, seed: int, *, as_filed: bool) -> None:
        """Prepare for one search.

        Args:
            instance: the question.
            task: under ``minimize`` the threshold plays no role.
            seed: of the search, for reproduction files.
            as_filed: the threshold is that of the file, so it must still be there.
        """
        self.instance = instance
        self._task = task
        self._seed = seed
        self._as_filed = as_filed
        self._fresh: Instance | None = None

    def fresh(self, *, again: bool = True) -> Instance:
        """The instance, read anew; without ``again`` a reading of this search will do.

        Raises:
            InputError: the file is gone, or asks another question now.
        """
        if self._fresh is not None and not again:
            return self._fresh
        instance = self.instance
        if instance.file is None:
            fresh = parse_instance(instance.to_document())
            changed = "the instance is not the one that its own document describes"
            if fresh.sha256 != instance.sha256 and not instance.data.origin:
                raise self.refusal(changed, None)
        else:
            fresh = load(instance.file, allow_external_data=instance.allow_external_data)
            if not self._as_filed:
                fresh = fresh.with_threshold(instance.threshold)
            if fresh.sha256 != instance.sha256:
                raise InputError(
                    "the file does not ask the question that is being answered: "
                    "it was changed meanwhile",
                    file=instance.file,
                )
        self._fresh = fresh
        return fresh

    def confirm(
        self,
        engine: str,
        values: tuple[Value, ...],
        *,
        claimed: Value | None = None,
        again: bool = True,
    ) -> Confirmed | Undecided:
        """Verify θ.

        Args:
            engine: who found it.
            values: θ by parameter number.
            claimed: the loss that the engine computed; it must be the verifier's.
            again: read the instance once more.

        Raises:
            InternalError: the verifier refuses it.
            InputError: the instance file was changed meanwhile.
        """
        fresh = self.fresh(again=again)
        question = fresh if self._task == "decide" else fresh.with_threshold(None)
        try:
            document = Certificate(values).to_document(question)
            parameters = document["parameters"]
            certificate = parse_certificate(parse_json(json.dumps(document)).value, question)
        except (ErmbitError, LookupError, TypeError, ValueError, AttributeError) as error:
            raise self.refusal(f"{engine} returned no usable parameters: {error}", engine) from None
        verdict = verify(question, certificate, Question(exact_loss=True))
        compared = verdict.loss is not None or self._task == "decide"
        if verdict.accepted is None or (verdict.accepted and not compared):
            return Undecided(f"a certificate of {engine} could not be verified: {verdict.reason}")
        if not verdict.accepted:
            why = "; ".join(verdict.violations[:3])
            what = f"the verifier refuses a certificate of {engine}: {why}"
            raise self.refusal(what, engine, parameters)
        if claimed is not None and verdict.loss is not None and claimed != verdict.loss:
            what = f"{engine} claims another loss than the verifier finds"
            raise self.refusal(what, engine, parameters)
        return Confirmed(engine, parameters, verdict.loss)

    def refusal(
        self,
        what: str,
        engine: str | None,
        parameters: dict[str, Any] | None = None,
        trace: str | None = None,
    ) -> Contradiction:
        """The internal error that tells of a contradiction, its reproduction file written."""
        return contradiction(
            what,
            self.instance,
            task=self._task,
            engine=engine,
            seed=self._seed,
            certificate=parameters,
            trace=trace,
        )
