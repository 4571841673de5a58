"""The tables of docs/benchmark.md, and what it says of them, follow from the rows beside it."""

from __future__ import annotations

import csv
import re
from decimal import ROUND_HALF_UP, Decimal
from hashlib import sha256
from pathlib import Path
from statistics import mean, median

import pytest

from drawings import check_drawing
from ermbit.bench.case import question_hash
from ermbit.bench.plots import figures
from ermbit.bench.records import Record, read
from ermbit.bench.scores import BEST, CaseKey, Scores
from ermbit.bench.tables import report
from ermbit_instances.instance import load

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = ROOT / "instances" / "library"
DOCS = ROOT / "docs"
RESULTS = DOCS / "benchmark-results"
PAGE = (DOCS / "benchmark.md").read_text("utf-8")
WORDS = " ".join(PAGE.split())
PEERS = ("cpsat", "z3", "cvc5", "highs")
FILES = ("main.csv", "table.csv", "library.csv", "polynomial-ermbit.csv", "polynomial-peers.csv")
OPEN = {"library.csv": 30, "polynomial-ermbit.csv": 1}
"""File → how many of its cases ermbit does not solve within the limit; the page says so."""
GRACE = 3.5
"""Seconds past the limit in which a process is killed."""


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


@pytest.mark.parametrize("name", FILES)
def test_rows_are_small_and_keep_their_limits(name: str) -> None:
    assert (RESULTS / name).stat().st_size <= 600_000
    records = read([RESULTS / name])
    for r in records:
        assert r.checked in ("accepted", "none"), r
        assert r.checked == "accepted" or r.status not in ("sat", "optimal", "feasible"), r
        assert r.seconds <= r.timeout + GRACE, r
        assert not r.expected or {r.status, r.expected} != {"sat", "unsat"}, r


@pytest.mark.parametrize("name", FILES)
def test_ermbit_solves_all_within_the_limit_but_what_the_page_says(name: str) -> None:
    scores = _scores(name)
    ran = [case for case, row in scores.seconds.items() if "ermbit" in row]
    assert bool(ran) == (name != "polynomial-peers.csv")
    assert len(ran) - scores.count("ermbit", ran)[0] == OPEN.get(name, 0)


# --- what the page says --------------------------------------------------------------------------


def _time(seconds: float) -> str:
    digits = Decimal("0.1" if seconds >= 10 else "0.01")
    return str(Decimal(str(seconds)).quantize(digits, ROUND_HALF_UP))


def _instance(family: str) -> str:
    """The first cell of a single table's row."""
    if family.startswith("parity"):
        return f"{family}, h=3, W=3, no error: `unsat`"
    words = [w if w in ("real", "zero_one") else f"{w[0]}={w[1:]}" for w in family.split()]
    if "real" in words:
        words.remove("real")
        return "real weights, " + " ".join(words)
    return " ".join(words).replace(" zero_one", ", `zero_one`")


def test_single_tables_are_their_rows() -> None:
    records = read([RESULTS / "table.csv"])
    assert {r.cores for r in records} == {2}
    part = PAGE.partition("### Single tables")[2].partition("\n### ")[0]
    shown = {(row[0], *row[2:]) for row in _cells(part)}
    families = dict.fromkeys(r.family for r in records)
    made = {("instance", "ermbit, 2 processors, seconds", "engine"), ("---",) * 3}
    for family in families:
        members = sorted((r for r in records if r.family == family), key=lambda r: r.instance)
        (engine,) = {r.note for r in members}
        made.add((_instance(family), ", ".join(_time(r.seconds) for r in members), f"`{engine}`"))
    assert made == shown


