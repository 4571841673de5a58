"""The least loss over the hulls for ``zero_one``: linear classifiers in the columns.

Which samples can be right together is decided by least hitting sets of conflicts
(:mod:`ermbit.engines.hitting_sets`), so the ends of the minimum come step by step.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gmpy2 import mpq

from ermbit.engines.engine import Budget
from ermbit.engines.hitting_sets.engine import HittingSearch
from ermbit.engines.lifting.linear import Vector, primitive
from ermbit.engines.lifting.relaxation import Relaxation, Relaxed
from ermbit.engines.linear_classifier import Classifier, Form
from ermbit_encodings.samples import Sample
from ermbit_instances.rational import Rational

MARGIN_SHIFT = mpq(1, 2**20)
"""Relative: by how much a margin shrinks where constants forbid to scale it away."""

_ZERO, _ONE = mpq(0), mpq(1)


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


def classified_steps(relaxation: Relaxation, budget: Budget) -> Iterator[Relaxed]:
    """Ever better ends of the relaxed minimum."""
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
