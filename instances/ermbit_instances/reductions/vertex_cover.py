"""Least vertex covers, sets of vertices with an end of every edge, and one neuron on a graph.

The source problem of :mod:`~ermbit_instances.reductions.vertex_cover_relu` and
:mod:`~ermbit_instances.reductions.vertex_cover_halfspace` (docs/reductions.md 4 and 5), and what
their instances have in common. Searches hold vertex sets as integers, one bit a vertex.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from gmpy2 import mpq

from ermbit_instances.documents import Document, instance_document
from ermbit_instances.errors import UsageError
from ermbit_instances.rational import Rational
from ermbit_instances.reductions.hypergraph import LARGEST as MOST_EDGES
from ermbit_instances.reductions.hypergraph import Hypergraph, complete
from ermbit_instances.reductions.vectors import indicator

if TYPE_CHECKING:
    from ermbit_instances.families.rng import Rng

Cover = tuple[int, ...]

V = TypeVar("V")

LARGEST = 1000
"""Most vertices: an instance has a column for each."""

STEPS = 500_000
"""Vertices that a search looks at, over all of its nodes, before it gives up."""


@dataclass(frozen=True)
class CoverNumber:
    """What is known of the size of a least cover.

    Attributes:
        cover: a cover, as small as found, in ascending order.
        lower: proved: no cover is smaller.
    """

    cover: Cover
    lower: int

    @property
    def is_exact(self) -> bool:
        """Whether the cover is a least one."""
        return len(self.cover) == self.lower


def check_graph(graph: Hypergraph) -> None:
    """Raises UsageError unless the source is a graph with 1..:data:`LARGEST` vertices."""
    if not 1 <= graph.vertices <= LARGEST or not graph.is_graph:
        raise UsageError(f"vertex cover: expected a graph of 1..{LARGEST} vertices, edges of two")


def neuron_instance(
    name: str,
    graph: Hypergraph,
    weights: Document,
    threshold: Rational | int,
    *,
    activation: str,
    loss: str,
    bias: bool,
    edge_label: int,
    edge_weight: int = 1,
) -> Document:
    """One neuron over the domain object ``weights``, on a sample a vertex and a sample an edge.

    A vertex v is e_v with label 1. An edge uv is e_u + e_v, or with a bias the half of it, with
    label and weight as given. ``meta`` has the graph. Raises UsageError for a source that is no
    graph.
    """
    check_graph(graph)
    n, edges = graph.vertices, graph.edges
    layer: Document = {"units": 1, "activation": activation}
    if not bias:
        layer["bias"] = False
    data: Document = {
        "x": [
            *(indicator((v,), n) for v in range(n)),
            *(indicator(edge, n, "1/2" if bias else 1) for edge in edges),
        ],
        "y": [*([1] for _ in range(n)), *([edge_label] for _ in edges)],
    }
    if edge_weight != 1:
        data["sample_weights"] = [*(1 for _ in range(n)), *(edge_weight for _ in edges)]
    return instance_document(
        f"{name}-{n}-{len(edges)}",
        {"inputs": n, "layers": [layer]},
        weights,
        data,
        {"name": loss, "reduction": "sum"},
        threshold,
        {"graph": str(graph)},
    )


def values_of(graph: Hypergraph, cover: Cover, inside: int, bias: bool) -> tuple[Rational, ...]:
    """θ of a cover: a weight ``inside`` on it, 1 elsewhere, b = 0."""
    chosen = set(cover)
    weights = (mpq(inside if v in chosen else 1) for v in range(graph.vertices))
    return (*weights, *((mpq(0),) if bias else ()))


def split_bias(graph: Hypergraph, values: Sequence[V]) -> tuple[Sequence[V], V | None]:
    """The weights and the bias, if there is one.

    Raises:
        UsageError: the values are not those of such a network.
    """
    check_graph(graph)
    n = graph.vertices
    if len(values) not in (n, n + 1):
        raise UsageError(f"vertex cover: expected {n} or {n + 1} values, not {len(values)}")
    return values[:n], values[n] if len(values) > n else None


def is_cover(graph: Hypergraph, cover: Cover) -> bool:
    """Whether every edge has an end in the set."""
    chosen = set(cover)
    return all(chosen & set(edge) for edge in graph.edges)


def solve(graph: Hypergraph, steps: int = STEPS) -> CoverNumber:
    """A least cover by branch and bound, as far as so many ``steps`` go.

    A vertex with one neighbour lets the neighbour in; else a vertex of largest degree is in, or all
    its neighbours are. What is left needs all vertices but one of each of some disjoint cliques.
    """
    check_graph(graph)
    adjacency = [0] * graph.vertices
    for u, v in graph.edges:
        adjacency[u] |= 1 << v
        adjacency[v] |= 1 << u
    root = (1 << graph.vertices) - 1
    lower = _clique_bound(adjacency, root)
    best = _greedy(adjacency, root)
    # Open nodes: vertices left, the cover so far.
    stack = [(root, 0)]
    while stack and best.bit_count() > lower:
        left, cover = stack.pop()
        steps -= left.bit_count()
        if steps < 0:
            return CoverNumber(tuple(_members(best)), lower)
        left, cover = _reduced(adjacency, left, cover)
        if cover.bit_count() + _clique_bound(adjacency, left) >= best.bit_count():
            continue
        pivot = _of_largest_degree(adjacency, left)
        if pivot is None:
            best = cover
            continue
        neighbours = adjacency[pivot] & left
        stack.append((left & ~neighbours & ~(1 << pivot), cover | neighbours))
        stack.append((left & ~(1 << pivot), cover | 1 << pivot))
    return CoverNumber(tuple(_members(best)), best.bit_count())


def planted(rng: Rng, cliques: int, size: int, extra: int) -> tuple[Hypergraph, Cover]:
    """A graph with a known least cover, and that cover.

    ``cliques`` disjoint complete graphs of ``size`` vertices need size - 1 vertices each. One
    vertex of each is hidden, and ``extra`` draws of an edge avoid pairs of hidden ones, so that the
    others are a cover of just that size. Equal edges are one. Vertices are permuted.

    Raises:
        UsageError: no clique, a size below 2, or a graph past :data:`LARGEST`.
    """
    if cliques < 1 or size < 2:
        raise UsageError("vertex cover: planted graphs have cliques of at least two vertices")
    n = cliques * size
    if n > LARGEST or extra > MOST_EDGES:
        raise UsageError(f"vertex cover: more than {LARGEST} vertices or {MOST_EDGES} edges")
    names = rng.shuffle(range(n))
    edges: list[tuple[int, ...]] = []
    for clique in range(cliques):
        edges += [(clique * size + u, clique * size + v) for u, v in complete(size).edges]
    for _ in range(extra):
        u, v = rng.few(range(n), 2)
        if u % size or v % size:
            edges.append((u, v))
    named = tuple((names[u], names[v]) for u, v in edges)
    cover = tuple(sorted(names[v] for v in range(n) if v % size))
    return Hypergraph(n, named), cover


# --- vertex sets as integers ---------------------------------------------------------------------


def _members(mask: int) -> Iterator[int]:
    """The vertices of a set, in ascending order."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _of_largest_degree(adjacency: list[int], left: int) -> int | None:
    """The first vertex with most neighbours left; None if no edge is left."""
    vertex = max(
        _members(left), key=lambda v: ((adjacency[v] & left).bit_count(), -v), default=None
    )
    return None if vertex is None or not adjacency[vertex] & left else vertex


