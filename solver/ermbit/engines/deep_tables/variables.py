"""What a deep network chooses: groups of parameters, each with a tree of its choices.

The search of :mod:`~ermbit.engines.deep_tables.engine` picks one row for every *variable*:

* a neuron that reads the data only: all its different activation vectors (docs/theory.md E1);
* a later neuron: all its incoming parameters, with the outgoing weight where there is one edge. If
  the activation is positively homogeneous, v·φ(w·a + b) = sign v · φ(|v|w·a + |v|b) leaves one row
  of many (B1); the row then holds sign v, |v|w, |v|b, which take the parameters' places;
* what is left (output biases, shared parameters): one parameter, all its values.

Interchangeable neurons have equal trees, and their rows are taken in order. That is sound for all
pairs at once: an interchange moves nothing before the first of the two variables, so the
lexicographically least of all equally good choices of rows satisfies every such constraint (B3).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from ermbit.engines.enumeration_bounds import Bounds
from ermbit.engines.tables.build import Array, Check, TableBuilder
from ermbit.engines.tables.tree import Tree, build_tree
from ermbit.engines.tables.units import Unit
from ermbit_encodings.integer_form import (
    IntegerForm,
    IntegerNeuron,
    IntegerTerm,
    integer_bounds,
    integer_domain,
)
from ermbit_encodings.symmetry import Symmetry

GROUP_LIMIT = 2**17
"""Assignments of a later neuron's parameters up to which they are one variable."""

TABLE_ELEMENTS = 2**23
"""Assignments of a first neuron times samples up to which it has a table."""


@dataclass(frozen=True, slots=True)
class Group:
    """A variable before its rows are made.

    Attributes:
        parameters: that it chooses.
        neuron: the one whose parameters these are, or −1.
        table: the rows are the neuron's activation vectors.
        scaled: the last parameter is the outgoing weight and its size is moved to the others.
        raw: the number of assignments.
    """

    parameters: tuple[int, ...]
    neuron: int
    table: bool
    scaled: bool
    raw: int


@dataclass(frozen=True, slots=True)
class Variable:
    """One choice of the search.

    Attributes:
        group: what it chooses.
        choices: integer values of the group's parameters, (rows, parameters), in tree order.
        tree: over the rows; its boxes hold activations on the samples (``group.table``), else what
            stands for the parameters.
        mate: the variable before it whose row is never greater, or −1.
    """

    group: Group
    choices: Array
    tree: Tree
    mate: int = -1


def grouped(form: IntegerForm) -> tuple[Group, ...]:
    """The variables of a form, in an order in which no neuron comes before its sources."""
    first = len(form.input_scales)
    uses = Counter(t.parameter for neuron in form.neurons for t in entries(neuron))
    readers = Counter(t.source for neuron in form.neurons for t in neuron.terms)
    readers.update(form.outputs)
    outgoing = {
        t.source: t.parameter
        for neuron in form.neurons
        for t in neuron.terms
        if readers[t.source] == 1 and t.parameter >= 0 and uses[t.parameter] == 1
    }
    sizes = [p.domain.size or 0 for p in form.instance.network.parameters]
    groups: list[Group] = []
    taken: set[int] = set()

    def add(parameters: Sequence[int], neuron: int, table: bool, scaled: bool) -> None:
        raw = prod(sizes[p] for p in parameters)
        groups.append(Group(tuple(parameters), neuron, table, scaled, raw))
        taken.update(parameters)

    for neuron in form.neurons:
        own = Counter(t.parameter for t in entries(neuron) if t.parameter >= 0)
        raw = prod(sizes[p] for p in own)
        alone = all(uses[p] == count for p, count in own.items())
        direct = all(t.source < first for t in neuron.terms)
        if own and alone and direct and raw * len(form.inputs) <= TABLE_ELEMENTS:
            add(tuple(own), neuron.node, True, False)
            continue
        free = [p for p in own if p not in taken and uses[p] == 1]
        outer = outgoing.get(neuron.node, -1)
        together = [*free, outer] if outer >= 0 else free
        if neuron.node not in form.outputs and together:
            if prod(sizes[p] for p in together) <= GROUP_LIMIT:
                scaled = outer >= 0 and _homogeneous(neuron, set(free))
                add(together, neuron.node, False, scaled)
        for p in own:
            if p not in taken:
                add((p,), -1, False, False)
    return tuple(groups)


