"""The walk along an ONNX graph: what each operator adds to the layers so far.

Weights are never combined: two linear operators in a row are two blocks, since the product of
their matrices would have to be rounded to be weights again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf, prod
from typing import TYPE_CHECKING, Any

from gmpy2 import mpq

from ermbit_instances.activation import ABS, RELU, SIGN, Activation, piecewise
from ermbit_instances.onnx_model.blocks import Block, Dense, Diagonal, Linear
from ermbit_instances.onnx_model.constants import (
    broadcasts,
    clip_bounds,
    constant_node,
    reshaped,
    scaled,
    whole_numbers,
)
from ermbit_instances.onnx_model.file import OnnxModel, OnnxNode
from ermbit_instances.onnx_model.window import Convolution, Pool, read_axes

if TYPE_CHECKING:
    import numpy as np


@dataclass
class Chain:
    """A walk along a graph: the tensor that depends on the input, and the blocks that lead to it.

    Attributes:
        model: the graph.
        name, shape: the tensor reached, its shape without the batch.
        blocks: the layers so far.
        constants: tensors computed from constants, by name.
        passed: tensors before the one reached.
        open: the last block while it may still get a bias or an activation.
    """

    model: OnnxModel
    name: str
    shape: tuple[int, ...]
    blocks: list[Block] = field(default_factory=list)
    constants: dict[str, Any] = field(default_factory=dict)
    passed: set[str] = field(default_factory=set)
    open: Block | None = None

    def step(self, node: OnnxNode) -> None:
        """Take one more operator.

        Raises:
            InputError: it does not continue the chain, or its operands do not fit.
        """
        if not node.outputs or not node.outputs[0]:
            node.fail("it has no output")
        new = node.outputs[0]
        if new == self.name or new in self.passed or self.is_constant(new):
            node.fail(f"it computes {new!r}, which is there already")
        names = [name for name in node.inputs if name]
        data = [name for name in names if not self.is_constant(name)]
        for name in data:
            if name != self.name and name not in self.passed:
                node.fail(f"it reads {name!r}, which nothing before it computes")
        if len(data) > 1:
            node.fail("it joins two computed tensors; only a chain of layers is read")
        if data and data[0] != self.name:
            node.fail(f"it reads {data[0]!r} past other operators; only a chain is read")
        if not data:
            self.constants[new] = self._fold(node)
            return
        if node.inputs[0] != self.name and node.operator != "Add":
            node.fail("its data must be its first operand")
        STEPS[node.operator](self, node)
        self.passed.add(self.name)
        self.name = new

    def is_constant(self, name: str) -> bool:
        return name in self.constants or name in self.model.tensors

    def operand(self, node: OnnxNode, position: int) -> np.ndarray[Any, Any] | None:
        """A constant operand, or ``None`` where it is left out."""
        if position >= len(node.inputs) or not node.inputs[position]:
            return None
        name = node.inputs[position]
        if name not in self.constants:
            return self.model.initializer(name)
        array: np.ndarray[Any, Any] = self.constants[name]
        return array

    def weights(self, node: OnnxNode, rank: int | None = None) -> np.ndarray[Any, Any]:
        array = self.operand(node, 1)
        if array is None:
            node.fail("an operand is missing")
        if rank is not None and array.ndim != rank:
            node.fail(f"its weights have {array.ndim} axes, {rank} are needed")
        return array

    def _fold(self, node: OnnxNode) -> np.ndarray[Any, Any]:
        """An operator on constants that changes no number."""
        if node.operator == "Constant":
            return constant_node(node)
        array = self.operand(node, 0)
        if array is None or node.operator not in ("Identity", "Transpose", "Reshape"):
            node.fail("its operands are all constant; constants are not computed with")
        if node.operator == "Identity":
            return array
        if node.operator == "Transpose":
            order = node.integers("perm", tuple(range(array.ndim))[::-1])
            if sorted(order) != list(range(array.ndim)):
                node.fail("attribute 'perm' is not a permutation of the axes")
            return array.transpose(order)
        return array.reshape(self._target(node, array.shape))

    def _target(self, node: OnnxNode, old: tuple[int, ...]) -> tuple[int, ...]:
        shape = self.operand(node, 1)
        wanted = node.integers("shape", ()) if shape is None else whole_numbers(node, shape)
        return reshaped(node, old, wanted)

    # ------------------------------------------------------------ blocks

    def start(self, node: OnnxNode, linear: Linear, shape: tuple[int, ...]) -> Block:
        self.open = Block([node], linear, shape)
        self.blocks.append(self.open)
        self.shape = shape
        return self.open

    def add(self, node: OnnxNode, constant: np.ndarray[Any, Any]) -> None:
        if not broadcasts(constant.shape, (1, *self.shape)):
            node.fail(f"shape {constant.shape} does not fit data of shape {(1, *self.shape)}")
        block = self.open
        if block is None or block.bias is not None:
            block = self.start(node, Diagonal(prod(self.shape)), self.shape)
        elif block.operators[-1] is not node:
            block.operators.append(node)
        # The data may be reshaped between the operator and its bias: row-major order stays.
        block.bias, block.shape = constant, self.shape

    def activate(self, node: OnnxNode, activation: Activation) -> None:
        block = self.open
        if block is None or isinstance(block.linear, Pool):
            block = self.start(node, Diagonal(prod(self.shape)), self.shape)
        else:
            block.operators.append(node)
        block.activation = activation
        self.open = None

    # ------------------------------------------------------------ operators

    def gemm(self, node: OnnxNode) -> None:
        weights = self.weights(node, 2)
        if node.integer("transA", 0):
            node.fail("transA transposes the batch")
        matrix = weights if node.integer("transB", 0) else weights.T
        self._dense(node, scaled(matrix, node.number("alpha", 1.0)), len(self.shape) == 1)
        bias = self.operand(node, 2)
        if bias is not None:
            self.add(node, scaled(bias, node.number("beta", 1.0)))

    def matmul(self, node: OnnxNode) -> None:
        self._dense(node, self.weights(node, 2).T, prod(self.shape[:-1]) == 1)

    def _dense(self, node: OnnxNode, matrix: np.ndarray[Any, Any], flat: bool) -> None:
        if not flat or not self.shape or matrix.shape[1] != self.shape[-1]:
            shape = (1, *self.shape)
            node.fail(f"weights for {matrix.shape[1]} inputs do not fit data of shape {shape}")
        self.start(node, Dense(matrix), (*self.shape[:-1], int(matrix.shape[0])))

    def add_constant(self, node: OnnxNode) -> None:
        array = self.operand(node, 0 if node.inputs[-1] == self.name else 1)
        if array is None:
            node.fail("an operand is missing")
        self.add(node, array)

    def subtract(self, node: OnnxNode) -> None:
        self.add(node, -self.weights(node))

    def convolve(self, node: OnnxNode) -> None:
        kernel = self.weights(node)
        groups = node.integer("group", 1)
        if kernel.ndim != len(self.shape) + 1 or kernel.ndim < 3:
            node.fail(f"a kernel of {kernel.ndim} axes does not fit data of {len(self.shape) + 1}")
        if node.integers("kernel_shape", kernel.shape[2:]) != kernel.shape[2:]:
            node.fail(f"kernel_shape is not that of its weights, {kernel.shape}")
        channels, units = self.shape[0], int(kernel.shape[0])
        if groups < 1 or units % groups or kernel.shape[1] * groups != channels:
            node.fail(f"weights {kernel.shape} in {groups} groups do not fit {channels} channels")
        axes = read_axes(node, self.shape[1:], kernel.shape[2:])
        shape = (units, *(axis.outputs for axis in axes))
        bias = self.operand(node, 2)
        self.start(node, Convolution(kernel, axes, channels, groups), shape)
        if bias is not None:
            if bias.shape != (units,):
                node.fail(f"a bias of shape {bias.shape} does not fit {units} channels")
            self.add(node, bias.reshape(units, *(1 for _ in axes)))

    def pool(self, node: OnnxNode) -> None:
        if node.integer("ceil_mode", 0):
            node.fail("ceil_mode is not read")
        if "kernel_shape" not in node.attributes or not self.shape:
            node.fail("its kernel_shape or its data's channels are missing")
        axes = read_axes(node, self.shape[1:], node.integers("kernel_shape", ()))
        shape = (self.shape[0], *(axis.outputs for axis in axes))
        self.start(node, Pool(axes, self.shape[0]), shape)

    def leaky(self, node: OnnxNode) -> None:
        # The default of the standard, 0.01, is that of a 32-bit float.
        slope = mpq(node.number("alpha", 0.009999999776482582))
        options = (("slope", slope),)
        self.activate(node, piecewise("leaky_relu", (0,), (slope, 1), (0, 0), options))

    def clip(self, node: OnnxNode) -> None:
        low, high = clip_bounds(node, self.operand(node, 1), self.operand(node, 2))
        points = [mpq(b) for b in (low, high) if abs(b) != inf]
        named = (("low", low), ("high", high))
        options = tuple((key, mpq(bound)) for key, bound in named if abs(bound) != inf)
        if low == high:
            self.activate(node, piecewise("clip", (), (0,), (low,), options))
        elif points:
            slopes = [0] * (low != -inf) + [1] + [0] * (high != inf)
            levels = [low] * (low != -inf) + [0] + [high] * (high != inf)
            self.activate(node, piecewise("clip", points, slopes, levels, options))

    def flatten(self, node: OnnxNode) -> None:
        rank = len(self.shape) + 1
        axis = node.integer("axis", 1)
        axis += rank if axis < 0 else 0
        if not 1 <= axis <= rank or prod(self.shape[: axis - 1]) != 1:
            node.fail("it moves entries of one sample into the batch")
        self.shape = (prod(self.shape[axis - 1 :]),)

    def reshape(self, node: OnnxNode) -> None:
        new = self._target(node, (1, *self.shape))
        if len(new) < 2 or new[0] != 1:
            node.fail(f"the shape {new} of one sample has no batch axis in front")
        self.shape = new[1:]

    def transpose(self, node: OnnxNode) -> None:
        old = (1, *self.shape)
        order = node.integers("perm", tuple(range(len(old)))[::-1])
        if sorted(order) != list(range(len(old))):
            node.fail("attribute 'perm' is not a permutation of the axes")
        long = [axis for axis in order if old[axis] != 1]
        if order[0] != 0 or long != sorted(long):
            node.fail("it reorders the entries; only transposing constants is read")
        self.shape = tuple(old[axis] for axis in order[1:])

    def dropout(self, node: OnnxNode) -> None:
        training = self.operand(node, 2)
        if node.integer("is_test", 1) != 1 or (training is not None and bool(training.any())):
            node.fail("it is in training form")


STEPS: dict[str, Callable[[Chain, OnnxNode], None]] = {
    "Abs": lambda chain, node: chain.activate(node, ABS),
    "Add": Chain.add_constant,
    "Clip": Chain.clip,
    "Conv": Chain.convolve,
    "Dropout": Chain.dropout,
    "Flatten": Chain.flatten,
    "Gemm": Chain.gemm,
    "Identity": lambda chain, node: None,
    "LeakyRelu": Chain.leaky,
    "MatMul": Chain.matmul,
    "MaxPool": Chain.pool,
    "Relu": lambda chain, node: chain.activate(node, RELU),
    "Reshape": Chain.reshape,
    "Sign": lambda chain, node: chain.activate(node, SIGN),
    "Sub": Chain.subtract,
    "Transpose": Chain.transpose,
}
