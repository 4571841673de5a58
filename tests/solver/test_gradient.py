"""Exact backpropagation: against differences of the reference loss, conventions, bit queries."""

from __future__ import annotations

import random
from fractions import Fraction
from typing import Any

import pytest
from gmpy2 import mpq
from hypothesis import given, settings
from hypothesis import strategies as st

import random_instances
import reference
from ermbit import gradient
from ermbit.verifier import gradient as gradient_module
from ermbit.verifier.derivatives import Gradient
from ermbit_instances.errors import UsageError
from ermbit_instances.instance import Instance, parse_instance

REAL = {"domain": "real"}


def one_neuron(activation: Any, x: Any, **options: Any) -> Instance:
    """φ(w·x) with absolute loss, label −100 unless given: ∂L/∂w = φ'(w·x)·x."""
    return parse_instance(
        {
            "format": "ermbit-instance",
            "version": 1,
            "network": {
                "inputs": 1,
                "layers": [{"units": 1, "activation": activation, "bias": False}],
            },
            "weights": REAL,
            "data": {"x": [[x]], "y": [[options.get("y", -100)]]},
            "loss": {"name": options.get("loss", "absolute"), "reduction": "sum"},
        }
    )


def exact(value: Any) -> Fraction:
    return Fraction(int(value.numerator), int(value.denominator))


@pytest.mark.parametrize("seed", range(150))
def test_derivatives_are_the_limits_of_difference_quotients(seed: int) -> None:
    rng = random.Random(seed)
    document = random_instances.random_instance(rng)
    theta = random_instances.random_parameters(rng, document)
    found = gradient(parse_instance(document), {k: str(v) for k, v in theta.items()})
    assert exact(found.loss) == reference.loss(document, theta)
    if not found.differentiable:
        return
    step = Fraction(1, 10**40)
    for partial in found.partials:
        up, down = dict(theta), dict(theta)
        up[partial.parameter] += step
        down[partial.parameter] -= step
        rise = reference.loss(document, up) - reference.loss(document, down)
        # Off all kinks L is a polynomial near θ: the quotient differs by a multiple of step².
        assert abs(rise / (2 * step) - exact(partial.value)) < Fraction(1, 10**60)
        assert partial.sign == (partial.value > 0) - (partial.value < 0)


def test_most_random_cases_are_off_the_kinks() -> None:
    smooth = 0
    for seed in range(150):
        rng = random.Random(seed)
        document = random_instances.random_instance(rng)
        theta = random_instances.random_parameters(rng, document)
        found = gradient(parse_instance(document), {k: str(v) for k, v in theta.items()})
        smooth += found.differentiable
    assert smooth >= 40


PIECES = {"breakpoints": [0], "slopes": [3, 5], "intercepts": [0, 0]}


@pytest.mark.parametrize(
    ("activation", "at", "slope"),
    [
        ("relu", 0, 0),
        ("relu", 1, 1),
        ("relu", -1, 0),
        ("abs", 0, 0),
        ("abs", -1, -1),
        ({"name": "leaky_relu", "slope": "1/7"}, 0, 1),
        ({"name": "leaky_relu", "slope": "1/7"}, -1, Fraction(1, 7)),
        ({"name": "clip", "low": 0, "high": 1}, 0, 0),
        ({"name": "clip", "low": 0, "high": 1}, 1, 0),
        ({"name": "clip", "low": 0, "high": 2}, 1, 1),
        ({"name": "piecewise_linear", **PIECES}, 0, 5),
        ({"name": "piecewise_linear", **PIECES}, -1, 3),
        ("step", 0, 0),
        ("sign", 0, 0),
        ("sign", 1, 0),
        ("square", 0, 0),
        ("square", 3, 6),
        ("identity", 0, 1),
    ],
)
def test_slopes_and_their_conventions(activation: Any, at: int, slope: Any) -> None:
    found = gradient(one_neuron(activation, 1), {"W1[0,0]": at})
    assert exact(found.partials[0].value) == slope
    at_kink = at == 0 and activation not in ("square", "identity")
    at_kink = at_kink or (isinstance(activation, dict) and at == activation.get("high"))
    assert found.differentiable is not at_kink
    if at_kink:
        assert [(k.where, k.sample) for k in found.kinks] == [("1.0", 0)]


