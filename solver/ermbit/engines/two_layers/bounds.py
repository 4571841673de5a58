"""Compiled loops: lower bounds on the loss of first layers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ermbit.engines.two_layers.kernel import COUNT, LINEAR


@njit(cache=True, nogil=True)
def prefix_bounds(
    first: Any,
    tuples: Any,
    gains: Any,
    target: Any,
    signs: Any,
    weights: Any,
    cost: int,
    two_sided: bool,
    largest: bool,
    far: int,
) -> Any:
    """Lower bounds on the total of every choice of first-layer activations.

    The output differs between two samples by at most Σ gain · |Δ activation|, which leaves a sum of
    their gaps; pairs are chosen greedily so that none shares a sample.

    Args:
        first, tuples, target, signs, weights, cost, two_sided, largest: as for
            :func:`~ermbit.engines.two_layers.kernel.best_pairs`.
        gains: by place in a tuple, at most ``far``.
        far: greater than any sum of two targets.
    """
    samples = first.shape[1]
    bounds = np.zeros(tuples.shape[0], np.int64)
    apart = np.empty((samples, samples), np.int64)
    free = np.empty(samples, np.bool_)
    for p in range(tuples.shape[0]):
        for i in range(samples):
            for j in range(i):
                if signs[i] == signs[j] and not two_sided:
                    apart[i, j] = 0
                    continue
                need = abs(target[i] - target[j]) if two_sided else target[i] + target[j]
                for s in range(tuples.shape[1]):
                    gain = gains[s]
                    if need <= 0:
                        break
                    if gain:
                        gap = abs(first[tuples[p, s], i] - first[tuples[p, s], j])
                        need -= far if gap > far // gain else gain * gap
                apart[i, j] = _pair_cost(max(need, 0), min(weights[i], weights[j]), cost, largest)
        if largest:
            for i in range(samples):
                for j in range(i):
                    bounds[p] = max(bounds[p], apart[i, j])
            continue
        free[:] = True
        while True:
            a = b = -1
            most = np.int64(0)
            for i in range(samples):
                if free[i]:
                    for j in range(i):
                        if free[j] and apart[i, j] > most:
                            most, a, b = apart[i, j], i, j
            if a < 0:
                break
            bounds[p] += most
            free[a] = free[b] = False
    return bounds


@njit(cache=True, nogil=True)
def _pair_cost(gap: Any, weight: Any, cost: int, largest: bool) -> Any:
    """Least cost of two gaps, neither negative, of a sum of at least ``gap``."""
    half = (gap + 1) // 2
    if cost == COUNT:
        return np.int64(weight) if gap > 0 else np.int64(0)
    if cost == LINEAR:
        return weight * (half if largest else gap)
    return weight * (half * half if largest else half * half + (gap - half) * (gap - half))
