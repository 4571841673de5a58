"""Documents of dense networks with inline data, for tests of encodings and engines."""

from __future__ import annotations

from typing import Any

from reference import Document


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
