"""Escalation: denominators, residues, balls, and verdicts on numbers that are never built."""

from __future__ import annotations

import importlib
import math
import random
from fractions import Fraction
from itertools import combinations
from typing import Any

import pytest
from gmpy2 import mpq
from hypothesis import given, settings
from hypothesis import strategies as st

import random_instances
import reference
from ermbit import verify
from ermbit.verifier.evaluation.arithmetic import Place
from ermbit.verifier.long_numbers import balls, escalation
from ermbit.verifier.long_numbers.balls import BallArithmetic, Straddle, ball_bits, prime_bits
from ermbit.verifier.long_numbers.denominators import coprime_base
from ermbit.verifier.long_numbers.escalation import Limits, escalate, random_prime
from ermbit.verifier.long_numbers.residues import ReplayArithmetic, Ring
from ermbit_instances.instance import Instance, parse_instance
from twin_towers import twin_towers

HERE = Place("loss", -1)
# The package has a function of the same name.
verify_module = importlib.import_module("ermbit.verifier.verify")


@given(st.lists(st.integers(1, 10**6), max_size=8))
def test_a_coprime_base_writes_every_number_as_a_product_of_powers(numbers: list[int]) -> None:
    base = coprime_base(numbers)
    assert base.numbers[0] == 2
    assert all(math.gcd(a, b) == 1 for a, b in combinations(base.numbers, 2))
    for number in numbers:
        exponents = base.exponents(number)
        assert base.product(exponents) == number
        assert base.modulo(exponents, 10007) == number % 10007
        assert number <= 2 ** base.bits(exponents)
        assert eval(base.write(exponents).replace("^", "**")) == number


def test_a_denominator_outside_the_base_is_refused() -> None:
    with pytest.raises(ValueError, match="factor"):
        coprime_base([6]).exponents(5)


fractions_ = st.fractions(max_denominator=60).filter(lambda v: abs(v) < 10**6)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(fractions_, min_size=2, max_size=6),
    st.lists(st.tuples(st.sampled_from("+-*"), st.integers(0, 9), st.integers(0, 9)), max_size=9),
    st.integers(1, 10**9),
)
def test_residues_are_those_of_the_scaled_integer(
    constants: list[Fraction], steps: list[tuple[str, int, int]], modulus: int
) -> None:
    base = coprime_base([v.denominator for v in constants])
    ring = Ring(modulus, base)
    replay = ReplayArithmetic(ring, ())
    ball = BallArithmetic(base, 1)
    values = list(constants)
    residues: list[Any] = [replay.constant(mpq(v)) for v in constants]
    enclosures: list[Any] = [ball.constant(mpq(v)) for v in constants]
    for operation, i, j in steps:
        i, j = i % len(values), j % len(values)
        for numbers in (values, residues, enclosures):
            a, b = numbers[i], numbers[j]
            numbers.append(a + b if operation == "+" else a - b if operation == "-" else a * b)
    for value, residue, enclosure in zip(values, residues, enclosures, strict=True):
        scaled = value * base.product(residue.exponents)
        assert scaled.denominator == 1
        assert residue.x == scaled.numerator % modulus
        assert enclosure.residue.exponents == residue.exponents
        bits = enclosure.scaled_bits()
        assert abs(scaled.numerator) < 2**bits if bits > 0 else scaled == 0


def test_powers_of_two_of_any_size() -> None:
    ring = Ring(1000003, coprime_base([3]))
    big = ring.times_power_of_two(5, 2**90)
    assert big.x == 5 * pow(2, 2**90, 1000003) % 1000003
    small = ring.times_power_of_two(5, -7)
    assert small.exponents == (7, 0) and small.x == 5
    enclosure = BallArithmetic(coprime_base([]), 1).times_power_of_two(3, -(2**80))
    assert ball_bits(enclosure.ball) == 3 - 2**80


@pytest.mark.parametrize("bits", [17, 64, 170, 300])
def test_random_primes_are_primes_of_their_length(bits: int) -> None:
    seen = {random_prime(bits) for _ in range(6)}
    assert len(seen) > 1
    for prime in seen:
        assert prime.bit_length() == bits
        assert pow(3, prime - 1, prime) == 1


