"""Races under limits of memory and time."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ermbit.processes import limits
from ermbit.processes.race import race
from race_checks import PATIENCE, job

if sys.platform == "linux":  # elsewhere nothing would stop the hogs

    def test_memory_hog_is_stopped() -> None:
        outcome = race([job("hog", "hoard")], memory=200, timeout=PATIENCE)
        assert dict(outcome.failures) == {"hog": "memory"}

    def test_memory_of_grandchildren_counts() -> None:
        outcome = race([job("hog", "hoard_in_child")], memory=200, timeout=PATIENCE)
        assert dict(outcome.failures) == {"hog": "memory"}

    def test_memory_is_divided_and_given_back(tmp_path: Path) -> None:
        # 150 of 200 MB do not fit into half of it; they do once the other child has ended.
        flag = tmp_path / "flag"

        def release(name: str, event: Any) -> None:
            flag.touch()

        outcome = race(
            [job("large", "allocate", 150), job("small", "wait_for_file", str(flag))],
            memory=200,
            threads=2,
            timeout=PATIENCE,
            on_event=release,
            decides=lambda name, result: False,
        )
        assert dict(outcome.finished) == {"small": str(flag), "large": 150}

    def test_every_child_has_its_share() -> None:
        outcome = race(
            [job(name, "surroundings") for name in "abc"],
            memory=300,
            threads=2,
            timeout=PATIENCE,
            decides=lambda name, result: False,
        )
        shares = [outcome.finished[name]["memory"] for name in "abc"]
        assert shares[:2] == [150, 150]
        assert shares[2] in (150, 300)  # the other one runs, or has ended

    def test_limit_set_by_the_process_itself() -> None:
        code = (
            "from ermbit.processes import limits\n"
            "assert limits.limit_process(0, 100 << 20)\n"
            "try: bytearray(200 << 20)\n"
            "except MemoryError: print('refused')\n"
        )
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == "refused\n"

    def test_used_bytes_sees_what_is_touched() -> None:
        before = limits.used_bytes(os.getpid())
        # Fresh from the system: an allocator may have memory left over that was touched before.
        size = 64 << 20
        with mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as block:
            block.write(b"1" * size)
            after = limits.used_bytes(os.getpid())
        assert before is not None
        assert after is not None
        assert after - before > size // 2


def test_sleeping_job_times_out() -> None:
    outcome = race([job("it", "sleep")], timeout=0.5)
    assert dict(outcome.failures) == {"it": "timeout"}
    assert not outcome.interrupted
    assert outcome.elapsed >= 0.5


def test_no_time_at_all() -> None:
    outcome = race([job("it", "double", 1)], timeout=0)
    assert dict(outcome.failures) == {"it": "timeout"}


def test_job_that_watches_the_deadline_returns_its_best() -> None:
    outcome = race([job("it", "best_by_deadline")], timeout=5)
    assert (outcome.winner, outcome.result) == ("it", "best known")


@pytest.mark.parametrize(
    "options",
    [{"timeout": -1}, {"timeout": float("nan")}, {"memory": 0}, {"threads": 0}],
)
def test_options_out_of_range(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="must be at least"):
        race([job("it", "double", 1)], **options)
