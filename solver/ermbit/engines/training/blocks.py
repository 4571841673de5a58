"""Networks and integer forms in floats: layers that read the same become one block of units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ermbit.engines.training.network import Array, Block, FloatNetwork, Shape
from ermbit_encodings.integer_form import IntegerForm, IntegerNeuron
from ermbit_instances.network import Entry, Layer, Network


def float_network(network: Network, x: Array) -> FloatNetwork:
    """A network as it is, in floats."""
    blocks = [_block(layers, network.parameter_count) for layers in _merged(network)]
    factors = np.ones(len(network.outputs))
    return FloatNetwork(blocks, network.outputs, factors, network.parameter_count, x)


def integer_network(form: IntegerForm) -> FloatNetwork:
    """The integer form in floats: exact as long as no number passes 2^53."""
    network = form.instance.network
    neurons = {neuron.node: neuron for neuron in form.neurons}
    blocks = []
    for layers in _merged(network):
        nodes = range(layers[0].first_node, layers[-1].first_node + layers[-1].units)
        blocks.append(
            _integer_block([neurons[v] for v in nodes], layers[0].sources, network.parameter_count)
        )
    factors = np.array([float(f) for f in form.output_factors])
    x = np.array([[float(v) for v in row] for row in form.inputs])
    return FloatNetwork(blocks, form.outputs, factors, network.parameter_count, x)


def _merged(network: Network) -> list[list[Layer]]:
    """Runs of layers that read the same sources and have the same activation."""
    merged: list[list[Layer]] = []
    for layer in network.layers:
        last = merged[-1][-1] if merged else None
        if last is not None and last.sources == layer.sources:
            if last.activation == layer.activation:
                merged[-1].append(layer)
                continue
        merged.append([layer])
    return merged


def _empty(units: int, width: int, none: int) -> tuple[Array, Array, Array, Array]:
    shape = (units, width + 1)
    present = np.zeros(shape, dtype=np.bool_)
    return np.full(shape, none), np.zeros(shape), np.zeros(shape), present


def _block(layers: Sequence[Layer], none: int) -> Block:
    rows: list[list[Entry | None]] = []
    for layer in layers:
        for unit in range(layer.units):
            weights = [layer.weight(unit, k) for k in range(len(layer.sources))]
            rows.append([*weights, layer.bias(unit)])
    sources = layers[0].sources
    parameter, scale, constant, present = _empty(len(rows), len(sources), none)
    for j, row in enumerate(rows):
        for k, entry in enumerate(row):
            if entry is None:
                continue
            present[j, k] = True
            if entry.parameter is None:
                constant[j, k] = float(entry.value)
            else:
                parameter[j, k], scale[j, k] = entry.parameter, float(entry.scale)
    activation = layers[0].activation
    shape = _shape(
        activation.kind,
        [activation.breakpoints],
        [activation.slopes],
        [activation.intercepts],
        [activation.coefficients],
    )
    first = layers[0].first_node
    nodes = np.array(sources, dtype=np.intp)
    here = present[:, :-1]
    return Block(first, first + len(rows), nodes, parameter, scale, constant, here, shape)


def _integer_block(neurons: Sequence[IntegerNeuron], sources: Sequence[int], none: int) -> Block:
    parameter, scale, constant, present = _empty(len(neurons), len(sources), none)
    for j, neuron in enumerate(neurons):
        # A source may occur twice; which of its places a term takes does not matter.
        places: dict[int, list[int]] = {}
        for k, source in enumerate(sources):
            places.setdefault(source, []).append(k)
        terms = [(term, places[term.source].pop(0)) for term in neuron.terms]
        if neuron.bias is not None:
            terms.append((neuron.bias, len(sources)))
        for term, k in terms:
            present[j, k] = True
            if term.parameter < 0:
                constant[j, k] = float(term.factor)
            else:
                parameter[j, k], scale[j, k] = term.parameter, float(term.factor)
    shape = _shape(
        neurons[0].kind,
        [n.breakpoints for n in neurons],
        [[s for s, _ in n.pieces] for n in neurons],
        [[c for _, c in n.pieces] for n in neurons],
        [n.coefficients for n in neurons],
    )
    nodes = np.array(sources, dtype=np.intp)
    here = present[:, :-1]
    first, last = neurons[0].node, neurons[-1].node + 1
    return Block(first, last, nodes, parameter, scale, constant, here, shape)


def _shape(
    kind: str,
    breakpoints: Sequence[Sequence[Any]],
    slopes: Sequence[Sequence[Any]],
    intercepts: Sequence[Sequence[Any]],
    coefficients: Sequence[Sequence[Any]],
) -> Shape:
    parts = [
        np.array([[float(v) for v in row] for row in rows]).reshape(len(rows), -1).T
        for rows in (breakpoints, slopes, intercepts, coefficients)
    ]
    b, s, c, p = parts
    if kind == "piecewise_linear":
        relu = b.shape[0] == 1 and not b.any() and not c.any()
        kind = "relu" if relu and not s[0].any() and (s[1] == 1).all() else "pieces"
    return Shape(kind, b, s, c, p)
