"""All ways in which one real threshold unit can split the samples, and weights for each way.

A unit is on where u·x̂_i ≥ 0. Take u in coordinates in which the rows x̂_i span everything. If
u ≠ 0, the face of the arrangement that holds u has a ray Y in its closure, and on the rows with
Y·x̂_i ≠ 0 the sides of u are those of Y. On the other rows u is one of the dichotomies of these rows
alone, which span a smaller space. So all dichotomies follow from the rays by recursion, also where
rows are parallel, opposite or otherwise degenerate (docs/theory.md D2, D3). Conversely M·Y + z has
the sides of Y there and those of z elsewhere, for M large enough: this gives the weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from math import gcd
from typing import Any

import numpy as np
from gmpy2 import mpq
from numpy.typing import NDArray

from ermbit.engines.cells.rays import Basis, Ints, basis, ray_count, rays
from ermbit_instances.rational import Rational

Sides = NDArray[np.bool_]

_ZERO = mpq(0)


@dataclass(frozen=True)
class Arrangement:
    """The rows of one unit and its dichotomies.

    Attributes:
        coordinates: of the weights, the factor of the fixed part first if there is one.
        fixed: whether there is a fixed part; its factor has to be positive.
        patterns: P × N, distinct, which samples are on.
    """

    coordinates: Basis
    fixed: bool
    width: int
    patterns: Sides

    def weights(self, pattern: Sequence[bool]) -> tuple[Rational, ...]:
        """Free weights with a dichotomy.

        Args:
            pattern: one of ``patterns``.
        """
        wanted = np.array([*pattern, False] if self.fixed else [*pattern], dtype=bool)
        point = _witness(_array(self.coordinates.rows), wanted)
        full = self.coordinates.weights([mpq(v) for v in point], self.width)
        if not self.fixed:
            return full
        return tuple(v / full[0] for v in full[1:])


def pattern_bound(columns: Sequence[Sequence[Rational]], constants: Sequence[Rational]) -> int:
    """How many candidates :func:`arrangement` goes through at most, about."""
    coordinates, _ = _coordinates(columns, constants)
    rank = coordinates.rank
    count = ray_count(len(coordinates.hyperplanes()), rank) << max(0, rank - 1)
    return int(max(1, count))


def arrangement_size(
    columns: Sequence[Sequence[Rational]], constants: Sequence[Rational]
) -> tuple[int, int]:
    """Number of different hyperplanes, and the dimension of the weights that matter."""
    coordinates, _ = _coordinates(columns, constants)
    return len(coordinates.hyperplanes()), coordinates.rank


def arrangement(
    columns: Sequence[Sequence[Rational]],
    constants: Sequence[Rational],
    check: Callable[[], None],
) -> Arrangement:
    """All dichotomies {i: Σ_k w_k columns_k,i + constants_i ≥ 0} over real w.

    Args:
        columns: what each free weight multiplies, a number a sample.
        constants: the fixed part, a number a sample.
        check: called now and then; may raise.
    """
    coordinates, fixed = _coordinates(columns, constants)
    found = _patterns(_array(coordinates.rows), check)
    if fixed:
        # The last row is minus the factor of the fixed part: off means that it is positive.
        found = found[~found[:, -1], :-1]
    return Arrangement(coordinates, fixed, len(columns) + fixed, _distinct(found))


def _coordinates(
    columns: Sequence[Sequence[Rational]], constants: Sequence[Rational]
) -> tuple[Basis, bool]:
    if not any(constants):
        if columns:
            return basis(columns), False
        return Basis((), (), ((),) * len(constants)), False
    extended = [[*constants, mpq(-1)], *([*column, _ZERO] for column in columns)]
    return basis(extended), True


def _array(rows: Sequence[Sequence[int]]) -> Ints:
    """Rows as Python integers: the recursion goes to few and short ones."""
    width = len(rows[0]) if rows else 0
    array = np.empty((len(rows), width), dtype=object)
    for i, row in enumerate(rows):
        array[i, :] = row
    return array


def _distinct(patterns: Sides) -> Sides:
    """Each row once."""
    if len(patterns) < 2:
        return patterns
    packed = np.packbits(patterns, axis=1)
    _, first = np.unique(packed, axis=0, return_index=True)
    return patterns[np.sort(first)]


def _patterns(rows: Ints, check: Callable[[], None]) -> Sides:
    """All dichotomies of integer rows that span the space of their coordinates."""
    count, rank = rows.shape
    found = [np.ones((1, count), dtype=bool)]
    if rank == 0:
        return found[0]
    directions, at = _normals(rows)
    if len(directions) == rank:
        return _independent(at)
    local: dict[bytes, Sides] = {}
    for ray, values in _rays(directions, rows):
        del ray
        zero = values == 0
        key = zero.tobytes()
        if key not in local:
            check()
            local[key] = _patterns(_reduced(rows[zero]), check)
        inner = local[key]
        made = np.empty((len(inner), count), dtype=bool)
        made[:] = values > 0
        made[:, zero] = inner
        found.append(made)
    return _distinct(np.concatenate(found))


def _normals(rows: Ints) -> tuple[list[tuple[int, ...]], list[tuple[int, int]]]:
    """Distinct directions up to sign; of each row its direction (−1 for zero) and its sign."""
    known: dict[tuple[int, ...], int] = {}
    at = []
    for row in rows.tolist():
        divisor = gcd(*row)
        if not divisor:
            at.append((-1, 0))
            continue
        sign = 1 if next(v for v in row if v) > 0 else -1
        direction = tuple(sign * v // divisor for v in row)
        at.append((known.setdefault(direction, len(known)), sign))
    return list(known), at


def _independent(at: Sequence[tuple[int, int]]) -> Sides:
    """The dichotomies of rows along independent directions: every one takes any side."""
    signs = {k: {s for j, s in at if j == k} for k, _ in at if k >= 0}
    # On the hyperplane itself all are on: that differs from a side only for opposite rows.
    sides = [(1, -1, 0) if len(signs[k]) == 2 else (1, -1) for k in sorted(signs)]
    made = [
        [k < 0 or choice[k] * sign >= 0 for k, sign in at] for choice in product(*sides)
    ]
    return np.array(made, dtype=bool).reshape(len(made), len(at))


def _rays(directions: Sequence[tuple[int, ...]], rows: Ints) -> list[tuple[Any, Any]]:
    """All rays with their products with the rows."""
    found = rays(directions, rows.shape[1]).astype(object)
    products = found @ rows.T
    return list(zip(found, products, strict=True))


def _reduced(rows: Ints) -> Ints:
    """The same rows in coordinates that they span."""
    return _array(_reduced_basis(rows).rows)


def _reduced_basis(rows: Ints) -> Basis:
    return basis([[mpq(v) for v in column] for column in rows.T.tolist()])


def _witness(rows: Ints, wanted: Sides) -> list[Rational]:
    """u with u·row ≥ 0 exactly where wanted."""
    rank = rows.shape[1]
    if rank == 0 or wanted.all():
        return [_ZERO] * rank
    directions, _ = _normals(rows)
    for ray, values in _rays(directions, rows):
        zero = values == 0
        if ((values > 0) != wanted)[~zero].any():
            continue
        inner = _reduced_basis(rows[zero])
        z = inner.weights(_witness(_array(inner.rows), wanted[zero]), rank)
        offsets = [abs(sum((a * v for a, v in zip(z, row, strict=True)), _ZERO)) for row in rows]
        sizes = [abs(int(v)) for v in values]
        factor = max((o / s for o, s in zip(offsets, sizes, strict=True) if s), default=_ZERO) + 1
        return [factor * int(y) + v for y, v in zip(ray, z, strict=True)]
    raise ValueError("no weights have this dichotomy")
