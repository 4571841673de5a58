"""Workers that are copies of the process: nothing that belongs to it happens in them or to them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ermbit.processes import limits, nursery
from race_checks import PATIENCE, alive, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only")

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ("-p", "no:xdist", "-p", "no:cacheprovider", "-p", "forked_races")
RACES = ("", "_messages", "_limits", "_interrupts", "_turns")

# A program of one thread, for pytest's processes may have more.
PROGRAM = """
import os, signal, sys
sys.path[:] = {path!r}
from ermbit.processes import nursery
from ermbit.processes.race import Job, race

forked = []
take = nursery.Nursery.take
def count(self):
    worker = take(self)
    if worker is not None:
        forked.append(worker.pid)
    return worker
nursery.Nursery.take = count

def job(name, function, payload=None):
    return Job(name, "race_targets:" + function, payload)
"""


def run(body: str, *arguments: str) -> str:
    """The output of a program of one thread."""
    program = PROGRAM.format(path=sys.path) + body
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("part", RACES)
def test_forked_workers_race_as_started_ones_do(part: str) -> None:
    """All tests of races, in a process that has one thread and therefore forks."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    nursery.one_numeric_thread(environment)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *PLUGINS, f"tests/solver/test_race{part}.py"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]


def test_a_copy_has_what_its_original_has_imported() -> None:
    body = """
import colorsys
outcome = race([job("it", "imported", "colorsys")])
print(outcome.result, len(forked))
"""
    assert run(body) == "True 1\n"


def test_no_copy_is_left_and_none_is_without_need() -> None:
    body = """
jobs = [job("quick", "double", 3), *(job(str(k), "sleep") for k in range(4))]
outcome = race(jobs, threads=1, timeout=60)
print(outcome.result, len(forked))
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("no child")
print(len(os.listdir("/proc/self/fd")))
race(jobs, threads=1, timeout=60)
print(len(os.listdir("/proc/self/fd")))
"""
    *lines, before, after = run(body).splitlines()
    assert lines == ["6 1", "no child"]
    assert before == after


def test_what_the_original_has_not_written_yet_is_written_once() -> None:
    body = """
sys.stdout.write("once")
print(race([job("it", "double", 1)]).result, len(forked))
"""
    assert run(body) == "once2 1\n"


def test_handlers_of_the_original_are_not_those_of_a_copy(tmp_path: Path) -> None:
    body = """
def write(number, frame):
    open(sys.argv[1], "a").write("handled")
signal.signal(signal.SIGTERM, write)
pids = []
outcome = race([job("it", "sleep")], timeout=60, on_event=lambda name, pid: pids.append(pid),
               should_stop=lambda: bool(pids))
print(outcome.interrupted, pids == forked)
"""
    assert run(body, str(tmp_path / "handled")) == "True True\n"
    assert not (tmp_path / "handled").exists()


def test_a_copy_holds_no_descriptor_of_its_original() -> None:
    """Else the reader of a pipe would wait for the end of an engine."""
    body = """
import select
source, sink = os.pipe()
def close(name, event):
    os.close(sink)
    print(select.select([source], [], [], 20)[0] == [source], os.read(source, 1), len(forked))
    raise KeyboardInterrupt
print(race([job("it", "sleep")], timeout=60, on_event=close).interrupted)
"""
    assert run(body) == "True b'' 1\nTrue\n"


def test_copies_without_a_job_die_with_their_original() -> None:
    body = """
def tell(name, event):
    print(*forked, *(worker.pid for worker in runner), flush=True)
runner = []
fork = nursery._fork
def keep():
    runner.append(fork())
    return runner[-1]
nursery._fork = keep
race([job("it", "sleep"), job("other", "sleep")], threads=1, timeout=60, on_event=tell)
"""
    program = PROGRAM.format(path=sys.path) + body
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert parent.stdout is not None
        first, *pids = map(int, parent.stdout.readline().split())
        assert len(pids) == 2 and first == pids[0]
        assert all(map(alive, pids))
    finally:
        parent.kill()
        parent.communicate()
    assert wait_until(lambda: not any(map(alive, pids)))


@pytest.mark.parametrize("number", [0, 1, 2])
def test_with_a_standard_stream_closed_workers_are_started(number: int) -> None:
    body = f"""
result = os.dup(2)
os.close({number})
outcome = race([job("it", "double", 2)], timeout=60)
os.write(result, f"{{outcome.result}} {{len(forked)}}".encode())
os._exit(0)
"""
    program = PROGRAM.format(path=sys.path) + body
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=PATIENCE, check=False
    )
    assert done.stderr == b"4 0"


def test_where_nothing_is_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nursery.os, "listdir", lambda path: ["1"])
    monkeypatch.setattr(nursery.threading, "active_count", lambda: 1)
    data = limits.data_bytes()
    assert data is not None and data > limits.MEGABYTE
    monkeypatch.setattr(limits, "data_bytes", lambda: 10 * limits.MEGABYTE)
    assert nursery.possible(None)
    assert nursery.possible(40 * limits.MEGABYTE)
    assert not nursery.possible(39 * limits.MEGABYTE)  # the copy would be short of memory
    monkeypatch.setattr(limits, "data_bytes", lambda: nursery.LARGEST + 1)
    assert not nursery.possible(None)
    monkeypatch.setattr(limits, "data_bytes", lambda: 1)
    monkeypatch.setattr(nursery.os, "listdir", lambda path: ["1", "2"])  # a library's thread
    assert not nursery.possible(None)
    monkeypatch.setattr(nursery.os, "listdir", lambda path: ["1"])
    monkeypatch.setattr(nursery.threading, "active_count", lambda: 2)
    assert not nursery.possible(None)
