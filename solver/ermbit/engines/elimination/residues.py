"""Rational solutions refuted by residues: none modulo a power of a prime, none at all.

A rational point has coordinates a_1/d, …, a_n/d with integers a_1, …, a_n, d that have no common
divisor. So an equation of degree m becomes d^m f(a/d) = 0, which is homogeneous, and (a, d) is
not 0 modulo p for any prime p. If no such vector is a solution modulo p^k there is no rational
solution: a^2 + b^2 = 3 d^2 has none modulo 4. Vectors are lifted from p^k to p^(k+1) until none is
left, or too many are. Where all unknowns are integers over a known denominator, d need not be a
variable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import lcm
from typing import TYPE_CHECKING

import numpy as np

from ermbit.engines.elimination.ring import Polynomial, unknowns
from ermbit_instances.integer_polynomials import from_fmpq

if TYPE_CHECKING:
    from numpy.typing import NDArray

PRIMES = (2, 3, 5, 7, 11, 13)
MODULUS_LIMIT = 4096
POINTS_LIMIT = 300_000

WORK_LIMIT = 20_000_000
"""Products modulo a prime power at one level: some tenths of a second."""

DEGREE_LIMIT = 40
UNKNOWNS_LIMIT = 5

SMOOTH_POINTS = 60
"""Zeros at which gradients are computed."""


@dataclass(frozen=True, slots=True)
class Form:
    """An integer polynomial: exponents (terms × variables) and coefficients."""

    exponents: tuple[tuple[int, ...], ...]
    coefficients: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Obstruction:
    """No solution modulo this number; ``homogeneous`` if among vectors without common divisor."""

    modulus: int
    homogeneous: bool


def obstruction(equations: Sequence[Polynomial], grids: Sequence[int | None]) -> Obstruction | None:
    """A modulus that refutes the equations over rational numbers, or ``None``.

    Args:
        equations: all unknowns of them are rational.
        grids: by unknown, a common denominator of its values, if there is one of use.
    """
    usable = [e for e in equations if e.total_degree() <= DEGREE_LIMIT]
    numbers = sorted({j for e in usable for j in unknowns(e)})
    if not usable or len(numbers) > UNKNOWNS_LIMIT:
        return None
    forms = [_homogeneous(e, numbers) for e in usable]
    for prime in PRIMES:
        modulus = _empty_modulus(forms, len(numbers) + 1, prime, homogeneous=True)
        if modulus is not None:
            return Obstruction(modulus, True)
    known = [grids[j] for j in numbers]
    if all(grid is not None and grid.bit_length() <= 64 for grid in known):
        forms = [_integral(e, numbers, [grid or 1 for grid in known]) for e in usable]
        for prime in PRIMES:
            modulus = _empty_modulus(forms, len(numbers), prime, homogeneous=False)
            if modulus is not None:
                return Obstruction(modulus, False)
    return None


def _homogeneous(equation: Polynomial, numbers: Sequence[int]) -> Form:
    """d^m f(a/d), primitive; the last variable is d."""
    terms = [
        (tuple(int(m[j]) for j in numbers), from_fmpq(c)) for m, c in equation.to_dict().items()
    ]
    unit = lcm(*(int(c.denominator) for _, c in terms))
    top = max(sum(m) for m, _ in terms)
    return Form(tuple((*m, top - sum(m)) for m, _ in terms), tuple(int(c * unit) for _, c in terms))


def _integral(equation: Polynomial, numbers: Sequence[int], grids: Sequence[int]) -> Form:
    """The equation in the integers k of θ = k / grid."""
    terms = []
    for m, c in equation.to_dict().items():
        powers = tuple(int(m[j]) for j in numbers)
        value = from_fmpq(c)
        for power, grid in zip(powers, grids, strict=True):
            value /= grid**power
        terms.append((powers, value))
    unit = lcm(*(int(c.denominator) for _, c in terms))
    return Form(tuple(m for m, _ in terms), tuple(int(c * unit) for _, c in terms))


def _empty_modulus(
    forms: Sequence[Form], variables: int, prime: int, *, homogeneous: bool
) -> int | None:
    """A power of the prime modulo which there is no solution, or ``None``."""
    cost = sum(1 + sum(powers) for form in forms for powers in form.exponents)
    most = min(POINTS_LIMIT, WORK_LIMIT // cost)
    if prime**variables > most:
        return None
    steps = np.indices((prime,) * variables, dtype=np.int64).reshape(variables, -1).T
    points = steps
    if homogeneous:
        # One vector of every class under multiplication by units: its first unit is 1.
        nonzero = points != 0
        first = np.argmax(nonzero, axis=1)
        points = points[nonzero.any(axis=1) & (points[np.arange(len(points)), first] == 1)]
    modulus = prime
    while True:
        points = points[_vanishing(forms, points, modulus)]
        if not len(points):
            return modulus
        if modulus == prime and _has_smooth_point(forms, points, prime):
            return None
        if modulus * prime > MODULUS_LIMIT or len(points) * len(steps) > most:
            return None
        points = (points[:, None, :] + modulus * steps[None, :, :]).reshape(-1, variables)
        modulus *= prime
        if homogeneous:
            points = _normalised(points, prime, modulus)


def _normalised(points: NDArray[np.int64], prime: int, modulus: int) -> NDArray[np.int64]:
    """Those lifts whose first unit is 1: every class keeps one."""
    unit = points % prime != 0
    first = np.argmax(unit, axis=1)
    kept: NDArray[np.int64] = points[points[np.arange(len(points)), first] == 1]
    return kept


def _has_smooth_point(forms: Sequence[Form], points: NDArray[np.int64], prime: int) -> bool:
    """Whether some zero modulo the prime can be lifted for ever: full rank of the gradients.

    Then the prime refutes nothing (Hensel). Only the first zeros are looked at.
    """
    points = points[:SMOOTH_POINTS]
    variables = points.shape[1]
    gradients = np.stack(
        [[_values(_derivative(f, j), points, prime) for j in range(variables)] for f in forms]
    )
    return any(_rank(gradients[:, :, k].tolist(), prime) == len(forms) for k in range(len(points)))


def _derivative(form: Form, column: int) -> Form:
    terms = [
        ((*m[:column], m[column] - 1, *m[column + 1 :]), c * m[column])
        for m, c in zip(form.exponents, form.coefficients, strict=True)
        if m[column]
    ]
    return Form(tuple(m for m, _ in terms), tuple(c for _, c in terms))


def _rank(rows: list[list[int]], prime: int) -> int:
    """The rank over the field of that many elements."""
    rank = 0
    for column in range(len(rows[0])):
        pivot = next((i for i in range(rank, len(rows)) if rows[i][column] % prime), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        inverse = pow(rows[rank][column], -1, prime)
        for i in range(rank + 1, len(rows)):
            factor = rows[i][column] * inverse % prime
            rows[i] = [(a - factor * b) % prime for a, b in zip(rows[i], rows[rank], strict=True)]
        rank += 1
    return rank


def _vanishing(forms: Sequence[Form], points: NDArray[np.int64], modulus: int) -> NDArray[np.bool_]:
    """Which points are zeros of all forms. Numbers stay below modulus² ≤ 2^24."""
    keep = np.ones(len(points), dtype=np.bool_)
    for form in forms:
        keep &= _values(form, points, modulus) == 0
    return keep


def _values(form: Form, points: NDArray[np.int64], modulus: int) -> NDArray[np.int64]:
    total = np.zeros(len(points), dtype=np.int64)
    for powers, c in zip(form.exponents, form.coefficients, strict=True):
        term = np.full(len(points), c % modulus, dtype=np.int64)
        for column, power in enumerate(powers):
            for _ in range(power):
                term = term * points[:, column] % modulus
        total = (total + term) % modulus
    return total
