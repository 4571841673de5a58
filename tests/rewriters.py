"""Rewriters of instance documents with a known effect.

A rewriter takes a document and returns a new one whose loss relates exactly to the old loss at
every θ: equal, or multiplied by a stated factor.
"""

from __future__ import annotations

import copy
import itertools
import random
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import reference
from random_instances import CLASSIFICATION, Names, explicit, layer_sources, slots
from reference import Document, number

# --- rewriters: parameter names ------------------------------------------------------------------


def _tagged(document: Document) -> Document:
    """An explicit copy in which every own parameter carries its present name along."""
    document = explicit(document)
    for slot in slots(document["network"]):
        if slot.entry is None:
            slot.entry = {"own": slot.own_name}
    return document


def _untagged(document: Document) -> Names:
    """Turns tags back into own parameters and renames overrides; old name -> new name."""
    names: Names = {}
    for slot in slots(document["network"]):
        if isinstance(slot.entry, dict) and "own" in slot.entry:
            names[slot.entry["own"]] = slot.own_name
            slot.entry = None
        elif isinstance(slot.entry, dict):
            names[slot.entry["param"]] = slot.entry["param"]
    overrides = document["weights"].get("parameters", {})
    renamed = {names.get(name, name): domain for name, domain in overrides.items()}
    overrides.clear()
    overrides.update(renamed)
    return names


def renamed(parameters: Mapping[str, Fraction], names: Names) -> dict[str, Fraction]:
    """θ under the names that a rewriter returned."""
    return {names[name]: value for name, value in parameters.items()}


# --- rewriters of the network: the loss stays, names may change ----------------------------------


def as_neurons(document: Document) -> tuple[Document, Names]:
    """The `layers` spelling in the `neurons` spelling; unit j of layer l becomes `u{l}_{j}`.

    A layer that reads the same layer twice has no such spelling (`ValueError`).
    """
    new = _tagged(document)
    neurons: list[dict[str, Any]] = []
    keys: list[str] = []
    for index, (layer, sources) in enumerate(layer_sources(new["network"]), start=1):
        if len(set(sources)) < len(sources):
            raise ValueError("a neuron cannot read one source twice")
        keys = [f"u{index}_{j}" for j in range(layer["units"])]
        for j, key in enumerate(keys):
            edges = zip(sources, layer["weights"][j], layer["mask"][j], strict=True)
            neuron: dict[str, Any] = {"id": key, "inputs": {s: w for s, w, m in edges if m}}
            if "biases" in layer:
                neuron["bias"] = layer["biases"][j]
            neurons.append(neuron | {"activation": layer["activation"]})
    new["network"] = {"inputs": new["network"]["inputs"], "neurons": neurons, "outputs": keys}
    if (
        "parameters" in new["weights"]
    ):  # layers are gone, so every parameter gets its domain by name
        domains = reference.parameter_domains(document)
        new["weights"]["parameters"] = {n: copy.deepcopy(dict(d)) for n, d in domains.items()}
    return new, _untagged(new)


def permute_inputs(document: Document, permutation: Sequence[int]) -> tuple[Document, Names]:
    """Input i of the new document is input `permutation[i]` of the old one."""
    new = _tagged(document)
    network, data = new["network"], new["data"]
    data["x"] = [[row[p] for p in permutation] for row in data["x"]]
    places = {f"x{p}": f"x{i}" for i, p in enumerate(permutation)}
    for neuron in network.get("neurons", ()):
        neuron["inputs"] = {places.get(s, s): w for s, w in neuron["inputs"].items()}
    _permute_columns(network, places)
    return new, _untagged(new)


def permute_hidden(
    document: Document, layer: int, permutation: Sequence[int]
) -> tuple[Document, Names]:
    """Unit i of layer number `layer` (from 1, not the last) is the old unit `permutation[i]`."""
    new = _tagged(document)
    layers = new["network"]["layers"]
    if not 1 <= layer < len(layers):
        raise ValueError(f"no hidden layer {layer}")
    for field in ("weights", "biases", "mask"):
        if field in layers[layer - 1]:
            rows = layers[layer - 1][field]
            layers[layer - 1][field] = [rows[p] for p in permutation]
    _permute_columns(
        new["network"], {f"u{layer}_{p}": f"u{layer}_{i}" for i, p in enumerate(permutation)}
    )
    return new, _untagged(new)


def _permute_columns(network: dict[str, Any], places: Names) -> None:
    """Moves what the layers hold for source s to where source `places[s]` stands."""
    if "layers" not in network:
        return
    for layer, sources in layer_sources(network):
        origin: dict[str, list[int]] = {}
        for k, source in enumerate(sources):
            origin.setdefault(places.get(source, source), []).append(k)
        columns = [origin[source].pop(0) for source in sources]
        for field in ("weights", "mask"):
            layer[field] = [[row[k] for k in columns] for row in layer[field]]


def shuffle_neurons(document: Document, rng: random.Random) -> Document:
    """The `neurons` spelling in another order of the list."""
    new = copy.deepcopy(document)
    rng.shuffle(new["network"]["neurons"])
    return new


