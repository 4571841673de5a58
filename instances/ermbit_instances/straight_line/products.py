"""Exact products from any polynomial of degree d ≥ 2, by finite differences.

Let σ(t) = Σ c_i t^i. The (d−2)-nd difference

    Q(u) = Σ_{j=0}^{d−2} (−1)^{d−2−j} binom(d−2, j) σ(u + j) = A u² + B u + C,   A = c_d · d!/2,

since a difference lowers the degree by one and multiplies the leading coefficient by the degree.
So ab = (Q(a+b) − Q(a−b) − 2B b) / 4A and a² = (Q(a) − Q(0) − B a) / A (docs/reductions.md 7).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

from gmpy2 import mpq

from ermbit_instances import limits
from ermbit_instances.errors import UsageError
from ermbit_instances.rational import Rational, as_rational, write_rational

SQUARE: tuple[Rational, ...] = (mpq(0), mpq(0), mpq(1))


@dataclass(frozen=True)
class Quadratic:
    """A quadratic polynomial as a combination of shifted copies of an activation.

    Attributes:
        coefficients: c_0, …, c_d of the activation σ, c_d ≠ 0, d ≥ 2.
        weights: Q(u) = Σ_j weights[j] σ(u + j), j = 0..d−2.
        a, b, c: Q(u) = a u² + b u + c, a ≠ 0.
    """

    coefficients: tuple[Rational, ...]
    weights: tuple[int, ...]
    a: Rational
    b: Rational
    c: Rational

    @property
    def degree(self) -> int:
        return len(self.coefficients) - 1

    @property
    def vanishes_at_zero(self) -> bool:
        """Whether σ(0) = 0."""
        return bool(self.coefficients[0] == 0)


def quadratic(polynomial: Sequence[Rational]) -> Quadratic:
    """The quadratic that a polynomial of degree d ≥ 2, as :func:`read_polynomial` gives it, makes.

    Q's coefficient of u^i is Σ_j weights[j] Σ_{m≥i} c_m binom(m, i) j^{m−i}.
    """
    coefficients = tuple(polynomial)
    d = len(coefficients) - 1
    weights = tuple((-1) ** (d - 2 - j) * comb(d - 2, j) for j in range(d - 1))
    c, b, a = (
        sum(
            (
                w * coefficients[m] * comb(m, i) * j ** (m - i)
                for j, w in enumerate(weights)
                for m in range(i, d + 1)
            ),
            mpq(0),
        )
        for i in range(3)
    )
    return Quadratic(coefficients, weights, a, b, c)


def read_polynomial(polynomial: str | Sequence[object]) -> tuple[Rational, ...]:
    """Coefficients c_0, c_1, … of an activation, from a list or a text such as ``"0,0,1"``.

    Leading zeros are dropped.

    Raises:
        UsageError: a coefficient is not an exact number, or the degree is below 2 or past the
            limit.
    """
    parts: Sequence[object]
    parts = (
        [p.strip() for p in polynomial.split(",")] if isinstance(polynomial, str) else polynomial
    )
    if len(parts) > limits.DEGREE.value + 1:
        raise UsageError(f"polynomial: degree past the limit of {limits.DEGREE.value}")
    try:
        coefficients = [as_rational(part) for part in parts]
    except (TypeError, ValueError) as error:
        raise UsageError(f"polynomial: {error}") from None
    while coefficients and coefficients[-1] == 0:
        coefficients.pop()
    if len(coefficients) < 3:
        raise UsageError("polynomial: a degree of at least 2 is needed (coefficients c0,c1,c2,...)")
    return tuple(coefficients)


def activation_document(polynomial: Sequence[Rational]) -> Any:
    """The activation of an instance file: ``square``, or its coefficients."""
    if tuple(polynomial) == SQUARE:
        return "square"
    return {"name": "polynomial", "coefficients": [write_rational(c) for c in polynomial]}
