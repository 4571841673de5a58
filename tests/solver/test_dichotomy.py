"""The measured dichotomy: bits against fractions and dual numbers, the laws, the figure."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ermbit import dichotomy
from ermbit.dichotomy import Point, fit, measure, network_at
from ermbit.dichotomy_figure import Curve, draw, formula
from ermbit_instances.errors import UsageError

Dual = tuple[Fraction, Fraction]  # a value, and its derivative by W1[0,0]


def bits_of(value: Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length(), 1)


def relu(z: Dual) -> Dual:
    return z if z[0] > 0 else (Fraction(0), Fraction(0))


def leaky(z: Dual) -> Dual:
    return z if z[0] > 0 else (z[0] / 10, z[1] / 10)


def power_sum(*coefficients: int) -> Callable[[Dual], Dual]:
    def phi(z: Dual) -> Dual:
        value = sum((c * z[0] ** k for k, c in enumerate(coefficients)), Fraction(0))
        slope = sum((c * k * z[0] ** (k - 1) for k, c in enumerate(coefficients) if k), Fraction(0))
        return value, slope * z[1]

    return phi


PHI: dict[str, tuple[Any, Callable[[Dual], Dual]]] = {
    "relu": ("relu", relu),
    "leaky_relu:1/10": ({"name": "leaky_relu", "slope": "1/10"}, leaky),
    "square": ("square", power_sum(0, 0, 1)),
    "polynomial:1,-2,0,1": (
        {"name": "polynomial", "coefficients": [1, -2, 0, 1]},
        power_sum(1, -2, 0, 1),
    ),
}


def naive_bits(activation: str, width: int, depth: int, bits: int, seed: int) -> tuple[int, int]:
    """Bits of f and of ∂L/∂W1[0,0], by fractions, loops and forward differentiation."""
    form, phi = PHI[activation]
    instance, values = network_at(form, width, depth, bits, seed)
    theta = [Fraction(int(v.numerator), int(v.denominator)) for v in values]
    signals = [(Fraction(str(v)), Fraction(0)) for v in instance.data.x[0]]
    target = Fraction(str(instance.data.y[0][0]))
    at = 0
    for layer in range(depth + 1):
        units = width if layer < depth else 1
        biases = theta[at + units * width : at + units * width + units]
        outputs = []
        for unit in range(units):
            z, dz = biases[unit], Fraction(0)
            for k, (a, da) in enumerate(signals):
                weight = theta[at + unit * width + k]
                z += weight * a
                dz += weight * da
                if (layer, unit, k) == (0, 0, 0):
                    dz += a
            outputs.append(phi((z, dz)) if layer < depth else (z, dz))
        signals = outputs
        at += units * width + units
    assert at == len(theta)
    ((f, df),) = signals
    return bits_of(f), bits_of(2 * (f - target) * df)


@pytest.mark.parametrize("activation", PHI)
@pytest.mark.parametrize("width, bits, seed", [(1, 1, 0), (2, 5, 3), (4, 8, 0), (3, 12, 7)])
def test_bits_are_those_of_fractions(activation: str, width: int, bits: int, seed: int) -> None:
    points = measure(activation, width=width, depth=4, bits=bits, seed=seed)
    assert [point.depth for point in points] == [1, 2, 3, 4]
    for point in points:
        wanted = naive_bits(activation, width, point.depth, bits, seed)
        assert (point.forward_bits, point.derivative_bits) == wanted
        assert point.forward_bits <= point.bound_bits
        assert point.forward_seconds > 0 and point.gradient_seconds > 0


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 5), st.integers(1, 3), st.integers(1, 70), st.integers(0, 2**31 - 1))
def test_parameters(width: int, depth: int, bits: int, seed: int) -> None:
    instance, values = network_at("relu", width, depth, bits, seed)
    for value in (*values, *instance.data.x[0], *instance.data.y[0]):
        assert value.denominator == 2**bits
        assert abs(value.numerator).bit_length() == bits
    positive = [p.index for p in instance.network.parameters if p.name[2:4] in ("[0", "[0]")]
    assert len(positive) == (depth + 1) * (width + 1)
    assert all(values[index] > 0 for index in positive)
    # A deeper network has the same layers first, and the same output.
    _, deeper = network_at("abs", width, depth + 1, bits, seed)
    hidden = depth * width * (width + 1)
    assert deeper[:hidden] == values[:hidden]
    assert deeper[-width - 1 :] == values[-width - 1 :]


@pytest.mark.parametrize("seed", range(8))
def test_relu_is_alive(seed: int) -> None:
    points = measure("relu", width=4, depth=12, bits=4, seed=seed)
    # Every layer adds a denominator of 4 bits; cancellation takes back less than that.
    assert all(p.forward_bits >= 2 * p.depth and p.derivative_bits >= 2 * p.depth for p in points)


def test_bits_depend_on_the_arguments_alone() -> None:
    def bits(seed: int) -> list[tuple[int, int, int]]:
        points = measure("square", width=3, depth=6, bits=8, seed=seed)
        return [(p.forward_bits, p.derivative_bits, p.bound_bits) for p in points]

    assert bits(1) == bits(1)
    assert bits(1) != bits(2)
    # The text of the generator is fixed, so these are the same on every machine.
    points = measure("relu", depth=3)
    assert [(p.forward_bits, p.derivative_bits, p.bound_bits) for p in points] == [
        (25, 41, 37),
        (33, 55, 51),
        (37, 67, 65),
    ]


@pytest.mark.parametrize("activation", ["relu", "abs", "leaky_relu:1/4"])
def test_piecewise_linear_adds(activation: str) -> None:
    points = measure(activation, depth=16)
    value, derivative = fit(points), fit(points, "derivative_bits")
    assert value.kind == derivative.kind == "additive"
    # Denominators of 8 bits a layer, of up to 10 with a slope of 1/4. The derivative of the squared
    # loss has the factors f − y and ∂f/∂w, each about as long as f.
    assert 6 <= value.step <= 12
    assert 1.7 <= derivative.step / value.step <= 2.2
    assert value.r_squared > 0.99 and value.error < value.other_error


@pytest.mark.parametrize(
    "activation, degree, depth",
    [("square", 2, 9), ("polynomial:0,1,0,1", 3, 7), ("polynomial:1,0,-1,0,1/2", 4, 5)],
)
def test_polynomials_multiply_by_their_degree(activation: str, degree: int, depth: int) -> None:
    points = measure(activation, depth=depth)
    assert len(points) == depth
    for law in (fit(points), fit(points, "derivative_bits")):
        assert law.kind == "multiplicative"
        assert 0.9 * degree <= law.step <= 1.1 * degree
        assert law.r_squared > 0.99 and law.error < law.other_error


def synthetic(bits: list[int], activation: str) -> tuple[Point, ...]:
    return tuple(Point(activation, d, b, 2 * b, b, 1e-4, 1e-3) for d, b in enumerate(bits, 1))


@given(st.integers(1, 500), st.integers(1, 500), st.integers(3, 12))
def test_the_law_is_found_in_the_data_not_in_the_name(start: int, step: int, count: int) -> None:
    depths = range(1, count + 1)
    line = fit(synthetic([start + step * d for d in depths], "square"))
    assert line.kind == "additive"
    assert (line.start, line.step) == pytest.approx((start, step), abs=1e-6 * (start + step))
    assert line.r_squared == pytest.approx(1)
    assert line.error < 1e-6 * (start + step * count)
    factor = 2 + step % 4
    curve = fit(synthetic([start * factor**d for d in depths], "relu"), "derivative_bits")
    assert curve.kind == "multiplicative"
    assert (curve.start, curve.step) == pytest.approx((2 * start, factor))
    assert curve.bits(3) == pytest.approx(2 * start * factor**3)
    assert curve.other_error > curve.error


def test_short_runs_are_unclear() -> None:
    law = fit(synthetic([25, 33, 37, 46, 54], "relu"))
    assert not law.clear
    assert fit(synthetic([25, 33, 41, 49, 57], "relu")).clear


def test_constant_bits_add_nothing() -> None:
    law = fit(synthetic([7, 7, 7, 7], "relu"))
    assert (law.kind, law.step, law.bits(9), law.r_squared) == ("additive", 0, 7, 1)


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_depths_for_a_law(count: int) -> None:
    with pytest.raises(UsageError, match="3 depths"):
        fit(synthetic([8] * count, "relu"))
    with pytest.raises(UsageError, match="3 depths"):
        fit(synthetic([8], "relu") * 5)


def test_no_time_ends_after_one_depth() -> None:
    assert [p.depth for p in measure("relu", depth=9, time_limit=0)] == [1]


def test_long_numbers_are_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dichotomy, "MOST_BITS", 600)
    seen: list[Point] = []
    points = measure("square", depth=100, see=seen.append)
    assert [(p.depth, p.bound_bits) for p in points] == [(1, 59), (2, 131), (3, 275), (4, 563)]
    assert tuple(seen) == points
    monkeypatch.setattr(dichotomy, "MOST_BITS", 50)
    assert measure("square", depth=100) == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"width": 0},
        {"width": 65},
        {"depth": 0},
        {"bits": 0},
        {"seed": -1},
        {"time_limit": -1.0},
        {"time_limit": float("nan")},
        {"activation": "sinus"},
        {"activation": "polynomial:x"},
    ],
)
def test_numbers_out_of_range(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        measure(**{"activation": "relu", "depth": 1, **changes})


# ---------------------------------------------------------------- the figure


def curves() -> list[Curve]:
    additive = synthetic([10 + 8 * d for d in range(1, 9)], "relu")
    square = synthetic([20 * 2**d for d in range(1, 9)], "square")
    short = synthetic([20, 30], "polynomial:0,1,0,1")
    laws = [Curve(p, fit(p), fit(p, "derivative_bits")) for p in (additive, square)]
    return [*laws, Curve(short, None, None)]


@cache
def svg_of_curves() -> bytes:
    return draw(curves(), width=4, bits=8)


def test_svg_names_activations_and_laws() -> None:
    svg = svg_of_curves()
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    root = ElementTree.fromstring(svg, parser)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    # Glyphs are drawn as paths; a comment beside them has the text.
    texts = {str(node.text).strip() for node in root.iter() if node.tag is ElementTree.Comment}
    for wanted in (
        "relu, value: +8.0 bits/layer",
        "relu, derivative: +16.0 bits/layer",
        "square, value: ×2.00/layer",
        "square, derivative: ×2.00/layer",
        "z + z³, value",
        "z + z³, backpropagation",
        "relu, forward pass",
        "depth (hidden layers)",
        "seconds",
        "bits of the longer of numerator and denominator",
    ):
        assert wanted in texts
    description = root.find(".//{http://purl.org/dc/elements/1.1/}description")
    assert description is not None
    assert "square: value ×2.00 per layer" in str(description.text)


def test_figure_is_the_same_every_time() -> None:
    svg = svg_of_curves()
    assert svg == draw(curves(), width=4, bits=8)
    assert b"<dc:date>" not in svg


@pytest.mark.parametrize(
    "activation, name",
    [
        ("relu", "relu"),
        ("leaky_relu:1/10", "leaky_relu 1/10"),
        ("polynomial:0,0,1", "z²"),
        ("polynomial:1,-1,0,2", "1 − z + 2z³"),
        ("polynomial:-1,0,-1/2", "−1 − (1/2)z²"),
        ("polynomial:" + ",".join(["7"] * 13), "polynomial of degree 12"),
    ],
)
def test_formula(activation: str, name: str) -> None:
    assert formula(activation) == name
