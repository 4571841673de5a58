"""Adversarial networks in bulk, piecewise linear or polynomial, and a naive exact evaluation.

A network is a list of :class:`Block`: arrays of floats and an activation. The evaluation here works
on lists of rationals, neuron by neuron, and shares nothing with the packages under test.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from gmpy2 import mpq

from ermbit_instances.dataset import Dataset
from ermbit_instances.instance import Instance, parse_instance
from ermbit_instances.parameter_vector import ParameterVector
from ermbit_instances.table import Table

Floats = Any
"""A float64 array."""

PIECES = {
    "name": "piecewise_linear",
    "breakpoints": ["-1/3", 0, "1/2"],
    "slopes": ["1/7", 2, 0, "-3/2"],
    "intercepts": [1, 0, "1/3", 0],
}
ACTIVATIONS: tuple[Any, ...] = (
    "identity",
    "relu",
    "abs",
    "step",
    "sign",
    {"name": "leaky_relu", "slope": "1/100"},
    {"name": "clip", "low": "-1/3", "high": "3/4"},
    {"name": "clip", "low": 0, "high": 1},
    PIECES,
    "max",
)
POLYNOMIALS: tuple[Any, ...] = (
    "square",
    {"name": "polynomial", "coefficients": [0, "-3/4", "1/8", 1]},
    {"name": "polynomial", "coefficients": ["1/3", "-1/7", "2/9"]},
    {"name": "polynomial", "coefficients": ["-1/2", 0, "1/10", 0, -1]},
    {"name": "polynomial", "coefficients": [0, "1/3", 0, "-7/5", "1/11", "5/3"]},
    {"name": "polynomial", "coefficients": [1, -2, 0, 0, 0, "1/2"]},
)


class Block(NamedTuple):
    """Weights (units × fan-in), biases, activation; edges where ``mask`` is 0 are absent."""

    weights: Floats
    bias: Floats
    activation: Any
    mask: Floats | None = None


def function_of(spec: Any) -> Callable[[Any], Any]:
    """φ on rationals; not for ``max``."""
    plain: dict[str, Callable[[Any], Any]] = {
        "identity": lambda t: t,
        "relu": lambda t: t if t > 0 else mpq(0),
        "abs": lambda t: t if t > 0 else -t,
        "step": lambda t: mpq(int(t >= 0)),
        "sign": lambda t: mpq(1 if t >= 0 else -1),
        "square": lambda t: t * t,
    }
    if isinstance(spec, str):
        return plain[spec]
    numbers = {
        k: [mpq(Fraction(c)) for c in v] if isinstance(v, list) else mpq(Fraction(v))
        for k, v in spec.items()
        if k != "name"
    }
    if spec["name"] == "leaky_relu":
        return lambda t: t if t >= 0 else numbers["slope"] * t
    if spec["name"] == "clip":
        return lambda t: min(max(t, numbers["low"]), numbers["high"])
    if spec["name"] == "polynomial":
        return lambda t: sum(c * t**k for k, c in enumerate(numbers["coefficients"]))
    points, slopes, intercepts = (numbers[k] for k in ("breakpoints", "slopes", "intercepts"))

    def pieces(t: Any) -> Any:
        k = sum(1 for b in points if b <= t)
        return slopes[k] * t + intercepts[k]

    return pieces


def naive_outputs(blocks: Sequence[Block], x: Floats) -> list[list[Any]]:
    """Exact outputs, one list of rationals a sample."""
    layers = []
    for block in blocks:
        mask = np.ones(block.weights.shape) if block.mask is None else block.mask
        rows = [
            [(k, mpq(w)) for k, (w, m) in enumerate(zip(row, there, strict=True)) if m]
            for row, there in zip(block.weights.tolist(), mask.tolist(), strict=True)
        ]
        layers.append((rows, [mpq(b) for b in block.bias.tolist()], block.activation))
    results = []
    for row in x.tolist():
        signals = [mpq(v) for v in row]
        for rows, biases, activation in layers:
            if activation == "max":
                tops = [max((w * signals[k] for k, w in r), default=mpq(0)) for r in rows]
                signals = [t + b for t, b in zip(tops, biases, strict=True)]
            else:
                phi = function_of(activation)
                signals = [
                    phi(sum((w * signals[k] for k, w in r), b))
                    for r, b in zip(rows, biases, strict=True)
                ]
        results.append(signals)
    return results


def naive_loss(loss: dict[str, Any], f: Sequence[Any], y: Sequence[Any]) -> Any:
    """ℓ(f, y), from the description of the losses."""
    if loss["name"] == "absolute":
        return sum((abs(a - b) for a, b in zip(f, y, strict=True)), mpq(0))
    if loss["name"] == "squared":
        return sum(((a - b) ** 2 for a, b in zip(f, y, strict=True)), mpq(0))
    if len(f) == 1:
        score = f[0] * y[0]
    else:
        label = int(y[0])
        score = min(f[label] - v for j, v in enumerate(f) if j != label)
    if loss["name"] == "hinge":
        return max(mpq(0), 1 - score)
    margin = mpq(Fraction(loss.get("margin", 0)))
    return mpq(0 if (score >= margin if margin else score > 0) else 1)


def naive_total(loss: dict[str, Any], losses: Sequence[Any], weights: Sequence[Any] | None) -> Any:
    """L from the losses of samples."""
    w = [mpq(1)] * len(losses) if weights is None else list(weights)
    terms = [a * b for a, b in zip(w, losses, strict=True)]
    if loss["reduction"] == "max":
        return max(terms)
    total = sum(terms, mpq(0))
    return total / sum(w) if loss["reduction"] == "mean" else total


def naive_risk(
    loss: dict[str, Any],
    blocks: Sequence[Block],
    x: Floats,
    y: Floats,
    weights: Sequence[Any] | None = None,
) -> Any:
    """L of a network on all samples."""
    outputs, targets = naive_outputs(blocks, x), [[mpq(v) for v in row] for row in y.tolist()]
    losses = [naive_loss(loss, f, t) for f, t in zip(outputs, targets, strict=True)]
    return naive_total(loss, losses, weights)


def instance_of(
    blocks: Sequence[Block],
    x: Floats,
    y: Floats,
    loss: dict[str, Any] | None = None,
    *,
    weights: Sequence[Any] | None = None,
    threshold: Any = None,
) -> tuple[Instance, ParameterVector]:
    """The instance and θ."""
    layers: list[dict[str, Any]] = []
    values: list[Floats] = []
    for block in blocks:
        layer: dict[str, Any] = {"units": len(block.weights), "activation": block.activation}
        if block.mask is not None:
            layer["mask"] = block.mask.astype(int).tolist()
            values.append(block.weights[block.mask != 0])
        else:
            values.append(block.weights.ravel())
        values.append(block.bias)
        layers.append(layer)
    loss = {"name": "absolute", "reduction": "sum"} if loss is None else loss
    classes = loss["name"] in ("hinge", "zero_one")
    document = {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": x.shape[1], "layers": layers},
        "weights": {"domain": "real"},
        "data": {
            "x": [[0] * x.shape[1]],
            "y": [[1] if classes else [0] * len(blocks[-1].weights)],
        },
        "loss": loss,
    }
    instance = parse_instance(document)
    data = Dataset(
        Table(array=x), Table(array=y), None if weights is None else tuple(map(mpq, weights))
    )
    instance = replace(instance, data=data).with_threshold(threshold)
    return instance, ParameterVector(np.concatenate(values))


# --- numbers that hurt ---------------------------------------------

KINDS = ("plain", "cancel", "zero", "spread", "huge", "subnormal", "single", "quantised")


def numbers(rng: np.random.Generator, kind: str, shape: tuple[int, ...]) -> Floats:
    """Floats of one kind; "quantised" ones are multiples of 1/8 below 4."""
    plain = rng.standard_normal(shape)
    if kind == "spread":
        return np.ldexp(plain, rng.integers(-300, 300, shape))
    if kind == "huge":
        return np.ldexp(plain, rng.integers(300, 1020, shape))
    if kind == "subnormal":
        return np.ldexp(plain, rng.integers(-1074, -500, shape))
    if kind == "single":
        return plain.astype(np.float32).astype(np.float64)
    if kind == "quantised":
        return rng.integers(-32, 33, shape) / 8.0
    return plain


def affine_case(
    rng: np.random.Generator, kind: str, rows: int, fan_in: int, units: int
) -> tuple[Floats, Floats, Floats]:
    """Inputs, weights and biases whose sums cancel, vanish or leave the range of floats."""
    x = numbers(rng, kind, (rows, fan_in))
    w = numbers(rng, kind, (units, fan_in))
    b = numbers(rng, kind, (units,))
    half = fan_in // 2
    if kind in ("cancel", "zero") and half:
        # The second half repeats the first with opposite sign: sums of zero.
        x[:, half : 2 * half] = x[:, :half]
        w[:, half : 2 * half] = -w[:, :half]
        w[:, 2 * half :] = 0.0
        b[:] = 0.0
        if kind == "cancel":
            # Last bits differ: all that remains of a sum is below its rounding errors.
            steps = rng.integers(-2, 3, (rows, half))
            x[:, :half] *= 1.0 + steps * 2.0**-52
    elif rows:
        # Every other bias puts some sample's sum on a rounding error, or on a breakpoint.
        with np.errstate(all="ignore"):
            at = w @ x[0]
        at = np.where(np.isfinite(at), at, 0.0)
        near = -at + rng.choice([0.0, 0.0, 0.5, -1 / 3, 0.75], units)
        b = np.where(np.arange(units) % 2 == 0, near, b)
        if kind == "quantised":
            b = np.round(b * 64) / 64
    return x, w, b


def network_case(
    rng: np.random.Generator, kind: str, rows: int, sizes: Sequence[int], activations: Sequence[Any]
) -> tuple[Floats, list[Block]]:
    """Inputs and a network; "max" layers and every third other one have masks."""
    x, blocks = np.zeros((rows, sizes[0])), []
    for depth, (fan_in, units, activation) in enumerate(
        zip(sizes, sizes[1:], activations, strict=False)
    ):
        inputs, w, b = affine_case(rng, kind, rows, fan_in, units)
        if depth == 0:
            x = inputs
        mask = None
        if activation == "max" or rng.random() < 0.3:
            mask = (rng.random(w.shape) < 0.7).astype(float)
            mask[0, 0] = 1.0
        blocks.append(Block(w, b, activation, mask))
    if blocks[-1].mask is not None:
        blocks[-1].mask[:, 0] = 1.0
        for block in blocks[:-1]:
            if block.mask is not None:
                block.mask[:, 0] = 1.0
    return x, blocks
