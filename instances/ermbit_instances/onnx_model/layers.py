"""Matching an ONNX graph with a network, layer by layer, and taking its weights."""

from __future__ import annotations

from itertools import pairwise
from typing import NoReturn

from ermbit_instances.activation import IDENTITY, SIGN, Activation
from ermbit_instances.certificate_values import VectorCollector
from ermbit_instances.json_node import Node
from ermbit_instances.network import Layer, Network
from ermbit_instances.onnx_model.blocks import Block, Diagonal
from ermbit_instances.onnx_model.file import OnnxModel
from ermbit_instances.onnx_model.graph import read_blocks
from ermbit_instances.onnx_model.window import Pool
from ermbit_instances.rational import Rational, write_rational


def collect_graph(
    model: OnnxModel, network: Network, collector: VectorCollector
) -> tuple[str, ...]:
    """Give the collector the weights and biases of a graph that is the network's.

    Edges that the network does not have must have weight 0, frozen ones their value, shared ones
    one value: what differs is noted as a contradiction.

    Returns:
        Remarks that do not reject.

    Raises:
        InputError: the graph is not this network, with the first difference.
    """
    blocks = read_blocks(model, network.input_count)
    if len(blocks) != len(network.layers):
        _fail_count(model, network, blocks)
    before = range(network.input_count)
    for block, layer in zip(blocks, network.layers, strict=True):
        _match(model, block, layer, before)
        before = range(layer.first_node, layer.first_node + layer.units)
    notes = []
    for block, layer in zip(blocks, network.layers, strict=True):
        # The sizes are the network's, so that the matrix is within the limit on its edges.
        weights_place = Node(None, f"$.W{layer.index}", str(model.file))
        if isinstance(block.linear, Pool):
            edges = block.linear.edges()
            _match_pool(model, block, layer, edges.tolist())
            collector.array(layer, "W", edges.astype("float64"), weights_place, null=False)
        else:
            collector.array(layer, "W", block.linear.matrix(), weights_place, null=False)
        if layer.has_bias or block.bias is not None:
            place = Node(None, f"$.b{layer.index}", str(model.file))
            collector.array(layer, "b", block.bias_vector(), place, null=False)
        if block.activation is SIGN:
            notes.append(
                f"layer {layer.index}: {block.operators[-1]} gives 0 at 0, "
                "where the network's sign gives 1"
            )
    return tuple(notes)


def _fail_count(model: OnnxModel, network: Network, blocks: list[Block]) -> NoReturn:
    shown = [f"{i}: {_operators(block)}" for i, block in enumerate(blocks[:8], 1)]
    reason = f"the graph has {len(blocks)} layers ({'; '.join(shown)}"
    reason += f"{'; ...' if len(blocks) > 8 else ''}), the network has {len(network.layers)}"
    for first, second in pairwise(blocks):
        if first.activation is IDENTITY and not isinstance(second.linear, Pool):
            if not isinstance(first.linear, Pool):
                reason += (
                    f"; {first.operators[-1]} and {second.operators[0]} are linear without an "
                    "activation between them: two layers, which are not multiplied out"
                )
                break
    model.fail(reason)


def _operators(block: Block) -> str:
    return ", ".join(str(node) for node in block.operators)


def _match(model: OnnxModel, block: Block, layer: Layer, before: range) -> None:
    """Sizes, sources and activation of one layer."""
    what = f"layer {layer.index}"
    if layer.sources != tuple(before):
        model.fail(f"{what} of the network reads other layers than the one before; a chain cannot")
    if block.linear.units != layer.units or block.linear.fan_in != len(layer.sources):
        model.fail(
            f"{what}: {_operators(block)} has {block.linear.units} units of fan-in "
            f"{block.linear.fan_in}, the network {layer.units} of fan-in {len(layer.sources)}"
        )
    pool, wanted = isinstance(block.linear, Pool), layer.activation
    if pool != (wanted.kind == "max"):
        kind = "a maximum" if pool else "no maximum"
        model.fail(f"{what}: {_operators(block)} is {kind}, the activation is {_shown(wanted)}")
    if not pool and _pieces(block.activation) != _pieces(wanted):
        reason = f"{what}: {_operators(block)} has the activation {_shown(block.activation)}, "
        reason += f"the network {_shown(wanted)}"
        if block.activation is IDENTITY and not isinstance(block.linear, Diagonal):
            reason += "; linear operators in a row are separate layers"
        model.fail(reason)


def _match_pool(model: OnnxModel, block: Block, layer: Layer, edges: list[list[bool]]) -> None:
    """A weight of 0 is an entry of the maximum, so the edges themselves must agree."""
    for j, row in enumerate(edges):
        if not any(row):
            model.fail(f"layer {layer.index}: {_operators(block)} has a window of padding alone")
        for k, edge in enumerate(row):
            if edge != (layer.weight(j, k) is not None):
                verb = "reads" if edge else "does not read"
                model.fail(
                    f"layer {layer.index}: {_operators(block)} {verb} entry {k} for unit {j}, "
                    "other than the network's mask"
                )


def _shown(activation: Activation) -> str:
    """An activation with its options, for messages."""
    options = ", ".join(
        f"{key} {write_rational(value)}"
        for key, value in activation.options
        if not isinstance(value, tuple)
    )
    return f"{activation.name} with {options}" if options else activation.name


def _pieces(activation: Activation) -> object:
    """What the function is, whatever its name: pieces that differ, or coefficients."""
    if activation.kind != "piecewise_linear":
        return activation.coefficients
    points: list[Rational] = []
    lines = [(activation.slopes[0], activation.intercepts[0])]
    for point, line in zip(
        activation.breakpoints,
        zip(activation.slopes[1:], activation.intercepts[1:], strict=True),
        strict=True,
    ):
        if line != lines[-1]:
            points.append(point)
            lines.append(line)
    return tuple(points), tuple(lines)
