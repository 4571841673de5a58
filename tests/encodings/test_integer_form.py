"""The scaled-integer form against the naive reference, and its limits."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import pytest
from gmpy2 import mpq

import random_instances
import reference
from ermbit_encodings.integer_form import (
    NUMBER_BITS_LIMIT,
    IntegerForm,
    integer_bounds,
    integer_domain,
)
from ermbit_encodings.problem import Problem
from ermbit_instances.certificate import parse_certificate
from ermbit_instances.instance import Instance, parse_instance


def document(layers: list[dict[str, Any]], domain: dict[str, Any], **options: Any) -> Any:
    return {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": len(options.get("x", [[1]])[0]), "layers": layers},
        "weights": domain,
        "data": {"x": options.get("x", [[1]]), "y": options.get("y", [[0]])}
        | options.get("data", {}),
        "loss": options.get("loss", {"name": "absolute"}),
        "threshold": options.get("threshold", 0),
    }


def form_of(given: Any) -> IntegerForm:
    form = Problem(parse_instance(given)).integer
    assert form is not None
    return form


def integers(form: IntegerForm, instance: Instance, theta: dict[str, Fraction]) -> list[int]:
    values = parse_certificate({k: str(v) for k, v in theta.items()}, instance).values
    found = []
    for value, grid in zip(values, form.grids, strict=True):
        scaled = value * grid
        assert isinstance(scaled, mpq)
        assert scaled.denominator == 1
        found.append(int(scaled.numerator))
    return found


@pytest.mark.parametrize("seed", range(150))
def test_loss_and_budget_agree_with_the_reference(seed: int) -> None:
    rng = random.Random(seed)
    given = random_instances.random_instance(rng)
    instance = parse_instance(given)
    form = Problem(instance).integer
    if form is None:
        kinds = {d["domain"] for d in reference.parameter_domains(given).values()}
        assert "rational" in kinds
        return
    for _ in range(3):
        theta = random_instances.random_parameters(rng, given)
        total = form.total(integers(form, instance, theta))
        loss = reference.loss(given, theta)
        assert form.loss(total) == mpq(loss.numerator, loss.denominator)
        met = loss <= reference.number(given["threshold"])
        assert (total <= form.budget(instance.threshold)) == met  # type: ignore[arg-type]
        # The budget is the largest one: a threshold just under the loss excludes it.
        assert total <= form.budget(form.loss(total))
        assert total > form.budget(form.loss(total) - mpq(1, 10**12))


@pytest.mark.parametrize("seed", range(40))
def test_integer_domains_are_the_scaled_domains(seed: int) -> None:
    instance = parse_instance(random_instances.random_instance(random.Random(seed)))
    form = Problem(instance).integer
    if form is None:
        return
    for p in instance.network.parameters:
        listed = integer_domain(form, p.index)
        assert [mpq(k, form.grids[p.index]) for k in listed] == list(p.domain.values())
        assert integer_bounds(form, p.index) == (listed[0], listed[-1])


def test_half_open_breakpoints_are_rounded_up() -> None:
    # z = w x with x = 1/2 and w in {-2..2}: the breakpoint 1/3 lies between z = 0 and z = 1/2.
    step = {
        "name": "piecewise_linear",
        "breakpoints": ["1/3", "1/2"],
        "slopes": [0, 0, 0],
        "intercepts": [0, 5, 7],
    }
    form = form_of(
        document(
            [{"units": 1, "activation": step, "bias": False}],
            {"domain": "integer", "low": -2, "high": 2},
            x=[["1/2"]],
        )
    )
    found = [form.outputs_of(form.inputs[0], [w])[0] for w in range(-2, 3)]
    assert [mpq(f, form.scale) for f in found] == [0, 0, 0, 7, 7]


def test_a_frozen_zero_counts_in_a_maximum() -> None:
    form = form_of(
        document(
            [{"units": 1, "activation": "max", "bias": False, "weights": [[None, 0]]}],
            {"domain": "integer", "low": -1, "high": 1},
            x=[[1, 1]],
        )
    )
    assert [form.outputs_of(form.inputs[0], [w])[0] for w in (-1, 0, 1)] == [0, 0, 1]


def test_skip_connections_scale_each_source_on_its_own() -> None:
    given = document(
        [
            {"name": "a", "units": 1, "activation": "relu", "bias": False},
            {"units": 1, "activation": "identity", "from": ["a", "input", "a"], "bias": False},
        ],
        {"domain": "fixed_point", "bits": 3, "fraction_bits": 2},
        x=[["1/3"]],
    )
    instance = parse_instance(given)
    form = form_of(given)
    theta = {"W1[0,0]": "3/4", "W2[0,0]": "1/4", "W2[0,1]": "-3/4", "W2[0,2]": "-1/2"}
    exact = {k: Fraction(v) for k, v in theta.items()}
    total = form.total(integers(form, instance, exact))
    loss = reference.loss(given, exact)
    assert loss == abs(Fraction(1, 4) * Fraction(1, 4 + 1 - 1) - Fraction(3, 4) * Fraction(1, 3)
                       - Fraction(1, 2) * Fraction(1, 4))  # fmt: skip
    assert form.loss(total) == mpq(loss.numerator, loss.denominator)


def test_a_factor_on_a_shared_parameter_widens_the_scale() -> None:
    form = form_of(
        document(
            [{"units": 1, "activation": "identity", "bias": False,
              "weights": [[{"param": "w", "scale": "1/3"}, {"param": "w", "scale": "-1/2"}]]}],
            {"domain": "integer", "low": -1, "high": 1},
            x=[[1, 1]],
        )
    )  # fmt: skip
    assert form.scale == 6
    assert form.outputs_of(form.inputs[0], [1]) == [-1]


@pytest.mark.parametrize(("margin", "expected"), [(None, 1), ("1/4", 1), ("1/2", 1), ("3/4", 2)])
def test_the_margin_is_rounded_up_on_the_grid(margin: str | None, expected: int) -> None:
    loss = {"name": "zero_one"} | ({} if margin is None else {"margin": margin})
    form = form_of(
        document(
            [{"units": 1, "activation": "identity", "bias": False}],
            {"domain": "fixed_point", "bits": 3, "fraction_bits": 1},
            y=[[1]],
            loss=loss,
        )
    )
    assert form.scale == 2
    assert form.margin == expected


def test_a_real_parameter_has_no_form() -> None:
    layers = [{"units": 1, "activation": "relu"}]
    assert Problem(parse_instance(document(layers, {"domain": "real"}))).integer is None
    mixed = {"domain": "integer", "low": 0, "high": 1, "biases": {"domain": "real"}}
    assert Problem(parse_instance(document(layers, mixed))).integer is None


@pytest.mark.parametrize(
    "domain",
    [
        {"domain": "fixed_point", "bits": 2, "fraction_bits": 1},
        {"domain": "integer", "low": -2, "high": 2},
    ],
)
def test_towers_of_squares_are_refused_before_anything_is_built(domain: dict[str, Any]) -> None:
    def tower(depth: int) -> Problem:
        layers = [{"units": 1, "activation": "square"} for _ in range(depth)]
        return Problem(parse_instance(document(layers, domain)))

    assert tower(5).integer is not None
    assert tower(64).integer is None
    assert tower(400).integer is None


def test_forms_keep_their_promise_on_sizes() -> None:
    layers = [{"units": 1, "activation": "square"} for _ in range(10)]
    problem = Problem(parse_instance(document(layers, {"domain": "integer", "low": -2, "high": 2})))
    largest = max(abs(v) for r in problem.ranges[0].output for v in r)
    assert 1000 < largest.bit_length() <= NUMBER_BITS_LIMIT
