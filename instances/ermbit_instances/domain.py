"""Weight domains: the sets that parameters may take their values from.

Finite *grid* domains (all but ``rational`` and ``real``) have a common denominator ``grid``: every
value is an integer over it. ``rational {bits: B}`` is finite too, but its common denominator
lcm(1..2^B−1) has about 1.44·2^B bits and is never built (docs/theory.md A7, C1).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf, lcm, nextafter
from sys import float_info
from typing import TYPE_CHECKING, Any

from gmpy2 import mpq

from ermbit_instances.parameter_vector import as_float
from ermbit_instances.rational import Rational, ceil, floor, write_rational

if TYPE_CHECKING:
    import numpy as np


class Domain(ABC):
    """A set of admissible values of one parameter."""

    @abstractmethod
    def __contains__(self, value: object) -> bool:
        """Exact membership of a rational."""

    @property
    @abstractmethod
    def size(self) -> int | None:
        """Number of distinct values; ``None`` for infinitely many."""

    @property
    @abstractmethod
    def grid(self) -> int | None:
        """Common denominator of all values, or ``None`` where there is none of use."""

    @property
    @abstractmethod
    def low(self) -> Rational | None:
        """Least value, or ``None`` if unbounded."""

    @property
    @abstractmethod
    def high(self) -> Rational | None:
        """Greatest value, or ``None`` if unbounded."""

    @abstractmethod
    def values(self) -> Iterator[Rational]:
        """All values in increasing order (finite domains; may be long: see :attr:`size`)."""

    @abstractmethod
    def canonical(self) -> dict[str, Any]:
        """The domain's object in the canonical instance."""

    @property
    def is_finite(self) -> bool:
        return self.size is not None

    @property
    def is_symmetric(self) -> bool:
        """Whether the negative of every value is a value (docs/theory.md B4)."""
        low, high = self.low, self.high
        if low is None or high is None:
            return low is None and high is None
        return bool(low == -high)

    def below(self, bound: Rational) -> Rational | None:
        """Greatest value ≤ bound, or ``None``."""
        best = None
        for value in self.values():
            if value > bound:
                break
            best = value
        return best

    def above(self, bound: Rational) -> Rational | None:
        """Least value ≥ bound, or ``None``."""
        return next((value for value in self.values() if value >= bound), None)

    def nearest_to_zero(self) -> Rational:
        """The value of least size, the positive one of two."""
        below, above = self.below(mpq(0)), self.above(mpq(0))
        if below is None or (above is not None and above <= -below):
            assert above is not None
            return above
        return below

    def outside(self, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Where floats are not members, exactly: 1-D finite float64 → Booleans of that length."""
        import numpy as np

        found = (mpq(v) not in self for v in array.tolist())
        return np.fromiter(found, dtype=np.bool_, count=array.size)


def greatest_float(bound: Rational) -> float:
    """Greatest finite float64 ≤ bound; −∞ if there is none."""
    if bound >= mpq(float_info.max):
        return float_info.max
    if bound < mpq(-float_info.max):
        return -inf
    nearest = int(bound.numerator) / int(bound.denominator)  # correctly rounded
    return nearest if mpq(nearest) <= bound else nextafter(nearest, -inf)


def least_float(bound: Rational) -> float:
    """Least finite float64 ≥ bound; ∞ if there is none."""
    return -greatest_float(-bound)


@dataclass(frozen=True)
class IntegerDomain(Domain):
    """k / denominator for integers minimum ≤ k ≤ maximum; ``fixed_point`` is spelt so too."""

    minimum: int
    maximum: int
    denominator: int = 1
    fixed_point: tuple[int, int, bool] | None = None

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, mpq):
            return False
        k = value * self.denominator
        return bool(k.denominator == 1 and self.minimum <= k <= self.maximum)

    @property
    def size(self) -> int:
        return self.maximum - self.minimum + 1

    @property
    def grid(self) -> int:
        return self.denominator

    @property
    def low(self) -> Rational:
        return mpq(self.minimum, self.denominator)

    @property
    def high(self) -> Rational:
        return mpq(self.maximum, self.denominator)

    def values(self) -> Iterator[Rational]:
        return (mpq(k, self.denominator) for k in range(self.minimum, self.maximum + 1))

    def below(self, bound: Rational) -> Rational | None:
        k = min(floor(bound * self.denominator), self.maximum)
        return mpq(k, self.denominator) if k >= self.minimum else None

    def above(self, bound: Rational) -> Rational | None:
        k = max(ceil(bound * self.denominator), self.minimum)
        return mpq(k, self.denominator) if k <= self.maximum else None

    def outside(self, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        import numpy as np

        # A float is an integer over a power of two, so of the denominator only its power of two
        # can turn it into an integer; times that it is exact, or so large that it is an integer.
        # All floats are multiples of 2^-1074, so a greater power changes nothing.
        shift = min((self.denominator & -self.denominator).bit_length() - 1, 1100)
        with np.errstate(over="ignore"):
            scaled = np.ldexp(array, shift)
        low, high = least_float(self.low), greatest_float(self.high)
        result: np.ndarray[Any, Any] = (array < low) | (array > high) | (np.floor(scaled) != scaled)
        return result

    def canonical(self) -> dict[str, Any]:
        if self.fixed_point is not None:
            bits, fraction_bits, signed = self.fixed_point
            return {
                "domain": "fixed_point",
                "bits": bits,
                "fraction_bits": fraction_bits,
                "signed": signed,
            }
        return {
            "domain": "integer",
            "low": self.minimum,
            "high": self.maximum,
            "denominator": self.denominator,
        }


@dataclass(frozen=True)
class FiniteDomain(Domain):
    """Exactly the listed rationals, held sorted and without repetition."""

    listed: tuple[Rational, ...]

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, mpq):
            return False
        at = bisect_left(self.listed, value)
        return at < len(self.listed) and bool(self.listed[at] == value)

    @property
    def size(self) -> int:
        return len(self.listed)

    @property
    def grid(self) -> int:
        return lcm(*(int(v.denominator) for v in self.listed))

    @property
    def low(self) -> Rational:
        return self.listed[0]

    @property
    def high(self) -> Rational:
        return self.listed[-1]

    @property
    def is_symmetric(self) -> bool:
        return all(a == -b for a, b in zip(self.listed, reversed(self.listed), strict=True))

    def values(self) -> Iterator[Rational]:
        return iter(self.listed)

    def outside(self, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        import numpy as np

        floats = [f for f in map(as_float, self.listed) if f is not None]
        return np.isin(array, np.array(floats, dtype=np.float64), invert=True)

    def canonical(self) -> dict[str, Any]:
        return {"domain": "finite", "values": [write_rational(v) for v in self.listed]}


@dataclass(frozen=True)
class RealDomain(Domain):
    """All reals. Certificates are rational, or algebraic."""

    def __contains__(self, value: object) -> bool:
        if isinstance(value, mpq):
            return True
        from ermbit_instances.algebraic import AlgebraicNumber

        return isinstance(value, AlgebraicNumber)

    @property
    def size(self) -> None:
        return None

    @property
    def grid(self) -> None:
        return None

    @property
    def low(self) -> None:
        return None

    @property
    def high(self) -> None:
        return None

    def values(self) -> Iterator[Rational]:
        raise ValueError("the reals cannot be listed")

    def below(self, bound: Rational) -> Rational:
        return bound

    def above(self, bound: Rational) -> Rational:
        return bound

    def outside(self, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        import numpy as np

        return np.zeros(array.size, dtype=np.bool_)

    def canonical(self) -> dict[str, Any]:
        return {"domain": "real"}


REAL = RealDomain()
