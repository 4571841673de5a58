"""Documents of polynomial networks with one hidden layer, and what `lifting` says of them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytest

import rewriters
from engine_checks import capability, decide, problem_of
from ermbit.engines.engine import Outcome
from ermbit.engines.lifting import directions, run, search
from reference import Document

HAIR = Fraction(1, 10**6)
SQUARE = "square"
SHIFTED = {"name": "polynomial", "coefficients": ["1/2", 2, 1]}
MIXED = {"name": "polynomial", "coefficients": [0, 1, 1]}
CUBIC = {"name": "polynomial", "coefficients": [0, 1, 0, 1]}


def document(
    x: Sequence[Sequence[Any]],
    y: Sequence[Any],
    units: int = 1,
    *,
    activation: Any = SQUARE,
    bias: bool = True,
    output_bias: bool = False,
    outputs: int = 1,
    loss: str = "absolute",
    reduction: str = "sum",
    **more: Any,
) -> Document:
    """One hidden layer; `more`: `inner`, `outer` (matrices of entries), `domain`, `margin`."""
    hidden: dict[str, Any] = {"units": units, "activation": activation, "bias": bias}
    last: dict[str, Any] = {"units": outputs, "activation": "identity", "bias": output_bias}
    if "inner" in more:
        hidden["weights"] = more["inner"]
    if "outer" in more:
        last["weights"] = more["outer"]
    criterion: dict[str, Any] = {"name": loss, "reduction": reduction}
    if "margin" in more:
        criterion["margin"] = more["margin"]
    return {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": len(x[0]), "layers": [hidden, last]},
        "weights": more.get("domain", {"domain": "real"}),
        "data": {
            "x": [list(row) for row in x],
            "y": [list(v) if isinstance(v, tuple) else [v] for v in y],
        },
        "loss": criterion,
        "threshold": 0,
    }


def answer(doc: Document, threshold: Any, patience: float = 20.0) -> Outcome:
    return decide("lifting", doc, Fraction(threshold), patience)


def limit_searches(patch: pytest.MonkeyPatch) -> None:
    """Searches that find or prove nothing end after little work, whatever the time of day."""
    patch.setattr(search, "STARTS", 5)
    patch.setattr(run, "FIRST_CELLS", 20)
    patch.setattr(run, "LAST_CELLS", 40)
    patch.setattr(directions, "CELL_LIMIT", 40)


def is_complete(doc: Document, task: Any = "decide", threshold: Any = 0) -> bool:
    problem = problem_of(rewriters.with_threshold(doc, Fraction(threshold)))
    return capability("lifting", problem, task)
