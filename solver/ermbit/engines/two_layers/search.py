"""The search: all first layers, and the best pair of second units for each.

Numba compiles the inner loops (:mod:`~ermbit.engines.two_layers.kernel`) on their first use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import comb, prod
from typing import Any

import numpy as np

from ermbit.engines.deep_fits.conflicts import gains
from ermbit.engines.deep_fits.layers import layers
from ermbit.engines.deep_fits.units import contributions, is_homogeneous
from ermbit.engines.engine import Budget
from ermbit.engines.enumeration_bounds import Bounds
from ermbit.engines.integer_activation import activated
from ermbit.engines.tables.build import Array, first_of_equals
from ermbit.engines.tables.loss import GapLoss
from ermbit.engines.total_search import Found, Raised, nearest_to_zero
from ermbit.engines.two_layers.prefixes import Bound, first_layers
from ermbit.engines.two_layers.shape import Shape, multiples, sizes_of, terms_of
from ermbit_encodings.integer_form import (
    IntegerForm,
    IntegerNeuron,
    IntegerTerm,
    integer_domain,
)
from ermbit_instances.errors import InternalError

CHUNK, CHUNK_WORK = 1024, 10**9
"""First layers between looks at the clock, at most, and pairs of rows times biases of theirs."""

BOUND_SAMPLES = 40
"""Samples that first layers are bounded with, at most."""

INT32 = 2**31


@dataclass(frozen=True, slots=True)
class _Choices:
    """Assignments of some parameters: (rows, parameters) integer values."""

    parameters: tuple[int, ...]
    values: Array


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the search starts from.

    Attributes:
        form, bounds: of the problem.
        shape: the parts of the network.
        loss: of the output.
        alike: the first units are interchangeable.
    """

    form: IntegerForm
    bounds: Bounds
    shape: Shape
    loss: GapLoss
    alike: bool


def sizes(prepared: Prepared) -> tuple[int, int, int]:
    """First layers, rows of a second unit, output biases: before equal ones are merged."""
    form, shape = prepared.form, prepared.shape
    counts = [prod(sizes_of(form, terms_of(n))) for n in shape.first]
    if prepared.alike:
        layers = comb(counts[0] + len(counts) - 1, len(counts))
    else:
        layers = prod(counts)
    rows = prod(sizes_of(form, (*terms_of(shape.second[0]), shape.outer[0])))
    return layers, rows, len(multiples(form, shape.bias))


