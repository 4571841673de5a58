"""Losses as circuits: what one sample costs, and literals that bound it.

A bound ℓ̂ ≤ k is written on the outputs themselves where it can be (Y−k ≤ F ≤ Y+k rather than
|F−Y| ≤ k), without any adder: such comparisons propagate to the output neuron at once. Words of
the loss are built only if losses must be added.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import gcd, isqrt

from ermbit_encodings.circuit import (
    FALSE,
    TRUE,
    Cnf,
    Word,
    absolute,
    constant,
    ge_constant,
    linear,
    max_of,
    relu,
    restrict,
    square,
    sum_of,
    totalizer,
    weighted_sum,
)
from ermbit_encodings.circuit.word import fitted
from ermbit_encodings.integer_form import IntegerForm

UNARY_LIMIT = 300
"""Up to this many misclassifications of equal weight are counted in unary."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """V = factor · word + offset, whose excess is max(0, −V), or |V| if ``two_sided``."""

    word: Word
    factor: int
    offset: int
    two_sided: bool

    def interval(self, radius: int) -> tuple[int | None, int | None]:
        """(least, greatest) value of the word with an excess ≤ radius; ``None`` for no bound."""
        low: int | None = -radius - self.offset
        high: int | None = radius - self.offset if self.two_sided else None
        if self.factor < 0:
            low, high = high, low
        return (
            None if low is None else -(-low // self.factor),
            None if high is None else high // self.factor,
        )

    def within(self, cnf: Cnf, radius: int) -> list[int]:
        """Literals whose conjunction says that the excess is ≤ radius."""
        low, high = self.interval(radius)
        literals = []
        if low is not None:
            literals.append(ge_constant(cnf, self.word, low))
        if high is not None:
            literals.append(-ge_constant(cnf, self.word, high + 1))
        return literals

    def restricted(self, cnf: Cnf, radius: int) -> Deviation:
        """Assert an excess ≤ radius; the same deviation over the narrower word."""
        low, high = self.interval(radius)
        word = self.word
        if low is not None:
            word = restrict(cnf, word, low, max(low, word.hi))
        if high is not None:
            word = restrict(cnf, word, min(high, word.lo), high)
        return replace(self, word=word)

    def excess(self, cnf: Cnf) -> Word:
        """The excess as a word."""
        if not self.two_sided:
            return relu(cnf, linear(cnf, ((-self.factor, self.word),), -self.offset))
        word = absolute(cnf, linear(cnf, ((self.factor, self.word),), self.offset))
        # Targets between two grid points are never met: the nearest point is a lower bound.
        nearest = -self.offset // self.factor
        candidates = (min(max(v, self.word.lo), self.word.hi) for v in (nearest, nearest + 1))
        least = min(abs(self.factor * v + self.offset) for v in candidates)
        return fitted(word.bits, max(least, word.lo), word.hi)


@dataclass(frozen=True, slots=True)
class SampleLoss:
    """The loss ℓ̂ of one sample.

    Attributes:
        weight: ŵ.
        deviations: their excesses make the loss: the sum (``absolute``), the sum of squares
            (``squared``) or the maximum (``hinge``).
        rule: ``sum``, ``squares``, ``largest`` or ``count``.
        wrong: for ``count`` (``zero_one``): the literal of being wrong, the loss itself.
    """

    weight: int
    deviations: tuple[Deviation, ...]
    rule: str
    wrong: int = FALSE

    def radius(self, bound: int) -> int:
        """Largest excess of a single deviation under a loss ≤ bound."""
        return isqrt(bound) if self.rule == "squares" else bound

    def is_exact(self, bound: int) -> bool:
        """Whether ``within`` is equivalent to the bound, not just implied by it."""
        return bound == 0 or len(self.deviations) <= 1 or self.rule == "largest"

    def within(self, cnf: Cnf, bound: int) -> list[int]:
        """Literals implied by ℓ̂ ≤ bound, and equivalent to it if :meth:`is_exact`."""
        if self.rule == "count":
            return [-self.wrong] if bound < 1 else []
        radius = self.radius(bound)
        return [lit for deviation in self.deviations for lit in deviation.within(cnf, radius)]

    def restricted(self, cnf: Cnf, bound: int) -> SampleLoss:
        """Assert what ``within`` says and profit from the narrower words."""
        if self.rule == "count":
            if bound >= 1:
                return self
            cnf.require(-self.wrong)
            return replace(self, wrong=FALSE)
        radius = self.radius(bound)
        return replace(self, deviations=tuple(d.restricted(cnf, radius) for d in self.deviations))

    def cost(self, cnf: Cnf) -> Word:
        """ℓ̂ as a word."""
        if self.rule == "count":
            return fitted((self.wrong, FALSE), 0, 1)
        words = [d.excess(cnf) for d in self.deviations]
        if self.rule == "squares":
            return sum_of(cnf, [square(cnf, word) for word in words])
        if self.rule == "largest":
            return max_of(cnf, words)
        return sum_of(cnf, words)


def sample_loss(
    cnf: Cnf, form: IntegerForm, outputs: Sequence[Word], target: Sequence[int], weight: int
) -> SampleLoss:
    """The loss of one sample from its output words A (before their factors)."""
    name = form.instance.loss.name
    factors = form.output_factors
    if name in ("absolute", "squared"):
        deviations = tuple(
            Deviation(word, factor, -y, True)
            for word, factor, y in zip(outputs, factors, target, strict=True)
        )
        return SampleLoss(weight, deviations, "sum" if name == "absolute" else "squares")
    label = target[0]
    needed = form.scale if name == "hinge" else form.margin
    if len(outputs) == 1:
        deviations = (Deviation(outputs[0], label * factors[0], -needed, False),)
    else:
        deviations = tuple(
            Deviation(
                linear(cnf, ((factors[label], outputs[label]), (-factors[j], outputs[j]))),
                1,
                -needed,
                False,
            )
            for j in range(len(outputs))
            if j != label
        )
    if name == "hinge":
        return SampleLoss(weight, deviations, "largest")
    right = [literal for deviation in deviations for literal in deviation.within(cnf, 0)]
    return SampleLoss(weight, (), "count", -cnf.and_all(right))


@dataclass(frozen=True, slots=True)
class TotalLoss:
    """Σ ŵ_i ℓ̂_i divided by ``unit``: a word, or for equal-weight counting its unary digits."""

    unit: int
    word: Word
    unary: tuple[int, ...] | None = None

    def at_most(self, cnf: Cnf, total: int) -> int:
        """The literal of Σ ŵ_i ℓ̂_i ≤ total."""
        bound = total // self.unit
        if bound < self.word.lo:
            return FALSE
        if self.unary is not None:
            return -self.unary[bound] if bound < len(self.unary) else TRUE
        return -ge_constant(cnf, self.word, bound + 1)


def total_loss(cnf: Cnf, losses: Sequence[SampleLoss], limit: int | None) -> TotalLoss:
    """The weighted sum of all samples.

    Args:
        cnf: where the gates go.
        losses: the samples.
        limit: totals above it are never asked about (``None``: any may be).
    """
    unit = gcd(*(loss.weight for loss in losses)) or 1
    weights = [loss.weight // unit for loss in losses]
    if all(loss.rule == "count" for loss in losses):
        open_ones = [loss.wrong for loss in losses if loss.wrong != FALSE]
        if len(open_ones) <= UNARY_LIMIT and all(w == 1 for w in weights):
            cap = None if limit is None else limit // unit + 1
            digits = totalizer(cnf, open_ones, cap)
            return TotalLoss(unit, Word((FALSE,), 0, len(open_ones)), digits)
        return TotalLoss(unit, weighted_sum(cnf, weights, [loss.wrong for loss in losses]))
    words = [loss.cost(cnf) for loss in losses]
    if not words:
        return TotalLoss(unit, constant(0))
    return TotalLoss(unit, linear(cnf, zip(weights, words, strict=True)))