def test_the_error_of_a_claim_is_bounded_as_stated() -> None:
    for size in (1, 2**10, 2**40, 2**200):
        b = prime_bits(size)
        # 1.16·D/2^(b−1), docs/theory.md H3
        assert Fraction(116, 100) * size / 2 ** (b - 1) <= Fraction(1, 2**balls.CLAIM_BITS)
    assert balls.CLAIM_BITS - 32 >= 128


def squares(arithmetic: Any, start: int, times: int) -> Any:
    value = arithmetic.constant(mpq(start))
    for _ in range(times):
        value = value * value
    return value


def test_zero_is_proved_when_precision_reaches_the_number() -> None:
    base = coprime_base([])

    def difference(arithmetic: BallArithmetic) -> int:
        a = squares(arithmetic, 3, 12)
        b = squares(arithmetic, 9, 11)
        return arithmetic.sign(a - b, HERE)

    settled = escalate(difference, base, Limits(10**6))
    assert settled.result == 0 and settled.proved
    starved = escalate(difference, base, Limits(4096))
    assert starved.result == 0 and not starved.proved
    assert starved.claims == 1 and starved.error_bits >= 128
    assert "not proved" in starved.method


def test_a_tiny_difference_is_told_apart() -> None:
    base = coprime_base([])

    def difference(arithmetic: BallArithmetic) -> int:
        one = arithmetic.constant(mpq(1))
        return arithmetic.sign(squares(arithmetic, 3, 13) - squares(arithmetic, 9, 12) + one, HERE)

    settled = escalate(difference, base, Limits(10**6))
    assert settled.result == 1 and settled.proved
    starved = escalate(difference, base, Limits(4096))
    assert starved.result is None and starved.differs
    assert starved.reason is not None and "differs from 0" in starved.reason


def test_a_prime_that_divides_the_number_makes_a_claim_and_no_proof() -> None:
    """The reason for fresh entropy: with a known prime an instance can be built to vanish."""
    prime = random_prime(prime_bits(2**14))
    base = coprime_base([])
    arithmetic = BallArithmetic(base, prime)
    from flint import ctx

    with ctx.workprec(64):
        value = squares(arithmetic, 3, 12)
        trap = value - squares(arithmetic, 9, 11) + arithmetic.constant(mpq(prime))
        assert arithmetic.sign(trap, HERE) == 0
    assert arithmetic.claims
    short = BallArithmetic(base, 101)
    with ctx.workprec(64), pytest.raises(Straddle):
        short.sign(squares(short, 3, 12) - squares(short, 9, 11), HERE)


def test_a_deadline_ends_it() -> None:
    settled = escalate(
        lambda a: a.sign(squares(a, 3, 40), HERE), coprime_base([]), Limits(10**6, 0.0)
    )
    assert settled.result is None and settled.reason == "time limit"


