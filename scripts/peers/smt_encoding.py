"""The SMT encoding of a question: its loss, over the terms of its network.

There is no big M anywhere. Of networks with polynomials an exact fit is said by equations, and a
largest loss sample by sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import floor, isqrt
from typing import Any

from peers.evaluation import unit_ranges
from peers.question import Number, Question, Sample
from peers.smt_network import Network
from peers.smt_terms import Terms
from peers.smt_width import word_width

MOST_CHORDS = 400
"""A residual with more integer values than this is squared by a product."""


class Builder:
    """Assertions of one question.

    Attributes:
        t: the terms of the solver package, in the theory.
        network: parameters and units.
        budget: what the total may be, if it is known.
    """

    def __init__(
        self, question: Question, backend: str, theory: str, budget: Number | None = None
    ) -> None:
        self.question = question
        self.budget = budget
        self.spans: list[list[tuple[Number, Number]]] = []
        self.t = Terms(backend, theory, word_width(question) if theory == "bits" else 0)
        self.network = Network(question, self.t)

    def total(self) -> Any:
        """The total loss as a term."""
        outputs = [self.network.row(x) for x in self.question.rows]
        self.spans = [self.output_ranges(x) for x in self.question.rows]
        terms = []
        for sample in self.question.samples:
            if self.is_told(sample, outputs[sample.row]):
                continue
            costs = self.costs(sample, outputs[sample.row])
            if self.question.loss == "zero_one":
                weight, zero = self.t.constant(sample.weight), self.t.constant(0)
                terms.append(self.t.s.If(costs[0], weight, zero))
            else:
                terms.append(self.t.scaled(sample.weight, self.t.added(costs)))
        self.network.break_symmetry()
        if self.question.maximum:
            total = self.t.new()
            self.t.assertions += [total >= t for t in (*terms, self.t.constant(0))]
            return total
        return self.t.added(terms)

    def costs(self, sample: Sample, outputs: list[Any]) -> list[Any]:
        """The scaled loss of one sample as a sum of terms (``zero_one``: of Booleans)."""
        q, zero = self.question, self.t.constant(0)
        if q.classification:
            scores = [
                self.t.term(self.t.added([self.t.scaled(sign, outputs[o]) for o, sign in score]))
                for score in q.scores(sample)
            ]
            if q.loss == "zero_one":
                wrong = [self.t.s.Not(self.right(s)) for s in scores]
                return [wrong[0] if len(wrong) == 1 else self.t.s.Or(wrong)]
            gaps = [self.t.constant(q.unit) - s for s in scores]
            if self.t.theory == "bits":  # words wrap around: costs must be exact, not only bounded
                cost = zero
                for gap in gaps:
                    cost = self.t.s.If(gap > cost, gap, cost)
                return [cost]
            cost = self.t.new()
            self.t.assertions += [cost >= gap for gap in (zero, *gaps)]
            return [cost]
        costs = []
        spans = self.spans[sample.row]
        for f, (low, high), y in zip(outputs, spans, sample.y, strict=True):
            gap = self.t.term(self.t.added([f, -y]))
            if q.loss == "absolute" and self.t.theory == "bits":
                cost = self.t.s.If(gap >= zero, gap, -gap)
            elif q.loss == "absolute":
                cost = self.t.new()
                self.t.assertions += [cost >= gap, cost >= -gap]
            else:
                cost = self.chords(gap, (low - y, high - y), sample.weight)
            costs.append(cost)
        return costs

    def squared(self, term: Any, ends: tuple[Number, Number] | None) -> Any:
        """term²."""
        return self.t.polynomial((0, 0, 1), term, ends)

    def is_told(self, sample: Sample, outputs: list[Any]) -> bool:
        """Whether the budget is asserted for this sample alone, without an unknown for its loss.

        Only for networks with polynomials and real or integer arithmetic: all samples right, all
        targets met, or the largest absolute error of one output bounded.
        """
        q, budget = self.question, self.budget
        if budget is None or not q.polynomial or self.t.theory == "bits":
            return False
        if budget == 0 and q.loss == "zero_one":
            for score in q.scores(sample):
                terms = [self.t.scaled(sign, outputs[o]) for o, sign in score]
                self.t.assertions.append(self.right(self.t.term(self.t.added(terms))))
            return True
        if q.classification or (budget != 0 and not (q.maximum and q.loss == "absolute")):
            return False
        if budget != 0 and len(outputs) > 1:
            return False
        most = Fraction(budget) / sample.weight
        for f, y in zip(outputs, sample.y, strict=True):
            if budget == 0:
                self.t.assertions.append(self.t.term(f) == self.t.constant(y))
                continue
            gap = self.t.term(self.t.added([f, -y]))
            limit = self.t.constant(floor(most) if q.integral else most)
            self.t.assertions += [gap <= limit, -gap <= limit]
        return True

    def chords(self, gap: Any, ends: tuple[Number, Number], weight: Number) -> Any:
        """A bound from below on gap², exact at integers: lines through neighbouring squares.

        Under a budget no gap is larger than its root.
        """
        low, high = ends
        if self.t.theory != "integer":
            return self.squared(gap, None)
        if self.budget is not None:
            most = isqrt(max(0, int(self.budget // weight)))
            low, high = max(low, -most), min(high, most)
            self.t.assertions += [gap >= self.t.constant(low), gap <= self.t.constant(high)]
        if high - low > MOST_CHORDS:
            return self.squared(gap, None)
        cost = self.t.new()
        for k in range(int(low), max(int(high), int(low) + 1)):
            line = self.t.constant(2 * k + 1) * gap - self.t.constant(k * (k + 1))
            self.t.assertions.append(cost >= line)
        self.t.assertions.append(cost >= self.t.constant(0))
        return cost

    def right(self, score: Any) -> Any:
        margin = self.question.margin
        return score > self.t.constant(0) if margin is None else score >= self.t.constant(margin)

    def output_ranges(self, x: Sequence[Number]) -> list[tuple[Number, Number]]:
        """Ranges of the scaled outputs; zeros over the reals, where nothing asks for them."""
        if self.t.theory == "real":
            return [(0, 0)] * len(self.question.outputs)
        ranges = unit_ranges(self.question, x)
        return [(f * ranges[node][0], f * ranges[node][1]) for node, f in self.question.outputs]
