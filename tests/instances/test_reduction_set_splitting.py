"""Set splitting as training: all graphs on 1..5 vertices, all triple systems on 3..5.

Each in both forms over int:-2:2, and each hypergraph with edges of all sizes on up to 3 vertices,
up to isomorphism. Over the reals each graph and triple system on up to 4 vertices; and hypergraphs
on up to 5 vertices are all decided, by the least ones without and the greatest ones with a
splitting (`critical_systems`). The answer is that of the source by brute force, and certificates
are mapped both ways.
"""

from __future__ import annotations

from fractions import Fraction

import pytest
from gmpy2 import mpq
from hypothesis import given
from hypothesis import strategies as st

from critical_systems import asks_less, critical_hypergraphs
from engine_checks import check_certificate, decide
from ermbit_instances.algebraic import algebraic
from ermbit_instances.certificate import Value, parse_certificate
from ermbit_instances.errors import UsageError
from ermbit_instances.families import FamilyError, generate
from ermbit_instances.families.domain_text import domain_document
from ermbit_instances.instance import parse_instance
from ermbit_instances.rational import Rational
from ermbit_instances.reductions.hypergraph import Hypergraph, read_hypergraph
from ermbit_instances.reductions.set_splitting import (
    FORMS,
    Form,
    certificate,
    instance,
    needed_values,
    solution,
    solve,
)
from small_hypergraphs import all_on, colorings, graphs, triple_systems

ROOT = algebraic([-2, 0, 1], mpq(1), mpq(2))


def check_answer(source: Hypergraph, form: Form, domain: str, engine: str) -> None:
    document = instance(source, form, domain_document(domain))
    expected = colorings(source, 2)
    outcome = decide(engine, document, Fraction(0))
    assert outcome.status == ("sat" if expected else "unsat"), (source, outcome.reason)
    if outcome.values is not None:
        assert solution(source, outcome.values, form) in expected


@pytest.mark.parametrize("form", FORMS)
def test_all_small_sources_in_integers(form: Form) -> None:
    for source in (s for n in range(1, 6) for s in graphs(n)):
        check_answer(source, form, "int:-2:2", "sat")
    for source in triple_systems():
        check_answer(source, form, "int:-2:2", "sat")


@pytest.mark.parametrize("form", FORMS)
def test_hypergraphs_with_edges_of_all_sizes(form: Form) -> None:
    """Edges of one vertex, and edges inside others, included."""
    for source in (s for n in range(1, 4) for s in all_on(n)):
        check_answer(source, form, "int:-2:2", "exhaustive")


@pytest.mark.parametrize("form", FORMS)
def test_small_sources_over_the_reals(form: Form) -> None:
    """On up to 4 vertices; see below for 5."""
    for source in (s for n in range(1, 5) for s in graphs(n)):
        check_answer(source, form, "real", "smt")
    for source in triple_systems():
        if source.vertices < 5:
            check_answer(source, form, "real", "smt")


@pytest.mark.parametrize("form, vertices, count", [
    ("frozen", 2, 1 + 1), ("frozen", 3, 2 + 1), ("frozen", 4, 3 + 2), ("frozen", 5, 12 + 2),
    ("free", 2, 2 + 1), ("free", 3, 3 + 2), ("free", 4, 6 + 3), ("free", 5, 27 + 4),
])  # fmt: skip
def test_hypergraphs_that_decide_all_others(form: Form, vertices: int, count: int) -> None:
    """Over the reals, as samples only ever come with edges: 2^31 hypergraphs on 5 vertices.

    The form ``free`` has a sample of the first vertex, which therefore stays in its place.
    """
    fixed = int(form == "free")
    unsolvable, solvable = critical_hypergraphs(vertices, 2, fixed=fixed)
    assert len(unsolvable) + len(solvable) == count
    assert not any(colorings(source, 2) for source in unsolvable)
    assert all(colorings(source, 2) for source in solvable)
    for source in unsolvable + solvable:
        check_answer(source, form, "real", "smt")
        part = Hypergraph(vertices, source.edges[1:])
        assert asks_less(*(instance(s, form, {"domain": "real"}) for s in (part, source)))


