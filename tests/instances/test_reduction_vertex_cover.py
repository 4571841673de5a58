"""Vertex cover on one ReLU and on one halfspace: all graphs with up to five vertices.

The cover number comes from networkx (maximal cliques of the complement). For each graph, with and
without a bias and for each loss: the minimum by enumeration over the smallest domain; over the
reals the minimum by a search over cells or by hitting sets, and for up to four vertices the
decisions at τ, τ - 1 and τ - 10^-12. Certificates that engines find are mapped back, and so are
random weights, good or bad.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import networkx as nx
import pytest
from gmpy2 import mpq
from hypothesis import given
from hypothesis import strategies as st

import reference
from engine_checks import decide, fraction, minimize
from ermbit.verifier.verify import verify
from ermbit_instances.algebraic import algebraic
from ermbit_instances.certificate import parameters_document, parse_certificate
from ermbit_instances.errors import UsageError
from ermbit_instances.families import FamilyError, generate
from ermbit_instances.families.rng import Rng
from ermbit_instances.instance import parse_instance
from ermbit_instances.reductions import vertex_cover_halfspace, vertex_cover_relu
from ermbit_instances.reductions.hypergraph import Hypergraph, random_hypergraph, read_hypergraph
from ermbit_instances.reductions.vertex_cover import is_cover, planted, solve

REAL = {"domain": "real"}
GRAPHS = [Hypergraph(len(g), tuple(g.edges)) for g in nx.graph_atlas_g()[1:53]]
SIZES = {n: [g for g in GRAPHS if g.vertices == n] for n in range(1, 6)}

# Loss (zero_one is the halfspace), bias, the smallest domain.
FORMS = [
    ("absolute", False, "bipolar"),
    ("absolute", True, "ternary"),
    ("squared", False, "bipolar"),
    ("squared", True, "ternary"),
    ("zero_one", False, "finite:-2,1"),
    ("zero_one", True, "finite:-2,0,1"),
]


def cover_number(graph: Hypergraph) -> int:
    """n less the largest clique of the complement."""
    g = nx.Graph(graph.edges)
    g.add_nodes_from(range(graph.vertices))
    return graph.vertices - max(map(len, nx.find_cliques(nx.complement(g))))


def made(graph: Hypergraph, loss: str, bias: bool, domain: str, threshold: str = "tau") -> Any:
    family = "vertex_cover_halfspace" if loss == "zero_one" else "vertex_cover_relu"
    more = {} if loss == "zero_one" else {"loss": loss}
    return generate(
        family, graph=str(graph), bias=bias, domain=domain, threshold=threshold, **more
    )


def module_of(loss: str) -> Any:
    return vertex_cover_halfspace if loss == "zero_one" else vertex_cover_relu


def check_back(graph: Hypergraph, loss: str, values: Any, size: int) -> None:
    """Values that reach a loss of at most ``size`` lead back to a cover of that size."""
    cover = module_of(loss).solution(graph, values)
    assert is_cover(graph, cover) and len(cover) <= size


def test_there_are_all_graphs() -> None:
    assert [len(SIZES[n]) for n in range(1, 6)] == [1, 2, 4, 11, 34]


@pytest.mark.parametrize("graph", GRAPHS, ids=str)
def test_least_covers(graph: Hypergraph) -> None:
    found = solve(graph)
    assert found.is_exact and found.lower == cover_number(graph)
    assert is_cover(graph, found.cover)


@pytest.mark.parametrize("loss, bias, domain", FORMS)
@pytest.mark.parametrize("n", SIZES)
def test_least_loss_over_the_smallest_domain(n: int, loss: str, bias: bool, domain: str) -> None:
    for graph in SIZES[n]:
        tau = cover_number(graph)
        generated = made(graph, loss, bias, domain)
        meta = generated.document["meta"]
        assert (meta["status"], meta["minimum"]) == ("sat", tau)
        assert generated.document["threshold"] == tau
        planted_theta = parse_certificate(
            generated.certificate, parse_instance(generated.document)
        ).values
        found = minimize("exhaustive", generated.document)
        assert (found.status, found.lower_bound) == ("optimal", tau)
        assert found.values is not None
        for values in (planted_theta, found.values):
            check_back(graph, loss, values, tau)


@pytest.mark.parametrize("loss, bias, domain", FORMS)
@pytest.mark.parametrize("n", SIZES)
def test_least_loss_over_the_reals(n: int, loss: str, bias: bool, domain: str) -> None:
    engine = "hitting_sets" if loss == "zero_one" else "cells"
    for graph in SIZES[n]:
        tau = cover_number(graph)
        found = minimize(engine, made(graph, loss, bias, "real").document)
        assert (found.status, found.lower_bound) == ("optimal", tau)
        assert found.values is not None
        check_back(graph, loss, found.values, tau)


@pytest.mark.parametrize("loss, bias, domain", FORMS)
@pytest.mark.parametrize("n", range(1, 5))
def test_decisions_have_no_tolerance(n: int, loss: str, bias: bool, domain: str) -> None:
    real = "cells" if loss == "squared" else "smt"
    for graph in SIZES[n]:
        tau = cover_number(graph)
        for threshold, limit in (
            ("tau", Fraction(tau)),
            ("tau-1", Fraction(tau - 1)),
            ("tau-1e-12", tau - Fraction(1, 10**12)),
            ("tau+1e-12", tau + Fraction(1, 10**12)),
        ):
            for engine, name in (("exhaustive", domain), (real, "real")):
                document = made(graph, loss, bias, name, threshold).document
                assert Fraction(document["threshold"]) == limit
                found = decide(engine, document, limit)
                assert found.status == document["meta"]["status"]
                assert found.status == ("sat" if limit >= tau else "unsat")
                if found.values is not None:
                    check_back(graph, loss, found.values, tau)


@st.composite
def weighted_graphs(draw: st.DrawFn) -> tuple[Hypergraph, list[Fraction], bool]:
    n = draw(st.integers(1, 6))
    graph = random_hypergraph(
        Rng(str(draw(st.integers(0, 10**6)))), n, draw(st.integers(0, n * (n - 1) // 2))
    )
    bias = draw(st.booleans())
    values = st.one_of(
        st.sampled_from([Fraction(v) for v in ("1", "-1", "1/2", "0")]),
        st.fractions(-2, 2, max_denominator=12),
    )
    return graph, draw(st.lists(values, min_size=n + bias, max_size=n + bias)), bias


@given(weighted_graphs(), st.sampled_from(["absolute", "squared", "zero_one"]))
def test_every_theta_leads_back(case: Any, loss: str) -> None:
    """Not only optimal ones: the cover never has more vertices than the loss."""
    graph, values, bias = case
    document = made(graph, loss, bias, "real").document
    exact = [mpq(v.numerator, v.denominator) for v in values]
    names = [p.name for p in parse_instance(document).network.parameters]
    size = reference.loss(document, dict(zip(names, values, strict=True)))
    cover = module_of(loss).solution(graph, exact)
    assert is_cover(graph, cover) and len(cover) <= size


@given(weighted_graphs(), st.sampled_from(["absolute", "squared", "zero_one"]))
def test_algebraic_theta_leads_back(case: Any, loss: str) -> None:
    graph, values, bias = case
    document = made(graph, loss, bias, "real").document
    root = algebraic([-1, 0, 2], mpq(0), mpq(1))
    exact = [root * mpq(v.numerator, v.denominator) for v in values]
    instance = parse_instance(document)
    size = verify(instance, parameters_document(instance.network, exact)).loss
    cover = module_of(loss).solution(graph, exact)
    assert is_cover(graph, cover) and len(cover) <= size


def test_a_file_is_enough_for_the_way_back() -> None:
    document = made(read_hypergraph("petersen"), "absolute", False, "bipolar").document
    found = minimize("sat", document)
    graph = read_hypergraph(document["meta"]["graph"])
    assert found.values is not None and found.lower_bound == 6
    assert len(vertex_cover_relu.solution(graph, found.values)) == 6


# --- the family ----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_planted_covers_are_least(seed: int) -> None:
    graph, cover = planted(Rng(str(seed)), 4, 3, 12)
    assert is_cover(graph, cover) and len(cover) == cover_number(graph) == 8
    document = generate("vertex_cover_relu", seed, graph="planted:40:3:150").document
    assert document["meta"]["minimum"] == document["threshold"] == 80


@pytest.mark.parametrize("seed", range(5))
def test_least_covers_of_random_graphs(seed: int) -> None:
    graph = random_hypergraph(Rng(str(seed)), 26, 70)
    assert solve(graph).lower == cover_number(graph)


def test_a_search_that_ends_early_gives_bounds() -> None:
    graph = random_hypergraph(Rng("x"), 200, 600)
    found = solve(graph, steps=300)
    assert is_cover(graph, found.cover) and not found.is_exact
    assert found.lower < len(found.cover)
    with pytest.raises(FamilyError, match="tau is only known"):
        generate("vertex_cover_relu", graph=str(graph))
    status = {}
    for threshold in (0, 115, 200):
        meta = generate("vertex_cover_relu", graph=str(graph), threshold=threshold).document["meta"]
        status[threshold] = meta["status"]
        assert "minimum" not in meta
    assert status == {0: "unsat", 115: "unknown", 200: "sat"}


def test_domains_that_lack_a_value() -> None:
    for family, domain in (("vertex_cover_relu", "int:0:1"), ("vertex_cover_halfspace", "ternary")):
        with pytest.raises(FamilyError, match="domain"):
            generate(family, domain=domain)
        meta = generate(family, domain=domain, threshold="tau-1").document["meta"]
        assert meta["status"] == "unsat" and "minimum" not in meta


def test_halfspaces_of_the_star_need_more_than_the_integers_from_minus_one_to_one() -> None:
    settings = {"graph": "star:3", "domain": "ternary", "threshold": "1/2"}
    document = generate("vertex_cover_halfspace", **settings).document
    assert fraction(minimize("exhaustive", document).lower_bound) > 1


@pytest.mark.parametrize(
    "parameters, reason",
    [
        ({"graph": "fano"}, "expected a graph"),
        ({"graph": "0;"}, "expected a graph"),
        ({"graph": "planted:0:3"}, "planted"),
        ({"graph": "planted:3:1"}, "planted"),
        ({"graph": "planted:900:2"}, "more than 1000 vertices"),
        ({"graph": "planted:9999:9999"}, "more than 1000 vertices"),
        ({"graph": "planted:9:2:999999"}, "10000 edges"),
        ({"graph": "random:2000:3"}, "expected a graph"),
        ({"graph": "0-"}, "graph"),
        ({"threshold": "tau1"}, "threshold"),
        ({"threshold": "tau-x"}, "threshold"),
        ({"threshold": "x"}, "threshold"),
        ({"threshold": 0.5}, "threshold"),
        ({"domain": "int:1:0"}, "domain"),
    ],
)
@pytest.mark.parametrize("family", ["vertex_cover_relu", "vertex_cover_halfspace"])
def test_refusals(family: str, parameters: dict[str, Any], reason: str) -> None:
    with pytest.raises(FamilyError, match=reason) as caught:
        generate(family, **parameters)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("module", [vertex_cover_relu, vertex_cover_halfspace])
def test_values_of_another_network_are_refused(module: Any) -> None:
    with pytest.raises(UsageError, match="expected 3 or 4 values"):
        module.solution(read_hypergraph("path:3"), [mpq(1)] * 2)
