"""The outputs as sums: all choices of the last units and outer weights that hit the targets.

Every unit of the last level, and every other source of an output, has a list of contributions. A
linear hash turns "the sum is the target" into an equation of 32-bit numbers, which is met in the
middle (docs/theory.md E4): one half marks its sums in a bitmap, the other looks up what is missing.
A free bias needs no list: multipliers that add up to 0 do not see it. All that the hash lets
through is added up exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from ermbit.engines.deep_fits.layers import ONE
from ermbit.engines.deep_fits.states import States
from ermbit.engines.deep_fits.units import Addend, UnitTable, contributions, is_homogeneous
from ermbit.engines.tables.build import Array, Check

SUMS_LIMIT = 2**22
"""Sums of a half, for one state."""

WORK = 2**19
"""Hashes of rows, or of sums of a half, that are computed at a time."""

SPARSE = 5
"""A bitmap has 2^5 times as many places as entries, or more."""

BITMAP = 2**22
"""Places of all bitmaps together, unless one alone needs more."""

ADDED = 2**15
"""Hits that are added up at a time."""

FREE_BIAS_SAMPLES = 4
"""Samples from which on a free bias is left to the exact sums; of fewer, too little of the hash is
left without it."""


@dataclass(frozen=True, slots=True)
class _List:
    """Contributions of one source.

    Attributes:
        addend: what the source adds.
        table: of its unit, if that is chosen here.
        rows, outer: by entry, a row of the table and one of the addend.
    """

    addend: Addend
    table: UnitTable | None
    rows: Array
    outer: Array

    @property
    def kind(self) -> object:
        """Equal for lists with equal entries for every state."""
        inner = self.addend.source if self.table is None else self.table.kind
        return (inner, self.addend.factors.tobytes())


@dataclass(frozen=True, slots=True)
class Hit:
    """An exact fit: the position of its state, (parameter, integer value) of what was chosen."""

    state: int
    values: tuple[tuple[int, int], ...]


def halves(sizes: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Lists to mark and lists to look up, as even as possible.

    Halves of equally many sums are equally good, so one of each number is kept: no more of them
    than the product of all sizes has divisors.
    """
    found: dict[int, tuple[int, ...]] = {1: ()}
    for k, size in enumerate(sizes):
        found = {sums * size: (*half, k) for sums, half in found.items()} | found
    every = prod(sizes)
    left = found[min(found, key=lambda sums: sums + every // sums)]
    return left, tuple(k for k in range(len(sizes)) if k not in left)


class Join:
    """The search for contributions that add up to the targets.

    Args:
        tables: of the units of the last level.
        addends: of the outputs.
        inputs: by input node and :data:`~ermbit.engines.deep_fits.layers.ONE`, (samples, 1).
        targets: without the constants of the outputs, (outputs, samples).
        rng: for the multipliers of the hash.
        check: called between pieces of work; ends it by raising.
    """

    def __init__(
        self,
        tables: Sequence[UnitTable],
        addends: Sequence[Addend],
        inputs: Mapping[int, Array],
        targets: Array,
        rng: np.random.Generator,
        check: Check,
    ) -> None:
        self.inputs, self.targets, self.check = inputs, targets, check
        by_node = {table.neuron.node: table for table in tables}
        self.keys = rng.integers(0, 2**32, size=targets.shape, dtype=np.uint32)
        self.biases: dict[int, Addend] = {}
        lists: list[_List] = []
        for addend in addends:
            output = int(np.abs(addend.factors).max(axis=0).argmax())
            free = addend.source == ONE and len(addend.factors) > 1
            if free and targets.shape[1] >= FREE_BIAS_SAMPLES:
                self.biases[output] = addend
                self.keys[output, -1] = -int(self.keys[output, :-1].sum(dtype=np.uint64)) % 2**32
            else:
                lists.append(_list(addend, by_node.get(addend.source)))
        self.lists = tuple(lists)
        known: dict[object, int] = {}
        self.equal = [known.setdefault(entry.kind, k) for k, entry in enumerate(lists)]
        sizes = [entry.outer.size for entry in lists]
        self.left, self.right = halves(sizes)
        self.sizes = tuple(tuple(sizes[k] for k in half) for half in (self.left, self.right))
        widest = max([1, *(len(t) for t in tables), *(prod(half) for half in self.sizes)])
        self.step = max(1, WORK // widest)
        self.states = self.added = 0

    def hits(self, states: States) -> Iterator[Hit]:
        """All exact fits above some states."""
        done = 0
        for part in states.parts(self.step):
            self.check()
            yield from self._hits(part, done)
            done += part.count
            self.states += part.count

    def _hits(self, part: States, offset: int) -> Iterator[Hit]:
        signals = {**self.inputs, **part.signals}
        hashed: list[Array] = []
        for k, entry in enumerate(self.lists):
            again = self.equal[k] < k
            made = hashed[self.equal[k]] if again else self._hashes(entry, signals, part.count)
            hashed.append(made)
        left = _sums([hashed[k] for k in self.left], part.count)
        right = _sums([hashed[k] for k in self.right], part.count)
        goal = (self.targets.astype(np.uint32) * self.keys).sum(dtype=np.uint32)
        for state, mine, other in self._meetings(left, goal - right):
            entries = self._entries(mine, other)
            fits, biases = self._exact(part, state, entries)
            for k in fits:
                yield Hit(offset + int(state[k]), self._values(entries, biases, int(k)))

    def _hashes(self, entry: _List, signals: Mapping[int, Array], count: int) -> Array:
        """Hashes of the contributions of a list, (states, entries), 32 bits."""
        factors = entry.addend.factors.astype(np.uint32)
        read = np.nonzero(entry.addend.factors.any(axis=0))[0]
        total = np.zeros((count, entry.outer.size), dtype=np.uint32)
        keys = self.keys[read]
        if entry.table is None:
            lines = signals[entry.addend.source].astype(np.uint32)
            for o, key in zip(read, keys, strict=True):
                mine = (lines * key[:, None]).sum(axis=0, dtype=np.uint32)
                total += mine[:, None] * factors[entry.outer, o]
            return total
        sums = np.zeros((len(read), count, len(entry.table)), dtype=np.uint32)
        for i in range(self.targets.shape[1]):
            row = entry.table.activations(signals, i).astype(np.uint32)
            for mine, key in zip(sums, keys[:, i], strict=True):
                mine += row * key
        for o, mine in zip(read, sums, strict=True):
            total += mine[:, entry.rows] * factors[entry.outer, o]
        return total

    def _meetings(self, left: Array, wanted: Array) -> Iterator[tuple[Array, Array, Array]]:
        """(states, positions left, positions right) of equal hashes."""
        bits = min(26, max(8, left.shape[1].bit_length() + SPARSE))
        states = max(1, BITMAP >> bits)
        for start in range(0, len(left), states):
            held, asked = left[start : start + states], wanted[start : start + states]
            base = (np.arange(len(held), dtype=np.int64) << bits)[:, None]
            high, low = np.uint32(32 - bits), np.uint32(2**bits - 1)
            marked = np.zeros(len(held) << bits, dtype=bool)
            marked[(held >> high) + base] = True
            state, right = np.nonzero(marked[(asked >> high) + base])
            if not state.size:
                continue
            # A second look with the other bits of the hash leaves few that are not equal.
            marked[:] = False
            marked[(held & low) + base] = True
            again = marked[(asked[state, right] & low) + base[state, 0]]
            state, right = state[again], right[again]
            step = max(1, WORK // held.shape[1])
            for low_end in range(0, state.size, step):
                self.check()
                s, r = state[low_end : low_end + step], right[low_end : low_end + step]
                k, mine = np.nonzero(held[s] == asked[s, r][:, None])
                for piece in range(0, k.size, ADDED):
                    some = k[piece : piece + ADDED]
                    yield start + s[some], mine[piece : piece + ADDED], r[some]

    def _entries(self, mine: Array, other: Array) -> dict[int, Array]:
        """By list, the positions in it of sums of the halves."""
        found: dict[int, Array] = {}
        for half, sizes, sums in zip(
            (self.left, self.right), self.sizes, (mine, other), strict=True
        ):
            if half:
                found |= zip(half, np.unravel_index(sums, sizes), strict=True)
        return found

    def _exact(
        self, part: States, state: Array, entries: Mapping[int, Array]
    ) -> tuple[Array, dict[int, Array]]:
        """Positions of exact fits; by output with a free bias what that bias has to add."""
        self.added += int(state.size)
        rest = np.repeat(self.targets[:, :, None], state.size, axis=2)
        signals = {**self.inputs, **{n: a[:, state] for n, a in part.signals.items()}}
        for k, at in entries.items():
            entry = self.lists[k]
            factors = entry.addend.factors[entry.outer[at]]
            if entry.table is None:
                lines = signals[entry.addend.source]
            else:
                lines = entry.table.of_rows(signals, entry.rows[at])
            for o in np.nonzero(entry.addend.factors.any(axis=0))[0]:
                rest[o] -= lines * factors[:, o]
        fits = np.ones(state.size, dtype=bool)
        biases: dict[int, Array] = {}
        for output, left_over in enumerate(rest):
            fits &= (left_over == left_over[0]).all(axis=0)
            if output in self.biases:
                biases[output] = left_over[0]
                fits &= np.isin(left_over[0], self.biases[output].factors[:, output])
            else:
                fits &= left_over[0] == 0
        return np.nonzero(fits)[0], biases

    def _values(
        self, entries: Mapping[int, Array], biases: Mapping[int, Array], k: int
    ) -> tuple[tuple[int, int], ...]:
        """The parameters of one of the exact fits."""
        values: list[tuple[int, int]] = []
        for number, at in entries.items():
            entry = self.lists[number]
            outer = entry.addend.choices[entry.outer[at[k]]]
            values += zip(entry.addend.parameters, map(int, outer), strict=True)
            if entry.table is not None:
                inner = entry.table.choices[entry.rows[at[k]]]
                values += zip(entry.table.parameters, map(int, inner), strict=True)
        for o, wanted in biases.items():
            addend = self.biases[o]
            row = int(np.nonzero(addend.factors[:, o] == wanted[k])[0][0])
            values += zip(addend.parameters, map(int, addend.choices[row]), strict=True)
        return tuple(values)


def _list(addend: Addend, table: UnitTable | None) -> _List:
    """The entries of a source."""
    if table is None:
        outer = np.arange(len(addend.factors))
        return _List(addend, None, np.zeros_like(outer), outer)
    inner = np.column_stack([table.weights, table.shift])
    return _List(addend, table, *contributions(inner, addend.factors, is_homogeneous(table.pieces)))


def _sums(hashed: Sequence[Array], count: int) -> Array:
    """Hashes of all sums of one entry each; the last list varies fastest."""
    total = np.zeros((count, 1), dtype=np.uint32)
    for hashes in hashed:
        total = (total[:, :, None] + hashes[:, None, :]).reshape(count, -1)
    return total
