"""Many copies of one network at once in floating point: outputs, and derivatives of every sample.

Arrays have the copies first (B of them), then the samples (N). Nothing here is exact: what comes of
it is a proposal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True)
class Block:
    """Neurons that read the same sources and have the same activation.

    Attributes:
        first, last: nodes first ≤ v < last; u = last − first.
        sources: nodes read, (k,).
        parameter: parameter numbers, (u, k + 1), the bias last; P, one past the end, for none.
        scale, constant: weight = scale · θ + constant, (u, k + 1).
        present: whether there is an edge, (u, k).
        shape: of the activation.
    """

    first: int
    last: int
    sources: Array
    parameter: Array
    scale: Array
    constant: Array
    present: Array
    shape: Shape


@dataclass(frozen=True)
class Shape:
    """An activation in floats, with a column for every unit (or one for all).

    Attributes:
        kind: ``max``, ``polynomial``, ``relu`` or ``pieces``.
        breakpoints: (m, u).
        slopes, intercepts: (m + 1, u).
        coefficients: ascending, (degree + 1, u).
    """

    kind: str
    breakpoints: Array
    slopes: Array
    intercepts: Array
    coefficients: Array

    def of(self, unit: int) -> Shape:
        """The activation of one unit, for arrays of any shape."""
        parts = (self.breakpoints, self.slopes, self.intercepts, self.coefficients)
        b, s, c, p = (a[:, unit : unit + 1] if a.shape[1] > 1 else a for a in parts)
        return Shape(self.kind, b, s, c, p)

    @cached_property
    def jumps(self) -> list[tuple[Array, Array]]:
        """(breakpoint, height) where the function jumps."""
        found = []
        for k, b in enumerate(self.breakpoints):
            rise = self.slopes[k + 1] - self.slopes[k]
            height = rise * b + self.intercepts[k + 1] - self.intercepts[k]
            if height.any():
                found.append((b, height))
        return found

    def value(self, z: Array, softness: float = 0.0) -> Array:
        """φ(z), the units last; jumps smeared over a width if that is positive."""
        if self.kind == "max":
            return z
        if self.kind == "relu":
            return np.maximum(z, 0.0)
        if self.kind == "polynomial":
            value: Array = np.broadcast_to(self.coefficients[-1], z.shape)
            for c in self.coefficients[-2::-1]:
                value = value * z + c
            return value
        value = self.slopes[0] * z + self.intercepts[0]
        for b, s, c in zip(self.breakpoints, self.slopes[1:], self.intercepts[1:], strict=True):
            value = np.where(z >= b, s * z + c, value)
        if softness:
            for b, height in self.jumps:
                value += height * (_sigmoid((z - b) / softness) - (z >= b))
        return value

    def slope(self, z: Array, softness: float = 0.0) -> Array:
        """φ'(z), as :meth:`value`."""
        if self.kind == "max":
            return np.ones_like(z)
        if self.kind == "relu":
            return (z > 0).astype(np.float64)
        if self.kind == "polynomial":
            value = np.zeros_like(z)
            for k in range(len(self.coefficients) - 1, 0, -1):
                value = value * z + k * self.coefficients[k]
            return value
        value = np.broadcast_to(self.slopes[0], z.shape)
        for b, s in zip(self.breakpoints, self.slopes[1:], strict=True):
            value = np.where(z >= b, s, value)
        if softness:
            value = value.copy()
            for b, height in self.jumps:
                s = _sigmoid((z - b) / softness)
                value += height / softness * s * (1 - s)
        return value


@dataclass(frozen=True)
class Trace:
    """One way through all copies.

    Attributes:
        signals: (B, N, nodes).
        pre_activations: by block, (B, N, u).
        weights: by block, (B, u, k + 1).
        winners: by block of maxima, the positions of the maxima, (B, N, u).
    """

    signals: Array
    pre_activations: list[Array]
    weights: list[Array]
    winners: list[Array | None]


