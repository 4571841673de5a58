"""Every domain against the plain set that the format defines."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from gmpy2 import mpq
from hypothesis import given
from hypothesis import strategies as st

import reference
from ermbit_instances.algebraic import algebraic
from ermbit_instances.domain import REAL, Domain
from ermbit_instances.domain_file import read_domain
from ermbit_instances.errors import InputError, LimitError
from ermbit_instances.float_domain import FLOAT_FORMATS, FloatDomain
from ermbit_instances.json_node import Node

DOCUMENTS: list[dict[str, Any]] = [
    {"domain": "integer", "low": -3, "high": 4},
    {"domain": "integer", "low": -3, "high": 4, "denominator": 3},
    {"domain": "integer", "low": 5, "high": 5},
    {"domain": "fixed_point", "bits": 4, "fraction_bits": 2},
    {"domain": "fixed_point", "bits": 3, "fraction_bits": 0, "signed": False},
    {"domain": "fixed_point", "bits": 1, "fraction_bits": 5},
    {"domain": "finite", "values": [2, "1/3", -1, "0.5", 2, "1/2"]},
    {"domain": "float", "format": "fp8_e4m3"},
    {"domain": "float", "format": "fp8_e5m2"},
    {"domain": "rational", "bits": 1},
    {"domain": "rational", "bits": 2},
    {"domain": "rational", "bits": 3},
]


def read(document: dict[str, Any]) -> Domain:
    return read_domain(Node(document, "$", None))


def exact(values: list[Fraction]) -> list[mpq]:
    return [mpq(v.numerator, v.denominator) for v in values]


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_the_values_are_those_of_the_format(document: dict[str, Any]) -> None:
    domain, expected = read(document), exact(reference.values(document))
    assert list(domain.values()) == expected
    assert domain.size == len(expected)
    assert (domain.low, domain.high) == (expected[0], expected[-1])
    assert domain.is_symmetric == (expected == [-v for v in reversed(expected)])
    if domain.grid is not None:
        assert all((v * domain.grid).denominator == 1 for v in expected)


@pytest.mark.parametrize("document", DOCUMENTS, ids=str)
def test_membership_and_neighbours(document: dict[str, Any]) -> None:
    domain, expected = read(document), exact(reference.values(document))
    probes = set(expected) | {(a + b) / 2 for a, b in pairwise(expected)}
    probes |= {expected[0] - 1, expected[-1] + 1, mpq(1, 7), mpq(-355, 113), mpq(0)}
    for probe in probes:
        assert (probe in domain) == (probe in expected)
        assert domain.below(probe) == max((v for v in expected if v <= probe), default=None)
        assert domain.above(probe) == min((v for v in expected if v >= probe), default=None)


def test_membership_is_for_exact_numbers_only() -> None:
    domain = read({"domain": "integer", "low": 0, "high": 1})
    for value in (0, 1, 0.0, "1", None):
        assert value not in domain
    root = algebraic([-2, 0, 1], mpq(1), mpq(2))
    assert root in REAL
    for document in DOCUMENTS:
        assert root not in read(document)


@pytest.mark.parametrize(
    ("name", "size", "largest"),
    [
        ("fp8_e4m3", 253, 448),
        ("fp8_e5m2", 247, 57344),
        ("float16", 63487, 65504),
        ("bfloat16", 65279, (2**8 - 1) * 2**120),
        ("float32", 2**32 - 2**24 - 1, (2**24 - 1) * 2**104),
    ],
)
def test_float_formats(name: str, size: int, largest: int) -> None:
    domain = FloatDomain(FLOAT_FORMATS[name])
    assert domain.size == size
    assert domain.high == largest
    least = mpq(1, domain.grid)
    assert least in domain
    assert domain.below(least / 2) == 0
    assert domain.above(least / 2) == least
    assert mpq(largest + 1) not in domain


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.integers(1, 2**30))
def test_float32_members_are_the_floats(value: float, offset: int) -> None:
    domain = FloatDomain(FLOAT_FORMATS["float32"])
    member = mpq(value)
    assert member in domain
    between = member + mpq(1, domain.grid * (offset + 1))
    assert between not in domain
    above = domain.above(between)
    assert above is None or above > between
    assert domain.below(between) == member


@given(st.fractions(min_value=-80, max_value=80, max_denominator=10**6), st.integers(4, 40))
def test_rational_neighbours_leave_no_member_between(bound: Fraction, bits: int) -> None:
    domain = read({"domain": "rational", "bits": bits})
    probe = mpq(bound.numerator, bound.denominator)
    below, above = domain.below(probe), domain.above(probe)
    if probe in domain:
        assert below == above == probe
        return
    for member in (below, above):
        assert member is None or member in domain
    if below is not None and above is not None:
        assert below < probe < above
        # Neighbours in the Stern–Brocot order: the simplest number between them is no member.
        assert domain.simplest((below + probe) / 2, (probe + above) / 2) is None  # type: ignore[attr-defined]


def test_a_rational_domain_of_many_bits_is_never_listed() -> None:
    domain = read({"domain": "rational", "bits": 4096})
    assert domain.size is not None
    assert domain.size > 2**8000
    assert domain.grid is None
    assert mpq(1, 2**4096 - 1) in domain
    assert mpq(1, 2**4096) not in domain
    assert mpq(1 - 2**4096) in domain


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({}, "missing"),
        ({"domain": "reals"}, "unknown domain"),
        ({"domain": "integer", "low": 1, "high": 0}, "empty"),
        ({"domain": "integer", "low": 0, "high": 1, "denominator": 0}, "denominator"),
        ({"domain": "integer", "low": "1/2", "high": 1}, "low"),
        ({"domain": "integer", "low": 0}, "high"),
        ({"domain": "integer", "low": 0, "high": 1, "step": 2}, "step"),
        ({"domain": "finite", "values": []}, "empty"),
        ({"domain": "float", "format": "float64"}, "unknown format"),
        ({"domain": "rational", "bits": 0}, "bits"),
        ({"domain": "real", "bits": 3}, "bits"),
        ({"domain": "fixed_point", "bits": 3}, "fraction_bits"),
        ({"domain": "fixed_point", "bits": 3, "fraction_bits": 1, "signed": 1}, "signed"),
    ],
)
def test_what_is_no_domain(document: dict[str, Any], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read(document)


def test_bit_lengths_are_limited() -> None:
    with pytest.raises((InputError, LimitError)):
        read({"domain": "rational", "bits": 10**6})
