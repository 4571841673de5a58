"""Processes of the benchmark: limits on time, memory and output, and what a killed one leaves."""


from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ermbit.bench import process


def test_a_late_process_is_stopped_with_its_children(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    child = f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    code = (
        "import subprocess, sys; "
        f"subprocess.run([sys.executable, '-c', {child!r}], start_new_session=True)"
    )
    done = process.run([sys.executable, "-c", code], 2.0, 1024)
    assert done.end == "time"
    assert done.code == -9
    for _ in range(200):  # when a killed orphan is gone is the kernel's business
        if not is_running(int(mark.read_text())):
            break
        time.sleep(0.02)
    assert not is_running(int(mark.read_text()))


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def test_output_and_exit_status_of_a_process() -> None:
    code = "import sys; print('x'); print('y', file=sys.stderr); raise SystemExit(3)"
    done = process.run([sys.executable, "-c", code], 30, 1024)
    assert (done.output, done.errors, done.code, done.end) == ("x\n", "y\n", 3, "itself")
    assert done.peak > 1
    large = process.run([sys.executable, "-c", "bytearray(2**30)"], 30, 256)
    assert large.code != 0
    assert large.out_of_memory


def test_memory_of_the_tree_is_limited() -> None:
    one = "x = bytearray(150 * 2**20); import time; time.sleep(60)"
    code = (
        "import subprocess, sys\n"
        f"a = [subprocess.Popen([sys.executable, '-c', {one!r}]) for _ in range(3)]\n"
        "[b.wait() for b in a]"
    )
    done = process.run([sys.executable, "-c", code], 50, 300)
    assert done.end == "memory"
    assert done.out_of_memory


def test_a_flood_of_output_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "OUTPUT_BYTES", 2**16)
    done = process.run([sys.executable, "-c", "while True: print('x' * 999)"], 30, 1024)
    assert done.end == "output"


def test_the_guard_kills_what_a_killed_benchmark_leaves(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    code = (
        "import sys\n"
        "from ermbit.bench.guard import Guard\n"
        "from ermbit.bench import process\n"
        f"child = \"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); "
        'time.sleep(60)"\n'
        "with Guard() as guard:\n"
        "    process.run([sys.executable, '-c', child], 60, 1024, guard=guard)\n"
    )
    path = os.pathsep.join(entry for entry in sys.path if entry)
    parent = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}
    )
    until = time.monotonic() + 60
    while not (mark.exists() and mark.read_text()) and time.monotonic() < until:
        time.sleep(0.02)
    parent.kill()
    parent.wait()
    pid = int(mark.read_text())
    while is_running(pid) and time.monotonic() < until:
        time.sleep(0.02)
    assert not is_running(pid)
