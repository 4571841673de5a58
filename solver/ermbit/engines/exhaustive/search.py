"""The enumeration itself: breadth first while states fit in memory, depth first beyond that.

States are expanded choice by choice (or table by table) and merged where that pays. The last
expansion is never stored: its states are evaluated sample by sample, and a state is given up as
soon as its partial loss passes the limit, since losses never decrease with further samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ermbit.engines.enumeration_bounds import Bounds
from ermbit.engines.exhaustive.program import Choose, Group, Plan, Register
from ermbit.engines.exhaustive.states import Batch, Option, Table, combined, picked
from ermbit.engines.exhaustive.vector_evaluation import Array, Registers, VectorEvaluator
from ermbit_encodings.integer_form import IntegerForm

TOTAL_ELEMENTS = 2**23
"""Array elements of all stored states together (at most 64 MB of machine integers)."""

LEAST_ELEMENTS = 2**15
"""Array elements that a single set of states may always have, however deep the program."""

LAST_STATES = 2**16
"""States of the last expansion that are evaluated at a time: few enough to stay in cache."""

MERGE_FROM = 16
"""States are merged if at least so many assignments remain to be chosen for each."""

SINGLE_FROM = 20_000
"""A state is pursued alone, with tables of its own, from so many remaining assignments on."""

Tables = dict[object, Table | None]


class Search:
    """One complete pass over all assignments.

    Args:
        form, plan, bounds: of one problem.
        limit: largest integer total that counts as found.
        found: called with integer parameters and their total, which is ≤ the limit; returns the
            next limit. It ends the search by raising.
        check: called between pieces of work; ends the search by raising.
    """

    def __init__(
        self,
        form: IntegerForm,
        plan: Plan,
        bounds: Bounds,
        limit: int,
        found: Callable[[tuple[int, ...], int], int],
        check: Callable[[], None],
    ) -> None:
        self.form, self.plan = form, plan
        self.evaluator = VectorEvaluator(form, plan, bounds)
        self.limit, self.found, self.check = limit, found, check
        self.samples = len(form.inputs)
        self.by_max = form.instance.loss.reduction == "max"
        # Both a table under construction and a stored batch are counted in levels.
        levels = 2 * len(plan.groups) + sum(isinstance(i, Choose) for i in plan.program) + 1
        self.level_elements = max(LEAST_ELEMENTS, TOTAL_ELEMENTS // levels)
        self.evaluated = self.tables = self.merged = 0

    def run(self) -> None:
        """Visit every assignment; returns only after all of them."""
        self._explore(Batch(1, self.evaluator.inputs()), 0, {})

    def _explore(self, batch: Batch, pc: int, tables: Tables) -> None:
        plan = self.plan
        while pc < len(plan.program):
            group = plan.groups.get(pc)
            if group is not None:
                fixed = all(
                    r not in batch.registers or batch.registers[r].shape[1] == 1
                    for r in group.inputs
                )
                if fixed:
                    table = self._table(group, batch, tables)
                    if table is not None:
                        self._join(batch, group, table, tables)
                        return
                elif plan.remaining[pc] >= SINGLE_FROM and plan.groups_from(pc) > 1:
                    for i in range(batch.size):
                        self.check()
                        self._explore(batch.row(i), pc, {})
                    return
            instruction = plan.program[pc]
            if isinstance(instruction, Choose):
                self._choose(batch, instruction.parameter, pc, tables)
                return
            stepped = self._step(batch, pc)
            if stepped.size == 1 < batch.size:
                # What is the same in a single state need not be the same in its siblings.
                tables = {}
            batch, pc = stepped, pc + 1
        self._evaluate(batch, 0, batch.size, 0, 1, None, {}, {}, pc)

    def _step(self, batch: Batch, pc: int) -> Batch:
        """A deterministic instruction, then what no longer matters is dropped and merged."""
        registers = dict(batch.registers)
        self.evaluator.run(self.plan.program[pc], registers)
        stepped = replace(batch, registers=self._living(registers, pc + 1))
        return self._merge(stepped, pc + 1)

    def _merge(self, batch: Batch, pc: int, valid: Array | None = None) -> Batch:
        if batch.size == 1 or self.plan.remaining[pc] < MERGE_FROM:
            return batch
        merged = batch.merged(valid)
        self.merged += batch.size - merged.size
        return merged

    def _living(self, registers: Registers, pc: int) -> Registers:
        death = self.plan.death
        return {r: v for r, v in registers.items() if r not in death or death[r] >= pc}

    def _table(self, group: Group, batch: Batch, tables: Tables) -> Table | None:
        if group.signature not in tables:
            tables[group.signature] = self._make_table(group, batch)
        return tables[group.signature]

    def _make_table(self, group: Group, batch: Batch) -> Table | None:
        """All different results of a group; ``None`` if they, or the way to them, are too many."""
        inputs = {r: batch.registers[r] for r in group.inputs if r in batch.registers}
        states = Batch(1, inputs)
        for pc in range(group.start, group.end):
            instruction = self.plan.program[pc]
            self.check()
            if isinstance(instruction, Choose):
                values = self.evaluator.domains[instruction.parameter]
                option = Option((instruction.parameter,), None, values.size)
                per_state = max(self.samples, states.elements() + 1)
                if states.size * values.size * per_state > self.level_elements:
                    return None
                made = {("p", instruction.parameter): values[None, :]}
                states = self._product(states, 0, states.size, 0, values.size, option, made, {})
                continue
            registers = dict(states.registers)
            self.evaluator.run(instruction, registers)
            states = replace(states, registers=self._living(registers, pc + 1)).merged()
        self.tables += 1
        columns = tuple(states.registers[register] for register, _ in group.outputs)
        return Table(states, columns, group.choices)

    def _join(self, batch: Batch, group: Group, table: Table, tables: Tables) -> None:
        made = {
            register: column
            for (register, _), column in zip(group.outputs, table.columns, strict=True)
        }
        how = dict(group.outputs)
        size = table.batch.size
        if group.start in self.plan.followed:
            made["r", group.start] = np.arange(size)[None, :]
        option = Option(group.choices, table, size)
        rank = None if group.mate is None else batch.registers.get(("r", group.mate))
        self._branch(batch, option, made, how, rank, group.end, tables)

    def _choose(self, batch: Batch, parameter: int, pc: int, tables: Tables) -> None:
        values = self.evaluator.domains[parameter]
        option = Option((parameter,), None, values.size)
        made = {("p", parameter): values[None, :]}
        self._branch(batch, option, made, {}, None, pc + 1, tables)

    def _branch(
        self,
        batch: Batch,
        option: Option,
        made: Registers,
        how: dict[Register, str],
        rank: Array | None,
        pc: int,
        tables: Tables,
    ) -> None:
        """Pursue every state with every option, in pieces that fit."""
        last = self.plan.remaining[pc] == 1
        if last:
            capacity = LAST_STATES
        else:
            elements = batch.elements() + sum(v.shape[0] for v in made.values())
            capacity = max(1, self.level_elements // max(1, elements))
        breadth = min(option.size, capacity)
        height = max(1, capacity // breadth)
        for start in range(0, batch.size, height):
            end = min(batch.size, start + height)
            least = 0
            if rank is not None:
                least = int(rank.min() if rank.shape[1] == 1 else rank[0, start:end].min())
            for offset in range(least, option.size, breadth):
                self.check()
                stop = min(option.size, offset + breadth)
                if last:
                    self._evaluate(batch, start, end, offset, stop, option, made, how, pc)
                    continue
                child = self._product(batch, start, end, offset, stop, option, made, how)
                valid = None
                if rank is not None:
                    floor = rank[0] if rank.shape[1] == 1 else rank[0, start:end]
                    valid = (np.arange(offset, stop)[None, :] >= floor[:, None]).ravel()
                    if rank.shape[1] == 1:
                        valid = np.tile(valid, end - start)
                child = replace(child, registers=self._living(child.registers, pc))
                child = self._merge(child, pc, valid)
                if child.size > 0:
                    self._explore(child, pc, tables if child.size > 1 else {})

    def _product(
        self,
        batch: Batch,
        start: int,
        end: int,
        offset: int,
        stop: int,
        option: Option,
        made: Registers,
        how: dict[Register, str],
    ) -> Batch:
        """The states start ≤ i < end, each with the options offset ≤ k < stop."""
        rows, width = end - start, stop - offset
        blocks = combined(batch.registers, made, how, slice(start, end), slice(offset, stop))
        registers: Registers = {}
        for register, block in blocks.items():
            # What a slice of length one hides would differ from slice to slice.
            differs = any(
                v is not None and v.shape[1] > 1
                for v in (batch.registers.get(register), made.get(register))
            )
            if not differs:
                registers[register] = block[:, :, 0]
            else:
                full = np.broadcast_to(block, (block.shape[0], rows, width))
                registers[register] = full.reshape(block.shape[0], rows * width)
        return Batch(rows * width, registers, batch, start, width, offset, option)

    def _evaluate(
        self,
        batch: Batch,
        start: int,
        end: int,
        offset: int,
        stop: int,
        option: Option | None,
        made: Registers,
        how: dict[Register, str],
        pc: int,
    ) -> None:
        """Totals of the states with their last options; the best one is reported if it counts."""
        rows, width = end - start, stop - offset
        self.evaluated += rows * width
        alive: Array | None = None
        totals: Array | None = None
        first, step = 0, 1
        while first < self.samples:
            after = min(self.samples, first + step)
            cut = slice(first, after)
            old, new = self._cut(batch.registers, cut), self._cut(made, cut)
            if alive is None:
                registers = combined(old, new, how, slice(start, end), slice(offset, stop))
            else:
                registers = picked(old, new, how, start + alive // width, offset + alive % width)
            for instruction in self.plan.program[pc:]:
                self.evaluator.run(instruction, registers)
            loss = self.evaluator.losses(registers, first, after)
            if alive is None:
                loss = np.broadcast_to(loss, (rows, width)).ravel()
            if totals is None:
                totals = loss
            else:
                totals = np.maximum(totals, loss) if self.by_max else totals + loss
            survivors = np.asarray(totals <= self.limit, dtype=bool)
            count = int(np.count_nonzero(survivors))
            if count == 0:
                return
            if 2 * count < survivors.size:
                totals = np.broadcast_to(totals, survivors.shape)[survivors]
                alive = np.nonzero(survivors)[0] if alive is None else alive[survivors]
            first, step = after, 2 * step if first else 1
        assert totals is not None
        best = int(np.argmin(totals))
        if totals[best] > self.limit:
            return
        raw = best if alive is None else int(alive[best])
        states = Batch(rows * width, {}, batch, start, width, offset, option)
        self._report(states, raw, int(totals[best]))

    def _cut(self, registers: Registers, samples: slice) -> Registers:
        return {r: v if v.shape[0] == 1 else v[samples] for r, v in registers.items()}

    def _report(self, states: Batch, row: int, total: int) -> None:
        values = states.trace(row, self.plan.domains)
        parameters = tuple(
            values.get(p, domain[0]) for p, domain in enumerate(self.plan.domains)
        )
        self.limit = self.found(parameters, total)
