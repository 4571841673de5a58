"""Certificates: a value for every free parameter, read from JSON, NPZ or ONNX.

Reading decides only whether the file *says* something about this network (else
:class:`InputError`); whether the values lie in their domains is the verifier's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from gmpy2 import mpq

from ermbit_instances.errors import InputError
from ermbit_instances.instance import Instance
from ermbit_instances.jsonfile import Node, dump_json, read_json, write_text
from ermbit_instances.network import Entry, Network
from ermbit_instances.rational import Rational, from_float, write_rational

if TYPE_CHECKING:
    import numpy as np

    from ermbit_instances.algebraic import AlgebraicNumber

FORMAT = "ermbit-certificate"
VERSION = 1

Value: TypeAlias = "Rational | AlgebraicNumber"
"""Value of a parameter: rational, or algebraic in a ``real`` domain."""

_ARRAY = re.compile(r"([Wb])([1-9][0-9]*)\Z", re.ASCII)


@dataclass(frozen=True)
class Certificate:
    """Values of all free parameters of an instance.

    Attributes:
        values: one value a free parameter, by parameter number.
        instance: ``"sha256:…"`` of the instance it was made for, or ``None``.
        contradictions: places of the file that contradict the network: a frozen entry given
            another value, a shared parameter given two. Each makes the certificate rejected.
    """

    values: tuple[Value, ...]
    instance: str | None = None
    contradictions: tuple[str, ...] = ()

    def to_document(self, instance: Instance) -> dict[str, Any]:
        """The certificate file's document for this instance."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "instance": instance.sha256,
            "parameters": parameters_document(instance.network, self.values),
        }

    def write(self, path: str | Path, instance: Instance) -> None:
        """Write a certificate file, whole or not at all."""
        write_text(path, dump_json(self.to_document(instance)))


def write_value(value: Value) -> int | str:
    return write_rational(value) if isinstance(value, mpq) else str(value)


def parameters_document(network: Network, values: tuple[Value, ...]) -> dict[str, Any]:
    """The ``parameters`` object: arrays for own entries of layers, single names otherwise."""
    document: dict[str, Any] = {}
    if network.spelling == "layers":
        for layer in network.layers:
            own = range(
                layer.first_parameter,
                layer.first_parameter + layer.free_weights + layer.free_biases,
            )

            def cell(entry: Entry | None, own: range = own) -> int | str | None:
                if entry is None or entry.parameter is None or entry.parameter not in own:
                    return None
                return write_value(values[entry.parameter])

            if layer.free_weights:
                rows = [
                    [cell(layer.weight(j, k)) for k in range(len(layer.sources))]
                    for j in range(layer.units)
                ]
                _put(document, network, f"W{layer.index}", rows)
            if layer.free_biases:
                biases = [cell(layer.bias(j)) for j in range(layer.units)]
                _put(document, network, f"b{layer.index}", biases)
    for number, name in network.explicit_names.items():
        document[name] = write_value(values[number])
    return document


def _put(document: dict[str, Any], network: Network, name: str, array: list[Any]) -> None:
    """Write a layer's array, or its entries one by one where a shared parameter has its name."""
    if name not in network.named:
        document[name] = array
        return
    for j, row in enumerate(array):
        if isinstance(row, list):
            cells = {f"{name}[{j},{k}]": value for k, value in enumerate(row)}
        else:
            cells = {f"{name}[{j}]": row}
        document.update((key, value) for key, value in cells.items() if value is not None)


