"""What the engine `deep_fits` leaves out must cost no fit: symmetry, conflicts, hashes, widths."""

from __future__ import annotations

import itertools
import random
from math import prod
from typing import Any

import numpy as np
import pytest

import reference
from engine_checks import capability, decide, problem_of
from ermbit.engines.deep_fits import states as deep_states
from ermbit.engines.deep_fits.cost import sizes
from ermbit.engines.deep_fits.joins import halves
from ermbit.engines.deep_fits.layers import layers
from ermbit.engines.tables import build as table_build
from random_instances import random_instance
from reference import Document

OWN: Any = None
LINE = [[v] for v in range(-3, 5)]


def network(
    neurons: dict[str, tuple[Any, dict[str, Any], list[Any]]],
    outputs: list[str],
    x: list[list[int]],
    **overrides: Any,
) -> Document:
    """Neurons as (activation, inputs, at most one bias), parameters from {−1, 0, 1}."""
    spelt: list[Document] = []
    for name, (activation, inputs, bias) in neurons.items():
        neuron = {"id": name, "inputs": inputs, "activation": activation}
        spelt.append(neuron | ({"bias": bias[0]} if bias else {}))
    return {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": len(x[0]), "neurons": spelt, "outputs": outputs},
        "weights": {"domain": "integer", "low": -1, "high": 1, "parameters": overrides},
        "data": {"x": x, "y": [[0] * len(outputs)] * len(x)},
        "loss": {"name": "absolute", "reduction": "sum"},
        "threshold": 0,
    }


def labelled(document: Document, rng: random.Random | None) -> Document:
    """The same with the outputs of some θ, or of the largest one, as targets."""
    free = reference.free_parameters(document)
    theta = {name: rng.choice(v) if rng else v[-1] for name, v in free.items()}
    y = [[str(v) for v in f] for f in reference.outputs(document, theta)]
    return document | {"data": document["data"] | {"y": y}}


def listed(*values: Any) -> Document:
    return {"domain": "finite", "values": list(values)}


# ---------------------------------------------------------------- units that may be exchanged

PAIR = {"a0": ("relu", {"x0": OWN}, [OWN]), "a1": ("relu", {"x0": OWN}, [OWN])}
THREE = {**PAIR, "a2": ("relu", {"x0": OWN}, [OWN])}
UNIT = ("relu", {"a0": OWN, "a1": OWN}, [OWN])
OUTPUT = ("identity", {"b0": OWN}, [OWN])
READ_APART: dict[str, Document] = {
    "frozen weights": network(
        {**PAIR, "b0": ("relu", {"a0": 1, "a1": 2}, []), "o": OUTPUT}, ["o"], LINE
    ),
    "a maximum": network(
        {**PAIR, "b0": ("max", {"a0": 1, "a1": 2}, []), "o": OUTPUT}, ["o"], LINE
    ),
    "domains": network(
        {**PAIR, "b0": UNIT, "o": OUTPUT},
        ["o"],
        LINE,
        **{"W[b0,a0]": listed(0, 1), "W[b0,a1]": listed(-1, 2)},
    ),
    "an output": network(
        {**PAIR, "b0": UNIT, "o": ("identity", {"b0": OWN, "a0": 3, "a1": 7}, [])}, ["o"], LINE
    ),
    "one of two outputs": network(
        {**PAIR, "b0": UNIT, "o": OUTPUT, "p": ("identity", {"a1": 1}, [])}, ["o", "p"], LINE
    ),
    "a shared weight": network(
        {
            **PAIR,
            "b0": ("relu", {"a0": {"param": "s"}, "a1": {"param": "s", "scale": -2}}, []),
            "o": OUTPUT,
        },
        ["o"],
        LINE,
    ),
    "the middle of three": network(
        {**THREE, "b0": ("relu", {"a0": OWN, "a2": OWN, "a1": 3}, []), "o": OUTPUT}, ["o"], LINE
    ),
    "opposite weights": network(
        {**PAIR, "b0": ("relu", {"a0": 1, "a1": -1}, [OWN]), "o": OUTPUT}, ["o"], LINE
    ),
    "opposite arguments of a maximum": network(
        {f"a{k}": ("identity", {"x0": OWN}, [OWN]) for k in (0, 1)}
        | {"b0": ("max", {"a0": 1, "a1": -1}, []), "o": OUTPUT},
        ["o"],
        LINE,
    ),
    "opposite weights of an output": network(
        {**PAIR, "b0": UNIT, "o": ("identity", {"b0": OWN, "a0": 3, "a1": -3}, [])}, ["o"], LINE
    ),
    "activations": network(
        {"a0": PAIR["a0"], "a1": ("abs", {"x0": OWN}, [OWN]), "b0": UNIT, "o": OUTPUT}, ["o"], LINE
    ),
    "a weight of two sources": network(
        {
            **PAIR,
            "b0": UNIT,
            "b1": ("relu", {"a0": OWN}, []),
            "o": ("identity", {"b0": {"param": "s"}, "b1": {"param": "s", "scale": 2}}, [OWN]),
        },
        ["o"],
        LINE,
    ),
    "a later level": network(
        {
            "a0": ("relu", {"x0": 1}, [OWN]),
            "b0": ("relu", {"a0": OWN, "x0": OWN}, []),
            "b1": ("relu", {"x0": OWN, "a0": OWN}, []),
            "c0": ("relu", {"b0": 1, "b1": 3}, [OWN]),
            "o": ("identity", {"c0": OWN}, []),
        },
        ["o"],
        LINE,
    ),
}


