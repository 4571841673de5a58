"""One instance of the library before it is written, and short spellings of documents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

Document = dict[str, Any]
Rows = Sequence[Sequence[int | str]]


@dataclass(frozen=True)
class Entry:
    """An instance document, and the parameters of its certificate where it is sat.

    ``document["meta"]`` has ``family``, ``status``, ``how`` and, where known, ``minimum``.
    ``files`` are data files that the document names, and the certificate of the best loss of one
    that is not decided, as path (relative to the library) to bytes.
    """

    document: Document
    certificate: Mapping[str, Any] | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)


def entry(
    name: str,
    network: Document,
    weights: Document,
    data: Document,
    loss: str | Document,
    threshold: int | str,
    *,
    family: str,
    how: str,
    certificate: Mapping[str, Any] | None = None,
    minimum: int | str | None = None,
    files: Mapping[str, bytes] | None = None,
) -> Entry:
    """An entry that is sat if a certificate is given and unsat otherwise.

    ``loss`` is ``"name"`` or ``"name reduction"`` for one without a margin.
    """
    meta: Document = {"status": "unsat" if certificate is None else "sat"}
    if minimum is not None:
        meta["minimum"] = minimum
    document = {
        "format": "ermbit-instance",
        "version": 1,
        "name": name,
        "network": network,
        "weights": weights,
        "data": {key: _lowest_terms(value, key) for key, value in data.items()},
        "loss": loss_document(loss),
        "threshold": written(Fraction(threshold)),
        "meta": {**meta, "how": how, "family": family},
    }
    return Entry(document, certificate, files or {})


def _lowest_terms(value: Any, key: str) -> Any:
    """Inline rows with every number as files write it; references to data files as they are."""
    if key not in ("x", "y") or isinstance(value, str):
        return value
    return [[written(Fraction(number)) for number in row] for row in value]


def loss_document(loss: str | Document) -> Document:
    """``"squared max"`` as a loss object; an object as it is."""
    if not isinstance(loss, str):
        return loss
    name, _, reduction = loss.partition(" ")
    return {"name": name, "reduction": reduction} if reduction else {"name": name}


def dense(inputs: int, *layers: tuple[int, Any] | tuple[int, Any, Document]) -> Document:
    """Layers given as (units, activation) or (units, activation, further keys)."""
    described = [
        {"units": layer[0], "activation": layer[1], **(layer[2] if len(layer) == 3 else {})}
        for layer in layers
    ]
    return {"inputs": inputs, "layers": described}


def neuron(identifier: str, activation: Any, inputs: Mapping[str, Any], bias: Any = 0) -> Document:
    """One neuron of the ``neurons`` spelling; without bias unless one is given."""
    return {"id": identifier, "inputs": dict(inputs), "bias": bias, "activation": activation}


def integers(low: int, high: int) -> Document:
    """The domain low..high."""
    return {"domain": "integer", "low": low, "high": high}


def finite(*values: int | str) -> Document:
    """The domain of the listed values."""
    return {"domain": "finite", "values": list(values)}


REAL: Document = {"domain": "real"}


def rational(bits: int) -> Document:
    """Fractions with numerator and denominator of at most ``bits`` bits."""
    return {"domain": "rational", "bits": bits}


def floats(name: str) -> Document:
    """The finite values of a floating-point format."""
    return {"domain": "float", "format": name}


def samples(*pairs: tuple[Sequence[int | str], Sequence[int | str]]) -> Document:
    """Inline data from (x, y) pairs."""
    return {"x": [list(x) for x, _ in pairs], "y": [list(y) for _, y in pairs]}


def written(value: Fraction) -> int | str:
    """A rational as files write it."""
    return value.numerator if value.denominator == 1 else str(value)


NO_BIAS: Document = {"bias": False}


def root(coefficients: Sequence[int], low: int, high: int) -> str:
    """The one real root of a polynomial (ascending coefficients) in [low, high]."""
    written = " ".join(str(c) if c >= 0 else f"(- {-c})" for c in coefficients)
    ends = " ".join(str(end) if end >= 0 else f"(- {-end})" for end in (low, high))
    return f"(root-of-with-interval (coeffs {written}) {ends})"
