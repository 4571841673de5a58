"""The relaxation at a node for sums of squares: non-negative least squares.

    minimise  Σ w (Y − Σ c_k g_k − Σ s·α·R)²   over real c and α ≥ 0

by active sets (Lawson & Hanson, *Solving Least Squares Problems*, 1974, ch. 23), in floats from the
parent's solution, then once more in exact rationals from the set of rays that the floats end with.
An optimum on the boundary of a cell (docs/theory.md D7) uses the rays of a face only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from gmpy2 import mpq

from ermbit.engines.cells.ascent import Floats
from ermbit.engines.cells.bounds import exact_bound, solve_exactly
from ermbit.engines.cells.program import (
    Combination,
    Mask,
    Relaxed,
    Start,
    Support,
    Units,
    scaled_floats,
)
from ermbit.engines.cells.target import Target
from ermbit_instances.errors import InternalError
from ermbit_instances.rational import Rational

TOLERANCE = 1e-10
STEPS = 300
EXACT_STEPS = 8
"""Rays that are exchanged in exact arithmetic before a bound is given up."""


@dataclass(frozen=True, slots=True)
class _Exact:
    """Exact least squares on a set of rays: amounts of linear terms and rays, λ = 2we."""

    free: list[Rational]
    amounts: list[Rational]
    numerators: list[int]
    denominator: int


class SquaredProgram:
    """Sums of squares for one choice of signs."""

    def __init__(self, target: Target, units: Units, signs: tuple[int, ...]) -> None:
        self.target, self.units, self.signs = target, units, signs
        self._unit = max(1, *map(abs, target.goals)) if target.goals else 1
        self._weight = max(target.above, default=1)
        self._roots = np.sqrt(scaled_floats(target.above, self._weight))
        self._goal = scaled_floats(target.goals, self._unit) * self._roots
        columns = [[row[k] for row in target.free.rows] for k in range(target.free.rank)]
        self._lengths = [max(map(abs, column)) for column in columns]
        self._free = np.array(
            [
                scaled_floats(column, length) * self._roots
                for column, length in zip(columns, self._lengths, strict=True)
            ]
        ).reshape(len(columns), len(target.goals))

    def solve(self, masks: Sequence[Mask], start: Start | None, target: float) -> Relaxed | None:
        """The relaxation for these rays; ``start`` is the support of larger or equal masks."""
        chosen = [np.nonzero(mask)[0] for mask in masks]
        numbers = np.concatenate(
            [c + o for c, o in zip(chosen, self.units.offsets, strict=True)]
            or [np.zeros(0, dtype=np.intp)]
        )
        parts = [
            table.scaled[c] * sign
            for table, c, sign in zip(self.units.tables, chosen, self.signs, strict=True)
        ]
        rays = np.concatenate(parts) if parts else np.zeros((0, len(self._goal)))
        rays = rays * self._roots
        active: list[int] = []
        amounts: list[float] = []
        if isinstance(start, Support):
            places = {number: k for k, number in enumerate(numbers.tolist())}
            for number, amount in zip(start.numbers, start.amounts, strict=True):
                if number in places:
                    active.append(places[number])
                    amounts.append(amount)
        ended = _least_squares(self._goal, self._free, rays, active, np.array(amounts))
        if ended is None:
            return None
        active, found, free, residual = ended
        size = float(self._unit)
        places_found = [self.units.locate(int(numbers[k])) for k in active]
        return Relaxed(
            float(residual @ residual) * size * size * float(self._weight),
            residual * self._roots,
            np.array([u for u, _ in places_found], dtype=np.intp),
            np.array([r for _, r in places_found], dtype=np.intp),
            found * size,
            np.array(
                [c * (self._unit / n) for c, n in zip(free.tolist(), self._lengths, strict=True)]
            ),
            Support(tuple(int(numbers[k]) for k in active), tuple(found.tolist())),
            True,
        )

    def bound(self, relaxed: Relaxed, masks: Sequence[Mask]) -> Rational | None:
        """The exact least total of the relaxation, or ``None`` if the floats were too far off."""
        if not isinstance(relaxed.start, Support):
            return None
        solved = self._exactly(list(relaxed.start.numbers), masks, EXACT_STEPS)
        if solved is None:
            return None
        chosen = [np.nonzero(mask)[0] for mask in masks]
        return exact_bound(
            self.target,
            self.units.exact,
            self.signs,
            chosen,
            solved[1].numerators,
            solved[1].denominator,
        )

    def combination(self, relaxed: Relaxed) -> Combination | None:
        """Exact least squares on the rays of the solution."""
        if not isinstance(relaxed.start, Support):
            return None
        solved = self._fit(list(relaxed.start.numbers))
        return None if solved is None else self._combined(list(relaxed.start.numbers), solved)

    def settle(
        self, masks: Sequence[Mask], check: Callable[[], None]
    ) -> tuple[Rational, Combination]:
        """The relaxation solved in exact rationals: its least total, and where it is attained."""
        solved = self._exactly([], masks, None, check)
        if solved is None:
            raise InternalError("exact least squares on dependent rays")
        numbers, fit = solved
        chosen = [np.nonzero(mask)[0] for mask in masks]
        bound = exact_bound(
            self.target, self.units.exact, self.signs, chosen, fit.numerators, fit.denominator
        )
        if bound is None:
            raise InternalError("exact least squares without a proof")
        return bound, self._combined(numbers, fit)

    def _combined(self, numbers: Sequence[int], fit: _Exact) -> Combination:
        parts = tuple(
            (*self.units.locate(number), amount)
            for number, amount in zip(numbers, fit.amounts, strict=True)
            if amount > 0
        )
        return Combination(tuple(fit.free), parts)

    def _column(self, number: int) -> list[int]:
        unit, ray = self.units.locate(number)
        sign = self.signs[unit]
        return [sign * int(v) for v in self.units.tables[unit].values[ray].tolist()]

    def _fit(self, numbers: Sequence[int]) -> _Exact | None:
        """Unconstrained least squares on the linear terms and some rays."""
        rank, goals, weights = self.target.free.rank, self.target.goals, self.target.above
        columns = [[row[k] for row in self.target.free.rows] for k in range(rank)]
        columns += [self._column(number) for number in numbers]
        weighted = [[w * v for w, v in zip(weights, c, strict=True)] for c in columns]
        square = [[_dot(a, b) for b in columns] for a in weighted]
        solved = solve_exactly(square, [_dot(a, goals) for a in weighted])
        if solved is None:
            return None
        numerators, denominator = solved
        residual = [y * denominator for y in goals]
        for value, column in zip(numerators, columns, strict=True):
            if value:
                residual = [e - value * v for e, v in zip(residual, column, strict=True)]
        return _Exact(
            [mpq(v, denominator) for v in numerators[:rank]],
            [mpq(v, denominator) for v in numerators[rank:]],
            [2 * w * e for w, e in zip(weights, residual, strict=True)],
            denominator,
        )

    def _exactly(
        self,
        numbers: list[int],
        masks: Sequence[Mask],
        steps: int | None,
        check: Callable[[], None] = lambda: None,
    ) -> tuple[list[int], _Exact] | None:
        """Lawson and Hanson in rationals, from a set of rays; ``None`` after too many steps."""
        fit = self._fit(numbers)
        # The amounts that the set starts from have to be feasible, and none of them 0, where no
        # step is left: drop rays until they are.
        while fit is not None and any(a <= 0 for a in fit.amounts):
            numbers = [n for n, a in zip(numbers, fit.amounts, strict=True) if a > 0]
            fit = self._fit(numbers)
        if fit is None:
            return None
        current = fit.amounts
        while True:
            check()
            entering = self._improving(fit, masks)
            if entering is None:
                return numbers, fit
            if steps is not None:
                if steps == 0:
                    return None
                steps -= 1
            numbers, current = [*numbers, entering], [*current, mpq(0)]
            while True:
                fit = self._fit(numbers)
                if fit is None:
                    return None
                if all(a > 0 for a in fit.amounts):
                    current = fit.amounts
                    break
                step = min(c / (c - a) for c, a in zip(current, fit.amounts, strict=True) if a <= 0)
                moved = [c + step * (a - c) for c, a in zip(current, fit.amounts, strict=True)]
                numbers = [n for n, m in zip(numbers, moved, strict=True) if m > 0]
                current = [m for m in moved if m > 0]

    def _improving(self, fit: _Exact, masks: Sequence[Mask]) -> int | None:
        """A ray whose use would lower the loss: s·λ·R > 0."""
        for exact, mask, sign, offset in zip(
            self.units.exact, masks, self.signs, self.units.offsets, strict=True
        ):
            chosen = np.nonzero(mask)[0]
            above = exact.above(chosen, sign, fit.numerators)
            if above is not None:
                return int(chosen[above]) + offset
        return None


def _least_squares(
    goal: Floats, free: Floats, rays: Floats, active: list[int], amounts: Floats
) -> tuple[list[int], Floats, Floats, Floats] | None:
    """Lawson and Hanson in floats: active rays, their amounts, those of ``free``, the residual."""
    for _ in range(STEPS):
        while True:
            columns = np.concatenate([free, rays[active]])
            solution = np.linalg.lstsq(columns.T, goal, rcond=None)[0]
            wanted = solution[len(free) :]
            if not len(wanted) or wanted.min() > 0:
                amounts = wanted
                break
            falling = wanted <= 0
            step = float((amounts[falling] / (amounts[falling] - wanted[falling])).min())
            amounts = amounts + step * (wanted - amounts)
            keep = amounts > 1e-13
            keep &= ~(falling & (amounts <= 1e-12 * max(1.0, float(np.abs(amounts).max()))))
            active = [k for k, kept in zip(active, keep.tolist(), strict=True) if kept]
            amounts = amounts[keep]
        residual: Floats = goal - solution @ columns
        prices = rays @ residual
        prices[active] = 0.0
        if not len(prices):
            return active, amounts, solution[: len(free)], residual
        best = int(prices.argmax())
        if prices[best] <= TOLERANCE:
            return active, amounts, solution[: len(free)], residual
        active = [*active, best]
        amounts = np.append(amounts, 0.0)
    return None


def _dot(a: Sequence[int], b: Sequence[int]) -> int:
    return sum(u * v for u, v in zip(a, b, strict=True))
