"""Dichotomies: exact training of one hidden layer of two-valued units (``step``, ``sign``) over ℝ.

A real unit matters only through the set of samples on which it is on, and N points allow finitely
many sets, O(N^d) (Cover 1965; docs/theory.md D2, D3). All are listed, degenerate ones included; for
every choice of one set a unit the rest is a convex program or a system of signs, solved exactly.
Choices are tried in the order of a bound that is computed for many at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import comb, log10, prod
from typing import ClassVar

from ermbit.engines.dichotomies.prepared import CHOICE_LIMIT, ORDERS, Kind, Prepared, prepare
from ermbit.engines.engine import (
    Budget,
    Capability,
    Engine,
    Outcome,
    Report,
    Task,
)
from ermbit.engines.real_incumbents import RealIncumbents
from ermbit_encodings.problem import Problem


class DichotomiesEngine(Engine):
    """All dichotomies of real two-valued units, and the best outer weights for them."""

    name: ClassVar[str] = "dichotomies"
    summary: ClassVar[str] = "lists dichotomies of real step and sign units (one hidden layer)"

    def capability(self, problem: Problem, task: Task) -> Capability:
        prepared = prepare(problem)
        if isinstance(prepared, str):
            return Capability(False, False, prepared)
        sizes = [_pattern_count(kind) for kind in prepared.kinds]
        # All products are gone through, other orders of alike units only to be left out.
        count = max(_choice_estimate(sizes, prepared.numbers), prod(sizes) // ORDERS)
        if count > CHOICE_LIMIT:
            return Capability(False, False, f"about 10^{log10(count):.0f} choices are too many")
        cost = _cost(prepared, sizes, count)
        if prepared.network.relaxed:
            reason = "real relaxation of the domains: unsat carries over"
            return Capability(True, False, reason, cost)
        reason = f"{len(sizes)} two-valued units, about {max(sizes)} dichotomies"
        return Capability(True, True, reason, cost)

    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        if problem.threshold < 0:
            return Outcome("unsat", reason="losses are never negative")
        prepared = prepare(problem)
        if isinstance(prepared, str):
            return Outcome("unknown", reason=prepared)
        from ermbit.engines.dichotomies.run import Run

        known = RealIncumbents(problem.instance, report)
        return Run(prepared, budget, known).decide(problem.threshold)

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        prepared = prepare(problem)
        if isinstance(prepared, str):
            return Outcome("unknown", reason=prepared)
        from ermbit.engines.dichotomies.run import Run

        known = RealIncumbents(problem.instance, report)
        return Run(prepared, budget, known).minimize()


def _pattern_count(kind: Kind) -> int:
    """An estimate of the number of dichotomies (Cover 1965; halved by complements)."""
    from ermbit.engines.dichotomies.patterns import arrangement_size

    points, rank = arrangement_size(kind.columns, kind.fixed)
    return max(1, sum(comb(max(0, points - 1), i) for i in range(rank)))


def _choice_estimate(sizes: Sequence[int], numbers: Sequence[int]) -> int:
    from ermbit.engines.dichotomies.search import choice_count

    return choice_count(sizes, numbers)


def _cost(prepared: Prepared, sizes: Sequence[int], count: int) -> float:
    """log10 of the seconds: listing, bounding all choices twice, fitting some of them."""
    samples = len(prepared.fixed)
    listing = sum(3e-5 * size * (1 + samples / 20) for size in set(sizes))
    bounding = 8e-9 * count * samples * (1 << len(sizes))
    fitting = 4e-3 * min(count, 30 + count**0.55)
    return log10(0.01 + listing + bounding + fitting)
