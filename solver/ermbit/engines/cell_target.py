"""What the outputs are compared with: losses as convex functions of residuals, and their duals.

Labels are multiplied into the outputs of ``hinge``, and everything is scaled to integers: with
residuals e = Y − F (F an output times its label times S) the loss is, for integers w⁺, w⁻ ≥ 0,

    absolute    Σ w |e|             w⁺ = w⁻ = w          hinge      Σ w max(0, e)     w⁻ = 0
    max         max of the same                          squared    Σ w e²

For every λ, loss ≥ Σ λ_i e_i − L*(λ), where L* is the convex conjugate (Fenchel): 0 if
−w⁻ ≤ λ ≤ w⁺; under ``max`` 0 if Σ max(λ_i/w⁺, −λ_i/w⁻) ≤ 1; Σ λ²/(4w) for squares.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lcm
from typing import Literal

from gmpy2 import mpq

from ermbit.engines.cell_network import ConeNetwork
from ermbit.engines.cell_rays import Basis, basis
from ermbit_encodings.problem import Problem
from ermbit_encodings.samples import reduction_unit
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


def read_target(problem: Problem, network: ConeNetwork) -> Target | str:
    """The target, or why the loss is not treated."""
    loss, rows = problem.instance.loss, problem.samples.rows
    inputs = [row.x for row in rows]
    constants = network.constants(inputs)
    terms = network.terms(inputs)
    weights = tuple(row.weight for row in rows)
    unit = reduction_unit(problem.instance, problem.samples)
    if loss.name == "zero_one":
        return "the loss is zero_one"
    if loss.name == "squared" and loss.reduction == "max":
        return "largest squared loss"
    if loss.name == "hinge":
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
        "squared" if loss.name == "squared" else "max" if loss.reduction == "max" else "sum",
        tuple(int(mpq(v) * scale) for v in wanted),
        labels,
        weights,
        below,
        scale,
        unit * scale**power,
        basis(signed),
    )
