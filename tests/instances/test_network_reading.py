"""Networks: names and numbers of parameters, sharing, skips, domains and what is refused."""

from __future__ import annotations

import copy
import itertools
import random
from typing import Any

import networkx as nx
import pytest
from gmpy2 import mpq

import random_instances
import reference
from ermbit_instances.errors import InputError, LimitError
from ermbit_instances.instance import Instance, parse_instance
from ermbit_instances.network import Network

TERNARY = {"domain": "integer", "low": -1, "high": 1}


def instance(network: dict[str, Any], outputs: int, weights: Any = TERNARY) -> Instance:
    document = {
        "format": "ermbit-instance",
        "version": 1,
        "network": network,
        "data": {"x": [[1] * min(network["inputs"], 9)], "y": [[0] * outputs]},
        "loss": {"name": "absolute"},
    }
    if weights is not None:
        document["weights"] = weights
    return parse_instance(document)


def layers(*given: dict[str, Any], inputs: int = 2, weights: Any = TERNARY) -> Network:
    return instance({"inputs": inputs, "layers": list(given)}, given[-1]["units"], weights).network


RELU = {"units": 2, "activation": "relu"}
OUT = {"units": 1, "activation": "identity"}


def names(network: Network) -> list[str]:
    return [p.name for p in network.parameters]


def test_layers_name_their_parameters() -> None:
    assert names(layers(RELU, OUT | {"bias": False})) == [
        "W1[0,0]", "W1[0,1]", "W1[1,0]", "W1[1,1]", "b1[0]", "b1[1]", "W2[0,0]", "W2[0,1]",
    ]  # fmt: skip


def test_masked_frozen_and_shared_entries_have_no_name_of_their_own() -> None:
    network = layers(
        RELU
        | {
            "mask": [[1, 0], [1, 1]],
            "weights": [[None, 0], [{"param": "s"}, 2]],
            "biases": [{"param": "s", "scale": "-1/2"}, None],
        },
        OUT,
    )
    assert set(names(network)) == {"W1[0,0]", "s", "b1[1]", "W2[0,0]", "W2[0,1]", "b2[0]"}
    shared = network.parameter_number("s")
    first, second = network.neurons[:2]
    assert [e.parameter for e in second.weights] == [shared, None]
    assert second.weights[1].value == 2
    assert first.bias is not None
    assert (first.bias.parameter, first.bias.scale) == (shared, mpq(-1, 2))
    assert first.sources == (0,)
    for name in ("W1[0,1]", "W1[1,0]", "W1[1,1]", "b1[0]", "W1[2,0]", "W01[0,0]", "W3[0,0]", "t"):
        assert network.parameter_number(name) is None


def test_skips_concatenate_in_the_order_given() -> None:
    network = layers(
        RELU | {"name": "h"}, OUT | {"from": ["input", "h", "input"], "bias": False}
    )
    assert network.neurons[2].sources == (0, 1, 2, 3, 0, 1)
    assert names(network)[-6:] == [f"W2[0,{k}]" for k in range(6)]


def test_neurons_are_sorted_and_name_their_parameters() -> None:
    network = instance(
        {
            "inputs": 2,
            "neurons": [
                {"id": "o", "inputs": {"h": None, "x1": 3}, "activation": "identity"},
                {"id": "h", "inputs": {"x0": None}, "bias": None, "activation": "relu"},
                {"id": "c", "inputs": {}, "bias": 5, "activation": "relu"},
            ],
            "outputs": ["o", "c"],
        },
        2,
    ).network
    assert set(names(network)) == {"W[h,x0]", "b[h]", "W[o,h]"}
    assert network.outputs == (3, 4)
    assert [n.label for n in network.neurons] == ["h", "o", "c"]
    assert network.neurons[1].sources == (2, 1)


