"""Intervals of integers, of many samples and tuples at a time.

The ends are arrays; where both are the same array, all is known to be points.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from ermbit.engines.integer_activation import Array, Pieces, piecewise, polynomial
from ermbit_encodings.integer_form import IntegerNeuron

Interval: TypeAlias = tuple[Array, Array]
"""Least and greatest values: (samples, tuples) for signals, (1, tuples) for parameters; axes of
length 1 say "the same for all"."""


def times(
    signal: Interval, weight: tuple[Array | int, Array | int], positive: bool = False
) -> Interval:
    """Products of intervals; ``positive``: no signal is negative."""
    (a, b), (c, d) = signal, weight
    if c is d:
        if isinstance(c, int):
            if c == 1:
                return signal
            return (a * c, b * c) if c > 0 else (b * c, a * c)
        x = a * c
        if a is b:
            return x, x
        y = b * c
        return np.minimum(x, y), np.maximum(x, y)
    if a is b:
        x, y = a * c, a * d
        return np.minimum(x, y), np.maximum(x, y)
    if positive:
        return np.minimum(a * c, b * c), np.maximum(a * d, b * d)
    ac, ad, bc, bd = a * c, a * d, b * c, b * d
    low = np.minimum(np.minimum(ac, ad), np.minimum(bc, bd))
    high = np.maximum(np.maximum(ac, ad), np.maximum(bc, bd))
    return low, high


def narrowed(interval: Interval, kept: Array) -> Interval:
    """Those of some of the tuples."""
    low, high = interval
    if low is high:
        low = high = low if low.shape[1] == 1 else low.take(kept, axis=1)
        return low, high
    return (
        low if low.shape[1] == 1 else low.take(kept, axis=1),
        high if high.shape[1] == 1 else high.take(kept, axis=1),
    )


def magnitude(interval: Interval) -> Array:
    """Greatest absolute values, about."""
    low, high = interval
    return np.maximum(np.abs(low), np.abs(high)).astype(np.float32)


def activated(neuron: IntegerNeuron, pieces: Pieces, z: Interval) -> Interval:
    """All values of φ on intervals; for ``max`` they are those of the maximum already."""
    low, high = z
    if neuron.kind == "max":
        return z
    if neuron.kind == "polynomial":
        return polynomial_range(neuron.coefficients, low, high)
    rising = direction(pieces)
    if rising > 0:
        return piecewise(pieces, low), piecewise(pieces, high)
    if rising < 0:
        return piecewise(pieces, high), piecewise(pieces, low)
    ends = [piecewise(pieces, low), piecewise(pieces, high)]
    least, most = np.minimum(*ends), np.maximum(*ends)
    for k, (start, slope, intercept) in enumerate(pieces):
        a = low if start is None else np.maximum(low, start)
        after = pieces[k + 1][0] if k + 1 < len(pieces) else None
        b = high if after is None else np.minimum(high, after - 1)
        inside = a <= b
        ends = [a * slope + intercept, b * slope + intercept]
        least = np.where(inside, np.minimum(least, np.minimum(*ends)), least)
        most = np.where(inside, np.maximum(most, np.maximum(*ends)), most)
    return least, most


def direction(pieces: Pieces) -> int:
    """1 if φ never falls on the integers, −1 if it never rises, else 0."""
    signs = {(slope > 0) - (slope < 0) for _, slope, _ in pieces}
    for (_, s, c), (start, t, e) in pairwise(pieces):
        assert start is not None
        jump = (t * start + e) - (s * (start - 1) + c)
        signs.add((jump > 0) - (jump < 0))
    signs -= {0}
    if len(signs) > 1:
        return 0
    return -1 if signs == {-1} else 1


def polynomial_range(coefficients: Sequence[int], low: Array, high: Array) -> Interval:
    """An interval of the polynomial's values, up to degree 2 exactly that of the integers."""
    if len(coefficients) > 3:
        least, most = np.full_like(low, coefficients[-1]), np.full_like(high, coefficients[-1])
        for c in reversed(coefficients[:-1]):
            least, most = times((low, high), (least, most))
            least, most = least + c, most + c
        return least, most
    ends = [polynomial(coefficients, low), polynomial(coefficients, high)]
    if len(coefficients) == 3 and coefficients[2]:
        # The integers next to the vertex, or what of the interval is nearest to them.
        vertex = -coefficients[1] // (2 * coefficients[2])
        ends += [polynomial(coefficients, np.clip(vertex + k, low, high)) for k in (0, 1)]
    return np.minimum.reduce(ends), np.maximum.reduce(ends)
