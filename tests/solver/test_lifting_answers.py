"""Answers of `lifting` on small random and degenerate instances, against z3 and the reference."""

from __future__ import annotations

import random
import time
from collections import Counter
from fractions import Fraction
from typing import Any

import pytest

import reference
from engine_checks import fraction, least, minimize, problem_of
from ermbit.engines.engine import Budget, ignore
from ermbit.engines.registry import engine
from polynomial_networks import (
    CUBIC,
    HAIR,
    MIXED,
    SHIFTED,
    SQUARE,
    answer,
    document,
    is_complete,
    limit_searches,
)
from real_instances import plain_answer
from reference import Document


@pytest.fixture(autouse=True)
def short_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    limit_searches(monkeypatch)


def random_document(rng: random.Random) -> Document:
    d, h, k = rng.choice([1, 1, 2]), rng.choice([1, 1, 2, 3]), rng.choice([1, 1, 1, 2])
    loss = rng.choice(["absolute", "absolute", "squared", "hinge", "zero_one"])
    count = rng.choice([1, 2, 3, 3, 4])
    x = [[rng.choice([0, 1, -1, 2, "1/2"]) for _ in range(d)] for _ in range(count)]
    more: dict[str, Any] = {}
    if rng.random() < 0.2:
        more["inner"] = [[rng.choice([None, None, 1, 0]) for _ in range(d)] for _ in range(h)]
    if rng.random() < 0.25:
        more["outer"] = [[rng.choice([None, 1, -1, 2]) for _ in range(h)] for _ in range(k)]
    if loss == "zero_one" and rng.random() < 0.4:
        more["margin"] = rng.choice([1, "1/2"])
    if loss in ("hinge", "zero_one"):
        y: list[Any] = [rng.choice([-1, 1] if k == 1 else [0, 1]) for _ in x]
    else:
        y = [tuple(rng.choice([0, 1, -1, 2, 3]) for _ in range(k)) for _ in x]
    return document(
        x,
        y,
        h,
        activation=rng.choice([SQUARE, SQUARE, SHIFTED, MIXED, CUBIC]),
        bias=rng.random() < 0.6,
        output_bias=rng.random() < 0.5,
        outputs=k,
        loss=loss,
        reduction=rng.choice(["sum", "mean", "max"]),
        **more,
    )


def test_real_instances_agree_with_a_plain_encoding() -> None:
    said: Counter[str] = Counter()
    for index in range(35):
        doc = random_document(random.Random(f"lifting {index}"))
        out = minimize("lifting", doc, 20.0)
        assert out.lower_bound is not None
        if is_complete(doc, "minimize"):
            assert out.status in ("optimal", "infimum")
        lower = fraction(out.lower_bound)
        for threshold in sorted({lower, lower - HAIR, lower + HAIR}):
            found = answer(doc, threshold).status
            if is_complete(doc, "decide", threshold):
                assert found != "unknown"
            plain = plain_answer(doc, threshold, 25_000) if threshold >= 0 else "unsat"
            assert {found, plain} != {"sat", "unsat"}, (index, threshold, doc)
            said[f"{found}/{plain}"] += 1
            if out.status == "optimal":
                assert found == ("sat" if threshold >= lower else "unsat")
    assert said["sat/sat"] >= 15 and said["unsat/unsat"] >= 15, said


def finite_document(rng: random.Random) -> Document:
    d, h = rng.choice([(1, 1), (1, 2), (2, 1)])
    domain = rng.choice(
        [
            {"domain": "integer", "low": -1, "high": 1},
            {"domain": "finite", "values": [-1, 1]},
            {"domain": "finite", "values": [1, 3]},
            {"domain": "integer", "low": 0, "high": 2, "denominator": 2},
        ]
    )
    loss = rng.choice(["absolute", "squared", "squared", "hinge", "zero_one"])
    x = [[rng.choice([0, 1, -1, 2, 3]) for _ in range(d)] for _ in range(rng.randint(1, 4))]
    targets = [-1, 1] if loss in ("hinge", "zero_one") else [0, 1, -1, 2, 3, 4]
    doc = document(
        x,
        [rng.choice(targets) for _ in x],
        h,
        activation=rng.choice([SQUARE, SHIFTED, CUBIC]),
        bias=rng.random() < 0.5,
        output_bias=rng.random() < 0.5,
        loss=loss,
        reduction=rng.choice(["sum", "max", "mean"]),
        domain=domain,
    )
    if rng.random() < 0.2:
        doc["network"]["layers"].insert(1, {"units": 1, "activation": SQUARE, "bias": False})
    return doc


