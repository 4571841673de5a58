"""The least loss over the affine hulls of all outputs: a lower bound for every network (G1).

What is left of the problem is convex: a linear program for ``absolute`` and ``hinge``, least
squares for ``squared``. All ends are exact. (``zero_one`` is not convex; it has a module of its
own.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gmpy2 import mpq

from ermbit.engines.engine import Budget
from ermbit.engines.lifting.program import Row, Undecided, check, least_cost, least_squares
from ermbit.engines.lifting.relaxation import Relaxation, Relaxed
from ermbit.engines.lifting.zero_one import classified_steps
from ermbit_instances.rational import Rational

REWEIGHTINGS = 60
"""Rounds of reweighting for the largest square."""

_ZERO, _ONE = mpq(0), mpq(1)


def relaxed_steps(relaxation: Relaxation, budget: Budget) -> Iterator[Relaxed]:
    """Ever better ends of the relaxed minimum; a single one except for ``zero_one``.

    Raises:
        Undecided: a linear program could not be solved exactly, or not in time.
    """
    if relaxation.problem.instance.loss.name == "zero_one":
        yield from classified_steps(relaxation, budget)
    else:
        yield relaxed_minimum(relaxation, budget.deadline)


def relaxed_minimum(relaxation: Relaxation, deadline: float | None = None) -> Relaxed:
    """The relaxed minimum for all losses but ``zero_one``.

    Raises:
        Undecided: a linear program could not be solved exactly, or not in time.
    """
    loss = relaxation.problem.instance.loss
    if loss.name == "squared":
        if loss.reduction == "max":
            return _largest_square(relaxation, deadline)
        weights = [mpq(s.weight) for s in relaxation.samples]
        return _squares(relaxation, [weights] * len(relaxation.hulls), deadline)
    if loss.name == "absolute" and loss.reduction != "max":
        return _absolute(relaxation, deadline)
    return _coupled(relaxation, deadline, is_absolute=loss.name == "absolute")


def _squares(
    relaxation: Relaxation,
    weights: Sequence[Sequence[Rational]],
    deadline: float | None,
) -> Relaxed:
    """Least squares, output by output."""
    amounts, total = [], _ZERO
    for o, (hull, w) in enumerate(zip(relaxation.hulls, weights, strict=True)):
        check(deadline)
        used = [k for k, v in enumerate(w) if v > 0]
        sides = [relaxation.samples[k].y[o] - hull.constant[relaxation.rows[k]] for k in used]
        columns = [tuple(c[relaxation.rows[k]] for k in used) for c in hull.columns]
        c, value = least_squares(columns, sides, [w[k] for k in used])
        amounts.append(c)
        total += value
    values = relaxation.values(amounts)
    return Relaxed(total / relaxation.unit, values, relaxation.loss(values))


def _largest_square(relaxation: Relaxation, deadline: float | None) -> Relaxed:
    """Enclosed by reweighting (Lawson 1961): Σ μ ŵ e² ≤ max ŵ e² for Σ μ = 1, μ > 0.

    With one output and equal weights it is the square of the largest absolute error.
    """
    heavy = [mpq(s.weight) for s in relaxation.samples]
    if len(relaxation.hulls) == 1 and len(set(heavy)) == 1:
        values = _coupled(relaxation, deadline, is_absolute=True).values
        loss = relaxation.loss(values)
        return Relaxed(loss, values, loss)
    shares = [_ONE / len(heavy)] * len(heavy)
    best: Relaxed | None = None
    lower = _ZERO
    for _ in range(REWEIGHTINGS):
        weights = [m * w for m, w in zip(shares, heavy, strict=True)]
        try:
            found = _squares(relaxation, [weights] * len(relaxation.hulls), deadline)
        except Undecided:
            break  # no time left: the ends so far
        lower = max(lower, found.lower)
        if best is None or found.loss < best.loss:
            best = found
        if best.loss <= lower:
            break
        sizes = []
        for s, i, w in zip(relaxation.samples, relaxation.rows, heavy, strict=True):
            e2 = sum(((f[i] - y) ** 2 for f, y in zip(found.values, s.y, strict=True)), _ZERO)
            sizes.append(w * e2)
        top = max(sizes)
        raised = [
            float(m) * (float(v / top) ** 0.5 + 1e-3) for m, v in zip(shares, sizes, strict=True)
        ]
        whole = [max(1, round(v / sum(raised) * 2**30)) for v in raised]
        shares = [mpq(v, sum(whole)) for v in whole]
    if best is None:
        raise Undecided("time limit")
    return Relaxed(min(lower, best.loss), best.values, best.loss)


def _absolute(relaxation: Relaxation, deadline: float | None) -> Relaxed:
    """One linear program an output."""
    amounts, total = [], _ZERO
    for o, hull in enumerate(relaxation.hulls):
        rows = [
            Row(
                tuple(c[i] for c in hull.columns),
                s.y[o] - hull.constant[i],
                -mpq(s.weight),
                mpq(s.weight),
            )
            for s, i in zip(relaxation.samples, relaxation.rows, strict=True)
        ]
        optimum = least_cost(rows, deadline)
        amounts.append(optimum.point)
        total += optimum.value
    values = relaxation.values(amounts)
    return Relaxed(total / relaxation.unit, values, relaxation.loss(values))


def _coupled(
    relaxation: Relaxation, deadline: float | None, *, is_absolute: bool
) -> Relaxed:
    """One linear program for ``hinge`` and for the largest loss.

    Unknowns: the amounts of all outputs, then one bound a sample (or a sample and output), and
    under ``max`` one bound on all.
    """
    loss, samples = relaxation.problem.instance.loss, relaxation.samples
    is_max = loss.reduction == "max"
    outputs, count = len(relaxation.hulls), len(samples)
    starts = [sum(h.rank for h in relaxation.hulls[:o]) for o in range(outputs)]
    per_sample = outputs if is_absolute else 1
    first = relaxation.width
    single = is_max and per_sample == 1
    last = first + (0 if single else count * per_sample)
    width = last + is_max
    rows: list[Row] = []

    def form(i: int, signs: Sequence[int]) -> tuple[dict[int, int], Rational]:
        """Σ signs · outputs at a row: coefficients and constant."""
        found: dict[int, int] = {}
        constant = _ZERO
        for o, sign in enumerate(signs):
            if sign:
                hull = relaxation.hulls[o]
                constant += sign * hull.constant[i]
                for k, column in enumerate(hull.columns):
                    found[starts[o] + k] = sign * column[i]
        return found, constant

    def add(terms: dict[int, int], side: Rational, low: int | None, high: int | None) -> None:
        dense = [0] * width
        for k, v in terms.items():
            dense[k] = v
        rows.append(
            Row(
                tuple(dense),
                side,
                None if low is None else mpq(low),
                None if high is None else mpq(high),
            )
        )

    for s, (sample, i) in enumerate(zip(samples, relaxation.rows, strict=True)):
        w = sample.weight
        for part in range(per_sample):
            # Every bound g is at least some forms: side − form − g ≤ 0.
            wanted: list[tuple[dict[int, int], Rational]] = []
            if is_absolute:
                plus, constant = form(i, [int(o == part) for o in range(outputs)])
                gap = sample.y[part] - constant
                wanted = [(plus, gap), ({k: -v for k, v in plus.items()}, -gap)]
            elif outputs == 1:
                plus, constant = form(i, [int(sample.y[0])])
                wanted = [(plus, 1 - constant), ({}, _ZERO)]
            else:
                own = int(sample.y[0])
                for j in range(outputs):
                    if j != own:
                        signs = [int(o == own) - int(o == j) for o in range(outputs)]
                        plus, constant = form(i, signs)
                        wanted.append((plus, 1 - constant))
                wanted.append(({}, _ZERO))
            g = last if single else first + s * per_sample + part
            for terms, side in wanted:
                if single:
                    scaled = {k: w * v for k, v in terms.items()}
                    add({**scaled, g: 1}, w * side, 0, None)
                else:
                    add({**terms, g: 1}, side, 0, None)
            if not is_max:
                add({g: -1}, _ZERO, w, w)
        if is_max and not single:
            parts = {first + s * per_sample + p: -w for p in range(per_sample)}
            add({**parts, last: 1}, _ZERO, 0, None)
    if is_max:
        add({last: -1}, _ZERO, 1, 1)
    optimum = least_cost(rows, deadline)
    amounts = [
        optimum.point[start : start + hull.rank]
        for start, hull in zip(starts, relaxation.hulls, strict=True)
    ]
    values = relaxation.values(amounts)
    return Relaxed(optimum.value / relaxation.unit, values, relaxation.loss(values))
