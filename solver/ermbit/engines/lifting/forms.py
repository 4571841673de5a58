"""Quadratic forms over Q: sums of squares of linear forms, ranks, inertia, and lines of forms.

A symmetric matrix M of rank ρ is Σ d_j p_j p_jᵀ with ρ rational terms (docs/theory.md G3); d has as
many positive and negative numbers as M has (Sylvester, G5). On a line M + t q qᵀ all of this is
known from the block of M that q does not see (G4).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from gmpy2 import mpq

from ermbit.engines.lifting.linear import coordinates, independent, primitive
from ermbit_instances.errors import InternalError
from ermbit_instances.rational import Rational

Matrix: TypeAlias = tuple[tuple[Rational, ...], ...]
"""Symmetric, rows of rationals."""

Inertia: TypeAlias = tuple[int, int]
"""Numbers of positive and of negative squares."""

_ZERO, _ONE = mpq(0), mpq(1)


@dataclass(frozen=True, slots=True)
class Square:
    """factor · (p·g)²."""

    factor: Rational
    direction: tuple[Rational, ...]


def squares(matrix: Matrix) -> list[Square]:
    """M = Σ factor · direction directionᵀ with as many terms as the rank of M.

    w = e_i with M_ii ≠ 0, or e_i + e_j with M_ij ≠ 0 where the diagonal is zero; the rank of
    M − (Mw)(Mw)ᵀ/(wᵀMw) is smaller by one.
    """
    rest = [list(row) for row in matrix]
    size = len(rest)
    found: list[Square] = []
    while True:
        pivot = next((i for i in range(size) if rest[i][i] != 0), None)
        if pivot is not None:
            image, value = list(rest[pivot]), rest[pivot][pivot]
        else:
            pair = next(
                ((i, j) for i in range(size) for j in range(i + 1, size) if rest[i][j] != 0), None
            )
            if pair is None:
                return found
            i, j = pair
            image = [a + b for a, b in zip(rest[i], rest[j], strict=True)]
            value = 2 * rest[i][j]
        found.append(Square(1 / value, tuple(image)))
        for i in range(size):
            if image[i]:
                factor = image[i] / value
                rest[i] = [a - factor * b for a, b in zip(rest[i], image, strict=True)]


def inertia(matrix: Matrix) -> Inertia:
    """How many squares of either sign M is the sum of."""
    factors = [square.factor for square in squares(matrix)]
    return sum(f > 0 for f in factors), sum(f < 0 for f in factors)


def form_rank(matrix: Matrix) -> int:
    """The rank of M."""
    return len(squares(matrix))


def added(matrix: Matrix, factor: Rational, other: Matrix) -> Matrix:
    """M + factor · other."""
    return tuple(
        tuple(a + factor * b for a, b in zip(r, s, strict=True))
        for r, s in zip(matrix, other, strict=True)
    )


def conjugated(matrix: Matrix, rows: Sequence[Sequence[Rational]]) -> Matrix:
    """P M Pᵀ for the rows of P."""
    half = [
        [sum((p * v for p, v in zip(row, column, strict=True) if p), _ZERO) for column in matrix]
        for row in rows
    ]
    return tuple(
        tuple(sum((a * b for a, b in zip(h, row, strict=True) if a), _ZERO) for row in rows)
        for h in half
    )


def annihilator(q: Sequence[Rational]) -> list[list[Rational]]:
    """A basis of all z with q·z = 0, for q ≠ 0."""
    pivot = next(k for k, v in enumerate(q) if v)
    found = []
    for k in range(len(q)):
        if k != pivot:
            row = [_ZERO] * len(q)
            row[k], row[pivot] = _ONE, -q[k] / q[pivot]
            found.append(row)
    return found


@dataclass(frozen=True)
class Line:
    """The forms M + t q qᵀ for all t, by docs/theory.md G4.

    Attributes:
        block: inertia of M on the z with q·z = 0.
        best: the t at which the rank is least, ``None`` if all forms of the line have the rank of
            the block + 2.
    """

    matrix: Matrix
    q: tuple[Rational, ...]
    block: Inertia
    best: Rational | None

    def at(self, t: Rational) -> Matrix:
        outer = tuple(tuple(a * b for b in self.q) for a in self.q)
        return added(self.matrix, t, outer)

    def options(self) -> list[tuple[Inertia, Rational]]:
        """Every inertia on the line, with a t that has it."""
        plus, minus = self.block
        if self.best is None:
            return [((plus + 1, minus + 1), _ZERO)]
        return [
            (self.block, self.best),
            ((plus + 1, minus), self.best + 1),
            ((plus, minus + 1), self.best - 1),
        ]

    def limits(self) -> list[tuple[Inertia, int]]:
        """Every inertia whose forms approach the line as t → ±∞, with that sign."""
        plus, minus = self.block
        return [((plus + 1, minus), 1), ((plus, minus + 1), -1)]

    def near(self, t: Rational) -> tuple[Matrix, Matrix]:
        """A form of the line, and one of the block's rank + 1 that differs from it by O(1/t).

        With z, q·z = 1: the row b = M z on the block is kept, the block is changed by b bᵀ / t.
        """
        pivot = next(k for k, v in enumerate(self.q) if v)
        z = [_ONE / self.q[pivot] if k == pivot else _ZERO for k in range(len(self.q))]
        image = [
            sum((m * v for m, v in zip(row, z, strict=True) if v), _ZERO) for row in self.matrix
        ]
        corner = sum((a * b for a, b in zip(image, z, strict=True)), _ZERO)
        # b as a form: image less its part along q; it vanishes at z.
        b = [a - corner * c for a, c in zip(image, self.q, strict=True)]
        base = self.at(t - corner)
        return base, added(base, 1 / t, tuple(tuple(a * c for c in b) for a in b))


def line(matrix: Matrix, q: Sequence[Rational]) -> Line:
    """What there is to know of M + t q qᵀ, q ≠ 0."""
    block = inertia(conjugated(matrix, annihilator(q)))
    more = form_rank(matrix) - sum(block)
    best = None if more == 2 else _ZERO if more == 0 else _meeting(matrix, q)
    return Line(matrix, tuple(q), block, best)


def _meeting(matrix: Matrix, q: Sequence[Rational]) -> Rational:
    """The t at which the rank of M + t q qᵀ is smaller by one than that of M.

    q is in the range of M: for M w = q it is t = −1/(q·w), as (M + t q qᵀ) w = (1 + t q·w) q = 0.
    """
    columns = [primitive(row) for row in matrix]
    kept = independent([column for column, _ in columns])
    amounts = coordinates([columns[k][0] for k in kept], q)
    if amounts is None:
        raise InternalError("a form of larger rank than its block does not have q in its range")
    terms = (a / columns[k][1] * q[k] for k, a in zip(kept, amounts, strict=True))
    return -1 / sum(terms, _ZERO)
