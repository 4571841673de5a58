"""Real algebraic numbers, exactly: parameters that no rational number can replace.

An irrational algebraic number is held as its primitive irreducible integer polynomial and a cell
[k/2**d, (k+1)/2**d] that holds one of its roots. Both are canonical, so equality and hashing
compare plain integers. Rational results are always ``gmpy2.mpq``: an ``AlgebraicNumber`` is
irrational by construction. No decision rests on a floating-point number.

Sums and products of *two* numbers are formed here by resultants. To evaluate a network at several
algebraic parameters use ``ermbit_instances.number_field`` instead: there all values share one
polynomial, and the cost of an operation does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from gmpy2 import mpq, mpz

from ermbit_instances.enclosure import (
    Enclosure,
    doubling,
    nearest_float,
    product_enclosure,
    sum_enclosure,
)
from ermbit_instances.errors import ErmbitError, InternalError
from ermbit_instances.exact_order import ExactOrder
from ermbit_instances.integer_polynomials import (
    Coefficients,
    composed_product,
    composed_sum,
    irreducible_factors,
    primitive_part,
    substitute_linear,
)
from ermbit_instances.rational import floor
from ermbit_instances.real_roots import (
    DyadicCell,
    count_roots,
    isolating_cell,
    narrow,
    root_exceeds,
)
from ermbit_instances.root_notation import read_root, write_root

DEGREE_LIMIT = 256
"""Limit on the degree of a sum or product, and default limit on that of a number field."""

RESULTANT_LIMIT = 4 * DEGREE_LIMIT
"""Limit on the degree of a resultant, one of whose factors is the polynomial of the result."""


class AlgebraicLimitError(ErmbitError, OverflowError):
    """An exact result whose polynomial would have a degree past the limit."""


@dataclass(frozen=True, slots=True, repr=False)
class AlgebraicNumber(ExactOrder):
    """An irrational real root of an irreducible integer polynomial. Made by ``algebraic``.

    Supports ``+ - * /`` and comparisons with ``AlgebraicNumber``, ``mpq``, ``mpz`` and ``int``,
    integer powers, ``abs`` and ``float`` (correctly rounded). Results that are rational are
    ``mpq``. The constructor does not check that its arguments are canonical.

    Attributes:
        coefficients: the polynomial, ascending, irreducible over Q, content 1, leading term > 0.
        cell: its canonical isolating interval (see ``real_roots.isolating_cell``).
    """

    coefficients: Coefficients
    cell: DyadicCell
    # The deepest cell computed so far: a cache, no part of the value.
    _deepest: list[DyadicCell] = field(default_factory=list, init=False, compare=False)

    @staticmethod
    def root_of(coefficients: Sequence[int], lo: mpq, hi: mpq) -> mpq | AlgebraicNumber:
        """The same as ``algebraic(coefficients, lo, hi)``."""
        return algebraic(coefficients, lo, hi)

    @property
    def degree(self) -> int:
        """The degree over Q, at least 2."""
        return len(self.coefficients) - 1

    def bounds(self, precision_bits: int) -> tuple[mpq, mpq]:
        """Dyadic rationals lo < self < hi with ``hi - lo <= 2**-precision_bits``."""
        cell = self.cell_at(precision_bits)
        return cell.lower, cell.upper

    def refine(self, width: mpq | int) -> tuple[mpq, mpq]:
        """Rationals lo < self < hi with ``hi - lo <= width``.

        Raises:
            ValueError: the width is not positive.
        """
        exact = mpq(width)
        if exact <= 0:
            raise ValueError("the width of an interval around an irrational number is positive")
        return self.bounds(floor(1 / exact).bit_length())

    def cell_at(self, depth: int) -> DyadicCell:
        """A cell around this number that is at least ``depth`` deep."""
        known = self._deepest[0] if self._deepest else self.cell
        deeper = narrow(self.coefficients, known, depth)
        self._deepest[:] = [deeper]
        return deeper

    def sign(self) -> int:
        """-1 or 1."""
        return self._compared_with_rational(mpq(0))

    def __str__(self) -> str:
        return write_root(self.coefficients, self.cell.lower, self.cell.upper)

    def __repr__(self) -> str:
        return f"parse_root({str(self)!r})"

    def __float__(self) -> float:
        return nearest_float(self.bounds)

    def __neg__(self) -> AlgebraicNumber:
        return self._line_image(mpq(-1), mpq(0))

    def __pos__(self) -> AlgebraicNumber:
        return self

    def __abs__(self) -> AlgebraicNumber:
        return -self if self.sign() < 0 else self

    def __add__(self, other: object) -> mpq | AlgebraicNumber:
        if (rational := _as_rational(other)) is not None:
            return self._line_image(mpq(1), rational)
        if not isinstance(other, AlgebraicNumber):
            return NotImplemented
        if self == other:
            return 2 * self
        _check_degree(self.degree * other.degree, RESULTANT_LIMIT)
        polynomial = composed_sum(self.coefficients, other.coefficients, 1)
        return _within_limit(enclosed_root(polynomial, sum_enclosure(self.bounds, other.bounds)))

    def __sub__(self, other: object) -> mpq | AlgebraicNumber:
        if (rational := _as_rational(other)) is not None:
            return self._line_image(mpq(1), -rational)
        if not isinstance(other, AlgebraicNumber):
            return NotImplemented
        return mpq(0) if self == other else self + (-other)

    def __mul__(self, other: object) -> mpq | AlgebraicNumber:
        if (rational := _as_rational(other)) is not None:
            return mpq(0) if rational == 0 else self._line_image(rational, mpq(0))
        if not isinstance(other, AlgebraicNumber):
            return NotImplemented
        if self == other:
            return self**2
        _check_degree(self.degree * other.degree, RESULTANT_LIMIT)
        polynomial = composed_product(self.coefficients, other.coefficients)
        enclosure = product_enclosure(self.bounds, other.bounds)
        return _within_limit(enclosed_root(polynomial, enclosure))

    def __truediv__(self, other: object) -> mpq | AlgebraicNumber:
        if (rational := _as_rational(other)) is not None:
            if rational == 0:
                raise ZeroDivisionError("division of an algebraic number by zero")
            return self._line_image(1 / rational, mpq(0))
        if not isinstance(other, AlgebraicNumber):
            return NotImplemented
        return mpq(1) if self == other else self * other.reciprocal()

    __radd__ = __add__
    __rmul__ = __mul__

    def __rsub__(self, other: object) -> mpq | AlgebraicNumber:
        return (-self) + other

    def __rtruediv__(self, other: object) -> mpq | AlgebraicNumber:
        return self.reciprocal() * other

    def reciprocal(self) -> AlgebraicNumber:
        """1 / self."""
        inverse_polynomial = primitive_part(self.coefficients[::-1])
        # The number is not 0, so deep cells do not contain 0; there 1/x is monotone.
        for depth in doubling(1):
            cell = self.cell_at(depth)
            if cell.lower > 0 or cell.upper < 0:
                return _irrational(inverse_polynomial, 1 / cell.upper, 1 / cell.lower)
        raise AssertionError("unreachable: the loop above has no other end")

    def __pow__(self, exponent: object) -> mpq | AlgebraicNumber:
        if not isinstance(exponent, int):
            return NotImplemented
        if exponent < 0:
            return self.reciprocal() ** -exponent
        if exponent <= 1:
            return self if exponent else mpq(1)
        from ermbit_instances.number_field import NumberField

        number_field = NumberField.containing([self], degree_limit=self.degree)
        return (number_field.element(self) ** exponent).to_algebraic()

    def _order(self, other: object) -> int | None:
        if (rational := _as_rational(other)) is not None:
            return self._compared_with_rational(rational)
        if not isinstance(other, AlgebraicNumber):
            return None
        if self == other:
            return 0
        # Different irrational numbers: deep enough cells meet in one end at most.
        for depth in doubling(32):
            first, second = self.cell_at(depth), other.cell_at(depth)
            if first.upper <= second.lower:
                return -1
            if second.upper <= first.lower:
                return 1
        raise AssertionError("unreachable: the loop above has no other end")

    def _compared_with_rational(self, rational: mpq) -> int:
        deepest = self.cell_at(0)
        if rational <= deepest.lower:
            return 1
        if rational >= deepest.upper:
            return -1
        # The canonical cell again: its ends are short numbers, so the signs there are cheap.
        lo, hi = self.cell.lower, self.cell.upper
        return 1 if root_exceeds(self.coefficients, lo, hi, rational) else -1

    def _line_image(self, factor: mpq, shift: mpq) -> AlgebraicNumber:
        """``factor * self + shift`` for a rational factor other than 0."""
        image = substitute_linear(self.coefficients, -shift / factor, 1 / factor)
        ends = sorted(factor * end + shift for end in (self.cell.lower, self.cell.upper))
        return _irrational(image, ends[0], ends[1])


def algebraic(coefficients: Sequence[int], lo: mpq, hi: mpq) -> mpq | AlgebraicNumber:
    """The one real root of a polynomial in the closed interval [lo, hi]; ``mpq`` if rational.

    Args:
        coefficients: integers c0, c1, ..., cn in ascending order; the polynomial may be reducible
            and have multiple roots (each counts once). Zeros at the end are ignored.
        lo: lower end, included.
        hi: upper end, included.

    Raises:
        ValueError: lo > hi, a constant or empty polynomial, no root or several roots in [lo, hi].
    """
    if lo > hi:
        raise ValueError("algebraic number: the lower bound is greater than the upper bound")
    if not all(isinstance(value, int | mpz) for value in coefficients):
        raise ValueError("algebraic number: the coefficients are integers")
    polynomial = primitive_part(coefficients)
    if not polynomial:
        raise ValueError("algebraic number: the polynomial is zero")
    if len(polynomial) == 1:
        raise ValueError("algebraic number: the polynomial is constant")
    low, high = mpq(lo), mpq(hi)
    counts = [(count_roots(f, low, high), f) for f in irreducible_factors(polynomial)]
    total = sum(count for count, _ in counts)
    if total == 0:
        raise ValueError("algebraic number: the polynomial has no root in the interval")
    if total > 1:
        raise ValueError(f"algebraic number: the polynomial has {total} roots in the interval")
    return _root_of_factor(next(f for count, f in counts if count), low, high)


def parse_root(text: str) -> mpq | AlgebraicNumber:
    """Read ``(root-of-with-interval (coeffs c0 c1 ... cn) lo hi)``; ``mpq`` if rational.

    ``str`` of an ``AlgebraicNumber`` writes this form, and reading it back gives an equal number.

    Raises:
        ValueError: another form, past the limits of ``root_notation``, or not exactly one root.
    """
    read = read_root(text)
    return algebraic(read.coefficients, read.lo, read.hi)


def enclosed_root(coefficients: Coefficients, enclosure: Enclosure) -> mpq | AlgebraicNumber:
    """The root of a polynomial to which the intervals ``enclosure(bits)`` shrink.

    Raises:
        InternalError: an interval without a root of the polynomial.
    """
    factors = irreducible_factors(coefficients)
    for bits in doubling(32):
        lo, hi = enclosure(bits)
        counts = [(count_roots(factor, lo, hi), factor) for factor in factors]
        factors = [factor for count, factor in counts if count]
        total = sum(count for count, _ in counts)
        if total == 0:
            raise InternalError("an algebraic result is not a root of its polynomial")
        if total == 1:
            return _root_of_factor(factors[0], lo, hi)
    raise AssertionError("unreachable: the loop above has no other end")


def _root_of_factor(factor: Coefficients, lo: mpq, hi: mpq) -> mpq | AlgebraicNumber:
    if len(factor) == 2:
        return mpq(-factor[0], factor[1])
    return _irrational(factor, lo, hi)


def _irrational(factor: Coefficients, lo: mpq, hi: mpq) -> AlgebraicNumber:
    return AlgebraicNumber(factor, isolating_cell(factor, lo, hi))


def _as_rational(value: object) -> mpq | None:
    return mpq(value) if isinstance(value, int | mpz | mpq) else None


def _within_limit(value: mpq | AlgebraicNumber) -> mpq | AlgebraicNumber:
    if isinstance(value, AlgebraicNumber):
        _check_degree(value.degree, DEGREE_LIMIT)
    return value


def _check_degree(degree: int, limit: int) -> None:
    if degree > limit:
        raise AlgebraicLimitError(
            f"an algebraic result needs a polynomial of degree {degree}, past the limit of {limit}"
        )
