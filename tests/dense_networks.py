"""Documents of dense networks with inline data, for tests of encodings and engines."""

from __future__ import annotations

import random
from typing import Any

from ermbit_instances.instance import Instance, parse_instance
from random_instances import CLASSIFICATION
from reference import Document

REAL: Document = {"domain": "real"}


def dense(x: list[list[Any]], y: list[list[Any]], weights: Document, **options: Any) -> Document:
    """One, with `hidden` sizes, `activation`, `outputs`, `loss` and `threshold` as options."""
    layers: list[dict[str, Any]] = [
        {"units": k, "activation": options.get("activation", "relu")}
        for k in options.get("hidden", [])
    ]
    layers.append({"units": options.get("outputs", 1), "activation": "identity"})
    loss = options.get("loss", "absolute")
    return {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": len(x[0]), "layers": layers},
        "weights": weights,
        "data": {"x": x, "y": y},
        "loss": {"name": loss, "reduction": "sum"} if isinstance(loss, str) else loss,
        "threshold": options.get("threshold", 0),
    }


def random_dense(
    rng: random.Random,
    inputs: int,
    hidden: tuple[int, ...],
    activation: Any,
    weights: Document,
    *,
    samples: int,
    loss: str = "absolute",
    reduction: str = "sum",
    weighted: bool = False,
    outputs: int = 1,
    top: str = "identity",
) -> Document:
    """One with random data: small integers, labels of the loss, a few sample weights."""
    rows = [[rng.randint(-3, 3) for _ in range(inputs)] for _ in range(samples)]

    def label() -> list[int]:
        if loss not in CLASSIFICATION:
            return [rng.randint(-4, 4) for _ in range(outputs)]
        return [rng.choice((-1, 1)) if outputs == 1 else rng.randrange(outputs)]

    data: dict[str, Any] = {"x": rows, "y": [label() for _ in rows]}
    if weighted:
        data["sample_weights"] = [rng.choice([1, 2, "1/3", 5]) for _ in rows]
    layers = [{"units": units, "activation": activation} for units in hidden]
    layers.append({"units": outputs, "activation": top})
    return {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": inputs, "layers": layers},
        "weights": weights,
        "data": data,
        "loss": {"name": loss, "reduction": reduction},
        "threshold": 0,
    }


def instance(layers: Any, x: Any, y: Any, threshold: Any = 0, **given: Any) -> Instance:
    """One of given layers, by default with real weights and the largest absolute error."""
    return parse_instance(
        {
            "format": "ermbit-instance",
            "version": 1,
            "network": {"inputs": len(x[0]), "layers": layers},
            "weights": given.get("weights", REAL),
            "data": {"x": x, "y": y},
            "loss": given.get("loss", {"name": "absolute", "reduction": "max"}),
            "threshold": str(threshold),
        }
    )


def hidden(activation: Any, units: int = 1, out: Any = None, **options: Any) -> list[Any]:
    """Layers: hidden units, and a linear output without a bias."""
    return [
        {"units": units, "activation": activation, **options},
        {"units": 1, "activation": "identity", "bias": False} | (out or {}),
    ]