def test_the_seconds_of_the_readme_are_their_rows() -> None:
    readme = _cells((ROOT / "README.md").read_text("utf-8"))
    for words, family, digits in [
        ("2 ReLUs, integer weights −3..3, 20 samples", "d2 h2 W3 N20", 1),
        ("2 ReLUs, integer weights −7..7, 20 samples", "d2 h2 W7 N20", 1),
        ("3 ReLUs, integer weights −3..3, 20 samples", "d2 h3 W3 N20", 0),
        ("two layers of 2 ReLUs, integer weights −3..3, 8 samples", "d2 h2-2 W3 N8", 0),
    ]:
        rows = [r for r in read([RESULTS / "table.csv"]) if r.family == family]
        ends = [f"{end(r.seconds for r in rows):.{digits}f}" for end in (min, max)]
        assert (words, "–".join(dict.fromkeys(ends))) in readme
    real = [r.seconds for r in read([RESULTS / "table.csv"]) if r.family == "d2 h2 real N40"]
    assert ("2 ReLUs, real weights, 40 samples", f"{max(real):.0f}") in readme


def test_what_is_said_of_main() -> None:
    records = read([RESULTS / "main.csv"])
    scores = Scores(records)
    everything = list(scores.families)
    kinds = {r.key[:4]: r.kind for r in records}

    def both(cases: list[CaseKey], peer: str = BEST) -> tuple[float, float]:
        found = scores.par2("ermbit", cases), scores.par2(peer, cases)
        assert found[0] is not None and found[1] is not None
        return found[0], found[1]

    agnostic, realizable = (
        [c for c in everything if kinds[c] == kind] for kind in ("agnostic", "realizable")
    )
    average, longest = mean(times := [scores.seconds[c]["ermbit"] for c in everything]), max(times)
    none = len(everything) - scores.count(BEST, everything)[0]
    (a, b), (c, d) = both(agnostic), both(realizable)
    assert (
        f"ermbit solves all {len(everything)}, in {average:.2f} s on average and {longest:.1f} s "
        f"at most; for {none} of them no peer has an answer within 60 s. Mean PAR-2 of the "
        f"{len(agnostic)} agnostic cases: {a:.2f} s against {b:.1f} s for the best peer of each "
        f"case, a factor of {b / a:.0f}; of the {len(realizable)} realizable ones: {c:.2f} s "
        f"against {d:.2f} s."
    ) in WORDS
    real = [case for case, family in scores.families.items() if "real" in family.split()]
    ours, z3 = both(real, "z3")
    assert (
        f"real weights: on those {len(real)}, z3 takes {z3:.2f} s on average, ermbit {ours:.2f} s."
    ) in WORDS
    again = {r.key[:4] for r in records if r.timeout == 60}
    first = [r for r in records if r.key[:4] in again and r.timeout == 20]
    assert {r.solver for r in first} == {"ermbit"}
    assert f"the {len(again)} cases that no peer had solved in 20 s were given" in WORDS
    assert f"on the other {len(everything) - len(again)} cases single peers had 20 s" in WORDS


def test_the_totals_of_polynomials_are_their_rows() -> None:
    scores = _scores("polynomial-ermbit.csv", "polynomial-peers.csv")
    solvers = ("ermbit", "z3", "cvc5", BEST)
    both = [c for c, row in scores.seconds.items() if {"z3", "cvc5"} <= row.keys()]
    decided = [str(scores.count(solver, both)[0]) for solver in solvers]
    times = [f"{scores.par2(solver, both):.3g}" for solver in solvers]
    assert ("decided within 60 s", *decided) in _cells(PAGE)
    assert ("mean PAR-2, seconds", *times) in _cells(PAGE)
    ours = [r for r in read([RESULTS / "polynomial-ermbit.csv"]) if r.status in ("sat", "unsat")]
    average = mean(r.seconds for r in ours)
    kinds = [{scores.families[c].partition(",")[0] for c in cs} for cs in (both, scores.families)]
    assert f"ermbit decides {len(ours)}, in {average:.1f} s on average" in WORDS
    assert (
        f"z3 and cvc5 were run on {len(both)} of them, of {len(kinds[0])} of the {len(kinds[1])} "
        "kinds"
    ) in WORDS


def _outside(records: list[Record], solver: str) -> float:
    """Median seconds of a process outside the solver's own clock, where it could state the case."""
    return median(
        r.seconds - r.inner
        for r in records
        if r.solver == solver and r.inner and r.status != "unsupported"
    )


