"""Single bits of numbers that are too long to be written (docs/theory.md H4).

Bits K, …, K+c−1 of a number v are ⌊|v|·2^−K⌋ mod 2^c; K < 0 means binary places. Three ways lead
to them, and the cheapest that fits into the limits is taken:

* *low bits* by residues: with v = X/Q, ⌊|v|·2^−K⌋ mod 2^c comes from |X| mod Q·2^(K+c). The full
  denominator is part of the modulus, so this is cheap for integers and short denominators. Bits of
  the scaled integer |X| itself need the modulus 2^(K+c) only: polynomial in K, even where X has
  2^depth bits (BitSLP; Allender, Bürgisser, Kjeldgaard-Pedersen & Miltersen 2009);
* *high bits* by balls: precision log2|v| − K. A ball that contains a multiple of 2^K does not tell
  the bit; then the sign of v minus that multiple is escalated;
* *the middle* needs as many bits as the number has: the same balls, at that precision.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gmpy2 import mpz

from ermbit.verifier.evaluation.arithmetic import Arithmetic, Place
from ermbit.verifier.long_numbers.balls import Ball, BallArithmetic, Straddle, ball_bits
from ermbit.verifier.long_numbers.denominators import CoprimeBase, Exponents
from ermbit.verifier.long_numbers.escalation import Limits, Settled, escalate
from ermbit.verifier.long_numbers.residues import ReplayArithmetic, Residue, Ring
from ermbit_instances.rational import Rational

WRITTEN_AS_NUMBER = 8192
"""Longer values, in bits, are written as texts: Python reads no longer integers from JSON."""

GUARD = 64
"""Extra bits of precision beyond what the position of the wanted bit asks for."""

Compute = Callable[[Arithmetic], Any]
_HERE = Place("loss", -1)


@dataclass(frozen=True)
class Bits:
    """Bits of a number.

    Attributes:
        position: K, the lowest of them.
        count: c, how many.
        value: ⌊|v|·2^−K⌋ mod 2^c, or ``None`` if undecided.
        method: how, and whether that is a proof.
        reason: why it is undecided.
    """

    position: int
    count: int
    value: int | None
    method: str
    reason: str | None = None

    @property
    def digits(self) -> str | None:
        """The value in decimal digits, however many."""
        return None if self.value is None else mpz(self.value).digits()

    @property
    def written(self) -> int | str | None:
        """The value as in files: an integer, or its digits where it is long."""
        if self.value is None or self.value.bit_length() <= WRITTEN_AS_NUMBER:
            return self.value
        return self.digits

    def to_json(self) -> dict[str, Any]:
        return {
            "position": self.position,
            "count": self.count,
            "value": self.written,
            "method": self.method,
            "reason": self.reason,
        }


def rational_bits(value: Rational, position: int, count: int, method: str) -> Bits:
    """The bits K, …, K+c−1 of the absolute value of a rational that is at hand."""
    p, q = abs(int(value.numerator)), int(value.denominator)
    modulus = q << count
    if position < 0:
        # 2^-K may be far too long to be written; its residue is not.
        found = p % modulus * pow(2, -position, modulus) % modulus // q
    elif position > p.bit_length():
        found = 0
    else:
        found = (p // (q << position)) % (1 << count)
    return Bits(position, count, found, method)


def rational_leading(value: Rational, count: int, method: str) -> Bits:
    """The highest bits of the absolute value of a rational that is at hand."""
    if value == 0:
        return Bits(0, count, 0, method)
    # |v| lies in [2^(m−1), 2^(m+1)) for the difference m of the lengths.
    m = int(value.numerator.bit_length()) - int(value.denominator.bit_length())
    found = rational_bits(value, m - count, count + 2, method)
    assert found.value is not None
    if found.value >> count:
        found = rational_bits(value, m - count + 1, count + 2, method)
    return Bits(found.position, count, found.value, method)


@dataclass(frozen=True)
class _Known:
    """What a first pass finds: the way through all pieces, size, sign, denominator."""

    signs: tuple[int, ...]
    exponents: Exponents
    upper: int
    sign: int | None
    sign_note: str
    precision: int


def bits_of(
    compute: Compute,
    position: int,
    count: int,
    base: CoprimeBase,
    limits: Limits,
    *,
    over: Exponents | None = None,
) -> Bits:
    """Bits of a computed number.

    Args:
        compute: gives the number in any arithmetic.
        position: K.
        count: c ≥ 1.
        base: for the denominators of the computation.
        limits: of memory and time.
        over: a common denominator; the bits are then those of the integer |v|·Q, K ≥ 0.
    """
    first = escalate(lambda a: _measure(compute, a), base, limits)
    known, why = _known(first, compute, base, limits)
    if known is None:
        return Bits(position, count, None, first.method, why)
    if known.sign == 0:
        return Bits(position, count, 0, f"the number is 0: {known.sign_note}")
    denominator = base.bits(known.exponents)
    if over is None:
        low = denominator + max(position, 0) + count
        high = known.upper - position + GUARD
    else:
        low = position + count
        high = known.upper + base.bits(over) - position + GUARD
    ways: list[tuple[int, Callable[[], Bits]]] = [
        (low, lambda: _low(compute, known, position, count, base, over)),
        (high, lambda: _high(compute, known, position, count, base, limits, over)),
    ]
    answer = None
    for cost, way in sorted(ways, key=lambda item: item[0]):
        if cost <= limits.precision:
            answer = way()
            if answer.value is not None:
                return answer
    if answer is not None:
        return answer
    return Bits(
        position,
        count,
        None,
        "none",
        f"a bit in the middle: {_size(low)} from below or {_size(high)} from above are needed, "
        f"the limit is {limits.precision}",
    )


def leading_bits(compute: Compute, count: int, base: CoprimeBase, limits: Limits) -> Bits:
    """The ``count`` highest bits of |v|: ⌊|v|·2^−K⌋ has exactly that many, K is its position."""
    wanted = Limits(min(limits.precision, 2**40), limits.deadline)

    def run(arithmetic: BallArithmetic) -> tuple[int, int]:
        value = compute(arithmetic)
        if arithmetic.sign(value, _HERE) < 0:
            value = -value
        if not value.ball > 0:
            return 0, 0
        low, high = _magnitude(value.ball.lower()), _magnitude(value.ball.upper())
        if high - low > 1:
            raise Straddle(_HERE, nonzero=True, bits=value.scaled_bits())
        if high > low:
            border = arithmetic.times_power_of_two(1, low)
            low = high if arithmetic.sign(value - border, _HERE) >= 0 else low
        return low - count, _floor(value, low - count, arithmetic)

    settled = escalate(run, base, wanted)
    if settled.result is None or not settled.proved:
        return Bits(0, count, None, settled.method, settled.reason or "not proved")
    position, value = settled.result
    return Bits(position, count, value, settled.method)


def _magnitude(point: Any) -> int:
    """m with 2^(m−1) ≤ v < 2^m for an exact positive Arb number."""
    mantissa, exponent = point.mid().man_exp()
    return int(mantissa).bit_length() + int(exponent)


def _size(bits: int) -> str:
    return f"{bits} bits" if bits < 10**12 else f"about 2^{bits.bit_length() - 1} bits"


def _measure(compute: Compute, arithmetic: BallArithmetic) -> tuple[Exponents, int]:
    value: Ball = compute(arithmetic)
    upper = value.upper_bits()
    if upper is None:
        raise Straddle(_HERE, nonzero=False, bits=None)
    return value.residue.exponents, upper


def _known(
    first: Settled[tuple[Exponents, int]], compute: Compute, base: CoprimeBase, limits: Limits
) -> tuple[_Known | None, str | None]:
    if first.result is None:
        return None, first.reason
    if not first.proved:
        return None, "the pieces on the way are not proved"

    def signed(arithmetic: BallArithmetic) -> tuple[int, int]:
        value = compute(arithmetic)
        return arithmetic.sign(value, _HERE), ball_bits(value.ball) or 0

    second = escalate(signed, base, limits, start=first.precision)
    exponents, upper = first.result
    if second.result is None:
        return _Known(
            first.signs, exponents, upper, None, second.reason or "", first.precision
        ), None
    sign, upper = second.result
    if not second.proved:
        return None, f"the number is 0 with an error of at most 2^-{second.error_bits}"
    return _Known(first.signs, exponents, upper, sign, second.method, first.precision), None


def _low(
    compute: Compute,
    known: _Known,
    position: int,
    count: int,
    base: CoprimeBase,
    over: Exponents | None,
) -> Bits:
    lift, drop = max(-position, 0), max(position, 0)
    if over is None:
        q = base.product(known.exponents)
        modulus = q << (drop + count)
    else:
        q, modulus = 1, 1 << (position + count)
    ring = Ring(modulus, base)
    residue: Residue = compute(ReplayArithmetic(ring, known.signs))
    x = int(residue.raised(known.exponents if over is None else over) % modulus)

    lifted = pow(2, lift, modulus)

    def read(scaled: int) -> int:
        return (scaled * lifted % modulus // (q << drop)) % (1 << count)

    plus, minus = read(x), read(-x % modulus)
    method = f"arithmetic modulo a number of {modulus.bit_length()} bits (proved)"
    if known.sign is None:
        if plus == minus:
            return Bits(position, count, plus, method)
        return Bits(position, count, None, method, f"the sign is unknown: {known.sign_note}")
    return Bits(position, count, plus if known.sign > 0 else minus, method)


def _high(
    compute: Compute,
    known: _Known,
    position: int,
    count: int,
    base: CoprimeBase,
    limits: Limits,
    over: Exponents | None,
) -> Bits:
    def run(arithmetic: BallArithmetic) -> int:
        value: Ball = compute(arithmetic)
        if over is not None:
            value = value * _scale(arithmetic, over)
        if arithmetic.sign(value, _HERE) < 0:
            value = -value
        return _floor(value, position, arithmetic) % (1 << count)

    settled = escalate(run, base, limits, start=known.precision)
    if settled.result is None or not settled.proved:
        reason = settled.reason or (
            f"the number lies at a multiple of 2^K with an error of at most 2^-{settled.error_bits}"
        )
        return Bits(position, count, None, settled.method, reason)
    return Bits(position, count, settled.result, settled.method)


def _floor(value: Ball, position: int, arithmetic: BallArithmetic) -> int:
    """⌊v·2^−K⌋ for v ≥ 0."""
    from flint import arb, ctx

    shifted = value.ball * arb((1, -position))
    size = ball_bits(shifted)
    if size is None or size > ctx.prec:
        # Integers of that size may not even be formed here, let alone told apart.
        raise Straddle(_HERE, nonzero=True, bits=value.scaled_bits())
    whole = shifted.floor().unique_fmpz()
    if whole is not None:
        return int(whole)
    upper = shifted.upper().floor().unique_fmpz()
    lower = shifted.lower().floor().unique_fmpz()
    if upper is None or lower is None or upper - lower != 1:
        raise Straddle(_HERE, nonzero=True, bits=value.scaled_bits())
    multiple = arithmetic.times_power_of_two(int(upper), position)
    return int(upper) if arithmetic.sign(value - multiple, _HERE) >= 0 else int(lower)


def _scale(arithmetic: BallArithmetic, exponents: Exponents) -> Ball:
    """The denominator with these exponents, by repeated squaring."""
    from gmpy2 import mpq

    result = arithmetic.times_power_of_two(1, exponents[0])
    for number, k in zip(arithmetic.ring.base.numbers[1:], exponents[1:], strict=True):
        power = arithmetic.constant(mpq(number))
        while k:
            if k & 1:
                result = result * power
            k >>= 1
            if k:
                power = power * power
    return result
