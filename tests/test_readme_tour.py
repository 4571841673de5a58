"""The tour of the README: every command is run again and must print what the README shows.

``...`` in the README stands for any text; times and, in JSON, ``statistics`` may differ.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROGRAM = "scripts/ermbit"
TIME = re.compile(r"^time: [0-9]+\.[0-9]{3} s$", re.MULTILINE)
EXIT = {
    "sat": 10,
    "unsat": 20,
    "optimal": 10,
    "accepted": 0,
    "rejected": 1,
}


def tour() -> list[tuple[str, str]]:
    """(command, shown output) of every command in the console blocks, in order."""
    steps = []
    for block in re.findall(r"^```console\n(.*?)^```$", README, re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            steps.append((command, output))
    return steps


TOUR = tour()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that looks like the checkout to the commands, and takes what they write."""
    (tmp_path / "instances").symlink_to(ROOT / "instances", target_is_directory=True)
    return tmp_path


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    words = shlex.split(command)
    assert words[0] == PROGRAM
    sources = [str(ROOT / name) for name in ("instances", "encodings", "solver")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sources), "PYTHONUTF8": "1"}
    return subprocess.run(
        [sys.executable, "-m", "ermbit", *words[1:]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def steady(text: str) -> str:
    """The text without what differs from run to run."""
    if text.startswith("{"):
        document = json.loads(text)
        for volatile in ("time_s", "statistics"):
            assert document.pop(volatile, None) is not None
        return json.dumps(document)
    return TIME.sub("time: T s", text)


def matches(shown: str, printed: str) -> bool:
    pattern = ".*".join(re.escape(part) for part in steady(shown).split("..."))
    return re.fullmatch(pattern, steady(printed), re.DOTALL) is not None


def test_tour_shows_what_it_promises() -> None:
    commands = [shlex.split(command)[1] for command, _ in TOUR]
    assert set(commands) == {
        "solve",
        "minimize",
        "verify",
        "gradient",
        "generate",
        "info",
    }
    firsts = {output.partition("\n")[0] for _, output in TOUR}
    assert {"sat", "unsat", "optimal", "accepted", "rejected"} <= firsts
    assert any("--json" in command for command, _ in TOUR)


@pytest.mark.parametrize(("command", "shown"), TOUR, ids=range(1, len(TOUR) + 1))
def test_command_prints_what_the_readme_shows(command: str, shown: str, folder: Path) -> None:
    done = run(command, folder)
    assert done.stderr == ""
    assert matches(shown, done.stdout), done.stdout
    first = json.loads(shown)["status"] if shown.startswith("{") else shown.partition("\n")[0]
    assert done.returncode == EXIT.get(first, 0)


def test_files_of_the_tour_are_written(folder: Path) -> None:
    (generate,) = ((c, o) for c, o in TOUR if shlex.split(c)[1] == "generate")
    run(generate[0], folder)
    assert all((folder / name).is_file() for name in generate[1].split())


def test_a_changed_output_is_noticed() -> None:
    assert matches("sat\nloss: 0\ntime: 0.123 s\n", "sat\nloss: 0\ntime: 4.567 s\n")
    assert matches("a\n...\n", "a\nb\nc\n")
    assert not matches("sat\nloss: 0\ntime: 0.123 s\n", "sat\nloss: 1\ntime: 0.123 s\n")
    assert not matches("sat\n", "sat\nmore\n")
    assert not matches("sat\ntime: 0.123 s\n", "sat\ntime: soon\n")


def test_first_screen_names_the_two_commands() -> None:
    screen = "\n".join(README.splitlines()[:24])
    (solve,) = re.findall(r"^scripts/ermbit solve (\S+)$", screen, re.MULTILINE)
    assert (ROOT / solve).is_file()
    assert "\nscripts/test\n" in screen
    for script in ("ermbit", "test"):
        assert os.access(ROOT / "scripts" / script, os.X_OK)
