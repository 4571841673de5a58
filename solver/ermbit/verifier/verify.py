"""Verification of a certificate: domains, exact loss, exact comparison with the threshold.

The trust kernel: it imports floor 1 and nothing of how a certificate was found. Every ``sat`` that
ermbit prints has passed through :func:`verify` with the instance read again from its file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gmpy2 import mpq

from ermbit.verifier.evaluate import BitTrace, LayerBits, evaluate_sample
from ermbit.verifier.growth import output_bits
from ermbit_instances.certificate import (
    Certificate,
    Value,
    load_certificate,
    parse_certificate,
    write_value,
)
from ermbit_instances.instance import Instance
from ermbit_instances.rational import Rational, write_rational

EXACT_BITS_LIMIT = 2**28
"""Largest size, in bits, of a number that the exact evaluation may build (32 MiB a number)."""

WRITTEN_BITS_LIMIT = 2**20
"""A loss longer than this, in bits, is compared but not written out."""


@dataclass(frozen=True)
class Verdict:
    """What the verifier found.

    Attributes:
        accepted: ``True`` or ``False``, each proved; ``None`` when undecided.
        loss: the exact loss, rational or algebraic; ``None`` if it was not computed.
        violations: why it is rejected, one line each.
        method: how it was decided, and whether that is a proof.
        threshold: γ, or ``None`` if the instance has none (then only domains decide).
        bits: bit-lengths per layer.
        reason: why it is undecided.
    """

    accepted: bool | None
    loss: Value | None
    violations: tuple[str, ...]
    method: str
    threshold: Rational | None
    bits: tuple[LayerBits, ...] = ()
    reason: str | None = None

    @property
    def verdict(self) -> str:
        return {True: "accepted", False: "rejected", None: "undecided"}[self.accepted]

    def to_json(self) -> dict[str, Any]:
        """The object that ``ermbit verify --json`` prints."""
        loss: Any = None
        comparison = None
        if self.loss is not None:
            if isinstance(self.loss, mpq) and _bits(self.loss) > WRITTEN_BITS_LIMIT:
                comparison = f"a rational of {_bits(self.loss)} bits, compared exactly"
            else:
                loss = write_value(self.loss)
        return {
            "verdict": self.verdict,
            "accepted": self.accepted,
            "loss": loss,
            "loss_note": comparison,
            "threshold": None if self.threshold is None else write_rational(self.threshold),
            "violations": list(self.violations),
            "method": self.method,
            "reason": self.reason,
            "bits": [
                {"layer": b.layer, "pre_activation": b.pre_activation, "output": b.output}
                for b in self.bits
            ],
        }

    def __repr__(self) -> str:
        loss = "" if self.loss is None else f", loss {str(write_value(self.loss))[:60]}"
        detail = "".join(f"; {v}" for v in self.violations[:3]) or (
            f"; {self.reason}" if self.reason else ""
        )
        return f"Verdict({self.verdict}{loss}{detail})"

    def _repr_html_(self) -> str:
        from html import escape

        return f"<code>{escape(repr(self))}</code>"


def _bits(value: Rational) -> int:
    return int(value.numerator.bit_length() + value.denominator.bit_length())


def verify(
    instance: Instance, certificate: Certificate | Mapping[str, Any] | str | Path
) -> Verdict:
    """Decide exactly whether a certificate proves the instance ``sat``.

    Args:
        instance: the question.
        certificate: a :class:`Certificate`, a certificate document or mapping of parameters, or
            the path of a certificate file (JSON, NPZ, ONNX).

    Returns:
        ``accepted`` iff every parameter lies in its domain and L(θ) ≤ γ (with no threshold: iff
        the domains hold). Undecided only for polynomial networks whose values are too large.

    Raises:
        InputError: the certificate does not fit the network.
    """
    if isinstance(certificate, str | Path):
        certificate = load_certificate(certificate, instance)
    elif not isinstance(certificate, Certificate):
        certificate = parse_certificate(certificate, instance)
    violations = list(certificate.contradictions)
    if certificate.instance is not None and certificate.instance != instance.sha256:
        violations.append(
            f"made for another instance ({certificate.instance[:19]}..., "
            f"this one is {instance.sha256[:19]}...)"
        )
    for parameter, value in zip(instance.network.parameters, certificate.values, strict=True):
        if value not in parameter.domain:
            shown = str(write_value(value))
            violations.append(
                f"{parameter.name} = {shown if len(shown) < 80 else shown[:77] + '...'} is outside "
                f"its domain {describe_domain(parameter.domain.canonical())}"
            )
    bits = output_bits(instance, certificate.values)
    if bits > EXACT_BITS_LIMIT:
        return Verdict(
            False if violations else None,
            None,
            tuple(violations),
            "domain check" if violations else "none",
            instance.threshold,
            reason=None
            if violations
            else f"values of up to {bits} bits are past the limit of exact evaluation",
        )
    try:
        loss, trace = exact_loss(instance, certificate.values)
    except OverflowError as error:
        return Verdict(
            False if violations else None,
            None,
            tuple(violations),
            "domain check" if violations else "none",
            instance.threshold,
            reason=None if violations else str(error),
        )
    if instance.threshold is not None and loss > instance.threshold:
        shown = str(write_value(loss)) if not isinstance(loss, mpq) or _bits(loss) < 400 else "loss"
        violations.append(f"{shown} is greater than {write_rational(instance.threshold)}")
    algebraic = any(not isinstance(v, mpq) for v in certificate.values)
    method = "exact evaluation" + (" in a number field" if algebraic else "") + " (proved)"
    return Verdict(
        not violations, loss, tuple(violations), method, instance.threshold, trace.layers
    )


def exact_loss(instance: Instance, values: tuple[Value, ...]) -> tuple[Value, BitTrace]:
    """L(θ) and the bit-lengths met, exactly.

    Raises:
        AlgebraicLimitError: (an ``OverflowError``) the number field of algebraic parameters is too
            large.
    """
    point: tuple[Any, ...] = values
    if any(not isinstance(v, mpq) for v in values):
        from ermbit_instances.number_field import NumberField

        irrational = [v for v in values if not isinstance(v, mpq)]
        field = NumberField.containing(irrational)
        point = tuple(v if isinstance(v, mpq) else field.element(v) for v in values)
    trace = BitTrace()
    targets = instance.data.y
    losses = []
    # Samples of weight zero cannot count, whatever their loss.
    weights = instance.data.weights
    for x, y, weight in zip(instance.data.x, targets, weights, strict=True):
        if weight == 0:
            losses.append(mpq(0))
            continue
        losses.append(instance.loss.sample(evaluate_sample(instance.network, x, point, trace), y))
    loss = instance.loss.reduce(losses, weights)
    if not isinstance(loss, mpq):
        rational = loss.as_rational()
        loss = loss.to_algebraic() if rational is None else rational
    return loss, trace


def describe_domain(form: dict[str, Any]) -> str:
    """A domain in words: ``integer -2..2``, ``rational with 3 bits``, …"""
    kind = form["domain"]
    if kind == "integer":
        tail = "" if form["denominator"] == 1 else f" over {form['denominator']}"
        return f"integer {form['low']}..{form['high']}{tail}"
    if kind == "fixed_point":
        sign = "signed" if form["signed"] else "unsigned"
        return f"fixed_point {sign} {form['bits']} bits, {form['fraction_bits']} after the point"
    if kind == "finite":
        shown = ", ".join(str(v) for v in form["values"][:8])
        return "{" + shown + (", ...}" if len(form["values"]) > 8 else "}")
    if kind == "rational":
        return f"rational with {form['bits']} bits"
    return str(form.get("format", kind))
