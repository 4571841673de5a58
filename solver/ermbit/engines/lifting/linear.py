"""Exact linear algebra on columns of integers: independent ones, solutions, kernels.

Ranks modulo a prime never exceed the true ranks, so independence modulo a prime is independence;
that nothing was missed is proved in integers. python-flint does the arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import gcd, lcm
from typing import Any, TypeAlias

from flint import fmpz_mat, nmod_mat
from gmpy2 import mpq

from ermbit_instances.rational import Rational

PRIME = 2**61 - 1

Column: TypeAlias = tuple[int, ...]
Vector: TypeAlias = tuple[Rational, ...]

_ZERO = mpq(0)


def primitive(vector: Iterable[Rational]) -> tuple[Column, Rational]:
    """Integers without a common divisor, and the positive number they are to be multiplied by."""
    values = [mpq(v) for v in vector]
    up = lcm(*(int(v.denominator) for v in values))
    integers = [int(v.numerator) * (up // int(v.denominator)) for v in values]
    down = gcd(*integers)
    if down == 0:
        return tuple(integers), mpq(1)
    return tuple(v // down for v in integers), mpq(down, up)


def shortened(column: Sequence[int]) -> Column:
    """The same integers without a common divisor."""
    divisor = gcd(*column)
    return tuple(v // divisor for v in column) if divisor > 1 else tuple(column)


def independent(columns: Sequence[Sequence[int]]) -> list[int]:
    """Positions of columns that are a basis of the span of all, the earliest possible ones.

    Modulo the prime they are the earliest; if the prime was unlucky the exact ones are computed.
    """
    if not columns or not columns[0]:
        return []
    height = len(columns[0])
    chosen = _pivots(columns)
    if len(chosen) == height or len(chosen) == len(columns):
        return chosen
    taken = set(chosen)
    rest = [column for k, column in enumerate(columns) if k not in taken]
    if spans([columns[k] for k in chosen], rest):
        return chosen
    reduced, _, rank = _matrix(columns).rref()
    return _leading(reduced, rank, len(columns))


def rank(columns: Sequence[Sequence[int]]) -> int:
    """The dimension of the span."""
    return len(independent(columns))


def spans(basis: Sequence[Sequence[int]], others: Sequence[Sequence[int]]) -> bool:
    """Whether independent columns (modulo the prime, too) span all the others. Exact."""
    others = [column for column in others if any(column)]
    if not others:
        return True
    if not basis:
        return False
    annihilators = left_kernel(basis)
    if annihilators is None:
        return False
    return not any(v for v in (annihilators * _matrix(others)).entries())


def left_kernel(basis: Sequence[Sequence[int]]) -> Any | None:
    """Integer rows that span everything orthogonal to columns independent modulo the prime."""
    height, width = len(basis[0]), len(basis)
    rows = _pivots(list(zip(*basis, strict=True)))
    if len(rows) < width:
        return None
    left = [i for i in range(height) if i not in set(rows)]
    if not left:
        return fmpz_mat(0, height)
    square = fmpz_mat([[basis[k][i] for i in rows] for k in range(width)])
    sides = fmpz_mat([[basis[k][i] for i in left] for k in range(width)])
    solved: Any = square.solve(sides)
    numbers, denominator = solved.numer_denom()
    values = numbers.tolist()
    result = [[0] * height for _ in left]
    for m, i in enumerate(left):
        result[m][i] = -int(denominator)
        for k, row in enumerate(rows):
            result[m][row] = int(values[k][m])
    return fmpz_mat(result)


def coordinates(basis: Sequence[Sequence[int]], vector: Sequence[Rational]) -> Vector | None:
    """The numbers c with Σ c_k basis_k = vector, ``None`` if there are none.

    Args:
        basis: independent columns.
    """
    wanted, scale = primitive(vector)
    if not basis:
        return None if any(wanted) else ()
    rows = independent(list(zip(*basis, strict=True)))
    square = fmpz_mat([[column[i] for column in basis] for i in rows])
    solved = square.solve(fmpz_mat(len(rows), 1, [wanted[i] for i in rows]))
    found = tuple(rational(v) for v in solved.entries())
    for i, value in enumerate(wanted):
        if sum((c * column[i] for c, column in zip(found, basis, strict=True)), _ZERO) != value:
            return None
    return tuple(scale * c for c in found)


def solve_square(rows: Sequence[Sequence[int]], sides: Sequence[Rational]) -> Vector | None:
    """The solution of a square system, ``None`` if it is singular."""
    if not rows:
        return ()
    wanted, scale = primitive(sides)
    try:
        solved = fmpz_mat([list(map(int, row)) for row in rows]).solve(
            fmpz_mat(len(rows), 1, list(wanted))
        )
    except ZeroDivisionError:
        return None
    return tuple(scale * rational(v) for v in solved.entries())


def kernel(columns: Sequence[Sequence[int]]) -> list[Column]:
    """A basis of all z with Σ z_k columns_k = 0."""
    if not columns:
        return []
    matrix, nullity = _matrix(columns).nullspace()
    table = matrix.tolist()
    found = []
    for m in range(nullity):
        values = [int(table[k][m]) for k in range(len(columns))]
        divisor = gcd(*values)
        found.append(tuple(v // divisor for v in values))
    return found


def combination(columns: Sequence[Sequence[int]], amounts: Sequence[Rational]) -> list[Rational]:
    """Σ amounts_k columns_k; empty without columns."""
    used = [(c, a) for c, a in zip(columns, amounts, strict=True) if a]
    height = len(columns[0]) if columns else 0
    return [sum((a * c[i] for c, a in used), _ZERO) for i in range(height)]


def rational(value: Any) -> Rational:
    """A rational of FLINT in the number type of the project."""
    return mpq(int(value.numerator), int(value.denominator))


def _matrix(columns: Sequence[Sequence[int]]) -> Any:
    return fmpz_mat([list(map(int, row)) for row in zip(*columns, strict=True)])


def _pivots(columns: Sequence[Sequence[int]]) -> list[int]:
    """The earliest columns that are independent modulo the prime."""
    height, width = len(columns[0]), len(columns)
    entries = [int(v) % PRIME for row in zip(*columns, strict=True) for v in row]
    reduced, rank = nmod_mat(height, width, entries, PRIME).rref()
    return _leading(reduced, rank, width)


def _leading(reduced: Any, rank: int, width: int) -> list[int]:
    """The columns of the leading entries of an echelon form."""
    found: list[int] = []
    column = 0
    for row in range(rank):
        while int(reduced[row, column]) == 0:
            column += 1
        found.append(column)
        column += 1
        if column >= width:
            break
    return found
