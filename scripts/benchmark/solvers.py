"""The solvers that are compared: how each is called and how its output is read."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peers.__main__ import PEERS

from benchmark import environment, process

GRACE = 3.0
"""Seconds past the limit after which a solver is killed; what it says in them is no solution."""

CONCLUSIVE = ("sat", "unsat", "optimal", "infimum")


@dataclass(frozen=True)
class Reply:
    """What a solver said of a case, not yet checked.

    Attributes:
        status: its word, or ``timeout``, ``failed``, ``unsupported``.
        loss, bound: as it spelt them, or "".
        parameters: a certificate's ``parameters``, or empty.
        seconds: wall-clock time of the whole process.
        inner: seconds that the solver itself counts, without start-up.
        note: reason, engine or encoding.
    """

    status: str
    loss: str
    bound: str
    parameters: dict[str, Any] = field(repr=False)
    seconds: float
    inner: float
    cpu: float
    note: str


@dataclass(frozen=True)
class Limits:
    """Wall seconds, megabytes, processors of one run."""

    timeout: float
    memory: int
    cores: tuple[int, ...]


def names() -> list[str]:
    """All solvers that can be asked for; ``ermbit:ENGINE`` is one engine of ermbit."""
    return ["ermbit", *PEERS]


def ask(solver: str, file: Path, task: str, limits: Limits) -> Reply:
    """Run a solver on an instance file in a fresh process."""
    if solver.partition(":")[0] == "ermbit":
        return _ermbit(solver.partition(":")[2], file, task, limits)
    return _peer(solver, file, task, limits)


def _ermbit(engine: str, file: Path, task: str, limits: Limits) -> Reply:
    command = [str(environment.SCRIPTS / "ermbit"), task, str(file), "--json"]
    command += ["--timeout", f"{limits.timeout:g}"]
    if engine:
        command += ["--engine", engine]
    done = process.run(command, limits.timeout + GRACE, limits.memory, limits.cores)
    found = _object(done.output)
    if found is None:
        return _nothing(done)
    note = str(found.get("engine") or found.get("reason") or "")
    return _reply(found, "lower_bound", found.get("certificate"), "time_s", done, note)


def _peer(solver: str, file: Path, task: str, limits: Limits) -> Reply:
    root = environment.ROOT
    path = os.pathsep.join((str(environment.SCRIPTS), str(root / "instances")))
    command: Sequence[str] = [
        str(environment.PYTHON), "-m", "peers", solver, str(file),
        "--task", task,
        "--timeout", f"{limits.timeout:g}",
        "--threads", str(len(limits.cores)),
    ]  # fmt: skip
    variables = {**os.environ, "PYTHONPATH": path}
    done = process.run(command, limits.timeout + GRACE, limits.memory, limits.cores, variables)
    found = _object(done.output)
    if found is None:
        return _nothing(done)
    note = str(found["reason"] or found["encoding"])
    return _reply(found, "bound", found["parameters"], "seconds", done, note)


def _object(output: str) -> dict[str, Any] | None:
    """The JSON object that was printed last."""
    start = output.find("{")
    try:
        found: Any = json.loads(output[start:]) if start >= 0 else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _reply(
    found: dict[str, Any],
    bound: str,
    parameters: Any,
    seconds: str,
    done: process.Finished,
    note: str,
) -> Reply:
    status, loss, low = found["status"], found.get("loss"), found.get(bound)
    return Reply(
        status,
        "" if loss is None else str(loss),
        "" if low is None else str(low),
        parameters or {},
        done.seconds,
        float(found.get(seconds) or 0.0),
        done.cpu,
        note,
    )


def _nothing(done: process.Finished) -> Reply:
    last = (done.errors.strip().splitlines() or [f"exit status {done.code}"])[-1]
    status = "timeout" if done.killed else "failed"
    note = "" if done.killed else last[:200]
    return Reply(status, "", "", {}, done.seconds, 0.0, done.cpu, note)
