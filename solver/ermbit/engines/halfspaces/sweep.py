"""Best dichotomies of vectors in the plane, by turning a line around the origin.

Vectors are turned into the half-plane q > 0 or q = 0, p > 0 by swapping their two costs. Then a
direction u off all normals is positive on the vectors beyond some angle and negative on those
before it, or the other way round: two dichotomies for each gap between neighbouring angles
(docs/theory.md D2 with r = 2).

Angles ascend with −p/q. Division of integers below 2^53 in float64, and of any two Python integers,
is rounded correctly, hence monotone: different keys are in the right order. Equal keys mean equal
quotients if all numbers are below 2^25: different ones are then apart by more than 2^-52 of the
larger one, which is more than the width of what is rounded to one float. Otherwise equal keys are
compared by exact cross products, and a row where they deceive is swept in Python integers.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cmp_to_key
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

DECISIVE, EXACT = 2**25, 2**53
"""Below the first equal float64 quotients are equal; up to the second integers are float64s."""


def sweep_rows(p: Array, q: Array, plus: Array, minus: Array) -> Array:
    """Least costs, one for every row of vectors.

    Args:
        p, q: rows × n coordinates, int64 or Python integers; (0, 0) is a vector without costs.
        plus, minus: n costs if u·v > 0, if u·v < 0; those of zero vectors are left out of account.
    """
    level = q == 0
    zero = level & (p == 0)
    difference, both = plus - minus, plus + minus
    # What passing a vector takes from the cost of being positive on it and all beyond.
    change = np.where((q < 0) | (level & (p < 0)), -difference, difference)
    change[zero] = 0
    largest = max(int(p.max()), -int(p.min()), int(q.max()), -int(q.min()))
    if p.dtype == object or largest >= EXACT:
        p, q = p.astype(object), q.astype(object)
        keys = np.asarray(-p / np.where(level, 1, q), dtype=np.float64)
    else:
        keys = p.astype(np.float64)
        np.divide(keys, q, out=keys, where=~level)
        np.negative(keys, out=keys)
    keys[level] = -np.inf
    order = np.argsort(keys, axis=1)
    place = order + np.arange(len(order))[:, None] * order.shape[1]
    keys, sums = keys.take(place), change.take(place).cumsum(axis=1)
    gap = keys[:, 1:] != keys[:, :-1]
    # Before the first gap and after the last one there are the sums 0 and the last one.
    last = sums[:, -1]
    inner = np.where(gap, sums[:, :-1], 0)
    highest = np.maximum(np.maximum(last, 0), inner.max(axis=1, initial=0))
    lowest = np.minimum(np.minimum(last, 0), inner.min(axis=1, initial=0))
    total = both.sum() - np.where(zero, both, 0).sum(axis=1)
    least: Array = np.minimum((total + last) // 2 - highest, (total - last) // 2 + lowest)
    if largest >= DECISIVE:
        for row in _deceived(p, q, order, keys, gap):
            kept = [k for k in range(p.shape[1]) if not zero[row, k]]
            vectors = [(int(p[row, k]), int(q[row, k])) for k in kept]
            costs = [[int(c[k]) for k in kept] for c in (plus, minus)]
            least[row] = sweep(vectors, costs[0], costs[1])[0]
    return least


def _deceived(p: Array, q: Array, order: Array, keys: Array, gap: Array) -> list[int]:
    """Rows with neighbours of equal keys that are not parallel."""
    rows, places = np.nonzero(~gap & np.isfinite(keys[:, 1:]))
    first, second = order[rows, places], order[rows, places + 1]
    p, q = p.astype(object), q.astype(object)
    cross = p[rows, first] * q[rows, second] - p[rows, second] * q[rows, first]
    return sorted({int(row) for row in rows[np.asarray(cross != 0, dtype=bool)]})


def sweep(
    vectors: Sequence[tuple[int, int]], plus: Sequence[int], minus: Sequence[int]
) -> tuple[int, tuple[int, int]]:
    """The least cost and a direction u that attains it, with u·v ≠ 0 for every vector.

    Args:
        vectors: non-zero, not all parallel.
        plus, minus: costs if u·v > 0, if u·v < 0.
    """
    turned = []
    for (p, q), a, b in zip(vectors, plus, minus, strict=True):
        up = q > 0 or (q == 0 and p > 0)
        turned.append((p, q, a, b) if up else (-p, -q, b, a))
    turned.sort(key=cmp_to_key(_turn))
    start, end = turned[0], turned[-1]
    # Negative on the vectors before the gap, positive after it; g points into the gap.
    first = second = 0
    for _, _, a, b in turned:
        first, second = first + a, second + b
    g = (start[0] - end[0], start[1] - end[1])
    best = min((first, 1, g), (second, -1, g))
    for v, w in pairwise(turned):
        first, second = first + v[3] - v[2], second + v[2] - v[3]
        if _turn(v, w):
            g = (v[0] + w[0], v[1] + w[1])
            best = min(best, (first, 1, g), (second, -1, g))
    cost, sign, g = best
    return cost, (-sign * g[1], sign * g[0])


def _turn(v: tuple[int, ...], w: tuple[int, ...]) -> int:
    """Negative if v comes before w, both in the upper half-plane."""
    return v[1] * w[0] - v[0] * w[1]
