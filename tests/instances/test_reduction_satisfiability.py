"""1-in-3 satisfiability and clauses on small networks, against all assignments.

Sources: all systems of triples on three and four variables, those on five up to isomorphism (a
triple is the complement of an edge of a graph); all formulas of clauses of one and two literals on
two variables, and of three literals on three variables, up to exchange and negation of variables.
Each in every form, over the smallest domain (clauses and CaDiCaL) and over the reals (linear
arithmetic; not those on three variables in the form ``masked``); certificates that engines find are
mapped back.

Of clauses of one, two and three literals on three variables, up to exchange and negation, all
formulas without a clause that follows from the others, over the smallest domain; every formula is
equivalent to one of them. All 2^26 formulas over the reals, and all 2^20 systems of triples on six
variables over both, are decided by the least ones without a solution and the greatest ones with one
(`critical_systems`).
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import combinations, permutations, product
from typing import Any

import networkx as nx
import pytest
from gmpy2 import mpq
from hypothesis import given
from hypothesis import strategies as st

from critical_systems import asks_less, critical, critical_triples
from engine_checks import check_certificate, decide, minimize
from ermbit_instances.certificate import parse_certificate
from ermbit_instances.errors import UsageError
from ermbit_instances.families import FamilyError, generate
from ermbit_instances.instance import parse_instance
from ermbit_instances.reductions import loading, one_in_three
from ermbit_instances.reductions.formulas import Clauses, read_clauses
from ermbit_instances.reductions.hypergraph import Hypergraph, read_hypergraph

ZERO = Fraction(0)


def assignments(n: int) -> Iterator[tuple[bool, ...]]:
    return product((False, True), repeat=n)


def triple_systems() -> list[Hypergraph]:
    found = []
    for n in (3, 4):
        triples = list(combinations(range(n), 3))
        for size in range(len(triples) + 1):
            found += [Hypergraph(n, chosen) for chosen in combinations(triples, size)]
    for graph in nx.graph_atlas_g()[19:53]:
        edges = [tuple(v for v in range(5) if v not in edge) for edge in graph.edges]
        found.append(Hypergraph(5, tuple(edges)))
    return found


def all_clauses(n: int, widths: tuple[int, ...]) -> list[tuple[int, ...]]:
    return [
        tuple(v * sign for v, sign in zip(chosen, signs, strict=True))
        for width in widths
        for chosen in combinations(range(1, n + 1), width)
        for signs in product((1, -1), repeat=width)
    ]


def moves(
    n: int, clauses: list[tuple[int, ...]], *, negations: bool = True
) -> list[list[int]]:
    """What exchanges (and negations) of variables do to the numbers of the clauses."""
    number = {clause: i for i, clause in enumerate(clauses)}

    def moved(clause: tuple[int, ...], move: dict[int, int]) -> tuple[int, ...]:
        images = (move[abs(u)] * (1 if u > 0 else -1) for u in clause)
        return tuple(sorted(images, key=abs))

    return [
        [number[moved(clause, move)] for clause in clauses]
        for order in permutations(range(1, n + 1))
        for signs in product((1, -1) if negations else (1,), repeat=n)
        for move in [{v + 1: sign * order[v] for v, sign in enumerate(signs)}]
    ]


def formulas(n: int, widths: tuple[int, ...]) -> list[Clauses]:
    """Formulas without repeated clauses, one of every class of equivalent ones."""
    clauses = all_clauses(n, widths)
    tables = moves(n, clauses)
    seen: set[frozenset[int]] = set()
    found = []
    for size in range(1, len(clauses) + 1):
        for chosen in combinations(range(len(clauses)), size):
            images = {frozenset(table[i] for i in chosen) for table in tables}
            if not seen & images:
                seen |= images
                found.append(Clauses(n, tuple(clauses[i] for i in chosen)))
    return found


def violations(n: int, clauses: list[tuple[int, ...]]) -> list[set[int]]:
    """For every assignment the numbers of the clauses that it falsifies."""
    return [
        {i for i, clause in enumerate(clauses) if all((u > 0) != a[abs(u) - 1] for u in clause)}
        for a in assignments(n)
    ]


def irredundant(n: int) -> list[Clauses]:
    """Formulas of which every clause rules out an assignment that no other rules out.

    One of every class. What is left of such a formula without a clause is one as well.
    """
    clauses = all_clauses(n, tuple(range(1, n + 1)))
    tables, broken = moves(n, clauses), violations(n, clauses)
    level = {(i,) for i in range(len(clauses))}
    found: list[tuple[int, ...]] = []
    while level:
        own = {min(tuple(sorted(table[i] for i in s)) for table in tables) for s in level}
        found += sorted(own)
        level = {
            grown
            for chosen in own
            for i in range(len(clauses))
            for grown in [tuple(sorted({*chosen, i}))]
            if len(grown) > len(chosen)
            and all(any(b.intersection(grown) == {c} for b in broken) for c in grown)
        }
    return [Clauses(n, tuple(clauses[i] for i in chosen)) for chosen in found]


def critical_formulas(n: int, *, negations: bool) -> tuple[list[Clauses], list[Clauses]]:
    clauses = all_clauses(n, tuple(range(1, n + 1)))
    symmetries = moves(n, clauses, negations=negations)
    found = critical(violations(n, clauses), len(clauses), symmetries)
    unsolvable, solvable = (
        [Clauses(n, tuple(clauses[i] for i in chosen)) for chosen in sets] for sets in found
    )
    return unsolvable, solvable


TRIPLES = triple_systems()
FORMULAS = [*formulas(2, (1, 2)), *formulas(3, (3,))]
IRREDUNDANT = irredundant(3)


def values_of(generated: Any) -> Any:
    """The family's certificate by parameter number, after a look at its loss."""
    instance = parse_instance(generated.document)
    values = parse_certificate(generated.certificate, instance).values
    assert check_certificate(generated.document, tuple(values), ZERO) == 0
    return values


