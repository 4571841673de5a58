"""The parts of the `cells` engine: rays, relaxations in floats and exactly, bounds, programs."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import z3
from gmpy2 import mpq
from hypothesis import given, settings
from hypothesis import strategies as st

from cell_networks import document
from engine_checks import problem_of
from ermbit.engines.cells.bounds import ExactRows, exact_bound
from ermbit.engines.cells.exact import maximise
from ermbit.engines.cells.linear_program import LinearProgram
from ermbit.engines.cells.network import read_cone_network
from ermbit.engines.cells.program import Units
from ermbit.engines.cells.rays import (
    RayTable,
    _kernels,
    _orthogonal,
    _primitive,
    basis,
    ray_table,
    rays,
)
from ermbit.engines.cells.squares import SquaredProgram
from ermbit.engines.cells.target import Target, read_target
from reference import Document

small = st.integers(-3, 3)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 4).flatmap(lambda r: st.lists(st.tuples(*[small] * r), min_size=1, max_size=7))
)
def test_rays_generate_every_direction(rows: list[tuple[int, ...]]) -> None:
    coordinates = basis([[mpq(row[k]) for row in rows] for k in range(len(rows[0]))])
    matrix = np.array(coordinates.rows, dtype=np.int64).reshape(len(rows), coordinates.rank)
    assert coordinates.rank == np.linalg.matrix_rank(np.array(rows))
    if not coordinates.rank:
        return
    found = rays(coordinates.hyperplanes(), coordinates.rank)
    assert len({tuple(row) for row in found.tolist()}) == len(found)
    for ray in found.tolist():
        zero = matrix[matrix @ np.array(ray) == 0]
        assert (np.linalg.matrix_rank(zero) if len(zero) else 0) == coordinates.rank - 1
    # A direction is a combination of the rays on its side of every hyperplane.
    rng = random.Random(str(rows))
    u = np.array([rng.randint(-9, 9) for _ in range(coordinates.rank)])
    side = np.sign(matrix @ u)
    chosen = found[(np.sign(matrix @ found.T).T * side >= 0).all(axis=1)]
    solver = z3.Solver()
    amounts = [z3.Real(f"a{k}") for k in range(len(chosen))]
    solver.add([a >= 0 for a in amounts])
    for k in range(coordinates.rank):
        total = z3.Sum([a * int(r[k]) for a, r in zip(amounts, chosen, strict=True)])
        solver.add(total == int(u[k]))
    assert solver.check() == z3.sat


@pytest.mark.parametrize("rank", [2, 3, 5, 8])
def test_kernels_are_the_minors(rank: int) -> None:
    rng = np.random.default_rng(rank)
    normals = rng.integers(-3, 4, size=(40, rank - 1, rank))
    normals[0, -1] = normals[0, 0]  # dependent, if there are two
    assert (_primitive(_kernels(normals, rank)) == _primitive(_orthogonal(normals, rank))).all()


def test_rays_of_many_coordinates_take_no_longer() -> None:
    """One-hot inputs: a ray leaves all coordinates but one; 2^24 minors would not end."""
    found = rays(np.eye(24, dtype=int).tolist(), 24)
    assert sorted(map(tuple, abs(found).tolist())) == sorted(2 * [*map(tuple, np.eye(24))])


def pieces(doc: Document) -> tuple[Target, Units, tuple[RayTable, ...]]:
    problem = problem_of(doc)
    network = read_cone_network(problem.instance.network)
    assert not isinstance(network, str)
    target = read_target(problem, network, problem.samples.rows)
    assert not isinstance(target, str)
    inputs = [row.x for row in problem.samples.rows]
    tables = tuple(
        ray_table(
            basis([column.values(inputs) for column in unit.columns]),
            unit.below,
            unit.above,
            target.labels,
        )
        for unit in network.units
    )
    return target, Units.of(tables), tables


@pytest.mark.parametrize("index", range(30))
def test_floats_and_exact_methods_solve_the_same_relaxations(index: int) -> None:
    rng = random.Random(f"cells relaxed {index}")
    loss, reduction = [
        ("absolute", "sum"),
        ("absolute", "max"),
        ("hinge", "sum"),
        ("hinge", "max"),
        ("squared", "sum"),
    ][index % 5]
    count = rng.randint(3, 6)
    labels = [-1, 1] if loss == "hinge" else [-3, -1, 0, 2, 5]
    doc = document(
        [[rng.randint(-3, 3), rng.randint(-3, 3)] for _ in range(count)],
        [rng.choice(labels) for _ in range(count)],
        {"units": 2},
        loss=loss,
        reduction=reduction,
        weights=[rng.choice([1, 2, "1/3"]) for _ in range(count)],
    )
    target, units, tables = pieces(doc)
    kind: Any = SquaredProgram if loss == "squared" else LinearProgram
    program = kind(target, units, (1, rng.choice([1, -1])))
    masks = []
    for table in tables:
        sample = rng.randrange(len(target.goals))
        masks.append(table.sides[:, sample] * rng.choice([1, -1]) >= 0)
    start = program.solve([np.ones(len(table), dtype=bool) for table in tables], None, np.inf)
    assert start is not None
    relaxed = program.solve(masks, start.start, np.inf)
    assert relaxed is not None and relaxed.complete
    value, combination = program.settle(masks, lambda: None)
    assert program.bound(relaxed, masks) == value
    assert float(value) == pytest.approx(relaxed.value, rel=1e-3, abs=1e-3)
    assert program.combination(relaxed) is not None
    # The exact solution attains the value: evaluated without any table of floats.
    output = [mpq(0)] * len(target.goals)
    for k, amount in enumerate(combination.free):
        output = [o + amount * row[k] for o, row in zip(output, target.free.rows, strict=True)]
    for unit, ray, amount in combination.parts:
        assert masks[unit][ray] and amount > 0
        values = tables[unit].values[ray].tolist()
        output = [o + program.signs[unit] * amount * v for o, v in zip(output, values, strict=True)]
    gaps = [y - o for y, o in zip(target.goals, output, strict=True)]
    if loss == "squared":
        costs = [w * g * g for w, g in zip(target.above, gaps, strict=True)]
    else:
        costs = [
            w * g if g > 0 else -b * g
            for w, b, g in zip(target.above, target.below, gaps, strict=True)
        ]
    assert value == (max(costs) if reduction == "max" else sum(costs))


def test_bounds_are_proved_or_refused() -> None:
    doc = document([[0], [1], [2]], [0, 2, 0])
    target, units, (table,) = pieces(doc)
    exact = [ExactRows.of(table)]
    everything = [np.arange(len(table))]
    none = [np.zeros(0, dtype=np.intp)]

    def bound(rays_: list[Any], sign: int, numerators: list[int], denominator: int = 1) -> Any:
        return exact_bound(target, exact, [sign], rays_, numerators, denominator)

    assert units.offsets == (1,)
    # Without rays only the bias is left: the labels 0, 2, 0 are 2 from their median.
    assert bound(none, 1, [-1, 2, -1], 2) == 2
    # Not perpendicular to the bias; larger than the weights allow; a ray on the wrong side.
    assert bound(none, 1, [0, 1, 0]) is None
    assert bound(none, 1, [-2, 4, -2], 2) is None
    assert bound(everything, 1, [-1, 2, -1], 2) == 2
    assert bound(everything, -1, [-1, 2, -1], 2) is None
    assert bound(everything, 1, [1, -2, 1], 2) is None


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 4).flatmap(
        lambda n: st.tuples(
            st.lists(small, min_size=n, max_size=n),
            st.lists(
                st.tuples(st.lists(small, min_size=n, max_size=n), st.integers(0, 4)), max_size=5
            ),
        )
    )
)
def test_exact_linear_programs(program: tuple[list[int], list[tuple[list[int], int]]]) -> None:
    goal, constraints = program
    n = len(goal)
    rows = [row for row, _ in constraints] + [[int(i == j) for j in range(n)] for i in range(n)]
    sides = [side for _, side in constraints] + [3] * n
    best = maximise(goal, rows, sides, lambda: None)
    # Feasible, and a proof by duality: together they leave no doubt.
    assert all(v >= 0 for v in (*best.point, *best.prices))
    for row, side in zip(rows, sides, strict=True):
        assert sum(a * b for a, b in zip(row, best.point, strict=True)) <= side
    for j in range(n):
        assert sum(p * row[j] for p, row in zip(best.prices, rows, strict=True)) >= goal[j]
    assert best.value == sum(a * b for a, b in zip(goal, best.point, strict=True))
    assert best.value == sum(p * side for p, side in zip(best.prices, sides, strict=True))
