"""The script that measures random labels: points, resumption, theory, refusals; its page."""

from __future__ import annotations

import csv
import re
from collections import Counter
from itertools import product
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import reference
import script_modules
from drawings import check_drawing
from ermbit_instances.families import generate

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "phase-transition.md"
SETTINGS = ("inputs=1", "hidden=none", "domain=ternary", "data_low=-4", "data_high=4")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    module: ModuleType = script_modules.script("phase_transition")
    return module


def run(script: ModuleType, out: Path, *more: str) -> str:
    arguments = ["--set", *SETTINGS, "--samples", "1:5:2", "--engine", "exhaustive"]
    assert script.main([*arguments, "--out", str(out), "--count", "6", *more]) == 0
    return (out / "instances.csv").read_text()


def test_counts_are_those_of_brute_force(script: ModuleType, tmp_path: Path) -> None:
    run(script, tmp_path)
    rows = script.read_rows(tmp_path / "instances.csv")
    assert [(r.samples, r.seed) for r in rows] == list(product((1, 3, 5), range(6)))
    settings = dict(part.split("=") for part in SETTINGS)
    counts: Counter[int] = Counter()
    for row in rows:
        document = generate("random_labels", row.seed, samples=row.samples, **settings).document
        possible = any(
            reference.loss(document, {"W1[0,0]": w, "b1[0]": b}) == 0
            for w, b in product((-1, 0, 1), repeat=2)
        )
        assert row.status == ("sat" if possible else "unsat")
        assert (row.parameters, row.engine) == (2, "exhaustive")
        counts[row.samples] += possible
    line = script.Line("x", "x", " ".join(SETTINGS), (1, 3, 5))
    found = script.points([line], rows)
    assert [(p.samples, p.sat, p.unsat, p.unknown) for p in found] == [
        (n, counts[n], 6 - counts[n], 0) for n in (1, 3, 5)
    ]
    assert [p.ratio for p in found] == [0.5, 1.5, 2.5]
    assert len((tmp_path / "phase-transition.csv").read_text().splitlines()) == 4
    assert b"<svg" in (tmp_path / "phase-transition.svg").read_bytes()


