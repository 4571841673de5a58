"""Polynomials Σ c_k t^k as the peers need them: values, ranges, powers by products."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

LISTED = 2_000
"""A polynomial is evaluated at all integers of an interval of at most this width."""

Number = int | Fraction


def value(coefficients: Sequence[Number], t: Number) -> Number:
    """The polynomial at t."""
    result: Number = 0
    for c in reversed(coefficients):
        result = result * t + c
    return result


def power_range(degree: int, low: Number, high: Number) -> tuple[Number, Number]:
    """The range of t^degree on [low, high]."""
    ends = sorted((low**degree, high**degree))
    if degree % 2 == 0 and degree > 0 and low <= 0 <= high:
        return 0, ends[1]
    return ends[0], ends[1]


def value_range(
    coefficients: Sequence[Number], low: Number, high: Number, *, integral: bool
) -> tuple[Number, Number]:
    """The range on [low, high]; exact for single powers, and at few integers; else a hull."""
    terms = [k for k, c in enumerate(coefficients) if c and k]
    if len(terms) > 1 and integral and high - low <= LISTED:
        found = [value(coefficients, t) for t in range(int(low), int(high) + 1)]
        return min(found), max(found)
    least = most = coefficients[0]
    for k in terms:
        ends = sorted(coefficients[k] * v for v in power_range(k, low, high))
        least, most = least + ends[0], most + ends[1]
    return least, most


def is_even(coefficients: Sequence[Number]) -> bool:
    """Whether φ(−t) = φ(t)."""
    return not any(coefficients[1::2])


def is_odd(coefficients: Sequence[Number]) -> bool:
    """Whether φ(−t) = −φ(t)."""
    return not any(coefficients[0::2])


def is_power(coefficients: Sequence[Number]) -> bool:
    """Whether only the highest coefficient is not 0, and that is 1."""
    return not any(coefficients[:-1]) and coefficients[-1] == 1


def terms(
    coefficients: Sequence[Number], t: Any, product: Callable[[int, Any, Any], Any]
) -> list[tuple[Number, Any]]:
    """(c_k, t^k) for all k ≥ 1 with c_k ≠ 0; every power that is needed by one product.

    Args:
        product: of an exponent and two factors, the term or variable of their product.
    """
    known: dict[int, Any] = {1: t}

    def power(k: int) -> Any:
        if k not in known:
            known[k] = product(k, power(k // 2), power(k - k // 2))
        return known[k]

    return [(c, power(k)) for k, c in enumerate(coefficients) if k and c]
