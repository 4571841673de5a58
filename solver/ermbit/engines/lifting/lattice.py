"""Integer parameters: outputs lie on a lattice, which can miss the targets (docs/theory.md G7).

A parameter of a domain with a grid is low + step · n with an integer n. So on the data every neuron
is a vector of p + Z-span(S), by the same rules as for spans, with the multinomial coefficients that
powers bring:

    φ(p + Σ n_k s_k) = φ(p) + Σ_α φ⁽ⁱ⁾(p)/i! · (i!/α!) s^α · n^α,   i = |α|.

An exact fit needs y − p in the lattice of the outputs. That is membership in the row space of a
Hermite normal form; parities and residues are special cases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd, lcm

from flint import fmpz_mat
from gmpy2 import mpq

from ermbit.engines.lifting.hull import reached, taylor
from ermbit.engines.lifting.linear import Vector
from ermbit.engines.lifting.program import Undecided, check
from ermbit_instances.domain import Domain
from ermbit_instances.network import Entry, Network, Neuron
from ermbit_instances.rational import Rational

LISTED = 5_000
"""Values of a domain that are looked through for its step."""

GENERATORS, BITS = 3_000, 2_000
"""Products of one neuron, and bits of their numbers, beyond which nothing is said."""

BATCH = 64
"""Generators that are added to a normal form at a time, if not more are needed for a full one."""

_ZERO, _ONE = mpq(0), mpq(1)


class _TooLarge(Exception):
    pass


@dataclass(frozen=True)
class Coset:
    """constant + Z-span of the generators."""

    constant: Vector
    generators: tuple[Vector, ...]


@dataclass(frozen=True)
class _Grid:
    """All values are low + step · integer; step 0 is a single value."""

    low: Rational
    step: Rational


def is_missed(
    network: Network,
    inputs: Sequence[Vector],
    targets: Sequence[Vector],
    deadline: float | None = None,
) -> bool | None:
    """Whether no parameters on their grids give these outputs; ``None``: nothing can be said.

    Args:
        network: any network.
        inputs: distinct rows.
        targets: by output, on these rows.
        deadline: after which nothing is said.
    """
    grids = []
    known: dict[int, _Grid | None] = {}
    for parameter in network.parameters:
        if id(parameter.domain) not in known:
            known[id(parameter.domain)] = _grid(parameter.domain)
        grid = known[id(parameter.domain)]
        if grid is None:
            return None
        grids.append(grid)
    try:
        cosets = _Propagation(network, grids, inputs, deadline).outputs()
        if cosets is None:
            return None
        pairs = zip(cosets, targets, strict=True)
        return any(not _contains(c, target, deadline) for c, target in pairs)
    except (_TooLarge, Undecided):
        return None


def _grid(domain: Domain) -> _Grid | None:
    if domain.grid is None or domain.size is None:
        return None
    low = domain.low
    assert low is not None
    if domain.canonical()["domain"] in ("integer", "fixed_point"):
        return _Grid(low, mpq(1, domain.grid) if domain.size > 1 else _ZERO)
    if domain.size > LISTED:
        return _Grid(_ZERO, mpq(1, domain.grid))
    differences = [v - low for v in domain.values()]
    return _Grid(low, _common(differences))


def _common(values: Sequence[Rational]) -> Rational:
    """The greatest rational of which all are multiples; 0 for none."""
    up = lcm(*(int(v.denominator) for v in values)) if values else 1
    return mpq(gcd(*(int(v * up) for v in values)), up) if values else _ZERO


class _Propagation:
    def __init__(
        self,
        network: Network,
        grids: Sequence[_Grid],
        inputs: Sequence[Vector],
        deadline: float | None,
    ) -> None:
        self.network, self.grids, self.count = network, grids, len(inputs)
        self.deadline = deadline
        self.known = {
            k: Coset(tuple(row[k] for row in inputs), ()) for k in range(network.input_count)
        }
        self.powers: dict[tuple[object, ...], Coset] = {}

    def outputs(self) -> tuple[Coset, ...] | None:
        for neuron in reached(self.network):
            found = self._neuron(neuron)
            if found is None:
                return None
            self.known[neuron.node] = found
        return tuple(self.known[node] for node in self.network.outputs)

    def _entry(self, entry: Entry) -> _Grid:
        if entry.parameter is None:
            return _Grid(entry.value, _ZERO)
        grid = self.grids[entry.parameter]
        return _Grid(entry.scale * grid.low, abs(entry.scale) * grid.step)

    def _neuron(self, neuron: Neuron) -> Coset | None:
        if neuron.activation.kind == "max":
            return None
        terms = [
            (self.known[s], self._entry(e))
            for s, e in zip(neuron.sources, neuron.weights, strict=True)
        ]
        if neuron.bias is not None:
            terms.append((Coset((_ONE,) * self.count, ()), self._entry(neuron.bias)))
        constant = [_ZERO] * self.count
        generators: list[Vector] = []
        for coset, grid in terms:
            constant = [a + grid.low * b for a, b in zip(constant, coset.constant, strict=True)]
            if grid.step:
                generators.append(tuple(grid.step * v for v in coset.constant))
            factor = _common([grid.low, grid.step])
            if factor:
                generators += [tuple(factor * v for v in g) for g in coset.generators]
        before = Coset(tuple(constant), self._reduced(generators))
        activation = neuron.activation
        if not before.generators:
            return Coset(tuple(mpq(activation(v)) for v in constant), ())
        if activation.is_affine:
            slope, offset = activation.slopes[0], activation.intercepts[0]
            scaled = [tuple(slope * v for v in g) for g in before.generators] if slope else []
            return Coset(tuple(slope * v + offset for v in constant), tuple(scaled))
        if activation.kind != "polynomial":
            return None
        key = (activation.coefficients, before)
        if key not in self.powers:
            self.powers[key] = self._power(before, activation.coefficients)
        return self.powers[key]

    def _power(self, before: Coset, coefficients: Sequence[Rational]) -> Coset:
        # By the exponents of the last generator: (index, exponent) keeps i!/α! an integer product.
        found: list[Vector] = []
        level: list[tuple[int, int, int, Vector]] = [(0, 0, 1, (_ONE,) * self.count)]
        for i in range(1, len(coefficients)):
            following: list[tuple[int, int, int, Vector]] = []
            for last, exponent, multinomial, product in level:
                for k in range(last, len(before.generators)):
                    power = exponent + 1 if k == last else 1
                    vector = tuple(
                        a * b for a, b in zip(product, before.generators[k], strict=True)
                    )
                    # i!/α! from (i−1)!/α'!: times i, divided by the new exponent.
                    following.append((k, power, multinomial * i // power, vector))
            level = following
            if len(level) + len(found) > GENERATORS:
                raise _TooLarge
            derivative = taylor(coefficients, i)
            factors = [derivative(p) for p in before.constant]
            found += [
                tuple(m * f * v for f, v in zip(factors, vector, strict=True))
                for _, _, m, vector in level
            ]
        value = taylor(coefficients, 0)
        return Coset(tuple(value(p) for p in before.constant), self._reduced(found))

    def _reduced(self, generators: Sequence[Vector]) -> tuple[Vector, ...]:
        """A basis of the lattice: the rows of its Hermite normal form."""
        distinct = list({g: None for g in generators if any(g)})
        if len(distinct) < 2:
            return tuple(distinct)
        scale, form = _hermite(distinct, self.deadline)
        return tuple(tuple(mpq(v, scale) for v in row) for row in form)


def _hermite(
    vectors: Sequence[Vector], deadline: float | None
) -> tuple[int, list[list[int]]]:
    """A common denominator, and the non-zero rows of the Hermite normal form over it.

    Generators are added a batch at a time, so that the time can be looked at between.
    """
    scale = lcm(*(int(v.denominator) for g in vectors for v in g))
    rows = [[int(v * scale) for v in g] for g in vectors]
    if any(abs(v).bit_length() > BITS for row in rows for v in row):
        raise _TooLarge
    form: list[list[int]] = []
    size = max(BATCH, len(rows[0]))
    for start in range(0, len(rows), size):
        check(deadline)
        table = fmpz_mat(form + rows[start : start + size]).hnf().tolist()
        form = [[int(v) for v in row] for row in table if any(row)]
    return scale, form


def _contains(coset: Coset, target: Vector, deadline: float | None) -> bool:
    """Whether target − constant is in the lattice."""
    rest = [t - p for t, p in zip(target, coset.constant, strict=True)]
    if not coset.generators:
        return not any(rest)
    scale, form = _hermite(coset.generators, deadline)
    for row in form:
        pivot = next(k for k, v in enumerate(row) if v)
        quotient = rest[pivot] * scale / row[pivot]
        if quotient.denominator != 1:
            return False
        if quotient:
            rest = [a - quotient * mpq(b, scale) for a, b in zip(rest, row, strict=True)]
    return not any(rest)