class Search:
    """One pass over all first layers."""

    def __init__(
        self, prepared: Prepared, budget: Budget, found: Found, raised: Raised
    ) -> None:
        self.prepared, self.budget = prepared, budget
        self.found, self.raised = found, raised
        self.check = budget.check
        self.statistics: dict[str, Any] = {}
        self.limit = 0

    def run(self, limit: int) -> None:
        """Go through all choices with a total of at most a limit; returns only after all."""
        from ermbit.engines.two_layers import kernel

        self.check()
        p, form = self.prepared, self.prepared.form
        shape, loss = p.shape, p.loss
        # No total is larger, and the loops count in 64 bits.
        self.limit = min(limit, INT32)
        tables = [self._first(neuron) for neuron in shape.first]
        offsets = np.cumsum([0] + [len(vectors) for vectors, _ in tables])
        first = np.concatenate([vectors for vectors, _ in tables])
        grid, shift, assignments = self._grid(shape.second[0], [n.node for n in shape.first])
        pieces = p.bounds.pieces[shape.second[0].node]
        starts = np.array([-(2**62) if s is None else s for s, _, _ in pieces], dtype=np.int64)
        slopes, intercepts = (np.array([q[k] for q in pieces], dtype=np.int64) for k in (1, 2))
        factors = np.array(multiples(form, shape.outer[0]), dtype=np.int64) * shape.gain
        biases = np.array(multiples(form, shape.bias), dtype=np.int64) * shape.gain
        inner = np.column_stack([grid, shift])
        widest = int(abs(inner).max(initial=1)) * int(abs(factors).max())
        homogeneous = is_homogeneous(pieces) and widest < 2**62
        rows, outer = contributions(inner, factors[:, None], homogeneous)
        # The kernel wants the factors of one sign together.
        order = np.argsort(factors[outer] < 0, kind="stable")
        rows, outer = rows[order], outer[order]
        cost = kernel.COSTS[loss.cost]
        target, signs = loss.target.astype(np.int64), loss.signs.astype(np.int64)
        weights = loss.weights.astype(np.int32)
        evaluated = tried = raised = 0
        rng = np.random.default_rng(self.budget.seed)
        # Multisets are of places, so the same place must hold the same vector for all units.
        equal = all(np.array_equal(vectors, tables[0][0]) for vectors, _ in tables)
        counts = [len(vectors) for vectors, _ in tables]
        _, size, _ = sizes(p)
        size = max(1, min(CHUNK, CHUNK_WORK // (size**2 * biases.size)))
        bound = self._bound(first, offsets[:-1])
        multisets = p.alike and equal
        for chosen, bounds, least in first_layers(counts, multisets, size, bound, rng, self.check):
            self.check()
            if least > raised:
                raised = least
                self.raised(raised)
            if least > self.limit:
                return
            found, work = kernel.best_pairs(
                first, chosen + offsets[:-1], bounds, grid, shift, starts, slopes, intercepts,
                rows, outer, factors, biases, target, signs, weights, cost, loss.two_sided,
                loss.largest, self.limit,
            )  # fmt: skip
            evaluated, tried = evaluated + int(work), tried + len(chosen)
            self.statistics = {
                "vectors": [len(vectors) for vectors, _ in tables],
                "rows": len(rows),
                "first layers": tried,
                "pairs": evaluated,
            }
            if found[0] >= 0:
                self._offer([int(v) for v in found], chosen, tables, assignments)

    def _first(self, neuron: IntegerNeuron) -> tuple[Array, _Choices]:
        """The different activation vectors of a first-layer unit on the samples."""
        form = self.prepared.form
        terms = terms_of(neuron)
        parameters, values = _assignments(form, terms)
        column = {q: k for k, q in enumerate(parameters)}
        z = np.zeros((len(values), len(form.inputs)), dtype=np.int64)
        inputs = np.array(form.inputs, dtype=np.int64).reshape(len(form.inputs), -1)
        for t in terms:
            weight = t.factor * (values[:, column[t.parameter]] if t.parameter >= 0 else 1)
            signal = inputs[:, t.source] if t.source >= 0 else np.ones(len(inputs), dtype=np.int64)
            z += np.asarray(weight).reshape(-1, 1) * signal[None, :]
        vectors = activated(neuron, self.prepared.bounds.pieces[neuron.node], z)
        kept = first_of_equals(list(vectors.T))
        # Sorted: units that list the same vectors in another order then have equal tables.
        kept = kept[np.lexsort(vectors[kept].T)]
        return np.ascontiguousarray(vectors[kept]), _Choices(parameters, values[kept])

    def _grid(
        self, neuron: IntegerNeuron, sources: Sequence[int]
    ) -> tuple[Array, Array, _Choices]:
        """All assignments of a second-layer unit: multipliers of the sources, and bias."""
        form = self.prepared.form
        parameters, values = _assignments(form, terms_of(neuron))
        column = {q: k for k, q in enumerate(parameters)}
        place = {node: k for k, node in enumerate(sources)}
        grid = np.zeros((len(values), len(sources)), dtype=np.int64)
        shift = np.zeros(len(values), dtype=np.int64)
        for t in neuron.terms:
            weight = t.factor * (values[:, column[t.parameter]] if t.parameter >= 0 else 1)
            grid[:, place[t.source]] += weight
        if neuron.bias is not None:
            t = neuron.bias
            shift += t.factor * (values[:, column[t.parameter]] if t.parameter >= 0 else 1)
        return grid, shift, _Choices(parameters, values)

    def _bound(self, first: Array, offsets: Array) -> Bound:
        """Lower bounds of first layers, from pairs of samples."""
        from ermbit.engines.two_layers.bounds import prefix_bounds
        from ermbit.engines.two_layers.kernel import COSTS

        p, loss = self.prepared, self.prepared.loss
        some = slice(0, BOUND_SAMPLES)
        target, signs = loss.target.astype(np.int64)[some], loss.signs.astype(np.int64)[some]
        weights = loss.weights.astype(np.int64)[some]
        by_node = gains(p.form, p.bounds, layers(p.form))[1]
        ups = [by_node[neuron.node][0] for neuron in p.shape.first]
        steep = np.array([INT32 if up is None else min(up, INT32) for up in ups], dtype=np.int64)
        cost = COSTS[loss.cost]

        def bound(chosen: Array) -> Array:
            bounds: Array = prefix_bounds(
                first[:, some], chosen + offsets, steep, target, signs, weights, cost,
                loss.two_sided, loss.largest, INT32,
            )  # fmt: skip
            return bounds

        return bound

    def _offer(
        self,
        found: Sequence[int],
        chosen: Array,
        tables: Sequence[tuple[Array, _Choices]],
        assignments: _Choices,
    ) -> None:
        """Report what the kernel found."""
        total, place, row, outer, other_row, other_outer, bias = found
        form, shape = self.prepared.form, self.prepared.shape
        if total > self.limit:
            raise InternalError("the loops returned what was not asked for")
        values = dict(enumerate(nearest_to_zero(form)))
        for number, (_, choices) in zip(chosen[place], tables, strict=True):
            values |= zip(choices.parameters, map(int, choices.values[number]), strict=True)
        own = assignments.parameters
        pairs = ((0, row, outer), (1, other_row, other_outer))
        for unit, r, v in pairs:
            # The second unit's parameters in the order of the first one's, source by source.
            mine = own if unit == 0 else _mirrored(shape)
            values |= zip(mine, map(int, assignments.values[r]), strict=True)
            term = shape.outer[unit]
            if term.parameter >= 0:
                values[term.parameter] = list(integer_domain(form, term.parameter))[v]
        if shape.bias is not None and shape.bias.parameter >= 0:
            parameter = shape.bias.parameter
            values[parameter] = list(integer_domain(form, parameter))[bias]
        parameters = tuple(values[q] for q in range(len(form.grids)))
        self.limit = self.found(parameters, total)


def _assignments(form: IntegerForm, terms: Sequence[IntegerTerm]) -> tuple[tuple[int, ...], Array]:
    """The parameters of terms, and all their assignments (rows, parameters)."""
    parameters = tuple(t.parameter for t in terms if t.parameter >= 0)
    domains = [list(integer_domain(form, q)) for q in parameters]
    rows = list(product(*domains))  # a single empty one without parameters
    return parameters, np.array(rows, dtype=np.int64).reshape(len(rows), len(parameters))


def _mirrored(shape: Shape) -> tuple[int, ...]:
    """The second unit's parameters in the places of the first unit's."""
    mine, other = shape.second
    left: dict[int, list[IntegerTerm]] = {}
    for t in other.terms:
        left.setdefault(t.source, []).append(t)
    found = [left[t.source].pop(0).parameter for t in mine.terms]
    if other.bias is not None:
        found.append(other.bias.parameter)
    return tuple(q for q in found if q >= 0)