def exactly_one(source: Hypergraph, assignment: tuple[bool, ...]) -> bool:
    return all([assignment[v] for v in edge].count(True) == 1 for edge in source.edges)


def test_sources_are_all() -> None:
    assert len(TRIPLES) == 2 + 16 + 34
    assert len({str(source) for source in TRIPLES}) == len(TRIPLES)
    # Colourings of the corners of a cube up to symmetry: 22 with the one of no clause.
    assert len(formulas(3, (3,))) == 21
    assert {str(formula) for formula in formulas(3, (3,))} <= set(map(str, IRREDUNDANT))
    unsolvable = [f for f in IRREDUNDANT if not any(map(f.holds, assignments(3)))]
    assert (len(IRREDUNDANT), len(unsolvable)) == (198, 43)


def check_triples(source: Hypergraph, form: Any, domain: str, engine: str) -> str:
    solvable = any(exactly_one(source, a) for a in assignments(source.vertices))
    generated = generate("one_in_three", form=form, triples=str(source), domain=domain)
    document = generated.document
    assert document["meta"]["status"] == ("sat" if solvable else "unsat")
    found = decide(engine, document, ZERO)
    assert found.status == document["meta"]["status"]
    if solvable:
        assert read_hypergraph(document["meta"]["triples"]) == source
        for values in (found.values, values_of(generated)):
            assert exactly_one(source, one_in_three.solution(source, values, form))
    if form == "relu":
        units = [u for u in document["network"]["neurons"] if u["activation"] == "relu"]
        assert len(units) == 5 * source.vertices + 2 * len(source.edges)
    return found.status


@pytest.mark.parametrize("form", one_in_three.FORMS)
@pytest.mark.parametrize("domain, engine", [("auto", "sat"), ("real", "smt")])
def test_triples(form: Any, domain: str, engine: str) -> None:
    for source in TRIPLES:
        check_triples(source, form, domain, engine)


def test_triples_that_decide_all_others() -> None:
    """Those on six variables: a triple adds a sample, an output, or to the sum what is never < 0.

    The values that a certificate needs do not depend on the triples.
    """
    unsolvable, solvable = critical_triples(6)
    # One, two or three true variables: what four solve, one of the two others solves as well.
    assert (len(unsolvable), len(solvable)) == (13, 3)
    for form, (domain, engine) in product(one_in_three.FORMS, [("auto", "sat"), ("real", "smt")]):
        for source in unsolvable:
            assert check_triples(source, form, domain, engine) == "unsat"
        for source in solvable:
            assert check_triples(source, form, domain, engine) == "sat"
    for form, source in product(("abs", "tied"), unsolvable + solvable):
        part = Hypergraph(6, source.edges[1:])
        pair = (one_in_three.instance(s, form, {"domain": "real"}, "absolute")
                for s in (part, source))  # fmt: skip
        assert asks_less(*pair)


