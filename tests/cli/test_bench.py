"""``ermbit bench``: collecting, running, checking, resuming, tables and plots."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from cli.command_line import PATIENCE, Done, environment, one_error, program, run_here
from ermbit.bench import collection, shipped
from ermbit.bench.collection import Wish
from ermbit.bench.solver import engine
from ermbit_instances.errors import InputError
from ermbit_instances.rational import parse_rational

Capture = pytest.CaptureFixture[str]

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "instances" / "library"
FAKES = ROOT / "tests" / "fake_peers.py"
SAT, UNSAT = "xor-2-relu", "xor-1-relu-int2"


def fake(trait: str, name: str | None = None) -> list[str]:
    """The option that makes a fake peer take part."""
    return ["--peer", f"{name or trait}={sys.executable} {FAKES} {trait}"]


def copied(folder: Path, *names: str) -> Path:
    """A folder with instances of the library, their certificates and their rows of the index."""
    folder.mkdir()
    for name in names:
        for file in LIBRARY.glob(f"{name}.*.json"):
            shutil.copy(file, folder)
    with (LIBRARY / "index.csv").open(newline="") as stream:
        rows = list(csv.reader(stream))
    with (folder / "index.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([row for row in rows if row[0] in ("name", *names)])
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def bench(capfd: Capture, out: Path, *words: str | Path, engines: str = "") -> Done:
    """Peers alone, unless engines are named."""
    return run_here(capfd, "bench", *words, "--engines", engines, "--out", out)


# ---------------------------------------------------------------- peers of all kinds


def test_peers_with_every_fault(capfd: Capture, tmp_path: Path) -> None:
    folder, out = copied(tmp_path / "in", SAT, UNSAT), tmp_path / "r.csv"
    traits = ("honest", "liar", "forger", "bare", "hang", "glutton", "crash", "garbage")
    words = [word for trait in traits for word in fake(trait)]
    limits = ("--timeout", "2", "--memory", "300", "--jobs", "2")
    done = bench(capfd, out, folder, *words, *limits, "--details")
    assert done.status == 1
    lines = done.out.splitlines()
    assert lines[0] == "2 wrong answers; disqualified: forger, liar"
    assert lines[1].startswith(f"WRONG forger on {SAT}: certificate rejected: ")
    assert lines[2] == f"WRONG liar on {SAT}: unsat, but the certificate of honest is accepted"
    found = {(r["instance"], r["solver"]): r for r in rows(out)}
    assert len(found) == 16
    status = {trait: found[SAT, trait]["status"] for trait in traits}
    assert status == {
        "honest": "sat",
        "liar": "unsat",
        "forger": "sat",
        "bare": "sat",
        "hang": "timeout",
        "glutton": "memout",
        "crash": "failed",
        "garbage": "failed",
    }
    checked = {trait: found[SAT, trait]["checked"] for trait in traits}
    assert (checked["honest"], checked["forger"], checked["bare"]) == (
        "accepted",
        "rejected",
        "missing",
    )
    assert {name for name, verdict in checked.items() if verdict == "none"} == {
        "liar",
        "hang",
        "glutton",
        "crash",
        "garbage",
    }
    assert found[SAT, "honest"]["exact"] == "0"
    assert found[SAT, "crash"]["note"] == "ended by signal 11 (SIGSEGV)"
    assert (found[SAT, "honest"]["expected"], found[UNSAT, "honest"]["expected"]) == (
        "sat",
        "unsat",
    )
    assert lines[3] == f"FAILED crash on {UNSAT}: ended by signal 11 (SIGSEGV)"
    assert [line.split(":")[0] for line in lines[4:7]] == [
        f"FAILED garbage on {UNSAT}",
        f"FAILED crash on {SAT}",
        f"FAILED garbage on {SAT}",
    ]
    header, _, cells = (line.split("|") for line in lines[10:13])
    score = dict(zip([h.strip() for h in header], [c.strip() for c in cells], strict=True))
    assert score["family"] == "classic"
    assert score["liar"] == score["forger"] == "1 wrong"
    assert score["honest"].startswith("2/2, ")
    assert score["bare"].startswith("1/2, ")
    assert {score[trait] for trait in ("hang", "glutton", "crash", "garbage")} == {"0/2, 4"}
    assert done.err.count("ermbit: ") == 16


def test_a_wrong_source_is_told_apart_from_a_wrong_answer(capfd: Capture, tmp_path: Path) -> None:
    folder, out = copied(tmp_path / "in", SAT), tmp_path / "r.csv"
    (folder / "index.csv").unlink()
    file = folder / f"{SAT}.erm.json"
    document = json.loads(file.read_text())
    document["meta"] = {"status": "unsat"}
    file.write_text(json.dumps(document))
    done = bench(capfd, out, folder, *fake("honest"), *fake("liar"))
    assert done.status == 1
    assert done.out.splitlines()[:3] == [
        "1 wrong answer; disqualified: liar",
        f"WRONG liar on {SAT}: unsat, but the certificate of honest is accepted",
        f"WRONG SOURCE {SAT}: said to be unsat, but the certificate of honest proves 0",
    ]


def test_the_answer_that_is_known_refutes_a_peer(capfd: Capture, tmp_path: Path) -> None:
    folder, out = copied(tmp_path / "in", SAT), tmp_path / "r.csv"
    done = bench(capfd, out, folder, *fake("liar"))
    assert done.status == 1
    assert done.out.splitlines()[1] == f"WRONG liar on {SAT}: unsat, known is sat"


def test_engines_and_another_ermbit_as_a_peer(capfd: Capture, tmp_path: Path) -> None:
    folder, out = copied(tmp_path / "in", SAT, UNSAT), tmp_path / "r.csv"
    command = f"twin={sys.executable} -m ermbit {{task}} {{instance}} --json --timeout {{timeout}}"
    pythonpath = environment()["PYTHONPATH"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", pythonpath)
        words = ("--peer", command, "--task", "minimize", "--timeout", "60", "--json")
        done = bench(capfd, out, folder, *words, engines="exhaustive")
    assert done.status == 0
    document = done.document
    assert document["runs"] == 4
    assert document["wrong"] == document["disputed"] == document["wrong_sources"] == []
    found = {(r["instance"], r["solver"]): r for r in rows(out)}
    for name, loss, expected in ((SAT, "0", "0"), (UNSAT, "1/4", "")):
        for solver in ("ermbit:exhaustive", "twin"):
            row = found[name, solver]
            assert (row["status"], row["loss"], row["checked"]) == ("optimal", loss, "accepted")
            assert row["expected"] == expected or name == UNSAT
    assert found[UNSAT, "twin"]["expected"] in ("1/4", ">0")
    total = next(
        s for s in document["scores"] if s["family"] is None and s["solver"] == "twin"
    )
    assert (total["solved"], total["run"], total["wrong"]) == (2, 2, 0)


def test_threshold_in_place_of_the_file_s(capfd: Capture, tmp_path: Path) -> None:
    folder, out = copied(tmp_path / "in", SAT), tmp_path / "r.csv"
    done = bench(capfd, out, folder, "--threshold=-1", engines="auto")
    assert done.status == 0
    (row,) = rows(out)
    assert (row["status"], row["threshold"], row["expected"]) == ("unsat", "-1", "unsat")


# ---------------------------------------------------------------- kill, interrupt, resume


def started(words: Sequence[str | Path], scratch: Path) -> subprocess.Popen[str]:
    scratch.mkdir()
    return subprocess.Popen(
        [*program(), "bench", *map(str, words)],
        env=environment(TMPDIR=str(scratch)),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def waited_for(path: Path) -> str:
    """The content of a file that is about to appear."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if path.exists() and path.read_text():
            return path.read_text()
        time.sleep(0.02)
    raise AssertionError(f"{path.name} did not appear")


