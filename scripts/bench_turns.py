#!/usr/bin/env python3
"""What turns are worth: engines timed alone, and the race that a model makes of these times.

    scripts/bench_turns.py measure INSTANCE... --out FILE.csv [--timeout SECONDS]
    scripts/bench_turns.py model FILE.csv [--processors P]

`measure` runs every engine of an instance's race alone, in the order of their start, and appends
the seconds of processor time of the whole process; what FILE.csv has is not measured again. `model`
plays the race with these times for several lengths of turns, with the program's own scheduler
(:class:`ermbit.processes.turns.Turns`) and processes that take what was measured. An engine that
was stopped needs longer than the limit of the measurement: its time is taken as infinite, so the
model overestimates hard instances. Printed are the arithmetic and the geometric mean (no answer
counts as 20 s) and the number of instances without an answer in 10 s.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
OWN = ROOT / ".venv" / "bin" / "python"
for _folder in ("instances", "encodings", "solver"):
    sys.path.insert(0, str(ROOT / _folder))

if __name__ == "__main__" and Path(sys.prefix).resolve() != OWN.parent.parent.resolve():
    if not OWN.exists():
        sys.exit("no .venv yet: run scripts/ermbit once")
    os.execv(OWN, [str(OWN), *sys.argv])

from ermbit.plan import make_plan  # noqa: E402
from ermbit.processes import turns  # noqa: E402
from ermbit.processes.turns import Move, Schedule, Turns  # noqa: E402
from ermbit_encodings.problem import Problem  # noqa: E402
from ermbit_instances.instance import load  # noqa: E402

FIELDS = ("instance", "engine", "status", "cpu")
STARTED = 0.4
"""Seconds of processor time before the first engine starts: the part of the program itself."""

ENDED = 2.4
"""An engine that gave up within so many seconds was not stopped by the limit."""

TICK = 0.02
"""Seconds of the model's clock."""

LIMIT, PENALTY = 10.0, 20.0
SCHEDULES = (
    Schedule(),
    *(Schedule((length,), 99) for length in (0.5, 1.0, 1.5)),
    Schedule((1.0, 3.0), 99),
    *(Schedule((1.0, 3.0), first) for first in (3, 5)),
    *(Schedule(lengths, 5) for lengths in ((0.3, 3.0), (0.5, 1.0, 3.0), (0.8, 3.0), (1.5, 3.0))),
    *(Schedule(lengths, 5) for lengths in ((2.0, 5.0), (1.0, 3.0, 6.0))),
)


class Time(NamedTuple):
    """What one engine does alone."""

    engine: str
    status: str
    cpu: float


@dataclass
class Played:
    """A process of the model, which ends when it has used what its engine needs."""

    needs: float
    used: float = 0.0
    resting: bool = False
    can_rest: bool = True

    def seconds(self) -> float:
        return self.used


def race(times: Sequence[Time], schedule: Schedule, processors: int) -> float:
    """Seconds until the first answer; infinite if there is none within ten times the limit."""
    threads = max(3, processors)
    alone = {time.engine: time for time in times}
    turns: Turns | None = Turns(
        list(alone), slots=min(processors, threads), places=threads, schedule=schedule
    )
    waiting = list(alone)
    running: dict[str, Played] = {}

    def start(name: str) -> None:
        time = alone[name]
        waiting.remove(name)
        stopped = time.status == "unknown" and time.cpu - STARTED >= ENDED
        running[name] = Played(math.inf if stopped else max(0.1, time.cpu - STARTED))

    def put_back(name: str) -> None:
        del running[name]
        waiting.append(name)
        waiting.sort(key=list(alone).index)

    clock = STARTED
    while clock < 10 * LIMIT and (running or waiting):
        while turns is not None:
            move, name = turns.move(running, waiting)
            if move is Move.START:
                start(name)
            elif move is Move.PUT_BACK:
                put_back(name)
            elif move in (Move.REST, Move.RESUME):
                running[name].resting = move is Move.REST
            elif move is Move.WAIT:
                break
            else:
                turns = None
                for child in running.values():
                    child.resting = False
                for name in list(running)[threads:]:
                    put_back(name)
        while turns is None and waiting and len(running) < threads:
            start(waiting[0])
        active = [child for child in running.values() if not child.resting]
        for child in active:
            child.used += TICK * min(1.0, processors / len(active))
        clock += TICK
        for name in [name for name, child in running.items() if child.used >= child.needs]:
            del running[name]
            if alone[name].status != "unknown":
                return clock
    return math.inf