def check_clauses(formula: Clauses, form: Any, domain: str, engine: str) -> str:
    solvable = any(formula.holds(a) for a in assignments(formula.variables))
    generated = generate("loading", form=form, formula=str(formula), domain=domain)
    document = generated.document
    assert document["meta"]["status"] == ("sat" if solvable else "unsat")
    assert len(document["data"]["x"]) <= 4 * len(formula.clauses) + 1
    found = decide(engine, document, ZERO)
    assert found.status == document["meta"]["status"]
    if solvable:
        assert read_clauses(document["meta"]["formula"]) == formula
        for values in (found.values, values_of(generated)):
            assert formula.holds(loading.solution(formula, values, form))
    return found.status


@pytest.mark.parametrize("form", loading.FORMS)
@pytest.mark.parametrize("domain, engine", [("auto", "sat"), ("real", "smt")])
def test_clauses(form: Any, domain: str, engine: str) -> None:
    """Over the reals on three variables by ``one_sample`` only; see below for ``masked``."""
    for formula in FORMULAS:
        if domain == "auto" or form == "one_sample" or formula.variables == 2:
            check_clauses(formula, form, domain, engine)


@pytest.mark.parametrize("form", loading.FORMS)
def test_clauses_of_all_widths(form: Any) -> None:
    for formula in IRREDUNDANT:
        check_clauses(formula, form, "auto", "sat")


@pytest.mark.parametrize("form, count", [("masked", 181 + 4), ("one_sample", 43 + 1)])
def test_formulas_that_decide_all_others(form: Any, count: int) -> None:
    """Over the reals: a clause adds an output, and samples on which it and the others are true.

    A certificate of a formula without its last unit is one of the formula without the clause.

    Where variables are exchanged, so are inputs and units. Negation makes v into 1 - v in
    ``one_sample``, where loss 0 leaves v no values but 0 and 1. In ``masked`` it makes another
    instance: samples of a clause have 1 at the variables that it lacks, negated or not.
    """
    unsolvable, solvable = critical_formulas(3, negations=form == "one_sample")
    assert len(unsolvable + solvable) == count
    assert {len(f.clauses) for f in solvable} == {26 - 7}
    for formula in unsolvable:
        assert check_clauses(formula, form, "real", "smt") == "unsat"
    for formula in solvable:
        assert check_clauses(formula, form, "real", "smt") == "sat"
    if form == "masked":
        for formula in unsolvable + solvable:
            check_last_clause_only_adds(formula)


def check_last_clause_only_adds(formula: Clauses) -> None:
    clauses = formula.clauses[:-1] or formula.clauses
    part, whole = (
        loading.instance(f, "masked", {"domain": "real"}, "absolute")
        for f in (Clauses(formula.variables, clauses), formula)
    )
    masks = [d["network"]["layers"][1]["mask"] for d in (part, whole)]
    assert masks[0] == masks[1][: len(clauses)]
    assert part["network"]["layers"][0] == whole["network"]["layers"][0]
    samples = dict(zip(map(tuple, whole["data"]["x"]), whole["data"]["y"], strict=True))
    for x, y in zip(part["data"]["x"], part["data"]["y"], strict=True):
        assert samples[tuple(x)][: len(clauses)] == y


@pytest.mark.parametrize("source", TRIPLES, ids=str)
def test_every_solution_has_a_certificate_and_comes_back(source: Hypergraph) -> None:
    for form in one_in_three.FORMS:
        for assignment in assignments(source.vertices):
            values = one_in_three.certificate(assignment, form)
            if exactly_one(source, assignment):
                assert one_in_three.solution(source, values, form) == assignment
            else:
                with pytest.raises(UsageError, match="no solution"):
                    one_in_three.solution(source, values, form)


