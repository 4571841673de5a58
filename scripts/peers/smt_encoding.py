"""The SMT encoding of a question, for z3 and cvc5 through the Python interface that both share.

Theories: ``bits`` (finite domains as bit-vectors of one proved width, signed), ``integer`` (finite
domains in linear integer arithmetic, products case by case), ``real`` (linear real arithmetic
where the outer weights can be normalised to ±1 or every product is with finitely many values;
nonlinear otherwise). There is no big M anywhere. Of networks with polynomials an exact fit is said
by equations, and a largest loss sample by sample.
"""

from __future__ import annotations

import importlib
import itertools
import re
from collections.abc import Sequence
from fractions import Fraction
from math import floor, isqrt
from typing import Any

from peers import polynomials
from peers.answer import NotSupported
from peers.evaluation import edge_range, unit_ranges
from peers.question import Edge, Number, Question, Sample, Unit

SHORT = 64
"""In integer arithmetic, domains of up to this many values are multiplied case by case."""

MOST_SQUARES = 200
"""In integer arithmetic, a pre-activation of at most this width is squared case by case."""

MOST_CHORDS = 400
"""A residual with more integer values than this is squared by a product."""


class Builder:
    """Assertions of one question, in the terms of one solver package.

    Attributes:
        s: the module ``z3`` or ``cvc5.pythonic``.
        theory: ``bits``, ``integer`` or ``real``.
        nonlinear: whether a product of two unknowns occurred.
    """

    def __init__(
        self, question: Question, backend: str, theory: str, budget: Number | None = None
    ) -> None:
        self.question = question
        self.theory = theory
        self.budget = budget
        self.spans: list[list[tuple[Number, Number]]] = []
        self.s: Any = importlib.import_module({"cvc5": "cvc5.pythonic"}.get(backend, backend))
        self.nonlinear = False
        self.assertions: list[Any] = []
        self.fresh = 0
        self.width = 0
        self.normalised = self._normalised() if theory == "real" else {}
        at = {unit.node: unit for unit in question.units}
        self.signed = {p for p, node in self.normalised.items() if not at[node].odd()}
        if theory == "bits":
            self.width = _width(question)
        self.parameters = [self.variable(p.name) for p in question.parameters]
        self.positive = {
            p: self.s.Bool(f"positive {p}") if p in self.signed else self.s.BoolVal(True)
            for p in self.normalised
        }
        for number, (p, v) in enumerate(zip(question.parameters, self.parameters, strict=True)):
            if number not in self.positive:
                self.restrict(v, p.values)

    # ------------------------------------------------------------ terms

    def variable(self, name: str) -> Any:
        if self.theory == "bits":
            return self.s.BitVec(name, self.width)
        return self.s.Int(name) if self.theory == "integer" else self.s.Real(name)

    def new(self) -> Any:
        self.fresh += 1
        return self.variable(f"t{self.fresh}")

    def constant(self, value: Number) -> Any:
        if self.theory == "bits":
            return self.s.BitVecVal(int(value), self.width)
        if self.theory == "integer":
            return self.s.IntVal(int(value))
        value = Fraction(value)
        return self.s.Q(value.numerator, value.denominator)

    def scaled(self, factor: Number, term: Any) -> Any:
        """factor · term, for a constant factor."""
        if isinstance(term, int | Fraction):
            return factor * term
        if factor == 1:
            return term
        return -term if factor == -1 else self.constant(factor) * term

    def added(self, terms: Sequence[Any]) -> Any:
        """The sum; numbers are added up first, so that a constant sum is a number."""
        number = sum(t for t in terms if isinstance(t, int | Fraction))
        symbolic = [t for t in terms if not isinstance(t, int | Fraction)]
        if not symbolic:
            return number
        total = symbolic[0]
        for term in symbolic[1:]:
            total = total + term
        return total if number == 0 else total + self.constant(number)

    def term(self, value: Any) -> Any:
        """A number as a term; terms stay."""
        return self.constant(value) if isinstance(value, int | Fraction) else value

    def restrict(self, v: Any, values: Sequence[Number] | None) -> None:
        """v ∈ values; a run of integers by its ends."""
        if values is None:
            return
        run = self.theory != "real" and values[-1] - values[0] + 1 == len(values)
        if run:
            self.assertions += [self.term(values[0]) <= v, v <= self.term(values[-1])]
        else:
            self.assertions.append(self.s.Or([v == self.constant(c) for c in values]))

    # ------------------------------------------------------------ the network

    def _normalised(self) -> dict[int, int]:
        """Outer weights that may be ±1 (1 for odd powers): parameter → its unit.

        The unit is homogeneous, all of its incoming parameters are its own reals, its value is read
        once, by an edge with an own real parameter. With polynomials this needs roots, so no
        domain may stand for rationals.
        """
        q, readers, uses = self.question, {}, {}  # type: ignore[var-annotated]
        for unit in q.units:
            for edge in unit.edges:
                uses[edge.parameter] = uses.get(edge.parameter, 0) + 1
                readers.setdefault(edge.source, []).append(edge)
        outputs = {node for node, _ in q.outputs}
        found: dict[int, int] = {}
        if q.polynomial and any(p.bits is not None for p in q.parameters):
            return found
        for unit in q.units:
            edges = readers.get(unit.node, [])
            if len(edges) != 1 or unit.node in outputs or not unit.homogeneous:
                continue
            outer = edges[0].parameter
            inner = [e.parameter for e in unit.edges]
            if any(p is None or p in found for p in (outer, *inner)):
                continue
            if all(uses[p] == 1 and q.parameters[p].values is None for p in (outer, *inner)):
                found[outer] = unit.node
        return found

    def row(self, x: Sequence[Number]) -> list[Any]:
        """All scaled outputs for one input."""
        values: dict[int, Any] = dict(enumerate(x))
        cases: dict[int, list[tuple[Any, Number]]] = {}
        ranges = None if self.theory == "real" else unit_ranges(self.question, x)
        for unit in self.question.units:
            z = self.added([self.product(e, values, cases) for e in unit.edges])
            values[unit.node] = self.activation(unit, z, cases, ranges)
        return [self.scaled(factor, values[node]) for node, factor in self.question.outputs]

    def product(self, edge: Edge, values: dict[int, Any], cases: dict[int, Any]) -> Any:
        """coefficient · P · A."""
        a = 1 if edge.source is None else values[edge.source]
        if edge.parameter is None:
            return self.scaled(edge.coefficient, a)
        p = self.parameters[edge.parameter]
        if isinstance(a, int | Fraction):
            return 0 if a == 0 else self.scaled(edge.coefficient * a, p)
        if edge.parameter in self.positive:
            if edge.parameter not in self.signed:
                return self.scaled(edge.coefficient, a)
            sign = self.positive[edge.parameter]
            return self.scaled(edge.coefficient, self.s.If(sign, a, -a))
        domain = self.question.parameters[edge.parameter].values
        if edge.source in cases:  # finitely many values: a choice of multiples of P
            branches = cases[edge.source]
            term = self.term(self.scaled(branches[-1][1], p))
            for condition, value in reversed(branches[:-1]):
                term = self.s.If(condition, self.term(self.scaled(value, p)), term)
            return self.scaled(edge.coefficient, term)
        if self.theory == "bits" or domain is None or len(domain) > SHORT:
            self.nonlinear |= self.theory != "bits"
            return self.scaled(edge.coefficient, p * a)
        result = self.new()
        for v in domain:
            self.assertions.append(
                self.s.Implies(p == self.constant(v), result == self.term(self.scaled(v, a)))
            )
        return self.scaled(edge.coefficient, result)

    def activation(self, unit: Unit, z: Any, cases: dict[int, Any], ranges: Any) -> Any:
        """A = φ(Z); constant pieces are noted in ``cases``."""
        if unit.coefficients:
            if isinstance(z, int | Fraction):
                return polynomials.value(unit.coefficients, z)
            return self.polynomial(unit.coefficients, z, ranges and ranges[-1 - unit.node])
        pieces = list(zip(unit.slopes, unit.intercepts, strict=True))
        bounds = list(unit.breakpoints)
        if ranges is not None:
            low, high = ranges[-1 - unit.node]
            first = sum(b <= low for b in bounds)
            bounds = [b for b in bounds if low < b <= high]
            pieces = pieces[first : first + len(bounds) + 1]
        if isinstance(z, int | Fraction):
            slope, intercept = pieces[sum(b <= z for b in bounds)]
            return slope * z + intercept
        if bounds:
            side = self.new()
            self.assertions.append(side == z)
            z = side
        values = [self.added([self.scaled(m, z) if m else 0, c]) for m, c in pieces]
        if not bounds:
            return values[0]
        conditions = [z < self.constant(b) for b in bounds]
        if not any(m for m, _ in pieces):
            cases[unit.node] = [
                *zip(conditions, (c for _, c in pieces), strict=False),
                (None, pieces[-1][1]),
            ]
        term = self.term(values[-1])
        for condition, value in zip(reversed(conditions), reversed(values[:-1]), strict=True):
            term = self.s.If(condition, self.term(value), term)
        result = self.new()
        self.assertions.append(result == term)
        return result

    # ------------------------------------------------------------ loss and symmetry

    def costs(self, sample: Sample, outputs: list[Any]) -> list[Any]:
        """The scaled loss of one sample as a sum of terms (``zero_one``: of Booleans)."""
        q, zero = self.question, self.constant(0)
        if q.classification:
            scores = [
                self.term(self.added([self.scaled(sign, outputs[o]) for o, sign in score]))
                for score in q.scores(sample)
            ]
            if q.loss == "zero_one":
                wrong = [self.s.Not(self.right(s)) for s in scores]
                return [wrong[0] if len(wrong) == 1 else self.s.Or(wrong)]
            gaps = [self.constant(q.unit) - s for s in scores]
            if self.theory == "bits":  # words wrap around: costs must be exact, not only bounded
                cost = zero
                for gap in gaps:
                    cost = self.s.If(gap > cost, gap, cost)
                return [cost]
            cost = self.new()
            self.assertions += [cost >= gap for gap in (zero, *gaps)]
            return [cost]
        costs = []
        spans = self.spans[sample.row]
        for f, (low, high), y in zip(outputs, spans, sample.y, strict=True):
            gap = self.term(self.added([f, -y]))
            if q.loss == "absolute" and self.theory == "bits":
                cost = self.s.If(gap >= zero, gap, -gap)
            elif q.loss == "absolute":
                cost = self.new()
                self.assertions += [cost >= gap, cost >= -gap]
            else:
                cost = self.chords(gap, (low - y, high - y), sample.weight)
            costs.append(cost)
        return costs

    def squared(self, term: Any, ends: tuple[Number, Number] | None) -> Any:
        """term²."""
        return self.polynomial((0, 0, 1), term, ends)

    def polynomial(
        self, coefficients: Sequence[Number], term: Any, ends: tuple[Number, Number] | None
    ) -> Any:
        """Σ c_k term^k; in integers of few values case by case, so that all stays linear."""
        side = self.new()
        self.assertions.append(side == term)
        if self.theory == "integer" and ends is not None and ends[1] - ends[0] <= MOST_SQUARES:
            result = self.new()
            for v in range(int(ends[0]), int(ends[1]) + 1):
                known = self.constant(polynomials.value(coefficients, v))
                self.assertions.append(self.s.Implies(side == self.constant(v), result == known))
            self.assertions += [side >= self.constant(ends[0]), side <= self.constant(ends[1])]
            return result
        self.nonlinear |= self.theory != "bits"
        found = polynomials.terms(coefficients, side, lambda _, a, b: a * b)
        return self.added([coefficients[0], *(self.scaled(c, power) for c, power in found)])

    def is_told(self, sample: Sample, outputs: list[Any]) -> bool:
        """Whether the budget is asserted for this sample alone, without an unknown for its loss.

        Only for networks with polynomials and real or integer arithmetic: all samples right, all
        targets met, or the largest absolute error of one output bounded.
        """
        q, budget = self.question, self.budget
        if budget is None or not q.polynomial or self.theory == "bits":
            return False
        if budget == 0 and q.loss == "zero_one":
            for score in q.scores(sample):
                terms = [self.scaled(sign, outputs[o]) for o, sign in score]
                self.assertions.append(self.right(self.term(self.added(terms))))
            return True
        if q.classification or (budget != 0 and not (q.maximum and q.loss == "absolute")):
            return False
        if budget != 0 and len(outputs) > 1:
            return False
        most = Fraction(budget) / sample.weight
        for f, y in zip(outputs, sample.y, strict=True):
            if budget == 0:
                self.assertions.append(self.term(f) == self.constant(y))
                continue
            gap = self.term(self.added([f, -y]))
            limit = self.constant(floor(most) if q.integral else most)
            self.assertions += [gap <= limit, -gap <= limit]
        return True

    def chords(self, gap: Any, ends: tuple[Number, Number], weight: Number) -> Any:
        """A bound from below on gap², exact at integers: lines through neighbouring squares.

        Under a budget no gap is larger than its root.
        """
        low, high = ends
        if self.theory != "integer":
            return self.squared(gap, None)
        if self.budget is not None:
            most = isqrt(max(0, int(self.budget // weight)))
            low, high = max(low, -most), min(high, most)
            self.assertions += [gap >= self.constant(low), gap <= self.constant(high)]
        if high - low > MOST_CHORDS:
            return self.squared(gap, None)
        cost = self.new()
        for k in range(int(low), max(int(high), int(low) + 1)):
            line = self.constant(2 * k + 1) * gap - self.constant(k * (k + 1))
            self.assertions.append(cost >= line)
        self.assertions.append(cost >= self.constant(0))
        return cost

    def right(self, score: Any) -> Any:
        margin = self.question.margin
        return score > self.constant(0) if margin is None else score >= self.constant(margin)

    def total(self) -> Any:
        """The total loss as a term."""
        outputs = [self.row(x) for x in self.question.rows]
        self.spans = [self.output_ranges(x) for x in self.question.rows]
        terms = []
        for sample in self.question.samples:
            if self.is_told(sample, outputs[sample.row]):
                continue
            costs = self.costs(sample, outputs[sample.row])
            if self.question.loss == "zero_one":
                weight, zero = self.constant(sample.weight), self.constant(0)
                terms.append(self.s.If(costs[0], weight, zero))
            else:
                terms.append(self.scaled(sample.weight, self.added(costs)))
        self.break_symmetry()
        if self.question.maximum:
            total = self.new()
            self.assertions += [total >= t for t in (*terms, self.constant(0))]
            return total
        return self.added(terms)

    def output_ranges(self, x: Sequence[Number]) -> list[tuple[Number, Number]]:
        """Ranges of the scaled outputs; zeros over the reals, where nothing asks for them."""
        if self.theory == "real":
            return [(0, 0)] * len(self.question.outputs)
        ranges = unit_ranges(self.question, x)
        return [(f * ranges[node][0], f * ranges[node][1]) for node, f in self.question.outputs]

    def break_symmetry(self) -> None:
        """Units of a class in lexicographic order; even units with a first weight ≥ 0."""
        free = self._free_signs()
        for p in self.question.flips:
            if p not in free:
                self.assertions.append(self.parameters[p] >= self.constant(0))
        for members in self.question.classes:
            for before, after in itertools.pairwise(members):
                order: Any = True
                for a, b in zip(reversed(before), reversed(after), strict=True):
                    left, right = self.parameters[a], self.parameters[b]
                    if order is True:
                        order = left <= right
                    else:
                        order = self.s.Or(left < right, self.s.And(left == right, order))
                self.assertions.append(order)

    def _free_signs(self) -> set[int | None]:
        """Incoming parameters of units whose outer weight is 1: they carry its sign."""
        q = self.question
        nodes = [node for p, node in self.normalised.items() if p not in self.signed]
        return {e.parameter for node in nodes for e in q.units[node - q.inputs].edges}

    # ------------------------------------------------------------ models

    def values(self, model: Any) -> list[Number | str]:
        """P of every parameter in a model; what the model leaves open is 0 or the first value."""
        found: list[Number | str] = []
        for number, p in enumerate(self.parameters):
            if number in self.positive and number not in self.signed:
                found.append(1)
            elif number in self.positive:
                sign = model.eval(self.positive[number], model_completion=True)
                found.append(1 if self.s.is_true(sign) else -1)
            else:
                found.append(self.number(model.eval(p, model_completion=True)))
        return found

    def number(self, term: Any) -> Number | str:
        """The number that a value stands for; an algebraic one in the spelling of certificates."""
        if self.theory == "bits":
            return int(term.as_signed_long())
        if self.theory == "integer":
            return int(term.as_long())
        if self.s.__name__ == "z3" and self.s.is_algebraic_value(term):
            return _root(term)
        if hasattr(getattr(term, "ast", None), "isRealAlgebraicNumber"):
            if not hasattr(term, "as_fraction") and term.ast.isRealAlgebraicNumber():
                return _written_root(str(term))
        if not hasattr(term, "as_fraction"):  # z3's optimiser gives whole numbers as integers
            return int(term.as_long())
        return Fraction(str(term.as_fraction()))


def _root(term: Any) -> str:
    """An algebraic number of z3: its polynomial and an interval around its approximation."""
    digits = 30
    near = term.approx(digits).as_fraction()
    margin = Fraction(2, 10**digits)
    ends = " ".join(_smtlib(near + side) for side in (-margin, margin))
    coefficients = " ".join(_smtlib(Fraction(c.as_long())) for c in term.poly())
    return f"(root-of-with-interval (coeffs {coefficients}) {ends})"


def _written_root(text: str) -> str:
    """An algebraic number of cvc5: ``(_ real_algebraic_number <1*x^2 + (-2), (1, 3/2)>)``."""
    polynomial, _, interval = text.partition("<")[2].rpartition(">")[0].rpartition(", (")
    low, high = interval.rstrip(")").split(",")
    degrees: dict[int, int] = {}
    for term in re.sub(r"[() ]", "", polynomial).split("+"):
        found = re.fullmatch(r"(-?\d+)(?:\*x(?:\^(\d+))?)?", term)
        if found is None:
            raise NotSupported(f"the number {text}")
        degrees[int(found[2] or 1) if "x" in term else 0] = int(found[1])
    top = range(max(degrees) + 1)
    coefficients = " ".join(_smtlib(Fraction(degrees.get(k, 0))) for k in top)
    ends = f"{_smtlib(Fraction(low.strip()))} {_smtlib(Fraction(high.strip()))}"
    return f"(root-of-with-interval (coeffs {coefficients}) {ends})"


def _smtlib(value: Fraction) -> str:
    text = str(abs(value.numerator))
    if value < 0:
        text = f"(- {text})"
    return text if value.denominator == 1 else f"(/ {text} {value.denominator})"


def _width(question: Question) -> int:
    """Bits of a two's-complement word that holds every number of every sample, and the total."""
    top, total = 1, 0
    for sample in question.samples:
        ranges = unit_ranges(question, question.rows[sample.row])
        top = max(top, *(abs(int(v)) for pair in ranges.values() for v in pair))
        for p in question.parameters:
            top = max(top, *(abs(int(v)) for v in p.values or ()))
        for unit in question.units:
            parts = sum(
                max(abs(int(v)) for v in edge_range(question, e, ranges)) for e in unit.edges
            )
            top = max(top, parts)
            top = max(top, *(abs(int(b)) for b in (*unit.breakpoints, *unit.intercepts, 0)))
            pieces = zip(unit.slopes, unit.intercepts, strict=True)
            top = max(top, *(abs(int(m)) * parts + abs(int(c)) for m, c in pieces), 0)
            sizes = [abs(int(c)) * parts**k for k, c in enumerate(unit.coefficients)]
            top = max(top, sum(sizes), parts ** max(0, len(unit.coefficients) - 1))
        most = 0
        spans = [
            max(abs(int(f * v)) for v in ranges[node]) for node, f in question.outputs
        ]
        if question.loss == "zero_one":
            most = 1
            top = max(top, 2 * sum(spans), int(question.margin or 0))
        elif question.loss == "hinge":
            most = question.unit + 2 * sum(spans)
        else:
            gaps = [s + abs(int(y)) for s, y in zip(spans, sample.y, strict=True)]
            most = sum(g * g if question.loss == "squared" else g for g in gaps)
        top = max(top, most)
        total += int(sample.weight) * most
    width = max(top, total).bit_length() + 2
    if width > 64:
        raise NotSupported(f"bit-vectors of {width} bits")
    return width
