"""Workers that are copies of the process: nothing that belongs to it happens in them or to them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ermbit.processes import limits, nursery, program
from race_checks import PATIENCE, alive, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only")

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ("-p", "no:xdist", "-p", "no:cacheprovider", "-p", "forked_races")
RACES = {"": 20, "_messages": 5, "_limits": 3, "_interrupts": 3, "_turns": 5}
"""Parts of the tests of races, and how many workers are forked in each at least."""

# A program of one thread, for pytest's processes may have more.
PROGRAM = """
import os, signal, sys
sys.path[:] = {path!r}
from ermbit.processes import nursery, program
from ermbit.processes.race import Job, race

program.declare()
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
    text = PROGRAM.format(path=sys.path) + body
    done = subprocess.run(
        [sys.executable, "-c", text, *arguments],
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
    program.one_numeric_thread(environment)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *PLUGINS, f"tests/solver/test_race{part}.py"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=10 * PATIENCE,
    )
    assert done.returncode == 0, done.stdout[-4000:]
    number, *words = done.stdout.splitlines()[-1].split()
    assert words == ["forked", "workers"]
    assert int(number) >= RACES[part]


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
fork = nursery.Nursery._fork
def keep(self):
    fork(self)
    runner.append(self._waiting[-1])
nursery.Nursery._fork = keep
race([job("it", "sleep"), job("other", "sleep")], threads=1, timeout=60, on_event=tell)
"""
    text = PROGRAM.format(path=sys.path) + body
    parent = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True)
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
    text = PROGRAM.format(path=sys.path) + body
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, timeout=PATIENCE, check=False
    )
    assert done.stderr == b"4 0"


def test_files_of_the_original_do_not_become_those_of_a_copy(tmp_path: Path) -> None:
    """Its objects have numbers of descriptors, which must not be given to the copy's pipes."""
    body = """
import logging
file = open(sys.argv[1] + "/open", "w")
logging.basicConfig(filename=sys.argv[1] + "/log")
outcome = race([job("it", "log", 3)], timeout=60)
print(outcome.result, dict(outcome.failures), len(forked))
"""
    assert run(body, str(tmp_path)) == "logged {} 1\n"
    assert (tmp_path / "log").read_text() == ""


def test_a_process_with_many_descriptors() -> None:
    body = """
import resource
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (min(3000, hard), hard))
files = [open(os.devnull) for _ in range(min(1500, hard - 200))]
print(race([job("it", "double", 4)], timeout=60).result, len(forked))
"""
    assert run(body) == "8 1\n"


@pytest.mark.parametrize("room", range(12))
def test_where_descriptors_run_out_none_is_lost(room: int) -> None:
    body = """
import resource
def count():
    return len(os.listdir("/proc/self/fd")) - 1
before, hard = count(), resource.getrlimit(resource.RLIMIT_NOFILE)[1]
last = max(map(int, os.listdir("/proc/self/fd")))
resource.setrlimit(resource.RLIMIT_NOFILE, (last + ROOM, hard))
garden = nursery.Nursery()
garden.fill(2, None)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
number = len(garden._waiting)
print(count() - before - 3 * number, number <= 2)
garden.close()
print(count() - before)
""".replace("ROOM", str(room))
    assert run(body) == "0 True\n0\n"


@pytest.mark.parametrize("handler", ["signal.default_int_handler", "stop"])
def test_a_signal_while_copies_are_made(handler: str) -> None:
    """It comes when the copy is known, so that it is stopped with the others."""
    body = f"""
def stop(number, frame):
    raise SystemExit(5)
fork = os.fork
def fork_and_signal():
    pid = fork()
    if pid:
        signal.raise_signal(signal.SIGINT)
    return pid
os.fork = fork_and_signal
signal.signal(signal.SIGINT, {handler})
try:
    print(race([job("it", "sleep"), job("other", "sleep")], threads=2, timeout=60).interrupted)
except SystemExit:
    print("stopped")
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("no child")
"""
    first = "stopped" if handler == "stop" else "True"
    assert run(body) == f"{first}\nno child\n"


def test_what_leaves_a_copy_is_told() -> None:
    body = """
def broken():
    raise RuntimeError("no thread")
nursery.worker.main = broken
print(race([job("it", "double", 2)], timeout=60).failures["it"])
"""
    assert run(body) == "exited with status 1: RuntimeError: no thread\n"


def test_a_copy_that_is_not_ready_is_replaced() -> None:
    body = """
nursery._READY_WAIT = 0.1
def never(*arguments):
    import time
    time.sleep(300)
nursery._serve = never
print(race([job("it", "double", 2), job("that", "sleep")], timeout=60).result, len(forked))
"""
    assert run(body) == "4 0\n"


def test_only_the_program_is_copied() -> None:
    body = """
program._declared.clear()
print(race([job("it", "double", 2)], timeout=60).result, len(forked))
"""
    assert run(body) == "4 0\n"


def test_where_nothing_is_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    megabyte = limits.MEGABYTE
    assert nursery.threads() >= 1
    data = limits.data_bytes()
    assert data is not None and data > megabyte
    monkeypatch.setattr(nursery, "threads", lambda: 1)
    monkeypatch.setattr(program, "is_declared", lambda: True)
    monkeypatch.setattr(limits, "data_limit", lambda: None)
    monkeypatch.setattr(limits, "data_bytes", lambda: 10 * megabyte)
    assert nursery.possible(None)
    assert nursery.possible(40 * megabyte)
    assert not nursery.possible(39 * megabyte)  # the copy would be short of memory
    monkeypatch.setattr(limits, "data_limit", lambda: 39 * megabyte)
    assert not nursery.possible(None)
    monkeypatch.setattr(limits, "data_limit", lambda: None)
    monkeypatch.setattr(limits, "data_bytes", lambda: nursery.LARGEST + 1)
    assert not nursery.possible(None)
    monkeypatch.setattr(limits, "data_bytes", lambda: 1)
    monkeypatch.setattr(nursery, "threads", lambda: 2)
    assert not nursery.possible(None)
