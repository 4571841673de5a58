"""Verification of a certificate: domains, exact loss, exact comparison with the threshold.

The trust kernel: it imports floor 1 and nothing of how a certificate was found. Every ``sat`` that
ermbit prints has passed through :func:`verify` with the instance read again from its file.

The loss is compared with γ by the cheapest of these that settles it, each of them a proof:

* exact rationals (or one number field), for all that is small: the loss is then known as well;
* for networks of real size (polynomial ones: whose numbers stay short) a floating-point pass with a
  proved error bound, and exact integers where that does not decide
  (:mod:`~ermbit.verifier.bulk.filtered`);
* for polynomial networks whose numbers grow too long, ball arithmetic with growing precision, where
  a residue modulo a random prime tells what only *looks* like 0
  (:mod:`~ermbit.verifier.long_numbers.escalation`). Only this one can end undecided.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gmpy2 import mpq

from ermbit.verifier.evaluation.arithmetic import EXACT, OutOfTime
from ermbit.verifier.evaluation.evaluate import BitTrace
from ermbit.verifier.evaluation.growth import output_bits
from ermbit.verifier.evaluation.risk import risk
from ermbit.verifier.long_numbers.bit_query import Bits, rational_bits, rational_leading
from ermbit.verifier.long_numbers.escalated import escalated_verdict
from ermbit.verifier.long_numbers.escalation import deadline_after
from ermbit.verifier.membership import domain_violations
from ermbit.verifier.question import COMPARISON, Question
from ermbit.verifier.resources import ball_limits
from ermbit.verifier.verdict import Verdict, rounded
from ermbit_instances.certificate import (
    Certificate,
    Value,
    load_certificate,
    parse_certificate,
    write_value,
)
from ermbit_instances.errors import UsageError
from ermbit_instances.instance import Instance
from ermbit_instances.rational import write_rational

EXACT_BITS = 2**20
"""Up to this size, in bits, numbers of polynomial networks are evaluated exactly at once."""

EXACT_WORK = 2_000_000
"""Up to this many products a network is evaluated in plain rationals (seconds)."""

FILTER_BITS = 2**17
"""Up to this size, in bits, larger polynomial networks are filtered: exact integers are faster than
rationals up to about four times this size, and the filter decides up to about this size."""


def verify(
    instance: Instance,
    certificate: Certificate | Mapping[str, Any] | str | Path,
    question: Question = COMPARISON,
) -> Verdict:
    """Decide exactly whether a certificate proves the instance ``sat``.

    Args:
        instance: the question.
        certificate: a :class:`Certificate`, a certificate document or mapping of parameters, or
            the path of a certificate file (JSON, NPZ, ONNX).
        question: what else to find out about the loss, and limits.

    Returns:
        ``accepted`` iff every parameter lies in its domain and L(θ) ≤ γ (with no threshold: iff
        the domains hold). Undecided only for polynomial networks whose values are too large.

    Raises:
        InputError: the certificate does not fit the network.
        UsageError: bits of an algebraic loss are asked for.
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
    violations += domain_violations(instance, certificate)
    verdict = _compare(instance, certificate.values, question)
    violations += verdict.violations
    if violations and verdict.accepted is None:
        verdict = replace(verdict, method="domain check (proved)", reason=None)
    accepted = False if violations else verdict.accepted
    return replace(
        verdict,
        accepted=accepted,
        violations=tuple(violations),
        notes=certificate.notes,
    )


def exact_loss(
    instance: Instance, values: Sequence[Value], deadline: float | None = None
) -> tuple[Value, BitTrace]:
    """L(θ) and the bit-lengths met, exactly.

    Raises:
        OutOfTime: the deadline (by the monotonic clock, in seconds) has passed.
        AlgebraicLimitError: (an ``OverflowError``) the number field of algebraic parameters is too
            large.
    """
    point: Sequence[Any] = values
    irrational = [v for v in values if not isinstance(v, mpq)]
    if irrational:
        from ermbit_instances.number_field import NumberField

        field = NumberField.containing(irrational)
        point = tuple(v if isinstance(v, mpq) else field.element(v) for v in values)
    trace = BitTrace()
    loss = risk(instance, point, EXACT, trace, deadline)
    if not isinstance(loss, mpq):
        rational = loss.as_rational()
        loss = loss.to_algebraic() if rational is None else rational
    return loss, trace


