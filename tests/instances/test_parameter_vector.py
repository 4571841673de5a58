"""Values held as floats, domains checked in bulk, runs of domains: each against the plain way."""

from __future__ import annotations

import pickle
import random
from itertools import pairwise
from math import inf, nextafter
from sys import float_info
from typing import Any

import numpy as np
import pytest
from gmpy2 import mpq
from hypothesis import given, settings
from hypothesis import strategies as st

import random_instances
from ermbit_instances.domain import (
    REAL,
    Domain,
    FiniteDomain,
    IntegerDomain,
    greatest_float,
    least_float,
)
from ermbit_instances.domain_file import read_domain
from ermbit_instances.float_domain import FLOAT_FORMATS, FloatDomain
from ermbit_instances.instance import parse_instance
from ermbit_instances.json_node import Node
from ermbit_instances.network import Network
from ermbit_instances.parameter_vector import ParameterVector, as_float, exact_array
from ermbit_instances.rational_domain import RationalDomain

FLOATS = st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=20)


@given(FLOATS)
def test_a_vector_is_the_sequence_of_its_rationals(floats: list[float]) -> None:
    vector, plain = ParameterVector(np.array(floats, dtype=float)), tuple(map(mpq, floats))
    assert len(vector) == len(plain)
    assert tuple(vector) == plain == vector[:]
    assert vector[1:7:2] == plain[1:7:2]
    assert [vector[i] for i in range(-len(plain), len(plain))] == [*plain, *plain]
    assert vector == plain and plain == vector and vector == list(plain)
    assert hash(vector) == hash(plain)
    again = pickle.loads(pickle.dumps(vector))
    assert isinstance(again, ParameterVector) and again == vector
    with pytest.raises(IndexError):
        vector[len(plain)]


def test_vectors_that_differ() -> None:
    vector = ParameterVector(np.array([1.0, -0.0, 0.5]))
    for other in ((1, 0), (1, 0, 1), (1, 0, mpq(1, 3)), ParameterVector(np.array([1.0, 0, 1])), 1):
        assert vector != other
    assert vector == ParameterVector(np.array([1.0, 0.0, 0.5]))
    assert all(type(v) is type(mpq(0)) for v in (*vector, vector[0], *vector[:2]))
    with pytest.raises(ValueError):
        vector.array[0] = 2.0


@pytest.mark.parametrize(
    "array",
    [np.array([1.0, inf]), np.array([np.nan]), np.zeros((1, 1)), np.array([1]), np.zeros(1, "f4")],
)
def test_what_is_no_vector(array: Any) -> None:
    with pytest.raises(ValueError):
        ParameterVector(array)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=6))
def test_integers_widen_exactly(numbers: list[int]) -> None:
    found = exact_array(np.array(numbers, dtype=np.int64)).tolist()
    assert list(map(mpq, found)) == numbers
    unsigned = [abs(v) * 2 for v in numbers]
    assert list(map(mpq, exact_array(np.array(unsigned, dtype=np.uint64)).tolist())) == unsigned


@given(st.fractions() | st.floats(allow_nan=False, allow_infinity=False))
def test_rationals_that_are_floats(value: Any) -> None:
    found = as_float(mpq(value))
    assert found is None or mpq(found) == value
    assert (found is not None) == (isinstance(value, float) or float(value) == value)
    assert as_float(mpq(10) ** 400) is None
    assert as_float(mpq(1, 10**400)) is None


@given(
    st.fractions()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**1030), 2**1030)
    | st.integers(1, 2**60).map(lambda k: mpq(k, 2**1080))
)
def test_the_floats_around_a_rational(value: Any) -> None:
    bound = mpq(value)
    below, above = greatest_float(bound), least_float(bound)
    assert below == -inf or (mpq(below) <= bound)
    assert above == inf or (mpq(above) >= bound)
    after = nextafter(below, inf)
    assert after == inf or mpq(after) > bound
    before = nextafter(above, -inf)
    assert before == -inf or mpq(before) < bound


# --- domains in bulk -----------------------------------------------------------------------------

DOMAINS: list[Domain] = [
    REAL,
    IntegerDomain(-3, 4),
    IntegerDomain(-3, 4, 3),
    IntegerDomain(-7, 9, 12),
    IntegerDomain(5, 5),
    IntegerDomain(-(2**70), 2**70 + 1),
    IntegerDomain(-(2**53) - 1, 2**53 + 1),
    IntegerDomain(-(10**400), 10**400, 10**400),
    IntegerDomain(-(2**1100), 2**1100, 2**1074),
    IntegerDomain(-5, 2**1200, 3 * 2**1080),
    IntegerDomain(10**400, 10**400 + 1),
    IntegerDomain(-(10**400) - 1, -(10**400)),
    read_domain(
        Node({"domain": "fixed_point", "bits": 8, "fraction_bits": 6, "signed": True}, "$", None)
    ),
    FiniteDomain((mpq(-1), mpq(0), mpq(0.1), mpq(1, 3), mpq(1, 2), mpq(10) ** 400)),
    FiniteDomain((mpq(1, 3),)),
    FiniteDomain((mpq(1, 2**1074), mpq(float_info.max))),
    *(RationalDomain(bits) for bits in (1, 2, 3, 8, 24, 52, 53, 54, 70, 1023, 1024, 1075, 1200)),
    *(FloatDomain(f) for f in FLOAT_FORMATS.values()),
]


