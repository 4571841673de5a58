"""States: what later levels see of those below, one for all parameters that lead to it.

A state holds the signals that later levels read, on all samples (docs/theory.md E1, E6). Its
children take one row of the table of every unit of the next level, units that may be exchanged in
one order (B2), if no two samples with different targets have come too close
(:mod:`~ermbit.engines.deep_fits.conflicts`). Equal children are merged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ermbit.engines.deep_fits.conflicts import Conflicts
from ermbit.engines.deep_fits.layers import Layers, live
from ermbit.engines.deep_fits.units import Addend, UnitTable
from ermbit.engines.tables.build import Array, Check, first_of_equals, multipliers

ELEMENTS = 2**20
"""Signals that are computed at a time."""

TUPLES = 2**18
"""Tuples of rows that are tried at a time."""

COLLECTED = 2**21
"""Signals of children that are collected before equal ones are merged."""


@dataclass(frozen=True, slots=True)
class States:
    """Some states.

    Attributes:
        signals: by hidden node that is still read, (samples, states).
        choices: by unit below, the row of its table, (states,).
        count: the number of states.
    """

    signals: dict[int, Array]
    choices: dict[int, Array]
    count: int

    def taken(self, places: Array) -> States:
        """Some of them, or some several times."""
        return States(
            {n: lines[:, places] for n, lines in self.signals.items()},
            {n: rows[places] for n, rows in self.choices.items()},
            int(places.size),
        )

    def parts(self, size: int) -> Iterator[States]:
        """All of them, at most so many at a time."""
        if self.count <= size:
            yield self
            return
        for start in range(0, self.count, size):
            yield self.taken(np.arange(start, min(start + size, self.count)))


ROOT = States({}, {}, 1)
"""Nothing is chosen."""


@dataclass(frozen=True, slots=True)
class _Rows:
    """The different activations of a unit from some states, those of one state together.

    Attributes:
        lines: (samples, rows).
        choice: the row of the unit's table, (rows,).
        starts: by state, and the end, (states + 1,).
        close: bits of the conflicts, (words, rows).
    """

    lines: Array
    choice: Array
    starts: Array
    close: Array


@dataclass(frozen=True, slots=True)
class _Tuples:
    """One row of each of the first few units: positions of states and rows, and their bits."""

    state: Array
    rows: tuple[Array, ...]
    close: Array


class Level:
    """The step from the states below a level to those of the level.

    Args:
        layers: of the network.
        level: its number, from 0.
        tables: of its units.
        later: tables of the units above it.
        addends: of the outputs.
        inputs: by input node, (samples, 1).
        conflicts: of the samples.
        check: called between pieces of work; ends it by raising.
    """

    def __init__(
        self,
        layers: Layers,
        level: int,
        tables: Sequence[UnitTable],
        later: Sequence[UnitTable],
        addends: Sequence[Addend],
        inputs: Mapping[int, Array],
        conflicts: Conflicts,
        check: Check,
    ) -> None:
        self.level, self.tables, self.inputs = level, tables, inputs
        self.conflicts, self.check = conflicts, check
        kinds: dict[object, int] = {}
        # Units of one kind share rows and bits: how close is close depends on who reads a unit.
        slack = conflicts.slack[level + 1]
        self.kinds = [
            kinds.setdefault((table.kind, slack[table.neuron.node].tobytes()), u)
            for u, table in enumerate(tables)
        ]
        self.mates = [self._mate(u, later, addends) for u in range(len(tables))]
        read = live(layers, level + 1)
        own = {table.neuron.node for table in tables}
        self.carried = [n for n in read if n not in own and n not in inputs]
        self.samples = next(iter(inputs.values())).shape[0]
        closed = [conflicts.close(level + 1, n, inputs[n]) for n in read if n in inputs]
        words = -(-conflicts.first.size // 64)
        self.closed = _all([np.full((words, 1), ~np.uint64(0)), *closed])
        self.kept = 0

    def _mate(self, u: int, later: Sequence[UnitTable], addends: Sequence[Addend]) -> int:
        """The last unit before one that it may be exchanged with, or −1.

        Two exchanges with a third unit make one of the first two: what may be exchanged falls into
        classes, and any fit becomes one whose classes are in order by exchanging rows here and the
        roles of the signals above, which later tables and outputs have all the same. That leaves
        the levels below alone, so it can be done level by level from the first one up.
        """
        mine = self.tables[u].neuron.node
        for v in reversed(range(u)):
            other = self.tables[v].neuron.node
            if self.kinds[u] != self.kinds[v]:
                continue
            if not all(table.is_symmetric(mine, other) for table in later):
                continue
            added = [{a.factors.tobytes() for a in addends if a.source == n} for n in (mine, other)]
            if added[0] == added[1]:
                return v
        return -1

    def children(self, states: States) -> Iterator[States]:
        """The different children of states, some at a time."""
        collected: list[States] = []
        size = 0
        width = self.samples * max(map(len, self.tables))
        for part in states.parts(max(1, ELEMENTS // width)):
            for child in self._children_of(part):
                collected.append(child)
                size += child.count * self.samples * len(child.signals)
                if size >= COLLECTED:
                    yield self._merged(collected)
                    collected, size = [], 0
        if collected:
            yield self._merged(collected)

    def _merged(self, collected: Sequence[States]) -> States:
        """Equal children once: rows of units that may be exchanged are in one order already."""
        self.check()
        first = collected[0]
        signals = {
            n: np.concatenate([c.signals[n] for c in collected], axis=1) for n in first.signals
        }
        choices = {n: np.concatenate([c.choices[n] for c in collected]) for n in first.choices}
        everything = States(signals, choices, sum(c.count for c in collected))
        kept = first_of_equals([line for lines in signals.values() for line in lines])
        self.kept += int(kept.size)
        return everything.taken(kept)

    def _children_of(self, part: States) -> Iterator[States]:
        rows: dict[int, _Rows] = {}
        for kind in self.kinds:
            if kind not in rows:
                rows[kind] = self._rows(self.tables[kind], part)
        closed = [self.conflicts.close(self.level + 1, n, part.signals[n]) for n in self.carried]
        close = np.broadcast_to(_all([self.closed, *closed]), (len(self.closed), part.count))
        start = _Tuples(np.arange(part.count), (), close)
        for found in self._extended(start, [rows[kind] for kind in self.kinds]):
            signals = {n: part.signals[n][:, found.state] for n in self.carried}
            choices = {n: chosen[found.state] for n, chosen in part.choices.items()}
            for table, kind, row in zip(self.tables, self.kinds, found.rows, strict=True):
                signals[table.neuron.node] = rows[kind].lines[:, row]
                choices[table.neuron.node] = rows[kind].choice[row]
            yield States(signals, choices, int(found.state.size))

    def _rows(self, table: UnitTable, part: States) -> _Rows:
        """The different rows of a unit, in an order that depends on their content only."""
        self.check()
        signals = {**self.inputs, **part.signals}
        keys = multipliers(self.samples)
        shape = (part.count, len(table))
        total = np.zeros(shape, dtype=np.uint64)
        made = np.empty((self.samples, *shape), dtype=table.shift.dtype)
        for i in range(self.samples):
            made[i] = table.activations(signals, i)
            total += made[i].astype(np.int64).view(np.uint64) * keys[i]
        lines: Array = made.reshape(self.samples, -1)
        state = np.repeat(np.arange(part.count, dtype=np.uint64), len(table))
        key = (state << np.uint64(32)) | (total.ravel() >> np.uint64(32))
        order = np.argsort(key, kind="stable")
        key = key[order]
        # What differs may have one key: only what is found equal is left out.
        again = np.nonzero(key[1:] == key[:-1])[0]
        same = (lines[:, order[again]] == lines[:, order[again + 1]]).all(axis=0)
        keep = np.ones(order.size, dtype=bool)
        keep[again[same] + 1] = False
        kept = order[keep]
        counts = np.bincount(kept // len(table), minlength=part.count)
        lines = np.ascontiguousarray(lines[:, kept])
        return _Rows(
            lines,
            kept % len(table),
            np.concatenate([[0], np.cumsum(counts)]),
            self.conflicts.close(self.level + 1, table.neuron.node, lines),
        )

    def _extended(self, tuples: _Tuples, rows: Sequence[_Rows]) -> Iterator[_Tuples]:
        """All ways to go on with the units that are left, without those that end in a conflict."""
        u = len(tuples.rows)
        mine, last = rows[u], u + 1 == len(rows)
        start = mine.starts[tuples.state]
        if self.mates[u] >= 0:
            start = tuples.rows[self.mates[u]]
        counts = mine.starts[tuples.state + 1] - start
        for low, high in _runs(counts):
            self.check()
            number = counts[low:high]
            before = np.repeat(np.arange(low, high), number)
            offset = np.repeat(np.cumsum(number) - number - start[low:high], number)
            row = np.arange(before.size) - offset
            close: Array = np.zeros((0, 0), dtype=np.uint64)
            if last:
                for word, other in zip(tuples.close, mine.close, strict=True):
                    free = np.nonzero((word[before] & other[row]) == 0)[0]
                    before, row = before[free], row[free]
            else:
                close = tuples.close[:, before] & mine.close[:, row]
            longer = (*(chosen[before] for chosen in tuples.rows), row)
            found = _Tuples(tuples.state[before], longer, close)
            if last and row.size:
                yield found
            elif not last:
                yield from self._extended(found, rows)


def _runs(counts: Array) -> Iterator[tuple[int, int]]:
    """Ranges of at most :data:`TUPLES` in all, or of one."""
    ends = np.cumsum(counts)
    low, taken = 0, 0
    while low < counts.size:
        high = max(low + 1, int(np.searchsorted(ends, taken + TUPLES, side="right")))
        yield low, high
        low, taken = high, int(ends[high - 1])


def _all(bits: Sequence[Array]) -> Array:
    """Bits that all have."""
    total = bits[0]
    for other in bits[1:]:
        total = total & other
    return total