class FloatNetwork:
    """A network compiled for batches.

    Args:
        blocks: in topological order.
        outputs: output nodes.
        factors: of the outputs.
        count: number of parameters P.
        x: inputs, (N, d), floats.
    """

    def __init__(
        self, blocks: Sequence[Block], outputs: Sequence[int], factors: Array, count: int, x: Array
    ) -> None:
        self.blocks, self.count, self.x = blocks, count, x
        self.outputs, self.factors = np.array(outputs), factors
        self.nodes = blocks[-1].last
        self._parameters = [_Columns(block.parameter.reshape(-1)) for block in blocks]
        self._sources = [_Columns(block.sources) for block in blocks]

    def weights(self, theta: Array) -> list[Array]:
        """By block, the weights at (B, P) parameters."""
        padded = np.concatenate([theta, np.zeros((theta.shape[0], 1))], axis=1)
        return [b.scale * padded[:, b.parameter] + b.constant for b in self.blocks]

    def trace(self, theta: Array, *, softness: float = 0.0) -> Trace:
        """Send all samples through all copies.

        Args:
            theta: (B, P).
            softness: width over which jumps are smeared, so that there is something to descend.
        """
        copies, samples = theta.shape[0], self.x.shape[0]
        signals = np.empty((copies, samples, self.nodes))
        signals[:, :, : self.x.shape[1]] = self.x
        weights = self.weights(theta)
        pre_activations: list[Array] = []
        winners: list[Array | None] = []
        for block, weight in zip(self.blocks, weights, strict=True):
            a = signals[:, :, block.sources]
            won = None
            if block.shape.kind == "max":
                z, won = _maximum(block, weight, a)
            else:
                z = a @ weight[:, :, :-1].transpose(0, 2, 1)
            z = z + weight[:, None, :, -1]
            signals[:, :, block.first : block.last] = block.shape.value(z, softness)
            pre_activations.append(z)
            winners.append(won)
        return Trace(signals, pre_activations, weights, winners)

    def centred(self, theta: Array, rng: np.random.Generator, low: Array, high: Array) -> Array:
        """The same weights with biases that put every hidden neuron's z = 0 at a random sample.

        Args:
            theta: (B, P).
            rng: for the samples.
            low, high: bounds of the parameters, (P,).
        """
        theta = theta.copy()
        hidden = [b for b in self.blocks if not np.isin(self.outputs, range(b.first, b.last)).any()]
        copies = np.arange(len(theta))[:, None]
        for block in hidden:
            numbers = block.parameter[:, -1]
            free = np.flatnonzero(numbers < self.count)
            if not len(free):
                continue
            z = self.trace(theta).pre_activations[self.blocks.index(block)][:, :, free]
            drawn = rng.integers(self.x.shape[0], size=(len(theta), len(free)))
            here = z[copies, drawn, np.arange(len(free))]
            moved = theta[:, numbers[free]] - here / block.scale[free, -1]
            theta[:, numbers[free]] = np.clip(moved, low[numbers[free]], high[numbers[free]])
        return theta

    def outputs_of(self, trace: Trace) -> Array:
        """Outputs, (B, N, O)."""
        return self.outputs_of_signals(trace.signals)

    def outputs_of_signals(self, signals: Array) -> Array:
        """Outputs, (B, N, O), from signals (B, N, nodes)."""
        result: Array = signals[:, :, self.outputs] * self.factors
        return result

    def outputs_at(self, theta: Array, *, softness: float = 0.0) -> Array:
        """Outputs, (B, N, O)."""
        return self.outputs_of(self.trace(theta, softness=softness))

    def pullback(self, trace: Trace, seed: Array, *, softness: float = 0.0) -> Array:
        """Derivatives of one number per sample by all parameters.

        Args:
            trace: at θ.
            seed: its derivatives by the outputs, (B, N, O).
            softness: as in :meth:`trace`.

        Returns:
            (B, N, P).
        """
        copies, samples = seed.shape[:2]
        back = np.zeros((copies, samples, self.nodes))
        for o, node in enumerate(self.outputs):
            back[:, :, node] += seed[:, :, o] * self.factors[o]
        result = np.zeros((copies, samples, self.count + 1))
        for b in range(len(self.blocks) - 1, -1, -1):
            block = self.blocks[b]
            z, weight, won = trace.pre_activations[b], trace.weights[b], trace.winners[b]
            delta = back[:, :, block.first : block.last] * block.shape.slope(z, softness)
            a = trace.signals[:, :, block.sources]
            if won is None:
                local = delta[..., None] * a[:, :, None, :]
                inner = delta @ weight[:, :, :-1]
            else:
                chosen = np.arange(block.sources.size) == won[..., None]
                local = delta[..., None] * np.where(chosen, a[:, :, None, :], 0.0)
                inner = (delta[..., None] * chosen * weight[:, None, :, :-1]).sum(axis=2)
            local = np.concatenate([local, delta[..., None]], axis=3) * block.scale
            self._parameters[b].add(result, local.reshape(copies, samples, -1))
            self._sources[b].add(back, inner)
        return result[:, :, :-1]


class _Columns:
    """Adds to columns that may repeat."""

    def __init__(self, columns: Array) -> None:
        self.unique, inverse = np.unique(columns, return_inverse=True)
        self.columns = columns
        self.own: Array | None = None
        if self.unique.size < columns.size:
            self.own = np.zeros((columns.size, self.unique.size))
            self.own[np.arange(columns.size), inverse] = 1.0

    def add(self, into: Array, values: Array) -> None:
        """Add (…, columns) to an array with more columns."""
        if self.own is None:
            into[:, :, self.columns] += values
        else:
            into[:, :, self.unique] += values @ self.own


def _sigmoid(t: Array) -> Array:
    result: Array = 0.5 * (1.0 + np.tanh(0.5 * t))
    return result


def _maximum(block: Block, weight: Array, a: Array) -> tuple[Array, Array]:
    terms = weight[:, None, :, :-1] * a[:, :, None, :]
    if not block.sources.size:
        zero = np.zeros(terms.shape[:3])
        return zero, zero.astype(np.intp)
    terms = np.where(block.present, terms, -np.inf)
    won = terms.argmax(axis=3)
    z = np.take_along_axis(terms, won[..., None], axis=3)[..., 0]
    return np.where(np.isfinite(z), z, 0.0), won
