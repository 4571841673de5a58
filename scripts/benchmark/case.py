"""A case of the benchmark and the documents that cases are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ermbit.bench.case import Task

Document = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One question to one solver.

    Attributes:
        name: unique in its set, fit for a file name.
        family: rows of the tables.
        kind: ``agnostic`` (labels fit no network) or ``realizable`` (made by one, or nearly).
        task: ``solve`` or ``minimize``.
        document: the instance.
        expected: the known status of ``solve``, or the known least loss of ``minimize``; or "".
    """

    name: str
    family: str
    kind: str
    task: Task
    document: Document
    expected: str = ""


def integers(low: int, high: int | None = None) -> Document:
    """The domain low..high; −low..low for one number."""
    if high is None:
        low, high = -low, low
    return {"domain": "integer", "low": low, "high": high}


REAL: Document = {"domain": "real"}


def document(
    x: Sequence[Sequence[Any]],
    y: Sequence[Any],
    hidden: Sequence[int],
    domain: Document,
    *,
    activation: Any = "relu",
    loss: str = "absolute",
    reduction: str = "sum",
    threshold: Any = 0,
    output: Any = "identity",
) -> Document:
    """An instance of a dense network with own weights and biases and one output."""
    layers = [{"units": k, "activation": activation} for k in hidden]
    return {
        "format": "ermbit-instance",
        "version": 1,
        "network": {
            "inputs": len(x[0]),
            "layers": [*layers, {"units": 1, "activation": output}],
        },
        "weights": domain,
        "data": {"x": [list(row) for row in x], "y": [[v] for v in y]},
        "loss": {"name": loss, "reduction": reduction},
        "threshold": threshold,
    }
