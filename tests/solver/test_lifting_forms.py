"""Sums of squares in `lifting`: ranks, inertia, lines and pencils of forms, planted ones."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from fractions import Fraction
from typing import Any

import pytest
from gmpy2 import mpq
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_checks import least
from ermbit.engines.lifting.forms import added, annihilator, conjugated, inertia, line, squares
from ermbit.engines.lifting.linear import rank
from ermbit.engines.lifting.pencil import low_rank_points
from polynomial_networks import HAIR, answer, document, is_complete, limit_searches
from real_instances import plain_answer
from reference import Document


@pytest.fixture(autouse=True)
def short_searches(monkeypatch: pytest.MonkeyPatch) -> None:
    limit_searches(monkeypatch)


def random_form(rng: random.Random, size: int, terms: int) -> Any:
    form = tuple((mpq(0),) * size for _ in range(size))
    for _ in range(terms):
        p = [mpq(rng.randint(-2, 2)) for _ in range(size)]
        form = added(
            form, mpq(rng.choice([-2, -1, 1, 3])), tuple(tuple(a * b for a in p) for b in p)
        )
    return form


def test_forms_are_sums_of_as_many_squares_as_their_rank() -> None:
    rng = random.Random(6)
    for _ in range(500):
        size = rng.randint(1, 5)
        form = random_form(rng, size, rng.randint(0, size))
        if rng.random() < 0.5:  # zero diagonals
            form = tuple(
                tuple(mpq(0) if i == j else v for j, v in enumerate(row))
                for i, row in enumerate(form)
            )
        found = squares(form)
        total = tuple((mpq(0),) * size for _ in range(size))
        for square in found:
            p = square.direction
            total = added(total, square.factor, tuple(tuple(a * b for a in p) for b in p))
        assert total == form
        assert len(found) == rank([tuple(map(int, row)) for row in form])


def test_ranks_and_limits_on_a_line() -> None:
    rng = random.Random(7)
    for _ in range(200):
        size = rng.randint(1, 4)
        form = random_form(rng, size, rng.randint(0, size))
        q = [mpq(rng.randint(-1, 2)) for _ in range(size)]
        if not any(q):
            continue
        found = line(form, q)
        for wanted, t in found.options():
            assert inertia(found.at(t)) == wanted
        least_rank = min(sum(wanted) for wanted, _ in found.options())
        assert all(sum(inertia(found.at(mpq(t, 3)))) >= least_rank for t in range(-9, 9))
        for wanted, sign in found.limits():
            base, near = found.near(mpq(sign * 10**6))
            assert inertia(near) == wanted
            assert conjugated(base, annihilator(q)) == conjugated(form, annihilator(q))
            difference = added(near, mpq(-1), base)
            assert all(abs(v) < 1 for row in difference for v in row)


def test_pencils_of_small_rank() -> None:
    def points(m: Any, q: Any, h: int) -> Any:
        return low_rank_points(
            tuple(tuple(map(mpq, row)) for row in m), tuple(tuple(map(mpq, row)) for row in q), h
        )

    turn = ((0, 1), (1, 0))
    assert points(((1, 0), (0, 4)), turn, 1).rational == (-2, 2)
    assert points(((1, 0), (0, 2)), turn, 1).irrational == ((-2, 0, 1),)
    none = points(((1, 0), (0, -1)), turn, 1)
    assert none.rational == none.irrational == ()
    assert points(((1, 0), (0, 0)), ((0, 0), (0, 1)), 2) is None


@pytest.mark.parametrize("y, status", [([1, 4], "sat"), ([1, -1], "unsat"), ([1, 2], "sat")])
def test_one_square_through_two_axes(y: list[int], status: str) -> None:
    # v (u·x)² with u_1 u_2 v free: v u_1² and v u_2² have the same sign.
    doc = document([[1, 0], [0, 1]], y, 1, bias=False)
    assert answer(doc, 0).status == status


def test_forms_known_up_to_one_have_proved_answers() -> None:
    # One sample fewer than monomials: a line of forms, and a rational, a quadratic or no t.
    said: Counter[str] = Counter()
    for seed in range(40):
        rng = random.Random(f"pencil {seed}")
        x = [[rng.choice([0, 1, -1, 2]) for _ in range(2)] for _ in range(3)]
        y = [rng.choice([0, 1, -1, 2, 3]) for _ in x]
        doc = document(x, y, 1, bias=False, output_bias=True)
        found = answer(doc, 0)
        plain = plain_answer(doc, Fraction(0), 20_000)
        assert {found.status, plain} != {"sat", "unsat"}, doc
        said[found.status] += 1
        if found.values is not None and not all(isinstance(v, mpq) for v in found.values):
            said["irrational"] += 1
    assert min(said["sat"], said["unsat"], said["irrational"]) >= 3, said


def test_output_bias_saves_less_than_one_unit() -> None:
    x, y = [[-1], [0], [1]], [-1, 0, 1]
    one = document(x, y, 1, output_bias=True)
    assert is_complete(one)
    assert answer(one, 0).status == "unsat"
    for gap in (1, Fraction(1, 100), Fraction(1, 10**12)):
        assert answer(one, gap).status == "sat"
    assert least("lifting", one) == ("infimum", 0)
    assert least("lifting", document(x, y, 2, output_bias=True)) == ("optimal", 0)
    # x² + 3 needs one unit, and one more if nothing but squares is there.
    assert least("lifting", document(x, [4, 3, 4], 1, output_bias=True)) == ("optimal", 0)
    assert answer(document(x, [4, 3, 4], 1), 0).status == "unsat"
    assert answer(document(x, [4, 3, 4], 2), 0).status == "sat"


def test_squared_infimum_away_from_zero() -> None:
    # The nearest parabola to these four values is a line: approached, not attained.
    x = [[-3], [-1], [1], [3]]
    y = [-3 + 1, -1 - 3, 1 + 3, 3 - 1]
    doc = document(x, y, 1, output_bias=True, loss="squared")
    status, value = least("lifting", doc)
    assert status == "infimum" and value > 0
    assert answer(doc, value).status == "unsat"
    assert answer(doc, value + HAIR).status == "sat"


@pytest.mark.parametrize(
    "targets, signs, status",
    [
        ([2, 8], [1], "sat"),  # √2
        ([3, 12], [1, 1], "sat"),  # not a sum of two rational squares
        ([-1, -4], [1], "unsat"),
        ([-1, -4], [1, -2], "sat"),
        ([1, 4], [-1, -3], "unsat"),
    ],
)
def test_frozen_signs(targets: list[int], signs: list[int], status: str) -> None:
    doc = document([[1], [2]], targets, len(signs), bias=False, outer=[signs])
    assert is_complete(doc)
    assert answer(doc, 0).status == status
    rational = document(
        [[1], [2]],
        targets,
        len(signs),
        bias=False,
        outer=[signs],
        domain={"domain": "rational", "bits": 8},
    )
    found = answer(rational, 0).status
    assert found != "sat" or targets == [-1, -4]
    assert found == "unsat" or status == "sat"


def planted(rng: random.Random) -> tuple[Document, int, int]:
    """Values of a form of known rank on enough points to determine it; the rank, and the units."""
    d = rng.randint(1, 3)
    bias = rng.random() < 0.5
    size = d + bias
    form = random_form(rng, size, rng.randint(0, size))
    points = [list(p) for p in itertools.product((-1, 0, 1), repeat=d)]
    points += [rng.choice(points) for _ in range(2)]
    y = []
    for p in points:
        g = [*p, *([1] if bias else [])]
        y.append(str(sum(form[i][j] * g[i] * g[j] for i in range(size) for j in range(size))))
    units = rng.randint(1, size)
    loss = rng.choice(["absolute", "squared"])
    return document(points, y, units, bias=bias, loss=loss), len(squares(form)), units


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9))
def test_planted_forms(seed: int) -> None:
    doc, ranks, units = planted(random.Random(seed))
    assert is_complete(doc)
    assert answer(doc, 0).status == ("sat" if ranks <= units else "unsat")
    if ranks <= units:
        assert least("lifting", doc) == ("optimal", 0)
