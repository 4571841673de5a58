"""Functions that the tests of races run in other processes."""

from __future__ import annotations

import ctypes
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from ermbit.processes.target import Report

NAP = 300  # seconds, far beyond any test


def leave_pid(folder: str, name: str, pid: int) -> None:
    """Write a process id where the test finds it, in one step."""
    draft = Path(folder, f"{name}.draft")
    draft.write_text(str(pid))
    draft.rename(Path(folder, f"{name}.pid"))


def double(payload: int, report: Report) -> int:
    return 2 * payload


def process_id(payload: Any, report: Report) -> int:
    return os.getpid()


def sleep(payload: Any, report: Report) -> None:
    report(os.getpid())
    time.sleep(NAP)


def wait_for_file(payload: str, report: Report) -> str:
    while not os.path.exists(payload):
        time.sleep(0.01)
    return payload


def segfault(payload: Any, report: Report) -> None:
    print("last words", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGSEGV)


def abort_without_memory(payload: Any, report: Report) -> None:
    """What a C++ solver does when its allocation fails."""
    print("terminate called after throwing an instance of 'std::bad_alloc'", file=sys.stderr)
    print("  what():  std::bad_alloc", file=sys.stderr, flush=True)
    os.abort()


def exit_early(payload: int, report: Report) -> None:
    print("giving up", file=sys.stderr, flush=True)
    os._exit(payload)


def fail(payload: str, report: Report) -> None:
    raise ValueError(payload)


def sys_exit(payload: int, report: Report) -> None:
    sys.exit(payload)


def hoard(payload: Any, report: Report) -> None:
    kept = []
    while True:
        kept.append(bytearray(1 << 20))


def hoard_in_child(payload: Any, report: Report) -> None:
    """Keep this process small and let a child of it, which has no limit of its own, grow."""
    code = (
        "import resource, time; limit = resource.RLIMIT_DATA;"
        "resource.setrlimit(limit, (resource.RLIM_INFINITY, resource.RLIM_INFINITY));"
        "kept = bytearray(b'1') * (400 << 20); time.sleep(300)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def allocate(payload: int, report: Report) -> int:
    """Allocate `payload` MB again and again until it succeeds."""
    report("started")
    while True:
        try:
            return len(bytearray(payload << 20)) >> 20
        except MemoryError:
            time.sleep(0.02)


def count(payload: int, report: Report) -> str:
    for number in range(payload):
        report(number)
    return "counted"


def flood(payload: str, report: Report) -> None:
    """Send events without end, and lengthen a file by one byte for each."""
    with open(payload, "ab", buffering=0) as file:
        while True:
            report(bytes(1 << 16))
            file.write(b"x")


def chatter(payload: int, report: Report) -> str:
    """Print on standard output through Python, the descriptor, the C library and a child."""
    libc = ctypes.CDLL(None)
    for number in range(payload):
        print("c printed by Python" * 10)
        os.write(1, b"\x00\x01printed by write\nR\x00\x00\x00\x00\x00\x00\x00\x01")
        libc.printf(b"printed by C %d\n", number)
        report(number)
    libc.fflush(None)
    subprocess.run([sys.executable, "-c", "print('printed by a child')"], check=True)
    return sys.stdin.read() + "still understood"


def echo(payload: bytes, report: Report) -> bytes:
    report(payload)
    return payload


def unpicklable(payload: Any, report: Report) -> Any:
    return threading.Lock()


class Unreadable:
    """Can be pickled, and not be unpickled."""

    def __reduce__(self) -> Any:
        return int, ("not a number",)


def unreadable(payload: Any, report: Report) -> Unreadable:
    return Unreadable()


def hold_the_lock(payload: str, report: Report) -> None:
    """Compute for ages in C without giving other Python threads a chance."""
    leave_pid(payload, "holder", os.getpid())
    re.match("(a+)+$", "a" * 60 + "b")


def raise_family(payload: str, report: Report) -> None:
    """Start a program, a fork and a program in another process group, then sleep."""
    code = f"import time; time.sleep({NAP})"
    leave_pid(payload, "program", subprocess.Popen([sys.executable, "-c", code]).pid)
    other_group = subprocess.Popen([sys.executable, "-c", code], process_group=0)
    leave_pid(payload, "group", other_group.pid)
    fork = os.fork()
    if fork == 0:
        time.sleep(NAP)
        os._exit(0)
    leave_pid(payload, "fork", fork)
    leave_pid(payload, "worker", os.getpid())
    report("ready")
    time.sleep(NAP)


def crash_with_family(payload: str, report: Report) -> None:
    """Die by a signal while a fork, which inherits the pipes, lives on."""
    fork = os.fork()
    if fork == 0:
        time.sleep(NAP)
        os._exit(0)
    leave_pid(payload, "fork", fork)
    os.kill(os.getpid(), signal.SIGSEGV)


def simple_family(payload: str, report: Report) -> None:
    """Start one program in the same group, then sleep."""
    code = f"import time; time.sleep({NAP})"
    leave_pid(payload, "program", subprocess.Popen([sys.executable, "-c", code]).pid)
    leave_pid(payload, "worker", os.getpid())
    report("ready")
    time.sleep(NAP)


def refuse_to_end(payload: str, report: Report) -> None:
    """Ignore the polite request."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    leave_pid(payload, "stubborn", os.getpid())
    report("ready")
    time.sleep(NAP)


def best_by_deadline(payload: Any, report: Report) -> str:
    while True:
        left = report.seconds_left()
        assert left is not None
        if left == 0:
            return "best known"
        time.sleep(min(left, 0.05))


def surroundings(payload: Any, report: Report) -> dict[str, Any]:
    return {
        "path": sys.path,
        "pythonpath": os.environ.get("PYTHONPATH"),
        "modules": sorted(sys.modules),
        "memory": report.memory,
        "deadline": report.deadline,
    }


def burn(payload: tuple[str, float], report: Report) -> float:
    """Note the start in a file, use so many seconds of processor time; a line for each tenth."""
    path, seconds = payload
    with open(path, "a", buffering=1) as file:
        file.write("start\n")
        tenths = 0
        while time.process_time() < seconds:
            if time.process_time() > tenths / 10:
                tenths += 1
                file.write("tenth\n")
    return seconds


def tell_twice(payload: float, report: Report) -> None:
    """Report, use so many seconds of processor time, report."""
    report("begin")
    end = time.process_time() + payload
    while time.process_time() < end:
        pass
    report("end")


def allocate_once(payload: tuple[str, int], report: Report) -> int:
    """Note the start in a file, then allocate so many MB."""
    path, megabytes = payload
    with open(path, "a") as file:
        file.write("start\n")
    return len(bytearray(megabytes << 20)) >> 20


def busy_family(payload: str, report: Report) -> None:
    """Start one program in the same group, then compute."""
    code = f"import time; time.sleep({NAP})"
    leave_pid(payload, "program", subprocess.Popen([sys.executable, "-c", code]).pid)
    leave_pid(payload, "worker", os.getpid())
    while True:
        pass


def burn_until_the_deadline(payload: Any, report: Report) -> str:
    while report.seconds_left() != 0:
        pass
    return "best known"


def imported(payload: str, report: Report) -> bool:
    return payload in sys.modules


def log(payload: int, report: Report) -> str:
    import logging

    for number in range(payload):
        logging.getLogger("race").warning("line %d", number)
        report(number)
    return "logged"
