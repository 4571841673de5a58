"""Sums of squares on data: the forms M with given outputs, and θ for a form.

For a network as in :mod:`~ermbit.engines.lifting.quadratic` and a data set, equal or dependent
columns are left out; what remains is linear algebra in the entries of M.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

from gmpy2 import mpq

from ermbit.engines.lifting.forms import Matrix, Square, squares
from ermbit.engines.lifting.linear import (
    Column,
    Vector,
    coordinates,
    independent,
    kernel,
    primitive,
)
from ermbit.engines.lifting.quadratic import QuadraticNetwork
from ermbit_instances.algebraic import algebraic
from ermbit_instances.certificate import Value
from ermbit_instances.rational import Rational

ROOT_LIMIT = 3
"""Units whose weights may be multiples of different square roots."""

_ZERO, _ONE = mpq(0), mpq(1)


@dataclass(frozen=True)
class FormSystem:
    """All (M, direct) with given outputs on the data: the linear algebra of one data set.

    Attributes:
        network: that it is of.
        columns: g, independent, by kept source.
        kept: positions of these sources among ``network.sources``.
        scales: column = scale⁻¹ · source.
        direct: by output, independent columns that are free.
        direct_kept: by output, their sources with column = scale⁻¹ · source.
        fixed: by output, the constant part.
    """

    network: QuadraticNetwork
    columns: tuple[Column, ...]
    kept: tuple[int, ...]
    scales: Vector
    direct: tuple[tuple[Column, ...], ...]
    direct_kept: tuple[tuple[tuple[int, Rational], ...], ...]
    fixed: tuple[Vector, ...]

    @property
    def rank(self) -> int:
        """The size of M."""
        return len(self.columns)

    @property
    def pairs(self) -> list[tuple[int, int]]:
        return [(a, b) for a in range(self.rank) for b in range(a, self.rank)]

    def monomials(self) -> list[Column]:
        """g_a g_b for a ≤ b, on the data."""
        return [
            tuple(v * w for v, w in zip(self.columns[a], self.columns[b], strict=True))
            for a, b in self.pairs
        ]

    def matrix(self, amounts: Sequence[Rational]) -> Matrix:
        """M from the amounts of the monomials."""
        full = [[_ZERO] * self.rank for _ in range(self.rank)]
        for (a, b), v in zip(self.pairs, amounts, strict=True):
            full[a][b] = full[b][a] = mpq(v) if a == b else mpq(v) / 2
        return tuple(map(tuple, full))

    def values(self, matrix: Matrix) -> list[Rational]:
        """gᵀ M g on the data."""
        found = []
        for i in range(len(self.fixed[0])):
            g = [column[i] for column in self.columns]
            half = [sum((m * v for m, v in zip(row, g, strict=True) if m), _ZERO) for row in matrix]
            found.append(sum((h * v for h, v in zip(half, g, strict=True)), _ZERO))
        return found

    def forms(self, output: int, values: Vector) -> tuple[Matrix, tuple[Matrix, ...]] | None:
        """All M for which direct terms give these values: M + span of the others."""
        every = [*self.monomials(), *self.direct[output]]
        kept = independent(every)
        rest = [v - f for v, f in zip(values, self.fixed[output], strict=True)]
        amounts = coordinates([every[k] for k in kept], rest)
        if amounts is None:
            return None
        count = len(self.pairs)
        full = [_ZERO] * count
        for k, v in zip(kept, amounts, strict=True):
            if k < count:
                full[k] = v
        others = tuple(self.matrix([mpq(v) for v in vector[:count]]) for vector in kernel(every))
        return self.matrix(full), others

    def direct_amounts(self, output: int, form: Matrix, values: Vector) -> Vector | None:
        """The direct terms that complete a form to values, if they can."""
        rest = [
            a - b - c for a, b, c in zip(values, self.fixed[output], self.values(form), strict=True)
        ]
        return coordinates(self.direct[output], rest)

    def theta(
        self,
        forms: Sequence[Matrix],
        values: Sequence[Vector],
        direct: Sequence[Sequence[Value]] | None = None,
    ) -> tuple[Value, ...] | None:
        """θ for forms, with direct terms that complete them to values.

        Args:
            forms: by output.
            values: by output; values less forms are spanned by the direct terms.
            direct: by output, the amounts of these, if they are known.
        """
        parts = [(o, square) for o, form in enumerate(forms) for square in squares(form)]
        placed = self._placed(parts)
        if placed is None:
            return None
        theta: list[Value] = [_ZERO] * self.network.parameters
        constants = [_ZERO] * len(forms)
        roots = 0
        for unit, part in zip(self.network.units, placed, strict=True):
            size: Value = _ONE
            if part is not None:
                o, square = part
                v = unit.outer[o]
                if isinstance(v, tuple):
                    theta[v[0]] = square.factor / (unit.leading * v[1])
                    constants[o] += square.factor / unit.leading * unit.rest
                else:
                    size = square_root(square.factor / (unit.leading * v))
                    roots += not isinstance(size, mpq)
            for source, (parameter, scale) in unit.inner.items():
                value: Value = _ZERO
                place = self.network.sources.index(source)
                if part is not None and place in self.kept:
                    k = self.kept.index(place)
                    value = size * (part[1].direction[k] / self.scales[k])
                theta[parameter] = (value - (unit.shift if source < 0 else 0)) / scale
        if roots > ROOT_LIMIT or (roots and not self.network.is_real):
            return None
        for o, wanted in enumerate(values):
            amounts = direct[o] if direct else self.direct_amounts(o, forms[o], wanted)
            if amounts is None:
                return None
            for (source, scale), amount in zip(self.direct_kept[o], amounts, strict=True):
                parameter, factor = self.network.direct[o][source]
                theta[parameter] = amount / (scale * factor)
            if constants[o]:
                parameter, factor = self.network.direct[o][-1]
                theta[parameter] = theta[parameter] - constants[o] / factor
        return tuple(theta)

    def _placed(
        self, parts: Sequence[tuple[int, Square]]
    ) -> list[tuple[int, Square] | None] | None:
        """A unit for every square: frozen ones of its sign first."""
        placed: list[tuple[int, Square] | None] = [None] * len(self.network.units)
        for part in parts:
            sign = 1 if part[1].factor > 0 else -1
            for wanted in (sign, 0):
                place = next(
                    (
                        j
                        for j, unit in enumerate(self.network.units)
                        if placed[j] is None and unit.sign == wanted
                    ),
                    None,
                )
                if place is not None:
                    placed[place] = part
                    break
            else:
                return None
        return placed


def form_system(network: QuadraticNetwork, inputs: Sequence[Vector]) -> FormSystem:
    """The system of a network on distinct inputs."""

    def column(source: int) -> Vector:
        return tuple(_ONE if source < 0 else row[source] for row in inputs)

    g = [primitive(column(source)) for source in network.sources]
    kept = [k for k in independent([c for c, _ in g]) if any(g[k][0])]
    direct, direct_kept, fixed = [], [], []
    for own, constant in zip(network.direct, network.fixed, strict=True):
        sources = sorted(own)
        found = [primitive(column(source)) for source in sources]
        chosen = independent([c for c, _ in found])
        direct.append(tuple(found[k][0] for k in chosen))
        direct_kept.append(tuple((sources[k], found[k][1]) for k in chosen))
        total = [_ZERO] * len(inputs)
        for source, value in constant.items():
            total = [t + value * v for t, v in zip(total, column(source), strict=True)]
        fixed.append(tuple(total))
    return FormSystem(
        network,
        tuple(g[k][0] for k in kept),
        tuple(kept),
        tuple(g[k][1] for k in kept),
        tuple(direct),
        tuple(direct_kept),
        tuple(fixed),
    )


def square_root(value: Rational) -> Value:
    """√value for a positive rational."""
    top, bottom = int(value.numerator), int(value.denominator)
    if isqrt(top) ** 2 == top and isqrt(bottom) ** 2 == bottom:
        return mpq(isqrt(top), isqrt(bottom))
    return algebraic([-top, 0, bottom], _ZERO, max(value, _ONE))
