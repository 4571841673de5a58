"""Intervals of binary floating-point numbers, rounded outwards, with a gap around zero.

Weights that are not 0 keep large signals large, whatever their sign. So besides its ends an
enclosure knows the least absolute value: v ∈ [low, high] and |v| ≥ gap. Numbers are those of MPFR,
every operation is rounded towards the outside, so what an enclosure says is proved. Exponents reach
2^30, past the numbers of all forms but monstrous ones; there an upper end becomes infinite and a
lower one stays the largest number, which is right too. All ends are integers, so none underflows.

Operators of ``gmpy2`` round to its current context and are not used here, comparisons are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import gmpy2
from gmpy2 import mpfr

Enclosure: TypeAlias = tuple[Any, Any, Any]
"""(low, high, gap), three ``mpfr`` numbers, gap ≥ 0."""

_ZERO = mpfr(0)
ZERO: Enclosure = (_ZERO, _ZERO, _ZERO)


class Intervals:
    """Arithmetic of one precision.

    Args:
        precision: bits of the ends.
    """

    def __init__(self, precision: int) -> None:
        self.precision = precision
        self.down = gmpy2.context(precision=precision, round=gmpy2.RoundDown)
        self.up = gmpy2.context(precision=precision, round=gmpy2.RoundUp)

    def between(self, low: Any, high: Any, gap: Any = 0) -> Enclosure:
        """From integers."""
        p = self.precision
        return _tight(
            mpfr(low, p, self.down),
            mpfr(high, p, self.up),
            mpfr(gap, p, self.down),
            self.down,
        )

    def integer(self, value: Any) -> Enclosure:
        """Of one integer."""
        return self.between(value, value)

    def add(self, a: Enclosure, b: Enclosure) -> Enclosure:
        """Sum of two numbers."""
        low, high = self.down.add(a[0], b[0]), self.up.add(a[1], b[1])
        gap = _ZERO
        # The larger one prevails: |v + w| ≥ |v| − |w|.
        if a[2]:
            gap = self.down.sub(a[2], self.magnitude(b))
        if b[2]:
            other = self.down.sub(b[2], self.magnitude(a))
            if other > gap:
                gap = other
        return _tight(low, high, gap if gap > 0 else _ZERO, self.down)

    def total(self, parts: Sequence[Enclosure]) -> Enclosure:
        """Sum of any number of them."""
        if not parts:
            return ZERO
        result = parts[0]
        for part in parts[1:]:
            result = self.add(result, part)
        return result

    def multiply(self, a: Enclosure, b: Enclosure) -> Enclosure:
        """Product of two numbers that may have nothing to do with each other."""
        down, up = self.down.mul, self.up.mul
        if b[0] < 0 <= a[0]:
            a, b = b, a
        (low1, high1, gap1), (low2, high2, gap2) = a, b
        if low2 >= 0:
            low = down(low1, low2 if low1 >= 0 else high2)
            high = up(high1, high2 if high1 >= 0 else low2)
        else:
            ends = ((low1, low2), (low1, high2), (high1, low2), (high1, high2))
            low = min(down(x, y) for x, y in ends)
            high = max(up(x, y) for x, y in ends)
        gap = down(gap1, gap2) if gap1 and gap2 else _ZERO
        return _tight(low, high, gap, self.down)

    def power(self, a: Enclosure, k: int) -> Enclosure:
        """k-th power, k ≥ 1."""
        if k == 1:
            return a
        low, high, gap = a
        gap = self._power(gap, k, self.down)
        if k % 2 == 0:
            return gap, self._power(self.magnitude(a), k, self.up), gap
        least = (
            self._power(low, k, self.down)
            if low >= 0
            else self.down.minus(self._power(self.down.minus(low), k, self.up))
        )
        most = (
            self._power(high, k, self.up)
            if high >= 0
            else self.up.minus(self._power(self.up.minus(high), k, self.down))
        )
        return least, most, gap

    def magnitude(self, a: Enclosure) -> Any:
        """The largest absolute value."""
        low, high = a[0], a[1]
        if low >= 0:
            return high
        low = self.down.minus(low)  # exact: of the same precision
        return low if low > high else high

    @staticmethod
    def _power(base: Any, k: int, context: Any) -> Any:
        """Of a number ≥ 0, every step rounded to the same side."""
        result = base
        for _ in range(k - 1):
            result = context.mul(result, base)
        return result


def union(a: Enclosure, b: Enclosure) -> Enclosure:
    """Numbers that lie in one of two enclosures."""
    return min(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2])


def _tight(low: Any, high: Any, gap: Any, context: Any) -> Enclosure:
    """The ends and the gap tell of each other."""
    if low > 0:
        if low < gap:
            low = gap
        return low, high, low
    if high < 0:
        least = context.minus(high)
        if least < gap:
            least, high = gap, context.minus(gap)
        return low, high, least
    if gap > 0:
        if context.minus(gap) < low:
            return gap, high, gap
        if high < gap:
            return low, context.minus(gap), gap
    return low, high, gap


def is_point(a: Enclosure) -> bool:
    """Whether there is one such number only."""
    return bool(a[0] == a[1])
