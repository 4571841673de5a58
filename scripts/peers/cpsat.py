"""CP-SAT (OR-Tools): finite domains, all in integers.

Hidden values are shared by samples with equal inputs. `relu` and `max` are maxima, `abs` is an
absolute value, other pieces are guarded equations, powers are products. A product of a parameter
with a value that is not constant is either CP-SAT's own product, or one guarded equation for each
value of the parameter; the latter is used for short domains. Interchangeable units are in
lexicographic order.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ortools.sat.python import cp_model

from peers import polynomials
from peers.answer import Answer, NotSupported
from peers.evaluation import edge_range, total_at, unit_ranges
from peers.question import Edge, Question, Sample, Unit, count

LARGEST = 2**60
"""No number may pass this: CP-SAT computes in 64 bits."""

SHORT = 4
"""Domains of up to this many values are multiplied case by case."""


@dataclass(frozen=True)
class Model:
    """A built model: CP-SAT's, the variables of the parameters, the total loss."""

    model: Any
    parameters: list[Any]
    total: Any


class Builder:
    """Builds the model of one question."""

    def __init__(self, question: Question, short: int = SHORT) -> None:
        if not question.integral:
            raise NotSupported("real weights: CP-SAT has integers only")
        self.question = question
        self.short = short
        self.model = cp_model.CpModel()
        self.parameters = [
            self.model.new_int_var_from_domain(domain_of(p.values), p.name)  # type: ignore[arg-type]
            for p in question.parameters
        ]
        self.chosen: dict[tuple[int, int], Any] = {}

    def integer(self, low: int, high: int) -> Any:
        """A fresh variable."""
        if max(abs(low), abs(high)) > LARGEST:
            raise NotSupported("numbers of more than 60 bits")
        return self.model.new_int_var(int(low), int(high), "")

    def build(self, budget: int | None) -> Model:
        """The model with total ≤ budget, or to minimise the total."""
        outputs = [self.row(x) for x in self.question.rows]
        terms, top = [], 0
        for sample in self.question.samples:
            cost, most = self.sample_loss(sample, *outputs[sample.row])
            terms.append(sample.weight * cost)
            top += sample.weight * most
        if top > LARGEST:
            raise NotSupported("numbers of more than 60 bits")
        self.break_symmetry()
        if self.question.maximum:
            total = self.integer(0, top)
            for term in terms:
                self.model.add(total >= term)
        else:
            total = sum(terms)
        if budget is None:
            self.model.minimize(total)
        elif budget < 0:
            self.model.add_bool_or([])
        else:
            self.model.add(total <= budget)
        return Model(self.model, self.parameters, total)

    def row(self, x: Sequence[Any]) -> tuple[list[Any], list[tuple[int, int]]]:
        """All scaled outputs for one input, and their ranges."""
        ranges = unit_ranges(self.question, x)
        values: dict[int, Any] = dict(enumerate(x))
        for unit in self.question.units:
            z = sum(self.term(e, values, ranges) for e in unit.added)
            z += self.greatest(unit, values, ranges)
            values[unit.node] = self.activation(unit, z, ranges)
        outputs, spans = [], []
        for node, factor in self.question.outputs:
            outputs.append(factor * values[node])
            low, high = ranges[node]
            spans.append((int(factor * low), int(factor * high)))
        return outputs, spans

    def term(self, edge: Edge, values: dict[int, Any], ranges: dict[int, Any]) -> Any:
        """coefficient · P · A as a linear expression."""
        p = None if edge.parameter is None else self.parameters[edge.parameter]
        a = 1 if edge.source is None else values[edge.source]
        if p is None:
            return edge.coefficient * a
        if isinstance(a, int):
            return edge.coefficient * a * p if a else 0
        assert edge.parameter is not None and edge.source is not None
        low, high = ranges[edge.source]
        if low == high:
            return edge.coefficient * int(low) * p if low else 0
        domain = self.question.parameters[edge.parameter].values or ()
        ends = [u * v for u in (low, high) for v in (domain[0], domain[-1])]
        product = self.integer(min(ends), max(ends))
        if count(domain) > self.short:
            self.model.add_multiplication_equality(product, [p, a])
        else:
            for v in domain:
                case = self.choice(edge.parameter, int(v))
                self.model.add(product == int(v) * a).only_enforce_if(case)
        return edge.coefficient * product

    def greatest(self, unit: Unit, values: dict[int, Any], ranges: dict[int, Any]) -> Any:
        """The maximum of the compared edges, without those that others always exceed."""
        edges = [(e, edge_range(self.question, e, ranges)) for e in unit.compared]
        least = max((low for _, (low, _) in edges), default=0)
        most = max((high for _, (_, high) in edges), default=0)
        if least == most:
            return int(least)
        terms = [self.term(e, values, ranges) for e, (_, high) in edges if high >= least]
        result = self.integer(int(least), int(most))
        self.model.add_max_equality(result, terms)
        return result

    def choice(self, number: int, value: int) -> Any:
        """The literal P = value; the first use of a parameter makes all of its literals."""
        if (number, value) not in self.chosen:
            domain = [int(v) for v in self.question.parameters[number].values or ()]
            cases = [self.model.new_bool_var("") for _ in domain]
            self.model.add_exactly_one(cases)
            self.model.add(
                self.parameters[number] == sum(v * c for v, c in zip(domain, cases, strict=True))
            )
            for v, c in zip(domain, cases, strict=True):
                self.chosen[number, v] = c
        return self.chosen[number, value]

    def activation(self, unit: Unit, z: Any, ranges: dict[int, Any]) -> Any:
        """A = φ(Z)."""
        low, high = (int(v) for v in ranges[-1 - unit.node])
        least, most = (int(v) for v in ranges[unit.node])
        if least == most:
            return least
        # A variable of its own: OR-Tools 9.15 adds to some expressions in place, so that one which
        # is used twice would change.
        side = self.integer(low, high)
        self.model.add(side == z)
        z = side
        if unit.coefficients:
            return self.polynomial(unit, side, low, high)
        bounds = [b for b in unit.breakpoints if low < b <= high]
        first = sum(b <= low for b in unit.breakpoints)
        pieces = list(zip(unit.slopes, unit.intercepts, strict=True))[first:]
        if not bounds:
            slope, intercept = pieces[0]
            return self.line(slope, z, intercept, least, most)
        if pieces[: len(bounds) + 1] == [(0, 0), (1, 0)] and unit.activation == "relu":
            result = self.integer(least, most)
            self.model.add_max_equality(result, [z, 0])
            return result
        if unit.activation == "abs":
            result = self.integer(least, most)
            slope = int(unit.slopes[1])
            self.model.add_abs_equality(result, slope * z)
            return result
        reached = []
        for b in bounds:
            literal = self.model.new_bool_var("")
            self.model.add(z >= b).only_enforce_if(literal)
            self.model.add(z <= b - 1).only_enforce_if(~literal)
            reached.append(literal)
        for before, after in itertools.pairwise(reached):
            self.model.add_implication(after, before)
        used = pieces[: len(bounds) + 1]
        if not any(slope for slope, _ in used):
            steps = [b[1] - a[1] for a, b in itertools.pairwise(used)]
            result = self.integer(least, most)
            jumps = sum(s * r for s, r in zip(steps, reached, strict=True))
            self.model.add(result == used[0][1] + jumps)
            return result
        result = self.integer(least, most)
        for k, (slope, intercept) in enumerate(used):
            guards = [] if k == 0 else [reached[k - 1]]
            guards += [~reached[k]] if k < len(reached) else []
            self.model.add(result == slope * z + intercept).only_enforce_if(guards)
        return result

    def polynomial(self, unit: Unit, z: Any, low: int, high: int) -> Any:
        """Σ c_k Z^k, powers by CP-SAT's product."""

        def product(exponent: int, a: Any, b: Any) -> Any:
            least, most = polynomials.power_range(exponent, low, high)
            result = self.integer(int(least), int(most))
            self.model.add_multiplication_equality(result, [a, b])
            return result

        terms = polynomials.terms(unit.coefficients, z, product)
        if polynomials.is_power(unit.coefficients):
            return terms[0][1]
        least, most = polynomials.value_range(unit.coefficients, low, high, integral=True)
        result = self.integer(int(least), int(most))
        total = sum(int(c) * power for c, power in terms)
        self.model.add(result == int(unit.coefficients[0]) + total)
        return result

    def line(self, slope: int, z: Any, intercept: int, least: int, most: int) -> Any:
        """slope · z + intercept as a variable."""
        if (slope, intercept) == (1, 0):
            return z
        result = self.integer(least, most)
        self.model.add(result == slope * z + intercept)
        return result

    def sample_loss(
        self, sample: Sample, outputs: list[Any], spans: list[tuple[int, int]]
    ) -> tuple[Any, int]:
        """The scaled loss of one sample, and its greatest value. Held from below only."""
        q = self.question
        if q.classification:
            scores, least = [], []
            for score in q.scores(sample):
                scores.append(sum(sign * outputs[o] for o, sign in score))
                least.append(sum(min(sign * e for e in spans[o]) for o, sign in score))
            if q.loss == "hinge":
                most = max(0, q.unit - min(least))
                cost = self.integer(0, most)
                for s in scores:
                    self.model.add(cost >= q.unit - s)
                return cost, most
            wrong = self.model.new_bool_var("")
            for s in scores:
                self.model.add(s >= q.margin).only_enforce_if(~wrong)
            return wrong, 1
        costs, top = [], 0
        for f, (low, high), y in zip(outputs, spans, sample.y, strict=True):
            gap = max(abs(low - y), abs(high - y))
            if q.loss == "absolute":
                cost = self.integer(0, gap)
                self.model.add(cost >= f - y)
                self.model.add(cost >= y - f)
            else:
                residual = self.integer(low - y, high - y)
                self.model.add(residual == f - y)
                cost = self.integer(0, gap * gap)
                self.model.add_multiplication_equality(cost, [residual, residual])
                gap = gap * gap
            costs.append(cost)
            top += gap
        return sum(costs), top

    def break_symmetry(self) -> None:
        """Units of a class in lexicographic order; even units with a first weight ≥ 0."""
        for p in self.question.flips:
            self.model.add(self.parameters[p] >= 0)
        for members in self.question.classes:
            for before, after in itertools.pairwise(members):
                self.lexicographic(before, after)

    def lexicographic(self, before: Sequence[int], after: Sequence[int]) -> None:
        """vector(before) ≤ vector(after)."""
        equal: list[Any] = []
        for k, (a, b) in enumerate(zip(before, after, strict=True)):
            left, right = self.parameters[a], self.parameters[b]
            self.model.add(left <= right).only_enforce_if(equal)
            if k + 1 < len(before):
                same = self.model.new_bool_var("")
                self.model.add(left + 1 <= right).only_enforce_if([*equal, ~same])
                equal = [self.chain(equal[0], same)] if equal else [same]

    def chain(self, first: Any, second: Any) -> Any:
        """A literal equivalent to first ∧ second."""
        both = self.model.new_bool_var("")
        self.model.add_bool_or([~first, ~second, both])
        self.model.add_implication(both, first)
        self.model.add_implication(both, second)
        return both


