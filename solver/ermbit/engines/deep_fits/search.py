"""All exact fits of some samples, and of all samples by way of some.

What does not fit some of the samples does not fit all, so the search begins with a few. A fit of
these that is none of all adds the samples that it misses, and the search starts anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ermbit.engines.deep_fits.conflicts import conflicts
from ermbit.engines.deep_fits.joins import Join
from ermbit.engines.deep_fits.layers import ONE, Layers
from ermbit.engines.deep_fits.states import ROOT, Level, States
from ermbit.engines.deep_fits.units import addends, unit_table
from ermbit.engines.enumeration_bounds import Bounds
from ermbit.engines.tables.build import Array, Check
from ermbit_encodings.integer_form import IntegerForm

FIRST_SAMPLES, MORE_SAMPLES = 32, 8
"""Samples of the first search, and how many are added at most for every fit of too few."""


class Fits:
    """The fits of some samples with some parameters fixed.

    Args:
        form, bounds, layers: of one problem.
        fixed: values of parameters, at least of the shared ones.
        samples: positions of samples with different inputs.
        rng: for orders and hashes.
        check: called between pieces of work; ends it by raising.
    """

    def __init__(
        self,
        form: IntegerForm,
        bounds: Bounds,
        layers: Layers,
        fixed: Mapping[int, int],
        samples: Array,
        rng: np.random.Generator,
        check: Check,
    ) -> None:
        self.fixed, self.rng = fixed, rng
        dtype = np.int32 if bounds.magnitude < 2**30 else np.int64
        constants = np.array([s.constant for s in layers.sums], dtype=np.int64)
        targets = np.array(form.targets, dtype=np.int64)[samples].T - constants[:, None]
        columns = np.array(form.inputs, dtype=dtype)[samples].T
        inputs = {node: column[:, None] for node, column in enumerate(columns)}
        added = addends(form, layers, fixed)
        apart = conflicts(form, bounds, layers, targets, rng)
        self.tables = []
        for members in layers.levels:
            check()
            self.tables.append([unit_table(form, bounds, n, fixed, dtype) for n in members])
        self.levels = [
            Level(
                layers,
                number,
                tables,
                [table for later in self.tables[number + 1 :] for table in later],
                added,
                inputs,
                apart,
                check,
            )
            for number, tables in enumerate(self.tables[:-1])
        ]
        known = {**inputs, ONE: np.ones((samples.size, 1), dtype=dtype)}
        self.join = Join(self.tables[-1], added, known, targets, rng, check)
        self.by_node = {t.neuron.node: t for tables in self.tables for t in tables}

    @property
    def statistics(self) -> dict[str, Any]:
        return {
            "states": [level.kept for level in self.levels],
            "lists": [entry.outer.size for entry in self.join.lists],
            "joined": self.join.states,
            "added up": self.join.added,
        }

    def all(self) -> Iterator[dict[int, int]]:
        """Integer values of the parameters that matter, for every fit that is found."""
        yield from self._above(0, ROOT)

    def _above(self, level: int, states: States) -> Iterator[dict[int, int]]:
        states = states.taken(self.rng.permutation(states.count))
        if level < len(self.levels):
            for chunk in self.levels[level].children(states):
                yield from self._above(level + 1, chunk)
            return
        for hit in self.join.hits(states):
            values = {**self.fixed, **dict(hit.values)}
            for node, rows in states.choices.items():
                table = self.by_node[node]
                chosen = table.choices[rows[hit.state]]
                values |= zip(table.parameters, map(int, chosen), strict=True)
            yield values


def first_samples(inputs: Array, targets: Array, rng: np.random.Generator) -> tuple[Array, bool]:
    """Positions of different inputs, a few to begin with; whether equal inputs have equal targets.

    If they have not, no network fits: all samples of a form have a weight that is not 0.

    Args:
        inputs, targets: (samples, columns).
        rng: for the choice.
    """
    _, kept = np.unique(inputs, axis=0, return_index=True)
    both = np.unique(np.column_stack([inputs, targets]), axis=0)
    if kept.size > FIRST_SAMPLES:
        kept = rng.choice(kept, FIRST_SAMPLES, replace=False)
    return np.sort(kept), len(both) == len(np.unique(inputs, axis=0))


def missed(form: IntegerForm, parameters: tuple[int, ...]) -> list[int]:
    """Positions of samples that parameters do not fit, some of them."""
    found: list[int] = []
    for i, (x, y) in enumerate(zip(form.inputs, form.targets, strict=True)):
        if form.outputs_of(x, parameters) != list(y):
            found.append(i)
            if len(found) == MORE_SAMPLES:
                break
    return found
