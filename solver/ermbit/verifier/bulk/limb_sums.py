"""Sums, masks and inner products of matrices of integers in limbs, for exact backpropagation."""

from __future__ import annotations

from collections.abc import Sequence
from math import lcm
from typing import TYPE_CHECKING, Any

from ermbit.verifier.bulk.exact_matrix import Scaled
from ermbit.verifier.bulk.limbs import LIMB, Integers, affine, from_list, normal, to_objects

if TYPE_CHECKING:
    import numpy as np

_MASK = (1 << LIMB) - 1
_MOST_TERMS = 1 << (62 - 2 * LIMB)
"""So many products of two limbs sum up below 2^62."""


def transposed(matrix: Integers) -> Integers:
    return Integers(matrix.limbs.transpose(0, 2, 1), matrix.bound, matrix.normal)


def equal_to(matrix: Integers, value: int) -> np.ndarray[Any, Any]:
    """Where entries are equal to a value: a Boolean array."""
    import numpy as np

    shape = matrix.limbs.shape[1:]
    if abs(value) > matrix.bound:
        return np.zeros(shape, dtype=bool)
    if matrix.is_object:
        return np.asarray(matrix.limbs[0] == value, dtype=bool)
    limbs, found = normal(matrix).limbs, np.ones(shape, dtype=bool)
    # Limbs are unique: all but the last are digits, and the last has the sign.
    for limb in limbs[:-1]:
        found &= limb == value & _MASK
        value >>= LIMB
    found &= limbs[-1] == value
    return found


def masked(matrix: Integers, mask: np.ndarray[Any, Any]) -> Integers:
    """The entries where the mask is set, 0 elsewhere."""
    import numpy as np

    plain = normal(matrix)
    return Integers(np.where(mask, plain.limbs, 0), plain.bound, True)


def scaled_rows(matrix: Integers, factors: Sequence[int]) -> Integers:
    """Row i times factor i."""
    import numpy as np

    if len(set(factors)) == 1:
        return affine(matrix, factors[0], [0])
    column = np.empty((len(factors), 1), dtype=object)
    column[:, 0] = list(factors)
    cells = to_objects(matrix) * column
    return from_list(cells.reshape(-1).tolist(), cells.shape)


def total(parts: Sequence[Scaled]) -> Scaled:
    """The sum of matrices of one shape (at most 2^40 of them), over their common denominator."""
    import numpy as np

    denominator = lcm(*(part.denominator for part in parts))
    same = [affine(p.integers, denominator // p.denominator, [0]) for p in parts]
    if len(same) == 1:
        return Scaled(same[0], denominator)
    bound = sum(m.bound for m in same)
    if any(m.is_object for m in same):
        cells = sum(map(to_objects, same[1:]), to_objects(same[0]))
        return Scaled(from_list(cells.reshape(-1).tolist(), cells.shape, bound), denominator)
    limbs = np.zeros((max(len(m.limbs) for m in same), *same[0].limbs.shape[1:]), dtype=np.int64)
    for m in same:
        limbs[: len(m.limbs)] += m.limbs
    return Scaled(normal(Integers(limbs, bound, False)), denominator)


def scattered(matrix: Integers, columns: slice | np.ndarray[Any, Any], width: int) -> Integers:
    """A matrix of so many columns: column k of the given one is added to number ``columns[k]``."""
    import numpy as np

    at = np.arange(width)[columns]
    if np.array_equal(at, np.arange(width)):
        return matrix
    shape = (*matrix.limbs.shape[:2], width)
    limbs = np.zeros(shape, dtype=matrix.limbs.dtype)
    most = int(np.bincount(at, minlength=1).max())
    if most <= 1:
        limbs[:, :, at] = matrix.limbs
        return Integers(limbs, matrix.bound, matrix.normal)
    # Columns may occur several times; the ufunc adds all of them.
    np.add.at(np.moveaxis(limbs, 2, 0), at, np.moveaxis(matrix.limbs, 2, 0))
    if matrix.is_object:
        return Integers(limbs, matrix.bound * most, True)
    return normal(Integers(limbs, matrix.bound * most, False))


def column_sums(matrix: Integers) -> Integers:
    """The sum of all rows: 1 × columns (fewer than 2^40 rows)."""
    bound = matrix.bound * max(1, matrix.limbs.shape[1])
    limbs = matrix.limbs.sum(axis=1, keepdims=True)
    return (
        Integers(limbs, bound, True) if matrix.is_object else normal(Integers(limbs, bound, False))
    )


def inner(a: Integers, b: Integers) -> int:
    """Σ a_ij · b_ij."""
    import numpy as np

    if a.is_object or b.is_object:
        return int((to_objects(a) * to_objects(b)).sum())
    left, right = (m.limbs.reshape(len(m.limbs), -1) for m in (a, b))
    found = 0
    for start in range(0, left.shape[1], _MOST_TERMS):
        part = slice(start, start + _MOST_TERMS)
        for i, u in enumerate(left):
            for j, v in enumerate(right):
                found += int(np.dot(u[part], v[part])) << (LIMB * (i + j))
    return found