def ends(pid: int) -> bool:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state in "ZX":
            return True
        time.sleep(0.02)
    return False


def waiting_run(tmp_path: Path) -> tuple[list[str | Path], Path, Path, Path]:
    """A run that gets stuck at its second case: words, results, flag that frees it, pid file."""
    folder, out = copied(tmp_path / "in", SAT, UNSAT), tmp_path / "r.csv"
    flag, mark = tmp_path / "flag", tmp_path / "pid"
    peer = fake(f"patient:{SAT}:{flag}:{mark}", "patient")
    words: list[str | Path] = [folder, *peer, "--engines", "", "--out", out]
    return words, out, flag, mark


def test_killed_and_resumed(capfd: Capture, tmp_path: Path) -> None:
    words, out, flag, mark = waiting_run(tmp_path)
    running = started(words, tmp_path / "scratch")
    pid = int(waited_for(mark))
    running.kill()
    running.communicate()
    assert ends(pid)  # nothing is left running, and no file
    until = time.monotonic() + PATIENCE
    while any((tmp_path / "scratch").iterdir()) and time.monotonic() < until:
        time.sleep(0.02)
    assert list((tmp_path / "scratch").iterdir()) == []
    before = out.read_bytes()
    assert [row["instance"] for row in rows(out)] == [UNSAT]
    out.write_bytes(before + b"files,xor-2-relu,classic,,sol")  # killed in the middle of a row
    flag.touch()
    one_error(run_here(capfd, "bench", *words))
    done = run_here(capfd, "bench", *words, "--resume")
    assert done.status == 0
    assert done.err.count("ermbit: 1/1 ") == 1
    assert out.read_bytes().startswith(before)
    assert [row["instance"] for row in rows(out)] == [UNSAT, SAT]
    assert done.out.splitlines()[0] == "no wrong answer in 2 runs"
    again = run_here(capfd, "bench", *words, "--resume")
    assert (again.status, again.err, again.out) == (0, "", done.out)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(capfd: Capture, tmp_path: Path, number: signal.Signals) -> None:
    words, out, _, mark = waiting_run(tmp_path)
    running = started(words, tmp_path / "scratch")
    pid = int(waited_for(mark))
    running.send_signal(number)
    output, errors = running.communicate(timeout=PATIENCE)
    assert running.returncode == 130
    assert output.splitlines()[0] == "no wrong answer in 1 run"
    assert errors.splitlines()[-1] == (
        "ermbit: warning: interrupted, 1 run missing: --resume goes on"
    )
    assert ends(pid)
    assert len(rows(out)) == 1
    assert list((tmp_path / "scratch").iterdir()) == []


