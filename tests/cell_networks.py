"""Instances of one hidden layer and one output, for the tests of the `cells` engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from reference import Document

REAL: dict[str, Any] = {"domain": "real"}


def document(
    x: Sequence[Sequence[Any]],
    y: Sequence[Any],
    hidden: dict[str, Any] | None = None,
    output: dict[str, Any] | None = None,
    *,
    loss: str = "absolute",
    reduction: str = "sum",
    weights: Sequence[Any] | None = None,
    domains: dict[str, Any] | None = None,
) -> Document:
    data: dict[str, Any] = {"x": [list(row) for row in x], "y": [[v] for v in y]}
    if weights is not None:
        data["sample_weights"] = list(weights)
    layers = [
        {"name": "inner", "units": 1, "activation": "relu"} | (hidden or {}),
        {"name": "outer", "units": 1, "activation": "identity"} | (output or {}),
    ]
    return {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": len(x[0]), "layers": layers},
        "weights": domains or REAL,
        "data": data,
        "loss": {"name": loss, "reduction": reduction},
        "threshold": 0,
    }
