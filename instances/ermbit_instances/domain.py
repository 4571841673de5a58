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
from functools import cache
from math import gcd, lcm
from typing import Any

from gmpy2 import mpq

from ermbit_instances import limits
from ermbit_instances.jsonfile import Node
from ermbit_instances.rational import Rational, ceil, floor, simplest_between, write_rational


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

    def canonical(self) -> dict[str, Any]:
        return {"domain": "finite", "values": [write_rational(v) for v in self.listed]}


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

    def canonical(self) -> dict[str, Any]:
        return {"domain": "float", "format": self.format.name}


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

    def canonical(self) -> dict[str, Any]:
        return {"domain": "real"}


REAL = RealDomain()

_KEYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "integer": (("low", "high"), ("denominator",)),
    "fixed_point": (("bits", "fraction_bits"), ("signed",)),
    "finite": (("values",), ()),
    "float": (("format",), ()),
    "rational": (("bits",), ()),
    "real": ((), ()),
}


def read_domain(node: Node, *, also: tuple[str, ...] = ()) -> Domain:
    """Read a domain object; ``also`` names further keys that its holder reads.

    Raises:
        InputError: unknown domain, missing or unknown key, empty domain, past the limits.
    """
    kind_node = node.get("domain")
    if kind_node is None:
        node.fail("the key 'domain' is missing")
    kind = kind_node.string()
    if kind not in _KEYS:
        kind_node.fail(f"unknown domain {kind!r}; known: {', '.join(_KEYS)}")
    required, optional = _KEYS[kind]
    node.keys(required=("domain", *required), optional=(*optional, *also))
    if kind == "real":
        return REAL
    if kind == "rational":
        return RationalDomain(node.at("bits").integer(1, limits.DOMAIN_BITS.value))
    if kind == "float":
        name = node.at("format").string()
        if name not in FLOAT_FORMATS:
            node.at("format").fail(f"unknown format {name!r}; known: {', '.join(FLOAT_FORMATS)}")
        return FloatDomain(FLOAT_FORMATS[name])
    if kind == "finite":
        array = node.at("values").array()
        if not array:
            node.at("values").fail("the domain is empty")
        if len(array) > limits.DOMAIN_VALUES.value:
            node.at("values").refuse(f"more than the limit of {limits.DOMAIN_VALUES.value} values")
        return FiniteDomain(tuple(sorted({v.rational() for v in node.at("values").elements()})))
    if kind == "fixed_point":
        bits = node.at("bits").integer(1, limits.DOMAIN_BITS.value)
        fraction = node.at("fraction_bits").integer(0, limits.DOMAIN_BITS.value)
        member = node.get("signed")
        signed = True if member is None else member.boolean()
        low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
        return IntegerDomain(low, high, 1 << fraction, (bits, fraction, signed))
    minimum, maximum = node.at("low").integer(), node.at("high").integer()
    if minimum > maximum:
        node.at("low").fail("low is greater than high: the domain is empty")
    member = node.get("denominator")
    return IntegerDomain(minimum, maximum, 1 if member is None else member.integer(1))
