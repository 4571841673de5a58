"""Real linear classifiers under ``zero_one``: the least loss by z3's MaxSAT on the definition."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import z3

from engine_checks import HAIR, check_minimum, decide
from reference import Document, number


def classifier(
    x: Sequence[Sequence[Any]],
    y: Sequence[int],
    *,
    outputs: int = 1,
    activation: str = "identity",
    bias: bool = True,
    weights: list[list[Any]] | None = None,
    sample_weights: Sequence[Any] | None = None,
    reduction: str = "sum",
    margin: Any = None,
) -> Document:
    """A document; `weights` are entries of the network, by default free ones."""
    layer: dict[str, Any] = {"units": outputs, "activation": activation, "bias": bias}
    if weights is not None:
        layer["weights"] = weights
    data: dict[str, Any] = {"x": [list(row) for row in x], "y": [[label] for label in y]}
    if sample_weights is not None:
        data["sample_weights"] = list(sample_weights)
    loss: dict[str, Any] = {"name": "zero_one", "reduction": reduction}
    if margin is not None:
        loss["margin"] = margin
    return {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": len(x[0]), "layers": [layer]},
        "weights": {"domain": "real"},
        "data": data,
        "loss": loss,
        "threshold": 0,
    }


def least_errors(doc: Document) -> Fraction:
    """The least loss, by z3 from the definition of network, loss and reduction."""
    (layer,) = doc["network"]["layers"]
    loss, data = doc["loss"], doc["data"]
    inputs, outputs = doc["network"]["inputs"], layer["units"]
    named: dict[str, Any] = {}

    def entry(o: int, k: int) -> Any:
        spec = layer["weights"][o][k] if "weights" in layer else None
        if spec is None:
            return z3.Real(f"w{o},{k}")
        if isinstance(spec, dict):
            shared = named.setdefault(spec["param"], z3.Real(spec["param"]))
            return z3.RealVal(str(number(spec.get("scale", 1)))) * shared
        return z3.RealVal(str(number(spec)))

    w = [[entry(o, k) for k in range(inputs)] for o in range(outputs)]
    b = [z3.Real(f"b{o}") if layer["bias"] else z3.RealVal(0) for o in range(outputs)]
    margin = loss.get("margin")

    def enough(score: Any) -> Any:
        return score > 0 if margin is None else score >= z3.RealVal(str(number(margin)))

    rights = []
    for row, (label,) in zip(data["x"], data["y"], strict=True):
        xs = [z3.RealVal(str(number(v))) for v in row]
        f = [z3.Sum(b[o], *(u * v for u, v in zip(w[o], xs, strict=True))) for o in range(outputs)]
        if layer["activation"] == "sign":
            f = [z3.If(z >= 0, z3.RealVal(1), z3.RealVal(-1)) for z in f]
        if outputs == 1:
            rights.append(enough(label * f[0]))
        else:
            rivals = [enough(f[label] - f[j]) for j in range(outputs) if j != label]
            rights.append(z3.And(*rivals))
    costs = [number(v) for v in data.get("sample_weights", [1] * len(rights))]
    if loss["reduction"] == "max":
        for level in sorted({Fraction(0), *costs}):
            solver = z3.Solver()
            solver.add(*(r for r, c in zip(rights, costs, strict=True) if c > level))
            if solver.check() == z3.sat:
                return level
    optimizer = z3.Optimize()
    for right, cost in zip(rights, costs, strict=True):
        if cost:
            optimizer.add_soft(right, str(cost))
    assert optimizer.check() == z3.sat
    model = optimizer.model()
    holds = [z3.is_true(model.eval(r, model_completion=True)) for r in rights]
    total = sum((c for c, h in zip(costs, holds, strict=True) if not h), Fraction(0))
    return total / sum(costs) if loss["reduction"] == "mean" else total


def check(engine: str, doc: Document, minimum: Fraction) -> None:
    """The engine finds the least loss, and refutes what is below it."""
    check_minimum(engine, doc, minimum)
    for below in (minimum / 2 - HAIR, Fraction(-1)):
        assert decide(engine, doc, below).status == "unsat", doc
