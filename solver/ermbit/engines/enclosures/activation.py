"""Enclosures of activations."""

from __future__ import annotations

from typing import Any

from ermbit.engines.enclosures.interval import ZERO, Enclosure, Intervals, is_point, union
from ermbit_encodings.integer_form import IntegerNeuron


def activated(intervals: Intervals, neuron: IntegerNeuron, z: Enclosure) -> Enclosure:
    """A from Z."""
    if neuron.kind == "max":
        return z
    if neuron.kind == "polynomial":
        return _polynomial(intervals, neuron.coefficients, z)
    return _piecewise(intervals, neuron, z)


def _polynomial(intervals: Intervals, coefficients: tuple[int, ...], z: Enclosure) -> Enclosure:
    """Σ c_k Z^k."""
    several = sum(c != 0 for c in coefficients[1:]) > 1
    if not several:
        return _by_terms(intervals, coefficients, z)
    low, high, gap = z
    if low < 0 < high and gap > 0:
        # What lies below the gap and what lies above it have signs.
        below = (low, intervals.up.minus(gap), gap)
        above = (gap, high, gap)
        return union(
            _on_one_side(intervals, coefficients, below),
            _on_one_side(intervals, coefficients, above),
        )
    return _on_one_side(intervals, coefficients, z)


def _on_one_side(intervals: Intervals, coefficients: tuple[int, ...], z: Enclosure) -> Enclosure:
    found = _by_terms(intervals, coefficients, z)
    if is_point(z):
        return found
    derivative = tuple(k * c for k, c in enumerate(coefficients))[1:]
    slope = _by_terms(intervals, derivative, z)
    if not (slope[0] >= 0 or slope[1] <= 0):
        return found
    # Monotone: the ends of the range are the values at the ends.
    ends = [_by_terms(intervals, coefficients, intervals.between(e, e)) for e in z[:2]]
    first, last = ends if slope[0] >= 0 else reversed(ends)
    low, high = max(found[0], first[0]), min(found[1], last[1])
    gap = found[2]
    if low > gap:
        gap = low
    elif high < 0 and intervals.down.minus(high) > gap:
        gap = intervals.down.minus(high)
    return low, high, gap


def _by_terms(intervals: Intervals, coefficients: tuple[int, ...], z: Enclosure) -> Enclosure:
    parts = []
    for k, c in enumerate(coefficients):
        if c:
            if k == 0:
                parts.append(intervals.integer(c))
                continue
            power = intervals.power(z, k)
            parts.append(
                power if c == 1 else intervals.multiply(intervals.integer(c), power)
            )
    return intervals.total(parts)


def _piecewise(intervals: Intervals, neuron: IntegerNeuron, z: Enclosure) -> Enclosure:
    result: Enclosure | None = None
    edges: tuple[Any, ...] = (None, *neuron.breakpoints, None)
    for k, (slope, intercept) in enumerate(neuron.pieces):
        start, end = edges[k], edges[k + 1]
        low, high = z[0], z[1]
        # Z is an integer, so piece k ends at the integer before the next breakpoint.
        if (start is not None and high < start) or (end is not None and low > end - 1):
            continue
        if start is not None and end is not None and start >= end:
            continue
        inner = z
        if start is not None and low < start:
            inner = (intervals.between(start, start)[0], high, ZERO[2])
        if end is not None and high > end - 1:
            inner = (inner[0], intervals.between(end - 1, end - 1)[1], ZERO[2])
        if slope == 0:
            part = intervals.integer(intercept)
        else:
            part = inner if slope == 1 else intervals.multiply(intervals.integer(slope), inner)
            if intercept:
                part = intervals.add(part, intervals.integer(intercept))
        result = part if result is None else union(result, part)
    assert result is not None
    return result
