"""Losses of samples from float64 outputs with radii: centres and proved radii.

Rounding is treated as in :mod:`ermbit.verifier.bulk.filter`: none on a common grid (docs/theory.md
E7), otherwise bounds with the factor UP for their own rounding.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Any

from ermbit.verifier.bulk.float_table import TINY, UNIT, UP, Signals, fits, round_up
from ermbit_instances.loss import Loss

if TYPE_CHECKING:
    import numpy as np

Enclosures = tuple["np.ndarray[Any, Any]", "np.ndarray[Any, Any]"]
"""Centres and radii, one a sample."""


def enclose_losses(
    loss: Loss, outputs: Signals, targets: Signals, *, safety: float = 1.0
) -> Enclosures:
    """Centres ≥ 0 and radii of ℓ(f, y); an infinite radius has centre 0.

    For ``zero_one`` a radius is 0 (certainly right: 0, certainly wrong: 1) or infinite.

    Args:
        loss: the loss; its reduction does not matter here.
        outputs: f, samples × outputs.
        targets: y, samples × outputs, or × 1 labels for classification.
        safety: factor on the rounding errors, as for the filter.
    """
    import numpy as np

    with np.errstate(all="ignore"):
        if loss.is_classification:
            value, radius = _classification(loss, outputs, targets, safety)
        else:
            value, radius = _regression(loss, outputs, targets, safety)
        known = (radius < inf) & np.isfinite(value)
        return np.where(known, value, 0.0), np.where(known, radius, inf)


def _classification(loss: Loss, outputs: Signals, labels: Signals, safety: float) -> Enclosures:
    import numpy as np

    score, slack, exact = _score(outputs, labels)
    magnitude = np.abs(score)
    rounding = 0.0 if exact else safety * (2 * UNIT * magnitude + TINY)
    if loss.name == "hinge":
        value = np.maximum(1.0 - score, 0.0)
        grid = None if outputs.exponent is None else min(outputs.exponent, 0)
        if exact and fits((2 * outputs.bound + 1) * UP, grid):
            return value, np.where(slack > 0, slack * UP, 0.0)
        return value, (slack + safety * (4 * UNIT * (magnitude + 1.0) + TINY)) * UP
    if loss.margin > 0:
        # A float is at least the margin iff it is at least the margin rounded up.
        margin = round_up(loss.margin)
        right = score >= margin
        width = (slack + rounding + safety * (4 * UNIT * margin + TINY)) * UP
        certain = np.abs(score - margin) > width
        if exact:
            certain |= slack == 0
    else:
        # A difference of floats is rounded, but its sign is right, and 0 means equal.
        right = score > 0
        certain = (slack == 0) | (magnitude > slack * UP)
    return np.where(right, 0.0, 1.0), np.where(certain & np.isfinite(magnitude), 0.0, inf)


def _score(outputs: Signals, labels: Signals) -> tuple[Any, Any, bool]:
    """The score y·f or f_y − max f_j, the radius that ρ gives it, and whether it is not rounded."""
    import numpy as np

    f = outputs.values
    if f.shape[1] == 1:
        return f[:, 0] * labels.values[:, 0], outputs.radius, True
    rows, label = np.arange(len(f)), labels.values[:, 0].astype(np.int64)
    own = f[rows, label]
    others = f.copy()
    others[rows, label] = -inf
    # Both ends of the difference err by at most ρ.
    score = own - others.max(axis=1)
    return score, 2.0 * outputs.radius, fits(2 * outputs.bound, outputs.exponent)


def _regression(loss: Loss, outputs: Signals, targets: Signals, safety: float) -> Enclosures:
    import numpy as np

    residual = outputs.values - targets.values
    width = residual.shape[1]
    radius = (outputs.radius + targets.radius) * UP
    grid = None
    if outputs.exponent is not None and targets.exponent is not None:
        grid = min(outputs.exponent, targets.exponent)
    bound = (outputs.bound + targets.bound) * UP
    if loss.name == "absolute":
        value = np.abs(residual).sum(axis=1)
        error = width**0.5 * radius
        exact = fits(width * bound * UP, grid)
    else:
        value = np.einsum("ij,ij->i", residual, residual)
        # ‖residual‖, whatever underflow took from its square, with its own rounding.
        norm = np.sqrt(value) * UP + width * 2.0**-500
        shift = radius if grid is not None and fits(bound, grid) else radius + 2 * UNIT * norm
        error = shift * (2 * norm + shift)
        exact = fits(width * bound * bound * UP, None if grid is None else 2 * grid)
    if not exact:
        error = error + safety * ((width + 4) * UNIT * value + width * TINY)
    else:
        # Products of small radii underflow.
        error = np.where(radius > 0, error + TINY, error)
    return value, np.where(error > 0, error * UP, error)
