"""What a search ended with, as data: the same for Python, ``--json`` and the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmpy2 import mpq

from ermbit_instances.certificate import FORMAT, VERSION, Value, write_value
from ermbit_instances.files import write_text
from ermbit_instances.jsonfile import dump_json
from ermbit_instances.rational import Rational

if TYPE_CHECKING:
    from ermbit.engines.engine import Status

WRITTEN_BITS_LIMIT = 2**20
"""A loss or bound longer than this, in bits, is described instead of written out."""


@dataclass(frozen=True)
class Answer:
    """The answer to ``solve`` or ``minimize``.

    Attributes:
        status: ``sat``, ``unsat`` or ``unknown`` (solve); ``optimal``, ``infimum``, ``feasible``
            or ``unknown`` (minimize).
        engine: the engine that decided, ``"evaluation"`` or ``"threshold"`` where none was
            needed, or ``None``.
        time_s: wall-clock seconds.
        certificate: the parameters document of θ, accepted by the verifier, or ``None``.
        loss: the exact loss of the certificate, as the verifier computed it, or ``None``.
        lower_bound: proved: no θ has a smaller loss (minimize). For ``infimum`` it is the
            infimum, which no θ attains.
        threshold: γ (solve).
        reason: why ``unknown`` or ``feasible``; on what ground ``unsat``, where that is short.
        proof: ``{"kind", "checked"}`` of a proof of ``unsat``, or ``None``.
        statistics: numbers of the search.
        instance: ``"sha256:…"`` of the question, or ``None`` if it was not read to the end.
        warnings: remarks on the question, and on engines that failed.
    """

    status: Status
    engine: str | None
    time_s: float
    certificate: Mapping[str, Any] | None = None
    loss: Value | None = None
    lower_bound: Value | None = None
    threshold: Rational | None = None
    reason: str | None = None
    proof: Mapping[str, Any] | None = None
    statistics: Mapping[str, Any] = field(default_factory=dict)
    instance: str | None = None
    warnings: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The object that ``--json`` prints: plain data, numbers as integers or ``"p/q"``."""
        return {
            "status": self.status,
            "engine": self.engine,
            "time_s": round(self.time_s, 6),
            "certificate": None if self.certificate is None else dict(self.certificate),
            "loss": written(self.loss),
            "loss_note": note(self.loss),
            "lower_bound": written(self.lower_bound),
            "threshold": written(self.threshold),
            "reason": self.reason,
            "proof": None if self.proof is None else dict(self.proof),
            "statistics": _plain(self.statistics),
            "instance": self.instance,
            "warnings": list(self.warnings),
        }

    def certificate_document(self) -> dict[str, Any]:
        """The document of a certificate file.

        Raises:
            ValueError: the answer has no certificate.
        """
        if self.certificate is None:
            raise ValueError(f"an answer {self.status!r} without a certificate")
        return {
            "format": FORMAT,
            "version": VERSION,
            "instance": self.instance,
            "parameters": dict(self.certificate),
        }

    def write_certificate(self, path: str | Path) -> None:
        """Write the certificate file, whole or not at all.

        Raises:
            ValueError: the answer has no certificate.
            MissingFileError: the file cannot be written.
        """
        write_text(path, dump_json(self.certificate_document()))

    def __repr__(self) -> str:
        shown: list[str] = [self.status]
        if self.loss is not None:
            shown.append(f"loss={brief(self.loss)}")
        if self.lower_bound is not None and self.lower_bound != self.loss:
            shown.append(f"lower_bound={brief(self.lower_bound)}")
        if self.engine is not None:
            shown.append(f"engine={self.engine}")
        if self.reason:
            shown.append(f"reason={self.reason!r}")
        shown.append(f"time={self.time_s:.3g}s")
        return f"Answer({', '.join(shown)})"

    def _repr_html_(self) -> str:
        from html import escape

        rows = {
            "status": self.status,
            "loss": None if self.loss is None else brief(self.loss),
            "lower bound": None if self.lower_bound is None else brief(self.lower_bound),
            "threshold": None if self.threshold is None else brief(self.threshold),
            "engine": self.engine,
            "time": f"{self.time_s:.3g} s",
            "reason": self.reason,
            "certificate": None
            if self.certificate is None
            else "; ".join(f"{k} = {v}" for k, v in self.certificate.items())[:600],
        }
        cells = "".join(
            f"<tr><th style='text-align:left'>{name}</th><td>{escape(str(value))}</td></tr>"
            for name, value in rows.items()
            if value
        )
        return f"<table>{cells}</table>"


def written(value: Value | None) -> int | str | None:
    """A number as written files have it; ``None`` where it is too long to write out."""
    return None if value is None or note(value) is not None else write_value(value)


def note(value: Value | None) -> str | None:
    """What stands for a number that is too long to write out."""
    if isinstance(value, mpq):
        bits = int(value.numerator.bit_length() + value.denominator.bit_length())
        if bits > WRITTEN_BITS_LIMIT:
            return f"a rational of {bits} bits"
    return None


def brief(value: Value, width: int = 60) -> str:
    """A number for people: written out if short, else its beginning and its size."""
    text = note(value) or str(write_value(value))
    return text if len(text) <= width else f"{text[: width - 20]}... ({len(text)} characters)"


def _plain(value: Any) -> Any:
    """Statistics as plain JSON: exact numbers as written in files, the rest as text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else str(value)  # NaN and infinities are no JSON
    if isinstance(value, mpq):
        return written(value) or note(value) or 0
    if isinstance(value, Mapping):
        return {str(key): _plain(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(child) for child in value]
    return str(value)
