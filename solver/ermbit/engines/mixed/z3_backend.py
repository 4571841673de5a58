"""A mixed program in z3: rows and clauses in, truth values and exact numbers out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from gmpy2 import mpq, mpz

from ermbit.engines.engine import Budget
from ermbit_encodings.mixed.program import MixedProgram, Polynomial, Relation
from ermbit_instances.certificate import Value
from ermbit_instances.rational import Rational

PB_LIMIT = 2**31 - 1
"""Largest coefficient of z3's pseudo-Boolean constraints."""

TIMEOUT_LIMIT = 2**31
"""Longest timeout that z3 can be given, in milliseconds."""


class Z3Program:
    """A z3 solver that holds a :class:`MixedProgram` and may grow with it.

    Args:
        program: the program; :meth:`sync` passes on what was added to it since.
        budget: deadline, memory and seed.
        linear: use the solver for linear arithmetic, else the one for nonlinear arithmetic.
    """

    def __init__(self, program: MixedProgram, budget: Budget, *, linear: bool) -> None:
        import z3

        self._z3 = z3
        self._program = program
        self._budget = budget
        self._linear = linear
        # Of its own: what a process did in z3 before would change the course of the search.
        self.context = z3.Context()
        if linear:
            self.solver = z3.SimpleSolver(ctx=self.context)
            self.solver.set("random_seed", budget.seed)
        else:
            self.solver = z3.SolverFor("QF_NRA", ctx=self.context)
        self._bools: list[Any] = [None]
        self._reals: list[Any] = []
        self._done = [0, 0, 0]
        self._levels: list[list[int]] = []
        self.sync()

    def sync(self) -> None:
        """Declare new unknowns and assert new constraints."""
        z3, program = self._z3, self._program
        while len(self._bools) <= program.booleans:
            self._bools.append(z3.Bool(f"p{len(self._bools)}", self.context))
        while len(self._reals) < program.reals:
            self._reals.append(z3.Real(f"r{len(self._reals)}", self.context))
        clauses, rows, bounds = self._done
        for clause in program.clauses[clauses:]:
            literals = [self.literal(p) for p in clause]
            self.solver.add(z3.Or(literals) if literals else z3.BoolVal(False, self.context))
        for row in program.rows[rows:]:
            atom = self.atom(row.polynomial, row.relation)
            if row.guards:
                atom = z3.Or([self.literal(-g) for g in row.guards] + [atom])
            self.solver.add(atom)
        for bound in program.pseudo_booleans[bounds:]:
            self.solver.add(self.at_most(bound.weights, bound.literals, bound.bound))
        self._done = [len(program.clauses), len(program.rows), len(program.pseudo_booleans)]

    def literal(self, literal: int) -> Any:
        return self._bools[literal] if literal > 0 else self._z3.Not(self._bools[-literal])

    def at_most(self, weights: Sequence[int], literals: Sequence[int], bound: int) -> Any:
        """Σ weights·literals ≤ bound."""
        z3 = self._z3
        pairs = [(self.literal(p), w) for w, p in zip(weights, literals, strict=True)]
        if not pairs:
            return z3.BoolVal(bound >= 0, self.context)
        # The nonlinear solver gives up on pseudo-Boolean constraints.
        if self._linear and max((bound, *weights)) <= PB_LIMIT:
            return z3.PbLe(pairs, bound)
        terms = [z3.If(p, self.value(w), self.value(0)) for p, w in pairs]
        return z3.Sum(terms) <= self.value(bound)

    def value(self, c: Rational | int) -> Any:
        return self._z3.RealVal(str(c), self.context)

    def atom(self, polynomial: Polynomial, relation: Relation) -> Any:
        """polynomial ⋈ 0.

        For the nonlinear solver the newest unknown that enters linearly stands alone on one side:
        so its preprocessing recognises definitions and bounds, which it does not in sums that are
        compared with 0. That decides within a second what else takes minutes.
        """
        defined = None if self._linear else _newest_linear(polynomial)
        if defined is not None:
            c = polynomial[(defined,)]
            rest = self.term({m: -a / c for m, a in polynomial.items() if m != (defined,)})
            left = self._reals[defined]
            if relation == "==":
                return left == rest
            if relation == "<=":
                return left <= rest if c > 0 else left >= rest
            return left < rest if c > 0 else left > rest
        term = self.term(polynomial)
        if relation == "==":
            return term == 0
        return term <= 0 if relation == "<=" else term < 0

    def term(self, polynomial: Polynomial) -> Any:
        z3 = self._z3
        parts = []
        for monomial, c in polynomial.items():
            factors = [self._reals[v] for v in monomial]
            number = self.value(c)
            if not factors:
                parts.append(number)
                continue
            product = factors[0]
            for factor in factors[1:]:
                product = product * factor
            parts.append(product if c == 1 else number * product)
        if not parts:
            return self.value(0)
        return z3.Sum(parts) if len(parts) > 1 else parts[0]

    def check(self, *assumptions: Any) -> Literal["sat", "unsat", "unknown"]:
        """Decide what is asserted, under assumptions, within the deadline."""
        remaining = self._budget.remaining
        if remaining is not None:
            if remaining <= 0:
                return "unknown"
            self.solver.set("timeout", min(max(1, int(remaining * 1000)), TIMEOUT_LIMIT))
        answer = str(self.solver.check(*assumptions))
        if answer == "sat":
            return "sat"
        return "unsat" if answer == "unsat" else "unknown"

    @property
    def reason(self) -> str:
        """Why the last check was unknown."""
        if self._budget.expired:
            return "stopped at the deadline"
        return f"z3 gave up: {self.solver.reason_unknown()}"

    def push(self) -> None:
        self._levels.append(list(self._done))
        self.solver.push()

    def pop(self) -> None:
        """Undo to the last push; what :meth:`sync` asserted since is asserted again when asked."""
        self.solver.pop()
        self._done = self._levels.pop()

    def add(self, *constraints: Any) -> None:
        self.solver.add(*constraints)

    def model(self) -> tuple[list[bool], list[Value]]:
        """Truth values (index 0 unused) and reals of the last model, exact."""
        model = self.solver.model()
        return self.truths(model), self.numbers(model)

    def truths(self, model: Any) -> list[bool]:
        z3 = self._z3
        return [False] + [
            z3.is_true(model.eval(b, model_completion=True)) for b in self._bools[1:]
        ]

    def numbers(self, model: Any) -> list[Value]:
        return [number(model.eval(r, model_completion=True)) for r in self._reals]


