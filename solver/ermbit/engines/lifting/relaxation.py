"""A problem relaxed: its data, and the affine hulls of all outputs (G1).

The outputs are constants plus free combinations of columns; every network has such outputs, and
not all of them are those of a network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gmpy2 import mpq

from ermbit.engines.lifting.hull import Hull, network_hulls
from ermbit.engines.lifting.linear import Vector
from ermbit_encodings.problem import Problem
from ermbit_encodings.samples import Sample, reduction_unit
from ermbit_instances.rational import Rational

SAMPLE_LIMIT = 500
"""Distinct samples."""

WIDTH_LIMIT = 1_500
"""Unknowns of a program."""

_ZERO = mpq(0)


@dataclass(frozen=True)
class Relaxation:
    """The data and the hulls.

    Attributes:
        problem: that they are of.
        inputs: n distinct rows.
        hulls: by output, over these rows.
        rows: for every sample its row.
        unit: L = total / unit for totals with integer weights.
    """

    problem: Problem
    inputs: tuple[Vector, ...]
    hulls: tuple[Hull, ...]
    rows: tuple[int, ...]
    unit: int

    @property
    def samples(self) -> tuple[Sample, ...]:
        return self.problem.samples.rows

    @property
    def width(self) -> int:
        return sum(hull.rank for hull in self.hulls)

    def values(self, amounts: Sequence[Sequence[Rational]]) -> tuple[Vector, ...]:
        """The outputs on the distinct inputs for amounts of the columns, output by output."""
        found = []
        for hull, c in zip(self.hulls, amounts, strict=True):
            used = [(column, a) for column, a in zip(hull.columns, c, strict=True) if a]
            found.append(
                tuple(
                    p + sum((a * column[i] for column, a in used), _ZERO)
                    for i, p in enumerate(hull.constant)
                )
            )
        return tuple(found)

    def loss(self, values: Sequence[Vector]) -> Rational:
        """L of outputs on the distinct inputs, by its definition."""
        loss = self.problem.instance.loss
        costs = [
            s.weight * mpq(loss.sample(tuple(f[i] for f in values), s.y))
            for s, i in zip(self.samples, self.rows, strict=True)
        ]
        return (max(costs) if loss.reduction == "max" else sum(costs, _ZERO)) / self.unit


@dataclass(frozen=True, slots=True)
class Relaxed:
    """Ends of the relaxed minimum.

    Attributes:
        lower: proved: no network has a smaller loss.
        values: outputs on the distinct inputs that are in the hulls.
        loss: of these outputs; equal to ``lower`` for a solved relaxation.
    """

    lower: Rational
    values: tuple[Vector, ...]
    loss: Rational

    @property
    def is_solved(self) -> bool:
        return bool(self.lower == self.loss)


def read_relaxation(problem: Problem) -> Relaxation | str:
    """The relaxation of a problem, or why there is none."""
    network = problem.instance.network
    if problem.is_piecewise_linear:
        return "no activation is a polynomial of degree 2 or more"
    if len(problem.instance.data) > SAMPLE_LIMIT:
        return f"more than {SAMPLE_LIMIT} samples"
    samples = problem.samples.rows
    inputs = tuple(dict.fromkeys(s.x for s in samples))
    place = {x: i for i, x in enumerate(inputs)}
    hulls = network_hulls(network, inputs)
    if isinstance(hulls, str):
        return hulls
    if sum(hull.rank for hull in hulls) > WIDTH_LIMIT:
        return f"more than {WIDTH_LIMIT} unknowns"
    rows = tuple(place[s.x] for s in samples)
    return Relaxation(
        problem, inputs, hulls, rows, reduction_unit(problem.instance, problem.samples)
    )


def restricted(relaxation: Relaxation, hulls: Sequence[Hull]) -> Relaxation:
    """The same data with other hulls."""
    return Relaxation(
        relaxation.problem, relaxation.inputs, tuple(hulls), relaxation.rows, relaxation.unit
    )
