"""Measured data: tables as published, exact selection and rounding of features, subsamples.

The tables that scikit-learn ships are looked at only where it is installed.
"""

from __future__ import annotations

import sys
from collections import Counter
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ermbit_instances.families import FamilyError, generate, measured_tables
from ermbit_instances.families.measured_tables import explained, flowers, table
from ermbit_instances.instance import parse_instance

numbers = st.fractions(-5, 5, max_denominator=6)


@pytest.fixture
def shipped() -> Any:
    """Skips where scikit-learn is missing."""
    return pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")


def data(**parameters: Any) -> tuple[list[list[Fraction]], list[list[int]]]:
    document = generate("real_data", **parameters).document
    parse_instance(document)
    return [[Fraction(v) for v in row] for row in document["data"]["x"]], document["data"]["y"]


# --- the tables ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, samples, features, sizes",
    [
        ("iris", 150, 4, (50, 50, 50)),
        ("wine", 178, 13, (59, 71, 48)),
        ("breast_cancer", 569, 30, (212, 357)),
        ("digits", 1797, 64, (178, 182, 177, 183, 181, 182, 181, 179, 174, 180)),
    ],
)
def test_tables_are_those_published(
    name: str, samples: int, features: int, sizes: tuple[int, ...], request: Any
) -> None:
    if name != "iris":
        request.getfixturevalue("shipped")
    source = table(name)
    assert (len(source.rows), len(source.features)) == (samples, features)
    assert {len(values) for values, _ in source.rows} == {features}
    assert Counter(code for _, code in source.rows) == dict(enumerate(sizes))
    assert len(source.classes) == len(sizes) and len(set(source.features)) == features


def test_shipped_numbers_are_short_decimals(shipped: Any) -> None:
    assert [str(v) for v in table("wine").rows[0][0][:4]] == ["1423/100", "171/100", "243/100",
                                                              "78/5"]  # fmt: skip
    assert all(0 <= v <= 16 and v.denominator == 1 for row, _ in table("digits").rows for v in row)
    for name, places in (("wine", 10**6), ("breast_cancer", 10**7)):
        rows = table(name).rows
        assert all(places % int(v.denominator) == 0 for values, _ in rows for v in values)


def test_equal_bytes_with_every_scikit_learn(shipped: Any) -> None:
    document = generate("real_data", 3, dataset="wine", per_class=1, levels=8).document
    assert document["name"] == "wine-auto-2f-none-n3-01f2dc74-s3"
    assert document["data"] == {"x": [[4, 5], [3, 3], [1, 0]], "y": [[1], [-1], [-1]]}


def test_a_missing_scikit_learn_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    measured_tables._wine.cache_clear()
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(FamilyError, match=r"pip install 'ermbit\[data\]'") as caught:
        generate("real_data", dataset="wine")
    assert "\n" not in str(caught.value)
    assert generate("real_data", dataset="iris")


