"""Reaching the hulls through free outer weights: fix everything else, solve for these (G2, G7).

An *outer* parameter is real (or rational), sits on one edge into an output and nowhere else. If all
others are fixed, every output is a vector plus free multiples of columns. For almost all choices of
the others the columns have the largest rank there is; if it equals that of the hull, all of the
hull is reached. Small values are tried at random: what counts is the rank that they are found to
have. Residues modulo a prime find it quickly: a rank modulo a prime is never too large.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from flint import nmod_mat
from gmpy2 import mpq

from ermbit.engines.lifting.hull import Hull, reached
from ermbit.engines.lifting.linear import Column, Vector, coordinates, independent, primitive
from ermbit_instances.domain import Domain, RealDomain
from ermbit_instances.network import Entry, Network
from ermbit_instances.rational import Rational

ATTEMPTS = ((1, 3), (2, 3), (6, 3), (60, 2), (10_000, 2))
"""Ranges of random inner values, and how often each is tried."""

PRIME = 2**31 - 1
"""For ranks by residues: products of two fit an int64."""

LISTED = 256
"""Values of a finite domain that are drawn from."""

_ZERO, _ONE = mpq(0), mpq(1)


@dataclass(frozen=True)
class OuterWeights:
    """Which parameters are outer.

    Attributes:
        edges: by output, (parameter, scale, source); source −1 is the bias.
        is_real: all of them are real; some are rational otherwise.
    """

    edges: tuple[tuple[tuple[int, Rational, int], ...], ...]
    is_real: bool

    @property
    def parameters(self) -> frozenset[int]:
        return frozenset(p for edges in self.edges for p, _, _ in edges)


@dataclass(frozen=True)
class Span:
    """The outputs for chosen inner values: by output fixed part + free multiples of columns.

    Attributes:
        inner: values of all parameters; outer ones are 0.
        hulls: what is reached, over the distinct inputs, in independent columns.
        positions: by output, the edges that these columns belong to.
        scales: by output and column, column = scale⁻¹ · (what the parameter multiplies).
    """

    inner: Vector
    hulls: tuple[Hull, ...]
    positions: tuple[tuple[int, ...], ...]
    scales: tuple[Vector, ...]

    @property
    def ranks(self) -> tuple[int, ...]:
        return tuple(hull.rank for hull in self.hulls)


def read_outer_weights(network: Network) -> OuterWeights | str:
    """The outer parameters, or why there are none."""
    outputs = network.outputs
    if len(set(outputs)) < len(outputs) or any(o < network.input_count for o in outputs):
        return "an output is an input or occurs twice"
    if any(s in outputs for neuron in network.neurons for s in neuron.sources):
        return "an output is read by a neuron"
    uses: dict[int, int] = {}
    for neuron in network.neurons:
        for entry in neuron.entries():
            if entry.parameter is not None:
                uses[entry.parameter] = uses.get(entry.parameter, 0) + 1
    found, is_real = [], True
    for node in outputs:
        neuron = network.neurons[node - network.input_count]
        activation = neuron.activation
        if not activation.is_affine or activation.slopes[0] != 1 or activation.intercepts[0] != 0:
            return "an output is not linear"
        edges: list[tuple[int, Rational, int]] = []
        pairs: list[tuple[int, Entry]] = [*zip(neuron.sources, neuron.weights, strict=True)]
        if neuron.bias is not None:
            pairs.append((-1, neuron.bias))
        for source, entry in pairs:
            if entry.parameter is None or uses[entry.parameter] != 1:
                continue
            domain = network.parameters[entry.parameter].domain
            if not is_continuous(domain):
                continue
            is_real &= isinstance(domain, RealDomain)
            edges.append((entry.parameter, entry.scale, source))
        found.append(tuple(edges))
    if not any(found):
        return "no outer weight is real and of its own"
    return OuterWeights(tuple(found), is_real)


def is_continuous(domain: Domain) -> bool:
    """Real, or ``rational``: enough values that a solution is worth trying."""
    return isinstance(domain, RealDomain) or domain.canonical()["domain"] == "rational"


@dataclass(frozen=True)
class Choice:
    """Values of all parameters that are not outer, and a bound from below on the ranks they give.

    The ranks are those modulo a prime: true ones are at least as large.
    """

    inner: Mapping[int, Rational]
    ranks: tuple[int, ...]


def best_choice(
    network: Network,
    outer: OuterWeights,
    inputs: Sequence[Vector],
    wanted: Sequence[int],
    seed: int,
) -> Choice:
    """Inner values whose columns have a large rank; ``wanted`` ranks are enough."""
    rng = Random(seed)
    best: Choice | None = None
    free = [p for p in range(network.parameter_count) if p not in outer.parameters]
    for size, times in ATTEMPTS:
        for _ in range(times):
            inner = {p: draw(network.parameters[p].domain, size, rng) for p in free}
            found = Choice(inner, residual_ranks(network, outer, inputs, inner))
            if best is None or sum(found.ranks) > sum(best.ranks):
                best = found
            if not free or all(a >= b for a, b in zip(best.ranks, wanted, strict=True)):
                return best
    assert best is not None
    return best


def residual_ranks(
    network: Network,
    outer: OuterWeights,
    inputs: Sequence[Vector],
    inner: Mapping[int, Rational],
) -> tuple[int, ...]:
    """Ranks of the columns that the outer parameters multiply, modulo a prime.

    0 where a denominator is divisible by it.
    """
    neurons = reached(network)
    if any(n.activation.kind != "polynomial" and not n.activation.is_affine for n in neurons):
        return span(network, outer, inputs, inner).ranks
    count = len(inputs)
    one = np.ones(count, dtype=np.int64)
    try:
        known = {
            k: np.array([_residue(row[k]) for row in inputs], dtype=np.int64)
            for k in range(network.input_count)
        }
        for neuron in neurons:
            total = np.zeros(count, dtype=np.int64)
            pairs = [(known[s], e) for s, e in zip(neuron.sources, neuron.weights, strict=True)]
            if neuron.bias is not None:
                pairs.append((one, neuron.bias))
            for vector, entry in pairs:
                value = entry.value
                if entry.parameter is not None:
                    value = entry.scale * inner.get(entry.parameter, _ZERO)
                total = (total + _residue(value) * vector) % PRIME
            activation = neuron.activation
            coefficients = activation.coefficients or (
                activation.intercepts[0],
                activation.slopes[0],
            )
            result = np.zeros(count, dtype=np.int64)
            for c in reversed(coefficients):
                result = (result * total + _residue(c)) % PRIME
            known[neuron.node] = result
    except ValueError:  # a denominator that the prime divides
        return (0,) * len(network.outputs)
    ranks = []
    for edges in outer.edges:
        rows = [(one if source < 0 else known[source]).tolist() for _, _, source in edges]
        entries = [v for row in rows for v in row]
        ranks.append(int(nmod_mat(len(rows), count, entries, PRIME).rank()) if rows else 0)
    return tuple(ranks)


def _residue(value: Rational) -> int:
    if value.denominator == 1:
        return int(value.numerator % PRIME)
    return int(value.numerator) * pow(int(value.denominator), -1, PRIME) % PRIME


def draw(domain: Domain, size: int, rng: Random) -> Rational:
    """A small random value of a domain."""
    wanted = mpq(rng.randint(-size, size))
    if wanted in domain:
        return wanted
    count = domain.size
    if count is not None and count <= LISTED:
        return rng.choice(list(domain.values()))
    found = domain.above(wanted)
    if found is None:
        found = domain.below(wanted)
    return wanted if found is None else found


def span(
    network: Network,
    outer: OuterWeights,
    inputs: Sequence[Vector],
    inner: Mapping[int, Rational],
) -> Span:
    """What the outputs are for given values of all parameters that are not outer."""
    values = tuple(inner.get(p, _ZERO) for p in range(network.parameter_count))
    known = evaluated(network, values, inputs)
    hulls, positions, scales = [], [], []
    for node, edges in zip(network.outputs, outer.edges, strict=True):
        columns: list[Column] = []
        factors: list[Rational] = []
        numbers: list[int] = []
        for k, (_, scale, source) in enumerate(edges):
            vector = (_ONE,) * len(inputs) if source < 0 else known[source]
            if any(vector):
                column, factor = primitive([scale * v for v in vector])
                columns.append(column)
                factors.append(factor)
                numbers.append(k)
        kept = independent(columns) if columns else []
        hulls.append(Hull(known[node], tuple(columns[k] for k in kept)))
        positions.append(tuple(numbers[k] for k in kept))
        scales.append(tuple(factors[k] for k in kept))
    return Span(values, tuple(hulls), tuple(positions), tuple(scales))


def evaluated(
    network: Network, values: Sequence[Rational], inputs: Sequence[Vector]
) -> dict[int, Vector]:
    """All neurons that count on all inputs, exactly."""
    known = {k: tuple(row[k] for row in inputs) for k in range(network.input_count)}

    def at(entry: Entry) -> Rational:
        if entry.parameter is None:
            return entry.value
        return mpq(entry.scale * values[entry.parameter])

    for neuron in reached(network):
        bias = _ZERO if neuron.bias is None else at(neuron.bias)
        pairs = [(known[s], at(e)) for s, e in zip(neuron.sources, neuron.weights, strict=True)]
        if neuron.activation.kind == "max":
            rows = [[w * v for v in vector] for vector, w in pairs]
            tops = [max(column) for column in zip(*rows, strict=True)] or [_ZERO] * len(inputs)
            known[neuron.node] = tuple(v + bias for v in tops)
            continue
        sums = [bias] * len(inputs)
        for vector, w in pairs:
            if w:
                sums = [a + w * v for a, v in zip(sums, vector, strict=True)]
        known[neuron.node] = tuple(mpq(neuron.activation(v)) for v in sums)
    return known


def theta_for(outer: OuterWeights, found: Span, values: Sequence[Vector]) -> Vector | None:
    """θ whose outputs have these values on the distinct inputs, ``None`` if the span has none."""
    theta = list(found.inner)
    for o, wanted in enumerate(values):
        hull = found.hulls[o]
        rest = [a - b for a, b in zip(wanted, hull.constant, strict=True)]
        amounts = coordinates(hull.columns, rest)
        if amounts is None:
            return None
        for k, scale, amount in zip(found.positions[o], found.scales[o], amounts, strict=True):
            theta[outer.edges[o][k][0]] = amount / scale
    return tuple(theta)
