"""One sample, symbolically: pieces chosen one after the other, then the targets met."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gmpy2 import mpq

from ermbit.engines.elimination.ring import Polynomial, check_size, constant_value
from ermbit.engines.elimination.system import Solver, System
from ermbit.engines.elimination.targets import Target
from ermbit_instances.network import Entry, Network, Neuron
from ermbit_instances.rational import Rational

Feasible = Callable[[System], bool]
"""Whether signs do not contradict each other, as far as can be told quickly."""


@dataclass(frozen=True)
class Sample:
    """An input row with what its outputs come to, and the neurons that this takes."""

    x: tuple[Rational, ...]
    targets: tuple[Target, ...]
    order: tuple[Neuron, ...]


def needed(network: Network, targets: Sequence[Target]) -> tuple[Neuron, ...]:
    """The neurons at or below the targets, in topological order."""
    wanted = {target.node for target in targets}
    for neuron in reversed(network.neurons):
        if neuron.node in wanted:
            wanted.update(neuron.sources)
    return tuple(n for n in network.neurons if n.node in wanted)


def solutions(
    solver: Solver, system: System, sample: Sample, feasible: Feasible
) -> Iterator[System]:
    """The systems on which the sample meets its targets, one or more for every choice of pieces.

    Raises:
        TooLargeError: a polynomial past the limits.
        AlgebraicLimitError: a number field past the limits.
    """
    signals = {j: solver.ring.constant(v) for j, v in enumerate(sample.x)}
    yield from _Walk(solver, sample, feasible).run(system, signals, {}, 0)


@dataclass(frozen=True)
class _Walk:
    solver: Solver
    sample: Sample
    feasible: Feasible

    def run(
        self,
        system: System,
        signals: Mapping[int, Polynomial],
        inner: Mapping[int, Polynomial],
        position: int,
    ) -> Iterator[System]:
        """From one neuron on; ``inner`` are the pre-activations."""
        before = {t.node for t in self.sample.targets if t.before}
        after = {t.node for t in self.sample.targets if not t.before}
        signals, inner = dict(signals), dict(inner)
        for at in range(position, len(self.sample.order)):
            neuron = self.sample.order[at]
            terms, bias = self._terms(system, neuron, signals)
            if neuron.activation.kind != "max":
                inner[neuron.node] = check_size(sum(terms, bias))
            if neuron.node in before and neuron.node not in after and not self._read(neuron):
                continue  # only its pre-activation is asked for
            choices = self._choices(system, neuron, terms, bias)
            if not isinstance(choices, Iterator):
                signals[neuron.node] = choices
                continue
            for further, value in choices:
                yield from self.run(further, {**signals, neuron.node: value}, inner, at + 1)
            return
        yield from self._meet(system, signals, inner, self.sample.targets)

    def _read(self, neuron: Neuron) -> bool:
        return any(neuron.node in other.sources for other in self.sample.order)

    def _terms(
        self, system: System, neuron: Neuron, signals: Mapping[int, Polynomial]
    ) -> tuple[list[Polynomial], Polynomial]:
        terms = [
            check_size(self._entry(system, entry) * signals[source])
            for source, entry in zip(neuron.sources, neuron.weights, strict=True)
        ]
        return terms, (
            self.solver.ring.zero if neuron.bias is None else self._entry(system, neuron.bias)
        )

    def _choices(
        self, system: System, neuron: Neuron, terms: list[Polynomial], bias: Polynomial
    ) -> Polynomial | Iterator[tuple[System, Polynomial]]:
        """The neuron's signal, or its pieces with their systems if there is a choice."""
        activation = neuron.activation
        if activation.kind == "max":
            return self._maximum(system, terms, bias)
        z = sum(terms, bias)
        if activation.kind == "polynomial":
            value = self.solver.ring.zero
            for c in reversed(activation.coefficients):
                value = check_size(value * z) + self.solver.ring.constant(c)
            return value
        known = constant_value(z)
        if known is None and not activation.is_affine:
            return self._pieces(system, neuron, z)
        k = 0 if known is None else activation.piece(known)
        return self._line(z, activation.slopes[k], activation.intercepts[k])

    def _pieces(
        self, system: System, neuron: Neuron, z: Polynomial
    ) -> Iterator[tuple[System, Polynomial]]:
        activation, ring = neuron.activation, self.solver.ring
        points = activation.breakpoints
        # The last piece first: the active one of a relu.
        for k in range(len(points), -1, -1):
            further: System | None = system
            if k > 0:
                gap = z - ring.constant(points[k - 1])
                further = self.solver.require_sign(system, gap, False)
            if further is not None and k < len(points):
                gap = ring.constant(points[k]) - z
                further = self.solver.require_sign(further, gap, True)
            if further is not None and self.feasible(further):
                line = self._line(z, activation.slopes[k], activation.intercepts[k])
                yield further, line

    def _maximum(
        self, system: System, terms: Sequence[Polynomial], bias: Polynomial
    ) -> Iterator[tuple[System, Polynomial]]:
        if not terms:
            # Nothing to choose is one choice, not none: the maximum of no input is 0.
            yield system, bias
        for k, chosen in enumerate(terms):
            further: System | None = system
            for j, other in enumerate(terms):
                if further is not None and j != k:
                    # Of equal terms the first is chosen.
                    further = self.solver.require_sign(further, chosen - other, j < k)
            if further is not None and self.feasible(further):
                yield further, chosen + bias

    def _line(self, z: Polynomial, slope: Rational, shift: Rational) -> Polynomial:
        ring = self.solver.ring
        return z * ring.constant(slope) + ring.constant(shift)

    def _entry(self, system: System, entry: Entry) -> Polynomial:
        ring = self.solver.ring
        if entry.parameter is None:
            return ring.constant(entry.value)
        known = system.value_of(entry.parameter)
        value = ring.unknown(entry.parameter) if known is None else known
        return value * ring.constant(entry.scale)

    def _meet(
        self,
        system: System,
        signals: Mapping[int, Polynomial],
        inner: Mapping[int, Polynomial],
        targets: Sequence[Target],
    ) -> Iterator[System]:
        if not targets:
            yield system
            return
        target = targets[0]
        number = (inner if target.before else signals)[target.node]
        for value in target.values:
            gap = number - self.solver.ring.constant(mpq(value))
            for further in self.solver.require_zero(system, gap):
                yield from self._meet(further, signals, inner, targets[1:])
