"""The parts of the benchmark: certificates, contradictions, scores, the file of results."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, fields
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from gmpy2 import mpq
from hypothesis import given
from hypothesis import strategies as st

import reference
from ermbit.bench import records, tables
from ermbit.bench.agreement import judge
from ermbit.bench.case import Case, Known, Task, expectation, question_hash
from ermbit.bench.checking import check
from ermbit.bench.plots import figures, solved_times
from ermbit.bench.process import Finished
from ermbit.bench.records import Record, Results, read
from ermbit.bench.reply import Reply, reply_of
from ermbit.bench.scores import BEST, Scores
from ermbit_instances.errors import InputError, MissingFileError
from ermbit_instances.instance import parse_instance
from ermbit_instances.rational import parse_rational

KINK: dict[str, Any] = {
    "format": "ermbit-instance",
    "version": 1,
    "network": {
        "inputs": 1,
        "layers": [{"units": 2, "activation": "relu"}, {"units": 1, "activation": "identity"}],
    },
    "weights": {"domain": "integer", "low": -1, "high": 1},
    "data": {"x": [[0], [1], [1], [-2], [1]], "y": [[0], [2], [2], [-1], [3]]},
    "loss": {"name": "absolute", "reduction": "sum"},
}
"""One input, equal samples, one that contradicts them."""


def case(folder: Path, task: Task, threshold: str = "") -> Case:
    document = {**KINK, "threshold": threshold} if threshold else KINK
    file = folder / "kink.erm.json"
    file.write_text(json.dumps(document))
    question = question_hash(parse_instance(document))
    return Case("s", "kink", "f", "", task, file, question, threshold)


def record(solver: str, status: str, **more: Any) -> Record:
    row: dict[str, Any] = {field.name: "" for field in fields(Record)}
    row |= {"instance": "kink", "family": "f", "task": "minimize", "checked": "none", "cores": 1}
    row |= {"solver": solver, "status": status, "timeout": 10.0, "memory": 100, "seed": 0}
    row |= {"seconds": 1.0, "inner": 1.0, "cpu": 1.0, "peak": 1.0}
    return Record(**{**row, **more})


def least(solver: str, loss: str, **more: Any) -> Record:
    return record(solver, "optimal", **{"loss": loss, "exact": loss, "checked": "accepted"} | more)


def decided(solver: str, status: str, threshold: str, exact: str = "", **more: Any) -> Record:
    checked = "accepted" if status == "sat" else "none"
    row = {"task": "solve", "threshold": threshold, "exact": exact, "checked": checked}
    return record(solver, status, **row | more)


# ---------------------------------------------------------------- certificates


def test_right_answer_is_accepted_and_wrong_ones_rejected(tmp_path: Path) -> None:
    best, theta = reference.minimum(KINK)
    parameters = {name: str(value) for name, value in theta.items()}
    minimize = case(tmp_path, "minimize")

    def verdict(
        asked: Case, status: str, loss: str, values: dict[str, Any] | None
    ) -> tuple[str, str]:
        found = check(asked, Reply(status, loss, parameters=values))
        return found.verdict, found.loss

    assert verdict(minimize, "optimal", str(best), parameters) == ("accepted", str(best))
    assert verdict(minimize, "optimal", "", parameters) == ("accepted", str(best))
    assert verdict(minimize, "optimal", str(best - 1), parameters)[0] == "rejected"
    assert verdict(minimize, "optimal", str(best + 1), parameters)[0] == "rejected"
    assert verdict(minimize, "feasible", str(best + 1), parameters)[0] == "accepted"
    assert verdict(minimize, "feasible", str(best - 1), parameters)[0] == "rejected"
    for nothing in ({}, None):
        assert verdict(minimize, "optimal", str(best), nothing)[0] == "missing"
        assert verdict(minimize, "unknown", "", nothing)[0] == "none"
    assert verdict(minimize, "feasible", "", {**parameters, "b2[0]": "7"})[0] == "rejected"
    assert verdict(minimize, "feasible", "", {**parameters, "nonsense": "0"})[0] == "rejected"
    below = case(tmp_path, "solve", str(best - 1))
    assert verdict(below, "sat", "", parameters)[0] == "rejected"
    assert verdict(below, "unknown", "", parameters) == ("accepted", str(best))
    assert verdict(below, "unsat", "", None)[0] == "none"
    assert verdict(case(tmp_path, "solve", str(best)), "sat", "", parameters)[0] == "accepted"


def finished(output: str, **more: Any) -> Finished:
    ended: dict[str, Any] = {"errors": "", "seconds": 1.0, "cpu": 0.5, "peak": 9.0}
    return Finished(**{"output": output, "end": "itself", "code": 0, **ended, **more})


@pytest.mark.parametrize(
    ("output", "status", "loss", "note"),
    [
        ('{"status": "sat", "loss": 0.5, "parameters": {}}', "sat", "1/2", ""),
        ('noise\n{"status": "unsat", "reason": "why"}\n', "unsat", "", "why"),
        ('{"a": 1}\n{"status": "sat", "certificate": {"b": 1}}', "sat", "", ""),
        ('{"status": "optimal"}', "failed", "", "'optimal' is no answer to solve"),
        ('{"status": "sat", "loss": "x"}', "failed", "", "loss: 'x' is not a number"),
        ('{"status": "sat", "loss": true}', "failed", "", "loss: expected a number"),
        ('{"status": "sat", "status": "unsat"}', "failed", "", "$.status: the key occurs twice"),
        ('{"status": "sat", "parameters": 3}', "failed", "", "parameters: expected an object"),
        ("sat", "failed", "", "no JSON object on standard output"),
        ('{"status": "sat', "failed", "", None),
        ("", "failed", "", "no JSON object on standard output"),
    ],
)
def test_reading_of_replies(output: str, status: str, loss: str, note: str | None) -> None:
    reply = reply_of(finished(output), "solve")
    assert (reply.status, reply.loss, reply.seconds, reply.peak) == (status, loss, 1.0, 9.0)
    assert note is None or reply.note == note


def test_why_there_is_no_reply() -> None:
    assert reply_of(finished("", end="time"), "solve").status == "timeout"
    assert reply_of(finished("", end="memory"), "solve").status == "memout"
    assert reply_of(finished("", code=1, errors="x\nMemoryError\n"), "solve").status == "memout"
    crash = reply_of(finished("", code=-11), "solve")
    assert (crash.status, crash.note) == ("failed", "ended by signal 11 (SIGSEGV)")
    assert reply_of(finished("", code=3, errors="a\nb\n"), "solve").note == "b"
    assert reply_of(finished("", code=3), "solve").note == "exit status 3"


# ---------------------------------------------------------------- contradictions


def wrong(*rows: Record) -> dict[str, str]:
    return {key[4]: why for key, why in judge(rows).wrong.items()}


def test_a_reached_loss_refutes_claims() -> None:
    assert wrong(least("a", "5"), least("b", "5")) == {}
    assert set(wrong(least("a", "5"), least("b", "6"))) == {"b"}
    bound = record("b", "feasible", bound="11/2")
    assert set(wrong(least("a", "5"), bound)) == {"b"}
    assert wrong(least("a", "6"), bound) == {}
    assert set(wrong(least("a", "5"), record("b", "infimum", bound="5"))) == {"b"}
    assert wrong(record("b", "infimum", bound="5"), record("a", "feasible", bound="4")) == {}
    # a feasible loss refutes an optimum as well
    feasible = record("c", "feasible", loss="4", exact="4", checked="accepted")
    assert set(wrong(least("a", "5"), feasible)) == {"a"}
    assert set(wrong(record("a", "feasible", checked="rejected", why="w"))) == {"a"}


def test_algebraic_losses_are_compared_exactly() -> None:
    root_2 = "(root-of-with-interval (coeffs (- 2) 0 1) 1 2)"
    assert set(wrong(least("a", root_2), least("b", "3/2"))) == {"b"}
    assert set(wrong(least("a", root_2), least("b", "7/5"))) == {"a"}


def test_certificates_refute_unsat_across_thresholds_and_tasks() -> None:
    sat = decided("a", "sat", "5", "4")
    assert set(wrong(sat, decided("b", "unsat", "5"))) == {"b"}
    same = {"question": "sha256:1"}
    sat = decided("a", "sat", "5", "4", **same)
    assert set(wrong(sat, decided("b", "unsat", "9/2", **same))) == {"b"}
    assert wrong(sat, decided("b", "unsat", "3", **same)) == {}
    assert set(wrong(least("a", "3", **same), decided("b", "unsat", "3", **same))) == {"b"}
    # the loss of a certificate may be too long to be known
    assert set(wrong(decided("a", "sat", "5", **same), decided("b", "unsat", "6", **same))) == {"b"}
    # another question has other losses
    assert wrong(sat, decided("b", "unsat", "5", question="sha256:2")) == {}


def test_infimum_and_a_bound_above_it_are_both_disputed() -> None:
    infimum, high = record("a", "infimum", bound="2"), least("b", "3")
    found = judge([infimum, high])
    assert {key[4] for key in found.disputed} == {"a", "b"}
    assert not found.wrong
    scores = Scores([infimum, high])
    assert scores.solved[infimum.key[:4]] == set()
    assert not judge([infimum, record("b", "feasible", bound="2")]).disputed


@pytest.mark.parametrize(
    ("row", "blamed"),
    [
        (decided("a", "unsat", "3", expected="sat"), "solver"),
        (decided("a", "sat", "3", "3", expected="unsat"), "source"),
        (decided("a", "sat", "3", expected="unsat", checked="undecided"), "solver"),
        (decided("a", "sat", "3", "3", expected="sat"), "nobody"),
        (decided("a", "unknown", "3", expected="sat"), "nobody"),
        (least("a", "3", expected="3"), "nobody"),
        (least("a", "4", expected="3"), "solver"),
        (least("a", "2", expected="3"), "source"),
        (record("a", "feasible", exact="2", checked="accepted", expected="3"), "source"),
        (record("a", "feasible", bound="4", expected="3"), "solver"),
        (record("a", "feasible", bound="2", expected="3"), "nobody"),
        (record("a", "infimum", bound="2", expected="3"), "solver"),
        (record("a", "infimum", bound="3", expected="3"), "solver"),
        (least("a", "3", expected="<=3"), "nobody"),
        (least("a", "4", expected="<=3"), "solver"),
        (record("a", "infimum", bound="3", expected="<=3"), "solver"),
        (record("a", "infimum", bound="2", expected="<=3"), "nobody"),
        (least("a", "3", expected=">3"), "source"),
        (least("a", "4", expected=">3"), "nobody"),
        (record("a", "infimum", bound="3", expected=">3"), "nobody"),
        (record("a", "infimum", bound="2", expected=">3"), "solver"),
    ],
)
def test_what_is_known_is_compared(row: Record, blamed: str) -> None:
    found = judge([row])
    who = "solver" if found.wrong else "source" if found.sources else "nobody"
    assert who == blamed
    assert found.is_clean == (blamed == "nobody")


@pytest.mark.parametrize(
    ("task", "status", "minimum", "filed", "asked", "expected"),
    [
        ("solve", "sat", None, "3", "3", "sat"),
        ("solve", "sat", None, "3", "4", "sat"),
        ("solve", "sat", None, "3", "2", ""),
        ("solve", "unsat", None, "3", "2", "unsat"),
        ("solve", "unsat", None, "3", "4", ""),
        ("solve", "unsat", "4", "3", "4", "sat"),
        ("solve", "", "4", None, "7/2", "unsat"),
        ("minimize", "unsat", "4", "3", None, "4"),
        ("minimize", "unsat", None, "3", None, ">3"),
        ("minimize", "sat", None, "1/2", None, "<=1/2"),
        ("minimize", "sat", None, None, None, ""),
        ("minimize", "", None, "3", None, ""),
    ],
)
def test_expectations(
    task: Task,
    status: str,
    minimum: str | None,
    filed: str | None,
    asked: str | None,
    expected: str,
) -> None:
    def number(text: str | None) -> Any:
        return None if text is None else parse_rational(text)

    known = Known(status, number(minimum))
    assert expectation(task, known, number(filed), number(asked)) == expected


@st.composite
def honest_rows(draw: st.DrawFn) -> tuple[Fraction, bool, list[Record]]:
    """A least loss, whether it is attained, and right answers of several solvers."""
    numbers = st.fractions(0, 4, max_denominator=3)
    least_loss, attained = draw(numbers), draw(st.booleans())
    filed = draw(numbers)
    status = "sat" if filed > least_loss or (attained and filed == least_loss) else "unsat"
    minimum = mpq(least_loss) if attained and draw(st.booleans()) else None
    known = Known(draw(st.sampled_from(("", status))), minimum)
    rows = []
    for number in range(draw(st.integers(1, 6))):
        task: Task = draw(st.sampled_from(("solve", "minimize")))
        gamma, more = draw(numbers), draw(numbers)
        asked = mpq(gamma) if task == "solve" else None
        row = {"question": "sha256:1", "expected": expectation(task, known, mpq(filed), asked)}
        name = f"s{number}"
        above = least_loss + more + (0 if attained else Fraction(1, 7))
        if task == "solve" and (gamma > least_loss or (attained and gamma == least_loss)):
            exact = (least_loss + gamma) / 2 if draw(st.booleans()) else ""
            rows.append(decided(name, "sat", str(gamma), str(exact), **row))
        elif task == "solve":
            rows.append(decided(name, "unsat", str(gamma), **row))
        elif draw(st.booleans()):
            bound = str(min(least_loss, more))
            reached = {"exact": str(above), "checked": "accepted", "loss": str(above)}
            rows.append(record(name, "feasible", bound=bound, **reached, **row))
        elif attained:
            rows.append(least(name, str(least_loss), **row))
        else:
            rows.append(record(name, "infimum", bound=str(least_loss), **row))
    return least_loss, attained, rows


@given(honest_rows())
def test_honest_answers_are_never_blamed(made: tuple[Fraction, bool, list[Record]]) -> None:
    assert judge(made[2]).is_clean


@given(honest_rows(), st.fractions(0, 5, max_denominator=3), st.data())
def test_a_lie_is_found_where_a_certificate_refutes_it(
    made: tuple[Fraction, bool, list[Record]], claim: Fraction, data: st.DataObject
) -> None:
    _, _, rows = made
    status = data.draw(st.sampled_from(("unsat", "bound", "infimum")))
    if status == "unsat":
        lie = decided("liar", "unsat", str(claim), question="sha256:1")
    else:
        word = "feasible" if status == "bound" else "infimum"
        lie = record("liar", word, bound=str(claim), question="sha256:1")
    found = judge([*rows, lie])
    assert {key[4] for key in found.wrong} <= {"liar"}
    assert not found.sources
    losses = [Fraction(r.exact or r.threshold) for r in rows if r.checked == "accepted"]
    refuted = any(x < claim or (x == claim and status != "bound") for x in losses)
    assert (lie.key in found.wrong) == refuted


# ---------------------------------------------------------------- scores


def two_families() -> Iterator[Record]:
    """Four cases, limit 10: a solves 1 s, 2 s, fails, too late; b fails, 4 s, 8 s, 0.001 s."""
    accepted = {"checked": "accepted", "exact": "1", "loss": "1"}
    for name, family, a, b in (
        ("k1", "f", 1.0, None),
        ("k2", "f", 2.0, 4.0),
        ("k3", "g", None, 8.0),
        ("k4", "g", 11.0, 0.001),
    ):
        for solver, seconds in (("ermbit", a), ("b", b)):
            row = {"instance": name, "family": family}
            if seconds is None:
                yield record(solver, "timeout", seconds=13.0, **row)
            else:
                yield record(solver, "optimal", seconds=seconds, **row, **accepted)


def test_scores_against_a_calculation_by_hand() -> None:
    scores = Scores(list(two_families()))
    f, g = scores.members("f"), scores.members("g")
    assert (len(f), len(g), len(scores.members(None))) == (2, 2, 4)
    assert scores.count("ermbit", f) == (2, 2)
    assert scores.count("ermbit", g) == (0, 2)
    assert scores.par2("ermbit", f) == pytest.approx((1 + 2) / 2)
    assert scores.par2("ermbit", g) == pytest.approx((20 + 20) / 2)
    assert scores.par2("ermbit", scores.members(None)) == pytest.approx(43 / 4)
    assert scores.par2("b", f) == pytest.approx((20 + 4) / 2)
    assert scores.par2("b", g) == pytest.approx((8 + 0.01) / 2)  # the least time that counts
    assert scores.ratio("ermbit", f) == pytest.approx((20 / 1 * 4 / 2) ** 0.5)
    assert solved_times(scores, "b") == [0.01, 4.0, 8.0]
    assert [case[1] for case in scores.slow()] == ["k3", "k4"]
    lines = tables.family_table(scores)
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    assert cells[0] == ["family", "cases", "ermbit", "b", "best peer : ermbit"]
    assert cells[2] == ["f", "2", "2/2, 1.5", "1/2, 12", "6.32"]
    assert cells[3] == ["g", "2", "0/2, 20", "2/2, 4", "0.0141"]
    assert cells[4] == ["all", "4", "2/4, 10.8", "3/4, 8", "0.299"]


def test_a_wrong_answer_disqualifies() -> None:
    rows = [*two_families(), record("b", "feasible", instance="k5", family="g", checked="rejected")]
    rows.append(record("c", "optimal", instance="k1", family="f", loss="1", seconds=3.0))
    scores = Scores(rows)
    assert scores.disqualified == {"b": 1}
    lines = tables.report(scores, rows)
    assert lines[0] == "1 wrong answer; disqualified: b"
    assert lines[1].startswith("WRONG b on k5: certificate rejected")
    table = tables.family_table(scores)
    assert [line.split("|")[4].strip() for line in table[2:]] == [
        "disqualified", "1 wrong", "1 wrong",
    ]  # fmt: skip
    # c has no certificate, so it did not solve k1; b is no peer any more
    assert scores.solved[("", "k1", "minimize", "")] == {"ermbit"}
    assert scores.solved[("", "k3", "minimize", "")] == {"b"}
    assert BEST not in scores.seconds[("", "k3", "minimize", "")]
    assert not any("-b" in name for name in figures(scores, ("svg",)))


def test_names_tell_tasks_and_thresholds_apart() -> None:
    rows = [least("a", "5"), decided("a", "unsat", "1"), decided("a", "unsat", "2")]
    names = set(Scores(rows).names.values())
    assert names == {"kink minimize", "kink solve at 1", "kink solve at 2"}


# ---------------------------------------------------------------- the file of results


def test_records_are_read_back_and_the_last_one_counts(tmp_path: Path) -> None:
    file = tmp_path / "r.csv"
    first, second = record("a", "timeout"), record("a", "optimal", loss="1/2", note='say "a, b"')
    with Results(file, resume=False) as results:
        results.append(first)
        results.append(second)
    assert read([file]) == [second]
    with Results(file, resume=True) as results:
        assert results.known == [first, second]
        results.append(record("b", "timeout", why="one\ntwo\x00" + "x" * 900))
    (_, odd) = read([file])
    assert odd.why.startswith("one two x")
    assert len(odd.why) == records.TEXT_CHARACTERS


def test_every_torn_file_is_readable_and_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda file: None)
    file = tmp_path / "r.csv"
    rows = [record("a", "optimal", loss="1/2", note="ä, b"), record("b", "timeout")]
    with Results(file, resume=False) as results:
        for row in rows:
            results.append(row)
    whole = file.read_bytes()
    ends = [k + 1 for k, byte in enumerate(whole) if byte == ord("\n")]
    for size in range(len(whole) + 1):
        file.write_bytes(whole[:size])
        expected = rows[: max(0, sum(end <= size for end in ends) - 1)]
        assert read([file]) == expected
        with Results(file, resume=True) as results:
            assert results.known == expected
            for row in rows[len(expected) :]:
                results.append(row)
        assert file.read_bytes() == whole


def test_long_losses_are_read_back(tmp_path: Path) -> None:
    row = record("a", "optimal", loss="1" * 300_000 + "/7")
    with Results(tmp_path / "r.csv", resume=False) as results:
        results.append(row)
    assert read([tmp_path / "r.csv"]) == [row]


def test_columns_of_earlier_files_may_be_fewer(tmp_path: Path) -> None:
    file = tmp_path / "r.csv"
    old = {k: v for k, v in asdict(record("a", "unsat")).items() if k not in ("peak", "question")}
    file.write_text(",".join(old) + "\n" + ",".join(map(str, old.values())) + "\n")
    (row,) = read([file])
    assert (row.solver, row.peak, row.question) == ("a", 0.0, "")
    with pytest.raises(InputError, match="other columns"):
        Results(file, resume=True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a,b\n1,2\n", "columns are missing"),
        (",".join(records.NAMES) + "\nx,y\n", "line 2: not as many cells as columns"),
        (",".join(records.NAMES) + "\n" + "x," * len(records.NAMES) + "\n", "line 2"),
    ],
)
def test_what_is_no_file_of_results(tmp_path: Path, text: str, reason: str) -> None:
    file = tmp_path / "r.csv"
    file.write_text(text)
    with pytest.raises(InputError, match=reason):
        read([file])
    with pytest.raises(InputError):
        Results(file, resume=True)
    assert file.read_text() == text


def test_a_file_is_not_overwritten_and_written_by_one_run_only(tmp_path: Path) -> None:
    file = tmp_path / "r.csv"
    with Results(file, resume=False), pytest.raises(MissingFileError, match="is writing it"):
        Results(file, resume=True)
    with pytest.raises(MissingFileError, match="is there"):
        Results(file, resume=False)
    with pytest.raises(MissingFileError):
        read([tmp_path / "missing.csv"])
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(MissingFileError, match="not a regular file"):
        Results(tmp_path / "pipe", resume=True)
    note = tmp_path / "note.txt"
    note.write_text("not results")
    with pytest.raises(InputError, match="not a file of results"):
        Results(note, resume=True)
    assert note.read_text() == "not results"
