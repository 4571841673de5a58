"""Inner weights as vectors of numbers, for a numerical search: two families of networks.

A family says for inner weights in floats what the outer ones can make of them, replaces floats by
simple rationals nearby, and says the same for these exactly.

Sums of h squares are searched as all quadratic forms in h linear forms. These matter through the
space that they span, which has a reduced echelon form: there exact fits have simple rationals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations_with_replacement
from typing import Any, Protocol, TypeAlias

import numpy as np
from gmpy2 import mpq
from numpy.typing import NDArray

from ermbit.engines.lifting.form_system import FormSystem
from ermbit.engines.lifting.forms import Matrix
from ermbit.engines.lifting.hull import Hull, reached
from ermbit.engines.lifting.linear import (
    Column,
    Vector,
    coordinates,
    independent,
    primitive,
)
from ermbit.engines.lifting.outer import OuterWeights, is_continuous, span, theta_for
from ermbit_instances.certificate import Value
from ermbit_instances.network import Entry, Network
from ermbit_instances.rational import Rational

Floats: TypeAlias = NDArray[np.float64]


class Family(Protocol):
    """Inner weights as vectors, and what they make of the outputs."""

    @property
    def size(self) -> int: ...

    def columns(self, inner: Floats) -> list[tuple[Floats, Floats]]:
        """By output: fixed part, and columns with free amounts (n × columns)."""

    def simple(self, inner: Floats, denominator: int) -> Vector | None:
        """Rationals nearby."""

    def hulls(self, inner: Vector) -> tuple[Hull, ...]:
        """The same as ``columns``, exactly."""

    def theta(self, inner: Vector, values: Sequence[Vector]) -> tuple[Value, ...] | None:
        """θ with these outputs, which are in the hulls."""


@dataclass(frozen=True)
class FormFamily:
    """All quadratic forms in h linear forms of the columns of a system with one output."""

    system: FormSystem

    @property
    def height(self) -> int:
        return len(self.system.network.units)

    @property
    def size(self) -> int:
        return self.height * self.system.rank

    def columns(self, inner: Floats) -> list[tuple[Floats, Floats]]:
        forms = inner.reshape(self.height, self.system.rank)
        z = forms @ _floats(self.system.columns)
        products = [z[a] * z[b] for a, b in self._pairs()]
        direct = [np.array(_scaled(column)) for column in self.system.direct[0]]
        fixed = np.array([float(v) for v in self.system.fixed[0]])
        return [(fixed, np.array([*products, *direct]).T)]

    def _pairs(self) -> list[tuple[int, int]]:
        return list(combinations_with_replacement(range(self.height), 2))

    def simple(self, inner: Floats, denominator: int) -> Vector | None:
        from scipy.linalg import qr

        rows = inner.reshape(self.height, self.system.rank) / self._widths()
        try:
            order = qr(rows, mode="r", pivoting=True)[1]
            reduced = np.linalg.solve(rows[:, order[: self.height]], rows)
        except (ValueError, np.linalg.LinAlgError):
            return None
        return tuple(_simple(v, denominator) for v in reduced.reshape(-1).tolist())

    def _widths(self) -> Floats:
        """What the columns were divided by as floats."""
        return np.array([float(max(map(abs, c))) for c in self.system.columns])

    def _products(self, inner: Vector) -> list[tuple[Column, Rational]]:
        """The products of the linear forms as primitive columns, then the direct ones."""
        width = self.system.rank
        z = []
        for a in range(self.height):
            weights = inner[a * width : (a + 1) * width]
            used = [(w, c) for w, c in zip(weights, self.system.columns, strict=True) if w]
            count = len(self.system.fixed[0])
            z.append([sum((w * c[i] for w, c in used), mpq(0)) for i in range(count)])
        found = [
            primitive([u * v for u, v in zip(z[a], z[b], strict=True)]) for a, b in self._pairs()
        ]
        return found + [(column, mpq(1)) for column in self.system.direct[0]]

    def hulls(self, inner: Vector) -> tuple[Hull, ...]:
        every = [column for column, _ in self._products(inner)]
        kept = independent(every)
        return (Hull(self.system.fixed[0], tuple(every[k] for k in kept)),)

    def theta(self, inner: Vector, values: Sequence[Vector]) -> tuple[Value, ...] | None:
        every = self._products(inner)
        kept = independent([column for column, _ in every])
        rest = [v - f for v, f in zip(values[0], self.system.fixed[0], strict=True)]
        amounts = coordinates([every[k][0] for k in kept], rest)
        if amounts is None:
            return None
        width, pairs = self.system.rank, self._pairs()
        total = [[mpq(0)] * width for _ in range(width)]
        for k, amount in zip(kept, amounts, strict=True):
            if k < len(pairs) and amount:
                a, b = (inner[j * width : (j + 1) * width] for j in pairs[k])
                half = amount / every[k][1] / 2
                for i in range(width):
                    for j in range(width):
                        total[i][j] += half * (a[i] * b[j] + a[j] * b[i])
        form: Matrix = tuple(map(tuple, total))
        return self.system.theta((form,), values)


@dataclass(frozen=True)
class OuterFamily:
    """Any network with free outer weights: its inner parameters that are real or rational.

    Attributes:
        network, outer: the network.
        inputs: distinct rows.
        free: numbers of the searched parameters.
        preset: values of the others.
        scaled: groups of positions in ``free`` that may be multiplied by a common factor: all inner
            weights of a unit whose activation is a single power.
    """

    network: Network
    outer: OuterWeights
    inputs: tuple[Vector, ...]
    free: tuple[int, ...]
    preset: Vector
    scaled: tuple[tuple[int, ...], ...]

    @property
    def size(self) -> int:
        return len(self.free)

    def columns(self, inner: Floats) -> list[tuple[Floats, Floats]]:
        values = np.array([float(v) for v in self.preset])
        values[list(self.free)] = inner
        for edges in self.outer.edges:
            values[[p for p, _, _ in edges]] = 0.0
        one = np.ones(len(self.inputs))
        known: dict[int, Floats] = {
            k: np.array([float(row[k]) for row in self.inputs])
            for k in range(self.network.input_count)
        }

        def at(entry: Entry) -> float:
            if entry.parameter is None:
                return float(entry.value)
            return float(entry.scale) * float(values[entry.parameter])

        for neuron in reached(self.network):
            total = one * (0.0 if neuron.bias is None else at(neuron.bias))
            for source, entry in zip(neuron.sources, neuron.weights, strict=True):
                total = total + at(entry) * known[source]
            known[neuron.node] = _activated(neuron.activation, total)
        found = []
        for node, edges in zip(self.network.outputs, self.outer.edges, strict=True):
            columns = [float(scale) * (one if s < 0 else known[s]) for _, scale, s in edges]
            found.append((known[node], np.array(columns).reshape(len(edges), -1).T))
        return found

    def simple(self, inner: Floats, denominator: int) -> Vector | None:
        moved = inner.copy()
        for group in self.scaled:
            part = moved[list(group)]
            top = part[np.abs(part).argmax()]
            if top:
                moved[list(group)] = part / top
        values = list(self.preset)
        for p, v in zip(self.free, moved.tolist(), strict=True):
            values[p] = _simple(v, denominator)
        return tuple(values)

    def hulls(self, inner: Vector) -> tuple[Hull, ...]:
        return span(self.network, self.outer, self.inputs, self._mapping(inner)).hulls

    def theta(self, inner: Vector, values: Sequence[Vector]) -> tuple[Value, ...] | None:
        found = span(self.network, self.outer, self.inputs, self._mapping(inner))
        return theta_for(self.outer, found, values)

    def _mapping(self, inner: Vector) -> dict[int, Rational]:
        outer = self.outer.parameters
        return {p: v for p, v in enumerate(inner) if p not in outer}


def outer_family(
    network: Network, outer: OuterWeights, inputs: tuple[Vector, ...]
) -> OuterFamily | None:
    """The family, if some inner parameter is real or rational and no activation has kinks."""
    free = [
        p.index
        for p in network.parameters
        if p.index not in outer.parameters and is_continuous(p.domain)
    ]
    if not free or any(
        n.activation.kind != "polynomial" and not n.activation.is_affine for n in reached(network)
    ):
        return None
    preset = []
    for p in network.parameters:
        value = mpq(0)
        if value not in p.domain:
            value = p.domain.above(value) if p.domain.above(value) is not None else p.domain.low
        preset.append(value)
    place = {p: k for k, p in enumerate(free)}
    scaled = []
    for neuron in reached(network):
        entries = [e for e in neuron.entries() if e.parameter is not None or e.value != 0]
        numbers = [place.get(-1 if e.parameter is None else e.parameter) for e in entries]
        powers = [c for c in neuron.activation.coefficients if c]
        if len(powers) == 1 and numbers and all(k is not None for k in numbers):
            scaled.append(tuple(k for k in numbers if k is not None))
    return OuterFamily(network, outer, inputs, tuple(free), tuple(preset), tuple(scaled))


def _simple(value: float, denominator: int) -> Rational:
    fraction = Fraction(value).limit_denominator(denominator)
    return mpq(fraction.numerator, fraction.denominator)


def _scaled(column: Column) -> list[float]:
    top = max(map(abs, column)) or 1
    return [float(mpq(v, top)) for v in column]


def _floats(columns: Sequence[Column]) -> Floats:
    return np.array([_scaled(column) for column in columns])


def _activated(activation: Any, t: Floats) -> Floats:
    if activation.kind == "polynomial":
        result = np.zeros_like(t)
        for c in reversed(activation.coefficients):
            result = result * t + float(c)
        return result
    scaled: Floats = float(activation.slopes[0]) * t + float(activation.intercepts[0])
    return scaled