def scale_inputs(document: Document, factor: Fraction) -> tuple[Document, Names]:
    """All x times `factor` (not 0), undone by the scale of every edge that reads an input."""
    domains = reference.parameter_domains(document)
    new = explicit(document)
    data, overrides = new["data"], new["weights"].setdefault("parameters", {})
    data["x"] = [[str(number(v) * factor) for v in row] for row in data["x"]]
    names = {name: name for name in domains}
    taken = {*names, *(layer.get("name") for layer in new["network"].get("layers", ()))}
    fresh = (name for name in map("own{}".format, itertools.count()) if name not in taken)
    for slot in slots(new["network"]):
        if slot.source is None or slot.source not in _input_names(new):
            continue
        old = slot.entry
        if old is None:
            name = names[slot.own_name] = next(fresh)
            overrides.pop(slot.own_name, None)
            overrides[name] = copy.deepcopy(dict(domains[slot.own_name]))
            slot.entry = {"param": name, "scale": str(1 / factor)}
        elif isinstance(old, dict):
            old["scale"] = str(number(old.get("scale", 1)) / factor)
        else:
            slot.entry = str(number(old) / factor)
    if not overrides:
        del new["weights"]["parameters"]
    return new, names


def _input_names(document: Document) -> set[str]:
    return {f"x{i}" for i in range(document["network"]["inputs"])}


def scale_outputs(document: Document, factor: Fraction) -> tuple[Document, Fraction]:
    """Frozen identity units that multiply the outputs, and targets (or margin) to match.

    Returns the document, its threshold scaled, and by what the loss is multiplied: abs(factor) for
    `absolute`, its square for `squared`, 1 for class labels. A `ValueError` says where it is not
    exact: a negative factor for k classes, and any but 1 or -1 for `hinge`.
    """
    new = copy.deepcopy(document)
    network, data, loss = new["network"], new["data"], new["loss"]
    outputs = reference.network_of(network)[1]
    gain = Fraction(1)
    if loss["name"] in CLASSIFICATION:
        several = len(outputs) > 1
        if factor == 0 or (several and factor < 0):
            raise ValueError("the factor changes which class is the largest")
        if loss["name"] == "hinge" and abs(factor) != 1:
            raise ValueError("hinge does not scale")
        if factor < 0:
            data["y"] = [[-int(number(v)) for v in row] for row in data["y"]]
        if "margin" in loss:
            loss["margin"] = str(number(loss["margin"]) * abs(factor))
    else:
        gain = abs(factor) if loss["name"] == "absolute" else factor**2
        data["y"] = [[str(number(v) * factor) for v in row] for row in data["y"]]
    if "neurons" in network:
        network["outputs"] = [f"scaled_{key}" for key in outputs]
        network["neurons"] += [
            {"id": f"scaled_{key}", "inputs": {key: str(factor)}, "activation": "identity"}
            for key in outputs
        ]
    else:
        units = range(len(outputs))
        network["layers"].append(
            {
                "units": len(outputs),
                "activation": "identity",
                "bias": False,
                "weights": [[str(factor) if j == k else None for k in units] for j in units],
                "mask": [[int(j == k) for k in units] for j in units],
            }
        )
    _scale_threshold(new, gain)
    return new, gain


# --- rewriters of the data -----------------------------------------------------------------------


def with_threshold(document: Document, threshold: Fraction) -> Document:
    """The same document with another threshold."""
    return copy.deepcopy(document) | {"threshold": str(threshold)}


def _scale_threshold(document: Document, gain: Fraction) -> None:
    if "threshold" in document:
        document["threshold"] = str(number(document["threshold"]) * gain)


def _sample_weights(document: Document) -> list[Any]:
    """The list of sample weights, written out."""
    data = document["data"]
    weights: list[Any] = data.setdefault("sample_weights", [1] * len(data["x"]))
    return weights


def permute_samples(document: Document, permutation: Sequence[int]) -> Document:
    """Sample i of the new document is the old sample `permutation[i]`; the loss stays."""
    new = copy.deepcopy(document)
    for field in ("x", "y", "sample_weights"):
        if field in new["data"]:
            new["data"][field] = [new["data"][field][p] for p in permutation]
    return new


def add_zero_weight_sample(document: Document, rng: random.Random) -> Document:
    """One more sample, of weight 0, somewhere in the list; the loss stays."""
    new = copy.deepcopy(document)
    weights, data = _sample_weights(new), new["data"]
    place = rng.randint(0, len(weights))
    data["x"].insert(place, [rng.randint(-9, 9) for _ in data["x"][0]])
    data["y"].insert(place, list(rng.choice(data["y"])))
    weights.insert(place, 0)
    return new


def scale_sample_weights(document: Document, factor: Fraction) -> tuple[Document, Fraction]:
    """All sample weights times `factor` > 0, threshold to match; the loss times the returned."""
    new = copy.deepcopy(document)
    new["data"]["sample_weights"] = [str(number(w) * factor) for w in _sample_weights(new)]
    gain = Fraction(1) if new["loss"].get("reduction", "mean") == "mean" else factor
    _scale_threshold(new, gain)
    return new, gain


def duplicate_sample_as_weight(document: Document, sample: int) -> tuple[Document, Document]:
    """Two documents of equal loss: the sample twice, and the sample with twice its weight.

    Under `max` a second copy changes nothing, so there the second document is the old one.
    """
    twice, heavy = copy.deepcopy(document), copy.deepcopy(document)
    for field in ("x", "y", "sample_weights"):
        if field in twice["data"]:
            twice["data"][field].append(copy.deepcopy(twice["data"][field][sample]))
    if heavy["loss"].get("reduction", "mean") != "max":
        weights = _sample_weights(heavy)
        weights[sample] = str(2 * number(weights[sample]))
    return twice, heavy
