"""Fits with irrational solutions: all forms, labels p/q with abs(p) ≤ 6 and q ≤ 2, several domains.

The stated answer is that of the engine ``elimination`` in every domain, and that of enumeration in
small ones; over the reals also z3's. All certificates, ours and the engine's, are among the
solutions that the theorems list.
"""

from __future__ import annotations

from itertools import product

import pytest
from gmpy2 import mpq

import reference
from engine_checks import problem_of
from ermbit.engines.engine import Budget, Outcome, ignore
from ermbit.engines.registry import engine
from ermbit.verifier.verify import verify
from ermbit_instances.algebraic import AlgebraicNumber, algebraic
from ermbit_instances.certificate import parameters_document
from ermbit_instances.errors import UsageError
from ermbit_instances.families import FamilyError, generate
from ermbit_instances.instance import parse_instance
from ermbit_instances.reductions.irrational import (
    Fit,
    certificate,
    instance,
    is_rational,
    solution,
    solutions,
)
from reference import Document

LABELS = sorted({mpq(p, q) for p in range(-6, 7) for q in (1, 2)})
FITS = [
    *(Fit("tower", label, depth) for label in LABELS for depth in (1, 2, 3)),
    *(Fit("shared", label) for label in LABELS if label),
    *(Fit("own", label) for label in LABELS),
]
SMALL = ({"domain": "rational", "bits": 2}, {"domain": "integer", "low": -4, "high": 4})
LARGE = ({"domain": "rational", "bits": 4096}, {"domain": "float", "format": "float16"})
ALL_REAL: Document = {"domain": "real"}


def answer(name: str, document: Document) -> Outcome:
    outcome = engine(name).decide(problem_of(document), Budget(), ignore)
    assert outcome.status != "unknown", outcome.reason
    return outcome


def accepted(document: Document, values: tuple[object, ...]) -> bool:
    parsed = parse_instance(document)
    return verify(parsed, parameters_document(parsed.network, values)).accepted is True  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["tower", "shared", "own"])
def test_answers_in_all_domains(form: str) -> None:
    for fit in (f for f in FITS if f.form == form):
        points = solutions(fit)
        assert points is not None
        for point in points:
            assert accepted(instance(fit, ALL_REAL), certificate(point))
            assert solution(fit, point) == point
        for weights in (ALL_REAL, *SMALL, *LARGE):
            document = instance(fit, weights, "squared")
            domain = problem_of(document).instance.network.parameters[0].domain
            inside = [p for p in points if all(value in domain for value in p)]
            outcome = answer("elimination", document)
            assert outcome.status == ("sat" if inside else "unsat"), (fit, weights)
            if outcome.values is not None:
                assert solution(fit, outcome.values) in inside
            if weights in SMALL:
                assert reference.is_satisfiable(document) == bool(inside)


def test_the_reals_have_no_other_solutions() -> None:
    """z3 agrees on where there are none; the engine that finds them is not asked here."""
    for fit in FITS[::5]:
        expected = "sat" if solutions(fit) else "unsat"
        assert answer("nra", instance(fit, ALL_REAL)).status == expected


def test_own_weights_by_cases() -> None:
    phi, root = algebraic([-1, -1, 1], mpq(-1), mpq(0)), algebraic([-2, 0, 1], mpq(-2), mpq(-1))
    assert solutions(Fit("own", mpq(1))) == ((phi, phi),)
    assert solutions(Fit("own", mpq(2))) == ((root, 1 + root),)
    rational = {c for c in LABELS if any(map(is_rational, solutions(Fit("own", c)) or ()))}
    # c ≤ 0 always; c^2 + 4 a square (3/2: 25/4), or c^2 - 4c a square (4: 0; 9/2: 9/4).
    assert rational == {c for c in LABELS if c <= 0} | {mpq(3, 2), mpq(4)}
    assert (mpq(3), mpq(3, 2)) in (solutions(Fit("own", mpq(9, 2))) or ())


def test_towers_without_a_certificate() -> None:
    assert solutions(Fit("tower", mpq(2), 8)) is None
    tall = generate("irrational", form="tower", depth=8, label=2)
    assert tall.document["meta"]["status"] == "sat" and tall.certificate is None
    assert (
        generate("irrational", form="tower", depth=8, label=2, domain="rational:99").document[
            "meta"
        ]["status"]
        == "unsat"
    )
    (w, _) = solutions(Fit("tower", mpq(16), 9)) or ((0,), (0,))
    assert isinstance(w[0], AlgebraicNumber) and w[0].degree == 128
    assert solutions(Fit("tower", mpq(3) ** 64, 6)) == ((mpq(3),), (mpq(-3),))


@pytest.mark.parametrize("domain", ["real", "rational:3", "int:-2:2", "fp8_e4m3"])
def test_family(domain: str) -> None:
    for form, label in product(("tower", "shared", "own"), (1, 2, 4, -1, "9/4")):
        made = generate("irrational", form=form, label=label, depth=2, domain=domain)
        status = made.document["meta"]["status"]
        assert answer("elimination", made.document).status == status
        assert (made.certificate is not None) == (status == "sat")
        if made.certificate is not None:
            assert verify(parse_instance(made.document), made.certificate).accepted


def test_refusals() -> None:
    with pytest.raises(FamilyError, match="label other than 0"):
        generate("irrational", form="shared", label=0)
    with pytest.raises(UsageError, match="depth"):
        Fit("tower", mpq(2), 0)
    for values in ((mpq(1),), (algebraic([-3, 0, 1], mpq(1), mpq(2)),)):
        with pytest.raises(UsageError, match="no solution"):
            solution(Fit("tower", mpq(2), 1), values)
