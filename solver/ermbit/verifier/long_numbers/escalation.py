"""Escalation: a computation with signs, carried through with proved signs where that is possible.

Ball arithmetic with growing precision; where a ball keeps containing 0, residues modulo a random
prime; where those say 0, precision enough for |X| < 1, which is a proof, if the memory allows it
(docs/theory.md H1-H3). Whoever asks gets the result together with how far it is proved; a result
that rests on a residue 0 is told apart by its error bound and supports no answer.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from ermbit.verifier.evaluation.arithmetic import OutOfTime, Place
from ermbit.verifier.long_numbers.balls import CLAIM_BITS, BallArithmetic, Straddle, prime_bits
from ermbit.verifier.long_numbers.denominators import CoprimeBase

T = TypeVar("T")

FIRST_PRECISION = 128
GROWTH = 4
LONGEST_PRIME = 640
"""Bits of the longest prime that is drawn (a second). Longer numbers, of more than 2^470 bits, may
still be proved not to be 0, but nothing is claimed of them."""

PRIME_PRECISION = 2048
"""Below this precision another pass costs less than drawing a prime."""

LARGEST_EXPONENT_BITS = 2**16
"""Where even the number of bits of a value has this many bits, there is no point in going on."""


@dataclass(frozen=True)
class Limits:
    """What an escalation may use.

    Attributes:
        precision: bits of the longest mantissa.
        deadline: by the monotonic clock, in seconds, or ``None``.
    """

    precision: int
    deadline: float | None = None


@dataclass(frozen=True)
class Settled(Generic[T]):
    """The end of an escalation.

    Attributes:
        result: of the computation; ``None`` if it was not settled.
        proved: all signs on the way are proved.
        claims: how many signs were taken to be 0 because a random prime divides the number.
        error_bits: the claims are wrong with probability at most 2^-error_bits.
        precision: of the last attempt, in bits.
        signs: all signs on the way, in order, if it was settled.
        differs: the number at which it stopped is proved not to be 0, yet its sign is not known.
        reason: why it was not settled.
        place: where it stopped.
    """

    result: T | None
    proved: bool
    claims: int
    error_bits: int
    precision: int
    signs: tuple[int, ...] = ()
    differs: bool = False
    reason: str | None = None
    place: Place | None = None

    @property
    def method(self) -> str:
        """How, in words."""
        if self.result is None:
            return f"ball arithmetic up to {self.precision} bits"
        if self.proved:
            return f"ball arithmetic with {self.precision} bits (proved)"
        return (
            f"ball arithmetic with {self.precision} bits, and residues modulo a random prime "
            f"(not proved: error at most 2^-{self.error_bits})"
        )


def escalate(
    compute: Callable[[BallArithmetic], T],
    base: CoprimeBase,
    limits: Limits,
    *,
    prove: bool = True,
    start: int = FIRST_PRECISION,
    enough: Callable[[Place], bool] = lambda place: False,
) -> Settled[T]:
    """Carry a computation through.

    Args:
        compute: the computation; it must do the same whenever the same signs are found.
        base: for all denominators that it meets.
        limits: memory and time.
        prove: try to turn claims into proofs.
        start: first precision, in bits.
        enough: whether it may stop at a place because the number there is proved not to be 0.

    Raises:
        Nothing of its own: what is not settled is returned as such.
    """
    from flint import ctx

    precision = min(start, limits.precision)
    prime = 1
    claimed: Settled[T] | None = None
    before = ctx.prec
    try:
        while True:
            arithmetic = BallArithmetic(base, prime, limits.deadline)
            ctx.prec = precision
            try:
                result = compute(arithmetic)
            except Straddle as straddle:
                if arithmetic.claims:
                    # Behind a sign that is only claimed, nothing is proved.
                    straddle = Straddle(straddle.place, nonzero=False, bits=straddle.bits)
                if straddle.nonzero and enough(straddle.place):
                    return _unsettled("", precision, differs=True, place=straddle.place)
                stop = _stop(straddle, precision, limits, claimed)
                if stop is not None:
                    return stop
                if straddle.bits is not None and precision >= PRIME_PRECISION:
                    prime = _larger_prime(prime, straddle.bits)
                precision = _next(precision, straddle.bits, limits)
                continue
            except OutOfTime:
                return claimed or _unsettled("time limit", precision)
            except (MemoryError, OverflowError):
                return claimed or _unsettled("out of memory", precision)
            settled = Settled(
                result,
                not arithmetic.claims,
                len(arithmetic.claims),
                CLAIM_BITS - len(arithmetic.claims).bit_length(),
                precision,
                tuple(arithmetic.signs),
            )
            if settled.proved or not prove:
                return settled
            claimed = settled
            # A ball of radius below 1/Q around 0 proves X = 0: that takes about D bits.
            needed = max(arithmetic.claims) + 64
            if needed > limits.precision or precision == limits.precision:
                return claimed
            precision = min(max(needed, 2 * precision), limits.precision)
    finally:
        ctx.prec = before


def _next(precision: int, bits: int | None, limits: Limits) -> int:
    """The next precision: four times as much, but not far past what settles any sign."""
    grown = GROWTH * precision
    if bits is not None and precision < bits + 64 < grown:
        grown = bits + 64
    return min(grown, limits.precision)


def _stop(
    straddle: Straddle, precision: int, limits: Limits, claimed: Settled[T] | None
) -> Settled[T] | None:
    """The end, if more precision is out of reach."""
    bits = straddle.bits
    if bits is not None and bits.bit_length() > LARGEST_EXPONENT_BITS:
        return claimed or _unsettled("even the numbers of bits are too long", precision)
    if precision < limits.precision:
        return None
    if claimed is not None:
        return claimed
    what = "differs from 0, but its sign" if straddle.nonzero else "is not settled: its sign"
    size = "" if bits is None else f" (scaled to an integer it may have {_count(bits)} bits)"
    return _unsettled(
        f"a number at the {straddle.place} {what} needs more than {precision} bits{size}",
        precision,
        differs=straddle.nonzero,
        place=straddle.place,
    )


def _count(bits: int) -> str:
    return str(bits) if bits < 10**12 else f"about 2^{bits.bit_length() - 1}"


def _unsettled(
    reason: str, precision: int, *, differs: bool = False, place: Place | None = None
) -> Settled[T]:
    return Settled(None, False, 0, 0, precision, (), differs, reason, place)


def _larger_prime(prime: int, bits: int) -> int:
    """A fresh random prime if the one at hand is too short for numbers of this size."""
    wanted = min(prime_bits(bits), LONGEST_PRIME)
    return prime if prime.bit_length() >= wanted else random_prime(wanted)


def random_prime(bits: int) -> int:
    """A prime of exactly ``bits`` bits, uniform among those, from the system's entropy."""
    from flint import fmpz

    while True:
        candidate = secrets.randbits(bits) | 1 << (bits - 1) | 1
        # is_prime is a proof in FLINT, not a probabilistic test.
        if fmpz(candidate).is_probable_prime() and fmpz(candidate).is_prime():
            return candidate


def deadline_after(seconds: float | None) -> float | None:
    """A deadline by the monotonic clock."""
    return None if seconds is None else time.monotonic() + seconds
