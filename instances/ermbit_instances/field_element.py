"""Elements of a real number field: exact values of expressions in its generators."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from flint import fmpq_poly
from gmpy2 import mpq, mpz

from ermbit_instances.algebraic import AlgebraicNumber, enclosed_root
from ermbit_instances.enclosure import doubling, nearest_float
from ermbit_instances.errors import InternalError
from ermbit_instances.exact_order import ExactOrder
from ermbit_instances.integer_polynomials import (
    from_fmpq,
    polynomial_of_power_sums,
    power_sums,
)

if TYPE_CHECKING:
    from ermbit_instances.number_field import NumberField


class FieldElement(ExactOrder):
    """An element of a real number field: immutable, exact, ordered as a real number.

    Supports ``+ - * /`` and comparisons with elements of the same field, rational numbers and
    generators of the field, integer powers, ``abs`` and ``float``. Unhashable: the fields of two
    elements would have to be compared as well.
    """

    __slots__ = ("field", "polynomial")

    field: NumberField
    polynomial: fmpq_poly

    def __init__(self, field: NumberField, polynomial: fmpq_poly) -> None:
        """``polynomial`` in t must have a degree below that of the field."""
        object.__setattr__(self, "field", field)
        object.__setattr__(self, "polynomial", polynomial)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("elements of a number field are immutable")

    def sign(self) -> int:
        """-1, 0 or 1."""
        rational = self.as_rational()
        if rational is not None:
            return int(rational > 0) - int(rational < 0)
        for bits in doubling(64):
            lo, hi = self._enclosure(bits)
            if lo > 0:
                return 1
            if hi < 0:
                return -1
        raise AssertionError("unreachable: the loop above has no other end")

    def as_rational(self) -> mpq | None:
        """The value if it is rational, else ``None``."""
        return from_fmpq(self.polynomial[0]) if self.polynomial.degree() <= 0 else None

    def to_algebraic(self) -> mpq | AlgebraicNumber:
        """The value with its own minimal polynomial; ``mpq`` if it is rational.

        The result is checked by ``equals_algebraic``. Costs much more than field arithmetic.
        """
        rational = self.as_rational()
        if rational is not None or self.field.primitive is None:
            return rational
        degree = self.field.degree
        basis_traces = power_sums(self.field.primitive.coefficients, degree)
        traces, power = [mpq(degree)], self.polynomial
        for _ in range(degree):
            terms = zip(power.coeffs(), basis_traces, strict=False)
            traces.append(sum((from_fmpq(c) * trace for c, trace in terms), mpq(0)))
            power = self.field.reduce(power * self.polynomial)
        # The characteristic polynomial of the multiplication: a power of the minimal polynomial.
        value = enclosed_root(polynomial_of_power_sums(traces), self._enclosure)
        if not isinstance(value, AlgebraicNumber) or not self.equals_algebraic(value):
            raise InternalError("an element of a number field differs from its algebraic form")
        return value

    def bounds(self, precision_bits: int) -> tuple[mpq, mpq]:
        """Rationals lo <= self <= hi with ``hi - lo <= 2**-precision_bits``."""
        rational = self.as_rational()
        if rational is not None:
            return rational, rational
        width = mpq(1, 1 << max(0, precision_bits))
        for bits in doubling(max(64, 2 * precision_bits)):
            lo, hi = self._enclosure(bits)
            if hi - lo <= width:
                return lo, hi
        raise AssertionError("unreachable: the loop above has no other end")

    def _enclosure(self, bits: int) -> tuple[mpq, mpq]:
        """Horner's rule on the cell of t in integer interval arithmetic, rounded outwards."""
        cell = self.field.cell(bits)
        depth, ends = cell.depth, (cell.index, cell.index + 1)
        lo = hi = mpz(0)
        for coefficient in reversed(self.polynomial.numer().coeffs()):
            corners = [bound * end for bound in (lo, hi) for end in ends]
            shifted = mpz(int(coefficient)) << depth
            lo = (min(corners) >> depth) + shifted
            hi = -(-max(corners) >> depth) + shifted
        denominator = mpz(int(self.polynomial.denom())) << depth
        return mpq(lo, denominator), mpq(hi, denominator)

    def equals_algebraic(self, number: AlgebraicNumber) -> bool:
        """Whether the value is that number: its polynomial vanishes here and the root is right."""
        residue = fmpq_poly([0])
        for coefficient in reversed(number.coefficients):
            residue = self.field.reduce(residue * self.polynomial) + coefficient
        if not residue.is_zero():
            return False
        # So the value is a root of that irreducible polynomial, and irrational: it is inside the
        # cell that holds only the number, or strictly outside.
        for bits in doubling(64):
            lo, hi = self._enclosure(bits)
            if number.cell.lower <= lo and hi <= number.cell.upper:
                return True
            if hi < number.cell.lower or lo > number.cell.upper:
                return False
        raise AssertionError("unreachable: the loop above has no other end")

    def _coerced(self, other: object) -> fmpq_poly | None:
        """The other operand's polynomial; ``None`` for a foreign type."""
        if isinstance(other, FieldElement):
            if other.field is not self.field:
                raise ValueError("elements of different number fields cannot be combined")
            return other.polynomial
        if isinstance(other, int | mpz | mpq | AlgebraicNumber):
            return self.field.element(other).polynomial
        return None

    def _combined(
        self, other: object, operation: Callable[[fmpq_poly, fmpq_poly], fmpq_poly]
    ) -> FieldElement:
        polynomial = self._coerced(other)
        if polynomial is None:
            return NotImplemented  # type: ignore[no-any-return]
        return FieldElement(self.field, operation(self.polynomial, polynomial))

    def __add__(self, other: object) -> FieldElement:
        return self._combined(other, lambda a, b: a + b)

    def __sub__(self, other: object) -> FieldElement:
        return self._combined(other, lambda a, b: a - b)

    def __rsub__(self, other: object) -> FieldElement:
        return self._combined(other, lambda a, b: b - a)

    def __mul__(self, other: object) -> FieldElement:
        return self._combined(other, lambda a, b: self.field.reduce(a * b))

    def __truediv__(self, other: object) -> FieldElement:
        return self._combined(other, self._quotient)

    def __rtruediv__(self, other: object) -> FieldElement:
        return self._combined(other, lambda a, b: self._quotient(b, a))

    __radd__ = __add__
    __rmul__ = __mul__

    def _quotient(self, above: fmpq_poly, below: fmpq_poly) -> fmpq_poly:
        if below.is_zero():
            raise ZeroDivisionError("division by the zero of a number field")
        return self.field.reduce(above * self.field.inverse(below))

    def __neg__(self) -> FieldElement:
        return FieldElement(self.field, -self.polynomial)

    def __pos__(self) -> FieldElement:
        return self

    def __abs__(self) -> FieldElement:
        return -self if self.sign() < 0 else self

    def __pow__(self, exponent: object) -> FieldElement:
        if not isinstance(exponent, int):
            return NotImplemented
        if exponent < 0:
            return (1 / self) ** -exponent
        result, square = self.field.element(1), self
        while exponent:
            if exponent & 1:
                result = result * square
            exponent >>= 1
            if exponent:
                square = square * square
        return result

    def __eq__(self, other: object) -> bool:
        if isinstance(other, AlgebraicNumber):
            return self.equals_algebraic(other)
        polynomial = self._coerced(other)
        return NotImplemented if polynomial is None else bool(self.polynomial == polynomial)

    __hash__ = None  # type: ignore[assignment]

    def _order(self, other: object) -> int | None:
        return None if self._coerced(other) is None else (self - other).sign()

    def __bool__(self) -> bool:
        return not self.polynomial.is_zero()

    def __float__(self) -> float:
        rational = self.as_rational()
        if rational is not None:
            return int(rational.numerator) / int(rational.denominator)
        return nearest_float(self._enclosure)

    def __repr__(self) -> str:
        return f"FieldElement({self.polynomial} at t = {self.field.primitive})"
