"""How long a search may take: random networks say which share of the states has no conflict.

Random choices of the first level that have a conflict are replaced by others that have none, these
are extended by random choices of the next level, and so on (Knuth 1975, with resampling). The
estimate decides when the engine is started, nothing else.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import lgamma, log, log10

import numpy as np

from ermbit.engines.deep_fits.conflicts import conflicts
from ermbit.engines.deep_fits.joins import FREE_BIAS_SAMPLES, SUMS_LIMIT, halves
from ermbit.engines.deep_fits.layers import ONE, Layers, assignments, entries, own_parameters
from ermbit.engines.enumeration_bounds import Bounds
from ermbit.engines.integer_activation import activated
from ermbit.engines.tables.build import Array
from ermbit_encodings.integer_form import IntegerForm, IntegerNeuron, IntegerTerm, integer_domain

PROBES, SAMPLES = 512, 20
"""Random networks, and samples that they are looked at on, at most."""

SIGNAL, TUPLE, ENTRY, STEADY = 3e-9, 1.5e-8, 1.5e-8, 0.03
"""Measured seconds of a signal, of a tuple of rows, of an entry of a list of sums; of the rest."""

MERGED = 0.5
"""Share of the tuples of a later level that differ, as measured: many of its units are 0."""


@dataclass(frozen=True, slots=True)
class Sizes:
    """log10 of numbers.

    Attributes:
        units: assignments of the units, by level.
        tuples: choices of a whole level for one state.
        longest: contributions of one source of the outputs.
        half: sums of the larger half of the sources.
        shared: assignments of shared parameters.
    """

    units: tuple[tuple[float, ...], ...]
    tuples: tuple[float, ...]
    longest: float
    half: float
    shared: float


def sizes(form: IntegerForm, layers: Layers) -> Sizes:
    """The sizes of all enumerations, before anything is merged."""
    fixed = dict.fromkeys(layers.shared, 0)
    units, tuples = [], []
    for members in layers.levels:
        counts = [assignments(form, own_parameters(tuple(entries(n)), fixed)) for n in members]
        units.append(tuple(map(log10, counts)))
        # Units of equal numbers of assignments may presumably be exchanged.
        tuples.append(sum(_multisets(kinds, size) for kinds, size in Counter(counts).items()))
    last = {n.node: u for n, u in zip(layers.levels[-1], units[-1], strict=True)}
    by_source: dict[int, list[IntegerTerm]] = {}
    lists = []
    for t in (t for s in layers.sums for t in s.terms):
        if t.source != ONE:
            by_source.setdefault(t.source, []).append(t)
        elif len(form.inputs) < FREE_BIAS_SAMPLES:
            lists.append(assignments(form, own_parameters([t], fixed)))
    for source, terms in by_source.items():
        outer = log10(assignments(form, own_parameters(terms, fixed)))
        lists.append(round(10 ** min(12.0, outer + last.get(source, 0.0))))
    half = sum(map(log10, lists)) / 2
    if half <= log10(SUMS_LIMIT):  # otherwise no halves are short enough
        half = max(sum(log10(lists[k]) for k in part) for part in halves(lists))
    return Sizes(
        tuple(units),
        tuple(tuples),
        log10(max([1, *lists])),
        half,
        log10(assignments(form, layers.shared)),
    )


def _multisets(kinds: int, size: int) -> float:
    """log10 of the number of multisets."""
    return (lgamma(kinds + size) - lgamma(kinds) - lgamma(size + 1)) / log(10)


def log_seconds(form: IntegerForm, bounds: Bounds, layers: Layers, found: Sizes) -> float:
    """log10 of the seconds that all states without a conflict take."""
    samples = min(len(form.inputs), SAMPLES)
    shares = _survivors(form, bounds, layers)
    states, seconds = 0.0, STEADY
    for units, tuples, share in zip(found.units, found.tuples, [*shares, 1.0], strict=True):
        rows = sum(10**u for u in set(units))
        seconds += 10 ** min(300.0, states) * rows * samples * SIGNAL
        if units is found.units[-1]:
            break
        seconds += 10 ** min(300.0, states + tuples) * (TUPLE + share * samples * SIGNAL)
        states += tuples + log10(share * (MERGED if states else 1.0))
    seconds += 10 ** min(300.0, states + found.half) * ENTRY
    return log10(seconds) + found.shared


def _survivors(form: IntegerForm, bounds: Bounds, layers: Layers) -> list[float]:
    """The share of random children without a conflict, for every level but the last."""
    rng = np.random.default_rng(0)
    inputs = np.array(form.inputs, dtype=np.int64).reshape(len(form.inputs), -1)
    targets = np.array(form.targets, dtype=np.int64)
    _, kept = np.unique(inputs, axis=0, return_index=True)
    kept = rng.permutation(kept)[:SAMPLES]
    apart = conflicts(form, bounds, layers, targets[kept].T, rng)
    values = [np.array(integer_domain(form, p)) for p in range(len(form.grids))]
    signals = {node: column[:, None] for node, column in enumerate(inputs[kept].T)}
    signals = {n: np.repeat(column, PROBES, axis=1) for n, column in signals.items()}
    shares: list[float] = []
    for level, members in enumerate(layers.levels[:-1]):
        for neuron in members:
            signals[neuron.node] = _random(neuron, bounds, signals, values, rng)
        close = ~np.zeros(PROBES, dtype=bool)
        bits = [apart.close(level + 1, n, signals[n]) for n in apart.slack[level + 1]]
        if bits and apart.first.size:
            common = bits[0]
            for other in bits[1:]:
                common = common & other
            close = (common == 0).all(axis=0)
        good = np.nonzero(close)[0]
        shares.append((good.size + 1) / (PROBES + 1))
        if good.size:
            again = rng.choice(good, PROBES)
            signals = {n: lines[:, again] for n, lines in signals.items()}
    return shares


def _random(
    neuron: IntegerNeuron,
    bounds: Bounds,
    signals: dict[int, Array],
    values: list[Array],
    rng: np.random.Generator,
) -> Array:
    """Activations of a neuron with other random parameters in every column."""
    drawn: dict[int, Array] = {}

    def weight(t: IntegerTerm) -> Array:
        if t.parameter < 0:
            return np.full(PROBES, t.factor, dtype=np.int64)
        if t.parameter not in drawn:
            drawn[t.parameter] = rng.choice(values[t.parameter], PROBES)
        return np.asarray(drawn[t.parameter] * t.factor)

    samples = next(iter(signals.values())).shape[0]
    z = np.zeros((samples, PROBES), dtype=np.int64)
    terms = [signals[t.source] * weight(t) for t in neuron.terms]
    if terms:
        z = np.max(terms, axis=0) if neuron.kind == "max" else np.sum(terms, axis=0)
    if neuron.bias is not None:
        z = z + weight(neuron.bias)
    return activated(neuron, bounds.pieces[neuron.node], z)