def test_a_breakpoint_without_a_bend_is_no_kink() -> None:
    straight = {
        "name": "piecewise_linear",
        "breakpoints": [0, 1],
        "slopes": [2, 2, 4],
        "intercepts": [0, 0, -2],
    }
    assert gradient(one_neuron(straight, 1), {"W1[0,0]": 0}).differentiable
    assert not gradient(one_neuron(straight, 1), {"W1[0,0]": 1}).differentiable


def test_no_convention_is_the_derivative_where_kinks_cancel() -> None:
    """t = relu(t) − relu(−t) has derivative 1 at 0; the convention gives 0, and says so."""
    document = {
        "format": "ermbit-instance",
        "version": 1,
        "network": {
            "inputs": 1,
            "neurons": [
                {"id": "p", "inputs": {"x0": {"param": "w"}}, "activation": "relu"},
                {
                    "id": "m",
                    "inputs": {"x0": {"param": "w", "scale": -1}},
                    "activation": "relu",
                },
                {"id": "f", "inputs": {"p": 1, "m": -1}, "activation": "identity"},
            ],
            "outputs": ["f"],
        },
        "weights": REAL,
        "data": {"x": [[1]], "y": [[-1]]},
        "loss": {"name": "absolute", "reduction": "sum"},
    }
    found = gradient(parse_instance(document), {"w": 0})
    assert found["w"].value == 0
    assert {k.where for k in found.kinks} == {"p", "m"}
    assert gradient(parse_instance(document), {"w": "1/2"})["w"].value == 1


def test_losses_at_their_corners() -> None:
    on_target = gradient(one_neuron("identity", 2, y=4), {"W1[0,0]": 2})
    assert on_target.partials[0].value == 0
    assert [(k.where, k.sample) for k in on_target.kinks] == [("loss", 0)]
    corner = gradient(one_neuron("identity", 1, y=1, loss="hinge"), {"W1[0,0]": 1})
    assert corner.partials[0].value == 0
    assert not corner.differentiable
    inside = gradient(one_neuron("identity", 1, y=1, loss="hinge"), {"W1[0,0]": "1/2"})
    assert inside.partials[0].value == -1
    assert inside.differentiable


def test_the_maximum_of_losses_and_of_inputs_follows_the_first() -> None:
    document = one_neuron("identity", 1, y=0).to_document()
    document["data"] = {"x": [[1], [1], [-3]], "y": [[0], [0], [0]], "sample_weights": [0, 3, 1]}
    document["loss"] = {"name": "absolute", "reduction": "max"}
    found = gradient(parse_instance(document), {"W1[0,0]": 1})
    assert found.partials[0].value == 3  # weight 3 · sign · x of sample 1, not −(−3) of sample 2
    assert found.kinks[-1].sample == -1
    pool = one_neuron("identity", 1).to_document()
    pool["network"] = {
        "inputs": 2,
        "layers": [
            {
                "units": 1,
                "activation": "max",
                "weights": [[{"param": "a"}, {"param": "b"}]],
                "bias": False,
            },
        ],
    }
    pool["data"] = {"x": [[1, 1]], "y": [[-9]]}
    tied = gradient(parse_instance(pool), {"a": 2, "b": 2})
    assert (tied["a"].value, tied["b"].value) == (1, 0)
    assert not tied.differentiable
    clear = gradient(parse_instance(pool), {"a": 2, "b": 3})
    assert (clear["a"].value, clear["b"].value) == (0, 1)
    assert clear.differentiable


def test_an_algebraic_point_has_algebraic_derivatives() -> None:
    subject = one_neuron("square", 1, y=-100)
    root = "(root-of-with-interval (coeffs (- 2) 0 1) 1 2)"
    found = gradient(subject, {"W1[0,0]": root})
    value = found.partials[0].value
    assert value * value == 8
    with pytest.raises(UsageError):
        gradient(subject, {"W1[0,0]": root}, bit=0)


