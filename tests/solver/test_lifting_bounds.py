"""Lower bounds of `lifting` for few units: by cones, by distances, by directions."""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from gmpy2 import mpq
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
from engine_checks import fraction, minimize, problem_of
from ermbit.engines.engine import Budget
from ermbit.engines.lifting.directions import DirectionSearch, read_power_unit
from ermbit.engines.lifting.distance import distance_bound
from ermbit.engines.lifting.form_system import form_system
from ermbit.engines.lifting.multipliers import Rounding, read_dual
from ermbit.engines.lifting.one_sign import one_sign_bound
from ermbit.engines.lifting.quadratic import read_quadratic_network
from ermbit.engines.lifting.relaxation import read_relaxation
from polynomial_networks import HAIR, answer, document
from reference import Document


def random_few(rng: random.Random, degree: int, d: int, units: int, **more: Any) -> Document:
    """A small instance with random targets and sample weights."""
    count = rng.randint(1, 7)
    x = [[rng.randint(-3, 3) for _ in range(d)] for _ in range(count)]
    loss = rng.choice(("absolute", "squared", "hinge"))
    y = [rng.choice((-1, 1)) if loss == "hinge" else rng.randint(-4, 7) for _ in x]
    doc = document(
        x,
        y,
        units,
        activation={"name": "polynomial", "coefficients": [0] * degree + [rng.choice((1, -1, 2))]},
        bias=rng.random() < 0.5,
        output_bias=rng.random() < 0.3,
        loss=loss,
        reduction=rng.choice(("sum", "mean", "max")),
        **more,
    )
    if rng.random() < 0.3:
        doc["data"]["sample_weights"] = [rng.choice((1, 2, "1/3")) for _ in x]
    return doc


def parts(doc: Document) -> tuple[Any, Any]:
    """The relaxation and the sums of squares that bounds are for."""
    problem = problem_of(doc)
    relaxation = read_relaxation(problem)
    network = read_quadratic_network(problem.instance.network, is_bound=True)
    assert not isinstance(relaxation, str)
    if isinstance(network, str):
        return relaxation, None
    return relaxation, form_system(network, relaxation.inputs)


def losses(doc: Document, rng: random.Random, count: int) -> Fraction:
    """The least loss of random small parameters, improved one at a time; by the reference."""
    domains = {p.name: p.domain for p in problem_of(doc).instance.network.parameters}
    best: Fraction | None = None
    for _ in range(count):
        theta = {name: Fraction(rng.randint(-4, 4), rng.choice((1, 2, 3))) for name in domains}
        theta = {n: v if mpq(v) in domains[n] else Fraction(0) for n, v in theta.items()}
        value = reference.loss(doc, theta)
        for _ in range(12):
            name = rng.choice(list(domains))
            step = theta[name] + Fraction(rng.randint(-3, 3), rng.choice((1, 4)))
            if mpq(step) in domains[name]:
                moved = reference.loss(doc, {**theta, name: step})
                if moved <= value:
                    theta, value = {**theta, name: step}, moved
        best = value if best is None else min(best, value)
    assert best is not None
    return best


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**9))
def test_no_network_is_below_its_bounds(seed: int) -> None:
    rng = random.Random(seed)
    units = rng.choice((1, 1, 2))
    kinds: list[dict[str, Any]] = [
        {},
        {"outer": [[rng.choice((1, -1, 2)) for _ in range(units)]]},
        {"domain": {"domain": "integer", "low": 0, "high": 9}},
    ]
    degree = rng.choice((2, 2, 3, 4))
    doc = random_few(rng, degree, rng.randint(1, 2), units, **rng.choice(kinds))
    relaxation, system = parts(doc)
    found = [mpq(0)]
    if system is not None:
        for find in (distance_bound, one_sign_bound):
            found.append(find(system, relaxation, None))
    unit = read_power_unit(problem_of(doc).instance.network, relaxation.inputs)
    if unit is not None:
        search = DirectionSearch(unit, relaxation, mpq(0))
        if search.is_possible:
            search.run(Budget(), 12, lambda: None, lambda _: False, is_decision=False)
            found.append(search.lower)
    assert max(fraction(b) for b in found if b is not None) <= losses(doc, rng, 6)


