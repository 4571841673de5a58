"""Vertex cover on one halfspace: the least number of errors is the cover number τ.

The theorem is in docs/reductions.md 5. f(x) = w·x, or w·x + b, loss ``zero_one``; a sample e_i
with label 1 for every vertex and one with label -1 for every edge: e_u + e_v, or with a bias
(e_u + e_v)/2. Over every set of values with -2 and 1 (and 0, with a bias) the least number of
errors is τ, and over every set of values it is no less.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gmpy2 import mpq

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


def instance(
    graph: Hypergraph, weights: Document, threshold: Rational | int, bias: bool
) -> Document:
    """The instance over the domain object ``weights``: sat iff τ ≤ threshold.

    ``meta`` has the graph. Raises UsageError for a source that is no graph.
    """
    return neuron_instance(
        "vertex-cover-halfspace",
        graph,
        weights,
        threshold,
        activation="identity",
        loss="zero_one",
        bias=bias,
        edge_label=-1,
    )


def needed_values(bias: bool) -> frozenset[int]:
    """Values that a domain must have for the least number of errors to be reached."""
    return frozenset({-2, 0, 1} if bias else {-2, 1})


def certificate(graph: Hypergraph, cover: Cover, bias: bool) -> tuple[Rational, ...]:
    """w = -2 on the cover, 1 elsewhere, b = 0: the errors are the vertices of the cover."""
    return values_of(graph, cover, -2, bias)


def solution(graph: Hypergraph, values: Sequence[Value]) -> Cover:
    """A cover of at most as many vertices as θ makes errors, for every θ.

    It has the vertices that are wrong, and an end of each edge of which both ends are right: such
    an edge is wrong.

    Raises:
        UsageError: the values are not those of such a network.
    """
    weights, offset = split_bias(graph, values)
    least = mpq(0) if offset is None else -offset
    cover = {v for v, weight in enumerate(weights) if not weight > least}
    for u, v in graph.edges:
        if u not in cover and v not in cover:
            cover.add(u)
    return tuple(sorted(cover))