def load_certificate(path: str | Path, instance: Instance) -> Certificate:
    """Read a certificate for an instance: ``.json``, ``.npz`` or ``.onnx`` by its ending.

    Raises:
        InputError: not a certificate for this network: unknown or missing parameters, wrong
            shapes, not numbers; with file, JSON path (or array name) and reason.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending in (".npz", ".onnx"):
        return _from_arrays(path, instance.network)
    return _read(read_json(path), instance.network)


def parse_certificate(document: Mapping[str, Any], instance: Instance) -> Certificate:
    """Read a certificate document; a bare mapping of parameters is accepted too.

    Raises:
        InputError: as :func:`load_certificate`.
    """
    if "parameters" not in document and "format" not in document:
        document = {"format": FORMAT, "version": VERSION, "parameters": document}
    return _read(Node(document, "$", None), instance.network)


def _read(node: Node, network: Network) -> Certificate:
    if (form := node.get("format")) is not None and form.value != FORMAT:
        form.fail(f"expected {FORMAT!r}")
    node.keys(required=("format", "version", "parameters"), optional=("instance", "meta"))
    if node.at("format").string() != FORMAT:
        node.at("format").fail(f"expected {FORMAT!r}")
    if node.at("version").integer() != VERSION:
        node.at("version").fail(f"this program reads version {VERSION}")
    member = node.get("instance")
    collector = _Collector(network)
    parameters = node.at("parameters")
    for key, value in parameters.items():
        if value.value is None:
            _check_known(network, key, value)
            continue
        layer, kind = _array_name(network, key)
        if layer is None:
            number = network.parameter_number(key)
            if number is None:
                value.fail("the network has no free parameter of this name")
            collector.set(number, _value(value), key)
            continue
        for place, entry in _cells(network, layer, kind, value):
            if place.value is not None:
                collector.cell(entry, _value(place), place.path)
    return collector.finish(parameters, None if member is None else member.string())


def _check_known(network: Network, key: str, node: Node) -> None:
    layer, _ = _array_name(network, key)
    if layer is None and network.parameter_number(key) is None:
        node.fail("the network has no free parameter of this name")


def _array_name(network: Network, key: str) -> tuple[int | None, str]:
    """(layer index, "W" or "b") if the key names a layer's array."""
    match = _ARRAY.match(key)
    if network.spelling != "layers" or match is None or key in network.named:
        return None, ""
    index = int(match[2]) if len(match[2]) < 9 else 0
    if not 1 <= index <= len(network.layers):
        return None, ""
    return index, match[1]


def _cells(
    network: Network, index: int, kind: str, node: Node
) -> Iterator[tuple[Node, Entry | None]]:
    layer = network.layers[index - 1]
    rows = node.elements()
    if len(rows) != layer.units:
        node.fail(f"{len(rows)} entries, but layer {index} has {layer.units} units")
    for j, row in enumerate(rows):
        if kind == "b":
            yield row, layer.bias(j)
            continue
        if row.value is None:
            continue
        cells = row.elements()
        if len(cells) != len(layer.sources):
            row.fail(f"{len(cells)} entries, but the fan-in is {len(layer.sources)}")
        for k, cell in enumerate(cells):
            yield cell, layer.weight(j, k)


def _value(node: Node) -> Value:
    if isinstance(node.value, str) and node.value.lstrip().startswith("("):
        from ermbit_instances.algebraic import parse_root

        try:
            return parse_root(node.value)
        except (ValueError, OverflowError) as error:
            node.fail(str(error))
    if type(node.value).__name__ == "AlgebraicNumber":
        value: Value = node.value
        return value
    return node.rational()


