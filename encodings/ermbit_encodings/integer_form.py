"""The scaled-integer normal form of an instance whose parameters all have a common grid.

Every parameter is an integer P over its grid q; every neuron's pre-activation z and output a have
static scales T and S such that Z = T z and A = S a are integers for every θ (docs/theory.md
A1–A5). Breakpoints become integer breakpoints, the threshold an integer budget. CNF, enumeration
and local search all start from this form: inside it there are no fractions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import lcm

from gmpy2 import mpq

from ermbit_encodings.samples import Samples, integer_budget, reduction_unit
from ermbit_instances.activation import Activation
from ermbit_instances.instance import Instance
from ermbit_instances.network import Entry, Neuron
from ermbit_instances.rational import Rational, ceil, floor

NUMBER_BITS_LIMIT = 2**22
"""Longest integer, in bits, that a form may lead to: polynomial networks grow without measure."""


@dataclass(frozen=True, slots=True)
class IntegerTerm:
    """factor · P[parameter] · A[source]; ``parameter`` −1 stands for 1, ``source`` −1 for 1."""

    factor: int
    parameter: int
    source: int


@dataclass(frozen=True, slots=True)
class IntegerNeuron:
    """One neuron over the integers.

    Attributes:
        node: its number, as in the network.
        scale: T with Z = T·z.
        output_scale: S with A = S·a.
        terms: the weighted inputs; Z is their sum, or for ``max`` their maximum.
        bias: added to Z (after the maximum), or ``None``.
        kind: ``piecewise_linear``, ``polynomial`` or ``max`` (then A = Z).
        breakpoints: integers B_1 ≤ B_2 ≤ …: piece k is B_k ≤ Z < B_{k+1}. Equal breakpoints
            make an empty piece, which is legal.
        pieces: (slope, intercept) of A on each piece, integers.
        coefficients: A = Σ c_k Z^k, integers, ascending (polynomial).
    """

    node: int
    scale: int
    output_scale: int
    terms: tuple[IntegerTerm, ...]
    bias: IntegerTerm | None
    kind: str
    breakpoints: tuple[int, ...] = ()
    pieces: tuple[tuple[int, int], ...] = ()
    coefficients: tuple[int, ...] = ()

    def activate(self, z: int) -> int:
        """A from Z."""
        if self.kind == "max":
            return z
        if self.kind == "polynomial":
            value = 0
            for c in reversed(self.coefficients):
                value = value * z + c
            return value
        piece = 0
        while piece < len(self.breakpoints) and z >= self.breakpoints[piece]:
            piece += 1
        slope, intercept = self.pieces[piece]
        return slope * z + intercept


@dataclass(frozen=True)
class IntegerForm:
    """An instance over the integers.

    Attributes:
        instance, samples: what it was made from.
        grids: q per parameter: θ = P/q.
        input_scales: S per network input.
        neurons: in topological order.
        outputs: output nodes.
        output_factors: multiply A of each output by this to bring all to ``scale``.
        scale: S, the common scale of outputs and targets: F = scale · f.
        targets: per sample, scale · y (regression) or the label (classification).
        inputs: per sample, the scaled integer inputs.
        weights: per sample, ŵ.
        loss_unit: Q: L = total/Q, with total = Σ ŵ_i ℓ̂_i (``max``: the largest ŵ_i ℓ̂_i).
        margin: zero_one is right iff y·F ≥ margin (k outputs: F_y − F_j ≥ margin), margin ≥ 1.
    """

    instance: Instance
    samples: Samples
    grids: tuple[int, ...]
    input_scales: tuple[int, ...]
    neurons: tuple[IntegerNeuron, ...]
    outputs: tuple[int, ...]
    output_factors: tuple[int, ...]
    scale: int
    targets: tuple[tuple[int, ...], ...]
    inputs: tuple[tuple[int, ...], ...]
    weights: tuple[int, ...]
    loss_unit: int
    margin: int

    def budget(self, threshold: Rational) -> int:
        """Largest integer total with L ≤ threshold; negative iff nothing can meet it."""
        return integer_budget(threshold, self.loss_unit)

    def loss(self, total: int) -> Rational:
        """L of an integer total."""
        return mpq(total, self.loss_unit)

    def values(self, parameters: Sequence[int]) -> tuple[Rational, ...]:
        """θ from integer parameters P."""
        return tuple(mpq(p, q) for p, q in zip(parameters, self.grids, strict=True))

    def outputs_of(self, x: Sequence[int], parameters: Sequence[int]) -> list[int]:
        """F per output for one row of scaled inputs."""
        signals = list(x)
        for neuron in self.neurons:
            terms = [
                t.factor
                * (1 if t.parameter < 0 else parameters[t.parameter])
                * (1 if t.source < 0 else signals[t.source])
                for t in neuron.terms
            ]
            z = max(terms, default=0) if neuron.kind == "max" else sum(terms)
            if neuron.bias is not None:
                b = neuron.bias
                z += b.factor * (1 if b.parameter < 0 else parameters[b.parameter])
            signals.append(neuron.activate(z))
        return [
            factor * signals[node]
            for node, factor in zip(self.outputs, self.output_factors, strict=True)
        ]

    def sample_loss(self, outputs: Sequence[int], target: Sequence[int]) -> int:
        """ℓ̂ of one sample: the loss in units of 1/scale (squared: 1/scale²; zero_one: 1)."""
        name = self.instance.loss.name
        if name == "absolute":
            return sum(abs(f - t) for f, t in zip(outputs, target, strict=True))
        if name == "squared":
            return sum((f - t) ** 2 for f, t in zip(outputs, target, strict=True))
        label = target[0]
        if len(outputs) == 1:
            score = label * outputs[0]
        else:
            score = outputs[label] - max(f for j, f in enumerate(outputs) if j != label)
        if name == "hinge":
            return max(0, self.scale - score)
        return 0 if score >= self.margin else 1

    def total(self, parameters: Sequence[int]) -> int:
        """The integer total of all samples at integer parameters P: plain and exact."""
        losses = [
            w * self.sample_loss(self.outputs_of(x, parameters), y)
            for x, y, w in zip(self.inputs, self.targets, self.weights, strict=True)
        ]
        return max(losses) if self.instance.loss.reduction == "max" else sum(losses)


def integer_form(instance: Instance, samples: Samples) -> IntegerForm | None:
    """The scaled-integer normal form, or ``None`` if some parameter has no grid.

    ``None`` as well if some number could pass :data:`NUMBER_BITS_LIMIT`.

    Args:
        instance: the instance.
        samples: its samples from :func:`~ermbit_encodings.samples.gather_samples`.
    """
    network = instance.network
    grids = []
    for parameter in network.parameters:
        grid = parameter.domain.grid
        if grid is None:
            return None
        grids.append(grid)
    scales = [
        lcm(1, *(int(row.x[i].denominator) for row in samples.rows))
        for i in range(network.input_count)
    ]
    input_scales = tuple(scales)
    sizes = [
        max((_bits(row.x[i] * scale) for row in samples.rows), default=0)
        for i, scale in enumerate(input_scales)
    ]
    parameter_sizes = [
        max(_bits(p.domain.low * q), _bits(p.domain.high * q))  # type: ignore[operator]
        for p, q in zip(network.parameters, grids, strict=True)
    ]
    neurons = []
    for neuron in network.neurons:
        converted = _neuron(neuron, grids, scales)
        if converted is None:
            return None
        neurons.append(converted)
        scales.append(converted.output_scale)
        sizes.append(_size(converted, sizes, parameter_sizes))
        if max(sizes[-1], converted.output_scale.bit_length()) > NUMBER_BITS_LIMIT:
            return None
    loss = instance.loss
    scale = lcm(1, *(scales[node] for node in network.outputs))
    if not loss.is_classification:
        scale = lcm(scale, *(int(v.denominator) for row in samples.rows for v in row.y))
        targets = tuple(tuple(_whole(v * scale) for v in row.y) for row in samples.rows)
    else:
        targets = tuple(tuple(_whole(v) for v in row.y) for row in samples.rows)
    per_sample = {"absolute": scale, "hinge": scale, "squared": scale**2, "zero_one": 1}[loss.name]
    margin = max(1, ceil(loss.margin * scale))
    return IntegerForm(
        instance,
        samples,
        tuple(grids),
        input_scales,
        tuple(neurons),
        network.outputs,
        tuple(scale // scales[node] for node in network.outputs),
        scale,
        targets,
        tuple(
            tuple(_whole(v * s) for v, s in zip(row.x, input_scales, strict=True))
            for row in samples.rows
        ),
        tuple(row.weight for row in samples.rows),
        per_sample * reduction_unit(instance, samples),
        margin,
    )


def _whole(value: Rational) -> int:
    assert value.denominator == 1
    return int(value.numerator)


def _bits(value: Rational) -> int:
    """Bits of an integer that is held as a rational."""
    return int(value.numerator.bit_length())


def _size(neuron: IntegerNeuron, signals: Sequence[int], parameters: Sequence[int]) -> int:
    """A bound on the bits of A, from those of the signals and of the parameters."""
    terms = [*neuron.terms, *([] if neuron.bias is None else [neuron.bias])]
    bits = [
        t.factor.bit_length()
        + (0 if t.parameter < 0 else parameters[t.parameter])
        + (0 if t.source < 0 else signals[t.source])
        for t in terms
    ]
    z = max(bits, default=0) + len(terms).bit_length()
    if neuron.kind == "polynomial":
        powers = [c.bit_length() + k * z for k, c in enumerate(neuron.coefficients)]
        return max(powers) + len(powers).bit_length()
    lines = [max(s.bit_length() + z if s else 0, c.bit_length()) + 1 for s, c in neuron.pieces]
    return max(lines, default=z)


def _neuron(
    neuron: Neuron, grids: Sequence[int], scales: Sequence[int]
) -> IntegerNeuron | None:
    # A term is ratio · P · A with a rational ratio that the static scale T clears.
    edges: list[tuple[Rational, int, int]] = []
    for source, entry in zip(neuron.sources, neuron.weights, strict=True):
        ratio, parameter = _ratio(entry, grids)
        edges.append((ratio / scales[source], parameter, source))
    bias = None if neuron.bias is None else _ratio(neuron.bias, grids)
    ratios = [ratio for ratio, _, _ in edges] + ([] if bias is None else [bias[0]])
    scale = lcm(1, *(int(r.denominator) for r in ratios))
    terms = tuple(
        IntegerTerm(_whole(ratio * scale), parameter, source)
        for ratio, parameter, source in edges
        # A frozen zero contributes nothing to a sum, but it is an argument of a maximum.
        if ratio != 0 or neuron.activation.kind == "max"
    )
    bias_term = None if bias is None else IntegerTerm(_whole(bias[0] * scale), bias[1], -1)
    return _activated(neuron.node, neuron.activation, scale, terms, bias_term)


def _ratio(entry: Entry, grids: Sequence[int]) -> tuple[Rational, int]:
    if entry.parameter is None:
        return entry.value, -1
    return entry.scale / grids[entry.parameter], entry.parameter


def _activated(
    node: int,
    activation: Activation,
    scale: int,
    terms: tuple[IntegerTerm, ...],
    bias: IntegerTerm | None,
) -> IntegerNeuron | None:
    if activation.kind == "max":
        return IntegerNeuron(node, scale, scale, terms, bias, "max")
    if activation.kind == "polynomial":
        if scale.bit_length() * activation.degree > NUMBER_BITS_LIMIT:
            return None
        scaled = [c / mpq(scale) ** k for k, c in enumerate(activation.coefficients)]
        out = lcm(1, *(int(c.denominator) for c in scaled))
        coefficients = tuple(_whole(c * out) for c in scaled)
        return IntegerNeuron(
            node, scale, out, terms, bias, "polynomial", coefficients=coefficients
        )
    slopes = [s / scale for s in activation.slopes]
    out = lcm(1, *(int(v.denominator) for v in (*slopes, *activation.intercepts)))
    return IntegerNeuron(
        node,
        scale,
        out,
        terms,
        bias,
        "piecewise_linear",
        tuple(ceil(b * scale) for b in activation.breakpoints),
        tuple(
            (_whole(s * out), _whole(c * out))
            for s, c in zip(slopes, activation.intercepts, strict=True)
        ),
    )


def integer_domain(form: IntegerForm, parameter: int) -> list[int]:
    """All integer values P of a parameter, increasing (finite domains; may be long)."""
    domain = form.instance.network.parameters[parameter].domain
    grid = form.grids[parameter]
    return [_whole(v * grid) for v in domain.values()]


def integer_bounds(form: IntegerForm, parameter: int) -> tuple[int, int]:
    """Least and greatest P of a parameter."""
    domain = form.instance.network.parameters[parameter].domain
    assert domain.low is not None and domain.high is not None
    grid = form.grids[parameter]
    return floor(domain.low * grid), floor(domain.high * grid)
