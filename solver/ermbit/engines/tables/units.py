"""The units of a network: what its output is a sum of, cut where nothing is shared.

The output is affine in its terms, one for every incoming edge and one for the bias. Terms whose
values depend on a common parameter or a common neuron belong together; the groups that remain are
the *units*. Each chooses its own parameters whatever the others choose, and matters through its
contributions on the data only (docs/theory.md E1). With one hidden layer of own parameters a unit
is a hidden neuron with its outer weight; the output bias is a unit of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from ermbit_encodings.integer_form import IntegerForm, IntegerNeuron, IntegerTerm, integer_bounds
from ermbit_encodings.ranges import parameter_ranges, sample_ranges

Key = tuple[object, ...]

Place = tuple[int, IntegerTerm]
"""A term of an output, by its position."""

RANGE_WORK = 2_000_000
"""Edges times samples up to which ranges are propagated."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One summand of the output.

    Attributes:
        neurons: those it contains, in topological order.
        terms: by output, its terms that read them (or a parameter, or an input).
        parameters: in the order of first use; chosen by no other unit.
        key: equal for units with equal tables.
        raw: the number of assignments of its parameters.
    """

    neurons: tuple[IntegerNeuron, ...]
    terms: tuple[tuple[IntegerTerm, ...], ...]
    parameters: tuple[int, ...]
    key: Key
    raw: int


@dataclass(frozen=True, slots=True)
class Decomposition:
    """F = constant + gain · Σ units on every sample, for every output.

    Attributes:
        units: with at least one choice, or not even that.
        gains, constants: integers, by output.
        reach: |F − target| and, for classes, differences of outputs never exceed this, in the
            integers of the form, whatever part of the sums is formed, in any order.
    """

    units: tuple[Unit, ...]
    gains: tuple[int, ...]
    constants: tuple[int, ...]
    reach: int


def decompose(form: IntegerForm) -> Decomposition | str:
    """The units of a form, or why there are none."""
    first = len(form.input_scales)
    terms: list[Place] = []
    gains, constants = [], []
    for o, (node, factor) in enumerate(zip(form.outputs, form.output_factors, strict=True)):
        if node < first:
            return "an output is an input"
        output = form.neurons[node - first]
        if output.kind != "piecewise_linear" or output.breakpoints:
            return "an output is not linear"
        ((slope, intercept),) = output.pieces
        gains.append(factor * slope)
        constants.append(factor * intercept)
        terms += [(o, t) for t in output.terms]
        terms += [] if output.bias is None else [(o, output.bias)]
    edges = sum(len(neuron.terms) + 1 for neuron in form.neurons)
    if edges * len(form.inputs) > RANGE_WORK:
        return "too many edges and samples"
    needs = [_needs(form, term) for _, term in terms]
    units = tuple(_unit(form, group, terms, needs) for group in _groups(needs))
    reach = _reach(form, terms, gains, constants)
    return Decomposition(units, tuple(gains), tuple(constants), reach)


def _needs(form: IntegerForm, term: IntegerTerm) -> frozenset[tuple[str, int]]:
    """Neurons and parameters that a term of the output depends on."""
    first = len(form.input_scales)
    found: set[tuple[str, int]] = set()
    pending = [term]
    while pending:
        t = pending.pop()
        if t.parameter >= 0:
            found.add(("p", t.parameter))
        if t.source >= first and ("n", t.source) not in found:
            found.add(("n", t.source))
            neuron = form.neurons[t.source - first]
            pending.extend(neuron.terms)
            pending.extend([] if neuron.bias is None else [neuron.bias])
    return frozenset(found)


def _groups(needs: Sequence[frozenset[tuple[str, int]]]) -> list[list[int]]:
    """Positions of terms, together where they share anything; ordered by first member."""
    groups: list[tuple[list[int], frozenset[tuple[str, int]]]] = []
    for position, need in enumerate(needs):
        joined = [position]
        apart = []
        for members, known in groups:
            if known & need:
                joined, need = members + joined, need | known
            else:
                apart.append((members, known))
        groups = [*apart, (joined, need)]
    return sorted(sorted(members) for members, _ in groups)


def _unit(
    form: IntegerForm,
    group: Sequence[int],
    terms: Sequence[Place],
    needs: Sequence[frozenset[tuple[str, int]]],
) -> Unit:
    first = len(form.input_scales)
    nodes = sorted({n for position in group for kind, n in needs[position] if kind == "n"})
    neurons = tuple(form.neurons[node - first] for node in nodes)
    own = tuple(
        tuple(term for o, term in (terms[position] for position in group) if o == output)
        for output in range(len(form.outputs))
    )
    parameters: dict[int, int] = {}
    places = {node: -2 - i for i, node in enumerate(nodes)}

    def word(term: IntegerTerm) -> tuple[int, int, int]:
        number = -1
        if term.parameter >= 0:
            number = parameters.setdefault(term.parameter, len(parameters))
        return (term.factor, number, places.get(term.source, term.source))

    key: list[object] = []
    for neuron in neurons:
        key.append((neuron.kind, neuron.breakpoints, neuron.pieces, neuron.coefficients))
        key.append(tuple(word(t) for t in neuron.terms))
        key.append(None if neuron.bias is None else word(neuron.bias))
    key.extend(tuple(word(t) for t in some) for some in own)
    network = form.instance.network
    sizes = []
    for p in parameters:
        domain = network.parameters[p].domain
        assert domain.size is not None
        sizes.append(domain.size)
        key.append((form.grids[p], domain.size, integer_bounds(form, p), domain))
    return Unit(neurons, own, tuple(parameters), tuple(key), prod(sizes))


def _reach(
    form: IntegerForm, terms: Sequence[Place], gains: Sequence[int], constants: Sequence[int]
) -> int:
    parameters = parameter_ranges(form)
    first = len(form.input_scales)
    reach = 0
    for i, (x, target) in enumerate(zip(form.inputs, form.targets, strict=True)):
        outputs = sample_ranges(form, i, parameters).output
        totals = [0] * len(gains)
        for o, t in terms:
            p = 1 if t.parameter < 0 else max(map(abs, parameters[t.parameter]))
            if t.source < 0:
                s = 1
            elif t.source < first:
                s = abs(x[t.source])
            else:
                s = max(map(abs, outputs[t.source - first]))
            totals[o] += abs(t.factor) * p * s
        aim = max(*map(abs, target), form.scale, form.margin)
        for total, gain, constant in zip(totals, gains, constants, strict=True):
            reach = max(reach, abs(gain) * total + abs(constant) + aim)
    classes = form.instance.loss.is_classification and len(gains) > 1
    return 2 * reach if classes else reach
