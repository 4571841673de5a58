"""The bit-model dichotomy, measured: how long exact values and derivatives get with depth.

For piecewise-linear activations the bit-lengths of a network's value and of its derivatives grow
by an additive amount a layer (docs/theory.md A4, A6); for polynomial ones of degree k ≥ 2 they
multiply by k a layer (A8). So exact forward and backward passes take time polynomial in depth for
the former and exponential for the latter (Doron-Arad & Mossel, "Why ReLU? A Bit-Model Dichotomy for
Deep Network Training", arXiv:2602.19017). :func:`measure` runs the verifier's own exact arithmetic
on networks that differ in depth only; :func:`fit` finds the law that the measured bits follow.

The networks. All layers are dense, ``width`` units each, on as many inputs, with one linear output,
one sample and the squared loss. Inputs, parameters and the target are ±p/2^B with p odd and below
2^B, of B ``bits``: fixed-point numbers below 1. They depend on the seed, the layer and the position
alone, so all activations get the same numbers, and a deeper network begins with the layers of a
shallower one. Signs are random, but the first unit of a layer and the output have positive weights
and biases: with ReLU that unit is alive in every layer, the output is positive, and no measured
value is 0 because everything died.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import log2, sqrt
from time import perf_counter
from typing import Any, Literal

from gmpy2 import mpq

from ermbit.dichotomy_options import OPTIONS
from ermbit.verifier.evaluation.arithmetic import EXACT
from ermbit.verifier.evaluation.evaluate import forward, prepare
from ermbit.verifier.evaluation.growth import output_bits
from ermbit.verifier.evaluation.risk import risk_gradient
from ermbit_instances.errors import UsageError
from ermbit_instances.families.activation_text import activation_document
from ermbit_instances.families.rng import Rng
from ermbit_instances.instance import Instance, parse_instance
from ermbit_instances.rational import Rational, bit_length

MOST_BITS = 2**28
"""Depths whose value may have more bits than this are not measured: memory."""

FEWEST_POINTS = 3
"""Two points lie on any law."""

_REPEATS = 3
_QUICK = 0.02  # seconds; passes that take longer are timed once

Quantity = Literal["forward_bits", "derivative_bits"]


@dataclass(frozen=True, slots=True)
class Point:
    """One network, measured.

    Bit-lengths are those of the longer one of numerator and denominator, in lowest terms.

    Attributes:
        activation: of the hidden units, in the notation of the families.
        depth: number of hidden layers.
        forward_bits: bits of the output f.
        derivative_bits: bits of ∂L/∂W1[0,0], L the squared loss.
        bound_bits: the a-priori bound on the bits of f and of all values on the way to it, known
            before evaluating (docs/theory.md A4, A8).
        forward_seconds: of one exact forward pass.
        gradient_seconds: of exact backpropagation: L and all its partial derivatives, with the
            forward pass that it needs.
    """

    activation: str
    depth: int
    forward_bits: int
    derivative_bits: int
    bound_bits: int
    forward_seconds: float
    gradient_seconds: float


@dataclass(frozen=True, slots=True)
class GrowthLaw:
    """Bits as a function of depth d.

    Attributes:
        kind: ``"additive"``: bits ≈ start + step · d; ``"multiplicative"``: bits ≈ start · step^d.
        start: bits at d = 0.
        step: bits per layer (additive), or the factor per layer (multiplicative).
        r_squared: share of the variance that the law explains: of the bits (additive), or of their
            logarithm (multiplicative).
        error: root mean square of predicted − measured, in bits.
        other_error: the same for the law of the other kind.
    """

    kind: Literal["additive", "multiplicative"]
    start: float
    step: float
    r_squared: float
    error: float
    other_error: float

    def bits(self, depth: float) -> float:
        """Bits that the law predicts."""
        if self.kind == "additive":
            return self.start + self.step * depth
        return float(self.start * self.step**depth)

    @property
    def clear(self) -> bool:
        """Whether the other law is at least twice as far off; short runs may not tell."""
        return 2 * self.error <= self.other_error

    def __str__(self) -> str:
        return f"+{self.step:.1f} bits" if self.kind == "additive" else f"×{self.step:.2f}"


def measure(
    activation: str,
    *,
    width: int = 4,
    depth: int = 24,
    bits: int = 8,
    seed: int = 0,
    time_limit: float = 10.0,
    see: Callable[[Point], None] = lambda point: None,
) -> tuple[Point, ...]:
    """Measure networks of depth 1, 2, …, all else equal.

    Args:
        activation: of the hidden units: ``relu``, ``square``, ``polynomial:C0,C1,…``, …
        width: units of a hidden layer, and inputs.
        depth: the most hidden layers.
        bits: of inputs, parameters and target.
        seed: of their digits and signs. Bits depend on the arguments alone, seconds do not.
        time_limit: seconds. It ends before the depth that is expected to take longer (twice the
            bits: four times the time), or may have numbers of more than :data:`MOST_BITS` bits.
            Depth 1 is measured unless its numbers may be that long.
        see: is called with every point as soon as it is measured.

    Raises:
        UsageError: a number out of range, or no such activation.
    """
    for option, value in zip(OPTIONS, (width, depth, seed, bits, time_limit), strict=True):
        option.check(value)
    form = activation_document(activation)
    points: list[Point] = []
    took = 0.0
    for layers in range(1, depth + 1):
        began = perf_counter()
        instance, values = network_at(form, width, layers, bits, seed)
        bound = output_bits(instance, values)
        expected = took * (bound / points[-1].bound_bits) ** 2 if points else 0.0
        if bound > MOST_BITS or expected > time_limit:
            break
        points.append(_measured(activation, layers, bound, instance, values))
        see(points[-1])
        took = perf_counter() - began
    return tuple(points)


def _measured(
    activation: str, depth: int, bound: int, instance: Instance, values: Sequence[Rational]
) -> Point:
    units = prepare(instance.network, values, EXACT)
    x = instance.data.x[0]
    way, forward_seconds = _timed(lambda: forward(units, x, EXACT))
    found, gradient_seconds = _timed(lambda: risk_gradient(instance, values, EXACT))
    (output,) = instance.network.outputs
    # Parameter 0 is W1[0,0]. A partial derivative that is trivially 0 is missing.
    derivative = found.partials.get(0, mpq(0))
    return Point(
        activation,
        depth,
        bit_length(way.signals[output]),
        bit_length(derivative),
        bound,
        forward_seconds,
        gradient_seconds,
    )


def _timed(action: Callable[[], Any]) -> tuple[Any, float]:
    """Result and seconds; the least of several times if it is quick."""
    seconds = []
    for _ in range(_REPEATS):
        began = perf_counter()
        result = action()
        seconds.append(perf_counter() - began)
        if seconds[-1] > _QUICK:
            break
    return result, min(seconds)


def network_at(
    activation: Any, width: int, depth: int, bits: int, seed: int
) -> tuple[Instance, tuple[Rational, ...]]:
    """The network of one depth as an instance, and its parameters by number.

    Args:
        activation: of the hidden units, as in an instance file.
        width, depth, bits, seed: as for :func:`measure`.
    """
    values: list[Rational] = []
    for layer in range(1, depth + 1):
        values += _layer_parameters(f"{seed}/layer/{layer}", width, width, bits)
    values += _layer_parameters(f"{seed}/output", width, 1, bits)
    sample = _digits(f"{seed}/sample", bits)
    hidden = {"units": width, "activation": activation}
    document = {
        "format": "ermbit-instance",
        "version": 1,
        "network": {
            "inputs": width,
            "layers": [hidden] * depth + [{"units": 1, "activation": "identity"}],
        },
        "weights": {"domain": "real"},
        "data": {"x": [[next(sample)[0] for _ in range(width)]], "y": [[next(sample)[0]]]},
        "loss": {"name": "squared"},
    }
    return parse_instance(document), tuple(values)


def _layer_parameters(key: str, inputs: int, units: int, bits: int) -> list[Rational]:
    """Weights row by row, then biases; those of unit 0 are positive."""
    digits = _digits(key, bits)
    weights, biases = [], []
    for unit in range(units):
        drawn = islice(digits, inputs + 1)
        signed = [p if unit == 0 or positive else -p for p, positive in drawn]
        weights += signed[:-1]
        biases.append(signed[-1])
    return weights + biases


def _digits(key: str, bits: int) -> Iterator[tuple[Rational, bool]]:
    """An endless stream of p/2^B with p odd and of B bits, and of signs (true: positive)."""
    rng = Rng(f"dichotomy/{key}")
    while True:
        odd = 1 if bits == 1 else 2 * rng.integers(2 ** (bits - 2), 2 ** (bits - 1) - 1) + 1
        yield mpq(odd, 2**bits), rng.integers(0, 1) == 1


def fit(points: Sequence[Point], of: Quantity = "forward_bits") -> GrowthLaw:
    """The law that the bits follow, found from the bits alone.

    Both laws are fitted by least squares, the additive one to the bits and the multiplicative one
    to their logarithm; the one that predicts the bits with the smaller error is the law.

    Args:
        points: of one activation, at three depths or more.
        of: which bits.

    Raises:
        UsageError: fewer than :data:`FEWEST_POINTS` depths.
    """
    depths = [point.depth for point in points]
    if len(set(depths)) < FEWEST_POINTS:
        raise UsageError(f"a growth law takes at least {FEWEST_POINTS} depths")
    bits: list[int] = [getattr(point, of) for point in points]
    base, slope, line = _least_squares(depths, bits)
    log_base, log_slope, curve = _least_squares(depths, [log2(b) for b in bits])
    additive = _error(bits, [base + slope * d for d in depths])
    multiplicative = _error(bits, [2 ** (log_base + log_slope * d) for d in depths])
    if additive <= multiplicative:
        return GrowthLaw("additive", base, slope, line, additive, multiplicative)
    return GrowthLaw("multiplicative", 2**log_base, 2**log_slope, curve, multiplicative, additive)


def _least_squares(x: Sequence[float], y: Sequence[float]) -> tuple[float, float, float]:
    """Intercept, slope and R² of the line through points."""
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    spread = sum((a - mean_x) ** 2 for a in x)
    slope = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / spread
    base = mean_y - slope * mean_x
    left = sum((b - base - slope * a) ** 2 for a, b in zip(x, y, strict=True))
    total = sum((b - mean_y) ** 2 for b in y)
    return base, slope, 1.0 if total == 0 else 1 - left / total


def _error(measured: Sequence[float], predicted: Sequence[float]) -> float:
    """Root mean square of the differences."""
    squares = [(p - m) ** 2 for m, p in zip(measured, predicted, strict=True)]
    return sqrt(sum(squares) / len(squares))
