"""Convex programs over all real c, solved exactly: sums of kinks, and least squares.

A row (a, b, low, high) stands for the cost of the residual e = b − a·c:

    max(low · e, high · e)       absolute: −w, w;  hinge: 0, w;  e ≤ 0: 0, ∞;  a linear goal: w, w

The dual is: maximise Σ λ_i b_i over low ≤ λ ≤ high with Σ λ_i a_i = 0. A float linear program
proposes a basis; from it c and λ are computed in rationals, and count only if λ lies within its
bounds and both ends are equal. Where the floats fail z3 proposes both.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from gmpy2 import mpq

from ermbit.engines.float_program import FloatProgram, Method
from ermbit.engines.lifting.linear import (
    Column,
    Vector,
    independent,
    primitive,
    rational,
    solve_square,
)
from ermbit.engines.patience import patient_check
from ermbit_instances.errors import InternalError
from ermbit_instances.rational import Rational, bit_length

METHODS: tuple[Method, ...] = ("simplex", "ipm")
"""Ways to a proposal: the second where the first fails."""

INSIDE = 1e-7
"""How far a float multiplier is from its bounds, relative to them, if it is taken to be basic."""

FLOAT_BITS = 900
"""Longest numbers that are converted to floats."""

Z3_MILLISECONDS = 20_000
"""For either end, where floats fail."""

_ZERO = mpq(0)


class Undecided(Exception):
    """A program that could not be solved exactly, or not in time."""


def check(deadline: float | None) -> None:
    """Go on only before a deadline in the seconds of :func:`time.monotonic`.

    Raises:
        Undecided: it is past.
    """
    if deadline is not None and time.monotonic() >= deadline:
        raise Undecided("time limit")


@dataclass(frozen=True, slots=True)
class Row:
    """A cost: max(low e, high e) of e = side − coefficients · c; ``None`` is infinite."""

    coefficients: Column
    side: Rational
    low: Rational | None
    high: Rational | None

    def cost(self, c: Sequence[Rational]) -> Rational | None:
        """The cost at c, ``None`` for infinite."""
        e = self.residual(c)
        factor = self.high if e > 0 else self.low
        if e == 0:
            return _ZERO
        return None if factor is None else factor * e

    def residual(self, c: Sequence[Rational]) -> Rational:
        terms = (a * v for a, v in zip(self.coefficients, c, strict=True) if a)
        return self.side - sum(terms, _ZERO)


@dataclass(frozen=True, slots=True)
class Optimum:
    """A least value: where it is attained, and the multipliers that prove it."""

    point: Vector
    multipliers: Vector
    value: Rational


def least_cost(rows: Sequence[Row], deadline: float | None = None) -> Optimum:
    """The least total cost, which must be finite and bounded below.

    Raises:
        Undecided: neither floats nor z3 found the optimum, or not in time.
    """
    check(deadline)
    width = len(rows[0].coefficients) if rows else 0
    used = independent(list(zip(*(row.coefficients for row in rows), strict=True)))
    if 0 < len(used) < width:
        # The others change nothing and stay 0.
        fewer = [
            Row(tuple(row.coefficients[k] for k in used), row.side, row.low, row.high)
            for row in rows
        ]
        inner = least_cost(fewer, deadline)
        full = [_ZERO] * width
        for k, value in zip(used, inner.point, strict=True):
            full[k] = value
        return Optimum(tuple(full), inner.multipliers, inner.value)
    if not used:
        point = (_ZERO,) * width
        multipliers = tuple(_nearest(row, row.side) for row in rows)
        return _checked(rows, point, multipliers) or _failed()
    found = None
    for guess in _proposals(rows):
        check(deadline)
        found = _from_basis(rows, *guess)
        if found is not None:
            return found
    check(deadline)
    return _by_z3(rows, deadline) or _failed()


def _failed() -> Optimum:
    raise Undecided("a linear program could not be solved exactly")


def total_cost(rows: Sequence[Row], c: Sequence[Rational]) -> Rational | None:
    """The sum of all costs, ``None`` for infinite."""
    total = _ZERO
    for row in rows:
        cost = row.cost(c)
        if cost is None:
            return None
        total += cost
    return total


def _nearest(row: Row, e: Rational) -> Rational:
    """A subgradient of the cost at e."""
    for bound in (row.high, row.low) if e > 0 else (row.low, row.high):
        if bound is not None:
            return bound
    raise InternalError("a row without bounds")


def _checked(rows: Sequence[Row], c: Vector, multipliers: Vector) -> Optimum | None:
    """The optimum, if both ends are feasible and meet."""
    value = total_cost(rows, c)
    for row, v in zip(rows, multipliers, strict=True):
        if (row.low is not None and v < row.low) or (row.high is not None and v > row.high):
            return None
    used = [(row, v) for row, v in zip(rows, multipliers, strict=True) if v]
    for k in range(len(c)):
        if sum((row.coefficients[k] * v for row, v in used), _ZERO) != 0:
            return None
    bound = sum((row.side * v for row, v in used), _ZERO)
    return Optimum(c, multipliers, bound) if bound == value else None


def _proposals(rows: Sequence[Row]) -> Iterator[tuple[list[int], list[bool]]]:
    """By floats: an order in which rows enter a basis, and which of the others are at ``high``."""
    numbers = [row.side for row in rows]
    numbers += [v for row in rows for v in (row.low, row.high) if v is not None]
    longest = max(bit_length(v) for v in numbers)
    longest += max(abs(v).bit_length() for row in rows for v in row.coefficients)
    if longest > FLOAT_BITS:
        return
    matrix = np.array([[float(v) for v in row.coefficients] for row in rows])
    matrix = matrix / np.abs(matrix).max(axis=0)
    unit = max(float(max(abs(row.side) for row in rows)), 1e-300)
    sides = np.array([float(row.side) for row in rows]) / unit
    low = np.array([-np.inf if row.low is None else float(row.low) for row in rows])
    high = np.array([np.inf if row.high is None else float(row.high) for row in rows])
    finite = np.abs(np.concatenate([low, high]))
    scale = max(float(finite[np.isfinite(finite)].max(initial=0.0)), 1e-300)
    low, high = low / scale, high / scale
    zeros = np.zeros(matrix.shape[1])
    dual = FloatProgram(-sides, matrix.T, zeros, zeros, low, high)
    for method in METHODS:
        proposal = dual.solve(method)
        if proposal is None:
            continue
        x, c = proposal.point, -proposal.multipliers
        residuals = np.abs(sides - matrix @ c)
        inside = np.minimum(x - low, high - x)
        # Multipliers between their bounds first, then the rows that fit best.
        keys = np.where(inside > INSIDE, -np.minimum(inside, 1e9), residuals + 1.0)
        at_high = (high - x) < (x - low)
        yield np.argsort(keys, kind="stable").tolist(), at_high.tolist()


def _from_basis(rows: Sequence[Row], order: list[int], at_high: list[bool]) -> Optimum | None:
    """The exact ends of the basis that an order of the rows gives."""
    width = len(rows[0].coefficients)
    chosen = [order[k] for k in independent([rows[i].coefficients for i in order])]
    if len(chosen) < width:
        return None
    square = [rows[i].coefficients for i in chosen]
    c = solve_square(square, [rows[i].side for i in chosen])
    multipliers = [_ZERO] * len(rows)
    basic = set(chosen)
    moved = [_ZERO] * width
    for i, row in enumerate(rows):
        if i in basic:
            continue
        bound = row.high if at_high[i] else row.low
        if bound is None:
            return None
        multipliers[i] = bound
        if bound:
            for k, a in enumerate(row.coefficients):
                moved[k] -= a * bound
    inner = solve_square(list(zip(*square, strict=True)), moved)
    if c is None or inner is None:
        return None
    for i, v in zip(chosen, inner, strict=True):
        multipliers[i] = v
    return _checked(rows, c, tuple(multipliers))


def _by_z3(rows: Sequence[Row], deadline: float | None = None) -> Optimum | None:
    """Both ends from z3's exact simplex method."""
    import z3

    def real(value: Rational) -> Any:
        return z3.RealVal(f"{value.numerator}/{value.denominator}")

    width = len(rows[0].coefficients)
    solver = z3.Optimize()
    c = [z3.Real(f"c{k}") for k in range(width)]
    costs = []
    for i, row in enumerate(rows):
        terms = [z3.IntVal(int(a)) * v for a, v in zip(row.coefficients, c, strict=True) if a]
        e = real(row.side) - z3.Sum(terms) if terms else real(row.side)
        if row.low is not None and row.low == row.high:
            costs.append(real(row.low) * e)
            continue
        cost = z3.Real(f"cost{i}")
        costs.append(cost)
        solver.add(e >= 0 if row.low is None else cost >= real(row.low) * e)
        solver.add(e <= 0 if row.high is None else cost >= real(row.high) * e)
    solver.minimize(z3.Sum(costs))
    if patient_check(solver, _milliseconds(deadline), deadline) != "sat":
        return None
    point = tuple(_model_value(solver.model(), v) for v in c)
    value = total_cost(rows, point)
    if value is None:
        return None
    dual = z3.SimpleSolver()
    multipliers = [z3.Real(f"m{i}") for i in range(len(rows))]
    for row, m in zip(rows, multipliers, strict=True):
        dual.add(*([] if row.low is None else [m >= real(row.low)]))
        dual.add(*([] if row.high is None else [m <= real(row.high)]))
    for k in range(width):
        pairs = zip(rows, multipliers, strict=True)
        dual.add(z3.Sum([z3.IntVal(int(row.coefficients[k])) * m for row, m in pairs]) == 0)
    pairs = zip(rows, multipliers, strict=True)
    dual.add(z3.Sum([real(row.side) * m for row, m in pairs]) >= real(value))
    if patient_check(dual, _milliseconds(deadline), deadline) != "sat":
        return None
    return _checked(rows, point, tuple(_model_value(dual.model(), m) for m in multipliers))


