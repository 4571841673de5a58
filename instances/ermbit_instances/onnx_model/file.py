"""ONNX files: the parts of a model that are read, as plain values, without trusting the file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ermbit_instances import limits
from ermbit_instances.errors import InputError, LimitError
from ermbit_instances.files import read_bytes
from ermbit_instances.parameter_vector import exact_array

if TYPE_CHECKING:
    import numpy as np

DEFAULT_DOMAINS = ("", "ai.onnx")


@dataclass(frozen=True)
class OnnxNode:
    """One operator of a graph.

    Attributes:
        operator: its type, with the domain in front where that is not ONNX's own.
        label: for messages: ``node 'n7'``, or the output's name where the node has none.
        inputs, outputs: names of tensors; an omitted optional one is ``""``.
        attributes: int, float, str, tuples of those, or a TensorProto; ``None`` for other types.
        file: the model's path.
    """

    operator: str
    label: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]
    file: Path

    def __str__(self) -> str:
        return f"{self.operator} ({self.label})"

    def fail(self, reason: str) -> NoReturn:
        raise InputError(f"operator {self}: {reason}", file=self.file)

    def refuse(self, reason: str) -> NoReturn:
        raise LimitError(f"operator {self}: {reason}", file=self.file)

    def integer(self, key: str, default: int) -> int:
        value = self.attributes.get(key, default)
        if not isinstance(value, int):
            self.fail(f"attribute {key!r} is not an integer")
        return value

    def integers(self, key: str, default: tuple[int, ...]) -> tuple[int, ...]:
        value = self.attributes.get(key, default)
        if not isinstance(value, tuple) or not all(isinstance(v, int) for v in value):
            self.fail(f"attribute {key!r} is not a list of integers")
        return value

    def number(self, key: str, default: float) -> float:
        value = self.attributes.get(key, default)
        if not isinstance(value, float) or not isfinite(value):
            self.fail(f"attribute {key!r} is not a finite number")
        return value

    def text(self, key: str, default: str) -> str:
        value = self.attributes.get(key, default)
        if not isinstance(value, str):
            self.fail(f"attribute {key!r} is not a string")
        return value


@dataclass(frozen=True)
class OnnxModel:
    """A graph.

    Attributes:
        file: its path.
        inputs: inputs that are no initializers; name → dimensions, ``None`` for a symbolic one;
            ``None`` as a whole where the file does not say them.
        outputs: names of the graph's outputs.
        nodes: operators in the file's order, which must be topological.
        tensors: initializers by name, unread.
    """

    file: Path
    inputs: Mapping[str, tuple[int | None, ...] | None]
    outputs: tuple[str, ...]
    nodes: tuple[OnnxNode, ...]
    tensors: Mapping[str, Any]

    def fail(self, reason: str) -> NoReturn:
        raise InputError(reason, file=self.file)

    def initializer(self, name: str) -> np.ndarray[Any, Any]:
        """An initializer's numbers, as :func:`exact_array` gives them."""
        return read_tensor(self.tensors[name], f"initializer {name!r}", self.file)


def read_onnx(path: Path) -> OnnxModel:
    """Read a model's structure; weights are not looked at yet.

    Raises:
        InputError: not a usable model; weights in external files are never opened.
    """
    data = read_bytes(path, limits.ARRAY_BYTES)
    try:
        import onnx
    except ImportError:
        raise InputError("reading ONNX files needs the package onnx", file=path) from None
    try:
        graph = onnx.load_model_from_string(data).graph
        tensors = {_text(tensor.name): tensor for tensor in graph.initializer}
        if len(tensors) != len(graph.initializer):
            raise ValueError("two initializers have the same name")
        if not tensors and not graph.node:
            raise ValueError("the model has no initializers")
        inputs: dict[str, tuple[int | None, ...] | None] = {}
        for value in graph.input:
            if (name := _text(value.name)) not in tensors:
                inputs[name] = _shape(value.type)
        nodes = tuple(_node(node, path) for node in graph.node)
        outputs = tuple(_text(value.name) for value in graph.output)
        return OnnxModel(path, inputs, outputs, nodes, tensors)
    except Exception as error:  # protobuf raises its own types, none of which is public
        raise _unusable(error, path) from None


def _unusable(error: Exception, path: Path) -> Exception:
    if isinstance(error, MemoryError | InputError):
        return error
    reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    return InputError(f"not a usable ONNX model: {reason}", file=path)


def _shape(kind: Any) -> tuple[int | None, ...] | None:
    if not kind.HasField("tensor_type") or not kind.tensor_type.HasField("shape"):
        return None
    return tuple(
        dim.dim_value if dim.HasField("dim_value") else None for dim in kind.tensor_type.shape.dim
    )


def _text(name: str | bytes) -> str:
    """A name; protobuf hands out bytes where they are not UTF-8."""
    return name if isinstance(name, str) else name.decode("utf-8", "backslashreplace")


def _node(node: Any, path: Path) -> OnnxNode:
    inputs, outputs = (tuple(map(_text, names)) for names in (node.input, node.output))
    domain = "" if node.domain in DEFAULT_DOMAINS else f"{_text(node.domain)}."
    label = f"node {_text(node.name)!r}" if node.name else f"output {next(iter(outputs), '')!r}"
    attributes: dict[str, Any] = {}
    for attribute in node.attribute:
        key = _text(attribute.name)
        if key in attributes:
            raise ValueError(f"{label}: attribute {key!r} is given twice")
        attributes[key] = _attribute(attribute)
    return OnnxNode(domain + _text(node.op_type), label, inputs, outputs, attributes, path)


def _attribute(attribute: Any) -> Any:
    kinds = type(attribute)
    if attribute.ref_attr_name:
        return None
    if attribute.type == kinds.INT:
        return int(attribute.i)
    if attribute.type == kinds.FLOAT:
        return float(attribute.f)
    if attribute.type == kinds.STRING:
        return attribute.s.decode("utf-8", "replace")
    if attribute.type == kinds.INTS:
        return tuple(int(v) for v in attribute.ints)
    if attribute.type == kinds.FLOATS:
        return tuple(float(v) for v in attribute.floats)
    return attribute.t if attribute.type == kinds.TENSOR else None


def read_tensor(tensor: Any, what: str, path: Path) -> np.ndarray[Any, Any]:
    """The numbers of a TensorProto: float64, or rationals in an object array.

    Raises:
        InputError: not numbers, data in an external file, data that do not fit the shape, or past
            the limit on entries.
    """
    from onnx import TensorProto, numpy_helper

    try:
        if tensor.data_location == TensorProto.EXTERNAL:
            raise ValueError(f"{what} lies in an external file")
        if any(extent < 0 for extent in tensor.dims):
            raise ValueError(f"{what} has a negative dimension")
        if prod(tensor.dims) > limits.ENTRIES.value:
            raise LimitError(f"{what} is past the limit of {limits.ENTRIES.value}", file=path)
        array = numpy_helper.to_array(tensor)
        if array.dtype.kind in "cOSUT":
            raise ValueError(f"{what} has type {array.dtype}, not numbers")
        return exact_array(array)
    except Exception as error:  # as above, and NumPy's own
        raise _unusable(error, path) from None
