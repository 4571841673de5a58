"""Exact range propagation: an interval that holds every value a neuron can take on a sample.

Plain interval arithmetic over the integers of the scaled form (docs/theory.md A4): sound for
every θ in the domains, tight for single neurons, used to size machine integers, bit-vectors and
to fix pieces that cannot change.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ermbit_encodings.integer_form import IntegerForm, IntegerNeuron, IntegerTerm, integer_bounds

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class SampleRanges:
    """Ranges on one sample, by neuron position: of Z, of A; and of F per output."""

    pre_activation: tuple[Range, ...]
    output: tuple[Range, ...]
    final: tuple[Range, ...]


def parameter_ranges(form: IntegerForm) -> list[Range]:
    """[least, greatest] integer value of every parameter."""
    return [integer_bounds(form, i) for i in range(len(form.grids))]


def sample_ranges(form: IntegerForm, sample: int, parameters: Sequence[Range]) -> SampleRanges:
    """Ranges of all neurons on one sample, for parameters inside the given ranges."""
    signals: list[Range] = [(v, v) for v in form.inputs[sample]]
    before, after = [], []
    for neuron in form.neurons:
        z = _pre_activation(neuron, signals, parameters)
        a = activation_range(neuron, z)
        before.append(z)
        after.append(a)
        signals.append(a)
    final = tuple(
        _scale(signals[node], factor)
        for node, factor in zip(form.outputs, form.output_factors, strict=True)
    )
    return SampleRanges(tuple(before), tuple(after), final)


def _scale(r: Range, factor: int) -> Range:
    return (r[0] * factor, r[1] * factor) if factor >= 0 else (r[1] * factor, r[0] * factor)


def _product(a: Range, b: Range) -> Range:
    corners = (a[0] * b[0], a[0] * b[1], a[1] * b[0], a[1] * b[1])
    return min(corners), max(corners)


def _term(term: IntegerTerm, signals: Sequence[Range], parameters: Sequence[Range]) -> Range:
    r = (1, 1) if term.parameter < 0 else parameters[term.parameter]
    if term.source >= 0:
        r = _product(r, signals[term.source])
    return _scale(r, term.factor)


def _pre_activation(
    neuron: IntegerNeuron, signals: Sequence[Range], parameters: Sequence[Range]
) -> Range:
    terms = [_term(t, signals, parameters) for t in neuron.terms]
    if neuron.kind == "max":
        low = max((t[0] for t in terms), default=0)
        high = max((t[1] for t in terms), default=0)
    else:
        low, high = sum(t[0] for t in terms), sum(t[1] for t in terms)
    if neuron.bias is not None:
        b = _term(neuron.bias, signals, parameters)
        low, high = low + b[0], high + b[1]
    return low, high


def activation_range(neuron: IntegerNeuron, z: Range) -> Range:
    """A superset of {A(Z) : Z in z}, exact for piecewise linear activations' pieces."""
    if neuron.kind == "max":
        return z
    if neuron.kind == "polynomial":
        # Horner's rule on intervals is loose; powers of an interval are tight term by term.
        low = high = 0
        for k, c in enumerate(neuron.coefficients):
            p = _power(z, k)
            t = _scale(p, c)
            low, high = low + t[0], high + t[1]
        return low, high
    low_value: int | None = None
    high_value: int | None = None
    # Outside [z[0], z[1]] the outermost pieces need no ends of their own.
    starts = (z[0], *neuron.breakpoints)
    ends = (*(b - 1 for b in neuron.breakpoints), z[1])
    for k, (slope, intercept) in enumerate(neuron.pieces):
        start, end = max(z[0], starts[k]), min(z[1], ends[k])
        if start > end:
            continue
        a, b = slope * start + intercept, slope * end + intercept
        low_value = min(a, b) if low_value is None else min(low_value, a, b)
        high_value = max(a, b) if high_value is None else max(high_value, a, b)
    assert low_value is not None and high_value is not None
    return low_value, high_value


def _power(z: Range, k: int) -> Range:
    if k == 0:
        return 1, 1
    a, b = z[0] ** k, z[1] ** k
    if k % 2 == 0:
        return (0 if z[0] <= 0 <= z[1] else min(a, b)), max(a, b)
    return a, b
