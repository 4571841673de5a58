"""Contradictions over the reals, found by z3: in linear arithmetic, or in nonlinear arithmetic.

Only ``unsat`` counts. In linear arithmetic every monomial is an unknown of its own, ≥ 0 if it is a
square: a relaxation.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from gmpy2 import mpq

from ermbit.engines.elimination.ring import Polynomial, from_dense
from ermbit.engines.elimination.system import Solver, System
from ermbit.engines.patience import patient_check
from ermbit_instances.domain import Domain
from ermbit_instances.integer_polynomials import from_fmpq
from ermbit_instances.rational import Rational

TERMS = 200
"""Terms of a polynomial past which it is left out: of a conjunction, so less is refuted."""


class RealArithmetic:
    """Asks z3, in a context of its own.

    Args:
        domains: of the parameters; their ends are conditions.
    """

    def __init__(self, domains: tuple[Domain, ...]) -> None:
        self._domains = domains
        self._ends: dict[int, tuple[Rational, Rational] | None] = {}

    @cached_property
    def _z3(self) -> Any:
        import z3

        return z3

    @cached_property
    def _context(self) -> Any:
        return self._z3.Context()

    def linear_contradiction(self, system: System) -> bool:
        """Whether signs and equations contradict each other, monomials taken apart."""
        z3 = self._z3
        solver = z3.SimpleSolver(ctx=self._context)
        names: dict[tuple[int, ...], Any] = {}

        def term(polynomial: Polynomial) -> Any:
            parts = []
            for exponents, c in polynomial.to_dict().items():
                key = tuple(map(int, exponents))
                value = self._value(from_fmpq(c))
                if not any(key):
                    parts.append(value)
                    continue
                if key not in names:
                    names[key] = z3.Real(f"m{len(names)}", self._context)
                parts.append(value * names[key])
            return z3.Sum(parts)

        self._state(solver, system, term)
        for key, name in names.items():
            if all(power % 2 == 0 for power in key):
                solver.add(name >= 0)
            elif sum(key) == 1:
                ends = self._bounds(key.index(1))
                if ends is not None:
                    solver.add(name >= self._value(ends[0]), name <= self._value(ends[1]))
        return str(solver.check()) == "unsat"

    def contradiction(self, system: System, solver: Solver, milliseconds: int) -> bool:
        """Whether the system has no solution over the reals, if that is found in time."""
        z3 = self._z3
        decider = z3.SolverFor("QF_NRA", ctx=self._context)
        names: dict[int, Any] = {}

        def term(polynomial: Polynomial) -> Any:
            parts = []
            for exponents, c in polynomial.to_dict().items():
                product = self._value(from_fmpq(c))
                for number, power in enumerate(map(int, exponents)):
                    if power and number not in names:
                        names[number] = z3.Real(f"t{number}", self._context)
                    for _ in range(power):
                        product = product * names[number]
                parts.append(product)
            return z3.Sum(parts)

        self._state(decider, system, term)
        for polynomial in system.nonzero:
            decider.add(term(polynomial) != 0)
        for number, root in system.roots:
            if number in names:
                decider.add(term(from_dense(solver.ring, root.coefficients, number)) == 0)
                decider.add(names[number] >= self._value(root.cell.lower))
                decider.add(names[number] <= self._value(root.cell.upper))
        for number, name in names.items():
            ends = self._bounds(number)
            if ends is not None:
                decider.add(name >= self._value(ends[0]), name <= self._value(ends[1]))
        return patient_check(decider, milliseconds) == "unsat"

    def _state(self, solver: Any, system: System, term: Any) -> None:
        for polynomial, strict in system.conditions:
            if len(polynomial) <= TERMS:
                solver.add(term(polynomial) > 0 if strict else term(polynomial) >= 0)
        for polynomial in system.equations:
            if len(polynomial) <= TERMS:
                solver.add(term(polynomial) == 0)

    def _bounds(self, number: int) -> tuple[Rational, Rational] | None:
        if number not in self._ends:
            low, high = self._domains[number].low, self._domains[number].high
            self._ends[number] = None if low is None or high is None else (low, high)
        return self._ends[number]

    def _value(self, c: Rational) -> Any:
        return self._z3.RealVal(str(mpq(c)), self._context)