def variables(
    form: IntegerForm,
    bounds: Bounds,
    groups: Sequence[Group],
    symmetries: Iterable[Symmetry],
    dtype: type,
    check: Check,
) -> tuple[Variable, ...]:
    """The rows and trees of the variables.

    Args:
        form, bounds: of one problem; the bounds must not need Python integers.
        groups: from :func:`grouped`.
        symmetries: interchanges of neurons of the same instance.
        dtype: of the boxes, proved wide enough.
        check: called between pieces of work; ends the building by raising.
    """
    wide = np.int32 if bounds.magnitude < 2**30 else np.int64
    builder = TableBuilder(form, bounds, (1,), wide, check)
    sizes, _ = signal_sizes(form, bounds, groups)
    positive: set[int] = set()
    known: dict[object, Variable] = {}
    made: list[Variable] = []
    for group in groups:
        if group.table:
            vectors, choices = _activations(form, group, builder)
            weights = np.ones(vectors.shape[1])
            if (vectors >= 0).all():
                positive.add(group.neuron)
        else:
            vectors, choices = _parameters(form, group, _dies(form, group, positive))
            weights = _weights(form, group, sizes)
        vectors = vectors.astype(dtype)
        key = (vectors.tobytes(), choices.tobytes(), choices.shape, weights.tobytes(), group.table)
        if key not in known:
            tree = build_tree(vectors, weights, True, check)
            known[key] = Variable(group, choices[tree.order], tree)
        made.append(replace(known[key], group=group))
    return tuple(
        replace(variable, mate=mate)
        for variable, mate in zip(made, _mates(made, symmetries), strict=True)
    )


def entries(neuron: IntegerNeuron) -> Iterator[IntegerTerm]:
    yield from neuron.terms
    if neuron.bias is not None:
        yield neuron.bias


def _homogeneous(neuron: IntegerNeuron, own: set[int]) -> bool:
    """Whether multiplying a neuron's own parameters by c ≥ 0 multiplies its output by c."""
    return (
        neuron.kind == "piecewise_linear"
        and set(neuron.breakpoints) <= {0}
        and all(intercept == 0 for _, intercept in neuron.pieces)
        and all(t.parameter in own for t in entries(neuron))
    )


def _activations(form: IntegerForm, group: Group, builder: TableBuilder) -> tuple[Array, Array]:
    neuron = form.neurons[group.neuron - len(form.input_scales)]
    read = IntegerTerm(1, -1, neuron.node)
    table = builder.table(Unit((neuron,), ((read,),), group.parameters, (), group.raw))
    return table.vectors, table.choices


def _parameters(form: IntegerForm, group: Group, dead: bool) -> tuple[Array, Array]:
    """What stands for the parameters, and their values, (rows, parameters) each."""
    values = [np.array(integer_domain(form, p), dtype=np.int64) for p in group.parameters]
    grid = np.meshgrid(*values, indexing="ij")
    choices = np.stack([axis.ravel() for axis in grid], axis=1)
    vectors = choices.copy()
    if group.neuron >= 0 and _has_outgoing(form, group):
        # A weight of 0 hides the neuron, whatever its own parameters are.
        vectors[vectors[:, -1] == 0] = 0
    if group.scaled:
        vectors[:, :-1] *= np.abs(vectors[:, -1:])
        vectors[:, -1] = np.sign(vectors[:, -1])
        if dead:
            # Sums that are never positive are hidden by a relu of signals that are never negative.
            vectors[(vectors[:, :-1] <= 0).all(axis=1)] = 0
    vectors, kept = np.unique(vectors, axis=0, return_index=True)
    return vectors, choices[kept]


