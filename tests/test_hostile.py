"""Malformed and hostile files: refused in one line, with status 2, in little time and memory.

`corpus/hostile/expected.json` maps every stored file to the command to run on it (the file is the
last argument), the JSON path that the message must name (or start with), and a piece of the reason.
`status` lists the exit statuses that are right where it is not just 2; `data` is the data file that
the message may name in place of a path in the instance. What is too large or too odd to be stored
is made by `corpus/make_hostile.py`.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from corpus.make_hostile import HOSTILE, MADE, Made

ROOT = Path(__file__).resolve().parents[1]
EXPECTED: dict[str, dict[str, Any]] = json.loads(
    (HOSTILE / "expected.json").read_text(encoding="utf-8")
)
PREFIX = "ermbit: error: "
LONGEST_MESSAGE = 2000  # without the name of the file
MEMORY = 1500 << 20
PATIENCE = 20  # seconds; only a program that hangs meets it

ISOLATED = (
    "instances/deep-lists-unclosed-100k.erm.json",
    "instances/inputs-billion.erm.json",
    "instances/npz-bomb-4-gigabytes.erm.json",
    "instances/npz-pickle-code.erm.json",
    "instances/npz-shape-claims-terabytes.erm.json",
    "instances/number-huge-exponent.erm.json",
    "instances/number-exponent-with-10k-digits.erm.json",
    "instances/parameters-trillion.erm.json",
    "instances/rational-bits-billion.erm.json",
    "instances/units-billion.erm.json",
    "certificates/external-data-outside.onnx",
    "certificates/huge-exponent.cert.json",
    "certificates/pickle-code.npz",
    "certificates/root-huge-exponent.cert.json",
    "certificates/shape-claims-terabytes.npz",
)


class StillRunning(BaseException):
    """Not an Exception, so that no handler in the program takes it for one of its own."""


@contextmanager
def guarded() -> Iterator[None]:
    """Bound the time and the address space of what runs in this process."""

    def ring(signum: int, frame: FrameType | None) -> None:
        raise StillRunning(f"no answer after {PATIENCE} s")

    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = pages * resource.getpagesize() + MEMORY
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    before = signal.signal(signal.SIGALRM, ring)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.signal(signal.SIGALRM, before)


def run_here(arguments: Sequence[str], capfd: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Status, standard output and standard error of a command line run in this process."""
    from ermbit.cli.main import main

    capfd.readouterr()
    with guarded():
        try:
            status = main(list(arguments))
        except SystemExit as stop:
            status = stop.code if isinstance(stop.code, int) else 1
    out, err = capfd.readouterr()
    return status, out, err


def run_isolated(arguments: Sequence[str], environment: dict[str, str]) -> tuple[int, str, str]:
    """The same in a process of its own, under a limit of its address space."""
    search = os.pathsep.join(str(ROOT / floor) for floor in ("instances", "encodings", "solver"))
    done = subprocess.run(
        [sys.executable, "-m", "ermbit", *arguments],
        env={**os.environ, "PYTHONPATH": search, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY)),
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode("utf-8", "surrogateescape")


def as_list(value: str | Sequence[str] | None) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


def starts_at(message: str, path: str) -> bool:
    """Whether a message `PATH: reason` speaks of this JSON path or of a place below it."""
    return message.startswith(path) and message[len(path) :][:1] in {".", "[", ":"}


def assert_refusal(
    result: tuple[int, str, str],
    file: str | None,
    path: str | None = None,
    reason: Sequence[str] = (),
    data: str | None = None,
) -> None:
    """Status 2, nothing on standard output, one printable line that says where and why."""
    status, out, err = result
    assert status == 2, f"status {status}, stderr {err[-2000:]!r}"
    assert out == ""
    assert "Traceback" not in err
    assert err.endswith("\n")
    line = err[:-1]
    assert not [c for c in line if ord(c) < 32 or ord(c) == 127], f"unprintable: {line[:500]!r}"
    assert line.splitlines() == [line], f"not one line: {err[:500]!r}"
    assert line.startswith(PREFIX), line[:500]
    message = line[len(PREFIX) :]
    if file is not None:
        named = [name for name in (file, data) if name is not None and name + ": " in message]
        assert named, f"names no file: {message[:500]}"
        message = message.split(named[0] + ": ", 1)[1]
        if path is not None and named[0] == file:
            assert starts_at(message, path), f"does not name {path}: {message[:500]}"
        assert len(message) <= LONGEST_MESSAGE
    if reason:
        assert any(part in message for part in reason), f"none of {reason}: {message[:500]}"


