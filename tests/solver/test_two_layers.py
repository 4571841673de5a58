"""The `two_layers` engine against the reference and the other engines for finite domains."""

from __future__ import annotations

import random
from math import isqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reference
from engine_checks import check_minimum, least, problem_of
from ermbit.engines.engine import Budget
from ermbit.engines.registry import engine
from ermbit.engines.total_search import Ended
from ermbit.engines.two_layers import kernel
from ermbit.engines.two_layers.engine import TwoLayersEngine
from ermbit.engines.two_layers.search import Search
from random_instances import CLASSIFICATION, LOSSES, REDUCTIONS
from reference import Document

ACTIVATIONS: tuple[Any, ...] = (
    "relu",
    "abs",
    "step",
    "sign",
    {"name": "leaky_relu", "slope": "1/2"},
    {"name": "clip", "low": -1, "high": 2},
)


def document(rng: random.Random, **fixed: Any) -> Document:
    """Two hidden layers of two units whose parameters have at most 2,048 assignments."""
    inputs = rng.choice((1, 2))
    loss = fixed.get("loss", "absolute")
    count = rng.randint(1, 5)
    x = [[rng.randint(-3, 3) for _ in range(inputs)] for _ in range(count)]
    if rng.random() < 0.3:
        x.append(list(x[0]))
    values = (-1, 1) if loss in CLASSIFICATION else (-3, -1, 0, 1, 2, "1/2")
    y = [[rng.choice(values)] for _ in x]
    first = {"units": rng.choice((1, 2)), "activation": rng.choice(ACTIVATIONS)}
    second = {"units": 2, "activation": rng.choice(ACTIVATIONS)}
    output = {"units": 1, "activation": "identity"}
    first["bias"] = rng.random() < 0.3
    second["bias"] = rng.random() < 0.5 and not first["bias"]
    output["bias"] = rng.random() < 0.5
    if rng.random() < 0.3:
        output["biases"] = ["1/2"]
        output["bias"] = True
    if rng.random() < 0.2:
        first["activation"] = "square"
    values_of = rng.choice(([-1, 1], [0, 1], ["-1/2", 1], [-1, 2]))
    network = {"inputs": inputs, "layers": [first, second, output]}
    doc: Document = {
        "format": "ermbit-instance",
        "version": 1,
        "network": network,
        "weights": {"domain": "finite", "values": values_of},
        "data": {"x": x, "y": y},
        "loss": {"name": loss, "reduction": fixed.get("reduction", "sum")},
        "threshold": 0,
    }
    if rng.random() < 0.3:
        doc["data"]["sample_weights"] = [rng.choice((1, 2, "1/2")) for _ in x]
    if first["units"] == 2 and rng.random() < 0.3:
        first["mask"] = [[1] * inputs, [1] + [0] * (inputs - 1)]
    return doc


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_against_the_reference(loss: str, reduction: str) -> None:
    for number in range(8):
        rng = random.Random(f"two layers {loss} {reduction} {number}")
        doc = document(rng, loss=loss, reduction=reduction)
        assert engine("two_layers").capability(problem_of(doc), "minimize").complete, doc
        check_minimum("two_layers", doc, reference.minimum(doc)[0])


@pytest.mark.parametrize("seed", range(3))
def test_against_exhaustive_search_on_larger_domains(seed: int) -> None:
    rng = random.Random(f"two layers large {seed}")
    x = [[rng.randint(-4, 4)] for _ in range(5)]
    y = [[rng.randint(-5, 5)] for _ in x]
    layers = [
        {"units": 2, "activation": "relu"},
        {"units": 2, "activation": "relu", "bias": seed > 0},
        {"units": 1, "activation": "identity"},
    ]
    doc: Document = {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": 1, "layers": layers},
        "weights": {"domain": "integer", "low": -1, "high": 1},
        "data": {"x": x, "y": y},
        "loss": {"name": rng.choice(("absolute", "squared")), "reduction": "sum"},
        "threshold": 0,
    }
    assert least("two_layers", doc) == least("deep_tables", doc)


def test_units_that_read_the_same_in_another_order() -> None:
    """Multisets of places in tables of different orders once missed the best first layer."""
    for seed in (1, 4, 8, 15, 22, 26, 27, 28):
        rng = random.Random(seed)
        x = [[rng.randint(-3, 3) for _ in range(2)] for _ in range(4)]
        y = [[rng.randint(-4, 4)] for _ in x]
        sources = {
            "a": ("x0", "x1"),
            "b": ("x1", "x0"),
            "c": ("a", "b"),
            "d": ("b", "a"),
            "o": ("c", "d"),
        }
        neurons = [
            {
                "id": name,
                "inputs": dict.fromkeys(read),
                "activation": "identity" if name == "o" else "relu",
            }
            for name, read in sources.items()
        ]
        doc: Document = {
            "format": "ermbit-instance",
            "version": 1,
            "network": {"inputs": 2, "neurons": neurons, "outputs": ["o"]},
            "weights": {"domain": "finite", "values": [-1, 2]},
            "data": {"x": x, "y": y},
            "loss": {"name": "absolute", "reduction": "sum"},
            "threshold": 0,
        }
        minimum = reference.minimum(doc)[0]
        for name in ("two_layers", "deep_tables", "exhaustive", "sat"):
            assert least(name, doc) == ("optimal", minimum), (name, seed)


