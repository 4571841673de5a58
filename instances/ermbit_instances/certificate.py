"""Certificates: a value for every free parameter, read from JSON, NPZ or ONNX.

Reading decides only whether the file *says* something about this network (else
:class:`InputError`); whether the values lie in their domains is the verifier's business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gmpy2 import mpq

from ermbit_instances.certificate_values import (
    Value,
    ValueCollector,
    VectorCollector,
    exact,
    write_value,
)
from ermbit_instances.files import write_text
from ermbit_instances.instance import Instance
from ermbit_instances.json_node import Node
from ermbit_instances.jsonfile import dump_json, read_json
from ermbit_instances.network import Entry, Network
from ermbit_instances.parameter_vector import exact_array

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "FORMAT",
    "VERSION",
    "Certificate",
    "Value",
    "load_certificate",
    "parameters_document",
    "parse_certificate",
    "write_value",
]

FORMAT = "ermbit-certificate"
VERSION = 1

_UNKNOWN = "the network has no free parameter of this name"
_BY_NAME = (
    "the initializers have the names of parameters and were read as those; "
    "the graph's operators were not looked at"
)
_ARRAY = re.compile(r"([Wb])([1-9][0-9]*)\Z", re.ASCII)


@dataclass(frozen=True)
class Certificate:
    """Values of all free parameters of an instance.

    Attributes:
        values: one value a free parameter, by parameter number: a tuple, or a
            :class:`~ermbit_instances.parameter_vector.ParameterVector` where a file gave arrays
            of numbers that are all floats.
        instance: ``"sha256:…"`` of the instance it was made for, or ``None``.
        contradictions: places of the file that contradict the network: a frozen entry given
            another value, a shared parameter given two. Each makes the certificate rejected.
        notes: remarks on the file that do not reject.
    """

    values: Sequence[Value]
    instance: str | None = None
    contradictions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

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


def parameters_document(network: Network, values: Sequence[Value]) -> dict[str, Any]:
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
    if ending == ".npz":
        return _from_npz(path, instance.network)
    if ending == ".onnx":
        return _from_onnx(path, instance.network)
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
    collector = ValueCollector(network)
    parameters = node.at("parameters")
    for key, value in parameters.items():
        if value.value is None:
            if not _is_known(network, key):
                value.fail(_UNKNOWN)
            continue
        layer, kind = _array_name(network, key)
        if layer is None:
            number = network.parameter_number(key)
            if number is None:
                value.fail(_UNKNOWN)
            collector.set(number, _value(value), key)
            continue
        _read_cells(network, layer, kind, value, collector)
    values = collector.finish(parameters)
    name = None if member is None else member.string()
    return Certificate(values, name, tuple(collector.contradictions))


def _array_name(network: Network, key: str) -> tuple[int | None, str]:
    """(layer index, "W" or "b") if the key names a layer's array."""
    match = _ARRAY.match(key)
    if network.spelling != "layers" or match is None or key in network.named:
        return None, ""
    index = int(match[2]) if len(match[2]) < 9 else 0
    if not 1 <= index <= len(network.layers):
        return None, ""
    return index, match[1]


def _read_cells(
    network: Network, index: int, kind: str, node: Node, collector: ValueCollector
) -> None:
    layer = network.layers[index - 1]
    rows = node.array()
    if len(rows) != layer.units:
        node.fail(f"{len(rows)} entries, but layer {index} has {layer.units} units")

    def read(value: Any, entry: Entry | None, path: str) -> None:
        if value is not None:
            # The common case needs no cursor.
            plain = type(value) is int
            number = mpq(value) if plain else _value(node.member(value, path))
            collector.cell(entry, number, path)

    for j, row in enumerate(rows):
        path = f"{node.path}[{j}]"
        if kind == "b":
            read(row, layer.bias(j), path)
        elif row is not None:
            place = node.member(row, path)
            cells = place.array()
            if len(cells) != len(layer.sources):
                place.fail(f"{len(cells)} entries, but the fan-in is {len(layer.sources)}")
            for k, value in enumerate(cells):
                read(value, layer.weight(j, k), f"{path}[{k}]")


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


# ---------------------------------------------------------------- arrays


def _from_npz(path: Path, network: Network) -> Certificate:
    from ermbit_instances.npz import read_npz_arrays

    root = Node(None, "$", str(path))
    return _from_arrays(read_npz_arrays(path, None, root), network, root)


def _from_onnx(path: Path, network: Network) -> Certificate:
    """Initializers that all have parameters' names, or else the graph itself."""
    from ermbit_instances.onnx_model.file import read_onnx

    model = read_onnx(path)
    root = Node(None, "$", str(path))
    strangers = [name for name in model.tensors if not _is_known(network, name)]
    if not model.nodes or (model.tensors and not strangers):
        arrays = {name: model.initializer(name) for name in model.tensors}
        found = _from_arrays(arrays, network, root)
        return replace(found, notes=(_BY_NAME,)) if model.nodes else found
    if network.spelling != "layers":
        shown = f"initializer {strangers[0]!r}" if strangers else "a graph without initializers"
        model.fail(
            f"{shown}: a graph can be matched with a network of layers only; for one of neurons "
            "the initializers must have the names of its parameters"
        )
    from ermbit_instances.onnx_model.layers import collect_graph

    collector = VectorCollector(network)
    notes = collect_graph(model, network, collector)
    values = collector.finish(root)
    return Certificate(values, None, tuple(collector.contradictions), notes)


def _is_known(network: Network, key: str) -> bool:
    return _array_name(network, key)[0] is not None or network.parameter_number(key) is not None


def _from_arrays(
    arrays: Mapping[str, np.ndarray[Any, Any]], network: Network, root: Node
) -> Certificate:
    collector = VectorCollector(network)
    for key in sorted(arrays):
        place = root.member(None, f"$.{key}")
        index, kind = _array_name(network, key)
        array = exact_array(arrays[key])
        if index is not None:
            collector.array(network.layers[index - 1], kind, array, place, null=True)
            continue
        number = network.parameter_number(key)
        if number is None:
            place.fail(_UNKNOWN)
        if array.size != 1:
            place.fail(f"one number is needed, not an array of shape {array.shape}")
        collector.set(number, exact(array.reshape(-1).tolist()[0], place), key)
    return Certificate(collector.finish(root), None, tuple(collector.contradictions))
