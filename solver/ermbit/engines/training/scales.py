"""Neurons whose scale is free, and the scales that put their weights on the grid.

If φ(ct) = c^k φ(t) for c > 0 (k = 1: ``relu``, ``leaky_relu``, ``abs``, ``identity``, ``max``;
k = 0: ``step``, ``sign``; k ≥ 2: powers), the weights into a neuron may be multiplied by c and
those out of it divided by c^k (docs/theory.md B1). Training finds neurons only up to that: if a
solution belongs to a network with weights on the grid, some c brings it there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ermbit.engines.training.network import Array
from ermbit.engines.training.values import Values
from ermbit_instances.activation import Activation
from ermbit_instances.network import Network, Neuron

MOST_SCALES = 256
"""Scales that are tried for one neuron."""

MOST_LEAVES = 400
"""Combinations of scales that are tried for one network."""


@dataclass(frozen=True)
class ScalableNeuron:
    """A neuron of free scale.

    Attributes:
        incoming: numbers of its parameters.
        outgoing: numbers of the parameters that multiply its output.
        settled: those among ``outgoing`` that enter neurons without a free scale.
        degree: k.
    """

    incoming: Array
    outgoing: Array
    settled: Array
    degree: int

    def scale(self, theta: Array, c: Array) -> None:
        """Multiply in place: θ (B, P) by factors c (B,)."""
        theta[:, self.incoming] *= c[:, None]
        theta[:, self.outgoing] /= (c**self.degree)[:, None]


def homogeneity(activation: Activation) -> int | None:
    """k with φ(ct) = c^k φ(t) for all c > 0, if there is one."""
    if activation.is_homogeneous:
        return 1
    if activation.kind == "piecewise_linear":
        at_zero = all(b == 0 for b in activation.breakpoints)
        return 0 if at_zero and activation.is_piecewise_constant else None
    if activation.kind == "polynomial" and not any(activation.coefficients[:-1]):
        return activation.degree
    return None


def scalable_neurons(network: Network) -> tuple[ScalableNeuron, ...]:
    """The neurons of free scale, in topological order."""
    uses = Counter(
        e.parameter for n in network.neurons for e in n.entries() if e.parameter is not None
    )
    readers: dict[int, list[tuple[int, int | None, bool]]] = {}
    for neuron in network.neurons:
        for source, entry in zip(neuron.sources, neuron.weights, strict=True):
            zero = entry.parameter is None and entry.value == 0
            readers.setdefault(source, []).append((neuron.node, entry.parameter, zero))
    # By node: the parameters into and out of it.
    parts: dict[int, tuple[list[int], list[tuple[int, int]], int]] = {}
    for neuron in network.neurons:
        degree = homogeneity(neuron.activation)
        out = readers.get(neuron.node, [])
        if degree is None or (degree and neuron.node in network.outputs):
            continue
        incoming = _own(neuron, uses)
        outgoing = [(node, p) for node, p, _ in out if p is not None and uses[p] == 1]
        if incoming is None or (
            degree and any(not zero and (p is None or uses[p] > 1) for _, p, zero in out)
        ):
            continue
        parts[neuron.node] = (incoming, outgoing if degree else [], degree)
    return tuple(
        ScalableNeuron(
            np.array(incoming, dtype=np.intp),
            np.array([p for _, p in outgoing], dtype=np.intp),
            np.array([p for node, p in outgoing if node not in parts], dtype=np.intp),
            degree,
        )
        for incoming, outgoing, degree in parts.values()
        if incoming
    )


def _own(neuron: Neuron, uses: Counter[int]) -> list[int] | None:
    """The neuron's parameters, if all are its own and nothing else enters."""
    found = []
    for entry in neuron.entries():
        if entry.parameter is None:
            if entry.value != 0:
                return None
        elif uses[entry.parameter] > 1:
            return None
        else:
            found.append(entry.parameter)
    return found


def recognised(
    theta: Array, neurons: Sequence[ScalableNeuron], values: Values, tolerance: float
) -> Iterator[tuple[Array, Array]]:
    """Equal networks with more weights on the grid: by neuron, from the inputs on.

    Args:
        theta: (P,).
        neurons: of free scale, topologically ordered.
        values: the domains.
        tolerance: how far from a member a weight may be, relative to sizes above 1.

    Yields:
        (θ, which parameters lie on the grid); those of neurons for which no scale was found stay
        as they are.
    """
    leaves = 0

    def descend(j: int, theta: Array) -> Iterator[tuple[Array, Array]]:
        nonlocal leaves
        if leaves >= MOST_LEAVES:
            return
        if j == len(neurons):
            leaves += 1
            near = values.nearest(theta, tolerance)
            yield theta, np.abs(near - theta) <= tolerance * np.maximum(1.0, np.abs(theta))
            return
        neuron = neurons[j]
        options = _scales(theta, neuron, values, tolerance)
        for c in options if len(options) else (1.0,):
            scaled = theta[None].copy()
            neuron.scale(scaled, np.array([c]))
            yield from descend(j + 1, scaled[0])

    return descend(0, theta)


def _scales(theta: Array, neuron: ScalableNeuron, values: Values, tolerance: float) -> Array:
    """The factors that bring all weights into a neuron to members, increasing."""
    weights = theta[neuron.incoming]
    at = int(np.abs(weights).argmax())
    if abs(weights[at]) < 1e-9:
        return np.empty(0)
    factors = values.sizes(int(neuron.incoming[at]), MOST_SCALES) / abs(weights[at])
    moved = np.repeat(theta[None], len(factors), axis=0)
    neuron.scale(moved, factors)
    near = values.nearest(moved, tolerance)
    off = np.abs(near - moved) / np.maximum(1.0, np.abs(moved))
    columns = neuron.incoming
    if not values.simple[neuron.settled].any():
        columns = np.concatenate([columns, neuron.settled])
    fitting: Array = factors[off[:, columns].max(axis=1) <= tolerance]
    return fitting


def balanced(theta: Array, free: Array, neurons: Sequence[ScalableNeuron], values: Values) -> Array:
    """Equal networks with weights closer to the grid: the best scale for every neuron, in turn.

    Args:
        theta: (P,).
        free: (P,), what may still be moved; a neuron with a fixed weight ≠ 0 keeps its scale.

    Returns:
        (P,).
    """
    theta = theta.copy()
    for neuron in neurons:
        touched = np.concatenate([neuron.incoming, neuron.outgoing])
        if np.any(~free[touched] & (theta[touched] != 0)):
            continue
        weights = theta[neuron.incoming]
        at = int(np.abs(weights).argmax())
        if abs(weights[at]) < 1e-9:
            continue
        factors = values.sizes(int(neuron.incoming[at]), MOST_SCALES) / abs(weights[at])
        moved = np.repeat(theta[None], len(factors), axis=0)
        neuron.scale(moved, factors)
        inside = (moved[:, touched] >= values.low[touched]) & (
            moved[:, touched] <= values.high[touched]
        )
        off = np.abs(values.nearest(moved) - moved)[:, touched]
        cost = (off / np.maximum(1.0, np.abs(moved[:, touched]))).mean(axis=1)
        cost += 10.0 * (~inside).sum(axis=1)
        theta = moved[int(cost.argmin())]
    return theta
