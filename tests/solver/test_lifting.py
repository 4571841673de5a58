"""The `lifting` engine: theorems on small cases, z3 on the definition, the naive reference."""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from gmpy2 import mpq
from hypothesis import given, settings
from hypothesis import strategies as st

import reference
import rewriters
from engine_checks import capability, decide, fraction, least, minimize, problem_of
from ermbit.engines.engine import Budget, Outcome, ignore
from ermbit.engines.lifting.directions import DirectionSearch, read_power_unit
from ermbit.engines.lifting.distance import distance_bound
from ermbit.engines.lifting.forms import added, annihilator, conjugated, inertia, line, squares
from ermbit.engines.lifting.hull import network_hulls
from ermbit.engines.lifting.lattice import is_missed
from ermbit.engines.lifting.linear import coordinates, independent, kernel, rank
from ermbit.engines.lifting.multipliers import Rounding, read_dual
from ermbit.engines.lifting.one_sign import one_sign_bound
from ermbit.engines.lifting.outer import best_choice, evaluated, read_outer_weights, span
from ermbit.engines.lifting.pencil import low_rank_points
from ermbit.engines.lifting.program import Row, _by_z3, _checked, least_cost, least_squares
from ermbit.engines.lifting.quadratic import form_system, read_quadratic_network
from ermbit.engines.lifting.relaxation import read_relaxation
from ermbit.engines.registry import engine
from real_instances import plain_answer
from reference import Document

HAIR = Fraction(1, 10**6)
SQUARE = "square"
SHIFTED = {"name": "polynomial", "coefficients": ["1/2", 2, 1]}
MIXED = {"name": "polynomial", "coefficients": [0, 1, 1]}
CUBIC = {"name": "polynomial", "coefficients": [0, 1, 0, 1]}


def document(
    x: Sequence[Sequence[Any]],
    y: Sequence[Any],
    units: int = 1,
    *,
    activation: Any = SQUARE,
    bias: bool = True,
    output_bias: bool = False,
    outputs: int = 1,
    loss: str = "absolute",
    reduction: str = "sum",
    **more: Any,
) -> Document:
    """One hidden layer; `more`: `inner`, `outer` (matrices of entries), `domain`, `margin`."""
    hidden: dict[str, Any] = {"units": units, "activation": activation, "bias": bias}
    last: dict[str, Any] = {"units": outputs, "activation": "identity", "bias": output_bias}
    if "inner" in more:
        hidden["weights"] = more["inner"]
    if "outer" in more:
        last["weights"] = more["outer"]
    criterion: dict[str, Any] = {"name": loss, "reduction": reduction}
    if "margin" in more:
        criterion["margin"] = more["margin"]
    return {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": len(x[0]), "layers": [hidden, last]},
        "weights": more.get("domain", {"domain": "real"}),
        "data": {
            "x": [list(row) for row in x],
            "y": [list(v) if isinstance(v, tuple) else [v] for v in y],
        },
        "loss": criterion,
        "threshold": 0,
    }


def answer(doc: Document, threshold: Any, patience: float = 2.0) -> Outcome:
    return decide("lifting", doc, Fraction(threshold), patience)


def is_complete(doc: Document, task: Any = "decide", threshold: Any = 0) -> bool:
    problem = problem_of(rewriters.with_threshold(doc, Fraction(threshold)))
    return capability("lifting", problem, task)


# --- linear algebra and programs -----------------------------------------------------------------


def test_independent_columns_coordinates_and_kernels() -> None:
    rng = random.Random(1)
    for _ in range(200):
        height, width = rng.randint(1, 5), rng.randint(1, 6)
        columns = [tuple(rng.randint(-1, 1) for _ in range(height)) for _ in range(width)]
        kept = independent(columns)
        basis = [columns[k] for k in kept]
        assert len(kernel(basis)) == 0
        assert len(kernel(columns)) == width - len(kept)
        for column in columns:
            found = coordinates(basis, [mpq(v, 3) for v in column])
            assert found is not None
            for i in range(height):
                assert sum(c * b[i] for c, b in zip(found, basis, strict=True)) == mpq(column[i], 3)


def random_rows(rng: random.Random) -> list[Row]:
    count = rng.choice([1, 2, 4, 8])
    width = rng.randint(1, 3)
    table = [tuple(rng.randint(-2, 2) for _ in range(width)) for _ in range(count)]
    sides = [mpq(rng.randint(-3, 3), rng.choice([1, 2])) for _ in range(count)]
    weights = [mpq(rng.randint(1, 3)) for _ in range(count)]
    kind = rng.choice(["absolute", "hinge", "max"])
    if kind == "max":
        rows = [Row((*(0,) * width, -1), mpq(0), mpq(1), mpq(1))]
        for a, b in zip(table, sides, strict=True):
            rows.append(Row((*a, 1), b, mpq(0), None))
            rows.append(Row((*(-v for v in a), 1), -b, mpq(0), None))
        return rows
    return [
        Row(a, b, -w if kind == "absolute" else mpq(0), w)
        for a, b, w in zip(table, sides, weights, strict=True)
    ]


