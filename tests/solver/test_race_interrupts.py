"""Races that end early, by an interrupt, a signal or an error in a callback: no process is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ermbit.processes import child, nursery
from ermbit.processes.interrupts import terminate_as_interrupt
from ermbit.processes.race import race
from race_checks import PATIENCE, alive, job, pids_in, wait_until

# Callbacks


@pytest.mark.parametrize("callback", ["on_event", "on_result", "decides", "should_stop"])
def test_error_in_a_callback_is_raised_after_the_children_are_stopped(
    callback: str, tmp_path: Path
) -> None:
    def broken(*arguments: Any) -> bool:
        if callback == "should_stop" and not pids_in(tmp_path).keys() >= {"stubborn"}:
            return False
        raise LookupError("broken callback")

    options: dict[str, Any] = {callback: broken}
    second = job("other", "count" if callback == "on_event" else "double", 1)
    if callback in ("on_event", "should_stop"):
        jobs = [job("it", "refuse_to_end", str(tmp_path))]
    else:
        jobs = [job("it", "refuse_to_end", str(tmp_path)), second]
    with pytest.raises(LookupError, match="broken callback"):
        race(jobs, threads=2, timeout=PATIENCE, **options)
    for pid in pids_in(tmp_path).values():
        assert not alive(pid)


def test_interrupt_in_a_callback_ends_the_race() -> None:
    pids: list[int] = []

    def interrupt(name: str, event: int) -> None:
        pids.append(event)
        signal.raise_signal(signal.SIGINT)

    outcome = race([job("it", "sleep")], timeout=PATIENCE, on_event=interrupt)
    assert outcome.interrupted
    assert dict(outcome.failures) == {"it": "interrupted"}
    assert not alive(pids[0])
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_programs_own_handler_is_called_and_its_exception_comes_last() -> None:
    pids: list[int] = []

    def leave(signum: int, frame: Any) -> None:
        raise SystemExit(7)

    before = signal.signal(signal.SIGTERM, leave)
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGTERM))
    try:
        timer.start()
        with pytest.raises(SystemExit):
            race(
                [job("it", "sleep")],
                timeout=PATIENCE,
                on_event=lambda name, event: pids.append(event),
            )
        assert signal.getsignal(signal.SIGTERM) is leave
    finally:
        timer.cancel()
        signal.signal(signal.SIGTERM, before)
    assert not any(map(alive, pids))


# No process is left

PARENT = """
import signal, sys, time
sys.path[:] = {path!r}
from ermbit.processes.interrupts import terminate_as_interrupt
from ermbit.processes.race import Job, race
if __name__ == "__main__":
    with terminate_as_interrupt():
        jobs = [Job(name, "race_targets:" + name, {folder!r}) for name in {names!r}]
        outcome = race(jobs, threads=9, timeout=300)
    print(outcome.interrupted, sorted(outcome.failures.values()), flush=True)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
"""


def start_parent(folder: Path, *names: str) -> subprocess.Popen[str]:
    code = PARENT.format(path=sys.path, folder=str(folder), names=names)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    "names, expected",
    [
        (("hold_the_lock",), {"holder"}),
        (("simple_family",), {"program", "worker"}),
        (("refuse_to_end", "hold_the_lock"), {"stubborn", "holder"}),
    ],
)
@pytest.mark.parametrize(
    "signals",
    [
        [signal.SIGKILL],
        [signal.SIGTERM],
        [signal.SIGINT],
        [signal.SIGHUP],
        [signal.SIGINT, signal.SIGINT, signal.SIGTERM, signal.SIGINT],
    ],
)
def test_no_process_outlives_its_parent(
    tmp_path: Path, names: tuple[str, ...], expected: set[str], signals: list[signal.Signals]
) -> None:
    parent = start_parent(tmp_path, *names)
    try:
        assert wait_until(lambda: pids_in(tmp_path).keys() == expected)
        pids = pids_in(tmp_path)
        assert all(map(alive, pids.values()))
        for number in signals:
            parent.send_signal(number)
            time.sleep(0.1 if len(signals) > 1 else 0)
        output, _ = parent.communicate(timeout=PATIENCE)
    finally:
        parent.kill()
        parent.wait()
    assert wait_until(lambda: not any(map(alive, pids.values())))
    if signals == [signal.SIGKILL]:
        assert output == ""
    elif len(signals) == 1:
        assert output == f"True {['interrupted'] * len(names)}\n"


def test_grandchildren_die_too(tmp_path: Path) -> None:
    ready: list[str] = []
    outcome = race(
        [job("it", "raise_family", str(tmp_path))],
        timeout=PATIENCE,
        on_event=lambda name, event: ready.append(event),
        should_stop=lambda: bool(ready),
    )
    assert outcome.interrupted
    pids = pids_in(tmp_path)
    assert pids.keys() >= {"worker", "program", "fork"}
    assert wait_until(lambda: not any(map(alive, pids.values())))


def test_a_job_that_ignores_the_request_to_end_is_killed(tmp_path: Path) -> None:
    outcome = race(
        [job("it", "refuse_to_end", str(tmp_path))],
        timeout=PATIENCE,
        should_stop=lambda: bool(pids_in(tmp_path)),
    )
    assert outcome.interrupted
    assert not alive(pids_in(tmp_path)["stubborn"])


# Signals


@pytest.mark.parametrize("moment", ["_start", "stop"])
def test_interrupt_at_the_worst_moment(monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    processes: list[subprocess.Popen[bytes]] = []
    start, stop = child._start, child.stop

    def start_and_interrupt() -> subprocess.Popen[bytes]:
        processes.append(start())
        if moment == "_start":
            signal.raise_signal(signal.SIGINT)
        return processes[-1]

    def interrupt_and_stop(*arguments: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        stop(*arguments)

    monkeypatch.setattr(nursery, "possible", lambda limit: False)
    monkeypatch.setattr(child, "_start", start_and_interrupt)
    if moment == "stop":
        monkeypatch.setattr(child, "stop", interrupt_and_stop)
    function = "sleep" if moment == "_start" else "double"
    outcome = race([job("it", function, 4)], timeout=PATIENCE)
    assert outcome.interrupted
    assert outcome.result == (None if moment == "_start" else 8)
    assert [process.returncode is None for process in processes] == [False]


def test_terminate_as_interrupt_fires_once_and_restores() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with terminate_as_interrupt():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGHUP)
    assert signal.getsignal(signal.SIGTERM) is before


def test_terminate_as_interrupt_leaves_ignored_signals_alone() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with terminate_as_interrupt():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_terminate_as_interrupt_in_another_thread_does_nothing() -> None:
    seen: list[Any] = []

    def look() -> None:
        with terminate_as_interrupt():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]
