"""The model of the race: it plays by the scheduler's rules, and the page has its numbers."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path
from typing import Any

import pytest

import script_modules
from ermbit.plan import TURNS
from ermbit.processes.turns import Schedule, possible

ROOT = Path(__file__).resolve().parent.parent
ROWS = ROOT / "docs" / "benchmark-results" / "turns.csv"

pytestmark = pytest.mark.skipif(not possible(), reason="children rest on Linux only")


def script() -> Any:
    return script_modules.script("bench_turns")


def times(*needs: float) -> list[Any]:
    """Engines that answer after so many seconds of their own; 0 for those that never do."""
    turns = script()
    return [
        turns.Time(f"e{k}", "sat" if need else "unknown", turns.STARTED + (need or 5.0))
        for k, need in enumerate(needs)
    ]


@pytest.fixture(autouse=True)
def clock_of_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script().turns, "LOOK", 0.0)
    monkeypatch.setattr(script().turns, "PATIENCE", math.inf)


@pytest.mark.parametrize(
    "needs, schedule, processors, expected",
    [
        ((1.0,), Schedule(), 1, 1.0),
        ((2.0, 1.0), Schedule(), 1, 2.0),  # both at half speed
        ((2.0, 1.0), Schedule(), 2, 1.0),
        ((0, 0, 0, 1.0), Schedule(), 1, math.inf),  # the fourth never starts
        ((0, 0, 0, 1.0), Schedule((1.5,)), 1, 5.5),
        ((0, 0, 0, 1.0), Schedule((1.5,)), 2, 2.5),
        ((0, 0, 0, 1.0), Schedule((1.5, 3.0), 2), 1, 11.5),
        ((0, 2.0), Schedule((1.5,)), 1, 4.0),  # 1.5 each; then the half that is left, shared
        ((0, 2.0), Schedule((1.5, 5.0)), 1, 8.5),
        ((0, 0, 0, 2.0, 0), Schedule((1.5, 5.0)), 1, 5 * 1.5 + 3 * 5 + 2),  # it began anew
    ],
)
def test_small_races(
    needs: tuple[float, ...], schedule: Schedule, processors: int, expected: float
) -> None:
    turns = script()
    found = turns.race(times(*needs), schedule, processors)
    assert found == pytest.approx(turns.STARTED + expected, abs=0.3)


def test_the_page_has_the_numbers_of_the_model() -> None:
    turns = script()
    text = (ROOT / "docs" / "engines.md").read_text(encoding="utf-8")
    one, two, four = (turns.model(ROWS, processors) for processors in (1, 2, 4))
    for a, b in zip(one, two, strict=True):
        numbers = [(*row[:2], f"{row[2]:.2f}", f"{row[3]:.2f}", str(row[4])) for row in (a, b)]
        assert "| " + " | ".join(numbers[0] + numbers[1][2:]) + " |" in text
    words = " ".join(text.split())
    none, ours = (four[turns.SCHEDULES.index(chosen)] for chosen in (Schedule(), TURNS))
    assert f"change nothing (geometric means {none[3]:.2f} and {ours[3]:.2f} s)" in words
    with ROWS.open(newline="") as file:
        names = {row["instance"] for row in csv.DictReader(file)}
    assert f"For {len(names)} instances" in words
    first, second = TURNS.lengths
    assert f"for {first:g} s of processor time, one after the other, and then" in words
    assert f"and then for {second:g}; then the others have the same" in words
    assert TURNS.first == 5 and "Each of the first five engines" in words


def test_measuring_goes_on_where_it_was(tmp_path: Path) -> None:
    turns = script()
    document = {
        "format": "ermbit-instance",
        "version": 1,
        "name": "tiny",
        "network": {"inputs": 1, "layers": [{"units": 1, "activation": "identity"}]},
        "weights": {"domain": "integer", "low": -1, "high": 1},
        "data": {"x": [[1], [2]], "y": [[1], [2]]},
        "loss": {"name": "absolute", "reduction": "sum"},
        "threshold": 0,
    }
    file, out = tmp_path / "tiny.erm.json", tmp_path / "out.csv"
    file.write_text(json.dumps(document))
    out.write_text(
        "instance,engine,status,cpu\n"
        + "".join(f"tiny,{name},unknown,1.00\n" for name in turns.engines(file) if name != "sat")
    )
    turns.measure([file], out, 30.0)
    rows = list(csv.DictReader(out.open(newline="")))
    assert rows[-1]["engine"] == "sat"
    assert rows[-1]["status"] == "sat"
    assert float(rows[-1]["cpu"]) > 0
    before = out.read_text()
    turns.measure([file], out, 30.0)
    assert out.read_text() == before
