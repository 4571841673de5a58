"""Units of degree 2 without free biases in `lifting`: attained, or approached and never met."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction

from gmpy2 import mpq
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_checks import least, minimize
from ermbit.engines.lifting.forms import squares
from polynomial_networks import HAIR, MIXED, answer, document, is_complete


def test_a_polynomial_that_is_approached_by_units_without_biases() -> None:
    # K3(g): v (u x + u² x²) → x² at 1 and 2, never equal.
    doc = document([[1], [2]], [1, 4], 1, activation=MIXED, bias=False)
    assert is_complete(doc)
    assert least("lifting", doc) == ("infimum", 0)
    assert answer(doc, 0).status == "unsat"
    for gap in (1, Fraction(1, 100), Fraction(1, 10**12)):
        assert answer(doc, gap).status == "sat"
    assert answer(document([[1], [2]], [1, 4], 2, activation=MIXED, bias=False), 0).status == "sat"
    # A line is approached with ever smaller inner weights; 2 t + 2 t² is attained.
    assert least("lifting", document([[1], [2]], [3, 6], 1, activation=MIXED, bias=False)) == (
        "infimum",
        0,
    )
    assert least("lifting", document([[1], [2]], [4, 12], 1, activation=MIXED, bias=False)) == (
        "optimal",
        0,
    )
    # A frozen bias is part of the polynomial; the constants need an output bias.
    shifted = document([[1], [2], [3]], [1, 4, 9], 1, activation=MIXED, output_bias=True)
    shifted["network"]["layers"][0]["biases"] = [3]
    assert least("lifting", shifted) == ("infimum", 0)
    shifted["data"]["y"] = [[9 + 7], [4 * 9 + 2 * 21], [9 * 9 + 3 * 21]]
    assert least("lifting", shifted) == ("optimal", 0)


def test_an_infimum_away_from_zero_of_units_without_biases() -> None:
    # Contradictory labels at 2: the best outputs are 1 and 4.
    doc = document([[1], [2], [2]], [1, 3, 5], 1, activation=MIXED, bias=False, loss="squared")
    assert least("lifting", doc) == ("infimum", 2)
    assert answer(doc, 2).status == "unsat"
    assert answer(doc, 2 + HAIR).status == "sat"
    assert answer(doc, 2 - HAIR).status == "unsat"


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**9))
def test_planted_units_without_biases(seed: int) -> None:
    """Sums of v (t + t²) or pure squares: attained by their number of units, else an infimum."""
    rng = random.Random(seed)
    d, units = rng.randint(1, 3), rng.randint(1, 3)
    points = [list(p) for p in itertools.product((-2, -1, 1, 2), repeat=d)]
    rows = [[rng.randint(-2, 2) for _ in range(d)] for _ in range(units)]
    outer = [rng.choice((-2, -1, 1, 2)) for _ in rows]
    is_pure = rng.random() < 0.5
    y = []
    for x in points:
        sums = [sum(a * b for a, b in zip(u, x, strict=True)) for u in rows]
        y.append(sum(v * (t * t + (0 if is_pure else t)) for v, t in zip(outer, sums, strict=True)))
    doc = document(points, y, units, activation=MIXED, bias=False)
    out = minimize("lifting", doc, 20.0)
    size = [[sum(v * u[a] * u[b] for v, u in zip(outer, rows, strict=True)) for b in range(d)]
            for a in range(d)]  # fmt: skip
    height = len(squares(tuple(tuple(map(mpq, row)) for row in size)))
    if not is_pure or height < units or not any(y):
        assert (out.status, out.lower_bound) == ("optimal", 0)
        assert answer(doc, 0, 20.0).status == "sat"
    else:
        assert (out.status, out.lower_bound) == ("infimum", 0)
        assert answer(doc, 0, 20.0).status == "unsat"
        assert answer(doc, HAIR, 20.0).status == "sat"
