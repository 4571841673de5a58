"""The big-M encoding of a question as a mixed-integer linear program.

Finite domains only. A continuous piecewise linear unit is a sum of ramps max(0, Z − b), each with
one binary and the tight bounds of its sample; jumps are binaries. A product of a parameter with a
value A is disaggregated: one binary x_k for each value, A = Σ A_k with low · x_k ≤ A_k ≤
high · x_k, and P · A = Σ value_k · A_k, which is the convex hull; from 9 values on the parameter is
written in binary and each bit is multiplied. Squares of integer residuals are held from below by
chords, which are exact at integers.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from peers.answer import NotSupported
from peers.evaluation import edge_range, unit_ranges
from peers.milp_program import Linear, Program, combined, constant
from peers.question import Edge, Question, Sample, Unit

LISTED = 8
"""Domains of up to this many values are disaggregated value by value."""

MOST_CHORDS = 400
"""A residual with more integer values than this is not squared."""


class Builder:
    """Builds the program of one question."""

    def __init__(self, question: Question) -> None:
        if not question.integral:
            raise NotSupported("real weights: big-M bounds would be needed")
        self.question = question
        self.program = Program()
        self.parameters = [
            self.program.column(p.values[0], p.values[-1], True)  # type: ignore[index]
            for p in question.parameters
        ]
        self.pieces: dict[int, list[tuple[int, Linear]]] = {}
        for number, p in enumerate(question.parameters):
            values = p.values or ()
            if values[-1] - values[0] + 1 != len(values):
                self.listed(number)

    def listed(self, number: int) -> list[tuple[int, Linear]]:
        """The parameter as offset + Σ size · binary; a listed value each, or bits.

        The first entry is (offset, constant 1).
        """
        if number in self.pieces:
            return self.pieces[number]
        values = self.question.parameters[number].values or ()
        run = values[-1] - values[0] + 1 == len(values)
        if len(values) <= LISTED or not run:
            found = [(int(v), self.program.binary()) for v in values]
            self.program.equal(combined(*((1, x) for _, x in found), (-1, constant(1))))
        else:
            bits = (len(values) - 1).bit_length()
            found = [(int(values[0]), constant(1))]
            found += [(2**k, self.program.binary()) for k in range(bits)]
        self.program.equal(
            combined((-1, self.parameters[number]), *((v, x) for v, x in found))
        )
        self.pieces[number] = found
        return found

    def row(self, x: Sequence[Any]) -> list[tuple[Linear, float, float]]:
        """All scaled outputs for one input with their ranges."""
        ranges = unit_ranges(self.question, x)
        values = {k: constant(v) for k, v in enumerate(x)}
        for unit in self.question.units:
            z = combined(*(self.term(e, values, ranges) for e in unit.added))
            if unit.compared:
                z = combined((1, z), (1, self.greatest(unit, values, ranges)))
            values[unit.node] = self.activation(unit, z, ranges)
        return [
            (
                combined((factor, values[node])),
                float(factor * ranges[node][0]),
                float(factor * ranges[node][1]),
            )
            for node, factor in self.question.outputs
        ]

    def term(self, edge: Edge, values: dict[int, Linear], ranges: Any) -> tuple[float, Linear]:
        """coefficient and P · A."""
        a = constant(1) if edge.source is None else values[edge.source]
        if edge.parameter is None:
            return edge.coefficient, a
        p = self.parameters[edge.parameter]
        if set(a) <= {-1}:
            return edge.coefficient * a.get(-1, 0.0), p
        low, high = (float(v) for v in ranges[edge.source])
        if low == high:
            return edge.coefficient * low, p
        found = self.listed(edge.parameter)
        program = self.program
        if found[0][1] != constant(1):  # value by value
            parts = []
            for _, x in found:
                part = program.column(min(low, 0), max(high, 0))
                program.at_least(combined((1, part), (-low, x)))
                program.at_least(combined((high, x), (-1, part)))
                parts.append(part)
            program.equal(combined((-1, a), *((1, part) for part in parts)))
            product = combined(*((v, part) for (v, _), part in zip(found, parts, strict=True)))
            return edge.coefficient, product
        total: list[tuple[float, Linear]] = [(found[0][0], a)]
        for size, x in found[1:]:
            part = program.column(min(low, 0), max(high, 0))
            program.at_least(combined((1, part), (-low, x)))
            program.at_least(combined((high, x), (-1, part)))
            rest = combined((1, a), (-1, part))  # A − part lies in [low, high] · (1 − x)
            program.at_least(combined((1, rest), (low, x), (-low, constant(1))))
            program.at_least(combined((-1, rest), (-high, x), (high, constant(1))))
            total.append((size, part))
        return edge.coefficient, combined(*total)

    def greatest(self, unit: Unit, values: dict[int, Linear], ranges: Any) -> Linear:
        """The maximum of the compared edges: no smaller than any, no larger than the one chosen.

        Edges that others always exceed are left out; each big M is the least that is right.
        """
        edges = [(e, *edge_range(self.question, e, ranges)) for e in unit.compared]
        least = max(low for _, low, _ in edges)
        left = [entry for entry in edges if entry[2] >= least]
        terms = [(combined(self.term(e, values, ranges)), low, high) for e, low, high in left]
        if len(terms) == 1:
            return terms[0][0]
        program = self.program
        result = program.column(float(least), float(max(high for _, _, high in terms)))
        chosen = [program.binary() for _ in terms]
        program.equal(combined(*((1, x) for x in chosen), (-1, constant(1))))
        for k, (term, low, _) in enumerate(terms):
            # If another is chosen, the result is at most that one's greatest value.
            gap = float(max(high for j, (_, _, high) in enumerate(terms) if j != k) - low)
            program.at_least(combined((1, result), (-1, term)))
            program.at_least(
                combined((1, term), (-1, result), (gap, constant(1)), (-gap, chosen[k]))
            )
        return result

    def activation(self, unit: Unit, z: Linear, ranges: Any) -> Linear:
        """A = φ(Z): a line, ramps and jumps."""
        if unit.coefficients:
            raise NotSupported(f"the activation {unit.activation}")
        low, high = (float(v) for v in ranges[-1 - unit.node])
        first = sum(b <= low for b in unit.breakpoints)
        bounds = [int(b) for b in unit.breakpoints if low < b <= high]
        pieces = list(zip(unit.slopes, unit.intercepts, strict=True))[first:]
        slope, intercept = pieces[0]
        parts = [(float(slope), z), (float(intercept), constant(1))]
        for b, before, after in zip(bounds, pieces, pieces[1:], strict=False):
            jump = (after[0] * b + after[1]) - (before[0] * b + before[1])
            turn = after[0] - before[0]
            reached = self.program.binary()
            above = combined((1, z), (-b, constant(1)))
            down, up = low - b, high - b
            if jump:  # the side of b itself matters: integers below are ≤ b − 1
                self.program.at_least(combined((1, above), (down, reached), (-down, constant(1))))
                self.program.at_least(
                    combined((-1, above), (up + 1, reached), (-1, constant(1)))
                )
                parts.append((float(jump), reached))
            if turn:
                ramp = self.program.column(0, up)
                self.program.at_least(combined((1, ramp), (-1, above)))
                self.program.at_least(combined((up, reached), (-1, ramp)))
                # ramp ≤ above − down · (1 − reached)
                self.program.at_least(
                    combined((1, above), (-1, ramp), (-down, constant(1)), (down, reached))
                )
                parts.append((float(turn), ramp))
        return combined(*parts)

    def sample_loss(self, sample: Sample, outputs: Sequence[tuple[Linear, float, float]]) -> Linear:
        """The scaled loss, held from below."""
        q, program = self.question, self.program
        if q.classification:
            scores = []
            for score in q.scores(sample):
                least = sum(
                    min(sign * outputs[o][1], sign * outputs[o][2]) for o, sign in score
                )
                scores.append(
                    (combined(*((sign, outputs[o][0]) for o, sign in score)), least)
                )
            if q.loss == "zero_one":
                wrong = program.binary()
                margin = float(q.margin or 1)
                for s, least in scores:
                    if least < margin:
                        program.at_least(combined((1, s), (margin - least, wrong)), margin)
                return wrong
            most = max(0.0, q.unit - min(least for _, least in scores))
            cost = program.column(0, most)
            for s, _ in scores:
                program.at_least(combined((1, cost), (1, s)), q.unit)
            return cost
        costs = []
        for (f, low, high), y in zip(outputs, sample.y, strict=True):
            gap = combined((1, f), (-1, constant(float(y))))
            least, most = int(low - float(y)), int(high - float(y))
            size = max(abs(least), abs(most))
            if q.loss == "absolute":
                cost = program.column(0, size)
                program.at_least(combined((1, cost), (-1, gap)))
                program.at_least(combined((1, cost), (1, gap)))
            else:
                if most - least > MOST_CHORDS:
                    raise NotSupported(f"squares of residuals of {most - least + 1} values")
                cost = program.column(0, size * size)
                for k in range(least, max(most, least + 1)):  # the chord between k and k + 1
                    program.at_least(combined((1, cost), (-(2 * k + 1), gap)), -k * (k + 1))
            costs.append(cost)
        return combined(*((1, c) for c in costs))

    def build(self, budget: int | None) -> tuple[Program, Linear]:
        """The program, with total ≤ budget, and the total."""
        outputs = [self.row(x) for x in self.question.rows]
        terms = [
            (float(s.weight), self.sample_loss(s, outputs[s.row])) for s in self.question.samples
        ]
        if self.question.maximum:
            tops = [w * sum(self.program.upper[c] for c in cost) for w, cost in terms]
            total = self.program.column(0, max(tops))
            for weight, cost in terms:
                self.program.at_least(combined((1, total), (-weight, cost)))
        else:
            total = combined(*terms)
        self.break_symmetry()
        if budget is not None:
            self.program.at_least(combined((-1, total)), -float(budget))
        return self.program, total

    def break_symmetry(self) -> None:
        """Lexicographic order of the units of a class; even units with a first weight ≥ 0."""
        for p in self.question.flips:
            self.program.at_least(self.parameters[p])
        for members in self.question.classes:
            for before, after in itertools.pairwise(members):
                self.lexicographic(before, after)

    def lexicographic(self, before: Sequence[int], after: Sequence[int]) -> None:
        """vector(before) ≤ vector(after): 1 − e_k marks that a place k or one before it differs."""
        program, equal = self.program, constant(1)
        for k, (a, b) in enumerate(zip(before, after, strict=True)):
            left, right = self.parameters[a], self.parameters[b]
            values = self.question.parameters[a].values or ()
            span = float(values[-1] - values[0])
            # right − left ≥ −span · (1 − equal)
            program.at_least(
                combined((1, right), (-1, left), (span, constant(1)), (-span, equal))
            )
            if k + 1 == len(before):
                return
            following = program.binary()
            program.at_least(combined((1, equal), (-1, following)))
            # it may end here (following < equal) only if right − left ≥ 1
            program.at_least(
                combined(
                    (1, right),
                    (-1, left),
                    (span, constant(1)),
                    (-span - 1, equal),
                    (1 + span, following),
                ),
                0.0,
            )
            equal = following