def test_one_parameter_and_unknown_ones() -> None:
    subject = one_neuron("relu", 1)
    found = gradient(subject, {"W1[0,0]": 1}, parameter="W1[0,0]")
    document = found.to_json()
    assert document["value"] == 1 and document["sign"] == 1
    with pytest.raises(UsageError, match="no free parameter"):
        gradient(subject, {"W1[0,0]": 1}, parameter="W1[0,1]")


@pytest.mark.parametrize("seed", range(40))
def test_one_denominator_clears_all_derivatives(seed: int) -> None:
    rng = random.Random(seed)
    document = random_instances.random_instance(rng)
    theta = random_instances.random_parameters(rng, document)
    found = gradient(parse_instance(document), {k: str(v) for k, v in theta.items()})
    assert found.denominator is not None
    for partial in found.partials:
        assert (partial.value * found.denominator).denominator == 1


# --- numbers that are never built ---------------------------------------------------------------


def tower(depth: int, weight: str, loss: str = "squared", x: Any = "3/2") -> tuple[Instance, Any]:
    layers = [{"units": 1, "activation": "square"}] * depth
    document = {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": 1, "layers": [*layers, {"units": 1, "activation": "identity"}]},
        "weights": REAL,
        "data": {"x": [[x]], "y": [["1/3"]]},
        "loss": {"name": loss, "reduction": "mean"},
    }
    theta: dict[str, Any] = {f"W{i}[0,0]": weight for i in range(1, depth + 2)}
    theta |= {f"b{i}[0]": "1/5" if i % 2 else -1 for i in range(1, depth + 2)}
    return parse_instance(document), theta


def both(monkeypatch: pytest.MonkeyPatch, *arguments: Any, **options: Any) -> list[Gradient]:
    """The same question, exactly and by escalation."""
    result = [gradient(*arguments, **options)]
    monkeypatch.setattr(gradient_module, "EXACT_BITS", 0)
    result.append(gradient(*arguments, **options))
    monkeypatch.undo()
    return result


def places(size: Fraction, position: int) -> int:
    """⌊size·2^−K⌋ mod 8."""
    if position >= 0:
        return size.numerator // (size.denominator << position) % 8
    modulus = 8 * size.denominator
    return size.numerator * pow(2, -position, modulus) % modulus // size.denominator


