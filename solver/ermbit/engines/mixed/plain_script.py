"""The question in z3 as one would write it down by hand: nested terms, ``If`` for the pieces.

Nothing is normalised, broken or named that need not be: an unknown for every parameter, one for the
pre-activation of every neuron that is not affine, one for every absolute error. z3's own strategy
is at its best on some of these scripts where any preparation puts it off. It shares no code with
the mixed program but the reading of numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gmpy2 import mpq

from ermbit.engines.engine import Budget
from ermbit.engines.mixed.refinement import Make
from ermbit.engines.mixed.search import Candidate
from ermbit.engines.mixed.verdict import Verdict
from ermbit.engines.mixed.z3_backend import TIMEOUT_LIMIT, number
from ermbit.verifier.verify import exact_loss
from ermbit_encodings.problem import Problem
from ermbit_encodings.samples import Sample, weighted_budget
from ermbit_instances.domain import IntegerDomain
from ermbit_instances.errors import InternalError
from ermbit_instances.network import Entry, Neuron
from ermbit_instances.rational import Rational

NARROW = 64
"""Values of an integer parameter up to which it is no reason for integer arithmetic."""


@dataclass
class PlainScript:
    """z3's strategy for nonlinear real arithmetic on the plain script.

    Attributes:
        turn: seconds of processor time of the first turn.
    """

    turn: float

    @staticmethod
    def fits(problem: Problem) -> bool:
        """Whether all parameters are real, or integers of which some have a wide range.

        Choices from a list are not for nested terms, and few values are better tried one by one.
        """
        domains = [p.domain for p in problem.instance.network.parameters]
        wide = any(d.size is None or d.size > NARROW for d in domains)
        return wide and all(d.size is None or isinstance(d, IntegerDomain) for d in domains)

    def go(self, problem: Problem, budget: Budget, make: Make) -> Verdict:
        """Decide L(θ) ≤ γ within the budget."""
        script = Script(problem)
        remaining = budget.remaining
        if remaining is not None:
            if remaining <= 0:
                return Verdict("unknown", reason="stopped at the deadline")
            timeout = min(max(1, int(remaining * 1000)), TIMEOUT_LIMIT)
            script.solver.set("timeout", timeout)
        status = str(script.solver.check())
        if status == "unsat":
            return Verdict("unsat")
        if status != "sat":
            return Verdict("unknown", reason=f"z3 gave up: {script.solver.reason_unknown()}")
        model = script.solver.model()
        values = tuple(number(model.eval(p, model_completion=True)) for p in script.parameters)
        try:
            loss, _ = exact_loss(problem.instance, values)
        except OverflowError as error:
            return Verdict("unknown", reason=str(error))
        if loss > problem.threshold:
            raise InternalError(f"a model that meets {problem.threshold} has another loss")
        return Verdict("sat", Candidate(values, loss))


class Script:
    """The assertions. Signals are rationals as long as they are known, z3's terms elsewhere.

    Attributes:
        parameters: z3's unknowns (integer multiples of 1/denominator where the domain is such), by
            parameter number. They are made in the order of their use: z3
            orders its variables by that.
        solver: holds all assertions.
    """

    def __init__(self, problem: Problem) -> None:
        import z3

        self._z3, self._problem = z3, problem
        self._context = z3.Context()
        instance = problem.instance
        self._domains = [p.domain for p in instance.network.parameters]
        mixed = any(d.size is not None for d in self._domains)
        self.solver = z3.SolverFor("QF_NIRA" if mixed else "QF_NRA", ctx=self._context)
        self._used: dict[int, Any] = {}
        self._count = 0
        rows: dict[tuple[Rational, ...], list[Any]] = {}
        costs: list[Any] = []
        for sample in problem.samples.rows:
            if sample.x not in rows:
                rows[sample.x] = self._outputs(sample.x)
            cost = self._cost(sample, rows[sample.x])
            costs.append(self._times(mpq(sample.weight), cost))
        bound = weighted_budget(instance, problem.samples, problem.threshold)
        for total in costs if instance.loss.reduction == "max" else [self._sum(costs)]:
            self._require(self._term(total) <= self._term(bound))
        self.parameters = [self._parameter(p.index) for p in instance.network.parameters]

    # ------------------------------------------------------------ terms

    def _term(self, value: Any) -> Any:
        return self._z3.RealVal(str(value), self._context) if isinstance(value, mpq) else value

    def _require(self, *constraints: Any) -> None:
        self.solver.add(*constraints)

    def _named(self, value: Any) -> Any:
        """A fresh unknown for a term."""
        self._count += 1
        name = self._z3.Real(f"t{self._count}", self._context)
        self._require(name == value)
        return name

    def _sum(self, parts: Sequence[Any]) -> Any:
        known = sum((p for p in parts if isinstance(p, mpq)), mpq(0))
        terms = [p for p in parts if not isinstance(p, mpq)]
        if not terms:
            return known
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return total if known == 0 else total + self._term(known)

    def _times(self, a: Any, b: Any) -> Any:
        if isinstance(a, mpq) and isinstance(b, mpq):
            return a * b
        for factor, other in ((a, b), (b, a)):
            if isinstance(factor, mpq) and factor in (0, 1):
                return mpq(0) if factor == 0 else other
        return self._term(a) * self._term(b)

    def _parameter(self, number: int) -> Any:
        if number not in self._used:
            domain = self._domains[number]
            if isinstance(domain, IntegerDomain):
                k = self._z3.Int(f"k{number}", self._context)
                self._require(k >= domain.minimum, k <= domain.maximum)
                value = self._times(mpq(1, domain.denominator), self._z3.ToReal(k))
            else:
                value = self._z3.Real(f"p{number}", self._context)
            self._used[number] = value
        return self._used[number]

    def _entry(self, entry: Entry) -> Any:
        if entry.parameter is None:
            return entry.value
        return self._times(entry.scale, self._parameter(entry.parameter))

    # ------------------------------------------------------------ the network

    def _outputs(self, x: Sequence[Rational]) -> list[Any]:
        network = self._problem.instance.network
        signals: list[Any] = list(x)
        for neuron in network.neurons:
            signals.append(self._neuron(neuron, signals))
        return [signals[node] for node in network.outputs]

    def _neuron(self, neuron: Neuron, signals: Sequence[Any]) -> Any:
        activation = neuron.activation
        parts = [
            self._times(self._entry(entry), signals[source])
            for source, entry in zip(neuron.sources, neuron.weights, strict=True)
        ]
        bias = mpq(0) if neuron.bias is None else self._entry(neuron.bias)
        if activation.kind == "max":
            return self._sum([self._maximum(parts), bias])
        z = self._sum([*parts, bias])
        if isinstance(z, mpq):
            return activation(z)
        if activation.kind == "polynomial":
            return self._polynomial(activation.coefficients, self._named(z))
        if activation.breakpoints:
            z = self._named(z)
        lines = [
            self._sum([self._times(slope, z), intercept])
            for slope, intercept in zip(activation.slopes, activation.intercepts, strict=True)
        ]
        value = lines[0]
        for point, line in zip(activation.breakpoints, lines[1:], strict=True):
            # Where φ is continuous either piece has the breakpoint; z3 is faster with strict tests.
            edge = self._term(point)
            above = z > edge if activation.is_continuous else z >= edge
            value = self._z3.If(above, self._term(line), self._term(value))
        return value

    def _polynomial(self, coefficients: Sequence[Rational], z: Any) -> Any:
        parts: list[Any] = [coefficients[0]]
        power = mpq(1)
        for c in coefficients[1:]:
            power = self._times(power, z)
            if c != 0:
                parts.append(self._times(c, power))
        return self._sum(parts)

    def _maximum(self, parts: Sequence[Any]) -> Any:
        if not parts:
            return mpq(0)
        largest = parts[0]
        for part in parts[1:]:
            a, b = self._term(largest), self._term(part)
            largest = self._z3.If(a >= b, a, b)
        return largest

    # ------------------------------------------------------------ the loss

    def _cost(self, sample: Sample, outputs: Sequence[Any]) -> Any:
        """The sample's loss, or something that can be as small as it is and no smaller."""
        loss = self._problem.instance.loss
        if loss.is_classification:
            return self._class_cost(self._scores(sample, outputs))
        residuals = [self._sum([f, -y]) for f, y in zip(outputs, sample.y, strict=True)]
        if self._problem.threshold == 0:
            # Weights are positive and losses never negative: each of them is 0.
            self._require(*(self._term(r) == 0 for r in residuals))
            return mpq(0)
        costs = []
        for residual in residuals:
            if isinstance(residual, mpq):
                costs.append(abs(residual) if loss.name == "absolute" else residual * residual)
            elif loss.name == "absolute":
                costs.append(self._above(residual, -residual))
            else:
                name = self._named(residual)
                costs.append(name * name)
        return self._sum(costs)

    def _above(self, *terms: Any) -> Any:
        """A fresh unknown that is at least each of the terms."""
        self._count += 1
        name = self._z3.Real(f"t{self._count}", self._context)
        self._require(*(name >= self._term(term) for term in terms))
        return name

    def _scores(self, sample: Sample, outputs: Sequence[Any]) -> list[Any]:
        """What must be large: y f, or f_y − f_j for every other class j."""
        if len(outputs) == 1:
            return [self._times(sample.y[0], outputs[0])]
        label = int(sample.y[0])
        right = outputs[label]
        others = [f for j, f in enumerate(outputs) if j != label]
        return [self._sum([right, self._times(mpq(-1), f)]) for f in others]

    def _class_cost(self, scores: Sequence[Any]) -> Any:
        loss = self._problem.instance.loss
        if loss.name == "hinge":
            gaps = [self._sum([mpq(1), self._times(mpq(-1), score)]) for score in scores]
            return self._above(mpq(0), *gaps)
        margin = self._term(loss.margin)
        terms = [self._term(score) for score in scores]
        right = [t >= margin if loss.margin > 0 else t > margin for t in terms]
        return self._z3.If(self._z3.And(*right), self._term(mpq(0)), self._term(mpq(1)))