def wired(edges: set[tuple[int, int]], count: int) -> dict[str, Any]:
    """Neurons n0, n1, ... with these edges, from first to second."""
    sources: list[list[str]] = [[f"n{a}" for a, b in sorted(edges) if b == k] for k in range(count)]
    neurons = [
        {"id": f"n{k}", "inputs": dict.fromkeys(sources[k], 1), "activation": "relu", "bias": None}
        for k in range(count)
    ]
    return {"inputs": 1, "neurons": neurons, "outputs": ["n0"]}


@pytest.mark.parametrize("seed", range(30))
def test_the_order_of_the_file_is_kept_where_edges_allow_it(seed: int) -> None:
    rng = random.Random(seed)
    count = rng.randint(1, 12)
    rank = rng.sample(range(count), count)
    pairs = [(a, b) for a in range(count) for b in range(count) if rank[a] < rank[b]]
    edges = set(rng.sample(pairs, rng.randint(0, len(pairs)) // 2))
    graph = nx.DiGraph(list(edges))
    graph.add_nodes_from(range(count))
    found = [neuron.label for neuron in instance(wired(edges, count), 1).network.neurons]
    assert found == [f"n{k}" for k in nx.lexicographical_topological_sort(graph)]


@pytest.mark.parametrize("seed", range(10))
def test_a_cycle_is_named(seed: int) -> None:
    rng = random.Random(seed)
    ring = rng.sample(range(9), rng.randint(2, 6))
    edges = {(ring[i - 1], b) for i, b in enumerate(ring)} | {(a, 9) for a in range(9)}
    with pytest.raises(InputError) as caught:
        instance(wired(edges, 10), 1)
    words = str(caught.value).rpartition("cycle: ")[2].split(" -> ")
    assert {int(word[1:]) for word in words} == set(ring) and words[0] == words[-1]
    assert all((int(a[1:]), int(b[1:])) in edges for a, b in itertools.pairwise(words))
    assert f"$.network.neurons[{min(ring)}].inputs" in str(caught.value)


@pytest.mark.parametrize("seed", range(80))
def test_parameters_and_domains_are_those_of_the_reference(seed: int) -> None:
    given = random_instances.random_instance(random.Random(seed))
    found = {p.name: list(p.domain.values()) for p in parse_instance(given).network.parameters}
    expected = reference.free_parameters(given)
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        assert found[name] == [mpq(v.numerator, v.denominator) for v in values]
        assert parse_instance(given).network.parameter_number(name) is not None


def test_the_nearest_domain_wins() -> None:
    network = layers(
        RELU | {"name": "h"},
        OUT | {"name": "o"},
        weights=TERNARY
        | {
            "biases": {"domain": "integer", "low": 0, "high": 0},
            "parameters": {
                "h": {"domain": "integer", "low": 5, "high": 5},
                "W1[0,1]": {"domain": "integer", "low": 7, "high": 7},
            },
        },
    )
    low = {p.name: p.domain.low for p in network.parameters}
    assert low["W1[0,0]"] == 5
    assert low["W1[0,1]"] == 7
    assert low["b1[0]"] == 5  # the layer's domain overrides that of biases
    assert low["W2[0,0]"] == -1
    assert low["b2[0]"] == 0


def test_uses_of_a_shared_parameter_must_agree_about_its_domain() -> None:
    shared = RELU | {"weights": [[{"param": "s"}, None]] * 2, "biases": [{"param": "s"}, None]}
    split = TERNARY | {"biases": {"domain": "integer", "low": 0, "high": 9}}
    with pytest.raises(InputError, match="different domains"):
        layers(shared, OUT, weights=split)
    named = split | {"parameters": {"s": {"domain": "finite", "values": [4]}}}
    network = layers(shared, OUT, weights=named)
    assert {p.name: p.domain.low for p in network.parameters}["s"] == 4


def test_a_network_without_parameters_needs_no_weights() -> None:
    frozen = {"units": 1, "activation": "relu", "weights": [[1, 2]], "biases": [3]}
    assert layers(frozen, weights=None).parameter_count == 0
    assert layers(frozen, weights=TERNARY).parameter_count == 0
    with pytest.raises(InputError, match="no 'weights'"):
        layers(RELU, OUT, weights=None)


GOOD: dict[str, Any] = {
    "inputs": 2,
    "layers": [RELU | {"name": "h"}, OUT],
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("inputs",), 0),
        (("inputs",), 10**9),
        (("layers",), []),
        (("neurons",), []),
        (("outputs",), ["h"]),
        (("layers", 0, "units"), 0),
        (("layers", 0, "units"), "1/2"),
        (("layers", 0, "mask"), [[1, 2], [1, 1]]),
        (("layers", 0, "mask"), [[1, 1]]),
        (("layers", 0, "weights"), [[1, 1], [1]]),
        (("layers", 0, "weights"), [[1, {"param": ""}], [1, 1]]),
        (("layers", 0, "weights"), [[1, {"param": "s", "scale": 0}], [1, 1]]),
        (("layers", 0, "weights"), [[1, {"scale": 2}], [1, 1]]),
        (("layers", 0, "weights"), [[1, {"param": "W1[0,0]"}], [1, None]]),
        (("layers", 0, "biases"), [1]),
        (("layers", 0, "bias"), 0),
        (("layers", 0, "from"), ["h"]),
        (("layers", 0, "from"), []),
        (("layers", 0, "name"), "input"),
        (("layers", 1, "name"), "h"),
        (("layers", 1, "from"), ["nowhere"]),
        (("layers", 1, "mask"), [[0, 0]]),
        (("layers", 1, "extra"), 1),
    ],
)
def test_layers_that_are_refused(path: tuple[Any, ...], value: Any) -> None:
    network = copy.deepcopy(GOOD)
    assert instance(network, 1).network.parameter_count == 9
    place: Any = network
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    if path[-1] == "weights" and value[-1] == [1, None]:
        # W1[0,0] is frozen there, so the name is free; it is taken once the entry is its own.
        value[0][0] = None
    with pytest.raises((InputError, LimitError)) as caught:
        instance(network, 1)
    assert caught.value.path is not None


