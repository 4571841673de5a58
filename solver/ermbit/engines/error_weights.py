"""Weights of the errors of a classifier: their total, and its levels where the largest counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


def total_weight(wrong: Iterable[int], is_max: bool) -> int:
    """The largest weight of an error (0 without any), or the sum of all."""
    return max(wrong, default=0) if is_max else sum(wrong)


@dataclass(frozen=True, slots=True)
class WeightLevels:
    """What the largest weight of an error can be, to be bisected: 0 or the weight of a sample.

    Attributes:
        ascending: the levels.
    """

    ascending: tuple[int, ...]

    @classmethod
    def of(cls, weights: Iterable[int]) -> WeightLevels:
        """The levels of samples with these weights."""
        return cls(tuple(sorted({0, *weights})))

    def middle(self, lower: int, reached: int) -> int:
        """The middle of the levels from a lower bound to below what is reached, which differ."""
        between = [level for level in self.ascending if lower <= level < reached]
        return between[(len(between) - 1) // 2]

    def above(self, level: int) -> int:
        """The lower bound once a level, and so all below, is refuted."""
        return min(other for other in self.ascending if other > level)
