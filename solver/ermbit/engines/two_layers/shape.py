"""The parts of a network of two hidden layers, and which of its units may be exchanged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from ermbit_encodings.integer_form import (
    IntegerForm,
    IntegerNeuron,
    IntegerTerm,
    integer_domain,
)

ASSIGNMENT_LIMIT, ROW_LIMIT = 2**16, 2**14
"""Assignments of a first unit; rows that a second unit is listed with."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The parts of a network of two hidden layers."""

    first: tuple[IntegerNeuron, ...]
    second: tuple[IntegerNeuron, IntegerNeuron]
    outer: tuple[IntegerTerm, IntegerTerm]
    bias: IntegerTerm | None
    gain: int
    constant: int


def shape_of(form: IntegerForm) -> Shape | str:
    """The parts, or why the network is not of this shape."""
    inputs = len(form.input_scales)
    uses = Counter(
        t.parameter
        for neuron in form.neurons
        for t in (*neuron.terms, *(() if neuron.bias is None else (neuron.bias,)))
        if t.parameter >= 0
    )
    if any(count > 1 for count in uses.values()):
        return "a parameter is shared"
    if form.outputs[0] < inputs:
        return "the output is an input"
    output = form.neurons[form.outputs[0] - inputs]
    if output.kind != "piecewise_linear" or len(output.pieces) != 1:
        return "the output is not linear"
    if len(output.terms) != 2 or output.terms[0].source == output.terms[1].source:
        return "the output does not read two units"
    if any(t.source < inputs for t in output.terms):
        return "the output reads an input"
    second = tuple(form.neurons[t.source - inputs] for t in output.terms)
    first_nodes = {t.source for neuron in second for t in neuron.terms}
    first = tuple(n for n in form.neurons if n.node in first_nodes)
    rest = {n.node for n in form.neurons} - first_nodes - {n.node for n in (*second, output)}
    if rest:
        return "a neuron is not in one of two layers"
    if len(first) != len(first_nodes) or any(t.source >= inputs for n in first for t in n.terms):
        return "a second unit reads an input or a second unit"
    if any(n.kind == "max" for n in first) or any(n.kind != "piecewise_linear" for n in second):
        return "a maximum, or a polynomial in the second layer"
    if len({_signature(form, n, t) for n, t in zip(second, output.terms, strict=True)}) != 1:
        return "the units of the second layer differ"
    if any(prod(sizes_of(form, terms_of(n))) > ASSIGNMENT_LIMIT for n in first):
        return "a first unit has too many assignments"
    rows = prod(sizes_of(form, (*terms_of(second[0]), output.terms[0])))
    if rows > ROW_LIMIT:
        return f"a second unit has more than {ROW_LIMIT} assignments"
    ((slope, intercept),) = output.pieces
    gain = slope * form.output_factors[0]
    constant = intercept * form.output_factors[0]
    outer = (output.terms[0], output.terms[1])
    return Shape(first, (second[0], second[1]), outer, output.bias, gain, constant)


def terms_of(neuron: IntegerNeuron) -> tuple[IntegerTerm, ...]:
    return (*neuron.terms, *(() if neuron.bias is None else (neuron.bias,)))


def multiples(form: IntegerForm, term: IntegerTerm | None) -> tuple[int, ...]:
    """factor · parameter for all its values; of a constant the factor, of nothing 0."""
    if term is None:
        return (0,)
    if term.parameter < 0:
        return (term.factor,)
    return tuple(term.factor * v for v in integer_domain(form, term.parameter))


def sizes_of(form: IntegerForm, terms: Sequence[IntegerTerm]) -> list[int]:
    parameters = form.instance.network.parameters
    return [(parameters[t.parameter].domain.size or 0) if t.parameter >= 0 else 1 for t in terms]


def _kind(form: IntegerForm, term: IntegerTerm | None) -> object:
    """Equal for terms with the same choices in the same numbers."""
    if term is None:
        return None
    return (term.factor, term.parameter >= 0, multiples(form, term))


def _signature(form: IntegerForm, neuron: IntegerNeuron, outer: IntegerTerm) -> object:
    """Equal for second-layer units that make the same rows from every first layer."""
    by_source: dict[int, list[object]] = {}
    for t in neuron.terms:
        by_source.setdefault(t.source, []).append(_kind(form, t))
    return (
        tuple((s, tuple(by_source[s])) for s in sorted(by_source)),
        _kind(form, neuron.bias),
        (neuron.kind, neuron.breakpoints, neuron.pieces),
        _kind(form, outer),
    )


def are_interchangeable(form: IntegerForm, shape: Shape) -> bool:
    """Whether any order of the first layer's vectors serves as well as any other.

    All first units make the same vectors, and both second units read all of them alike.
    """
    kinds = {
        (
            tuple(sorted((t.source, multiples(form, t)) for t in n.terms)),
            multiples(form, n.bias),
            (n.kind, n.breakpoints, n.pieces, n.coefficients),
        )
        for n in shape.first
    }
    for neuron in shape.second:
        reads = Counter(t.source for t in neuron.terms)
        if set(reads) != {n.node for n in shape.first} or max(reads.values()) > 1:
            return False
        if len({multiples(form, t) for t in neuron.terms}) != 1:
            return False
    return len(kinds) == 1
