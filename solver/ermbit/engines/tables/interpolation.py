"""Exact interpolation: sums of one row from every table that equal the target, met in the middle.

The units are divided into two halves. A linear hash of 64 bits turns "left + right = target" into
an equation between two numbers modulo 2^64: all sums of the left half are held sorted, those of the
right half are looked up (docs/theory.md E4). Every sum of either half takes part, so none of the
offsets of a vector is lost; a hash that fits is only believed after adding up the vectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import prod

import numpy as np

from ermbit.engines.tables.build import Array, Check, hashes

HELD, STREAMED = 2**20, 2**21
"""Sums of the one half that are held, and of the other that are looked up, at most: beyond that the
search on trees with a budget of 0 is faster."""

CHUNK = 2**18


def halves(sizes: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Units to hold and units to look up, or ``None`` if there are too many sums of any."""
    units = range(len(sizes))
    best: tuple[int, tuple[int, ...]] | None = None
    for count in range(len(sizes)):
        for right in combinations(units, count + 1):
            streamed = prod(sizes[u] for u in right)
            held = prod(sizes[u] for u in units if u not in right)
            if held <= HELD and streamed <= STREAMED:
                work = 2 * held + streamed
                if best is None or work < best[0]:
                    best = (work, right)
    if best is None:
        return None
    return tuple(u for u in units if u not in best[1]), best[1]


def interpolate(
    vectors: Sequence[Array],
    target: Array,
    parts: tuple[tuple[int, ...], tuple[int, ...]],
    check: Check,
) -> tuple[int, ...] | None:
    """Rows, one of every table, that add up to the target; ``None`` if there are none."""
    left, right = parts
    keys = [hashes(list(v.T)) for v in vectors]
    goal = hashes([line[None] for line in target])[0]
    held = _sums([keys[u] for u in left], check)
    order = np.argsort(held)
    held = held[order]
    last = right[-1]
    others = _sums([keys[u] for u in right[:-1]], check)
    per = max(1, CHUNK // keys[last].size)
    for start in range(0, others.size, per):
        check()
        wanted = (goal - others[start : start + per, None] - keys[last]).ravel()
        place = np.searchsorted(held, wanted)
        fits = np.nonzero(held[np.minimum(place, held.size - 1)] == wanted)[0]
        for raw in fits:
            first, row = divmod(int(raw), keys[last].size)
            rows = dict(zip(right[:-1], _digits(start + first, keys, right[:-1]), strict=True))
            rows[last] = row
            at = int(place[raw])
            while at < held.size and held[at] == wanted[raw]:
                rows |= zip(left, _digits(int(order[at]), keys, left), strict=True)
                total = np.zeros(target.size, dtype=np.int64)
                for u, k in rows.items():
                    total += vectors[u][k]
                if (total == target).all():
                    return tuple(rows[u] for u in range(len(vectors)))
                at += 1
    return None


def _sums(keys: Sequence[Array], check: Check) -> Array:
    """Hashes of all sums of one row each; the last unit varies fastest."""
    total = np.zeros(1, dtype=np.uint64)
    for key in keys:
        check()
        total = (total[:, None] + key).ravel()
    return total


def _digits(number: int, keys: Sequence[Array], units: Sequence[int]) -> list[int]:
    digits: list[int] = []
    for u in reversed(units):
        number, digit = divmod(number, keys[u].size)
        digits.append(digit)
    return digits[::-1]
