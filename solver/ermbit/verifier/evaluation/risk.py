"""The empirical risk L(θ) and its gradient, over any arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gmpy2 import mpq

from ermbit.verifier.evaluation.arithmetic import Arithmetic, check_time
from ermbit.verifier.evaluation.backpropagation import backward
from ermbit.verifier.evaluation.evaluate import BitTrace, Forward, Unit, forward, prepare
from ermbit.verifier.evaluation.sample_loss import SampleLoss, TotalLoss, sample_loss, total_loss
from ermbit_instances.instance import Instance

_ZERO = mpq(0)


@dataclass(frozen=True, slots=True)
class Kink:
    """A place where no rule yields the derivative, so that a convention was used.

    Attributes:
        where: the neuron's label, or ``"loss"``.
        sample: index of the sample, from 0; −1 for the reduction over all.
        what: happened there.
    """

    where: str
    sample: int
    what: str


@dataclass(frozen=True, slots=True)
class RiskGradient:
    """L and its partial derivatives.

    Attributes:
        loss: L(θ).
        partials: ∂L/∂θ_p by parameter number; those that are trivially 0 are missing.
        kinks: where a convention was used.
    """

    loss: Any
    partials: dict[int, Any]
    kinks: tuple[Kink, ...]


def risk(
    instance: Instance,
    values: Sequence[Any],
    arithmetic: Arithmetic,
    trace: BitTrace | None = None,
    deadline: float | None = None,
) -> Any:
    """L(θ).

    Args:
        instance: network, data, loss; domains and threshold play no role.
        values: θ by parameter number.
        arithmetic: what to compute in.
        trace: collects bit-lengths if given (exact arithmetic only).
        deadline: by the monotonic clock, in seconds; looked at before every sample.

    Raises:
        Straddle: the arithmetic cannot tell a sign.
        OutOfTime: the deadline has passed.
    """
    units = prepare(instance.network, values, arithmetic)
    losses = [
        None
        if weight == 0  # such a sample cannot count, whatever its loss
        else _sample(instance, units, i, arithmetic, trace, deadline)[1].value
        for i, weight in enumerate(instance.data.weights)
    ]
    return total_loss(instance.loss, losses, instance.data.weights, arithmetic).value


def risk_gradient(
    instance: Instance,
    values: Sequence[Any],
    arithmetic: Arithmetic,
    *,
    wanted: Callable[[int], bool] = lambda parameter: True,
    trace: BitTrace | None = None,
    see: Callable[[int, Any], None] | None = None,
    deadline: float | None = None,
) -> RiskGradient:
    """L(θ) and ∂L/∂θ by backpropagation (docs/theory.md A6).

    Args:
        instance, values, arithmetic, trace: as for :func:`risk`.
        wanted: of which parameters, by number.
        see: is called with (layer, δ) for every error signal.
        deadline: as for :func:`risk`.
    """
    units = prepare(instance.network, values, arithmetic)
    weights = instance.data.weights
    partials: dict[int, Any] = {}
    kinks: list[Kink] = []

    def add(parameter: int, summand: Any) -> None:
        known = partials.get(parameter)
        partials[parameter] = summand if known is None else known + summand

    def back(i: int, way: Forward, lost: SampleLoss, factor: Any) -> None:
        kinks.extend(_kinks(units, way, lost, i))
        slopes = [None if s is None else factor * s for s in lost.slopes]
        if any(s is not None for s in slopes):
            backward(units, way, instance.network.outputs, slopes, arithmetic, add, wanted, see)

    if instance.loss.reduction == "max":
        losses = [
            None
            if weight == 0
            else _sample(instance, units, i, arithmetic, trace, deadline)[1].value
            for i, weight in enumerate(weights)
        ]
        total = total_loss(instance.loss, losses, weights, arithmetic)
        best = next(i for i, factor in enumerate(total.factors) if factor is not None)
        back(best, *_sample(instance, units, best, arithmetic, None), total.factors[best])
        if total.tied:
            kinks.append(Kink("loss", -1, "the largest loss is attained by several samples"))
        return RiskGradient(total.value, partials, tuple(kinks))
    # The factors of mean and sum do not depend on the losses.
    zero = arithmetic.constant(_ZERO)
    factors = total_loss(instance.loss, [zero] * len(weights), weights, arithmetic).factors
    losses = []
    for i, factor in enumerate(factors):
        if factor is None:
            losses.append(None)
            continue
        way, lost = _sample(instance, units, i, arithmetic, trace, deadline)
        losses.append(lost.value)
        back(i, way, lost, factor)
    total = total_loss(instance.loss, losses, weights, arithmetic)
    return RiskGradient(total.value, partials, tuple(kinks))


def _sample(
    instance: Instance,
    units: Sequence[Unit],
    i: int,
    arithmetic: Arithmetic,
    trace: BitTrace | None,
    deadline: float | None = None,
) -> tuple[Forward, SampleLoss]:
    check_time(deadline)
    x = [arithmetic.constant(v) for v in instance.data.x[i]]
    way = forward(units, x, arithmetic, i, trace)
    outputs = [way.signals[node] for node in instance.network.outputs]
    return way, sample_loss(instance.loss, outputs, instance.data.y[i], arithmetic, i)


def _kinks(units: Sequence[Unit], way: Forward, lost: SampleLoss, sample: int) -> list[Kink]:
    kinks = []
    for unit, tie in zip(units, way.ties, strict=True):
        if tie >= 0:
            what = (
                "several inputs attain the maximum"
                if unit.kind == "max"
                else f"the pre-activation is exactly at a breakpoint of {unit.name}"
            )
            kinks.append(Kink(unit.label, sample, what))
    kinks += [Kink("loss", sample, what) for what in lost.ties]
    return kinks


__all__ = ["Kink", "RiskGradient", "TotalLoss", "risk", "risk_gradient"]
