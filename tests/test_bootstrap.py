"""scripts/ermbit and scripts/test up to the point where a package index would be asked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ("ermbit", "test", "_bootstrap.sh")
SHELL = shutil.which("sh") or "/bin/sh"

# A Python that runs, but whose distribution has split ensurepip off.
WITHOUT_ENSUREPIP = """#!{shell}
shift
case $1 in
-c) exec {python} -I -c "import sys; sys.modules['ensurepip'] = None
$2" ;;
esac
exec {python} -I -c "import runpy, sys
sys.modules['ensurepip'] = None
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')" "$@"
"""

# An environment's python that says how it was called.
ECHO_PYTHON = """#!{shell}
printf '<%s>' "$@"
exit 7
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout without environment, in a folder whose name has a space."""
    root = tmp_path / "a checkout"
    (root / "scripts").mkdir(parents=True)
    for name in ("ermbit", "test", "_bootstrap.sh", "_bootstrap.py"):
        shutil.copy2(ROOT / "scripts" / name, root / "scripts" / name)
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy2(ROOT / name, root / name)
    return root.resolve()


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """A folder for PATH that holds the standard tools the scripts use, and nothing else."""
    folder = tmp_path / "commands"
    folder.mkdir()
    for name in ("cksum", "readlink", "find", "mv"):
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return folder


def script(path: Path, text: str) -> None:
    path.write_text(text.format(shell=SHELL, python=f"'{sys.executable}'"), encoding="utf-8")
    path.chmod(0o755)


def run(
    command: Path, *arguments: str, path: Path, cwd: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SHELL, str(command), *arguments],
        cwd=cwd,
        env={"PATH": str(path), **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def make_ready(checkout: Path, profile: str = "run") -> Path:
    """Gives the checkout an environment that only echoes, with a valid stamp; returns .venv."""
    venv = checkout / ".venv"
    (venv / "bin").mkdir(parents=True)
    script(venv / "bin" / "python", ECHO_PYTHON)
    sums = subprocess.run(
        ["cksum", "pyproject.toml", "constraints.txt"],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    stamp = f"{' '.join(sums.split())}\n{profile}\n{checkout}\n"
    (venv / ".ermbit-stamp").write_text(stamp, encoding="utf-8")
    return venv


@pytest.mark.parametrize("name", SCRIPTS)
def test_script_parses(name: str) -> None:
    done = subprocess.run(
        [SHELL, "-n", str(ROOT / "scripts" / name)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", ["scripts/ermbit", "scripts/test", ".ci/run"])
def test_script_is_executable(name: str) -> None:
    assert os.access(ROOT / name, os.X_OK)


@pytest.mark.parametrize("profile", ["run", "dev"])
def test_ready_environment_is_run_at_once(
    checkout: Path, commands: Path, tmp_path: Path, profile: str
) -> None:
    venv = make_ready(checkout, profile)
    done = run(checkout / "scripts/ermbit", "solve", "a b", "", path=commands, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout == f"<{venv}/bin/ermbit><solve><a b><>"


def test_ready_environment_is_found_through_links(
    checkout: Path, commands: Path, tmp_path: Path
) -> None:
    venv = make_ready(checkout)
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "second").symlink_to(Path("..") / checkout.name / "scripts" / "ermbit")
    (tmp_path / "first").symlink_to(tmp_path / "links" / "second")
    (tmp_path / "folder").symlink_to(checkout)
    for command in (tmp_path / "first", Path("first"), tmp_path / "folder/scripts/ermbit"):
        done = run(command, "info", path=commands, cwd=tmp_path)
        assert done.stdout == f"<{venv}/bin/ermbit><info>", done.stderr


def test_arguments_of_test_go_to_pytest_alone(checkout: Path, commands: Path) -> None:
    make_ready(checkout, "dev")
    done = run(checkout / "scripts/test", "-k", "a or b", path=commands, cwd=checkout)
    assert (done.returncode, done.stdout) == (7, "<-m><pytest><-k><a or b>")


def test_every_stage_runs_and_failures_are_summed_up(checkout: Path, commands: Path) -> None:
    make_ready(checkout, "dev")
    done = run(checkout / "scripts/test", path=commands, cwd=checkout)
    assert done.returncode == 1
    assert done.stdout.endswith("== failed: ruff mypy imports pytest\n")


def test_sources_are_compiled_where_python_may_not_keep_it(
    checkout: Path, commands: Path
) -> None:
    """The first time, and when a source has changed; never where Python keeps what it compiles."""
    venv = make_ready(checkout)
    script(venv / "bin" / "python", '#!{shell}\necho "$@" >>"${{0%/*}}/calls"\nexit 1\n')
    calls = venv / "bin" / "calls"
    for folder in ("solver/ermbit/__pycache__", "encodings", "instances"):
        (checkout / folder).mkdir(parents=True)
    source = checkout / "solver" / "module.py"
    source.touch()
    own = "-m compileall -q solver encodings instances scripts"

    def compilations(**variables: str) -> int:
        calls.unlink(missing_ok=True)
        done = run(checkout / "scripts/ermbit", "info", path=commands, cwd=checkout, **variables)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
        return calls.read_text(encoding="utf-8").splitlines().count(own)

    assert compilations() == 0
    assert [compilations(PYTHONDONTWRITEBYTECODE="1") for _ in range(3)] == [1, 0, 0]
    later = time.time() + 10
    os.utime(source, (later, later))
    assert compilations() == 0
    assert compilations(PYTHONDONTWRITEBYTECODE="1") == 1
    (venv / ".ermbit-compiled").touch()
    os.utime(venv / ".ermbit-compiled", (later + 1, later + 1))
    assert compilations(PYTHONDONTWRITEBYTECODE="1") == 0
    (checkout / "solver/ermbit/__pycache__").rmdir()
    assert compilations(PYTHONDONTWRITEBYTECODE="1") == 1
    (venv / ".ermbit-compiled").unlink()
    (venv / ".ermbit-compiled.new").mkdir()  # whatever prevents it, the command is run
    assert compilations(PYTHONDONTWRITEBYTECODE="1") == 0


@pytest.mark.parametrize("change", ["pyproject.toml", "constraints.txt", "profile", "moved"])
def test_outdated_environment_is_not_run(
    checkout: Path, commands: Path, tmp_path: Path, change: str
) -> None:
    make_ready(checkout)
    name = "test" if change == "profile" else "ermbit"
    if change == "moved":
        checkout = checkout.rename(tmp_path / "another checkout")
    elif change != "profile":
        with (checkout / change).open("a", encoding="utf-8") as file:
            file.write("# changed\n")
    done = run(checkout / "scripts" / name, "solve", path=commands, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "ermbit: no Python 3.11 or newer found: install one (python3) and run this again\n"
    )


def test_old_python_does_not_count(checkout: Path, commands: Path) -> None:
    script(commands / "python3.12", "#!{shell}\nexit 127\n")
    script(commands / "python3", "#!{shell}\nexit 4\n")
    done = run(checkout / "scripts/ermbit", path=commands, cwd=checkout)
    assert done.returncode == 2
    assert done.stderr.startswith("ermbit: no Python 3.11 or newer found")


def test_python_without_ensurepip_is_said_in_one_line(checkout: Path, commands: Path) -> None:
    script(commands / "python3", WITHOUT_ENSUREPIP)
    done = run(checkout / "scripts/ermbit", "solve", path=commands, cwd=checkout)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "install python3-venv (or virtualenv, or uv)" in done.stderr
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize("tool", ["virtualenv", "uv"])
def test_other_tools_make_the_environment(checkout: Path, commands: Path, tool: str) -> None:
    script(commands / "python3", WITHOUT_ENSUREPIP)
    script(commands / tool, '#!{shell}\necho "called: $*"\nexit 3\n')
    done = run(checkout / "scripts/ermbit", path=commands, cwd=checkout)
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert lines[0].startswith("called: --quiet")
    assert lines[0].endswith(str(checkout / ".venv"))
    assert lines[1].startswith("ermbit: preparing")
    assert not (checkout / ".venv/.ermbit-stamp").exists()


def test_half_made_environment_is_remade(checkout: Path, commands: Path) -> None:
    left = checkout / ".venv" / "left over"
    left.mkdir(parents=True)
    (checkout / ".venv" / ".ermbit-made").touch()
    script(commands / "python3", WITHOUT_ENSUREPIP)
    script(commands / "virtualenv", "#!{shell}\nexit 3\n")
    done = run(checkout / "scripts/ermbit", path=commands, cwd=checkout)
    assert done.returncode == 2
    assert not left.exists()


def test_folder_of_something_else_is_left_alone(checkout: Path, commands: Path) -> None:
    kept = checkout / ".venv" / "notes.txt"
    kept.parent.mkdir()
    kept.touch()
    (commands / "python3").symlink_to(Path(sys.executable).resolve())
    done = run(checkout / "scripts/ermbit", path=commands, cwd=checkout)
    assert done.returncode == 2
    assert done.stderr == f"ermbit: {checkout}/.venv is not a virtual environment: remove it\n"
    assert kept.exists()


def test_own_environment_is_installed_into_and_stamped(checkout: Path, commands: Path) -> None:
    venv = checkout / ".venv"
    (venv / "bin").mkdir(parents=True)
    # Answers the question for its version, and takes every installation as done.
    script(
        venv / "bin" / "python",
        '#!{shell}\n[ "$2" = -c ] && echo 3 12\necho "$@" >>"${{0%/*}}/calls"\n',
    )
    (venv / "bin" / "ermbit").touch()
    (commands / "python3").symlink_to(Path(sys.executable).resolve())
    for _ in range(2):
        done = run(checkout / "scripts/ermbit", "info", path=commands, cwd=checkout)
        assert (done.returncode, done.stderr) == (0, "")
    calls = (venv / "bin" / "calls").read_text(encoding="utf-8").splitlines()
    assert [call for call in calls if " install " in call] == [
        "-I -m pip install --constraint constraints.txt hatchling editables",
        "-I -m pip install --constraint constraints.txt --no-build-isolation --editable .",
    ]
    assert calls.count(f"{venv}/bin/ermbit info") == 2
    stamp = (venv / ".ermbit-stamp").read_text(encoding="utf-8").splitlines()
    assert stamp[1:] == ["run", str(checkout)]
