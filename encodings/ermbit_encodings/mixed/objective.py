"""Losses as rows: what is to be kept within the budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gmpy2 import mpq

from ermbit_encodings.mixed.program import (
    MixedProgram,
    Polynomial,
    add,
    constant,
    constant_value,
    multiply,
    scale,
    subtract,
    variable,
)
from ermbit_encodings.mixed.signals import Levels, Signal, as_term
from ermbit_encodings.samples import Sample
from ermbit_instances.loss import Loss
from ermbit_instances.rational import Rational


@dataclass(frozen=True, slots=True)
class Square:
    """``unknown`` ≥ residual², held from below by tangents only.

    Tangents at t: unknown ≥ 2 t·residual − t². If the residual is an integer over ``grid``, the
    chords between neighbouring grid points are used instead, (2k+1) r − k(k+1) in units of the
    grid: they are exact at every grid point, so finitely many suffice.
    """

    unknown: int
    residual: Polynomial
    grid: int | None

    def cut(self, at: Rational) -> Polynomial:
        """The polynomial that must be ≤ 0: the line below the square near ``at``."""
        if self.grid is None:
            line = subtract(scale(self.residual, 2 * at), constant(at * at))
        else:
            k = int((at * self.grid).numerator // (at * self.grid).denominator)
            unit = mpq(1, self.grid)
            line = subtract(
                scale(self.residual, (2 * k + 1) * unit), constant(k * (k + 1) * unit * unit)
            )
        return subtract(line, variable(self.unknown))


@dataclass
class Objective:
    """The total that the budget bounds.

    Attributes:
        terms: the total Σ ŵ_i ℓ_i is at most B iff every one of these is ≤ B. One sum for
            ``mean`` and ``sum``, one term a sample for ``max``.
        wrong: for zero_one: (weight, literal) of every sample; ``terms`` is then empty.
        squares: squared residuals that need cuts.
        largest: the reduction is ``max``.
    """

    terms: list[Polynomial]
    wrong: list[tuple[int, int]]
    squares: list[Square]
    largest: bool

    def bound(self, program: MixedProgram, budget: Rational) -> None:
        """Require the total to be at most the budget, a bound on Σ ŵ_i ℓ_i (or the largest)."""
        for term in self.terms:
            program.at_most(term, constant(budget))
        if not self.wrong:
            return
        from ermbit_encodings.mixed.program import PseudoBoolean
        from ermbit_instances.rational import floor

        limit = floor(budget)
        for weight, literal in self.wrong:
            if weight > limit:
                program.clause(-literal)
        light = [(w, lit) for w, lit in self.wrong if w <= limit]
        if not self.largest and sum(w for w, _ in light) > limit:
            program.pseudo_booleans.append(
                PseudoBoolean(tuple(w for w, _ in light), tuple(lit for _, lit in light), limit)
            )


@dataclass
class LossEncoder:
    """Adds samples one after the other."""

    program: MixedProgram
    loss: Loss
    objective: Objective
    products: bool
    grid: int | None
    exact_fit: bool

    def add(self, sample: Sample, outputs: Sequence[Signal]) -> None:
        """Add one sample whose outputs are already encoded."""
        if self.loss.name == "zero_one":
            self._zero_one(sample, outputs)
            return
        terms = [as_term(self.program, f) for f in outputs]
        if self.exact_fit and not self.loss.is_classification:
            for f, y in zip(terms, sample.y, strict=True):
                self.program.equal(f, constant(y))
            return
        if self.loss.name == "hinge":
            parts = [self._hinge(sample, terms)]
        elif self.loss.name == "absolute":
            parts = [self._absolute(f, y) for f, y in zip(terms, sample.y, strict=True)]
        else:
            parts = [self._square(f, y) for f, y in zip(terms, sample.y, strict=True)]
        weighted = scale(add(*parts), mpq(sample.weight))
        if self.objective.largest:
            self.objective.terms.append(weighted)
        elif self.objective.terms:
            self.objective.terms[0] = add(self.objective.terms[0], weighted)
        else:
            self.objective.terms.append(weighted)

    def _absolute(self, f: Polynomial, y: Rational) -> Polynomial:
        residual = subtract(f, constant(y))
        value = constant_value(residual)
        if value is not None:
            return constant(abs(value))
        gap = variable(self.program.real())
        self.program.at_most(residual, gap)
        self.program.at_most(scale(residual, mpq(-1)), gap)
        return gap

    def _square(self, f: Polynomial, y: Rational) -> Polynomial:
        residual = self.program.name(subtract(f, constant(y)))
        value = constant_value(residual)
        if value is not None:
            return constant(value * value)
        if self.products:
            return multiply(residual, residual)
        unknown = self.program.real()
        square = Square(unknown, residual, self.grid)
        self.program.at_most({}, variable(unknown))
        self.objective.squares.append(square)
        return variable(unknown)

    def _hinge(self, sample: Sample, outputs: Sequence[Polynomial]) -> Polynomial:
        cost = variable(self.program.real())
        self.program.at_most({}, cost)
        for score in _scores(sample, outputs):
            self.program.at_most(subtract(constant(mpq(1)), score), cost)
        return cost

    def _zero_one(self, sample: Sample, outputs: Sequence[Signal]) -> None:
        program, margin = self.program, self.loss.margin
        excuse: tuple[int, ...] = ()  # without a budget no sample may be wrong
        if not self.exact_fit:
            excuse = (program.boolean(),)
            self.objective.wrong.append((sample.weight, *excuse))
        single = outputs[0]
        if len(outputs) == 1 and isinstance(single, Levels):
            for literal, value in zip(single.literals, single.values, strict=True):
                score = sample.y[0] * value
                right = score >= margin if margin > 0 else score > 0
                if not right:
                    program.clause(-literal, *excuse)
            return
        guard = tuple(-literal for literal in excuse)
        for score in _scores(sample, [as_term(program, f) for f in outputs]):
            if margin > 0:
                program.at_most(constant(margin), score, guard)
            else:
                program.less({}, score, guard)


def _scores(sample: Sample, outputs: Sequence[Polynomial]) -> list[Polynomial]:
    """The terms that must all be large: y·f, or f_y − f_j for every other class j."""
    if len(outputs) == 1:
        return [scale(outputs[0], sample.y[0])]
    label = int(sample.y[0])
    return [subtract(outputs[label], f) for j, f in enumerate(outputs) if j != label]


