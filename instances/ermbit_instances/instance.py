"""The instance: network, domains, data, loss and threshold, with one canonical form and hash.

The canonical form is the question and nothing else: defaults are explicit, numbers are in lowest
terms, external data are named by sha256, ``name`` and ``meta`` are left out. Its sha256 ties
certificates and proofs to the question that they answer.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ermbit_instances.dataset import Dataset, read_dataset
from ermbit_instances.errors import InputError
from ermbit_instances.files import write_text
from ermbit_instances.json_node import Node
from ermbit_instances.jsonfile import dump_json, read_json
from ermbit_instances.loss import Loss, read_loss
from ermbit_instances.network import Entry, Layer, Network
from ermbit_instances.network_file import read_network
from ermbit_instances.rational import Rational, shorten, write_rational

FORMAT = "ermbit-instance"
VERSION = 1


@dataclass(frozen=True, eq=False)
class Instance:
    """One ERM_bit question: is there θ in the domains with L(θ) ≤ threshold?

    Attributes:
        network, data, loss: the parts.
        threshold: γ, or ``None`` if the file gives none (for ``minimize`` only).
        name: from the file, or the file's own name.
        meta: free-form notes of the file; they never change the question.
        file: where it was read from, or ``None``.
        warnings: remarks on the question itself, such as a loss that can never be met.
    """

    network: Network
    data: Dataset
    loss: Loss
    threshold: Rational | None
    name: str = "instance"
    meta: Mapping[str, Any] = field(default_factory=dict)
    file: Path | None = None
    allow_external_data: bool = False
    warnings: tuple[str, ...] = ()

    @cached_property
    def sha256(self) -> str:
        """``"sha256:<hex>"`` of the canonical form."""
        text = json.dumps(self.canonical(), sort_keys=True, separators=(",", ":"))
        return "sha256:" + hashlib.sha256(text.encode("ascii")).hexdigest()

    def canonical(self, *, inline: bool = False) -> dict[str, Any]:
        """The canonical form; with ``inline`` external data are written out."""
        form: dict[str, Any] = {
            "format": FORMAT,
            "version": VERSION,
            "network": _canonical_network(self.network),
            "data": self.data.canonical(inline=inline),
            "loss": self.loss.canonical(),
        }
        weights = _canonical_weights(self.network)
        if weights is not None:
            form["weights"] = weights
        if self.threshold is not None:
            form["threshold"] = write_rational(self.threshold)
        return form

    def to_document(self) -> dict[str, Any]:
        """A complete instance document with the data inline, fit for :func:`parse_instance`.

        Its hash is that of this instance, unless the data came from a file: those are identified
        by the file's sha256, so inlining them makes another question of the same numbers.
        """
        form = self.canonical(inline=True)
        document = {"format": form.pop("format"), "version": form.pop("version")}
        document["name"] = self.name
        for key in ("network", "weights", "data", "loss", "threshold"):
            if key in form:
                document[key] = form[key]
        if self.meta:
            document["meta"] = dict(self.meta)
        return document

    def with_threshold(self, threshold: Rational | None) -> Instance:
        """The same instance with another γ."""
        return replace(self, threshold=threshold)

    def write(self, path: str | Path) -> None:
        """Write the instance, data inline, whole or not at all."""
        write_text(path, dump_json(self.to_document()))

    def __repr__(self) -> str:
        threshold = "none" if self.threshold is None else write_rational(self.threshold)
        return (
            f"Instance({self.name!r}: {self.network.input_count} inputs, "
            f"{len(self.network.layers)} layers, {self.network.parameter_count} free parameters, "
            f"{len(self.data)} samples, {self.loss.reduction} {self.loss.name}, "
            f"threshold {threshold})"
        )


def load(path: str | Path, *, allow_external_data: bool = False) -> Instance:
    """Read an instance file.

    Args:
        path: ``NAME.erm.json``.
        allow_external_data: accept data paths that are absolute or leave the instance's folder.

    Raises:
        InputError: with file, JSON path and reason.
    """
    path = Path(path)
    node = read_json(path)
    try:
        return _read_instance(node, path.parent, path, allow_external_data)
    except RecursionError:
        raise InputError("nested too deeply", file=path) from None


def parse_instance(
    document: Mapping[str, Any],
    *,
    folder: str | Path | None = None,
    allow_external_data: bool = False,
) -> Instance:
    """Read an instance from a document in memory (a dictionary as :mod:`json` returns it).

    Numbers may be ints, strings, ``fractions.Fraction`` or ``gmpy2.mpq``; floats are refused,
    since 0.1 as a float is not 1/10.

    Raises:
        InputError: with JSON path and reason.
    """
    base = None if folder is None else Path(folder)
    return _read_instance(Node(document, "$", None), base, None, allow_external_data)


def _read_instance(
    node: Node, folder: Path | None, file: Path | None, allow_external: bool
) -> Instance:
    if (kind := node.get("format")) is not None and kind.value != FORMAT:
        kind.fail(f"expected {FORMAT!r}")
    node.keys(
        required=("format", "version", "network", "data", "loss"),
        optional=("name", "weights", "threshold", "meta"),
    )
    if node.at("format").string() != FORMAT:
        node.at("format").fail(f"expected {FORMAT!r}")
    if node.at("version").integer() != VERSION:
        node.at("version").fail(f"this program reads version {VERSION}")
    stem = "instance" if file is None else file.name.removesuffix(".json").removesuffix(".erm")
    name = stem if node.get("name") is None else node.at("name").string()
    meta_node = node.get("meta")
    meta: dict[str, Any] = {}
    if meta_node is not None:
        meta_node.keys(optional=meta_node.value if isinstance(meta_node.value, Mapping) else ())
        meta_node.check_free_form()
        meta = meta_node.plain()
    loss = read_loss(node.at("loss"))
    network = read_network(node.at("network"), node.get("weights"))
    outputs = len(network.outputs)
    data = read_dataset(
        node.at("data"),
        inputs=network.input_count,
        y_width=1 if loss.is_classification else outputs,
        folder=folder,
        allow_external=allow_external,
    )
    if loss.is_classification:
        _check_labels(node.at("data"), data, outputs)
    threshold_node = node.get("threshold")
    threshold = None if threshold_node is None else threshold_node.rational()
    return Instance(
        network,
        data,
        loss,
        threshold,
        name,
        meta,
        file,
        allow_external,
        _warnings(network, data, loss),
    )


def _check_labels(node: Node, data: Dataset, outputs: int) -> None:
    allowed = (-1, 1) if outputs == 1 else range(outputs)
    for i, (label,) in enumerate(data.y):
        if label.denominator != 1 or int(label) not in allowed:
            place = node if data.origin else node.at("y").at(i)
            row = f" (sample {i})" if data.origin else ""
            expected = "-1 or 1" if outputs == 1 else f"0 to {outputs - 1}"
            shown = shorten(str(write_rational(label)))
            place.fail(f"label {shown}{row}: {outputs} output(s) need {expected}")


def _warnings(network: Network, data: Dataset, loss: Loss) -> tuple[str, ...]:
    warnings = []
    if loss.name == "zero_one" and len(network.outputs) == 1:
        last = next(
            layer
            for layer in network.layers
            if layer.first_node <= network.outputs[0] < layer.first_node + layer.units
        )
        if last.activation.name == "step" and any(row[0] == -1 for row in data.y):
            warnings.append(
                "zero_one with a step output can never be right for y = -1 "
                "(an output of 0 counts as wrong): use sign, or absolute loss with labels 0/1"
            )
    return tuple(warnings)


def _canonical_network(network: Network) -> dict[str, Any]:
    if network.spelling == "layers":
        names = _layer_names(network)
        starts = {0: (network.input_count, "input")}
        starts |= {y.first_node: (y.units, names[y.index]) for y in network.layers}
        return {
            "inputs": network.input_count,
            "layers": [_canonical_layer(network, y, names, starts) for y in network.layers],
        }

    def label(node: int) -> str:
        if node < network.input_count:
            return f"x{node}"
        return str(network.layers[node - network.input_count].name)

    neurons = []
    for layer in network.layers:
        assert layer.weights is not None and layer.biases is not None
        form: dict[str, Any] = {
            "id": layer.name,
            "inputs": {
                label(source): _canonical_entry(network, layer, entry)
                for source, entry in zip(layer.sources, layer.weights[0], strict=True)
            },
            "activation": layer.activation.canonical(),
        }
        if layer.has_bias:
            form["bias"] = _canonical_entry(network, layer, layer.biases[0])
        neurons.append(form)
    return {
        "inputs": network.input_count,
        "neurons": neurons,
        "outputs": [label(node) for node in network.outputs],
    }


def _layer_names(network: Network) -> dict[int, str]:
    """Canonical layer names by index, different from every name of a shared parameter."""
    prefix = "layer"
    while any(name.startswith(prefix) for name in network.named):
        prefix += "_"
    return {layer.index: f"{prefix}{layer.index}" for layer in network.layers}


def _canonical_layer(
    network: Network, layer: Layer, names: dict[int, str], starts: Mapping[int, tuple[int, str]]
) -> dict[str, Any]:
    form: dict[str, Any] = {
        "name": names[layer.index],
        "units": layer.units,
        "activation": layer.activation.canonical(),
        "bias": layer.has_bias,
        "from": _source_names(layer.sources, starts),
    }
    if layer.weights is not None:
        form["weights"] = [
            [_canonical_entry(network, layer, entry) for entry in row] for row in layer.weights
        ]
        form["mask"] = [[int(entry is not None) for entry in row] for row in layer.weights]
    if layer.biases is not None:
        form["biases"] = [_canonical_entry(network, layer, entry) for entry in layer.biases]
    return form


def _source_names(
    sources: tuple[int, ...], starts: Mapping[int, tuple[int, str]]
) -> list[str]:
    """Names of the blocks that the sources are made of; ``starts``: first node → (length, name)."""
    result, at = [], 0
    while at < len(sources):
        length, name = starts[sources[at]]
        result.append(name)
        at += length
    return result


def _canonical_entry(network: Network, layer: Layer, entry: Entry | None) -> Any:
    if entry is None:
        return None
    if entry.parameter is None:
        return write_rational(entry.value)
    own_end = layer.first_parameter + layer.free_weights + layer.free_biases
    if layer.first_parameter <= entry.parameter < own_end:
        return None
    form: dict[str, Any] = {"param": network.explicit_names[entry.parameter]}
    if entry.scale != 1:
        form["scale"] = write_rational(entry.scale)
    return form


def _canonical_weights(network: Network) -> dict[str, Any] | None:
    if network.default is None:
        return None
    form = network.default.canonical()
    if network.bias_default is not None and network.bias_default != network.default:
        form["biases"] = network.bias_default.canonical()
    overrides: dict[str, Any] = {}
    for index, domain in network.layer_domains.items():
        layer = network.layers[index - 1]
        name = _layer_names(network)[index] if network.spelling == "layers" else str(layer.name)
        overrides[name] = domain.canonical()
    for number, domain in network.own_domains.items():
        overrides[_name_of(network, number)] = domain.canonical()
    if overrides:
        form["parameters"] = overrides
    return form


def _name_of(network: Network, number: int) -> str:
    return network.explicit_names.get(number) or network.parameters[number].name