def test_finite_domains_against_the_reference() -> None:
    refuted = 0
    for index in range(110):
        doc = finite_document(random.Random(f"finite {index}"))
        if reference.assignment_count(doc) > 1000:
            continue
        minimum, _ = reference.minimum(doc)
        out = minimize("lifting", doc, 20.0)
        assert out.lower_bound is not None and fraction(out.lower_bound) <= minimum
        for threshold in {Fraction(0), minimum, minimum / 2}:
            found = answer(doc, threshold).status
            assert found != "unsat" or minimum > threshold, doc
            assert found != "sat" or minimum <= threshold, doc
            refuted += found == "unsat"
    assert refuted > 40


@pytest.mark.parametrize("loss", ["absolute", "squared", "hinge", "zero_one"])
@pytest.mark.parametrize("reduction", ["sum", "max"])
def test_degenerate_data(loss: str, reduction: str) -> None:
    labels = loss in ("hinge", "zero_one")
    tables: list[tuple[list[list[int]], list[int]]] = [
        ([[0, 0]], [1]),
        ([[1, 2]] * 4, [1, -1, 1, 1]),
        ([[k, k] for k in range(-2, 3)], [1, -1, 1, -1, 1]),
        ([[k, 0] for k in range(4)], [1, 1, 1, 1]),
        ([[1, 0], [0, 0]], [-1, 1]),
        ([[0, 0]] * 3, [1, -1, -1]),
    ]
    for x, y in tables:
        for bias in (True, False):
            doc = document(x, y, 4, bias=bias, loss=loss, reduction=reduction)
            assert is_complete(doc, "minimize")
            status, value = least("lifting", doc)
            assert status == "optimal"
            for threshold, expected in ((value, "sat"), (value - HAIR, "unsat")):
                assert answer(doc, threshold).status == expected
                if len(x) <= 4 and threshold >= 0:
                    plain = plain_answer(doc, threshold, 20_000)
                    assert plain in (expected, "unknown"), (doc, threshold)
    assert labels or least("lifting", document([[0]] * 2, [1, 2], 3, loss="squared")) == (
        "optimal",
        Fraction(1, 2),
    )


def test_contradictory_labels_have_the_loss_of_their_mean() -> None:
    doc = document([[1], [1], [2]], [0, 2, 5], 3, loss="squared", reduction="sum")
    assert least("lifting", doc) == ("optimal", 2)
    doc["loss"] = {"name": "absolute", "reduction": "max"}
    assert least("lifting", doc) == ("optimal", 1)


def test_largest_squares_are_enclosed() -> None:
    x = [[0], [1], [2], [3], [4]]
    doc = document(x, [0, 3, 1, 5, -2], 3, loss="squared", reduction="max")
    doc["data"]["sample_weights"] = [1, 2, 3, 1, 5]
    out = minimize("lifting", doc, 20.0)
    assert out.status == "feasible" and not is_complete(doc, "minimize")
    assert out.values is not None and out.lower_bound is not None and out.lower_bound > 1
    assert answer(doc, out.lower_bound - HAIR).status == "unsat"
    assert answer(doc, 100).status == "sat"
    # With one output and equal weights it is the square of the largest error: exact.
    one = document(x, [0, 3, 1, 5, -2], 3, loss="squared", reduction="max")
    absolute = document(x, [0, 3, 1, 5, -2], 3, reduction="max")
    assert least("lifting", one)[1] == least("lifting", absolute)[1] ** 2


def test_no_time_is_no_answer() -> None:
    problem = problem_of(document([[1], [2]], [1, 2], 2))
    late = Budget(time.monotonic() - 1)
    for outcome in (
        engine("lifting").decide(problem, late, ignore),
        engine("lifting").minimize(problem, late, ignore),
    ):
        assert outcome.status == "unknown" and outcome.reason == "time limit"


def test_a_negative_threshold_is_unsat() -> None:
    assert answer(document([[1]], [1], 1), -1).status == "unsat"


@pytest.mark.parametrize("loss", ["absolute", "squared"])
@pytest.mark.parametrize("reduction", ["sum", "max"])
def test_numbers_too_long_for_floats(loss: str, reduction: str) -> None:
    long = 10**400
    for units in (3, 1):
        doc = document(
            [[1], [2], [3], [4]], [long, 0, -long, 1], units, loss=loss, reduction=reduction
        )
        doc["data"]["sample_weights"] = [1, 2, long, 1]
        out = minimize("lifting", doc, 20.0)
        assert out.lower_bound is not None and out.lower_bound > 0
        below = fraction(out.lower_bound) / 2
        assert answer(doc, below).status == "unsat"