def test_multipliers_outside_their_conditions_bound_nothing() -> None:
    relaxation, _ = parts(document([[1], [2]], [3, 5], 1, bias=False))
    dual = read_dual(relaxation, (mpq(0), mpq(0)))
    assert dual is not None
    assert dual.bound((mpq(1), mpq(-1))) == -2
    assert dual.bound((mpq(1), mpq("11/10"))) is None
    free = Rounding(dual, [[1, 2]])
    found = list(free.all(np.array([0.9, -0.45]), np.array([1.0, 0.0])))
    assert found and all(m[0] + 2 * m[1] == 0 for m in found)


@pytest.mark.parametrize("reduction, best", [("sum", 6), ("max", 3)])
def test_squares_of_one_sign_do_not_reach_negative_targets(reduction: str, best: int) -> None:
    # All outputs are ≥ 0, so 0 is best; two units do no better than one.
    doc = document(
        [[0, 1], [1, 0], [1, 1]], [-1, -3, -2], 2, outer=[[1, 2]], reduction=reduction
    )
    assert answer(doc, best).status == "sat"
    assert answer(doc, best - HAIR, 20.0).status == "unsat"
    relaxation, system = parts(doc)
    bound = one_sign_bound(system, relaxation, None)
    assert bound is not None and abs(bound - best) < 1e-4
    nothing = document([[0, 1], [1, 0]], [-1, -3], 2)
    assert one_sign_bound(*reversed(parts(nothing)), None) is None


def test_signs_of_outer_weights_follow_from_their_domains() -> None:
    doc = document([[1], [2]], [-1, -2], 2, domain={"domain": "integer", "low": 0, "high": 500})
    assert answer(doc, 3 - HAIR, 20.0).status == "unsat"
    doc["weights"] = {"domain": "integer", "low": -1, "high": 500}
    assert answer(doc, 3 - HAIR, 20.0).status != "unsat"


def test_the_distance_from_small_ranks_is_the_truth_for_orthogonal_monomials() -> None:
    # On x = ±1, 0 in both coordinates a diagonal form of two squares, one unit: what is left is
    # the smaller one, as far as the data see it.
    x = [[1, 0], [0, 1], [1, 1], [1, -1]]
    doc = document(x, [5, 2, 7, 7], 1, bias=False, loss="squared")
    relaxation, system = parts(doc)
    bound = distance_bound(system, relaxation, None)
    assert bound is not None and bound > 0
    search = DirectionSearch(
        read_power_unit(problem_of(doc).instance.network, relaxation.inputs), relaxation, mpq(0)
    )
    search.run(Budget(), 60, lambda: None, lambda _: False, is_decision=False)
    assert bound <= search.lower + mpq(1, 100)
    assert answer(doc, fraction(search.lower) - HAIR, 20.0).status == "unsat"


@pytest.mark.parametrize(
    "degree, x, targets, best",
    [
        (3, (1, 2), (3, 4), Fraction(5, 2)),  # v, 8 v: v = 1/2
        (2, (1, -1), (3, -3), 6),
        (4, (1, -1), (3, -3), 6),
    ],
)
def test_one_power_is_decided_off_its_least_loss(
    degree: int, x: tuple[int, int], targets: tuple[int, int], best: Fraction
) -> None:
    power = {"name": "polynomial", "coefficients": [0] * degree + [1]}
    doc = document([[v] for v in x], list(targets), 1, activation=power, bias=False)
    assert answer(doc, best, 20.0).status == "sat"
    assert answer(doc, best - HAIR, 20.0).status == "unsat"


def test_directions_find_and_refute_for_one_unit() -> None:
    rng = random.Random(3)
    for degree in (2, 3):
        x = [[rng.randint(-3, 3)] for _ in range(6)]
        y = [rng.randint(-2, 9) for _ in x]
        power = {"name": "polynomial", "coefficients": [0] * degree + [1]}
        doc = document(x, y, 1, activation=power, loss="squared")
        out = minimize("lifting", doc, 20.0)
        assert out.values is not None and out.lower_bound is not None
        reached = reference.loss(doc, named(doc, out.values))
        assert 0 <= reached - fraction(out.lower_bound) <= Fraction(1, 50) * reached
        assert answer(doc, reached, 20.0).status == "sat"
        assert answer(doc, fraction(out.lower_bound) - HAIR, 20.0).status == "unsat"


def named(doc: Document, values: Sequence[Any]) -> dict[str, Fraction]:
    """Values by name."""
    parameters = problem_of(doc).instance.network.parameters
    return {p.name: fraction(v) for p, v in zip(parameters, values, strict=True)}
