"""Interchanges of neurons: each one found is an automorphism, and breaking loses no loss value."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
from gmpy2 import mpq

import random_instances
from ermbit.verifier import exact_loss
from ermbit_encodings.problem import Problem
from ermbit_encodings.relaxation import real_relaxation
from ermbit_encodings.symmetry import interchangeable_classes, neuron_symmetries, parameter_order
from ermbit_instances.instance import Instance, parse_instance

TERNARY = {"domain": "integer", "low": -1, "high": 1}


def network(layers: list[dict[str, Any]], weights: Any = None, inputs: int = 2) -> Instance:
    return parse_instance(
        {
            "format": "ermbit-instance",
            "version": 1,
            "network": {"inputs": inputs, "layers": layers},
            "weights": weights or TERNARY,
            "data": {"x": [[1] * inputs], "y": [[0] * layers[-1]["units"]]},
            "loss": {"name": "absolute"},
        }
    )


def hidden(units: int, **options: Any) -> list[dict[str, Any]]:
    return [
        {"units": units, "activation": "relu", **options},
        {"units": 1, "activation": "identity"},
    ]


def pairs(instance: Instance) -> list[tuple[int, int]]:
    return [s.neurons for s in neuron_symmetries(instance.network)]


def test_a_dense_layer_is_one_class() -> None:
    found = neuron_symmetries(network(hidden(3)).network)
    assert interchangeable_classes(found) == [[2, 3, 4]]


@pytest.mark.parametrize(
    "options",
    [
        {"mask": [[1, 1], [1, 0]]},
        {"weights": [[None, 1], [None, None]]},
        {"weights": [[None, 1], [None, 2]]},
        {"weights": [[{"param": "s"}, None], [{"param": "s", "scale": -1}, None]]},
        {"biases": [1, None]},
    ],
)
def test_neurons_that_differ_are_not_interchanged(options: dict[str, Any]) -> None:
    assert pairs(network(hidden(2, **options))) == []


@pytest.mark.parametrize(
    "options",
    [
        {"mask": [[1, 0], [1, 0]]},
        {"weights": [[None, 1], [None, 1]]},
        {"weights": [[{"param": "s", "scale": 3}, None], [{"param": "s", "scale": 3}, None]]},
        {"weights": [[{"param": "s"}, None], [{"param": "t"}, None]]},
    ],
)
def test_neurons_of_one_kind_are_interchanged(options: dict[str, Any]) -> None:
    assert pairs(network(hidden(2, **options))) == [(2, 3)]


def test_a_name_used_elsewhere_blocks_the_interchange() -> None:
    # s and t would have to be swapped, but the output reads s alone.
    layers = hidden(2, weights=[[{"param": "s"}, None], [{"param": "t"}, None]])
    layers[1]["biases"] = [{"param": "s"}]
    assert pairs(network(layers)) == []


def test_domains_must_be_equal() -> None:
    wider = TERNARY | {"parameters": {"W1[1,0]": {"domain": "integer", "low": -2, "high": 1}}}
    assert pairs(network(hidden(2), wider)) == []
    both = {"domain": "integer", "low": -2, "high": 1}
    equal = TERNARY | {"parameters": {"W1[1,0]": both, "W1[0,0]": both}}
    assert pairs(network(hidden(2), equal)) == [(2, 3)]


def test_outputs_stay_where_they_are() -> None:
    assert pairs(network([{"units": 2, "activation": "relu"}])) == []


def test_a_relaxation_breaks_the_symmetries_of_its_instance_only() -> None:
    # Both domains become the reals; an order between the two neurons would lose solutions.
    weights = TERNARY | {
        "parameters": {
            "W1[0,0]": {"domain": "float", "format": "float16"},
            "W1[1,0]": {"domain": "rational", "bits": 6},
        }
    }
    problem = Problem(network(hidden(2), weights))
    relaxed = real_relaxation(problem, 1024)
    assert relaxed is not problem
    assert relaxed.symmetries == ()
    assert neuron_symmetries(relaxed.instance.network) != ()


def permuted(values: tuple[Any, ...], permutation: tuple[tuple[int, int], ...]) -> tuple[Any, ...]:
    image = list(values)
    for p, q in permutation:
        image[p], image[q] = values[q], values[p]
    return tuple(image)


@pytest.mark.parametrize("seed", range(80))
def test_interchanges_keep_every_loss(seed: int) -> None:
    rng = random.Random(seed)
    given = random_instances.random_instance(rng, frozen=rng.random() < 0.2)
    instance = parse_instance(given)
    domains = [list(p.domain.values()) for p in instance.network.parameters]
    for symmetry in neuron_symmetries(instance.network):
        for p, q in symmetry.permutation:
            assert domains[p] == domains[q]
        for _ in range(4):
            values = tuple(rng.choice(d) for d in domains)
            image = permuted(values, symmetry.permutation)
            assert exact_loss(instance, values)[0] == exact_loss(instance, image)[0]


@pytest.mark.parametrize("seed", range(40))
def test_breaking_keeps_every_attainable_loss(seed: int) -> None:
    rng = random.Random(seed)
    given = random_instances.random_instance(
        rng, max_assignments=300, masks=False, frozen=False, hidden_layers=rng.choice([1, 2])
    )
    instance = parse_instance(given)
    found = neuron_symmetries(instance.network)
    domains = [list(p.domain.values()) for p in instance.network.parameters]
    everything, kept = set(), set()
    for values in itertools.product(*domains):
        loss = exact_loss(instance, values)[0]
        everything.add(loss)
        if all([values[p] for p in s.first] <= [values[p] for p in s.second] for s in found):
            kept.add(loss)
    assert kept == everything


def test_two_layers_together_keep_every_function() -> None:
    instance = network(
        [
            {"units": 2, "activation": "relu", "bias": False},
            {"units": 2, "activation": "relu", "bias": False},
            {"units": 1, "activation": "identity", "bias": False, "weights": [[1, -1]]},
        ],
        {"domain": "finite", "values": [-1, 1]},
    )
    found = neuron_symmetries(instance.network)
    # The second layer's outgoing weights differ, so only the first layer has an interchange.
    assert [s.neurons for s in found] == [(2, 3)]
    rows = [tuple(map(mpq, x)) for x in ((1, 2), (2, -1), (-1, 1))]
    from ermbit.verifier.evaluation.evaluate import evaluate_sample

    everything, kept = set(), set()
    for signs in itertools.product((-1, 1), repeat=instance.network.parameter_count):
        values = tuple(map(mpq, signs))
        function = tuple(evaluate_sample(instance.network, x, values)[0] for x in rows)
        everything.add(function)
        if all([values[p] for p in s.first] <= [values[p] for p in s.second] for s in found):
            kept.add(function)
    assert kept == everything


def test_the_order_is_by_first_use() -> None:
    instance = network(hidden(2))
    order = parameter_order(instance.network)
    names = [instance.network.parameters[p].name for p in order]
    assert names[:6] == ["W1[0,0]", "W1[0,1]", "b1[0]", "W1[1,0]", "W1[1,1]", "b1[1]"]