# --- verdicts -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(80))
def test_verdicts_without_exact_numbers_agree_with_the_reference(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(seed)
    document = random_instances.random_instance(rng)
    layers = document["network"].get("layers")
    if layers is None:
        document["network"]["neurons"][0]["activation"] = "square"
    else:
        layers[0]["activation"] = "square"
    theta = random_instances.random_parameters(rng, document)
    loss = reference.loss(document, theta)
    certificate = {k: str(v) for k, v in theta.items()}
    monkeypatch.setattr(verify_module, "EXACT_BITS", 0)
    for gap in (0, Fraction(1, 10**60), -Fraction(1, 10**60)):
        subject = parse_instance(document | {"threshold": str(loss + gap)})
        verdict = verify(subject, certificate, loss_bit=(-3, 6), leading_bits=5)
        assert verdict.accepted is (gap >= 0), verdict
        assert verdict.loss_bits is not None
        assert verdict.loss_bits.value == int(loss * 8) % 64
        if loss:
            assert verdict.leading is not None and verdict.leading.value is not None
            low = verdict.leading.value * Fraction(2) ** verdict.leading.position
            assert low <= loss < low + Fraction(2) ** verdict.leading.position


def twins(depth: int, last: int, loss: str = "absolute", threshold: Any = 0) -> Instance:
    """|3^(2^depth) − 3^(2^depth) − last| without parameters."""
    difference = {f"a{depth - 1}": 1, f"b{depth - 1}": -1}
    output = {"id": "f", "inputs": difference, "activation": "identity"}
    return parse_instance(
        {
            "format": "ermbit-instance",
            "version": 1,
            "network": twin_towers(depth, [output]),
            "data": {"x": [[3]], "y": [[last]]},
            "loss": {"name": loss, "reduction": "sum"},
            "threshold": threshold,
        }
    )


@pytest.mark.parametrize("loss", ["absolute", "squared"])
def test_an_equality_past_the_limits_is_undecided_and_never_supports_a_sat(loss: str) -> None:
    verdict = verify(twins(70, 0, loss), {})
    assert verdict.accepted is None
    assert verdict.loss is None
    assert verdict.reason is not None
    assert "equal to 0" in verdict.reason and "2^-1" in verdict.reason
    assert verdict.to_json()["proved"] is False
    from ermbit import solve

    answer = solve(twins(70, 0, loss))
    assert answer.status == "unknown"


def test_without_a_threshold_the_method_is_that_of_the_verdict() -> None:
    document = {k: v for k, v in twins(70, 0).canonical().items() if k != "threshold"}
    subject = parse_instance(document)
    verdict = verify(subject, {})
    assert verdict.accepted is True
    assert verdict.method == "only domains decide (proved)"
    assert verdict.loss_note is not None and verdict.loss_note.startswith("0 with an error of at")
    verdict = verify(subject, {}, timeout=0)
    assert verdict.accepted is True
    assert verdict.loss_note == "not computed: time limit"


def test_a_loss_behind_a_claimed_sign_is_not_stated_as_proved() -> None:
    verdict = verify(twins(70, 0, threshold=1), {})
    # Less than 1, if the residue is right.
    assert verdict.accepted is None
    assert verdict.loss_note is not None and "with an error of at most 2^-1" in verdict.loss_note


@pytest.mark.parametrize("loss", ["absolute", "squared"])
def test_a_residue_that_is_not_zero_rejects_at_threshold_zero(loss: str) -> None:
    verdict = verify(twins(70, 1, loss), {})
    assert verdict.accepted is False
    assert "not 0" in verdict.violations[0]


def test_between_the_limits_an_equality_is_proved() -> None:
    verdict = verify(twins(20, 0), {})
    assert verdict.accepted is True
    assert "(proved)" in verdict.method


def test_a_difference_of_one_past_the_limits_is_not_compared_with_another_threshold() -> None:
    assert verify(twins(70, 1, threshold="1/2"), {}, memory=8).accepted is None
    assert verify(twins(70, 1, threshold=-1), {}).accepted is False


def test_even_the_number_of_bits_may_be_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(escalation, "LARGEST_EXPONENT_BITS", 64)
    verdict = verify(twins(70, 0), {})
    assert verdict.accepted is None
    assert verdict.reason == "even the numbers of bits are too long"


@pytest.mark.parametrize("memory", [1, 256])
def test_memory_limits_the_precision(memory: int) -> None:
    verdict = verify(twins(20, 0), {}, memory=memory)
    assert verdict.accepted is (True if memory == 256 else None)


def test_low_and_high_bits_of_a_loss_of_depth_200() -> None:
    neurons = []
    before = "x0"
    for level in range(200):
        neurons.append({"id": f"n{level}", "inputs": {before: 1}, "activation": "square"})
        before = f"n{level}"
    subject = parse_instance(
        {
            "format": "ermbit-instance",
            "version": 1,
            "network": {"inputs": 1, "neurons": neurons, "outputs": [before]},
            "data": {"x": [[3]], "y": [[5]]},
            "loss": {"name": "absolute", "reduction": "sum"},
            "threshold": 0,
        }
    )
    verdict = verify(subject, {}, loss_bit=(0, 64), leading_bits=64)
    assert verdict.accepted is False
    assert verdict.loss_bits is not None and verdict.leading is not None
    assert verdict.loss_bits.value == (pow(3, 2**200, 2**64) - 5) % 2**64
    # The mantissa of 3^(2^200) from its logarithm, with 400 bits.
    from flint import arb, ctx

    with ctx.workprec(400):
        power = arb(3).log() / arb(2).log() * arb(2) ** 200
        whole = power.floor().unique_fmpz()
        mantissa = (arb(2) ** (power - whole + 63)).floor().unique_fmpz()
    assert verdict.leading.value == int(mantissa)
    assert verdict.leading.position == int(whole) - 63
