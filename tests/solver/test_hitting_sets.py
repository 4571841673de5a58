"""The `hitting_sets` engine against z3's MaxSAT on the definition, and on planted answers."""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytest
from gmpy2 import mpq
from hypothesis import given
from hypothesis import strategies as st

from engine_checks import problem_of
from ermbit.engines.hitting_sets.gordan import Core, System
from ermbit.engines.registry import engine
from ermbit_instances.errors import InternalError
from linear_classifiers import check, classifier, least_errors
from reference import Document


def random_document(rng: random.Random) -> Document:
    """Mostly degenerate: few values, repeated and collinear points, contradictory labels."""
    inputs = rng.choice((1, 2, 2, 3, 4))
    outputs = rng.choice((1, 1, 1, 2, 3))
    count = rng.randint(1, 9 if outputs == 1 else 7)
    long = [rng.randint(-(10**30), 10**30) for _ in range(9)]
    values: Sequence[Any] = rng.choice(
        ((0, 1), (-1, 0, 1), range(-3, 4), ("1/3", "-1/2", 0, "0.1"), long)
    )
    x = [[rng.choice(values) for _ in range(inputs)] for _ in range(count)]
    if rng.random() < 0.2:
        x = [[row[0]] * inputs for row in x]
    if rng.random() < 0.3:
        x += [list(rng.choice(x)) for _ in range(2)]
    labels = (-1, 1) if outputs == 1 else tuple(range(outputs))
    y = [rng.choice(labels) for _ in x] if rng.random() < 0.9 else [rng.choice(labels)] * len(x)
    more: dict[str, Any] = {
        "bias": rng.random() < 0.6,
        "reduction": rng.choice(("sum", "mean", "max")),
        "margin": rng.choice((None, None, 1, "1/2")),
        "sample_weights": [rng.choice((0, 1, 1, 2, 3, "1/2", "2/3")) for _ in x],
    }
    if all(w == 0 for w in more["sample_weights"]):
        more["sample_weights"][0] = 1
    if outputs == 1 and rng.random() < 0.3:
        more |= {"activation": "sign", "bias": True}
    elif rng.random() < 0.4:
        entries = (None, None, 0, {"param": "s"}, {"param": "s", "scale": -2})
        more["weights"] = [[rng.choice(entries) for _ in range(inputs)] for _ in range(outputs)]
    return classifier(x, y, outputs=outputs, **more)


@pytest.mark.parametrize("seed", range(60))
def test_random_documents(seed: int) -> None:
    doc = random_document(random.Random(f"hitting sets {seed}"))
    if not engine("hitting_sets").capability(problem_of(doc), "minimize").complete:
        pytest.fail(f"not complete for {doc}")
    check("hitting_sets", doc, least_errors(doc))


def test_planted_errors_in_many_dimensions() -> None:
    """Every pair of opposite labels at one point costs one error, and nothing else does."""
    rng = random.Random("planted")
    normal = [rng.choice((-1, 1)) * rng.randint(1, 9) for _ in range(12)]
    x: list[list[int]] = []
    while len(x) < 60:
        row = [rng.randint(-9, 9) for _ in normal]
        if sum(u * v for u, v in zip(normal, row, strict=True)) != 0:
            x.append(row)
    y = [1 if sum(u * v for u, v in zip(normal, row, strict=True)) > 0 else -1 for row in x]
    doc = classifier(x + x[:7], y + [-label for label in y[:7]], bias=False)
    check("hitting_sets", doc, Fraction(7))


def test_weights_past_the_range_of_floats() -> None:
    given = classifier([[0], [1], [2]], [1, -1, 1], sample_weights=[1, "1e-320", 1])
    check("hitting_sets", given, Fraction(1, 10**320))


@pytest.mark.parametrize(
    "change, reason",
    [
        ({"loss": {"name": "hinge", "reduction": "sum"}}, "zero_one"),
        ({"weights": {"domain": "integer", "low": -1, "high": 1}}, "real"),
    ],
)
def test_what_it_refuses(change: dict[str, Any], reason: str) -> None:
    doc = classifier([[0], [1]], [1, -1]) | change
    said = engine("hitting_sets").capability(problem_of(doc), "decide")
    assert not said.applicable and reason in said.reason


def test_frozen_constants_are_refused() -> None:
    doc = classifier([[0], [1]], [1, -1], weights=[[3]])
    said = engine("hitting_sets").capability(problem_of(doc), "decide")
    assert not said.applicable and "frozen" in said.reason


@given(st.lists(st.lists(st.integers(-3, 3), min_size=3, max_size=3), min_size=1, max_size=8))
def test_systems(rows: list[list[int]]) -> None:
    """Either a solution or a core, and each proves itself; the exact way agrees."""
    system = System(rows)
    kinds = []
    for answer in (system.solve(range(len(rows))), system._exactly(range(len(rows)))):
        if isinstance(answer, Core):
            sums = [
                sum(m * rows[i][k] for m, i in zip(answer.multipliers, answer.forms, strict=True))
                for k in range(3)
            ]
            assert sums == [0, 0, 0] and min(answer.multipliers) > 0
            assert len(answer.forms) <= 4
        else:
            assert all(sum(a * t for a, t in zip(row, answer, strict=True)) > 0 for row in rows)
        kinds.append(type(answer))
    assert kinds[0] == kinds[1]


def test_hair_thin_wedges_are_not_lost_in_floats() -> None:
    """Solvable only within 10^-40 of a direction, and its closed twin, which is not."""
    huge = 10**40
    thin = System([(huge, -huge + 1), (-huge, huge)])
    answer = thin.solve((0, 1))
    assert not isinstance(answer, Core)
    assert huge * answer[0] > (huge - 1) * answer[1] and answer[1] > answer[0]
    closed = System([(huge, -huge), (-huge, huge)]).solve((0, 1))
    assert closed == Core((0, 1), (1, 1))


@pytest.mark.parametrize("core", [Core((0, 1), (1, 2)), Core((), ()), Core((0, 1), (1, -1))])
def test_false_cores_are_refused(core: Core) -> None:
    with pytest.raises(InternalError):
        System([(1, 2), (-1, -2)]).check(core)


def test_no_forms() -> None:
    assert System([(1, 1)]).solve(()) == (mpq(0), mpq(0))
