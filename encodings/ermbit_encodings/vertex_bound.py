"""From how many bits on ``rational`` domains decide as the reals do.

One hidden layer of neurons whose outer weights can be normalised to ±1 (docs/theory.md B1), one
output: for fixed signs, activation cells and signs of residuals the θ in question are a polyhedron
with integer rows of known size. If it is not empty it has a point whose coordinates are quotients
of minors, which Hadamard's inequality bounds (docs/theory.md C2).
"""

from __future__ import annotations

from math import isqrt, lcm

from gmpy2 import mpq

from ermbit_encodings.mixed.normalisation import homogenised_neurons
from ermbit_encodings.problem import Problem
from ermbit_encodings.samples import Samples
from ermbit_instances.domain import RealDomain
from ermbit_instances.instance import Instance
from ermbit_instances.network import Network
from ermbit_instances.rational import Rational, ceil
from ermbit_instances.rational_domain import RationalDomain

NUMBER_LIMIT = 10_000
"""Free parameters beyond which nothing is computed."""


def vertex_bits(problem: Problem) -> int | None:
    """B₀: for B ≥ B₀ some θ over F_B has L ≤ γ iff some real θ has.

    All parameters are to be real or from such sets. Under ``squared`` the bound holds for minima
    as well, whatever γ is.

    Returns:
        Bits, or ``None`` where the theorem does not apply, also because a domain is neither real
        nor rational, or where there is no threshold.
    """
    instance = problem.instance
    loss, network = instance.loss, instance.network
    if instance.threshold is None or instance.threshold < 0:
        return None
    if network.parameter_count > NUMBER_LIMIT or len(network.outputs) != 1:
        return None
    if loss.name == "squared" and loss.reduction == "max":
        return None
    if any(not isinstance(p.domain, RealDomain | RationalDomain) for p in network.parameters):
        return None
    n = _unknowns(network)
    if n is None:
        return None
    samples = problem.samples
    numbers = [mpq(1)]
    for sample in samples.rows:
        numbers += [*sample.x, *sample.y]
    denominator = lcm(*(int(v.denominator) for v in numbers))
    largest: Rational = max(abs(v) for v in numbers)
    size = int(largest * denominator)
    if loss.name == "zero_one":
        margin = loss.margin if loss.margin > 1 else mpq(1)
        entry = size * int(loss.margin.denominator) * int(ceil(margin))
        bound = _root_power(n) * entry**n
    elif loss.name == "squared":
        entry = max(2 * samples.total * size**2, size)
        bound = (2 * n) ** n * entry ** (2 * n)
    else:
        row = _loss_row(instance, samples, denominator, largest)
        if loss.reduction == "max":
            bound = _root_power(n) * max(row, size) ** n
        else:
            bound = _root_power(n) * size ** (n - 1) * row if n else row
    return max(1, int(bound).bit_length())


def _loss_row(instance: Instance, samples: Samples, denominator: int, largest: Rational) -> int:
    """M_L: no number of the loss's row is larger."""
    threshold = mpq(instance.threshold)
    shared = denominator * samples.total * max(1, samples.unit)
    size = shared * largest + ceil(threshold) * shared
    return int(threshold.denominator) * ceil(size)


def _root_power(n: int) -> int:
    """At least n^(n/2)."""
    return isqrt(n**n) + 1


def _unknowns(network: Network) -> int | None:
    """n: free parameters that are left when the outer weights are ±1, if that is no restriction."""
    everything = frozenset(range(network.parameter_count))
    normalised = homogenised_neurons(network, everything)
    (output,) = network.outputs
    used: list[int] = []
    for neuron in network.neurons:
        if any(e.is_frozen and e.value != 0 for e in neuron.entries()):
            return None
        if any(not e.is_frozen and abs(e.scale) != 1 for e in neuron.entries()):
            return None
        used += [e.parameter for e in neuron.entries() if e.parameter is not None]
        activation = neuron.activation
        if activation.kind != "piecewise_linear":
            return None
        if neuron.node == output:
            if activation.name != "identity":
                return None
            continue
        rule = normalised.get(neuron.node)
        if rule is None or not rule.is_cone or rule.child != output:
            return None
        if any(source >= network.input_count for source in neuron.sources):
            return None
        if any(abs(slope) > 1 or slope.denominator != 1 for slope in activation.slopes):
            return None
    if len(set(used)) != len(used):
        return None
    return len(used) - len(normalised)
