"""Lower bounds by multipliers: a loss over cones of functions, by weak duality, exactly.

One output f = fixed + Σ c_j k_j + Σ d_l q_l on the data, c ≥ 0 and d free. With residuals
e_i = t_i − s_i f_i (s_i = 1, or the label under ``hinge``, where t_i = 1) and the fixed part moved
into t, multipliers μ with

    Σ μ_i s_i k_j(x_i) ≤ 0 for all j,        Σ μ_i s_i q_l(x_i) = 0 for all l

give Σ μ e ≥ Σ μ t for every such f, and hence a bound on the total:

    absolute    Σ w |e| ≥ Σ μ t              −w ≤ μ ≤ w
    hinge       Σ w max(0, e) ≥ Σ μ t        0 ≤ μ ≤ w
    squared     Σ w e² ≥ Σ μ t − μ²/4w
    largest     max w |e| ≥ Σ μ t / Σ |μ|/w  (hinge: μ ≥ 0)

Floats propose multipliers for finitely many k_j; they are rounded, and what is claimed of them is
checked in integers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from gmpy2 import mpq
from numpy.typing import NDArray

from ermbit.engines.float_program import FloatProgram
from ermbit.engines.lifting.linear import independent, solve_square
from ermbit.engines.lifting.relaxation import Relaxation
from ermbit_instances.rational import Rational, bit_length

MARGIN = 1e-6
"""By how much floats keep away from the conditions, relative to unit columns and weights."""

SHIFTS = (0.0, 1e-9, 1e-7, 1e-5)
"""Relative shifts of rounded multipliers into the cone that are tried."""

SCALE = 1 << 40
"""Multipliers are rounded to this part of the largest one."""

FLOAT_BITS = 300
"""Longest numbers that are proposed for."""

Floats = NDArray[np.float64]
Multipliers = tuple[Rational, ...]

_ZERO = mpq(0)


@dataclass(frozen=True)
class Dual:
    """The loss of one output as above.

    Attributes:
        targets: t, less the fixed part; one a sample.
        signs: s.
        weights: w, positive.
        rows: for every sample its distinct input.
        loss: ``absolute``, ``hinge`` or ``squared``.
        is_max: the largest loss counts; ``squared`` then has equal weights.
        unit: L = total / unit.
    """

    targets: tuple[Rational, ...]
    signs: tuple[int, ...]
    weights: tuple[Rational, ...]
    rows: tuple[int, ...]
    loss: str
    is_max: bool
    unit: Rational

    def column(self, values: Sequence[int]) -> list[int]:
        """s_i k(x_i) from the values on distinct inputs."""
        return [s * values[r] for s, r in zip(self.signs, self.rows, strict=True)]

    @cached_property
    def floats(self) -> tuple[Floats, Floats]:
        """t and w."""
        return (
            np.array([float(t) for t in self.targets]),
            np.array([float(w) for w in self.weights]),
        )

    def bound(self, multipliers: Multipliers) -> Rational | None:
        """The bound on L, ``None`` if the multipliers are outside their bounds."""
        if self.loss == "hinge" and any(m < 0 for m in multipliers):
            return None
        pairs = list(zip(multipliers, self.weights, strict=True))
        total = sum((m * t for m, t in zip(multipliers, self.targets, strict=True) if m), _ZERO)
        if self.is_max:
            size = sum((abs(m) / w for m, w in pairs), _ZERO)
            if size == 0 or total <= 0:
                return _ZERO
            top = total / size
            # All weights are w: w max e² = (w max |e|)² / w.
            return (top * top / self.weights[0] if self.loss == "squared" else top) / self.unit
        if self.loss == "squared":
            total -= sum((m * m / (4 * w) for m, w in pairs if m), _ZERO)
        elif any(abs(m) > w for m, w in pairs):
            return None
        return total / self.unit

    # -- floats

    def proposal(self, cone: Floats, free: Floats) -> Floats | None:
        """Multipliers for columns s k of a cone and s q of free amounts (N × K and N × r)."""
        if self.loss == "squared" and not self.is_max:
            return self._least_squares(cone, free)
        found = self._linear_program(cone, free, MARGIN)
        # Without a margin opposite samples can cancel exactly.
        return self._linear_program(cone, free, 0.0) if found is None else found

    def _least_squares(self, cone: Floats, free: Floats) -> Floats | None:
        from scipy.optimize import nnls

        targets, weights = self.floats
        roots = np.sqrt(weights)
        matrix = np.hstack([cone, free, -free]) * roots[:, None]
        try:
            amounts, _ = nnls(matrix, roots * targets)
        except (RuntimeError, ValueError):
            return None
        found: Floats = 2.0 * roots * (roots * targets - matrix @ amounts)
        return found

    def _linear_program(self, cone: Floats, free: Floats, margin: float) -> Floats | None:
        targets, weights = self.floats
        count = len(targets)
        norms = np.abs(cone).sum(axis=0)
        scaled = cone / np.where(norms > 0, norms, 1.0)
        limits = np.full(cone.shape[1], -margin * float(weights.max()))
        unit = max(float(np.abs(targets).max()), 1e-300)
        goal = -targets / unit
        above, equal = scaled.T, free.T
        if self.is_max:
            # μ = plus − minus
            goal = np.concatenate([goal, -goal])
            above = np.vstack([np.hstack([above, -above]), np.tile(1.0 / weights, 2)])
            limits = np.concatenate([limits / (float(weights.max()) * count), [1.0]])
            equal = np.hstack([equal, -equal])
            low = np.zeros(2 * count)
            high = np.full(2 * count, np.inf)
            if self.loss == "hinge":
                high[count:] = 0.0
        else:
            low = np.zeros(count) if self.loss == "hinge" else -weights
            high = weights
        proposal = FloatProgram(
            goal=goal,
            matrix=np.vstack([above, equal]),
            lower=np.concatenate([np.full(len(above), -np.inf), np.zeros(len(equal))]),
            upper=np.concatenate([limits, np.zeros(len(equal))]),
            low=low,
            high=high,
        ).solve()
        if proposal is None:
            return None
        x = proposal.point
        return x[:count] - x[count:] if self.is_max else x


def read_dual(relaxation: Relaxation, fixed: Sequence[Rational]) -> Dual | None:
    """The loss of a relaxation with one output, if it is of these.

    Args:
        fixed: part of the output that no network changes, on distinct inputs.
    """
    loss = relaxation.problem.instance.loss
    weights = tuple(mpq(s.weight) for s in relaxation.samples)
    is_max = loss.reduction == "max"
    if len(relaxation.hulls) != 1 or loss.name == "zero_one":
        return None
    if is_max and loss.name == "squared" and len(set(weights)) > 1:
        return None
    signs, targets = [], []
    for sample, row in zip(relaxation.samples, relaxation.rows, strict=True):
        sign = int(sample.y[0]) if loss.name == "hinge" else 1
        signs.append(sign)
        targets.append(1 - sign * fixed[row] if loss.name == "hinge" else sample.y[0] - fixed[row])
    if max(map(bit_length, (*targets, *weights))) > FLOAT_BITS:
        return None
    return Dual(
        tuple(map(mpq, targets)),
        tuple(signs),
        weights,
        relaxation.rows,
        loss.name,
        is_max,
        mpq(relaxation.unit),
    )


def are_short(columns: Sequence[Sequence[int]]) -> bool:
    """Whether whole numbers are short enough for floats."""
    return all(abs(v).bit_length() <= FLOAT_BITS for column in columns for v in column)


def scaled(columns: Sequence[Sequence[int]], count: int) -> Floats:
    """Columns that are not 0, each divided by its largest entry: N × K floats."""
    rows = [[float(mpq(v, max(map(abs, c)))) for v in c] for c in columns]
    return np.array(rows).reshape(len(rows), count).T


class Rounding:
    """Multipliers near floats that meet the free columns exactly, shifted into a cone.

    Args:
        dual: the loss.
        free: columns s q of free amounts, one number a sample.
    """

    def __init__(self, dual: Dual, free: Sequence[Sequence[int]]) -> None:
        self.dual = dual
        self.free = [free[k] for k in independent(free)] if free else []

    def all(self, wanted: Floats, inward: Floats) -> Iterator[Multipliers]:
        """Ever larger shifts of the multipliers against a direction in the cone."""
        size = float(np.abs(wanted).max())
        if not np.isfinite(size) or size <= 0 or not np.isfinite(inward).all():
            return
        longest = float(np.abs(inward).max())
        # Nothing to shift against where all columns are free.
        step = inward * (size / longest) if longest > 0 else inward
        if not np.isfinite(step).all():
            return
        for shift in SHIFTS:
            found = self._rounded((wanted - shift * step) / (1.0 + shift), size)
            if found is not None:
                yield found

    def _rounded(self, wanted: Floats, size: float) -> Multipliers | None:
        unit = mpq(size) / SCALE
        found = [int(v) * unit for v in np.rint(wanted / size * SCALE).tolist()]
        found = [self._clipped(m, k) for k, m in enumerate(found)]
        if not self.free:
            return tuple(found)
        # The multipliers that are farthest from their bounds make up for what is missing.
        order = np.argsort(-self._room(wanted), kind="stable").tolist()
        rows = independent([[column[i] for column in self.free] for i in order])
        chosen = [order[k] for k in rows]
        sides = [
            -sum((m * c for m, c in zip(found, column, strict=True) if m), _ZERO)
            for column in self.free
        ]
        moved = solve_square([[column[i] for i in chosen] for column in self.free], sides)
        if moved is None:
            return None
        for i, v in zip(chosen, moved, strict=True):
            found[i] += v
        return tuple(found)

    def _clipped(self, m: Rational, k: int) -> Rational:
        if self.dual.loss == "hinge" and m < 0:
            return _ZERO
        if self.dual.is_max or self.dual.loss == "squared":
            return m
        w = self.dual.weights[k]
        return max(-w, min(w, m))

    def _room(self, wanted: Floats) -> Floats:
        if self.dual.loss == "squared" or (self.dual.is_max and self.dual.loss != "hinge"):
            return np.ones(len(wanted))
        _, weights = self.dual.floats
        room = np.full(len(wanted), np.inf) if self.dual.is_max else weights - np.abs(wanted)
        if self.dual.loss == "hinge":
            room = np.minimum(room, wanted)
        return room


def best_bound(
    dual: Dual,
    rounding: Rounding,
    wanted: Floats,
    inward: Floats,
    is_admissible: Callable[[Multipliers], bool],
) -> Rational | None:
    """The bound of the first rounded multipliers that are proved to meet all conditions."""
    for multipliers in rounding.all(wanted, inward):
        bound = dual.bound(multipliers)
        if bound is not None and is_admissible(multipliers):
            return bound
    return None
