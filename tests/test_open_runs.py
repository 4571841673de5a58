"""What long runs say of an instance, and their measuring with solvers that are played here."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT / "scripts"))

import measure_open  # noqa: E402
from library_sources import answers, generated, open_runs  # noqa: E402
from library_sources.entry import Entry, dense, entry, integers, samples  # noqa: E402
from library_sources.open_runs import SOLVERS, Run, standing  # noqa: E402

from ermbit.bench.runs import Settings  # noqa: E402
from ermbit.bench.solver import Solver  # noqa: E402
from ermbit.engines import registry  # noqa: E402
from ermbit_encodings.problem import Problem  # noqa: E402
from ermbit_instances.instance import parse_instance  # noqa: E402

RUN = Run("a", "sha256:1", "z3", "4.0", 600.0, 4096, 1, "unknown", 600.1)


def _all(**changes: object) -> list[Run]:
    return [replace(RUN, solver=solver, **changes) for solver in SOLVERS]


def test_open_needs_every_solver_for_the_whole_time() -> None:
    everybody = _all()
    assert standing("a", "sha256:1", everybody).kind == "open"
    for number in range(len(SOLVERS)):
        lacking = [*everybody[:number], *everybody[number + 1 :]]
        assert standing("a", "sha256:1", lacking).kind == "candidate"
        for change in ({"limit": 599.0}, {"status": "failed"}, {"status": "wrong"}):
            other = [*lacking, replace(everybody[number], **change)]
            assert standing("a", "sha256:1", other).kind == "candidate"
        for status in ("timeout", "memout", "unsupported"):
            other = [*lacking, replace(everybody[number], status=status, seconds=3.0)]
            assert standing("a", "sha256:1", other).kind == "open"


def test_open_needs_every_engine() -> None:
    whole = replace(RUN, solver="ermbit", engines="coverings nra")
    first, second = (replace(RUN, solver=f"ermbit:{name}") for name in ("coverings", "nra"))
    peers = [run for run in _all() if run.solver != "ermbit"]
    assert standing("a", "sha256:1", [whole, first, second, *peers]).kind == "open"
    for lacking in ([whole, first, *peers], [whole, second, *peers], [whole, *peers]):
        assert standing("a", "sha256:1", lacking).kind == "candidate"
    short = replace(second, limit=599.0)
    assert standing("a", "sha256:1", [whole, first, short, *peers]).kind == "candidate"
    gave_up = replace(second, seconds=31.0)
    assert standing("a", "sha256:1", [whole, first, gave_up, *peers]).tried_by == (
        "ermbit 4.0 600 s, cpsat 4.0 600 s, z3 4.0 600 s, cvc5 4.0 600 s, highs 4.0 600 s, "
        "ermbit:coverings 4.0 600 s, ermbit:nra 4.0 31 s (gave up)"
    )


def test_an_engine_that_decides_counts_as_ermbit() -> None:
    runs = [*_all(), replace(RUN, solver="ermbit:smt", status="unsat", seconds=226.0)]
    assert standing("a", "sha256:1", runs) == open_runs.Standing(
        "decided", "unsat by ermbit:smt 4.0 in 226 s"
    )


def test_runs_of_another_question_do_not_count() -> None:
    assert standing("a", "sha256:2", _all()) == open_runs.Standing("candidate")
    assert standing("b", "sha256:1", _all()) == open_runs.Standing("candidate")


def test_the_last_row_of_a_solver_counts() -> None:
    runs = [*_all(), replace(RUN, status="sat", seconds=5.0)]
    assert standing("a", "sha256:1", runs) == open_runs.Standing("decided", "sat by z3 4.0 in 5 s")


def test_unsat_by_a_peer_alone_is_not_known() -> None:
    by_peer = [*_all(), replace(RUN, status="unsat", seconds=9.0)]
    assert standing("a", "sha256:1", by_peer).kind == "peer"
    by_both = [*by_peer, replace(RUN, solver="ermbit", status="unsat")]
    assert standing("a", "sha256:1", by_both).kind == "decided"


def test_answers_that_disagree_are_refused() -> None:
    runs = [replace(RUN, status="sat"), replace(RUN, solver="cvc5", status="unsat")]
    with pytest.raises(ValueError, match="z3: sat and cvc5: unsat"):
        standing("a", "sha256:1", runs)


def test_it_says_who_tried_and_how_long() -> None:
    runs = [
        replace(RUN, solver="ermbit", version="0.1", seconds=12.4),
        replace(RUN, solver="cpsat", status="unsupported", seconds=0.5),
        replace(RUN, status="timeout", seconds=603.0),
        replace(RUN, solver="cvc5", status="memout", seconds=77.0),
        replace(RUN, solver="highs", status="unsupported"),
    ]
    assert standing("a", "sha256:1", runs).tried_by == (
        "ermbit 0.1 12 s (gave up), z3 4.0 600 s, cvc5 4.0 77 s (out of 4096 MB); "
        "cannot state it: cpsat, highs"
    )


def test_rows_are_read_as_written_and_a_torn_one_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "runs.csv"
    rows = [RUN, replace(RUN, note='says "no",\nand more', loss="1/3"), replace(RUN, seconds=0.25)]
    for row in rows[:2]:
        open_runs.append(row, path)
    with path.open("ab") as stream:
        stream.write(b"a,sha256:1,z")
    assert len(open_runs.read(path)) == 2
    open_runs.append(rows[2], path)
    assert open_runs.read(path) == [
        rows[0], replace(rows[1], note='says "no", and more'), rows[2]
    ]  # fmt: skip
    path.write_text("other,columns\n1,2\n", "utf-8")
    with pytest.raises(ValueError, match="expected the columns"):
        open_runs.read(path)


# ---------------------------------------------------------------- measuring


def _candidate(name: str, target: int, status: str) -> Entry:
    """One weight w in 0..9 with 2w = target."""
    made = entry(
        name, dense(1, (1, "identity", {"bias": False})), integers(0, 9),
        samples(([2], [target])), "absolute", 0, family="linear", how="-",
    )  # fmt: skip
    return Entry({**made.document, "meta": {**made.document["meta"], "status": status}})


_LOGS = "import os; open(os.environ['LOG'], 'a').write('{solver} '); "


def _says(solver: str, **reply: object) -> Solver:
    """A peer that notes that it was run, and says this of every instance."""
    text = _LOGS.format(solver=solver) + f"print({json.dumps(reply)!r})"
    return Solver(solver, (sys.executable, "-S", "-c", text))


class Measured:
    """Sessions on two instances, one sat and one unsat, with rows and answers in a folder."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.out, self.log, self.folder = folder / "runs.csv", folder / "log", folder
        monkeypatch.setattr(open_runs, "PATH", self.out)
        monkeypatch.setattr(answers, "PATH", folder / "answers.json")
        self.status = "unknown"
        self.engines: list[str] = []
        monkeypatch.setattr(measure_open, "engines", lambda instance: self.engines)
        monkeypatch.setattr(
            generated,
            "candidates",
            lambda: iter([_candidate("even", 6, self.status), _candidate("odd", 5, "unknown")]),
        )

    def run(self, *solvers: Solver, limit: int = 2) -> list[str]:
        """Faults of a session; which solvers have been run is in ``ran``."""
        self.log.write_text("", "ascii")
        chosen = measure_open._candidates(self.folder)[:limit]
        told = [replace(solver, variables={"LOG": str(self.log)}) for solver in solvers]
        session = measure_open._Session(told, Settings(600.0, 2048), float("inf"), self.out)
        session.perform(chosen, self.folder / "scratch")
        return session.faults

    @property
    def ran(self) -> list[str]:
        return self.log.read_text("ascii").split()


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Measured:
    return Measured(tmp_path, monkeypatch)


