"""From an instance file to a question: scaling, merging of samples, symmetries.

Written from the description of the file format; of ermbit only its parser is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import ceil, lcm
from pathlib import Path

from ermbit_instances.domain import Domain, IntegerDomain
from ermbit_instances.instance import Instance, load
from peers.question import Edge, Number, Parameter, Question, Sample, Unit
from peers.symmetries import classes, flips

MOST_VALUES = 4096
"""A finite domain with more values than this is not listed: integers stay a range, and the reals
stand for scattered values."""


def read(path: str | Path) -> Question:
    """The question in an instance file."""
    return question_of(load(path, allow_external_data=True))


def fraction(value: object) -> Fraction:
    """A gmpy2 rational as a fraction."""
    return Fraction(int(value.numerator), int(value.denominator))  # type: ignore[attr-defined]


def question_of(instance: Instance) -> Question:
    """The scaled form; over the reals (or with an unlisted domain) unscaled."""
    network, parameters = instance.network, _parameters(instance)
    integral = all(p.values is not None for p in parameters)
    if not integral:
        parameters = tuple(
            _unscaled(p, given.domain)
            for p, given in zip(parameters, network.parameters, strict=True)
        )
    columns = [[fraction(v) for v in column] for column in zip(*instance.data.x, strict=True)]
    scales = [lcm(*(v.denominator for v in column)) if integral else 1 for column in columns]
    inputs = [
        tuple(_lean(v * s) for v, s in zip(row, scales, strict=True))
        for row in zip(*columns, strict=True)
    ]
    units = []
    for neuron in network.neurons:
        unit, scale = _unit(neuron, parameters, scales, integral)
        units.append(unit)
        scales.append(scale)
    targets = [tuple(fraction(v) for v in row) for row in instance.data.y]
    common = lcm(*(scales[node] for node in network.outputs)) if integral else 1
    if integral and not instance.loss.is_classification:
        common = lcm(common, *(v.denominator for row in targets for v in row))
    if not instance.loss.is_classification:
        targets = [tuple(_lean(v * common) for v in row) for row in targets]
    rows = {x: number for number, x in enumerate(dict.fromkeys(inputs))}
    weights = [fraction(w) for w in instance.data.weights]
    grid = lcm(*(w.denominator for w in weights)) if integral else 1
    maximum = instance.loss.reduction == "max"
    merged: dict[tuple[int, tuple[Number, ...]], Fraction] = {}
    for x, y, w in zip(inputs, targets, weights, strict=True):
        if w > 0:
            before = merged.get((rows[x], y), Fraction(0))
            merged[rows[x], y] = max(before, w * grid) if maximum else before + w * grid
    margin = fraction(instance.loss.margin) * common
    question = Question(
        name=instance.name,
        integral=integral,
        parameters=parameters,
        rows=tuple(rows),
        units=tuple(units),
        outputs=tuple(
            (node, common // scales[node] if integral else 1) for node in network.outputs
        ),
        samples=tuple(Sample(row, y, _lean(w)) for (row, y), w in merged.items()),
        loss=instance.loss.name,
        maximum=maximum,
        unit=common,
        margin=max(1, ceil(margin)) if integral else (margin or None),
        denominator=Fraction(1),
        threshold=None if instance.threshold is None else fraction(instance.threshold),
        classes=(),
        flips=(),
    )
    total = sum(weights, Fraction(0)) if instance.loss.reduction == "mean" else Fraction(1)
    question = replace(question, denominator=question.loss_unit * grid * total)
    return replace(question, classes=classes(question), flips=flips(question))


def _lean(value: Fraction) -> Number:
    return value.numerator if value.denominator == 1 else value


def _parameters(instance: Instance) -> tuple[Parameter, ...]:
    found = []
    for parameter in instance.network.parameters:
        domain = parameter.domain
        if domain.size is None:
            found.append(Parameter(parameter.name, 1, None))
            continue
        if isinstance(domain, IntegerDomain):
            run = range(domain.minimum, domain.maximum + 1)
            listed = tuple(run) if domain.size <= MOST_VALUES else run
            found.append(Parameter(parameter.name, domain.denominator, listed))
            continue
        if domain.size > MOST_VALUES:
            found.append(Parameter(parameter.name, 1, None, domain))
            continue
        values = [fraction(v) for v in domain.values()]
        grid = lcm(*(v.denominator for v in values))
        found.append(Parameter(parameter.name, grid, tuple(int(v * grid) for v in values)))
    return tuple(found)


def _unscaled(p: Parameter, domain: Domain) -> Parameter:
    """The parameter beside reals: its values as they are, or the reals instead of a long range."""
    if p.values is None:
        return p
    if isinstance(p.values, range):
        return Parameter(p.name, 1, None, domain)
    return Parameter(p.name, 1, tuple(Fraction(v, p.denominator) for v in p.values))


def _unit(
    neuron: object, parameters: Sequence[Parameter], scales: Sequence[int], integral: bool
) -> tuple[Unit, int]:
    """A unit and the scale of its value, from the scales of all nodes before it."""
    raw: list[tuple[Fraction, int | None, int | None]] = []
    activation = neuron.activation  # type: ignore[attr-defined]
    entries = list(zip(neuron.weights, neuron.sources, strict=True))  # type: ignore[attr-defined]
    if neuron.bias is not None:  # type: ignore[attr-defined]
        entries.append((neuron.bias, None))  # type: ignore[attr-defined]
    for entry, source in entries:
        factor = fraction(entry.value if entry.is_frozen else entry.scale)
        if entry.parameter is not None:
            factor /= parameters[entry.parameter].denominator
        if source is not None:
            factor /= scales[source]
        if factor or (activation.kind == "max" and source is not None):  # 0 may be the maximum
            raw.append((factor, entry.parameter, source))
    scale = lcm(*(f.denominator for f, _, _ in raw)) if integral else 1
    edges = tuple(Edge(_lean(f * scale), p, s) for f, p, s in raw)
    node = neuron.node  # type: ignore[attr-defined]
    if activation.kind == "max":
        return Unit(
            node, edges, activation.name, slopes=(1,), intercepts=(0,), maximum=True
        ), scale
    if activation.kind == "polynomial":
        powers = [fraction(c) / scale**k for k, c in enumerate(activation.coefficients)]
        out = lcm(*(c.denominator for c in powers)) if integral else 1
        return Unit(
            node, edges, activation.name, coefficients=tuple(_lean(c * out) for c in powers)
        ), out
    points = [fraction(b) * scale for b in activation.breakpoints]
    slopes = [fraction(s) for s in activation.slopes]
    intercepts = [fraction(c) for c in activation.intercepts]
    if not integral:
        return Unit(
            node, edges, activation.name, tuple(points), tuple(slopes), tuple(intercepts)
        ), 1
    if any(slopes):
        out = lcm(
            *(Fraction(s, scale).denominator for s in slopes),
            *(c.denominator for c in intercepts),
        )
    else:
        out = lcm(*(c.denominator for c in intercepts))
    return Unit(
        node,
        edges,
        activation.name,
        tuple(ceil(b) for b in points),
        tuple(int(s * out / scale) for s in slopes),
        tuple(int(c * out) for c in intercepts),
    ), out
