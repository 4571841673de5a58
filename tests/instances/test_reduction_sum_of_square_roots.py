"""Sums of square roots: all with one or two terms of modulus ≤ 6, and many with three.

The sign is that of 80 digits; the direct instance has that answer over the reals, the program that
sign as its value; certificates both ways.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from itertools import combinations_with_replacement

import pytest
from gmpy2 import mpq
from hypothesis import given
from hypothesis import strategies as st

import reference
from engine_checks import problem_of
from ermbit.engines.engine import Budget, Outcome, ignore
from ermbit.engines.registry import engine
from ermbit.verifier.verify import verify
from ermbit_instances.algebraic import algebraic
from ermbit_instances.certificate import parameters_document
from ermbit_instances.errors import UsageError
from ermbit_instances.families import FamilyError, generate
from ermbit_instances.instance import parse_instance
from ermbit_instances.reductions.sum_of_square_roots import (
    RootSum,
    certificate,
    instance,
    program,
    solution,
    within,
)
from reference import Document

SIZES = [t for t in range(-6, 7) if t]
SHORT = [RootSum(t) for n in (1, 2) for t in combinations_with_replacement(SIZES, n)]
# √a + √b against √c, the ties included; 7 and 11 and 13 make fields of degree 64.
LONG = [
    RootSum(t)
    for t in [(2, 8, -18), (3, 12, -27), (2, 2, -8), (1, 4, -9), (-5, -5, 20), (2, 8, -17),
              (2, 3, -9), (3, 3, -11), (2, 2, -9), (16, 81, -256), (1, -2, 3), (4, -6, 2)]
]  # fmt: skip
ALL_REAL: Document = {"domain": "real"}


def decimal_sign(source: RootSum) -> int:
    with localcontext() as context:
        context.prec = 80
        total = sum(
            (Decimal(abs(t)).sqrt() * (1 if t > 0 else -1) for t in source.terms), Decimal(0)
        )
        # Three roots of numbers below 1000 are 0 or more than 3000^-8 away from it.
        return 0 if abs(total) < Decimal(10) ** -60 else (1 if total > 0 else -1)


def answer(document: Document) -> Outcome:
    outcome = engine("elimination").decide(problem_of(document), Budget(), ignore)
    assert outcome.status != "unknown", outcome.reason
    return outcome


def accepted(document: Document, values: tuple[object, ...]) -> bool:
    parsed = parse_instance(document)
    return verify(parsed, parameters_document(parsed.network, values)).accepted is True  # type: ignore[arg-type]


@pytest.mark.parametrize("sources", [SHORT, LONG], ids=["short", "long"])
def test_direct_instances(sources: list[RootSum]) -> None:
    for source in sources:
        document = instance(source, ALL_REAL, "squared")
        expected = decimal_sign(source) <= 0
        outcome = answer(document)
        assert outcome.status == ("sat" if expected else "unsat"), source
        values = certificate(source)
        assert (values is not None) == expected
        for found in (values, outcome.values):
            if found is not None:
                assert accepted(document, found)
                roots = solution(source, found)
                assert roots[0] >= 0
                assert all(r * r == abs(t) and r > 0
                           for r, t in zip(roots[1:], source.terms, strict=True))  # fmt: skip


def test_fourth_powers_are_rational() -> None:
    weights: Document = {"domain": "integer", "low": 0, "high": 2}
    for terms in combinations_with_replacement([-16, -2, -1, 1, 16], 2):
        source = RootSum(terms)
        document = instance(source, weights)
        domain = problem_of(document).instance.network.parameters[0].domain
        values = within(source, domain)
        assert reference.is_satisfiable(document) == (values is not None)
        assert answer(document).status == ("unsat" if values is None else "sat")
        assert values is None or accepted(document, values)


def test_programs() -> None:
    for source in (*SHORT[::3], *LONG[:6]):
        value = program(source).value()
        assert (value <= 0) == (decimal_sign(source) <= 0), source


@pytest.mark.parametrize("form", ["hinge", "zero_one", "absolute", "squared"])
def test_compiled_programs(form: str) -> None:
    for source in (RootSum((2, -3)), RootSum((3, -2)), RootSum((2, 8, -18)), RootSum((2, 8, -17))):
        terms = ",".join(map(str, source.terms))
        made = generate("sum_of_square_roots", form=form, terms=terms)
        parsed = parse_instance(made.document)
        holds = verify(parsed, {}).accepted
        assert holds == (made.document["meta"]["status"] == "sat")
        assert holds == ((decimal_sign(source) <= 0) != (form == "zero_one"))


@given(st.lists(st.integers(-999, 999).filter(bool), min_size=1, max_size=3))
def test_sign(terms: list[int]) -> None:
    source = RootSum(tuple(terms))
    assert source.sign() == decimal_sign(source)
    assert RootSum((*terms, *(-t for t in terms))).sign() == 0
    assert RootSum((*terms, *(-4 * t for t in terms), *terms)).sign() == 0


def test_close_sums() -> None:
    # √5 + √6 + √18 - √4 - 2√12 = -0.0000048…
    assert RootSum((5, 6, 18, -4, -12, -12)).sign() == -1
    for n in (10**6, 10**12, 10**24):
        assert RootSum((n, n + 2, -(n + 1), -(n + 1))).sign() == -1
        assert RootSum((-n, -(n + 2), n + 1, n + 1)).sign() == 1


@pytest.mark.parametrize("seed", range(4))
def test_family(seed: int) -> None:
    for terms in ("random", "tie"):
        made = generate("sum_of_square_roots", seed=seed, terms=terms, n=2, bits=3)
        meta = made.document["meta"]
        assert answer(made.document).status == meta["status"]
        assert terms == "random" or meta["status"] == "sat"
        if made.certificate is not None:
            assert verify(parse_instance(made.document), made.certificate).accepted
    refused = generate("sum_of_square_roots", seed=seed, terms="tie", domain="rational:1000")
    assert answer(refused.document).status == refused.document["meta"]["status"]


def test_refusals() -> None:
    for terms in ("2,0", "1/2"):
        with pytest.raises(FamilyError):
            generate("sum_of_square_roots", terms=terms)
    with pytest.raises(FamilyError, match="only the form direct"):
        generate("sum_of_square_roots", form="hinge", domain="rational:3")
    source = RootSum((2, -2))
    root = algebraic([-2, 0, 0, 0, 1], mpq(1), mpq(2))
    assert solution(source, (mpq(0), root, -root))[0] == 0
    for values in ((mpq(0), root), (mpq(1), root, root), (mpq(0), root, mpq(1))):
        with pytest.raises(UsageError):
            solution(source, values)
