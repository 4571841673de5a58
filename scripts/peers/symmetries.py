"""Symmetries of a question: units that may be permuted, weights whose sign is free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

from peers.question import Edge, Question, Unit


def classes(question: Question) -> tuple[tuple[tuple[int, ...], ...], ...]:
    """Units that may be permuted: of each class the incoming own parameters, unit by unit.

    Two units may change places if they compute the same function of the same sources and every
    reader reads them alike: each pair of entries has two own parameters of equal domains, or the
    same number, or the same shared parameter. Sorting one class by incoming parameters leaves the
    order of the classes that it reads, so all may be sorted at once.
    """
    entries = _Entries(question)
    outputs = {node for node, _ in question.outputs}
    alike: dict[Hashable, list[tuple[int, ...]]] = {}
    for unit in question.units:
        incoming = sorted(unit.edges, key=lambda e: (e.source is None, e.source or 0))
        own = tuple(e.parameter for e in incoming if entries.is_own(e) and e.parameter is not None)
        if own and unit.node not in outputs:
            key = (
                _function(unit),
                tuple((e.source, entries.kind(e)) for e in incoming),
                tuple((node, entries.kind(e)) for node, e in entries.readers.get(unit.node, ())),
            )
            alike.setdefault(key, []).append(own)
    return tuple(tuple(members) for members in alike.values() if len(members) > 1)


def _function(unit: Unit) -> Hashable:
    return (
        unit.activation, unit.breakpoints, unit.slopes, unit.intercepts, unit.coefficients,
        unit.maximum,
    )  # fmt: skip


class _Entries:
    """What an edge says, but for the number of its own parameter.

    Attributes:
        readers: by node, who reads it, by which edge.
    """

    def __init__(self, question: Question) -> None:
        edges = [edge for unit in question.units for edge in unit.edges]
        self._uses = Counter(edge.parameter for edge in edges)
        known: dict[Hashable, int] = {}
        self._domains = [
            known.setdefault((p.denominator, p.values, p.relaxed), len(known))
            for p in question.parameters
        ]
        self.readers: dict[int, list[tuple[int, Edge]]] = {}
        for unit in question.units:
            for edge in unit.edges:
                if edge.source is not None:
                    self.readers.setdefault(edge.source, []).append((unit.node, edge))

    def is_own(self, edge: Edge) -> bool:
        """Whether the edge has a parameter that occurs nowhere else."""
        return edge.parameter is not None and self._uses[edge.parameter] == 1

    def kind(self, edge: Edge) -> Hashable:
        """Equal for edges that may be exchanged together with their own parameters."""
        if self.is_own(edge):
            assert edge.parameter is not None
            return "own", edge.coefficient, self._domains[edge.parameter]
        return "common", edge.coefficient, edge.parameter


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
