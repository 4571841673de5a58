"""Roots of polynomials in one unknown: all rational ones, all real ones, or none modulo a prime."""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd, lcm

from gmpy2 import iroot, mpq, mpz

from ermbit.engines.elimination.ring import DENSE_DEGREE, TooLargeError, dense
from ermbit_instances.algebraic import AlgebraicNumber, algebraic
from ermbit_instances.certificate import Value
from ermbit_instances.integer_polynomials import Coefficients, irreducible_factors
from ermbit_instances.rational import Rational
from ermbit_instances.real_roots import count_roots

PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47)


def rational_roots(sparse: Mapping[int, Rational]) -> tuple[Rational, ...]:
    """All rational roots of a polynomial other than 0, given by power, ascending.

    The polynomial is g(t^k) with the greatest possible k: the roots of g come from its factors, and
    a k-th root of a rational number is rational only if numerator and denominator are k-th powers.

    Raises:
        TooLargeError: the degree of g is past the limit and g has roots modulo all small primes.
    """
    lowest = min(sparse)
    found = {mpq(0)} if lowest else set()
    shifted = {power - lowest: c for power, c in sparse.items()}
    step = gcd(*shifted)
    if step == 0:
        return tuple(found)
    inner = {power // step: c for power, c in shifted.items()}
    if max(inner) > DENSE_DEGREE:
        if prime_without_root(shifted) is not None:
            return tuple(found)
        raise TooLargeError(f"a polynomial has degree {max(shifted)}")
    for factor in irreducible_factors(dense(inner)):
        if len(factor) == 2:
            found.update(_roots_of_power(mpq(-factor[0], factor[1]), step))
    return tuple(sorted(found))


def prime_without_root(sparse: Mapping[int, Rational]) -> int | None:
    """A prime modulo which the polynomial has no root, not even at infinity: so none in Q."""
    unit = lcm(*(int(c.denominator) for c in sparse.values()))
    integers = {power: int(c * unit) for power, c in sparse.items()}
    for prime in PRIMES:
        if integers[max(integers)] % prime == 0:
            continue
        if all(
            sum(c * pow(t, power, prime) for power, c in integers.items()) % prime
            for t in range(prime)
        ):
            return prime
    return None


def _roots_of_power(value: Rational, exponent: int) -> list[Rational]:
    """The rational t with t^exponent = value."""
    if value < 0 and exponent % 2 == 0:
        return []
    above, whole_above = iroot(mpz(abs(value.numerator)), exponent)
    below, whole_below = iroot(mpz(value.denominator), exponent)
    if not (whole_above and whole_below):
        return []
    root = mpq(above, below)
    if value < 0:
        return [-root]
    return [root, -root] if exponent % 2 == 0 and root else [root]


def real_roots(sparse: Mapping[int, Rational]) -> tuple[Value, ...]:
    """All real roots of a polynomial other than 0, given by power, ascending.

    Raises:
        TooLargeError: the degree is past the limit.
    """
    found: list[Value] = []
    for factor in irreducible_factors(dense(dict(sparse))):
        if len(factor) == 2:
            found.append(mpq(-factor[0], factor[1]))
        else:
            found.extend(_isolated(factor))
    return tuple(sorted(found))


def _isolated(factor: Coefficients) -> list[AlgebraicNumber]:
    """The real roots of an irreducible polynomial of degree 2 or more, by bisection."""
    # Cauchy: the absolute values of all roots are below 1 + the greatest ratio to the first one.
    size = mpq(1 + max(abs(c) for c in factor[:-1]) // abs(factor[-1]) + 1)
    found: list[AlgebraicNumber] = []
    waiting = [(-size, size)]
    while waiting:
        low, high = waiting.pop()
        count = count_roots(factor, low, high)
        if count == 1:
            root = algebraic(factor, low, high)
            assert isinstance(root, AlgebraicNumber)
            found.append(root)
        elif count:
            middle = (low + high) / 2
            waiting += [(low, middle), (middle, high)]
    return found
