"""``ermbit slp``."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import pytest

import ermbit
from cli.command_line import one_error, run_here
from ermbit.cli import slp
from ermbit_instances.straight_line import FORMS, PINS

Capture = pytest.CaptureFixture[str]

TEXT = "# 1 - 16\none = 1\ntwo = one + one\nfour = two * two\nunused = two * four\n"
TEXT += "sixteen = four * four\nanswer = one - sixteen\n"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "demo.slp"
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_choices_are_those_of_the_package() -> None:
    assert tuple(FORMS) == slp.FORMS
    assert ("none", *PINS) == slp.PINS


@pytest.mark.parametrize("form, polynomial", list(product(slp.FORMS, ["0,0,1", "-1,1/2,0,1"])))
def test_every_form(form: str, polynomial: str, program: Path, capfd: Capture) -> None:
    out = program.parent / "out.erm.json"
    certificate = program.parent / "mine.json"
    words = ["slp", program, "--form", form, f"--polynomial={polynomial}", "--out", out]
    done = run_here(capfd, *words, "--certificate", certificate)
    assert (done.status, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[:2] == [str(out), str(certificate)]
    assert "instructions: 5 (and 1 that the value does not depend on)" in lines
    assert "products: 2" in lines
    assert "V = -15" in lines
    verdict = run_here(capfd, "verify", out, certificate)
    assert verdict.status == (1 if form == "zero_one" else 0)
    if form != "output":
        solved = run_here(capfd, "solve", out, "--timeout", "30")
        status = "unsat" if form == "zero_one" else "sat"
        assert solved.out.splitlines()[0] == status
        assert f"status: {status}" in lines
    else:
        assert "loss: 15" in verdict.out


@pytest.mark.parametrize("form, pin", list(product(["absolute", "squared"], PINS)))
def test_pins(form: str, pin: str, program: Path, capfd: Capture) -> None:
    out = program.parent / "deep.erm.json"
    done = run_here(capfd, "slp", program, "--form", form, "--pin", pin, "--out", out)
    certificate = program.parent / "deep.cert.json"
    assert done.out.splitlines()[:2] == [str(out), str(certificate)]
    assert run_here(capfd, "verify", out, certificate).status == 0
    program.write_text(TEXT + "positive = one - answer\n", encoding="utf-8")
    assert run_here(capfd, "slp", program, "--form", form, "--pin", pin, "--out", out).status == 0
    assert run_here(capfd, "verify", out, certificate).status == 1


def test_files_are_written_here_by_default(
    program: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = program.parent / "elsewhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    done = run_here(capfd, "slp", program)
    assert done.out.splitlines()[0] == "demo-hinge.erm.json"
    assert [path.name for path in folder.iterdir()] == ["demo-hinge.erm.json"]
    assert ermbit.load("demo-hinge.erm.json").name == "demo-hinge"
    done = run_here(capfd, "slp", program, "--form", "derivative")
    names = ["demo-derivative.erm.json", "demo-derivative.cert.json"]
    assert done.out.splitlines()[:2] == names
    first = [Path(name).read_bytes() for name in names]
    assert run_here(capfd, "slp", program, "--form", "derivative") == done
    assert [Path(name).read_bytes() for name in names] == first


def test_json(program: Path, capfd: Capture) -> None:
    out = program.parent / "x.erm.json"
    document = run_here(capfd, "slp", program, "--out", out, "--json").document
    assert document == {
        "file": str(out),
        "certificate": None,
        "form": "hinge",
        "pin": "none",
        "instructions": 5,
        "products": 2,
        "degree": 2,
        "neurons": len(json.loads(out.read_text(encoding="utf-8"))["network"]["neurons"]),
        "parameters": 0,
        "answer": "sat iff V <= 0",
        "value": -15,
        "status": "sat",
    }


def test_a_value_too_long_to_compute(program: Path, capfd: Capture) -> None:
    text = "a0 = 1\na1 = a0 + a0\n" + "".join(f"a{i} = a{i - 1} * a{i - 1}\n" for i in range(2, 90))
    program.write_text(text, encoding="utf-8")
    done = run_here(capfd, "slp", program, "--out", program.parent / "x.erm.json", "--json")
    assert (done.document["value"], done.document["status"]) == (None, None)
    assert done.document["neurons"] == 89


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "at least one instruction"),
        (b"a = 1\nb = a + c\nc = a\n", "line 2: the right operand 'c' is not defined"),
        (b"a = 7\n", "line 1: the constant '7' is refused"),
        (b"a = 1\nb = a *\n", "line 2: the right operand of * is missing"),
        (b"a = 1\na = 1\n", "line 2: 'a' is defined a second time"),
        (b"a = 1\nb = \xfe\n", "line 2: not UTF-8"),
        (b"a = 1\x1b[31m\n", "line 1: expected"),
        (b"a = 1\n" + b"x" * 5000 + b"\n", "line 2: longer than"),
        (b"".join(b"a%d = 1\n" % i for i in range(10001)), "line 10001: more than the limit"),
        (b"\n" * (4 * 2**20 + 1), "more than the limit"),
    ],
    ids=range(10),
)
def test_hostile_programs(content: bytes, reason: str, program: Path, capfd: Capture) -> None:
    program.write_bytes(content)
    message = one_error(run_here(capfd, "slp", program, "--out", program.parent / "x.erm.json"))
    assert message.startswith(f"{program}: ")
    assert reason in message
    assert not (program.parent / "x.erm.json").exists()


@pytest.mark.parametrize(
    "words, reason",
    [
        (["--polynomial", "1,2"], "degree of at least 2"),
        (["--polynomial", "1,2,x"], "not a number"),
        (["--form", "softmax"], "--form"),
        (["--pin", "relu"], "needs the form absolute or squared"),
        (["--out", "missing/x.erm.json"], "missing/x.erm.json: "),
        (["--out", "."], "is a folder"),
        (["--out", ".."], ".."),
        (["--out", "demo.slp"], "different files"),
        (["--out", "x.json", "--certificate", "./x.json"], "different files"),
    ],
)
def test_usage(
    words: list[str], reason: str, program: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(program.parent)
    assert reason in one_error(run_here(capfd, "slp", "demo.slp", *words))
    assert program.read_text(encoding="utf-8") == TEXT
    assert [path.name for path in program.parent.iterdir()] == ["demo.slp"]


def test_a_missing_program(tmp_path: Path, capfd: Capture) -> None:
    path = tmp_path / "none.slp"
    assert one_error(run_here(capfd, "slp", path)).startswith(f"{path}: ")
    assert "is a folder" in one_error(run_here(capfd, "slp", tmp_path))
