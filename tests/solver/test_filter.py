"""The float64 filter: its radii hold on numbers made to break them, and the checker can tell."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from gmpy2 import mpq
from hypothesis import given
from hypothesis import strategies as st

import decision_checks
from decision_checks import check_decisions, check_that_bounds_matter, labels_for, sample_weights
from ermbit.verifier.bulk import filtered
from ermbit.verifier.bulk.exact_sums import exact_sum, weighted_sum
from ermbit.verifier.bulk.filter import forward
from ermbit.verifier.bulk.filtered import filtered_loss
from ermbit.verifier.bulk.float_check import float64_behaves
from ermbit.verifier.bulk.float_network import NotPiecewiseLinearError, float_network
from ermbit.verifier.bulk.float_table import (
    Signals,
    enclose,
    quantum_exponent,
    round_up,
    table_chunk,
)
from ermbit.verifier.bulk.loss_enclosure import enclose_losses
from ermbit_instances.instance import parse_instance
from ermbit_instances.loss import Loss
from ermbit_instances.table import Table
from piecewise_linear_cases import (
    ACTIVATIONS,
    KINDS,
    Block,
    instance_of,
    naive_loss,
    naive_risk,
    network_case,
    numbers,
)
from radius_checks import Count, check_networks, check_radii, check_skips, single_unit

REDUCTIONS = ("mean", "sum", "max")
LOSSES = (*decision_checks.LOSSES, {"name": "zero_one", "margin": "1/2"})


def check_all(safety: float, rows: int) -> Count:
    """Every activation, alone and among other layers."""
    last = ((2, 3, 3), lambda activation: ["step", activation])
    return check_networks(ACTIVATIONS, safety, rows, last)


def test_radii_hold_on_adversarial_networks() -> None:
    count = check_all(1.0, 100)
    assert count.cases > 60_000
    assert count.certain > count.cases // 2
    assert count.violations == 0


@pytest.mark.parametrize("safety", [0.0, 1e-3])
def test_the_checker_finds_radii_that_are_too_small(safety: float) -> None:
    assert check_all(safety, 10).violations > 20


def test_rounding_close_to_the_bound_is_covered() -> None:
    # One product a sum, fractions just below a rounding boundary: nearly a whole unit is lost.
    rng = np.random.default_rng(5)
    x = 1.0 + rng.integers(1, 2**26, (4000, 1)) * 2.0**-52
    w = 1.0 + rng.integers(1, 2**26, (3, 1)) * 2.0**-52
    blocks = [Block(w, np.full(3, 2.0**-30), "identity")]
    assert check_radii(x, blocks, 1.0).violations == 0
    assert check_radii(x, blocks, 0.05).violations > 100


def test_radii_hold_with_skip_connections() -> None:
    activations = [a for a in ACTIVATIONS if a != "max"]
    count = check_skips(activations, 1.0)
    assert count.certain == count.cases > 100
    assert count.violations == 0
    assert check_skips(activations, 1e-4).violations > 5


def test_a_grid_that_only_the_first_rows_lie_on() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 9, (40, 3)).astype(float)
    x[30] = rng.standard_normal(3)
    blocks = [Block(rng.integers(-2, 3, (4, 3)).astype(float), np.ones(4), "relu")]
    signals = table_chunk(Table(array=x), 0, 40, budget=2.0**50)
    assert signals.exponent == quantum_exponent(x) < 0
    assert check_radii(x, blocks, 1.0).violations == 0
    assert table_chunk(Table(array=x[:30]), 0, 30, budget=2.0**50).exponent == 0


def test_an_input_read_several_times_counts_each_time() -> None:
    network = single_unit("identity", ["input"] * 4, [1, 1, 1, 1])
    outputs = forward(network, Signals(np.zeros((1, 1)), np.ones(1)))
    # The input may be 1, and then the output is 4.
    assert outputs.radius[0] >= 4.0


def test_a_float_just_below_a_breakpoint_is_below_it() -> None:
    third = {"name": "piecewise_linear", "breakpoints": ["1/3"], "slopes": [0, 0]}
    network = single_unit(third | {"intercepts": [0, 1]})
    x = np.array([[1 / 3], [np.nextafter(1 / 3, 1.0)]])
    assert mpq(1 / 3) < mpq(1, 3)
    outputs = forward(network, Signals(x, np.zeros(2), quantum_exponent(x), 0.34))
    assert (outputs.values[:, 0].tolist(), outputs.radius.tolist()) == ([0.0, 1.0], [0.0, 0.0])


@pytest.mark.filterwarnings("error")
def test_sums_of_weights_that_overflow_are_no_warning() -> None:
    blocks = [Block(np.full((2, 2), 1e308), np.array([-1e308, 1e308]), "relu")]
    x = np.array([[1.0, -1.0], [0.0, 1.0], [1.0, 1.0]])
    loss = {"name": "absolute", "reduction": "max"}
    check_decisions(loss, blocks, x, np.zeros((3, 2)), None)


@pytest.mark.parametrize("rounded", ["weight", "bias", "input", "target"])
def test_a_number_that_no_float_is_counts_where_nothing_else_rounds(rounded: str) -> None:
    # Everything else is on one grid, so that the float pass finds a loss of exactly 0.
    third, nearest = "1/3", f"{mpq(1 / 3)}"
    weight = {"weight": third, "bias": 0, "input": 1, "target": nearest}[rounded]
    layer = {
        "units": 1,
        "activation": "identity",
        "weights": [[weight]],
        "biases": [third if rounded == "bias" else 0],
    }
    subject = parse_instance(
        {
            "format": "ermbit-instance",
            "version": 1,
            "network": {"inputs": 1, "layers": [layer]},
            "data": {
                "x": [[third if rounded == "input" else 1]],
                "y": [[third if rounded == "target" else nearest]],
            },
            "loss": {"name": "absolute"},
        }
    )
    loss = abs(mpq(1, 3) - mpq(1 / 3))
    for threshold, above in ((0, True), (loss / 2, True), (loss, False), (2 * loss, False)):
        found = filtered_loss(subject.with_threshold(mpq(threshold)), (), exact=False)
        assert found.above is above
        assert found.low <= loss <= found.high


def test_integers_past_2_to_53_have_a_radius() -> None:
    x = np.array([[2**53 + 1, 1], [-(2**63), 2**63 - 1], [3, 4]], dtype=np.int64)
    for rows in (x, x.astype(np.uint64)):
        chunk = table_chunk(Table(array=rows), 0, 3)
        for true, values, radius in zip(rows.tolist(), chunk.values, chunk.radius, strict=True):
            gaps = [abs(mpq(t) - mpq(float(v))) for t, v in zip(true, values, strict=True)]
            assert max(gaps) <= mpq(float(radius))
        assert chunk.exponent is None
    small = table_chunk(Table(array=x[2:]), 0, 1)
    assert (small.exponent, small.bound, small.radius.tolist()) == (0, 4.0, [0.0])


def test_rounded_intercepts_count() -> None:
    line = {"name": "piecewise_linear", "breakpoints": [], "slopes": [1], "intercepts": ["1/3"]}
    outputs = forward(single_unit(line), Signals(np.zeros((1, 1)), np.zeros(1)))
    error = abs(mpq(float(outputs.values[0, 0])) - mpq(1, 3))
    assert 0 < error <= mpq(float(outputs.radius[0]))


# --- losses of samples ---------------------------------------------


def loss_case(rng: np.random.Generator, loss: dict[str, Any], kind: str, rows: int) -> Any:
    """Outputs with radii, targets, and true outputs within the radii."""
    classes = loss["name"] in ("hinge", "zero_one")
    width = int(rng.integers(1, 4))
    f = numbers(rng, kind, (rows, width))
    if classes and width > 1:
        # Ties, and scores that miss or hit the margin by one step.
        f[::3, 1] = f[::3, 0]
        f[1::3, 1] = f[1::3, 0] + 0.5
        f[2::6, 1] = np.nextafter(f[2::6, 0], np.inf)
    elif classes:
        f[::4, 0] = rng.choice([0.0, 0.5, -0.5, 1.0, 1 / 3], len(f[::4]))
    y = numbers(rng, kind, (rows, width))
    if classes:
        y = rng.integers(0, width, (rows, 1)) if width > 1 else rng.choice([-1, 1], (rows, 1))
        y = y.astype(float)
    else:
        y[::2] = f[::2]
    radius = np.abs(numbers(rng, "plain", (rows,))) * 2.0 ** rng.integers(-60, 0, rows)
    radius[rng.random(rows) < 0.4] = 0.0
    signs = rng.choice([-1, 1], (rows, width)).tolist()
    truth = []
    for i in range(rows):
        # One output takes the whole radius, or two share it (3² + 4² = 5²).
        shares = [mpq(1)] + [mpq(0)] * (width - 1)
        if width > 1 and i % 2:
            shares[:2] = [mpq(3, 5), mpq(4, 5)]
        shift = [mpq(float(radius[i])) * s * c for s, c in zip(shares, signs[i], strict=True)]
        truth.append([mpq(float(v)) + d for v, d in zip(f[i], shift, strict=True)])
    return f, radius, y, truth


def check_losses(safety: float, rows: int) -> Count:
    total = Count(0, 0, 0)
    for seed, (given_loss, kind, extra) in enumerate(itertools.product(LOSSES, KINDS, range(3))):
        rng = np.random.default_rng(900 + seed * 7 + extra)
        f, radius, y, truth = loss_case(rng, given_loss, kind, rows)
        grid = quantum_exponent(f)
        bound = float(np.abs(f).max())
        outputs = Signals(f, radius, grid, bound)
        margin = mpq(given_loss["margin"]) if "margin" in given_loss else mpq(0)
        loss = Loss(given_loss["name"], "sum", margin)
        targets = table_chunk(Table(array=y), 0, rows)
        centre, width = enclose_losses(loss, outputs, targets, safety=safety)
        certain = violations = 0
        for i in range(rows):
            if width[i] == np.inf:
                continue
            certain += 1
            value = naive_loss(given_loss, truth[i], [mpq(float(v)) for v in y[i]])
            if abs(value - mpq(float(centre[i]))) > mpq(float(width[i])):
                violations += 1
        total += Count(rows, certain, violations)
    return total


def test_enclosed_losses_hold() -> None:
    count = check_losses(1.0, 280)
    assert count.cases > 40_000
    assert count.certain > count.cases // 2
    assert count.violations == 0


def test_the_checker_finds_loss_bounds_that_are_too_small() -> None:
    assert check_losses(0.0, 40).violations > 20


# --- decisions ---------------------------------------------


def decision_case(
    rng: np.random.Generator, loss: dict[str, Any], kind: str, rows: int
) -> tuple[Any, list[Block], Any]:
    activation = ACTIVATIONS[int(rng.integers(len(ACTIVATIONS)))]
    width = int(rng.integers(1, 4))
    sizes = (4, 4, width)
    x, blocks = network_case(rng, kind, rows, sizes, [activation, "identity"])
    return x, blocks, labels_for(rng, loss, kind, rows, blocks[-1])


@pytest.mark.parametrize("loss", LOSSES, ids=lambda v: v["name"] + v.get("margin", ""))
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_decisions_agree_with_naive_evaluation(loss: dict[str, Any], reduction: str) -> None:
    loss = {**loss, "reduction": reduction}
    rows = 40
    for seed, kind in enumerate(KINDS):
        rng = np.random.default_rng(seed + 100 * REDUCTIONS.index(reduction))
        x, blocks, y = decision_case(rng, loss, kind, rows)
        weights = sample_weights(rng, rows) if seed % 2 else None
        found = check_decisions(loss, blocks, x, y, weights)
        counted = rows if weights is None else sum(w > 0 for w in weights)
        assert found.samples == counted
        assert found.exact_samples <= counted


def test_a_pass_with_too_small_bounds_decides_wrongly() -> None:
    # What cancellation leaves is below the rounding errors of the sums.
    rng = np.random.default_rng(3)
    x = rng.standard_normal((400, 6))
    x[:, 3:] = -x[:, :3] * (1 + rng.integers(-1, 2, (400, 3)) * 2.0**-52)
    blocks = [
        Block(rng.standard_normal((1, 3)).repeat(2, axis=0).reshape(1, 6), np.zeros(1), "identity")
    ]
    check_that_bounds_matter(blocks, x)


# --- quantised networks ---------------------------------------------


@pytest.mark.parametrize(
    "activation", ["relu", "abs", "sign", {"name": "clip", "low": 0, "high": 1}]
)
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "float64", "bool"])
def test_quantised_networks_are_exact_in_floats(activation: Any, dtype: str) -> None:
    rng = np.random.default_rng(11)
    x = rng.integers(0, 2 if dtype == "bool" else 256, (300, 30)).astype(dtype)
    sizes = [(20, 30), (10, 20), (4, 10)]
    blocks = [
        Block(rng.integers(-1, 2, s).astype(float), rng.integers(-8, 9, s[0]) / 4.0, activation)
        for s in sizes
    ]
    y = rng.integers(0, 4, (300, 1))
    loss = {"name": "zero_one", "reduction": "mean"}
    truth = naive_risk(loss, blocks, x.astype(float), y)
    instance, values = instance_of(blocks, x, y, loss, threshold=truth)
    found = filtered_loss(instance, values, exact=False)
    assert (found.exact_in_floats, found.exact_samples) == (300, 0)
    assert found.loss == truth
    assert found.above is False
    assert "rounds nothing" in found.method


@pytest.mark.parametrize("name", ["absolute", "squared", "hinge"])
def test_quantised_losses_are_exact_in_floats(name: str) -> None:
    rng = np.random.default_rng(2)
    x = rng.integers(-100, 100, (200, 8)) / 16.0
    blocks = [
        Block(rng.integers(-9, 9, (6, 8)) / 8.0, rng.integers(-9, 9, 6) / 2.0, "relu"),
        Block(rng.integers(-9, 9, (2, 6)) / 8.0, np.zeros(2), "identity"),
    ]
    y = rng.integers(0, 2, (200, 1)) if name == "hinge" else rng.integers(-50, 50, (200, 2)) / 4.0
    loss = {"name": name, "reduction": "mean"}
    truth = naive_risk(loss, blocks, x, y)
    instance, values = instance_of(blocks, x, y, loss, threshold=truth)
    found = filtered_loss(instance, values, exact=False)
    assert found.loss == truth
    assert found.above is False
    assert found.exact_samples == 0


# --- pieces ---------------------------------------------


@given(st.fractions(), st.integers(-1100, 1100))
def test_enclose_and_round_up(fraction: Any, shift: int) -> None:
    value = mpq(fraction) * mpq(2) ** shift
    centre, radius = enclose(value)
    if radius == np.inf:
        assert abs(value) >= mpq(2) ** 1023
    else:
        assert abs(mpq(centre) - value) <= mpq(radius)
        assert (radius == 0) == (mpq(centre) == value)
    above = round_up(value)
    if above != np.inf:
        assert mpq(above) >= value
    below = np.nextafter(above, -np.inf)
    assert below == -np.inf or mpq(float(below)) < value


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=8))
def test_sums_are_exact(terms: list[float]) -> None:
    array = np.array(terms, dtype=float)
    assert exact_sum(array) == sum(map(mpq, terms), mpq(0))
    weights = [mpq(k, 7) for k in range(len(terms))]
    expected = sum((w * mpq(t) for w, t in zip(weights, terms, strict=True)), mpq(0))
    assert weighted_sum(array, weights) == expected


@given(st.lists(st.floats(min_value=-1e200, max_value=1e200), min_size=1, max_size=6))
def test_quantum_is_the_largest_grid(terms: list[float]) -> None:
    array = np.array(terms)
    exponent = quantum_exponent(array)
    if exponent is None:
        small = mpq(2) ** -960
        assert any((mpq(t) / small).denominator != 1 for t in terms)
        return
    grid = mpq(2) ** exponent
    assert all((mpq(t) / grid).denominator == 1 for t in terms)
    assert exponent == 900 or any((mpq(t) / (2 * grid)).denominator != 1 for t in terms)


def test_many_weights_sum_exactly() -> None:
    rng = np.random.default_rng(1)
    array = rng.standard_normal(50)
    weights = [mpq(k, k + 1) for k in range(50)]
    expected = sum((w * mpq(t) for w, t in zip(weights, array.tolist(), strict=True)), mpq(0))
    assert weighted_sum(array, weights) == expected


def _single(a: Any, b: Any) -> Any:
    return (a.astype(np.float32) @ b.astype(np.float32)).astype(np.float64)


def _strassen(a: Any, b: Any) -> Any:
    (m, k), n = (v // 2 for v in a.shape), b.shape[1] // 2
    p, q, r, s = a[:m, :k], a[:m, k:], a[m:, :k], a[m:, k:]
    t, u, v, w = b[:k, :n], b[:k, n:], b[k:, :n], b[k:, n:]
    one, two, three, four = p @ (u - w), (p + q) @ w, (r + s) @ t, s @ (v - t)
    five, six, seven = (p + s) @ (t + w), (q - s) @ (v + w), (p - r) @ (t + u)
    return np.block(
        [[five + four - two + six, one + two], [three + four, one + five - three - seven]]
    )


def _fixed_point(a: Any, b: Any) -> Any:
    unit = np.abs(a).max(axis=1, keepdims=True) * 2.0**-52
    return (np.rint(a / unit) * unit) @ b


def _downwards(a: Any, b: Any) -> Any:
    return np.nextafter(a @ b, -np.inf)


def test_self_test_passes_on_this_machine() -> None:
    assert float64_behaves()


@pytest.mark.parametrize("product", [_single, _strassen, _fixed_point, _downwards])
def test_self_test_finds_other_arithmetic(product: Any) -> None:
    assert not float64_behaves(product)


def test_without_trustworthy_floats_all_samples_are_exact(monkeypatch: Any) -> None:
    rng = np.random.default_rng(8)
    x, blocks = network_case(rng, "single", 30, (5, 4, 2), ["relu", "identity"])
    y = numbers(rng, "single", (30, 2))
    loss = {"name": "absolute", "reduction": "mean"}
    truth = naive_risk(loss, blocks, x, y)
    instance, values = instance_of(blocks, x, y, loss, threshold=truth)
    monkeypatch.setattr(filtered, "float64_behaves", lambda: False)
    found = filtered_loss(instance, values, exact=False)
    assert found.loss == truth
    assert (found.exact_samples, found.exact_in_floats) == (30, 0)
    assert "self-test" in found.method


def test_polynomials_are_refused_where_none_may_be() -> None:
    document = {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": 1, "layers": [{"units": 1, "activation": "square"}]},
        "weights": {"domain": "real"},
        "data": {"x": [[1]], "y": [[1]]},
        "loss": {"name": "squared"},
    }
    with pytest.raises(NotPiecewiseLinearError):
        float_network(parse_instance(document).network, (mpq(1), mpq(0)))


@pytest.mark.parametrize("name", ["zero_one", "squared"])
def test_products_of_tiny_errors_do_not_vanish(name: str) -> None:
    # The input is 0 as a float, and its radius times the weight is below every float.
    document = {
        "format": "ermbit-instance",
        "version": 1,
        "network": {
            "inputs": 1,
            "layers": [
                {
                    "units": 1,
                    "activation": "identity",
                    "weights": [[f"1/{2**400}"]],
                    "bias": False,
                }
            ],
        },
        "data": {"x": [[f"1/{2**2000}"]], "y": [[1 if name == "zero_one" else 0]]},
        "loss": {"name": name},
    }
    found = filtered_loss(parse_instance(document), (), exact=True)
    assert found.loss == (0 if name == "zero_one" else mpq(1, 2**4800))
    assert found.exact_in_floats == 0
