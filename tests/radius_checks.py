"""Counting radii of the float64 filter that are too small."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from gmpy2 import mpq

import reference
from ermbit.verifier.bulk.filter import forward
from ermbit.verifier.bulk.float_network import FloatNetwork, float_network
from ermbit.verifier.bulk.float_table import table_chunk
from ermbit_instances.certificate import parse_certificate
from ermbit_instances.instance import parse_instance
from ermbit_instances.table import Table
from piecewise_linear_cases import KINDS, Block, instance_of, naive_outputs, network_case


class Count(NamedTuple):
    """Cases checked, those about which the filter said something, and wrong ones."""

    cases: int
    certain: int
    violations: int

    def __add__(self, other: Any) -> Count:
        return Count(*(a + b for a, b in zip(self, other, strict=True)))


def single_unit(
    activation: Any, sources: Sequence[str] = ("input",), weights: Sequence[int] = (1,)
) -> FloatNetwork:
    """The float network of one unit with frozen weights and one input, by default t ↦ φ(t)."""
    layer = {
        "units": 1,
        "activation": activation,
        "from": list(sources),
        "weights": [list(weights)],
        "bias": False,
    }
    document = {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": 1, "layers": [layer]},
        "data": {"x": [[0]], "y": [[0]]},
        "loss": {"name": "absolute"},
    }
    return float_network(parse_instance(document).network, (), polynomials=True)


def check_radii(x: Any, blocks: list[Block], safety: float) -> Count:
    """Compare the pass with the naive outputs: one case an output of a sample."""
    instance, values = instance_of(blocks, x, np.zeros((len(x), len(blocks[-1].weights))))
    network = float_network(instance.network, values, polynomials=True)
    signals = table_chunk(Table(array=x), 0, len(x), budget=network.input_budget)
    outputs = forward(network, signals, safety=safety)
    width = outputs.values.shape[1]
    certain = violations = 0
    for i, truth in enumerate(naive_outputs(blocks, x)):
        radius = float(outputs.radius[i])
        if radius == np.inf:
            continue
        certain += width
        gap = sum((mpq(float(v)) - t) ** 2 for v, t in zip(outputs.values[i], truth, strict=True))
        if gap > mpq(radius) ** 2:
            violations += 1
    return Count(len(x) * width, certain, violations)


def check_networks(
    activations: Sequence[Any],
    safety: float,
    rows: int,
    last: tuple[tuple[int, ...], Callable[[Any], list[Any]]],
) -> Count:
    """Every kind of numbers through networks with every activation, in one and several layers.

    ``last``: sizes and activations of a third network, whose first units are the inputs.
    """
    total = Count(0, 0, 0)
    for seed, (kind, activation) in enumerate(itertools.product(KINDS, activations)):
        rng = np.random.default_rng(seed)
        for count, sizes, chosen in (
            (rows, (5, 6), [activation]),
            (rows // 2, (4, 5, 3, 2), [activation, "relu", "identity"]),
            (rows // 2, last[0], last[1](activation)),
        ):
            total += check_radii(*network_case(rng, kind, count, sizes, chosen), safety)
    return total


def skip_document(rng: np.random.Generator, x: Any, activation: Any) -> dict[str, Any]:
    """Three layers, the later ones reading inputs and earlier layers, some of them twice."""

    def matrix(units: int, fan_in: int) -> list[list[str]]:
        return [
            [str(Fraction(float(v))) for v in rng.standard_normal(fan_in)] for _ in range(units)
        ]

    return {
        "format": "ermbit-instance",
        "version": 1,
        "network": {
            "inputs": 3,
            "layers": [
                {"name": "a", "units": 4, "activation": "relu", "weights": matrix(4, 3)},
                {
                    "name": "b",
                    "units": 4,
                    "activation": activation,
                    "from": ["input", "a", "a", "input"],
                    "weights": matrix(4, 14),
                },
                {
                    "units": 2,
                    "activation": "identity",
                    "from": ["b", "a", "b", "b"],
                    "weights": matrix(2, 16),
                },
            ],
        },
        "weights": {"domain": "real"},
        "data": {
            "x": [[str(Fraction(v)) for v in row] for row in x.tolist()],
            "y": [[0, 0]] * len(x),
        },
        "loss": {"name": "absolute"},
    }


def check_skips(activations: Iterable[Any], safety: float) -> Count:
    """Compare the pass with the reference on networks with skip connections."""
    total = Count(0, 0, 0)
    for seed, activation in enumerate(activations):
        rng = np.random.default_rng(seed)
        x = rng.standard_normal((12, 3))
        document = skip_document(rng, x, activation)
        biases = {f"b{k}": list(rng.standard_normal(n)) for k, n in ((1, 4), (2, 4), (3, 2))}
        instance = parse_instance(document)
        theta = {k: [str(Fraction(float(v))) for v in vs] for k, vs in biases.items()}
        values = parse_certificate(theta, instance).values
        named = {
            f"{k}[{j}]": Fraction(float(v)) for k, vs in biases.items() for j, v in enumerate(vs)
        }
        network = float_network(instance.network, values, polynomials=True)
        outputs = forward(network, table_chunk(instance.data.x, 0, 12), safety=safety)
        for i, truth in enumerate(reference.outputs(document, named)):
            radius = float(outputs.radius[i])
            if radius == np.inf:
                total += Count(1, 0, 0)
                continue
            gaps = [Fraction(float(v)) - t for v, t in zip(outputs.values[i], truth, strict=True)]
            total += Count(1, 1, int(sum(g * g for g in gaps) > Fraction(radius) ** 2))
    return total
