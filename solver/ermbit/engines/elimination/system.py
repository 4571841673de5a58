"""Systems of polynomial equations and sign conditions, solved for one unknown after the other.

Every step replaces a system by finitely many systems with the same solutions together: an equation
becomes one of its factors; a factor in one unknown becomes one of its roots; a factor in which an
unknown is linear, c θ + d, is solved for that unknown where c ≠ 0, and becomes c = d = 0 elsewhere.
What none of these steps touches stays as it is. A system is refuted by a root outside the domain of
its parameter, by a polynomial without a root, or by a sign.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from gmpy2 import mpq

from ermbit.engines.elimination.field_roots import Roots, roots_over, sign
from ermbit.engines.elimination.ledger import Ledger
from ermbit.engines.elimination.ring import (
    FACTOR_DEGREE,
    Polynomial,
    Ring,
    check_size,
    coefficients_in,
    constant_value,
    factors,
    substitute,
    univariate,
    unknowns,
)
from ermbit.engines.elimination.roots import rational_roots, real_roots
from ermbit_instances.algebraic import AlgebraicNumber
from ermbit_instances.certificate import Value
from ermbit_instances.domain import Domain

Condition: TypeAlias = tuple[Polynomial, bool]
"""A polynomial that is ≥ 0, or > 0 if the flag is set."""


@dataclass(frozen=True, slots=True)
class Solved:
    """θ[number] = above / below, in unknowns that were solved later or not at all; below ≠ 0."""

    number: int
    above: Polynomial
    below: Polynomial


@dataclass(frozen=True, slots=True)
class System:
    """What is known of the parameters on one branch.

    Attributes:
        equations: irreducible polynomials that are 0 and that no step touches.
        conditions: signs.
        nonzero: monic polynomials that are not 0.
        solved: parameters replaced by quotients of polynomials; rational values are among them.
        roots: parameters of irrational value. They still occur in the polynomials.
    """

    equations: tuple[Polynomial, ...] = ()
    conditions: tuple[Condition, ...] = ()
    nonzero: tuple[Polynomial, ...] = ()
    solved: tuple[Solved, ...] = ()
    roots: Roots = ()

    def open_unknowns(self, polynomial: Polynomial) -> tuple[int, ...]:
        """The unknowns of a polynomial that have no value."""
        valued = {number for number, _ in self.roots}
        return tuple(j for j in unknowns(polynomial) if j not in valued)

    def reduced(self, polynomial: Polynomial, *, even: bool) -> Polynomial:
        """The polynomial in the unknowns that are left, times denominators (even powers)."""
        for step in self.solved:
            polynomial = substitute(polynomial, step.number, step.above, step.below, even=even)
        return polynomial

    def value_of(self, number: int) -> Polynomial | None:
        """The parameter as a polynomial, if it is solved without a denominator."""
        for position, step in enumerate(self.solved):
            if step.number == number:
                if constant_value(step.below) != 1:
                    return None
                later = replace(self, solved=self.solved[position + 1 :])
                if any(constant_value(s.below) != 1 for s in later.solved):
                    return None
                return later.reduced(step.above, even=False)
        return None


@dataclass(frozen=True)
class Solver:
    """The steps, for the parameters of one network.

    Attributes:
        ring: the polynomial ring.
        domains: of the parameters.
        ledger: takes the reason of every refutation.
        tick: is called at every step, and may raise.
    """

    ring: Ring
    domains: tuple[Domain, ...]
    ledger: Ledger
    tick: Callable[[], None]
    real: frozenset[int] = field(init=False)

    def __post_init__(self) -> None:
        real = frozenset(j for j, d in enumerate(self.domains) if d.size is None)
        object.__setattr__(self, "real", real)

    def require_sign(self, system: System, polynomial: Polynomial, strict: bool) -> System | None:
        """Add a condition; ``None`` if it is refuted at once."""
        polynomial = system.reduced(polynomial, even=True)
        polynomial = self._sign_of(system, polynomial)
        if self._known_sign(system, polynomial, strict) is False:
            return None
        return self._with_condition(system, polynomial, strict)

    def _sign_of(self, system: System, polynomial: Polynomial) -> Polynomial:
        """A simpler polynomial with the same sign on all solutions: known factors go."""
        if polynomial.is_constant() or max(polynomial.degrees()) > FACTOR_DEGREE:
            return polynomial
        lead, parts = polynomial.factor()
        result = self.ring.constant(1 if lead > 0 else -1)
        for factor, power in parts:
            lead = factor.leading_coefficient()
            monic = factor / lead
            if power % 2 == 0:
                if not self._is_nonzero(system, monic):
                    result *= monic * monic
                continue
            if lead < 0:
                result = -result
            if (-monic, True) in system.conditions:
                result = -result
            elif (monic, True) not in system.conditions:
                result *= monic
        return result

    @staticmethod
    def _is_nonzero(system: System, monic: Polynomial) -> bool:
        known = system.conditions
        return monic in system.nonzero or (monic, True) in known or (-monic, True) in known

    def _with_condition(self, system: System, polynomial: Polynomial, strict: bool) -> System:
        value = constant_value(polynomial)
        if value is not None or (polynomial, strict) in system.conditions:
            return system
        return replace(system, conditions=(*system.conditions, (polynomial, strict)))

    def _known_sign(self, system: System, polynomial: Polynomial, strict: bool) -> bool | None:
        """Whether the condition holds, if no open unknown is left in it; refutations are noted."""
        value = constant_value(polynomial)
        if value is None:
            if system.open_unknowns(polynomial):
                return None
            value = sign(polynomial, system.roots)
        holds = value > 0 if strict else value >= 0
        if not holds:
            self.ledger.note("signs", "the signs of the pieces contradict each other")
        return bool(holds)

    def require_zero(self, system: System, polynomial: Polynomial) -> Iterator[System]:
        """Add an equation: the systems that have the same solutions together."""
        self.tick()
        polynomial = check_size(system.reduced(polynomial, even=False))
        value = constant_value(polynomial)
        if value is not None:
            if value == 0:
                yield system
            else:
                self.ledger.note("equations", "the equations contradict each other")
            return
        for factor in factors(polynomial):
            yield from self._require_factor(system, factor / factor.leading_coefficient())

    def _require_factor(self, system: System, factor: Polynomial) -> Iterator[System]:
        if self._is_nonzero(system, factor):
            self.ledger.note("equations", "the equations contradict each other")
            return
        if factor in system.equations:
            yield system
            return
        free = system.open_unknowns(factor)
        if not free:
            if sign(factor, system.roots) == 0:
                yield system
            else:
                self.ledger.note("equations", "the equations contradict each other")
            return
        if len(free) == 1:
            yield from self._require_root(system, factor, free[0])
            return
        linear = self._linear_unknown(system, factor, free)
        if linear is None:
            yield replace(system, equations=(*system.equations, factor))
            return
        number, slope, rest = linear
        value = constant_value(slope)
        if value is not None:
            yield from self.solve(system, number, rest * self.ring.constant(-1 / value), None)
            return
        for without in self.require_zero(system, slope):
            yield from self.require_zero(without, rest)
        other = self.require_nonzero(system, slope)
        if other is not None:
            yield from self.solve(other, number, -rest, slope)

    def require_nonzero(self, system: System, polynomial: Polynomial) -> System | None:
        """Add that a polynomial is not 0; ``None`` if it is."""
        if not system.open_unknowns(polynomial):
            value = constant_value(polynomial)
            if (sign(polynomial, system.roots) if value is None else value) == 0:
                self.ledger.note("equations", "the equations contradict each other")
                return None
            return system
        new = []
        for factor in factors(polynomial):
            monic = factor / factor.leading_coefficient()
            if monic in system.equations:
                self.ledger.note("equations", "the equations contradict each other")
                return None
            if monic not in system.nonzero:
                new.append(monic)
        return replace(system, nonzero=(*system.nonzero, *new))

    @staticmethod
    def _linear_unknown(
        system: System, factor: Polynomial, free: tuple[int, ...]
    ) -> tuple[int, Polynomial, Polynomial] | None:
        """An unknown in which the factor is linear, with slope and rest; constant slopes first."""
        degrees = factor.degrees()
        best = None
        for number in free:
            if degrees[number] != 1:
                continue
            parts = coefficients_in(factor, number)
            # An irreducible factor in several unknowns has a term without this one.
            slope, rest = parts[1], parts[0]
            cost = (not slope.is_constant(), len(slope), len(rest))
            if best is None or cost < best[0]:
                best = (cost, number, slope, rest)
        return None if best is None else best[1:]

    def _require_root(self, system: System, factor: Polynomial, number: int) -> Iterator[System]:
        """One of the roots of a factor whose only open unknown is this one."""
        name, shown = self.ring.names[number], self.ring.text(factor)
        if len(unknowns(factor)) > 1:
            found = roots_over(factor, number, system.roots)
            if found is None:
                yield system
                return
            if number not in self.real:
                found = tuple(v for v in found if isinstance(v, mpq))
        elif number in self.real:
            found = real_roots(univariate(factor, number))
        else:
            found = rational_roots(univariate(factor, number))
        if not found:
            kind = "real" if number in self.real else "rational"
            self.ledger.note(f"no {kind} root", f"{shown} has no {kind} root", shown)
        for value in found:
            if value not in self.domains[number]:
                text = str(value)
                what = f"{name} = {text}"
                self.ledger.note("outside", f"{what} is not in the domain", what)
                continue
            yield from self.assign(system, number, value)

    def assign(self, system: System, number: int, value: Value) -> Iterator[System]:
        """Give an open unknown a value of its domain."""
        if isinstance(value, AlgebraicNumber):
            roots = (*system.roots, (number, value))
            base = replace(system, equations=(), roots=roots)
            yield from self._again(base, system.equations)
        else:
            yield from self.solve(system, number, self.ring.constant(value), None)

    def solve(
        self, system: System, number: int, above: Polynomial, below: Polynomial | None
    ) -> Iterator[System]:
        """Replace an open unknown by above / below (1 if ``None``)."""
        below = self.ring.constant(1) if below is None else below
        step = Solved(number, above, below)
        base = replace(
            system, equations=(), conditions=(), nonzero=(), solved=(*system.solved, step)
        )
        for polynomial in system.nonzero:
            changed = substitute(polynomial, number, above, below, even=False)
            further = self.require_nonzero(base, changed)
            if further is None:
                return
            base = further
        for polynomial, strict in system.conditions:
            changed = substitute(polynomial, number, above, below, even=True)
            changed = self._sign_of(base, changed)
            if self._known_sign(base, changed, strict) is False:
                return
            base = self._with_condition(base, changed, strict)
        yield from self._again(base, system.equations)

    def _again(self, base: System, equations: tuple[Polynomial, ...]) -> Iterator[System]:
        """Require equations that a new value may have made accessible, and look at the signs."""
        for polynomial, strict in base.conditions:
            if self._known_sign(base, polynomial, strict) is False:
                return
        for polynomial in base.nonzero:
            if not base.open_unknowns(polynomial) and sign(polynomial, base.roots) == 0:
                self.ledger.note("equations", "the equations contradict each other")
                return
        yield from self._all_zero(base, equations)

    def _all_zero(self, system: System, equations: tuple[Polynomial, ...]) -> Iterator[System]:
        if not equations:
            yield system
            return
        for further in self.require_zero(system, equations[0]):
            yield from self._all_zero(further, equations[1:])