def domain_of(values: Sequence[Any]) -> Any:
    """The values as CP-SAT has them."""
    if any(abs(v) > LARGEST for v in (values[0], values[-1])):
        raise NotSupported("numbers of more than 60 bits")
    if isinstance(values, range):
        return cp_model.Domain(values[0], values[-1])
    return cp_model.Domain.from_values([int(v) for v in values])


def run(question: Question, task: str, timeout: float, threads: int) -> Answer:
    """Decide or minimise within ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    budget = question.budget() if task == "solve" else None
    try:
        built = Builder(question).build(budget)
    except TypeError as error:  # a constant past 64 bits is no integer to CP-SAT
        if "incompatible function arguments" not in str(error):
            raise
        raise NotSupported("numbers of more than 60 bits") from error
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = threads
    solver.parameters.max_time_in_seconds = max(0.1, deadline - time.monotonic())
    status = solver.solve(built.model)
    found = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
    values = [solver.value(v) for v in built.parameters] if found else []
    parameters: dict[str, Any] = question.certificate(values) if found else {}
    loss = bound = None
    if task == "solve":
        words = {cp_model.OPTIMAL: "sat", cp_model.FEASIBLE: "sat", cp_model.INFEASIBLE: "unsat"}
        return Answer(words.get(status, "unknown"), parameters=parameters, encoding="integer")
    if found:
        total = total_at(question, values)  # the model's may be larger, or no exact float
        loss = question.loss_of(total)
        low = total if status == cp_model.OPTIMAL else round(solver.best_objective_bound)
        bound = question.loss_of(min(low, total))
    word = {cp_model.OPTIMAL: "optimal", cp_model.FEASIBLE: "feasible"}.get(status, "unknown")
    return Answer(word, loss, bound, parameters, encoding="integer")
