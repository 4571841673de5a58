"""The shape of the repository: source roots, sizes, pins, what is packed and what is imported."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE_ROOTS = {
    "instances": "ermbit_instances",
    "encodings": "ermbit_encodings",
    "solver": "ermbit",
}
PACKAGES = [ROOT / folder / package for folder, package in SOURCE_ROOTS.items()]
MOST_LINES = 500
SOLVERS = {"cvc5", "pysat", "z3"}

# Paths of a home or of a work folder, and addresses of a package index: true on one machine only.
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:home|Users|root|work|workspace)/\w")
INDEX_ADDRESS = re.compile(r"--(?:extra-)?index-url[ =]\S|\bfile:/{2}\S|:/{2}\S+/simple\b")
TEXT_SUFFIXES = {".cfg", ".csv", ".json", ".md", ".py", ".sh", ".smt2", ".toml", ".txt", ".yml", ""}


def project_files() -> list[Path]:
    """What belongs to the project: git's view, or the tree itself where there is no git."""
    listing = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode == 0 and listing.stdout:
        files = [ROOT / name for name in listing.stdout.split("\0") if name]
    else:
        hidden = {".git", ".venv", "__pycache__"}
        files = [path for path in ROOT.rglob("*") if not hidden & set(path.parts)]
    return [path for path in files if path.is_file()]


def modules() -> list[Path]:
    return [path for package in PACKAGES for path in package.rglob("*.py")]


def run_python(code: str, pythonpath: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": pythonpath}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )


def source_path() -> str:
    return os.pathsep.join(str(ROOT / folder) for folder in SOURCE_ROOTS)


@pytest.mark.parametrize("folder", SOURCE_ROOTS)
def test_source_root_is_no_package(folder: str) -> None:
    assert (ROOT / folder).is_dir()
    assert not (ROOT / folder / "__init__.py").exists()


def test_python_starts_with_the_root_on_its_path() -> None:
    done = run_python("import encodings.utf_8", str(ROOT))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_package_is_marked_as_typed(package: Path) -> None:
    assert (package / "__init__.py").is_file()
    assert (package / "py.typed").is_file()


def test_modules_are_short() -> None:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert lengths
    assert {str(path): size for path, size in lengths.items() if size > MOST_LINES} == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see /home/" + "ann/project", True),
        ("pip install --index" + "-url=x", True),
        ("https://host/" + "simple", True),
        ("https://doi.org/10.1/home/x", False),
        ("tests/" + "work/x.json", False),
    ],
)
def test_search_for_machine_traces(text: str, found: bool) -> None:
    assert bool(MACHINE_PATH.search(text) or INDEX_ADDRESS.search(text)) is found


def test_no_file_names_a_machine() -> None:
    traces = []
    for path in project_files():
        if path.suffix not in TEXT_SUFFIXES:
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        traces += [
            f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
            for number, line in enumerate(lines, 1)
            if MACHINE_PATH.search(line) or INDEX_ADDRESS.search(line)
        ]
    assert traces == []


def test_no_lock_file_with_addresses() -> None:
    names = {path.name for path in project_files()}
    assert not names & {"uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "pylock.toml"}


def test_constraints_are_plain_pins() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="ascii").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert [pin for pin in pins if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][\w.]*", pin)] == []
    names = [distribution_name(pin) for pin in pins]
    assert len(names) == len(set(names))
    assert "http" not in "".join(lines)


def test_every_requirement_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    for extra in project["project"]["optional-dependencies"].values():
        wanted += extra
    lines = (ROOT / "constraints.txt").read_text(encoding="ascii").splitlines()
    pinned = {distribution_name(line) for line in lines if not line.startswith("#")}
    assert {distribution_name(name) for name in wanted} - pinned == set()


def distribution_name(requirement: str) -> str:
    """The normalised name of a requirement (PEP 503)."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert name is not None, requirement
    return re.sub(r"[-_.]+", "-", name.group()).lower()


def test_wheel_holds_the_three_packages_with_their_data(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    expected = {
        str(path.relative_to(package.parent))
        for package in PACKAGES
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert expected - packed == set()
    assert {name.split("/")[0] for name in packed if ".dist-info/" not in name} == set(
        SOURCE_ROOTS.values()
    )


@pytest.mark.parametrize(
    "module", ["ermbit", "ermbit.verifier", "ermbit_encodings", "ermbit_instances"]
)
def test_import_loads_no_solver(module: str) -> None:
    code = f"import sys, {module}; print(*({SOLVERS} & set(sys.modules)))"
    done = run_python(code, source_path())
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr + done.stdout
