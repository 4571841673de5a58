"""Best halfspaces: one real affine neuron with the provably least number of errors.

All cells of the arrangement of the samples are searched (docs/theory.md D2, D4) by sweeps around
pairs of samples. Under ``max`` the loss is at most t if all samples of weight more than t can be
right at once; t is bisected. What is reported has been recomputed from the samples by rationals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log10
from typing import ClassVar

from gmpy2 import mpq

from ermbit.engines.engine import (
    Budget,
    Capability,
    Engine,
    Expired,
    Incumbent,
    LowerBound,
    Outcome,
    Report,
    Task,
)
from ermbit.engines.error_weights import WeightLevels, total_weight
from ermbit.engines.halfspaces.lines import (
    SAMPLE_LIMIT,
    Arrangement,
    Unit,
    arrangement,
    read_unit,
)
from ermbit_encodings.problem import Problem
from ermbit_encodings.samples import Sample, integer_budget, reduction_unit
from ermbit_instances.errors import InternalError
from ermbit_instances.rational import Rational

WORK_LIMIT = 10**11
"""Vectors in the plane that are swept in all (some hours)."""

NUMBER_BITS = 1_000
"""Bits of the coordinates in the plane; quotients of two of them have to fit a float64."""

SWEPT_PER_SECOND = 8e6

DISAGREEMENT = "the sweeps and the plain evaluation disagree on a loss"


@dataclass(frozen=True, slots=True)
class _Prepared:
    unit: Unit
    rows: tuple[Sample, ...]
    lines: Arrangement
    is_max: bool
    divisor: int

    def loss(self, total: int) -> Rational:
        return mpq(total, self.divisor)

    def total(self, weights: Sequence[Rational]) -> int:
        """The loss of weights of the neuron, times the divisor."""
        wrong = (s.weight for s in self.rows if not self.unit.is_right(s, weights))
        return total_weight(wrong, self.is_max)


class HalfspacesEngine(Engine):
    """Exact halfspace learning by enumeration of the cells of an arrangement."""

    name: ClassVar[str] = "halfspaces"
    summary: ClassVar[str] = "sweeps all halfspaces (zero_one, one real affine neuron)"

    def capability(self, problem: Problem, task: Task) -> Capability:
        prepared = _prepare(problem)
        if isinstance(prepared, str):
            return Capability(False, False, prepared)
        lines = prepared.lines
        rounds = len(prepared.rows).bit_length() if prepared.is_max else 1
        cost = log10(2e-3 + rounds * _work(lines) / SWEPT_PER_SECOND)
        reason = f"{len(lines.vectors)} hyperplanes in {lines.rank} dimensions"
        return Capability(True, True, reason, cost)

    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        prepared = _prepare(problem)
        if isinstance(prepared, str):
            return Outcome("unknown", reason=prepared)
        limit = integer_budget(problem.threshold, prepared.divisor)
        if limit < 0:
            return Outcome("unsat", reason="losses are never negative")
        try:
            found = _at_most(prepared, limit, budget)
        except Expired:
            return Outcome("unknown", reason="time limit")
        if found is None:
            reason = "every cell of the arrangement is worse"
            return Outcome("unsat", reason=reason, statistics=_size(prepared.lines))
        return Outcome("sat", prepared.unit.values(found), statistics=_size(prepared.lines))

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        prepared = _prepare(problem)
        if isinstance(prepared, str):
            return Outcome("unknown", reason=prepared)
        unit, zero = prepared.unit, mpq(0)
        best: tuple[Rational, ...] = (zero,) * len(unit.terms)
        least, lower, finished = prepared.total(best), 0, False
        report(LowerBound(zero))
        report(Incumbent(unit.values(best), prepared.loss(least)))

        def better(weights: tuple[Rational, ...], total: int) -> None:
            nonlocal best, least
            best, least = weights, total
            report(Incumbent(unit.values(best), prepared.loss(least)))

        try:
            if prepared.is_max:
                levels = WeightLevels.of(row.weight for row in prepared.rows)
                while lower < least:
                    level = levels.middle(lower, least)
                    found = _at_most(prepared, level, budget)
                    if found is not None:
                        better(found, prepared.total(found))
                    else:
                        lower = levels.above(level)
                        report(LowerBound(prepared.loss(lower)))
            else:
                for cost, found in _searched(prepared, prepared.lines, least, budget):
                    if prepared.total(found) != cost:
                        raise InternalError(DISAGREEMENT)
                    better(found, cost)
            finished = True
        except Expired:
            pass
        values, size = unit.values(best), _size(prepared.lines)
        if finished or lower == least:
            report(LowerBound(prepared.loss(least)))
            return Outcome("optimal", values, prepared.loss(least), statistics=size)
        return Outcome("feasible", values, prepared.loss(lower), "time limit", size)


def _prepare(problem: Problem) -> _Prepared | str:
    """The arrangement, or why there is no search."""
    unit = read_unit(problem)
    if isinstance(unit, str):
        return unit
    if len(problem.instance.data) > SAMPLE_LIMIT:
        return f"more than {SAMPLE_LIMIT} samples"
    samples = problem.samples
    lines = arrangement(unit, samples.rows, counted=False)
    if isinstance(lines, str):
        return lines
    bits = max((abs(v).bit_length() for vector in lines.vectors for v in vector), default=0)
    if (bits + 1) << max(0, lines.rank - 2) > NUMBER_BITS:
        return "the numbers are too long"
    if _work(lines) > WORK_LIMIT:
        return f"about 10^{log10(_work(lines)):.0f} vectors would have to be swept"
    is_max = problem.instance.loss.reduction == "max"
    divisor = reduction_unit(problem.instance, samples)
    return _Prepared(unit, samples.rows, lines, is_max, divisor)


def _size(lines: Arrangement) -> dict[str, int]:
    return {"hyperplanes": len(lines.vectors), "dimensions": lines.rank}


def _work(lines: Arrangement) -> int:
    """Vectors in the plane that are swept."""
    work: int = len(lines.vectors) ** max(1, lines.rank - 1)
    return work if lines.rank < 4 else work // 2


def _at_most(prepared: _Prepared, limit: int, budget: Budget) -> tuple[Rational, ...] | None:
    """Weights of a total of at most ``limit``, ``None`` if there are none."""
    if prepared.is_max:
        # The heavier samples alone, each for one error, and none allowed.
        heavy = [row for row in prepared.rows if row.weight > limit]
        lines = arrangement(prepared.unit, heavy, counted=True)
        if isinstance(lines, str):
            raise InternalError("fewer samples span more dimensions")
        below, enough = 1, 0
    else:
        lines, below, enough = prepared.lines, sum(r.weight for r in prepared.rows) + 1, limit
    for cost, weights in _searched(prepared, lines, below, budget):
        if cost <= enough:
            if prepared.total(weights) > limit:
                raise InternalError(DISAGREEMENT)
            return weights
    return None


def _searched(
    prepared: _Prepared, lines: Arrangement, below: int, budget: Budget
) -> Iterator[tuple[int, tuple[Rational, ...]]]:
    """Ever better weights with their costs, the best one last."""
    from ermbit.engines.halfspaces.search import improvements

    for cost, u in improvements(lines, below, budget.check):
        yield cost, _scaled(prepared, lines.weights(u))
        if cost == lines.constant:
            return


def _scaled(prepared: _Prepared, weights: tuple[Rational, ...]) -> tuple[Rational, ...]:
    """The weights times a number that gives every sample on its right side the margin."""
    unit = prepared.unit
    if unit.is_sign or unit.margin <= 0:
        return weights
    scores = [
        sum((u * v for u, v in zip(weights, unit.vector(row.x), strict=True)), mpq(0)) * row.y[0]
        for row in prepared.rows
    ]
    least = min((score for score in scores if score > 0), default=mpq(1))
    factor = max(mpq(1), unit.margin / least)
    return tuple(factor * u for u in weights)
