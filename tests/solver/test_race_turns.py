"""Turns: every job has a processor to itself for a while, whoever comes before it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ermbit.processes import limits, turns
from ermbit.processes.race import race
from ermbit.processes.turns import Turns
from race_checks import PATIENCE, alive, job, wait_until


@dataclass
class Fake:
    """A child whose processor time is what the test says."""

    used: float = 0.0
    resting: bool = False

    def seconds(self) -> float:
        return self.used

    def rest(self) -> None:
        assert not self.resting
        self.resting = True

    def resume(self) -> None:
        self.resting = False


@dataclass
class Field:
    """Jobs of a race that takes turns, with fakes in place of processes."""

    waiting: list[str]
    turns: Turns
    children: dict[str, Fake] = field(default_factory=dict)
    starts: list[str] = field(default_factory=list)
    broken: tuple[str, ...] = ()

    def start(self, name: str) -> Fake | None:
        self.starts.append(name)
        self.waiting.remove(name)
        if name in self.broken:
            return None
        self.children[name] = Fake()
        return self.children[name]

    def put_back(self, name: str) -> None:
        del self.children[name]
        self.waiting.append(name)

    def step(self) -> bool:
        return self.turns.step(
            self.children, self.waiting, start=self.start, put_back=self.put_back
        )

    def works(self, seconds: float) -> bool:
        """All that do not rest use so many seconds; then a step."""
        for child in self.children.values():
            child.used += 0 if child.resting else seconds
        return self.step()

    @property
    def active(self) -> list[str]:
        return [name for name, child in self.children.items() if not child.resting]


def playing(
    names: str, slots: int, places: int, *lengths: float, broken: tuple[str, ...] = ()
) -> Field:
    order = Turns(list(names), slots=slots, places=places, lengths=lengths)
    return Field(list(names), order, broken=broken)


linux = pytest.mark.skipif(not turns.can_rest(), reason="children rest on Linux only")


@linux
def test_two_rounds_and_then_all_run() -> None:
    game = playing("abc", 1, 3, 1.0, 3.0)
    assert game.step()
    seen = []
    while True:
        seen.append(*game.active)
        if not game.works(0.5):
            break
    assert "".join(seen) == "aabbcc" + "aaaaaa" + "bbbbbb" + "cccccc"
    assert game.active == ["a", "b", "c"] == game.starts


@linux
def test_two_at_a_time_and_no_processor_idle() -> None:
    game = playing("abc", 2, 3, 1.0, 2.0)
    game.step()
    seen = [game.active]
    while game.works(1.0):
        seen.append(game.active)
    # c's first turn overlaps a's second: rounds do not wait for each other.
    assert seen == [["a", "b"], ["a", "c"], ["a", "b"], ["b", "c"]]
    assert game.active == ["a", "b", "c"]


@linux
def test_one_that_finds_no_place_to_rest_begins_anew() -> None:
    game = playing("abc", 1, 1, 1.0, 1.0)
    game.step()
    while game.works(1.0):
        assert len(game.children) <= 2
    assert game.starts == ["a", "b", "c", "b", "c"]
    assert (game.active, game.waiting) == (["a"], ["b", "c"])


@linux
def test_what_ends_or_fails_to_start_makes_room() -> None:
    game = playing("abcd", 1, 4, 1.0, 1.0, broken=("b",))
    game.step()
    del game.children["a"]  # it has ended in its turn
    game.step()
    assert game.active == ["c"]
    game.works(1.0)
    assert game.active == ["d"]
    del game.children["d"]
    assert not game.step()  # one is left, so there is nothing to share
    assert game.active == ["c"]


@pytest.mark.parametrize("slots, lengths", [(3, (1.0,)), (9, (1.0,)), (1, ())])
def test_no_turns_where_there_is_nothing_to_share(slots: int, lengths: tuple[float, ...]) -> None:
    game = playing("abc", slots, 3, *lengths)
    assert not game.step()
    assert game.starts == []


@linux
def test_a_job_that_does_nothing_loses_its_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    game = playing("ab", 1, 2, 1.0)
    now = time.monotonic()
    game.step()
    monkeypatch.setattr(turns.time, "monotonic", lambda: now + turns.PATIENCE + 1)
    game.step()
    assert game.active == ["b"]


# Real processes


def lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


@linux
def test_the_last_of_many_wins_before_the_first_has_ended(tmp_path: Path) -> None:
    jobs = [job(f"long{k}", "burn", (str(tmp_path / f"{k}"), 1e9)) for k in range(3)]
    outcome = race([*jobs, job("short", "double", 4)], threads=2, timeout=PATIENCE, turns=(0.3,))
    assert outcome.winner == "short"
    # The first two rested, the third had to begin anew, and never did.
    assert [lines(tmp_path / f"{k}").count("start") for k in range(3)] == [1, 1, 1]


@linux
def test_one_that_rests_does_nothing_and_goes_on_afterwards(tmp_path: Path) -> None:
    first = tmp_path / "first"
    counts: list[int] = []

    def heard(name: str, event: Any) -> None:
        counts.append(len(lines(first)))
        if len(counts) == 2:
            assert counts[0] == counts[1]

    outcome = race(
        [job("first", "burn", (str(first), 2.5)), job("second", "tell_twice", 0.1)],
        threads=2,
        timeout=PATIENCE,
        turns=(1.5, 0.1),
        on_event=heard,
        decides=lambda name, result: False,
    )
    assert set(outcome.finished) == {"first", "second"}
    assert lines(first).count("start") == 1
    assert len(counts) == 2


@linux
def test_memory_that_was_short_in_turns_is_no_failure() -> None:
    # A third of 300 MB while two may rest besides it, half of it afterwards.
    outcome = race(
        [job("large", "allocate_once", 120), job("other", "sleep"), job("third", "sleep")],
        memory=300,
        threads=2,
        timeout=PATIENCE,
        turns=(0.1,),
    )
    assert outcome.winner == "large"


@linux
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_one_that_rests_dies_with_its_parent(tmp_path: Path, number: signal.Signals) -> None:
    code = f"""
import sys
sys.path[:] = {sys.path!r}
from ermbit.processes.interrupts import terminate_as_interrupt
from ermbit.processes.race import Job, race
if __name__ == "__main__":
    with terminate_as_interrupt():
        jobs = [Job("family", "race_targets:simple_family", {str(tmp_path)!r})]
        jobs.append(Job("sleep", "race_targets:sleep"))
        race(jobs, threads=2, timeout=300, turns=(0.1, 100.0))
"""
    parent = subprocess.Popen([sys.executable, "-c", code])
    try:
        files = [tmp_path / "program.pid", tmp_path / "worker.pid"]
        assert wait_until(lambda: all(file.exists() for file in files))
        pids = [int(file.read_text()) for file in files]
        assert wait_until(lambda: all(_state(pid) == "T" for pid in pids))
        parent.send_signal(number)
        parent.wait(PATIENCE)
    finally:
        parent.kill()
        parent.wait()
    assert wait_until(lambda: not any(map(alive, pids)))


def _state(pid: int) -> str:
    status = Path(f"/proc/{pid}/stat").read_text()
    return status.rpartition(")")[2].split()[0]


@linux
def test_processor_time_of_a_process_and_its_children() -> None:
    code = "import time\nwhile time.process_time() < 0.4: pass"
    before = limits.used_seconds(os.getpid())
    subprocess.run([sys.executable, "-c", code], check=True)
    assert 0.3 <= limits.used_seconds(os.getpid()) - before < 30
    assert limits.used_seconds(2**22 + 1) == 0
