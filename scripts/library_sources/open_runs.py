"""Long runs of all solvers on the instances that may be open, as they are stored: open_runs.csv.

``scripts/measure_open.py`` appends a row for every solver on every such instance. A row counts for
the question with its sha256 only. An instance is *open* if every solver of :data:`SOLVERS` has a
row that says that it cannot state the instance, or that it found no answer in :data:`LIMIT`
seconds; a crash is no attempt. In ermbit's race the engines share the processors and some wait
for others: each that can state the instance needs a row of its own as well. Until all are there
the instance is a *candidate*.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Literal

PATH = Path(__file__).with_name("open_runs.csv")

LIMIT = 600.0
"""Seconds without an answer, of every solver, that make an instance open."""

OURS = "ermbit"
SOLVERS = (OURS, "cpsat", "z3", "cvc5", "highs")

UNSOLVED = ("unknown", "timeout", "memout")
"""Ends of a run without an answer: it gave up, or came to a limit on time or on memory."""

Kind = Literal["open", "candidate", "peer", "decided"]


@dataclass(frozen=True)
class Run:
    """One solver on one instance.

    Attributes:
        instance: its name.
        question: sha256 of the canonical instance, threshold included.
        solver, version: which.
        limit: wall-clock seconds that it had; ``memory``: megabytes; ``cores``: processors.
        status: ``sat`` (with a certificate that the verifier accepted), ``unsat``, one of
            ``UNSOLVED``, ``unsupported``, ``failed``, or ``wrong`` (a rejected certificate).
        seconds: that it took, or after which it was stopped.
        loss: of its certificate, ``bound``: its lower bound on the loss; as text, or "".
        note: the engine, the encoding or the reason.
        engines: of ermbit as a whole: all its engines that can state the instance, in the order
            of its race; separated by spaces.
    """

    instance: str
    question: str
    solver: str
    version: str
    limit: float
    memory: int
    cores: int
    status: str
    seconds: float
    loss: str = ""
    bound: str = ""
    note: str = ""
    engines: str = ""

    @property
    def is_ours(self) -> bool:
        """Whether it is a run of ermbit, as a whole or of one engine (``ermbit:ENGINE``)."""
        return self.solver.partition(":")[0] == OURS

    @property
    def each_engine(self) -> tuple[str, ...]:
        """The names of ``engines`` as solvers."""
        return tuple(f"{OURS}:{name}" for name in self.engines.split())

    @property
    def is_answer(self) -> bool:
        """Whether it says sat or unsat."""
        return self.status in ("sat", "unsat")

    @property
    def is_attempt(self) -> bool:
        """Whether it shows that the solver has no answer within the limit, or cannot have one."""
        return self.status == "unsupported" or (self.status in UNSOLVED and self.limit >= LIMIT)


NAMES = tuple(field.name for field in fields(Run))


@dataclass(frozen=True)
class Standing:
    """What the runs say of one instance.

    Attributes:
        kind: ``open``; ``candidate`` (some solver was not tried for so long); ``decided`` by a
            checked certificate or by ermbit; ``peer``: ``unsat`` by a peer and nobody else, which
            is not taken for known.
        tried_by: who tried it and how long, or who decided it; "" if nobody was run.
    """

    kind: Kind
    tried_by: str = ""


def standing(name: str, question: str, runs: Iterable[Run]) -> Standing:
    """What the runs say of the instance of this name, if they are about this question.

    Raises:
        ValueError: one says sat, with a checked certificate, and another unsat.
    """
    last: dict[str, Run] = {}
    for run in runs:
        if (run.instance, run.question) == (name, question):
            last[run.solver] = run
    found = [run for run in last.values() if run.is_answer]
    if len({run.status for run in found}) > 1:
        raise ValueError(f"{name}: {' and '.join(f'{r.solver}: {r.status}' for r in found)}")
    if found:
        ours = [r for r in found if r.status == "sat" or r.is_ours]
        return Standing("decided" if ours else "peer", ", ".join(map(_answer, ours or found)))
    attempts = {name: run for name, run in last.items() if run.is_attempt}
    needed = [*SOLVERS, *(last[OURS].each_engine if OURS in last else ())]
    kind: Kind = "open" if attempts.keys() >= set(needed) else "candidate"
    order = [*needed, *sorted(attempts.keys() - set(needed))]
    return Standing(kind, _tried(attempts[name] for name in order if name in attempts))


def _answer(run: Run) -> str:
    return f"{run.status} by {run.solver} {run.version} in {run.seconds:.0f} s"


def _tried(attempts: Iterable[Run]) -> str:
    """Such as ``ermbit 0.1.0 600 s, z3 4.15 12 s (gave up); cannot state it: cpsat, highs``."""
    runs = list(attempts)
    words = []
    for run in runs:
        if run.status == "unsupported":
            continue
        early = {"unknown": " (gave up)", "memout": f" (out of {run.memory} MB)"}
        ending = early.get(run.status, "") if run.seconds < run.limit - 10 else ""
        words.append(f"{run.solver} {run.version} {min(run.seconds, run.limit):.0f} s{ending}")
    parts = [", ".join(words)] if words else []
    unable = [run.solver for run in runs if run.status == "unsupported"]
    if unable:
        parts.append(f"cannot state it: {', '.join(unable)}")
    return "; ".join(parts)


def read(path: Path = PATH) -> list[Run]:
    """All rows; a last one that was cut short is dropped.

    Raises:
        ValueError: a row that is none.
    """
    if not path.exists():
        return []
    data = path.read_bytes()
    text = data[: data.rfind(b"\n") + 1].decode("utf-8")
    rows = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    if text and tuple(rows.fieldnames or ()) != NAMES:
        raise ValueError(f"{path}: expected the columns {', '.join(NAMES)}")
    kinds = {"limit": float, "memory": int, "cores": int, "seconds": float}
    return [Run(**{name: kinds.get(name, str)(row[name]) for name in NAMES}) for row in rows]


def append(run: Run, path: Path = PATH) -> None:
    """Add a row, written by one call and forced to the disk; a torn last row is dropped."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    with path.open("ab+") as stream:
        stream.seek(0)
        whole = stream.read().rfind(b"\n") + 1
        stream.truncate(whole)
        if not whole:
            writer.writerow(NAMES)
        cells = (f"{cell:g}" if isinstance(cell, float) else str(cell) for cell in astuple(run))
        writer.writerow("".join(c if c.isprintable() else " " for c in cell) for cell in cells)
        stream.write(text.getvalue().encode("utf-8"))
        stream.flush()
        os.fsync(stream.fileno())
