"""Which parameter makes most of a difference: floats, which only choose the order of a search.

What one parameter may change in its neuron's sum, relative to that sum, times the share that the
neuron has in those that read it, up to the outputs; an activation of degree k multiplies relative
changes by k. A bias of 1 beside a signal of thousands of bits matters by as little as that says, so
that everything is kept as a binary logarithm.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log2
from typing import Any

import gmpy2

from ermbit.engines.enclosures.interval import Intervals
from ermbit.engines.enclosures.network import Network, Signals
from ermbit.engines.enclosures.node import Known

SAMPLES = 2
"""Samples that are looked at."""


def influences(
    known: Known, signals: Sequence[Signals], intervals: Intervals, network: Network
) -> dict[int, float]:
    """By undecided parameter, the binary logarithm of how much it matters.

    Args:
        known: the partial assignment.
        signals: by sample, enclosures of all that its open neurons read.
        intervals: their arithmetic.
        network: the network.
    """
    result: dict[int, float] = {}
    widths: dict[object, float] = {}
    for row in signals[:SAMPLES]:
        weights = dict.fromkeys(network.form.outputs, 0.0)
        for node in reversed(known.rest):
            degree = max(1, len(network.neurons[node].coefficients) - 1)
            above = weights.get(node, -inf) + log2(degree)
            terms = known.alive[node]
            sizes = []
            for t in terms:
                size = _log(intervals.magnitude(network.factor(t, known.boxes, intervals)))
                if t.source >= 0:
                    size += _log(intervals.magnitude(row[t.source]))
                sizes.append(size)
            total = max(sizes)
            for t, size in zip(terms, sizes, strict=True):
                share = above + size - total if size > -inf else -inf
                if t.source >= 0:
                    weights[t.source] = max(weights.get(t.source, -inf), share)
                if t.parameter < 0:
                    continue
                box = known.boxes[t.parameter]
                if network.is_single(t.parameter, box):
                    continue
                key = (t.parameter, t.factor)
                if key not in widths:
                    low, high, _ = network.factor(t, known.boxes, intervals)
                    size = intervals.magnitude((low, high, low))
                    widths[key] = _log(intervals.up.sub(high, low)) - _log(size)
                new = share + widths[key]
                result[t.parameter] = max(result.get(t.parameter, -inf), new)
    return result


def _log(value: Any) -> float:
    return float(gmpy2.log2(value)) if value > 0 else -inf
