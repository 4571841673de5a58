"""How many bits exact evaluation can take, computed before evaluating (docs/theory.md A4, A8).

Let Q be the least common multiple of all denominators that occur in data, parameters and
constants. Then every value met is an integer over Q^e, where the exponent e adds up in products
and is the largest one in sums. With a bound for the integer part this bounds the size of every
value, at no cost even where the numbers themselves would not fit into any memory. Sizes past
:data:`LARGEST` count as that: in a deep polynomial network even the *number of bits* has too many
digits to write out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import lcm
from typing import Any

from ermbit.verifier.evaluation.sizes import (
    LARGEST,
    ONE,
    ArraySizes,
    Size,
    any_of,
    column_sizes,
    parameter_sizes,
    size_of,
    sum_of,
)
from ermbit_instances.activation import Activation
from ermbit_instances.instance import Instance
from ermbit_instances.network import Entry, Layer


def output_bits(instance: Instance, values: Sequence[Any]) -> int:
    """A bound on the bits of any numerator or denominator met in evaluating the network.

    Losses come on top: a residual has the bits of an output and of its target, ``squared`` doubles
    them, and a sum over samples has all their denominators. Never more than :data:`LARGEST`.

    An algebraic value counts as an integer with the bits of its written form: its field's degree
    is bounded separately. Values and data in float arrays are not converted.
    """
    network = instance.network
    sizes, denominators = parameter_sizes(values)
    signals, more = column_sizes(instance.data.x)
    denominators |= more
    for layer in network.layers:
        for entry in _written(layer):
            denominators.add(int(entry.scale.denominator))
            denominators.add(int(entry.value.denominator))
        activation = layer.activation
        for group in (activation.slopes, activation.intercepts, activation.coefficients):
            denominators.update(int(v.denominator) for v in group)
    unit = _common_bits(denominators)
    largest = 1
    for layer in network.layers:
        sources = [signals[node] for node in layer.sources]
        dense = sizes.dense(layer, sources) if isinstance(sizes, ArraySizes) else None
        known: dict[Size, Size] = {}
        for j in range(layer.units):
            z = _pre_activation(layer, j, sources, sizes) if dense is None else dense[j]
            if z not in known:
                known[z] = _output(layer.activation, z)
                # Steps forget how long their arguments were, yet those have been computed.
                for size in (z, known[z]):
                    largest = max(largest, size.exponent * unit + size.magnitude)
            signals.append(known[z])
    return min(largest, LARGEST)


def _written(layer: Layer) -> Iterator[Entry]:
    """The entries that are not plain free parameters of a dense block."""
    for row in (*(layer.weights or ()), layer.biases or ()):
        yield from (entry for entry in row if entry is not None)


def _common_bits(denominators: Iterable[int]) -> int:
    """A bound on the bits of the least common multiple, which is formed only if it is short."""
    total = sum(d.bit_length() for d in denominators)
    return total if total > 2**18 else lcm(*denominators).bit_length()


def _entry(entry: Entry, sizes: Sequence[Size]) -> Size:
    if entry.parameter is None:
        return size_of(entry.value)
    if entry.scale == 1:
        return sizes[entry.parameter]
    return size_of(entry.scale) * sizes[entry.parameter]


def _pre_activation(
    layer: Layer, unit: int, sources: Sequence[Size], sizes: Sequence[Size]
) -> Size:
    if layer.weights is None:
        first = layer.first_parameter + unit * len(sources)
        terms = [sizes[first + k] * source for k, source in enumerate(sources)]
    else:
        terms = [
            _entry(entry, sizes) * source
            for source, entry in zip(sources, layer.weights[unit], strict=True)
            if entry is not None
        ]
    bias = layer.bias(unit)
    if bias is not None:
        terms.append(_entry(bias, sizes))
    return sum_of(terms) if terms else ONE


def _output(activation: Activation, z: Size) -> Size:
    if activation.kind == "max":
        return z
    if activation.kind == "polynomial":
        return sum_of([size_of(c) * z.power(k) for k, c in enumerate(activation.coefficients)])
    pieces = zip(activation.slopes, activation.intercepts, strict=True)
    return any_of(sum_of([size_of(s) * z, size_of(c)]) if s else size_of(c) for s, c in pieces)


__all__ = ["LARGEST", "Size", "output_bits"]
