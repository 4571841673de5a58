"""A run: every solver on every case, some side by side, each answer checked and written at once."""

from __future__ import annotations

import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ermbit.bench import process
from ermbit.bench.case import Case
from ermbit.bench.checking import Checked, check
from ermbit.bench.guard import Guard
from ermbit.bench.records import DIGITS, Key, Record, Results
from ermbit.bench.reply import Reply, reply_of
from ermbit.bench.solver import Limits, Solver
from ermbit_instances.errors import InputError

GRACE = 3.0
"""Seconds past the limit after which a solver is killed; what it says in them is no solution."""

STOPPING = 15.0
"""Seconds that an interrupted run waits for its parts."""


@dataclass(frozen=True)
class Settings:
    """Limits of one run, the seed that solvers get, and how many runs go side by side."""

    timeout: float
    memory: int
    jobs: int = 1
    seed: int = 0

    def shares(self) -> list[tuple[int, ...]]:
        """The processors of each job: equal parts, at least one."""
        found = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))(0)
        cores = sorted(found)
        each = max(1, len(cores) // self.jobs)
        return [
            tuple(cores[(j * each + i) % len(cores)] for i in range(each))
            for j in range(self.jobs)
        ]


@dataclass(frozen=True)
class Ending:
    """How a run ended.

    Attributes:
        records: of the cases and solvers of this run, old ones included.
        missing: how many runs were not made.
        interrupted: by Ctrl-C or a signal.
    """

    records: list[Record]
    missing: int
    interrupted: bool


Listener = Callable[[int, int, Record], None]
"""Is told of (runs done, runs to do, the last result)."""


def run(
    cases: Sequence[Case],
    solvers: Sequence[Solver],
    settings: Settings,
    results: Results,
    listen: Listener,
    scratch: Path | None = None,
) -> Ending:
    """Run what the file of results lacks.

    Ctrl-C stops what runs, and ends the run with what is there.

    Args:
        listen: is told of every result.
        scratch: a folder of this run alone, removed if the run is killed.

    Raises:
        InputError: the file has results under other limits or of another instance, or cannot be
            written any more, or an instance is gone.
    """
    wanted: dict[Key, tuple[Case, Solver]] = {
        (c.set, c.name, c.task, c.threshold, s.name): (c, s) for c in cases for s in solvers
    }
    known = {record.key: record for record in results.known if record.key in wanted}
    for record in known.values():
        _check_same(record, wanted[record.key][0], settings, results)
    work = deque((c, s) for key, (c, s) in wanted.items() if key not in known)
    to_do = len(work)
    inbox: queue.SimpleQueue[Record | BaseException | None] = queue.SimpleQueue()
    stop = threading.Event()
    found = dict(known)
    interrupted = False
    failure: BaseException | None = None
    with Guard(scratch) as guard:
        workers = [
            threading.Thread(
                target=_work,
                args=(work, share, settings, results, inbox, stop, guard),
                name=f"bench {number}",
                daemon=True,
            )
            for number, share in enumerate(settings.shares())
        ]
        try:
            for worker in workers:
                worker.start()
            running, done = len(workers), 0
            while running and failure is None:
                message = inbox.get()
                if message is None:
                    running -= 1
                elif isinstance(message, BaseException):
                    failure = message
                else:
                    done += 1
                    found[message.key] = message
                    listen(done, to_do, message)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            stop.set()
            for worker in workers:
                if worker.is_alive():
                    worker.join(STOPPING)
        while not inbox.empty():  # rows that were written meanwhile
            message = inbox.get()
            if isinstance(message, Record):
                found[message.key] = message
    if failure is not None:
        raise failure
    ordered: list[Key] = [key for key in wanted if key in found]
    return Ending([found[key] for key in ordered], len(wanted) - len(ordered), interrupted)


def _check_same(record: Record, case: Case, settings: Settings, results: Results) -> None:
    """What is there must have been measured in the same way."""
    for name, then, now in (
        ("--timeout", record.timeout, settings.timeout),
        ("--memory", record.memory, settings.memory),
        ("--seed", record.seed, settings.seed),
        ("processors of a job", record.cores, len(settings.shares()[0])),
    ):
        if then != now:
            raise InputError(f"was measured with {name} {then:g}, not {now:g}", file=results.path)
    if record.question != case.question:
        raise InputError(
            f"has results of {case.name}, but the instance is another one now", file=results.path
        )


def _work(
    work: deque[tuple[Case, Solver]],
    share: tuple[int, ...],
    settings: Settings,
    results: Results,
    inbox: queue.SimpleQueue[Record | BaseException | None],
    stop: threading.Event,
    guard: Guard,
) -> None:
    """One job: takes cases until there are none, or until it is stopped."""
    try:
        if hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, share)  # of this thread, and of all that it starts
        limits = Limits(settings.timeout, settings.memory, share)
        while not stop.is_set():
            try:
                case, solver = work.popleft()
            except IndexError:
                break
            record = measured(case, solver, limits, settings.seed, stop, guard)
            if record is None:
                break
            results.append(record)
            inbox.put(record)
    except BaseException as error:
        inbox.put(error)
    inbox.put(None)


def measured(
    case: Case,
    solver: Solver,
    limits: Limits,
    seed: int = 0,
    stop: threading.Event | None = None,
    guard: Guard | None = None,
) -> Record | None:
    """One solver on one case in a fresh process, its answer checked; ``None`` if it was stopped.

    Raises:
        InputError: the instance file is gone.
    """
    version = solver.version()
    made = attempt(case, solver, limits, seed, stop, guard)
    if made is None:
        return None
    reply, checked = made
    return Record(
        set=case.set,
        instance=case.name,
        family=case.family,
        kind=case.kind,
        task=case.task,
        expected=case.expected,
        solver=solver.name,
        status=reply.status,
        loss=reply.loss,
        bound=reply.bound,
        seconds=round(reply.seconds, DIGITS),
        inner=round(reply.inner, DIGITS),
        cpu=round(reply.cpu, DIGITS),
        timeout=limits.timeout,
        cores=len(limits.cores),
        checked=checked.verdict,
        exact=checked.loss,
        why=checked.why,
        note=reply.note,
        threshold=case.threshold,
        question=case.question,
        memory=limits.memory,
        peak=round(reply.peak, DIGITS),
        seed=seed,
        version=version,
    )


def attempt(
    case: Case,
    solver: Solver,
    limits: Limits,
    seed: int = 0,
    stop: threading.Event | None = None,
    guard: Guard | None = None,
) -> tuple[Reply, Checked] | None:
    """What :func:`measured` makes a row of: the reply with its certificate, and the verdict on it.

    Raises:
        InputError: the instance file is gone.
    """
    command = solver.command(case, limits, seed)
    wall = limits.timeout + GRACE
    try:
        done = process.run(command, wall, limits.memory, solver.variables, stop, guard)
    except OSError as error:
        reply = Reply("failed", note=error.strerror or str(error))
    else:
        if done.end == "stopped":
            return None
        reply = reply_of(done, case.task)
    return reply, check(case, reply)
