"""Networks that are sums of squares of linear forms: one hidden layer of degree 2 (G3 to G6).

A unit a t² + b t + c with own real weights contributes v a s² + v (c − b²/4a) with s = t + b/2a,
where s is any linear form u·g in the columns g of its inputs (and 1 for its bias). So an output is

    fixed + Σ direct_l d_l + gᵀ M g,        M = Σ v_j a_j u_j u_jᵀ,

with free direct terms, and M of a rank of at most the number of units. The same on data is a
:class:`~ermbit.engines.lifting.form_system.FormSystem`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from gmpy2 import mpq

from ermbit.engines.lifting.forms import Inertia
from ermbit.engines.lifting.outer import is_continuous
from ermbit_instances.domain import Domain, RealDomain
from ermbit_instances.network import Entry, Network, Neuron
from ermbit_instances.rational import Rational

_ZERO = mpq(0)

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