def nasty(domain: Domain) -> list[float]:
    """Floats at and beside everything that a format could treat specially."""
    seeds = [0.0, 5e-324, 2.2250738585072014e-308, float_info.max, 0.1, 1 / 3, 0.5, 1.5, 7 / 8]
    seeds += [float(2**e) for e in (1, 2, 3, 7, 23, 24, 52, 53, 54, 70, 127, 128, 1023)]
    seeds += [2.0**-e for e in (1, 2, 6, 7, 9, 14, 16, 24, 25, 126, 127, 133, 134, 149, 150, 1074)]
    seeds += [255.0, 448.0, 464.0, 57344.0, 65504.0, 3.4028234663852886e38, 3.3895313892515355e38]
    for bound in (domain.low, domain.high):
        if bound is not None:
            seeds += [f for f in (greatest_float(bound), least_float(bound)) if abs(f) != inf]
    beside = [nextafter(s, t) for s in seeds for t in (-inf, inf)]
    floats = [s for f in (*seeds, *beside) for s in (f, -f) if abs(s) != inf]
    return [*floats, *(f * k for f in floats[::3] for k in (3.0, 5.0) if abs(f * k) != inf)]


def check(domain: Domain, floats: list[float]) -> None:
    found = domain.outside(np.array(floats, dtype=float))
    assert found.dtype == np.bool_ and found.shape == (len(floats),)
    assert found.tolist() == [mpq(f) not in domain for f in floats]


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda d: repr(d)[:60])
def test_bulk_membership_of_nasty_floats(domain: Domain) -> None:
    check(domain, nasty(domain))
    check(domain, [])


@pytest.mark.parametrize("domain", DOMAINS, ids=lambda d: repr(d)[:60])
@settings(max_examples=40)
@given(floats=FLOATS, picks=st.lists(st.integers(0, 10**6), max_size=8))
def test_bulk_membership_of_any_floats(
    domain: Domain, floats: list[float], picks: list[int]
) -> None:
    # Members among them too: what rounds to the grid of the domain.
    members = [domain.below(mpq(pick, 1 << (pick % 40))) for pick in picks]
    near = [f for m in members if m is not None and (f := greatest_float(m)) != -inf]
    check(domain, floats + near)


@pytest.mark.parametrize("name", FLOAT_FORMATS)
def test_every_value_of_a_format_is_inside(name: str) -> None:
    domain = FloatDomain(FLOAT_FORMATS[name])
    size = domain.size
    values = domain.values()
    sample = [next(values) for _ in range(min(size, 3000))]
    assert not domain.outside(np.array([float(v) for v in sample])).any()
    if name in ("float16", "float32"):
        dtype = np.dtype(name)
        bits = np.random.default_rng(1).integers(0, 2 ** (8 * dtype.itemsize), 2000)
        floats = bits.astype(f"u{dtype.itemsize}").view(dtype)
        floats = floats[np.isfinite(floats)].astype(float)
        assert not domain.outside(floats).any()
        assert domain.outside(floats[floats != 0] * (1 + 2**-40)).all()


# --- runs of domains and single names ------------------------------------------------------------


def check_runs(network: Network) -> None:
    parameters = network.parameters
    runs = list(network.domain_runs())
    assert [n for numbers, _ in runs for n in numbers] == list(range(network.parameter_count))
    assert all(parameters[n].domain is domain for numbers, domain in runs for n in numbers)
    assert all(a[1] is not b[1] for a, b in pairwise(runs))
    assert [network.parameter_name(p.index) for p in parameters] == [p.name for p in parameters]


@pytest.mark.parametrize("seed", range(150))
def test_runs_and_names_are_those_of_the_parameters(seed: int) -> None:
    check_runs(parse_instance(random_instances.random_instance(random.Random(seed))).network)


def test_runs_of_a_dense_network() -> None:
    document: dict[str, Any] = {
        "format": "ermbit-instance",
        "version": 1,
        "network": {
            "inputs": 3,
            "layers": [
                {"name": "a", "units": 4, "activation": "relu"},
                {"units": 2, "activation": "identity", "biases": [{"param": "s"}, None]},
                {"units": 2, "activation": "identity", "bias": False},
            ],
        },
        "weights": {"domain": "real", "parameters": {}},
        "data": {"x": [[1, 1, 1]], "y": [[0, 0]]},
        "loss": {"name": "absolute"},
    }
    network = parse_instance(document).network
    check_runs(network)
    assert len(list(network.domain_runs())) == 1
    document["weights"] |= {
        "biases": {"domain": "integer", "low": 0, "high": 1},
        "parameters": {
            "a": {"domain": "integer", "low": 0, "high": 2},
            "W2[0,1]": {"domain": "rational", "bits": 3},
            "s": {"domain": "integer", "low": 0, "high": 1},
        },
    }
    network = parse_instance(document).network
    check_runs(network)
    assert len(list(network.domain_runs())) == 7
