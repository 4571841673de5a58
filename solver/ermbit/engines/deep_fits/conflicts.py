"""Pairs of samples that a state must keep apart, and how far.

What later levels make of the signals a, a' of two samples differs by at most Σ_u g_u |a_u − a'_u|,
with gains g_u that the domains bound. If an exact fit needs a difference of Δ there, some of the K
signals has K g_u |a_u − a'_u| ≥ Δ; that none has is one bit of every signal, for all pairs at once.
Equal signals with different targets are the case that prunes most.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import prod

import numpy as np

from ermbit.engines.deep_fits.layers import Layers, largest, live
from ermbit.engines.enumeration_bounds import Bounds
from ermbit.engines.tables.build import Array
from ermbit_encodings.integer_form import IntegerForm, IntegerNeuron

PAIR_LIMIT = 512
"""Pairs of samples that are looked at: fewer only prune less."""

ALWAYS = 2**62
"""A difference that no signal reaches."""

BLOCK = 2**20
"""Differences of signals that are computed at a time."""


@dataclass(frozen=True, slots=True)
class Conflicts:
    """Pairs of samples with different targets.

    Attributes:
        first, second: positions of samples, (pairs,).
        slack: by number of levels that are chosen and by node: the pair is close on that signal
            if its difference is at most this, (pairs,).
    """

    first: Array
    second: Array
    slack: tuple[dict[int, Array], ...]

    def close(self, level: int, node: int, lines: Array) -> Array:
        """One bit for every pair: (words, signals) of signals (samples, signals)."""
        slack = self.slack[level][node]
        words = -(-self.first.size // 64)
        bits = np.zeros((words * 64, lines.shape[1]), dtype=bool)
        step = max(1, BLOCK // max(1, lines.shape[1]))
        for start in range(0, self.first.size, step):
            pairs = slice(start, min(start + step, self.first.size))
            gap = np.abs(lines[self.first[pairs]] - lines[self.second[pairs]])
            bits[pairs] = gap <= slack[pairs, None]
        packed = np.packbits(bits, axis=0, bitorder="little")
        words_of = np.ascontiguousarray(packed.T).view(np.uint64)
        return np.ascontiguousarray(words_of.T)


def conflicts(
    form: IntegerForm, bounds: Bounds, layers: Layers, targets: Array, rng: np.random.Generator
) -> Conflicts:
    """The pairs for some targets, (outputs, samples)."""
    first, second = np.triu_indices(targets.shape[1], 1)
    differ = (targets[:, first] != targets[:, second]).any(axis=0)
    first, second = first[differ], second[differ]
    if first.size > PAIR_LIMIT:
        kept = rng.choice(first.size, PAIR_LIMIT, replace=False)
        first, second = first[kept], second[kept]
    gaps = np.abs(targets[:, first] - targets[:, second])
    output = gaps.argmax(axis=0)
    gap = np.take_along_axis(gaps, output[None], axis=0)[0]
    slack = []
    for nodes in gains(form, bounds, layers):
        widest: dict[int, Array] = {}
        for node, by_output in nodes.items():
            reach = [None if g is None else g * len(nodes) for g in by_output]
            widest[node] = np.array(
                [_slack(int(d), reach[o]) for d, o in zip(gap, output, strict=True)],
                dtype=np.int64,
            )
        slack.append(widest)
    return Conflicts(first, second, tuple(slack))


def _slack(gap: int, gain: int | None) -> int:
    """Largest d with gain · d < gap."""
    if gain is None:
        return 0
    return min((gap - 1) // gain, ALWAYS) if gain else ALWAYS


def gains(
    form: IntegerForm, bounds: Bounds, layers: Layers
) -> tuple[dict[int, list[int | None]], ...]:
    """By number of levels chosen, by live node, by output: |ΔF| ≤ Σ gain · |Δ signal|.

    ``None`` is a gain without a bound that is known.
    """
    outputs = range(len(layers.sums))
    found: list[dict[int, list[int | None]]] = []
    # All readers of a node are above its own level: its gain there holds for its whole output.
    full: dict[int, list[int | None]] = {}
    for level in range(len(layers.levels), -1, -1):
        nodes: dict[int, list[int | None]] = {}
        for node in live(layers, level):
            ways: list[list[int | None]] = []
            for o, s in enumerate(layers.sums):
                weight = sum(largest(form, t) for t in s.terms if t.source == node)
                ways.append([weight * abs(s.gain) if o == k else 0 for k in outputs])
            for reader in (n for members in layers.levels[level:] for n in members):
                weight = sum(largest(form, t) for t in reader.terms if t.source == node)
                slope = steepness(reader, bounds)
                ways.append([_product(weight, slope, up) for up in full[reader.node]])
            nodes[node] = [_total(column) for column in zip(*ways, strict=True)]
        found.append(nodes)
        if level:
            full |= {n.node: nodes[n.node] for n in layers.levels[level - 1]}
    return tuple(reversed(found))


def _product(*factors: int | None) -> int | None:
    if 0 in factors:
        return 0
    known = [f for f in factors if f is not None]
    return prod(known) if len(known) == len(factors) else None


def _total(terms: Iterable[int | None]) -> int | None:
    known = list(terms)
    return None if None in known else sum(t for t in known if t is not None)


def steepness(neuron: IntegerNeuron, bounds: Bounds) -> int | None:
    """Largest change of the activation when its integer argument changes by 1."""
    if neuron.kind == "max":
        return 1
    if neuron.kind == "polynomial":
        return None
    pieces = bounds.pieces[neuron.node]
    steps = [abs(slope) for _, slope, _ in pieces]
    for (_, slope, intercept), (start, above, jump) in pairwise(pieces):
        assert start is not None
        steps.append(abs(above * start + jump - slope * (start - 1) - intercept))
    return max(steps)
