"""Turns: every job has a processor to itself for a while, whoever comes before it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from ermbit.processes import limits, turns
from ermbit.processes.job import Job, Listener, any_result_decides
from ermbit.processes.race import _Race, race
from ermbit.processes.turns import Move, Schedule, Turns
from race_checks import PATIENCE, alive, job, wait_until


@dataclass
class Fake:
    """A child whose processor time is what the test says."""

    used: float = 0.0
    resting: bool = False
    can_rest: bool = True

    def seconds(self) -> float:
        return self.used


@dataclass
class Field:
    """Jobs of a race that takes turns, with fakes in place of processes."""

    waiting: list[str]
    turns: Turns
    children: dict[str, Fake] = field(default_factory=dict)
    starts: list[str] = field(default_factory=list)
    broken: tuple[str, ...] = ()

    def step(self) -> bool:
        """All moves that there are now; False when the turns are over."""
        while True:
            move, name = self.turns.move(self.children, self.waiting)
            if move is Move.OVER:
                for child in self.children.values():
                    child.resting = False
                return False
            if move is Move.WAIT:
                return True
            if move is Move.START:
                self.starts.append(name)
                self.waiting.remove(name)
                if name not in self.broken:
                    self.children[name] = Fake()
            elif move is Move.PUT_BACK:
                del self.children[name]
                self.waiting.append(name)
            else:
                assert self.children[name].resting == (move is Move.RESUME)
                self.children[name].resting = move is Move.REST

    def works(self, seconds: float) -> bool:
        """All that do not rest use so many seconds; then a step."""
        for child in self.children.values():
            child.used += 0 if child.resting else seconds
        return self.step()

    @property
    def active(self) -> list[str]:
        return [name for name, child in self.children.items() if not child.resting]


def playing(
    names: str,
    slots: int,
    places: int,
    *lengths: float,
    first: int = 9,
    broken: tuple[str, ...] = (),
) -> Field:
    schedule = Schedule(lengths, first)
    order = Turns(list(names), slots=slots, places=places, schedule=schedule)
    return Field(list(names), order, broken=broken)


linux = pytest.mark.skipif(not turns.possible(), reason="children rest on Linux only")


@pytest.fixture(autouse=True)
def always_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pause between looks, and no limit by the clock: machines that run tests may be slow."""
    monkeypatch.setattr(turns, "LOOK", 0.0)
    monkeypatch.setattr(turns, "PATIENCE", 1e6)


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
def test_the_first_have_all_their_turns_before_the_last_begin() -> None:
    game = playing("abcd", 1, 4, 1.0, 2.0, first=2)
    game.step()
    seen = [*game.active]
    while game.works(1.0):
        seen += game.active
    assert "".join(seen) == "ab" + "aabb" + "cd" + "ccdd"


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
def test_nobody_has_two_turns_at_a_time() -> None:
    game = playing("abc", 2, 3, 2.0, 4.0, first=1)
    game.step()
    assert game.active == ["a", "b"]  # a's second turn comes after its first
    game.works(2.0)
    assert game.active == ["a", "c"]


@linux
def test_one_that_finds_no_place_to_rest_begins_anew() -> None:
    game = playing("abc", 1, 1, 1.0, 1.0)
    game.step()
    while game.works(1.0):
        assert len(game.children) <= 2
    assert game.starts == ["a", "b", "c", "b", "c"]
    assert (game.active, game.waiting) == (["a"], ["b", "c"])


@linux
def test_one_that_would_outlive_its_parent_does_not_rest() -> None:
    game = playing("ab", 1, 2, 1.0)
    game.step()
    game.children["a"].can_rest = False
    game.works(1.0)
    assert (game.active, game.waiting) == (["b"], ["a"])


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
    monkeypatch.setattr(turns, "PATIENCE", 0.0)
    game = playing("ab", 1, 2, 1.0)
    game.step()
    assert not game.step()
    assert game.starts == ["a", "b"]


# Real processes


def lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


