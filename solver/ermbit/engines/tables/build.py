"""Tables: the different contributions that a unit of the network can make on the data.

A unit's parameters are chosen one at a time, all values at once, and assignments that agree on
everything still needed are merged, so that the table holds every vector once with one choice of
parameters (docs/theory.md E1, E6). Integers of a proved width throughout (E7).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ermbit.engines.enumeration_bounds import Bounds
from ermbit.engines.integer_activation import activated
from ermbit.engines.tables.units import Key, Unit
from ermbit_encodings.integer_form import IntegerForm, IntegerTerm, integer_domain

Array: TypeAlias = NDArray[Any]
Check: TypeAlias = Callable[[], None]

_SEED = 0x5EED
"""Of the multipliers of the hash; equal vectors always have equal hashes."""


@dataclass(frozen=True, slots=True)
class Table:
    """The different vectors of one or several units.

    Attributes:
        vectors: contributions, (rows, columns).
        parameters: the ones chosen.
        choices: their integer values, (rows, parameters).
        key: equal for tables with equal vectors in equal order.
    """

    vectors: Array
    parameters: tuple[int, ...]
    choices: Array
    key: Key

    def __len__(self) -> int:
        return int(self.vectors.shape[0])

    def reordered(self, order: Array) -> Table:
        """The same rows in another order."""
        return Table(self.vectors[order], self.parameters, self.choices[order], self.key)

    def assignment(self, row: int) -> Iterable[tuple[int, int]]:
        """(parameter, integer value) of a row."""
        return zip(self.parameters, (int(v) for v in self.choices[row]), strict=True)


def multipliers(count: int) -> Array:
    """Odd 64-bit numbers for a linear hash: hash(a + b) = hash(a) + hash(b) modulo 2^64."""
    drawn: Array = np.random.default_rng(_SEED).integers(
        0, 2**64, size=count, dtype=np.uint64, endpoint=False
    ) | np.uint64(1)
    return drawn


def hashes(lines: Sequence[Array]) -> Array:
    """A linear hash of the vectors whose coordinates are the given lines."""
    total = np.zeros(lines[0].shape, dtype=np.uint64)
    for line, factor in zip(lines, multipliers(len(lines)), strict=True):
        total += line.astype(np.int64).view(np.uint64) * factor
    return total


def first_of_equals(lines: Sequence[Array]) -> Array:
    """Positions, ascending, that hold every vector at least once.

    Equal vectors that a collision keeps apart may both stay, which does no harm.
    """
    key = hashes(lines)
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    again = np.nonzero(ordered[1:] == ordered[:-1])[0]
    before, after = order[again], order[again + 1]
    same = np.ones(again.size, dtype=bool)
    for line in lines:
        same &= line[before] == line[after]
    keep = np.ones(order.size, dtype=bool)
    keep[again[same] + 1] = False
    kept: Array = np.sort(order[keep])
    return kept


def merged_tables(a: Table, b: Table, check: Check) -> Table:
    """All sums of a vector of each; as multisets if the tables are equal."""
    check()
    if a.key == b.key:
        left, right = np.triu_indices(len(a))
    else:
        left = np.repeat(np.arange(len(a)), len(b))
        right = np.tile(np.arange(len(b)), len(a))
    vectors = a.vectors[left] + b.vectors[right]
    kept = first_of_equals(list(vectors.T))
    choices = np.concatenate([a.choices[left[kept]], b.choices[right[kept]]], axis=1)
    return Table(vectors[kept], a.parameters + b.parameters, choices, ("sum", a.key, b.key))


class TableBuilder:
    """Makes the tables of a form's units.

    Args:
        form, bounds: of one problem; the bounds must not need Python integers.
        gains: by output, what the sum of its terms is multiplied by.
        dtype: for intermediate results, proved wide enough.
        check: called between pieces of work; ends the building by raising.
    """

    def __init__(
        self,
        form: IntegerForm,
        bounds: Bounds,
        gains: Sequence[int],
        dtype: type,
        check: Check,
    ) -> None:
        self.form, self.bounds, self.gains = form, bounds, gains
        self.dtype, self.check = dtype, check
        rows = {x: i for i, x in enumerate(dict.fromkeys(form.inputs))}
        self.distinct: Array = np.array(list(rows), dtype=dtype).reshape(len(rows), -1)
        places = [o * len(rows) + rows[x] for o in range(len(gains)) for x in form.inputs]
        self.column_of = np.array(places)
        self.first = len(form.input_scales)

    def table(self, unit: Unit) -> Table:
        """The table of a unit: a column for every sample, one output after the other."""
        state = _State(self)
        for neuron in unit.neurons:
            z = state.sum(neuron.terms, neuron.kind == "max", unit)
            if neuron.bias is not None:
                z = state.sum((neuron.bias,), False, unit, z)
            state.signals[neuron.node] = activated(neuron, self.bounds.pieces[neuron.node], z)
            state.thin(unit)
        for o, terms in enumerate(unit.terms):
            state.signals[-1 - o] = state.sum(terms, False, unit)
        total = np.concatenate(
            [state.signals[-1 - o] * gain for o, gain in enumerate(self.gains)], axis=0
        )
        kept = first_of_equals(list(total))
        vectors = np.ascontiguousarray(total[:, kept].T)[:, self.column_of]
        choices = np.zeros((kept.size, len(unit.parameters)), dtype=np.int64)
        for k, p in enumerate(unit.parameters):
            choices[:, k] = state.values[p][kept]
        return Table(vectors, unit.parameters, choices, unit.key)


class _State:
    """Partial assignments side by side: (distinct inputs, assignments)."""

    def __init__(self, builder: TableBuilder) -> None:
        self.builder = builder
        self.size = 1
        self.values: dict[int, Array] = {}
        self.signals: dict[int, Array] = {}
        self.used: dict[int, int] = {}

    def sum(
        self, terms: Sequence[IntegerTerm], maximum: bool, unit: Unit, z: Array | None = None
    ) -> Array:
        """The sum (or maximum) of terms, on top of z, choosing parameters as they come up."""
        for term in terms:
            if term.parameter >= 0 and term.parameter not in self.values:
                if z is not None:
                    z = self.thin(unit, z)
                z = self._choose(term.parameter, z)
            value = self._term(term)
            if z is None:
                z = np.broadcast_to(value, (len(self.builder.distinct), self.size)).copy()
            else:
                z = np.maximum(z, value) if maximum else z + value
        if z is None:
            z = np.zeros((len(self.builder.distinct), self.size), dtype=self.builder.dtype)
        return z

    def _term(self, term: IntegerTerm) -> Array:
        builder = self.builder
        weight: Array
        if term.parameter < 0:
            weight = np.array([term.factor], dtype=builder.dtype)
        else:
            weight = self.values[term.parameter] * term.factor
            self.used[term.parameter] = self.used.get(term.parameter, 0) + 1
        if term.source < 0:
            return weight[None, :]
        if term.source < builder.first:
            return np.asarray(weight[None, :] * builder.distinct[:, term.source, None])
        return np.asarray(weight[None, :] * self.signals[term.source])

    def _choose(self, parameter: int, z: Array | None) -> Array | None:
        self.builder.check()
        domain: Array = np.array(integer_domain(self.builder.form, parameter), self.builder.dtype)
        for p, v in self.values.items():
            self.values[p] = np.repeat(v, domain.size)
        for node, a in self.signals.items():
            self.signals[node] = np.repeat(a, domain.size, axis=1)
        self.values[parameter] = np.tile(domain, self.size)
        self.size *= domain.size
        return None if z is None else np.repeat(z, domain.size, axis=1)

    def thin(self, unit: Unit, z: Array | None = None) -> Array | None:
        """Keep one of all assignments that agree on what is still needed."""
        if self.size == 1:
            return z
        lines = [] if z is None else list(z)
        later = _uses(unit)
        lines += [v for p, v in self.values.items() if self.used.get(p, 0) < later[p]]
        # What the outputs read is kept to the end; that costs a little merging only.
        read = {t.source for terms in unit.terms for t in terms}
        read |= {t.source for n in unit.neurons if n.node not in self.signals for t in n.terms}
        for node, a in self.signals.items():
            if node in read or node < 0:
                lines += list(a)
        if not lines:
            return z
        kept = first_of_equals(lines)
        if kept.size == self.size:
            return z
        self.values = {p: v[kept] for p, v in self.values.items()}
        self.signals = {n: a[:, kept] for n, a in self.signals.items()}
        self.size = kept.size
        return None if z is None else z[:, kept]


def _uses(unit: Unit) -> dict[int, int]:
    """How often every parameter of a unit is used."""
    uses: dict[int, int] = dict.fromkeys(unit.parameters, 0)
    for neuron in unit.neurons:
        for t in (*neuron.terms, *([] if neuron.bias is None else [neuron.bias])):
            if t.parameter >= 0:
                uses[t.parameter] += 1
    for terms in unit.terms:
        for t in terms:
            if t.parameter >= 0:
                uses[t.parameter] += 1
    return uses
