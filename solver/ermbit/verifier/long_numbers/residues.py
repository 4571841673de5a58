"""Arithmetic on residues of scaled integers.

A number v of the computation is kept as (X mod m, e): with the common denominator Q = Π b_i^{e_i}
(:mod:`~ermbit.verifier.long_numbers.denominators`) X = Q·v is an integer. Sums bring both to the
larger exponents, products add them, so everything is exact integer arithmetic modulo m, for any m:
no inverse is needed. Time is polynomial in the bits of m, even where X itself has 2^depth bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gmpy2 import mpz

from ermbit.verifier.evaluation.arithmetic import Place
from ermbit.verifier.long_numbers.denominators import CoprimeBase, Exponents
from ermbit_instances.rational import Rational


@dataclass(frozen=True)
class Ring:
    """Integers modulo m, over denominators of a base."""

    modulus: int
    base: CoprimeBase

    def constant(self, value: Rational) -> Residue:
        exponents = self.base.exponents(int(value.denominator))
        return Residue(self, value.numerator % mpz(self.modulus), exponents)

    def times_power_of_two(self, factor: int, power: int) -> Residue:
        """factor · 2^power, for any integer power."""
        if power < 0:
            exponents = (-power, *self.base.one[1:])
            return Residue(self, mpz(factor) % self.modulus, exponents)
        shifted = mpz(factor) * pow(mpz(2), power, self.modulus)
        return Residue(self, shifted % self.modulus, self.base.one)


class Residue:
    """X mod m with the exponents of its denominator."""

    __slots__ = ("exponents", "ring", "x")

    def __init__(self, ring: Ring, x: Any, exponents: Exponents) -> None:
        self.ring = ring
        self.x = x
        self.exponents = exponents

    def raised(self, exponents: Exponents) -> Any:
        """X mod m over a larger denominator."""
        if exponents == self.exponents:
            return self.x
        missing = tuple(a - b for a, b in zip(exponents, self.exponents, strict=True))
        return self.x * self.ring.base.modulo(missing, self.ring.modulus)

    def __add__(self, other: Residue) -> Residue:
        if self.exponents == other.exponents:
            return Residue(self.ring, (self.x + other.x) % self.ring.modulus, self.exponents)
        exponents = tuple(map(max, self.exponents, other.exponents))
        x = self.raised(exponents) + other.raised(exponents)
        return Residue(self.ring, x % self.ring.modulus, exponents)

    def __neg__(self) -> Residue:
        return Residue(self.ring, -self.x % self.ring.modulus, self.exponents)

    def __sub__(self, other: Residue) -> Residue:
        return self + -other

    def __mul__(self, other: Residue) -> Residue:
        exponents = tuple(a + b for a, b in zip(self.exponents, other.exponents, strict=True))
        return Residue(self.ring, self.x * other.x % self.ring.modulus, exponents)


class ReplayArithmetic:
    """Residues, with the signs that another arithmetic has found in the same computation."""

    def __init__(self, ring: Ring, signs: Sequence[int]) -> None:
        self._ring = ring
        self._signs = iter(signs)

    def constant(self, value: Rational) -> Residue:
        return self._ring.constant(value)

    def sign(self, value: Any, place: Place) -> int:
        return next(self._signs)
