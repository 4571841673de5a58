"""Instance and certificate documents put together, keys in the order in which files have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gmpy2 import mpq

from ermbit_instances.rational import Rational, write_rational

Document = dict[str, Any]


def instance_document(
    name: str,
    network: Document,
    weights: Document,
    data: Document,
    loss: Document,
    threshold: Rational | int,
    meta: Document,
) -> Document:
    """Assemble an instance document with its keys in the order in which files are written."""
    return {
        "format": "ermbit-instance",
        "version": 1,
        "name": name,
        "network": network,
        "weights": weights,
        "data": data,
        "loss": loss,
        "threshold": write_rational(mpq(threshold)),
        "meta": meta,
    }


def certificate_document(parameters: Mapping[str, Any]) -> Document:
    """A certificate document around parameter arrays or single names."""
    return {"format": "ermbit-certificate", "version": 1, "parameters": dict(parameters)}