def test_a_run_goes_on_where_the_last_one_ended(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(script, tmp_path / "whole")
    part = tmp_path / "part"
    part.mkdir()
    # Seven rows, and one that was not written to its end.
    (part / "instances.csv").write_text("\n".join(whole.split("\n")[:8]) + "\nrandom labels,in")
    asked = []
    decided = script.decided

    def counted(*arguments: object) -> object:
        asked.append(arguments)
        return decided(*arguments)

    monkeypatch.setattr(script, "decided", counted)
    again = run(script, part)
    assert len(asked) == 18 - 7 + 1  # and the one that is not measured
    first, second = (
        [line.rsplit(",", 1)[0] for line in text.split("\n")] for text in (whole, again)
    )
    assert first == second
    asked.clear()
    assert run(script, part) == again and not asked


def test_unknown_is_tried_again_with_more_time(script: ModuleType, tmp_path: Path) -> None:
    text = run(script, tmp_path)
    file = tmp_path / "instances.csv"
    file.write_text(text.replace(",sat,", ",unknown,"))
    assert "unknown" in (before := file.read_text())
    assert run(script, tmp_path, "--timeout", "5") == before
    run(script, tmp_path, "--timeout", "20")
    line = script.Line("random labels", "", " ".join(SETTINGS), (1, 3, 5))
    rows = list(script.run([line], 6, 20.0, file))
    assert {row.status for row in rows} == {"sat", "unsat"}


@pytest.mark.parametrize("samples, dimension", [(1, 1), (3, 1), (4, 2), (5, 3), (4, 6)])
def test_covers_probability(script: ModuleType, samples: int, dimension: int) -> None:
    """C(N, d) = C(N-1, d) + C(N-1, d-1) dichotomies, C(1, d) = C(N, 1) = 2."""

    def count(n: int, d: int) -> int:
        if d == 0:
            return 0
        return 2 if n == 1 else count(n - 1, d) + count(n - 1, d - 1)

    assert script.cover(samples, dimension) == count(samples, dimension) / 2**samples


def test_lines_are_legal(script: ModuleType) -> None:
    for line in script.lines():
        assert line.samples == tuple(sorted(set(line.samples)))
        problem = script.problem_of(line, line.samples[0], 0)
        assert len(problem.instance.data) == line.samples[0]


@pytest.mark.parametrize(
    "arguments",
    [["--case", "nothing"], ["--count", "0"], ["--samples", "5:1"], ["--samples", "x"],
     ["--set", "hidden"], ["--set", "colour=1"], ["--engine", "oracle"]],
)  # fmt: skip
def test_requests_without_sense(
    script: ModuleType, arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        script.main([*arguments, "--out", str(tmp_path)])
    assert caught.value.code == 2
    assert capsys.readouterr().err


# --- the page, its numbers and its figure --------------------------------------------------------


def kept_points(script: ModuleType) -> list[Any]:
    """The points of docs/phase-transition.csv."""
    whole = ("parameters", "samples", "sat", "unsat", "unknown")
    texts = ("case", "size")
    with PAGE.with_suffix(".csv").open(encoding="utf-8", newline="") as file:
        return [
            script.Point(
                **{
                    name: text if name in texts else int(text) if name in whole
                    else float(text) if text else None
                    for name, text in row.items()
                }
            )
            for row in csv.DictReader(file)
        ]  # fmt: skip


def test_the_kept_points_are_those_of_the_script(script: ModuleType) -> None:
    found = kept_points(script)
    plan = [(line, samples) for line in script.lines() for samples in line.samples]
    for point, (line, samples) in zip(found, plan, strict=True):
        assert (point.case, point.size, point.samples) == (line.case, line.size, samples)
        network = script.problem_of(line, samples, 0).instance.network
        assert point.parameters == network.parameter_count
        assert point.ratio == round(samples / point.parameters, 4)
        assert (point.sat + point.unsat, point.unknown) == (20, 0)
        assert point.share == point.sat / 20
        theory = round(script.cover(samples, line.dimension), 4) if line.dimension else None
        assert point.theory == theory
        assert 0 < point.median_seconds <= point.longest_seconds
    assert script.table(found) == PAGE.with_suffix(".csv").read_text(encoding="utf-8")


def test_the_page_follows_from_the_points(script: ModuleType) -> None:
    page, found = PAGE.read_text(encoding="utf-8"), kept_points(script)
    count = sum(point.sat + point.unsat for point in found)
    assert f"Of {count:,} instances all were decided" in " ".join(page.split())
    engines = dict.fromkeys((line.case, line.engine) for line in script.lines())
    rows = re.findall(r"^\| [^|]+ \| [^|]+ \| `(\w+)` \| (.+) \|$", page, re.MULTILINE)
    for (case, engine), (shown_engine, passes) in zip(engines, rows, strict=True):
        assert shown_engine == engine
        shown: dict[int, tuple[str, str]] = {}
        for low, high, of in re.findall(r"([\d.]+)(?: to ([\d.]+))? \(([^)]+)\)", passes):
            shown |= {int(number): (low, high or low) for number in re.findall(r"\d+", of)}
        wanted = {}
        points = [point for point in found if point.case == case]
        for parameters in {point.parameters for point in points}:
            curve = [(p.ratio, p.share) for p in points if p.parameters == parameters]
            # Up to the first all shares are 1/2 or more, from the second on 1/2 or less.
            low = max(at for at, _ in curve if all(s >= 0.5 for r, s in curve if r <= at))
            high = min(at for at, _ in curve if all(s <= 0.5 for r, s in curve if r >= at))
            wanted[parameters] = (f"{low:.1f}", f"{high:.1f}")
        assert shown == wanted
    check_drawing(script.draw(found, 20), PAGE.with_suffix(".svg").read_bytes())
