"""An instance as a mixed Boolean/arithmetic program, and back from a model to parameters.

Linear programs (``products=False``) contain no product of two unknowns: first-layer
pre-activations are linear in the parameters; a later parameter of a finite domain is chosen by
Booleans and its products are conditional terms; step and sign units have Boolean outputs, so
networks of them are linear at any depth (docs/theory.md D12); a real outer weight of a neuron with
one outgoing edge is normalised away (B1, D6). What is left raises :class:`NotLinearError` and
belongs to nonlinear real arithmetic (``products=True``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gmpy2 import mpq

from ermbit_encodings.mixed.breaking import break_flips, break_interchanges
from ermbit_encodings.mixed.forward import Forward, Gain
from ermbit_encodings.mixed.normalisation import absorbed_biases, homogenised_neurons
from ermbit_encodings.mixed.objective import LossEncoder, Objective
from ermbit_encodings.mixed.parameters import (
    BinaryParameter,
    FixedParameter,
    ListedParameter,
    RealParameter,
    Unknown,
    declare,
)
from ermbit_encodings.mixed.program import MixedProgram, degree
from ermbit_encodings.mixed.signals import Interval
from ermbit_encodings.problem import Problem
from ermbit_encodings.samples import weighted_budget
from ermbit_instances.algebraic import AlgebraicLimitError
from ermbit_instances.certificate import Value
from ermbit_instances.rational import Rational

RESCALED_DEGREE = 8
"""Largest degree of an irrational factor that is taken out of the inner parameters of a power."""


@dataclass(frozen=True)
class MixedEncoding:
    """A program with the way back.

    Attributes:
        problem: what was encoded.
        program: the constraints, without any bound on the loss.
        objective: the loss; see :meth:`Objective.bound`.
        parameters: unknowns by parameter number.
        gains: homogenised neurons by node.
        outer: parameter number of an outer weight → node of its homogenised neuron.
    """

    problem: Problem
    program: MixedProgram
    objective: Objective
    parameters: tuple[Unknown, ...]
    gains: dict[int, Gain]
    outer: dict[int, int]

    def budget(self, threshold: Rational) -> Rational:
        """The bound on the weighted total that says L ≤ threshold."""
        return weighted_budget(self.problem.instance, self.problem.samples, threshold)

    @property
    def is_linear(self) -> bool:
        """Whether neither a constraint nor the objective has a product of unknowns."""
        return self.program.is_linear and all(degree(t) <= 1 for t in self.objective.terms)

    def is_plain(self, parameter: int) -> bool:
        """Whether the parameter's unknown is the parameter itself, not a multiple of it."""
        if parameter in self.outer:
            return False
        return not any(
            entry.parameter == parameter
            for neuron in self.problem.instance.network.neurons
            if neuron.node in self.gains
            for entry in neuron.entries()
        )

    def decode(self, true: Sequence[bool], reals: Sequence[Value]) -> tuple[Value, ...]:
        """θ by parameter number from a model.

        Args:
            true: truth value of each Boolean, index 0 unused.
            reals: value of each real unknown: rational, or algebraic from a nonlinear solver.
        """

        def holds(literal: int) -> bool:
            return true[literal] if literal > 0 else not true[-literal]

        sizes: dict[int, Value] = {}

        def size(node: int) -> Value:
            """The positive factor by which the neuron is multiplied."""
            gain = self.gains.get(node)
            if gain is None or gain.rule.power > 1:
                return mpq(1)
            if node not in sizes:
                sizes[node] = (
                    size(gain.rule.child) if gain.unknown is None else reals[gain.unknown]
                )
            return sizes[node]

        owner: dict[int, int] = {}
        for neuron in self.problem.instance.network.neurons:
            if neuron.node in self.gains:
                for entry in neuron.entries():
                    if entry.parameter is not None and entry.parameter not in self.outer:
                        owner.setdefault(entry.parameter, neuron.node)
        values: list[Value] = []
        for number, unknown in enumerate(self.parameters):
            if number in self.outer:
                gain = self.gains[self.outer[number]]
                if gain.zero is not None and holds(gain.zero):
                    values.append(mpq(0))
                    continue
                ratio = size(gain.rule.node) / size(gain.rule.child)
                if not holds(gain.positive):
                    ratio = -ratio
                values.append(ratio / gain.rule.factor)
            elif isinstance(unknown, RealParameter):
                value = reals[unknown.unknown]
                values.append(value / size(owner[number]) if number in owner else value)
            elif isinstance(unknown, FixedParameter):
                values.append(unknown.value)
            elif isinstance(unknown, ListedParameter):
                values.append(
                    next(
                        v
                        for lit, v in zip(unknown.literals, unknown.values, strict=True)
                        if holds(lit)
                    )
                )
            else:
                assert isinstance(unknown, BinaryParameter)
                pairs = zip(unknown.bits, unknown.steps, strict=True)
                values.append(sum((step for bit, step in pairs if holds(bit)), unknown.low))
        for gain in self.gains.values():
            if gain.rule.power > 1:
                self._rescale(gain, values)
        return tuple(values)

    def _rescale(self, gain: Gain, values: list[Value]) -> None:
        """Take an irrational factor out of the inner parameters of a power, in place.

        v = ±1 makes √2·(1, 3) of 2·(x + 3)²; c·u and v stand for the same neuron as u and v·c^k.
        """
        network = self.problem.instance.network
        neuron = network.neurons[gain.rule.node - network.input_count]
        inner = {e.parameter for e in neuron.entries() if e.parameter is not None}
        factor = next((values[p] for p in sorted(inner) if values[p] != 0), mpq(0))
        if isinstance(factor, mpq) or factor.degree > RESCALED_DEGREE:
            return
        try:
            scaled = {p: values[p] / factor for p in inner}
            outer = values[gain.rule.weight] * factor**gain.rule.power
        except AlgebraicLimitError:
            return
        if all(isinstance(v, mpq) for v in scaled.values()):
            values[gain.rule.weight] = outer
            for p, v in scaled.items():
                values[p] = v


