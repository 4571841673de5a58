"""Networks whose output is a sum of two-valued units: what they are made of, and the way back.

    f(x) = constant(x) + Σ_k c_k g_k + Σ_j v_j φ_j(u_j · x̂_j + fixed_j(x)),   φ_j(t) = low or high

φ_j jumps at one threshold. The inner weights u_j are real, used once; v_j and the output's bias are
real and used once, or frozen. Then only the dichotomies of the units matter (docs/theory.md D3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gmpy2 import mpq

from ermbit.engines.cells.network import EDGE_LIMIT, UNIT_LIMIT, WIDTH_LIMIT, Column
from ermbit_instances.domain import RealDomain
from ermbit_instances.network import Entry, Network, Neuron
from ermbit_instances.rational import Rational

Terms = tuple[tuple[int, Rational], ...]
"""Σ scale · input; input −1 is 1."""

_ZERO, _ONE = mpq(0), mpq(1)


@dataclass(frozen=True, slots=True)
class TwoValued:
    """A unit v·φ(Σ columns + fixed): ``low`` below 0, ``high`` from 0 on.

    Attributes:
        columns: what each free inner weight multiplies.
        fixed: the fixed part, minus the place of the jump.
        outer: v if it is frozen, else ``None``.
        parameter, scale: of v if it is free.
    """

    columns: tuple[Column, ...]
    fixed: Terms
    low: Rational
    high: Rational
    outer: Rational | None
    parameter: int
    scale: Rational


@dataclass(frozen=True, slots=True)
class DichotomyNetwork:
    """The form above.

    Attributes:
        constant: the fixed part of the output.
        free: linear terms of the output that are free.
        units: the two-valued units.
        parameters: number of free parameters.
        relaxed: some domain is rational: only its real relaxation is searched.
    """

    constant: Terms
    free: tuple[Column, ...]
    units: tuple[TwoValued, ...]
    parameters: int
    relaxed: bool


def on_samples(terms: Terms, rows: Sequence[Sequence[Rational]]) -> tuple[Rational, ...]:
    """Σ scale · input on every row of inputs."""
    return tuple(sum((s * (_ONE if k < 0 else x[k]) for k, s in terms), _ZERO) for x in rows)


def read_dichotomy_network(network: Network) -> DichotomyNetwork | str:
    """The form of a network, or why it has none."""
    if len(network.outputs) != 1:
        return "more than one output"
    if network.edge_count > EDGE_LIMIT:
        return f"more than {EDGE_LIMIT} edges"
    if network.outputs[0] < network.input_count:
        return "the output is an input"
    reader = _Reader(network)
    reason = reader.read()
    if reason:
        return reason
    if not reader.units:
        return "no unit is two-valued"
    if len(reader.units) > UNIT_LIMIT:
        return f"more than {UNIT_LIMIT} hidden units"
    return DichotomyNetwork(
        tuple(reader.constant),
        tuple(reader.free),
        tuple(reader.units),
        network.parameter_count,
        reader.relaxed,
    )


class _Reader:
    def __init__(self, network: Network) -> None:
        self.network = network
        self.uses: dict[int, int] = {}
        self.children: dict[int, int] = {}
        self.constant: list[tuple[int, Rational]] = []
        self.free: list[Column] = []
        self.units: list[TwoValued] = []
        self.relaxed = False
        for neuron in network.neurons:
            for source in neuron.sources:
                self.children[source] = self.children.get(source, 0) + 1
            for entry in neuron.entries():
                if entry.parameter is not None:
                    self.uses[entry.parameter] = self.uses.get(entry.parameter, 0) + 1

    def read(self) -> str:
        """Fill in the parts; why not, or nothing."""
        network = self.network
        inputs = network.input_count
        output = network.neurons[network.outputs[0] - inputs]
        if output.node in self.children:
            return "the output is read by a neuron"
        for neuron in network.neurons:
            if neuron.node == output.node:
                continue
            if any(source >= inputs for source in neuron.sources):
                return "more than one hidden layer"
            if self.children.get(neuron.node, 0) != 1 or neuron.node not in output.sources:
                return "a hidden unit does not have a single outgoing edge to the output"
        activation = output.activation
        if not activation.is_affine:
            if any(source >= inputs for source in output.sources):
                return f"the output above hidden units is {activation.name}"
            return self._unit(output, Entry(None, value=_ONE))
        if activation.slopes[0] != 1 or activation.intercepts[0] != 0:
            return "the output is not the identity"
        direct: dict[int, list[tuple[int, Rational]]] = {}
        edges = [*zip(output.sources, output.weights, strict=True)]
        if output.bias is not None:
            edges.append((-1, output.bias))
        for source, entry in edges:
            if source >= inputs:
                reason = self._unit(network.neurons[source - inputs], entry)
                if reason:
                    return reason
            elif entry.parameter is None:
                self.constant.append((source, entry.value))
            else:
                direct.setdefault(entry.parameter, []).append((source, entry.scale))
        return self._columns(direct, self.free)

    def _columns(
        self, terms: dict[int, list[tuple[int, Rational]]], into: list[Column]
    ) -> str:
        for parameter, edges in terms.items():
            if self.uses[parameter] != len(edges):
                return "a parameter is shared"
            if not self._is_real(parameter):
                return "a weight or bias has a finite domain"
            into.append(Column(parameter, tuple(edges)))
        return ""

    def _is_real(self, parameter: int) -> bool:
        domain = self.network.parameters[parameter].domain
        if isinstance(domain, RealDomain):
            return True
        if domain.canonical()["domain"] == "rational":
            self.relaxed = True
            return True
        return False

    def _unit(self, neuron: Neuron, outer: Entry) -> str:
        activation = neuron.activation
        if not activation.is_piecewise_constant or len(activation.breakpoints) > 1:
            return f"{activation.name} is not two-valued"
        terms: dict[int, list[tuple[int, Rational]]] = {}
        fixed: list[tuple[int, Rational]] = []
        edges = [*zip(neuron.sources, neuron.weights, strict=True)]
        if neuron.bias is not None:
            edges.append((-1, neuron.bias))
        for source, entry in edges:
            if entry.parameter is not None:
                terms.setdefault(entry.parameter, []).append((source, entry.scale))
            else:
                fixed.append((source, entry.value))
        if activation.breakpoints and activation.breakpoints[0] != 0:
            fixed.append((-1, -activation.breakpoints[0]))
        columns: list[Column] = []
        reason = self._columns(terms, columns)
        if reason:
            return reason
        if len(columns) > WIDTH_LIMIT:
            return f"a hidden unit of more than {WIDTH_LIMIT} weights"
        if outer.parameter is not None:
            if self.uses[outer.parameter] != 1:
                return "an outer weight is shared"
            if not self._is_real(outer.parameter):
                return "an outer weight has a finite domain"
        self.units.append(
            TwoValued(
                tuple(columns),
                tuple(fixed),
                activation.intercepts[0],
                activation.intercepts[-1],
                outer.value if outer.parameter is None else None,
                -1 if outer.parameter is None else outer.parameter,
                outer.scale,
            )
        )
        return ""
