"""Instances on which some engine once disagreed with the truth, or failed: each one is replayed.

A file is an instance document whose `meta` states the answer (`status`, for its threshold) and, in
`source`, what went wrong. Over finite domains the stated answer is itself checked by enumeration.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import reference
from engine_checks import capability, decide, least, problem_of
from ermbit.engines.registry import NAMES

FILES = sorted((Path(__file__).parent / "corpus" / "regressions").glob("*.erm.json"))


def test_there_are_some() -> None:
    assert FILES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.removesuffix(".erm.json"))
def test_replay(path: Path) -> None:
    document = reference.read(path)
    meta = document["meta"]
    assert meta["status"] in ("sat", "unsat") and meta["source"]
    threshold = reference.number(document["threshold"])
    problem = problem_of(document)
    finite = problem.assignments is not None
    if finite:
        minimum, _ = reference.minimum(document)
        assert meta["status"] == ("sat" if minimum <= threshold else "unsat")
    engines = [name for name in NAMES if capability(name, problem, "decide")]
    assert engines
    for name in engines:
        outcome = decide(name, document, threshold)
        assert outcome.status == meta["status"], (name, outcome)
        if finite and capability(name, problem, "minimize"):
            assert least(name, document) == ("optimal", minimum), name
