"""The least loss over the affine hulls of all outputs: a lower bound for every network (G1).

The outputs are constants plus free combinations of columns. What is left is convex: a linear
program for ``absolute`` and ``hinge``, least squares for ``squared``, hitting sets of linear forms
for ``zero_one``. All ends are exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gmpy2 import mpq

from ermbit.engines.engine import Budget
from ermbit.engines.hitting_sets.engine import HittingSearch
from ermbit.engines.lifting.hull import Hull, network_hulls
from ermbit.engines.lifting.linear import Vector, primitive
from ermbit.engines.lifting.program import Row, Undecided, check, least_cost, least_squares
from ermbit.engines.linear_classifier import Classifier, Form
from ermbit_encodings.problem import Problem
from ermbit_encodings.samples import Sample, reduction_unit
from ermbit_instances.rational import Rational

SAMPLE_LIMIT = 500
"""Distinct samples."""

WIDTH_LIMIT = 1_500
"""Unknowns of a program."""

REWEIGHTINGS = 60
"""Rounds of reweighting for the largest square."""

MARGIN_SHIFT = mpq(1, 2**20)
"""Relative: by how much a margin shrinks where constants forbid to scale it away."""

_ZERO, _ONE = mpq(0), mpq(1)


@dataclass(frozen=True)
class Relaxation:
    """The data and the hulls.

    Attributes:
        problem: that they are of.
        inputs: n distinct rows.
        hulls: by output, over these rows.
        rows: for every sample its row.
        unit: L = total / unit for totals with integer weights.
    """

    problem: Problem
    inputs: tuple[Vector, ...]
    hulls: tuple[Hull, ...]
    rows: tuple[int, ...]
    unit: int

    @property
    def samples(self) -> tuple[Sample, ...]:
        return self.problem.samples.rows

    @property
    def width(self) -> int:
        return sum(hull.rank for hull in self.hulls)

    def values(self, amounts: Sequence[Sequence[Rational]]) -> tuple[Vector, ...]:
        """The outputs on the distinct inputs for amounts of the columns, output by output."""
        found = []
        for hull, c in zip(self.hulls, amounts, strict=True):
            used = [(column, a) for column, a in zip(hull.columns, c, strict=True) if a]
            found.append(
                tuple(
                    p + sum((a * column[i] for column, a in used), _ZERO)
                    for i, p in enumerate(hull.constant)
                )
            )
        return tuple(found)

    def loss(self, values: Sequence[Vector]) -> Rational:
        """L of outputs on the distinct inputs, by its definition."""
        loss = self.problem.instance.loss
        costs = [
            s.weight * mpq(loss.sample(tuple(f[i] for f in values), s.y))
            for s, i in zip(self.samples, self.rows, strict=True)
        ]
        return (max(costs) if loss.reduction == "max" else sum(costs, _ZERO)) / self.unit


@dataclass(frozen=True, slots=True)
class Relaxed:
    """Ends of the relaxed minimum.

    Attributes:
        lower: proved: no network has a smaller loss.
        values: outputs on the distinct inputs that are in the hulls.
        loss: of these outputs; equal to ``lower`` for a solved relaxation.
    """

    lower: Rational
    values: tuple[Vector, ...]
    loss: Rational

    @property
    def is_solved(self) -> bool:
        return bool(self.lower == self.loss)


def read_relaxation(problem: Problem) -> Relaxation | str:
    """The relaxation of a problem, or why there is none."""
    network = problem.instance.network
    if problem.is_piecewise_linear:
        return "no activation is a polynomial of degree 2 or more"
    if len(problem.instance.data) > SAMPLE_LIMIT:
        return f"more than {SAMPLE_LIMIT} samples"
    samples = problem.samples.rows
    inputs = tuple(dict.fromkeys(s.x for s in samples))
    place = {x: i for i, x in enumerate(inputs)}
    hulls = network_hulls(network, inputs)
    if isinstance(hulls, str):
        return hulls
    if sum(hull.rank for hull in hulls) > WIDTH_LIMIT:
        return f"more than {WIDTH_LIMIT} unknowns"
    rows = tuple(place[s.x] for s in samples)
    return Relaxation(
        problem, inputs, hulls, rows, reduction_unit(problem.instance, problem.samples)
    )


def restricted(relaxation: Relaxation, hulls: Sequence[Hull]) -> Relaxation:
    """The same data with other hulls."""
    return Relaxation(
        relaxation.problem, relaxation.inputs, tuple(hulls), relaxation.rows, relaxation.unit
    )


def relaxed_steps(relaxation: Relaxation, budget: Budget) -> Iterator[Relaxed]:
    """Ever better ends of the relaxed minimum; a single one except for ``zero_one``.

    Raises:
        Undecided: a linear program could not be solved exactly, or not in time.
    """
    if relaxation.problem.instance.loss.name == "zero_one":
        yield from _classified(relaxation, budget)
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


# -- zero_one: linear classifiers in the columns


@dataclass(frozen=True, slots=True)
class _ScaledClassifier(Classifier):
    """A classifier on columns; the last parameter scales constants and has to be positive.

    The last sample says so; it weighs more than all others together.
    """

    def is_right(self, sample: int, theta: Sequence[Rational]) -> bool:
        """Whether all forms of a sample are positive: the relaxation of what is asked."""
        return all(
            sum((a * t for a, t in zip(form, theta, strict=True) if a), _ZERO) > 0
            for form in self.forms[sample]
        )

    def scaled(self, theta: Sequence[Rational]) -> Vector:
        return tuple(theta)


def _classified(relaxation: Relaxation, budget: Budget) -> Iterator[Relaxed]:
    loss = relaxation.problem.instance.loss
    is_scaled = any(any(hull.constant) for hull in relaxation.hulls)
    is_max = loss.reduction == "max"
    margin = loss.margin * (1 - MARGIN_SHIFT) if is_scaled else _ZERO
    forms: list[tuple[Form, ...]] = []
    for sample, i in zip(relaxation.samples, relaxation.rows, strict=True):
        if len(relaxation.hulls) == 1:
            wanted = [[int(sample.y[0])]]
        else:
            own = int(sample.y[0])
            wanted = [
                [int(o == own) - int(o == j) for o in range(len(relaxation.hulls))]
                for j in range(len(relaxation.hulls))
                if j != own
            ]
        forms.append(
            tuple(_form(relaxation, i, signs, margin, is_scaled=is_scaled) for signs in wanted)
        )
    samples = relaxation.samples
    parameters = relaxation.width + is_scaled
    if is_scaled:
        heaviest = 1 + sum(s.weight for s in samples)
        samples = (*samples, Sample(samples[0].x, samples[0].y, heaviest))
        forms.append(((0,) * relaxation.width + (1,),))
    scales = tuple((_ONE,) * len(f) for f in forms)
    classifier = _ScaledClassifier(samples, tuple(forms), scales, parameters, _ZERO, False)
    for step in HittingSearch(classifier, is_max, budget).steps():
        scale = step.theta[-1] if is_scaled else _ONE
        if scale <= 0:
            continue
        theta = [t / scale for t in step.theta]
        amounts, start = [], 0
        for hull in relaxation.hulls:
            amounts.append(tuple(theta[start : start + hull.rank]))
            start += hull.rank
        values = _with_margin(relaxation, relaxation.values(amounts), is_scaled=is_scaled)
        lower = mpq(step.lower, relaxation.unit)
        yield Relaxed(lower, values, relaxation.loss(values))


def _form(
    relaxation: Relaxation, i: int, signs: Sequence[int], margin: Rational, *, is_scaled: bool
) -> Form:
    """Σ signs · outputs − margin at a row, as a form in all amounts and the scale."""
    row: list[Rational] = []
    constant = -margin
    for hull, sign in zip(relaxation.hulls, signs, strict=True):
        row += [mpq(sign * column[i]) for column in hull.columns]
        constant += sign * hull.constant[i]
    return primitive([*row, constant] if is_scaled else row)[0]


def _with_margin(
    relaxation: Relaxation, values: tuple[Vector, ...], *, is_scaled: bool
) -> tuple[Vector, ...]:
    """Outputs without constants may be multiplied until every right sample has the margin (F4)."""
    margin = relaxation.problem.instance.loss.margin
    if is_scaled or margin <= 0:
        return values
    least: Rational | None = None
    for sample, i in zip(relaxation.samples, relaxation.rows, strict=True):
        own = [f[i] for f in values]
        if len(own) == 1:
            score = sample.y[0] * own[0]
        else:
            label = int(sample.y[0])
            score = own[label] - max(v for j, v in enumerate(own) if j != label)
        if score > 0 and (least is None or score < least):
            least = score
    factor = _ONE if least is None else max(_ONE, margin / least)
    return tuple(tuple(factor * v for v in f) for f in values)
