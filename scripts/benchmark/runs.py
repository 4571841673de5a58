"""A run: every solver on every case, some side by side, each result checked and written at once."""

from __future__ import annotations

import json
import os
import queue
import sys
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmark import environment, records, tables
from benchmark.case import Case
from benchmark.checking import check
from benchmark.records import Record
from benchmark.solvers import Limits, ask, names


@dataclass(frozen=True)
class Settings:
    """Wall seconds and megabytes of one run; how many runs go side by side."""

    timeout: float
    memory: int
    jobs: int

    def shares(self) -> list[tuple[int, ...]]:
        """The processors of each job: equal parts, at least one."""
        found = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))(0)
        cores = sorted(found)
        each = max(1, len(cores) // self.jobs)
        return [
            tuple(cores[(j * each + i) % len(cores)] for i in range(each))
            for j in range(self.jobs)
        ]


def write_case(case: Case, folder: Path) -> Path:
    """The instance file of a case."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{case.name}.erm.json"
    document = {**case.document, "name": case.name}
    path.write_text(json.dumps(document) + "\n", encoding="ascii")
    return path


def run(
    set_name: str,
    cases: Sequence[Case],
    solvers: Sequence[str],
    settings: Settings,
    out: Path,
    resume: bool,
) -> int:
    """Run all; 1 if some answer was wrong, else 0.

    Raises:
        SystemExit: an unknown solver, or a file that is there without ``resume``.
    """
    unknown = [s for s in solvers if s.partition(":")[0] not in names()]
    if unknown:
        raise SystemExit(f"unknown solver {unknown[0]}; known: {', '.join(names())}")
    if out.exists() and not resume:
        raise SystemExit(f"{out} is there: resume it, or name another file")
    if any(s.partition(":")[0] != "ermbit" for s in solvers):
        environment.prepare()
    known = {(r.set, r.instance, r.solver) for r in records.read([out])} if out.exists() else set()
    work = [(c, s) for c in cases for s in solvers if (set_name, c.name, s) not in known]
    shares: queue.SimpleQueue[tuple[int, ...]] = queue.SimpleQueue()
    for share in settings.shares():
        shares.put(share)
    writing = threading.Lock()
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(settings.jobs) as pool:
        folder = Path(name)
        for case in cases:
            write_case(case, folder)

        def one(item: tuple[Case, str]) -> None:
            case, solver = item
            cores = shares.get()
            try:
                limits = Limits(settings.timeout, settings.memory, cores)
                record = measured(set_name, case, solver, folder, limits)
            finally:
                shares.put(cores)
            with writing:
                records.append(out, record)
                print(line(record), file=sys.stderr, flush=True)

        list(pool.map(one, work))
    alerts = tables.alerts(tables.Scores(records.read([out])))
    for alert in alerts:
        print(f"*** {alert}", file=sys.stderr)
    return int(bool(alerts))


def measured(set_name: str, case: Case, solver: str, folder: Path, limits: Limits) -> Record:
    """One solver on one case, checked."""
    reply = ask(solver, folder / f"{case.name}.erm.json", case.task, limits)
    checked = check(case, reply)
    return Record(
        set=set_name,
        instance=case.name,
        family=case.family,
        kind=case.kind,
        task=case.task,
        expected=case.expected,
        solver=solver,
        status=reply.status,
        loss=reply.loss,
        bound=reply.bound,
        seconds=reply.seconds,
        inner=reply.inner,
        cpu=reply.cpu,
        timeout=limits.timeout,
        cores=len(limits.cores),
        checked=checked.verdict,
        exact="" if checked.loss is None else str(checked.loss),
        why=checked.why,
        note=reply.note,
    )


def line(record: Record) -> str:
    """One line of progress."""
    loud = "  *** REJECTED: " + record.why if record.checked == "rejected" else ""
    return (
        f"{record.instance:48} {record.solver:12} {record.status:11} {record.loss or '-':>8} "
        f"{record.seconds:7.2f} s  {record.note[:40]}{loud}"
    )
