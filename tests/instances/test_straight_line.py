"""Straight-line programs: their files, their values, and the networks that compute them."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from itertools import product
from math import comb, factorial
from pathlib import Path
from typing import Any

import pytest
from gmpy2 import mpq
from hypothesis import given, settings
from hypothesis import strategies as st

import ermbit
import reference
from ermbit.verifier.evaluation.evaluate import evaluate_sample
from ermbit_instances import limits
from ermbit_instances.errors import InputError, LimitError, MissingFileError, UsageError
from ermbit_instances.families import FamilyError, generate
from ermbit_instances.instance import parse_instance
from ermbit_instances.jsonfile import dump_json
from ermbit_instances.straight_line import (
    FORMS,
    Instruction,
    Program,
    compile_program,
    load_program,
    network_of_program,
    parse_program,
    program_instance,
    read_polynomial,
    write_program,
)
from ermbit_instances.straight_line import wires as wires_module
from ermbit_instances.straight_line.products import quadratic
from line_lists import Lines, program_of, values_of

POLYNOMIALS = (
    "0,0,1",  # t^2
    "1,1,1",  # t^2 + t + 1
    "0,3,-1/2",  # 3t - t^2/2
    "0,0,0,1",  # t^3
    "5,-1/3,0,2",  # 2t^3 - t/3 + 5
    "0,-1,0,0,1",  # t^4 - t
    "1/7,0,2,-1,0,3",  # 3t^5 - t^3 + 2t^2 + 1/7
)


@st.composite
def programs(draw: st.DrawFn, most: int = 8) -> Lines:
    """Lines (operation, left, right) of a program of at most ``most`` operations."""
    lines: Lines = [(sign, -1, -1) for sign in draw(st.sampled_from([("1",), ("1", "-1")]))]
    for _ in range(draw(st.integers(0, most))):
        operands = st.integers(0, len(lines) - 1)
        lines.append((draw(st.sampled_from("+-**")), draw(operands), draw(operands)))
    return lines


def all_wires(program: Program, polynomial: str, x: list[int], *, gatewise: bool) -> dict[int, mpq]:
    """The exact value of every wire on an input, by the verifier's evaluation."""
    network = network_of_program(program, read_polynomial(polynomial), gatewise=gatewise)
    for number, form in network.wires.items():
        network.wiring.carry(f"wire-{number}", form)
    outputs = [f"wire-{number}" for number in network.wires]
    document = {
        "format": "ermbit-instance",
        "version": 1,
        "network": {
            "inputs": 1,
            "neurons": network.wiring.neuron_documents(),
            "outputs": outputs,
        },
        "data": {"x": [[1]], "y": [[0] * len(outputs)]},
        "loss": {"name": "absolute"},
    }
    instance = parse_instance(document)
    found = evaluate_sample(instance.network, [mpq(v) for v in x], [])
    return dict(zip(network.wires, found, strict=True))


# --- products ------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [*POLYNOMIALS, "1,2,3,4,5,6,7,8,9", "0,0,1/3,0,0,-7/5,0"])
def test_differences_make_a_quadratic(text: str) -> None:
    polynomial = read_polynomial(text)
    gate = quadratic(polynomial)
    d = len(polynomial) - 1
    assert gate.a == polynomial[d] * factorial(d) / 2
    assert gate.weights == tuple((-1) ** (d - 2 - j) * comb(d - 2, j) for j in range(d - 1))
    for u in map(mpq, (0, 1, -1, 7, "5/3", "-22/7")):
        shifted = [sum(c * (u + j) ** i for i, c in enumerate(polynomial)) for j in range(d - 1)]
        total = sum(w * value for w, value in zip(gate.weights, shifted, strict=True))
        assert total == gate.a * u * u + gate.b * u + gate.c


