"""Exact weighted sums of float64 numbers and of rationals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gmpy2 import mpq, mpz

from ermbit_instances.rational import Rational

if TYPE_CHECKING:
    import numpy as np

_FEW_WEIGHTS = 16


def exact_sum(array: np.ndarray[Any, Any]) -> Rational:
    """The sum of finite float64 numbers, without rounding (fewer than 2^35 of them)."""
    import numpy as np

    mantissa, exponent = np.frexp(array[array != 0])
    whole = np.ldexp(mantissa, 53).astype(np.int64)
    total = mpq(0)
    for e in np.unique(exponent).tolist():
        same = whole[exponent == e]
        # Halves of 27 bits, so that int64 cannot overflow.
        number = (mpz(int((same >> 27).sum())) << 27) + int((same & ((1 << 27) - 1)).sum())
        shift = e - 53
        total += mpq(number << shift) if shift >= 0 else mpq(number, mpz(1) << -shift)
    return total


def weighted_sum(array: np.ndarray[Any, Any], weights: Sequence[Rational] | None) -> Rational:
    """Σ w_i · array_i, without rounding; all weights 1 for ``None``."""
    import numpy as np

    if weights is None:
        return exact_sum(array)
    number_of: dict[Rational, int] = {}
    groups = np.array([number_of.setdefault(w, len(number_of)) for w in weights])
    if len(number_of) <= _FEW_WEIGHTS:
        return sum((w * exact_sum(array[groups == g]) for w, g in number_of.items()), mpq(0))
    terms = [w * mpq(v) for w, v in zip(weights, array.tolist(), strict=True) if v]
    return balanced_sum(terms)


def balanced_sum(terms: Sequence[Rational]) -> Rational:
    """Σ terms, pairwise: long denominators meet only at the end."""
    rest = list(terms)
    while len(rest) > 1:
        paired = [a + b for a, b in zip(rest[::2], rest[1::2], strict=False)]
        rest = paired + rest[2 * len(paired) :]
    return rest[0] if rest else mpq(0)
