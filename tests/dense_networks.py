"""Documents of dense networks with inline data, for tests of encodings and engines."""

from __future__ import annotations

from typing import Any

from ermbit_instances.instance import Instance, parse_instance
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