@pytest.mark.parametrize("case", READ_APART)
def test_equal_units_that_are_read_apart_are_not_exchanged(case: str) -> None:
    rng = random.Random(case)
    for _ in range(12):
        document = labelled(READ_APART[case], rng)
        assert decide("deep_fits", document, reference.number(0)).status == "sat", document


def test_what_is_homogeneous_but_for_a_constant() -> None:
    """2 (relu(a) + 1) is not relu(2 a) + 1."""
    lifted = {"name": "piecewise_linear", "breakpoints": [0], "slopes": [0, 1]}
    document = network(
        {
            "a0": ("relu", {"x0": OWN}, [OWN]),
            "b0": (lifted | {"intercepts": [1, 1]}, {"a0": OWN}, []),
            "o": ("identity", {"b0": OWN}, []),
        },
        ["o"],
        LINE,
        **{"W[b0,a0]": listed(1, 2, 4), "W[o,b0]": listed(1, 2, 4)},
    )
    rng = random.Random("lifted")
    for _ in range(20):
        assert decide("deep_fits", labelled(document, rng), reference.number(0)).status == "sat"


# ---------------------------------------------------------------- conflicts


@pytest.mark.parametrize("heavy", [0, 1])
def test_outputs_of_different_gains(heavy: int) -> None:
    """What is far apart for an output of small weights is close together for one of large ones."""
    weights = [listed(0, 1), listed(-9, 20)]
    document = network(
        {
            **PAIR,
            "b0": UNIT,
            "b1": UNIT,
            "o": ("identity", {"b0": OWN, "b1": OWN, "x0": OWN}, []),
            "p": ("identity", {"b1": OWN, "b0": OWN}, [OWN]),
        },
        ["o", "p"],
        LINE,
        **{f"W[o,b{k}]": weights[heavy] for k in (0, 1)},
        **{f"W[p,b{k}]": weights[1 - heavy] for k in (0, 1)},
    )
    rng = random.Random(f"gains {heavy}")
    for _ in range(12):
        assert decide("deep_fits", labelled(document, rng), reference.number(0)).status == "sat"


# ---------------------------------------------------------------- hashes


def test_collisions_decide_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """All rows and states have one hash; the sums have 32 bits of it that are all 0."""
    for module in (deep_states, table_build):
        monkeypatch.setattr(module, "multipliers", lambda count: np.zeros(count, dtype=np.uint64))
    rng = random.Random("collisions")
    seen = set[str]()
    for number in range(60):
        document = random_instance(
            rng,
            max_assignments=60,
            loss="absolute",
            hidden_layers=2 + number % 2,
            outputs=1 + number % 3 // 2,
            samples=rng.choice([2, 3, 5]),
            threshold=0,
        )
        if capability("deep_fits", problem_of(document), "decide"):
            fits = reference.minimum(document)[0] == 0
            status = decide("deep_fits", document, reference.number(0)).status
            assert status == ("sat" if fits else "unsat")
            seen.add(status)
    assert seen == {"sat", "unsat"}