def _newest_linear(polynomial: Polynomial) -> int | None:
    """The last unknown that occurs in one monomial only, and there alone; ``None`` without one."""
    elsewhere = {v for monomial in polynomial if len(monomial) > 1 for v in monomial}
    alone = [m[0] for m in polynomial if len(m) == 1 and m[0] not in elsewhere]
    return max(alone, default=None)


def number(value: Any) -> Value:
    """A z3 numeral as an exact rational or algebraic number."""
    import z3

    if isinstance(value, z3.AlgebraicNumRef):
        return _algebraic(value)
    return mpq(mpz(value.numerator().as_string()), mpz(value.denominator().as_string()))


def _algebraic(value: Any) -> Value:
    from math import lcm

    from ermbit_instances.algebraic import algebraic

    coefficients = [
        mpq(mpz(c.numerator().as_string()), mpz(c.denominator().as_string()))
        for c in value.poly()
    ]
    unit = lcm(*(int(c.denominator) for c in coefficients))
    integers = [int((c * unit).numerator) for c in coefficients]
    # approx(k) lies within 10^-k of the number; widen until exactly one root is inside.
    digits = 10
    while True:
        centre: Rational = number(value.approx(digits))
        radius = mpq(1, 10**digits)
        try:
            return algebraic(integers, centre - radius, centre + radius)
        except ValueError:
            if digits > 400:
                raise
            digits *= 2
