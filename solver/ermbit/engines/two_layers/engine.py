"""Two hidden layers over finite domains: every first layer, and for each the best second layer.

Later layers see of the first one its activations on the data only, and these are few different
vectors (docs/theory.md E1, E6). For every choice of them, up to the order of interchangeable units
and in the order of lower bounds (:mod:`~ermbit.engines.two_layers.prefixes`), the two units of the
second layer are rows of one table, and compiled loops (:mod:`~ermbit.engines.two_layers.kernel`)
find the best pair. What is reported has been recomputed by the plain integer evaluation.
"""

from __future__ import annotations

from importlib.util import find_spec
from math import log10
from typing import ClassVar

from ermbit.engines.engine import Budget, Capability, Task
from ermbit.engines.enumerable import enumerable
from ermbit.engines.enumeration_bounds import Bounds
from ermbit.engines.tables.loss import gap_loss
from ermbit.engines.total_search import Found, Raised, TotalSearchEngine
from ermbit.engines.two_layers.search import INT32, Prepared, Search, sizes
from ermbit.engines.two_layers.shape import Shape, are_interchangeable, multiples, shape_of
from ermbit_encodings.integer_form import IntegerForm, IntegerNeuron
from ermbit_encodings.problem import Problem

PARAMETER_LIMIT = 200
"""Free parameters."""

WORK_LIMIT = 10**14
"""Pairs of rows, biases and first layers in all, beyond which nothing is tried."""


class TwoLayersEngine(TotalSearchEngine[Prepared]):
    """Enumeration of first layers, compiled search for second layers."""

    name: ClassVar[str] = "two_layers"
    summary: ClassVar[str] = "tries all first layers, compiled (finite domains, two hidden layers)"
    exhausted: ClassVar[str] = "no second layer is good enough for any first one"

    def claim(self, prepared: Prepared, problem: Problem, task: Task) -> Capability:
        layers, rows, biases = sizes(prepared)
        work = layers * (rows**2 / 2) * biases
        if work > WORK_LIMIT:
            return Capability(False, False, f"about 10^{log10(work):.0f} pairs are too many")
        samples = len(prepared.form.inputs)
        # Measured: half of the rows differ, and windows have a per cent of the pairs of them.
        each = 2e-8 + biases * samples * (5e-10 + rows * 1e-12)
        seconds = 3.0 + layers * rows * each
        reason = f"about {layers} first layers, {rows} rows of a second unit"
        return Capability(True, True, reason, log10(seconds))

    def search(
        self, prepared: Prepared, budget: Budget, found: Found, raised: Raised
    ) -> Search:
        return Search(prepared, budget, found, raised)

    def prepare(self, problem: Problem) -> Prepared | str:
        if find_spec("numba") is None:
            return "numba is not installed"
        network = problem.instance.network
        if len(network.outputs) != 1:
            return "more than one output"
        if not 0 < network.parameter_count <= PARAMETER_LIMIT:
            return f"no free parameter, or more than {PARAMETER_LIMIT}"
        if network.depth != 3:
            return "not two hidden layers"
        start = enumerable(problem)
        if isinstance(start, str):
            return start
        form, bounds = start.form, start.bounds
        if bounds.magnitude >= 2**60:
            return "the numbers do not fit 64 bits"
        shape = shape_of(form)
        if isinstance(shape, str):
            return shape
        reach = _reach(form, bounds, shape)
        loss = gap_loss(form, [shape.constant], reach)
        worst = reach**2 if form.instance.loss.name == "squared" else reach
        if loss is None or 2 * max(reach, worst * sum(form.weights)) >= INT32:
            return "the losses do not fit 32 bits"
        return Prepared(form, bounds, shape, loss, are_interchangeable(form, shape))


def _reach(form: IntegerForm, bounds: Bounds, shape: Shape) -> int:
    """No gap, and no part of one, exceeds this."""
    total = abs(shape.constant)
    for neuron, outer in zip(shape.second, shape.outer, strict=True):
        size = max(abs(v) for v in multiples(form, outer))
        # A term of the output is bounded with everything else; here its activation's size counts.
        total += abs(shape.gain) * size * _activation_size(form, bounds, neuron)
    total += abs(shape.gain) * max(abs(v) for v in multiples(form, shape.bias))
    aims = [form.scale, form.margin, *(abs(v) for row in form.targets for v in row)]
    return total + max(aims)


def _activation_size(form: IntegerForm, bounds: Bounds, neuron: IntegerNeuron) -> int:
    inputs = len(form.input_scales)
    z = max(abs(v) for v in multiples(form, neuron.bias))
    for t in neuron.terms:
        if t.source < inputs:
            signal = max((abs(x[t.source]) for x in form.inputs), default=0)
        else:
            signal = _activation_size(form, bounds, form.neurons[t.source - inputs])
        z += max(abs(v) for v in multiples(form, t)) * signal
    if neuron.kind == "polynomial":
        return sum(abs(c) * z**k for k, c in enumerate(neuron.coefficients))
    pieces = bounds.pieces[neuron.node]
    return max(abs(slope) * z + abs(intercept) for _, slope, intercept in pieces)
