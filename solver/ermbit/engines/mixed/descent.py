"""Minimisation of mixed programs: cell by cell where that is linear, by bisection elsewhere."""

from __future__ import annotations

from typing import Any

from gmpy2 import mpq

from ermbit.engines.engine import Budget, Incumbent, LowerBound, Outcome, Report
from ermbit.engines.mixed.search import Candidate, MixedSolver, candidate, search
from ermbit.engines.mixed.z3_backend import TIMEOUT_LIMIT, Z3Program
from ermbit_encodings.mixed import MixedEncoding
from ermbit_encodings.mixed.program import MixedProgram, Row, constant, evaluate, subtract
from ermbit_encodings.problem import Problem
from ermbit_instances.certificate import Value
from ermbit_instances.errors import InternalError
from ermbit_instances.rational import Rational, ceil, floor, simplest_between

NARROW = mpq(1, 10**6)
"""Relative gap at which narrowing stops and the minimum is guessed."""


class Descent:
    """Minimisation of a mixed program: every model opens a cell whose exact minimum comes next.

    A model fixes all Booleans; what remains is a linear program, solved exactly. Then only values
    strictly below are asked for. Finitely many cells exist, so the descent ends. A minimum that a
    strict constraint keeps from being attained is detected by asking for "≤ m" once it is reached
    (docs/theory.md K3). With squares or a finite grid, budgets are bisected instead.
    """

    def __init__(
        self,
        problem: Problem,
        encoding: MixedEncoding,
        solver: MixedSolver,
        budget: Budget,
        report: Report,
    ) -> None:
        self.problem = problem
        self.encoding = encoding
        self.budget = budget
        self.report = report
        self.solver = solver
        self.best: Candidate | None = None
        self.lower = mpq(0)
        self.unit = encoding.budget(mpq(1))

    def run(self) -> Outcome:
        status, found, reason = self._ask(None, strict=False)
        if status != "sat" or found is None:
            return Outcome("unknown", lower_bound=mpq(0), reason=reason or "no certificate")
        self._better(found)
        self.report(LowerBound(mpq(0)))
        discrete = self._loss_unit()
        if discrete is not None:
            return self._bisect(discrete)
        refined = self.encoding.problem is not self.problem
        if refined or self.encoding.objective.squares or not self.encoding.is_linear:
            return self._narrow()
        return self._descend()

    def _loss_unit(self) -> int | None:
        """Q if all attainable losses are multiples of 1/Q, else ``None``."""
        if self.problem.instance.loss.name == "zero_one":
            return int(self.unit.numerator)
        return None if self.problem.integer is None else self.problem.integer.loss_unit

    def _ask(self, limit: Rational | None, *, strict: bool) -> tuple[str, Candidate | None, str]:
        """Is there θ with loss ≤ limit (< if strict)? ``None``: any θ at all."""
        self.solver.push()
        try:
            if limit is not None:
                self._bound(limit, strict)
            return search(self.solver, self.encoding, self.problem, limit, strict=strict)
        finally:
            self.solver.pop()

    def _bound(self, limit: Rational, strict: bool) -> None:
        # Asserted in the solver only: the program itself must not remember a passing bound.
        total = limit * self.unit
        objective, solver = self.encoding.objective, self.solver
        relation: Any = "<" if strict else "<="
        for term in objective.terms:
            solver.add(solver.atom(subtract(term, constant(total)), relation))
        if objective.wrong:
            whole = ceil(total) - 1 if strict else floor(total)
            weights = [w for w, _ in objective.wrong]
            literals = [p for _, p in objective.wrong]
            if objective.largest:
                for w, p in objective.wrong:
                    if w > whole:
                        solver.add(solver.literal(-p))
            else:
                solver.add(solver.at_most(weights, literals, whole))

    def _better(self, found: Candidate) -> None:
        if self.best is None or found.loss < self.best.loss:
            self.best = found
            loss = found.loss
            self.report(Incumbent(found.values, loss if isinstance(loss, mpq) else None))

    def _raise(self, bound: Rational) -> None:
        if bound > self.lower:
            self.lower = bound
            self.report(LowerBound(bound))

    def _end(self, reason: str) -> Outcome:
        assert self.best is not None
        if self.best.loss == self.lower:
            return Outcome("optimal", self.best.values, self.lower)
        return Outcome("feasible", self.best.values, self.lower, reason=reason)

    def _bisect(self, unit: int) -> Outcome:
        """Attainable losses are integers over ``unit``: close the gap between the two ends."""
        assert self.best is not None and isinstance(self.best.loss, mpq)
        low, high = 0, int((self.best.loss * unit).numerator)
        while low < high:
            target = (low + high - 1) // 2 if high - low > 2 else high - 1
            status, found, reason = self._ask(mpq(target, unit), strict=False)
            if status == "sat" and found is not None:
                self._better(found)
                assert isinstance(self.best.loss, mpq)
                high = int((self.best.loss * unit).numerator)
            elif status == "unsat":
                low = target + 1
                self._raise(mpq(low, unit))
            else:
                return self._end(reason)
        return self._end("")

    def _descend(self) -> Outcome:
        assert self.best is not None
        while self.best.loss > self.lower:
            limit = self.best.loss
            assert isinstance(limit, mpq)
            self.solver.push()
            self._bound(limit, strict=True)
            answer = self.solver.check()
            model = self.solver.model() if answer == "sat" else None
            self.solver.pop()
            if answer == "unsat":
                self._raise(limit)
                break
            if model is None:
                return self._end("stopped before optimality was proved")
            truths, reals = model
            self._accept(truths, reals)
            cell = self._cell_minimum(truths)
            if cell is None:
                return self._end("stopped inside a cell")
            least, corner = cell
            if self._is_attained(truths, corner):
                self._accept(truths, corner)
                if self.best.loss > least:
                    raise InternalError(f"the cell's minimum {least} decodes to a greater loss")
                continue
            status, found, reason = self._ask(least, strict=False)
            if status == "sat" and found is not None:
                self._better(found)
            elif status == "unsat":
                # Approached inside this cell, attained nowhere, and nothing is lower.
                self._raise(least)
                return Outcome(
                    "infimum",
                    self.best.values,
                    least,
                    reason="the infimum is approached but not attained",
                )
            else:
                return self._end(reason)
        return self._end("")

    def _accept(self, truths: list[bool], reals: list[Any]) -> None:
        found = candidate(self.encoding, truths, reals, self.problem)
        if not isinstance(found, Candidate):
            raise InternalError("a model of an exact encoding lies outside the domains")
        self._better(found)

    def _is_attained(self, truths: list[bool], corner: list[Any]) -> bool:
        """Whether a point of the closed cell meets its strict constraints too."""
        return all(
            evaluate(row.polynomial, corner) < 0
            for row in self.encoding.program.rows
            if row.relation == "<" and _is_active(row, truths)
        )

    def _cell_minimum(self, truths: list[bool]) -> tuple[Rational, list[Any]] | None:
        """Least loss over the closure of the cell that a model's Booleans fix, by an exact LP.

        With it goes a point that attains it, by real unknowns.
        """
        import z3

        program = self.encoding.program
        # Linear programs go to z3 whatever solver opened the cell.
        rows = Z3Program(MixedProgram(reals=program.reals), self.budget, linear=True)
        cell = z3.Optimize(ctx=rows.context)
        if self.budget.remaining is not None:
            cell.set("timeout", min(max(1, int(self.budget.remaining * 1000)), TIMEOUT_LIMIT))
        for row in program.rows:
            if _is_active(row, truths):
                relation = "<=" if row.relation == "<" else row.relation
                cell.add(rows.atom(row.polynomial, relation))
        goal = z3.Real("total", rows.context)
        for term in self.encoding.objective.terms:
            cell.add(rows.term(term) <= goal)
        cell.add(goal >= 0)
        cell.minimize(goal)
        if str(cell.check()) != "sat":
            return None
        corner = rows.numbers(cell.model())
        self._check_corner(truths, corner)
        value = max([mpq(0), *(evaluate(t, corner) for t in self.encoding.objective.terms)])
        return value / self.unit, corner

    def _check_corner(self, truths: list[bool], corner: list[Any]) -> None:
        """The corner's value is taken as a limit of losses: it must lie in the closed cell."""
        for row in self.encoding.program.rows:
            if not _is_active(row, truths):
                continue
            value = evaluate(row.polynomial, corner)
            if value > 0 or (row.relation == "==" and value != 0):
                raise InternalError("the optimum of a cell lies outside its closure")

    def _narrow(self) -> Outcome:
        """Shrink the gap by a fixed share each time, then try to close it."""
        assert self.best is not None
        while True:
            high = self._rational_above(self.best.loss)
            gap = high - self.lower
            if gap <= 0:
                return self._end("")
            if gap < NARROW * max(high, mpq(1)):
                return self._settle(simplest_between(self.lower, high))
            # The simplest number near the middle: bounds of many digits slow everything down.
            limit = simplest_between(self.lower + gap * 3 / 8, self.lower + gap * 5 / 8)
            status, found, reason = self._ask(limit, strict=False)
            if status == "sat" and found is not None:
                self._better(found)
            elif status == "unsat":
                self._raise(limit)
            else:
                return self._end(reason)

    @staticmethod
    def _rational_above(loss: Value) -> Rational:
        return loss if isinstance(loss, mpq) else loss.bounds(64)[1]

    def _settle(self, guess: Rational) -> Outcome:
        """Try to prove that ``guess``, else the incumbent, is the minimum: nothing lies below."""
        assert self.best is not None
        status, found, reason = self._ask(guess, strict=False)
        if status == "sat" and found is not None:
            self._better(found)
        elif status == "unsat":
            self._raise(guess)
        finite = self.problem.assignments is not None
        while isinstance(self.best.loss, mpq) and self.lower < self.best.loss:
            status, found, reason = self._ask(self.best.loss, strict=True)
            if status == "unsat":
                self._raise(self.best.loss)
            elif status == "sat" and found is not None:
                self._better(found)
            if status != "sat" or not finite:
                break
        return self._end(reason or "the exact minimum was not found, only enclosed")


def _is_active(row: Row, truths: list[bool]) -> bool:
    """Whether a row's guards are all true."""
    return all(truths[g] if g > 0 else not truths[-g] for g in row.guards)
