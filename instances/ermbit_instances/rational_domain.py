"""The domains ``rational {bits: B}``: the sets F_B of short rationals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import gcd
from typing import TYPE_CHECKING, Any

from gmpy2 import mpq

from ermbit_instances.domain import Domain
from ermbit_instances.rational import Rational, simplest_between

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class RationalDomain(Domain):
    """p/q in lowest terms with abs(p) < 2^bits and 1 ≤ q < 2^bits: the set F_B."""

    bits: int

    def __contains__(self, value: object) -> bool:
        return (
            isinstance(value, mpq)
            and value.numerator.bit_length() <= self.bits
            and value.denominator.bit_length() <= self.bits
        )

    @property
    def size(self) -> int:
        if self.bits > 16:
            # Counting takes 2^B steps; past what anything enumerates an upper bound serves.
            return 1 + 2 * ((1 << self.bits) - 1) ** 2
        return _farey_count(self.bits)

    @property
    def grid(self) -> int | None:
        return None

    @property
    def low(self) -> Rational:
        return mpq(1 - (1 << self.bits))

    @property
    def high(self) -> Rational:
        return mpq((1 << self.bits) - 1)

    def values(self) -> Iterator[Rational]:
        return iter(_bounded_rationals(self.bits))

    def below(self, bound: Rational) -> Rational | None:
        if bound < self.low:
            return None
        return _neighbour_below(min(bound, self.high), (1 << self.bits) - 1)

    def above(self, bound: Rational) -> Rational | None:
        mirrored = self.below(-bound)
        return None if mirrored is None else -mirrored

    def simplest(self, low: Rational, high: Rational) -> Rational | None:
        """A member of [low, high], or ``None`` if there is none (docs/theory.md C4)."""
        candidate = simplest_between(low, high)
        return candidate if candidate in self else None

    def outside(self, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        import numpy as np

        # v = odd · 2^shift with odd an integer below 2^53 (0 for v = 0).
        mantissa, exponent = np.frexp(array)
        whole = np.abs(np.ldexp(mantissa, 53)).astype(np.int64)
        power = np.maximum(whole & -whole, 1)
        odd = whole // power
        shift = exponent - 53 + np.frexp(power.astype(np.float64))[1] - 1
        # Bits of the numerator: those of v if v is an integer, else those of its odd part.
        bits = np.where(shift >= 0, exponent, np.frexp(odd.astype(np.float64))[1])
        longest = np.maximum(bits, 1 - shift)  # denominator 2^−shift, if that is more than 1
        result: np.ndarray[Any, Any] = np.logical_and(whole > 0, longest > self.bits)
        return result

    def canonical(self) -> dict[str, Any]:
        return {"domain": "rational", "bits": self.bits}


def _neighbour_below(bound: Rational, top: int) -> Rational:
    """Greatest p/q ≤ bound with abs(p), q ≤ top, for −top ≤ bound ≤ top."""
    if bound.denominator <= top and abs(bound.numerator) <= top:
        return bound
    if bound < 0:
        return -_neighbour_above(-bound, top)
    return _stern_brocot(bound, top)[0]


def _neighbour_above(bound: Rational, top: int) -> Rational:
    if bound.denominator <= top and abs(bound.numerator) <= top:
        return bound
    if bound < 0:
        return -_neighbour_below(-bound, top)
    return _stern_brocot(bound, top)[1]


def _stern_brocot(bound: Rational, top: int) -> tuple[Rational, Rational]:
    """Neighbours below and above of a positive non-member among p/q with p, q ≤ top.

    Walks the Stern–Brocot tree with the steps of each direction taken at once, so the number of
    rounds is that of a continued fraction. The upper neighbour may be the formal 1/0, which
    cannot happen for bound ≤ top.
    """
    a, b, c, d = 0, 1, 1, 0  # a/b < bound < c/d
    p, q = int(bound.numerator), int(bound.denominator)
    while True:
        # Move the left end right as far as it stays below the bound and inside the limits.
        k = (p * b - q * a - 1) // (q * c - p * d) if q * c > p * d else top
        k = max(k, 0)
        if c:
            k = min(k, (top - a) // c)
        if d:
            k = min(k, (top - b) // d)
        a, b = a + k * c, b + k * d
        # Then the right end left.
        m = (q * c - p * d - 1) // (p * b - q * a)
        m = max(m, 0)
        if a:
            m = min(m, (top - c) // a)
        m = min(m, (top - d) // b)
        c, d = c + m * a, d + m * b
        if k == 0 and m == 0:
            return mpq(a, b), mpq(c, d)


@cache
def _farey_count(bits: int) -> int:
    top = (1 << bits) - 1
    phi = list(range(top + 1))
    for p in range(2, top + 1):
        if phi[p] == p:
            for k in range(p, top + 1, p):
                phi[k] -= phi[k] // p
    # Coprime pairs with both entries ≤ top: twice the ordered ones below the diagonal, less (1,1).
    return 1 + 2 * (2 * sum(phi[1:]) - 1)


@cache
def _bounded_rationals(bits: int) -> tuple[Rational, ...]:
    top = (1 << bits) - 1
    positive = sorted(
        mpq(p, q) for q in range(1, top + 1) for p in range(1, top + 1) if gcd(p, q) == 1
    )
    return (*(-v for v in reversed(positive)), mpq(0), *positive)
