"""Instances from measured data: Fisher's irises, as exact integers or decimals."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from itertools import product
from typing import Any

from gmpy2 import mpq

from ermbit_instances.domain import Domain
from ermbit_instances.families import labelling
from ermbit_instances.families.activation_text import activation_document, activation_parameter
from ermbit_instances.families.domain_text import domain_document, domain_of, domain_parameter
from ermbit_instances.families.family import (
    Family,
    FamilyError,
    FamilyParameter,
    Generated,
    certificate_document,
    instance_document,
    read_rational,
    register,
)
from ermbit_instances.families.layered import BIAS, HIDDEN, Weights, architecture
from ermbit_instances.families.rng import Rng
from ermbit_instances.rational import Rational, write_rational

SPECIES = ("setosa", "versicolor", "virginica")
FEATURES = ("sepal_length", "sepal_width", "petal_length", "petal_width")

Flower = tuple[tuple[Rational, ...], int]


@cache
def flowers() -> tuple[Flower, ...]:
    """The 150 flowers in the order of the table: four lengths in centimetres, species code."""
    table = files("ermbit_instances").joinpath("data", "iris.csv").read_text(encoding="ascii")
    return tuple(
        (tuple(mpq(row[f"{name}_cm"]) for name in FEATURES), int(row["species_code"]))
        for row in csv.DictReader(table.splitlines())
    )


def build(rng: Rng, parameters: Mapping[str, Any]) -> Generated:
    """Chosen flowers, features and classes; lengths in units of 1/scale centimetres.

    ``classes``: ``A-vs-rest`` and ``A-vs-B`` have one output, the first class labelled 1 and the
    others -1 (0 for ``absolute`` and ``squared``); ``all`` has three outputs, the label 0, 1, 2 (a
    one-hot row for ``absolute`` and ``squared``). Status ``sat`` where a linear unit on a single
    feature with small integers separates two classes; else ``unknown``.
    """
    loss, hidden = parameters["loss"], parameters["hidden"]
    columns = [_feature(text.strip()) for text in parameters["features"].split(",")]
    codes = _classes(parameters["classes"])
    chosen = [f for f in flowers() if f[1] in codes[0] | codes[1]]
    count = parameters["samples"] or len(chosen)
    if count > len(chosen):
        raise FamilyError(f"parameter samples: these classes have only {len(chosen)} flowers")
    chosen = rng.sample(chosen, count)
    outputs = 3 if parameters["classes"] == "all" else 1
    x = [[values[c] * parameters["scale"] for c in columns] for values, _ in chosen]
    y = [_target(code, codes[0], outputs, loss) for _, code in chosen]
    weights = domain_document(parameters["domain"])
    bias = parameters["bias"] == "yes"
    activation = activation_document(parameters["activation"])
    shape = architecture(len(columns), hidden, activation, outputs, bias)
    meta: dict[str, Any] = {"status": "unknown", "how": "no separator on one feature was found"}
    certificate = None
    if hidden == "none" and outputs == 1 and bias and labelling.is_classification(loss):
        theta = _separator(x, [row[0] for row in y], loss, domain_of(weights))
        if theta is not None:
            meta = {"status": "sat", "minimum": 0, "how": "one feature separates the classes"}
            certificate = certificate_document(theta.document())
    document = instance_document(
        f"iris-{parameters['classes']}-{len(columns)}f-{hidden}-n{count}",
        shape.document(),
        weights,
        {"x": [[write_rational(v) for v in row] for row in x], "y": y},
        labelling.loss_document(loss, parameters["reduction"]),
        read_rational(parameters["threshold"], "parameter threshold"),
        meta,
    )
    return Generated(document, certificate)


def _feature(text: str) -> int:
    """The column of a feature given by name or by index 0..3."""
    if text in FEATURES:
        return FEATURES.index(text)
    if text in ("0", "1", "2", "3"):
        return int(text)
    raise FamilyError(
        f"parameter features: {text!r} is neither an index 0..3 nor one of {FEATURES}"
    )


def _classes(text: str) -> tuple[set[int], set[int]]:
    """Species codes labelled positive, and those labelled negative."""
    everything = set(range(len(SPECIES)))
    if text == "all":
        return everything, set()
    first, _, second = text.partition("-vs-")
    positive = {SPECIES.index(first)}
    return positive, (everything - positive if second == "rest" else {SPECIES.index(second)})


def _target(code: int, positive: set[int], outputs: int, loss: str) -> list[int]:
    if labelling.is_classification(loss):
        return [code] if outputs == 3 else [1 if code in positive else -1]
    if outputs == 3:
        return [int(code == other) for other in range(3)]
    return [int(code in positive)]


def _separator(x: list[list[Rational]], y: list[int], loss: str, domain: Domain) -> Weights | None:
    """A linear unit w·x_j + b with loss 0 and w, b in -64..64, all its numbers in the domain."""
    if mpq(0) not in domain and len(x[0]) > 1:
        return None
    # w = ±1, ±2, … in this order, so the certificate is the smallest of its kind.
    slopes = [s * k for k in range(1, 9) for s in (1, -1) if mpq(s * k) in domain]
    offsets = [mpq(b) for b in range(-64, 65) if mpq(b) in domain]
    for column, w in product(range(len(x[0])), slopes):
        signed = [(label * w * row[column], label) for row, label in zip(x, y, strict=True)]
        for b in offsets:
            gaps = (value + label * b for value, label in signed)
            if all(gap >= 1 if loss == "hinge" else gap > 0 for gap in gaps):
                row = tuple(mpq(w if j == column else 0) for j in range(len(x[0])))
                return Weights(((row,),), ((b,),))
    return None


REAL_DATA = register(
    Family(
        name="real_data",
        summary="Fisher's irises: chosen species, features, scaling and subsample",
        source="R. A. Fisher, The use of multiple measurements in taxonomic problems (1936)",
        parameters=(
            FamilyParameter(
                "classes",
                "choice",
                "setosa-vs-rest",
                "which species are told apart",
                choices=(
                    *(f"{name}-vs-rest" for name in SPECIES),
                    "setosa-vs-versicolor",
                    "setosa-vs-virginica",
                    "versicolor-vs-virginica",
                    "all",
                ),
            ),
            FamilyParameter(
                "features",
                "text",
                "petal_length,petal_width",
                f"names or indices from 0, joined by commas: {', '.join(FEATURES)}",
            ),
            FamilyParameter("scale", "integer", 10, "factor on the centimetres", 1, 1000),
            FamilyParameter("samples", "integer", 0, "size of a random subset (0: all)", 0, 150),
            FamilyParameter("hidden", "text", "none", HIDDEN.help),
            activation_parameter(),
            BIAS,
            domain_parameter("int:-32:32"),
            labelling.loss_parameter("zero_one"),
            labelling.REDUCTION,
            FamilyParameter("threshold", "rational", 0, "the threshold", 0),
        ),
        build=build,
    )
)
