"""The probe says beforehand what encoding would say, and relaxations widen what is too large."""

from __future__ import annotations

import random
from typing import Any

import pytest

import random_instances
from ermbit_encodings.mixed import NotLinearError, encode_mixed
from ermbit_encodings.probe import linearity_obstacle
from ermbit_encodings.problem import Problem
from ermbit_encodings.relaxation import real_relaxation
from ermbit_instances.domain import REAL
from ermbit_instances.instance import parse_instance


def problem(layers: list[Any], weights: Any, x: Any = None) -> Problem:
    x = x or [[1], [2]]
    return Problem(
        parse_instance(
            {
                "format": "ermbit-instance",
                "version": 1,
                "network": {"inputs": len(x[0]), "layers": layers},
                "weights": weights,
                "data": {"x": x, "y": [[0] * layers[-1]["units"] for _ in x]},
                "loss": {"name": "absolute"},
                "threshold": 0,
            }
        )
    )


def layer(units: int, activation: Any = "relu") -> dict[str, Any]:
    return {"units": units, "activation": activation}


REALS = {"domain": "real"}
BITS = {"domain": "integer", "low": 0, "high": 1}


@pytest.mark.parametrize(
    ("layers", "weights", "is_linear"),
    [
        ([layer(1)], REALS, True),
        ([layer(3), layer(1, "identity")], REALS, True),
        ([layer(3), layer(2, "identity")], REALS, False),
        ([layer(2), layer(2), layer(1, "identity")], REALS, False),
        ([layer(2), layer(2), layer(1, "identity")], BITS, True),
        ([layer(2, "step"), layer(2, "sign"), layer(2, "identity")], REALS, True),
        ([layer(2, "square"), layer(1, "identity")], BITS, False),
    ],
)
def test_linearity(layers: list[Any], weights: Any, is_linear: bool) -> None:
    given = problem(layers, weights)
    assert (linearity_obstacle(given, products=False) is None) == is_linear
    assert linearity_obstacle(given, products=True) is None


@pytest.mark.parametrize("seed", range(60))
def test_the_probe_foretells_the_encoding(seed: int) -> None:
    rng = random.Random(seed)
    given = random_instances.random_instance(rng, max_assignments=10**6)
    if rng.random() < 0.7 and given["weights"]:
        given["weights"] = REALS
    subject = Problem(parse_instance(given))
    # Data with zeros may be easier than generic ones, never harder.
    if linearity_obstacle(subject, products=False) is None:
        assert encode_mixed(subject).program.is_linear


def test_frozen_layers_are_probed_with_the_data() -> None:
    # relu(−x) is 0 at any positive number, and a second layer without biases then sees nothing.
    frozen = {"units": 1, "activation": "relu", "weights": [[-1]], "bias": False}
    layers = [frozen, layer(1) | {"bias": False}, layer(2, "identity")]
    assert linearity_obstacle(problem(layers, REALS, [[1], [2]]), products=False) is None
    subject = problem(layers, REALS, [[1], [-2]])
    with pytest.raises(NotLinearError):
        encode_mixed(subject)
    assert linearity_obstacle(subject, products=False) is not None


def test_contiguous_grids_stay_and_scattered_domains_become_real() -> None:
    weights = {
        "domain": "float",
        "format": "float16",
        "biases": {"domain": "fixed_point", "bits": 20, "fraction_bits": 3},
        "parameters": {"W1[1,0]": {"domain": "float", "format": "fp8_e4m3"}},
    }
    given = problem([layer(2), layer(1, "identity")], weights)
    relaxed = real_relaxation(given, 1024)
    domains = {p.name: p.domain for p in relaxed.instance.network.parameters}
    assert domains["W1[0,0]"] is REAL
    assert domains["W1[1,0]"].size == 253
    assert domains["b1[0]"].size == 2**20
    assert relaxed.relaxation_of is given
    assert real_relaxation(given, 10**6) is given
