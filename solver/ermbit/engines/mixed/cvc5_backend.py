"""A mixed program in cvc5, with the coverings procedure for nonlinear arithmetic."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

from gmpy2 import mpq

from ermbit.engines.engine import Budget
from ermbit_encodings.mixed.program import MixedProgram, Polynomial, Relation
from ermbit_instances.certificate import Value
from ermbit_instances.rational import parse_rational

_TERM = re.compile(r"(-?[0-9]+)(\*x(?:\^([0-9]+))?)?")


class Cvc5Program:
    """A cvc5 solver that holds a :class:`MixedProgram`; the same interface as ``Z3Program``.

    The deadline is that of the whole run: cvc5 takes its time limit once, per check.
    """

    def __init__(self, program: MixedProgram, budget: Budget) -> None:
        import cvc5

        self._kinds = cvc5.Kind
        self._terms = cvc5.TermManager()
        self._solver = cvc5.Solver(self._terms)
        options = {"produce-models": "true", "incremental": "true", "nl-cov": "true"}
        if budget.remaining is not None:
            options["tlimit-per"] = str(max(1, int(budget.remaining * 1000)))
        options["seed"] = str(budget.seed % 2**31)
        for name, value in options.items():
            self._solver.setOption(name, value)
        self._solver.setLogic("QF_NRA")
        self._program = program
        self._budget = budget
        self._real = self._terms.getRealSort()
        self._bools: list[Any] = [None]
        self._reals: list[Any] = []
        self._done = [0, 0, 0]
        self._levels: list[list[int]] = []
        self._reason = ""
        self.sync()

    def sync(self) -> None:
        """Declare new unknowns and assert new constraints."""
        program, terms = self._program, self._terms
        while len(self._bools) <= program.booleans:
            self._bools.append(terms.mkConst(terms.getBooleanSort(), f"p{len(self._bools)}"))
        while len(self._reals) < program.reals:
            self._reals.append(terms.mkConst(self._real, f"r{len(self._reals)}"))
        clauses, rows, bounds = self._done
        for clause in program.clauses[clauses:]:
            self.add(self._or([self.literal(p) for p in clause]))
        for row in program.rows[rows:]:
            atom = self.atom(row.polynomial, row.relation)
            self.add(self._or([self.literal(-g) for g in row.guards] + [atom]))
        for bound in program.pseudo_booleans[bounds:]:
            self.add(self.at_most(bound.weights, bound.literals, bound.bound))
        self._done = [len(program.clauses), len(program.rows), len(program.pseudo_booleans)]

    def _or(self, parts: list[Any]) -> Any:
        if not parts:
            return self._terms.mkFalse()
        return parts[0] if len(parts) == 1 else self._terms.mkTerm(self._kinds.OR, *parts)

    def literal(self, literal: int) -> Any:
        term = self._bools[abs(literal)]
        return term if literal > 0 else self._terms.mkTerm(self._kinds.NOT, term)

    def at_most(self, weights: Sequence[int], literals: Sequence[int], bound: int) -> Any:
        """Σ weights·literals ≤ bound, as a sum of conditionals."""
        terms, kinds = self._terms, self._kinds
        zero = terms.mkReal(0)
        parts = [
            terms.mkTerm(kinds.ITE, self.literal(p), terms.mkReal(w), zero)
            for w, p in zip(weights, literals, strict=True)
        ]
        total = self._sum(parts)
        return terms.mkTerm(kinds.LEQ, total, terms.mkReal(bound))

    def _sum(self, parts: list[Any]) -> Any:
        if not parts:
            return self._terms.mkReal(0)
        return parts[0] if len(parts) == 1 else self._terms.mkTerm(self._kinds.ADD, *parts)

    def atom(self, polynomial: Polynomial, relation: Relation) -> Any:
        """polynomial ⋈ 0."""
        kinds = self._kinds
        kind = {"==": kinds.EQUAL, "<=": kinds.LEQ, "<": kinds.LT}[relation]
        return self._terms.mkTerm(kind, self.term(polynomial), self._terms.mkReal(0))

    def term(self, polynomial: Polynomial) -> Any:
        parts = []
        for monomial, c in polynomial.items():
            factors = [self._reals[v] for v in monomial]
            if c != 1 or not factors:
                factors.insert(0, self._terms.mkReal(str(c)))
            parts.append(
                factors[0]
                if len(factors) == 1
                else self._terms.mkTerm(self._kinds.MULT, *factors)
            )
        return self._sum(parts)

    def check(self) -> Literal["sat", "unsat", "unknown"]:
        """Decide what is asserted, within the time limit."""
        if self._budget.expired:
            self._reason = "timeout"
            return "unknown"
        result = self._solver.checkSat()
        if result.isSat():
            return "sat"
        if result.isUnsat():
            return "unsat"
        self._reason = str(result.getUnknownExplanation())
        return "unknown"

    @property
    def reason(self) -> str:
        """Why the last check was unknown."""
        return f"cvc5 gave up: {self._reason}"

    def push(self) -> None:
        self._levels.append(list(self._done))
        self._solver.push()

    def pop(self) -> None:
        """Undo to the last push; what :meth:`sync` asserted since is asserted again when asked."""
        self._solver.pop()
        self._done = self._levels.pop()

    def add(self, *constraints: Any) -> None:
        for constraint in constraints:
            self._solver.assertFormula(constraint)

    def model(self) -> tuple[list[bool], list[Value]]:
        """Truth values (index 0 unused) and reals of the last model, exact."""
        truths = [False] + [self._solver.getValue(b).getBooleanValue() for b in self._bools[1:]]
        return truths, [_number(self._solver.getValue(r)) for r in self._reals]


def _number(value: Any) -> Value:
    if value.isRealAlgebraicNumber():
        return parse_algebraic(str(value))
    return mpq(value.getRealValue())


def parse_algebraic(text: str) -> Value:
    """cvc5's ``(_ real_algebraic_number <1*x^2 + (-2), (5/4, 3/2)>)``.

    Raises:
        ValueError: another form.
    """
    from ermbit_instances.algebraic import algebraic

    match = re.search(r"<(.*), \(([^,()]+), ([^,()]+)\)>", text)
    if match is None:
        raise ValueError(f"not an algebraic number of cvc5: {text[:80]}")
    coefficients: dict[int, int] = {}
    for part in match[1].split(" + "):
        # A negative term stands in parentheses as a whole: "1*x^2 + (-1*x) + (-1)".
        term = _TERM.fullmatch(part.strip().removeprefix("(").removesuffix(")"))
        if term is None:
            raise ValueError(f"not a polynomial of cvc5: {match[1][:80]}")
        power = 0 if term[2] is None else int(term[3] or 1)
        coefficients[power] = coefficients.get(power, 0) + int(term[1])
    dense = [coefficients.get(k, 0) for k in range(max(coefficients) + 1)]
    return algebraic(dense, parse_rational(match[2].strip()), parse_rational(match[3].strip()))
