"""ONNX graphs as chains of layers: every linear operator a matrix over the flattened tensor.

A graph is walked along the one tensor that depends on its input; all else must be constant. What
comes out is a list of blocks, each the linear map, bias and activation of one layer, the matrices
not yet written out.
"""

from __future__ import annotations

from math import prod

from ermbit_instances.onnx_model.blocks import Block
from ermbit_instances.onnx_model.chain import Chain
from ermbit_instances.onnx_model.file import OnnxModel, OnnxNode

_WINDOW = frozenset({"auto_pad", "dilations", "kernel_shape", "pads", "strides"})
OPERATORS: dict[str, tuple[int, int, frozenset[str]]] = {
    "Abs": (1, 1, frozenset()),
    "Add": (2, 2, frozenset()),
    "Clip": (1, 3, frozenset({"max", "min"})),
    "Constant": (
        0,
        0,
        frozenset({"value", "value_float", "value_floats", "value_int", "value_ints"}),
    ),
    "Conv": (2, 3, _WINDOW | {"group"}),
    "Dropout": (1, 3, frozenset({"is_test", "ratio", "seed"})),
    "Flatten": (1, 1, frozenset({"axis"})),
    "Gemm": (2, 3, frozenset({"alpha", "beta", "transA", "transB"})),
    "Identity": (1, 1, frozenset()),
    "LeakyRelu": (1, 1, frozenset({"alpha"})),
    "MatMul": (2, 2, frozenset()),
    "MaxPool": (1, 1, _WINDOW | {"ceil_mode", "storage_order"}),
    "Relu": (1, 1, frozenset()),
    "Reshape": (1, 2, frozenset({"allowzero", "shape"})),
    "Sign": (1, 1, frozenset()),
    "Sub": (2, 2, frozenset()),
    "Transpose": (1, 1, frozenset({"perm"})),
}
"""The operators that are read: least and greatest number of operands, attributes."""


def read_blocks(model: OnnxModel, inputs: int) -> list[Block]:
    """The layers of a graph, for a network of so many inputs.

    Raises:
        InputError: an operator that layers cannot say, a graph that is no chain, shapes that do
            not fit; each with the operator's name.
    """
    if len(model.outputs) != 1:
        model.fail(f"the graph has {len(model.outputs)} outputs, one is needed")
    nodes = _needed(model)
    for node in nodes:
        if node.operator not in OPERATORS:
            model.fail(f"operator {node} is not one that the network format can say")
        least, most, attributes = OPERATORS[node.operator]
        if not least <= len(node.inputs) <= most:
            node.fail(f"it has {len(node.inputs)} operands")
        for key in node.attributes:
            if key not in attributes:
                node.fail(f"attribute {key!r} is not read")
    read = {name for node in nodes for name in node.inputs}
    used = [name for name in model.inputs if name in read]
    if len(used) != 1:
        model.fail(f"the graph's output depends on {len(used)} of its inputs, one is needed")
    chain = Chain(model, used[0], _input_shape(model, used[0], inputs))
    for node in nodes:
        chain.step(node)
    if chain.name != model.outputs[0]:
        model.fail(f"nothing computes the graph's output {model.outputs[0]!r} from its input")
    return chain.blocks


def _needed(model: OnnxModel) -> list[OnnxNode]:
    """The nodes that the output depends on, in the file's order."""
    makers: dict[str, list[int]] = {}
    for place, node in enumerate(model.nodes):
        for name in filter(None, node.outputs):
            makers.setdefault(name, []).append(place)
    kept: set[int] = set()
    ahead = [model.outputs[0]]
    while ahead:
        for place in makers.pop(ahead.pop(), ()):
            if place not in kept:
                kept.add(place)
                ahead.extend(model.nodes[place].inputs)
    return [model.nodes[place] for place in sorted(kept)]


def _input_shape(model: OnnxModel, name: str, inputs: int) -> tuple[int, ...]:
    dims = model.inputs[name]
    if dims is None or len(dims) < 2:
        model.fail(f"input {name!r} needs a shape with the batch first")
    if dims[0] not in (None, 0, 1):
        model.fail(f"input {name!r} has batch size {dims[0]}; 1 or a symbolic size is needed")
    shape = tuple(d for d in dims[1:] if d is not None and d > 0)
    if len(shape) != len(dims) - 1:
        model.fail(f"input {name!r} has an axis without a size")
    if prod(shape) != inputs:
        model.fail(f"input {name!r} has {prod(shape)} entries, the network has {inputs} inputs")
    return shape
