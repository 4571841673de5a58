"""The loss as a function of sums of table vectors, and its least value over boxes.

With s_i = y_i F_i for labels ±1 (and s_i = F_i for regression) every loss is a function of the gap
τ_i − s_i: its absolute value or square (regression), or what of it is positive (``hinge``: τ = S)
or whether it is (``zero_one``: τ = the margin). So a label is multiplied into the tables, and the
least loss over a box of s is separable (docs/theory.md E2). With k classes there is a gap for each
of the k − 1 rivals of the right class, s = F_y − F_j, and the largest one counts; with several
targets the costs of a sample's gaps are added up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ermbit.engines.tables.build import Array
from ermbit_encodings.integer_form import IntegerForm

Cost = Literal["linear", "square", "count"]


@dataclass(frozen=True, slots=True)
class GapLoss:
    """A loss of gaps.

    Attributes:
        signs: what the outputs' columns are multiplied by, ±1.
        rivals: for k classes, the columns that s is the difference of, else ``None``.
        target: τ by gap, without the constant part of the network.
        groups: gaps of one sample; column g · N + i is the g-th gap of sample i.
        weights: ŵ by sample, of the type that totals are computed in.
        two_sided: negative gaps cost as well.
        cost, largest: cost of a gap; whether the largest counts, not the sum.
        even: all weights are 1.
    """

    signs: Array
    rivals: tuple[Array, Array] | None
    target: Array
    groups: int
    weights: Array
    two_sided: bool
    cost: Cost
    largest: bool
    even: bool

    def columns(self, vectors: Array) -> Array:
        """What s gets from the outputs' vectors, (rows, outputs times samples)."""
        if self.rivals is None:
            return vectors * self.signs
        right, wrong = self.rivals
        return np.asarray(vectors[:, right] - vectors[:, wrong])

    @property
    def column_weights(self) -> Array:
        """ŵ by gap."""
        return np.tile(self.weights, self.groups)

    def least(self, reached: Array) -> Array:
        """Lower bounds on the total, exact for points.

        Args:
            reached: (columns or twice as many, boxes): greatest s by sample, then the negated least
                s if the loss is two-sided. It is overwritten.
        """
        n = self.target.size
        aim = self.target[:, None]
        gap = reached[:n]
        np.subtract(aim, gap, out=gap)
        if self.cost == "count":
            return self._reduced(gap > 0)
        if self.two_sided:
            other = reached[n:]
            np.add(other, aim, out=other)
            np.negative(other, out=other)
            np.maximum(gap, other, out=gap)
        np.maximum(gap, 0, out=gap)
        if self.cost == "square":
            gap = gap.astype(self.weights.dtype)
            gap *= gap
        return self._reduced(gap)

    def _reduced(self, costs: Array) -> Array:
        """Weighted sum or maximum over the samples."""
        kind = self.weights.dtype
        if self.groups > 1:
            costs = costs.reshape(self.groups, self.weights.size, -1)
            costs = costs.sum(axis=0, dtype=kind) if self.two_sided else costs.max(axis=0)
        if not self.even:
            costs = costs * self.weights[:, None]
        if self.largest:
            return np.asarray(costs.max(axis=0)).astype(kind)
        if costs.dtype == bool and costs.shape[0] < 255:
            return np.asarray(costs.view(np.uint8).sum(axis=0, dtype=np.uint8)).astype(kind)
        return np.asarray(costs.sum(axis=0, dtype=kind))

    def totals(self, sums: Array) -> Array:
        """Totals of points s, (columns, points); the sums are overwritten."""
        if self.two_sided:
            return self.least(np.concatenate([sums, -sums]))
        return self.least(sums)


def gap_loss(form: IntegerForm, constants: Sequence[int], reach: int) -> GapLoss | None:
    """The loss of a form, or ``None`` if its totals do not fit 64 bits.

    Args:
        form: the form.
        constants: by output, the part of F that depends on nothing.
        reach: no gap, and no part of one, exceeds this.
    """
    name = form.instance.loss.name
    outputs, samples = len(constants), len(form.targets)
    largest = form.instance.loss.reduction == "max"
    regression = name in ("absolute", "squared")
    kind = vector_type(reach)
    rivals = None
    groups = outputs
    shifts = [constant for constant in constants for _ in range(samples)]
    signs = [1] * (outputs * samples)
    if regression:
        aims = [row[o] for o in range(outputs) for row in form.targets]
    else:
        if outputs == 1:
            signs = [row[0] for row in form.targets]
            shifts = [s * c for s, c in zip(signs, shifts, strict=True)]
        else:
            groups = outputs - 1
            labels = [row[0] for row in form.targets] * groups
            others = [j + (j >= row[0]) for j in range(groups) for row in form.targets]
            place = np.tile(np.arange(samples), groups)
            rivals = (np.array(labels) * samples + place, np.array(others) * samples + place)
            shifts = [constants[y] - constants[j] for y, j in zip(labels, others, strict=True)]
        aims = [form.scale if name == "hinge" else form.margin] * len(shifts)
    worst = {"squared": reach**2, "zero_one": 1}.get(name, reach)
    total = worst * groups * sum(form.weights)
    if max(total, 2 * reach) >= 2**62:
        return None
    cost: Cost = {"squared": "square", "zero_one": "count"}.get(name, "linear")  # type: ignore[assignment]
    return GapLoss(
        np.array(signs, dtype=kind),
        rivals,
        np.array([a - c for a, c in zip(aims, shifts, strict=True)], dtype=kind),
        groups,
        np.array(form.weights, dtype=np.int32 if total < 2**31 else np.int64),
        regression,
        cost,
        largest,
        all(w == 1 for w in form.weights),
    )


def vector_type(reach: int) -> type:
    """The element type for sums of vectors whose gaps never exceed a bound."""
    if 2 * reach < 2**15:
        return np.int16
    return np.int32 if 2 * reach < 2**31 else np.int64
