"""The command line as a program: help, version, what is imported, broken pipes."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

import ermbit
import fake_engines as fakes
from cli.command_line import (
    PATIENCE,
    environment,
    one_error,
    program,
    run_apart,
    run_code,
    run_here,
)
from ermbit.cli.main import COMMANDS

Capture = pytest.CaptureFixture[str]
HEAVY = ("cvc5", "flint", "matplotlib", "networkx", "numpy", "onnx", "pysat", "rich", "z3")


def certificate(folder: Path) -> Path:
    path = folder / "toy.cert.json"
    document = {"format": "ermbit-certificate", "version": 1, "parameters": {"W1": [[1]]}}
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_version(capfd: Capture) -> None:
    assert run_here(capfd, "--version") == (0, f"ermbit {ermbit.__version__}\n", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_explains_every_command(command: str, capfd: Capture) -> None:
    overview = run_here(capfd, "--help")
    assert (overview.status, overview.err) == (0, "")
    assert f"\n    {command} " in overview.out
    done = run_here(capfd, command, "--help")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith(f"usage: ermbit {command} ")
    assert "--json" in done.out


@pytest.mark.parametrize(
    "words", [[], ["fly"], ["--fly"], ["solve"], ["verify", "a"], ["sol", "a"]]
)
def test_usage(words: list[str], capfd: Capture) -> None:
    assert "--help" in one_error(run_here(capfd, *words))


def loaded_by(words: list[str]) -> set[str]:
    """Which of the heavy packages a command imports."""
    code = (
        "import sys\n"
        "from ermbit.cli.main import main\n"
        f"status = main({words!r})\n"
        f"print('loaded:', *sorted(set(sys.modules) & set({HEAVY!r})))\n"
        "sys.exit(status)\n"
    )
    done = run_code(code)
    assert (done.status, done.err) == (0, "")
    return set(done.out.splitlines()[-1].removeprefix("loaded:").split())


def test_help_and_verify_import_nothing_heavy(tmp_path: Path) -> None:
    assert loaded_by(["--help"]) == set()
    toy = str(fakes.write_toy(tmp_path))
    assert loaded_by(["verify", toy, str(certificate(tmp_path))]) == set()
    assert loaded_by(["families"]) == set()


def test_python_m_runs_the_same_program(tmp_path: Path) -> None:
    done = run_apart("verify", fakes.write_toy(tmp_path), certificate(tmp_path))
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("accepted\nloss: 0\n")


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run(
            [*program(), "families"],
            env=environment(),
            stdout=writing,
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
            check=False,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_full_disk_is_an_error() -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*program(), "families"],
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.startswith(b"ermbit: error: standard output: ")
    assert done.stderr.count(b"\n") == 1


def test_a_terminal_without_greek_gets_escapes() -> None:
    done = subprocess.run(
        [*program(), "--help"],
        env=environment(PYTHONIOENCODING="ascii"),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\u03b8" in done.stdout


@pytest.mark.parametrize(
    "name", ["two\nlines", "red\x1b[31m", "byte-\udcff", "a\u2028b", "x" * 4000]
)
def test_odd_file_names_stay_on_one_line(name: str, capfd: Capture) -> None:
    message = one_error(run_here(capfd, "solve", name))
    assert len(message) < 1600
