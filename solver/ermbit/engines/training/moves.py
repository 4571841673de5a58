"""Moves on the grid, for many assignments at once: what the network becomes if one neuron changes.

Each of S assignments keeps the signals of its whole network. A move changes parameters of one
neuron; what it changes further on is added to what is there, so that a weight of the first layer
costs one column of numbers per move and not an evaluation. Numbers are those of the integer form,
in floats: exact up to 2^53, and only proposals beyond.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ermbit.engines.training.network import Array, Block, FloatNetwork


@dataclass(frozen=True)
class Unit:
    """A neuron with parameters that occur nowhere else.

    Attributes:
        block, index: where it is.
        columns: positions of its free entries in the row of its block, (K,).
        parameters: their numbers, (K,).
        factors: weight = factor · θ, (K,).
    """

    block: int
    index: int
    columns: Array
    parameters: Array
    factors: Array


def find_units(network: FloatNetwork) -> tuple[list[Unit], list[int]]:
    """Neurons whose parameters can be moved incrementally, and all other parameters."""
    used = [b.parameter[b.parameter < network.count] for b in network.blocks]
    uses = np.bincount(np.concatenate([*used, []]).astype(np.intp), minlength=network.count)
    units = []
    rest = set(range(network.count))
    for b, block in enumerate(network.blocks):
        if block.shape.kind == "max":
            continue
        for j, row in enumerate(block.parameter):
            own = np.flatnonzero((row < network.count) & (np.append(uses, 0)[row] == 1))
            if len(own):
                units.append(Unit(b, j, own, row[own], block.scale[j, own]))
                rest -= set(row[own].tolist())
    return units, sorted(rest)


class Bench:
    """S assignments with their signals.

    Args:
        network: the integer form in floats.
        theta: (S, P) integer parameters.

    Attributes:
        theta: (S, P).
        outputs: (S, N, O), scaled.
    """

    def __init__(self, network: FloatNetwork, theta: Array) -> None:
        self.network = network
        self.theta = theta
        self.refresh()

    def refresh(self, rows: Array | None = None) -> None:
        """Recompute the signals, of some assignments only if given."""
        if rows is None:
            trace = self.network.trace(self.theta)
            self.signals, self.weights = trace.signals, trace.weights
            self.pre_activations = trace.pre_activations
        else:
            trace = self.network.trace(self.theta[rows])
            self.signals[rows] = trace.signals
            for mine, new in zip(self.weights, trace.weights, strict=True):
                mine[rows] = new
            for mine, new in zip(self.pre_activations, trace.pre_activations, strict=True):
                mine[rows] = new
        self.outputs = self.network.outputs_of_signals(self.signals)

    def inputs(self, unit: Unit) -> Array:
        """What the unit's free entries multiply, (S, K, N); 1 for the bias."""
        block = self.network.blocks[unit.block]
        ones = np.ones((*self.signals.shape[:2], 1))
        a = np.concatenate([self.signals[:, :, block.sources], ones], axis=2)
        found: Array = a[:, :, unit.columns].transpose(0, 2, 1) * unit.factors[:, None]
        return found

    def moved(self, unit: Unit, change: Array) -> Array:
        """Outputs after moves of one unit.

        Args:
            unit: the neuron.
            change: of its pre-activations, (S, M, N).

        Returns:
            (S, M, N, O).
        """
        block = self.network.blocks[unit.block]
        z = self.pre_activations[unit.block][:, None, :, unit.index] + change
        node = block.first + unit.index
        new = block.shape.of(unit.index).value(z[..., None])
        shift = new - self.signals[:, None, :, node, None]
        return self._propagated(unit.block, np.array([node]), shift)

    def _propagated(self, start: int, nodes: Array, shift: Array) -> Array:
        """Outputs after shifts (S, M, N, G) of the signals of some nodes of one block."""
        changed: list[tuple[Array, Array]] = [(nodes, shift)]
        blocks = self.network.blocks
        for b in range(start + 1, len(blocks)):
            block = blocks[b]
            z: Array | None = None
            for group, delta in changed:
                reads = block.sources[:, None] == group
                if not reads.any():
                    continue
                if block.shape.kind == "max":
                    z = self._maxima(b, block, changed)
                    break
                weight = self.weights[b][:, :, :-1] @ reads.astype(np.float64)  # (S, u, G)
                if delta.shape[3] == 1:
                    part = delta * weight[:, None, None, :, 0]
                else:
                    part = delta @ weight.transpose(0, 2, 1)[:, None]
                z = part if z is None else z + part
            if z is None:
                continue
            if block.shape.kind != "max":
                z = z + self.pre_activations[b][:, None]
            own = np.arange(block.first, block.last)
            old = self.signals[:, None, :, block.first : block.last]
            changed.append((own, block.shape.value(z) - old))
        network = self.network
        outputs = np.repeat(self.outputs[:, None], shift.shape[1], axis=1)
        for group, delta in changed:
            for o, node in enumerate(network.outputs):
                for g in np.flatnonzero(group == node):
                    outputs[..., o] += delta[..., g] * network.factors[o]
        return outputs

    def _maxima(self, b: int, block: Block, changed: list[tuple[Array, Array]]) -> Array:
        states, moves, samples = changed[0][1].shape[:3]
        shape = (states, moves, samples, block.sources.size)
        a = np.broadcast_to(self.signals[:, None, :, block.sources], shape).copy()
        for group, delta in changed:
            for k, source in enumerate(block.sources):
                for g in np.flatnonzero(group == source):
                    a[..., k] += delta[..., g]
        weight = self.weights[b]
        terms = weight[:, None, None, :, :-1] * a[..., None, :]
        terms = np.where(block.present, terms, -np.inf)
        z: Array = terms.max(axis=4)
        z = np.where(np.isfinite(z), z, 0.0) + weight[:, None, None, :, -1]
        return z
