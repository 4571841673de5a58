"""Networks whose output is a sum of convex cones: free linear terms and hidden units.

A hidden neuron with own real weights, a positively homogeneous activation and one outgoing edge
contributes s·φ(u·x̂) with a sign s and a free real vector u (docs/theory.md B1). Direct edges,
biases, linear neurons and neurons without parameters contribute linear terms and constants. So

    f(x) = constant(x) + Σ_k c_k g_k(x) + Σ_j s_j φ_j(u_j · x̂_j),

with real c_k and u_j, all independent. This module finds that form, and the way back to θ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gmpy2 import mpq

from ermbit.engines.one_hidden_layer import (
    UNIT_LIMIT,
    Column,
    NotOfThisFormError,
    OneHiddenLayer,
    Terms,
    on_samples,
)
from ermbit_instances.network import Entry, Network, Neuron
from ermbit_instances.rational import Rational

OUTER_LIMIT = 4096
"""Values of the finite domain of an outer weight that are looked through for its signs; a larger
one is relaxed to the reals of these signs."""

_ZERO, _ONE = mpq(0), mpq(1)


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
        constant: terms of the fixed part.
        fixed: fixed neurons in the fixed part, with their factors.
        free: the linear terms.
        neurons: fixed neurons in linear terms: (parameter, scale of v, neuron).
        units: the hidden units.
        preset: values of parameters that are the same in every solution that is built.
        parameters: number of free parameters.
        relaxed: some domain is not the reals: only that of a relaxation is searched.
    """

    constant: Terms
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
            value + sum((factor * _fixed_value(neuron, x) for factor, neuron in self.fixed), _ZERO)
            for value, x in zip(on_samples(self.constant, rows), rows, strict=True)
        )

    def terms(self, rows: Sequence[Sequence[Rational]]) -> tuple[tuple[Rational, ...], ...]:
        """g_k on every row of inputs, one tuple a linear term."""
        return tuple(column.values(rows) for column in self.free) + tuple(
            tuple(_fixed_value(neuron, x) for x in rows) for _, _, neuron in self.neurons
        )


def read_cone_network(network: Network) -> ConeNetwork | str:
    """The form of a network, or why it has none."""
    try:
        return _read(OneHiddenLayer(network))
    except NotOfThisFormError as error:
        return str(error)


def _read(layer: OneHiddenLayer) -> ConeNetwork:
    fixed: list[tuple[Rational, Neuron]] = []
    free: list[Column] = []
    neurons: list[tuple[int, Rational, Neuron]] = []
    units: list[Unit] = []
    preset: dict[int, Rational] = {}
    for neuron, outer in layer.units:
        v = outer.parameter
        if all(entry.is_frozen for entry in neuron.entries()):
            layer.require_real(outer)
            if v is None:
                fixed.append((outer.value, neuron))
            else:
                neurons.append((v, outer.scale, neuron))
            continue
        activation = neuron.activation
        if activation.kind != "piecewise_linear" or not activation.is_homogeneous:
            raise NotOfThisFormError(f"{activation.name} is not positively homogeneous")
        columns, frozen = layer.inner(neuron)
        if any(value for _, value in frozen):
            raise NotOfThisFormError("a hidden unit has a frozen weight or bias")
        signs = _signs(layer, outer)
        below, above = activation.slopes[0], activation.slopes[-1]
        if not signs or below == above == 0:
            # It contributes nothing: its parameters stay 0, and v is whatever it has to be.
            if v is not None and not layer.is_real(v):
                preset[v] = next(iter(layer.domain(v).values()))
        elif below == above:
            sign, value, size = signs[0]
            if v is not None:
                preset[v] = value
            free += [Column(c.parameter, c.terms, sign * size * above) for c in columns]
        else:
            units.append(Unit(columns, below, above, signs, v))
    if len(units) > UNIT_LIMIT:
        raise NotOfThisFormError(f"more than {UNIT_LIMIT} hidden units")
    return ConeNetwork(
        layer.constant,
        tuple(fixed),
        (*free, *layer.free),
        tuple(neurons),
        tuple(units),
        preset,
        layer.network.parameter_count,
        layer.relaxed,
    )


def _signs(layer: OneHiddenLayer, outer: Entry) -> tuple[tuple[int, Rational, Rational], ...]:
    """By sign of the outer weight: the sign, v, and |scale · v|."""
    if outer.parameter is None:
        if outer.value == 0:
            return ()
        return ((1 if outer.value > 0 else -1, outer.value, abs(outer.value)),)
    layer.require_own(outer)
    if layer.is_real(outer.parameter):
        unit = _ONE / outer.scale
        return ((1, unit, _ONE), (-1, -unit, _ONE))
    domain = layer.domain(outer.parameter)
    if domain.size is None or domain.size > OUTER_LIMIT:
        assert domain.low is not None and domain.high is not None
        layer.relaxed = True
        ends = (outer.scale * domain.low, outer.scale * domain.high)
        signs = [sign for sign in (1, -1) if max(sign * end for end in ends) > 0]
        return tuple((sign, sign / outer.scale, _ONE) for sign in signs)
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