@pytest.mark.parametrize(
    "given, reason",
    [
        ("0,1", "degree of at least 2"),
        ("0,1,0,0", "degree of at least 2"),
        ("", "not a number"),
        ("1,,1", "not a number"),
        ("0,0,1/0", "denominator zero"),
        ("0,0,x", "not a number"),
        ([0, 0, 0.5], "float"),
        ([], "degree of at least 2"),
        ([1] * 66, "past the limit of 64"),
    ],
)
def test_polynomials_that_are_refused(given: Any, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        read_polynomial(given)


# --- the network computes the program ------------------------------------------------------------


@settings(max_examples=120, deadline=None)
@given(programs(), st.sampled_from(POLYNOMIALS), st.booleans())
def test_every_wire_is_exact_and_switched_off_by_the_input(
    lines: Lines, polynomial: str, gatewise: bool
) -> None:
    program, values = program_of(lines), values_of(lines)
    found = all_wires(program, polynomial, [1], gatewise=gatewise)
    assert found == {number: values[number] for number in program.used}
    assert set(all_wires(program, polynomial, [0], gatewise=gatewise).values()) == {mpq(0)}


@settings(max_examples=60, deadline=None)
@given(programs(12), st.sampled_from(POLYNOMIALS[:4]))
def test_carried_wires_are_exact(lines: Lines, polynomial: str) -> None:
    program, values = program_of(lines), values_of(lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wires_module, "FORM_TERMS", 2)
        patch.setattr(wires_module, "FORM_BITS", 3)
        found = all_wires(program, polynomial, [1], gatewise=False)
        assert found == {number: values[number] for number in program.used}


def test_long_programs_make_networks_of_linear_size() -> None:
    def size(length: int, line: str, polynomial: str) -> tuple[int, int, int]:
        text = "a0 = 1\na1 = a0 + a0\n"
        text += "".join(line.format(i=i, p=i - 1, q=i - 2) for i in range(2, length))
        network = network_of_program(parse_program(text), read_polynomial(polynomial))
        forms = [network.value, *(form for _, form, _ in network.wiring.neurons)]
        longest = max(len(str(c)) for form in forms for c in form.values())
        return len(forms) - 1, max(map(len, forms)), longest

    for polynomial, degree in (("0,0,1", 2), ("1,2,3,4", 3)):
        for line in ("a{i} = a{p} + a{p}\n", "a{i} = a{p} + a{q}\n", "a{i} = a{p} * a{q}\n"):
            neurons, terms, digits = size(700, line, polynomial)
            assert neurons <= (2 * (degree - 1) + 1) * 700
            assert terms <= 2 * wires_module.FORM_TERMS + 1 + 2 * (degree - 1)
            assert digits < 400


def test_products_take_the_stated_number_of_neurons() -> None:
    text = "o = 1\na = o + o\nb = a + a\nc = b + b\nv = a * c\n"
    for polynomial in POLYNOMIALS:
        coefficients = read_polynomial(polynomial)
        network = network_of_program(parse_program(text), coefficients)
        assert len(network.wiring.neurons) == 2 * (len(coefficients) - 2)


def test_networks_past_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wires_module, "EDGE_LIMIT", 5)
    text = "o = 1\na = o + o\nb = a * o\nv = b * a\n"
    with pytest.raises(LimitError, match="limit of 5 edges"):
        program_instance(parse_program(text))


# --- forms ---------------------------------------------------------------------------------------


def accepted(document: dict[str, Any], parameters: dict[str, Any] | None = None) -> bool | None:
    return ermbit.verify(parse_instance(document), parameters or {}).accepted


@settings(max_examples=60, deadline=None)
@given(programs(), st.sampled_from(POLYNOMIALS))
def test_every_form_tells_the_sign(lines: Lines, polynomial: str) -> None:
    program, value = program_of(lines), values_of(lines)[-1]
    for form in ("hinge", "zero_one", "absolute", "squared"):
        document = program_instance(program, polynomial=polynomial, form=form)
        positive = form == "zero_one"
        wanted = value > 0 if positive else value <= 0
        assert accepted(document) is wanted
        assert document["meta"]["status"] == ("sat" if wanted else "unsat")
        assert document["meta"]["answer"] == ("sat iff V > 0" if positive else "sat iff V <= 0")
    output = program_instance(program, polynomial=polynomial, form="output")
    assert ermbit.verify(parse_instance(output), {}).loss == abs(value)
    assert "threshold" not in output and "status" not in output["meta"]