@pytest.mark.parametrize("layer", [0, 1])
def test_units_without_free_parameters(layer: int) -> None:
    for seed in range(4):
        doc = document(random.Random(f"frozen {layer} {seed}"))
        spec = doc["network"]["layers"][layer]
        width = doc["network"]["inputs"] if layer == 0 else doc["network"]["layers"][0]["units"]
        spec.pop("mask", None)
        spec |= {"bias": False, "weights": [[1, -1][:width]] * spec["units"]}
        minimum = reference.minimum(doc)[0]
        assert engine("two_layers").capability(problem_of(doc), "minimize").complete, doc
        assert least("two_layers", doc) == ("optimal", minimum), doc


@pytest.mark.parametrize(
    ("layers", "reason"),
    [
        ([2], "two hidden layers"),
        ([2, 3], "two units"),
        ([2, 2, 2], "two hidden layers"),
    ],
)
def test_what_it_refuses(layers: list[int], reason: str) -> None:
    doc = document(random.Random("refused"))
    hidden = [{"units": n, "activation": "relu"} for n in layers]
    doc["network"]["layers"] = [*hidden, {"units": 1, "activation": "identity"}]
    said = engine("two_layers").capability(problem_of(doc), "decide")
    assert not said.applicable and reason in said.reason


def test_units_with_different_domains_are_refused() -> None:
    doc = document(random.Random("refused"))
    hidden = [{"units": 2, "activation": "relu"}, {"units": 2, "activation": "relu"}]
    doc["network"]["layers"] = [*hidden, {"units": 1, "activation": "identity"}]
    doc["weights"]["parameters"] = {"W3[0,1]": {"domain": "finite", "values": [3]}}
    said = engine("two_layers").capability(problem_of(doc), "decide")
    assert not said.applicable and "differ" in said.reason


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("reduction", ("sum", "max"))
def test_no_network_is_below_the_bound_of_its_first_layer(loss: str, reduction: str) -> None:
    for seed in range(6):
        rng = random.Random(f"bounds {loss} {reduction} {seed}")
        doc = document(rng, loss=loss, reduction=reduction)
        theta = {name: rng.choice(m) for name, m in reference.free_parameters(doc).items()}
        if seed % 2 and loss not in CLASSIFICATION:
            doc["data"]["y"] = [[str(f + rng.choice((0, 1)))] for (f,) in
                                reference.outputs(doc, theta)]  # fmt: skip
        prepared = TwoLayersEngine().prepare(problem_of(doc))
        assert not isinstance(prepared, str)
        form = prepared.form
        parameters = [
            int(theta[p.name] * q)
            for p, q in zip(form.instance.network.parameters, form.grids, strict=True)
        ]
        signals = [list(column) for column in zip(*form.inputs, strict=True)]
        for neuron in form.neurons[: len(prepared.shape.first)]:
            assert neuron in prepared.shape.first
            z = np.zeros(len(form.inputs), dtype=np.int64)
            for t in (*neuron.terms, *([neuron.bias] if neuron.bias else [])):
                weight = t.factor * (parameters[t.parameter] if t.parameter >= 0 else 1)
                z += weight * np.array(signals[t.source] if t.source >= 0 else 1)
            signals.append([neuron.activate(int(v)) for v in z])
        first = np.array(signals[len(form.input_scales) :], dtype=np.int64)
        search = Search(prepared, Budget(), lambda values, total: total, lambda bound: None)
        places = np.arange(len(first))[None]
        bound = search._bound(first, np.zeros(len(first), dtype=np.int64))(places)[0]
        assert 0 <= bound <= form.total(parameters)


@given(st.lists(st.integers(-(2**40), 2**40) | st.integers(-9, 9), max_size=70))
def test_sums_are_sorted(sums: list[int]) -> None:
    values = np.array(sums, dtype=np.int64)
    for order in (kernel._sorted(values), kernel._merge_sorted(values)):
        assert sorted(order.tolist()) == list(range(len(sums)))
        assert values[order].tolist() == sorted(sums)


@given(
    st.integers(0, 10**6) | st.integers(0, 2**31),
    st.integers(1, 40) | st.integers(1, 10**6),
    st.sampled_from((kernel.LINEAR, kernel.SQUARE)),
    st.booleans(),
)
def test_windows_hold_all_that_is_good_enough(
    best: int, count: int, cost: int, largest: bool
) -> None:
    """Gaps as equal as possible have the largest sum of sizes for their loss."""
    reach = int(kernel.window(np.int64(best), np.int64(count), cost, largest))
    size = best if largest else best // count
    if cost == kernel.SQUARE:
        size = isqrt(size)
    assert size * count <= reach


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_a_limit_past_64_bits_leaves_something_to_be_found(loss: str, reduction: str) -> None:
    doc = document(random.Random(f"limit {loss} {reduction}"), loss=loss, reduction=reduction)
    prepared = TwoLayersEngine().prepare(problem_of(doc))
    assert not isinstance(prepared, str)
    for limit in (2**31, 4 * 10**18, 2**63 - 1, 2**63, 10**30):

        def found(parameters: tuple[int, ...], total: int) -> int:
            assert prepared.form.total(parameters) == total
            raise Ended

        with pytest.raises(Ended):
            Search(prepared, Budget(), found, lambda bound: None).run(limit)
