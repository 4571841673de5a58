"""All small graphs and hypergraphs up to isomorphism, and their colourings by brute force."""

from __future__ import annotations

from itertools import combinations, permutations, product

import networkx as nx

from ermbit_instances.reductions.hypergraph import Hypergraph


def graphs(vertices: int) -> list[Hypergraph]:
    """The graphs with so many vertices (at most 7), isolated ones included."""
    return [
        Hypergraph(vertices, tuple(tuple(edge) for edge in graph.edges))
        for graph in nx.graph_atlas_g()
        if graph.number_of_nodes() == vertices
    ]


def triple_systems() -> list[Hypergraph]:
    """The 3-uniform hypergraphs on 3, 4 and 5 vertices.

    On 4 vertices only the number of triples counts; on 5 they are the complements of the edges of
    graphs.
    """
    triples = list(combinations(range(4), 3))
    found = [Hypergraph(3, ()), Hypergraph(3, ((0, 1, 2),))]
    found += [Hypergraph(4, tuple(triples[:count])) for count in range(5)]
    for graph in graphs(5):
        edges = (tuple(set(range(5)) - set(edge)) for edge in graph.edges)
        found.append(Hypergraph(5, tuple(edges)))
    return found


def all_on(vertices: int) -> list[Hypergraph]:
    """The sets of non-empty vertex sets, one-vertex edges and edges inside others included."""
    sets = [s for size in range(1, vertices + 1) for s in combinations(range(vertices), size)]
    number = {edge: i for i, edge in enumerate(sets)}
    renamed = [
        [number[tuple(sorted(order[v] for v in edge))] for edge in sets]
        for order in permutations(range(vertices))
    ]
    seen: set[frozenset[int]] = set()
    found = []
    for chosen in product((False, True), repeat=len(sets)):
        numbers = [i for i, c in enumerate(chosen) if c]
        if frozenset(numbers) not in seen:
            seen.update(frozenset(images[i] for i in numbers) for images in renamed)
            found.append(Hypergraph(vertices, tuple(sets[i] for i in numbers)))
    return found


def colorings(source: Hypergraph, colors: int) -> list[tuple[int, ...]]:
    """All colourings without an edge of one colour."""
    return [
        coloring
        for coloring in product(range(colors), repeat=source.vertices)
        if not any(len({coloring[v] for v in edge}) == 1 for edge in source.edges)
    ]
