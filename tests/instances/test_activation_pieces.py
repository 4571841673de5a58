"""Activations: the values that the format defines, and the forms that engines rely on."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from gmpy2 import mpq
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
from ermbit_instances.activation import MAX, Activation, read_activation
from ermbit_instances.errors import InputError, LimitError
from ermbit_instances.json_node import Node

JUMPS = {
    "name": "piecewise_linear",
    "breakpoints": [-1, "1/2", 2],
    "slopes": [1, 0, "-1/2", 3],
    "intercepts": [0, 5, "1/3", -1],
}
SPECIFICATIONS: list[Any] = [
    "identity", "relu", "abs", "step", "sign", "square",
    {"name": "relu"},
    {"name": "leaky_relu", "slope": "0.01"},
    {"name": "leaky_relu", "slope": 2},
    {"name": "clip", "low": -1, "high": 1},
    {"name": "clip", "low": "1/2", "high": "1/2"},
    {"name": "polynomial", "coefficients": [1, "1/2", -3, 2]},
    {"name": "polynomial", "coefficients": [1, 2, 0, 0]},
    {"name": "polynomial", "coefficients": [0]},
    {"name": "piecewise_linear", "breakpoints": [], "slopes": [2], "intercepts": [1]},
    JUMPS,
]  # fmt: skip

numbers = st.fractions(min_value=-5, max_value=5, max_denominator=6)


def read(specification: Any) -> Activation:
    return read_activation(Node(specification, "$", None))


@pytest.mark.parametrize("specification", SPECIFICATIONS, ids=str)
@settings(max_examples=25)
@given(t=numbers)
def test_values_are_those_of_the_format(specification: Any, t: Fraction) -> None:
    found = read(specification)(mpq(t.numerator, t.denominator))
    expected = Fraction(reference.activation_of(specification)(t))
    assert found == mpq(expected.numerator, expected.denominator)


@pytest.mark.parametrize("specification", SPECIFICATIONS, ids=str)
@settings(max_examples=25)
@given(t=numbers, factor=st.integers(0, 5))
def test_homogeneity_is_what_it_says(specification: Any, t: Fraction, factor: int) -> None:
    activation = read(specification)
    value = mpq(t.numerator, t.denominator)
    if activation.is_homogeneous:
        assert activation(factor * value) == factor * activation(value)


@pytest.mark.parametrize(
    ("specification", "homogeneous", "continuous", "constant"),
    [
        ("identity", True, True, False),
        ("relu", True, True, False),
        ("abs", True, True, False),
        ("step", False, False, True),
        ("sign", False, False, True),
        ({"name": "leaky_relu", "slope": 3}, True, True, False),
        ({"name": "clip", "low": 0, "high": 1}, False, True, False),
        ({"name": "clip", "low": 1, "high": 1}, False, True, True),
        ({"name": "polynomial", "coefficients": [0, 2]}, True, True, False),
        ({"name": "polynomial", "coefficients": [1, 2]}, False, True, False),
        (JUMPS, False, False, False),
    ],
)
def test_classes(specification: Any, homogeneous: bool, continuous: bool, constant: bool) -> None:
    activation = read(specification)
    assert activation.is_homogeneous == homogeneous
    assert activation.is_continuous == continuous
    assert activation.is_piecewise_constant == constant


def test_pieces_are_closed_on_the_left() -> None:
    activation = read(JUMPS)
    for k, b in enumerate(activation.breakpoints):
        assert activation.piece(b) == k + 1
        assert activation.piece(b - mpq(1, 10**9)) == k


def test_maxima_are_homogeneous_and_not_affine() -> None:
    assert MAX.is_homogeneous
    assert not MAX.is_affine
    assert not read("square").is_homogeneous


@pytest.mark.parametrize("specification", SPECIFICATIONS, ids=str)
def test_canonical_forms_read_back(specification: Any) -> None:
    activation = read(specification)
    assert read(activation.canonical()) == activation


@pytest.mark.parametrize(
    ("specification", "reason"),
    [
        ("tanh", "unknown activation"),
        ("clip", "low"),
        (5, "object"),
        ({}, "name"),
        ({"name": "relu", "slope": 1}, "slope"),
        ({"name": "leaky_relu"}, "slope"),
        ({"name": "clip", "low": 1, "high": 0}, "greater"),
        ({"name": "polynomial", "coefficients": []}, "at least one"),
        ({**JUMPS, "breakpoints": [0, 0, 1]}, "increase"),
        ({**JUMPS, "slopes": [1, 2, 3]}, "pieces"),
        ({**JUMPS, "intercepts": [1, 2, 3, 4, 5]}, "pieces"),
    ],
)
def test_what_is_no_activation(specification: Any, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read(specification)


def test_the_degree_is_limited() -> None:
    assert read({"name": "polynomial", "coefficients": [0] * 64 + [1]}).degree == 64
    with pytest.raises(LimitError, match="degree"):
        read({"name": "polynomial", "coefficients": [0] * 65 + [1]})
