"""Backpropagation over any arithmetic (docs/theory.md A6).

For piecewise linear activations the bit-lengths of exact derivatives grow by an additive amount a
layer, like those of the values: one common denominator clears all of them, and the gradient takes
polynomial time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gmpy2 import mpq

from ermbit.verifier.evaluation.arithmetic import Arithmetic
from ermbit.verifier.evaluation.evaluate import Forward, Unit

_ZERO, _ONE = mpq(0), mpq(1)


def slope(unit: Unit, way: Forward, neuron: int, arithmetic: Arithmetic) -> Any:
    """φ'(z) of one neuron, ``None`` for 0, by the conventions of the file format.

    At a kink it is 0 for relu, abs and clip, and the right-hand slope otherwise; step and sign have
    slope 0 everywhere.
    """
    if unit.kind == "max":
        return arithmetic.constant(_ONE)
    if unit.kind == "polynomial":
        z = way.pre_activations[neuron]
        degree = len(unit.coefficients) - 1
        value = arithmetic.constant(mpq(degree)) * unit.coefficients[degree]
        for k in range(degree - 1, 0, -1):
            value = value * z + arithmetic.constant(mpq(k)) * unit.coefficients[k]
        return value
    if way.ties[neuron] >= 0 and unit.name in ("relu", "abs", "clip"):
        return None
    piece = way.choices[neuron]
    return None if unit.constant[piece] else unit.slopes[piece]


def backward(
    units: Sequence[Unit],
    way: Forward,
    outputs: Sequence[int],
    output_slopes: Sequence[Any],
    arithmetic: Arithmetic,
    add: Callable[[int, Any], None],
    wanted: Callable[[int], bool] = lambda parameter: True,
    see: Callable[[int, Any], None] | None = None,
) -> None:
    """Propagate one sample's output derivatives back to the parameters.

    Args:
        units, way: the network at θ, and the sample's forward pass.
        outputs: node numbers of the outputs.
        output_slopes: ∂L/∂f_o, ``None`` for 0.
        arithmetic: that of the forward pass.
        add: is called with a parameter's number and a summand of its partial derivative.
        wanted: of which parameters.
        see: is called with (layer, δ) for every error signal δ = ∂L/∂z that is not trivially 0.
    """
    inputs = len(way.signals) - len(units)
    signals_back: list[Any] = [None] * len(way.signals)
    for node, value in zip(outputs, output_slopes, strict=True):
        if value is not None:
            _accumulate(signals_back, node, value)
    for number in range(len(units) - 1, -1, -1):
        back = signals_back[inputs + number]
        if back is None:
            continue
        unit = units[number]
        phi = slope(unit, way, number, arithmetic)
        if phi is None:
            continue
        delta = back * phi
        if see is not None:
            see(unit.layer, delta)
        bias = unit.bias_entry
        if bias is not None and bias.parameter is not None and wanted(bias.parameter):
            add(bias.parameter, _scaled(delta, bias.scale, arithmetic))
        positions: Sequence[int] = range(len(unit.sources))
        if unit.kind == "max":
            positions = [way.choices[number]] if unit.sources else []
        for k in positions:
            source, entry = unit.sources[k], unit.entries[k]
            if entry.parameter is not None and wanted(entry.parameter):
                add(
                    entry.parameter,
                    _scaled(delta * way.signals[source], entry.scale, arithmetic),
                )
            if source >= inputs:
                _accumulate(signals_back, source, delta * unit.weights[k])


def _accumulate(values: list[Any], at: int, value: Any) -> None:
    known = values[at]
    values[at] = value if known is None else known + value


def _scaled(value: Any, scale: Any, arithmetic: Arithmetic) -> Any:
    return value if scale == _ONE else arithmetic.constant(scale) * value
