"""What a choice of dichotomies costs at least: samples that no unit tells apart get one output.

The choices split the samples into groups of equal outputs. If every group had a free output of its
own, the loss would be a sum of losses around medians, means or majorities: a lower bound, computed
for many choices at once. It is exact where the groups' outputs are independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import lcm
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ermbit_instances.loss import Loss
from ermbit_instances.rational import Rational

Sides = NDArray[np.bool_]

EXACT_FLOAT = 2**52
"""Integers below this are exact in float64, with their sums of two."""

SLACK = 1e-12
"""Relative error that is allowed for in the one bound that divides (``squared``)."""


@dataclass(frozen=True)
class GroupBound:
    """Lower bounds on the total loss.

    Attributes:
        order: samples by target.
        targets: integers S·(y − fixed part), in that order.
        weights: of the samples in that order.
        scale: the bound is in units of 1/scale of the total loss.
        loss: of the instance.
        blind: nothing is bounded: outputs of a group differ.
    """

    order: NDArray[np.int64]
    targets: NDArray[np.int64]
    weights: NDArray[np.int64]
    scale: int
    loss: Loss
    blind: bool

    def of(self, codes: NDArray[np.int64], groups: int) -> NDArray[Any]:
        """Bounds for many choices.

        Args:
            codes: T × N, the group of each sample, in the order of the samples.
            groups: number of groups.

        Returns:
            T bounds in units of 1/scale, never above the true total.
        """
        if self.blind:
            return np.zeros(len(codes), dtype=np.int64)
        codes = codes[:, self.order]
        largest = self.loss.reduction == "max"
        total: Any = np.zeros(len(codes), dtype=np.int64)
        for group in range(groups):
            inside = codes == group
            cost = self._group(inside)
            total = np.maximum(total, cost) if largest else total + cost
        return np.asarray(total)

    def _group(self, inside: Sides) -> NDArray[Any]:
        name, largest = self.loss.name, self.loss.reduction == "max"
        if name in ("zero_one", "hinge"):
            return self._minority(inside, name, largest)
        if largest:
            return self._range(inside)
        weights = inside * self.weights
        if name == "squared":
            mass = weights.sum(axis=1)
            first = (weights * self.targets).sum(axis=1).astype(np.float64)
            second = (weights * self.targets**2).sum(axis=1).astype(np.float64)
            spread = second - first * first / np.maximum(mass, 1)
            return np.asarray(np.maximum(0.0, spread - SLACK * second))
        above = np.cumsum(weights, axis=1)
        slope = 2 * above - weights - above[:, -1:]
        return np.asarray((np.clip(slope, -weights, weights) * self.targets).sum(axis=1))

    def _minority(self, inside: Sides, name: str, largest: bool) -> NDArray[Any]:
        positive = inside & (self.targets > 0)
        negative = inside & (self.targets < 0)
        if largest:
            one = (positive * self.weights).max(axis=1)
            other = (negative * self.weights).max(axis=1)
            return np.asarray(np.minimum(one, other))
        one = (positive * self.weights).sum(axis=1)
        other = (negative * self.weights).sum(axis=1)
        return np.asarray((2 if name == "hinge" else 1) * np.minimum(one, other))

    def _range(self, inside: Sides) -> NDArray[Any]:
        """Half of the range, times the least weight. The scale has a factor of 2."""
        first = inside.argmax(axis=1)
        last = inside.shape[1] - 1 - inside[:, ::-1].argmax(axis=1)
        width = (self.targets[last] - self.targets[first]) * self.weights.min()
        return np.asarray(np.where(inside.any(axis=1), width, 0))


def group_bound(
    targets: Sequence[Rational],
    fixed: Sequence[Rational],
    weights: Sequence[int],
    loss: Loss,
    blind: bool,
) -> GroupBound | str:
    """The bound for an instance, or why its numbers are too long.

    Args:
        targets, fixed, weights: a number a sample.
        blind: the free linear terms are not constant.
    """
    classes = loss.is_classification
    blind = blind or (classes and any(fixed))
    wanted = list(targets) if classes else [y - f for y, f in zip(targets, fixed, strict=True)]
    scale = lcm(*(int(v.denominator) for v in wanted))
    numbers = [int(v * scale) for v in wanted]
    power = 2 if loss.name == "squared" else 1
    if sum(w * abs(v) ** power for w, v in zip(weights, numbers, strict=True)) >= EXACT_FLOAT:
        return "the numbers are too long"
    if sum(weights) ** 2 >= EXACT_FLOAT:
        return "the sample weights are too long"
    order = sorted(range(len(numbers)), key=lambda i: numbers[i])
    unit = 1 if classes else scale**power * (2 if loss.reduction == "max" else 1)
    return GroupBound(
        np.array(order, dtype=np.int64),
        np.array([numbers[i] for i in order], dtype=np.int64),
        np.array([weights[i] for i in order], dtype=np.int64),
        unit,
        loss,
        blind,
    )
