"""The shape of a network as exact fits are searched for: levels of hidden units, outputs as sums.

A unit's level is the number of hidden units on the longest path to it. An output that is linear and
that nothing else reads is a sum of terms; any other is read as it is, by a sum of one term.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

from ermbit_encodings.integer_form import (
    IntegerForm,
    IntegerNeuron,
    IntegerTerm,
    integer_bounds,
    integer_domain,
)

ONE = -1
"""The source of what is added to every sample."""


@dataclass(frozen=True, slots=True)
class Sum:
    """One output: F = gain · Σ terms + constant. A term of source :data:`ONE` is the bias."""

    terms: tuple[IntegerTerm, ...]
    gain: int
    constant: int


@dataclass(frozen=True, slots=True)
class Layers:
    """A network.

    Attributes:
        levels: hidden neurons that an output depends on, level by level.
        sums: the outputs.
        shared: parameters that more than one neuron reads, or one sum twice.
    """

    levels: tuple[tuple[IntegerNeuron, ...], ...]
    sums: tuple[Sum, ...]
    shared: tuple[int, ...]


def entries(neuron: IntegerNeuron) -> Iterator[IntegerTerm]:
    """The weighted inputs of a neuron, and its bias."""
    yield from neuron.terms
    if neuron.bias is not None:
        yield neuron.bias


def layers(form: IntegerForm) -> Layers:
    """The levels, sums and shared parameters of a form."""
    inputs = len(form.input_scales)
    readers = Counter(t.source for neuron in form.neurons for t in neuron.terms)
    readers.update(form.outputs)
    sums: list[Sum] = []
    for node, factor in zip(form.outputs, form.output_factors, strict=True):
        neuron = form.neurons[node - inputs] if node >= inputs else None
        if neuron is None or readers[node] > 1 or not _is_linear(neuron):
            sums.append(Sum((IntegerTerm(1, -1, node),), factor, 0))
            continue
        ((slope, intercept),) = neuron.pieces
        sums.append(Sum(tuple(entries(neuron)), slope * factor, intercept * factor))
    needed = {t.source for s in sums for t in s.terms}
    for neuron in reversed(form.neurons):
        if neuron.node in needed:
            needed.update(t.source for t in neuron.terms)
    level = dict.fromkeys(range(inputs), 0)
    found: list[list[IntegerNeuron]] = []
    for neuron in form.neurons:
        if neuron.node in needed:
            level[neuron.node] = 1 + max((level[t.source] for t in neuron.terms), default=0)
            while len(found) < level[neuron.node]:
                found.append([])
            found[level[neuron.node] - 1].append(neuron)
    owners: Counter[int] = Counter()
    for members in found:
        for neuron in members:
            owners.update({t.parameter for t in entries(neuron)})
    for s in sums:
        owners.update(t.parameter for t in s.terms)
    shared = tuple(p for p, count in sorted(owners.items()) if p >= 0 and count > 1)
    return Layers(tuple(map(tuple, found)), tuple(sums), shared)


def _is_linear(neuron: IntegerNeuron) -> bool:
    return neuron.kind == "piecewise_linear" and len(neuron.pieces) == 1


def live(layers: Layers, level: int) -> tuple[int, ...]:
    """Nodes up to a level (0: the inputs) that later levels or outputs read, ascending."""
    upper = {neuron.node for members in layers.levels[level:] for neuron in members}
    read = {t.source for members in layers.levels[level:] for n in members for t in n.terms}
    read |= {t.source for s in layers.sums for t in s.terms}
    return tuple(sorted(read - upper - {ONE}))


def own_parameters(terms: Sequence[IntegerTerm], fixed: Mapping[int, int]) -> tuple[int, ...]:
    """Parameters of terms that are not fixed, each once."""
    return tuple(dict.fromkeys(t.parameter for t in terms if _is_free(t, fixed)))


def _is_free(term: IntegerTerm, fixed: Mapping[int, int]) -> bool:
    return term.parameter >= 0 and term.parameter not in fixed


def assignments(form: IntegerForm, parameters: Sequence[int]) -> int:
    """The number of assignments of parameters."""
    return prod(len(integer_domain(form, p)) for p in parameters)


def largest(form: IntegerForm, term: IntegerTerm) -> int:
    """The largest size of factor · parameter."""
    if term.parameter < 0:
        return abs(term.factor)
    return abs(term.factor) * max(map(abs, integer_bounds(form, term.parameter)))
