"""Rows of a benchmark say by which version of the solver they were made."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import ermbit
from ermbit.bench import shipped
from ermbit.bench.case import Case, question_hash
from ermbit.bench.runs import measured
from ermbit.bench.solver import Limits, Solver, command_peer, engine, own_version
from ermbit_instances.instance import load

LIBRARY = Path(__file__).resolve().parents[2] / "instances" / "library"


def test_rows_say_of_which_version_they_are(tmp_path: Path) -> None:
    """Asked before each run: a checkout may change while a benchmark goes on."""
    calls = iter(["1.0", "1.1"])
    says = "print('{\"status\": \"unknown\"}')"
    solver = Solver("x", (sys.executable, "-S", "-c", says), version=lambda: next(calls))
    file = tmp_path / "halves.erm.json"
    file.write_bytes((LIBRARY / "halves-step-integer.erm.json").read_bytes())
    case = Case("s", "halves", "f", "", "solve", file, question_hash(load(file)), "0")
    for wanted in ("1.0", "1.1"):
        row = measured(case, solver, Limits(60.0, 1000, (0,)))
        assert row is not None and (row.status, row.version) == ("unknown", wanted)
    assert command_peer(f"y={sys.executable}").version() == ""
    assert engine("auto").version().partition("+")[0] == ermbit.__version__
    if shipped.names():
        pins = (shipped.SCRIPTS / "peers" / "requirements.txt").read_text("ascii").splitlines()
        for name, package in (("z3-bits", "z3-solver"), ("cpsat", "ortools"), ("highs", "highspy")):
            assert f"{package}=={shipped.peer(name).version()}" in pins


def test_a_checkout_is_dirty_where_its_code_is_changed(tmp_path: Path) -> None:
    assert own_version(tmp_path) == ermbit.__version__  # no checkout
    code, rows = tmp_path / "solver" / "engine.py", tmp_path / "rows.csv"
    code.parent.mkdir()
    for file in (code, rows):
        file.write_text("1")
    for words in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=x", "-c", "user.email=x@x.invalid", "commit", "-q", "-m", "first"],
    ):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    clean = own_version(tmp_path)
    assert re.fullmatch(rf"{re.escape(ermbit.__version__)}\+[0-9a-f]{{7,}}", clean)
    rows.write_text("1\n2")
    assert own_version(tmp_path) == clean
    for file in (code, code.with_name("new.py")):
        before = file.read_text() if file.exists() else None
        file.write_text("2")
        assert own_version(tmp_path) == f"{clean}-dirty"
        if before is None:
            file.unlink()
        else:
            file.write_text(before)
    assert own_version(tmp_path) == clean