def test_linear_programs_agree_with_z3() -> None:
    rng = random.Random(2)
    for _ in range(60):
        rows = random_rows(rng)
        found, other = least_cost(rows), _by_z3(rows)
        assert other is not None and found.value == other.value
        # Multipliers outside their bounds, or of another point, prove nothing.
        wrong = tuple(m + 1 for m in found.multipliers)
        assert _checked(rows, found.point, wrong) is None or wrong == found.multipliers


def test_least_squares_have_no_better_neighbours() -> None:
    rng = random.Random(3)
    for _ in range(50):
        columns = [tuple(rng.randint(-3, 3) for _ in range(6)) for _ in range(2)]
        columns = [columns[k] for k in independent(columns)]
        sides = [mpq(rng.randint(-3, 3)) for _ in range(6)]
        weights = [mpq(rng.randint(1, 3)) for _ in range(6)]
        c, value = least_squares(columns, sides, weights)
        for k, step in itertools.product(range(len(columns)), (mpq(1, 100), mpq(-1, 100))):
            moved = [v + step * (j == k) for j, v in enumerate(c)]
            total = mpq(0)
            for i, (b, w) in enumerate(zip(sides, weights, strict=True)):
                e = b - sum(m * column[i] for m, column in zip(moved, columns, strict=True))
                total += w * e * e
            assert total > value


# --- G1, G2, G7: hulls and ranks -----------------------------------------------------------------


def monomials(rows: Sequence[Sequence[int]], degree: int, least_degree: int = 0) -> int:
    """The rank of all monomials of these degrees on the data."""
    columns = []
    for total in range(least_degree, degree + 1):
        for chosen in itertools.combinations_with_replacement(range(len(rows[0])), total):
            column = []
            for row in rows:
                value = 1
                for k in chosen:
                    value *= row[k]
                column.append(value)
            columns.append(tuple(column))
    return rank(columns)


def test_ranks_of_units_are_those_of_the_monomials() -> None:
    rng = random.Random(4)
    for _ in range(60):
        d, degree = rng.randint(1, 2), rng.randint(2, 3)
        rows = [[rng.randint(-2, 2) for _ in range(d)] for _ in range(rng.randint(1, 9))]
        bias = rng.random() < 0.5
        power = {"name": "polynomial", "coefficients": [0] * degree + [1]}
        doc = document(rows, [0] * len(rows), 12, activation=power, bias=bias)
        network = problem_of(doc).instance.network
        inputs = tuple(dict.fromkeys(tuple(map(mpq, row)) for row in rows))
        hulls = network_hulls(network, inputs)
        assert not isinstance(hulls, str)
        assert hulls[0].rank == monomials(rows, degree, 0 if bias else degree)
        outer = read_outer_weights(network)
        assert not isinstance(outer, str)
        choice = best_choice(network, outer, inputs, [hulls[0].rank], 0)
        assert choice.ranks == (hulls[0].rank,)
        assert span(network, outer, inputs, choice.inner).ranks == choice.ranks


def random_entry(rng: random.Random) -> Any:
    return rng.choice([None, None, None, 0, 1, "-1/2", {"param": "s"}])


def test_outputs_lie_in_the_hulls() -> None:
    rng = random.Random(5)
    for _ in range(120):
        d, h = rng.randint(1, 2), rng.randint(1, 3)
        rows = [[rng.randint(-2, 2) for _ in range(d)] for _ in range(rng.randint(1, 7))]
        activation = rng.choice([SQUARE, SHIFTED, MIXED, CUBIC])
        doc = document(
            rows,
            [0] * len(rows),
            h,
            activation=activation,
            bias=rng.random() < 0.5,
            output_bias=rng.random() < 0.5,
            inner=[[random_entry(rng) for _ in range(d)] for _ in range(h)],
            outer=[[random_entry(rng) for _ in range(h)]],
        )
        if rng.random() < 0.3:
            doc["network"]["layers"].insert(1, {"units": h, "activation": SQUARE})
        network = problem_of(doc).instance.network
        inputs = tuple(dict.fromkeys(tuple(map(mpq, row)) for row in rows))
        hulls = network_hulls(network, inputs)
        assert not isinstance(hulls, str)
        for _ in range(3):
            values = [mpq(rng.randint(-4, 4), rng.randint(1, 3)) for _ in network.parameters]
            outputs = evaluated(network, values, inputs)[network.outputs[0]]
            rest = [a - b for a, b in zip(outputs, hulls[0].constant, strict=True)]
            assert coordinates(hulls[0].columns, rest) is not None


def test_frozen_inner_weights_shrink_the_hull() -> None:
    # (x + b)² spans 2bx + b² beside x²: with v = 1 the square itself is a constant part.
    x = [[0], [1], [2], [3]]
    free = document(x, [0] * 4, 3, inner=[[1]] * 3)
    frozen = document(x, [1, 4, 9, 16], 1, inner=[[1]], outer=[[1]])
    for doc, ranks in ((free, 3), (frozen, 2)):
        inputs = tuple((mpq(row[0]),) for row in x)
        hulls = network_hulls(problem_of(doc).instance.network, inputs)
        assert not isinstance(hulls, str) and hulls[0].rank == ranks
    assert least("lifting", free)[0] == "optimal"
    assert answer(frozen, 0).status == "unknown" or answer(frozen, 0).status == "sat"
    frozen["data"]["y"] = [[0], [2], [8], [18]]
    assert answer(frozen, 0).status == "unsat"