def test_another_table_is_refused(shipped: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    original = shipped.load_wine()
    original.data[0][0] += 0.01
    measured_tables._wine.cache_clear()
    monkeypatch.setattr(shipped, "load_wine", lambda: original)
    with pytest.raises(FamilyError, match="another table"):
        table("wine")


# --- features ------------------------------------------------------------------------------------


@given(st.lists(st.tuples(numbers, st.integers(0, 1)), min_size=1, max_size=9))
def test_two_classes_explain_the_squared_correlation(pairs: list[tuple[Fraction, int]]) -> None:
    x, y = [p[0] for p in pairs], [p[1] for p in pairs]
    n = len(pairs)
    covariance = n * sum(a * b for a, b in pairs) - sum(x) * sum(y)
    spread = [n * sum(v * v for v in z) - sum(z) ** 2 for z in (x, y)]
    found = explained([measured_tables.mpq(v.numerator, v.denominator) for v in x], y)
    if 0 in spread:
        assert found == 0
    else:
        assert found == covariance**2 / (spread[0] * spread[1])


@given(st.lists(st.tuples(numbers, st.integers(0, 2)), min_size=1, max_size=9))
def test_variance_explained_is_a_share(pairs: list[tuple[Fraction, int]]) -> None:
    x = [measured_tables.mpq(p[0].numerator, p[0].denominator) for p in pairs]
    codes = [p[1] for p in pairs]
    assert 0 <= explained(x, codes) <= 1
    assert explained(x, [7] * len(x)) == 0
    if len(set(x)) > 1:
        assert explained(x, list(range(len(x)))) == 1


def test_the_best_features_of_the_irises() -> None:
    for classes in ("auto", "all", "versicolor-vs-virginica"):
        names = generate("real_data", classes=classes, features="best:4").document["meta"]
        assert set(names["features"]) == set(measured_tables.FEATURES)
        assert set(names["features"][:2]) == {"petal_length", "petal_width"}
    # It is the selection of the classes, not of the subsample.
    few = generate("real_data", features="best:3", per_class=1).document["meta"]["features"]
    assert few == generate("real_data", features="best:3").document["meta"]["features"]


def test_all_features_in_the_order_of_the_table() -> None:
    x, _ = data(features="all", scale=1)
    assert x == [[Fraction(str(v)) for v in values] for values, _ in flowers()]


@pytest.mark.parametrize("levels", [2, 3, 8, 256])
def test_levels_are_the_nearest(levels: int) -> None:
    x, _ = data(features="all", levels=levels)
    for c in range(4):
        column = [Fraction(str(values[c])) for values, _ in flowers()]
        low, high = min(column), max(column)
        for value, level in zip(column, (row[c] for row in x), strict=True):
            assert level.denominator == 1 and 0 <= level < levels
            error = abs(low + (high - low) * level / (levels - 1) - value)
            assert error <= (high - low) / (levels - 1) / 2
        assert {0, levels - 1} <= {row[c] for row in x}


def test_levels_do_not_depend_on_the_subsample() -> None:
    everything = {tuple(row) for row in data(levels=5)[0]}
    assert {tuple(row) for row in data(levels=5, samples=9)[0]} <= everything


def test_auto_scale_makes_the_least_integers(shipped: Any) -> None:
    x, _ = data(dataset="breast_cancer", features="mean_radius,mean_smoothness")
    assert all(v.denominator == 1 for row in x for v in row)
    source = table("breast_cancer")
    for c, name in enumerate(("mean_radius", "mean_smoothness")):
        column = [Fraction(str(values[source.feature(name)])) for values, _ in source.rows]
        factor = x[0][c] / column[0]
        assert [row[c] for row in x] == [factor * v for v in column]
        assert any((factor / p * v).denominator > 1 for p in (2, 5) for v in column)


def test_pixels_keep_their_range(shipped: Any) -> None:
    x, _ = data(dataset="digits", classes="3-vs-8", features="all", levels=2, per_class=20)
    assert {v for row in x for v in row} == {0, 1}
    raw, _ = data(dataset="digits", classes="3-vs-8", features="all")
    coarse, _ = data(dataset="digits", classes="3-vs-8", features="all", levels=2)
    assert coarse == [[Fraction(v >= 8) for v in row] for row in raw]


# --- classes and subsamples ----------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["zero_one", "hinge", "squared"])
def test_classes_are_labelled(loss: str, shipped: Any) -> None:
    low = -1 if loss != "squared" else 0
    for classes, sizes in (
        ("auto", {1: 178, low: 1619}),
        ("3-vs-8", {1: 183, low: 174}),
        ("1+7-vs-0+4+6", {1: 361, low: 540}),
        ("9-vs-rest", {1: 180, low: 1617}),
    ):
        _, y = data(dataset="digits", classes=classes, loss=loss, features="0")
        assert Counter(label for (label,) in y) == sizes
    _, y = data(dataset="digits", classes="all", loss=loss, features="0")
    width = 10 if loss == "squared" else 1
    assert {len(row) for row in y} == {width}
    assert Counter(row.index(1) if width == 10 else row[0] for row in y)[3] == 183


@given(st.integers(1, 50), st.integers(0, 1000))
def test_few_samples_of_every_class(count: int, seed: int) -> None:
    document = generate("real_data", seed, classes="all", per_class=count, features="all").document
    assert Counter(label for (label,) in document["data"]["y"]) == dict.fromkeys(range(3), count)
    rows = [[Fraction(v) / 10 for v in row] for row in document["data"]["x"]]
    table_rows = [[Fraction(str(v)) for v in values] for values, _ in flowers()]
    positions = iter(table_rows)
    assert all(any(row == other for other in positions) for row in rows)  # a subsequence
