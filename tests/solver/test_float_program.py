"""Float programs: optimal points and multipliers with the signs that callers rely on."""

from __future__ import annotations

import numpy as np
import pytest

from ermbit.engines.float_program import Columns, FloatProgram


def _random(seed: int) -> FloatProgram:
    rng = np.random.default_rng(seed)
    rows, columns = int(rng.integers(1, 9)), int(rng.integers(1, 6))
    matrix = rng.integers(-3, 4, (rows, columns)).astype(float)
    inside = rng.integers(-2, 3, columns).astype(float)
    upper = matrix @ inside + rng.integers(0, 3, rows)
    equal = rng.random(rows) < 0.2
    lower = np.where(equal, matrix @ inside, -np.inf)
    upper = np.where(equal, lower, upper)
    goal = rng.integers(-4, 5, columns).astype(float)
    return FloatProgram(goal, matrix, lower, upper, np.full(columns, -2.0), np.full(columns, 2.0))


@pytest.mark.parametrize("method", ["choose", "simplex", "ipm"])
@pytest.mark.parametrize("seed", range(25))
def test_point_and_multipliers_prove_each_other(seed: int, method: str) -> None:
    program = _random(seed)
    found = program.solve(method)
    assert found is not None
    x, matrix = found.point, np.asarray(program.matrix)
    assert (x >= program.low - 1e-7).all()
    assert (x <= program.high + 1e-7).all()
    assert (matrix @ x <= program.upper + 1e-7).all()
    assert (matrix @ x >= program.lower - 1e-7).all()
    # Weak duality: multipliers ≤ 0 at upper bounds alone, and what is left at the bounds of x.
    one_sided = np.isinf(program.lower)
    assert (found.multipliers[one_sided] <= 1e-7).all()
    rest = program.goal - found.multipliers @ matrix
    dual = found.multipliers @ program.upper
    dual += np.minimum(rest * program.low, rest * program.high).sum()
    assert dual == pytest.approx(program.goal @ x, abs=1e-5)


def test_columns_are_the_matrix() -> None:
    dense = _random(3)
    columns = Columns.of(np.asarray(dense.matrix))
    by_columns = FloatProgram(
        dense.goal, columns, dense.lower, dense.upper, dense.low, dense.high
    ).solve()
    by_rows = dense.solve()
    assert by_rows is not None
    assert by_columns is not None
    assert dense.goal @ by_rows.point == pytest.approx(dense.goal @ by_columns.point)


def test_no_rows_and_no_entries() -> None:
    goal = np.array([1.0, -1.0])
    found = FloatProgram(
        goal, np.zeros((0, 2)), np.zeros(0), np.zeros(0), -np.ones(2), np.ones(2)
    ).solve()
    assert found is not None
    assert found.point.tolist() == [-1.0, 1.0]
    assert len(found.multipliers) == 0


@pytest.mark.parametrize("upper", [-3.0, np.inf])
def test_nothing_is_proposed_where_nothing_is_least(upper: float) -> None:
    one = np.ones(1)
    low = np.array([-np.inf]) if upper > 0 else np.zeros(1)
    program = FloatProgram(one, np.ones((1, 1)), -np.inf * one, upper * one, low, one)
    assert program.solve() is None


def test_numbers_that_are_none_are_refused() -> None:
    one = np.ones(1)
    assert FloatProgram(one, np.full((1, 1), np.nan), -one, one, -one, one).solve() is None
