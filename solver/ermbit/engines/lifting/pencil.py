"""Forms M + t Q of small rank on a line, exactly: common roots of minors.

The rank is at most h at a real t iff all minors of order h + 1, polynomials in t, vanish there,
that is, iff their greatest common divisor does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import Any

from flint import fmpq, fmpq_mat, fmpq_poly
from gmpy2 import mpq

from ermbit.engines.lifting.forms import Matrix
from ermbit.engines.lifting.linear import primitive, rational
from ermbit.engines.lifting.program import check
from ermbit_instances.algebraic import AlgebraicNumber, algebraic
from ermbit_instances.integer_polynomials import Coefficients, irreducible_factors
from ermbit_instances.rational import Rational
from ermbit_instances.real_roots import count_roots

MINOR_LIMIT = 4_000
"""Minors of one pencil."""


@dataclass(frozen=True, slots=True)
class LowRank:
    """Where the rank is small.

    Attributes:
        rational: such t that are rational.
        irrational: such t that are not: real roots of these irreducible polynomials, all of them.
        bound: no root is larger in absolute value.
    """

    rational: tuple[Rational, ...]
    irrational: tuple[Coefficients, ...]
    bound: Rational

    def quadratic(self) -> list[AlgebraicNumber]:
        """The irrational t of degree 2."""
        found = []
        for c, b, a in (factor for factor in self.irrational if len(factor) == 3):
            middle = mpq(-b, 2 * a)
            for low, high in ((-self.bound, middle), (middle, self.bound)):
                root = algebraic([c, b, a], low, high)
                assert isinstance(root, AlgebraicNumber)
                found.append(root)
        return found


def low_rank_points(
    matrix: Matrix, other: Matrix, height: int, deadline: float | None = None
) -> LowRank | None:
    """All t at which M + t Q has a rank of at most ``height``.

    ``None``: all t have, or the minors are too many.

    Raises:
        Undecided: not in time.
    """
    order, size = height + 1, len(matrix)
    if comb(size, order) ** 2 > MINOR_LIMIT:
        return None
    points = range(order + 1)
    tables = [_flint(matrix, other, t) for t in points]
    common: Any = fmpq_poly([0])
    for rows in combinations(range(size), order):
        check(deadline)
        for columns in combinations(range(size), order):
            if columns < rows:
                continue  # the transposed minor
            values = [
                fmpq_mat([[table[a][b] for b in columns] for a in rows]).det() for table in tables
            ]
            common = common.gcd(_through(points, values))
            if common.degree() == 0:
                return LowRank((), (), mpq(1))
    if common.degree() < 0:
        return None
    coefficients, _ = primitive([rational(c) for c in common.coeffs()])
    bound = 1 + max(abs(mpq(c, coefficients[-1])) for c in coefficients)
    found: list[Rational] = []
    irrational: list[Coefficients] = []
    for factor in irreducible_factors(coefficients):
        if len(factor) == 2:
            found.append(mpq(-factor[0], factor[1]))
        elif count_roots(factor, -bound, bound):
            irrational.append(factor)
    return LowRank(tuple(sorted(found)), tuple(irrational), bound)


def _flint(matrix: Matrix, other: Matrix, t: int) -> list[list[Any]]:
    def number(value: Rational) -> Any:
        return fmpq(int(value.numerator), int(value.denominator))

    return [
        [number(a + t * b) for a, b in zip(row, more, strict=True)]
        for row, more in zip(matrix, other, strict=True)
    ]


def _through(points: Sequence[int], values: Sequence[Any]) -> Any:
    """The polynomial through (points, values), by Lagrange."""
    total = fmpq_poly([0])
    for i, (p, v) in enumerate(zip(points, values, strict=True)):
        if v == 0:
            continue
        term = fmpq_poly([v])
        for k, q in enumerate(points):
            if k != i:
                term *= fmpq_poly([fmpq(-q, p - q), fmpq(1, p - q)])
        total += term
    return total
