"""Mixed Boolean/arithmetic programs as plain data.

Unknowns are Booleans 1, 2, … (literals are signed integers, as in DIMACS) and reals 0, 1, …
A constraint is a clause, a row that holds whenever all its guards are true, or a pseudo-Boolean
bound. Rows are polynomial; a program is *linear* if every row has degree ≤ 1, and only then may it
go to a solver of linear arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from gmpy2 import mpq

from ermbit_instances.errors import ErmbitError
from ermbit_instances.rational import Rational

Monomial: TypeAlias = tuple[int, ...]
"""Sorted real unknowns with repetition; ``()`` is the constant monomial."""

Polynomial: TypeAlias = dict[Monomial, Rational]
"""Coefficients by monomial; zero coefficients are left out."""

Relation = Literal["<=", "<", "=="]


class NotLinearError(ErmbitError, ValueError):
    """The instance has a product of two unknowns that no rule makes linear; the text says which."""


def constant(value: Rational) -> Polynomial:
    return {(): value} if value != 0 else {}


def variable(number: int) -> Polynomial:
    return {(number,): mpq(1)}


def add(*polynomials: Polynomial) -> Polynomial:
    """Sum of polynomials."""
    total: Polynomial = {}
    for polynomial in polynomials:
        for monomial, c in polynomial.items():
            value = total.get(monomial, 0) + c
            if value == 0:
                total.pop(monomial, None)
            else:
                total[monomial] = value
    return total


def scale(polynomial: Polynomial, factor: Rational) -> Polynomial:
    if factor == 0:
        return {}
    if factor == 1:
        return polynomial
    return {m: c * factor for m, c in polynomial.items()}


def subtract(a: Polynomial, b: Polynomial) -> Polynomial:
    return add(a, scale(b, mpq(-1)))


def multiply(a: Polynomial, b: Polynomial) -> Polynomial:
    """Product of polynomials."""
    total: Polynomial = {}
    for m1, c1 in a.items():
        for m2, c2 in b.items():
            monomial = tuple(sorted(m1 + m2))
            value = total.get(monomial, 0) + c1 * c2
            if value == 0:
                total.pop(monomial, None)
            else:
                total[monomial] = value
    return total


def degree(polynomial: Polynomial) -> int:
    return max((len(m) for m in polynomial), default=0)


def constant_value(polynomial: Polynomial) -> Rational | None:
    """The value, if the polynomial is constant."""
    if not polynomial:
        return mpq(0)
    if len(polynomial) == 1 and () in polynomial:
        return polynomial[()]
    return None


def evaluate(polynomial: Polynomial, values: Sequence[Rational]) -> Rational:
    """Value at a point."""
    total = mpq(0)
    for monomial, c in polynomial.items():
        for v in monomial:
            c = c * values[v]
        total += c
    return total


@dataclass(frozen=True, slots=True)
class Row:
    """polynomial ⋈ 0 whenever every literal of ``guards`` is true."""

    polynomial: Polynomial
    relation: Relation
    guards: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class PseudoBoolean:
    """Σ weights·literals ≤ bound."""

    weights: tuple[int, ...]
    literals: tuple[int, ...]
    bound: int


@dataclass
class MixedProgram:
    """A growing program.

    Attributes:
        booleans, reals: how many unknowns of each kind.
        clauses: disjunctions of literals.
        rows: guarded rows.
        pseudo_booleans: bounds on weighted sums of literals.
    """

    booleans: int = 0
    reals: int = 0
    clauses: list[tuple[int, ...]] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    pseudo_booleans: list[PseudoBoolean] = field(default_factory=list)

    def boolean(self) -> int:
        """A fresh Boolean, as its positive literal."""
        self.booleans += 1
        return self.booleans

    def real(self) -> int:
        """A fresh real unknown."""
        self.reals += 1
        return self.reals - 1

    def clause(self, *literals: int) -> None:
        self.clauses.append(literals)

    def require(
        self, polynomial: Polynomial, relation: Relation, guards: Iterable[int] = ()
    ) -> None:
        """Require polynomial ⋈ 0 under the guards; a row without unknowns becomes a clause."""
        guards = tuple(guards)
        value = constant_value(polynomial)
        if value is None:
            self.rows.append(Row(polynomial, relation, guards))
            return
        holds = value < 0 or (value == 0 and relation != "<")
        if relation == "==":
            holds = value == 0
        if not holds:
            self.clause(*(-g for g in guards))

    def equal(self, a: Polynomial, b: Polynomial, guards: Iterable[int] = ()) -> None:
        self.require(subtract(a, b), "==", guards)

    def at_most(self, a: Polynomial, b: Polynomial, guards: Iterable[int] = ()) -> None:
        self.require(subtract(a, b), "<=", guards)

    def less(self, a: Polynomial, b: Polynomial, guards: Iterable[int] = ()) -> None:
        self.require(subtract(a, b), "<", guards)

    def exactly_one(self, literals: Sequence[int]) -> None:
        """Pairwise for few literals, a chain of prefixes for many."""
        self.clause(*literals)
        if len(literals) <= 6:
            for i, a in enumerate(literals):
                for b in literals[:i]:
                    self.clause(-a, -b)
            return
        seen = literals[0]
        for literal in literals[1:]:
            self.clause(-seen, -literal)
            following = self.boolean()
            self.clause(-seen, following)
            self.clause(-literal, following)
            seen = following

    def name(self, polynomial: Polynomial) -> Polynomial:
        """The polynomial itself if it is a constant or one unknown, else a fresh unknown for it."""
        if constant_value(polynomial) is not None:
            return polynomial
        if len(polynomial) == 1:
            ((monomial, c),) = polynomial.items()
            if len(monomial) == 1 and c == 1:
                return polynomial
        fresh = variable(self.real())
        self.equal(fresh, polynomial)
        return fresh

    @property
    def is_linear(self) -> bool:
        return all(degree(row.polynomial) <= 1 for row in self.rows)