def _dies(form: IntegerForm, group: Group, positive: set[int]) -> bool:
    """Whether a scaled neuron is 0 wherever no parameter of its own is positive."""
    if not group.scaled:
        return False
    neuron = form.neurons[group.neuron - len(form.input_scales)]
    return (
        # Slope 0 up to 0: the value there is the intercept, which is 0.
        neuron.breakpoints == (0,)
        and neuron.pieces[0][0] == 0
        and all(t.factor > 0 and t.source in positive | {-1} for t in entries(neuron))
    )


def _has_outgoing(form: IntegerForm, group: Group) -> bool:
    neuron = form.neurons[group.neuron - len(form.input_scales)]
    return all(t.parameter != group.parameters[-1] for t in entries(neuron))


def signal_sizes(
    form: IntegerForm, bounds: Bounds, groups: Sequence[Group]
) -> tuple[list[int], int]:
    """No signal of a node exceeds its size, and no intermediate result the last number.

    With what stands for the parameters in the place of the parameters.
    """
    columns = zip(*form.inputs, strict=True)
    sizes = [max(map(abs, column)) for column in columns]
    weights = [max(map(abs, integer_bounds(form, p))) for p in range(len(form.grids))]
    for group in groups:
        if group.scaled:
            outer = weights[group.parameters[-1]]
            for p in group.parameters[:-1]:
                weights[p] *= outer
            weights[group.parameters[-1]] = 1
    worst = max([1, *sizes, *weights])
    for neuron in form.neurons:
        terms = []
        for t in entries(neuron):
            # Factors and slopes are multiplied into arrays even where all they meet is 0.
            weight = abs(t.factor) * (1 if t.parameter < 0 else max(1, weights[t.parameter]))
            worst = max(worst, weight)
            terms.append(weight * (1 if t.source < 0 else sizes[t.source]))
        z = sum(terms)
        worst = max(worst, z)
        size = z
        if neuron.kind == "piecewise_linear":
            pieces = bounds.pieces[neuron.node]
            size = max((abs(s) * max(1, z) + abs(c) for _, s, c in pieces), default=0)
            worst = max([worst, *(abs(start) for start, _, _ in pieces if start is not None)])
        elif neuron.kind == "polynomial":
            size = sum(abs(c) * max(z, 1) ** k for k, c in enumerate(neuron.coefficients))
        sizes.append(size)
        worst = max(worst, size)
    for node, factor in zip(form.outputs, form.output_factors, strict=True):
        worst = max(worst, abs(factor), abs(factor) * sizes[node])
    return sizes, worst


def _weights(form: IntegerForm, group: Group, sizes: Sequence[int]) -> Array:
    """By parameter, what a step of it may change: shapes the tree and decides nothing."""
    weights = np.ones(len(group.parameters))
    if group.neuron < 0:
        return weights
    neuron = form.neurons[group.neuron - len(form.input_scales)]
    place = {p: k for k, p in enumerate(group.parameters)}
    for t in entries(neuron):
        if t.parameter in place:
            weights[place[t.parameter]] = (
                0.5 * abs(t.factor) * (1 if t.source < 0 else sizes[t.source])
            )
    if _has_outgoing(form, group):
        weights[-1] = max(1.0, sizes[group.neuron])
    return weights


def _mates(made: Sequence[Variable], symmetries: Iterable[Symmetry]) -> list[int]:
    """By variable the one before it whose row must not be greater, or −1."""
    mates = [-1] * len(made)
    owner = {p: u for u, variable in enumerate(made) for p in variable.group.parameters}
    place = {v.group.neuron: u for u, v in enumerate(made) if v.group.neuron >= 0}
    for symmetry in symmetries:
        a, b = (place.get(node, -1) for node in symmetry.neurons)
        if a < 0 or b < 0 or made[a].tree is not made[b].tree:
            continue
        a, b = min(a, b), max(a, b)
        moved = dict(symmetry.permutation)
        moved |= {q: p for p, q in symmetry.permutation}
        pairs = zip(made[a].group.parameters, made[b].group.parameters, strict=True)
        straight = all(moved.get(p) == q for p, q in pairs)
        if straight and min(owner.get(p, a) for p in moved) == a:
            mates[b] = a
    return mates
