"""Symmetries of a question: units that may be permuted, weights whose sign is free."""

from __future__ import annotations

from collections.abc import Sequence

from ermbit_instances.instance import Instance
from peers.question import Edge, Parameter, Question


def classes(
    instance: Instance, parameters: Sequence[Parameter]
) -> tuple[tuple[tuple[int, ...], ...], ...]:
    """Units of dense layers that may be permuted: their incoming own parameters, unit by unit.

    Only whole layers are considered: dense with own parameters, every reader dense as well, equal
    domains from unit to unit on both sides. Sorting one layer by incoming parameters leaves the
    order of all layers before it, so all layers may be sorted at once.
    """
    network, found = instance.network, []
    readers = {layer.index: [] for layer in network.layers}  # type: ignore[var-annotated]
    for layer in network.layers:
        nodes = range(layer.first_node, layer.first_node + layer.units)
        for reader in network.layers:
            if set(nodes) & set(reader.sources):
                readers[layer.index].append(reader)
        if layer.units < 2 or set(nodes) & set(network.outputs) or not readers[layer.index]:
            continue
        if not _own(layer) or not all(_own(r) for r in readers[layer.index]):
            continue
        if any(len(set(r.sources)) < len(r.sources) for r in readers[layer.index]):
            continue
        incoming = []
        for unit in range(layer.units):
            numbers = [layer.weight(unit, k).parameter for k in range(len(layer.sources))]
            if (bias := layer.bias(unit)) is not None and bias.parameter is not None:
                numbers.append(bias.parameter)
            incoming.append(tuple(numbers))
        outgoing = []
        for node in nodes:
            numbers = [
                r.weight(unit, r.sources.index(node)).parameter
                for r in readers[layer.index]
                for unit in range(r.units)
            ]
            outgoing.append(tuple(numbers))
        if _alike(incoming, parameters) and _alike(outgoing, parameters):
            found.append(tuple(incoming))
    return tuple(found)


def _own(layer: object) -> bool:
    return layer.is_dense and (layer.biases is None)  # type: ignore[attr-defined,no-any-return]


def _alike(vectors: Sequence[Sequence[int]], parameters: Sequence[Parameter]) -> bool:
    """Whether all vectors have the same domains, place by place."""
    kinds = {
        tuple((parameters[p].denominator, parameters[p].values) for p in vector)
        for vector in vectors
    }
    return len(kinds) == 1


def flips(question: Question) -> tuple[int, ...]:
    """One own weight of every unit that may be negated with all other incoming parameters.

    The activation is even; or it is odd, and all edges that read the unit have own parameters
    whose domains are symmetric. Sorting units afterwards keeps these weights ≥ 0.
    """
    uses: dict[int, int] = {}
    readers: dict[int, list[Edge]] = {}
    for unit in question.units:
        for edge in unit.edges:
            if edge.parameter is not None:
                uses[edge.parameter] = uses.get(edge.parameter, 0) + 1
            if edge.source is not None:
                readers.setdefault(edge.source, []).append(edge)

    def negatable(edges: Sequence[Edge]) -> bool:
        numbers = [edge.parameter for edge in edges]
        return all(
            p is not None and uses[p] == 1 and question.parameters[p].symmetric for p in numbers
        )

    outputs = {node for node, _ in question.outputs}
    found = []
    for unit in question.units:
        read = readers.get(unit.node, [])
        inner = unit.odd() and unit.node not in outputs and negatable(read)
        if (unit.even() or inner) and negatable(unit.edges):
            first = next((e.parameter for e in unit.edges if e.parameter is not None), None)
            if first is not None:
                found.append(first)
    return tuple(found)
