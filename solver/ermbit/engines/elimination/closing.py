"""The end of a branch: a certificate, a refutation, or neither.

All samples have met their targets. If equations are left, their ideal is searched for a polynomial
that allows another step, and they are tried modulo prime powers and over the reals. If only signs
are left, a value is looked for; with one open parameter that search is complete, with several it is
a few attempts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from gmpy2 import mpq

from ermbit.engines.elimination.arithmetic import RealArithmetic
from ermbit.engines.elimination.field_roots import roots_over, value_at
from ermbit.engines.elimination.ideal import consequences
from ermbit.engines.elimination.line import candidates
from ermbit.engines.elimination.residues import obstruction
from ermbit.engines.elimination.ring import TooLargeError, univariate, unknowns
from ermbit.engines.elimination.roots import real_roots
from ermbit.engines.elimination.system import Solver, System
from ermbit.engines.engine import Budget
from ermbit_instances.algebraic import AlgebraicLimitError, AlgebraicNumber
from ermbit_instances.certificate import Value
from ermbit_instances.domain import Domain
from ermbit_instances.limits import ROOT_DEGREE
from ermbit_instances.rational import Rational

ALL_VALUES = 16
"""Size of a domain up to which all values are tried: then the attempt is complete."""

ATTEMPTS = 200
"""Values that are tried on one branch without hope of completeness."""

PATIENCE = 1500
"""Milliseconds for nonlinear arithmetic over the reals, on one branch."""


@dataclass
class Closing:
    """Closes branches; one object serves a whole search.

    Attributes:
        solver: the steps.
        arithmetic: refutations over the reals.
        budget: deadline.
        open: why branches were left undecided; none means that all were refuted.
    """

    solver: Solver
    arithmetic: RealArithmetic
    budget: Budget
    open: list[str] = field(default_factory=list)
    _attempts: int = 0
    _guessing: int = 0

    def leave_open(self, reason: str) -> None:
        if not self._guessing and reason not in self.open:
            self.open.append(reason)

    def close(self, system: System) -> tuple[Value, ...] | None:
        """A certificate, or ``None``: refuted, or left open and noted as such."""
        self.solver.tick()
        try:
            return self._close(system)
        except (TooLargeError, AlgebraicLimitError) as error:
            self.leave_open(str(error))
            return None

    def _close(self, system: System) -> tuple[Value, ...] | None:
        if system.equations:
            return self._with_equations(system)
        free = self._constrained(system)
        if not free:
            return self._certificate(system)
        if len(free) == 1 and self._is_line(system, free[0]):
            return self._line(system, free[0])
        if self._contradicts(system):
            return None
        return self._guess(system, free)

    def _with_equations(self, system: System) -> tuple[Value, ...] | None:
        solver = self.solver
        rational = [e for e in system.equations if not (set(unknowns(e)) & solver.real)]
        grids = [domain.grid for domain in solver.domains]
        found = obstruction(rational, grids) if rational else None
        if found is not None:
            shown = ", ".join(solver.ring.text(e) for e in rational)
            kind = "" if found.homogeneous else " for integers over the denominators"
            what = f"{shown} = 0 has no rational solution: none modulo {found.modulus}{kind}"
            solver.ledger.note("residues", what, shown)
            return None
        for polynomial in consequences(solver.ring, system, solver.tick):
            # Every branch carries the new polynomial: together they have all solutions.
            further = list(solver.require_zero(system, polynomial))
            if further == [system]:
                continue
            for each in further:
                values = self.close(each)
                if values is not None:
                    return values
            return None
        if self._contradicts(system):
            return None
        return self._guess(system, self._open(system))

    def _contradicts(self, system: System) -> bool:
        if self.arithmetic.linear_contradiction(system):
            self.solver.ledger.note("linear", "linear arithmetic contradicts the signs")
            return True
        if not self._guessing and self.arithmetic.contradiction(
            system, self.solver, self._patience()
        ):
            what = "equations and signs have no common real solution"
            self.solver.ledger.note("reals", what)
            return True
        return False

    def _patience(self) -> int:
        remaining = self.budget.remaining
        return PATIENCE if remaining is None else max(1, min(PATIENCE, int(remaining * 1000)))

    # ------------------------------------------------------------ what is open

    def _open(self, system: System) -> tuple[int, ...]:
        """Unknowns without a value, those of most equations first."""
        closed = {step.number for step in system.solved} | {j for j, _ in system.roots}
        count = {j: 0 for j in range(len(self.solver.domains)) if j not in closed}
        for polynomial in system.equations:
            for j in system.open_unknowns(polynomial):
                count[j] += 1
        return tuple(sorted((j for j in count if count[j]), key=lambda j: -count[j]))

    def _constrained(self, system: System) -> tuple[int, ...]:
        """Unknowns without a value on which anything depends.

        That is a sign, a denominator, or through these a solved parameter, or whether a parameter
        lies in a domain other than the reals. All other unknowns may have any value of theirs.
        """
        bound: set[int] = set()
        for polynomial, _ in system.conditions:
            bound.update(system.open_unknowns(polynomial))
        for polynomial in system.nonzero:
            bound.update(system.open_unknowns(polynomial))
        needed = {j for j in range(len(self.solver.domains)) if j not in self.solver.real}
        for step in system.solved:
            if step.number in needed or step.number in bound:
                for polynomial in (step.above, step.below):
                    inner = system.open_unknowns(polynomial)
                    bound.update(inner)
        return tuple(sorted(bound - {step.number for step in system.solved}))

    def _is_line(self, system: System, number: int) -> bool:
        """Whether all that is left are signs of polynomials in one open unknown."""
        for step in system.solved:
            if step.number not in self.solver.real and not (
                step.above.is_constant() and step.below.is_constant()
            ):
                return False
        polynomials = [*(p for p, _ in system.conditions), *system.nonzero]
        return all(system.open_unknowns(p) in ((), (number,)) for p in polynomials)

    def _line(self, system: System, number: int) -> tuple[Value, ...] | None:
        polynomials = [*(p for p, _ in system.conditions), *system.nonzero]
        roots: list[Value] = []
        for polynomial in polynomials:
            if unknowns(polynomial) == (number,):
                roots += real_roots(univariate(polynomial, number))
            elif number in unknowns(polynomial):
                roots += roots_over(polynomial, number, system.roots) or ()
        before = self.solver.ledger.counts.total()
        for value in candidates(roots, self.solver.domains[number]):
            values = self._try(system, number, value)
            if values is not None:
                return values
        if self.solver.ledger.counts.total() == before:
            self.solver.ledger.note("signs", "no value of the domain has the signs of the pieces")
        return None

    def _try(self, system: System, number: int, value: Value) -> tuple[Value, ...] | None:
        for further in self.solver.assign(system, number, value):
            values = self.close(further)
            if values is not None:
                return values
        return None

    def _guess(self, system: System, free: tuple[int, ...]) -> tuple[Value, ...] | None:
        """Try values of one unknown: all of them if they are few."""
        number = min(free, key=lambda j: self.solver.domains[j].size or 10**9)
        domain = self.solver.domains[number]
        if domain.size is not None and domain.size <= ALL_VALUES:
            for value in domain.values():
                values = self._try(system, number, value)
                if values is not None:
                    return values
            return None
        names = ", ".join(self.solver.ring.names[j] for j in free[:4])
        self.leave_open(f"no argument settles a branch in which {names} are open")
        ledger, self._guessing = self.solver.ledger, self._guessing + 1
        if self._guessing == 1:
            self._attempts = 0
        muted, ledger.muted = ledger.muted, True
        try:
            for value in _near_zero(domain):
                if self._attempts >= ATTEMPTS:
                    return None
                self._attempts += 1
                values = self._try(system, number, value)
                if values is not None:
                    return values
            return None
        finally:
            self._guessing -= 1
            ledger.muted = muted

    # ------------------------------------------------------------ certificates

    def _certificate(self, system: System) -> tuple[Value, ...] | None:
        """The values of all parameters, if they lie in the domains."""
        domains, names = self.solver.domains, self.solver.ring.names
        exact: dict[int, Value] = dict(system.roots)
        solved = {step.number for step in system.solved}
        for number, domain in enumerate(domains):
            if number not in exact and number not in solved:
                exact[number] = next(_near_zero(domain))
        for step in reversed(system.solved):
            above, below = value_at(step.above, exact), value_at(step.below, exact)
            exact[step.number] = above / below
        for number, domain in enumerate(domains):
            value = exact[number]
            if value not in domain:
                shown = str(value) if isinstance(value, mpq) else "irrational"
                what = f"{names[number]} = {shown}"
                self.solver.ledger.note("outside", f"{what} is not in the domain", what)
                return None
            if isinstance(value, AlgebraicNumber) and value.degree > ROOT_DEGREE.value:
                self.leave_open(
                    f"there is a certificate, but {names[number]} has degree {value.degree}, past "
                    f"the limit of {ROOT_DEGREE.value}"
                )
                return None
        return tuple(exact[number] for number in range(len(domains)))


def _near_zero(domain: Domain) -> Iterator[Rational]:
    """Members of a domain, short ones near 0 first; at least one."""
    seen: set[Rational] = set()
    wishes = [mpq(k, q) for q in (1, 2, 3, 4) for k in range(6 * q + 1)]
    wishes.sort(key=lambda v: (v.denominator * (1 + abs(v)), v))
    for wish in wishes:
        for signed in (wish, -wish):
            member = domain.above(signed)
            if member is None:
                member = domain.high
            if member is not None and member not in seen:
                seen.add(member)
                yield member
