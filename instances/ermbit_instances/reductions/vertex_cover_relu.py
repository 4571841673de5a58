"""Vertex cover on one ReLU: the least loss is the cover number τ (docs/reductions.md 4).

f(x) = relu(w·x), or relu(w·x + b); a sample e_i → 1 for every vertex and one a label 0 for every
edge: e_u + e_v, or with a bias (e_u + e_v)/2 with weight 2. Over every set of values with -1 and 1
(and 0, with a bias), the least sum of ``absolute`` or ``squared`` losses is τ, and over every set
of values it is no less.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from gmpy2 import mpq

from ermbit_instances.algebraic import AlgebraicNumber
from ermbit_instances.documents import Document
from ermbit_instances.rational import Rational
from ermbit_instances.reductions.hypergraph import Hypergraph
from ermbit_instances.reductions.vertex_cover import (
    Cover,
    neuron_instance,
    split_bias,
    values_of,
)

if TYPE_CHECKING:
    from ermbit_instances.certificate import Value

_PRECISION = 256
"""Algebraic values are replaced by rational ones within 2^-256."""


def instance(
    graph: Hypergraph, weights: Document, threshold: Rational | int, loss: str, bias: bool
) -> Document:
    """The instance over the domain object ``weights``: sat iff τ ≤ threshold.

    ``meta`` has the graph. Raises UsageError for a source that is no graph.
    """
    return neuron_instance(
        "vertex-cover-relu",
        graph,
        weights,
        threshold,
        activation="relu",
        loss=loss,
        bias=bias,
        edge_label=0,
        edge_weight=2 if bias else 1,
    )


def needed_values(bias: bool) -> frozenset[int]:
    """Values that a domain must have for the least loss to be reached."""
    return frozenset({-1, 0, 1} if bias else {-1, 1})


def certificate(graph: Hypergraph, cover: Cover, bias: bool) -> tuple[Rational, ...]:
    """w = -1 on the cover, 1 elsewhere, b = 0: the loss is the size of the cover."""
    return values_of(graph, cover, -1, bias)


def solution(graph: Hypergraph, values: Sequence[Value]) -> Cover:
    """A cover of at most as many vertices as the loss of θ, rounded down.

    Works for every θ, with or without a bias, and for both losses: the complements of two
    independent sets are looked at, and the smaller one is returned. (Algebraic values are replaced
    by close ones, so that a loss within 2^-200 below an integer counts as that integer.)

    Raises:
        UsageError: the values are not those of such a network.
    """
    n = graph.vertices
    weights, bias = split_bias(graph, values)
    offset = mpq(0) if bias is None else _rational(bias)
    sums = {v: _rational(weight) + offset for v, weight in enumerate(weights)}
    responses = {v: response for v, response in sums.items() if response > 0}
    free = min(
        _complement(n, _isolated(graph, responses)),
        _complement(n, _concentrated(graph, responses)),
        key=len,
    )
    return free


def _rational(value: Value) -> Rational:
    return value.bounds(_PRECISION)[0] if isinstance(value, AlgebraicNumber) else mpq(value)


def _complement(n: int, chosen: Collection[int]) -> Cover:
    return tuple(v for v in range(n) if v not in chosen)


def _neighbours(graph: Hypergraph, vertices: Collection[int]) -> dict[int, set[int]]:
    """The neighbours that the vertices have among themselves."""
    found: dict[int, set[int]] = {v: set() for v in vertices}
    for u, v in graph.edges:
        if u in found and v in found:
            found[u].add(v)
            found[v].add(u)
    return found


def _isolated(graph: Hypergraph, responses: Collection[int]) -> set[int]:
    """Of the vertices with a positive response, those without a neighbour among them."""
    return {v for v, others in _neighbours(graph, responses).items() if not others}


def _concentrated(graph: Hypergraph, responses: dict[int, Rational]) -> set[int]:
    """The independent set that mass, moved along edges to the better end, comes to rest on.

    R(q) = Σ q_i² + 2 Σ_edges q_u q_v is linear along e_u - e_v for an edge uv, so that all of the
    mass of an end can move without raising R (Motzkin & Straus 1965).
    """
    mass = dict(responses)
    neighbours = _neighbours(graph, responses)
    for u, v in graph.edges:
        if u in mass and v in mass:
            at_u, at_v = (
                mass[w] + sum((mass[x] for x in neighbours[w] if x in mass), mpq(0)) for w in (u, v)
            )
            kept, emptied = (u, v) if at_u <= at_v else (v, u)
            mass[kept] += mass.pop(emptied)
    return set(mass)