def model(path: Path, processors: int) -> list[tuple[str, str, float, float, int]]:
    """For each schedule: lengths, how many are first, both means, how many are late."""
    instances: dict[str, list[Time]] = {}
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            time = Time(row["engine"], row["status"], float(row["cpu"]))
            instances.setdefault(row["instance"], []).append(time)
    rows = []
    for schedule in SCHEDULES:
        seconds = [race(times, schedule, processors) for times in instances.values()]
        counted = [s if s <= LIMIT else PENALTY for s in seconds]
        geometric = math.exp(sum(map(math.log, counted)) / len(counted))
        text = ", ".join(f"{length:g}" for length in schedule.lengths) or "none"
        first = "all" if schedule.first == 99 else str(schedule.first)
        late = sum(s > LIMIT for s in seconds)
        rows.append(
            (text, first if schedule.lengths else "", sum(counted) / len(counted), geometric, late)
        )
    return rows


def measure(files: Sequence[Path], out: Path, timeout: float) -> None:
    """Append a row for every engine of every instance."""
    known = set()
    if out.exists():
        with out.open(newline="") as file:
            known = {(row["instance"], row["engine"]) for row in csv.DictReader(file)}
    with out.open("a", newline="", buffering=1) as file:
        writer = csv.writer(file)
        if not known:
            writer.writerow(FIELDS)
        for path in files:
            instance = load(path).name
            for engine in engines(path):
                if (instance, engine) not in known:
                    status, cpu = _alone(path, engine, timeout)
                    writer.writerow([instance, engine, status, f"{cpu:.2f}"])


def engines(path: Path) -> list[str]:
    """The engines of an instance's race, in the order of their start."""
    plan = make_plan(Problem(load(path)), "decide")
    return [entrant.name for entrant in plan.entrants]


def _alone(path: Path, engine: str, timeout: float) -> tuple[str, float]:
    """Status, and seconds of processor time of the whole program."""
    command = [ROOT / "scripts" / "ermbit", "solve", path, "--engine", engine, "--json"]
    before = _children()
    done = subprocess.run(
        [*map(str, command), "--timeout", str(timeout)], capture_output=True, text=True
    )
    return str(json.loads(done.stdout)["status"]), _children() - before


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Measure, or print the model's table."""
    top = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = top.add_subparsers(dest="command", required=True)
    measuring = commands.add_parser("measure", help="time every engine alone")
    measuring.add_argument("instances", nargs="+", type=Path, metavar="INSTANCE")
    measuring.add_argument("--out", type=Path, required=True, metavar="FILE.csv")
    measuring.add_argument("--timeout", type=float, default=6.0, help="wall seconds of one run")
    modelling = commands.add_parser("model", help="play races with these times")
    modelling.add_argument("file", type=Path, metavar="FILE.csv")
    modelling.add_argument("--processors", type=int, default=1)
    given = top.parse_args()
    if given.command == "measure":
        measure(given.instances, given.out, given.timeout)
        return
    turns.LOOK, turns.PATIENCE = 0.0, math.inf  # the model has a clock of its own
    print(f"{given.processors} processor(s)")
    print(f"{'turns':<12}{'first':<6}{'mean':>8}{'geometric':>11}{'late':>6}")
    for text, first, mean, geometric, late in model(given.file, given.processors):
        print(f"{text:<12}{first:<6}{mean:8.2f}{geometric:11.2f}{late:6d}")


if __name__ == "__main__":
    main()
