"""Answers of the library that were found by search and not by construction, as they are stored.

``answers.json`` has them by the name of the instance, each with the sha256 of the question that it
answers: an answer to another question is not used. ``scripts/answer_library.py`` adds to it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ermbit_instances.files import write_text

PATH = Path(__file__).with_name("answers.json")


@dataclass(frozen=True)
class Answer:
    """What is known of one instance.

    Attributes:
        question: sha256 of the canonical instance.
        status: ``sat``, ``unsat`` or ``unknown``.
        engine: that decided.
        seconds: that it took, or that were spent in vain.
        certificate: parameters by name, for ``sat`` and for ``unknown`` with a loss.
        loss: the least loss that a verified certificate reached, as files write numbers.
        bound: the best proved lower bound on the loss.
    """

    question: str
    status: str
    engine: str | None
    seconds: float
    certificate: dict[str, Any] | None = None
    loss: Any = None
    bound: Any = None


def read() -> dict[str, Answer]:
    """All stored answers by name."""
    if not PATH.exists():
        return {}
    return {name: Answer(**row) for name, row in json.loads(PATH.read_text("ascii")).items()}


def write(answers: dict[str, Answer]) -> None:
    """Store them, in the order of the names, one a line."""
    rows = [
        f"{json.dumps(name)}: {json.dumps(asdict(answers[name]), sort_keys=True)}"
        for name in sorted(answers)
    ]
    write_text(PATH, "{\n" + ",\n".join(rows) + "\n}\n")


def store(name: str, answer: Answer) -> None:
    """Add one, or put it in place of an older one; what others have added meanwhile stays."""
    with _alone():
        write(read() | {name: answer})


@contextmanager
def _alone() -> Iterator[None]:
    """Where the system has locks, one process at a time changes the file; it is replaced whole."""
    try:
        import fcntl
    except ImportError:  # not POSIX
        yield
        return
    folder = os.open(PATH.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
