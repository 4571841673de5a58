"""Races of processes: who wins, how failures are told, and the same in this process."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from ermbit.processes.inline import run_inline
from ermbit.processes.race import Job, RaceResult, race
from race_checks import PATIENCE, alive, job, pids_in, wait_until

# Winning


def test_first_decisive_result_wins_and_the_others_are_gone() -> None:
    started: dict[str, int] = {}
    outcome = race(
        [job("slow", "sleep"), job("slower", "sleep"), job("quick", "double", 21)],
        threads=3,
        timeout=PATIENCE,
        on_event=started.__setitem__,
        decides=lambda name, result: result == 42,
    )
    assert (outcome.winner, outcome.result) == ("quick", 42)
    assert dict(outcome.finished) == {"quick": 42}
    assert dict(outcome.failures) == {}
    assert not outcome.interrupted
    for pid in started.values():
        with pytest.raises(ProcessLookupError):  # reaped, not only dead
            os.kill(pid, 0)


def test_losers_that_run_are_reaped() -> None:
    pids: list[int] = []

    def heard(name: str, event: Any) -> None:
        pids.append(event)

    outcome = race(
        [job("a", "sleep"), job("b", "sleep")],
        threads=2,
        timeout=PATIENCE,
        on_event=heard,
        should_stop=lambda: len(pids) == 2,
    )
    assert outcome.interrupted
    assert dict(outcome.failures) == {"a": "interrupted", "b": "interrupted"}
    assert len(pids) == 2
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_indecisive_results_let_the_queue_go_on() -> None:
    jobs = [job(f"j{number}", "double", number) for number in range(7)]
    heard: list[tuple[str, Any]] = []
    outcome = race(
        jobs,
        threads=2,
        timeout=PATIENCE,
        decides=lambda name, result: False,
        on_result=lambda name, result: heard.append((name, result)),
    )
    assert outcome.winner is None
    assert outcome.result is None
    assert dict(outcome.finished) == {f"j{number}": 2 * number for number in range(7)}
    assert heard == list(outcome.finished.items())
    assert dict(outcome.failures) == {}


def test_no_more_than_threads_run_at_once(tmp_path: Path) -> None:
    # With one thread the second job cannot create the file for which the first one waits.
    flag = tmp_path / "flag"
    outcome = race(
        [job("first", "wait_for_file", str(flag)), job("second", "double", 1)],
        threads=1,
        timeout=1.0,
    )
    assert outcome.winner is None
    assert dict(outcome.failures) == {"first": "timeout", "second": "timeout"}


def test_failures_make_room_in_the_queue() -> None:
    outcome = race(
        [job("bad", "fail", "no"), job("worse", "segfault"), job("good", "double", 4)],
        threads=1,
        timeout=PATIENCE,
    )
    assert (outcome.winner, outcome.result) == ("good", 8)
    assert set(outcome.failures) == {"bad", "worse"}


def test_no_jobs() -> None:
    outcome = race([])
    assert (outcome.winner, dict(outcome.finished), dict(outcome.failures)) == (None, {}, {})


def test_every_job_has_a_process_of_its_own() -> None:
    outcome = race(
        [job("a", "process_id"), job("b", "process_id")],
        decides=lambda name, result: False,
        timeout=PATIENCE,
    )
    assert len({os.getpid(), *outcome.finished.values()}) == 3


def test_race_in_another_thread() -> None:
    outcomes: list[RaceResult] = []
    threads = [
        threading.Thread(
            target=lambda number=number: outcomes.append(
                race([job("a", "double", number), job("b", "sleep")], threads=2, timeout=PATIENCE)
            )
        )
        for number in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(outcome.result for outcome in outcomes) == [0, 2]


def test_names_must_differ() -> None:
    with pytest.raises(ValueError, match="same name"):
        race([job("it", "double", 1), job("it", "double", 2)])


# Failures


@pytest.mark.parametrize(
    "function, payload, reason",
    [
        ("fail", "two\nlines", "ValueError: two lines"),
        ("fail", "", "ValueError"),
        ("fail", "std::bad_alloc", "memory"),
        ("sys_exit", 3, "SystemExit: 3"),
        ("segfault", None, "crashed with signal 11 (SIGSEGV): last words"),
        ("abort_without_memory", None, "memory"),
        ("exit_early", 3, "exited with status 3: giving up"),
        ("exit_early", 0, "exited with status 0: giving up"),
    ],
)
def test_reason_of_a_failure(function: str, payload: Any, reason: str) -> None:
    outcome = race([job("it", function, payload)], timeout=PATIENCE)
    assert dict(outcome.failures) == {"it": reason}
    assert outcome.winner is None
    assert dict(outcome.finished) == {}


@pytest.mark.parametrize(
    "entry, start",
    [
        (Job("it", "race_targets:nothing"), "AttributeError: "),
        (Job("it", "no_such_module:nothing"), "ModuleNotFoundError: "),
        (Job("it", "race_targets"), "ValueError: target 'race_targets' is not of the form"),
        (Job("it", "race_targets:unpicklable"), "result cannot be sent: TypeError: "),
        (Job("it", "race_targets:unreadable"), "sent what cannot be read: ValueError: "),
        (Job("it", "race_targets:double", threading.Lock()), "could not start: TypeError: "),
    ],
)
def test_failures_of_the_way_there_and_back(entry: Job, start: str) -> None:
    outcome = race([entry, job("next", "double", 1)], timeout=PATIENCE)
    assert outcome.failures["it"].startswith(start)
    assert "\n" not in outcome.failures["it"]
    assert outcome.winner == "next"


def test_long_reasons_are_cut() -> None:
    outcome = race([job("it", "fail", "x" * 100_000)], timeout=PATIENCE)
    assert len(outcome.failures["it"]) == 300


def test_crash_is_seen_although_a_fork_holds_the_pipes(tmp_path: Path) -> None:
    outcome = race([job("it", "crash_with_family", str(tmp_path))], timeout=PATIENCE)
    assert outcome.failures["it"].startswith("crashed with signal 11")
    # Killed, but no child of this process: when it is gone is the kernel's business.
    assert wait_until(lambda: not alive(pids_in(tmp_path)["fork"]))


# In this process


def test_inline_has_the_outcome_of_a_race() -> None:
    heard: list[Any] = []
    listen = {
        "on_event": lambda name, event: heard.append(event),
        "on_result": lambda name, result: heard.append(result),
    }
    outcome = run_inline(job("it", "count", 3), timeout=PATIENCE, **listen)
    assert heard == [0, 1, 2, "counted"]
    assert (outcome.winner, outcome.result) == ("it", "counted")
    assert dict(outcome.finished) == {"it": "counted"}
    assert not run_inline(job("it", "double", 1), decides=lambda name, result: False).winner


@pytest.mark.parametrize(
    "function, payload, reason",
    [("fail", "no", "ValueError: no"), ("sys_exit", 3, "SystemExit: 3")],
)
def test_inline_failures(function: str, payload: Any, reason: str) -> None:
    assert dict(run_inline(job("it", function, payload)).failures) == {"it": reason}


def test_inline_stops_when_asked() -> None:
    outcome = run_inline(job("it", "count", 10**9), should_stop=lambda: True)
    assert outcome.interrupted
    assert dict(outcome.failures) == {"it": "interrupted"}
    outcome = run_inline(job("it", "count", 10**9), timeout=0.1)
    assert not outcome.interrupted
    assert dict(outcome.failures) == {"it": "timeout"}


def test_inline_callbacks_raise_through() -> None:
    def broken(name: str, event: Any) -> None:
        raise LookupError("broken callback")

    with pytest.raises(LookupError):
        run_inline(job("it", "count", 1), on_event=broken)

    def interrupt(name: str, event: Any) -> None:
        raise KeyboardInterrupt

    assert run_inline(job("it", "count", 1), on_event=interrupt).interrupted
