"""``ermbit dichotomy``."""

from __future__ import annotations

import csv
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cli.command_line import one_error, run_code, run_here
from ermbit import dichotomy
from ermbit.cli import dichotomy as command

Capture = pytest.CaptureFixture[str]
COLUMNS = [
    "activation",
    "depth",
    "forward_bits",
    "derivative_bits",
    "bound_bits",
    "forward_seconds",
    "gradient_seconds",
]


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_files_and_table(capfd: Capture, tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    words = ("--depth", "7", "--polynomial", "0,1,0,1", "--png")
    done = run_here(capfd, "dichotomy", *words, "--out", out)
    assert (done.status, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[:3] == [str(out / f"dichotomy.{form}") for form in ("csv", "svg", "png")]
    assert sorted(path.name for path in out.iterdir()) == [
        "dichotomy.csv",
        "dichotomy.png",
        "dichotomy.svg",
    ]
    table = rows(out / "dichotomy.csv")
    assert list(table[0]) == COLUMNS
    names = ["relu", "square", "polynomial:0,1,0,1"]
    assert [row["activation"] for row in table] == [name for name in names for _ in range(7)]
    assert [row["depth"] for row in table] == list("1234567") * 3
    assert (table[0]["forward_bits"], table[0]["derivative_bits"]) == ("25", "41")
    assert (out / "dichotomy.png").read_bytes().startswith(b"\x89PNG\r\n")
    ElementTree.parse(out / "dichotomy.svg")
    laws = [line.split() for line in lines[lines.index("growth with depth:") + 2 :]]
    assert [law[:3] for law in laws] == [
        [name, what, law]
        for name, law in zip(names, ["additive", "multiplicative", "multiplicative"], strict=True)
        for what in ("value", "derivative")
    ]


def test_json(capfd: Capture, tmp_path: Path) -> None:
    words = ("--width", "2", "--depth", "8", "--bits", "5", "--seed", "3")
    done = run_here(capfd, "dichotomy", *words, "--out", tmp_path, "--json")
    assert done.status == 0
    document = done.document
    assert set(document) == {
        "width",
        "depth",
        "seed",
        "bits",
        "time_limit",
        "points",
        "laws",
        "files",
    }
    assert (document["width"], document["depth"], document["bits"]) == (2, 8, 5)
    points = dichotomy.measure("relu", width=2, depth=8, bits=5, seed=3)
    keys = COLUMNS[:5]
    assert [[p[key] for key in keys] for p in document["points"][:8]] == [
        [getattr(point, key) for key in keys] for point in points
    ]
    relu, square = document["laws"]
    assert (relu["activation"], square["activation"]) == ("relu", "square")
    assert (relu["value"]["kind"], square["value"]["kind"]) == ("additive", "multiplicative")
    assert relu["value"]["step"] == dichotomy.fit(points).step
    assert relu["value"]["clear"] is True
    assert document["files"] == [str(tmp_path / f"dichotomy.{form}") for form in ("csv", "svg")]


def test_too_few_depths_have_no_law(capfd: Capture, tmp_path: Path) -> None:
    done = run_here(capfd, "dichotomy", "--depth", "2", "--out", tmp_path, "--json")
    assert [law["value"] for law in done.document["laws"]] == [None, None]


def test_unclear_laws_are_called_so(capfd: Capture, tmp_path: Path) -> None:
    # Five layers of ReLU: 25, 33, 37, 46, 54 bits lie near a line and near a power.
    done = run_here(capfd, "dichotomy", "--depth", "5", "--out", tmp_path)
    lines = done.out.splitlines()
    laws = lines[lines.index("growth with depth:") + 2 :]
    assert ["(unclear)" in law for law in laws] == [True, True, False, False]


@pytest.mark.parametrize(
    "polynomial, third",
    [
        (None, []),
        ("0,0,1,0", []),  # the square is not measured twice
        ("1, 0.5,3/6", ["polynomial:1,1/2,1/2"]),
    ],
)
def test_activations(polynomial: str | None, third: list[str]) -> None:
    assert command._activations(polynomial) == ["relu", "square", *third]


@pytest.mark.parametrize(
    "words, said",
    [
        (["--width", "-1"], "width"),
        (["--width", "0"], "width"),
        (["--width", "65"], "width"),
        (["--depth", "0"], "depth"),
        (["--depth", "x"], "depth"),
        (["--bits", "0"], "bits"),
        (["--seed", "-3"], "seed"),
        (["--time-limit", "nan"], "time-limit"),
        (["--time-limit=-1"], "time-limit"),
        (["--polynomial", "7"], "degree"),
        (["--polynomial", "1,2"], "degree"),
        (["--polynomial", "1,2,0"], "degree"),
        (["--polynomial", "a,b,c"], "polynomial"),
        (["--polynomial", ",".join("1" * 66)], "degree"),
        (["--polynomial", ""], "polynomial"),
        (["extra"], "extra"),
    ],
)
def test_bad_options(words: list[str], said: str, capfd: Capture, tmp_path: Path) -> None:
    assert said in one_error(run_here(capfd, "dichotomy", "--out", tmp_path, *words))
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be(
    capfd: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(*arguments: object, **options: object) -> None:
        raise AssertionError("measured before the folder was looked at")

    monkeypatch.setattr(dichotomy, "measure", measure)
    file = tmp_path / "file"
    file.touch()
    for folder in (file, file / "below", "a\0b"):
        said = one_error(run_here(capfd, "dichotomy", "--out", folder))
        assert said.startswith(str(folder).replace("\0", "\\x00") + ": ")
    assert list(tmp_path.iterdir()) == [file]


def test_numbers_too_long_at_once(
    capfd: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dichotomy, "MOST_BITS", 1)
    assert "1 bits" in one_error(run_here(capfd, "dichotomy", "--out", tmp_path))


def test_interrupt_leaves_no_files(
    capfd: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(dichotomy, "network_at", interrupted)
    done = run_here(capfd, "dichotomy", "--out", tmp_path)
    assert (done.status, done.out, done.err) == (130, "", "ermbit: error: interrupted\n")
    assert list(tmp_path.iterdir()) == []


def test_matplotlib_is_imported_to_draw_only() -> None:
    code = (
        "import sys\n"
        "from ermbit.cli.main import main\n"
        "import ermbit.cli.dichotomy, ermbit.dichotomy, ermbit.dichotomy_figure\n"
        "main(['dichotomy', '--help'])\n"
        "sys.exit('matplotlib' in sys.modules)\n"
    )
    done = run_code(code)
    assert (done.status, done.err) == (0, "")
