"""Networks whose output is a sum of convex cones: free linear terms and hidden units.

A hidden neuron with own real weights, a positively homogeneous activation and one outgoing edge
contributes s·φ(u·x̂) with a sign s and a free real vector u (docs/theory.md B1). Direct edges,
biases, linear neurons and neurons without parameters contribute linear terms and constants. So

    f(x) = constant(x) + Σ_k c_k g_k(x) + Σ_j s_j φ_j(u_j · x̂_j),

with real c_k and u_j, all independent. This module finds that form, and the way back to θ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gmpy2 import mpq

from ermbit_instances.activation import Activation
from ermbit_instances.domain import Domain, RealDomain
from ermbit_instances.network import Entry, Network, Neuron
from ermbit_instances.rational import Rational

UNIT_LIMIT, EDGE_LIMIT, WIDTH_LIMIT = 12, 2_000, 200
"""Hidden units, edges, and weights of one unit beyond which nothing is read."""

OUTER_LIMIT = 4096
"""Values of the finite domain of an outer weight that are looked through for its signs."""

_ZERO, _ONE = mpq(0), mpq(1)


@dataclass(frozen=True, slots=True)
class Column:
    """One free number and what it multiplies: Σ scale · input over ``terms``; input −1 is 1.

    ``parameter`` · ``factor`` is the free number.
    """

    parameter: int
    terms: tuple[tuple[int, Rational], ...]
    factor: Rational = _ONE

    def values(self, rows: Sequence[Sequence[Rational]]) -> tuple[Rational, ...]:
        """What it multiplies, on every row of inputs."""
        return tuple(
            sum((scale * (_ONE if k < 0 else x[k]) for k, scale in self.terms), _ZERO) for x in rows
        )


@dataclass(frozen=True, slots=True)
class Unit:
    """A hidden unit s·φ(u·x̂), φ(t) = below·t for t < 0 and above·t for t ≥ 0, below ≠ above.

    Attributes:
        columns: x̂, with the inner parameters; their factors are those for |v| = 1.
        outer: by sign s, the value of v and |v| that stand for all of that sign.
        parameter: of v, ``None`` if it is frozen.
    """

    columns: tuple[Column, ...]
    below: Rational
    above: Rational
    outer: tuple[tuple[int, Rational, Rational], ...]
    parameter: int | None

    @property
    def signs(self) -> tuple[int, ...]:
        return tuple(sign for sign, _, _ in self.outer)


@dataclass(frozen=True)
class ConeNetwork:
    """The form above.

    Attributes:
        constant: terms (inputs, scale) of the fixed part; input −1 is 1.
        fixed: fixed neurons in the fixed part, with their factors.
        free: the linear terms.
        neurons: fixed neurons in linear terms: (parameter, scale of v, neuron).
        units: the hidden units.
        preset: values of parameters that are the same in every solution that is built.
        parameters: number of free parameters.
        relaxed: some domain is not the reals: only that of a relaxation is searched.
    """

    constant: tuple[tuple[int, Rational], ...]
    fixed: tuple[tuple[Rational, Neuron], ...]
    free: tuple[Column, ...]
    neurons: tuple[tuple[int, Rational, Neuron], ...]
    units: tuple[Unit, ...]
    preset: Mapping[int, Rational]
    parameters: int
    relaxed: bool

    def theta(
        self,
        free: Sequence[Rational],
        units: Sequence[tuple[int, Sequence[Rational]]],
    ) -> tuple[Rational, ...]:
        """θ by parameter number from the free numbers and, by unit, its sign and u."""
        theta = [_ZERO] * self.parameters
        for parameter, value in self.preset.items():
            theta[parameter] = value
        for column, value in zip(self.free, free[: len(self.free)], strict=True):
            theta[column.parameter] = value / column.factor
        for (parameter, scale, _), value in zip(self.neurons, free[len(self.free) :], strict=True):
            theta[parameter] = value / scale
        for unit, (sign, weights) in zip(self.units, units, strict=True):
            value, size = next((v, a) for s, v, a in unit.outer if s == sign)
            if unit.parameter is not None:
                theta[unit.parameter] = value
            for column, weight in zip(unit.columns, weights, strict=True):
                theta[column.parameter] = weight / (column.factor * size)
        return tuple(theta)

    def constants(self, rows: Sequence[Sequence[Rational]]) -> tuple[Rational, ...]:
        """The fixed part of the output on every row of inputs."""
        return tuple(
            sum((scale * (_ONE if k < 0 else x[k]) for k, scale in self.constant), _ZERO)
            + sum((factor * _fixed_value(neuron, x) for factor, neuron in self.fixed), _ZERO)
            for x in rows
        )

    def terms(self, rows: Sequence[Sequence[Rational]]) -> tuple[tuple[Rational, ...], ...]:
        """g_k on every row of inputs, one tuple a linear term."""
        return tuple(column.values(rows) for column in self.free) + tuple(
            tuple(_fixed_value(neuron, x) for x in rows) for _, _, neuron in self.neurons
        )


def read_cone_network(network: Network) -> ConeNetwork | str:
    """The form of a network, or why it has none."""
    if len(network.outputs) != 1:
        return "more than one output"
    if network.edge_count > EDGE_LIMIT:
        return f"more than {EDGE_LIMIT} edges"
    if network.outputs[0] < network.input_count:
        return "the output is an input"
    return _Reader(network).read()


@dataclass
class _Reader:
    network: Network
    uses: dict[int, int] = field(default_factory=dict)
    constant: list[tuple[int, Rational]] = field(default_factory=list)
    fixed: list[tuple[Rational, Neuron]] = field(default_factory=list)
    free: list[Column] = field(default_factory=list)
    neurons: list[tuple[int, Rational, Neuron]] = field(default_factory=list)
    units: list[Unit] = field(default_factory=list)
    preset: dict[int, Rational] = field(default_factory=dict)
    relaxed: bool = False

    def read(self) -> ConeNetwork | str:
        network = self.network
        output = network.neurons[network.outputs[0] - network.input_count]
        children: dict[int, int] = {}
        for neuron in network.neurons:
            for source in neuron.sources:
                children[source] = children.get(source, 0) + 1
            for entry in neuron.entries():
                if entry.parameter is not None:
                    self.uses[entry.parameter] = self.uses.get(entry.parameter, 0) + 1
        hidden = [n for n in network.neurons if n.node != output.node]
        for neuron in hidden:
            if any(source >= network.input_count for source in neuron.sources):
                return "more than one hidden layer"
            if children.get(neuron.node, 0) != 1 or neuron.node not in output.sources:
                return "a hidden unit does not have a single outgoing edge to the output"
        if output.node in children:
            return "the output is read by a neuron"
        reason = self._output(output)
        if reason is not None:
            return reason
        if len(self.units) > UNIT_LIMIT:
            return f"more than {UNIT_LIMIT} hidden units"
        return ConeNetwork(
            tuple(self.constant),
            tuple(self.fixed),
            tuple(self.free),
            tuple(self.neurons),
            tuple(self.units),
            self.preset,
            network.parameter_count,
            self.relaxed,
        )

    def _output(self, output: Neuron) -> str | None:
        activation = output.activation
        is_linear = (
            activation.kind == "piecewise_linear"
            and activation.is_affine
            and activation.slopes[0] == 1
            and activation.intercepts[0] == 0
        )
        if not is_linear:
            if any(source >= self.network.input_count for source in output.sources):
                return f"the output above hidden units is {activation.name}"
            return self._hidden(output, Entry(None, value=_ONE))
        direct: dict[int, list[tuple[int, Rational]]] = {}
        edges = [*zip(output.sources, output.weights, strict=True)]
        if output.bias is not None:
            edges.append((-1, output.bias))
        for source, entry in edges:
            if source >= self.network.input_count:
                neuron = self.network.neurons[source - self.network.input_count]
                reason = self._hidden(neuron, entry)
                if reason is not None:
                    return reason
            elif entry.parameter is None:
                self.constant.append((source, entry.value))
            else:
                direct.setdefault(entry.parameter, []).append((source, entry.scale))
        return self._columns(direct, self.free)

    def _columns(
        self, terms: Mapping[int, list[tuple[int, Rational]]], into: list[Column]
    ) -> str | None:
        """Columns of parameters that occur on these edges only, and are real."""
        for parameter, edges in terms.items():
            if self.uses[parameter] != len(edges):
                return "a parameter is shared"
            if not self._is_real(parameter):
                return "an inner weight or bias has a finite domain"
            into.append(Column(parameter, tuple(edges)))
        return None

    def _is_real(self, parameter: int) -> bool:
        """Whether its domain is the reals, or is treated as if it were (``rational``)."""
        domain = self._domain(parameter)
        if isinstance(domain, RealDomain):
            return True
        if domain.canonical()["domain"] == "rational":
            self.relaxed = True
            return True
        return False

    def _domain(self, parameter: int) -> Domain:
        return self.network.parameters[parameter].domain

    def _hidden(self, neuron: Neuron, outer: Entry) -> str | None:
        """Add what a neuron below the output (or the output itself) contributes."""
        activation = neuron.activation
        if all(entry.is_frozen for entry in neuron.entries()):
            if outer.parameter is None:
                self.fixed.append((outer.value, neuron))
                return None
            if self.uses[outer.parameter] != 1:
                return "an outer weight is shared"
            if not self._is_real(outer.parameter):
                return "an outer weight has a finite domain"
            self.neurons.append((outer.parameter, outer.scale, neuron))
            return None
        if activation.kind != "piecewise_linear" or not activation.is_homogeneous:
            return f"{activation.name} is not positively homogeneous"
        if any(entry.is_frozen and entry.value != 0 for entry in neuron.entries()):
            return "a hidden unit has a frozen weight or bias"
        terms: dict[int, list[tuple[int, Rational]]] = {}
        edges = [*zip(neuron.sources, neuron.weights, strict=True)]
        if neuron.bias is not None:
            edges.append((-1, neuron.bias))
        for source, entry in edges:
            if entry.parameter is not None:
                terms.setdefault(entry.parameter, []).append((source, entry.scale))
        columns: list[Column] = []
        reason = self._columns(terms, columns)
        if reason is not None:
            return reason
        if len(columns) > WIDTH_LIMIT:
            return f"a hidden unit of more than {WIDTH_LIMIT} weights"
        signs = self._signs(outer)
        if isinstance(signs, str):
            return signs
        self._unit(activation, columns, outer, signs)
        return None

    def _unit(
        self,
        activation: Activation,
        columns: list[Column],
        outer: Entry,
        signs: tuple[tuple[int, Rational, Rational], ...],
    ) -> None:
        below, above = activation.slopes[0], activation.slopes[-1]
        if not signs or below == above == 0:
            # It contributes nothing: its parameters stay 0, and v is whatever it has to be.
            if outer.parameter is not None and not self._is_real(outer.parameter):
                self.preset[outer.parameter] = next(iter(self._domain(outer.parameter).values()))
        elif below == above:
            sign, value, size = signs[0]
            if outer.parameter is not None:
                self.preset[outer.parameter] = value
            factor = sign * size * above
            self.free += [Column(c.parameter, c.terms, factor) for c in columns]
        else:
            self.units.append(Unit(tuple(columns), below, above, signs, outer.parameter))

    def _signs(self, outer: Entry) -> tuple[tuple[int, Rational, Rational], ...] | str:
        """By sign of the outer weight: the sign, v, and |scale · v|."""
        if outer.parameter is None:
            if outer.value == 0:
                return ()
            return ((1 if outer.value > 0 else -1, outer.value, abs(outer.value)),)
        if self.uses[outer.parameter] != 1:
            return "an outer weight is shared"
        if self._is_real(outer.parameter):
            unit = _ONE / outer.scale
            return ((1, unit, _ONE), (-1, -unit, _ONE))
        domain = self._domain(outer.parameter)
        if domain.size is None or domain.size > OUTER_LIMIT:
            return "an outer weight has a large domain"
        found: dict[int, tuple[int, Rational, Rational]] = {}
        for value in sorted(domain.values(), key=lambda v: (abs(v), v)):
            weight = outer.scale * value
            if weight != 0:
                sign = 1 if weight > 0 else -1
                found.setdefault(sign, (sign, value, abs(weight)))
        return tuple(found[sign] for sign in (1, -1) if sign in found)


def _fixed_value(neuron: Neuron, x: Sequence[Rational]) -> Rational:
    """What a neuron without free parameters gives."""
    terms = [
        entry.value * x[source]
        for source, entry in zip(neuron.sources, neuron.weights, strict=True)
    ]
    bias = _ZERO if neuron.bias is None else neuron.bias.value
    if neuron.activation.kind == "max":
        return max(terms, default=_ZERO) + bias
    return mpq(neuron.activation(sum(terms, _ZERO) + bias))
