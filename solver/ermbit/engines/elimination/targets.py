"""Exact targets, pushed down through outputs whose inverse images are finitely many rationals.

If an output must be y and its neuron applies φ to one free neuron times a frozen weight, that
neuron must have one of finitely many values, and so on downwards. Over rational parameters every
neuron is rational: w^(2^d) = 2 ends at the topmost square, t^2 = 2, whatever d is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gmpy2 import mpq

from ermbit.engines.elimination.ledger import Ledger
from ermbit.engines.elimination.roots import rational_roots, real_roots
from ermbit_instances.activation import Activation
from ermbit_instances.network import Network, Neuron
from ermbit_instances.rational import Rational


@dataclass(frozen=True, slots=True)
class Target:
    """What one output on one sample comes to.

    Attributes:
        node: the neuron.
        values: its pre-activation is one of these (its activation if not ``before``).
        before: which of the two.
    """

    node: int
    values: tuple[Rational, ...]
    before: bool


@dataclass(frozen=True)
class Constancy:
    """Nodes without a free parameter below them, and those with rational parameters only.

    Attributes:
        frozen: by node: no free parameter is at or below it.
        rational: by node: no real parameter is at or below it.
    """

    frozen: tuple[bool, ...]
    rational: tuple[bool, ...]


def constancy(network: Network, real: frozenset[int]) -> Constancy:
    frozen, rational = [True] * network.input_count, [True] * network.input_count
    for neuron in network.neurons:
        free = [e.parameter for e in neuron.entries() if e.parameter is not None]
        frozen.append(not free and all(frozen[s] for s in neuron.sources))
        rational.append(not real & set(free) and all(rational[s] for s in neuron.sources))
    return Constancy(tuple(frozen), tuple(rational))


def frozen_values(network: Network, known: Constancy, x: Sequence[Rational]) -> dict[int, Rational]:
    """Values on one input row of the nodes without free parameters."""
    values = dict(enumerate(x))
    for neuron in network.neurons:
        if not known.frozen[neuron.node]:
            continue
        terms = [e.value * values[s] for s, e in zip(neuron.sources, neuron.weights, strict=True)]
        bias = mpq(0) if neuron.bias is None else neuron.bias.value
        if neuron.activation.kind == "max":
            values[neuron.node] = max(terms, default=mpq(0)) + bias
        else:
            values[neuron.node] = neuron.activation(sum(terms, mpq(0)) + bias)
    return values


def push_down(
    network: Network,
    known: Constancy,
    values: dict[int, Rational],
    node: int,
    wanted: Rational,
    ledger: Ledger,
) -> Target | None:
    """The target of an output that must be ``wanted``; ``None`` if it cannot be."""
    target = Target(node, (wanted,), before=False)
    while True:
        neuron = network.neurons[target.node - network.input_count]
        images = _inverse_images(neuron, target.values, known.rational[neuron.node], ledger)
        if images is None:
            return target
        if not images:
            return None
        target = Target(neuron.node, images, before=True)
        below = _single_source(neuron, known, values)
        if below is None:
            return target
        source, factor, rest = below
        target = Target(source, tuple((t - rest) / factor for t in images), before=False)


def _single_source(
    neuron: Neuron, known: Constancy, values: dict[int, Rational]
) -> tuple[int, Rational, Rational] | None:
    """(source, factor, rest) if the pre-activation is factor · source + rest, one node free."""
    if any(not e.is_frozen for e in neuron.entries()):
        return None
    factors: dict[int, Rational] = {}
    rest = mpq(0) if neuron.bias is None else neuron.bias.value
    for source, entry in zip(neuron.sources, neuron.weights, strict=True):
        if known.frozen[source]:
            rest += entry.value * values[source]
        else:
            factors[source] = factors.get(source, mpq(0)) + entry.value
    factors = {source: c for source, c in factors.items() if c != 0}
    if len(factors) != 1:
        return None
    ((source, factor),) = factors.items()
    return source, factor, rest


def _inverse_images(
    neuron: Neuron, wanted: Sequence[Rational], rational: bool, ledger: Ledger
) -> tuple[Rational, ...] | None:
    """All pre-activations that give a wanted value; ``None`` if they are no finite list."""
    activation = neuron.activation
    found: set[Rational] = set()
    for value in wanted:
        if activation.kind == "max":
            return None
        if activation.kind == "polynomial":
            sparse = {k: c for k, c in enumerate(activation.coefficients) if c}
            sparse[0] = sparse.get(0, mpq(0)) - value
            sparse = {k: c for k, c in sparse.items() if c}
            roots = rational_roots(sparse)
            if not rational and len(real_roots(sparse)) > len(roots):
                return None
            found.update(roots)
            if not roots:
                kind = "rational" if rational else "real"
                what = f"{_shown(sparse)} has no {kind} root"
                ledger.note(f"no {kind} root", what, what)
            continue
        images = _piece_images(activation, value)
        if images is None:
            return None
        found.update(images)
        if not images:
            what = f"{activation.name} never is {value}"
            ledger.note("signs", what, what)
    return tuple(sorted(found))


def _piece_images(activation: Activation, value: Rational) -> list[Rational] | None:
    """Where a piecewise linear activation has a value; ``None`` if on a whole interval."""
    ends = [None, *activation.breakpoints, None]
    found = []
    for k, (slope, shift) in enumerate(zip(activation.slopes, activation.intercepts, strict=True)):
        low, high = ends[k], ends[k + 1]
        if slope == 0:
            if shift == value:
                return None
            continue
        t = (value - shift) / slope
        if (low is None or t >= low) and (high is None or t < high):
            found.append(t)
    return found


def _shown(sparse: dict[int, Rational]) -> str:
    """A polynomial in t, for a reason."""
    parts: list[str] = []
    for k in sorted(sparse, reverse=True):
        c = sparse[k]
        size = "" if abs(c) == 1 and k else str(abs(c))
        power = "" if k == 0 else "t" if k == 1 else f"t^{k}"
        sign = "-" if c < 0 else "+"
        joined = " ".join(p for p in (size, power) if p)
        parts.append(f"{sign} {joined}" if parts else ("-" if c < 0 else "") + joined)
    return " ".join(parts)
