"""Subset sum as training: all multisets of at most 3 items from 1..4, with all targets.

The answer of every form in its smallest domain, and for at most 2 items over the reals and in
wider domains, is that of the source by brute force; certificates both ways.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations_with_replacement, product

import pytest
from gmpy2 import mpq
from hypothesis import given
from hypothesis import strategies as st

from engine_checks import check_certificate, decide
from ermbit.engines.engine import Outcome
from ermbit_instances.algebraic import algebraic
from ermbit_instances.certificate import Value, parse_certificate
from ermbit_instances.errors import UsageError
from ermbit_instances.families import FamilyError, generate
from ermbit_instances.families.domain_text import domain_document
from ermbit_instances.instance import parse_instance
from ermbit_instances.reductions.subset_sum import (
    FORMS,
    Form,
    SubsetSum,
    certificate,
    fractional_choice,
    instance,
    needed_values,
    solution,
    solve,
)
from reference import Document

ROOT = algebraic([-2, 0, 1], mpq(1), mpq(2))
SMALLEST = {"linear": "int:0:1", "abs": "int:-1:1", "tied": "int:-1:1", "step": "int:0:1"}


def sources(most: int, largest: int) -> list[SubsetSum]:
    return [
        SubsetSum(items, target)
        for count in range(1, most + 1)
        for items in combinations_with_replacement(range(1, largest + 1), count)
        for target in range(sum(items) + 2)
    ]


def subsets(source: SubsetSum) -> list[tuple[int, ...]]:
    return [
        x
        for x in product((0, 1), repeat=len(source.items))
        if sum(a * c for a, c in zip(source.items, x, strict=True)) == source.target
    ]


def in_domain(source: SubsetSum, form: Form, text: str, loss: str = "absolute") -> Document:
    return instance(source, form, domain_document(text), loss)


def answer(name: str, document: Document) -> Outcome:
    outcome = decide(name, document, Fraction(0))
    assert outcome.status != "unknown", outcome.reason
    return outcome


@pytest.mark.parametrize("form", FORMS)
def test_all_small_sources(form: Form) -> None:
    for source in sources(3, 4):
        expected = subsets(source)
        outcome = answer("exhaustive", in_domain(source, form, SMALLEST[form]))
        assert outcome.status == ("sat" if expected else "unsat"), source
        if outcome.values is not None:
            assert solution(source, outcome.values, form) in expected
        for subset in expected[:1]:
            values = certificate(subset, form)
            assert needed_values(form) >= set(values)
            check_certificate(in_domain(source, form, "real"), values, Fraction(0))
            assert solution(source, values, form) == subset


@pytest.mark.parametrize("form", ["abs", "tied"])
@pytest.mark.parametrize("domain, engine", [("real", "smt"), ("int:-3:3", "exhaustive"),
                                            ("rational:2", "sat")])  # fmt: skip
def test_the_domain_does_not_matter(form: Form, domain: str, engine: str) -> None:
    for source in sources(2, 3):
        expected = subsets(source)
        outcome = answer(engine, in_domain(source, form, domain, "squared"))
        assert outcome.status == ("sat" if expected else "unsat"), source
        if outcome.values is not None:
            assert solution(source, outcome.values, form) in expected


@pytest.mark.parametrize("domain", ["int:-2:2", "int:0:4:2", "rational:2", "real"])
def test_step_is_a_box_of_the_domain(domain: str) -> None:
    for source in sources(2, 3):
        generated = generate(
            "subset_sum", form="step", domain=domain, target=source.target,
            items=",".join(map(str, source.items)),
        )  # fmt: skip
        document = generated.document
        outcome = answer("smt" if domain == "real" else "exhaustive", document)
        assert outcome.status == document["meta"]["status"]
        if domain == "int:-2:2":
            assert (outcome.status == "sat") == bool(subsets(source))
        assert (generated.certificate is None) == (outcome.status == "unsat")


def test_dichotomy_of_domains() -> None:
    source = SubsetSum((2, 2), 3)
    status = {d: answer("smt", in_domain(source, "step", d)).status for d in ("int:-2:2", "real")}
    assert status == {"int:-2:2": "unsat", "real": "sat"}
    halves = answer("smt", in_domain(source, "step", "real")).values
    assert halves is not None
    with pytest.raises(UsageError, match="not a subset"):
        solution(source, halves, "step")


@given(st.lists(st.integers(1, 40), min_size=1, max_size=9), st.integers(0, 200))
def test_search_against_brute_force(items: list[int], target: int) -> None:
    source = SubsetSum(tuple(items), target)
    status, subset = solve(source)
    expected = subsets(source)
    assert status == ("sat" if expected else "unsat")
    assert subset is None if not expected else subset in expected


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=3),
    st.integers(0, 20),
    st.sets(st.fractions(0, 1, max_denominator=4), max_size=4),
)
def test_fractional_search_against_brute_force(
    items: list[int], target: int, members: set[Fraction]
) -> None:
    source = SubsetSum(tuple(items), target)
    allowed = [mpq(m.numerator, m.denominator) for m in members]
    status, values = fractional_choice(source, allowed)
    choices = product(allowed, repeat=len(items))
    possible = any(sum(a * w for a, w in zip(items, c, strict=True)) == target for c in choices)
    assert status == ("sat" if possible else "unsat")
    if values is not None:
        assert set(values) <= set(allowed) and source.holds(values)  # type: ignore[arg-type]


def test_search_gives_up_past_its_steps() -> None:
    source = SubsetSum(tuple(2**i + 1 for i in range(12)), 3000)
    assert solve(source, steps=50) == ("unknown", None)
    assert solve(source)[0] != "unknown"


# --- the way back --------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["abs", "tied"])
def test_both_signs_are_read(form: Form) -> None:
    source = SubsetSum((2, 3, 7), 9)
    values = certificate((1, 0, 1), form)
    negated: tuple[Value, ...] = tuple(-value for value in values)
    check_certificate(in_domain(source, form, "real"), negated, Fraction(0))
    assert solution(source, negated, form) == (1, 0, 1)


def test_shared_parameters_are_in_the_order_of_the_values() -> None:
    network = parse_instance(in_domain(SubsetSum((2, 3, 7), 9), "tied", "real")).network
    assert [p.name for p in network.parameters] == ["w0", "w1", "w2", "b"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "values",
    [(1, 1, 1, -1), (1, 0, 1), (mpq(1, 2), 0, 1, -1), (ROOT, 0, 1, 1), (ROOT, 1, 1, ROOT)],
)
def test_values_that_are_no_certificate(form: Form, values: tuple[Value, ...]) -> None:
    source = SubsetSum((2, 3, 7), 10)
    count = 4 if form in ("abs", "tied") else 3
    with pytest.raises(UsageError, match="subset sum"):
        solution(source, values[:count], form)


@pytest.mark.parametrize(
    "items, target", [((), 1), ((0,), 0), ((-1, 2), 1), ((3,), -1), ((1,) * 10_001, 1)]
)
def test_sources_that_are_none(items: tuple[int, ...], target: int) -> None:
    with pytest.raises(UsageError, match="subset sum"):
        SubsetSum(items, target)


# --- the family ----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("target, status", [("planted", "sat"), ("odd", "unsat"), ("random", None)])
def test_family(form: Form, target: str, status: str | None) -> None:
    for seed in range(4):
        generated = generate("subset_sum", seed, form=form, target=target, n=4, bits=3)
        document, meta = generated.document, generated.document["meta"]
        assert answer("sat", document).status == meta["status"]
        assert status is None or meta["status"] == status
        source = SubsetSum(tuple(meta["items"]), meta["target"])
        assert solve(source)[0] == meta["status"]
        if generated.certificate is not None:
            values = parse_certificate(generated.certificate, parse_instance(document)).values
            assert source.holds(solution(source, values, meta["form"]))


def test_large_items_are_planted_or_odd() -> None:
    for target, status in (("planted", "sat"), ("odd", "unsat"), ("random", "unknown")):
        document = generate("subset_sum", 3, target=target, n=60, bits=90).document
        assert document["meta"]["status"] == status
        parse_instance(document)


@pytest.mark.parametrize(
    "parameters, message",
    [
        ({"items": "1,2,x"}, "parameter items"),
        ({"items": "1,1/2"}, "expected integers"),
        ({"items": "0,2"}, "at least 1"),
        ({"target": "-3"}, "at least 0"),
        ({"target": "even"}, "parameter target"),
        ({"items": "1,2", "target": "odd"}, "even items"),
        ({"domain": "bipolar"}, "parameter domain: it lacks 0"),
        ({"form": "linear", "domain": "int:-1:1"}, "over {0, 1} only"),
        ({"domain": "int:0:1"}, "it lacks -1"),
    ],
)
def test_family_refuses(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(FamilyError, match=message) as caught:
        generate("subset_sum", **parameters)
    assert "\n" not in str(caught.value)


def test_unsatisfiable_sources_allow_every_domain() -> None:
    document = generate("subset_sum", items="2,4", target="5", domain="bipolar").document
    assert document["meta"]["status"] == "unsat" == answer("exhaustive", document).status