def command_for(name: str) -> list[str]:
    command, *rest = EXPECTED[name]["command"]
    return [command, *(str(HOSTILE / word) for word in rest), str(HOSTILE / name)]


def assert_as_expected(name: str, result: tuple[int, str, str]) -> None:
    entry = EXPECTED[name]
    status, _, err = result
    allowed = entry.get("status", [2])
    assert status in allowed, f"status {status} not in {allowed}, stderr {err[-2000:]!r}"
    assert "Traceback" not in err
    if status == 2:
        file = name.rsplit("/", 1)[1]
        assert_refusal(result, file, entry["path"], as_list(entry["reason"]), entry.get("data"))


@pytest.fixture
def canary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that the code inside the pickled arrays creates, if anything runs it."""
    file = tmp_path / "canary"
    monkeypatch.setenv("ERMBIT_HOSTILE_CANARY", str(file))
    return file


def test_the_corpus_is_large_enough() -> None:
    instances = list((HOSTILE / "instances").glob("*.erm.json"))
    certificates = [file for file in (HOSTILE / "certificates").iterdir() if file.is_file()]
    assert len(instances) >= 75
    assert len(certificates) >= 20
    assert len(MADE) >= 20
    assert len({case.name for case in MADE}) == len(MADE)


def test_every_stored_file_has_an_expectation_and_is_small() -> None:
    stored = {
        file.relative_to(HOSTILE).as_posix(): file.stat().st_size
        for file in HOSTILE.rglob("*")
        if file.is_file()
    }
    cases = {name for name in stored if name.startswith(("instances/", "certificates/"))}
    assert {name for name in cases if not name.startswith("instances/data/")} == set(EXPECTED)
    assert max(stored.values()) < 200_000
    assert sum(stored.values()) < 2_000_000
    assert set(ISOLATED) <= set(EXPECTED)


def test_every_stored_data_file_is_pointed_to() -> None:
    stored = {file.name for file in (HOSTILE / "instances" / "data").iterdir()}
    assert stored == {entry["data"] for entry in EXPECTED.values() if "data" in entry}


def test_the_base_files_are_sound(capfd: pytest.CaptureFixture[str]) -> None:
    """Otherwise the variations of them would be refused for the wrong reason."""
    base = str(HOSTILE / "base.erm.json")
    status, _, err = run_here(["info", base], capfd)
    assert (status, err) == (0, "")
    status, out, err = run_here(["verify", base, str(HOSTILE / "base.cert.json")], capfd)
    assert (status, err) == (0, "")
    assert "accepted" in out


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_stored_file(name: str, capfd: pytest.CaptureFixture[str], canary: Path) -> None:
    assert_as_expected(name, run_here(command_for(name), capfd))
    assert not canary.exists()


@pytest.mark.parametrize("name", sorted(name for name in EXPECTED if name.startswith("inst")))
def test_stored_instance_through_the_library(name: str, canary: Path) -> None:
    """`load` refuses with the same text; only a missing threshold is for the command to refuse."""
    from ermbit_instances.errors import InputError
    from ermbit_instances.instance import load

    result = (0, "", "")
    with guarded():
        try:
            load(HOSTILE / name)
        except InputError as error:
            result = (2, "", f"{PREFIX}{error}\n")
    if name == "instances/threshold-missing.erm.json":
        assert result[0] == 0
    else:
        assert_as_expected(name, result)
    assert not canary.exists()


@pytest.mark.parametrize("name", ISOLATED)
def test_stored_file_in_little_memory(name: str, canary: Path) -> None:
    environment = {"ERMBIT_HOSTILE_CANARY": str(canary)}
    assert_as_expected(name, run_isolated(command_for(name), environment))
    assert not canary.exists()


@pytest.mark.parametrize("case", MADE, ids=lambda case: case.name)
def test_made_file(case: Made, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = case.build(tmp_path)
    result = run_isolated(arguments, {}) if case.isolated else run_here(arguments, capfd)
    assert_refusal(result, case.file, case.path, case.reason)


@pytest.mark.parametrize("command", ["solve", "minimize", "info"])
@pytest.mark.parametrize("name", ["empty", "units-zero", "duplicate-key-layer", "npz-nan"])
def test_every_command_refuses_alike(
    command: str, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    name = f"instances/{name}.erm.json"
    assert_as_expected(name, run_here([command, str(HOSTILE / name)], capfd))


def test_json_output_is_empty_too(capfd: pytest.CaptureFixture[str]) -> None:
    name = "instances/units-zero.erm.json"
    assert_as_expected(name, run_here(["solve", "--json", str(HOSTILE / name)], capfd))
