"""What a command says of an instance: one JSON object, the last thing on its standard output.

``status`` is needed; read as well are ``loss``, ``bound`` (or ``lower_bound``), ``parameters`` (or
``certificate``), ``seconds`` (or ``time_s``), ``reason``, ``engine`` and ``encoding``. So ermbit's
own ``--json`` is such an object. Decimals are read exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ermbit.bench.case import Task
from ermbit.bench.process import Finished
from ermbit_instances.algebraic import parse_root
from ermbit_instances.certificate import Value, write_value
from ermbit_instances.errors import ErmbitError
from ermbit_instances.json_node import RawNumber
from ermbit_instances.jsonfile import parse_json
from ermbit_instances.rational import parse_rational

STATUSES: Mapping[Task, tuple[str, ...]] = {
    "solve": ("sat", "unsat", "unknown", "unsupported"),
    "minimize": ("optimal", "infimum", "feasible", "unknown", "unsupported"),
}
CONCLUSIVE = ("sat", "unsat", "optimal", "infimum")


@dataclass(frozen=True)
class Reply:
    """What a solver said of a case, not yet checked.

    Attributes:
        status: one of ``STATUSES``; or ``timeout``, ``memout``, ``failed`` without an answer.
        loss, bound: as text, or "".
        parameters: those of a certificate, as JSON has them, or ``None``.
        seconds: wall-clock time of the whole process; ``inner``: that the solver itself counts.
        cpu: processor seconds; ``peak``: megabytes.
        note: engine, encoding or reason.
    """

    status: str
    loss: str = ""
    bound: str = ""
    parameters: Mapping[str, Any] | None = field(default=None, repr=False)
    seconds: float = 0.0
    inner: float = 0.0
    cpu: float = 0.0
    peak: float = 0.0
    note: str = ""


def reply_of(done: Finished, task: Task) -> Reply:
    """Read what a finished command said."""
    try:
        said = last_object(done.output)
        if said is None:
            raise ValueError("no JSON object on standard output")
        reply = _reply(said, task)
    except (ErmbitError, ValueError) as error:
        status, note = "failed", str(error)
        if done.end == "time":
            status, note = "timeout", ""
        elif done.out_of_memory:
            status, note = "memout", ""
        elif done.end == "output":
            note = "too much output"
        elif done.code != 0:
            note = done.last_words()
        reply = Reply(status, note=note)
    return replace(reply, seconds=done.seconds, cpu=done.cpu, peak=done.peak)


def last_object(output: str) -> Mapping[str, Any] | None:
    """The whole output if it is a JSON object, or else its last line that begins like one.

    Raises:
        InputError: that line is not JSON, or has a key twice.
    """
    text = output.strip()
    if not text.startswith("{"):
        lines = [line for line in text.splitlines() if line.lstrip().startswith("{")]
        if not lines:
            return None
        text = lines[-1]
    try:
        node = parse_json(text)
    except ErmbitError:
        last = text.splitlines()[-1]
        if last == text or not last.startswith("{"):
            raise
        node = parse_json(last)
    return {key: child.value for key, child in node.items()}


def _reply(said: Mapping[str, Any], task: Task) -> Reply:
    status = said.get("status")
    if status not in STATUSES[task]:
        raise ValueError(f"{str(status)[:40]!r} is no answer to {task}")
    parameters = said.get("parameters", said.get("certificate"))
    if isinstance(parameters, Mapping) and "format" in parameters:
        parameters = parameters.get("parameters")
    if parameters is not None and not isinstance(parameters, Mapping):
        raise ValueError("parameters: expected an object")
    notes = (said.get(key) for key in ("engine", "reason", "encoding"))
    return Reply(
        str(status),
        _number(said.get("loss"), "loss"),
        _number(said.get("bound", said.get("lower_bound")), "bound"),
        parameters,
        inner=_seconds(said.get("seconds", said.get("time_s"))),
        note=next((note for note in notes if isinstance(note, str) and note), ""),
    )


def _number(value: Any, key: str) -> str:
    """A number of the reply in its shortest writing."""
    if value is None or value == "":
        return ""
    if isinstance(value, RawNumber):
        value = value.text
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"{key}: expected a number")
    try:
        return str(write_value(exact(str(value))))
    except (ErmbitError, ValueError, OverflowError) as error:
        raise ValueError(f"{key}: {error}") from None


def _seconds(value: Any) -> float:
    if isinstance(value, RawNumber):
        value = value.text
    try:
        return float(value) if isinstance(value, int | str) else 0.0
    except (ValueError, OverflowError):
        return 0.0


def exact(text: str) -> Value:
    """The number that a text denotes: ``p/q``, a decimal, or an algebraic root.

    Raises:
        ValueError, InputError or OverflowError: not a number, or past the limits.
    """
    return parse_root(text) if text.startswith("(") else parse_rational(text)
