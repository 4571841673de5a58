"""Deciding and minimising by a search over all assignments: what the enumerating engines share.

Such a search knows the least total so far, is told of the limit that still counts, and visits or
rules out every assignment. Every hit is recomputed by the plain integer evaluation.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, Generic, Protocol, TypeAlias, TypeVar

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
from ermbit_encodings.integer_form import IntegerForm
from ermbit_encodings.problem import Problem
from ermbit_instances.errors import InternalError
from ermbit_instances.rational import floor

Found: TypeAlias = Callable[[tuple[int, ...], int], int]
"""Takes integer parameters and their total, which is at most the limit; gives the next limit."""

Raised: TypeAlias = Callable[[int], None]
"""Takes a proved lower bound on all totals."""


class Ended(Exception):
    """The search has its answer before every assignment was ruled out."""


class TotalSearch(Protocol):
    """One search over all assignments."""

    @property
    def statistics(self) -> dict[str, Any]:
        """Numbers worth seeing, of what has been searched."""

    def run(self, limit: int) -> None:
        """Hand on assignments with a total of at most a limit; returns only after all of them.

        Raises:
            Ended: by what it hands on.
            Expired: the deadline has passed.
        """


Start: TypeAlias = Callable[[Found, Raised], TotalSearch]
"""Makes a search from where it hands on its assignments, and its lower bounds if it has any."""


class HasForm(Protocol):
    """What a search starts from."""

    @property
    def form(self) -> IntegerForm:
        """The integer form that the totals are of."""


P = TypeVar("P", bound=HasForm)


class TotalSearchEngine(Engine, Generic[P]):
    """An engine that is a search over all assignments.

    Attributes:
        exhausted: the ground of an ``unsat``.
    """

    exhausted: ClassVar[str]

    @abstractmethod
    def prepare(self, problem: Problem) -> P | str:
        """Everything the search needs, or why there is no search."""

    @abstractmethod
    def claim(self, prepared: P, problem: Problem, task: Task) -> Capability:
        """What the engine says of a problem that it is prepared for."""

    @abstractmethod
    def search(self, prepared: P, budget: Budget, found: Found, raised: Raised) -> TotalSearch:
        """The search, before it runs."""

    def capability(self, problem: Problem, task: Task) -> Capability:
        prepared = self.prepare(problem)
        if isinstance(prepared, str):
            return Capability(False, False, prepared)
        return self.claim(prepared, problem, task)

    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        prepared = self.prepare(problem)
        if isinstance(prepared, str):
            return Outcome("unknown", reason=prepared)
        form, limit = prepared.form, prepared.form.budget(problem.threshold)
        easy = nearest_to_zero(form)
        # So no search is given a limit above all totals, whose width it has proved.
        if form.total(easy) <= limit:
            return Outcome("sat", form.values(easy))
        return decide_total(form, limit, partial(self.search, prepared, budget), self.exhausted)

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        prepared = self.prepare(problem)
        if isinstance(prepared, str):
            return Outcome("unknown", reason=prepared)
        return minimize_total(prepared.form, partial(self.search, prepared, budget), report)


def decide_total(form: IntegerForm, limit: int, start: Start, exhausted: str) -> Outcome:
    """Is there an assignment of a total of at most ``limit``?

    Args:
        form: that the totals are of.
        limit: the integer budget.
        start: makes the search.
        exhausted: the ground of an ``unsat``.
    """
    if limit < 0:
        return Outcome("unsat", reason="losses are never negative")
    best: list[tuple[int, ...]] = []

    def found(parameters: tuple[int, ...], total: int) -> int:
        best.append(_checked(form, parameters, total, (0, limit)))
        raise Ended

    search = start(found, lambda bound: None)
    finished = _finished(search, limit)
    if best:
        return Outcome("sat", form.values(best[-1]), statistics=search.statistics)
    if finished:
        return Outcome("unsat", reason=exhausted, statistics=search.statistics)
    return Outcome("unknown", reason="time limit", statistics=search.statistics)


def minimize_total(form: IntegerForm, start: Start, report: Report) -> Outcome:
    """The least total, from the assignment nearest to zero down.

    Args:
        form: that the totals are of.
        start: makes the search.
        report: is called with every incumbent and lower bound.
    """
    report(LowerBound(form.loss(0)))
    best = nearest_to_zero(form)
    least, lower = form.total(best), 0
    report(Incumbent(form.values(best), form.loss(least)))

    def found(parameters: tuple[int, ...], total: int) -> int:
        nonlocal best, least
        best, least = _checked(form, parameters, total, (lower, least - 1)), total
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
        search = start(found, raised)
        finished = _finished(search, least - 1)
        statistics = search.statistics
    loss = form.loss(least)
    if finished or least == lower:
        report(LowerBound(loss))
        return Outcome("optimal", form.values(best), loss, statistics=statistics)
    return Outcome(
        "feasible", form.values(best), form.loss(lower), "time limit", statistics=statistics
    )


def nearest_to_zero(form: IntegerForm) -> tuple[int, ...]:
    """The value nearest to zero of every domain."""
    parameters = form.instance.network.parameters
    return tuple(
        floor(p.domain.nearest_to_zero() * grid)
        for p, grid in zip(parameters, form.grids, strict=True)
    )


def _finished(search: TotalSearch, limit: int) -> bool:
    """Run a search; whether it came to an end before its time was up."""
    try:
        search.run(limit)
    except Ended:
        pass
    except Expired:
        return False
    return True


def _checked(
    form: IntegerForm, parameters: tuple[int, ...], total: int, asked: tuple[int, int]
) -> tuple[int, ...]:
    """The parameters, if they have the total and it lies where one may still lie."""
    if form.total(parameters) != total:
        raise InternalError("the search and the plain evaluation disagree on a loss")
    if not asked[0] <= total <= asked[1]:
        raise InternalError(f"a search hands on {total}, but {asked[0]} to {asked[1]} is left")
    return parameters
