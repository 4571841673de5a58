"""Losses, reductions and the threshold comparison, exactly as the instance format defines them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gmpy2 import mpq

from ermbit_instances.json_node import Node
from ermbit_instances.rational import Rational, write_rational

LossName = Literal["absolute", "squared", "hinge", "zero_one"]
Reduction = Literal["mean", "sum", "max"]

LOSSES: tuple[str, ...] = ("absolute", "squared", "hinge", "zero_one")
REDUCTIONS: tuple[str, ...] = ("mean", "sum", "max")
_ZERO, _ONE = mpq(0), mpq(1)


@dataclass(frozen=True, slots=True)
class Loss:
    """A loss with its reduction; ``margin`` is 0 unless the file gives one (``zero_one`` only)."""

    name: LossName
    reduction: Reduction
    margin: Rational = _ZERO

    @property
    def is_classification(self) -> bool:
        return self.name in ("hinge", "zero_one")

    def sample(self, outputs: Sequence[Any], y: Sequence[Rational]) -> Any:
        """ℓ(f, y) for one sample. Outputs may be rational or algebraic; y is a row of targets."""
        if self.name == "absolute":
            return sum((abs(f - t) for f, t in zip(outputs, y, strict=True)), _ZERO)
        if self.name == "squared":
            return sum(((f - t) * (f - t) for f, t in zip(outputs, y, strict=True)), _ZERO)
        if len(outputs) == 1:
            score = y[0] * outputs[0]
        else:
            label = int(y[0])
            score = outputs[label] - max(f for j, f in enumerate(outputs) if j != label)
        if self.name == "hinge":
            loss = _ONE - score
            return loss if loss > 0 else _ZERO
        right = score >= self.margin if self.margin > 0 else score > 0
        return _ZERO if right else _ONE

    def reduce(self, losses: Sequence[Any], weights: Sequence[Rational]) -> Any:
        """L from the sample losses and sample weights (all 1 where none are given)."""
        if self.reduction == "max":
            terms = [w * v for v, w in zip(losses, weights, strict=True)]
            best: Any = _ZERO
            for term in terms:
                if term > best:
                    best = term
            return best
        total = sum((w * v for v, w in zip(losses, weights, strict=True)), _ZERO)
        return total / sum(weights) if self.reduction == "mean" else total

    def canonical(self) -> dict[str, Any]:
        form: dict[str, Any] = {"name": self.name, "reduction": self.reduction}
        if self.margin > 0:
            form["margin"] = write_rational(self.margin)
        return form


def read_loss(node: Node) -> Loss:
    """Read the ``loss`` object.

    Raises:
        InputError: unknown name or reduction; a margin that is not positive, or not ``zero_one``.
    """
    node.keys(required=("name",), optional=("reduction", "margin"))
    name = node.at("name").string()
    if name not in LOSSES:
        node.at("name").fail(f"unknown loss {name!r}; known: {', '.join(LOSSES)}")
    member = node.get("reduction")
    reduction = "mean" if member is None else member.string()
    if member is not None and reduction not in REDUCTIONS:
        member.fail(f"unknown reduction {reduction!r}; known: {', '.join(REDUCTIONS)}")
    margin_node = node.get("margin")
    margin = _ZERO
    if margin_node is not None:
        if name != "zero_one":
            margin_node.fail("only the zero_one loss has a margin")
        margin = margin_node.rational()
        if margin <= 0:
            margin_node.fail("the margin must be positive")
    return Loss(name, reduction, margin)  # type: ignore[arg-type]
