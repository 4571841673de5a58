"""Races of processes: who wins, how failures are told, and that no process is left."""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ermbit.processes import child, limits
from ermbit.processes.inline import run_inline
from ermbit.processes.interrupts import terminate_as_interrupt
from ermbit.processes.race import Job, RaceResult, race

PATIENCE = 60.0  # seconds after which a test gives up waiting


@pytest.fixture(autouse=True)
def targets_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


def job(name: str, function: str, payload: Any = None) -> Job:
    return Job(name, f"race_targets:{function}", payload)


def alive(pid: int) -> bool:
    """Whether the process runs; a zombie that its new parent has not reaped yet does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        if Path("/proc/self/stat").exists():
            return False
    else:
        return status.rpartition(")")[2].split()[0] not in "ZX"
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def pids_in(folder: Path) -> dict[str, int]:
    return {path.stem: int(path.read_text()) for path in folder.glob("*.pid")}


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


# Limits


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


def test_names_must_differ() -> None:
    with pytest.raises(ValueError, match="same name"):
        race([job("it", "double", 1), job("it", "double", 2)])


# Messages


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
