"""The end of a turn."""

from __future__ import annotations

from dataclasses import dataclass

from ermbit.engines.mixed.search import Candidate


@dataclass(frozen=True)
class Verdict:
    """``sat`` with a candidate, ``unsat``, or ``unknown`` with the reason."""

    status: str
    found: Candidate | None = None
    reason: str = ""
