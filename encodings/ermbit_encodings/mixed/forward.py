"""The network on one sample as rows: every product of two unknowns resolved or refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gmpy2 import mpq

from ermbit_encodings.mixed.normalisation import Homogenised
from ermbit_encodings.mixed.parameters import RealParameter, Unknown, expression, product
from ermbit_encodings.mixed.program import (
    MixedProgram,
    NotLinearError,
    Polynomial,
    add,
    constant,
    constant_value,
    multiply,
    scale,
    variable,
)
from ermbit_encodings.mixed.signals import (
    Interval,
    Levels,
    Signal,
    apply_maximum,
    apply_pieces,
    apply_polynomial,
    as_term,
    levels_times,
)
from ermbit_instances.network import Entry, Network, Neuron
from ermbit_instances.rational import Rational


@dataclass(frozen=True, slots=True)
class Gain:
    """How a homogenised neuron enters its child.

    Attributes:
        rule: which neuron, which edge.
        unknown: the real unknown G > 0, or ``None`` in the cone case (G is the child's own gain;
            1 for powers).
        positive: literal: the outer weight times its factor is positive, else negative.
        zero: literal: the outer weight is zero; ``None`` in the cone case.
    """

    rule: Homogenised
    unknown: int | None
    positive: int
    zero: int | None


@dataclass
class Forward:
    """Encodes samples one after the other.

    Attributes:
        program: gets the constraints.
        network: the network.
        parameters: unknowns by parameter number. For a homogenised neuron's own real parameters
            this is the multiplied one, U = G·u.
        gains: the homogenised neurons by node.
        products: whether products of real unknowns may stay.
        known: numbers that stand for neurons, by node.
    """

    program: MixedProgram
    network: Network
    parameters: Sequence[Unknown]
    gains: Mapping[int, Gain]
    products: bool
    known: Mapping[int, Rational]

    def unit(self, node: int) -> Polynomial:
        """The factor by which a neuron is multiplied: 1, or its gain."""
        gain = self.gains.get(node)
        if gain is None or gain.rule.power > 1:
            return constant(mpq(1))
        return self.unit(gain.rule.child) if gain.unknown is None else variable(gain.unknown)

    def outputs(self, x: Sequence[Rational], bounds: Sequence[Interval] | None) -> list[Signal]:
        """Signals of the network's outputs on one input row.

        Args:
            x: the input row.
            bounds: known bounds of each neuron's pre-activation, in the order of the neurons.

        Raises:
            NotLinearError: a product of two unknowns where none is allowed.
        """
        signals: list[Signal] = [constant(v) for v in x]
        for position, neuron in enumerate(self.network.neurons):
            if neuron.node in self.known:
                signals.append(constant(self.known[neuron.node]))
                continue
            interval = (None, None) if bounds is None else bounds[position]
            signals.append(self._neuron(neuron, signals, interval))
        return [signals[node] for node in self.network.outputs]

    def _neuron(self, neuron: Neuron, signals: Sequence[Signal], bounds: Interval) -> Signal:
        program, activation = self.program, neuron.activation
        unit = self.unit(neuron.node)
        gained = constant_value(unit) is None
        terms = [
            self._edge(neuron, source, entry, signals[source], unit)
            for source, entry in zip(neuron.sources, neuron.weights, strict=True)
        ]
        bias = {} if neuron.bias is None else self._bias(neuron.bias, unit)
        if activation.kind == "max":
            return add(apply_maximum(program, terms), bias)
        z = add(*terms, bias)
        if activation.kind == "polynomial":
            return apply_polynomial(program, activation, z, products=self.products)
        if gained:
            return apply_pieces(program, activation, z, gain=unit)
        return apply_pieces(program, activation, z, bounds)

    def _bias(self, entry: Entry, unit: Polynomial) -> Polynomial:
        return self._times(entry, unit, self._own(entry))

    def _own(self, entry: Entry) -> bool:
        """Whether the entry is a real unknown, which then carries the neuron's gain itself."""
        return entry.parameter is not None and isinstance(
            self.parameters[entry.parameter], RealParameter
        )

    def _times(self, entry: Entry, term: Polynomial, carries_gain: bool) -> Polynomial:
        """entry · term; a real parameter of a homogenised neuron already holds the gain."""
        if entry.parameter is None:
            return scale(term, entry.value)
        if carries_gain:
            return scale(expression(self.parameters[entry.parameter]), entry.scale)
        result = product(self.program, self.parameters[entry.parameter], term)
        if result is None:
            result = self._product(expression(self.parameters[entry.parameter]), term)
        return scale(result, entry.scale)

    def _product(self, a: Polynomial, b: Polynomial) -> Polynomial:
        if not self.products:
            raise NotLinearError(
                "a real weight meets a real activation: a product of two unknowns "
                "(several outgoing edges, shared, or several real layers)"
            )
        return multiply(self.program.name(a), self.program.name(b))

    def _edge(
        self, neuron: Neuron, source: int, entry: Entry, signal: Signal, unit: Polynomial
    ) -> Polynomial:
        gain = self.gains.get(source)
        if gain is not None:
            # The signal already is |weight| times the neuron's output, in the child's units.
            return self._signed(gain, as_term(self.program, signal))
        if isinstance(signal, Levels):
            if entry.parameter is None:
                return levels_times(self.program, signal, scale(unit, entry.value))
            if self._own(entry):
                own = expression(self.parameters[entry.parameter])
                return levels_times(self.program, signal, scale(own, entry.scale))
            return levels_times(self.program, signal, self._times(entry, unit, False))
        value = constant_value(signal)
        if value is not None:
            return scale(self._times(entry, unit, self._own(entry)), value)
        if constant_value(unit) is None:
            # Neither factor is known: frozen · gain · signal is a product of unknowns.
            return self._gained_product(entry, signal, unit)
        return self._times(entry, signal, False)

    def _gained_product(self, entry: Entry, signal: Polynomial, unit: Polynomial) -> Polynomial:
        if self._own(entry):
            assert entry.parameter is not None
            own = expression(self.parameters[entry.parameter])
            return scale(self._product(own, signal), entry.scale)
        return self._times(entry, self._product(unit, signal), False)

    def _signed(self, gain: Gain, term: Polynomial) -> Polynomial:
        if gain.rule.is_odd:
            return term
        program = self.program
        term = program.name(term)
        result = variable(program.real())
        off = () if gain.zero is None else (-gain.zero,)
        program.equal(result, term, (gain.positive, *off))
        program.equal(result, scale(term, mpq(-1)), (-gain.positive, *off))
        if gain.zero is not None:
            program.equal(result, {}, (gain.zero,))
        return result
