"""All programs of at most three operations in all forms: the sign of V is the answer.

Up to the order of the operands of + and *, and to lines that are unused or repeated; products by
squares. Of the programs of three operations a part has its products from a cubic, and pins for
domains of bounded precision or for the loss ``squared``. Longer programs and other polynomials are
drawn (`test_straight_line`).
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest

import ermbit
import reference
from engine_checks import decide
from ermbit_instances.certificate import parse_certificate
from ermbit_instances.instance import parse_instance
from ermbit_instances.straight_line import compile_program, program_instance
from line_lists import Lines, all_programs, program_of, values_of
from reference import Document

SMALL_PROGRAMS = [lines for count in range(4) for lines in all_programs(count)]
"""All programs of at most three operations on a_0 = 1, the source of docs/reductions.md 7."""

SLICE = SMALL_PROGRAMS[:25] + SMALL_PROGRAMS[25::10]
"""All of at most two operations, and one in ten of the others."""


def test_programs_are_all() -> None:
    assert [len(all_programs(count)) for count in range(4)] == [1, 3, 21, 255]
    assert [len(all_programs(count, ("1", "-1"))) for count in range(4)] == [0, 4, 68, 1500]
    values = [values_of(lines)[-1] for lines in SMALL_PROGRAMS]
    # Programs in which lines are unused or repeated, or operands in the other order, have no more.
    naive: set[tuple[int, ...]] = {(1,)}
    for _ in range(3):
        naive |= {
            (*line, value)
            for line in naive
            for a, b in product(line, repeat=2)
            for value in (a + b, a - b, a * b)
        }
    assert {line[-1] for line in naive} == set(values)


def answers(lines: Lines, polynomial: str) -> dict[str, tuple[bool, Document]]:
    """For every form with a threshold whether its instance is sat, from V, and the instance."""
    program, value = program_of(lines), values_of(lines)[-1]
    found = {}
    for form in ("hinge", "zero_one", "absolute", "squared"):
        wanted = value > 0 if form == "zero_one" else value <= 0
        found[form] = wanted, program_instance(program, polynomial=polynomial, form=form)
    for gamma in (abs(value), abs(value) - Fraction(1, 2)):
        document = program_instance(program, polynomial=polynomial, form="output", threshold=gamma)
        found[f"output {gamma}"] = gamma == abs(value), document
    return found


@pytest.mark.parametrize("polynomial, programs", [
    ("0,0,1", SMALL_PROGRAMS), ("5,-1/3,0,2", SLICE),
], ids=["square", "cubic"])  # fmt: skip
def test_every_form_tells_the_sign_of_all_small_programs(
    polynomial: str, programs: list[Lines]
) -> None:
    """Decided by the verifier and by the naive reference: there are no free parameters."""
    for lines in programs:
        for name, (wanted, document) in answers(lines, polynomial).items():
            assert document["meta"]["status"] == ("sat" if wanted else "unsat"), (name, lines)
            assert ermbit.verify(parse_instance(document), {}).accepted is wanted, (name, lines)
            assert (reference.loss(document, {}) <= Fraction(document["threshold"])) is wanted


@pytest.mark.parametrize("constants", [("-1",), ("1", "-1")])
def test_every_form_tells_the_sign_with_a_negative_constant(constants: tuple[str, ...]) -> None:
    """All programs of at most three operations again, by the naive reference alone."""
    for lines in (lines for count in range(4) for lines in all_programs(count, constants)):
        for name, (wanted, document) in answers(lines, "0,0,1").items():
            assert document["meta"]["status"] == ("sat" if wanted else "unsat"), (name, lines)
            loss = reference.loss(document, {})
            assert (loss <= Fraction(document["threshold"])) is wanted, (name, lines)


def test_derivative_of_all_small_programs() -> None:
    for lines in SMALL_PROGRAMS:
        compiled = compile_program(program_of(lines), form="derivative")
        instance = parse_instance(compiled.document)
        assert ermbit.gradient(instance, compiled.certificate)["w"].value == values_of(lines)[-1]
        loss = {w: reference.loss(compiled.document, {"w": Fraction(w)}) for w in (-1, 0, 1)}
        assert (loss[1] - loss[-1]) / 2 == values_of(lines)[-1]
        assert loss[0] == min(loss.values()) == Fraction(1, 4)


def check_pinned(lines: Lines, domain: str, engine: str, form: str, pin: str) -> None:
    compiled = compile_program(program_of(lines), form=form, pin=pin, domain=domain)
    document = compiled.document
    status = "sat" if values_of(lines)[-1] <= 0 else "unsat"
    assert document["meta"]["status"] == status
    found = decide(engine, document, Fraction(document["threshold"]))
    assert found.status == status, (lines, found.reason)
    if found.values is not None:
        theta = parse_certificate(compiled.certificate, parse_instance(document)).values
        assert list(found.values) == list(theta)


def test_pinned_weights_of_all_small_programs() -> None:
    """Over the finite set of the weights."""
    for lines in SMALL_PROGRAMS:
        check_pinned(lines, "finite", "exhaustive", "absolute", "relu")
    for lines in SLICE:
        check_pinned(lines, "finite", "exhaustive", "squared", "relu")
        check_pinned(lines, "finite", "exhaustive", "absolute", "bounded")
    for lines in SMALL_PROGRAMS[:25]:
        check_pinned(lines, "finite", "exhaustive", "squared", "bounded")


def test_pinned_weights_over_the_reals() -> None:
    """Pins by a relu output; bounded ones are for domains of bounded precision."""
    for lines in SMALL_PROGRAMS:
        check_pinned(lines, "real", "nra", "absolute", "relu")
