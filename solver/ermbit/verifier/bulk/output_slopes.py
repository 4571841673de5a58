"""Losses of a chunk of samples and ∂L/∂f, by exact integers (docs/theory.md A5, A6).

The conventions are those of :mod:`ermbit.verifier.evaluation.sample_loss`. Outputs are integers
over one denominator, so signs are theirs. Sums of losses need no loss of a single sample: with δ =
∂L/∂f and residuals r, Σ w_i ℓ_i is ½⟨δ, r⟩ for ``squared``, ⟨δ, r⟩ for ``absolute``, and the sum of
the factors of samples inside the margin plus ⟨δ, f⟩ for ``hinge``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gmpy2 import mpq

from ermbit.verifier.bulk.exact_matrix import Scaled
from ermbit.verifier.bulk.limb_sums import inner, scaled_rows, total
from ermbit.verifier.bulk.limbs import affine, at_least, from_list, from_machine, to_objects
from ermbit_instances.loss import Loss
from ermbit_instances.rational import Rational

if TYPE_CHECKING:
    import numpy as np

_RESIDUAL = "a residual is zero"
_RIVALS = "two rival outputs are equal"
_CORNER = "the hinge is exactly at its corner"
_MARGIN = "the score is exactly at the margin"


@dataclass(frozen=True, slots=True)
class Factors:
    """How much each sample's loss counts in L: ``numerators`` / ``denominator``."""

    numerators: Sequence[int]
    denominator: int


@dataclass(frozen=True)
class OutputSlopes:
    """What a chunk of samples adds to L, and how.

    Attributes:
        loss: Σ factor · ℓ.
        slopes: ∂L/∂f, samples × outputs; ``None`` if all are 0.
        ties: samples × :func:`tie_words`: what had no derivative.
    """

    loss: Rational
    slopes: Scaled | None
    ties: np.ndarray[Any, Any]


def tie_words(loss: Loss, outputs: int) -> tuple[str, ...]:
    """What can have no derivative, in the order of reports."""
    return {
        "absolute": (_RESIDUAL,) * outputs,
        "squared": (),
        "hinge": (_RIVALS, _CORNER),
        "zero_one": (_MARGIN,),
    }[loss.name]


def output_slopes(loss: Loss, outputs: Scaled, targets: Scaled, factors: Factors) -> OutputSlopes:
    """Losses and their derivatives.

    Args:
        loss: its name and margin are used.
        outputs: f, samples × outputs.
        targets: y, samples × outputs, or × 1 labels.
        factors: of the samples, positive.
    """
    if loss.is_classification:
        return _classification(loss, outputs, targets, factors)
    return _regression(loss, outputs, targets, factors)


def _regression(loss: Loss, outputs: Scaled, targets: Scaled, factors: Factors) -> OutputSlopes:
    import numpy as np

    negative = Scaled(affine(targets.integers, -1, [0]), targets.denominator)
    residual = total([outputs, negative])
    unit = residual.denominator
    if loss.name == "squared":
        doubled = scaled_rows(residual.integers, [2 * f for f in factors.numerators])
        slopes = Scaled(doubled, factors.denominator * unit)
        value = mpq(inner(doubled, residual.integers), 2 * slopes.denominator * unit)
        return OutputSlopes(value, slopes, np.zeros((len(factors.numerators), 0), dtype=bool))
    positive, negated = at_least(residual.integers, 1), ~at_least(residual.integers, 0)
    signs = from_machine(positive.astype(np.int8) - negated.astype(np.int8))
    slopes = Scaled(scaled_rows(signs, factors.numerators), factors.denominator)
    value = mpq(inner(slopes.integers, residual.integers), slopes.denominator * unit)
    return OutputSlopes(value, slopes, ~(positive | negated))


def _classification(loss: Loss, outputs: Scaled, labels: Scaled, factors: Factors) -> OutputSlopes:
    import numpy as np

    f, y = to_objects(outputs.integers), to_objects(labels.integers)[:, 0]
    rows, unit = np.arange(len(f)), outputs.denominator
    factor = np.empty(len(f), dtype=object)
    factor[:] = list(factors.numerators)
    tied = np.zeros(len(f), dtype=bool)
    slopes = np.zeros(f.shape, dtype=object)
    if f.shape[1] == 1:
        # Labels are −1 and 1, so their denominator is 1.
        score = y * f[:, 0]
        slopes[:, 0] = -y * factor
    else:
        own = (y // labels.denominator).astype(np.int64)
        rivals = f.copy()
        rivals[rows, own] = -outputs.integers.bound - 1
        rival = rivals.argmax(axis=1)
        best = rivals[rows, rival]
        tied = (rivals == best[:, None]).sum(axis=1) > 1
        score = f[rows, own] - best
        slopes[rows, own], slopes[rows, rival] = -factor, factor
    if loss.name == "zero_one":
        margin = loss.margin * unit
        gap = score * int(margin.denominator) - int(margin.numerator)
        wrong = np.asarray(gap < 0 if loss.margin > 0 else gap <= 0, dtype=bool)
        value = mpq(sum(factor[wrong].tolist()), factors.denominator)
        return OutputSlopes(value, None, np.asarray(gap == 0, dtype=bool)[:, None])
    inside = np.asarray(score < unit, dtype=bool)
    slopes[~inside] = 0
    ties = np.stack([tied & inside, np.asarray(score == unit, dtype=bool)], axis=1)
    packed = from_list(slopes.reshape(-1).tolist(), slopes.shape)
    value = mpq(sum(factor[inside].tolist()), factors.denominator)
    value += mpq(inner(packed, outputs.integers), factors.denominator * unit)
    return OutputSlopes(value, Scaled(packed, factors.denominator), ties)
