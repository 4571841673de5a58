"""Minimisation of mixed programs: cell by cell where that is linear, by bisection elsewhere."""

from __future__ import annotations

from typing import Any

from gmpy2 import mpq

from ermbit_encodings.mixed import MixedEncoding
from ermbit_encodings.mixed.program import constant, subtract
from ermbit_encodings.problem import Problem
from ermbit_instances.errors import InternalError
from ermbit_instances.rational import Rational, ceil, floor, simplest_between

from ermbit.engines.engine import Budget, Incumbent, LowerBound, Outcome, Report
from ermbit.engines.mixed_search import Candidate, candidate, search
from ermbit.engines.z3_backend import Z3Program, number


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
        budget: Budget,
        report: Report,
        *,
        linear: bool,
    ) -> None:
        self.problem = problem
        self.encoding = encoding
        self.budget = budget
        self.report = report
        self.solver = Z3Program(encoding.program, budget, linear=linear)
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
        if self.encoding.objective.squares or not self.encoding.program.is_linear:
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
            bound = limit
            if bound is None:
                return self._any()
            return search(self.solver, self.encoding, self.problem, bound, strict=strict)
        finally:
            self.solver.pop()

    def _any(self) -> tuple[str, Candidate | None, str]:
        if self.solver.check() != "sat":
            return "unknown", None, "stopped before the first certificate"
        truths, reals = self.solver.model()
        try:
            found = candidate(self.encoding, truths, reals, self.problem)
        except OverflowError as error:
            return "unknown", None, str(error)
        if found is None:
            return "unknown", None, "a solution of the relaxation lies outside the domains"
        return "sat", found, ""

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
            least = self._cell_minimum(truths)
            if least is None:
                return self._end("stopped inside a cell")
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
        if found is None:
            raise InternalError("a model of an exact encoding lies outside the domains")
        self._better(found)

    def _cell_minimum(self, truths: list[bool]) -> Rational | None:
        """Least loss over the closure of the cell that a model's Booleans fix: an exact LP."""
        import z3

        program, solver = self.encoding.program, self.solver
        cell = z3.Optimize()
        if self.budget.remaining is not None:
            cell.set("timeout", max(1, int(self.budget.remaining * 1000)))
        for row in program.rows:
            if all(truths[g] if g > 0 else not truths[-g] for g in row.guards):
                relation = "<=" if row.relation == "<" else row.relation
                cell.add(solver.atom(row.polynomial, relation))
        goal = z3.Real("total")
        for term in self.encoding.objective.terms:
            cell.add(solver.term(term) <= goal)
        cell.add(goal >= 0)
        cell.minimize(goal)
        if str(cell.check()) != "sat":
            return None
        value = number(cell.model().eval(goal, model_completion=True))
        if not isinstance(value, mpq):
            return None
        return value / self.unit

    def _narrow(self) -> Outcome:
        """Squares over the reals: halve the gap, trying the simplest value inside as the optimum."""
        assert self.best is not None
        tolerance = mpq(1, 10**6)
        while True:
            high = self.best.loss
            if not isinstance(high, mpq):
                return self._end("the incumbent's loss is irrational")
            gap = high - self.lower
            if gap == 0:
                return self._end("")
            if gap < tolerance * max(high, mpq(1)):
                return self._settle(simplest_between(self.lower, high))
            status, found, reason = self._ask(self.lower + gap / 2, strict=False)
            if status == "sat" and found is not None:
                self._better(found)
            elif status == "unsat":
                self._raise(self.lower + gap / 2)
            else:
                return self._end(reason)

    def _settle(self, guess: Rational) -> Outcome:
        """Try to prove that ``guess`` is the minimum: attained, and nothing below."""
        status, found, reason = self._ask(guess, strict=False)
        if status == "sat" and found is not None:
            self._better(found)
        status, _, reason = self._ask(guess, strict=True)
        if status == "unsat":
            self._raise(guess)
        return self._end(reason or "the exact minimum was not found, only enclosed")
