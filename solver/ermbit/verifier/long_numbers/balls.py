"""Ball arithmetic with a residue beside every ball.

A ball (Arb: midpoint, radius, exponents of any size) settles a sign unless it contains 0. Then the
scaled integer X = Q·v of :mod:`~ermbit.verifier.long_numbers.residues` helps, in three ways:

* if the ball says |X| < 1, then X = 0: proved, since X is an integer;
* a residue of X modulo any number that is not 0 proves X ≠ 0: only precision is missing;
* a residue 0 modulo a random prime of b bits says X = 0 with an error of at most
  1.16·D/2^(b−1) where |X| < 2^D (docs/theory.md H3): never a proof, and recorded as a claim.

The last two need a prime drawn after the computation was fixed, from fresh entropy: for a prime
known beforehand one can build an instance whose numbers vanish modulo it.
"""

from __future__ import annotations

from typing import Any

from ermbit.verifier.evaluation.arithmetic import Place, check_time
from ermbit.verifier.long_numbers.denominators import CoprimeBase
from ermbit.verifier.long_numbers.residues import Residue, Ring
from ermbit_instances.rational import Rational

CLAIM_BITS = 160
"""A single claim of equality is wrong with probability at most 2^-CLAIM_BITS, so that 2^32 of them
together keep the promised 2^-128."""


class Straddle(ArithmeticError):
    """A sign that this precision does not settle.

    Attributes:
        place: where it was asked.
        nonzero: the number is proved to differ from 0.
        bits: D, with |X| < 2^D; ``None`` if the ball says nothing.
    """

    def __init__(self, place: Place, *, nonzero: bool, bits: int | None) -> None:
        super().__init__(f"a sign is not settled at {place}")
        self.place = place
        self.nonzero = nonzero
        self.bits = bits


def prime_bits(bits: int) -> int:
    """Bits b of a prime for which a claim about |X| < 2^bits meets :data:`CLAIM_BITS`."""
    # 1.16·D/2^(b-1) ≤ 2^-CLAIM_BITS
    return CLAIM_BITS + max(bits, 1).bit_length() + 2


class Ball:
    """A number: a ball that contains it, and the residue of its scaled integer."""

    __slots__ = ("arithmetic", "ball", "residue")

    def __init__(self, arithmetic: BallArithmetic, ball: Any, residue: Residue) -> None:
        self.arithmetic = arithmetic
        self.ball = ball
        self.residue = residue

    def __add__(self, other: Ball) -> Ball:
        self.arithmetic.check_time()
        return Ball(self.arithmetic, self.ball + other.ball, self.residue + other.residue)

    def __sub__(self, other: Ball) -> Ball:
        self.arithmetic.check_time()
        return Ball(self.arithmetic, self.ball - other.ball, self.residue - other.residue)

    def __neg__(self) -> Ball:
        return Ball(self.arithmetic, -self.ball, -self.residue)

    def __mul__(self, other: Ball) -> Ball:
        arithmetic = self.arithmetic
        arithmetic.check_time()
        if self is other:
            ball = self.ball * self.ball  # one number twice: Arb squares it as such
            return Ball(arithmetic, ball, self.residue * self.residue)
        return Ball(arithmetic, self.ball * other.ball, self.residue * other.residue)

    def upper_bits(self) -> int | None:
        """B with |v| < 2^B, or ``None`` if the ball is infinite."""
        return ball_bits(self.ball)

    def scaled_bits(self) -> int | None:
        """D with |X| < 2^D for the scaled integer X; D ≤ 0 proves X = 0."""
        upper = self.upper_bits()
        if upper is None:
            return None
        return upper + self.residue.ring.base.bits(self.residue.exponents)


def ball_bits(ball: Any) -> int | None:
    """B with |v| < 2^B for all v of an Arb ball; very negative for 0, ``None`` for infinity."""
    if not ball.is_finite():
        return None
    bits = []
    for part in (ball.mid(), ball.rad()):
        mantissa, exponent = part.man_exp()
        if mantissa:
            bits.append(int(abs(mantissa)).bit_length() + int(exponent))
    return max(bits) + 1 if bits else -(2**62)


class BallArithmetic:
    """Balls of one precision, with residues modulo one prime (or 1: none yet).

    Attributes:
        claims: D for each sign that was taken to be 0 because of a residue.
        signs: all signs, in the order in which they were asked.
        deadline: by the monotonic clock, in seconds, or ``None``.
    """

    def __init__(self, base: CoprimeBase, prime: int, deadline: float | None = None) -> None:
        self.ring = Ring(prime, base)
        self.claims: list[int] = []
        self.signs: list[int] = []
        self.deadline = deadline

    def constant(self, value: Rational) -> Ball:
        from flint import arb, fmpq

        ball = arb(fmpq(int(value.numerator), int(value.denominator)))
        return Ball(self, ball, self.ring.constant(value))

    def times_power_of_two(self, factor: int, power: int) -> Ball:
        """factor · 2^power, for any integer power."""
        from flint import arb

        ball = arb((factor, power))
        return Ball(self, ball, self.ring.times_power_of_two(factor, power))

    def check_time(self) -> None:
        """Raise ``OutOfTime`` past the deadline."""
        check_time(self.deadline)

    def sign(self, value: Any, place: Place) -> int:
        sign = self._sign(value, place)
        self.signs.append(sign)
        return sign

    def _sign(self, value: Ball, place: Place) -> int:
        if value.ball > 0:
            return 1
        if value.ball < 0:
            return -1
        if value.ball.is_zero():
            return 0
        bits = value.scaled_bits()
        if bits is None:
            raise Straddle(place, nonzero=False, bits=None)
        if bits <= 0:
            return 0
        modulus = self.ring.modulus
        if modulus > 1 and value.residue.x != 0:
            raise Straddle(place, nonzero=True, bits=bits)
        if modulus.bit_length() < prime_bits(bits):
            raise Straddle(place, nonzero=False, bits=bits)
        self.claims.append(bits)
        return 0
