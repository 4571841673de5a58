"""Tables of measured data, as exact decimals: irises from this package, others from scikit-learn.

The copies that scikit-learn ships are binary floats of short decimals, and the shortest decimal of
each is the number of the table. A checksum makes sure that every version gives the same table.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from gmpy2 import mpq

from ermbit_instances.families.family import FamilyError
from ermbit_instances.rational import Rational, as_rational, write_rational

SPECIES = ("setosa", "versicolor", "virginica")
FEATURES = ("sepal_length", "sepal_width", "petal_length", "petal_width")

Row = tuple[tuple[Rational, ...], int]


@dataclass(frozen=True)
class MeasuredTable:
    """Samples with a class each.

    Attributes:
        features: names of the columns.
        classes: names of the classes, by code.
        rows: values and class code of every sample, in the order of the table.
        range: the values that every feature may have, where they are known; else those it has.
        attribution: where the table comes from.
    """

    features: tuple[str, ...]
    classes: tuple[str, ...]
    rows: tuple[Row, ...]
    range: tuple[int, int] | None
    attribution: str

    def feature(self, text: str) -> int:
        """The column of a feature given by name or by its index from 0.

        Raises:
            FamilyError: there is no such feature.
        """
        if text in self.features:
            return self.features.index(text)
        if text.isascii() and text.isdigit() and int(text[:9]) < len(self.features):
            return int(text)
        raise FamilyError(
            f"parameter features: {text!r:.60} is neither an index 0..{len(self.features) - 1} nor "
            f"one of {', '.join(self.features[:8])}{', ...' if self.features[8:] else ''}"
        )

    def range_of(self, column: int) -> tuple[Rational, Rational]:
        """Least and greatest value of a feature."""
        if self.range is not None:
            return mpq(self.range[0]), mpq(self.range[1])
        values = [values[column] for values, _ in self.rows]
        return min(values), max(values)


def flowers() -> tuple[Row, ...]:
    """The 150 irises in the order of the table: four lengths in centimetres, species code."""
    return _irises().rows


def table(name: str) -> MeasuredTable:
    """The table of a data set.

    Raises:
        FamilyError: scikit-learn, which ships it, is missing or ships another table.
    """
    return _TABLES[name]()


@cache
def _irises() -> MeasuredTable:
    text = files("ermbit_instances").joinpath("data", "iris.csv").read_text(encoding="ascii")
    rows = tuple(
        (tuple(mpq(row[f"{name}_cm"]) for name in FEATURES), int(row["species_code"]))
        for row in csv.DictReader(text.splitlines())
    )
    return MeasuredTable(FEATURES, SPECIES, rows, None, "R. A. Fisher (1936), Table I")


@cache
def _wine() -> MeasuredTable:
    return _shipped(
        "wine",
        None,
        "b3650b4b",
        "Wine (UCI Machine Learning Repository; M. Forina et al., PARVUS), as in scikit-learn",
    )


@cache
def _breast_cancer() -> MeasuredTable:
    return _shipped(
        "breast_cancer",
        None,
        "3399a632",
        "Breast Cancer Wisconsin (Diagnostic) (UCI Machine Learning Repository; W. H. Wolberg, "
        "W. N. Street, O. L. Mangasarian), as in scikit-learn",
    )


@cache
def _digits() -> MeasuredTable:
    return _shipped(
        "digits",
        (0, 16),
        "63e266de",
        "Optical Recognition of Handwritten Digits, test set (UCI Machine Learning Repository; "
        "E. Alpaydin, C. Kaynak), as in scikit-learn",
    )


_TABLES: dict[str, Callable[[], MeasuredTable]] = {
    "iris": _irises,
    "wine": _wine,
    "breast_cancer": _breast_cancer,
    "digits": _digits,
}

DATASETS = tuple(_TABLES)


def _shipped(
    name: str, bounds: tuple[int, int] | None, checksum: str, attribution: str
) -> MeasuredTable:
    """A table of scikit-learn, as short decimals; its checksum begins with ``checksum``."""
    try:
        from sklearn import datasets
    except ImportError:
        raise FamilyError(
            f"dataset {name}: needs scikit-learn, which ships it: pip install 'ermbit[data]'"
        ) from None
    shipped: Any = getattr(datasets, f"load_{name}")()
    rows = tuple(
        (tuple(as_rational(repr(float(v))) for v in values), int(code))
        for values, code in zip(shipped.data.tolist(), shipped.target.tolist(), strict=True)
    )
    found = fingerprint(rows)
    if not found.startswith(checksum):
        raise FamilyError(f"dataset {name}: this scikit-learn ships another table ({found[:8]})")
    features = tuple(str(feature).replace(" ", "_") for feature in shipped.feature_names)
    classes = tuple(str(label) for label in shipped.target_names)
    return MeasuredTable(features, classes, rows, bounds, attribution)


def fingerprint(rows: Iterable[Row]) -> str:
    """SHA-256 of the numbers of a table, written as in instance files."""
    lines = (",".join(str(write_rational(v)) for v in (*values, mpq(k))) for values, k in rows)
    return hashlib.sha256("\n".join(lines).encode("ascii")).hexdigest()


def explained(values: Sequence[Rational], codes: Sequence[int]) -> Rational:
    """The share of a feature's variance that the classes explain, η², in 0..1; exact.

    With two classes it is the squared correlation of the feature with the class. A constant feature
    has 0.
    """
    mean = sum(values, mpq(0)) / len(values)
    total = sum(((v - mean) ** 2 for v in values), mpq(0))
    if total == 0:
        return mpq(0)
    between = mpq(0)
    for code in set(codes):
        members = [v for v, c in zip(values, codes, strict=True) if c == code]
        between += len(members) * (sum(members, mpq(0)) / len(members) - mean) ** 2
    return between / total