@settings(max_examples=60, deadline=None)
@given(programs(), st.sampled_from(POLYNOMIALS))
def test_scaled_output_is_between_minus_one_and_one(lines: Lines, polynomial: str) -> None:
    program, value = program_of(lines), values_of(lines)[-1]
    assert abs(value) <= 2 ** program.magnitude()
    document = program_instance(program, polynomial=polynomial, form="absolute")
    loss = ermbit.verify(parse_instance(document), {}).loss
    assert 0 <= loss <= 2
    scaled = loss - 1  # f + 1 >= 0
    assert (scaled > 0, scaled < 0) == (value > 0, value < 0)


@settings(max_examples=40, deadline=None)
@given(programs(), st.sampled_from(POLYNOMIALS))
def test_derivative_is_the_value(lines: Lines, polynomial: str) -> None:
    program, value = program_of(lines), values_of(lines)[-1]
    compiled = compile_program(program, polynomial=polynomial, form="derivative")
    instance = parse_instance(compiled.document)
    assert [parameter.name for parameter in instance.network.parameters] == ["w"]
    loss = {w: ermbit.verify(instance, {"w": w}).loss for w in (-1, 0, 1)}
    # L is a quadratic in w, so its derivative at 0 is the symmetric difference.
    assert (loss[1] - loss[-1]) / 2 == value
    assert loss[0] == min(loss.values()) == mpq(1, 4)
    assert ermbit.gradient(instance, compiled.certificate)["w"].value == value
    assert ermbit.verify(instance, compiled.certificate).accepted


def test_output_with_a_threshold() -> None:
    program = parse_program("a = 1\nb = a + a\nc = b * b\nd = c - a\n")
    for gamma, status in ((3, "sat"), ("5/2", "unsat"), (Fraction(7, 2), "sat")):
        document = program_instance(program, form="output", threshold=gamma)
        assert document["meta"]["status"] == status
        assert accepted(document) is (status == "sat")


def test_nothing_is_claimed_of_a_value_too_long_to_compute() -> None:
    text = "a0 = 1\na1 = a0 + a0\n" + "".join(f"a{i} = a{i - 1} * a{i - 1}\n" for i in range(2, 60))
    for form in FORMS:
        compiled = compile_program(parse_program(text), form=form)
        assert compiled.value is None and "value" not in compiled.document["meta"]
        assert compiled.document["meta"].get("status") == ("sat" if form == "derivative" else None)
        # The verifier may be undecided, but never wrong.
        wrong = form not in ("output", "zero_one", "derivative")
        assert accepted(compiled.document, compiled.certificate) is not wrong


