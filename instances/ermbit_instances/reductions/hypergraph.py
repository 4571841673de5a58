"""Finite hypergraphs: sources of colouring, splitting and covering problems. A graph is 2-uniform.

In text: edges as vertices joined by ``-``, edges joined by ``,``, such as ``0-1,1-2,0-1-3``; before
them ``N;`` where vertices N-1 and below need not occur (``4;`` is four vertices without an edge).
Named hypergraphs and random ones are listed in :data:`NOTATION`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING

from ermbit_instances.errors import UsageError
from ermbit_instances.rational import shorten
from ermbit_instances.reductions.classical_hypergraphs import CLASSICAL

if TYPE_CHECKING:
    from ermbit_instances.families.rng import Rng

NOTATION = (
    "edges such as 0-1,1-2,0-1-3, after 5; if there are five vertices; path:N, cycle:N, star:N, "
    "complete:N[:SIZE], bipartite:N:M, petersen, fano, kneser:N:K, mycielski:K, queens:N, paley:Q, "
    "waerden:N:K, schur:N, ramsey:N:K, random:N:EDGES[:SIZE]"
)

LARGEST = 10_000
"""Most vertices, and most edges."""

LARGEST_TOTAL = 100_000
"""Most vertices that all edges have together."""

_EDGES = re.compile(r"(?:([0-9]{1,6});)?((?:[0-9]{1,6}(?:-[0-9]{1,6})*(?:,|\Z))*)", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,6}", re.ASCII)


@dataclass(frozen=True)
class Hypergraph:
    """Vertices 0..``vertices`` - 1 and edges, each a non-empty set of vertices.

    Edges are kept as ascending tuples, in lexicographic order and without repetitions, however they
    are given. Raises UsageError for a vertex out of range, an empty edge or more than
    :data:`LARGEST` vertices or edges.
    """

    vertices: int
    edges: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        edges = tuple(sorted({tuple(sorted(set(edge))) for edge in self.edges}))
        if not 0 <= self.vertices <= LARGEST or len(edges) > LARGEST:
            raise UsageError(f"hypergraph: more than {LARGEST} vertices or edges")
        if sum(map(len, edges)) > LARGEST_TOTAL:
            raise UsageError(f"hypergraph: edges of more than {LARGEST_TOTAL} vertices in all")
        for edge in edges:
            if not edge:
                raise UsageError("hypergraph: an edge has no vertex")
            if edge[0] < 0 or edge[-1] >= self.vertices:
                top = self.vertices - 1
                raise UsageError(f"hypergraph: edge {_written(edge)}: vertices are 0..{top}")
        object.__setattr__(self, "edges", edges)

    @property
    def rank(self) -> int:
        """The size of the largest edge, 0 without edges."""
        return max(map(len, self.edges), default=0)

    @property
    def is_graph(self) -> bool:
        """Whether every edge has two vertices."""
        return all(len(edge) == 2 for edge in self.edges)

    def __str__(self) -> str:
        """The notation that :func:`read_hypergraph` reads: ``3;0-1,1-2``."""
        return f"{self.vertices};" + ",".join(map(_written, self.edges))


def read_hypergraph(text: str, rng: Rng | None = None) -> Hypergraph:
    """The hypergraph that ``text`` denotes (:data:`NOTATION`); ``random:...`` draws from ``rng``.

    Raises UsageError for another text, a size past :data:`LARGEST`, or ``random`` without ``rng``.

    >>> read_hypergraph("cycle:4")
    Hypergraph(vertices=4, edges=((0, 1), (0, 3), (1, 2), (2, 3)))
    """
    text = text.strip()
    match = _EDGES.fullmatch(text)
    if match and text and not text.endswith(","):
        parts = match[2].split(",") if match[2] else []
        edges = [tuple(int(vertex) for vertex in part.split("-")) for part in parts]
        least = 1 + max((vertex for edge in edges for vertex in edge), default=-1)
        return Hypergraph(least if match[1] is None else int(match[1]), tuple(edges))
    name, *rest = text.split(":")
    if all(_NUMBER.fullmatch(part) for part in rest):
        numbers = [int(part) for part in rest]
        if max(numbers, default=0) > LARGEST:
            raise UsageError(f"hypergraph {shorten(text)}: more than {LARGEST} vertices or edges")
        if name == "random" and len(numbers) in (2, 3):
            if rng is None:
                raise UsageError(f"hypergraph {shorten(text)}: no random stream is given")
            return random_hypergraph(rng, *numbers)
        if (name, len(numbers)) in _NAMED:
            return _NAMED[name, len(numbers)](*numbers)
        if (name, len(numbers)) in CLASSICAL:
            vertices, edges = CLASSICAL[name, len(numbers)](*numbers)
            return Hypergraph(vertices, tuple(edges))
    raise UsageError(f"hypergraph {shorten(text)!r} is not one of: {NOTATION}")


def random_hypergraph(rng: Rng, vertices: int, edges: int, size: int = 2) -> Hypergraph:
    """A uniform choice of ``edges`` distinct sets of ``size`` vertices.

    Sets are drawn until so many are distinct.

    Raises UsageError when there are not so many sets, or past :data:`LARGEST`.
    """
    if edges * size > LARGEST_TOTAL:
        raise UsageError(f"hypergraph: edges of more than {LARGEST_TOTAL} vertices in all")
    total = comb(vertices, size) if size else 0
    if edges > total:
        raise UsageError(
            f"hypergraph: {vertices} vertices have {total} sets of size {size}, not {edges}"
        )
    chosen: set[tuple[int, ...]] = set()
    while len(chosen) < edges:
        chosen.add(random_edge(rng, vertices, size))
    return Hypergraph(vertices, tuple(chosen))


def random_edge(rng: Rng, vertices: int, size: int) -> tuple[int, ...]:
    """A uniform set of ``size`` vertices, ascending; ``size`` numbers of the stream.

    By Floyd's method (Bentley & Floyd, "A sample of brilliance", CACM 1987).
    """
    members: set[int] = set()
    for last in range(vertices - size, vertices):
        vertex = rng.integers(0, last)
        members.add(last if vertex in members else vertex)
    return tuple(sorted(members))


def complete(vertices: int, size: int = 2) -> Hypergraph:
    """All sets of ``size`` vertices."""
    if size and comb(vertices, size) * size > LARGEST_TOTAL:
        raise UsageError(f"hypergraph: more than {LARGEST} vertices or edges")
    return Hypergraph(vertices, tuple(combinations(range(vertices), size)))


def path(vertices: int) -> Hypergraph:
    """0 - 1 - 2 - …"""
    return _graph(vertices, ((i, i + 1) for i in range(vertices - 1)))


def cycle(vertices: int) -> Hypergraph:
    """A path and the edge that closes it; at least 3 vertices."""
    if vertices < 3:
        raise UsageError(f"hypergraph: a cycle has at least 3 vertices, not {vertices}")
    return _graph(vertices, ((i, (i + 1) % vertices) for i in range(vertices)))


def star(leaves: int) -> Hypergraph:
    """Vertex 0 joined to 1..``leaves``."""
    return _graph(leaves + 1, ((0, leaf) for leaf in range(1, leaves + 1)))


def bipartite(left: int, right: int) -> Hypergraph:
    """Every one of the first ``left`` vertices joined to every one of the ``right`` others."""
    if left * right > LARGEST:
        raise UsageError(f"hypergraph: more than {LARGEST} vertices or edges")
    return _graph(left + right, ((i, left + j) for i in range(left) for j in range(right)))


def petersen() -> Hypergraph:
    """The Petersen graph: an outer 5-cycle, an inner pentagram, and spokes."""
    outer = [(i, (i + 1) % 5) for i in range(5)]
    inner = [(5 + i, 5 + (i + 2) % 5) for i in range(5)]
    return _graph(10, (*outer, *inner, *((i, i + 5) for i in range(5))))


def fano() -> Hypergraph:
    """The seven lines of the Fano plane: the difference set {0, 1, 3} modulo 7."""
    return _graph(7, (tuple((i + d) % 7 for d in (0, 1, 3)) for i in range(7)))


def _graph(vertices: int, edges: Iterable[tuple[int, ...]]) -> Hypergraph:
    return Hypergraph(vertices, tuple(edges))


def _written(edge: tuple[int, ...]) -> str:
    return "-".join(map(str, edge))


_NAMED: dict[tuple[str, int], Callable[..., Hypergraph]] = {
    ("path", 1): path,
    ("cycle", 1): cycle,
    ("star", 1): star,
    ("complete", 1): complete,
    ("complete", 2): complete,
    ("bipartite", 2): bipartite,
    ("petersen", 0): petersen,
    ("fano", 0): fano,
}
