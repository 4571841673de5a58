"""Activations of the integer form on arrays: of many samples and many assignments at once.

The element type has to hold every intermediate result (:mod:`~ermbit.engines.enumeration_bounds`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ermbit_encodings.integer_form import IntegerNeuron

Array: TypeAlias = NDArray[Any]

Pieces: TypeAlias = tuple[tuple[int | None, int, int], ...]
"""(start, slope, intercept) of those that can be reached, increasing; the first has no start."""

_IDENTITY: Pieces = ((None, 1, 0),)


def activated(neuron: IntegerNeuron, pieces: Pieces, z: Array) -> Array:
    """φ(z), which may be z itself.

    Args:
        neuron: whose activation φ is.
        pieces: of a piecewise linear φ.
        z: sums; of a ``max`` neuron the maxima.
    """
    if neuron.kind == "max" or pieces == _IDENTITY:
        return z
    if neuron.kind == "polynomial":
        return polynomial(neuron.coefficients, z)
    return piecewise(pieces, z)


def polynomial(coefficients: Sequence[int], z: Array) -> Array:
    """Σ c_k z^k, in a new array."""
    value = np.full_like(z, coefficients[-1])
    for c in reversed(coefficients[:-1]):
        value = value * z + c
    return value


def piecewise(pieces: Pieces, z: Array) -> Array:
    """φ(z) by its pieces, in a new array."""
    (_, slope, intercept), *others = pieces
    if slope == intercept == 0 and len(others) == 1 and others[0][0] == others[0][2] == 0:
        factor = others[0][1]
        positive: Array = np.maximum(z, 0)
        return positive if factor == 1 else positive * factor
    value = _line(z, slope, intercept) if others else z * slope + intercept
    for start, slope, intercept in others:
        value = np.where(z >= start, _line(z, slope, intercept), value)
    return value


def _line(z: Array, slope: int, intercept: int) -> Array:
    if slope == 0:
        return np.full_like(z, intercept)
    sloped = z if slope == 1 else z * slope
    return sloped if intercept == 0 else sloped + intercept
