"""``ermbit solve`` and ``ermbit minimize``: output, exit status, files, and errors in one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import ermbit
import fake_engines as fakes
from cli.command_line import one_error, run_apart, run_here
from ermbit_instances.instance import parse_instance

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    fakes.install(fakes.InlineHonest, patch=monkeypatch)


def test_sat(tmp_path: Path, capfd: Capture) -> None:
    done = run_here(capfd, "solve", fakes.write_toy(tmp_path))
    assert (done.status, done.err) == (10, "")
    lines = done.out.splitlines()
    assert lines[0] == "sat"
    assert {"loss: 0", "threshold: 0", "engine: exhaustive", "  W1 = [[1]]"} <= set(lines)


def test_unsat(tmp_path: Path, capfd: Capture) -> None:
    done = run_here(capfd, "solve", fakes.write_toy(tmp_path, 5, 2))
    assert (done.status, done.err) == (20, "")
    assert done.out.splitlines()[:3] == ["unsat", "threshold: 2", "reason: tried all"]


def test_unknown(tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(fakes.Unfit, patch=monkeypatch)
    done = run_here(capfd, "solve", fakes.write_toy(tmp_path))
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("unknown\n")
    assert "reason: no complete engine for this instance: unfit: the moon" in done.out


def test_optimal(tmp_path: Path, capfd: Capture) -> None:
    done = run_here(capfd, "minimize", fakes.write_toy(tmp_path, 5, None))
    assert (done.status, done.err) == (10, "")
    assert done.out.splitlines()[:3] == ["optimal", "loss: 3", "lower bound: 3"]


def test_infimum(tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(fakes.Approacher, patch=monkeypatch)
    done = run_here(capfd, "minimize", fakes.write_toy(tmp_path, 5))
    assert done.status == 10
    lines = done.out.splitlines()
    assert lines[:3] == ["infimum", "loss: 4", "infimum (not attained): 3"]


def test_feasible(tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(fakes.Contented, patch=monkeypatch)
    path = fakes.write_toy(tmp_path, 5)
    done = run_here(capfd, "minimize", path)
    assert (done.status, done.err) == (0, "")
    lines = done.out.splitlines()
    assert lines[:3] == ["feasible", "loss: 4", "lower bound: 2"]
    document = run_here(capfd, "minimize", path, "--json").document
    assert document["reason"] == "contented: enough is enough"
    assert (document["loss"], document["lower_bound"]) == (4, 2)
    assert document["certificate"] == {"W1": [[1]]}


@pytest.mark.parametrize(
    "command, target, status",
    [("solve", 1, "sat"), ("solve", 9, "unsat"), ("minimize", 9, "optimal")],
)
def test_json_is_what_python_gets(
    command: str, target: int, status: str, tmp_path: Path, capfd: Capture
) -> None:
    path = fakes.write_toy(tmp_path, target)
    done = run_here(capfd, command, "--json", path)
    assert done.err == ""
    document = done.document
    assert document["status"] == status
    expected = getattr(ermbit, command)(path).to_json()
    for either in (document, expected):
        del either["time_s"], either["statistics"]
    assert document == expected


def test_warnings_go_to_standard_error(
    tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes.install(fakes.Buggy, fakes.Honest, patch=monkeypatch)
    path = fakes.write_toy(tmp_path)
    done = run_here(capfd, "solve", path, "--json", "--threads", "1")
    assert done.document["status"] == "sat"
    assert done.document["warnings"] == ["engine buggy failed: KeyError: 'a bug'"]
    assert done.err == "ermbit: warning: engine buggy failed: KeyError: 'a bug'\n"


def test_the_certificate_file(tmp_path: Path, capfd: Capture) -> None:
    path, out = fakes.write_toy(tmp_path), tmp_path / "out.cert.json"
    done = run_here(capfd, "solve", path, "--certificate", out)
    assert done.status == 10
    assert f"certificate: written to {out}" in done.out
    document = json.loads(out.read_text(encoding="utf-8"))
    assert document["instance"] == ermbit.load(path).sha256
    assert document["format"] == "ermbit-certificate"
    assert run_here(capfd, "verify", path, out).out.startswith("accepted\n")
    assert {file.name for file in tmp_path.iterdir()} == {"toy.erm.json", "out.cert.json"}


def test_no_certificate_file_without_certificate(tmp_path: Path, capfd: Capture) -> None:
    out = tmp_path / "out.cert.json"
    run_here(capfd, "solve", fakes.write_toy(tmp_path, 9), "--certificate", out)
    assert not out.exists()


def test_a_folder_that_does_not_exist_is_refused_before_the_search(
    tmp_path: Path, capfd: Capture
) -> None:
    out = tmp_path / "nowhere" / "out.cert.json"
    done = run_here(capfd, "solve", fakes.write_toy(tmp_path), "--certificate", out)
    assert one_error(done) == f"{out}: the folder does not exist"
    one_error(run_here(capfd, "solve", fakes.write_toy(tmp_path), "--certificate", tmp_path))


def test_an_answer_is_not_lost_with_its_file(
    tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: Any) -> None:
        raise ermbit.MissingFileError("No space left on device", file="out")

    monkeypatch.setattr("ermbit.answer.write_text", refuse)
    done = run_here(capfd, "solve", fakes.write_toy(tmp_path), "--certificate", "out")
    assert done.status == 2
    assert done.out.startswith("sat\n")
    assert "  W1 = [[1]]" in done.out
    assert done.err == "ermbit: error: out: No space left on device\n"


def test_another_threshold(tmp_path: Path, capfd: Capture) -> None:
    path = fakes.write_toy(tmp_path, 5, None)
    assert run_here(capfd, "solve", path, "--threshold", "3").status == 10
    assert run_here(capfd, "solve", path, "--threshold", "2.999").status == 20
    assert run_here(capfd, "solve", path, "--threshold=-1/7").status == 20
    assert one_error(run_here(capfd, "solve", path, "--threshold", "many")).startswith("threshold")


def test_a_missing_threshold_says_where(tmp_path: Path, capfd: Capture) -> None:
    path = fakes.write_toy(tmp_path, 5, None)
    message = one_error(run_here(capfd, "solve", path))
    assert message == f"{path}: $: the key 'threshold' is missing"


@pytest.mark.parametrize(
    "words",
    [
        ["--timeout", "-1"],
        ["--timeout", "nan"],
        ["--timeout", "soon"],
        ["--memory", "0"],
        ["--memory", "1.5"],
        ["--threads", "0"],
        ["--seed", "-3"],
        ["--seed", "9" * 5000],
        ["--engine", "nobody"],
        ["--proof", "out"],
        ["--time", "1"],
        ["more"],
    ],
)
@pytest.mark.parametrize("command", ["solve", "minimize"])
def test_usage(command: str, words: list[str], tmp_path: Path, capfd: Capture) -> None:
    done = run_here(capfd, command, fakes.write_toy(tmp_path), *words)
    message = one_error(done)
    assert words[0].lstrip("-") in message or words[-1] in message


@pytest.mark.parametrize("engine", [fakes.Refuted, fakes.Outside, fakes.Misshapen, fakes.Buggy])
@pytest.mark.parametrize("command", ["solve", "minimize"])
@pytest.mark.parametrize("json_too", [False, True])
def test_an_internal_error_is_no_answer(
    engine: Any,
    command: str,
    json_too: bool,
    tmp_path: Path,
    capfd: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fakes.install(engine, patch=monkeypatch)
    path, out = fakes.write_toy(tmp_path, 5), tmp_path / "out.cert.json"
    words = ["--json"] if json_too else []
    done = run_here(capfd, command, path, "--certificate", out, *words)
    message = one_error(done, 4)
    (file,) = tmp_path.glob("ermbit-reproduction-*.json")
    assert message.endswith(f"(reproduction file: {file})")
    document = json.loads(file.read_text(encoding="utf-8"))
    assert document["format"] == "ermbit-reproduction"
    assert parse_instance(document["instance"]).sha256 == ermbit.load(path).sha256
    assert not out.exists()


def test_a_bug_outside_of_engines(
    tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise ZeroDivisionError("unforeseen\nand long")

    monkeypatch.setattr("ermbit.search.quick_plan", fail)
    path = fakes.write_toy(tmp_path)
    message = one_error(run_here(capfd, "solve", path), 4)
    assert message.startswith("ZeroDivisionError: unforeseen\\nand long")
    (file,) = tmp_path.glob("ermbit-reproduction-*.json")
    document = json.loads(file.read_text(encoding="utf-8"))
    assert document["arguments"] == ["solve", str(path)]
    assert "ZeroDivisionError" in document["traceback"]
    assert document["instance"]["name"] == "toy"
    monkeypatch.setenv("ERMBIT_DEBUG", "1")
    done = run_here(capfd, "solve", path)
    assert "Traceback" in done.err
    assert done.err.splitlines()[-1] == f"ermbit: internal error: {message}"


def test_input_too_large_for_memory(
    tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise MemoryError

    monkeypatch.setattr("ermbit.cli.searching.load", fail)
    path = fakes.write_toy(tmp_path)
    assert one_error(run_here(capfd, "solve", path)) == f"{path}: out of memory"


def test_log_lines_only_if_asked_for(tmp_path: Path) -> None:
    path = fakes.write_toy(tmp_path, 5)
    quiet = run_apart("minimize", path, engines=["InlineHonest"])
    assert (quiet.status, quiet.err) == (10, "")
    verbose = run_apart("minimize", path, "--verbose", "--json", engines=["InlineHonest"])
    assert verbose.document["status"] == "optimal"
    lines = verbose.err.splitlines()
    assert all(line.startswith("ermbit: ") for line in lines)
    assert lines[0].endswith("start exhaustive")
    assert any("loss 3 lower bound 3" in line for line in lines)


def test_the_live_line_is_for_terminals(
    tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fakes.write_toy(tmp_path, 5)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    done = run_here(capfd, "minimize", path)
    assert done.out.startswith("optimal\n")
    assert "best loss" in done.err
    assert "lower bound" in done.err


def test_a_long_certificate_is_only_counted_on_the_screen(
    tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = {"units": 1, "activation": "identity", "bias": False, "weights": [[{"param": "w"}]]}
    layers = [{**layer, "weights": [[{"param": f"parameter_{k:04}"}]]} for k in range(300)]
    path = fakes.write_toy(
        tmp_path,
        1,
        network={"inputs": 1, "layers": layers},
        weights={"domain": "integer", "low": 1, "high": 1},
    )
    done = run_here(capfd, "solve", path)
    assert done.out.startswith("sat\n")
    assert "more (--certificate OUT writes all of them to a file)" in done.out
    assert len(done.out) < 5000
    assert len(run_here(capfd, "solve", path, "--json").document["certificate"]) == 300