def test_resuming_asks_for_equal_conditions(capfd: Capture, tmp_path: Path) -> None:
    folder, out = copied(tmp_path / "in", UNSAT), tmp_path / "r.csv"
    assert bench(capfd, out, folder, *fake("honest")).status == 0
    for words, reason in (
        (("--timeout", "3"), "was measured with --timeout 20, not 3"),
        (("--memory", "99"), "was measured with --memory 4096, not 99"),
        (("--seed", "1"), "was measured with --seed 0, not 1"),
    ):
        done = bench(capfd, out, folder, *fake("honest"), "--resume", *words)
        assert one_error(done) == f"{out}: {reason}"
    file = folder / f"{UNSAT}.erm.json"
    document = json.loads(file.read_text())
    document["data"]["y"][0] = [1]
    file.write_text(json.dumps(document))
    done = bench(capfd, out, folder, *fake("honest"), "--resume")
    assert "the instance is another one now" in one_error(done)


# ---------------------------------------------------------------- tables and plots of results


def test_tables_and_plots_of_results(capfd: Capture, tmp_path: Path) -> None:
    folder = copied(tmp_path / "in", SAT, UNSAT)
    first, second = tmp_path / "1.csv", tmp_path / "2.csv"
    bench(capfd, first, folder, *fake("honest"))
    bench(capfd, second, folder, *fake("honest", "other"), *fake("bare"))
    plots = tmp_path / "new" / "plots"
    words = ("--table", first, second, "--plots", plots, "--png")
    done = run_here(capfd, "bench", *words)
    assert (done.status, done.err) == (0, "")
    assert done.out.splitlines()[0] == "no wrong answer in 6 runs"
    stems = ("cactus", "scatter-honest-other", "scatter-honest-bare", "scatter-honest-best-peer")
    names = {f"{stem}.{form}" for stem in stems for form in ("svg", "png")}
    assert {path.name for path in plots.iterdir()} == names
    assert {Path(line).name for line in done.out.splitlines() if "plots" in line} == names
    for path in plots.glob("*.svg"):
        ElementTree.parse(path)
    for path in plots.glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG\r\n")


