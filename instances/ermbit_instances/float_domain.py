"""The domains ``float``: finite values of binary floating-point formats."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gmpy2 import mpq

from ermbit_instances.domain import Domain
from ermbit_instances.rational import Rational, ceil, floor

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class FloatFormat:
    """A binary floating-point format; values are those of its finite encodings.

    Attributes:
        mantissa: stored mantissa bits.
        least: exponent of the least subnormal: values are multiples of 2^least.
        top: largest biased exponent that encodes finite numbers.
        top_mantissa: largest stored mantissa at that exponent (e4m3 "FN" gives up one for NaN).
    """

    name: str
    mantissa: int
    least: int
    top: int
    top_mantissa: int

    @property
    def maximum_integer(self) -> int:
        """Largest value in units of 2^least."""
        return ((1 << self.mantissa) + self.top_mantissa) << (self.top - 1)


FLOAT_FORMATS: dict[str, FloatFormat] = {
    f.name: f
    for f in (
        FloatFormat("fp8_e4m3", 3, -9, 15, 6),
        FloatFormat("fp8_e5m2", 2, -16, 30, 3),
        FloatFormat("float16", 10, -24, 30, 1023),
        FloatFormat("bfloat16", 7, -133, 254, 127),
        FloatFormat("float32", 23, -149, 254, 2**23 - 1),
    )
}


@dataclass(frozen=True)
class FloatDomain(Domain):
    """The finite values of a floating-point format; +0 and −0 are one value."""

    format: FloatFormat

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, mpq):
            return False
        k = abs(value) * (1 << -self.format.least)
        if k.denominator != 1 or k > self.format.maximum_integer:
            return False
        return bool(self._round_down(int(k.numerator)) == k)

    def _round_down(self, k: int) -> int:
        """Greatest non-negative value ≤ k, both in units of 2^least, k ≥ 0."""
        k = min(k, self.format.maximum_integer)
        drop = max(k.bit_length() - self.format.mantissa - 1, 0)
        return (k >> drop) << drop

    def _round_up(self, k: int) -> int | None:
        down = self._round_down(k)
        if down == k:
            return k
        drop = max(k.bit_length() - self.format.mantissa - 1, 0)
        up = down + (1 << drop)
        return up if up <= self.format.maximum_integer else None

    @property
    def size(self) -> int:
        f = self.format
        return 2 * ((f.top << f.mantissa) + f.top_mantissa) + 1

    @property
    def grid(self) -> int:
        return 1 << -self.format.least

    @property
    def low(self) -> Rational:
        return -self.high

    @property
    def high(self) -> Rational:
        return mpq(self.format.maximum_integer, self.grid)

    def _positive(self) -> Iterator[int]:
        f = self.format
        for code in range(1, (f.top << f.mantissa) + f.top_mantissa + 1):
            exponent, fraction = code >> f.mantissa, code & ((1 << f.mantissa) - 1)
            if exponent == 0:
                yield fraction
            else:
                yield ((1 << f.mantissa) + fraction) << (exponent - 1)

    def _negative(self) -> Iterator[int]:
        f = self.format
        for code in range((f.top << f.mantissa) + f.top_mantissa, 0, -1):
            exponent, fraction = code >> f.mantissa, code & ((1 << f.mantissa) - 1)
            if exponent == 0:
                yield -fraction
            else:
                yield -(((1 << f.mantissa) + fraction) << (exponent - 1))

    def values(self) -> Iterator[Rational]:
        grid = self.grid
        for k in self._negative():
            yield mpq(k, grid)
        yield mpq(0)
        for k in self._positive():
            yield mpq(k, grid)

    def below(self, bound: Rational) -> Rational | None:
        if bound >= 0:
            return mpq(self._round_down(floor(bound * self.grid)), self.grid)
        up = self._round_up(ceil(-bound * self.grid))
        return None if up is None else mpq(-up, self.grid)

    def above(self, bound: Rational) -> Rational | None:
        mirrored = self.below(-bound)
        return None if mirrored is None else -mirrored

    def outside(self, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        import numpy as np

        # A float v with 2^(e−1) ≤ |v| < 2^e is a member iff it is a multiple of the format's last
        # place there, 2^(e − mantissa − 1) or 2^least if that is more, and not too large. Shifting
        # by powers of two is exact here: the quotient is at least 2^-53 or v is scaled up.
        _, exponent = np.frexp(array)
        last = np.maximum(exponent - self.format.mantissa - 1, self.format.least)
        scaled = np.ldexp(array, -last)
        result: np.ndarray[Any, Any] = (np.floor(scaled) != scaled) | (
            np.abs(array) > float(self.high)
        )
        return result

    def canonical(self) -> dict[str, Any]:
        return {"domain": "float", "format": self.format.name}
