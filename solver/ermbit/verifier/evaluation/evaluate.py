"""Evaluation of a network over any arithmetic, with a trace of bit-lengths when it is exact.

For piecewise linear activations bit-lengths grow by an additive amount a layer, so exact evaluation
is polynomial (docs/theory.md A4); for polynomial ones they multiply (A8).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

from gmpy2 import mpq

from ermbit.verifier.evaluation.arithmetic import EXACT, Arithmetic, Place
from ermbit_instances.network import Entry, Network
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


@dataclass(frozen=True, slots=True)
class Unit:
    """One neuron with its weights at θ, as numbers of an arithmetic.

    Attributes:
        label, layer: as in the network.
        sources: nodes read.
        entries, bias_entry: the network's entries behind the weights and the bias.
        weights, bias: their values at θ; ``bias`` is ``None`` for none.
        kind: of the activation.
        breakpoints, slopes, intercepts, coefficients: of the activation.
        plain: per piece, whether it is the identity.
        constant: per piece, whether its slope is 0.
    """

    label: str
    layer: int
    sources: tuple[int, ...]
    entries: tuple[Entry, ...]
    bias_entry: Entry | None
    weights: tuple[Any, ...]
    bias: Any
    kind: str
    name: str
    breakpoints: tuple[Any, ...]
    slopes: tuple[Any, ...]
    intercepts: tuple[Any, ...]
    coefficients: tuple[Any, ...]
    plain: tuple[bool, ...]
    constant: tuple[bool, ...]
    kinked: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Forward:
    """One sample's way through the network.

    Attributes:
        signals: inputs, then neurons' outputs, by node number.
        pre_activations: z by neuron.
        choices: by neuron, the piece taken, or for ``max`` the first position of the maximum.
        ties: by neuron, at a kink (or a tie of ``max``) the breakpoint's number, else −1.
    """

    signals: list[Any]
    pre_activations: list[Any]
    choices: list[int]
    ties: list[int]


def prepare(network: Network, values: Sequence[Any], arithmetic: Arithmetic) -> tuple[Unit, ...]:
    """The network's neurons at θ.

    Args:
        network: the network.
        values: θ by parameter number, rational (or elements of a field that takes rationals).
        arithmetic: what to compute in.
    """
    known: dict[Any, Any] = {}

    def at_theta(entry: Entry) -> Any:
        key = (entry.parameter, entry.scale, entry.value)
        if key not in known:
            known[key] = arithmetic.constant(entry_value(entry, values))
        return known[key]

    @cache
    def number(value: Rational) -> Any:
        return arithmetic.constant(value)

    units = []
    for neuron in network.neurons:
        activation = neuron.activation
        pieces = list(zip(activation.slopes, activation.intercepts, strict=True))
        units.append(
            Unit(
                neuron.label,
                neuron.layer,
                neuron.sources,
                neuron.weights,
                neuron.bias,
                tuple(map(at_theta, neuron.weights)),
                None if neuron.bias is None else at_theta(neuron.bias),
                activation.kind,
                activation.name,
                tuple(map(number, activation.breakpoints)),
                tuple(map(number, activation.slopes)),
                tuple(map(number, activation.intercepts)),
                tuple(map(number, activation.coefficients)),
                tuple(s == 1 and c == 0 for s, c in pieces),
                tuple(s == 0 for s, _ in pieces),
                # Where the pieces on both sides are one line, there is no kink.
                tuple(left != right for left, right in pairwise(pieces)),
            )
        )
    return tuple(units)


def entry_value(entry: Entry, values: Sequence[Any]) -> Any:
    """Value of a weight entry: frozen, or scale · θ."""
    if entry.parameter is None:
        return entry.value
    value = values[entry.parameter]
    return value if entry.scale == 1 else entry.scale * value


def forward(
    units: Sequence[Unit],
    x: Sequence[Any],
    arithmetic: Arithmetic,
    sample: int = 0,
    trace: BitTrace | None = None,
) -> Forward:
    """Send one sample through the network.

    Args:
        units: from :func:`prepare`, with the same arithmetic.
        x: the inputs, as numbers of the arithmetic.
        arithmetic: decides the pieces.
        sample: its index, for messages.
        trace: collects bit-lengths if given (exact arithmetic only).

    Raises:
        Straddle: the arithmetic cannot tell on which side of a breakpoint a value lies.
    """
    signals: list[Any] = list(x)
    befores: list[Any] = []
    choices: list[int] = []
    ties: list[int] = []
    zero = arithmetic.constant(_ZERO)
    for unit in units:
        choice, tie = 0, -1
        if unit.kind == "max":
            terms = [w * signals[s] for s, w in zip(unit.sources, unit.weights, strict=True)]
            # The empty maximum counts as 0.
            z, choice, tie = _maximum(terms, arithmetic, Place(unit.label, sample), zero)
            if unit.bias is not None:
                z = z + unit.bias
            a = z
        else:
            z = zero if unit.bias is None else unit.bias
            for s, w in zip(unit.sources, unit.weights, strict=True):
                z = z + w * signals[s]
            if unit.kind == "polynomial":
                a = unit.coefficients[-1]
                for c in reversed(unit.coefficients[:-1]):
                    a = a * z + c
            else:
                for k, breakpoint in enumerate(unit.breakpoints):
                    sign = arithmetic.sign(z - breakpoint, Place(unit.label, sample))
                    if sign < 0:
                        break
                    choice = k + 1
                    if sign == 0 and unit.kinked[k]:
                        tie = k
                    if sign == 0:
                        break
                a = _piece(unit, choice, z)
        if trace is not None:
            trace.see(unit.layer, z, a)
        signals.append(a)
        befores.append(z)
        choices.append(choice)
        ties.append(tie)
    return Forward(signals, befores, choices, ties)


def _piece(unit: Unit, k: int, z: Any) -> Any:
    if unit.plain[k]:
        return z
    if unit.constant[k]:
        return unit.intercepts[k]
    return unit.slopes[k] * z + unit.intercepts[k]


def _maximum(
    terms: Sequence[Any], arithmetic: Arithmetic, place: Place, zero: Any
) -> tuple[Any, int, int]:
    """The maximum, its first position, and 0 or −1 for whether it is attained twice."""
    if not terms:
        return zero, 0, -1
    best, at, tie = terms[0], 0, -1
    for k, term in enumerate(terms[1:], 1):
        sign = arithmetic.sign(term - best, place)
        if sign > 0:
            best, at, tie = term, k, -1
        elif sign == 0:
            tie = 0
    return best, at, tie


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
    way = forward(prepare(network, values, EXACT), x, EXACT, trace=trace)
    return [way.signals[node] for node in network.outputs]