@pytest.mark.parametrize("form", FORMS)
def test_forward_and_back(form: Form) -> None:
    sources = [*graphs(4), *triple_systems(), read_hypergraph("6;0-1-2-3,2-3,3-4-5")]
    for source in sources:
        document = instance(source, form, domain_document("real"))
        for coloring in colorings(source, 2)[::3]:
            values = certificate(source, coloring, form)
            assert needed_values(source, form) >= set(values)
            check_certificate(document, values, Fraction(0))
            back = solution(source, values, form)
            assert back == coloring
            if form == "free":
                # The same function with the first unit negated: 1 - step(-2z - 1) for integers z.
                check_negated(source, values, coloring)


def check_negated(
    source: Hypergraph, values: tuple[Rational, ...], coloring: tuple[int, ...]
) -> None:
    n = source.vertices
    first = [-2 * w for w in values[:n]]
    offset = -2 * values[2 * n] - 1
    v1, v2, v0 = values[-3:]
    negated = (*first, *values[n : 2 * n], offset, values[2 * n + 1], -v1, v2, v0 + v1)
    check_certificate(instance(source, "free", {"domain": "real"}), negated, Fraction(0))
    assert solution(source, negated, "free") == coloring


@given(
    st.sampled_from([g for g in graphs(4) if colorings(g, 2)]),
    st.sampled_from(FORMS),
    st.tuples(st.sampled_from([mpq(1, 3), mpq(5), ROOT]), st.sampled_from([mpq(2), ROOT])),
)
def test_scaled_units_are_read(
    source: Hypergraph, form: Form, factors: tuple[Value, Value]
) -> None:
    coloring, n = colorings(source, 2)[-1], source.vertices
    values = list(certificate(source, coloring, form))
    scaled = [v * factors[k // n] if k < 2 * n else v for k, v in enumerate(values)]
    assert solution(source, scaled, form) == coloring


@pytest.mark.parametrize("form", FORMS)
def test_values_that_are_no_certificate(form: Form) -> None:
    source = read_hypergraph("path:3")
    good = certificate(source, (0, 1, 0), form)
    for values in (good[1:], (*good, mpq(0)), (mpq(0),) * len(good)):
        with pytest.raises(UsageError, match="set splitting"):
            solution(source, values, form)


@pytest.mark.parametrize("text, status", [
    ("fano", "unsat"), ("complete:5:3", "unsat"), ("cycle:7", "unsat"), ("petersen", "unsat"),
    ("complete:6:4", "sat"), ("cycle:8", "sat"), ("planted:60:150:3", "sat"), ("3;", "sat"),
])  # fmt: skip
@pytest.mark.parametrize("form", FORMS)
def test_family(form: Form, text: str, status: str) -> None:
    generated = generate("set_splitting", form=form, hypergraph=text)
    document, meta = generated.document, generated.document["meta"]
    assert meta["status"] == status == solve(read_hypergraph(meta["hypergraph"]))[0]
    if generated.certificate is not None:
        values = parse_certificate(generated.certificate, parse_instance(document)).values
        check_certificate(document, tuple(values), Fraction(0))
        solution(read_hypergraph(meta["hypergraph"]), values, form)


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"hypergraph": "0;"}, "at least one vertex"),
        ({"hypergraph": "squares"}, "parameter hypergraph"),
        ({"hypergraph": "planted:2:5"}, "no colouring of 2 vertices"),
        ({"hypergraph": "complete:6:4", "domain": "int:-2:2"}, "parameter domain: it lacks 3"),
        ({"hypergraph": "path:3", "domain": "int:2:1"}, "parameter domain: int:2:1"),
    ],
)
def test_family_refuses(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(FamilyError, match=message) as caught:
        generate("set_splitting", **parameters)
    assert "\n" not in str(caught.value)
