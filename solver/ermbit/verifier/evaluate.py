"""Exact evaluation of a network at given parameter values, with a trace of bit-lengths.

Values are rationals, or elements of one number field when a certificate holds algebraic numbers.
For piecewise linear activations bit-lengths grow by an additive amount a layer, so this is
polynomial (docs/theory.md A4); for polynomial ones they multiply (A8), which the caller bounds
beforehand with :func:`~ermbit.verifier.growth.output_bits`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gmpy2 import mpq

from ermbit_instances.network import Entry, Network, Neuron
from ermbit_instances.rational import Rational, bit_length

_ZERO = mpq(0)


@dataclass(frozen=True, slots=True)
class LayerBits:
    """Bit-lengths met in one layer, over all samples and units.

    Attributes:
        layer: its number, from 1.
        pre_activation, output: most bits of a numerator or denominator before and after φ.
    """

    layer: int
    pre_activation: int
    output: int


class BitTrace:
    """Collects :class:`LayerBits` while samples are evaluated."""

    def __init__(self) -> None:
        self._bits: dict[int, list[int]] = {}

    def see(self, layer: int, before: Any, after: Any) -> None:
        bits = self._bits.setdefault(layer, [1, 1])
        for at, value in enumerate((before, after)):
            if isinstance(value, mpq):
                bits[at] = max(bits[at], bit_length(value))

    @property
    def layers(self) -> tuple[LayerBits, ...]:
        return tuple(LayerBits(n, *bits) for n, bits in sorted(self._bits.items()))


def entry_value(entry: Entry, values: Sequence[Any]) -> Any:
    """Value of a weight entry: frozen, or scale · θ."""
    if entry.parameter is None:
        return entry.value
    value = values[entry.parameter]
    return value if entry.scale == 1 else entry.scale * value


def pre_activation(neuron: Neuron, signals: Sequence[Any], values: Sequence[Any]) -> Any:
    """z of one neuron: the weighted sum, or for ``max`` the maximum, plus the bias.

    A ``max`` neuron without inputs has the empty maximum, which counts as 0.
    """
    terms = (
        entry_value(entry, values) * signals[source]
        for source, entry in zip(neuron.sources, neuron.weights, strict=True)
    )
    if neuron.activation.kind == "max":
        total: Any = None
        for term in terms:
            if total is None or term > total:
                total = term
        if total is None:
            total = _ZERO
    else:
        total = _ZERO
        for term in terms:
            total = total + term
    if neuron.bias is not None:
        total = total + entry_value(neuron.bias, values)
    return total


def evaluate_sample(
    network: Network, x: Sequence[Rational], values: Sequence[Any], trace: BitTrace | None = None
) -> list[Any]:
    """Outputs f_θ(x), exactly.

    Args:
        network: the network.
        x: one input row.
        values: θ by parameter number.
        trace: collects bit-lengths if given.
    """
    signals: list[Any] = list(x)
    for neuron in network.neurons:
        z = pre_activation(neuron, signals, values)
        a = z if neuron.activation.kind == "max" else neuron.activation(z)
        if trace is not None:
            trace.see(neuron.layer, z, a)
        signals.append(a)
    return [signals[node] for node in network.outputs]
