"""Proved bounds on every number that enumerating meets, and the work that it takes.

One interval propagation over the envelope of all samples bounds sums, pieces and losses for every
θ at once; the machine type follows from it (docs/theory.md A4, E7). It costs one pass over the
edges, whatever the number of samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log10

import numpy as np

from ermbit.engines.exhaustive.program import (
    Activate,
    Choose,
    Group,
    Plan,
    Register,
    reads_any,
    written,
)
from ermbit_encodings.integer_form import IntegerForm, IntegerNeuron, IntegerTerm
from ermbit_encodings.ranges import Range, activation_range, parameter_ranges

BIT_LIMIT = 20_000
"""Numbers of more bits than this are left to other engines."""

OBJECT_FACTOR = 60
"""How much slower Python integers in arrays are than machine integers."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What holds for all θ and all samples.

    Attributes:
        magnitude: no absolute value in any intermediate result exceeds this.
        pieces: by node, the (breakpoint, slope, intercept) that can be reached; the first one
            has no breakpoint.
        values: by node, a bound on the number of values its output takes on one sample.
    """

    magnitude: int
    pieces: dict[int, tuple[tuple[int | None, int, int], ...]]
    values: dict[int, int]

    @property
    def dtype(self) -> type:
        """The ``numpy`` element type that holds all of it with a factor 2 to spare."""
        if self.magnitude < 2**30:
            return np.int32
        return np.int64 if self.magnitude < 2**62 else object


def enumeration_bounds(form: IntegerForm, bit_limit: int = BIT_LIMIT) -> Bounds | None:
    """Bounds of a form, or ``None`` if they pass a number of bits."""
    parameters = parameter_ranges(form)
    columns = list(zip(*form.inputs, strict=True)) or [(0,)] * len(form.input_scales)
    signals: list[Range] = [(min(column), max(column)) for column in columns]
    magnitude = max((_size(r) for r in [*signals, *parameters]), default=0)
    pieces: dict[int, tuple[tuple[int | None, int, int], ...]] = {}
    values: dict[int, int] = {}
    for neuron in form.neurons:
        terms = [_term_range(t, signals, parameters) for t in neuron.terms]
        if neuron.kind == "max":
            low, high = (max((t[k] for t in terms), default=0) for k in (0, 1))
        else:
            low, high = (sum(t[k] for t in terms) for k in (0, 1))
        bias = [] if neuron.bias is None else [_term_range(neuron.bias, signals, parameters)]
        z = (low + sum(t[0] for t in bias), high + sum(t[1] for t in bias))
        for t in (*neuron.terms, *(() if neuron.bias is None else (neuron.bias,))):
            weight = 1 if t.parameter < 0 else _size(parameters[t.parameter])
            # A zero signal may hide a large coefficient, which is computed all the same.
            magnitude = max(magnitude, abs(t.factor) * max(weight, 1))
        # Partial sums in any order stay below the sum of the absolute values.
        magnitude = max(magnitude, sum(_size(t) for t in [*terms, *bias]))
        largest = max(1, _size(z))
        degree = max(1, len(neuron.coefficients) - 1)
        if largest.bit_length() * degree > bit_limit:
            return None
        reached = _reached(neuron, z)
        pieces[neuron.node] = reached
        for _, slope, intercept in reached:
            magnitude = max(magnitude, abs(slope) * largest + abs(intercept))
        magnitude = max(
            magnitude, sum(abs(c) * largest**k for k, c in enumerate(neuron.coefficients))
        )
        a = activation_range(neuron, z)
        signals.append(a)
        count = a[1] - a[0] + 1
        if reached and not any(slope for _, slope, _ in reached):
            count = min(count, len(reached))
        values[neuron.node] = min(count, z[1] - z[0] + 1)
    magnitude = max(magnitude, _loss_size(form, signals))
    return None if magnitude.bit_length() > bit_limit else Bounds(magnitude, pieces, values)


def _size(r: Range) -> int:
    return max(abs(r[0]), abs(r[1]))


def _term_range(term: IntegerTerm, signals: list[Range], parameters: list[Range]) -> Range:
    p = (1, 1) if term.parameter < 0 else parameters[term.parameter]
    s = (1, 1) if term.source < 0 else signals[term.source]
    corners = [term.factor * x * y for x in p for y in s]
    return min(corners), max(corners)


def _reached(neuron: IntegerNeuron, z: Range) -> tuple[tuple[int | None, int, int], ...]:
    if neuron.kind != "piecewise_linear":
        return ()
    edges = (None, *neuron.breakpoints, None)
    found: list[tuple[int | None, int, int]] = []
    for k, (slope, intercept) in enumerate(neuron.pieces):
        start, end = edges[k], edges[k + 1]
        if (start is not None and start > z[1]) or (end is not None and end <= z[0]):
            continue
        if start is not None and end is not None and start >= end:
            continue
        found.append((start if found else None, slope, intercept))
    return tuple(found)


def _loss_size(form: IntegerForm, signals: list[Range]) -> int:
    """No output, sample loss, weighted loss or total exceeds this."""
    finals = [
        abs(factor) * _size(signals[node])
        for node, factor in zip(form.outputs, form.output_factors, strict=True)
    ]
    targets = max((abs(t) for row in form.targets for t in row), default=0)
    gap = max(finals) + targets
    loss = form.instance.loss.name
    if loss == "squared":
        sample = len(finals) * gap**2
    elif loss == "absolute":
        sample = len(finals) * gap
    else:
        # Labels of one output are ±1, so a score is an output or a difference of two.
        sample = 2 * max(finals) + form.scale + form.margin + targets
    return max([sample, *(abs(f) for f in form.output_factors)]) * max(1, sum(form.weights))


def enumeration_work(form: IntegerForm, plan: Plan, bounds: Bounds) -> float:
    """log10 of the elementary array operations that enumerating takes, estimated from above.

    Tables are counted with their proved sizes (a vector of N outputs with c values each has at
    most c^N), equal tables as multisets; merging of equal states is not foreseen.
    """
    samples = len(form.inputs)
    per_row = log10(4 * samples * (1 + len(form.outputs)))
    rows, work = 0.0, log10(1 + len(form.neurons) * samples)
    places: dict[int, int] = {}
    varying: set[Register] = set()
    pc = 0
    while pc < len(plan.program):
        group, instruction = plan.groups.get(pc), plan.program[pc]
        if group is not None:
            size = sum(log10(len(plan.domains[p])) for p in group.choices)
            depends = bool(group.inputs & varying)
            work = _log_sum(work, (rows if depends else 0.0) + size + per_row)
            if not depends or plan.groups_from(pc) > 1:
                size = _distinct(plan, group, bounds, samples)
            # The m-th equal table multiplies the number of multisets by (K + m - 1) / m.
            place = places[pc] = 1 if group.mate is None else places[group.mate] + 1
            rows += size - log10(place) if size > 15 else log10((10**size + place - 1) / place)
            varying.update(register for register, _ in group.outputs)
            pc = group.end
        else:
            if isinstance(instruction, Choose):
                rows += log10(len(plan.domains[instruction.parameter]))
            if reads_any(instruction, varying):
                varying.add(written(instruction))
            pc += 1
        work = _log_sum(work, rows + per_row)
    return work + (log10(OBJECT_FACTOR) if bounds.dtype is object else 0.0)


def _log_sum(a: float, b: float) -> float:
    top = max(a, b)
    return top + log10(10 ** (a - top) + 10 ** (b - top))


def _distinct(plan: Plan, group: Group, bounds: Bounds, samples: int) -> float:
    """log10 of a bound on the number of different results of a group."""
    result = 0.0
    for instruction in plan.program[group.start : group.end]:
        if isinstance(instruction, Choose):
            result += log10(len(plan.domains[instruction.parameter]))
        elif isinstance(instruction, Activate):
            result = min(result, samples * log10(bounds.values[instruction.node]))
    return result
