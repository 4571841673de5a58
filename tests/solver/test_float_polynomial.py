"""Polynomial activations in the float64 filter: radii, grids, decisions, and that bounds matter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from gmpy2 import mpq
from hypothesis import given
from hypothesis import strategies as st

from decision_checks import (
    LOSSES,
    check_decisions,
    check_that_bounds_matter,
    check_what_no_float_holds,
    labels_for,
    sample_weights,
)
from ermbit.verifier.bulk.filter import forward
from ermbit.verifier.bulk.filtered import filtered_loss
from ermbit.verifier.bulk.float_table import Signals, table_chunk
from ermbit_instances.table import Table
from piecewise_linear_cases import (
    KINDS,
    POLYNOMIALS,
    Block,
    instance_of,
    naive_risk,
    network_case,
)
from radius_checks import Count, check_networks, check_radii, check_skips, single_unit


def polynomial(coefficients: list[Any]) -> dict[str, Any]:
    return {"name": "polynomial", "coefficients": [str(c) for c in coefficients]}


# --- radii ---------------------------------------------


def check_all(safety: float, rows: int) -> Count:
    """Every activation, alone and among other layers."""
    last = ((3, 4, 3, 3), lambda activation: ["relu", activation, "square"])
    return check_networks(POLYNOMIALS, safety, rows, last)


def test_radii_hold_on_adversarial_networks() -> None:
    count = check_all(1.0, 60)
    assert count.cases > 24_000
    assert count.certain > count.cases // 2
    assert count.violations == 0


@pytest.mark.parametrize("safety", [0.0, 1e-3])
def test_the_checker_finds_radii_that_are_too_small(safety: float) -> None:
    assert check_all(safety, 10).violations > 20


def test_radii_hold_with_skip_connections() -> None:
    count = check_skips(POLYNOMIALS, 1.0)
    assert count.certain == count.cases == 72
    assert count.violations == 0
    assert check_skips(POLYNOMIALS, 1e-4).violations > 5


@pytest.mark.parametrize("activation", POLYNOMIALS, ids=str)
def test_rounding_of_the_scheme_alone_is_covered(activation: Any) -> None:
    # The pre-activations are exact, so that only Horner's scheme rounds.
    rng = np.random.default_rng(5)
    x = rng.choice([-1, 1], (1500, 1)) * (1.0 + rng.integers(1, 2**52, (1500, 1)) * 2.0**-52)
    blocks = [Block(np.ones((1, 1)), np.zeros(1), activation)]
    count = check_radii(x, blocks, 1.0)
    assert (count.certain, count.violations) == (1500, 0)
    assert check_radii(x, blocks, 0.02).violations > 100


@given(
    st.lists(st.integers(-40, 40), min_size=3, max_size=6).filter(lambda c: c[-1] != 0),
    st.integers(-80, 80),
    st.integers(0, 40),
)
def test_a_radius_covers_all_that_the_input_can_be(
    coefficients: list[int], at: int, width: int
) -> None:
    centre, radius = mpq(at, 16), mpq(width, 16)
    network = single_unit(polynomial([mpq(c, 8) for c in coefficients]))
    x = Signals(np.array([[float(centre)]]), np.array([float(radius)]))
    outputs = forward(network, x)
    low, high = (
        mpq(float(outputs.values[0, 0])) + sign * mpq(float(outputs.radius[0])) for sign in (-1, 1)
    )
    for step in range(-8, 9):
        t = centre + radius * mpq(step, 8)
        truth = sum((mpq(c, 8) * t**k for k, c in enumerate(coefficients)), mpq(0))
        assert low <= truth <= high


def test_errors_grow_by_the_slope_and_not_by_more() -> None:
    outputs = forward(single_unit("square"), Signals(np.array([[3.0]]), np.array([1.0])))
    # From 3 ± 1: up to 16 − 9 = 7; the bound is the slope at 4 times 1.
    assert 7.0 <= outputs.radius[0] < 8.001
    small = forward(single_unit("square"), Signals(np.array([[2.0**-30]]), np.array([2.0**-60])))
    assert 2.0**-89 < small.radius[0] < 2.0**-88


def test_coefficients_that_no_float_holds() -> None:
    for coefficients in (["1/3", 0, 1], [0, f"1/{10**400}", 1], [0, "1/3", 1], [0, 0, "1/3"]):
        outputs = forward(
            single_unit(polynomial(coefficients)),
            Signals(np.array([[2.0]]), np.zeros(1), 0, 2.0),
        )
        truth = sum(mpq(c) * 2**k for k, c in enumerate(coefficients))
        error = abs(mpq(float(outputs.values[0, 0])) - truth)
        assert 0 < error <= mpq(float(outputs.radius[0])) < mpq(1, 10**12)


@pytest.mark.parametrize(
    ("coefficients", "at"),
    [
        ([0, 0, 1], 2.0**600),
        ([0, 0, 0, 1], 2.0**400),
        ([0, 0, 10**400], 1.0),
        ([0, 10**308, 10**308], 3.0),
        ([0, -(10**300), 10**300], 2.0**28),
        ([0, 0, 1], np.inf),
        ([0, 0, 1], np.nan),
    ],
)
def test_what_overflows_is_uncertain(coefficients: list[Any], at: float) -> None:
    x = Signals(np.array([[at], [0.5]]), np.array([np.inf if at != at else 0.0, 0.0]))
    outputs = forward(single_unit(polynomial(coefficients)), x)
    assert outputs.radius[0] == np.inf
    assert coefficients[-1] != 1 or outputs.radius[1] < 1.0


@pytest.mark.parametrize("radius", [0.0, 2.0**-900])
def test_what_underflows_is_inexact(radius: float) -> None:
    grid = -600
    x = Signals(np.array([[2.0**grid]]), np.array([radius]), grid, 2.0**grid)
    outputs = forward(single_unit("square"), x)
    assert outputs.values[0, 0] == 0.0
    assert mpq(float(outputs.radius[0])) >= mpq(2) ** (2 * grid)


def test_tiny_errors_do_not_vanish() -> None:
    outputs = forward(
        single_unit("square"), Signals(np.array([[0.0]]), np.array([2.0**-900]), 0, 1.0)
    )
    assert outputs.values[0, 0] == 0.0
    assert mpq(float(outputs.radius[0])) >= mpq(2) ** -1800


# --- grids ---------------------------------------------


@pytest.mark.parametrize(
    ("at", "coefficients", "exact"),
    [
        (2.0**26 - 1, [0, 0, 1], True),
        (2.0**26 + 1, [0, 0, 1], True),
        (2.0**27 + 1, [0, 0, 1], False),
        (2.0**17 + 1, [0, 0, 0, 1], True),
        (2.0**18 + 1, [0, 0, 0, 1], False),
        (2.0**20 + 1, ["1/4", "1/2", 3], True),
        (2.0**24 + 1, ["1/4", "1/2", 3], True),
        (2.0**24 + 1, ["1/32", "1/2", 3], False),
        (0.625, ["1/4", 0, -3, 0, "-5/2", 1], True),
        (2.0**11 + 0.5, [0, 0, 0, 0, 1], True),
        (2.0**13 + 0.5, [0, 0, 0, 0, 1], False),
        (2.0**-300, [0, 0, 0, 1], True),
        (2.0**-500, [0, 0, 1], False),
    ],
)
def test_polynomials_on_grids(at: float, coefficients: list[Any], exact: bool) -> None:
    x = np.array([[at], [-at], [0.0]])
    outputs = forward(
        single_unit(polynomial(coefficients)), table_chunk(Table(array=x), 0, 3, budget=2.0**60)
    )
    assert (outputs.radius == 0).all() == exact
    for i, t in enumerate((at, -at, 0.0)):
        truth = sum(mpq(c) * mpq(t) ** k for k, c in enumerate(coefficients))
        value = mpq(float(outputs.values[i, 0]))
        assert abs(value - truth) <= mpq(float(outputs.radius[i]))
        if exact:
            assert outputs.exponent is not None
            assert (value / mpq(2) ** outputs.exponent).denominator == 1
            assert abs(value) <= outputs.bound


@given(st.data())
def test_grids_round_nothing(data: Any) -> None:
    # Whatever is called exact is; near the limit of 2^53 on both sides.
    dyadic = st.builds(lambda n, k: mpq(n, 2**k), st.integers(-99, 99), st.integers(0, 6))
    coefficients = data.draw(st.lists(dyadic, min_size=3, max_size=6).filter(lambda c: c[-1] != 0))
    degree = len(coefficients) - 1
    top = 2 ** data.draw(st.integers(1, 60 // degree))
    grid = 2 ** data.draw(st.integers(0, 5))
    points = data.draw(st.lists(st.integers(-top, top), min_size=1, max_size=5))
    x = np.array([[t / grid] for t in points])
    signals = table_chunk(Table(array=x), 0, len(x), budget=2.0**60)
    outputs = forward(single_unit(polynomial(coefficients)), signals)
    for i, t in enumerate(points):
        truth = sum(c * mpq(t, grid) ** k for k, c in enumerate(coefficients))
        assert abs(mpq(float(outputs.values[i, 0])) - truth) <= mpq(float(outputs.radius[i]))


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64"])
@pytest.mark.parametrize("activation", ["square", polynomial(["1/2", -1, 0, "1/4"])], ids=str)
@pytest.mark.parametrize("loss", ["zero_one", "absolute", "hinge"])
def test_quantised_networks_are_exact_in_floats(activation: Any, dtype: str, loss: str) -> None:
    rng = np.random.default_rng(11)
    x = rng.integers(0, 64, (150, 20)).astype(dtype)
    blocks = [
        Block(rng.integers(-1, 2, (9, 20)).astype(float), rng.integers(-8, 9, 9) / 4.0, activation),
        Block(rng.integers(-1, 2, (5, 9)).astype(float), rng.integers(-8, 9, 5) / 4.0, "relu"),
        Block(rng.integers(-1, 2, (3, 5)).astype(float), np.zeros(3), "identity"),
    ]
    if loss == "absolute":
        y = rng.integers(-900, 900, (150, 3)) / 2.0
    else:
        y = rng.integers(0, 3, (150, 1)).astype(float)
    given_loss = {"name": loss, "reduction": "mean"}
    truth = naive_risk(given_loss, blocks, x.astype(float), y)
    instance, values = instance_of(blocks, x, y, given_loss, threshold=truth)
    found = filtered_loss(instance, values, exact=False)
    assert (found.exact_in_floats, found.exact_samples) == (150, 0)
    assert found.loss == truth
    assert found.above is False


# --- decisions ---------------------------------------------


def decision_case(
    rng: np.random.Generator, loss: dict[str, Any], kind: str, rows: int
) -> tuple[Any, list[Block], Any]:
    first, second = (POLYNOMIALS[int(k)] for k in rng.integers(len(POLYNOMIALS), size=2))
    middle = [first, "relu"] if rng.random() < 0.5 else ["relu", second]
    width = int(rng.integers(1, 4))
    x, blocks = network_case(rng, kind, rows, (4, 4, 3, width), [*middle, "identity"])
    return x, blocks, labels_for(rng, loss, kind, rows, blocks[-1])


@pytest.mark.parametrize("loss", LOSSES, ids=lambda v: v["name"] + v.get("margin", ""))
@pytest.mark.parametrize("reduction", ["mean", "sum", "max"])
def test_decisions_agree_with_naive_evaluation(loss: dict[str, Any], reduction: str) -> None:
    loss = {**loss, "reduction": reduction}
    rows = 20
    for seed, kind in enumerate(KINDS):
        rng = np.random.default_rng(seed + 100 * len(reduction))
        x, blocks, y = decision_case(rng, loss, kind, rows)
        weights = sample_weights(rng, rows) if seed % 2 else None
        check_decisions(loss, blocks, x, y, weights)


def test_a_pass_with_too_small_bounds_decides_wrongly() -> None:
    # Two units whose squares are equal or differ by less than their rounding errors.
    rng = np.random.default_rng(3)
    x = rng.standard_normal((400, 6))
    x[:, 3:] = x[:, :3] * (1 + rng.integers(-1, 2, (400, 3)) * 2.0**-52)
    w = rng.standard_normal(3)
    none = np.zeros(3)
    blocks = [
        Block(np.array([[*w, *none], [*none, *w]]), np.zeros(2), "square"),
        Block(np.array([[1.0, -1.0]]), np.zeros(1), "identity"),
    ]
    check_that_bounds_matter(blocks, x)


def test_numbers_that_no_float_holds_are_settled_exactly() -> None:
    check_what_no_float_holds(
        polynomial(["1/3", f"1/{10**400}", -2, 10**330]),
        "square",
        [["1/3", 2], [10**400, 1], [f"1/{10**350}", 0]],
        [[1], [2], [0]],
    )
