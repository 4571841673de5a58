"""Linear algebra and convex programs of `lifting`, against z3 and by definition."""

from __future__ import annotations

import itertools
import random

from gmpy2 import mpq

from ermbit.engines.lifting.linear import coordinates, independent, kernel
from ermbit.engines.lifting.program import Row, _by_z3, _checked, least_cost, least_squares


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
