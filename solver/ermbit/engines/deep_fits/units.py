"""Hidden units and addends of the outputs with all their assignments, as arrays.

The rows of a table are its different assignments as functions, in one order: two units whose arrays
are equal do the same in every row, whatever the order in which they read their sources.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ermbit.engines.deep_fits.layers import ONE, Layers, entries, own_parameters
from ermbit.engines.enumeration_bounds import Bounds
from ermbit.engines.integer_activation import Pieces, activated
from ermbit.engines.tables.build import Array, first_of_equals
from ermbit_encodings.integer_form import (
    IntegerForm,
    IntegerNeuron,
    IntegerTerm,
    integer_domain,
)


@dataclass(frozen=True, slots=True)
class UnitTable:
    """All assignments of a unit.

    Attributes:
        neuron: the unit.
        pieces: those of its activation that can be reached.
        sources: by column; ascending, and for a maximum one may recur.
        weights: (rows, columns), rows ascending.
        shift: what is added to the sum or maximum, (rows,).
        parameters, choices: integer values, (rows, parameters).
    """

    neuron: IntegerNeuron
    pieces: Pieces
    sources: tuple[int, ...]
    weights: Array
    shift: Array
    parameters: tuple[int, ...]
    choices: Array

    def __len__(self) -> int:
        return int(self.shift.size)

    @property
    def kind(self) -> object:
        """Equal for units that do the same in every row."""
        act = (self.neuron.kind, self.pieces, self.neuron.coefficients)
        return (act, self.sources, self.weights.tobytes(), self.shift.tobytes())

    def is_symmetric(self, a: int, b: int) -> bool:
        """Whether the signals of two nodes may be exchanged: the rows stay the same set."""
        columns = list(self.sources)
        if self.neuron.kind == "max":
            return a not in columns and b not in columns
        if (a in columns) != (b in columns):
            return False
        if a not in columns:
            return True
        swapped = self.weights.copy()
        k, m = columns.index(a), columns.index(b)
        swapped[:, [k, m]] = swapped[:, [m, k]]
        rows = np.column_stack([swapped, self.shift])
        order = np.lexsort(rows.T[::-1])
        return np.array_equal(rows[order], np.column_stack([self.weights, self.shift]))

    def activations(self, signals: Mapping[int, Array], sample: int) -> Array:
        """(states, rows) on one sample; ``signals`` are (samples, states) by source."""
        z: Array | None = None
        for source, column in zip(self.sources, self.weights.T, strict=True):
            term = signals[source][sample][:, None] * column
            if z is None:
                z = term
            elif z.shape != term.shape:  # inputs are the same for all states
                z = np.maximum(z, term) if self.neuron.kind == "max" else z + term
            elif self.neuron.kind == "max":
                np.maximum(z, term, out=z)
            else:
                z += term
        z = self.shift[None] if z is None else z + self.shift
        return activated(self.neuron, self.pieces, z)

    def of_rows(self, signals: Mapping[int, Array], rows: Array) -> Array:
        """(samples, states) of one row for every state."""
        z: Array | None = None
        for source, column in zip(self.sources, self.weights.T, strict=True):
            term = signals[source] * column[rows]
            if z is None:
                z = term
            else:
                z = np.maximum(z, term) if self.neuron.kind == "max" else z + term
        shift = self.shift[rows]
        z = shift[None] if z is None else z + shift
        return activated(self.neuron, self.pieces, z)


@dataclass(frozen=True, slots=True)
class Addend:
    """What one source adds to the outputs: factors (rows, outputs), each row once, ascending."""

    source: int
    factors: Array
    parameters: tuple[int, ...]
    choices: Array


def unit_table(
    form: IntegerForm, bounds: Bounds, neuron: IntegerNeuron, fixed: Mapping[int, int], dtype: type
) -> UnitTable:
    """The table of a neuron; ``fixed`` parameters are constants."""
    parameters = own_parameters(tuple(entries(neuron)), fixed)
    choices = _grid(form, parameters)
    by_source: dict[int, Array] = {}
    columns: list[tuple[int, Array]] = []
    for t in neuron.terms:
        column = _multiples(t, parameters, choices, fixed)
        if neuron.kind == "max":
            columns.append((t.source, column))
        else:
            by_source[t.source] = by_source.get(t.source, 0) + column
    columns += by_source.items()
    # Columns of one source, of a maximum, in an order that their content gives.
    columns.sort(key=lambda item: (item[0], item[1].tobytes()))
    shift = np.zeros(len(choices), dtype=np.int64)
    if neuron.bias is not None:
        shift += _multiples(neuron.bias, parameters, choices, fixed)
    rows = np.column_stack([column for _, column in columns] + [shift])
    rows, kept = np.unique(rows, axis=0, return_index=True)
    return UnitTable(
        neuron,
        bounds.pieces[neuron.node],
        tuple(source for source, _ in columns),
        rows[:, :-1].astype(dtype),
        rows[:, -1].astype(dtype),
        parameters,
        choices[kept],
    )


def addends(form: IntegerForm, layers: Layers, fixed: Mapping[int, int]) -> tuple[Addend, ...]:
    """What the sources of the outputs add to them; biases have the source :data:`ONE`.

    Biases of different outputs are addends of their own.
    """
    terms: dict[tuple[int, int], list[tuple[int, IntegerTerm]]] = {}
    for o, s in enumerate(layers.sums):
        for t in s.terms:
            key = (t.source, o if t.source == ONE else -1)
            terms.setdefault(key, []).append((o, t))
    found: list[Addend] = []
    for (source, _), members in sorted(terms.items(), key=lambda item: item[0]):
        parameters = own_parameters([t for _, t in members], fixed)
        choices = _grid(form, parameters)
        factors = np.zeros((len(choices), len(layers.sums)), dtype=np.int64)
        for o, t in members:
            factors[:, o] += layers.sums[o].gain * _multiples(t, parameters, choices, fixed)
        factors, kept = np.unique(factors, axis=0, return_index=True)
        found.append(Addend(source, factors, parameters, choices[kept]))
    return tuple(found)


def is_homogeneous(pieces: Pieces) -> bool:
    """Whether φ(c t) = c φ(t) for c ≥ 0; no pieces are those of another kind of activation."""
    return bool(pieces) and all(
        start in (None, 0) and intercept == 0 for start, _, intercept in pieces
    )


def contributions(inner: Array, factors: Array, homogeneous: bool) -> tuple[Array, Array]:
    """What a unit may add, v·φ(w·a + b), as positions of (w, b) and of v: equal ones once.

    A factor of 0 hides the unit, and c v·φ(w·a + b) = v·φ(c w·a + c b) for c > 0 if φ is
    homogeneous (B1).

    Args:
        inner: w and b, (rows, columns).
        factors: v by output, (rows, outputs). Products with ``inner`` fit 64 bits.
        homogeneous: φ is.
    """
    rows = np.repeat(np.arange(len(inner)), len(factors))
    outer = np.tile(np.arange(len(factors)), len(inner))
    inner, factors = inner.astype(np.int64)[rows], factors[outer]
    hidden = ~factors.any(axis=1)
    if homogeneous:
        common = np.gcd.reduce(np.abs(factors), axis=1)[:, None]
        inner, factors = inner * common, factors // np.maximum(common, 1)
    inner[hidden] = 0
    kept = first_of_equals([*inner.T, *factors.T])
    return rows[kept], outer[kept]


def _grid(form: IntegerForm, parameters: Sequence[int]) -> Array:
    """All assignments, (rows, parameters); a single empty one without parameters."""
    domains = [np.array(integer_domain(form, p), dtype=np.int64) for p in parameters]
    if not domains:
        return np.zeros((1, 0), dtype=np.int64)
    axes = np.meshgrid(*domains, indexing="ij")
    return np.stack([axis.ravel() for axis in axes], axis=1)


def _multiples(
    term: IntegerTerm, parameters: Sequence[int], choices: Array, fixed: Mapping[int, int]
) -> Array:
    """factor · parameter by row."""
    if term.parameter < 0:
        return np.full(len(choices), term.factor, dtype=np.int64)
    if term.parameter in fixed:
        return np.full(len(choices), term.factor * fixed[term.parameter], dtype=np.int64)
    return np.asarray(choices[:, parameters.index(term.parameter)] * term.factor)
