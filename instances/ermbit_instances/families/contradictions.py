"""Lower bounds on the loss of every network, from equal inputs with different labels.

All samples of one x get the same outputs f, so their losses together are at least the least value
over all f. With c labels in a group of equal x:

============  ================================================  =================================
loss          least sum of a group                              least maximum of a group
============  ================================================  =================================
``absolute``  Σ over outputs of the distances to a median       half the greatest distance of two
``squared``   Σ over outputs of the squares about the mean      a quarter of the greatest square
``zero_one``  c less the samples of the commonest label         1 if there are two labels
``hinge``     2 for every disjoint pair of different labels     1 if there are two labels
============  ================================================  =================================

``hinge``: losses at labels a ≠ b are at least 1 - (f_a - f_b) and 1 - (f_b - f_a) (one output:
1 - f and 1 + f), together 2. Distances of two targets are Σ over outputs of absolute or squared
differences; for the maximum, d(s, t) ≤ d(s, f) + d(f, t), and squares at most double that.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gmpy2 import mpq

from ermbit_instances.families.planting import Sample
from ermbit_instances.rational import Rational

Label = tuple[Rational, ...]


def lower_bound(samples: Sequence[Sample], loss: str, reduction: str) -> Rational:
    """A number that L(θ) is never below, whatever the network; 0 without contradictions."""
    groups: dict[Label, list[Label]] = {}
    for x, y in samples:
        groups.setdefault(tuple(x), []).append(tuple(y))
    if reduction == "max":
        return max((_least_maximum(group, loss) for group in groups.values()), default=mpq(0))
    total = sum((_least_sum(group, loss) for group in groups.values()), mpq(0))
    return total / len(samples) if reduction == "mean" else total


def _least_sum(group: Sequence[Label], loss: str) -> Rational:
    if len(set(group)) == 1:
        return mpq(0)
    columns = list(zip(*group, strict=True))
    match loss:
        case "absolute":
            return sum((_about_median(column) for column in columns), mpq(0))
        case "squared":
            return sum((_about_mean(column) for column in columns), mpq(0))
    others = len(group) - max(Counter(group).values())
    return mpq(others if loss == "zero_one" else 2 * min(others, len(group) // 2))


def _about_median(column: Sequence[Rational]) -> Rational:
    median = sorted(column)[len(column) // 2]
    return sum((abs(t - median) for t in column), mpq(0))


def _about_mean(column: Sequence[Rational]) -> Rational:
    mean = sum(column, mpq(0)) / len(column)
    return sum(((t - mean) ** 2 for t in column), mpq(0))


def _least_maximum(group: Sequence[Label], loss: str) -> Rational:
    distinct = sorted(set(group))
    if len(distinct) == 1:
        return mpq(0)
    if loss in ("zero_one", "hinge"):
        return mpq(1)
    power, part = (1, 2) if loss == "absolute" else (2, 4)
    distances = (
        sum((abs(a - b) ** power for a, b in zip(s, t, strict=True)), mpq(0))
        for i, s in enumerate(distinct)
        for t in distinct[:i]
    )
    return max(distances) / part
