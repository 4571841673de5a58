"""Polynomials at irrational parameters: signs, values and roots in the number field of these.

Parameters that are known to be irrational are kept as unknowns beside their values. Polynomials in
nothing else are numbers of the field that the values generate; a polynomial in one more unknown has
its real roots among those of its norm, a polynomial over Q.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import gcd
from typing import TYPE_CHECKING, Any, TypeAlias

from gmpy2 import iroot, mpq, mpz

from ermbit.engines.elimination.ring import (
    Polynomial,
    TooLargeError,
    coefficients_in,
    dense,
    unknowns,
)
from ermbit.engines.elimination.roots import real_roots
from ermbit_instances.algebraic import AlgebraicNumber, enclosed_root
from ermbit_instances.certificate import Value
from ermbit_instances.integer_polynomials import from_fmpq, to_fmpq
from ermbit_instances.rational import Rational

if TYPE_CHECKING:
    from ermbit_instances.field_element import FieldElement
    from ermbit_instances.number_field import NumberField

Roots: TypeAlias = tuple[tuple[int, AlgebraicNumber], ...]
"""Irrational values by number of the parameter."""

FIELD_DEGREE = 64
"""Degree of a number field past which a branch is left undecided: it cannot be interrupted."""

NORM_DEGREE = 40
"""Degree of a norm, likewise."""

NORM_BITS = 4000
"""Its degree times the bits of the numbers that it is made of, likewise."""

BITS = (32, 64, 128)
"""Precisions at which signs are to tell a root, before the field is extended."""


@lru_cache(maxsize=256)
def _field(numbers: frozenset[AlgebraicNumber]) -> NumberField:
    from ermbit_instances.number_field import NumberField

    return NumberField.containing(numbers, degree_limit=FIELD_DEGREE)


@lru_cache(maxsize=1024)
def _power(number: AlgebraicNumber, exponent: int) -> Value:
    return number**exponent


@dataclass(frozen=True)
class Place:
    """The field in which polynomials are evaluated at irrational values.

    If a parameter θ occurs in powers of θ^k only, the field has θ^k and not θ: square roots and no
    fourth roots where p^4 = a and everything else depends on p^2.

    Attributes:
        field: the number field.
        powers: by number of the parameter, the exponent k and the element θ^k.
    """

    field: NumberField
    powers: dict[int, tuple[int, FieldElement]]

    def element(self, polynomial: Polynomial) -> FieldElement:
        """The value of a polynomial in the irrational parameters only."""
        total = self.field.element(0)
        for exponents, c in polynomial.to_dict().items():
            term = self.field.element(from_fmpq(c))
            for number, power in enumerate(map(int, exponents)):
                if power:
                    step, base = self.powers[number]
                    term = term * base ** (power // step)
            total = total + term
        return total


def place_of(polynomial: Polynomial, roots: Roots) -> Place:
    """A field that is large enough for a polynomial at these values.

    Raises:
        AlgebraicLimitError: the degree of the field is past the limit.
    """
    degrees = polynomial.degrees()
    monomials = polynomial.monoms()
    steps, values = {}, {}
    for number, value in roots:
        if degrees[number] > 0:
            step = gcd(*(int(m[number]) for m in monomials))
            steps[number] = step
            values[number] = _power(value, step)
    irrational = (v for v in values.values() if isinstance(v, AlgebraicNumber))
    field = _field(frozenset(irrational))
    return Place(field, {j: (steps[j], field.element(v)) for j, v in values.items()})


def sign(polynomial: Polynomial, roots: Roots) -> int:
    """-1, 0 or 1: the sign of a polynomial in irrational parameters only."""
    return place_of(polynomial, roots).element(polynomial).sign()


def value_at(polynomial: Polynomial, values: Mapping[int, Value]) -> Value:
    """The value of a polynomial all of whose unknowns have values."""
    rational, roots = {}, []
    for number in unknowns(polynomial):
        value = values[number]
        if isinstance(value, AlgebraicNumber):
            roots.append((number, value))
        else:
            rational[f"t{number}"] = to_fmpq(value)
    if rational:
        polynomial = polynomial.subs(rational)
    return place_of(polynomial, tuple(roots)).element(polynomial).to_algebraic()


def roots_over(polynomial: Polynomial, number: int, roots: Roots) -> tuple[Value, ...] | None:
    """All real roots in one unknown of a polynomial over the field; ``None`` if it is 0 there.

    Raises:
        AlgebraicLimitError: a degree is past the limit.
        TooLargeError: the norm has too large a degree.
    """
    place = place_of(polynomial, roots)
    parts = {k: place.element(c) for k, c in coefficients_in(polynomial, number).items()}
    parts = {power: c for power, c in parts.items() if c.sign()}
    if not parts:
        return None
    lowest = min(parts)
    found: list[Value] = [mpq(0)] if lowest else []
    parts = {power - lowest: c for power, c in parts.items()}
    degree = max(parts)
    if degree and len(parts) == 2:
        found += _real_powers((-parts[0] / parts[degree]).to_algebraic(), degree)
    elif degree:
        found += _of_norm(parts, place.field)
    return tuple(sorted(found))


def _real_powers(image: Value, degree: int) -> list[Value]:
    """All real t with t^degree = image, which is not 0."""
    if image < 0 and degree % 2 == 0:
        return []
    if isinstance(image, mpq):
        return list(real_roots({degree: mpq(1), 0: -image}))
    size = abs(image)
    assert isinstance(size, AlgebraicNumber)
    spread = [0] * (degree * size.degree + 1)
    spread[::degree] = size.coefficients
    positive = enclosed_root(tuple(spread), _root_enclosure(size.bounds, degree))
    if degree % 2:
        return [positive if image > 0 else -positive]
    return [positive, -positive]


def _root_enclosure(
    bounds: Callable[[int], tuple[mpq, mpq]], degree: int
) -> Callable[[int], tuple[mpq, mpq]]:
    """Enclosures of the positive root of a positive number with these enclosures."""

    def enclosure(bits: int) -> tuple[mpq, mpq]:
        low, high = bounds(bits * degree + degree)
        unit = mpz(1) << (bits * degree)

        def floor_root(bound: mpq) -> mpz:
            scaled = bound * unit
            return iroot(max(mpz(0), scaled.numerator // scaled.denominator), degree)[0]

        below, above = floor_root(low), floor_root(high) + 1
        return mpq(below, mpz(1) << bits), mpq(above, mpz(1) << bits)

    return enclosure


def _of_norm(parts: dict[int, FieldElement], field: NumberField) -> list[Value]:
    """The real roots of Σ parts[k] x^k among those of its norm."""
    from flint import Ordering, fmpq_mpoly_ctx

    degree = max(parts)
    if field.degree * degree > NORM_DEGREE:
        raise TooLargeError(f"a norm of degree {field.degree * degree}")
    if field.primitive is not None:
        longest = max(abs(c) for c in field.primitive.coefficients).bit_length()
        longest += max(int(c.polynomial.denom()).bit_length() for c in parts.values())
        if longest * field.degree * degree > NORM_BITS:
            raise TooLargeError(f"a norm over a field whose polynomial has {longest} bits")
    if field.primitive is None:
        rational = {k: c.as_rational() for k, c in parts.items()}
        return list(real_roots({k: c for k, c in rational.items() if c is not None}))
    context: Any = fmpq_mpoly_ctx.get(["t", "x"], Ordering.lex)
    terms: dict[tuple[int, int], Any] = {}
    for power, c in parts.items():
        for k, coefficient in enumerate(c.polynomial.coeffs()):
            if coefficient:
                terms[k, power] = coefficient
    modulus = {(k, 0): c for k, c in enumerate(field.primitive.coefficients) if c}
    norm = context.from_dict(terms).resultant(context.from_dict(modulus), "t")
    sparse = {int(m[1]): from_fmpq(c) for m, c in norm.to_dict().items()}
    return [r for r in real_roots(sparse) if _vanishes(parts, r, field, dense(sparse))]


def _vanishes(
    parts: dict[int, FieldElement], root: Value, field: NumberField, norm: Sequence[int]
) -> bool:
    """Whether Σ parts[k] x^k is 0 at a root of its norm."""
    from ermbit_instances.number_field import NumberField

    def at(point: FieldElement | Rational) -> Any:
        total: Any = 0
        for power in range(max(parts), -1, -1):
            total = total * point
            if power in parts:
                total = total + parts[power]
        return total

    if isinstance(root, mpq):
        return bool(at(root).sign() == 0)
    others = [r for r in real_roots(dict(enumerate(map(mpq, norm)))) if r != root]
    for bits in BITS:
        low, high = root.bounds(bits)
        if any(low <= other <= high for other in others):
            continue
        # A change of sign means a root in between, and the norm has no other one there.
        if at(low).sign() * at(high).sign() < 0:
            return True
        break
    assert field.primitive is not None
    wide = NumberField.containing([field.primitive, root], degree_limit=FIELD_DEGREE)
    primitive, point = wide.element(field.primitive), wide.element(root)

    def lifted(c: FieldElement) -> FieldElement:
        total = wide.element(0)
        for coefficient in reversed(c.polynomial.coeffs()):
            total = total * primitive + from_fmpq(coefficient)
        return total

    total = wide.element(0)
    for power, c in parts.items():
        total = total + lifted(c) * point**power
    return total.sign() == 0
