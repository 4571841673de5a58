"""How many bits exact evaluation can take, computed before evaluating (docs/theory.md A4, A8).

Let Q be the least common multiple of all denominators that occur in data, parameters and
constants. Then every value met is an integer over Q^e, where the exponent e adds up in products
and is the largest one in sums. With a bound for the integer part this bounds the size of every
value, at no cost even where the numbers themselves would not fit into any memory. Sizes past
:data:`LARGEST` count as that: in a deep polynomial network even the *number of bits* has too many
digits to write out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import lcm
from typing import Any

from gmpy2 import mpq

from ermbit_instances.activation import Activation
from ermbit_instances.instance import Instance
from ermbit_instances.network import Entry, Neuron
from ermbit_instances.rational import Rational

LARGEST = 2**64
"""Exponents and magnitudes are cut off here; no number of that many bits can be built."""


@dataclass(frozen=True, slots=True)
class Size:
    """value · Q^exponent is an integer, and abs(value) < 2^magnitude (magnitude ≥ 0)."""

    exponent: int
    magnitude: int

    def __mul__(self, other: Size) -> Size:
        return _capped(self.exponent + other.exponent, self.magnitude + other.magnitude)

    def power(self, k: int) -> Size:
        return _capped(k * self.exponent, k * self.magnitude)


def _capped(exponent: int, magnitude: int) -> Size:
    return Size(min(exponent, LARGEST), min(magnitude, LARGEST))


_ONE = Size(0, 1)


def _size(value: Rational) -> Size:
    whole = abs(value.numerator) // value.denominator
    return Size(0 if value.denominator == 1 else 1, int(whole.bit_length()))


def _any_of(sizes: Iterable[Size]) -> Size:
    """A size that holds for each of the values."""
    exponent = magnitude = 0
    for size in sizes:
        exponent = max(exponent, size.exponent)
        magnitude = max(magnitude, size.magnitude)
    return Size(exponent, magnitude)


def _sum_of(sizes: Sequence[Size]) -> Size:
    size = _any_of(sizes)
    carry = (len(sizes) - 1).bit_length() if len(sizes) > 1 else 0
    return Size(size.exponent, size.magnitude + carry)


def output_bits(instance: Instance, values: Sequence[Any]) -> int:
    """A bound on the bits of any numerator or denominator met in evaluating the network.

    Losses come on top: a residual has the bits of an output and of its target, ``squared`` doubles
    them, and a sum over samples has all their denominators. Never more than :data:`LARGEST`.

    An algebraic value counts as an integer with the bits of its written form: its field's degree
    is bounded separately.
    """
    network = instance.network
    rationals = [v for v in values if isinstance(v, mpq)]
    sizes = [_size(v) if isinstance(v, mpq) else Size(0, 8 * len(str(v))) for v in values]
    denominators = {int(v.denominator) for v in rationals}
    denominators.update(int(v.denominator) for row in instance.data.x for v in row)
    for neuron in network.neurons:
        for entry in neuron.entries():
            denominators.add(int(entry.scale.denominator))
            denominators.add(int(entry.value.denominator))
        activation = neuron.activation
        for group in (activation.slopes, activation.intercepts, activation.coefficients):
            denominators.update(int(v.denominator) for v in group)
    unit = _common_bits(denominators)
    signals = [
        _any_of(_size(row[i]) for row in instance.data.x) for i in range(network.input_count)
    ]
    largest = 1
    for neuron in network.neurons:
        z = _pre_activation(neuron, signals, sizes)
        a = _output(neuron.activation, z)
        # Steps forget how long their arguments were, yet those have been computed.
        for size in (z, a):
            largest = max(largest, size.exponent * unit + size.magnitude)
        signals.append(a)
    return min(largest, LARGEST)


def _common_bits(denominators: Iterable[int]) -> int:
    """A bound on the bits of the least common multiple, which is formed only if it is short."""
    total = sum(d.bit_length() for d in denominators)
    return total if total > 2**18 else lcm(*denominators).bit_length()


def _entry(entry: Entry, sizes: Sequence[Size]) -> Size:
    if entry.parameter is None:
        return _size(entry.value)
    if entry.scale == 1:
        return sizes[entry.parameter]
    return _size(entry.scale) * sizes[entry.parameter]


def _pre_activation(neuron: Neuron, signals: Sequence[Size], sizes: Sequence[Size]) -> Size:
    terms = [
        _entry(entry, sizes) * signals[source]
        for source, entry in zip(neuron.sources, neuron.weights, strict=True)
    ]
    if neuron.bias is not None:
        terms.append(_entry(neuron.bias, sizes))
    return _sum_of(terms) if terms else _ONE


def _output(activation: Activation, z: Size) -> Size:
    if activation.kind == "max":
        return z
    if activation.kind == "polynomial":
        return _sum_of([_size(c) * z.power(k) for k, c in enumerate(activation.coefficients)])
    pieces = zip(activation.slopes, activation.intercepts, strict=True)
    return _any_of(_sum_of([_size(s) * z, _size(c)]) if s else _size(c) for s, c in pieces)
