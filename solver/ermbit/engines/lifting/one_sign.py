"""Sums of squares with outer weights of one sign: a bound by semidefinite duality (G5).

If no unit can have a negative factor, the form M is positive semidefinite. Then multipliers μ with
−Σ μ_i g_i g_iᵀ positive semidefinite bound the loss (see ``multipliers``), whatever the number of
units. They are found by adding squares of linear forms to a cone until the largest eigenvalue of
Σ μ g gᵀ is small; that it is not positive in the end is checked by exact elimination. A single unit
of either sign has the smaller of both bounds.

Where a direct term is the square of a column, forms of any size of that square are free, and with
them the products of that column with all others are approached (G4): these count as free.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from gmpy2 import mpq

from ermbit.engines.lifting.form_system import FormSystem
from ermbit.engines.lifting.forms import Matrix, inertia
from ermbit.engines.lifting.linear import Column, spans
from ermbit.engines.lifting.multipliers import (
    Dual,
    Floats,
    Multipliers,
    Rounding,
    are_short,
    best_bound,
    read_dual,
    scaled,
)
from ermbit.engines.lifting.relaxation import Relaxation
from ermbit_instances.rational import Rational

ROUNDS = 120
"""Squares that are added."""

_ZERO = mpq(0)


def possible_signs(system: FormSystem) -> tuple[int, ...]:
    """The signs that M can have, if it is semidefinite in any case; else empty."""
    plus, minus, free = system.network.capacity
    if free == 0 and minus == 0:
        return (1,)
    if free == 0 and plus == 0:
        return (-1,)
    return (1, -1) if (plus, minus, free) == (0, 0, 1) else ()


def freed(system: FormSystem) -> tuple[list[int], list[Column]]:
    """Positions of columns whose squares are not free, and all free columns."""
    free = list(system.direct[0])
    left = list(range(system.rank))
    while True:
        found = next((k for k in left if free and spans(free, [_product(system, k, k)])), None)
        if found is None:
            return left, free
        more = [_product(system, found, k) for k in range(system.rank)]
        free += [c for c in more if not spans(free, [c])]
        left.remove(found)


def _product(system: FormSystem, a: int, b: int) -> Column:
    return tuple(v * w for v, w in zip(system.columns[a], system.columns[b], strict=True))


def one_sign_bound(
    system: FormSystem, relaxation: Relaxation, deadline: float | None
) -> Rational | None:
    """A lower bound on L for every network, ``None`` if signs are free or nothing is found."""
    signs = possible_signs(system)
    dual = read_dual(relaxation, system.fixed[0]) if signs else None
    if dual is None or not are_short((*system.columns, *system.direct[0])):
        return None
    left, free = freed(system)
    if not left:
        return None
    columns = [dual.column(system.columns[k]) for k in left]
    # s enters once: the second factor of every product is taken without it.
    others = [[system.columns[k][r] for r in dual.rows] for k in left]
    bounds = []
    for sign in signs:
        found = _bound(dual, columns, others, [dual.column(q) for q in free], sign, deadline)
        if found is None:
            return None
        bounds.append(found)
    return min(bounds)


def _bound(
    dual: Dual,
    columns: Sequence[Sequence[int]],
    others: Sequence[Sequence[int]],
    free: Sequence[Sequence[int]],
    sign: int,
    deadline: float | None,
) -> Rational | None:
    size = len(columns)
    tops = [float(max(map(abs, c))) for c in columns]
    signed = np.array([[float(v) / t for v in c] for c, t in zip(columns, tops, strict=True)])
    plain = np.array([[float(v) / t for v in c] for c, t in zip(others, tops, strict=True)])
    loose = scaled(free, len(dual.rows))

    def squared(form: Floats) -> Floats:
        found: Floats = sign * (form @ signed) * (form @ plain)
        return found

    cone = [squared(np.eye(size)[k]) for k in range(size)]
    wanted: Floats | None = None
    for _ in range(ROUNDS):
        if deadline is not None and time.monotonic() >= deadline:
            break
        wanted = dual.proposal(np.array(cone).T, loose)
        if wanted is None:
            return None
        matrix = sign * (signed * wanted) @ plain.T
        values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
        scale = float(np.abs(wanted).sum())
        if values[-1] <= 1e-9 * scale:
            break
        cone += [squared(vectors[:, k]) for k in range(size) if values[k] > 1e-9 * scale]
    if wanted is None:
        return None
    inward = sum((squared(np.eye(size)[k]) for k in range(size)), np.zeros(len(wanted)))

    def is_admissible(multipliers: Multipliers) -> bool:
        return inertia(_moments(multipliers, columns, others, sign))[0] == 0

    return best_bound(dual, Rounding(dual, free), wanted, inward, is_admissible)


def _moments(
    multipliers: Multipliers,
    columns: Sequence[Sequence[int]],
    others: Sequence[Sequence[int]],
    sign: int,
) -> Matrix:
    """sign · Σ μ s g gᵀ."""
    found = []
    for column in columns:
        half = [sign * m * c for m, c in zip(multipliers, column, strict=True)]
        found.append(
            tuple(sum((h * v for h, v in zip(half, o, strict=True) if v), _ZERO) for o in others)
        )
    return tuple(found)
