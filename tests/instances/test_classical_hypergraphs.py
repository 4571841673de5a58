"""Classical hypergraphs against networkx and brute force, their theorems against search."""

from __future__ import annotations

from itertools import combinations

import networkx
import pytest

from ermbit_instances.errors import UsageError
from ermbit_instances.families import generate
from ermbit_instances.reductions.classical_hypergraphs import too_few_colors
from ermbit_instances.reductions.colorability import color
from ermbit_instances.reductions.hypergraph import Hypergraph, read_hypergraph


def _networkx(source: Hypergraph) -> networkx.Graph:
    graph = networkx.Graph()
    graph.add_nodes_from(range(source.vertices))
    graph.add_edges_from(source.edges)
    return graph


@pytest.mark.parametrize(
    "text, other",
    [
        ("kneser:5:2", networkx.petersen_graph()),
        ("kneser:5:1", networkx.complete_graph(5)),
        ("kneser:6:2", networkx.kneser_graph(6, 2)),
        ("kneser:7:3", networkx.kneser_graph(7, 3)),
        ("mycielski:2", networkx.complete_graph(2)),
        ("mycielski:3", networkx.cycle_graph(5)),
        ("mycielski:4", networkx.mycielski_graph(4)),
        ("mycielski:5", networkx.mycielski_graph(5)),
        ("paley:5", networkx.cycle_graph(5)),
        ("paley:13", networkx.paley_graph(13).to_undirected()),
    ],
)
def test_graphs_are_those_of_networkx(text: str, other: networkx.Graph) -> None:
    graph = _networkx(read_hypergraph(text))
    assert graph.number_of_nodes() == other.number_of_nodes()
    assert networkx.faster_could_be_isomorphic(graph, other)
    assert networkx.is_isomorphic(graph, other)


def test_queens_attack() -> None:
    source = read_hypergraph("queens:4")
    squares = [(r, c) for r in range(4) for c in range(4)]
    lines = {
        (u, v)
        for u, v in combinations(range(16), 2)
        for (r, c), (s, d) in [(squares[u], squares[v])]
        if r == s or c == d or r + c == s + d or r - c == s - d
    }
    assert set(source.edges) == lines


def test_progressions_sums_and_cliques() -> None:
    progressions = {
        edge for edge in combinations(range(11), 3) if edge[1] - edge[0] == edge[2] - edge[1]
    }
    assert set(read_hypergraph("waerden:11:3").edges) == progressions
    sums = {
        tuple(sorted({x - 1, y - 1, z - 1}))
        for x in range(1, 10)
        for y in range(1, 10)
        for z in range(1, 10)
        if x + y == z
    }
    assert set(read_hypergraph("schur:9").edges) == sums
    triangles = read_hypergraph("ramsey:6:3")
    assert (triangles.vertices, len(triangles.edges), triangles.rank) == (15, 20, 3)


@pytest.mark.parametrize(
    "text, least",
    [
        ("kneser:5:2", 3),
        ("kneser:6:2", 4),
        ("kneser:7:3", 3),
        ("kneser:6:3", 2),
        ("mycielski:3", 3),
        ("mycielski:4", 4),
        ("waerden:8:3", 2),
        ("waerden:9:3", 3),
        ("waerden:27:3", 4),
        ("waerden:34:4", 2),
        ("schur:4", 2),
        ("schur:5", 3),
        ("schur:13", 3),
        ("schur:14", 4),
        ("ramsey:5:3", 2),
        ("ramsey:6:3", 3),
    ],
)
def test_theorems_agree_with_search(text: str, least: int) -> None:
    """``least`` colours suffice, one less does not, and a theorem says no more than that."""
    source = read_hypergraph(text)
    assert color(source, least, 10**6)[0] == "sat"
    assert color(source, least - 1, 10**6)[0] == "unsat"
    assert not too_few_colors(text, least)
    assert too_few_colors(text, least - 1) or least == 2


@pytest.mark.parametrize(
    "text",
    ["paley:7", "paley:9", "paley:21", "mycielski:1", "mycielski:13", "waerden:5:1", "ramsey:5:1",
     "kneser:300:3", "queens:200", "kneser:5", "schur:1:2"],
)  # fmt: skip
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        read_hypergraph(text)


def test_families_name_the_theorem() -> None:
    made = generate("coloring", hypergraph="kneser:7:2", colors=4)
    assert made.document["meta"]["status"] == "unsat"
    assert "Lovász 1978" in made.document["meta"]["how"]
    assert generate("coloring", hypergraph="kneser:7:2", colors=5).certificate is not None
    split = generate("set_splitting", hypergraph="waerden:35:4").document["meta"]
    assert split["status"] == "unsat" and "Chvátal" in split["how"]