@pytest.mark.parametrize(
    "arguments, reason",
    [
        ({"form": "softmax"}, "form: expected one of"),
        ({"form": "hinge", "threshold": 1}, "has its own"),
        ({"form": "output", "threshold": 0.5}, "threshold: "),
        ({"form": "hinge", "pin": "relu"}, "needs the form absolute or squared"),
        ({"form": "absolute", "pin": "glue"}, "pin: expected one of"),
        ({"form": "absolute", "pin": "bounded", "domain": "real"}, "domain: pin bounded"),
        ({"form": "absolute", "domain": "real"}, "only for weights that are pinned"),
        ({"polynomial": "0,1"}, "degree of at least 2"),
    ],
)
def test_arguments_that_are_refused(arguments: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        program_instance(parse_program("a = 1\n"), **arguments)


# --- pinned weights ------------------------------------------------------------------------------

SMALL = (
    "a = 1\n",
    "a = -1\n",
    "a = 1\nb = a - a\n",
    "a = 1\nb = a * a\n",
    "a = -1\nb = a * a\n",
    "a = 1\nb = a + a\nc = a - b\n",
    "a = -1\nb = a + a\nc = b * a\n",
)


@pytest.mark.parametrize("pin", ["bounded", "relu"])
@pytest.mark.parametrize("form", ["absolute", "squared"])
@pytest.mark.parametrize("polynomial", ["0,0,1", "1,0,1", "0,1,1"])
def test_pins_admit_the_program_and_nothing_else(pin: str, form: str, polynomial: str) -> None:
    """All assignments over the finite set of the weights, by the naive reference."""
    tried = 0
    for text in SMALL:
        program = parse_program(text)
        compiled = compile_program(
            program, polynomial=polynomial, form=form, pin=pin, domain="finite"
        )
        document = compiled.document
        values = [Fraction(v) for v in document["weights"]["values"]]
        if len(values) > 4:
            continue
        theta = {name: Fraction(v) for name, v in compiled.certificate["parameters"].items()}
        satisfying = [
            dict(zip(theta, choice, strict=True))
            for choice in product(values, repeat=len(theta))
            if reference.loss(document, dict(zip(theta, choice, strict=True)))
            <= document["threshold"]
        ]
        assert satisfying == ([theta] if program.value() <= 0 else [])
        assert document["meta"]["status"] == ("sat" if satisfying else "unsat")
        tried += 1
    assert tried >= 4


@settings(max_examples=25, deadline=None)
@given(programs(6), st.sampled_from(POLYNOMIALS), st.sampled_from(["bounded", "relu"]), st.data())
def test_pinned_certificate_tells_the_sign(
    lines: Lines, polynomial: str, pin: str, data: st.DataObject
) -> None:
    program, value = program_of(lines), values_of(lines)[-1]
    for form in ("absolute", "squared"):
        compiled = compile_program(program, polynomial=polynomial, form=form, pin=pin)
        theta = compiled.certificate["parameters"]
        assert accepted(compiled.document, theta) is (value <= 0)
        # Any other value of one weight, inside the domain, is refused.
        name = data.draw(st.sampled_from(sorted(theta)))
        for wrong in (0, 1, -1, mpq(theta[name]) / 2, -mpq(theta[name])):
            if wrong != mpq(theta[name]):
                changed = {**theta, name: str(mpq(wrong))}
                assert accepted(compiled.document, changed) is False


@pytest.mark.parametrize("polynomial", POLYNOMIALS)
def test_one_more_sample_where_the_activation_of_zero_is_not_zero(polynomial: str) -> None:
    program = parse_program("a = 1\nb = a + a\nc = b * a\n")
    extra = read_polynomial(polynomial)[0] != 0
    for pin in ("bounded", "relu"):
        compiled = compile_program(program, polynomial=polynomial, form="absolute", pin=pin)
        x, y = compiled.document["data"]["x"], compiled.document["data"]["y"]
        count = len(compiled.certificate["parameters"])
        assert len(x) == len(y) == 1 + count + extra
        assert [row[0] for row in x] == [1] + [0] * (count + extra)
        if extra and pin == "bounded":
            assert (x[-1], y[-1]) == ([0] * (count + 1), [0])
        elif extra:
            assert [mpq(v) for v in x[-1] + y[-1]] == [2 * mpq(v) for v in x[1] + y[1]]


def test_square_needs_at_most_six_weights() -> None:
    text = "a = 1\nm = -1\nb = a + a\nc = b * m\nd = c * c\ne = d - b\nf = e * d\n"
    compiled = compile_program(parse_program(text), form="absolute", pin="bounded")
    found = {mpq(v) for v in compiled.certificate["parameters"].values()}
    assert found == {mpq(v) for v in ("1", "-1", "2", "1/4", "-1/4", "1/2")}
    assert compiled.document["weights"] == {"domain": "rational", "bits": 3}


# --- programs and their values -------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(programs(10), st.integers(1, 10**6))
def test_values_and_text(lines: Lines, modulus: int) -> None:
    program, value = program_of(lines), values_of(lines)[-1]
    assert program.value() == value
    assert program.value_mod(modulus) == value % modulus
    assert parse_program(write_program(program)) == program


def test_a_value_past_the_guard_is_not_built() -> None:
    text = "a0 = 1\na1 = a0 + a0\n" + "".join(f"a{i} = a{i - 1} * a{i - 1}\n" for i in range(2, 70))
    program = parse_program(text)
    with pytest.raises(LimitError, match="bits together"):
        program.value()
    assert program.value_mod(10**9 + 7) == pow(2, 2**68, 10**9 + 7)
    assert program.magnitude() == 2**68
    assert parse_program("a = 1\nb = a + a\nc = b * b\n").value(bits=10) == 4
    with pytest.raises(LimitError):
        parse_program("a = 1\nb = a + a\nc = b * b\n").value(bits=5)


@pytest.mark.parametrize("modulus", [0, -3, True, "7", 2.0])
def test_a_modulus_is_a_positive_integer(modulus: Any) -> None:
    with pytest.raises(UsageError, match="modulus"):
        parse_program("a = 1\n").value_mod(modulus)


def test_lines_that_the_value_does_not_need() -> None:
    program = parse_program("a = 1\nb = a * a\nc = a + a\nd = b * b\ne = c * a\n")
    assert program.used == (0, 2, 4)
    assert program.products == 1
    assert set(network_of_program(program, read_polynomial("0,0,1")).wires) == {0, 2, 4}


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [Instruction("a", "+", 0, 0)],
        [Instruction("a", "1"), Instruction("b", "+", 0, 1)],
        [Instruction("a", "1"), Instruction("b", "+", 0, -1)],
        [Instruction("a", "1"), Instruction("b", "+", 0, 0.0)],  # type: ignore[arg-type]
        [Instruction("a", "1"), Instruction("a", "1")],
        [Instruction("a", "2")],  # type: ignore[arg-type]
        [Instruction("a b", "1")],
        [Instruction("", "1")],
        [Instruction("a" * 101, "1")],
    ],
)
def test_programs_that_are_refused(lines: list[Instruction]) -> None:
    with pytest.raises(UsageError):
        Program(tuple(lines))


