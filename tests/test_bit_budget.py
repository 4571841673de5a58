"""Bit-budget curves: the page has the numbers of its table; they are consistent, and come again."""

from __future__ import annotations

import csv
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from gmpy2 import mpq

import script_modules
from engine_checks import least
from ermbit_instances.families.domain_text import domain_document

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


def script() -> Any:
    return script_modules.script("bit_budget")


def points() -> list[Any]:
    """The points of docs/bit-budget.csv."""
    found: list[Any] = script().read(DOCS / "bit-budget.csv")
    return found


def test_every_study_has_every_format() -> None:
    budget = script()
    assert [(p.study, p.format) for p in points()] == [
        (study, form) for study in budget.STUDIES for form in budget.FORMATS
    ]


def test_rows_and_page_follow_from_the_points() -> None:
    found = points()
    with (DOCS / "bit-budget.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [list(script().COLUMNS), *([str(cell) for cell in p.row()] for p in found)]
    assert script().markdown(found) in (DOCS / "bit-budget.md").read_text(encoding="utf-8")
    assert (DOCS / "bit-budget.svg").exists()


def test_bounds_agree_with_inclusion() -> None:
    found = points()
    assert script().by_inclusion(found) == found
    assert all(p.low <= p.high for p in found)
    for p in found:
        if p.search == "optimal":
            assert p.status == "optimal"


def test_sets_contain_each_other_exactly() -> None:
    of = {form.name: form for form in script().FORMATS}
    assert of["int4"].contains(of["int3"]) and not of["int3"].contains(of["int4"])
    assert of["pow2-4"].contains(of["pow2-3"]) and of["pow2-4"].contains(of["ternary"])
    assert of["fp8_e4m3"].contains(of["int6"]) is all(
        value in of["fp8_e4m3"].domain for value in of["int6"].domain.values()
    )
    assert not of["int6"].contains(of["rational:2"]) and not of["int6"].contains(of["real"])
    assert all(of["real"].contains(form) for form in of.values())


@pytest.mark.parametrize(
    "study, name",
    [("iris", n) for n in ("ternary", "int3", "rational:2")]
    + [("teacher", "int2"), ("wine", "int3"), ("wine-relu", "ternary")],
)
def test_quick_points_again(study: str, name: str) -> None:
    """By enumeration alone, whatever engine found them."""
    if study.startswith("wine"):
        pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    (point,) = [p for p in points() if (p.study.name, p.format.name) == (study, name)]
    document = {**point.study.document(), "weights": domain_document(point.format.text)}
    status, loss = least("exhaustive", document)
    assert (status, loss) == ("optimal", point.low)
    assert len(document["data"]["x"]) == point.samples


def test_the_script_draws_what_it_measures(tmp_path: Path) -> None:
    budget = script()
    study = budget.STUDIES[0]
    forms = [form for form in budget.FORMATS if form.name in ("ternary", "int2")]
    measured = budget.by_inclusion([budget.measure(study, form, 60) for form in forms])
    assert [(p.low, p.high) for p in measured] == [(mpq(1, 2), mpq(1, 2))] * 2
    budget.draw(measured, tmp_path / "figure.svg")
    assert (tmp_path / "figure.svg").stat().st_size > 1000


def test_stopped_it_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    budget = script()
    forms = [form for form in budget.FORMATS if form.name in ("ternary", "int2", "int3")]
    stored = {p.format.name: p for p in points() if p.study.name == "iris"}
    monkeypatch.setattr(budget, "STUDIES", budget.STUDIES[:1])
    monkeypatch.setattr(budget, "FORMATS", forms)
    asked: list[str] = []
    limit = 2

    def measure(study: Any, form: Any, timeout: float) -> Any:
        if len(asked) == limit:
            raise KeyboardInterrupt
        asked.append(form.name)
        return replace(stored[form.name], timeout=timeout)

    monkeypatch.setattr(budget, "measure", measure)
    words = ["bit_budget.py", "--out", str(tmp_path), "--timeout", "7"]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(KeyboardInterrupt):
        budget.main()
    table = tmp_path / "bit-budget.csv"
    assert [p.format.name for p in budget.read(table)] == asked == ["ternary", "int2"]
    assert [path.name for path in tmp_path.iterdir()] == [table.name]

    limit = 3
    monkeypatch.setattr(sys, "argv", [*words, "--resume"])
    assert budget.main() == 0
    assert [p.format.name for p in budget.read(table)] == asked == ["ternary", "int2", "int3"]
    assert (tmp_path / "bit-budget.svg").exists()


def test_an_interrupted_search_is_no_point(monkeypatch: pytest.MonkeyPatch) -> None:
    budget = script()
    found = budget.ermbit.Answer("unknown", None, 0.1, reason="interrupted")
    monkeypatch.setattr(budget.ermbit, "minimize", lambda instance, **options: found)
    with pytest.raises(KeyboardInterrupt):
        budget.measure(budget.STUDIES[0], budget.FORMATS[0], 1.0)
