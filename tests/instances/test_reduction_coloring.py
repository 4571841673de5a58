"""Colouring as training: all graphs on 1..5 vertices with 2 and 3 colours, triple systems with 2.

Those on up to 4 vertices each, in all forms, in the smallest domain and over the reals; those on 5
each in the forms ``plain`` and ``bias`` in the smallest domain. Elsewhere they are decided by the
least ones without and the greatest ones with a colouring (`critical_systems`), and so are over the
reals all hypergraphs with edges of all sizes, on up to 5 vertices with 2 and on 5 with 3 colours.
Of those in the smallest domain each on up to 3 vertices is tried. All this is up to isomorphism.
The answer is that of the source by brute force, and certificates are mapped both ways.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import permutations

import pytest
from gmpy2 import mpq
from hypothesis import given, settings
from hypothesis import strategies as st

from critical_systems import asks_less, critical_hypergraphs
from engine_checks import check_certificate, decide
from ermbit_instances.algebraic import algebraic
from ermbit_instances.certificate import parse_certificate
from ermbit_instances.errors import UsageError
from ermbit_instances.families import FamilyError, generate
from ermbit_instances.families.domain_text import domain_document
from ermbit_instances.families.rng import Rng
from ermbit_instances.instance import parse_instance
from ermbit_instances.reductions.colorability import color, is_proper, planted
from ermbit_instances.reductions.coloring import (
    FORMS,
    Form,
    certificate,
    instance,
    needed_values,
    solution,
    solve,
)
from ermbit_instances.reductions.hypergraph import Hypergraph, read_hypergraph
from small_hypergraphs import all_on, colorings, graphs, triple_systems

ROOT = algebraic([-2, 0, 1], mpq(1), mpq(2))


def sources(most: int = 5) -> Iterator[tuple[Hypergraph, int]]:
    for n in range(1, most + 1):
        for graph in graphs(n):
            yield graph, 2
            if n > 2:
                yield graph, 3
    for system in triple_systems():
        if system.vertices <= most:
            yield system, 2


def check_answer(source: Hypergraph, colors: int, form: Form, domain: str, engine: str) -> None:
    document = instance(source, colors, form, domain_document(domain))
    expected = colorings(source, colors)
    outcome = decide(engine, document, Fraction(0))
    assert outcome.status == ("sat" if expected else "unsat"), (source, colors, outcome.reason)
    if outcome.values is not None:
        assert solution(source, colors, outcome.values, form) in expected


def smallest(source: Hypergraph, colors: int, form: Form) -> str:
    needed = needed_values(source, colors, form)
    if form == "plain":
        return "finite:" + ",".join(map(str, sorted(needed)))
    return f"int:{min(needed)}:{max(needed)}"


def test_sources_are_all() -> None:
    # 1, 2, 4, 11 and 34 graphs, and 2, 5 and 34 triple systems.
    assert len(list(sources())) == (1 + 2 + 2 * (4 + 11 + 34)) + (2 + 5 + 34)
    # Graphs with loops, with and without an edge of all three vertices.
    assert [len(all_on(n)) for n in (1, 2, 3)] == [2, 6, 2 * 20]


@pytest.mark.parametrize("form", FORMS)
def test_all_small_sources_in_the_smallest_domain(form: Form) -> None:
    for source, colors in sources(4 if form == "free" else 5):
        check_answer(source, colors, form, smallest(source, colors, form), "sat")


@pytest.mark.parametrize("form", FORMS)
def test_all_small_sources_over_the_reals(form: Form) -> None:
    """On up to 4 vertices; see below for 5."""
    for source, colors in sources(4):
        check_answer(source, colors, form, "real", "smt" if form == "free" else "cells")


def check_critical(
    found: tuple[list[Hypergraph], list[Hypergraph]], colors: int, form: Form, domain: str
) -> None:
    """As samples only ever come with edges, the answers are those of all other hypergraphs."""
    unsolvable, solvable = found
    assert not any(colorings(source, colors) for source in unsolvable)
    assert all(colorings(source, colors) for source in solvable)
    for source in unsolvable + solvable:
        check_answer(source, colors, form, domain, "sat" if domain != "real" else "smt")
        part = Hypergraph(source.vertices, source.edges[1:])
        assert asks_less(*(instance(s, colors, form, {"domain": "real"}) for s in (part, source)))


@pytest.mark.parametrize("sizes, colors, count", [((2,), 2, 2 + 2), ((2,), 3, 1 + 2),
                                                  ((3,), 2, 1 + 1)])  # fmt: skip
def test_all_on_five_vertices_with_free_outputs_in_integers(
    sizes: tuple[int, ...], colors: int, count: int
) -> None:
    """Graphs and triple systems: in one domain, the smallest, which edges of a size share."""
    found = critical_hypergraphs(5, colors, sizes)
    domains = {smallest(source, colors, "free") for source in found[0] + found[1]}
    assert len(found[0] + found[1]) == count and len(domains) == 1
    check_critical(found, colors, "free", domains.pop())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("vertices, colors, count", [
    (2, 2, 1 + 1), (3, 2, 2 + 1), (4, 2, 3 + 2), (5, 2, 12 + 2), (5, 3, 3 + 2),
])  # fmt: skip
def test_hypergraphs_that_decide_all_others(
    form: Form, vertices: int, colors: int, count: int
) -> None:
    """With edges of all sizes, over the reals: 2^31 hypergraphs on 5 vertices."""
    found = critical_hypergraphs(vertices, colors)
    assert len(found[0] + found[1]) == count
    check_critical(found, colors, form, "real")


@pytest.mark.parametrize("form", FORMS)
def test_edges_of_all_sizes(form: Form) -> None:
    """Edges of one vertex, and edges inside others, included."""
    for source in (s for n in range(1, 4) for s in all_on(n)):
        check_answer(source, 2, form, smallest(source, 2, form), "sat")


@pytest.mark.parametrize("form", FORMS)
def test_one_colour_allows_no_edge(form: Form) -> None:
    for source in graphs(3):
        check_answer(source, 1, form, smallest(source, 1, form), "sat")


@pytest.mark.parametrize("form", FORMS)
def test_forward_and_back(form: Form) -> None:
    mixed = read_hypergraph("5;0-1-2-3,2-3,3-4")
    for source, colors in [*list(sources(4))[::2], (mixed, 2), (mixed, 3)]:
        document = instance(source, colors, form, domain_document("real"))
        for coloring in colorings(source, colors)[::3]:
            values = certificate(source, colors, coloring, form)
            assert needed_values(source, colors, form) >= set(values)
            check_certificate(document, values, Fraction(0))
            assert solution(source, colors, values, form) == coloring


def test_units_in_any_order_are_read() -> None:
    source = read_hypergraph("cycle:5")
    coloring = colorings(source, 3)[-1]
    values = certificate(source, 3, coloring, "bias")
    rows, offsets = [values[5 * j : 5 * j + 5] for j in range(3)], values[15:]
    for order in permutations(range(3)):
        swapped = [w for j in order for w in rows[j]] + [offsets[j] for j in order]
        back = solution(source, 3, swapped, "bias")
        assert is_proper(source, back)
        assert [order[c] for c in back] == list(coloring)


@given(st.sampled_from([g for g in graphs(4) if colorings(g, 3)]), st.sampled_from(FORMS))
def test_algebraic_values_are_read(source: Hypergraph, form: Form) -> None:
    coloring = colorings(source, 3)[0]
    values = [v * ROOT for v in certificate(source, 3, coloring, form)]
    assert solution(source, 3, values, form) == coloring


@pytest.mark.parametrize("form", FORMS)
def test_values_that_are_no_certificate(form: Form) -> None:
    source = read_hypergraph("path:3")
    good = certificate(source, 2, (0, 1, 0), form)
    for values in (good[1:], (*good, mpq(0)), (mpq(0),) * len(good), (mpq(1),) * len(good)):
        with pytest.raises(UsageError, match="coloring"):
            solution(source, 2, values, form)


# --- search and planted sources ------------------------------------------------------------------


@given(
    st.integers(1, 6).flatmap(
        lambda n: st.lists(
            st.lists(st.integers(0, n - 1), min_size=1, max_size=3).map(tuple), max_size=10
        ).map(lambda edges: Hypergraph(n, tuple(edges)))
    ),
    st.integers(1, 4),
)
def test_search_against_brute_force(source: Hypergraph, colors: int) -> None:
    status, coloring = color(source, colors)
    expected = colorings(source, colors)
    assert status == ("sat" if expected else "unsat")
    assert (coloring in expected) if expected else coloring is None


def test_search_gives_up() -> None:
    hard = read_hypergraph("random:60:130:3", Rng("0"))
    assert color(hard, 2)[0] == "unsat"
    assert color(hard, 2, steps=200) == ("unknown", None)
    assert color(read_hypergraph("path:5000"), 3) == ("unknown", None)
    assert color(read_hypergraph("petersen"), 3)[0] == "sat"


@settings(max_examples=40)
@given(st.integers(2, 12), st.integers(1, 20), st.integers(2, 3), st.integers(2, 4), st.text())
def test_planted_colourings_are_proper(n: int, m: int, size: int, colors: int, key: str) -> None:
    try:
        source, hidden = planted(Rng(key), n, m, size, colors)
    except UsageError:
        return
    assert (source.vertices, len(source.edges)) == (n, m)
    assert is_proper(source, hidden) and set(hidden) <= set(range(colors))


# --- the family ----------------------------------------------------------------------------------


@pytest.mark.parametrize("text, colors, status", [
    ("complete:4", 3, "unsat"), ("complete:4", 4, "sat"), ("petersen", 3, "sat"),
    ("fano", 2, "unsat"), ("fano", 3, "sat"), ("planted:50:120", 3, "sat"), ("2;", 1, "sat"),
])  # fmt: skip
@pytest.mark.parametrize("form", FORMS)
def test_family(form: Form, text: str, colors: int, status: str) -> None:
    generated = generate("coloring", form=form, hypergraph=text, colors=colors)
    document, meta = generated.document, generated.document["meta"]
    assert meta["status"] == status
    source = read_hypergraph(meta["hypergraph"])
    if generated.certificate is not None:
        assert source.vertices > 40 or solve(source, colors)[0] == "sat"
        values = parse_certificate(generated.certificate, parse_instance(document)).values
        check_certificate(document, tuple(values), Fraction(0))
        assert is_proper(source, solution(source, meta["colors"], values, form))


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"hypergraph": "0;"}, "at least one vertex"),
        ({"hypergraph": "0-5;"}, "parameter hypergraph"),
        ({"hypergraph": "petersen", "domain": "ternary", "form": "free"}, "domain: it lacks -5"),
        ({"hypergraph": "petersen", "domain": "ints"}, "parameter domain: 'ints'"),
        ({"colors": 0}, "parameter colors"),
    ],
)
def test_family_refuses(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(FamilyError, match=message) as caught:
        generate("coloring", **parameters)
    assert "\n" not in str(caught.value)
