"""Networks with one hidden layer, one output and real weights that are used once: their parts.

    f(x) = Σ_i fixed_i(x) + Σ_k c_k g_k(x) + Σ_j v_j φ_j(u_j · x̂_j + fixed_j(x))

with free real c_k and u_j. What v_j and φ_j may be is for the engine to say. An output that is not
linear is the only unit, of outer weight 1.

Where finite domains leave many choices they are relaxed to the reals: what no real network does,
none of theirs does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

from gmpy2 import mpq

from ermbit_instances.domain import Domain, RealDomain
from ermbit_instances.network import Entry, Network, Neuron
from ermbit_instances.rational import Rational

UNIT_LIMIT, EDGE_LIMIT, WIDTH_LIMIT = 12, 2_000, 200
"""Hidden units, edges, and weights of one unit beyond which nothing is read."""

CHOICES = 2**24
"""Finite domains are relaxed where the parameters have more choices. Others are soon tried."""

Terms = tuple[tuple[int, Rational], ...]
"""Σ scale · input; input −1 is 1."""

_ZERO, _ONE = mpq(0), mpq(1)


class NotOfThisFormError(Exception):
    """The network has another form; the text says in what."""


@dataclass(frozen=True, slots=True)
class Column:
    """One free number and what it multiplies. ``parameter`` · ``factor`` is the free number."""

    parameter: int
    terms: Terms
    factor: Rational = _ONE

    def values(self, rows: Sequence[Sequence[Rational]]) -> tuple[Rational, ...]:
        """What it multiplies, on every row of inputs."""
        return on_samples(self.terms, rows)


def on_samples(terms: Terms, rows: Sequence[Sequence[Rational]]) -> tuple[Rational, ...]:
    """Σ scale · input on every row of inputs."""
    return tuple(sum((s * (_ONE if k < 0 else x[k]) for k, s in terms), _ZERO) for x in rows)


class OneHiddenLayer:
    """The parts of a network.

    Attributes:
        constant: the fixed part of the output.
        free: linear terms of the output that are free.
        units: neurons with the weight that the output gives them.
        relaxed: a domain that was taken for the reals is a smaller one.
        relaxes: finite domains are taken for the reals, except where a method says otherwise.

    Raises:
        NotOfThisFormError: here and in the methods, where a condition fails.
    """

    def __init__(self, network: Network) -> None:
        inputs = network.input_count
        if len(network.outputs) != 1:
            raise NotOfThisFormError("more than one output")
        if network.edge_count > EDGE_LIMIT:
            raise NotOfThisFormError(f"more than {EDGE_LIMIT} edges")
        if network.outputs[0] < inputs:
            raise NotOfThisFormError("the output is an input")
        self.network, self.relaxed = network, False
        sizes = [p.domain.size for p in network.parameters]
        self.relaxes = None in sizes or prod(size for size in sizes if size) > CHOICES
        self._uses = Counter(
            entry.parameter
            for neuron in network.neurons
            for entry in neuron.entries()
            if entry.parameter is not None
        )
        output = network.neurons[network.outputs[0] - inputs]
        _require_one_layer(network, output)
        self.constant: Terms = ()
        self.free: tuple[Column, ...] = ()
        self.units: tuple[tuple[Neuron, Entry], ...] = ()
        activation = output.activation
        is_sum = (
            activation.is_affine and activation.slopes[0] == 1 and activation.intercepts[0] == 0
        )
        if is_sum:
            edges = _edges(output)
            self.units = tuple((network.neurons[k - inputs], e) for k, e in edges if k >= inputs)
            self.free, self.constant = self._split((k, e) for k, e in edges if k < inputs)
        elif any(source >= inputs for source in output.sources):
            raise NotOfThisFormError(f"the output above hidden units is {activation.name}")
        else:
            self.units = ((output, Entry(None, value=_ONE)),)

    def inner(self, neuron: Neuron) -> tuple[tuple[Column, ...], Terms]:
        """The free and the fixed part of what a unit adds up."""
        columns, fixed = self._split(_edges(neuron))
        if len(columns) > WIDTH_LIMIT:
            raise NotOfThisFormError(f"a hidden unit of more than {WIDTH_LIMIT} weights")
        return columns, fixed

    def require_own(self, outer: Entry) -> None:
        """An outer weight must not occur anywhere else."""
        if outer.parameter is not None and self._uses[outer.parameter] != 1:
            raise NotOfThisFormError("an outer weight is shared")

    def require_real(self, outer: Entry) -> None:
        """An outer weight must be frozen, or own and real or relaxed."""
        self.require_own(outer)
        if outer.parameter is not None and not self._is_free(outer.parameter):
            raise NotOfThisFormError("an outer weight has a finite domain")

    def is_real(self, parameter: int) -> bool:
        """Whether its domain is the reals, or is ``rational`` and relaxed; never a finite one."""
        domain = self.domain(parameter)
        if isinstance(domain, RealDomain):
            return True
        if domain.canonical()["domain"] == "rational":
            self.relaxed = True
            return True
        return False

    def domain(self, parameter: int) -> Domain:
        return self.network.parameters[parameter].domain

    def _is_free(self, parameter: int) -> bool:
        """Whether it is a real number here, finite domains included that are relaxed."""
        if self.is_real(parameter):
            return True
        self.relaxed |= self.relaxes
        return self.relaxes

    def _split(self, edges: Iterable[tuple[int, Entry]]) -> tuple[tuple[Column, ...], Terms]:
        """The columns of parameters, which must occur on these edges only; the rest."""
        free: dict[int, list[tuple[int, Rational]]] = {}
        fixed: list[tuple[int, Rational]] = []
        for source, entry in edges:
            if entry.parameter is None:
                fixed.append((source, entry.value))
            else:
                free.setdefault(entry.parameter, []).append((source, entry.scale))
        for parameter, terms in free.items():
            if self._uses[parameter] != len(terms):
                raise NotOfThisFormError("a parameter is shared")
            if not self._is_free(parameter):
                raise NotOfThisFormError("a weight or bias has a finite domain")
        return tuple(Column(p, tuple(terms)) for p, terms in free.items()), tuple(fixed)


def _require_one_layer(network: Network, output: Neuron) -> None:
    children = Counter(source for neuron in network.neurons for source in neuron.sources)
    for neuron in network.neurons:
        if neuron.node == output.node:
            continue
        if any(source >= network.input_count for source in neuron.sources):
            raise NotOfThisFormError("more than one hidden layer")
        if children[neuron.node] != 1 or neuron.node not in output.sources:
            reason = "a hidden unit does not have a single outgoing edge to the output"
            raise NotOfThisFormError(reason)
    if output.node in children:
        raise NotOfThisFormError("the output is read by a neuron")


def _edges(neuron: Neuron) -> list[tuple[int, Entry]]:
    """Sources with their weights; the bias comes from −1."""
    edges = [*zip(neuron.sources, neuron.weights, strict=True)]
    return edges if neuron.bias is None else [*edges, (-1, neuron.bias)]