def test_a_checked_certificate_is_an_answer(measured: Measured) -> None:
    gives_up = _says("ermbit", status="unknown", reason="tired")
    finds = _says("z3", status="sat", parameters={"W1": [[3]]})
    assert measured.run(gives_up, finds, _says("cvc5", status="unknown"), limit=1) == []
    assert measured.ran == ["ermbit", "z3"]  # cvc5 need not be asked
    assert [r.status for r in open_runs.read(measured.out)] == ["unknown", "sat"]
    stored = answers.read()["even"]
    assert stored.certificate == {"W1": [[3]]} and stored.engine.startswith("peer z3 ")
    question = parse_instance(_candidate("even", 6, "unknown").document).sha256
    assert stored.question == question


def test_what_is_there_is_not_run_again(measured: Measured) -> None:
    solvers = [_says(name, status="unknown") for name in SOLVERS]
    assert measured.run(*solvers, limit=1) == [] and measured.ran == list(SOLVERS)
    assert measured.run(*solvers, limit=1) == [] and measured.ran == []
    runs = open_runs.read(measured.out)
    assert standing("even", runs[0].question, runs).kind == "open"


def test_each_engine_follows(measured: Measured) -> None:
    measured.engines = ["smt", "training"]
    solvers = [_says(name, status="unknown") for name in ("ermbit", "z3")]
    assert measured.run(*solvers, limit=1) == [] and measured.ran == ["ermbit", "z3"]
    runs = open_runs.read(measured.out)
    # The first of the two finds the weight, so the second need not be asked.
    assert [(r.solver, r.status) for r in runs] == [
        ("ermbit", "unknown"), ("z3", "unknown"), ("ermbit:smt", "sat")
    ]  # fmt: skip
    assert [r.engines for r in runs] == ["smt training", "", ""]
    assert answers.read()["even"].engine == "smt"


