"""Hypergraphs: notation both ways, named graphs against networkx, uniform random ones."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from math import comb

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ermbit_instances.errors import UsageError
from ermbit_instances.families.rng import Rng
from ermbit_instances.reductions.hypergraph import (
    Hypergraph,
    random_hypergraph,
    read_hypergraph,
)


def hypergraphs() -> st.SearchStrategy[Hypergraph]:
    def of(vertices: int) -> st.SearchStrategy[Hypergraph]:
        edge = st.lists(st.integers(0, vertices - 1), min_size=1, max_size=4).map(tuple)
        edges = st.lists(edge, max_size=8).map(tuple)
        return st.builds(Hypergraph, st.just(vertices), edges)

    return st.integers(1, 12).flatmap(of)


@given(hypergraphs())
def test_notation_is_read_back(source: Hypergraph) -> None:
    assert read_hypergraph(str(source)) == source


@given(hypergraphs())
def test_order_and_repetition_do_not_matter(source: Hypergraph) -> None:
    twice = tuple(edge[::-1] + edge[:1] for edge in (*source.edges, *reversed(source.edges)))
    assert Hypergraph(source.vertices, twice) == source


@pytest.mark.parametrize(
    ("text", "vertices", "edges"),
    [
        ("0-1,1-2,0-2", 3, ((0, 1), (0, 2), (1, 2))),
        (" 4;2-0-1 ", 4, ((0, 1, 2),)),
        ("4;", 4, ()),
        ("0;", 0, ()),
        ("3", 4, ((3,),)),
        ("1-1", 2, ((1,),)),
        ("path:1", 1, ()),
        ("complete:4:4", 4, ((0, 1, 2, 3),)),
        ("complete:2:3", 2, ()),
        ("random:4:0", 4, ()),
    ],
)
def test_notation(text: str, vertices: int, edges: tuple[tuple[int, ...], ...]) -> None:
    source = read_hypergraph(text, Rng(""))
    assert (source.vertices, source.edges) == (vertices, edges)


@pytest.mark.parametrize(
    ("text", "graph"),
    [
        ("path:5", nx.path_graph(5)),
        ("cycle:6", nx.cycle_graph(6)),
        ("star:4", nx.star_graph(4)),
        ("complete:5", nx.complete_graph(5)),
        ("bipartite:2:3", nx.complete_bipartite_graph(2, 3)),
        ("petersen", nx.petersen_graph()),
    ],
)
def test_named_graphs(text: str, graph: nx.Graph) -> None:
    source = read_hypergraph(text)
    assert source.is_graph
    ours = nx.Graph(source.edges)
    ours.add_nodes_from(range(source.vertices))
    assert nx.is_isomorphic(ours, graph)


def test_fano_plane() -> None:
    lines = read_hypergraph("fano").edges
    assert len(lines) == 7
    pairs = Counter(pair for line in lines for pair in combinations(line, 2))
    assert set(pairs.values()) == {1} and len(pairs) == comb(7, 2)


@pytest.mark.parametrize(
    "text",
    [
        "", ",", "0-1,", "0--1", "-1", "0-1;3", "2;0-2", "a", "cycle", "cycle:2", "cycle:-3",
        "cycle:3:2", "complete:3:0", "fano:7", "complete:2000", "complete:99999", "random:3:4",
        "random:5:1:0", "random:3", "bipartite:200:200", "path:10001", "0-99999", "٣-1",
    ],
)  # fmt: skip
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="hypergraph") as caught:
        read_hypergraph(text, Rng(""))
    assert "\n" not in str(caught.value)


def test_random_needs_a_stream() -> None:
    with pytest.raises(UsageError, match="no random stream"):
        read_hypergraph("random:5:3")


@pytest.mark.parametrize("edges", [((0, 3),), ((-1, 0),), ((),)])
def test_illegal_edges_are_refused(edges: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(UsageError, match="edge"):
        Hypergraph(3, edges)


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("edges", [0, 1, 3, 5])
def test_random_has_the_size_asked_for(edges: int, size: int) -> None:
    source = random_hypergraph(Rng(f"{edges} {size}"), 5, edges, size)
    assert source.vertices == 5 and len(source.edges) == edges
    assert {len(edge) for edge in source.edges} <= {size}


def test_random_choice_is_uniform() -> None:
    rng = Rng("uniform")
    drawn = Counter(random_hypergraph(rng, 4, 2).edges for _ in range(6000))
    assert len(drawn) == comb(comb(4, 2), 2)
    assert all(320 < count < 480 for count in drawn.values())


def test_random_golden() -> None:
    assert str(read_hypergraph("random:9:4:3", Rng("golden"))) == GOLDEN


GOLDEN = "9;0-6-7,1-3-4,1-4-7,4-7-8"