def _milliseconds(deadline: float | None) -> int:
    left = Z3_MILLISECONDS if deadline is None else int(1000 * (deadline - time.monotonic()))
    return max(1, min(Z3_MILLISECONDS, left))


def _model_value(model: Any, unknown: Any) -> Rational:
    value = model.eval(unknown, model_completion=True)
    return mpq(value.numerator_as_long(), value.denominator_as_long())


def least_squares(
    columns: Sequence[Column], sides: Sequence[Rational], weights: Sequence[Rational]
) -> tuple[Vector, Rational]:
    """c with the least Σ w (b − Σ c_k columns_k)², and that value, by the normal equations.

    Args:
        columns: independent, one number a sample.
        weights: positive.
    """
    from flint import fmpz_mat

    whole, _ = primitive(weights)
    wanted, scale = primitive(sides)
    point: Vector = ()
    if columns:
        tall = fmpz_mat([list(row) for row in zip(*columns, strict=True)])
        weighted = fmpz_mat([[w * v for w, v in zip(whole, c, strict=True)] for c in columns])
        solved = (weighted * tall).solve(weighted * fmpz_mat(len(wanted), 1, list(wanted)))
        point = tuple(scale * rational(v) for v in solved.entries())
    value = _ZERO
    for i, (b, w) in enumerate(zip(sides, weights, strict=True)):
        e = b - sum((p * c[i] for p, c in zip(point, columns, strict=True)), _ZERO)
        value += w * e * e
    return point, value