def _compare(instance: Instance, values: Sequence[Value], question: Question) -> Verdict:
    """The verdict as far as the loss goes."""
    deadline = deadline_after(question.timeout)
    polynomial = any(y.activation.kind == "polynomial" for y in instance.network.layers)
    algebraic = not _is_array(values) and any(not isinstance(v, mpq) for v in values)
    large = instance.network.edge_count * len(instance.data) > EXACT_WORK
    if not polynomial and not algebraic:
        if large:
            return _filtered(instance, values, question, deadline)
        return _exact(instance, values, question, deadline)
    bits = output_bits(instance, values)
    if large and not algebraic and bits <= FILTER_BITS:
        return _filtered(instance, values, question, deadline)
    limit = ball_limits(instance, question.memory)
    if bits <= (max(EXACT_BITS, limit) if question.exact_loss or algebraic else EXACT_BITS):
        return _exact(instance, values, question, deadline)
    if algebraic:
        reason = f"values of up to {bits} bits are past the limit of exact evaluation"
        return _open(instance, question, reason)
    return escalated_verdict(instance, values, question, limit)


def _is_array(values: Sequence[Value]) -> bool:
    return getattr(values, "array", None) is not None


def _judged(instance: Instance, loss: Value) -> tuple[bool, tuple[str, ...]]:
    """Whether L ≤ γ, and the line that says so if not."""
    if instance.threshold is None or loss <= instance.threshold:
        return True, ()
    short = not isinstance(loss, mpq) or loss.numerator.bit_length() < 400
    shown = str(write_value(loss)) if short else "loss"
    return False, (f"{shown} is greater than {write_rational(instance.threshold)}",)


def _open(instance: Instance, question: Question, reason: str) -> Verdict:
    """What can be said without the loss."""
    threshold = instance.threshold
    size = f"not computed: {reason}"
    if threshold is None:
        verdict = Verdict(True, None, (), "only domains decide (proved)", None, size=size)
    elif threshold < 0:
        line = f"the loss is not negative, {write_rational(threshold)} is"
        verdict = Verdict(False, None, (line,), "no loss is negative (proved)", threshold)
    else:
        verdict = Verdict(None, None, (), "none", threshold, reason=reason)
    bits, leading = _no_bits(question, reason)
    return replace(verdict, loss_bits=bits, leading=leading)


def _no_bits(question: Question, reason: str) -> tuple[Bits | None, Bits | None]:
    """The bits that are asked for, all undecided."""
    bits = leading = None
    if question.bit is not None:
        bits = Bits(*question.bit, None, "none", reason)
    if question.leading is not None:
        leading = Bits(0, question.leading, None, "none", reason)
    return bits, leading


# ---------------------------------------------------------------- exact


def _exact(
    instance: Instance, values: Sequence[Value], question: Question, deadline: float | None
) -> Verdict:
    try:
        loss, trace = exact_loss(instance, values, deadline)
    except (OutOfTime, OverflowError) as error:
        return _open(instance, question, str(error))
    accepted, violations = _judged(instance, loss)
    algebraic = not _is_array(values) and any(not isinstance(v, mpq) for v in values)
    field = " in a number field" if algebraic else ""
    method = f"exact evaluation{field} (proved)"
    bits, leading = _exact_bits(loss, question, method)
    return Verdict(
        accepted,
        loss,
        violations,
        method,
        instance.threshold,
        trace.layers,
        loss_bits=bits,
        leading=leading,
    )


def _exact_bits(loss: Value, question: Question, method: str) -> tuple[Bits | None, Bits | None]:
    if question.bit is None and question.leading is None:
        return None, None
    if not isinstance(loss, mpq):
        raise UsageError("bits are given of rational losses only")
    bits = None if question.bit is None else rational_bits(loss, *question.bit, method)
    leading = None
    if question.leading is not None:
        leading = rational_leading(loss, question.leading, method)
    return bits, leading


# ---------------------------------------------------------------- filtered


def _filtered(
    instance: Instance, values: Sequence[Value], question: Question, deadline: float | None
) -> Verdict:
    from ermbit.verifier.bulk.filtered import filtered_loss

    whole = question.exact_loss or question.bit is not None or question.leading is not None
    try:
        found = filtered_loss(instance, values, exact=whole, deadline=deadline)
    except OutOfTime as end:
        return _open(instance, question, str(end))
    bits, leading = _no_bits(question, "time limit")
    if found.loss is not None:
        accepted, violations = _judged(instance, found.loss)
        bits, leading = _exact_bits(found.loss, question, found.method)
    elif found.above:
        assert instance.threshold is not None
        accepted, threshold = False, write_rational(instance.threshold)
        violations = (f"the loss is at least {rounded(found.low)}, more than {threshold}",)
    else:
        accepted, violations = True, ()
    return Verdict(
        accepted,
        found.loss,
        violations,
        found.method,
        instance.threshold,
        bounds=None if found.loss is not None else (found.low, found.high),
        loss_bits=bits,
        leading=leading,
    )