def test_each_engine_that_can_state_it_is_called_for() -> None:
    instance = parse_instance(_candidate("even", 6, "unknown").document)
    problem = Problem(instance)
    able = {n: registry.engine(n).capability(problem, "decide") for n in registry.NAMES}
    found = measure_open.engines(instance)
    assert len(found) > 4 and sorted(found) == sorted(n for n in able if able[n].applicable)


def test_a_crash_is_tried_again(measured: Measured) -> None:
    crash = Solver("z3", (sys.executable, "-S", "-c", _LOGS.format(solver="z3") + "1/0"))
    for _ in range(2):
        assert measured.run(crash, limit=1) == [] and measured.ran == ["z3"]
    assert [r.status for r in open_runs.read(measured.out)] == ["failed", "failed"]


def test_a_rejected_certificate_is_a_fault(measured: Measured) -> None:
    wrong = _says("highs", status="sat", parameters={"W1": [[2]]})
    assert len(measured.run(wrong, limit=1)) == 1
    assert open_runs.read(measured.out)[0].status == "wrong"
    assert not answers.read()


def test_a_peer_alone_does_not_decide_unsat(measured: Measured) -> None:
    measured.run(_says("cvc5", status="unsat"))
    assert not answers.read()
    assert {r.status for r in open_runs.read(measured.out)} == {"unsat"}


def test_what_contradicts_the_construction_is_a_fault(measured: Measured) -> None:
    measured.status = "sat"
    assert len(measured.run(_says("z3", status="unsat"), limit=1)) == 1


def test_every_run_must_fit_into_the_time(measured: Measured) -> None:
    chosen = measure_open._candidates(measured.folder)
    solver = _says("z3", status="unknown")
    session = measure_open._Session([solver], Settings(600.0, 2048), 0.0, measured.out)
    session.perform(chosen, measured.folder / "scratch")
    assert not measured.out.exists()


def test_the_list_shows_every_candidate(
    measured: Measured, capsys: pytest.CaptureFixture[str]
) -> None:
    assert measure_open._list(measure_open._candidates(measured.folder), measured.out) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2] for line in lines[:2]] == ["candidate", "candidate"]
    assert lines[2:] == ["2 candidate"]
