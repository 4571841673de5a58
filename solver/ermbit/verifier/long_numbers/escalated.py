"""Comparing a loss that is too long to be computed with γ, by escalation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gmpy2 import mpq

from ermbit.verifier.evaluation.arithmetic import Arithmetic, Place
from ermbit.verifier.evaluation.risk import risk
from ermbit.verifier.long_numbers.balls import BallArithmetic, ball_bits
from ermbit.verifier.long_numbers.bit_query import bits_of, leading_bits
from ermbit.verifier.long_numbers.denominators import instance_base
from ermbit.verifier.long_numbers.escalation import Limits, Settled, deadline_after, escalate
from ermbit.verifier.question import Question
from ermbit.verifier.verdict import Verdict
from ermbit_instances.instance import Instance
from ermbit_instances.rational import Rational, write_rational

_TOTAL = Place("threshold", -1)


def escalated_verdict(
    instance: Instance, values: Sequence[Rational], question: Question, precision: int
) -> Verdict:
    """Compare the loss of a polynomial network with γ, and find the bits that were asked for.

    Args:
        instance: with polynomial activations.
        values: θ by parameter number, rational.
        question: what else to find out, and the deadline.
        precision: bits of the longest mantissa.
    """
    base = instance_base(instance, values)
    limits = Limits(precision, deadline_after(question.timeout))
    threshold = instance.threshold

    def compute(arithmetic: Arithmetic) -> Any:
        return risk(instance, values, arithmetic)

    def compare(arithmetic: BallArithmetic) -> tuple[int, str | None]:
        loss = compute(arithmetic)
        if threshold is None:
            return 0, _size(loss.ball)
        above = arithmetic.sign(loss - arithmetic.constant(threshold), _TOTAL)
        return above, _size(loss.ball)

    accepted: bool | None
    violations: tuple[str, ...]
    if threshold is not None and threshold < 0:
        line = f"the loss is not negative, {write_rational(threshold)} is"
        accepted, violations, reason, size = False, (line,), None, None
        method = "no loss is negative (proved)"
    else:
        settled = escalate(
            compare,
            base,
            limits,
            enough=lambda place: threshold == 0 and _shows_a_loss(instance, place),
        )
        accepted, violations, reason = _read(instance, settled)
        size = _known_size(settled)
        method = settled.method
        if threshold is None and not settled.proved:
            # The loss plays no part in the verdict, so its method may not stand beside it.
            method = "only domains decide (proved)"
            size = size or f"not computed: {settled.reason}"
    bits = leading = None
    if question.bit is not None:
        bits = bits_of(compute, *question.bit, base, limits)
    if question.leading is not None:
        leading = leading_bits(compute, question.leading, base, limits)
    return Verdict(
        accepted,
        mpq(0) if accepted and threshold == 0 else None,
        violations,
        method,
        threshold,
        reason=reason,
        size=size,
        loss_bits=bits,
        leading=leading,
    )


def _read(
    instance: Instance, settled: Settled[tuple[int, str | None]]
) -> tuple[bool | None, tuple[str, ...], str | None]:
    """Accepted or not, violations, and the reason where that is open."""
    threshold = instance.threshold
    if threshold is None:
        return True, (), None
    shown = write_rational(threshold)
    if settled.result is None:
        if settled.differs and threshold == 0 and _shows_a_loss(instance, settled.place):
            line = f"the loss is greater than 0: a residue at the {settled.place} is not 0"
            return False, (line,), None
        return None, (), settled.reason
    above = settled.result[0]
    if settled.proved:
        if above <= 0:
            return True, (), None
        return False, (f"the loss is greater than {shown}",), None
    relation = {-1: "less than", 0: "equal to", 1: "greater than"}[above]
    return (
        None,
        (),
        f"the loss is {relation} {shown} with an error of at most 2^-{settled.error_bits}: "
        "this is no proof, and a proof is past the limits",
    )


def _shows_a_loss(instance: Instance, place: Place | None) -> bool:
    """Whether a number there that is not 0 makes the loss positive."""
    if place is None:
        return False
    if place.where == _TOTAL.where:
        return True
    # Signs asked of an absolute loss are those of residuals.
    return (
        instance.loss.name == "absolute"
        and place.where == "loss"
        and place.sample >= 0
        and instance.data.weights[place.sample] > 0
    )


def _known_size(settled: Settled[tuple[int, str | None]]) -> str | None:
    """How large the loss is, in words, and how far that is proved."""
    if settled.result is None or settled.proved:
        return None if settled.result is None else settled.result[1]
    return f"{settled.result[1] or 0} with an error of at most 2^-{settled.error_bits}"


def _size(ball: Any) -> str | None:
    """How large the loss is, in words."""
    if ball.is_exact() and ball.is_zero():
        return None
    bits = ball_bits(ball)
    if bits is None:
        return None
    if abs(bits) <= 10_000 and ball.rel_accuracy_bits() >= 48:
        return f"about {ball.mid().str(12, radius=False)}"
    return f"below 2^{bits}"
