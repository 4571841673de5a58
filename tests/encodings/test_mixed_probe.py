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


@pytest.mark.parametrize(("x", "is_linear"), [([[1], [3]], True), ([[-1], [3]], False)])
def test_ranges_decide_pieces_for_the_data_only(x: list[list[int]], is_linear: bool) -> None:
    # relu(w·x) with w ≤ −1 is 0 at any positive number; what follows is a product at −1.
    weights = {"domain": "integer", "low": 1, "high": 2} | {
        "parameters": {"W1[0,0]": {"domain": "finite", "values": [-2, -1]}}
    }
    square = layer(1, "square") | {"bias": False}
    layers = [layer(1) | {"bias": False}, square, layer(1, "identity")]
    given = problem(layers, weights, x)
    assert (linearity_obstacle(given, products=False) is None) == is_linear
    if is_linear:
        assert encode_mixed(given).program.is_linear
    else:
        with pytest.raises(NotLinearError):
            encode_mixed(given)


RATIONALS = {"domain": "rational", "bits": 3}


@pytest.mark.parametrize("weights", [REALS, BITS, RATIONALS])
@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("on_top", [[], [layer(1)], [layer(1, "step")], [layer(2, "square")]])
def test_towers_of_squares_are_probed_without_their_numbers(
    weights: Any, frozen: bool, on_top: list[Any]
) -> None:
    # 2^(2^70) fits into no memory; a tower of two squares has the same products.
    def tower(height: int) -> Problem:
        square = layer(1, "square") | {"weights": [[2]], "biases": ["1/3"]}
        first = square if frozen else layer(1, "square")
        rest = [*[square] * (height - 1), *on_top, layer(2, "identity")]
        return problem([first, *rest], weights, [[0], [2]])

    for products in (False, True):
        low, high = (linearity_obstacle(tower(h), products=products) for h in (2, 70))
        assert low == high


@pytest.mark.parametrize("sign", [-1, 1])
def test_long_numbers_never_hide_a_product(sign: int) -> None:
    # relu(−t) is 0 for the tower's value t; what stands for it is not, on the safe side.
    square = layer(1, "square") | {"weights": [[2]], "bias": False}
    relu = layer(1) | {"weights": [[sign]], "bias": False}
    top = [layer(1) | {"bias": False}, layer(2, "identity")]
    given = problem([*[square] * 70, relu, *top], REALS)
    assert linearity_obstacle(given, products=False) is not None
    assert linearity_obstacle(given, products=True) is None


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
