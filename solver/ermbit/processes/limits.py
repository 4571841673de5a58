"""Memory limits of a process, and the memory that a process and its descendants use.

Linux: RLIMIT_DATA, which counts the private writable pages that were asked for (Linux 4.7 and
later), and not RLIMIT_AS, which also counts address space that costs nothing: the 64 MB that glibc
sets aside per thread for its allocator, guard pages, mapped libraries. A Python that sleeps in one
extra thread has 84 MB of address space, 12 MB of data and 9 MB resident; with numpy (OpenBLAS, two
threads) 168, 119 and 26; with z3 65, 30 and 49. Both limits make Python, numpy, GMP, FLINT,
Glucose, CaDiCaL and z3 stop with a message that `target.speaks_of_memory` knows.
Elsewhere on POSIX: RLIMIT_AS. Windows: none.

A limit holds per process; memory of an engine's own children is seen by `used_bytes`.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

#: Bytes of one MB, the unit of every memory option.
MEGABYTE = 1 << 20

if sys.platform != "win32":
    import resource

    _WHICH = resource.RLIMIT_DATA if sys.platform == "linux" else resource.RLIMIT_AS


def limit_process(pid: int, limit: int) -> bool:
    """Let process `pid` (0: this one) use at most `limit` bytes; True if the system accepted it.

    Only the soft limit changes, so that the parent can raise it later when other children
    have ended. Other processes than this one can be limited on Linux only.
    """
    # Failing is no error: the process is gone already, or a container forbids it, and the parent
    # watches `used_bytes` in any case.
    if sys.platform != "win32":
        with suppress(OSError, ValueError):
            if pid == 0:
                hard = resource.getrlimit(_WHICH)[1]
                resource.setrlimit(_WHICH, (_at_most(limit, hard), hard))
                return True
            if sys.platform == "linux":
                hard = resource.prlimit(pid, _WHICH)[1]
                resource.prlimit(pid, _WHICH, (_at_most(limit, hard), hard))
                return True
    return False


def _at_most(limit: int, hard: int) -> int:
    return limit if hard < 0 else min(limit, hard)  # RLIM_INFINITY is -1


def die_small() -> None:
    """Leave no core file, and let the system's out-of-memory killer take this process first."""
    if sys.platform != "win32":
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if sys.platform == "linux":
        try:
            with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
                file.write("500")
        except OSError:
            pass  # not allowed in some containers, and only a preference


def descendants(pid: int) -> list[int]:
    """`pid` and the processes below it, from /proc; only `pid` where there is no /proc."""
    found = [pid]
    for process in found:  # grows while it is walked
        folder = f"/proc/{process}/task"
        try:
            for thread in os.listdir(folder):
                with open(f"{folder}/{thread}/children", encoding="ascii") as file:
                    found.extend(int(child) for child in file.read().split())
        except OSError:
            continue  # ended meanwhile, or a kernel without this list
    return found


def used_bytes(pid: int) -> int | None:
    """Resident private memory of `pid` and its descendants, in bytes; None where unknown.

    Read from /proc/PID/statm (resident minus shared pages): some 30 microseconds per process.
    """
    if sys.platform != "linux":
        return None
    pages = 0
    for process in descendants(pid):
        try:
            with open(f"/proc/{process}/statm", encoding="ascii") as file:
                fields = file.read().split()
        except OSError:
            continue
        pages += int(fields[1]) - int(fields[2])
    return pages * os.sysconf("SC_PAGE_SIZE")


def data_bytes() -> int | None:
    """Private writable memory of this process in bytes, as limits count it; None if unknown."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[5]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def data_limit() -> int | None:
    """Bytes of such memory that this process may have; None without a limit."""
    if sys.platform == "win32":
        return None
    soft = resource.getrlimit(_WHICH)[0]
    return None if soft < 0 else soft  # RLIM_INFINITY is -1


def used_seconds(pid: int) -> float:
    """Processor time of `pid` and its descendants, in seconds; 0 where there is no /proc."""
    ticks = 0
    for process in descendants(pid):
        try:
            with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
                # After the name, in parentheses, which may hold anything: fields 3 and on; 14 to 17
                # are its own time and that of its children that have ended.
                fields = file.read().rpartition(")")[2].split()
            ticks += sum(int(field) for field in fields[11:15])
        except (OSError, ValueError):
            continue
    return ticks / os.sysconf("SC_CLK_TCK") if ticks else 0.0


def session_members(session: int) -> list[int]:
    """Living processes of a session, its leader left out; empty where there is no /proc."""
    members = []
    try:
        entries = [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
    except OSError:
        return []
    for process in entries:
        try:
            with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
                # The name, in parentheses, may hold anything; then: state ppid pgrp session …
                state, _, _, member_of = file.read().rpartition(")")[2].split()[:4]
        except (OSError, ValueError):
            continue
        if int(member_of) == session and process != session and state not in "ZX":
            members.append(process)
    return members
