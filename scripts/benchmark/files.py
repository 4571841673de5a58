"""Cases of the sets as instance files, and as cases that the runner understands."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from benchmark.case import Case
from ermbit.bench import case as bench
from ermbit_instances.instance import parse_instance


def write(case: Case, folder: Path) -> Path:
    """The instance file of a case."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{case.name}.erm.json"
    document = {**case.document, "name": case.name}
    path.write_text(json.dumps(document) + "\n", encoding="ascii")
    return path


def prepared(set_name: str, cases: Iterable[Case], folder: Path) -> list[bench.Case]:
    """Cases to run, their instance files written to a folder."""
    return [
        bench.Case(
            set=set_name,
            name=case.name,
            family=case.family,
            kind=case.kind,
            task=case.task,
            file=write(case, folder),
            question=bench.question_hash(parse_instance(case.document)),
            threshold=str(case.document["threshold"]) if case.task == "solve" else "",
            expected=case.expected,
        )
        for case in cases
    ]
