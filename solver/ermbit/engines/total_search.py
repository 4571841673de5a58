"""Deciding and minimising by a search over all assignments: what the enumerating engines share.

Such a search knows the least total so far, is told of the limit that still counts, and visits or
rules out every assignment. Every hit is recomputed by the plain integer evaluation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from ermbit.engines.engine import Incumbent, LowerBound, Outcome, Report
from ermbit_encodings.integer_form import IntegerForm
from ermbit_instances.errors import InternalError

Found: TypeAlias = Callable[[tuple[int, ...], int], int]
"""Takes integer parameters and their total, which is at most the limit; gives the next limit."""


class Ended(Exception):
    """The search has its answer before every assignment was ruled out."""


class Run(Protocol):
    """One search over all assignments.

    ``raised`` may be called with proved lower bounds on all totals. The result: statistics, and
    whether no assignment of a total up to the limit was left out. ``found`` may raise
    :class:`Ended`, which is such an end as well.
    """

    def __call__(
        self, limit: int, found: Found, raised: Callable[[int], None]
    ) -> tuple[dict[str, Any], bool]: ...


def decide_total(form: IntegerForm, limit: int, run: Run, exhausted: str) -> Outcome:
    """Is there an assignment of a total of at most ``limit``?

    Args:
        form: that the totals are of.
        limit: the integer budget.
        run: the search.
        exhausted: the ground of an ``unsat``.
    """
    if limit < 0:
        return Outcome("unsat", reason="losses are never negative")
    best: list[tuple[int, ...]] = []

    def found(parameters: tuple[int, ...], total: int) -> int:
        best.append(_checked(form, parameters, total))
        raise Ended

    statistics, finished = run(limit, found, lambda bound: None)
    if best:
        return Outcome("sat", form.values(best[-1]), statistics=statistics)
    if finished:
        return Outcome("unsat", reason=exhausted, statistics=statistics)
    return Outcome("unknown", reason="time limit", statistics=statistics)


def minimize_total(form: IntegerForm, start: tuple[int, ...], run: Run, report: Report) -> Outcome:
    """The least total.

    Args:
        form: that the totals are of.
        start: some assignment, to begin with.
        run: the search.
        report: is called with every incumbent and lower bound.
    """
    report(LowerBound(form.loss(0)))
    best, least, lower = start, form.total(start), 0
    report(Incumbent(form.values(best), form.loss(least)))

    def found(parameters: tuple[int, ...], total: int) -> int:
        nonlocal best, least
        best, least = _checked(form, parameters, total), total
        report(Incumbent(form.values(best), form.loss(least)))
        if least <= lower:
            raise Ended
        return least - 1

    def raised(bound: int) -> None:
        nonlocal lower
        lower = max(lower, min(bound, least))
        report(LowerBound(form.loss(lower)))

    statistics: dict[str, Any] = {}
    finished = True
    if least > 0:
        statistics, finished = run(least - 1, found, raised)
    loss = form.loss(least)
    if finished or least == lower:
        report(LowerBound(loss))
        return Outcome("optimal", form.values(best), loss, statistics=statistics)
    return Outcome(
        "feasible", form.values(best), form.loss(lower), "time limit", statistics=statistics
    )


def _checked(form: IntegerForm, parameters: tuple[int, ...], total: int) -> tuple[int, ...]:
    if form.total(parameters) != total:
        raise InternalError("the search and the plain evaluation disagree on a loss")
    return parameters
