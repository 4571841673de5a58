"""Compiled loops: the best pair of rows for every choice of first-layer activations.

For one choice the rows are the different contributions v·φ(Σ w_k a_k + b) of a second-layer unit on
the data. Two rows and an output bias leave the gaps

    g = target − row − row' − bias,   and   |Σ g_i| ≤ Σ |g_i|

bounds the loss, so that for every row only a window of the others has to be tried, if these are
sorted by their sums over the samples. Rows are of two classes, v ≥ 0 and v < 0 (if φ ≥ 0 all
numbers of a row have that sign, and sums of all of them are spread widest). Between two classes
only rows are tried that come close enough to the target with the nearest of what the other class
has on each sample. What is left is tried sample by sample, many rows at a time. All integers, of
widths proved by the caller.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

LINEAR, SQUARE, COUNT = 0, 1, 2
"""What a gap costs: its size, its square, 1."""

COSTS = {"linear": LINEAR, "square": SQUARE, "count": COUNT}

MIXER = np.int64(6364136223846793005)
"""An odd number, for hashes of rows; equal rows have equal hashes."""

FAR = 2**62
"""A window without ends."""

COUNTED = 2**14
"""Range of sums up to which they are sorted by counting."""


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
    first: Any,
    chosen: Any,
    grid: Any,
    shift: Any,
    starts: Any,
    slopes: Any,
    intercepts: Any,
    signs: Any,
    values: Any,
    keys: Any,
) -> None:
    """Activations of a second-layer unit times signs, (rows, samples), and hashes of them."""
    rows, sources = grid.shape
    for r in range(rows):
        key = np.int64(0)
        for i in range(first.shape[1]):
            z = shift[r]
            for s in range(sources):
                z += grid[r, s] * first[chosen[s], i]
            k = 0
            while k + 1 < starts.size and z >= starts[k + 1]:
                k += 1
            a = signs[i] * (z * slopes[k] + intercepts[k])
            values[r, i] = a
            key = key * MIXER + a
        keys[r] = key


@njit(cache=True, nogil=True)
def _different(values: Any, keys: Any, rows: Any, factors: Any, slots: Any, kept: Any) -> int:
    """Positions of entries factor · row that differ; how many. ``slots`` is a table of 2^k."""
    mask = slots.size - 1
    slots[:] = -1
    count = 0
    for e in range(rows.size):
        r, v = rows[e], factors[e]
        key = keys[r] * v
        slot = (key ^ (key >> 29)) & mask
        again = False
        while slots[slot] >= 0:
            q, u = rows[slots[slot]], factors[slots[slot]]
            if keys[q] * u == key:
                again = True
                for i in range(values.shape[1]):
                    if values[q, i] * u != values[r, i] * v:
                        again = False
                        break
                if again:
                    break
            slot = (slot + 1) & mask
        if not again:
            slots[slot] = e
            kept[count] = e
            count += 1
    return count


@njit(cache=True, nogil=True)
def _merge_sorted(sums: Any) -> Any:
    """As np.argsort, which takes seconds to be compiled."""
    count = sums.size
    order, merged = np.empty(count, np.int64), np.empty(count, np.int64)
    for k in range(count):
        order[k] = k
    width = 1
    while width < count:
        for start in range(0, count, 2 * width):
            middle, end = min(start + width, count), min(start + 2 * width, count)
            a, b = start, middle
            for k in range(start, end):
                if b == end or (a < middle and sums[order[a]] <= sums[order[b]]):
                    merged[k] = order[a]
                    a += 1
                else:
                    merged[k] = order[b]
                    b += 1
        order, merged = merged, order
        width *= 2
    return order


@njit(cache=True, nogil=True)
def _sorted(sums: Any) -> Any:
    """Positions in the order of sums."""
    if sums.size == 0:
        return np.empty(0, np.int64)
    low = high = sums[0]
    for s in sums:
        low, high = min(low, s), max(high, s)
    if high - low > COUNTED:
        return _merge_sorted(sums)
    ends = np.zeros(high - low + 2, np.int64)
    for s in sums:
        ends[s - low + 1] += 1
    for k in range(1, ends.size):
        ends[k] += ends[k - 1]
    order = np.empty(sums.size, np.int64)
    for k in range(sums.size):
        place = sums[k] - low
        order[ends[place]] = k
        ends[place] += 1
    return order


@njit(cache=True, nogil=True)
def _near(
    rest: Any,
    table: Any,
    start: int,
    end: int,
    low: Any,
    high: Any,
    weights: Any,
    cost: int,
    two_sided: bool,
    largest: bool,
    best: Any,
    totals: Any,
    near: Any,
) -> int:
    """Columns of a part of a table that may have a partner in ``low`` … ``high``; how many.

    Args:
        rest: what the two have to add up to, by sample.
        table: (samples, columns), contiguous: views of some columns would not be.
        start, end: of the part.
        totals: for results, int32.
        near: for the columns found, from the start of the part on.
    """
    count = end - start
    totals[:count] = 0
    for i in range(table.shape[0]):
        row, w = table[i, start:end], weights[i]
        above, below = np.int32(rest[i] - high[i]), np.int32(low[i] - rest[i])
        for b in range(count):
            gap = max(np.int32(above - row[b]), np.int32(0))
            if two_sided:
                gap = np.int32(max(gap, np.int32(below + row[b])))
            if cost == COUNT:
                gap = np.int32(1) if gap > 0 else np.int32(0)
            elif cost == SQUARE:
                gap = np.int32(gap * gap)
            gap = np.int32(gap * w)
            totals[b] = max(totals[b], gap) if largest else np.int32(totals[b] + gap)
    found = 0
    for b in range(count):
        if totals[b] <= best:
            near[found] = b
            found += 1
    return found


@njit(cache=True, nogil=True)
def _apart(
    rest: Any,
    lows: Any,
    highs: Any,
    a: int,
    b: int,
    weights: Any,
    cost: int,
    two_sided: bool,
    largest: bool,
) -> Any:
    """A lower bound on the total of a row of class ``a`` with one of class ``b``."""
    total = np.int64(0)
    for i in range(rest.size):
        gap = max(np.int64(0), np.int64(rest[i]) - highs[a, i] - highs[b, i])
        if two_sided:
            gap = max(gap, np.int64(lows[a, i]) + lows[b, i] - rest[i])
        if cost == COUNT:
            gap = np.int64(min(gap, 1))
        elif cost == SQUARE:
            gap = gap * gap
        total = max(total, gap * weights[i]) if largest else total + gap * weights[i]
    return total


@njit(cache=True, nogil=True)
def _picked(
    source: Any, sums: Any, start: int, chosen: Any, count: int, table: Any, picked: Any
) -> None:
    """The first ``count`` chosen columns of a part of a table, and their sums."""
    for k in range(count):
        picked[k] = sums[start + chosen[k]]
    for i in range(source.shape[0]):
        for k in range(count):
            table[i, k] = source[i, start + chosen[k]]


@njit(cache=True, nogil=True)
def best_pairs(
    first: Any,
    tuples: Any,
    bounds: Any,
    grid: Any,
    shift: Any,
    starts: Any,
    slopes: Any,
    intercepts: Any,
    rows: Any,
    outer: Any,
    factors: Any,
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
        bounds: lower bounds on their totals, ascending.
        grid, shift: assignments of a second-layer unit: factor · weight by source, factor · bias.
        starts, slopes, intercepts: the pieces of its activation, the first from −∞.
        rows, outer: what the unit may add: an assignment, and a position in ``factors``; first
            those of a factor that is not negative.
        factors: what its activation may be multiplied by, int64.
        biases: what may be added to the output.
        target: gaps are target − signs · (output).
        signs: ±1 by sample.
        weights: ≥ 1 by sample, int32.
        cost, two_sided, largest: of the loss.
        limit: at most 2^31, so that no window overflows.

    Returns:
        (found, evaluated): found holds total, position of the tuple, assignment and outer value of
        either unit, and the output bias (positions); total −1 if there is none.
    """
    samples, entries = first.shape[1], rows.size
    found = np.full(7, -1, np.int64)
    best = np.int64(limit)
    evaluated = np.int64(0)
    size = 1
    while size < 2 * entries:
        size *= 2
    slots = np.empty(size, np.int32)
    values = np.empty((grid.shape[0], samples), np.int64)
    keys = np.empty(grid.shape[0], np.int64)
    kept = np.empty(entries, np.int64)
    multiples = np.empty(entries, np.int64)
    for e in range(entries):
        multiples[e] = factors[outer[e]]
    lows, highs = np.empty((2, samples), np.int32), np.empty((2, samples), np.int32)
    goal = np.empty(samples, np.int32)
    rest = np.empty(samples, np.int32)
    totals = np.empty(entries, np.int32)
    near, kept_sums = np.empty((2, entries), np.int64), np.empty((2, entries), np.int64)
    tables, held = np.empty((2, samples, entries), np.int32), np.zeros(2, np.int64)
    for p in range(tuples.shape[0]):
        if bounds[p] > best:
            break
        _activations(
            first, tuples[p], grid, shift, starts, slopes, intercepts, signs, values, keys
        )
        count = _different(values, keys, rows, multiples, slots, kept)
        split = 0
        while split < count and multiples[kept[split]] >= 0:
            split += 1
        table = np.empty((samples, count), np.int32)
        ordered = np.empty(count, np.int64)
        entry = np.empty(count, np.int64)
        edges = (0, split, count)
        for k in range(2):
            start, end = edges[k], edges[k + 1]
            sums = np.empty(end - start, np.int64)
            for e in range(start, end):
                s = np.int64(0)
                r, v = rows[kept[e]], multiples[kept[e]]
                for i in range(samples):
                    s += values[r, i]
                sums[e - start] = s * v
            order = _sorted(sums)
            for q in range(end - start):
                e = kept[start + order[q]]
                entry[start + q] = e
                ordered[start + q] = sums[order[q]]
                for i in range(samples):
                    table[i, start + q] = values[rows[e], i] * multiples[e]
            if end > start:
                for i in range(samples):
                    low = high = table[i, start]
                    for q in range(start, end):
                        low, high = min(low, table[i, q]), max(high, table[i, q])
                    lows[k, i], highs[k, i] = low, high
        for c in range(biases.size):
            aim = np.int64(0)
            for i in range(samples):
                goal[i] = target[i] - signs[i] * biases[c]
                aim += goal[i]
            for pair in range(3):
                one, other = pair // 2, (pair + 1) // 2  # both of the first class, mixed, second
                if edges[one] == edges[one + 1] or edges[other] == edges[other + 1]:
                    continue
                if _apart(goal, lows, highs, one, other, weights, cost, two_sided, largest) > best:
                    continue
                sides = 1 if one == other else 2
                for side in range(sides):
                    k, m = (one, other) if side == 0 else (other, one)
                    held[side] = _near(
                        goal, table, edges[k], edges[k + 1], lows[m], highs[m], weights, cost,
                        two_sided, largest, best, totals, near[side],
                    )  # fmt: skip
                    _picked(
                        table, ordered, edges[k], near[side], held[side], tables[side],
                        kept_sums[side],
                    )  # fmt: skip
                mine, theirs = held[0], held[sides - 1]
                my_sums, their_sums = kept_sums[0], kept_sums[sides - 1]
                reach = window(best, samples, cost, largest)
                left = right = theirs
                for a in range(mine):
                    # The sums ascend with a, so both ends of the window go down.
                    s = aim - my_sums[a]
                    while left > 0 and their_sums[left - 1] >= s - reach:
                        left -= 1
                    if two_sided:
                        while right > 0 and their_sums[right - 1] > s + reach:
                            right -= 1
                    start = max(a, left) if one == other else left
                    width = right - start
                    if width <= 0:
                        continue
                    evaluated += width
                    for i in range(samples):
                        rest[i] = goal[i] - tables[0, i, a]
                    least = _least(
                        rest, tables[sides - 1], start, right, weights, cost, two_sided, largest,
                        totals,
                    )  # fmt: skip
                    if least > best:
                        continue
                    for b in range(width):
                        if totals[b] == least:
                            e = entry[edges[one] + near[0, a]]
                            f = entry[edges[other] + near[sides - 1, start + b]]
                            found[0], found[1] = least, p
                            found[2], found[3] = rows[e], outer[e]
                            found[4], found[5] = rows[f], outer[f]
                            found[6] = c
                            break
                    best = np.int64(least) - 1
                    if best < 0:
                        return found, evaluated
                    reach = window(best, samples, cost, largest)
    return found, evaluated


@njit(cache=True, nogil=True)
def _least(
    rest: Any,
    table: Any,
    start: int,
    end: int,
    weights: Any,
    cost: int,
    two_sided: bool,
    largest: bool,
    totals: Any,
) -> Any:
    """The least total of gaps ``rest`` − column, of some columns; ``totals`` gets all."""
    width = end - start
    for b in range(width):
        totals[b] = 0
    for i in range(table.shape[0]):
        row = table[i, start:end]
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
    return least
