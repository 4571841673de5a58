"""Units of degree 2 without a free bias: squares whose linear parts are linked to them (G9).

A unit a t² + b t + c, t = u·x (a frozen bias is taken into b and c), b ≠ 0, with a free own outer
weight v contributes, with σ = b/2a and d = v a,

    d ((u·x + σ)² − σ²) + v c.

So the outputs are ĝᵀ N ĝ − N_00 plus direct terms for ĝ = (1, x) and N = Σ d_j p_j p_jᵀ, where
every p_j = (σ_j, u_j) has a first coordinate that is not 0, and can otherwise be scaled to any
form. N_00 does not show. If the data determine all else, the forms of given outputs are a line
N + t e₀e₀ᵀ. Of a form of rank ρ ≤ h with a first row that is not 0 almost all decompositions have
first coordinates that are not 0: it is attained. If the first row is 0, the p_j all lie in the
range of N and have first coordinate 0, unless ρ < h, where another t serves. So with ρ = h it is
not attained, but approached with p_j + ε e₀: t + t² approaches t², by ever larger weights (K3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from gmpy2 import mpq

from ermbit.engines.lifting.forms import Line, Matrix, Square, line, squares
from ermbit.engines.lifting.linear import (
    Column,
    Vector,
    coordinates,
    independent,
    kernel,
    primitive,
)
from ermbit.engines.lifting.outer import is_continuous
from ermbit.engines.lifting.rank import Status
from ermbit_instances.domain import RealDomain
from ermbit_instances.network import Network
from ermbit_instances.rational import Rational

ATTEMPTS = 40
"""Random decompositions of one form."""

_ZERO, _ONE = mpq(0), mpq(1)

Own = tuple[int, Rational]
"""A parameter and the factor that multiplies it."""


@dataclass(frozen=True)
class LinkedUnit:
    """One hidden unit: inner parameters by source, the outer one, a, σ and c."""

    inner: dict[int, Own]
    outer: Own
    leading: Rational
    shift: Rational
    constant: Rational


@dataclass(frozen=True)
class Outputs:
    """What is known of outputs: as :class:`ermbit.engines.lifting.rank.Reach`.

    Attributes:
        form: attained, or approached with first coordinates that tend to 0.
        line: approached along it, with the sign of t.
    """

    status: Status
    form: Matrix | None = None
    line: tuple[Line, int] | None = None


@dataclass(frozen=True)
class LinkedSystem:
    """A network of such units on distinct inputs.

    Attributes:
        units: hidden units, all with the same sources.
        kept: sources of independent columns x.
        columns: x, by kept source; scales: column = scale⁻¹ · source.
        direct: independent free columns; direct_kept: parameter and factor of each.
        bias: the free output bias, if there is one.
        fixed: what no parameter changes.
        parameters: their number.
        is_real: all domains are the reals.
    """

    units: tuple[LinkedUnit, ...]
    kept: tuple[int, ...]
    columns: tuple[Column, ...]
    scales: Vector
    direct: tuple[Column, ...]
    direct_kept: tuple[Own, ...]
    bias: Own | None
    fixed: Vector
    parameters: int
    is_real: bool

    @property
    def pairs(self) -> list[tuple[int, int]]:
        size = len(self.columns) + 1
        return [(a, b) for a in range(size) for b in range(a, size)]

    def _monomials(self) -> list[Column]:
        """What the entries of N contribute; that of N_00 is 0."""
        count = len(self.fixed)
        g = [(1,) * count, *self.columns]
        return [
            tuple(v * w for v, w in zip(g[a], g[b], strict=True)) if b else (0,) * count
            for a, b in self.pairs
        ]

    def matrix(self, amounts: Sequence[Rational]) -> Matrix:
        """N from the amounts of the monomials."""
        size = len(self.columns) + 1
        full = [[_ZERO] * size for _ in range(size)]
        for (a, b), v in zip(self.pairs, amounts, strict=False):
            full[a][b] = full[b][a] = mpq(v) if a == b else mpq(v) / 2
        return tuple(map(tuple, full))

    def values(self, form: Matrix) -> Vector:
        """ĝᵀ N ĝ − N_00 on the distinct inputs."""
        found = []
        for i in range(len(self.fixed)):
            g = [1, *(c[i] for c in self.columns)]
            total = sum(
                (form[a][b] * g[a] * g[b] for a in range(len(g)) for b in range(len(g))), _ZERO
            )
            found.append(total - form[0][0])
        return tuple(found)

    def _forms(self, values: Vector) -> tuple[Matrix, int] | None:
        """A form with these outputs, and the dimension of all such forms."""
        every = [*self._monomials(), *self.direct]
        chosen = independent(every)
        rest = [v - f for v, f in zip(values, self.fixed, strict=True)]
        amounts = coordinates([every[k] for k in chosen], rest)
        if amounts is None:
            return None
        full = [_ZERO] * len(every)
        for k, v in zip(chosen, amounts, strict=True):
            full[k] = v
        return self.matrix(full), len(kernel(every))

    def is_decided(self) -> bool:
        """Whether :meth:`reach` never says ``open``."""
        return len(kernel([*self._monomials(), *self.direct])) == 1

    def reach(self, values: Vector) -> Outputs:
        """Whether the network can have these outputs."""
        found = self._forms(values)
        if found is None:
            return Outputs("refuted")
        matrix, dimension = found
        first = (_ONE,) + (_ZERO,) * len(self.columns)
        through = line(matrix, first)
        units = len(self.units)
        near: Matrix | None = None
        for wanted, t in through.options():
            if sum(wanted) > units:
                continue
            form = through.at(t)
            if any(form[0]) or not any(any(row) for row in form):
                return Outputs("attained", form)
            near = form
        if dimension > 1:
            return Outputs("open")
        if near is not None:
            return Outputs("approached", near)
        for wanted, sign in through.limits():
            if sum(wanted) <= units:
                return Outputs("approached", line=(through, sign))
        return Outputs("refuted")

    def reaching(self, found: Outputs, values: Vector) -> Vector | None:
        """θ for outputs that are attained."""
        assert found.form is not None
        parts = _decomposed(found.form)
        return None if parts is None else self._theta(parts, values)

    def approaching(self, found: Outputs, size: int, values: Vector) -> Vector | None:
        """θ near outputs that are approached; the error is O(1/size)."""
        if found.line is not None:
            through, sign = found.line
            base, form = through.near(mpq(sign * size))
            parts = _decomposed(form)
        else:
            assert found.form is not None
            base = form = found.form
            parts = [
                Square(s.factor, (mpq(1, size), *s.direction[1:])) for s in _squares(form, None)
            ]
            form = _summed(parts, len(form))
        if parts is None:
            return None
        moved = zip(values, self.values(base), self.values(form), strict=True)
        return self._theta(parts, tuple(v + b - a for v, a, b in moved))

    def _theta(self, parts: Sequence[Square], values: Vector) -> Vector | None:
        """θ for squares with first coordinates that are not 0."""
        theta = [_ZERO] * self.parameters
        constant = _ZERO
        for unit, part in zip(self.units, parts, strict=False):
            ratio = part.direction[0] / unit.shift
            v = part.factor * ratio * ratio / unit.leading
            theta[unit.outer[0]] = v / unit.outer[1]
            constant += v * unit.constant
            for source, (parameter, factor) in unit.inner.items():
                if source in self.kept:
                    k = self.kept.index(source)
                    u = part.direction[k + 1] / ratio / self.scales[k]
                    theta[parameter] = u / factor
        form = _summed(parts, len(self.columns) + 1)
        rest = [
            v - f - w for v, f, w in zip(values, self.fixed, self.values(form), strict=True)
        ]
        amounts = coordinates(self.direct, rest)
        if amounts is None:
            return None
        for (parameter, factor), amount in zip(self.direct_kept, amounts, strict=True):
            theta[parameter] = amount / factor
        if constant:
            assert self.bias is not None
            theta[self.bias[0]] -= constant / self.bias[1]
        return tuple(theta)


def read_linked_system(network: Network, inputs: Sequence[Vector]) -> LinkedSystem | None:
    """The system of a network, if it has this form and at most one output."""
    if len(network.outputs) != 1 or network.outputs[0] < network.input_count:
        return None
    output = network.neurons[network.outputs[0] - network.input_count]
    linear = output.activation
    if not linear.is_affine or linear.slopes[0] != 1 or linear.intercepts[0] != 0:
        return None
    hidden = {n.node: n for n in network.neurons if n.node != output.node}
    entries = [e for n in network.neurons for e in n.entries() if e.parameter is not None]
    numbers = [e.parameter for e in entries if e.parameter is not None]
    if len(set(numbers)) < len(numbers):
        return None
    domains = [network.parameters[p].domain for p in numbers]
    if not all(is_continuous(domain) for domain in domains):
        return None

    def column(source: int) -> Vector:
        return tuple(_ONE if source < 0 else row[source] for row in inputs)

    pairs = [*zip(output.sources, output.weights, strict=True)]
    if output.bias is not None:
        pairs.append((-1, output.bias))
    if len({source for source, _ in pairs}) < len(pairs):
        return None
    fixed = [_ZERO] * len(inputs)
    free: dict[int, Own] = {}
    outer: dict[int, Own] = {}
    for source, entry in pairs:
        if entry.parameter is None:
            if source in hidden and entry.value:
                return None
            if source not in hidden:
                fixed = [f + entry.value * v for f, v in zip(fixed, column(source), strict=True)]
        elif source in hidden:
            outer[source] = (entry.parameter, entry.scale)
        elif source >= network.input_count:
            return None
        else:
            free[source] = (entry.parameter, entry.scale)
    units = []
    for node, own in outer.items():
        neuron = hidden[node]
        if neuron.activation.kind != "polynomial" or neuron.activation.degree != 2:
            return None
        if len(set(neuron.sources)) < len(neuron.sources):
            return None
        inner = {}
        for source, entry in zip(neuron.sources, neuron.weights, strict=True):
            if source >= network.input_count or (entry.parameter is None and entry.value):
                return None
            if entry.parameter is not None:
                inner[source] = (entry.parameter, entry.scale)
        shift = _ZERO
        if neuron.bias is not None:
            if neuron.bias.parameter is not None:
                return None
            shift = neuron.bias.value
        c, b, a = neuron.activation.coefficients
        linked = b + 2 * a * shift
        constant = c + b * shift + a * shift * shift
        if linked == 0 or (constant and -1 not in free):
            return None
        units.append(LinkedUnit(inner, own, a, linked / (2 * a), constant))
    if not units or any(unit.inner.keys() != units[0].inner.keys() for unit in units):
        return None
    sources = sorted(units[0].inner)
    found = [primitive(column(source)) for source in sources]
    kept = [k for k in independent([c for c, _ in found]) if any(found[k][0])]
    places = sorted(free)
    others = [primitive(column(source)) for source in places]
    chosen = independent([c for c, _ in others])
    return LinkedSystem(
        tuple(units),
        tuple(sources[k] for k in kept),
        tuple(found[k][0] for k in kept),
        tuple(found[k][1] for k in kept),
        tuple(others[k][0] for k in chosen),
        tuple((free[places[k]][0], free[places[k]][1] * others[k][1]) for k in chosen),
        free.get(-1),
        tuple(fixed),
        network.parameter_count,
        all(isinstance(domain, RealDomain) for domain in domains),
    )


def _squares(form: Matrix, rng: Random | None) -> list[Square]:
    """The form as Σ factor p pᵀ with as many terms as its rank; with ``rng``, a random one.

    p = N w for wᵀ N w ≠ 0 (G3); without ``rng`` the w are unit vectors and sums of two.
    """
    if rng is None:
        return squares(form)
    rest = [list(row) for row in form]
    size = len(rest)
    found: list[Square] = []
    while any(any(row) for row in rest):
        w = [rng.randint(-4, 4) for _ in range(size)]
        image = [sum((m * v for m, v in zip(row, w, strict=True) if v), _ZERO) for row in rest]
        value = sum((a * b for a, b in zip(image, w, strict=True)), _ZERO)
        if value == 0:
            continue
        found.append(Square(1 / value, tuple(image)))
        for i in range(size):
            factor = image[i] / value
            rest[i] = [a - factor * b for a, b in zip(rest[i], image, strict=True)]
    return found


def _decomposed(form: Matrix) -> list[Square] | None:
    """Squares with first coordinates that are not 0."""
    rng = Random(0)
    for attempt in range(ATTEMPTS):
        parts = _squares(form, rng if attempt else None)
        if all(part.direction[0] for part in parts):
            return parts
    return None


def _summed(parts: Sequence[Square], size: int) -> Matrix:
    full = [[_ZERO] * size for _ in range(size)]
    for part in parts:
        p = part.direction
        for i in range(size):
            for j in range(size):
                full[i][j] += part.factor * p[i] * p[j]
    return tuple(map(tuple, full))
