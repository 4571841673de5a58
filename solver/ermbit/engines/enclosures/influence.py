"""Which parameter makes most of a difference: floats, which only choose the order of a search.

What one parameter may change in its neuron's sum, relative to that sum, times the share that the
neuron has in those that read it, up to the outputs; an activation of degree k multiplies relative
changes by k.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ermbit.engines.enclosures.interval import Intervals
from ermbit.engines.enclosures.network import Network, Signals
from ermbit.engines.enclosures.node import Known

SAMPLES = 2
"""Samples that are looked at."""

LARGEST = 1e200
"""An influence beyond this counts as this."""


def influences(
    known: Known, signals: Sequence[Signals], intervals: Intervals, network: Network
) -> dict[int, float]:
    """By undecided parameter, how much it matters.

    Args:
        known: the partial assignment.
        signals: by sample, enclosures of all that its open neurons read.
        intervals: their arithmetic.
        network: the network.
    """
    result: dict[int, float] = {}
    up = intervals.up
    for row in signals[:SAMPLES]:
        weights = dict.fromkeys(network.form.outputs, 1.0)
        for node in reversed(known.rest):
            neuron = network.neurons[node]
            degree = max(1, len(neuron.coefficients) - 1)
            above = min(weights.get(node, 0.0) * degree, LARGEST)
            terms = known.alive[node]
            sizes: list[Any] = []
            for t in terms:
                size = intervals.magnitude(network.factor(t, known.boxes, intervals))
                if t.source >= 0:
                    size = up.mul(size, intervals.magnitude(row[t.source]))
                sizes.append(size)
            total = sizes[0]
            for size in sizes[1:]:
                total = up.add(total, size)
            for t, size in zip(terms, sizes, strict=True):
                share = above * float(up.div(size, total)) if total > 0 else 0.0
                if t.source >= 0:
                    weights[t.source] = min(weights.get(t.source, 0.0) + share, LARGEST)
                if t.parameter < 0 or network.is_single(t.parameter, known.boxes[t.parameter]):
                    continue
                low, high, _ = network.factor(t, known.boxes, intervals)
                width = float(up.div(up.sub(high, low), intervals.magnitude((low, high, 0))))
                result[t.parameter] = result.get(t.parameter, 0.0) + share * width
    return result
