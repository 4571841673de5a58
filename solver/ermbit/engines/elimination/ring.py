"""Polynomials over Q in the free parameters: arithmetic of python-flint behind a few plain names.

Unknown j of a ring is free parameter number j of the network. Polynomials are ``fmpq_mpoly`` in
lexicographic order; this module alone knows how they are taken apart and put together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import gcd, lcm
from typing import Any, TypeAlias

from gmpy2 import mpq

from ermbit_instances.errors import ErmbitError
from ermbit_instances.integer_polynomials import Coefficients, from_fmpq, to_fmpq
from ermbit_instances.rational import Rational

Polynomial: TypeAlias = Any
"""A ``flint.fmpq_mpoly``."""

TERM_LIMIT = 1500
"""Terms of a polynomial past which a branch is given up."""

FACTOR_DEGREE = 80
"""Total degree past which polynomials in several unknowns are not factored."""

DENSE_DEGREE = 600
"""Degree past which a polynomial in one unknown is not written densely."""

SHOWN = 100
"""Longest polynomial, in characters, that a reason quotes."""


class TooLargeError(ErmbitError, OverflowError):
    """A polynomial past the limits: the branch is left undecided."""


@dataclass(frozen=True)
class Ring:
    """Q[θ_0, …, θ_{n−1}].

    Attributes:
        names: names of the unknowns, for messages.
    """

    names: tuple[str, ...]

    @cached_property
    def context(self) -> Any:
        from flint import Ordering, fmpq_mpoly_ctx

        return fmpq_mpoly_ctx.get([f"t{j}" for j in range(len(self.names))], Ordering.lex)

    @cached_property
    def zero(self) -> Polynomial:
        return self.context.constant(0)

    def constant(self, value: Rational | int) -> Polynomial:
        return self.context.constant(to_fmpq(value))

    def unknown(self, number: int) -> Polynomial:
        return self.context.gen(number)

    def text(self, polynomial: Polynomial) -> str:
        """The polynomial in the names of the parameters, shortened where it is long."""
        parts: list[str] = []
        for exponents, c in polynomial.to_dict().items():
            value = from_fmpq(c)
            factors = [
                name if power == 1 else f"{name}^{power}"
                for name, power in zip(self.names, map(int, exponents), strict=True)
                if power
            ]
            if abs(value) != 1 or not factors:
                factors.insert(0, str(abs(value)))
            sign = ("-" if value < 0 else "") if not parts else ("- " if value < 0 else "+ ")
            parts.append(sign + " ".join(factors))
        text = " ".join(parts) or "0"
        return text if len(text) <= SHOWN else f"a polynomial of {len(parts)} terms"


def constant_value(polynomial: Polynomial) -> Rational | None:
    """The value of a constant polynomial."""
    if not polynomial.is_constant():
        return None
    return mpq(0) if polynomial.is_zero() else from_fmpq(polynomial.leading_coefficient())


def unknowns(polynomial: Polynomial) -> tuple[int, ...]:
    """The unknowns that occur, ascending."""
    return tuple(j for j, power in enumerate(polynomial.degrees()) if power > 0)


def check_size(polynomial: Polynomial) -> Polynomial:
    """The polynomial itself.

    Raises:
        TooLargeError: more than :data:`TERM_LIMIT` terms.
    """
    if len(polynomial) > TERM_LIMIT:
        raise TooLargeError(f"a polynomial has more than {TERM_LIMIT} terms")
    return polynomial


def coefficients_in(polynomial: Polynomial, number: int) -> dict[int, Polynomial]:
    """Coefficients by power of one unknown; each is a polynomial in the others."""
    parts: dict[int, dict[tuple[int, ...], Any]] = {}
    for exponents, c in polynomial.to_dict().items():
        power = int(exponents[number])
        rest = (*exponents[:number], 0, *exponents[number + 1 :])
        parts.setdefault(power, {})[rest] = c
    context = polynomial.context()
    return {power: context.from_dict(terms) for power, terms in parts.items()}


def substitute(
    polynomial: Polynomial, number: int, above: Polynomial, below: Polynomial, *, even: bool
) -> Polynomial:
    """below^K · polynomial with the unknown replaced by above / below.

    K is the degree in the unknown, rounded up to an even number if ``even``: the sign is then that
    of the polynomial wherever ``below`` is not 0.
    """
    parts = coefficients_in(polynomial, number)
    top = max(parts, default=0)
    if top == 0:
        return polynomial
    if constant_value(below) == 1:
        total = polynomial.context().constant(0)
        for power in range(top, -1, -1):
            total = check_size(total * above)
            if power in parts:
                total += parts[power]
        return total
    lift = top + (top % 2 if even else 0)
    total = polynomial.context().constant(0)
    for power, c in parts.items():
        total += check_size(check_size(c * above**power) * below ** (lift - power))
    return check_size(total)


def univariate(polynomial: Polynomial, number: int) -> dict[int, Rational]:
    """Coefficients by power of a polynomial in one unknown."""
    return {int(exponents[number]): from_fmpq(c) for exponents, c in polynomial.to_dict().items()}


def dense(sparse: dict[int, Rational]) -> Coefficients:
    """Primitive integer coefficients, ascending, of a polynomial that is not 0.

    Raises:
        TooLargeError: the degree is past :data:`DENSE_DEGREE`.
    """
    degree = max(sparse)
    if degree > DENSE_DEGREE:
        raise TooLargeError(f"a polynomial has degree {degree}")
    unit = lcm(*(int(c.denominator) for c in sparse.values()))
    integers = [int(sparse.get(k, mpq(0)) * unit) for k in range(degree + 1)]
    content = gcd(*integers)
    if integers[-1] < 0:
        content = -content
    return tuple(c // content for c in integers)


def from_dense(ring: Ring, coefficients: Sequence[int], number: int) -> Polynomial:
    """The polynomial in one unknown with these coefficients, ascending."""
    n = len(ring.names)
    terms = {
        tuple(k if i == number else 0 for i in range(n)): to_fmpq(c)
        for k, c in enumerate(coefficients)
        if c
    }
    return ring.context.from_dict(terms)


def factors(polynomial: Polynomial) -> list[Polynomial]:
    """The different factors over Q of positive degree, irreducible if not too large to factor."""
    if polynomial.is_constant():
        return []
    n = len(polynomial.degrees())
    gens = polynomial.context().gens()
    content = [int(min(powers)) for powers in zip(*polynomial.monoms(), strict=True)]
    found = [gens[j] for j in range(n) if content[j]]
    if found:
        monomial = polynomial.context().constant(1)
        for j in range(n):
            monomial *= gens[j] ** content[j]
        polynomial = polynomial / monomial
        if polynomial.is_constant():
            return found
    if max(polynomial.degrees()) > FACTOR_DEGREE:
        return [*found, polynomial]
    return found + [factor for factor, _ in polynomial.factor()[1]]