@given(st.sampled_from(FORMULAS), st.sampled_from(loading.FORMS))
def test_every_model_has_a_certificate_and_comes_back(formula: Clauses, form: Any) -> None:
    document = loading.instance(formula, form, {"domain": "real"}, "squared")
    for assignment in filter(formula.holds, assignments(formula.variables)):
        values = loading.certificate(formula, assignment, form)
        assert set(values) <= loading.needed_values(formula, form)
        assert check_certificate(document, values, ZERO) == 0
        assert loading.solution(formula, values, form) == assignment


@pytest.mark.parametrize("form", ["abs", "tied"])
def test_negated_weights_mean_the_same(form: Any) -> None:
    source = read_hypergraph("0-1-2,2-3-4")
    values = one_in_three.certificate((False, False, True, False, False), form)
    negated = [-value for value in values]
    document = generate("one_in_three", form=form, triples=str(source)).document
    assert check_certificate(document, tuple(negated), ZERO) == 0
    assert one_in_three.solution(source, negated, form) == (False, False, True, False, False)


@pytest.mark.parametrize("form", one_in_three.FORMS)
def test_without_a_solution_the_least_loss_is_positive(form: Any) -> None:
    document = generate("one_in_three", form=form, triples="complete:4:3").document
    found = minimize("exhaustive", document)
    assert found.status == "optimal" and found.lower_bound > 0


def test_clauses_of_many_negations_need_their_numbers() -> None:
    formula = read_clauses("-1 -2 -3 -4, 1")
    assert loading.needed_values(formula, "masked") == {-1, 0, 1, 3}
    with pytest.raises(FamilyError, match="lacks 3"):
        generate("loading", formula=str(formula), domain="int:-1:2")
    found = decide("sat", generate("loading", formula=str(formula)).document, ZERO)
    assert found.values is not None
    assert formula.holds(loading.solution(formula, found.values, "masked"))


@pytest.mark.parametrize("family, text", [("one_in_three", "planted:60:120"),
                                          ("loading", "planted:40:100")])  # fmt: skip
def test_planted_sources_are_sat(family: str, text: str) -> None:
    name = "triples" if family == "one_in_three" else "formula"
    generated = generate(family, 4, **{name: text})
    assert generated.document["meta"]["status"] == "sat"
    values_of(generated)


def test_unsatisfiable_instances_need_no_domain() -> None:
    settings = {"triples": "fano", "domain": "finite:5"}
    assert generate("one_in_three", **settings).document["meta"]["status"] == "unsat"


@pytest.mark.parametrize(
    "family, parameters, reason",
    [
        ("one_in_three", {"triples": "0-1"}, "edges of three"),
        ("one_in_three", {"triples": "0-1-2-3"}, "edges of three"),
        ("one_in_three", {"triples": "planted:2:4"}, "out of 2"),
        ("one_in_three", {"triples": "planted:2000:4"}, "too large"),
        ("one_in_three", {"triples": "3;"}, None),
        ("one_in_three", {"domain": "bipolar", "triples": "0-1-2"}, "lacks 0"),
        ("one_in_three", {"form": "sum"}, "form"),
        ("loading", {"formula": "3;"}, "no output"),
        ("loading", {"formula": "1,0"}, "empty clause"),
        ("loading", {"formula": "planted:4:2000"}, "more than"),
        ("loading", {"formula": "1 x"}, "formula"),
        ("loading", {"formula": "1 2", "domain": "int:0:1"}, "lacks -1"),
    ],
)
def test_refusals(family: str, parameters: dict[str, Any], reason: str | None) -> None:
    if reason is None:
        assert generate(family, **parameters).document["meta"]["status"] == "sat"
        return
    with pytest.raises(FamilyError, match=reason) as caught:
        generate(family, **parameters)
    assert "\n" not in str(caught.value)


def test_values_of_another_network_are_refused() -> None:
    for form in one_in_three.FORMS:
        with pytest.raises(UsageError, match="values, not 2"):
            one_in_three.solution(read_hypergraph("0-1-2"), [mpq(1)] * 2, form)
    for form in loading.FORMS:
        with pytest.raises(UsageError, match="values, not 3"):
            loading.solution(read_clauses("1 2"), [mpq(1)] * 3, form)
