"""Matrices of integers of any size, in limbs of 20 bits, multiplied exactly by float64 products.

A matrix is Σ_k limbs[k] · 2^(20k). Two limbs below 2^20 in absolute value multiply to less than
2^40, so sums of 2^13 products are exact in float64 in any order (docs/theory.md E7), and a product
of matrices of p and q limbs is p·q fast float64 products. Numbers of more than 48 limbs are held
as one "limb" of Python integers (``object``), and multiplied by FLINT.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

LIMB = 20
MOST_LIMBS = 48
_MASK = (1 << LIMB) - 1
_INNER = 1 << (53 - 2 * LIMB)
_MOST_PRODUCTS = 256


@dataclass(frozen=True, slots=True)
class Integers:
    """A matrix of integers.

    Attributes:
        limbs: p × rows × columns, int64 with entries of at most 2^20 in absolute value, or
            1 × rows × columns of Python integers.
        bound: no entry of the matrix is larger in absolute value.
        normal: whether all limbs but the last are in 0 … 2^20 − 1, so that the last one tells the
            sign (always so for Python integers).
    """

    limbs: np.ndarray[Any, Any]
    bound: int
    normal: bool

    @property
    def is_object(self) -> bool:
        return bool(self.limbs.dtype == object)

    def columns(self, index: Any) -> Integers:
        return Integers(self.limbs[:, :, index], self.bound, self.normal)


def limb_count(bound: int) -> int:
    return max(1, -(-int(bound).bit_length() // LIMB))


def from_floats(array: np.ndarray[Any, Any], exponent: int) -> Integers:
    """array / 2^exponent, where that is an integer everywhere."""
    import numpy as np

    top = max(abs(float(array.max())), abs(float(array.min()))) if array.size else 0.0
    numerator, denominator = top.as_integer_ratio()
    bound = (numerator << max(-exponent, 0)) // (denominator << max(exponent, 0))
    count = limb_count(bound)
    if count > MOST_LIMBS:
        cells = [_shifted(v, exponent) for v in array.reshape(-1).tolist()]
        return from_list(cells, array.shape, bound)
    rest = np.ldexp(array, -exponent)
    limbs = np.empty((count, *array.shape), dtype=np.int64)
    for k in range(count - 1, 0, -1):
        # Truncation keeps the sign and leaves the low bits of the same float: no rounding.
        high = np.trunc(np.ldexp(rest, -LIMB * k))
        limbs[k] = high
        rest -= np.ldexp(high, LIMB * k)
    limbs[0] = rest
    return Integers(limbs, bound, count == 1)


def _shifted(value: float, exponent: int) -> int:
    numerator, denominator = value.as_integer_ratio()
    return (numerator << max(-exponent, 0)) // (denominator << max(exponent, 0))


def from_machine(array: np.ndarray[Any, Any]) -> Integers:
    """An integer or Boolean array."""
    import numpy as np

    if array.dtype == np.uint64:
        return from_list(array.reshape(-1).tolist(), array.shape)
    bound = max(abs(int(array.max())), abs(int(array.min()))) if array.size else 0
    return _carried(array.astype(np.int64)[None], bound)


def from_list(cells: Sequence[Any], shape: tuple[int, ...], bound: int | None = None) -> Integers:
    """A matrix of the integers of a list, in row order."""
    import numpy as np

    numbers = np.empty(len(cells), dtype=object)
    numbers[:] = [int(v) for v in cells]
    if bound is None:
        bound = max(map(abs, numbers.tolist()), default=0)
    return _packed(numbers.reshape(shape), bound)


def _packed(numbers: np.ndarray[Any, Any], bound: int) -> Integers:
    """Python integers, in limbs if they are short enough."""
    import numpy as np

    count = limb_count(bound)
    if count > MOST_LIMBS:
        return Integers(numbers[None], bound, True)
    limbs = np.empty((count, *numbers.shape), dtype=np.int64)
    for k in range(count - 1):
        limbs[k] = (numbers & _MASK).astype(np.int64)
        numbers = numbers >> LIMB
    limbs[count - 1] = numbers.astype(np.int64)
    return Integers(limbs, bound, True)


def to_objects(matrix: Integers) -> np.ndarray[Any, Any]:
    """The entries as Python integers: rows × columns, ``object``."""
    total: np.ndarray[Any, Any] = matrix.limbs[-1].astype(object)
    for limb in matrix.limbs[-2::-1]:
        total = (total << LIMB) + limb
    return total


def _carried(limbs: np.ndarray[Any, Any], bound: int) -> Integers:
    """Limbs of any int64 below 2^62 made normal, in as many limbs as the bound asks for."""
    import numpy as np

    count = limb_count(bound)
    if count > MOST_LIMBS:
        return Integers(to_objects(Integers(limbs, bound, False))[None], bound, True)
    total = max(count, len(limbs))
    result = np.zeros((total, *limbs.shape[1:]), dtype=np.int64)
    result[: len(limbs)] = limbs
    for k in range(total - 1):
        result[k + 1] += result[k] >> LIMB
        result[k] &= _MASK
    # What lies past the bound is the sign only: 0 or −1.
    for k in range(total - 1, count - 1, -1):
        result[k - 1] += result[k] << LIMB
    return Integers(result[:count], bound, True)


def normal(matrix: Integers) -> Integers:
    return matrix if matrix.normal else _carried(matrix.limbs, matrix.bound)


def at_least(matrix: Integers, threshold: int) -> np.ndarray[Any, Any]:
    """Where entries are ≥ the threshold."""
    import numpy as np

    shape = matrix.limbs.shape[1:]
    if threshold > matrix.bound or threshold <= -matrix.bound:
        return np.full(shape, threshold <= -matrix.bound)
    if matrix.is_object:
        return np.asarray(matrix.limbs[0] >= threshold, dtype=bool)
    if threshold == 0:
        sign: np.ndarray[Any, Any] = normal(matrix).limbs[-1] >= 0
        return sign
    return at_least(affine(matrix, 1, [-threshold]), 0)


def affine(matrix: Integers, factor: int, offsets: Sequence[int]) -> Integers:
    """factor · matrix + offset, with one offset for all columns or one a column."""
    import numpy as np

    bound = abs(factor) * matrix.bound + max((abs(c) for c in offsets), default=0)
    if factor == 1 and not any(offsets):
        return normal(matrix)
    if matrix.is_object or limb_count(bound) > MOST_LIMBS:
        row = np.empty(len(offsets), dtype=object)
        row[:] = list(offsets)
        return _packed(to_objects(matrix) * factor + row, bound)
    parts = _digits(factor)
    count = max(limb_count(bound), len(matrix.limbs) + len(parts))
    limbs = np.zeros((count, *matrix.limbs.shape[1:]), dtype=np.int64)
    for i, limb in enumerate(matrix.limbs):
        for j, part in enumerate(parts):
            if part:
                limbs[i + j] += limb * part
    for column, offset in enumerate(offsets):
        where = slice(None) if len(offsets) == 1 else column
        for k, part in enumerate(_digits(offset)):
            if part:
                limbs[k, :, where] += part
    return _carried(limbs, bound)


def _digits(value: int) -> list[int]:
    sign, rest, digits = (-1 if value < 0 else 1), abs(int(value)), []
    while rest:
        digits.append(sign * (rest & _MASK))
        rest >>= LIMB
    return digits


def product(a: Integers, w: Integers, row_sum: int, *, floats: bool) -> Integers:
    """a · wᵀ: rows × units.

    Args:
        a: rows × fan-in.
        w: units × fan-in.
        row_sum: largest sum of absolute values of a row of w.
        floats: whether float64 products may be used (``float_check``); otherwise int64 ones.
    """
    import numpy as np

    bound = a.bound * row_sum
    p, q = len(a.limbs), len(w.limbs)
    shape = (a.limbs.shape[1], w.limbs.shape[1])
    blocks = -(-a.limbs.shape[2] // _INNER)
    # Each of the sums below 2^53 that meet in one limb adds to it: 2^62 is the end.
    short = p * q <= _MOST_PRODUCTS and min(p, q) * blocks <= 512
    if a.is_object or w.is_object or not short or limb_count(bound) > MOST_LIMBS:
        return _packed(_flint_product(a, w), bound)
    limbs = np.zeros((p + q, *shape), dtype=np.int64)
    kind = np.float64 if floats else np.int64
    for start in range(0, a.limbs.shape[2], _INNER):
        part = slice(start, start + _INNER)
        right = [limb[:, part].astype(kind).T for limb in w.limbs]
        for i in range(p):
            left = a.limbs[i][:, part].astype(kind)
            for j in range(q):
                limbs[i + j] += (left @ right[j]).astype(np.int64)
    return _carried(limbs, bound)


def _flint_product(a: Integers, w: Integers) -> np.ndarray[Any, Any]:
    import numpy as np
    from flint import fmpz_mat

    left, right = to_objects(a), to_objects(w).T
    result = np.zeros((left.shape[0], right.shape[1]), dtype=object)
    if left.size and right.size:
        a_flint, w_flint = fmpz_mat(left.tolist()), fmpz_mat(right.tolist())
        result.reshape(-1)[:] = [int(v) for v in (a_flint * w_flint).entries()]
    return result


def elementwise(a: Integers, b: Integers) -> Integers:
    """Products of entries: rows × columns; ``b`` may have one row for all."""
    import numpy as np

    bound = a.bound * b.bound
    if a.is_object or b.is_object or limb_count(bound) > MOST_LIMBS:
        return _packed(to_objects(a) * to_objects(b), bound)
    limbs = np.zeros((len(a.limbs) + len(b.limbs), *a.limbs.shape[1:]), dtype=np.int64)
    # At most 48 products of 40 bits meet in one limb.
    for i, left in enumerate(a.limbs):
        for j, right in enumerate(b.limbs):
            limbs[i + j] += left * right
    return _carried(limbs, bound)


def row_maximum(a: Integers, weights: Integers) -> Integers:
    """max_k a_k · w_k for every row of a: rows × 1.

    Args:
        a: rows × fan-in, at least one column.
        weights: 1 × fan-in.
    """
    import numpy as np

    rest = elementwise(a, weights)
    bound = rest.bound
    if rest.is_object:
        return _packed(rest.limbs[0].max(axis=1)[:, None], bound)
    while (width := rest.limbs.shape[2]) > 1:
        # A knockout: the left half against the right half; an odd column waits.
        half = width // 2
        left, right = rest.limbs[:, :, :half], rest.limbs[:, :, half : 2 * half]
        wins = _carried(left - right, 2 * bound).limbs[-1] >= 0
        best = np.where(wins, left, right)
        rest = Integers(np.concatenate([best, rest.limbs[:, :, 2 * half :]], axis=2), bound, True)
    return rest


def select(mask: np.ndarray[Any, Any], yes: Integers, no: Integers) -> Integers:
    """Entries of ``yes`` where the mask is set, of ``no`` elsewhere."""
    import numpy as np

    bound = max(yes.bound, no.bound)
    if yes.is_object or no.is_object:
        return _packed(np.where(mask, to_objects(yes), to_objects(no)), bound)
    both = [_carried(normal(m).limbs, bound).limbs for m in (yes, no)]
    return Integers(np.where(mask, both[0], both[1]), bound, True)


def tight(matrix: Integers) -> Integers:
    """The same matrix with a bound of as many bits as its largest entry has."""
    import numpy as np

    if matrix.is_object:
        cells = matrix.limbs[0].reshape(-1).tolist()
        return _packed(matrix.limbs[0], max(map(abs, cells), default=0))
    plus = normal(matrix)
    minus = _carried(-plus.limbs, plus.bound)
    bound = 0
    for limbs in (plus.limbs, minus.limbs):
        upper = np.ones(limbs.shape[1:], dtype=bool)
        for k in range(len(limbs) - 1, -1, -1):
            top = int(np.where(upper, limbs[k], 0).max(initial=0))
            if top > 0:
                bound = max(bound, ((top + 1) << (LIMB * k)) - 1)
                break
            upper &= limbs[k] == 0
    bound = min(bound, plus.bound)
    return _carried(plus.limbs, bound)
