"""One layer of exact backpropagation in bulk: pieces, kinks, and the slopes of what a layer reads.

Error signals are matrices of integers, samples × units, over one denominator (docs/theory.md A6).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import lcm
from typing import TYPE_CHECKING, Any

from ermbit.verifier.bulk.exact_matrix import ExactLayer, Scaled
from ermbit.verifier.bulk.float_network import Reading
from ermbit.verifier.bulk.limb_sums import column_sums, equal_to, masked, total, transposed
from ermbit.verifier.bulk.limbs import (
    Integers,
    affine,
    at_least,
    from_list,
    product,
    tight,
    to_objects,
)
from ermbit_instances.rational import ceil

if TYPE_CHECKING:
    import numpy as np

Array = Any
"""A NumPy array."""


@dataclass(frozen=True)
class Reads:
    """Which slopes a layer needs.

    Attributes:
        weights, biases: whether some weight, some bias has a parameter.
        sources: (block, columns of the layer's input, columns of the block) of each segment that
            is not one of network inputs.
    """

    weights: bool
    biases: bool
    sources: tuple[tuple[int, slice, slice | Array], ...]


def reads_of(layer: ExactLayer) -> Reads:
    """What is needed of a layer."""
    blocks = layer.layer.blocks
    weights = any(
        b.weights is None or any(e and e.parameter is not None for r in b.weights for e in r)
        for b in blocks
    )
    biases = any(
        b.has_bias and (b.biases is None or any(e and e.parameter is not None for e in b.biases))
        for b in blocks
    )
    inner = (s for s in segments(layer.layer.reading) if s[0] > 0)
    return Reads(weights, biases, tuple(inner))


def segments(reading: Reading) -> Iterator[tuple[int, slice, slice | Array]]:
    """(block, columns of what is read, columns of the block) in order."""
    first = 0
    for segment in reading.segments:
        columns = segment.columns
        if isinstance(columns, slice):
            count = int(columns.stop) - int(columns.start)
        else:
            count = len(columns)
        yield segment.block, slice(first, first + count), columns
        first += count


@dataclass(frozen=True)
class LayerWay:
    """A chunk's way through one layer.

    Attributes:
        inputs: what it read, samples × fan-in.
        ties: samples × units, where a convention was used.
        slopes: the distinct slopes other than 0 (over ``unit``), each with its entries.
        unit: common denominator of the slopes.
        choice: for ``max``, samples × units: the first position of the maximum, −1 for none.
    """

    inputs: Scaled
    ties: np.ndarray[Any, Any]
    slopes: tuple[tuple[int, np.ndarray[Any, Any]], ...]
    unit: int
    choice: np.ndarray[Any, Any] | None = None

    def delta(self, back: Scaled) -> Scaled | None:
        """∂L/∂z from ∂L/∂a; ``None`` if it is 0 everywhere because all slopes are."""
        if self.choice is not None:
            return Scaled(tight(back.integers), back.denominator)
        if not self.slopes:
            return None
        parts = [
            Scaled(masked(affine(back.integers, slope, [0]), mask), back.denominator * self.unit)
            for slope, mask in self.slopes
        ]
        found = total(parts)
        return Scaled(tight(found.integers), found.denominator)

    def bias_slopes(self, delta: Scaled) -> Scaled:
        """1 × units."""
        return Scaled(column_sums(delta.integers), delta.denominator)

    def weight_slopes(self, layer: ExactLayer, delta: Scaled, floats: bool) -> Scaled:
        """units × fan-in: δᵀ·A."""
        signals = self.inputs.integers
        unit = delta.denominator * self.inputs.denominator
        if self.choice is None:
            row_sum = signals.bound * signals.limbs.shape[1]
            left, right = transposed(delta.integers), transposed(signals)
            return Scaled(product(left, right, row_sum, floats=floats), unit)
        # Only the signal that attains the maximum has a slope.
        cells, values = to_objects(delta.integers), to_objects(signals)
        found = layer.weights.integers.limbs[0].astype(object) * 0
        for j in range(found.shape[0]):
            rows = (self.choice[:, j] >= 0).nonzero()[0]
            at = self.choice[rows, j]
            _add_at(found[j], at, cells[rows, j] * values[rows, at])
        return Scaled(from_list(found.reshape(-1).tolist(), found.shape), unit)

    def source_slopes(
        self, layer: ExactLayer, delta: Scaled, columns: slice, floats: bool
    ) -> Scaled:
        """samples × columns: δ·W for some columns of what the layer reads."""
        weights = layer.weights.integers
        unit = delta.denominator * layer.weights.denominator
        if self.choice is None:
            part = transposed(weights.columns(columns))
            row_sum = weights.bound * weights.limbs.shape[1]
            return Scaled(product(delta.integers, part, row_sum, floats=floats), unit)
        cells, values = to_objects(delta.integers), to_objects(weights)
        found = self.inputs.integers.limbs[0].astype(object) * 0
        for j in range(cells.shape[1]):
            rows = (self.choice[:, j] >= 0).nonzero()[0]
            at = self.choice[rows, j]
            found[rows, at] += cells[rows, j] * values[j, at]
        found = found[:, columns]
        return Scaled(from_list(found.reshape(-1).tolist(), found.shape), unit)


def _add_at(row: Array, at: Array, terms: Array) -> None:
    import numpy as np

    np.add.at(row, at, terms)


def layer_way(layer: ExactLayer, inputs: Scaled, z: Scaled) -> LayerWay:
    """The pieces that a chunk takes in a layer.

    Args:
        layer: the layer.
        inputs: what it reads.
        z: its pre-activations.
    """
    import numpy as np

    activation = layer.layer.activation
    if activation.kind == "max":
        choice, ties = _maxima(layer, inputs.integers)
        return LayerWay(inputs, ties, (), 1, choice)
    shape = z.integers.limbs.shape[1:]
    piece, ties = np.zeros(shape, dtype=np.int32), np.zeros(shape, dtype=bool)
    pieces = list(zip(activation.slopes, activation.intercepts, strict=True))
    for point, (left, right) in zip(activation.breakpoints, pairwise(pieces), strict=True):
        at = point * z.denominator
        piece += at_least(z.integers, ceil(at))
        # Where the pieces on both sides are one line, there is no kink.
        if left != right and at.denominator == 1:
            ties |= equal_to(z.integers, int(at))
    if activation.name in ("relu", "abs", "clip"):
        piece[ties] = -1
    unit = lcm(*(int(s.denominator) for s in activation.slopes))
    slopes = []
    for slope in dict.fromkeys(s for s in activation.slopes if s != 0):
        numbers = [k for k, s in enumerate(activation.slopes) if s == slope]
        mask = piece == numbers[0] if len(numbers) == 1 else np.isin(piece, numbers)
        slopes.append((int(slope * unit), mask))
    return LayerWay(inputs, ties, tuple(slopes), unit)


def _maxima(layer: ExactLayer, inputs: Integers) -> tuple[Array, Array]:
    """Per sample and unit the first position of the maximum (−1: no input), and whether it ties."""
    import numpy as np

    weights, present = to_objects(layer.weights.integers), layer.layer.present
    signals = to_objects(inputs)
    choice = np.full((len(signals), len(weights)), -1, dtype=np.int64)
    ties = np.zeros(choice.shape, dtype=bool)
    for j, row in enumerate(weights):
        there = np.arange(len(row)) if present is None else np.flatnonzero(present[j])
        if not len(there):
            continue
        terms = signals[:, there] * row[there]
        first = terms.argmax(axis=1)
        best = terms[np.arange(len(terms)), first]
        choice[:, j] = there[first]
        ties[:, j] = (terms == best[:, None]).sum(axis=1) > 1
    return choice, ties