@linux
def test_the_last_of_many_wins_before_the_first_has_ended(tmp_path: Path) -> None:
    jobs = [job(f"long{k}", "burn", (str(tmp_path / f"{k}"), 1e9)) for k in range(3)]
    outcome = race(
        [*jobs, job("short", "double", 4)],
        threads=2,
        timeout=PATIENCE,
        schedule=Schedule((1.0,)),
    )
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
        schedule=Schedule((1.5, 0.1)),
        on_event=heard,
        decides=lambda name, result: False,
    )
    assert set(outcome.finished) == {"first", "second"}
    assert lines(first).count("start") == 1
    assert len(counts) == 2


@linux
def test_not_more_than_threads_run_after_the_turns(tmp_path: Path) -> None:
    """Two slots and three places: five children live at the end of the turns, three go on."""
    seen: list[list[tuple[str, bool, int | None]]] = []

    def look() -> bool:
        if runner.turns is None:
            seen.append([(c.name, c.resting, c.limit) for c in runner.lineup.running])
        return len(seen) > 3

    jobs = [job(f"j{k}", "burn", (str(tmp_path / f"{k}"), 1e9)) for k in range(5)]
    runner = made(jobs, 0.4, threads=3, slots=2, memory=3000, should_stop=look)
    with runner.shield:
        assert runner.run().interrupted
    share = 1000 << 20
    assert seen[-1] == [(f"j{k}", False, share) for k in range(3)]


@linux
def test_a_result_that_has_arrived_outweighs_the_end_of_a_turn(tmp_path: Path) -> None:
    def busy(name: str, event: Any) -> None:  # meanwhile its turn ends, and its result comes
        assert runner.turns is not None
        runner.turns._turns[name] = turns._Turn(0.0, 0.0)
        assert wait_until(lambda: runner.inbox.qsize() > 0)

    jobs = [job(name, "burn", (str(tmp_path / name), 1e9)) for name in "ac"]
    jobs.insert(1, job("b", "count", 1))
    runner = made(jobs, 1.0, threads=1, slots=1, on_event=busy)
    with runner.shield:
        assert runner.run().winner == "b"


@linux
def test_memory_that_was_short_in_turns_is_no_failure(tmp_path: Path) -> None:
    """A third of 300 MB while two may rest besides it, half of it afterwards."""
    starts = tmp_path / "starts"
    jobs = [job("large", "allocate_once", (str(starts), 120))]
    jobs += [job(name, "burn", (str(tmp_path / name), 1e9)) for name in "abc"]
    outcome = race(
        jobs, memory=300, threads=2, timeout=PATIENCE, schedule=Schedule((0.5,))
    )
    assert outcome.winner == "large"
    assert lines(starts) == ["start", "start"]


@linux
def test_one_that_rests_wakes_in_time_to_hand_over_its_best() -> None:
    schedule = Schedule((0.4, 1e6))
    jobs = [job("best", "burn_until_the_deadline"), job("other", "sleep")]
    outcome = race(jobs, threads=2, timeout=5, schedule=schedule)
    assert outcome.result == "best known"


@linux
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_one_that_rests_dies_with_its_parent(tmp_path: Path, number: signal.Signals) -> None:
    code = f"""
import sys
sys.path[:] = {sys.path!r}
from ermbit.processes import turns
from ermbit.processes.interrupts import terminate_as_interrupt
from ermbit.processes.race import Job, race
if __name__ == "__main__":
    turns.PATIENCE = 1e6
    with terminate_as_interrupt():
        jobs = [Job("family", "race_targets:busy_family", {str(tmp_path)!r})]
        jobs.append(Job("sleep", "race_targets:sleep"))
        race(jobs, threads=2, timeout=300, schedule=turns.Schedule((1.0, 1e6)))
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


def made(
    jobs: list[Job],
    *lengths: float,
    threads: int,
    slots: int,
    memory: int | None = None,
    on_event: Listener | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> _Race:
    """A race before its start."""
    names = [job.name for job in jobs]
    order = Turns(names, slots=slots, places=threads, schedule=Schedule(lengths))
    return _Race(
        jobs,
        PATIENCE,
        memory,
        threads,
        order,
        any_result_decides,
        on_event,
        None,
        should_stop,
    )


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
