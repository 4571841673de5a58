"""Compiled loops: the best pair of rows for every choice of first-layer activations.

For one choice the rows are the different contributions v·φ(Σ w_k a_k + b) of a second-layer unit on
the data, sorted by their sums over the samples. Two rows and an output bias leave the gaps

    g = target − row − row' − bias,   and   |Σ g_i| ≤ Σ |g_i|

bounds the loss, so that for every row only a window of the others has to be tried; those are tried
sample by sample, many rows at a time. (All numbers of a row have the sign of v if φ ≥ 0: sums of
all of them are spread widest.) All integers, of widths proved by the caller.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

LINEAR, SQUARE, COUNT = 0, 1, 2
"""What a gap costs: its size, its square, 1."""

MIXER = np.int64(6364136223846793005)
"""An odd number, for hashes of rows; equal rows have equal hashes."""

FAR = 2**62
"""A window without ends."""


@njit(cache=True, nogil=True)
def window(best: Any, count: int, cost: int, largest: bool) -> Any:
    """Largest Σ |g| (one-sided: Σ max(0, g)) that a total of at most ``best`` allows.

    Weights are at least 1. Σ |g| ≤ count · max |g|, and (Σ |g|)² ≤ count · Σ g².
    """
    if cost == COUNT:
        return FAR
    if cost == LINEAR:
        return best * count if largest else best
    inside = best if largest else best * count
    root = np.int64(np.sqrt(np.float64(inside)))
    while root * root < inside:  # the float root may be a little off: a wider window is right too
        root += 1
    return root * count if largest else root


@njit(cache=True, nogil=True)
def _activations(
    first: Any, chosen: Any, grid: Any, shift: Any, starts: Any, slopes: Any, intercepts: Any
) -> Any:
    """Different activations of a second-layer unit: (rows, samples), and the assignment of each."""
    rows, sources = grid.shape
    samples = first.shape[1]
    values = np.empty((rows, samples), np.int64)
    keys = np.empty(rows, np.int64)
    for r in range(rows):
        key = np.int64(0)
        for i in range(samples):
            z = shift[r]
            for s in range(sources):
                z += grid[r, s] * first[chosen[s], i]
            k = 0
            while k + 1 < starts.size and z >= starts[k + 1]:
                k += 1
            a = z * slopes[k] + intercepts[k]
            values[r, i] = a
            key = key * MIXER + a
        keys[r] = key
    order = np.argsort(keys)
    kept = np.empty(rows, np.int64)
    count = 0
    for q in range(rows):
        r = order[q]
        again = False
        if count and keys[kept[count - 1]] == keys[r]:
            again = True
            for i in range(samples):
                if values[r, i] != values[kept[count - 1], i]:
                    again = False
                    break
        if not again:
            kept[count] = r
            count += 1
    return values, kept[:count]


@njit(cache=True, nogil=True)
def best_pairs(
    first: Any,
    tuples: Any,
    grid: Any,
    shift: Any,
    starts: Any,
    slopes: Any,
    intercepts: Any,
    outer: Any,
    biases: Any,
    target: Any,
    signs: Any,
    weights: Any,
    cost: int,
    two_sided: bool,
    largest: bool,
    limit: int,
) -> Any:
    """Try all choices; the best of a total of at most ``limit``.

    Args:
        first: activation vectors of first-layer units, (vectors, samples), int64.
        tuples: the choices, rows of positions in ``first``, int64.
        grid, shift: assignments of a second-layer unit: factor · weight by source, factor · bias.
        starts, slopes, intercepts: the pieces of its activation, the first from −∞.
        outer: what its activation may be multiplied by, int64.
        biases: what may be added to the output.
        target: gaps are target − signs · (output).
        signs: ±1 by sample.
        weights: ≥ 1 by sample, int32.
        cost, two_sided, largest: of the loss.
        limit: int64.

    Returns:
        (found, evaluated): found holds total, position of the tuple, assignment and outer value of
        either unit, and the output bias (positions); total −1 if there is none.
    """
    samples = first.shape[1]
    found = np.full(7, -1, np.int64)
    best = np.int64(limit)
    evaluated = np.int64(0)
    totals = np.empty(grid.shape[0] * outer.size, np.int32)
    rest = np.empty(samples, np.int32)
    for p in range(tuples.shape[0]):
        values, kept = _activations(first, tuples[p], grid, shift, starts, slopes, intercepts)
        count = kept.size * outer.size
        sums = np.empty(count, np.int64)
        for q in range(kept.size):
            s = np.int64(0)
            for i in range(samples):
                s += signs[i] * values[kept[q], i]
            for v in range(outer.size):
                sums[q * outer.size + v] = s * outer[v]
        order = np.argsort(sums)
        table = np.empty((samples, count), np.int32)
        ordered = np.empty(count, np.int64)
        for k in range(count):
            q, v = divmod(order[k], outer.size)
            ordered[k] = sums[order[k]]
            for i in range(samples):
                table[i, k] = signs[i] * values[kept[q], i] * outer[v]
        for c in range(biases.size):
            goal = np.int64(0)
            for i in range(samples):
                goal += target[i] - signs[i] * biases[c]
            reach = window(best, samples, cost, largest)
            low = high = count
            for a in range(count):
                # The sums ascend with a, so both ends of the window go down.
                s = goal - ordered[a]
                while low > 0 and ordered[low - 1] >= s - reach:
                    low -= 1
                if two_sided:
                    while high > 0 and ordered[high - 1] > s + reach:
                        high -= 1
                start = max(a, low)
                width = high - start
                if width <= 0:
                    continue
                evaluated += width
                for i in range(samples):
                    rest[i] = target[i] - signs[i] * biases[c] - table[i, a]
                for b in range(width):
                    totals[b] = 0
                for i in range(samples):
                    row = table[i, start:high]
                    r, w = rest[i], weights[i]
                    if cost == COUNT:
                        for b in range(width):
                            lost = w if r > row[b] else np.int32(0)
                            totals[b] = max(totals[b], lost) if largest else totals[b] + lost
                        continue
                    for b in range(width):
                        gap = np.int32(r - row[b])
                        gap = np.int32(abs(gap)) if two_sided else max(gap, np.int32(0))
                        if cost == SQUARE:
                            gap = np.int32(gap * gap)
                        gap = np.int32(gap * w)
                        totals[b] = max(totals[b], gap) if largest else totals[b] + gap
                least = totals[0]
                for b in range(1, width):
                    least = min(least, totals[b])
                if least <= best:
                    for b in range(width):
                        if totals[b] == least:
                            mine, other = order[a], order[start + b]
                            found[0], found[1] = least, p
                            found[2], found[3] = kept[mine // outer.size], mine % outer.size
                            found[4], found[5] = kept[other // outer.size], other % outer.size
                            found[6] = c
                            break
                    best = np.int64(least) - 1
                    if best < 0:
                        return found, evaluated
                    reach = window(best, samples, cost, largest)
    return found, evaluated
