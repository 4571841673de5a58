"""What passes between a race and its jobs: events, results, payloads, output, surroundings."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from ermbit.processes.race import race
from race_checks import PATIENCE, job, wait_until


def test_events_arrive_in_order_and_before_the_result() -> None:
    heard: list[Any] = []
    outcome = race(
        [job("it", "count", 5000)],
        timeout=PATIENCE,
        on_event=lambda name, event: heard.append(event),
        on_result=lambda name, result: heard.append(result),
    )
    assert heard == [*range(5000), "counted"]
    assert outcome.result == "counted"


def test_last_frames_survive_a_slow_listener() -> None:
    # The worker is long gone when its last events and its result are read.
    heard: list[Any] = []

    def listen(name: str, event: Any) -> None:
        heard.append(event)
        if event in (0, 33, 35):
            time.sleep(1.2)

    outcome = race(
        [job("it", "count", 40)], timeout=PATIENCE, on_event=listen, should_stop=lambda: False
    )
    assert outcome.result == "counted"
    assert heard == list(range(40))


def test_a_flood_of_events_does_not_outlive_the_race() -> None:
    heard: list[Any] = []

    def listen(name: str, event: Any) -> None:
        heard.append(event)

    outcome = race(
        [job("it", "count", 10**9)],
        timeout=PATIENCE,
        on_event=listen,
        should_stop=lambda: len(heard) > 100,
    )
    assert outcome.interrupted
    assert heard == list(range(len(heard)))
    assert wait_until(lambda: not any(t.name == "race it" for t in threading.enumerate()))


def test_a_busy_parent_holds_the_job_back(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    sent: list[int] = []

    def listen(name: str, event: Any) -> None:
        time.sleep(1.0)
        sent.append(counter.stat().st_size)

    race(
        [job("it", "flood", str(counter))],
        timeout=PATIENCE,
        on_event=listen,
        should_stop=lambda: bool(sent),
    )
    assert 0 < sent[0] < 100  # not the thousands for which there was time


def test_output_of_the_job_does_no_harm() -> None:
    heard: list[Any] = []
    outcome = race(
        [job("it", "chatter", 500)],
        timeout=PATIENCE,
        on_event=lambda name, event: heard.append(event),
    )
    assert outcome.result == "still understood"
    assert heard == list(range(500))


def test_output_of_the_interpreters_start_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("print('R' * 100_000)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert race([job("it", "double", 3)], timeout=PATIENCE).result == 6


def test_large_payload_event_and_result() -> None:
    block = os.urandom(1 << 20) * 50
    heard: list[bool] = []
    outcome = race(
        [job("it", "echo", block)],
        timeout=PATIENCE,
        on_event=lambda name, event: heard.append(event == block),
    )
    assert heard == [True]
    assert outcome.result == block


def test_worker_sees_the_parents_path_and_starts_with_little(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "struct.py").write_text("raise RuntimeError('the current folder is imported')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    seen = race([job("it", "surroundings")], memory=300, timeout=PATIENCE).result
    assert seen["path"] == sys.path
    assert seen["pythonpath"] == "/somewhere"
    assert seen["memory"] == 300
    assert seen["deadline"] > time.monotonic()
    heavy = {"numpy", "gmpy2", "z3", "pysat", "onnx", "asyncio", "multiprocessing"}
    assert heavy.isdisjoint(seen["modules"])
