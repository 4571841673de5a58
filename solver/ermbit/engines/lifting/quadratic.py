"""Networks that are sums of squares of linear forms: one hidden layer of degree 2 (G3 to G6).

A unit a t² + b t + c with own real weights contributes v a s² + v (c − b²/4a) with s = t + b/2a,
where s is any linear form u·g in the columns g of its inputs (and 1 for its bias). So an output is

    fixed + Σ direct_l d_l + gᵀ M g,        M = Σ v_j a_j u_j u_jᵀ,

with free direct terms, and M of a rank of at most the number of units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isqrt

from gmpy2 import mpq

from ermbit.engines.lifting.forms import Inertia, Matrix, Square, squares
from ermbit.engines.lifting.linear import (
    Column,
    Vector,
    coordinates,
    independent,
    kernel,
    primitive,
)
from ermbit.engines.lifting.outer import is_continuous
from ermbit_instances.algebraic import algebraic
from ermbit_instances.certificate import Value
from ermbit_instances.domain import Domain, RealDomain
from ermbit_instances.network import Entry, Network, Neuron
from ermbit_instances.rational import Rational

ROOT_LIMIT = 3
"""Units whose weights may be multiples of different square roots."""

_ZERO, _ONE = mpq(0), mpq(1)

Own = tuple[int, Rational]
"""A parameter and the factor that multiplies it."""


@dataclass(frozen=True)
class SquareUnit:
    """One hidden unit.

    Attributes:
        inner: by source (−1 is the bias) its own parameter.
        leading: a.
        shift: b/2a, to be subtracted from the bias.
        rest: c − b²/4a.
        outer: by output, the own parameter of v, or a frozen v.
        side: 1 or −1 if v a of the only output cannot be negative or positive, whatever v is.
    """

    inner: dict[int, Own]
    leading: Rational
    shift: Rational
    rest: Rational
    outer: tuple[Own | Rational, ...]
    side: int = 0

    @property
    def sign(self) -> int:
        """Of v a for a frozen v, with one output; 0 if v is free."""
        v = self.outer[0]
        if isinstance(v, tuple):
            return self.side
        return 1 if v * self.leading > 0 else -1


@dataclass(frozen=True)
class QuadraticNetwork:
    """The form above.

    Attributes:
        units: hidden units, all with the same sources.
        sources: of the units, the bias first.
        direct: by output, own parameters by source.
        fixed: by output, constants by source.
        parameters: number of free parameters.
        is_real: all domains are the reals; otherwise some are ``rational``.
    """

    units: tuple[SquareUnit, ...]
    sources: tuple[int, ...]
    direct: tuple[dict[int, Own], ...]
    fixed: tuple[dict[int, Rational], ...]
    parameters: int
    is_real: bool

    @property
    def capacity(self) -> tuple[int, int, int]:
        """Units of frozen positive, frozen negative and free sign."""
        signs = [unit.sign for unit in self.units]
        return signs.count(1), signs.count(-1), signs.count(0)

    def fits(self, wanted: Inertia) -> bool:
        """Whether the units can be a form of this inertia, over the reals."""
        plus, minus, free = self.capacity
        return max(0, wanted[0] - plus) + max(0, wanted[1] - minus) <= free


def read_quadratic_network(
    network: Network, *, is_bound: bool = False
) -> QuadraticNetwork | str:
    """The form of a network, or why it has none.

    Args:
        network: any network.
        is_bound: domains count only as far as they fix the signs of outer weights: what no network
            of the result can do, the given one cannot either; the converse may fail.
    """
    if len(set(network.outputs)) < len(network.outputs):
        return "an output occurs twice"
    hidden = [n for n in network.neurons if n.node not in network.outputs]
    uses: dict[int, int] = {}
    for neuron in network.neurons:
        for entry in neuron.entries():
            if entry.parameter is not None:
                uses[entry.parameter] = uses.get(entry.parameter, 0) + 1
    if any(count > 1 for count in uses.values()):
        return "a parameter is shared"
    parameters = network.parameters
    if not is_bound and not all(is_continuous(p.domain) for p in parameters):
        return "a domain is finite"
    is_real = all(isinstance(p.domain, RealDomain) for p in parameters)
    outer: dict[int, dict[int, Own | Rational]] = {neuron.node: {} for neuron in hidden}
    direct: list[dict[int, Own]] = []
    fixed: list[dict[int, Rational]] = []
    for o, node in enumerate(network.outputs):
        if node < network.input_count:
            return "an output is an input"
        neuron = network.neurons[node - network.input_count]
        activation = neuron.activation
        if not activation.is_affine or activation.slopes[0] != 1 or activation.intercepts[0] != 0:
            return "an output is not linear"
        own: dict[int, Own] = {}
        constant: dict[int, Rational] = {}
        for source, entry in _edges(neuron):
            if source in outer:
                if source in own or o in outer[source]:
                    return "an edge occurs twice"
                outer[source][o] = _read(entry)
            elif source >= network.input_count:
                return "an output reads an output"
            elif entry.parameter is None:
                constant[source] = constant.get(source, _ZERO) + entry.value
            elif source in own:
                return "an edge occurs twice"
            else:
                own[source] = (entry.parameter, entry.scale)
        direct.append(own)
        fixed.append(constant)
    units = []
    for neuron in hidden:
        if not any(v != 0 for v in outer[neuron.node].values()):
            continue
        vs = tuple(outer[neuron.node].get(o, _ZERO) for o in range(len(network.outputs)))
        found = _unit(network, neuron, vs)
        if isinstance(found, str):
            return found
        for o, v in enumerate(vs):
            if found.rest and isinstance(v, tuple) and -1 not in direct[o]:
                return "units with a constant part, and no free output bias"
            if not isinstance(v, tuple):
                fixed[o][-1] = fixed[o].get(-1, _ZERO) + v * found.rest
        if is_bound and len(vs) == 1 and isinstance(vs[0], tuple):
            side = sign_of(parameters[vs[0][0]].domain)
            found = replace(found, side=side if vs[0][1] * found.leading > 0 else -side)
        units.append(found)
    if not units:
        return "no hidden unit counts"
    if any(unit.inner.keys() != units[0].inner.keys() for unit in units):
        return "hidden units of different inputs"
    if len(network.outputs) > 1 and any(not isinstance(v, tuple) for u in units for v in u.outer):
        return "frozen outer weights of several outputs"
    return QuadraticNetwork(
        tuple(units),
        tuple(sorted(units[0].inner)),
        tuple(direct),
        tuple(fixed),
        network.parameter_count,
        is_real,
    )


def sign_of(domain: Domain) -> int:
    """1 if a domain has no negative values, −1 if it has no positive ones, else 0."""
    if domain.low is not None and domain.low >= 0:
        return 1
    return -1 if domain.high is not None and domain.high <= 0 else 0


def _edges(neuron: Neuron) -> list[tuple[int, Entry]]:
    pairs = [*zip(neuron.sources, neuron.weights, strict=True)]
    return pairs if neuron.bias is None else [*pairs, (-1, neuron.bias)]


def _read(entry: Entry) -> Own | Rational:
    return entry.value if entry.parameter is None else (entry.parameter, entry.scale)


def _unit(network: Network, neuron: Neuron, outer: tuple[Own | Rational, ...]) -> SquareUnit | str:
    activation = neuron.activation
    if activation.kind != "polynomial" or activation.degree != 2:
        return "a hidden activation is not of degree 2"
    inner: dict[int, Own] = {}
    for source, entry in _edges(neuron):
        if source >= network.input_count:
            return "more than one hidden layer"
        if entry.parameter is None:
            if entry.value != 0:
                return "a hidden unit has a frozen weight or bias"
            continue
        if source in inner:
            return "an edge occurs twice"
        inner[source] = (entry.parameter, entry.scale)
    c, b, a = activation.coefficients
    if b and -1 not in inner:
        return "a hidden activation with a linear part and no free bias"
    return SquareUnit(inner, a, b / (2 * a), c - b * b / (4 * a), outer)


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
