"""The engine `enclosures` with bounds of a few bits, small parts and hashes that collide."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction
from typing import Any

import pytest

import random_instances
import reference
from engine_checks import capability, check_minimum, decide, problem_of
from ermbit.engines.enclosures import search as tree
from ermbit.engines.enclosures import states
from ermbit.engines.enclosures.activation import activated
from ermbit.engines.enclosures.interval import Intervals
from ermbit_encodings.integer_form import IntegerNeuron
from random_instances import random_instance
from reference import Document

ROUGH: list[dict[str, Any]] = [
    {"PRECISION": 2, "FRONTIER_BITS": 0, "SINGLES": 1, "PARTS": 2, "STORED_BITS": 0},
    {"PRECISION": 4, "FRONTIER_BITS": 0, "SINGLES": 2, "PARTS": 3, "STORED_BITS": 6},
    {"PRECISION": 64, "FRONTIER_BITS": 4, "SINGLES": 1, "PARTS": 4, "FORWARD": -50.0},
]


def rough(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    for name, value in ROUGH[number % len(ROUGH)].items():
        monkeypatch.setattr(states if name == "STORED_BITS" else tree, name, value)


def colliding(monkeypatch: pytest.MonkeyPatch) -> None:
    """All exact values have one hash."""
    monkeypatch.setattr(states, "hash", lambda values: 0, raising=False)


def check(document: Document) -> None:
    check_minimum("enclosures", document, reference.minimum(document)[0])


@pytest.mark.parametrize("block", range(4))
def test_rough_bounds_and_collisions(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """All activations, losses and reductions, several outputs."""
    rng = random.Random(f"rough {block}")
    activations = random_instances.ACTIVATIONS
    for number in range(12):
        with monkeypatch.context() as patch:
            rough(patch, number)
            if number % 4 == 3:
                colliding(patch)
            document = random_instance(
                rng,
                max_assignments=60,
                activation=activations[(12 * block + number) % len(activations)],
                loss=random_instances.LOSSES[number % 4],
                outputs=1 + number % 3,
                hidden_layers=1 + number % 2,
            )
            if capability("enclosures", problem_of(document), "minimize"):
                check(document)


def network(
    neurons: dict[str, tuple[Any, dict[str, Any]]],
    outputs: list[str],
    y: list[list[Any]],
    values: list[Any],
    **overrides: list[Any],
) -> Document:
    """Neurons as (activation, inputs), without biases, on the samples 3 and −2 and 5."""
    spelt = [{"id": k, "activation": a, "inputs": i} for k, (a, i) in neurons.items()]
    domains = {name: {"domain": "finite", "values": v} for name, v in overrides.items()}
    return {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": 1, "neurons": spelt, "outputs": outputs},
        "weights": {"domain": "finite", "values": values, "parameters": domains},
        "data": {"x": [[3], [-2], [5]][: len(y)], "y": y},
        "loss": {"name": "absolute", "reduction": "sum"},
    }


def test_a_maximum_of_what_is_far_from_zero_may_be_zero() -> None:
    """max(±3, 0 or −5): one argument keeps away from 0, the maximum need not."""
    document = network(
        {"a": ("identity", {"x0": None}), "b": ("identity", {"x0": None})}
        | {"m": ("max", {"a": 1, "b": 1}), "f": ("square", {"m": 1})},
        ["f"],
        [[0]],
        [0, 1],
        **{"W[a,x0]": [-1, 1], "W[b,x0]": [-5, 0]},
    )
    check(document)
    assert decide("enclosures", document, Fraction(0)).status == "sat"


def test_an_output_that_is_known_belongs_to_the_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """One output is settled while the other is open: what it is decides the total as well."""
    rng = random.Random("outputs apart")
    for number in range(6):
        document = network(
            {"a": ("square", {"x0": None}), "f": ("identity", {"a": None})}
            | {"b": ("square", {"x0": None}), "g": ("square", {"b": None})},
            ["f", "g"],
            [[rng.randint(-40, 40), rng.randint(-9, 700)] for _ in range(2)],
            [-2, -1, 1, 3],
        )
        with monkeypatch.context() as patch:
            rough(patch, number)
            check(document)


@pytest.mark.parametrize("stored", [0, 2**13])
def test_collisions_decide_nothing(stored: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """States with equal questions, different integers and one hash are different."""
    colliding(monkeypatch)
    monkeypatch.setattr(states, "STORED_BITS", stored)
    rng = random.Random("collisions")
    for _ in range(6):
        document = network(
            {"a": ("square", {"x0": None}), "b": ("square", {"a": None, "x0": 1})}
            | {"f": ("identity", {"b": None})},
            ["f"],
            [[rng.randint(-2000, 2000)] for _ in range(2)],
            [-3, -1, 1, 2],
        )
        check(document)


@pytest.mark.parametrize("loss", ["hinge", "zero_one"])
def test_scores_at_the_margin(loss: str) -> None:
    """The largest score is the margin, or misses it by as little as there is."""
    for margin, least_loss in ((6, 0), ("13/2", 1), ("1/3", 0)):
        document = network({"f": ("identity", {"x0": None})}, ["f"], [[1]], [1, 2])
        document["loss"] = {"name": loss} | ({"margin": margin} if loss == "zero_one" else {})
        document["weights"]["values"] = [1, 2] if loss == "zero_one" else ["1/9", "1/3"]
        assert reference.minimum(document)[0] == (least_loss if loss == "zero_one" else 0)
        check(document)


@pytest.mark.parametrize("bits", [2, 3, 64])
def test_polynomials_on_all_short_intervals(bits: int) -> None:
    """Monotone there or not: every value between the ends is in the enclosure."""
    intervals = Intervals(bits)
    for coefficients in itertools.product((0, 1), (-9, -3, 0, 2), (-2, 0, 1), (-1, 0, 1)):
        neuron = IntegerNeuron(0, 1, 1, (), None, "polynomial", coefficients=coefficients)
        for low, high in itertools.combinations(range(-5, 6), 2):
            after = activated(intervals, neuron, intervals.between(low, high))
            for z in range(low, high + 1):
                value = neuron.activate(z)
                assert after[0] <= value <= after[1] and abs(value) >= after[2]