def test_what_is_said_of_clocks() -> None:
    main, library = (read([RESULTS / name]) for name in ("main.csv", "library.csv"))
    assert f"start-up ({_outside(main, 'ermbit'):.1f} s) and verification included" in WORDS
    shares = [f"{median(r.cpu / r.seconds for r in rows):.0%}" for rows in (main, library)]
    assert f"on one processor, processor time is {shares[0]} of wall-clock time" in WORDS
    assert f"at {shares[1]} processor time" in WORDS
    factors = [_outside(library, s) / _outside(main, s) for s in ("ermbit", *PEERS)]
    assert f"all solvers took {min(factors):.1f} to {max(factors):.1f} times as long" in WORDS
    ours, theirs = (_outside(records, "ermbit") for records in (library, main))
    assert f"ermbit {ours:.2f} s instead of {theirs:.2f} s" in WORDS
    peers = [_outside(library, peer) for peer in PEERS]
    assert (
        f"({ours:.2f} s of ermbit outside its own clock against {min(peers):.2f} to "
        f"{max(peers):.2f} s of the peers)"
    ) in WORDS


def test_what_is_said_of_the_library() -> None:
    scores = _scores("library.csv")
    solved = {c for c, found in scores.solved.items() if BEST in found}
    both = {c for c in solved if "ermbit" in scores.solved[c]}
    left = [c for c in scores.seconds if "ermbit" not in scores.solved[c]]
    alone = [c for c, found in scores.solved.items() if found == {"ermbit"}]
    lead = {c: scores.seconds[c]["ermbit"] - scores.seconds[c][BEST] for c in both}
    behind = [c for c in both if lead[c] > 0]
    far = [c for c in behind if lead[c] > 1]
    integer = [c for c in far if scores.seconds[c][BEST] in
               (scores.seconds[c]["cpsat"], scores.seconds[c]["highs"])]  # fmt: skip
    assert (
        f"Of the {len(left)} that ermbit leaves open in 10 s some peer solves "
        f"{len(solved - both)}; {len(alone)} are solved by ermbit alone"
    ) in WORDS
    assert (
        f"On {len(behind)} of the {len(both)} that ermbit and some peer solve the best peer is "
        f"faster than ermbit: on {len(behind) - len(far)} of them by less than a second"
    ) in WORDS
    assert f"On {len(integer)} CP-SAT or HiGHS is faster by more than a second" in WORDS
    assert f"On {len(far) - len(integer)} z3 or cvc5 is" in WORDS
    quick = [c for c, row in scores.seconds.items() if row["ermbit"] < 1]
    assert len(quick) > len(scores.seconds) / 2


def test_the_sample_of_the_library_is_the_first_by_hash() -> None:
    """Nothing is chosen by hand: whatever comes in front and was not run is named on the page.

    An instance that is new in the library, and in front, has to be run or to be named as well.
    """
    with (LIBRARY / "index.csv").open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    run = {record.instance for record in read([RESULTS / "library.csv"])}
    able = [r["name"] for r in rows if r["status"] != "unknown" and r["open"] in ("", "no")]
    place = {name: sha256(name.encode()).hexdigest() for name in able}
    assert run <= place.keys()
    last = max(place[name] for name in run)
    missing = {name for name in able if place[name] < last} - run
    said = re.search(r"Not run, though (?:it is|they are) in front: ([^.]*)\.", WORDS)
    assert missing == set(re.findall(r"`([^`]+)`", said[1]) if said else ())
    assert f"So far {len(run)} instances have been run" in WORDS


@pytest.mark.parametrize("name, place", [("main.csv", "."), ("library.csv", "library")])
def test_plots_are_drawn_of_the_rows(name: str, place: str) -> None:
    folder = RESULTS / place
    drawn = figures(_scores(name), ("svg",))
    kept = {path.name: path.read_bytes() for path in folder.glob("*.svg")}
    assert kept and kept.keys() <= drawn.keys()
    shown = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", (RESULTS / "README.md").read_text("utf-8"))
    assert {RESULTS / path for path in shown} >= {folder / plot for plot in kept}
    assert all((RESULTS / path).is_file() for path in shown)
    for plot, content in kept.items():
        check_drawing(drawn[plot], content)
