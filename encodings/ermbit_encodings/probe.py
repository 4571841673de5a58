"""Is an instance linear? Found by encoding one generic sample, which costs next to nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from gmpy2 import mpq

from ermbit_encodings.mixed.encode import encode_mixed
from ermbit_encodings.mixed.normalisation import fixed_nodes
from ermbit_encodings.mixed.program import NotLinearError
from ermbit_encodings.problem import Problem
from ermbit_instances.dataset import Dataset
from ermbit_instances.domain import Domain
from ermbit_instances.network import Network, Neuron
from ermbit_instances.rational import Rational
from ermbit_instances.table import Table

DATA_ROWS = 32
"""Samples that are encoded besides the generic one where that does not suffice."""

MOST_ROWS = 512
"""Distinct inputs of the data that are encoded at most, where all of them must be."""

LONG = 4096
"""Bits of a neuron without parameters from which on a short number stands for its value."""

STAND_IN = mpq(3, 5)
"""That number: not 0, so that no product is hidden."""


def linearity_obstacle(
    problem: Problem, *, products: bool, homogenise: bool = True
) -> str | None:
    """What keeps the instance from being encoded, or ``None``.

    The probe's inputs are generic numbers, so that no accidental zero hides a product. Data with
    zeros can only be easier. Behind neurons without parameters inputs are not generic any more:
    there some of the data are encoded as well. What is long there (powers of powers) is not
    computed: a product with any other number than 0 is as linear as with the true one.

    Where it is only linear since ranges of values decide pieces (a ReLU that is 0 whatever the
    weights), that holds for these inputs alone: then the data decide, all of them.
    """
    network = problem.instance.network
    width, fixed = network.input_count, fixed_nodes(network)
    rows = [tuple(mpq(7 * i + 3, 11 * i + 5) for i in range(width))]
    if len(fixed) > width:
        rows += dict.fromkeys(row.x for row in problem.samples.rows[:DATA_ROWS])
    widest = max((_bits(v) for row in rows for v in row), default=1)
    long = _long_neurons(network, widest)
    known = {node: STAND_IN for node in long if node in fixed}

    def obstacle(inputs: Sequence[tuple[Rational, ...]], *, ranges: bool) -> str | None:
        x, y = Table(inputs), Table([problem.instance.data.y[0]] * len(inputs))
        probe = Problem(replace(problem.instance, data=Dataset(x, y)))
        try:
            encode_mixed(
                probe, products=products, homogenise=homogenise, known=known, ranges=ranges
            )
        except NotLinearError as error:
            return str(error)
        return None

    anywhere = obstacle(rows, ranges=False)
    if anywhere is None or long or obstacle(rows, ranges=True) is not None:
        return anywhere
    data = list(dict.fromkeys(row.x for row in problem.samples.rows))
    return anywhere if len(data) > MOST_ROWS else obstacle(data, ranges=True)


def _long_neurons(network: Network, widest: int) -> frozenset[int]:
    """Neurons whose values may have more than :data:`LONG` bits.

    Args:
        network: the network.
        widest: bits of the longest input.

    Bits are those of numerator and denominator together; they add up in products, and in sums of
    numbers of different denominators. Real parameters count as short.
    """
    bits = dict.fromkeys(range(network.input_count), widest)
    domains = {p.index: _extreme_bits(p.domain) for p in network.parameters}
    for neuron in network.neurons:
        # One that is long adds no more: a few long ones are reason enough.
        read = [min(bits[source], LONG) for source in neuron.sources]
        bits[neuron.node] = _most_bits(neuron, read, domains)
    inputs = network.input_count
    return frozenset(node for node, count in bits.items() if count > LONG and node >= inputs)


def _extreme_bits(domain: Domain) -> int:
    if domain.low is None or domain.high is None:
        return 1
    return max(_bits(domain.low), _bits(domain.high)) + (domain.grid or 1).bit_length()


def _most_bits(neuron: Neuron, read: list[int], domains: Mapping[int, int]) -> int:
    entries = sum(
        1 + (_bits(e.value) if e.parameter is None else domains[e.parameter] + _bits(e.scale))
        for e in neuron.entries()
    )
    inner, activation = sum(read) + entries, neuron.activation
    if activation.kind == "polynomial":
        return activation.degree * inner + sum(_bits(c) + 1 for c in activation.coefficients)
    if activation.kind == "max":
        return inner
    return inner + max(map(_bits, activation.slopes)) + max(map(_bits, activation.intercepts))


def _bits(value: Rational) -> int:
    return int(value.numerator.bit_length() + value.denominator.bit_length())
