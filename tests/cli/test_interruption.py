"""Ctrl-C and SIGTERM during a search: no process left, no half-written file, what is known told."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

import fake_engines as fakes
from cli.command_line import PATIENCE, environment, program
from ermbit.processes.limits import descendants

SIGNALS = [signal.SIGINT, signal.SIGTERM]
RACERS = ["Halfway", "Stubborn"]
PROCESSES = 4  # the program, two workers, and the child of the stubborn one


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not reaped does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


@contextmanager
def started(
    folder: Path, *words: str, engines: Sequence[str] = RACERS
) -> Iterator[subprocess.Popen[str]]:
    """A search that does not end by itself, running in `folder`."""
    process = subprocess.Popen(
        [*program(engines), *words],
        env=environment(),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that starts a program in the background may have set it to ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        yield process
    finally:
        for pid in descendants(process.pid)[::-1]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.communicate()


def all_running(process: subprocess.Popen[str], count: int = PROCESSES) -> list[int]:
    """Wait for all processes of the search, and list them."""
    wait_until(lambda: len(descendants(process.pid)) >= count or process.poll() is not None)
    assert process.poll() is None, process.communicate()
    return descendants(process.pid)


def end(process: subprocess.Popen[str], pids: list[int]) -> tuple[int, str, str]:
    """Wait for the end of the program, and see that nothing remains of it."""
    out, err = process.communicate(timeout=PATIENCE)
    assert [pid for pid in pids if alive(pid)] == []
    return process.returncode, out, err


@pytest.mark.parametrize("number", SIGNALS)
def test_solve(number: signal.Signals, tmp_path: Path) -> None:
    fakes.write_toy(tmp_path, 5)
    with started(tmp_path, "solve", "toy.erm.json", "--certificate", "c.json") as process:
        pids = all_running(process)
        process.send_signal(number)
        status, out, err = end(process, pids)
    assert (status, err) == (0, "")
    assert out.startswith("unknown\nthreshold: 0\nreason: interrupted\n")
    assert os.listdir(tmp_path) == ["toy.erm.json"]


@pytest.mark.parametrize("number", SIGNALS)
def test_minimize_keeps_the_best(number: signal.Signals, tmp_path: Path) -> None:
    fakes.write_toy(tmp_path, 5)
    words = ["minimize", "toy.erm.json", "--verbose", "--json", "--certificate", "c.json"]
    with started(tmp_path, *words) as process:
        pids = all_running(process)
        assert process.stderr is not None
        while "loss 4 lower bound 2" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(number)
        status, out, _ = end(process, pids)
    assert status == 0
    document = json.loads(out)
    assert (document["status"], document["reason"]) == ("feasible", "interrupted")
    assert (document["loss"], document["lower_bound"]) == (4, 2)
    assert document["certificate"] == {"W1": [[1]]}
    assert sorted(os.listdir(tmp_path)) == ["c.json", "toy.erm.json"]
    written = json.loads((tmp_path / "c.json").read_text(encoding="utf-8"))
    assert written["parameters"] == {"W1": [[1]]}


def test_two_signals_are_as_good_as_one(tmp_path: Path) -> None:
    fakes.write_toy(tmp_path, 5)
    with started(tmp_path, "solve", "toy.erm.json") as process:
        pids = all_running(process)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGTERM)
        status, out, err = end(process, pids)
    assert (status, err) == (0, "")
    assert out.startswith("unknown\n")


def test_a_killed_program_leaves_no_process(tmp_path: Path) -> None:
    fakes.write_toy(tmp_path, 5)
    words = ["solve", "toy.erm.json"]
    with started(tmp_path, *words, engines=["Halfway", "Climber"]) as process:
        pids = all_running(process, 3)
        process.kill()
        process.communicate(timeout=PATIENCE)
        wait_until(lambda: not any(alive(pid) for pid in pids))
    assert os.listdir(tmp_path) == ["toy.erm.json"]


def test_a_timeout_stops_engines_that_do_not_listen(tmp_path: Path) -> None:
    fakes.write_toy(tmp_path, 5)
    # Long enough that all processes are there before it is over.
    with started(tmp_path, "minimize", "toy.erm.json", "--timeout", "12") as process:
        pids = all_running(process)
        status, out, err = end(process, pids)
    assert (status, err) == (0, "")
    assert out.startswith("feasible\nloss: 4\nlower bound: 2\nreason: timeout\n")


def test_an_internal_error_stops_all_engines(tmp_path: Path) -> None:
    fakes.write_toy(tmp_path, 5)
    engines = ["Halfway", "Stubborn", "Refuted"]
    words = ["solve", "toy.erm.json", "--threads", "3"]
    with started(tmp_path, *words, engines=engines) as process:
        status, out, err = end(process, [])
        assert descendants(process.pid) == [process.pid]
    assert (status, out) == (4, "")
    assert err.count("\n") == 1
    assert len(list(tmp_path.glob("ermbit-reproduction-*.json"))) == 1