def test_json_keys_are_those_described(capfd: Capture, tmp_path: Path) -> None:
    from test_docs import keys_described

    out = tmp_path / "r.csv"
    bench(capfd, out, copied(tmp_path / "in", UNSAT), *fake("honest"))
    document = run_here(capfd, "bench", "--table", out, "--json").document
    assert set(document) == keys_described("bench")


# ---------------------------------------------------------------- what is collected


def names_of(*paths: Path) -> list[str]:
    return [source.file.name for source in collection.named(paths)]


def test_files_folders_and_lists(tmp_path: Path) -> None:
    folder = copied(tmp_path / "in", SAT, UNSAT)
    sub = copied(folder / "deeper", SAT)
    both = [f"{SAT}.erm.json", f"{UNSAT}.erm.json"]
    assert sorted(names_of(folder)) == sorted([*both, f"{SAT}.erm.json"])
    assert names_of(folder / both[0], folder / both[0]) == both[:1]
    text = tmp_path / "list.txt"
    text.write_text(f"# remark\n\nin/{both[1]}\nin/deeper\n")
    assert names_of(text) == [both[1], both[0]]
    assert sorted(names_of(folder / "index.csv")) == sorted(both)
    found = collection.cases(collection.named([folder]), Wish(), tmp_path)
    assert sorted(case.name for case in found) == [f"deeper/{SAT}", f"in/{SAT}", UNSAT]
    assert {case.expected for case in found} == {"sat", "unsat"}
    assert {case.family for case in found} == {"classic"}
    assert sub.is_dir()


def test_the_library_and_families(tmp_path: Path) -> None:
    found = collection.library()
    assert len(found) == len(rows(LIBRARY / "index.csv"))
    settings: dict[str, Any] = {"samples": ["4", "5"]}
    made = collection.generated("teacher", settings, [0, 1, 2], tmp_path)
    labels = [f"teacher samples={count}" for count in (4, 5) for _ in range(3)]
    assert [source.family for source in made] == labels
    found_cases = collection.cases(made, Wish("minimize"), tmp_path)
    assert len({case.name for case in found_cases}) == 6
    assert {case.threshold for case in found_cases} == {""}


def test_what_is_known_follows_the_threshold(tmp_path: Path) -> None:
    sources = collection.named([LIBRARY / f"{SAT}.erm.json"])

    def expected(threshold: str) -> str:
        wish = Wish("solve", parse_rational(threshold))
        (case,) = collection.cases(sources, wish, tmp_path)
        return case.expected

    assert [expected(q) for q in ("-1/2", "0", "1")] == ["unsat", "sat", "sat"]


def test_contradictory_sources(tmp_path: Path) -> None:
    folder = copied(tmp_path / "in", SAT)
    index = folder / "index.csv"
    index.write_text(f"name,file,status,minimum\n{SAT},{SAT}.erm.json,unsat,\n")
    with pytest.raises(InputError, match="meta says sat, the list says unsat"):
        collection.cases(collection.named([folder]), Wish(), tmp_path)
    index.write_text(f"name,file,status,minimum\n{SAT},{SAT}.erm.json,sat,3\n")
    with pytest.raises(InputError):
        collection.cases(collection.named([folder]), Wish(), tmp_path)


@pytest.mark.parametrize(
    ("minimum", "expected"),
    [
        (0, "0"),
        ("1e-1", "1/10"),
        ("not attained", "<=0"),
        (["odd"], "<=0"),
        ("(root-of-with-interval (coeffs (- 2) 0 1) 1 2)", None),
    ],
)
def test_minima_of_any_form(tmp_path: Path, minimum: Any, expected: str | None) -> None:
    folder = copied(tmp_path / "in", SAT)
    (folder / "index.csv").unlink()
    file = folder / f"{SAT}.erm.json"
    document = json.loads(file.read_text())
    document["meta"]["minimum"] = minimum
    document["threshold"] = 0 if expected == "<=0" else 2
    file.write_text(json.dumps(document))
    (case,) = collection.cases(collection.named([folder]), Wish("minimize"), tmp_path)
    assert case.expected == (expected or minimum)