def test_notation() -> None:
    text = "\ufeff# squares\r\n one=1 \r\n\r\nb1\t=\tone+one # two\r\n_c = b1*b1\r\n last = _c-one"
    program = parse_program(text.removeprefix("\ufeff"))
    assert [line.name for line in program.instructions] == ["one", "b1", "_c", "last"]
    assert program.value() == 3


FAULTS = [
    ("a = b + b\n", 1, "'b' is not defined before"),
    ("a = 1\nb = a + c\nc = a + a\n", 2, "right operand 'c' is not defined before"),
    ("a = a + a\n", 1, "'a' is not defined before"),
    ("a = 2\n", 1, "only 1 and -1"),
    ("a = 1/2\n", 1, "only 1 and -1"),
    ("a = 0\n", 1, "only 1 and -1"),
    ("a = - 1\n", 1, "only 1 and -1"),
    ("a = 1\nb = a + 1\n", 2, "is a number"),
    ("a = 1\nb = a +\n", 2, "right operand of + is missing"),
    ("a = 1\nb = * a\n", 2, "left operand of * is missing"),
    ("a = 1\nb = a * a * a\n", 2, "is not a name"),
    ("a = 1\nb = a / a\n", 2, "expected NAME"),
    ("a = 1\nb = a a\n", 2, "expected NAME"),
    ("a = 1\nb = a\n", 2, "expected NAME"),
    ("a = 1\nb =\n", 2, "nothing follows"),
    ("a = 1\nb\n", 2, "expected NAME"),
    ("a = 1\n= a + a\n", 2, "not a name"),
    ("a = 1\n\n# x\na = -1\n", 4, "defined a second time (first in line 1)"),
    ("2a = 1\n", 1, "not a name"),
    ("a-b = 1\n", 1, "not a name"),
    ("é = 1\n", 1, "not a name"),
    ("a\u2028= 1\n", 1, "not a name"),
    ("a = 1\x00\n", 1, "expected NAME"),
    ("a" * 101 + " = 1\n", 1, "not a name"),
    ("a = 1" + " " * 10**6 + "+ b\n", 1, "longer than 400 characters"),
]


