"""Results as rows of a CSV file that grows while a run goes on."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path


@dataclass(frozen=True)
class Record:
    """One solver on one instance.

    Attributes:
        family, kind, task, expected: of the case.
        status, loss, bound, note: as the solver said.
        seconds: wall clock of the process; ``inner``: as the solver counts; ``cpu``: processor.
        timeout, cores: the limits.
        checked: ``accepted``, ``rejected`` or ``none``; ``exact``: the certificate's exact loss;
            ``why``: the reason of a rejection.
    """

    set: str
    instance: str
    family: str
    kind: str
    task: str
    expected: str
    solver: str
    status: str
    loss: str
    bound: str
    seconds: float
    inner: float
    cpu: float
    timeout: float
    cores: int
    checked: str
    exact: str
    why: str
    note: str


def append(path: Path, record: Record) -> None:
    """Add one row; the first one brings the head."""
    fresh = not path.exists() or path.stat().st_size == 0
    with path.open("a", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, [f.name for f in fields(Record)], lineterminator="\n")
        if fresh:
            writer.writeheader()
        row = asdict(record)
        for key in ("seconds", "inner", "cpu"):
            row[key] = f"{row[key]:.3f}"
        writer.writerow(row)


def read(paths: Iterable[Path]) -> list[Record]:
    """All rows of some files; of equal (instance, solver) the last one counts."""
    found: dict[tuple[str, str, str], Record] = {}
    for path in paths:
        with path.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                values = {
                    f.name: float(row[f.name])
                    if f.type == "float"
                    else int(row[f.name])
                    if f.type == "int"
                    else row[f.name]
                    for f in fields(Record)
                }
                record = Record(**values)  # type: ignore[arg-type]
                found[record.set, record.instance, record.solver] = record
    return list(found.values())
