"""Instances from measured data: irises, wines, tumours and digits, in exact numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from math import lcm
from typing import Any

from gmpy2 import mpq

from ermbit_instances.domain import Domain
from ermbit_instances.families import labelling
from ermbit_instances.families.activation_text import activation_document
from ermbit_instances.families.domain_text import domain_document, domain_of
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
from ermbit_instances.families.layered import Weights, architecture
from ermbit_instances.families.measured_tables import (
    DATASETS,
    FEATURES,
    SPECIES,
    MeasuredTable,
    Row,
    explained,
    flowers,
    table,
)
from ermbit_instances.families.rng import Rng
from ermbit_instances.families.shared_parameters import (
    ACTIVATION,
    BIAS,
    HIDDEN,
    REDUCTION,
    THRESHOLD,
    domain_parameter,
    loss_parameter,
)
from ermbit_instances.rational import Rational, write_rational

__all__ = ["FEATURES", "SPECIES", "build", "flowers"]

_BEST = re.compile(r"best:([0-9]{1,3})", re.ASCII)


def build(rng: Rng, parameters: Mapping[str, Any]) -> Generated:
    """Chosen samples, features and classes of a table.

    ``classes``: ``A-vs-rest`` and ``A-vs-B`` have one output, the first class labelled 1 and the
    others -1 (0 for ``absolute`` and ``squared``); ``all`` has an output a class, the label 0, 1, …
    (a one-hot row for ``absolute`` and ``squared``). Status ``sat`` where a linear unit on a single
    feature with small integers separates two classes; else ``unknown``.
    """
    loss, hidden = parameters["loss"], parameters["hidden"]
    source = table(parameters["dataset"])
    asked = parameters["classes"]
    positive, negative = _classes(source, asked)
    pool = [row for row in source.rows if row[1] in positive | negative]
    columns = _columns(source, pool, positive if negative else None, parameters["features"])
    chosen = _subset(rng, pool, parameters["samples"], parameters["per_class"])
    outputs = 1 if negative else len(source.classes)
    x = _scaled(source, chosen, columns, parameters["scale"], parameters["levels"])
    y = [_target(code, positive, outputs, loss) for _, code in chosen]
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
    meta["data"] = source.attribution
    meta["features"] = [source.features[c] for c in columns]
    meta["classes"] = [source.classes[c] for c in sorted(positive | negative)]
    words = (parameters["dataset"], asked.replace("+", "_"), f"{len(columns)}f", hidden)
    document = instance_document(
        "-".join((*words, f"n{len(x)}")),
        shape.document(),
        weights,
        {"x": [[write_rational(v) for v in row] for row in x], "y": y},
        labelling.loss_document(loss, parameters["reduction"]),
        read_rational(parameters["threshold"], "parameter threshold"),
        meta,
    )
    return Generated(document, certificate)


def _classes(source: MeasuredTable, text: str) -> tuple[set[int], set[int]]:
    """Class codes labelled positive, and those labelled negative (none: an output a class)."""
    everything = set(range(len(source.classes)))
    if text == "all":
        return everything, set()
    first, versus, second = ("0-vs-rest" if text == "auto" else text).partition("-vs-")
    positive = _codes(source, first)
    negative = everything - positive if second == "rest" else _codes(source, second)
    if not versus or not negative or positive & negative:
        known = ", ".join(source.classes)
        raise FamilyError(
            f"parameter classes: expected auto, all, A-vs-rest or A-vs-B with different classes "
            f"of {known}, got {text!r:.60}"
        )
    return positive, negative


def _codes(source: MeasuredTable, text: str) -> set[int]:
    """Classes joined by ``+``, by name or by code."""
    codes = set()
    for name in text.split("+"):
        if name in source.classes:
            codes.add(source.classes.index(name))
        elif name.isascii() and name.isdigit() and int(name[:9]) < len(source.classes):
            codes.add(int(name))
        else:
            known = ", ".join(source.classes)
            raise FamilyError(f"parameter classes: {name!r:.60} is not one of {known}")
    return codes


def _columns(
    source: MeasuredTable, pool: Sequence[Row], positive: set[int] | None, text: str
) -> list[int]:
    """Features by name or index, all of them, or the best: those that the labels explain best.

    Equally good ones are taken in the order of the table; the best come first.
    """
    if text == "all":
        return list(range(len(source.features)))
    match = _BEST.fullmatch(text)
    if match is None:
        return [source.feature(part.strip()) for part in text.split(",")]
    count = int(match[1])
    if not 1 <= count <= len(source.features):
        raise FamilyError(f"parameter features: {text}: expected best:1..{len(source.features)}")
    labels = [code if positive is None else int(code in positive) for _, code in pool]
    share = [
        explained([values[c] for values, _ in pool], labels) for c in range(len(source.features))
    ]
    return sorted(range(len(share)), key=lambda c: (-share[c], c))[:count]


def _subset(rng: Rng, pool: Sequence[Row], samples: int, per_class: int) -> list[Row]:
    """Few samples of every class, or of all together, in the order of the table; 0 is all."""
    if samples and per_class:
        raise FamilyError("parameter samples: not together with per_class")
    if not per_class:
        if samples > len(pool):
            raise FamilyError(f"parameter samples: these classes have only {len(pool)} samples")
        return rng.sample(pool, samples or len(pool))
    kept: set[int] = set()
    for code in sorted({code for _, code in pool}):
        members = [position for position, row in enumerate(pool) if row[1] == code]
        if per_class > len(members):
            raise FamilyError(f"parameter per_class: a class has only {len(members)} samples")
        kept.update(rng.sample(members, per_class))
    return [pool[position] for position in sorted(kept)]


def _scaled(
    source: MeasuredTable, chosen: Sequence[Row], columns: Sequence[int], scale: str, levels: int
) -> list[list[Rational]]:
    """Values times ``scale``, or rounded to ``levels`` equidistant levels 0, 1, … of their range.

    ``auto``: the smallest factor that makes the chosen features integers, one a feature.
    """
    if levels == 1:
        raise FamilyError("parameter levels: expected 0 or at least 2")
    by_column = []
    for c in columns:
        values = [row[c] for row, _ in chosen]
        if levels:
            low, high = source.range_of(c)
            step = (high - low) / (levels - 1)
            by_column.append([_nearest((v - low) / step) if step else mpq(0) for v in values])
        elif scale == "auto":
            factor = lcm(*(int(row[c].denominator) for row, _ in source.rows))
            by_column.append([v * factor for v in values])
        else:
            factor_given = read_rational(scale, "parameter scale")
            if factor_given <= 0:
                raise FamilyError("parameter scale: expected auto or a positive number")
            by_column.append([v * factor_given for v in values])
    return [list(row) for row in zip(*by_column, strict=True)]


def _nearest(value: Rational) -> Rational:
    """The nearest integer; halves go up."""
    shifted = value + mpq(1, 2)
    return mpq(shifted.numerator // shifted.denominator)


def _target(code: int, positive: set[int], outputs: int, loss: str) -> list[int]:
    if labelling.is_classification(loss):
        return [code] if outputs > 1 else [1 if code in positive else -1]
    if outputs > 1:
        return [int(code == other) for other in range(outputs)]
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
        summary="measured data: chosen classes, features, scaling or levels, and subsample",
        source="Fisher 1936 (iris); UCI Machine Learning Repository, through scikit-learn (others)",
        parameters=(
            FamilyParameter(
                "dataset",
                "choice",
                "iris",
                "which table; all but iris need scikit-learn",
                choices=DATASETS,
            ),
            FamilyParameter(
                "classes",
                "text",
                "auto",
                "A-vs-rest, A-vs-B or all, with names or codes of classes, several joined by +; "
                "auto: the first against the rest",
            ),
            FamilyParameter(
                "features",
                "text",
                "best:2",
                "names or indices from 0, joined by commas; all; best:K: the K that are most "
                "correlated with the labels",
            ),
            FamilyParameter(
                "scale",
                "text",
                "auto",
                "factor on the values; auto: the least that makes a feature integers, exactly",
            ),
            FamilyParameter(
                "levels",
                "integer",
                0,
                "round every feature to so many equidistant levels 0, 1, ... of its range (0: no)",
                0,
                1000,
            ),
            FamilyParameter("samples", "integer", 0, "size of a random subset (0: all)", 0, 1797),
            FamilyParameter(
                "per_class", "integer", 0, "random samples of every class (0: all)", 0, 357
            ),
            replace(HIDDEN, default="none"),
            ACTIVATION,
            BIAS,
            domain_parameter("int:-32:32"),
            loss_parameter("zero_one"),
            REDUCTION,
            THRESHOLD,
        ),
        build=build,
    )
)