def encode_mixed(
    problem: Problem,
    *,
    products: bool = False,
    exact_fit: bool = False,
    homogenise: bool = True,
    powers: bool = True,
    symmetries: bool = True,
    signs: Mapping[int, bool] | None = None,
    rows: Sequence[int] | None = None,
    known: Mapping[int, Rational] | None = None,
    ranges: bool = True,
) -> MixedEncoding:
    """Encode an instance.

    Args:
        problem: the problem.
        products: allow products of real unknowns (nonlinear real arithmetic).
        exact_fit: state f = y, or that labels are right, outright instead of an objective
            (``absolute``, ``squared`` or ``zero_one`` with a budget of zero).
        homogenise: normalise real outer weights away, and biases that others can take over; not
            for relaxations whose solutions are to be refined to members of finite domains.
        powers: normalise pure powers too, where products are allowed.
        symmetries: keep only representatives of interchanges and flips.
        signs: the signs of outer weights that are normalised to ±1, by node, positive ones first
            in every class of interchangeable neurons: one pattern of those that are possible.
        rows: positions of the samples to be encoded, all without it. A sum is then a partial one.
        known: numbers that stand for neurons, by node: for a probe whose program is thrown away.
        ranges: let the ranges of the integer form decide pieces, where there is one.

    Raises:
        NotLinearError: a product of unknowns in a linear program, or a domain too large.
    """
    network = problem.instance.network
    program = MixedProgram()
    real = frozenset(p.index for p in network.parameters if p.domain.size is None)
    powers = powers and products
    rules = homogenised_neurons(network, real, powers=powers) if homogenise else {}
    outer = {rule.weight: node for node, rule in rules.items()}
    parameters: list[Unknown] = []
    absorbed = absorbed_biases(network, real) if homogenise else frozenset()
    for parameter in network.parameters:
        if parameter.index in outer or parameter.index in absorbed:
            # Of an outer weight never used: decode() computes it.
            parameters.append(FixedParameter(mpq(0)))
        else:
            parameters.append(declare(program, parameter.domain))
    gains = {}
    for node, rule in rules.items():
        unknown = zero = None
        positive = program.boolean()
        if not rule.is_cone:
            unknown, zero = program.real(), program.boolean()
            program.less({}, {(unknown,): mpq(1)})
            program.clause(-zero, positive)
        if rule.is_odd:
            program.clause(positive)
        elif signs is not None and node in signs:
            program.clause(positive if signs[node] else -positive)
        gains[node] = Gain(rule, unknown, positive, zero)
    if symmetries:
        break_interchanges(problem, program, parameters, outer, signs or {})
        break_flips(problem, program, parameters, outer)
    forward = Forward(program, network, parameters, gains, products, known or {})
    loss = problem.instance.loss
    form = problem.integer if ranges else None
    objective = Objective([], [], [], loss.reduction == "max")
    losses = LossEncoder(
        program, loss, objective, products, None if form is None else form.scale, exact_fit
    )
    cache = {}
    for i in range(len(problem.samples.rows)) if rows is None else rows:
        sample = problem.samples.rows[i]
        if sample.x not in cache:
            bounds = None if form is None else _bounds(problem, i)
            cache[sample.x] = forward.outputs(sample.x, bounds)
        losses.add(sample, cache[sample.x])
    return MixedEncoding(problem, program, objective, tuple(parameters), gains, outer)


def _bounds(problem: Problem, sample: int) -> list[Interval]:
    form = problem.integer
    assert form is not None
    return [
        (mpq(low, neuron.scale), mpq(high, neuron.scale))
        for neuron, (low, high) in zip(
            form.neurons, problem.ranges[sample].pre_activation, strict=True
        )
    ]
