"""The tables of docs/benchmark.md follow from the rows that are kept beside them."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from ermbit.bench.case import question_hash
from ermbit.bench.plots import figures
from ermbit.bench.records import read
from ermbit.bench.scores import Scores
from ermbit.bench.tables import report
from ermbit_instances.instance import load

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = ROOT / "instances" / "library"
DOCS = ROOT / "docs"
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


@pytest.mark.parametrize("name", ["main.csv", "library.csv"])
def test_tables_by_family_are_those_of_their_rows(name: str) -> None:
    records = read([RESULTS / name])
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


def test_the_library_is_measured_as_it_is() -> None:
    """Rows are of questions of today's library, whose answers are known."""
    with (LIBRARY / "index.csv").open(newline="", encoding="utf-8") as stream:
        known = {row["name"]: row for row in csv.DictReader(stream)}
    records = read([RESULTS / "library.csv"])
    assert len({record.instance for record in records}) >= 100
    for record in records:
        row = known[record.instance]
        assert row["status"] == record.expected and row["status"] in ("sat", "unsat")
        assert question_hash(load(LIBRARY / row["file"])) == record.question


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