def test_biases_contradict_no_bias() -> None:
    with pytest.raises(InputError, match="biases are given"):
        layers(RELU | {"bias": False, "biases": [1, 1]}, OUT)
    with pytest.raises(InputError, match="mask removes"):
        layers(RELU | {"mask": [[1, 0], [1, 1]], "weights": [[1, 2], [1, 1]]}, OUT)


@pytest.mark.parametrize(
    ("neurons", "outputs"),
    [
        ([{"id": "a", "inputs": {"a": 1}, "activation": "relu"}], ["a"]),
        ([{"id": "a", "inputs": {"x2": 1}, "activation": "relu"}], ["a"]),
        ([{"id": "x0", "inputs": {"x1": 1}, "activation": "relu"}], ["x0"]),
        ([{"id": "a", "inputs": {"x1": 1}, "activation": "relu"}] * 2, ["a"]),
        ([{"id": "a", "inputs": {"x1": 1}, "activation": "relu"}], ["b"]),
        ([{"id": "a", "inputs": {"x1": 1}, "activation": "relu"}], []),
        ([{"id": "a", "inputs": {"x01": 1}, "activation": "relu"}], ["a"]),
        ([{"id": "", "inputs": {"x1": 1}, "activation": "relu"}], [""]),
        ([{"id": "a", "inputs": {"x1": 1}}], ["a"]),
        (
            [
                {"id": "a", "inputs": {"b": 1}, "activation": "relu"},
                {"id": "b", "inputs": {"a": 1}, "activation": "relu"},
            ],
            ["a"],
        ),
    ],
)
def test_neurons_that_are_refused(neurons: list[Any], outputs: list[str]) -> None:
    network = {"inputs": 2, "neurons": neurons, "outputs": outputs}
    with pytest.raises(InputError):
        instance(network, max(1, len(outputs)))


@pytest.mark.parametrize(
    "overrides", [{"W9[0,0]": TERNARY}, {"nobody": TERNARY}, {"W1[0,0]": {"domain": "no"}}]
)
def test_overrides_need_a_name_and_a_domain(overrides: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        layers(RELU, OUT, weights=TERNARY | {"parameters": overrides})
