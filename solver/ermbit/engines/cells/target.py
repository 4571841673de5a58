"""What the outputs are compared with: losses as convex functions of residuals, and their duals.

Labels are multiplied into the outputs of ``hinge``, and everything is scaled to integers: with
residuals e = Y − F (F an output times its label times S) the loss is, for integers w⁺, w⁻ ≥ 0,

    absolute    Σ w |e|             w⁺ = w⁻ = w          hinge      Σ w max(0, e)     w⁻ = 0
    max         max of the same                          squared    Σ w e²

For every λ, loss ≥ Σ λ_i e_i − L*(λ), where L* is the convex conjugate (Fenchel): 0 if
−w⁻ ≤ λ ≤ w⁺; under ``max`` 0 if Σ max(λ_i/w⁺, −λ_i/w⁻) ≤ 1; Σ λ²/(4w) for squares.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import lcm
from typing import Literal

from gmpy2 import mpq

from ermbit.engines.cells.network import ConeNetwork
from ermbit.engines.cells.rays import Basis, basis
from ermbit_encodings.problem import Problem
from ermbit_encodings.samples import Sample, reduction_unit, weighted_budget
from ermbit_instances.loss import Loss
from ermbit_instances.rational import Rational

Kind = Literal["sum", "max", "squared"]


@dataclass(frozen=True)
class Target:
    """The data of an instance as the search sees them.

    Attributes:
        kind: of the loss.
        goals: Y, an integer a sample.
        labels: by what outputs are multiplied, ±1.
        above, below: w⁺ and w⁻.
        scale: S.
        divisor: the loss is total / divisor.
        free: the linear terms times their labels, in independent integer columns.
    """

    kind: Kind
    goals: tuple[int, ...]
    labels: tuple[int, ...]
    above: tuple[int, ...]
    below: tuple[int, ...]
    scale: int
    divisor: int
    free: Basis

    def loss(self, total: Rational) -> Rational:
        return total / self.divisor

    def total(self, loss: Rational) -> Rational:
        return loss * self.divisor


def samples_to_be_right(problem: Problem, limit: Rational | None) -> tuple[Sample, ...] | str:
    """The samples that ``zero_one`` needs to be right for a loss up to the limit, if that is clear.

    Args:
        limit: γ; ``None`` for minimising.
    """
    rows = problem.samples.rows
    if limit is None:
        return "the loss is zero_one"
    budget = weighted_budget(problem.instance, problem.samples, limit)
    if problem.instance.loss.reduction == "max":
        return tuple(row for row in rows if row.weight > budget)
    if any(row.weight <= budget for row in rows):
        return "some samples may be wrong under zero_one"
    return rows


def read_target(problem: Problem, network: ConeNetwork, rows: Sequence[Sample]) -> Target | str:
    """The target, or why the loss is not treated.

    ``zero_one`` becomes ``hinge``, which is 0 for some network if and only if all rows can be
    right: the outputs are homogeneous, so that y·f > 0 everywhere can be scaled to y·f ≥ 1.
    """
    loss = problem.instance.loss
    inputs = [row.x for row in rows]
    constants = network.constants(inputs)
    terms = network.terms(inputs)
    weights = tuple(1 if loss.name == "zero_one" else row.weight for row in rows)
    unit = reduction_unit(problem.instance, problem.samples)
    if loss.name == "zero_one" and any(constants):
        return "zero_one with a fixed part of the output"
    if loss.name == "squared" and loss.reduction == "max":
        return "largest squared loss"
    if loss.is_classification:
        labels = tuple(int(row.y[0]) for row in rows)
        wanted = [1 - label * c for label, c in zip(labels, constants, strict=True)]
        below: tuple[int, ...] = (0,) * len(rows)
    else:
        labels = (1,) * len(rows)
        wanted = [row.y[0] - c for row, c in zip(rows, constants, strict=True)]
        below = weights
    scale = lcm(*(int(v.denominator) for v in wanted))
    power = 2 if loss.name == "squared" else 1
    signed = [[v * label for v, label in zip(term, labels, strict=True)] for term in terms]
    return Target(
        _kind(loss),
        tuple(int(mpq(v) * scale) for v in wanted),
        labels,
        weights,
        below,
        scale,
        unit * scale**power,
        basis(signed),
    )


def _kind(loss: Loss) -> Kind:
    if loss.name == "squared":
        return "squared"
    return "max" if loss.reduction == "max" and loss.name != "zero_one" else "sum"
