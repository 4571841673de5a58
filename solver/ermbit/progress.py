"""What a search tells while it runs: data for whoever listens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from ermbit_instances.certificate import Value


@dataclass(frozen=True, slots=True)
class Progress:
    """One step of a search.

    Attributes:
        time_s: seconds since its start.
        engine: whose step it is; empty for the search as a whole.
        step: ``"start"``, ``"incumbent"``, ``"bound"`` or ``"end"``.
        loss: of the best verified certificate so far.
        lower_bound: best proved lower bound so far.
        text: for ``start`` the engines, for ``end`` what the engine ended with.
    """

    time_s: float
    engine: str
    step: str
    loss: Value | None = None
    lower_bound: Value | None = None
    text: str = ""


Listener: TypeAlias = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """A listener that ignores everything."""