def _reduced(adjacency: list[int], left: int, cover: int) -> tuple[int, int]:
    """Vertices without an edge are out; the only neighbour of a vertex is in the cover."""
    changed = True
    while changed:
        changed = False
        for v in _members(left):
            if not left >> v & 1:
                continue
            neighbours = adjacency[v] & left
            if neighbours & (neighbours - 1):
                continue
            cover |= neighbours
            left &= ~(neighbours | 1 << v)
            changed = changed or neighbours != 0
    return left, cover


def _clique_bound(adjacency: list[int], left: int) -> int:
    """Vertices that disjoint cliques need, chosen greedily: one less than each has."""
    bound = 0
    # Vertices of few neighbours first: they leave the others for larger cliques.
    for v in sorted(_members(left), key=lambda v: (adjacency[v] & left).bit_count()):
        if not left >> v & 1:
            continue
        left &= ~(1 << v)
        common = adjacency[v] & left
        while common:
            other = (common & -common).bit_length() - 1
            left &= ~(1 << other)
            common &= adjacency[other] & left
            bound += 1
    return bound


def _greedy(adjacency: list[int], left: int) -> int:
    """A cover: again and again a vertex of largest degree."""
    cover = 0
    while True:
        left, cover = _reduced(adjacency, left, cover)
        vertex = _of_largest_degree(adjacency, left)
        if vertex is None:
            return cover
        left &= ~(1 << vertex)
        cover |= 1 << vertex
