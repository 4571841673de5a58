"""Labels and losses as the families need them: the meaning of each loss on one sample.

``absolute`` and ``squared`` have one target an output; ``hinge`` and ``zero_one`` have one label:
-1 or 1 for one output, 0..k-1 for k outputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gmpy2 import mpq

from ermbit_instances.rational import Rational

TARGET_LOSSES = ("absolute", "squared")
LOSSES = (*TARGET_LOSSES, "hinge", "zero_one")


def loss_document(name: str, reduction: str) -> dict[str, Any]:
    """The ``loss`` object of an instance file."""
    return {"name": name, "reduction": reduction}


def is_classification(loss: str) -> bool:
    """Whether y is a label rather than one target an output."""
    return loss in ("hinge", "zero_one")


def labels(outputs: int) -> tuple[int, ...]:
    """The label set of a classification loss."""
    return (-1, 1) if outputs == 1 else tuple(range(outputs))


def gap(outputs: Sequence[Rational], label: int) -> Rational:
    """How far the right answer leads: y·f, or f_y − max of the others; positive is correct."""
    if len(outputs) == 1:
        return label * outputs[0]
    return outputs[label] - max(f for j, f in enumerate(outputs) if j != label)


def sample_loss(loss: str, outputs: Sequence[Rational], y: Sequence[Rational]) -> Rational:
    """ℓ(f, y), exactly (no margin)."""
    match loss:
        case "absolute":
            return sum((abs(f - t) for f, t in zip(outputs, y, strict=True)), mpq(0))
        case "squared":
            return sum(((f - t) ** 2 for f, t in zip(outputs, y, strict=True)), mpq(0))
        case "hinge":
            return max(mpq(0), 1 - gap(outputs, int(y[0])))
        case _:
            return mpq(0 if gap(outputs, int(y[0])) > 0 else 1)


def reduce(losses: Sequence[Rational], reduction: str) -> Rational:
    """The mean, sum or maximum of at least one sample loss, without sample weights."""
    if reduction == "max":
        return max(losses)
    total = sum(losses, mpq(0))
    return total / len(losses) if reduction == "mean" else total


def forbids_errors(loss: str, reduction: str, threshold: Rational, samples: int) -> bool:
    """Whether loss ≤ threshold means that no sample may be wrong (no sample weights)."""
    one_error = mpq(1, samples) if reduction == "mean" else mpq(1)
    return threshold == 0 or (loss == "zero_one" and threshold < one_error)


def perfect_label(loss: str, outputs: Sequence[Rational]) -> list[Rational] | None:
    """The y at which these outputs have loss 0; None if a classifier has no such label."""
    if not is_classification(loss):
        return list(outputs)
    for label in labels(len(outputs)):
        if sample_loss(loss, outputs, [mpq(label)]) == 0:
            return [mpq(label)]
    return None
