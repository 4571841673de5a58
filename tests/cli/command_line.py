"""Running the command line in tests: in this process, or in one of its own with fake engines."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
SEARCH_PATH = os.pathsep.join(
    str(ROOT / folder) for folder in ("instances", "encodings", "solver", "tests")
)
PATIENCE = 60.0  # seconds; only a program that hangs meets it


class Done(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON object on standard output."""
        assert self.out.endswith("\n")
        assert self.out.count("\n") == 1
        parsed = json.loads(self.out)
        assert isinstance(parsed, dict)
        return parsed


def run_here(capfd: pytest.CaptureFixture[str], *words: str | Path) -> Done:
    """Run a command line in this process."""
    from ermbit.cli.main import main

    capfd.readouterr()
    status = main([str(word) for word in words])
    return Done(status, *capfd.readouterr())


def program(engines: Sequence[str] = ()) -> list[str]:
    """The start of a command line in a process of its own, with fake engines if there are any."""
    if not engines:
        return [sys.executable, "-m", "ermbit"]
    code = (
        "import fake_engines as fakes, sys\n"
        f"fakes.install({', '.join('fakes.' + name for name in engines)})\n"
        "from ermbit.cli.main import main\n"
        "sys.exit(main())\n"
    )
    return [sys.executable, "-c", code]


def environment(**changes: str) -> dict[str, str]:
    """The environment of such a process."""
    return {**os.environ, "PYTHONPATH": SEARCH_PATH, **changes}


def run_apart(*words: str | Path, engines: Sequence[str] = (), cwd: Path | None = None) -> Done:
    """Run a command line in a process of its own."""
    return _run([*program(engines), *map(str, words)], cwd)


def run_code(code: str) -> Done:
    """Run Python code in a process of its own."""
    return _run([sys.executable, "-c", code])


def _run(command: list[str], cwd: Path | None = None) -> Done:
    done = subprocess.run(
        command,
        env=environment(),
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def one_error(done: Done, status: int = 2) -> str:
    """The message of a command that failed as it should."""
    assert done.status == status, done
    assert done.out == ""
    assert done.err.endswith("\n")
    line = done.err[:-1]
    assert line.splitlines() == [line]
    assert line.isprintable()
    prefix = "ermbit: error: " if status == 2 else "ermbit: internal error: "
    assert line.startswith(prefix)
    return line.removeprefix(prefix)
