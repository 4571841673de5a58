"""Exact bounds from multipliers: weak duality checked in integers.

If λ is perpendicular to all linear terms and s·λ·R ≤ 0 for the values R of every ray that a unit of
sign s may use, then every such network has a loss of at least λ·Y − L*(λ), for

    loss ≥ Σ λ_i (Y_i − F_i) − L*(λ)   and   Σ λ_i F_i = Σ of non-negative multiples of s·λ·R ≤ 0.

λ is given as integers over a common denominator. Nothing here trusts a float.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import lcm
from typing import Any

import numpy as np
from flint import fmpz_mat
from gmpy2 import mpq
from numpy.typing import NDArray

from ermbit.engines.cells.rays import RayTable
from ermbit.engines.cells.target import Target
from ermbit.verifier.bulk.float_check import float64_behaves
from ermbit.verifier.bulk.limbs import Integers, at_least, from_list, from_machine, product
from ermbit_instances.rational import Rational


@dataclass(frozen=True)
class ExactRows:
    """The values of the rays of a table, as exact integers for products.

    Attributes:
        matrix: n × N.
        floats: whether products may be made of float64 numbers that are proved exact.
    """

    matrix: Integers
    floats: bool

    @classmethod
    def of(cls, table: RayTable) -> ExactRows:
        values = table.values
        if values.dtype == object:
            matrix = from_list(values.reshape(-1).tolist(), values.shape)
        else:
            matrix = from_machine(values)
        return cls(matrix, float64_behaves())

    def none_above(
        self, chosen: NDArray[np.intp], sign: int, multipliers: Integers, size: int
    ) -> bool:
        """Whether sign · λ · R ≤ 0 for the chosen rows R; ``size`` is Σ |λ|."""
        if not len(chosen):
            return True
        matrix = self.matrix
        part = Integers(matrix.limbs[:, chosen], matrix.bound, matrix.normal)
        products = product(part, multipliers, size, floats=self.floats)
        if sign > 0:
            return not at_least(products, 1).any()
        return bool(at_least(products, 0).all())

    def above(self, chosen: NDArray[np.intp], sign: int, numerators: Sequence[int]) -> int | None:
        """The place of a chosen row R with sign · λ · R > 0; ``None`` if there is none."""
        if not len(chosen):
            return None
        matrix = self.matrix
        part = Integers(matrix.limbs[:, chosen], matrix.bound, matrix.normal)
        signed = [sign * v for v in numerators]
        size = sum(map(abs, signed))
        row = from_list(signed, (1, len(signed)))
        found = at_least(product(part, row, size, floats=self.floats), 1).reshape(-1)
        return int(found.argmax()) if found.any() else None


def exact_bound(
    target: Target,
    tables: Sequence[ExactRows],
    signs: Sequence[int],
    chosen: Sequence[NDArray[np.intp]],
    numerators: Sequence[int],
    denominator: int,
) -> Rational | None:
    """The bound λ·Y − L*(λ) on the total, or ``None`` if λ does not prove one.

    Args:
        target: with the data.
        tables: of the units.
        signs: of the units.
        chosen: the rays that each unit may use.
        numerators, denominator: λ, one number a sample.
    """
    for k in range(target.free.rank):
        if sum(v * row[k] for v, row in zip(numerators, target.free.rows, strict=True)):
            return None
    conjugate = _conjugate(target, numerators, denominator)
    if conjugate is None:
        return None
    size = sum(map(abs, numerators))
    multipliers = from_list(numerators, (1, len(numerators)))
    for table, sign, rays in zip(tables, signs, chosen, strict=True):
        if not table.none_above(rays, sign, multipliers, size):
            return None
    total = sum(v * y for v, y in zip(numerators, target.goals, strict=True))
    return mpq(total, denominator) - conjugate


def _conjugate(target: Target, numerators: Sequence[int], denominator: int) -> Rational | None:
    """L*(λ), ``None`` if it is infinite."""
    if target.kind == "squared":
        return sum(
            (mpq(v * v, 4 * w) for v, w in zip(numerators, target.above, strict=True)), mpq(0)
        ) / (denominator * denominator)
    if any(v < 0 and w == 0 for v, w in zip(numerators, target.below, strict=True)):
        return None
    weights = [
        w if v > 0 else u for v, w, u in zip(numerators, target.above, target.below, strict=True)
    ]
    if target.kind == "sum":
        inside = all(abs(v) <= w * denominator for v, w in zip(numerators, weights, strict=True))
        return mpq(0) if inside else None
    used = sum((mpq(abs(v), w) for v, w in zip(numerators, weights, strict=True) if v), mpq(0))
    return mpq(0) if used <= denominator else None


def solve_exactly(
    matrix: Sequence[Sequence[int]], sides: Sequence[int]
) -> tuple[list[int], int] | None:
    """The solution of a square system of integers, as numerators over one denominator > 0."""
    count = len(sides)
    if count == 0:
        return [], 1
    try:
        solution = fmpz_mat(list(map(list, matrix))).solve(fmpz_mat(count, 1, list(sides)))
    except ZeroDivisionError:
        return None
    return common(solution.entries())


def common(values: Sequence[Any]) -> tuple[list[int], int]:
    """Rationals of FLINT as numerators over one denominator > 0."""
    denominator = lcm(*(int(v.denominator) for v in values))
    return [int(v.numerator) * (denominator // int(v.denominator)) for v in values], denominator
