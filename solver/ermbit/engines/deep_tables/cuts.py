"""Where to cut tuples of tree nodes: how much of the outputs' widths is due to each variable."""

from __future__ import annotations

import numpy as np

from ermbit.engines.deep_tables.arithmetic import magnitude
from ermbit.engines.deep_tables.evaluation import Evaluation
from ermbit.engines.tables.build import Array
from ermbit_encodings.integer_form import IntegerNeuron, IntegerTerm

TABLE_SHARE, BIAS_SHARE = 0.8, 3.0
"""Cutting a table's node pays less than its width says, cutting an output's bias more: measured."""


def widths(run: Evaluation, influence: Array) -> list[Array]:
    """By variable, about how much of the outputs' widths is due to it, (tuples) each.

    Args:
        run: an evaluation of the tuples.
        influence: which samples are undecided, (samples, tuples).
    """
    network, form = run.network, run.network.form
    size = influence.shape[1]
    found = [np.zeros(size, dtype=np.float32) for _ in network.variables]
    felt: dict[int, Array] = {}
    for node, factor in zip(form.outputs, form.output_factors, strict=True):
        felt[node] = felt.get(node, 0) + np.float32(abs(factor)) * influence
    for neuron in reversed(form.neurons):
        here = felt.pop(neuron.node, None)
        if here is None:
            continue
        low, high = run.signals[neuron.node]
        if neuron.node in network.tables:
            wide = (high - low).astype(np.float32)
            found[network.tables[neuron.node]] += TABLE_SHARE * (here * wide).sum(axis=0)
            continue
        if neuron.node not in form.outputs:
            here = here * (high != low)
        for output, source, joint in run.joint:
            if output == neuron.node:
                part = here * joint
                felt[source] = felt[source] + part if source in felt else part
        for t in (*neuron.terms, *([] if neuron.bias is None else [neuron.bias])):
            _term_widths(run, neuron, t, here, felt, found)
    return found


def _term_widths(
    run: Evaluation,
    neuron: IntegerNeuron,
    t: IntegerTerm,
    here: Array,
    felt: dict[int, Array],
    found: list[Array],
) -> None:
    """Add what one term is due to, and what its source is felt by."""
    network = run.network
    low, high = run.parameter(t)
    factor = np.float32(abs(t.factor)) if t.parameter >= 0 else np.float32(1)
    if t.parameter >= 0:
        u, _ = network.places[t.parameter]
        wide = factor * (high - low).astype(np.float32)
        if t.source < 0:
            bias = BIAS_SHARE if neuron.node in network.form.outputs else 1.0
            found[u] += np.float32(bias) * wide[0] * here.sum(axis=0)
        else:
            found[u] += wide[0] * (here * _reach(run, t.source)).sum(axis=0)
    if t.source >= network.first:
        weight = factor * magnitude((low, high))
        part = here * weight
        if neuron.node in run.bent:
            part *= run.bent[neuron.node]
        felt[t.source] = felt[t.source] + part if t.source in felt else part


def _reach(run: Evaluation, node: int) -> Array:
    """Greatest absolute values of a signal."""
    low, high = run.signals[node]
    return high if node in run.network.positive else np.maximum(np.abs(low), np.abs(high))