# --- G3 to G6: sums of squares -------------------------------------------------------------------


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
    assert answer(doc, 0, 0.5).status == status


def test_forms_known_up_to_one_have_proved_answers() -> None:
    # One sample fewer than monomials: a line of forms, and a rational, a quadratic or no t.
    said: Counter[str] = Counter()
    for seed in range(40):
        rng = random.Random(f"pencil {seed}")
        x = [[rng.choice([0, 1, -1, 2]) for _ in range(2)] for _ in range(3)]
        y = [rng.choice([0, 1, -1, 2, 3]) for _ in x]
        doc = document(x, y, 1, bias=False, output_bias=True)
        found = answer(doc, 0, 0.2)
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


# --- against z3 and the reference ----------------------------------------------------------------


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
        out = minimize("lifting", doc, 0.2)
        assert out.lower_bound is not None
        if is_complete(doc, "minimize"):
            assert out.status in ("optimal", "infimum")
        lower = fraction(out.lower_bound)
        for threshold in sorted({lower, lower - HAIR, lower + HAIR}):
            found = answer(doc, threshold, 0.2).status
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
        out = minimize("lifting", doc, 0.2)
        assert out.lower_bound is not None and fraction(out.lower_bound) <= minimum
        for threshold in {Fraction(0), minimum, minimum / 2}:
            found = answer(doc, threshold, 0.2).status
            assert found != "unsat" or minimum > threshold, doc
            assert found != "sat" or minimum <= threshold, doc
            refuted += found == "unsat"
    assert refuted > 40


def test_parity_refutes_integer_parameters() -> None:
    # With weights ±1, v (u x + b)² is v at x = 0 and even at x = 1.
    doc = document([[0], [1]], [1, 1], 1, domain={"domain": "finite", "values": [-1, 1]})
    network = problem_of(doc).instance.network
    inputs = ((mpq(0),), (mpq(1),))
    assert is_missed(network, inputs, [(mpq(1), mpq(1))]) is True
    assert is_missed(network, inputs, [(mpq(1), mpq(4))]) is False
    found = answer(doc, 0)
    assert found.status == "unsat" and "lattice" in found.reason
    doc["weights"] = {"domain": "real"}
    assert is_missed(problem_of(doc).instance.network, inputs, [(mpq(1), mpq(1))]) is None
    assert answer(doc, 0).status == "sat"


# --- degenerate data, limits ---------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["absolute", "squared", "hinge", "zero_one"])
@pytest.mark.parametrize("reduction", ["sum", "mean", "max"])
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
    out = minimize("lifting", doc, 1.0)
    assert out.status == "feasible" and not is_complete(doc, "minimize")
    assert out.values is not None and out.lower_bound is not None and out.lower_bound > 1
    assert answer(doc, out.lower_bound - HAIR).status == "unsat"
    assert answer(doc, 100).status == "sat"
    # With one output and equal weights it is the square of the largest error: exact.
    one = document(x, [0, 3, 1, 5, -2], 3, loss="squared", reduction="max")
    absolute = document(x, [0, 3, 1, 5, -2], 3, reduction="max")
    assert least("lifting", one)[1] == least("lifting", absolute)[1] ** 2


def test_deep_networks_are_reached_through_their_last_layer() -> None:
    x = [[-1], [0], [1], [2], [3]]
    doc = document(x, [1, 0, 5, 2, 2], 2)
    doc["network"]["layers"] = [
        {"units": 2, "activation": SQUARE},
        {"units": 5, "activation": SQUARE},
        {"units": 1, "activation": "identity"},
    ]
    assert is_complete(doc, "minimize")
    assert least("lifting", doc) == ("optimal", 0)


def test_what_it_does_not_treat() -> None:
    plain = document([[1], [2]], [1, 2], 2, activation="relu")
    assert not engine("lifting").capability(problem_of(plain), "decide").applicable
    mixed = document([[1], [2]], [1, 2], 2)
    mixed["network"]["layers"].insert(0, {"units": 2, "activation": "relu"})
    assert not engine("lifting").capability(problem_of(mixed), "decide").applicable
    # A kink on frozen terms is a constant.
    mixed["network"]["layers"][0] |= {"bias": False, "weights": [[1], [-1]]}
    assert is_complete(mixed, "minimize")
    assert least("lifting", mixed) == ("optimal", 0)
    late = engine("lifting").decide(problem_of(plain), Budget(time.monotonic()), ignore)
    assert late.status == "unknown" and late.reason


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
        out = minimize("lifting", doc, 1.0)
        assert out.lower_bound is not None and out.lower_bound > 0
        below = fraction(out.lower_bound) / 2
        assert answer(doc, below).status == "unsat"


# -- lower bounds for few units


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
