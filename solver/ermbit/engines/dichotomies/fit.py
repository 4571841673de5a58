"""The best outer weights for given dichotomies, exactly: a linear program, least squares, or signs.

Once every unit's dichotomy is chosen the output is linear in what is left. ``absolute`` and
``hinge`` are sums of kinks, ``squared`` is least squares. Under ``zero_one`` samples with equal
outputs form classes; which sets of classes can be right at once is decided by systems of linear
forms, cheapest first, where a core of forms says that one of its classes has to give way.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import lcm

from gmpy2 import mpq

from ermbit.engines.hitting_sets.gordan import Core, System
from ermbit.engines.lifting.linear import independent
from ermbit.engines.lifting.program import Row, least_cost, least_squares
from ermbit_instances.loss import Loss
from ermbit_instances.rational import Rational

_ZERO, _ONE = mpq(0), mpq(1)


@dataclass(frozen=True, slots=True)
class Fit:
    """Free outer numbers and the total loss (weights of the samples as integers)."""

    point: tuple[Rational, ...]
    total: Rational


def best_fit(
    columns: Sequence[Sequence[Rational]],
    fixed: Sequence[Rational],
    targets: Sequence[Rational],
    weights: Sequence[int],
    loss: Loss,
    check: Callable[[], None] = lambda: None,
    deadline: float | None = None,
) -> Fit:
    """c with the least loss of fixed + Σ c_k columns_k.

    Args:
        columns: a number a sample each; dependent ones are allowed.
        fixed: the rest of the output, a number a sample.
        targets: y.
        weights: positive integers.
        loss: not ``squared`` under ``max``.
        check: called now and then; may raise.
        deadline: of :func:`time.monotonic`, in seconds.

    Raises:
        Undecided: a program that could not be solved exactly.
    """
    if loss.name == "zero_one":
        return _signs(columns, fixed, targets, weights, loss, check)
    whole, scales = [], []
    for column in columns:
        scale = lcm(*(int(mpq(v).denominator) for v in column))
        whole.append([int(v * scale) for v in column])
        scales.append(scale)
    if loss.name == "squared":
        kept = independent(whole)
        sides = [y - f for y, f in zip(targets, fixed, strict=True)]
        found, value = least_squares([tuple(whole[k]) for k in kept], sides, weights)
        point = [_ZERO] * len(columns)
        for k, v in zip(kept, found, strict=True):
            point[k] = v * scales[k]
        return Fit(tuple(point), value)
    rows = _rows(whole, fixed, targets, weights, loss)
    optimum = least_cost(rows, deadline)
    found = optimum.point[: len(columns)]
    return Fit(tuple(v * s for v, s in zip(found, scales, strict=True)), optimum.value)


def _rows(
    columns: Sequence[Sequence[int]],
    fixed: Sequence[Rational],
    targets: Sequence[Rational],
    weights: Sequence[int],
    loss: Loss,
) -> list[Row]:
    """The costs of all samples; under ``max`` with the largest loss as a further unknown."""
    hinge = loss.name == "hinge"
    rows = []
    largest = loss.reduction == "max"
    for i, (f, y, w) in enumerate(zip(fixed, targets, weights, strict=True)):
        label = int(y) if hinge else 1
        side = 1 - label * f if hinge else y - f
        coefficients = [label * column[i] for column in columns]
        if not largest:
            rows.append(Row(tuple(coefficients), side, _ZERO if hinge else mpq(-w), mpq(w)))
            continue
        for sign in (1,) if hinge else (1, -1):
            moved = tuple(-sign * w * a for a in coefficients)
            rows.append(Row((*moved, -1), -sign * w * side, None, _ZERO))
    if largest:
        nothing = (0,) * len(columns)
        rows.append(Row((*nothing, -1), _ZERO, None, _ZERO))
        rows.append(Row((*nothing, -1), _ZERO, _ONE, _ONE))
    return rows


def _signs(
    columns: Sequence[Sequence[Rational]],
    fixed: Sequence[Rational],
    targets: Sequence[Rational],
    weights: Sequence[int],
    loss: Loss,
    check: Callable[[], None],
) -> Fit:
    """The least weight of wrong samples, by best-first search over which classes give way."""
    largest = loss.reduction == "max"
    classes: dict[tuple[Rational, ...], list[int]] = {}
    for i, (f, y, w) in enumerate(zip(fixed, targets, weights, strict=True)):
        key = (*(mpq(column[i]) for column in columns), mpq(f))
        sides = classes.setdefault(key, [0, 0])
        place = 0 if y > 0 else 1
        sides[place] = max(sides[place], w) if largest else sides[place] + w
    keys: list[tuple[Rational, ...]] = []
    forms: list[list[int]] = []
    costs: list[tuple[int, int]] = []
    base = 0
    pure: list[bool] = []

    def add(a: int, b: int) -> int:
        return max(a, b) if largest else a + b

    for key, (up, down) in classes.items():
        if not any(key):
            base = add(base, add(up, down))
            continue
        keys.append(key)
        sign = 1 if up >= down else -1
        scale = lcm(*(int(v.denominator) for v in key))
        forms.append([int(sign * v * scale) for v in key])
        costs.append((min(up, down), max(up, down)))
        pure.append(min(up, down) == 0)
    count = len(forms)
    width = len(columns) + 1
    forms += [[-v for v in form] for form in forms]
    homogeneous = not any(fixed)
    forms.append([0] * (width - 1) + [1])
    system = System(forms)
    waiting: list[tuple[int, tuple[int, ...]]] = [(_total(costs, (), base, largest), ())]
    seen: set[tuple[int, ...]] = {()}
    while True:
        check()
        total, flipped = heapq.heappop(waiting)
        given = set(flipped)
        chosen = [k for k in range(count) if k not in given]
        chosen += [count + k for k in flipped if not pure[k]]
        if not homogeneous:
            chosen.append(2 * count)
        answer = system.solve(chosen)
        if not isinstance(answer, Core):
            scale = _ONE if homogeneous else answer[-1]
            point = tuple(v / scale for v in answer[:-1])
            if loss.margin > 0 and homogeneous:
                # Outputs that have to be right are scaled up to the margin.
                sizes = [
                    abs(sum((a * v for a, v in zip(keys[k % count], point, strict=False)), _ZERO))
                    for k in chosen
                ]
                point = tuple(v * loss.margin / min(sizes, default=_ONE) for v in point)
            return Fit(point, mpq(total))
        for k in answer.forms:
            if k < count:
                further = tuple(sorted({*flipped, k}))
                if further not in seen:
                    seen.add(further)
                    heapq.heappush(waiting, (_total(costs, further, base, largest), further))


def _total(
    costs: Sequence[tuple[int, int]], flipped: Sequence[int], base: int, largest: bool
) -> int:
    given = set(flipped)
    terms = [cost[k in given] for k, cost in enumerate(costs)]
    return max([base, *terms]) if largest else base + sum(terms)
