"""Networks below the ranks of the hulls: inner weights by numerical search, the rest exactly (G6).

For fixed inner weights the best outer ones are a convex program. So least squares are minimised
over the inner weights alone (variable projection, Golub & Pereyra 1973), in floats from many
starts; the inner weights are replaced by simple rationals nearby, and the convex program is solved
exactly.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from math import inf

import numpy as np

from ermbit.engines.lifting.inner_weights import Family, Floats
from ermbit.engines.lifting.least_loss import relaxed_minimum
from ermbit.engines.lifting.linear import Vector
from ermbit.engines.lifting.program import Undecided
from ermbit.engines.lifting.relaxation import Relaxation, restricted
from ermbit_instances.certificate import Value
from ermbit_instances.rational import Rational

STARTS = 60
"""Random starts."""

SECONDS = 20.0
"""Processor time after which no further start is made."""

EVALUATIONS = 60
"""Of the residuals' derivatives, in one start."""

DENOMINATORS = (1, 2, 6, 12, 60, 1 << 10, 1 << 20)
"""Largest denominators of the rationals that replace floats."""

SIZE_LIMIT = 60_000
"""Searched numbers times samples times outputs."""

HOPELESS = 1e-8
"""Least squares that are not taken for an exact fit, in units of the largest squared target (but at
least 1): floats of large targets leave larger residuals."""


class _End:
    """The end of a search: by its own limit, or so many seconds from now by the clock."""

    def __init__(self, seconds: float | None) -> None:
        self._processor = time.process_time() + SECONDS
        self._clock = inf if seconds is None else time.monotonic() + seconds

    @property
    def is_reached(self) -> bool:
        return time.process_time() >= self._processor or time.monotonic() >= self._clock


class _Late(Exception):
    """The end of the time, within a start."""


def candidates(
    family: Family,
    relaxation: Relaxation,
    seed: int,
    seconds: float | None,
    limit: Callable[[], Rational | None],
) -> Iterator[tuple[Value, ...]]:
    """θ of ever new starts, each the exact optimum for its inner weights.

    Args:
        family: to be searched.
        relaxation: the data.
        seed: of the starts.
        seconds: until no further start is made.
        limit: the loss that still counts, if any; optima above it are not built.
    """
    if family.size * len(relaxation.samples) * len(relaxation.hulls) > SIZE_LIMIT:
        return
    with np.errstate(all="ignore"), suppress(OverflowError):
        # Numbers that are too long for floats are not searched.
        yield from _found(family, relaxation, seed, seconds, limit)


def _found(
    family: Family,
    relaxation: Relaxation,
    seed: int,
    seconds: float | None,
    limit: Callable[[], Rational | None],
) -> Iterator[tuple[Value, ...]]:
    from scipy.optimize import least_squares

    rng = np.random.default_rng(seed)
    end = _End(seconds)
    goals, weights = _goals(relaxation)
    heaviest = max(s.weight for s in relaxation.samples)
    hopeless = HOPELESS * max(1.0, *(float(((g * weights) ** 2).max()) for g in goals))
    rows = np.array(relaxation.rows)

    def residuals(inner: Floats) -> Floats:
        if end.is_reached:
            raise _Late
        parts = []
        for (fixed, columns), goal in zip(family.columns(inner), goals, strict=True):
            wanted = (goal - fixed[rows]) * weights
            matrix = columns[rows] * weights[:, None]
            norms = np.sqrt((matrix * matrix).sum(axis=0))
            matrix = matrix / np.where(norms > 0, norms, 1.0)
            amounts = np.linalg.lstsq(matrix, wanted, rcond=1e-10)[0]
            parts.append(wanted - matrix @ amounts)
        result: Floats = np.nan_to_num(np.concatenate(parts), nan=1e9, posinf=1e9, neginf=-1e9)
        return result

    known: set[Vector] = set()
    for start in range(STARTS):
        if end.is_reached:
            return
        first = rng.integers(-2, 3, family.size).astype(np.float64)
        if start % 4:
            first = first if start % 2 else rng.normal(size=family.size)
            try:
                best = least_squares(residuals, first, max_nfev=EVALUATIONS)
            except (ValueError, np.linalg.LinAlgError):
                continue
            except _Late:
                return
            if _is_hopeless(relaxation, float(best.cost), heaviest, limit(), hopeless):
                continue
            first = best.x
        for denominator in DENOMINATORS:
            inner = family.simple(first, denominator)
            if inner is None or inner in known or end.is_reached:
                continue
            known.add(inner)
            theta = _optimum(family, relaxation, inner, limit())
            if theta is not None:
                yield theta


def _optimum(
    family: Family, relaxation: Relaxation, inner: Vector, limit: Rational | None
) -> tuple[Value, ...] | None:
    """The best θ with these inner weights, if its loss is at most the limit."""
    try:
        found = relaxed_minimum(restricted(relaxation, family.hulls(inner)))
    except Undecided:
        return None
    if limit is not None and found.loss > limit:
        return None
    return family.theta(inner, found.values)


def _is_hopeless(
    relaxation: Relaxation, cost: float, heaviest: int, limit: Rational | None, hopeless: float
) -> bool:
    """Whether half the least sum of squares says that the limit will not be met.

    ``hopeless``: what the rounding of floats may leave of it.
    """
    loss = relaxation.problem.instance.loss
    if limit is None or loss.is_classification:
        return False
    if loss.name == "squared" and loss.reduction != "max":
        found = 2 * cost * heaviest / relaxation.unit
        return found > float(limit) * (1 + 1e-6) + hopeless
    return limit == 0 and cost > hopeless


def _goals(relaxation: Relaxation) -> tuple[list[Floats], Floats]:
    """What least squares aim at: targets, or ±1 for labels; with roots of sample weights."""
    samples = relaxation.samples
    weights = np.sqrt(np.array([float(s.weight) for s in samples]))
    if not relaxation.problem.instance.loss.is_classification:
        goals = [np.array([float(s.y[o]) for s in samples]) for o in range(len(relaxation.hulls))]
    elif len(relaxation.hulls) == 1:
        goals = [np.array([float(s.y[0]) for s in samples])]
    else:
        goals = [
            np.array([1.0 if int(s.y[0]) == o else -1.0 for s in samples])
            for o in range(len(relaxation.hulls))
        ]
    return goals, weights / max(float(weights.max()), 1e-300)
