"""Integer polynomials: primitive parts, factors, and resultants by power sums of the roots.

A polynomial is a tuple of integers in ascending order, ``(c0, c1, ..., cn)`` for
``c0 + c1 x + ... + cn x**n`` with ``cn != 0``. The resultants needed for sums and products of
algebraic numbers are not formed as determinants: Newton's identities turn a polynomial into the
power sums of its roots and back, and the power sums of all ``a_i + c b_j`` or ``a_i b_j`` follow
from those of the ``a_i`` and of the ``b_j`` (Bostan, Flajolet, Salvy, Schost 2006, "Fast
computation of special resultants", sections 2 and 3). Everything is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd, lcm
from typing import TYPE_CHECKING

from gmpy2 import mpq, mpz

if TYPE_CHECKING:
    from flint import fmpq, fmpq_poly

Coefficients = tuple[int, ...]


def primitive_part(coefficients: Sequence[mpq | int]) -> Coefficients:
    """The integer multiple with content 1 and positive leading coefficient, zeros stripped.

    The zero polynomial becomes the empty tuple.
    """
    rationals = [mpq(value) for value in coefficients]
    while rationals and rationals[-1] == 0:
        rationals.pop()
    if not rationals:
        return ()
    common = lcm(*(int(value.denominator) for value in rationals))
    integers = [int(value * common) for value in rationals]
    content = gcd(*integers)
    if integers[-1] < 0:
        content = -content
    return tuple(value // content for value in integers)


def irreducible_factors(coefficients: Coefficients) -> list[Coefficients]:
    """The distinct irreducible factors over Q of positive degree, primitive, leading term > 0."""
    from flint import fmpz_poly

    _, factors = fmpz_poly(list(coefficients)).factor()
    found = [primitive_part([int(c) for c in factor.coeffs()]) for factor, _ in factors]
    return [factor for factor in found if len(factor) > 1]


def to_fmpq(value: mpq | int) -> fmpq:
    """The same rational number for python-flint."""
    from flint import fmpq

    exact = mpq(value)
    return fmpq(int(exact.numerator), int(exact.denominator))


def from_fmpq(value: fmpq) -> mpq:
    """The same rational number for gmpy2."""
    return mpq(int(value.p), int(value.q))


def substitute_linear(coefficients: Coefficients, constant: mpq, slope: mpq) -> Coefficients:
    """The primitive part of ``p(constant + slope * x)``."""
    from flint import fmpq_poly

    line = fmpq_poly([to_fmpq(constant), to_fmpq(slope)])
    image = fmpq_poly(list(coefficients))(line).numer()
    return primitive_part([int(value) for value in image.coeffs()])


def power_sums(coefficients: Coefficients, count: int) -> list[mpq]:
    """``[N_0, ..., N_{count-1}]``, N_k the sum of the k-th powers of the complex roots.

    Roots count with multiplicity; N_0 is the degree. Newton's identities.
    """
    degree = len(coefficients) - 1
    leading = mpz(coefficients[-1])
    sums = [mpq(degree)]
    for k in range(1, count):
        total = mpq(0)
        for j in range(1, min(k - 1, degree) + 1):
            total += coefficients[degree - j] * sums[k - j]
        if k <= degree:
            total += k * mpz(coefficients[degree - k])
        sums.append(-total / leading)
    return sums[:count]


def polynomial_of_power_sums(sums: Sequence[mpq]) -> Coefficients:
    """The primitive polynomial of degree D whose roots have the power sums ``sums[0..D]``.

    ``sums[0]`` is D itself. Newton's identities, read in the other direction.
    """
    degree = len(sums) - 1
    monic = [mpq(0)] * degree + [mpq(1)]
    for k in range(1, degree + 1):
        total = mpq(0)
        for j in range(1, k + 1):
            total += monic[degree - k + j] * sums[j]
        monic[degree - k] = -total / k
    return primitive_part(monic)


def composed_sum(left: Coefficients, right: Coefficients, scale: int) -> Coefficients:
    """The polynomial whose roots are all ``a + scale * b``, with multiplicity.

    ``a`` runs over the roots of ``left``, ``b`` over those of ``right``; this is the resultant of
    ``left(z - scale t)`` and ``right(t)`` in t, made primitive.
    """
    count = (len(left) - 1) * (len(right) - 1) + 1
    scaled = [mpq(scale) ** k * value for k, value in enumerate(power_sums(right, count))]
    return polynomial_of_power_sums(_binomial_product(power_sums(left, count), scaled))


def composed_product(left: Coefficients, right: Coefficients) -> Coefficients:
    """The polynomial whose roots are all ``a * b``, with multiplicity, made primitive."""
    count = (len(left) - 1) * (len(right) - 1) + 1
    pairs = zip(power_sums(left, count), power_sums(right, count), strict=True)
    return polynomial_of_power_sums([first * second for first, second in pairs])


def weighted_numerator(
    left: Coefficients, right: Coefficients, scale: int, composed: Coefficients
) -> fmpq_poly:
    """N with ``N / composed = sum of b / (z - a - scale b)`` over all pairs of roots (a, b).

    ``composed`` is ``composed_sum(left, right, scale)``. At a simple root t = a + scale b of it
    the residue is b, so ``b = N(t) / composed'(t)``: the rational univariate representation of
    Rouillier 1999 ("Solving zero-dimensional systems through the RUR").
    """
    from flint import fmpq_poly

    count = len(composed) - 1
    scaled = power_sums(right, count + 1)
    weighted = [mpq(scale) ** k * scaled[k + 1] for k in range(count)]
    moments = _binomial_product(power_sums(left, count), weighted)
    # sum of b / (z - t) = sum over k of (sum of b t**k) / z**(k + 1): keep the polynomial part.
    reversed_moments = fmpq_poly([to_fmpq(value) for value in reversed(moments)])
    return (fmpq_poly(list(composed)) * reversed_moments).right_shift(count)


def _binomial_product(first: Sequence[mpq], second: Sequence[mpq]) -> list[mpq]:
    """Entry k is the sum over l of ``binomial(k, l) * first[k - l] * second[l]``."""
    from flint import fmpq_poly

    factorials = [mpz(1)]
    for k in range(1, len(first)):
        factorials.append(factorials[-1] * k)

    def generating(values: Sequence[mpq]) -> fmpq_poly:
        return fmpq_poly([to_fmpq(v / f) for v, f in zip(values, factorials, strict=True)])

    product = generating(first).mul_low(generating(second), len(first))
    return [from_fmpq(product[k]) * factorial for k, factorial in enumerate(factorials)]
