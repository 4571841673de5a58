"""One unit that is a power: branch and bound over the direction of its weights (G8).

The output is fixed + Σ d_l q_l + v (u·g)^k with free d, v and u. Of u only the direction counts, so
the u with coordinates in a simplicial cone {Σ τ_j u_j, τ ≥ 0} are a cell, and for v ≥ 0

    v (u·g)^k = Σ_α c_α Π_j (u_j·g)^{α_j},        c_α = v · multinomial · τ^α ≥ 0,  |α| = k.

With c_α ≥ 0 alone the loss is convex: multipliers bound it from below (see ``multipliers``), with
an error of the second order in the width of the cell. Cells are halved at their longest edge. For v
of the other sign all is negated; for odd k that sign is not needed, as −u is another direction.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement, product
from math import comb

import numpy as np
from gmpy2 import mpq

from ermbit.engines.engine import Budget
from ermbit.engines.lifting.least_loss import relaxed_minimum
from ermbit.engines.lifting.linear import Column, coordinates, independent, primitive
from ermbit.engines.lifting.multipliers import (
    Floats,
    Multipliers,
    Rounding,
    are_short,
    best_bound,
    read_dual,
    scaled,
)
from ermbit.engines.lifting.outer import read_outer_weights, span, theta_for
from ermbit.engines.lifting.program import Undecided
from ermbit.engines.lifting.quadratic import sign_of
from ermbit.engines.lifting.relaxation import Relaxation, restricted
from ermbit_instances.network import Network
from ermbit_instances.rational import Rational

WIDTH_LIMIT, PRODUCT_LIMIT = 7, 250
"""Coordinates of a direction, and products of degree k of the corners of a cell."""

CELL_LIMIT = 20_000
"""Cells of one search."""

VISITED = 4
"""One in so many cells has its middle direction tried."""

_ZERO = mpq(0)

Vertex = tuple[int, ...]


@dataclass(frozen=True)
class PowerUnit:
    """A network of one hidden unit t^k, on the data.

    Attributes:
        degree: k.
        columns: independent columns g, on distinct inputs.
        sources: of these columns, −1 for the bias.
        parameters: by column, the inner parameter and what its value is per coordinate of u.
        direct: free columns q.
        fixed: what no parameter changes.
        signs: of v times the leading coefficient.
    """

    degree: int
    columns: tuple[Column, ...]
    sources: tuple[int, ...]
    parameters: tuple[tuple[int, Rational], ...]
    direct: tuple[Column, ...]
    fixed: tuple[Rational, ...]
    signs: tuple[int, ...]


def read_power_unit(network: Network, inputs: Sequence[Sequence[Rational]]) -> PowerUnit | None:
    """The network as one power with own weights, if it is that.

    Domains count only as far as they fix the sign of v.
    """
    hidden = [n for n in network.neurons if n.node not in network.outputs]
    if len(hidden) != 1 or len(network.outputs) != 1:
        return None
    unit, node = hidden[0], network.outputs[0]
    if node < network.input_count:
        return None
    output = network.neurons[node - network.input_count]
    linear = output.activation
    if not linear.is_affine or linear.slopes[0] != 1 or linear.intercepts[0] != 0:
        return None
    powers = [k for k, c in enumerate(unit.activation.coefficients) if c]
    if unit.activation.kind != "polynomial" or len(powers) != 1 or powers[0] < 2:
        return None
    entries = [*unit.entries(), *output.entries()]
    numbers = [e.parameter for e in entries if e.parameter is not None]
    if len(set(numbers)) < len(numbers) or any(e.parameter is None for e in unit.entries()):
        return None
    if any(s in network.outputs for n in network.neurons for s in n.sources):
        return None
    degree, leading = powers[0], unit.activation.coefficients[powers[0]]
    if list(output.sources).count(unit.node) != 1 or len(set(unit.sources)) < len(unit.sources):
        return None

    def column(source: int) -> tuple[Rational, ...]:
        return tuple(mpq(1) if source < 0 else row[source] for row in inputs)

    signs: tuple[int, ...] = (1,) if degree % 2 else (1, -1)
    fixed = [_ZERO] * len(inputs)
    free: list[Column] = []
    pairs = [*zip(output.sources, output.weights, strict=True)]
    for source, entry in pairs if output.bias is None else [*pairs, (-1, output.bias)]:
        if source == unit.node:
            factor = leading * (entry.value if entry.parameter is None else entry.scale)
            if factor == 0:
                return None
            side = 1 if factor > 0 else -1
            if entry.parameter is not None:
                side *= sign_of(network.parameters[entry.parameter].domain)
            if side and degree % 2 == 0:
                signs = (side,)
        elif entry.parameter is None:
            fixed = [f + entry.value * v for f, v in zip(fixed, column(source), strict=True)]
        else:
            free.append(primitive(column(source))[0])
    inner = [*zip(unit.sources, unit.weights, strict=True)]
    if unit.bias is not None:
        inner.append((-1, unit.bias))
    found = [primitive(column(source)) for source, _ in inner]
    kept = [k for k in independent([c for c, _ in found]) if any(found[k][0])]
    parameters = []
    for k in kept:
        entry = inner[k][1]
        assert entry.parameter is not None
        parameters.append((entry.parameter, 1 / (found[k][1] * entry.scale)))
    return PowerUnit(
        degree,
        tuple(found[k][0] for k in kept),
        tuple(inner[k][0] for k in kept),
        tuple(parameters),
        tuple(free[k] for k in independent(free)),
        tuple(fixed),
        signs,
    )


@dataclass(frozen=True, order=True)
class _Cell:
    """A cone of directions, one sign of v, and a proved bound on L there.

    Attributes:
        number: to order equal bounds.
        vertices: generators, in whole coordinates.
    """

    bound: Rational
    number: int
    sign: int
    vertices: tuple[Vertex, ...]


class DirectionSearch:
    """Branch and bound for one unit.

    Attributes:
        lower: a proved lower bound on L of every network.
    """

    def __init__(self, unit: PowerUnit, relaxation: Relaxation, lower: Rational) -> None:
        self.unit, self.relaxation = unit, relaxation
        self.limit = CELL_LIMIT
        self.lower = lower
        dual = read_dual(relaxation, unit.fixed)
        size = len(unit.columns)
        self.is_possible = dual is not None and 0 < size <= WIDTH_LIMIT
        self.is_possible &= are_short((*unit.columns, *unit.direct))
        self.is_possible &= comb(size + unit.degree - 1, unit.degree) <= PRODUCT_LIMIT
        self.heap: list[_Cell] = []
        self.number = 0
        if dual is None or not self.is_possible:
            return
        self.dual = dual
        self.free = [dual.column(q) for q in unit.direct]
        self.rounding = Rounding(dual, self.free)
        self.loose = scaled(self.free, len(dual.rows))
        self.across = np.eye(len(dual.rows))
        if self.free:
            self.across -= self.loose @ np.linalg.pinv(self.loose)
        # Powers of 2 bring all columns to about one size; u·g stays whole.
        sizes = [max(map(abs, c)).bit_length() for c in unit.columns]
        self.factors = [1 << (max(sizes) - s) for s in sizes]
        self.products: dict[Vertex, Column] = {}
        self.heap = [_Cell(lower, n, s, v) for n, (s, v) in enumerate(self._roots())]
        self.roots = self.number = len(self.heap)

    def run(
        self,
        budget: Budget,
        cells: int,
        limit: Callable[[], Rational | None],
        visit: Callable[[tuple[Rational, ...]], bool],
        *,
        is_decision: bool,
    ) -> bool:
        """Raise ``lower`` for a while; a later call goes on.

        Args:
            budget: its deadline counts.
            cells: that are cut at most.
            limit: the search ends when ``lower`` passes it (or meets it, if nothing is decided).
            visit: takes a direction, in coordinates of the columns; whether to stop.
            is_decision: whether only the limit counts.

        Returns:
            Whether the limit was passed: no network is as good (or better).
        """
        for step in range(cells):
            self.lower = max(self.lower, self.heap[0].bound) if self.heap else self.lower
            top = limit()
            if top is not None and (self.lower > top or (self.lower == top and not is_decision)):
                return True
            if not self.heap or budget.expired or self.number > CELL_LIMIT:
                return False
            cell = heapq.heappop(self.heap)
            halves = [cell.vertices] if cell.number < self.roots else _halves(cell.vertices)
            if step % VISITED == 0 and visit(self._center(cell)):
                heapq.heappush(self.heap, cell)
                return False
            if not halves:
                # A single direction: its bound is all that there is to know.
                heapq.heappush(self.heap, cell)
                return False
            for vertices in halves:
                found = self._bound(cell.sign, vertices)
                bound = cell.bound if found is None else max(cell.bound, found)
                self.number += 1
                heapq.heappush(self.heap, _Cell(bound, self.number, cell.sign, vertices))
        return False

    def theta(
        self, network: Network, direction: Sequence[Rational]
    ) -> tuple[Rational, ...] | None:
        """θ with the best other weights for a direction, ``None`` without a free outer weight."""
        outer = read_outer_weights(network)
        if isinstance(outer, str):
            return None
        top = max(map(abs, direction))
        inner = {
            p: size * v / top
            for (p, size), v in zip(self.unit.parameters, direction, strict=True)
        }
        found = span(network, outer, self.relaxation.inputs, inner)
        try:
            relaxed = relaxed_minimum(restricted(self.relaxation, found.hulls))
        except Undecided:
            return None
        return theta_for(outer, found, relaxed.values)

    def _roots(self) -> list[tuple[int, tuple[Vertex, ...]]]:
        """All directions up to sign: cones of the orthants with a first coordinate ≥ 0."""
        size = len(self.unit.columns)
        # For odd powers v ≥ 0 and all directions, for even ones v of either sign and a half.
        odd = self.unit.degree % 2 == 1
        choices = [(1, -1) if k or odd else (1,) for k in range(size)]
        found = []
        for signs in product(*choices):
            rows = [tuple(s if a == k else 0 for a in range(size)) for k, s in enumerate(signs)]
            found += [(sign, tuple(rows)) for sign in self.unit.signs]
        return found

    def _center(self, cell: _Cell) -> tuple[Rational, ...]:
        total = [sum(vertex[k] for vertex in cell.vertices) for k in range(len(self.factors))]
        return tuple(mpq(t * f) for t, f in zip(total, self.factors, strict=True))

    def _values(self, vertex: Vertex) -> Column:
        """u·g on the distinct inputs."""
        if vertex not in self.products:
            used = [
                (u * f, c)
                for u, f, c in zip(vertex, self.factors, self.unit.columns, strict=True)
                if u
            ]
            count = len(self.unit.columns[0])
            self.products[vertex] = tuple(sum(u * c[i] for u, c in used) for i in range(count))
        return self.products[vertex]

    def _bound(self, sign: int, vertices: tuple[Vertex, ...]) -> Rational | None:
        """A bound on L for directions in a cone."""
        values = [self._values(vertex) for vertex in vertices]
        exact: list[list[int]] = []
        for chosen in combinations_with_replacement(range(len(vertices)), self.unit.degree):
            column = [sign] * len(values[0])
            for k in chosen:
                column = [a * b for a, b in zip(column, values[k], strict=True)]
            exact.append(self.dual.column(column))
        exact = [column for column in exact if any(column) and not self._is_free(column)]
        cone: Floats = scaled(exact, len(self.dual.rows))
        wanted = self.dual.proposal(cone, self.loose)
        if wanted is None:
            return None

        def is_admissible(multipliers: Multipliers) -> bool:
            return all(
                sum((m * v for m, v in zip(multipliers, column, strict=True)), _ZERO) <= 0
                for column in exact
            )

        return best_bound(self.dual, self.rounding, wanted, cone.sum(axis=1), is_admissible)


    def _is_free(self, column: Sequence[int]) -> bool:
        """Whether the free columns span a column: no multipliers see it."""
        if not self.free:
            return False
        rest = self.across @ scaled([column], len(column))
        if float(np.abs(rest).max()) > 1e-9:
            return False
        return coordinates(self.rounding.free, [mpq(v) for v in column]) is not None


def _halves(vertices: tuple[Vertex, ...]) -> list[tuple[Vertex, ...]]:
    """Both halves of a cone, cut at the two generators that form the largest angle."""
    if len(vertices) < 2:
        return []
    points = np.array(vertices, dtype=object).astype(np.float64)
    points /= np.linalg.norm(points, axis=1)[:, None]
    cosines = points @ points.T
    a, b = min(combinations(range(len(vertices)), 2), key=lambda pair: cosines[pair])
    # Generators of about one length keep the halves even.
    first, second = vertices[a], vertices[b]
    ratio = float(np.linalg.norm(np.array(first, float)) / np.linalg.norm(np.array(second, float)))
    up = max(1, round(ratio)), max(1, round(1 / ratio))
    middle = tuple(up[1] * x + up[0] * y for x, y in zip(first, second, strict=True))
    return [
        tuple(middle if k == place else v for k, v in enumerate(vertices)) for place in (a, b)
    ]