class _Collector:
    """Gathers values by parameter number and notes contradictions."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.values: dict[int, Value] = {}
        self.contradictions: list[str] = []

    def set(self, number: int, value: Value, place: str) -> None:
        known = self.values.setdefault(number, value)
        if known != value:
            self.contradictions.append(f"{place}: the parameter is given two different values")

    def cell(self, entry: Entry | None, value: Value, place: str) -> None:
        """An array cell: the weight of an edge, which may be absent, frozen or shared."""
        if entry is None or entry.parameter is None:
            fixed = mpq(0) if entry is None else entry.value
            if value != fixed:
                what = "absent" if entry is None else f"frozen to {write_rational(fixed)}"
                shown = write_value(value)
                self.contradictions.append(f"{place}: the entry is {what}, not {shown}")
            return
        self.set(entry.parameter, value if entry.scale == 1 else value / entry.scale, place)

    def finish(self, node: Node, instance: str | None) -> Certificate:
        missing = self.network.parameter_count - len(self.values)
        if missing:
            names = [p.name for p in self.network.parameters if p.index not in self.values]
            more = f" and {missing - 3} more" if missing > 3 else ""
            node.fail(f"no value for {', '.join(names[:3])}{more}")
        values = tuple(self.values[i] for i in range(self.network.parameter_count))
        return Certificate(values, instance, tuple(self.contradictions))


# ---------------------------------------------------------------- arrays


def _from_arrays(path: Path, network: Network) -> Certificate:
    root = Node(None, "$", str(path))
    arrays = _onnx_arrays(path) if path.suffix.lower() == ".onnx" else _npz_arrays(path, root)
    collector = _Collector(network)
    for key in sorted(arrays):
        array = arrays[key]
        place = Node(None, f"$.{key}", str(path))
        index, kind = _array_name(network, key)
        if index is None:
            number = network.parameter_number(key)
            if number is None:
                place.fail("the network has no free parameter of this name")
            if array.size != 1:
                place.fail(f"one number is needed, not an array of shape {array.shape}")
            collector.set(number, _exact(array.reshape(()).item(), place), key)
            continue
        layer = network.layers[index - 1]
        shape = (layer.units, len(layer.sources)) if kind == "W" else (layer.units,)
        if array.shape != shape:
            place.fail(f"shape {array.shape}, but the layer needs {shape}")
        rows = array.tolist()
        for j, row in enumerate(rows):
            for k, value in enumerate(row if kind == "W" else [row]):
                entry = layer.weight(j, k) if kind == "W" else layer.bias(j)
                frozen = entry is None or entry.parameter is None
                if isinstance(value, float) and value != value and frozen:
                    continue  # NaN stands for null where nothing is free
                where = f"{place.path}[{j}][{k}]" if kind == "W" else f"{place.path}[{j}]"
                collector.cell(entry, _exact(value, Node(None, where, str(path))), where)
    return collector.finish(root, None)


def _exact(value: object, place: Node) -> Rational:
    try:
        return from_float(value) if isinstance(value, float) else mpq(value)
    except (ValueError, TypeError) as error:
        place.fail(str(error))


def _npz_arrays(path: Path, root: Node) -> dict[str, np.ndarray[Any, Any]]:
    from ermbit_instances.npz import read_npz_arrays

    return read_npz_arrays(path, None, root)


def _onnx_arrays(path: Path) -> dict[str, np.ndarray[Any, Any]]:
    """Initializers of an ONNX model, by name (``W1``, ``b1``, … as in the certificate format)."""
    from ermbit_instances import limits
    from ermbit_instances.jsonfile import read_bytes

    data = read_bytes(path, limits.ARRAY_BYTES)
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError:
        raise InputError("reading ONNX files needs the package onnx", file=path) from None
    try:
        model = onnx.load_model_from_string(data)
        if not model.graph.initializer:
            raise ValueError("the model has no initializers")
        arrays = {}
        for tensor in model.graph.initializer:
            if tensor.data_location == onnx.TensorProto.EXTERNAL:
                raise ValueError(f"initializer {tensor.name!r} lies in an external file")
            array = numpy_helper.to_array(tensor)
            if array.dtype.kind in "cOSU":
                raise ValueError(f"initializer {tensor.name!r} has type {array.dtype}, not numbers")
            if array.dtype.kind not in "biuf":
                array = array.astype("float64")  # bfloat16 and 8-bit floats widen exactly
            arrays[tensor.name] = array
        return arrays
    except Exception as error:  # protobuf raises its own types, none of which is public
        if isinstance(error, MemoryError):
            raise
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise InputError(f"not a usable ONNX model: {reason}", file=path) from None
