"""The sources that decide all others, against a look at every source."""

from __future__ import annotations

from itertools import combinations, permutations, product

import pytest

from critical_systems import critical, critical_hypergraphs, critical_triples
from small_hypergraphs import colorings


@pytest.mark.parametrize("vertices, colors", [(1, 2), (2, 2), (3, 1), (3, 2), (4, 2), (4, 3)])
def test_every_hypergraph_is_decided(vertices: int, colors: int) -> None:
    edges = [s for size in range(1, vertices + 1) for s in combinations(range(vertices), size)]
    mono = {
        sum(1 << i for i, edge in enumerate(edges) if len({coloring[v] for v in edge}) == 1)
        for coloring in product(range(colors), repeat=vertices)
    }
    number = {frozenset(edge): 1 << i for i, edge in enumerate(edges)}
    unsolvable, solvable = (
        {
            sum(number[frozenset(order[v] for v in edge)] for edge in source.edges)
            for source in found
            for order in permutations(range(vertices))
        }
        for found in critical_hypergraphs(vertices, colors)
    )
    for source in range(2 ** len(edges)):
        answer = any(not source & broken for broken in mono)
        assert answer is any(source & ~great == 0 for great in solvable)
        assert answer is not any(least & ~source == 0 for least in unsolvable)


@pytest.mark.parametrize("fixed", [0, 1, 2])
def test_those_of_four_vertices_are_extreme(fixed: int) -> None:
    unsolvable, solvable = critical_hypergraphs(4, 2, fixed=fixed)
    for source in unsolvable:
        assert not colorings(source, 2)
        for edge in source.edges:
            rest = tuple(e for e in source.edges if e != edge)
            assert colorings(type(source)(4, rest), 2)
    assert all(colorings(source, 2) for source in solvable)
    # Parts of one and three vertices, or of two and two; which part has the fixed ones matters.
    assert {0: (3, 2), 1: (6, 3), 2: (9, 5)}[fixed] == (len(unsolvable), len(solvable))


def test_triples() -> None:
    """On four vertices three triples always have a solution: the vertex that all have."""
    unsolvable, solvable = critical_triples(4)
    assert [source.edges for source in solvable] == [((0, 1, 2), (0, 1, 3), (0, 2, 3))]
    assert [len(source.edges) for source in unsolvable] == [4]


def test_no_constraint_and_no_assignment() -> None:
    assert critical([], 2, [[0, 1]]) == ([()], [])
    assert critical([[]], 2, [[0, 1]]) == ([], [(0, 1)])
