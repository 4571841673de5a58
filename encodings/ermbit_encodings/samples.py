"""Samples as the engines see them: weights scaled to integers, idle and repeated ones gone.

Samples of weight zero are dropped, also under ``max``. Equal samples (same x, same y) are merged:
their weights add under ``mean`` and ``sum``, the largest one counts under ``max``
(docs/theory.md A5, B7). Contradictory labels at one x stay apart: merging those is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lcm

from gmpy2 import mpq

from ermbit_instances.instance import Instance
from ermbit_instances.rational import Rational, floor


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample: x, y and its integer weight ŵ ≥ 1."""

    x: tuple[Rational, ...]
    y: tuple[Rational, ...]
    weight: int


@dataclass(frozen=True, slots=True)
class Samples:
    """The samples that count.

    Attributes:
        rows: distinct samples in the order of their first occurrence.
        unit: ω with w_i = ŵ_i / ω for the file's weights w_i.
        total: Ŵ = Σ ŵ_i over the rows (meaningful for ``mean``).
    """

    rows: tuple[Sample, ...]
    unit: int
    total: int


def gather_samples(instance: Instance) -> Samples:
    """Merge and scale the samples of an instance."""
    weights = instance.data.weights
    unit = lcm(*(int(w.denominator) for w in weights))
    merged: dict[tuple[tuple[Rational, ...], tuple[Rational, ...]], int] = {}
    largest = instance.loss.reduction == "max"
    for x, y, weight in zip(instance.data.x, instance.data.y, weights, strict=True):
        scaled = int((weight * unit).numerator)
        if scaled == 0:
            continue
        known = merged.get((x, y), 0)
        merged[x, y] = max(known, scaled) if largest else known + scaled
    rows = tuple(Sample(x, y, weight) for (x, y), weight in merged.items())
    return Samples(rows, unit, sum(row.weight for row in rows))


def reduction_unit(instance: Instance, samples: Samples) -> int:
    """R with L = (Σ ŵ_i ℓ_i)/R, or L = max ŵ_i ℓ_i / R under ``max``."""
    return samples.total if instance.loss.reduction == "mean" else samples.unit


def weighted_budget(instance: Instance, samples: Samples, threshold: Rational) -> Rational:
    """The bound on Σ ŵ_i ℓ_i (or on max ŵ_i ℓ_i) that says L ≤ threshold."""
    return threshold * reduction_unit(instance, samples)


def integer_budget(threshold: Rational, unit: int) -> int:
    """⌊threshold · unit⌋: the integer budget for a total that is an integer over ``unit``."""
    return floor(mpq(threshold) * unit)