# ---------------------------------------------------------------- widths


def stretched(scale: int, outer: int) -> Document:
    """Numbers of up to four times the scale, before an outer weight."""
    return network(
        {
            "a0": ("abs", {"x0": OWN}, []),
            "b0": ("relu", {"a0": OWN, "x0": OWN}, [OWN]),
            "o": ("identity", {"b0": OWN}, []),
        },
        ["o"],
        [[scale], [-scale], [1]],
        **{"W[o,b0]": listed(-outer, outer), "W[a0,x0]": listed(1, 3)},
    )


@pytest.mark.parametrize(("outer", "first"), [(1, 24), (2**20 + 1, 4)])
def test_numbers_at_the_edge_of_machine_integers(outer: int, first: int) -> None:
    """Right, or refused: inputs double from where 32 bits hold all to where 64 do not."""
    answered = 0
    for bits in range(first, 63):
        rng = random.Random(f"{outer} {bits}")
        largest = labelled(stretched(2**bits, outer), None)
        document = labelled(stretched(2**bits - rng.choice([1, 2 ** (bits - 2)]), outer), rng)
        for question in (largest, document):
            if capability("deep_fits", problem_of(question), "decide"):
                answered += 1
                assert decide("deep_fits", question, reference.number(0)).status == "sat"
        data = document["data"]
        for off in (2**32, -(2**31)):
            moved = [[str(int(data["y"][0][0]) + off)], *data["y"][1:]]
            other = document | {"data": data | {"y": moved}}
            if capability("deep_fits", problem_of(other), "decide"):
                fits = reference.minimum(other)[0] == 0
                status = decide("deep_fits", other, reference.number(0)).status
                assert status == ("sat" if fits else "unsat")
    assert answered > 16


# ---------------------------------------------------------------- halves of the sums


def test_halves_are_as_even_as_can_be() -> None:
    rng = random.Random("halves")
    for _ in range(100):
        lists = [rng.choice([1, 1, 2, 3, 4, 6, 35, 100]) for _ in range(rng.randint(0, 6))]
        left, right = halves(lists)
        assert sorted(left + right) == list(range(len(lists)))
        splits = itertools.product((0, 1), repeat=len(lists))
        works = [
            prod(n for n, at in zip(lists, split, strict=True) if at)
            + prod(n for n, at in zip(lists, split, strict=True) if not at)
            for split in splits
        ]
        assert prod(lists[k] for k in left) + prod(lists[k] for k in right) == min(works)


def many_outputs(count: int, bias: Any, x: list[list[int]], domain: Any = None) -> Document:
    outputs = {f"o{k}": ("identity", {"b0": 1 if k else OWN}, [bias]) for k in range(count)}
    overrides = {} if domain is None else {f"b[{name}]": domain for name in outputs}
    return network({**PAIR, "b0": UNIT, **outputs}, list(outputs), x, **overrides)


def test_many_outputs_with_frozen_biases() -> None:
    document = labelled(many_outputs(20, 1, LINE), random.Random("frozen"))
    assert decide("deep_fits", document, reference.number(0)).status == "sat"
    document["data"]["y"][3][11] += "1"
    assert decide("deep_fits", document, reference.number(0)).status == "unsat"


def test_free_biases_on_few_samples_are_lists() -> None:
    """They count: with four samples nobody sees them, with three the sums are too many."""
    free = {"domain": "integer", "low": 0, "high": 999}
    for samples in (3, 4):
        document = many_outputs(5, OWN, LINE[:samples], free)
        assert capability("deep_fits", problem_of(document), "decide") == (samples == 4)
    document = labelled(many_outputs(2, OWN, LINE[:2], free), random.Random("few"))
    form = problem_of(document).integer
    assert form is not None
    assert sizes(form, layers(form)).half >= 3
    assert decide("deep_fits", document, reference.number(0)).status == "sat"