@pytest.mark.parametrize("weight", ["1", "-2/3", "5/4"])
@pytest.mark.parametrize("depth", [1, 3, 5])
def test_bits_agree_with_exact_evaluation(
    depth: int, weight: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject, theta = tower(depth, weight)
    size = abs(exact(gradient(subject, theta, parameter="W1[0,0]").partials[0].value))
    length = size.numerator.bit_length() - size.denominator.bit_length()
    for position in [
        *range(-8, 9),
        -200,
        -(10**20),
        length - 2,
        length - 1,
        length,
        length + 1,
        5000,
    ]:
        sure, found = both(
            monkeypatch, subject, theta, parameter="W1[0,0]", bit=(position, 3), leading_bits=9
        )
        a, b = sure.partials[0], found.partials[0]
        assert a.bits.value == b.bits.value == places(size, position)
        assert a.sign == b.sign
        assert (a.leading.position, a.leading.value) == (b.leading.position, b.leading.value)
        assert a.leading.value.bit_length() == 9


@pytest.mark.parametrize("weight", ["1", "-2/3", "5/4"])
def test_numerator_bits_agree_with_exact_evaluation(
    weight: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject, theta = tower(4, weight)
    answers = both(monkeypatch, subject, theta, numerator_bit=(0, 4000))
    for found in answers:
        assert found.denominator is not None
        for a, b in zip(answers[0].partials, found.partials, strict=True):
            numerator = abs(exact(a.value)) * found.denominator
            assert numerator.denominator == 1
            assert b.numerator_bits.value == numerator.numerator % 2**4000
    # Exact evaluation states the least common denominator, escalation one that it knows beforehand.
    assert answers[1].denominator % answers[0].denominator == 0


@pytest.mark.parametrize("seed", range(60))
def test_escalation_agrees_with_exact_evaluation_on_random_networks(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All activations and losses, mixed; values exactly at breakpoints included."""
    rng = random.Random(1000 + seed)
    document = random_instances.random_instance(rng)
    layers = document["network"].get("layers")
    if layers is not None:
        layers[0]["activation"] = "square"
    theta = random_instances.random_parameters(rng, document)
    certificate = {k: str(v) for k, v in theta.items()}
    subject = parse_instance(document)
    sure, found = both(
        monkeypatch, subject, certificate, bit=(-2, 5), numerator_bit=(1, 7), leading_bits=4
    )
    assert found.denominator is not None and sure.denominator is not None
    assert found.denominator % sure.denominator == 0
    ratio = found.denominator // sure.denominator
    assert {(k.where, k.sample) for k in sure.kinks} == {(k.where, k.sample) for k in found.kinks}
    for a, b in zip(sure.partials, found.partials, strict=True):
        assert a.sign == b.sign, b.reason
        assert a.bits.value == b.bits.value
        numerator = abs(exact(a.value)) * sure.denominator
        assert a.numerator_bits.value == int(numerator) // 2 % 2**7
        assert b.numerator_bits.value == int(numerator) * ratio // 2 % 2**7
        assert a.leading.value == b.leading.value


def test_a_network_of_depth_200_shows_both_ends_of_its_derivative() -> None:
    subject, theta = tower(200, "1", x=3)
    theta |= {f"b{i}[0]": 0 for i in range(1, 202)}
    found = gradient(subject, theta, parameter="W200[0,0]", numerator_bit=(0, 64), leading_bits=64)
    partial = found.partials[0]
    assert partial.sign == 1
    # ∂L/∂w = 2(f − 1/3)·∂f/∂w with f = 3^(2^200), and ∂f/∂w = 2f: over the denominator 9 the
    # numerator is a multiple of 3 (the common denominator need not be least).
    f = pow(3, 2**200, 2**80)
    numerator = 4 * f * (3 * f - 1) * 3
    over = found.denominator
    assert over is not None and over % 3 == 0
    assert partial.numerator_bits.value == numerator * over // 9 % 2**64
    assert partial.leading.value is not None
    assert partial.leading.value.bit_length() == 64
    # log2 of 4·f² to within a bit.
    exponent = partial.leading.position + 63
    assert abs(exponent - (2 + 2 * 2**200 * 1.584962500721156)) < 2**155


def test_the_middle_of_a_number_past_the_limits_is_undecided() -> None:
    subject, theta = tower(64, "1", x=3)
    found = gradient(subject, theta, parameter="W1[0,0]", bit=2**60, memory=1)
    bits = found.partials[0].bits
    assert bits.value is None
    assert bits.reason is not None and "bits" in bits.reason
    assert not found.settled


@settings(max_examples=60, deadline=None)
@given(
    st.fractions(max_denominator=50),
    st.integers(-70, 70),
    st.integers(1, 9),
)
def test_bits_of_a_rational(value: Fraction, position: int, count: int) -> None:
    from ermbit.verifier.long_numbers.bit_query import rational_bits, rational_leading

    number = mpq(value.numerator, value.denominator)
    shifted = abs(value) / Fraction(2) ** position
    assert rational_bits(number, position, count, "").value == int(shifted) % 2**count
    far = 10**30
    assert rational_bits(number, far, count, "").value == 0
    places = rational_bits(number, -far, count, "").value
    scaled = abs(value.numerator) * pow(2, far, value.denominator << count)
    assert places == scaled % (value.denominator << count) // value.denominator
    leading = rational_leading(number, count, "")
    if value:
        assert leading.value.bit_length() == count
        low = leading.value * Fraction(2) ** leading.position
        assert low <= abs(value) < low + Fraction(2) ** leading.position
