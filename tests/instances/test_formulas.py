"""Formulas: notation both ways, random ones, and the search against truth tables and CaDiCaL."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pysat.solvers import Solver

from ermbit_instances.errors import UsageError
from ermbit_instances.families.rng import Rng
from ermbit_instances.reductions.formulas import (
    Clauses,
    hit_once,
    planted_triples,
    random_assignment,
    random_clauses,
    read_clauses,
    read_dimacs,
    satisfy,
)
from ermbit_instances.reductions.hypergraph import Hypergraph, random_hypergraph, read_hypergraph


def formulas(most: int = 6, empty: bool = True) -> st.SearchStrategy[Clauses]:
    def of(n: int) -> st.SearchStrategy[Clauses]:
        variables = st.lists(st.integers(1, n), unique=True, min_size=0 if empty else 1, max_size=4)
        clause = variables.flatmap(
            lambda used: st.tuples(*(st.sampled_from((v, -v)) for v in used))
        )
        return st.builds(Clauses, st.just(n), st.lists(clause, max_size=12).map(tuple))

    return st.integers(1, most).flatmap(of)


@given(formulas())
def test_notation_is_read_back(formula: Clauses) -> None:
    assert read_clauses(str(formula)) == formula
    lines = [" ".join(map(str, (*clause, 0))) for clause in formula.clauses]
    dimacs = "\n".join(["c a comment", f"p cnf {formula.variables} {len(lines)}", *lines])
    assert read_dimacs(dimacs) == formula
    assert read_dimacs(dimacs.replace(" 0\n", "\n0 ")) == formula


@pytest.mark.parametrize(
    "text, formula",
    [
        ("1", Clauses(1, ((1,),))),
        (" 1  -2 ,2 3 2,", Clauses(3, ((1, -2), (2, 3)))),
        ("5;1 +2", Clauses(5, ((1, 2),))),
        ("1 2 -1, -2", Clauses(2, ((-2,),))),
        ("3;", Clauses(3, ())),
        ("1;0", Clauses(1, ((),))),
    ],
)
def test_notation(text: str, formula: Clauses) -> None:
    assert read_clauses(text) == formula


@pytest.mark.parametrize(
    "text",
    ["", "0", "a", "1;2;3", "1 0 2", "1-2", "1.5", "-3;1", "10001", "random:3", "planted:0:1",
     "planted:2:5:3", "random:3:5:0", "random:3:10001"],
)  # fmt: skip
def test_what_is_no_formula_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_clauses(text, Rng("x"))
    assert "\n" not in str(caught.value) and "formula" in str(caught.value)


def test_random_needs_a_stream() -> None:
    with pytest.raises(UsageError, match="no random stream"):
        read_clauses("random:4:5")


@given(formulas())
def test_search_agrees_with_the_truth_table(formula: Clauses) -> None:
    status, found = satisfy(formula)
    table = product((False, True), repeat=formula.variables)
    assert (status == "sat") is any(formula.holds(assignment) for assignment in table)
    assert (found is not None) is (status == "sat")
    assert found is None or formula.holds(found)


@pytest.mark.parametrize("seed", range(12))
def test_search_agrees_with_cadical(seed: int) -> None:
    formula = random_clauses(Rng(str(seed)), 40, 170, 3)
    with Solver("cadical153", bootstrap_with=formula.clauses) as solver:
        assert satisfy(formula)[0] == ("sat" if solver.solve() else "unsat")


@given(st.integers(3, 7), st.integers(0, 8), st.integers(0, 2**32))
def test_exact_hitting_agrees_with_all_sets(n: int, count: int, seed: int) -> None:
    rng = Rng(str(seed))
    edges = tuple(tuple(rng.sample(range(n), rng.integers(1, 3))) for _ in range(count))
    source = Hypergraph(n, edges)

    def hits(chosen: tuple[bool, ...]) -> bool:
        return all(sum(chosen[v] for v in edge) == 1 for edge in source.edges)

    status, found = hit_once(source)
    assert (status == "sat") is any(hits(c) for c in product((False, True), repeat=n))
    assert found is None or hits(found)


def test_points_of_the_fano_plane_meet_no_lines_exactly_once() -> None:
    assert hit_once(read_hypergraph("fano")) == ("unsat", None)


@given(st.integers(3, 20), st.integers(0, 40), st.integers(0, 2**32))
def test_planted_formulas_have_the_planted_solution(n: int, count: int, seed: int) -> None:
    triples, hidden = planted_triples(Rng(str(seed)), n, count)
    assert all(sum(hidden[v] for v in edge) == 1 for edge in triples.edges)
    assert triples.vertices == n and {len(edge) for edge in triples.edges} <= {3}
    rng = Rng(str(seed))
    hidden = random_assignment(rng, n)
    assert random_clauses(rng, n, count, 3, hidden).holds(hidden)


def test_a_search_that_ends_early_claims_nothing() -> None:
    assert satisfy(random_clauses(Rng("hard"), 200, 860, 3), steps=300) == ("unknown", None)
    assert hit_once(random_hypergraph(Rng("x"), 60, 38, 3), steps=5) == ("unknown", None)
