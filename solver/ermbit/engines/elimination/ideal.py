"""Consequences of equations that no single step solves: bases of their ideal, and resultants.

Whatever is returned vanishes wherever the equations do: it lies in the ideal that they generate
over Q. Whether the basis is complete does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from math import lcm
from typing import Any

from ermbit.engines.elimination.ring import Polynomial, Ring, factors, from_dense, unknowns
from ermbit.engines.elimination.system import System
from ermbit_instances.integer_polynomials import to_fmpq

LIMITS = (40, 300, 3000)
"""Basis polynomials, terms of one, bits of a coefficient, past which the basis is given up."""

RESULTANT_DEGREE = 40
"""Product of degrees past which no resultant is formed."""


def consequences(ring: Ring, system: System, tick: Callable[[], None]) -> Iterator[Polynomial]:
    """Polynomials of the ideal that make a next step possible, the easiest first.

    ``tick`` is called between pieces of work, and may raise.
    """
    seen: list[Polynomial] = list(system.equations)
    sources: tuple[Callable[[Ring, System], Iterator[Polynomial]], ...] = (_basis, _resultants)
    for source in sources:
        found: list[Polynomial] = []
        for polynomial in source(ring, system):
            tick()
            if len(polynomial) <= LIMITS[1] and polynomial not in seen:
                found.append(polynomial)
                seen.append(polynomial)
        useful = []
        for k, polynomial in enumerate(found):
            tick()
            if rank := _rank(system, polynomial):
                useful.append((rank, k, polynomial))
        for _, _, polynomial in sorted(useful, key=lambda entry: entry[:2]):
            yield polynomial


def _rank(system: System, polynomial: Polynomial) -> int:
    """How easy a polynomial is to use; 0 if it is of no use."""
    free = system.open_unknowns(polynomial)
    if len(free) <= 1:
        return 1
    parts = factors(polynomial)
    if any(
        any(part.degrees()[j] == 1 and _constant_slope(part, j) for j in free) for part in parts
    ):
        return 2
    return 3 if len(parts) > 1 else 0


def _constant_slope(polynomial: Polynomial, number: int) -> bool:
    return all(sum(map(int, m)) == 1 for m in polynomial.monoms() if m[number] == 1)


def _generators(ring: Ring, system: System) -> list[Polynomial]:
    minimal = [from_dense(ring, root.coefficients, j) for j, root in system.roots]
    used = {j for e in system.equations for j in unknowns(e)}
    return [*system.equations, *(m for m in minimal if set(unknowns(m)) <= used)]


def _basis(ring: Ring, system: System) -> Iterator[Polynomial]:
    """A Gröbner basis for lexicographic orders (Buchberger), as far as the limits allow."""
    from flint import Ordering, fmpz_mpoly_ctx, fmpz_mpoly_vec

    generators = _generators(ring, system)
    numbers = sorted({j for g in generators for j in unknowns(g)})
    if len(numbers) > 6:
        return
    for shift in range(min(len(numbers), 3)):
        order = numbers[shift:] + numbers[:shift]
        context: Any = fmpz_mpoly_ctx.get([f"t{j}" for j in order], Ordering.lex)
        vector: Any = fmpz_mpoly_vec([_integral(g, order, context) for g in generators], context)
        basis, _ = vector.buchberger_naive(limits=LIMITS)
        for polynomial in basis:
            yield _back(ring, polynomial, order)


def _integral(polynomial: Polynomial, order: Sequence[int], context: Any) -> Any:
    """An integer multiple in another order of the unknowns."""
    terms = polynomial.to_dict()
    unit = lcm(*(int(c.q) for c in terms.values()))
    return context.from_dict(
        {tuple(int(m[j]) for j in order): int(c.p) * (unit // int(c.q)) for m, c in terms.items()}
    )


def _back(ring: Ring, polynomial: Any, order: Sequence[int]) -> Polynomial:
    n = len(ring.names)
    terms: dict[tuple[int, ...], Any] = {}
    for m, c in polynomial.to_dict().items():
        exponents = [0] * n
        for j, power in zip(order, map(int, m), strict=True):
            exponents[j] = power
        terms[tuple(exponents)] = to_fmpq(int(c))
    return ring.context.from_dict(terms)


def _resultants(ring: Ring, system: System) -> Iterator[Polynomial]:
    """Resultants of two equations in each of their common unknowns."""
    for a, b in combinations(_generators(ring, system), 2):
        for number in set(unknowns(a)) & set(unknowns(b)):
            if a.total_degree() * b.total_degree() <= RESULTANT_DEGREE:
                resultant = a.resultant(b, number)
                if not resultant.is_zero():
                    yield resultant
