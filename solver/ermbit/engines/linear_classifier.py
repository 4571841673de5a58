"""Linear classifiers with real weights: every sample asks that some linear forms be positive.

A network whose outputs are linear in its real parameters, without a constant part, is right at a
sample exactly if y f(x) > 0, or f_y(x) − f_j(x) > 0 for all rivals j. A positive margin changes
nothing, since θ can be scaled (docs/theory.md F4). So a set of samples can all be right iff a
system a·θ > 0 is solvable, whatever is shared or masked.

An output ``sign`` with a real own bias asks the same (docs/theory.md B5): where u·x̂ = 0 counts as
positive, a slightly larger bias makes it positive and changes no other sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd, lcm

from gmpy2 import mpq

from ermbit.engines.halfspaces.lines import read_unit
from ermbit_encodings.problem import Problem
from ermbit_encodings.samples import Sample
from ermbit_instances.domain import RealDomain
from ermbit_instances.network import Neuron
from ermbit_instances.rational import Rational

PARAMETER_LIMIT, ROW_LIMIT = 1_000, 5_000
"""Free parameters, and linear forms, beyond which nothing is tried."""

NUMBER_LIMIT = 3_000_000
"""Coefficients of all forms."""

Form = tuple[int, ...]
"""Integer coefficients of the parameters; the form has to be positive."""


@dataclass(frozen=True, slots=True)
class Classifier:
    """The forms of every sample, and how losses follow from θ.

    Attributes:
        samples: distinct samples with integer weights.
        forms: by sample, those that must be positive; a zero form never is.
        scales: positive factors that turn the forms' values into y f, or f_y − f_j.
        parameters: number of free parameters.
        margin: of the loss.
        is_sign: the output is ``sign``.
    """

    samples: tuple[Sample, ...]
    forms: tuple[tuple[Form, ...], ...]
    scales: tuple[tuple[Rational, ...], ...]
    parameters: int
    margin: Rational
    is_sign: bool

    def is_right(self, sample: int, theta: Sequence[Rational]) -> bool:
        """Whether the loss of a sample is 0 at θ, by the definition of the loss."""
        label = self.samples[sample].y[0]
        for form, scale in zip(self.forms[sample], self.scales[sample], strict=True):
            value = _value(form, theta) * scale
            if self.is_sign:
                # value has the sign of y u·x̂, and the output is sign(u·x̂) with sign(0) = 1.
                value = mpq(1) if value > 0 or (value == 0 and label > 0) else mpq(-1)
            if not (value >= self.margin if self.margin > 0 else value > 0):
                return False
        return True

    def scaled(self, theta: Sequence[Rational]) -> tuple[Rational, ...]:
        """θ times a number that gives every form that is positive the margin."""
        if self.is_sign or self.margin <= 0:
            return tuple(theta)
        least: Rational | None = None
        for forms, scales in zip(self.forms, self.scales, strict=True):
            for form, scale in zip(forms, scales, strict=True):
                value = _value(form, theta) * scale
                if value > 0 and (least is None or value < least):
                    least = value
        factor = mpq(1) if least is None else max(mpq(1), self.margin / least)
        return tuple(factor * t for t in theta)


def _value(form: Form, theta: Sequence[Rational]) -> Rational:
    return sum((a * t for a, t in zip(form, theta, strict=True) if a), mpq(0))


def read_classifier(problem: Problem) -> Classifier | str:
    """The classifier, or why the instance is none."""
    network, loss = problem.instance.network, problem.instance.loss
    if loss.name != "zero_one":
        return "the loss is not zero_one"
    if network.parameter_count > PARAMETER_LIMIT:
        return f"more than {PARAMETER_LIMIT} free parameters"
    if network.node_count > network.input_count + len(network.outputs):
        return "there are hidden neurons"
    if any(output < network.input_count for output in network.outputs):
        return "an output is an input"
    if any(not isinstance(p.domain, RealDomain) for p in network.parameters):
        return "a domain is not real"
    rivals = max(1, len(network.outputs) - 1)
    count = len(problem.instance.data) * rivals
    if count > ROW_LIMIT or count * max(1, network.parameter_count) > NUMBER_LIMIT:
        return "too many samples"
    neurons = {neuron.node: neuron for neuron in network.neurons}
    outputs = [neurons[node] for node in network.outputs]
    is_sign = any(neuron.activation.name == "sign" for neuron in outputs)
    if is_sign:
        unit = read_unit(problem)
        if isinstance(unit, str):
            return unit
    for neuron in outputs:
        if neuron.activation.name != "identity" and not is_sign:
            return f"the activation is {neuron.activation.name}"
        if any(source >= network.input_count for source in neuron.sources):
            return "an output reads an output"
        if any(entry.is_frozen and entry.value != 0 for entry in neuron.entries()):
            return "a weight or the bias is frozen"
    samples = problem.samples.rows
    forms, scales = [], []
    for sample in samples:
        rows = [_row(neuron, sample.x, network.parameter_count) for neuron in outputs]
        if len(rows) == 1:
            wanted = [[sample.y[0] * a for a in rows[0]]]
        else:
            own = int(sample.y[0])
            wanted = [
                [a - b for a, b in zip(rows[own], row, strict=True)]
                for j, row in enumerate(rows)
                if j != own
            ]
        primitive = [_primitive(row) for row in wanted]
        forms.append(tuple(form for form, _ in primitive))
        scales.append(tuple(scale for _, scale in primitive))
    return Classifier(
        samples, tuple(forms), tuple(scales), network.parameter_count, loss.margin, is_sign
    )


def _row(neuron: Neuron, x: Sequence[Rational], parameters: int) -> list[Rational]:
    """Coefficients of the parameters in one output."""
    row = [mpq(0)] * parameters
    for source, entry in zip(neuron.sources, neuron.weights, strict=True):
        if entry.parameter is not None:
            row[entry.parameter] += entry.scale * x[source]
    if neuron.bias is not None and neuron.bias.parameter is not None:
        row[neuron.bias.parameter] += neuron.bias.scale
    return row


def _primitive(row: Sequence[Rational]) -> tuple[Form, Rational]:
    """Integers without a common divisor, and what they have to be multiplied by."""
    denominator = lcm(*(int(v.denominator) for v in row)) if row else 1
    integers = [int((v * denominator).numerator) for v in row]
    common = gcd(*integers) or 1
    return tuple(v // common for v in integers), mpq(common, denominator)
