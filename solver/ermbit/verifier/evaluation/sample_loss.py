"""Losses of one sample and of all, with their derivatives, over any arithmetic.

The values are those of :class:`ermbit_instances.loss.Loss`; the tests hold the two against each
other. Where a loss has a corner the slope is 0 (``absolute`` at residual 0, ``hinge`` at margin 1),
and of equal maxima the first one counts; both are reported as ties.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gmpy2 import mpq

from ermbit.verifier.evaluation.arithmetic import Arithmetic, Place
from ermbit_instances.loss import Loss
from ermbit_instances.rational import Rational

_ZERO, _ONE, _TWO = mpq(0), mpq(1), mpq(2)


@dataclass(frozen=True, slots=True)
class SampleLoss:
    """ℓ(f, y) and its derivative.

    Attributes:
        value: the loss.
        slopes: ∂ℓ/∂f_o by output, ``None`` for 0.
        ties: what had no derivative, in words.
    """

    value: Any
    slopes: tuple[Any, ...]
    ties: tuple[str, ...] = ()


def sample_loss(
    loss: Loss, outputs: Sequence[Any], y: Sequence[Rational], arithmetic: Arithmetic, sample: int
) -> SampleLoss:
    """ℓ(f, y) for one sample.

    Args:
        loss: which loss.
        outputs: f as numbers of the arithmetic.
        y: targets, or one label.
        arithmetic: decides signs.
        sample: index of the sample, for messages.

    Raises:
        Straddle: the arithmetic cannot tell a sign.
    """
    number = arithmetic.constant
    if loss.name in ("absolute", "squared"):
        residuals = [f - number(t) for f, t in zip(outputs, y, strict=True)]
        if loss.name == "squared":
            two = number(_TWO)
            return SampleLoss(
                _sum([r * r for r in residuals], number), tuple(two * r for r in residuals)
            )
        return _absolute(residuals, arithmetic, sample)
    place = Place("loss", sample)
    slopes: list[Any] = [None] * len(outputs)
    ties: list[str] = []
    if len(outputs) == 1:
        score = number(y[0]) * outputs[0]
        slopes[0] = number(y[0])
    else:
        label = int(y[0])
        others = [j for j in range(len(outputs)) if j != label]
        rival = others[0]
        tied = False
        for j in others[1:]:
            sign = arithmetic.sign(outputs[j] - outputs[rival], place)
            if sign > 0:
                rival, tied = j, False
            elif sign == 0:
                tied = True
        if tied:
            ties.append("two rival outputs are equal")
        score = outputs[label] - outputs[rival]
        slopes[label], slopes[rival] = number(_ONE), number(-_ONE)
    if loss.name == "hinge":
        value = number(_ONE) - score
        sign = arithmetic.sign(value, place)
        if sign == 0:
            return SampleLoss(
                number(_ZERO), (None,) * len(outputs), ("the hinge is exactly at its corner",)
            )
        if sign < 0:
            return SampleLoss(number(_ZERO), (None,) * len(outputs))
        return SampleLoss(value, tuple(None if s is None else -s for s in slopes), tuple(ties))
    sign = arithmetic.sign(score - number(loss.margin), place)
    right = sign >= 0 if loss.margin > 0 else sign > 0
    jump = ("the score is exactly at the margin",) if sign == 0 else ()
    return SampleLoss(number(_ZERO if right else _ONE), (None,) * len(outputs), jump)


def _absolute(residuals: Sequence[Any], arithmetic: Arithmetic, sample: int) -> SampleLoss:
    number = arithmetic.constant
    parts: list[Any] = []
    slopes: list[Any] = []
    ties: list[str] = []
    for residual in residuals:
        sign = arithmetic.sign(residual, Place("loss", sample))
        if sign == 0:
            ties.append("a residual is zero")
            slopes.append(None)
            continue
        parts.append(residual if sign > 0 else -residual)
        slopes.append(number(mpq(sign)))
    return SampleLoss(_sum(parts, number), tuple(slopes), tuple(ties))


def _sum(parts: Sequence[Any], number: Any) -> Any:
    if not parts:
        return number(_ZERO)
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


@dataclass(frozen=True, slots=True)
class TotalLoss:
    """L and how much each sample's loss counts in it.

    Attributes:
        value: L(θ).
        factors: ∂L/∂ℓ_i by sample, ``None`` for 0.
        tied: the maximum of the ``max`` reduction is attained twice.
    """

    value: Any
    factors: tuple[Any, ...]
    tied: bool = False


def total_loss(
    loss: Loss, losses: Sequence[Any], weights: Sequence[Rational], arithmetic: Arithmetic
) -> TotalLoss:
    """L from the sample losses.

    Args:
        loss: its reduction is used.
        losses: by sample; those of weight 0 do not count and may be anything.
        weights: of the samples.
        arithmetic: decides which is largest.
    """
    number = arithmetic.constant
    counting = [i for i, w in enumerate(weights) if w != 0]
    factors: list[Any] = [None] * len(losses)
    if loss.reduction == "max":
        best, value, tied = counting[0], number(weights[counting[0]]) * losses[counting[0]], False
        for i in counting[1:]:
            term = number(weights[i]) * losses[i]
            sign = arithmetic.sign(term - value, Place("loss", -1))
            if sign > 0:
                best, value, tied = i, term, False
            elif sign == 0:
                tied = True
        factors[best] = number(weights[best])
        return TotalLoss(value, tuple(factors), tied)
    total = sum((weights[i] for i in counting), _ZERO) if loss.reduction == "mean" else _ONE
    scale = {w: number(w / total) for w in {weights[i] for i in counting}}
    parts = []
    for i in counting:
        factors[i] = scale[weights[i]]
        parts.append(factors[i] * losses[i])
    return TotalLoss(_sum(parts, number), tuple(factors))