@pytest.mark.parametrize("text, line, reason", FAULTS, ids=range(len(FAULTS)))
def test_faults_are_named_by_line(text: str, line: int, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "p.slp"
    path.write_bytes(text.encode("utf-8"))
    with pytest.raises(InputError) as caught:
        load_program(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: line {line}: ")
    assert reason in message
    assert message.isprintable() and len(message) < 600


def test_files_that_are_no_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "p.slp"
    for content in (b"", b"\n\n", b"# nothing\n"):
        path.write_bytes(content)
        with pytest.raises(InputError, match="at least one instruction"):
            load_program(path)
    path.write_bytes(b"a = 1\nb = \xff\n")
    with pytest.raises(InputError, match="not UTF-8") as caught:
        load_program(path)
    assert caught.value.path == "line 2"
    with pytest.raises(MissingFileError):
        load_program(tmp_path / "none.slp")
    with pytest.raises(MissingFileError):
        load_program(tmp_path)
    lines = limits.SLP_LINES.value
    path.write_bytes(b"".join(b"a%d = 1\n" % i for i in range(lines + 1)))
    with pytest.raises(LimitError, match=f"limit of {lines} instructions") as caught:
        load_program(path)
    assert caught.value.path == f"line {lines + 1}"
    path.write_bytes(b"".join(b"a%d = 1\n" % i for i in range(lines)))
    assert load_program(path).value() == 1
    monkeypatch.setattr(limits, "SLP_BYTES", limits.Limit("slp_bytes", 100, "bytes", ""))
    with pytest.raises(LimitError, match="more than the limit of 100"):
        load_program(path)


# --- the family ----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [name for name in FORMS if name != "output"])
def test_family_states_what_the_verifier_finds(form: str) -> None:
    seen = set()
    for seed in range(12):
        generated = generate("posslp", seed, length=7, form=form, polynomial="1,0,2,1")
        meta = generated.document["meta"]
        value = parse_program("\n".join(meta["program"])).value()
        assert meta["value"] in (value, str(value))
        verdict = ermbit.verify(
            parse_instance(generated.document), {"w": 0} if form == "derivative" else {}
        )
        assert meta["status"] == ("sat" if verdict.accepted else "unsat")
        assert (generated.certificate is not None) == verdict.accepted
        seen.add(meta["status"])
    assert seen == ({"sat"} if form == "derivative" else {"sat", "unsat"})


PINNED_CUBIC = {"form": "squared", "pin": "bounded", "polynomial": "5,-1/3,0,2"}


@pytest.mark.parametrize(
    "family, seed, parameters, digest",
    [
        ("posslp", 1, {}, "ee39e184695109d186129dcedf489f31"),
        ("posslp", 4, PINNED_CUBIC, "d7ae31cf09f8152c4c81265e3f01f26b"),
        ("permanent", 2, {"n": 4}, "031defcc8c2f84336f32ea2ad179488c"),
    ],
)
def test_files_are_the_same_bytes_for_ever(
    family: str, seed: int, parameters: dict[str, Any], digest: str
) -> None:
    text = dump_json(generate(family, seed, **parameters).document)
    assert hashlib.sha256(text.encode("utf-8")).hexdigest()[:32] == digest


def test_family_is_honest_about_long_values() -> None:
    statuses = {generate("posslp", seed, length=80).document["meta"]["status"] for seed in range(4)}
    assert "unknown" in statuses


@pytest.mark.parametrize(
    "parameters, reason",
    [
        ({"polynomial": "1,1"}, "parameter polynomial: a degree"),
        ({"form": "hinge", "pin": "relu"}, "parameter pin: needs"),
        ({"form": "output"}, "form"),
        ({"length": 0}, "length"),
        ({"length": 5000, "polynomial": ",".join("1" * 65)}, "the limit of 2000000 edges"),
    ],
)
def test_family_refuses(
    parameters: dict[str, Any], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "edges" in reason:
        monkeypatch.setattr(wires_module, "EDGE_LIMIT", 1000)
        reason = "the limit of 1000 edges"
    with pytest.raises(FamilyError) as caught:
        generate("posslp", **parameters)
    assert reason in str(caught.value)
