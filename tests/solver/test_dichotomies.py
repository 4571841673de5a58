"""The `dichotomies` engine: its dichotomies against z3 one by one, its minima against a plain
encoding, other engines and finite sub-domains, and answers known by construction."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import z3
from gmpy2 import mpq
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
from engine_checks import capability, decide, fraction, least, minimize, problem_of
from ermbit.engines.dichotomies import search
from ermbit.engines.dichotomies.bounds import group_bound
from ermbit.engines.dichotomies.fit import best_fit
from ermbit.engines.dichotomies.patterns import arrangement, pattern_bound
from ermbit.engines.dichotomies.search import CHUNK, choice_count, choices
from ermbit.engines.engine import Budget, ignore
from ermbit.engines.registry import engine
from ermbit_instances.loss import Loss
from real_instances import HIDDEN, plain_answer, random_real_instance, sub_domain
from reference import Document
from rewriters import as_neurons, with_threshold

NAME = "dichotomies"
HAIR = Fraction(1, 10**9)
TWO_VALUED = [
    "step",
    "sign",
    {"name": "piecewise_linear", "breakpoints": ["1/2"], "slopes": [0, 0], "intercepts": [2, -1]},
    {"name": "piecewise_linear", "breakpoints": [0], "slopes": [0, 0], "intercepts": ["1/2", -1]},
]


def nothing() -> None:
    return None


def document(
    x: Sequence[Sequence[Any]],
    y: Sequence[Any],
    units: int = 2,
    activation: Any = "step",
    loss: Any = "absolute",
    reduction: str = "sum",
    inner: dict[str, Any] | None = None,
    outer: dict[str, Any] | None = None,
    weights: Sequence[Any] | None = None,
    domain: dict[str, Any] | None = None,
) -> Document:
    data: dict[str, Any] = {"x": [list(row) for row in x], "y": [[v] for v in y]}
    if weights is not None:
        data["sample_weights"] = list(weights)
    layers = [
        {"name": "inner", "units": units, "activation": activation} | (inner or {}),
        {"name": "outer", "units": 1, "activation": "identity"} | (outer or {}),
    ]
    return {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": len(x[0]), "layers": layers},
        "weights": domain or {"domain": "real"},
        "data": data,
        "loss": ({"name": loss} if isinstance(loss, str) else loss) | {"reduction": reduction},
        "threshold": 0,
    }


# --- dichotomies ---------------------------------------------------------------------------------


def z3_patterns(columns: Sequence[Sequence[int]], fixed: Sequence[int]) -> set[tuple[bool, ...]]:
    """Every subset of the samples, asked one by one."""
    unknowns = [z3.Real(f"w{k}") for k in range(len(columns))]
    sums = [
        z3.Sum([z3.RealVal(f), *(u * c[i] for u, c in zip(unknowns, columns, strict=True))])
        for i, f in enumerate(fixed)
    ]
    found = set()
    for pattern in itertools.product((False, True), repeat=len(fixed)):
        solver = z3.SimpleSolver()
        solver.add([s >= 0 if on else s < 0 for s, on in zip(sums, pattern, strict=True)])
        if solver.check() == z3.sat:
            found.add(pattern)
    return found


@pytest.mark.parametrize("seed", range(60))
def test_all_dichotomies_are_listed_once_and_have_weights(seed: int) -> None:
    rng = random.Random(seed)
    width, samples = rng.choice([0, 1, 2, 2, 3]), rng.choice([1, 2, 4, 5])
    reach = rng.choice([1, 2, 5])
    columns = [[rng.randint(-reach, reach) for _ in range(samples)] for _ in range(width)]
    if width and rng.random() < 0.5:
        columns[0] = [1] * samples
    fixed = [rng.randint(-1, 1) if seed % 3 == 0 else 0 for _ in range(samples)]
    exact = [[mpq(v) for v in column] for column in columns]
    found = arrangement(exact, [mpq(v) for v in fixed], nothing)
    rows = [tuple(row) for row in found.patterns.tolist()]
    assert len(set(rows)) == len(rows)
    assert set(rows) == z3_patterns(columns, fixed)
    assert pattern_bound(exact, [mpq(v) for v in fixed]) > 0
    for row in rows:
        weights = found.weights(row)
        assert len(weights) == width
        for i, on in enumerate(row):
            value = sum(w * c[i] for w, c in zip(weights, columns, strict=True)) + fixed[i]
            assert (value >= 0) == on


@pytest.mark.parametrize(("inputs", "samples"), [(1, 9), (2, 12), (3, 9)])
def test_points_in_general_position_have_as_many_as_cover_counts(
    inputs: int, samples: int
) -> None:
    rng = random.Random(inputs)
    columns = [[mpq(rng.randint(-999, 999)) for _ in range(samples)] for _ in range(inputs)]
    columns.append([mpq(1)] * samples)
    found = arrangement(columns, [mpq(0)] * samples, nothing)
    ways = [1]
    for _ in range(inputs):
        ways.append(ways[-1] * (samples - len(ways)) // len(ways))
    assert len(found.patterns) == 2 * sum(ways)


# --- the parts -----------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 4), min_size=1, max_size=3), st.data())
@settings(max_examples=60, deadline=None)
def test_choices_are_multisets_within_a_kind(sizes: list[int], data: st.DataObject) -> None:
    kinds = sorted(data.draw(st.lists(st.integers(0, 1), min_size=3, max_size=3)))[: len(sizes)]
    sizes = [sizes[kinds.index(kind)] for kind in kinds]
    listed = [tuple(row) for block in choices(sizes, kinds) for row in block.tolist()]
    every = itertools.product(*(range(s) for s in sizes))
    wanted = {tuple(sorted(zip(kinds, choice, strict=True))) for choice in every}
    assert len(listed) == len(set(listed)) == len(wanted) == choice_count(sizes, kinds)
    assert {tuple(sorted(zip(kinds, c, strict=True))) for c in listed} == wanted


@given(
    st.lists(st.tuples(st.integers(-6, 6), st.integers(1, 4), st.integers(0, 3)), min_size=1),
    st.sampled_from(["absolute", "squared", "hinge", "zero_one"]),
    st.sampled_from(["sum", "max"]),
)
@settings(max_examples=200, deadline=None)
def test_the_bound_is_the_fit_of_free_groups(
    samples: list[tuple[int, int, int]], name: Any, reduction: Any
) -> None:
    """With a free output for every group the bound is reached, except by `max` of weights."""
    if (name, reduction) == ("squared", "max"):
        return
    loss = Loss(name, reduction)
    classes = loss.is_classification
    targets = [mpq((1 if y > 0 else -1) if classes else y) for y, _, _ in samples]
    weights = [w for _, w, _ in samples]
    bound = group_bound(targets, [mpq(0)] * len(samples), weights, loss, False)
    assert not isinstance(bound, str)
    codes = np.array([[g for _, _, g in samples]])
    least_total = bound.of(codes, 4)[0] / bound.scale
    columns = [[mpq(g == k) for _, _, g in samples] for k in range(4)]
    fit = best_fit(columns, [mpq(0)] * len(samples), targets, weights, loss)
    assert least_total <= float(fit.total) + 1e-9
    if reduction == "sum" or len(set(weights)) == 1:
        exact = name != "hinge" or reduction == "sum"
        assert not exact or abs(least_total - float(fit.total)) < 1e-6


# --- the engine ----------------------------------------------------------------------------------


def random_document(seed: int) -> Document:
    rng = random.Random(f"dichotomies {seed}")
    inputs, units, samples = rng.choice([1, 1, 2]), rng.choice([1, 2, 2]), rng.choice([1, 3, 4, 5])
    loss: Any = rng.choice(["absolute", "squared", "hinge", "zero_one", "zero_one"])
    reduction = rng.choice(["sum", "mean", "max"]) if loss != "squared" else "sum"
    points = [0, 1, -1, 2, "1/2", -3]
    x = [[rng.choice(points) for _ in range(inputs)] for _ in range(samples)]
    classes = loss in ("hinge", "zero_one")
    y = [rng.choice([-1, 1]) if classes else rng.choice([0, 1, -2, "3/2", 4]) for _ in x]
    inner: dict[str, Any] = {"bias": False} if rng.random() < 0.3 else {}
    if not inner and rng.random() < 0.3:
        inner["biases"] = [rng.choice([None, 0, 1, "-1/2"]) for _ in range(units)]
    outer: dict[str, Any] = {"bias": False} if rng.random() < 0.4 else {}
    if rng.random() < 0.4:
        outer["weights"] = [[rng.choice([None, 1, -2, 0]) for _ in range(units)]]
    weights = [rng.choice([1, 2, "1/2"]) for _ in x] if rng.random() < 0.3 else None
    activation = rng.choice(TWO_VALUED)
    return document(x, y, units, activation, loss, reduction, inner, outer, weights)


@pytest.mark.parametrize("block", range(8))
def test_minima_agree_with_a_plain_encoding(block: int) -> None:
    for seed in range(block, 56, 8):
        made = random_document(seed)
        assert capability(NAME, problem_of(made), "minimize"), seed
        status, value = least(NAME, made)
        assert status == "optimal"
        assert value <= reference.minimum(sub_domain(made))[0]
        assert decide(NAME, made, value).status == "sat"
        if value > 0:
            assert decide(NAME, made, value - HAIR).status == "unsat"
            assert plain_answer(made, value - HAIR) != "sat", seed
        spelt, _ = as_neurons(made)
        assert least(NAME, spelt) == (status, value)


@pytest.mark.parametrize("seed", range(40))
def test_random_real_instances_are_refused_or_right(seed: int) -> None:
    rng = random.Random(f"two-valued {seed}")
    activation = rng.choice([HIDDEN[2], HIDDEN[3], HIDDEN[11]])
    made = random_real_instance(rng, activation=activation)
    if not capability(NAME, problem_of(made), "minimize"):
        return
    status, value = least(NAME, made)
    assert status == "optimal"
    assert value <= reference.minimum(sub_domain(made))[0]
    if value > 0:
        assert plain_answer(made, value - HAIR) != "sat"


def test_margins_are_reached() -> None:
    loss = {"name": "zero_one", "margin": 7}
    made = document([[0], [1], [2], [3]], [1, -1, 1, -1], 3, "step", loss)
    assert least(NAME, made) == ("optimal", 0)
    fewer = document([[0], [1], [2], [3]], [1, -1, 1, -1], 2, "step", loss)
    assert least(NAME, fewer) == ("optimal", 1)


@pytest.mark.parametrize("seed", range(6))
def test_teachers_are_found_and_one_more_jump_is_not(seed: int) -> None:
    """On a line a function of k steps has k jumps: fewer units do not fit it."""
    rng = random.Random(seed)
    count = rng.choice([2, 3])
    places = sorted(rng.sample(range(1, 20), count))
    values = [rng.randint(-9, 9)]
    for _ in places:
        values.append(values[-1] + rng.choice([-4, -1, 2, 7]))
    y = [values[sum(p <= i for p in places)] for i in range(20)]
    made = document([[i] for i in range(20)], y, count, rng.choice(TWO_VALUED))
    assert decide(NAME, made, Fraction(0)).status == "sat"
    fewer = document([[i] for i in range(20)], y, count - 1, rng.choice(TWO_VALUED))
    assert decide(NAME, fewer, Fraction(0)).status == "unsat"


def test_parity_of_three_bits_needs_three_thresholds() -> None:
    x = list(itertools.product((0, 1), repeat=3))
    y = [1 if sum(row) % 2 else -1 for row in x]
    assert decide(NAME, document(x, y, 3, "sign", "zero_one"), Fraction(0)).status == "sat"
    assert least(NAME, document(x, y, 2, "sign", "zero_one")) == ("optimal", 1)


def test_rational_domains_inherit_only_refutations() -> None:
    domain = {"domain": "rational", "bits": 2}
    x, y = [[0], [1], [2]], [0, 5, 0]
    made = document(x, y, 2, "step", domain=domain)
    assert not capability(NAME, problem_of(made), "decide")
    assert decide(NAME, made, Fraction(0)).status in ("unknown", "sat")
    one = document(x, y, 1, "step", domain=domain)
    assert decide(NAME, one, Fraction(0)).status == "unsat"
    outcome = minimize(NAME, one)
    assert outcome.lower_bound is not None and fraction(outcome.lower_bound) == 5


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (document([[1]], [1], 1, "relu"), "two-valued"),
        (document([[1]], [1], 1, domain={"domain": "integer", "low": 0, "high": 1}), "finite"),
        (document([[1]], [1], 1, outer={"activation": "relu"}), "output"),
        (document([[1]], [1], 1, loss="squared", reduction="max"), "squared"),
        (document([[1]], [1], 1, inner={"weights": [[{"param": "a"}]], "biases": [{"param": "a"}]},
                  outer={"weights": [[{"param": "a"}]]}), "shared"),
        (document([[1]], [2**60], 1), "long"),
        (document([[i, i * i, i**3, i**4, i**5, i**6] for i in range(60)], [0] * 60), "choices"),
    ],
)
def test_what_it_refuses(made: Document, why: str) -> None:
    said = engine(NAME).capability(problem_of(made), "decide")
    assert not said.applicable and (why in said.reason or "dichotomies" in said.reason)
    outcome = engine(NAME).decide(problem_of(made), Budget(), ignore)
    assert outcome.status == "unknown" and outcome.reason == said.reason


def test_a_deadline_that_has_passed() -> None:
    rng = random.Random(5)
    x = [[rng.randint(-99, 99), rng.randint(-99, 99)] for _ in range(40)]
    made = document(x, [rng.randint(-9, 9) for _ in x], 2)
    budget = Budget(time.monotonic() - 1)
    assert engine(NAME).decide(problem_of(made), budget, ignore).status == "unknown"
    outcome = engine(NAME).minimize(problem_of(made), budget, ignore)
    assert outcome.status in ("unknown", "feasible") and outcome.reason == "time limit"


def test_a_threshold_below_zero_is_refused_at_once() -> None:
    made = with_threshold(document([[1]], [1]), Fraction(-1))
    assert engine(NAME).decide(problem_of(made), Budget(), ignore).status == "unsat"


def test_more_choices_than_it_goes_through_are_refused() -> None:
    """Few multisets of dichotomies, but many more products of them."""
    made = document([[i] for i in range(30)], [i * i % 7 for i in range(30)], 8)
    said = engine(NAME).capability(problem_of(made), "decide")
    assert not said.applicable and "choices are too many" in said.reason
    assert engine(NAME).decide(problem_of(made), Budget(), ignore).status == "unknown"


def test_callers_get_a_say_where_no_choice_is_left() -> None:
    """Most blocks of alike units hold other orders only; deadlines are looked at all the same."""
    blocks = [len(block) for block in choices([40] * 4, [0] * 4)]
    assert 0 in blocks and len(blocks) == -(-(40**4) // CHUNK)
    assert sum(blocks) == choice_count([40] * 4, [0] * 4)


@pytest.mark.parametrize("blind", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_every_choice_is_offered_once_and_in_order(
    seed: int, blind: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where more of them have one bound than are kept: a blind one is 0 for all."""
    monkeypatch.setattr(search, "KEPT", 10)
    monkeypatch.setattr(search, "CHUNK", 16)
    rng = random.Random(seed)
    table = np.array([[rng.random() < 0.5 for _ in range(6)] for _ in range(9)])
    targets, ones = [mpq(rng.randint(0, 2)) for _ in range(6)], [1] * 6
    loss = Loss("absolute", "sum")
    bound = group_bound(targets, [mpq(0)] * 6, ones, loss, blind)
    assert not isinstance(bound, str)
    offered: list[tuple[int, tuple[int, ...]]] = []
    held: list[int] = []
    below = search._below

    def counted(*given: Any) -> Any:
        found, cut, crowded = below(*given)
        held.append(len(list(found)))
        return found, cut, crowded

    monkeypatch.setattr(search, "_below", counted)

    def tried(choice: tuple[int, ...], value: int) -> None:
        offered.append((value, choice))

    search.cheapest_first([table] * 3, [0] * 3, bound, tried, lambda _: None, nothing, None)
    chosen = [choice for _, choice in offered]
    assert len(chosen) == len(set(chosen)) == choice_count([9] * 3, [0] * 3)
    values = [value for value, _ in offered]
    assert values == sorted(values)
    assert max(held) <= 20 + search.CHUNK


def test_a_threshold_past_the_range_of_floats() -> None:
    made = document([[0], [1], [2]], [0, 5, 0], 1, loss="squared")
    assert decide(NAME, made, Fraction(10**400)).status == "sat"
