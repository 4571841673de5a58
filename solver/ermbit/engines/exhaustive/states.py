"""Sets of partial assignments: what is known of each, and how each came about.

A :class:`Batch` holds many states of the enumeration side by side. It keeps no parameters: a state
is traced back through the choices that led to it only when it is the answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ermbit.engines.exhaustive.program import Register
from ermbit.engines.exhaustive.vector_evaluation import Array, Registers

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)


@dataclass(frozen=True, slots=True)
class Table:
    """The different results of a group.

    Attributes:
        batch: one state a result.
        columns: the results by position among the group's outputs, (samples or 1, results or 1).
        choices: the parameters of the group that the table was made for.
    """

    batch: Batch
    columns: tuple[Array, ...]
    choices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Option:
    """What the branches of a state choose from.

    Attributes:
        parameters: the parameters that the choice settles.
        table: the table chosen from, or ``None`` for the values of the one parameter.
        size: how many there are.
    """

    parameters: tuple[int, ...]
    table: Table | None
    size: int


@dataclass(frozen=True, slots=True)
class Batch:
    """States side by side.

    Attributes:
        size: how many.
        registers: by register, (samples or 1, size or 1); length 1 says "the same in all".
        parent: the batch they were made from; state k came from the raw number
            r = ``chosen[k]`` (or k), which is state start + r // width of the parent with option
            offset + r % width.
        option: what was chosen, ``None`` for a mere selection.
    """

    size: int
    registers: Registers
    parent: Batch | None = None
    start: int = 0
    width: int = 1
    offset: int = 0
    option: Option | None = None
    chosen: Array | None = None

    def row(self, i: int) -> Batch:
        """State i alone: all of it is then the same for all."""
        return self.rows(i, i + 1)

    def rows(self, first: int, last: int) -> Batch:
        """States first ≤ i < last."""
        cut = {
            register: v if v.shape[1] == 1 else v[:, first:last]
            for register, v in self.registers.items()
        }
        return Batch(last - first, cut, self, first)

    def elements(self) -> int:
        """Array elements per state in what differs between states."""
        return sum(v.shape[0] for v in self.registers.values() if v.shape[1] > 1)

    def merged(self, valid: Array | None = None) -> Batch:
        """The different states among those marked valid.

        Of states that differ in their one table position (register ``r``) only, the least position
        stays: all that may follow the others may follow it. Equal states that a hash happens not to
        bring together are both kept, which does no harm.
        """
        varying = {k: v for k, v in self.registers.items() if v.shape[1] > 1}
        ranks = [k for k in varying if k[0] == "r"]
        rank = varying.pop(ranks[0])[0] if len(ranks) == 1 else None
        index = np.arange(self.size) if valid is None else np.nonzero(valid)[0]
        if rank is None and not varying:
            return self._selected(index[:1])
        key = np.zeros(index.size, dtype=np.uint64)
        for values in varying.values():
            for line in values:
                key = (key + _hashable(line[index])) * _MULTIPLIER
                key ^= key >> _SHIFT
        order = (
            np.argsort(key, kind="stable") if rank is None else np.lexsort((rank[index], key))
        )
        sorted_key = key[order]
        again = np.nonzero(sorted_key[1:] == sorted_key[:-1])[0]
        before, after = index[order[again]], index[order[again + 1]]
        same = np.ones(again.size, dtype=bool)
        for values in varying.values():
            for line in values:
                same &= np.asarray(line[before] == line[after], dtype=bool)
        keep = np.ones(index.size, dtype=bool)
        keep[again[same] + 1] = False
        kept = np.sort(index[order[keep]])
        if rank is not None:
            kept = kept[np.argsort(rank[kept], kind="stable")]
        return self._selected(kept)

    def _selected(self, kept: Array) -> Batch:
        registers = {
            register: v if v.shape[1] == 1 else np.ascontiguousarray(v[:, kept])
            for register, v in self.registers.items()
        }
        chosen = kept if self.chosen is None else self.chosen[kept]
        return replace(self, size=kept.size, registers=registers, chosen=chosen)

    def trace(self, row: int, domains: tuple[tuple[int, ...], ...]) -> dict[int, int]:
        """Integer values of the parameters chosen on the way to a state."""
        found: dict[int, int] = {}
        batch: Batch = self
        while batch.parent is not None:
            raw = row if batch.chosen is None else int(batch.chosen[row])
            row, pick = batch.start + raw // batch.width, batch.offset + raw % batch.width
            if batch.option is not None and batch.option.table is not None:
                table = batch.option.table
                values = table.batch.trace(pick, domains)
                # The table may have been made for another neuron of the same shape.
                for mine, theirs in zip(batch.option.parameters, table.choices, strict=True):
                    found[mine] = values[theirs]
            elif batch.option is not None:
                (parameter,) = batch.option.parameters
                found[parameter] = domains[parameter][pick]
            batch = batch.parent
        return found


def _hashable(line: Array) -> Any:
    if line.dtype == object:
        return np.fromiter((hash(v) for v in line), np.int64, line.size).view(np.uint64)
    return line.astype(np.int64).view(np.uint64)


def _merge_in(old: Array | None, new: Array, how: str | None) -> Array:
    if old is None or how in (None, "set"):
        return new
    result: Array = np.maximum(old, new) if how == "max" else old + new
    return result


def combined(
    registers: Registers,
    made: Registers,
    how: dict[Register, str],
    states: slice,
    options: slice,
) -> Registers:
    """All pairs of states and options as (samples, states, options), unexpanded where possible."""
    result = {
        r: (v if v.shape[1] == 1 else v[:, states])[:, :, None] for r, v in registers.items()
    }
    for r, v in made.items():
        block = (v if v.shape[1] == 1 else v[:, options])[:, None, :]
        result[r] = _merge_in(result.get(r), block, how.get(r))
    return result


def picked(
    registers: Registers, made: Registers, how: dict[Register, str], states: Array, options: Array
) -> Registers:
    """Single pairs of states and options as (samples, pairs)."""
    result = {r: v if v.shape[1] == 1 else v[:, states] for r, v in registers.items()}
    for r, v in made.items():
        block = v if v.shape[1] == 1 else v[:, options]
        result[r] = _merge_in(result.get(r), block, how.get(r))
    return result
