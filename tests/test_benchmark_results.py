"""The tables of docs/benchmark.md follow from the rows that are kept beside them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ermbit.bench.plots import figures
from ermbit.bench.records import read
from ermbit.bench.scores import Scores
from ermbit.bench.tables import report

DOCS = Path(__file__).resolve().parent.parent / "docs"
RESULTS = DOCS / "benchmark-results"
PAGE = (DOCS / "benchmark.md").read_text("utf-8")


def _cells(text: str) -> set[tuple[str, ...]]:
    """The rows of all Markdown tables, cell by cell."""
    rows = re.findall(r"^\|(.*)\|$", text, re.MULTILINE)
    return {tuple(cell.strip() for cell in row.split("|")) for row in rows}


def _scores(*names: str) -> Scores:
    records = read(RESULTS / name for name in names)
    assert records
    return Scores(records)


def test_the_table_of_main_is_that_of_its_rows() -> None:
    records = read([RESULTS / "main.csv"])
    scores = Scores(records)
    made = _cells("\n".join(report(scores, records, details=False)))
    families = {*scores.families.values(), "all"}
    rows = {row for row in made if row[0] in families and len(row) == 9}
    assert len(rows) == len(families)
    assert rows <= _cells(PAGE)
    assert scores.judgement.is_clean


def test_the_table_of_polynomials_is_that_of_its_rows() -> None:
    scores = _scores("polynomial-ermbit.csv", "polynomial-peers.csv")
    assert scores.judgement.is_clean
    kinds = dict.fromkeys(family.partition(",")[0] for family in scores.families.values())
    peers = ("z3", "cvc5")
    for kind in kinds:
        cases = [c for c, f in scores.families.items() if f.partition(",")[0] == kind]
        both = [c for c in cases if all(peer in scores.seconds[c] for peer in peers)]
        ours, asked = scores.count("ermbit", cases)[0], len(both)
        z3, cvc5 = (scores.count(peer, both)[0] for peer in peers)
        shown = (z3, cvc5) if asked else ("–", "–")
        row = (kind, len(cases), ours, asked, *shown)
        assert tuple(map(str, row)) in _cells(PAGE), kind


@pytest.mark.parametrize("name", ["main.csv", "table.csv", "polynomial-ermbit.csv"])
def test_rows_are_small_and_all_solved_within_their_limits(name: str) -> None:
    assert (RESULTS / name).stat().st_size <= 200_000
    assert all(record.checked != "rejected" for record in read([RESULTS / name]))


def test_plots_are_drawn_of_the_rows() -> None:
    drawn = figures(_scores("main.csv"), ("svg",))
    kept = {path.name for path in RESULTS.glob("*.svg")}
    assert kept and kept <= set(drawn)
    shown = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", (RESULTS / "README.md").read_text("utf-8"))
    assert set(shown) == kept