def test_engine_commands() -> None:
    solver = engine("cells")
    assert solver.name == "ermbit:cells"
    assert solver.is_ours
    assert engine("auto").name == "ermbit"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ((), "no instance: give files, folders, lists or --set"),
        (("{sat}", "--engines", ""), "no solver: give --engines, --peers or --peer"),
        (("{sat}", "--engines", "magic"), "unknown engine 'magic'"),
        (("{sat}", "--engines", "auto,auto"), "two solvers are called ermbit"),
        (("{sat}", "--peer", "x"), "peer: expected NAME=COMMAND, not 'x'"),
        (("{sat}", "--peer", "ermbit=true"), "peer: expected NAME=COMMAND"),
        (("{sat}", "--peer", "x="), "peer x: its command is empty"),
        (("{sat}", "--peer", "x='"), "peer x: no closing quotation in its command"),
        (("{sat}", "--peer", "x=no-such-program"), "peer x: no program 'no-such-program'"),
        (("{sat}", "--peer", "x=true", "--peer", "x=false"), "two solvers are called x"),
        (("{sat}", "--peers", "nobody"), "peers: no 'nobody', there are cpsat"),
        (("missing.erm.json",), "missing.erm.json: No such file"),
        (("missing.csv",), "missing.csv: No such file"),
        (("{folder}",), "no file *.erm.json in this folder"),
        (("--set", "nobody"), "unknown family 'nobody'"),
        (("--set", "teacher", "--with", "x=1"), "family teacher has no parameter 'x'"),
        (("--set", "teacher", "--with", "x"), "with: expected KEY=VALUE, not 'x'"),
        (("--set", "library", "--with", "x=1"), "with: parameters are those of families"),
        (("--set", "teacher", "--seeds", "5-1"), "seeds: 5-1 are none, or too many"),
        (("--set", "teacher", "--seeds", "a"), "seeds: expected K or K-L"),
        (("{sat}", "--timeout", "0"), "timeout: must be 0.1 to 1e+06, not 0.0"),
        (("{sat}", "--jobs", "x"), "jobs: expected an integer, not 'x'"),
        (("{sat}", "--threshold", "x"), "threshold: 'x' is not a number"),
        (("{sat}", "--threshold", "1", "--task", "minimize"), "threshold: it plays no role"),
        (("--table", "missing.csv"), "missing.csv: No such file"),
        (("{sat}", "--table", "missing.csv"), "table: with it nothing is run"),
    ],
)
def test_what_makes_no_sense(
    capfd: Capture, tmp_path: Path, words: tuple[str, ...], reason: str
) -> None:
    given = [w.format(sat=LIBRARY / f"{SAT}.erm.json", folder=tmp_path) for w in words]
    done = run_here(capfd, "bench", "--out", tmp_path / "r.csv", *given)
    assert reason in one_error(done)
    assert not (tmp_path / "r.csv").exists()


def test_without_the_source_tree(
    capfd: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "SCRIPTS", tmp_path)
    file = LIBRARY / f"{SAT}.erm.json"
    done = run_here(capfd, "bench", file, "--peers", "z3", "--out", tmp_path / "r.csv")
    assert one_error(done) == (
        "peers: the shipped ones come with the source tree; give any other as --peer NAME=COMMAND"
    )


def test_a_bad_instance_ends_it_before_anything_runs(capfd: Capture, tmp_path: Path) -> None:
    folder = copied(tmp_path / "in", SAT)
    (folder / "bad.erm.json").write_text("{}")
    done = bench(capfd, tmp_path / "r.csv", folder, *fake("honest"))
    assert "bad.erm.json" in one_error(done)
    assert not (tmp_path / "r.csv").exists()
    assert os.listdir(tmp_path) == ["in"]
