"""The number of bits from which on rational domains decide as the reals do."""

from __future__ import annotations

import random
from typing import Any

import pytest

import reference
from engine_checks import check_certificate, minimize, problem_of
from ermbit.inspection import describe
from ermbit_encodings.vertex_bound import vertex_bits
from ermbit_instances.instance import parse_instance
from reference import Document


def document(x: Any, y: Any, **more: Any) -> Document:
    hidden = {"units": more.get("units", 1), "activation": more.get("activation", "relu")}
    return {
        "format": "ermbit-instance",
        "version": 1,
        "network": {
            "inputs": len(x[0]),
            "layers": [hidden | more.get("hidden", {}), {"units": 1, "activation": "identity"}],
        },
        "weights": more.get("weights", {"domain": "real"}),
        "data": {"x": x, "y": y},
        "loss": more.get("loss", {"name": "absolute", "reduction": "sum"}),
        "threshold": more.get("threshold", 0),
    }


def test_by_hand() -> None:
    """n = 3; D = 2, M = 2·3; g = 4, M_L = 4·(2·2·3 + 1·2·2): H = ⌈3^(3/2)⌉·6²·64 = 13,824."""
    doc = document([[3], ["1/2"]], [[0], [1]], threshold="3/4")
    assert vertex_bits(problem_of(doc)) == 14
    assert (6 * 36 * 64).bit_length() == 14
    assert describe(parse_instance(doc))["vertex_bits"] == 14


@pytest.mark.parametrize(
    "change",
    [
        {"hidden": {"biases": [1]}},  # not a cone
        {"hidden": {"weights": [[{"param": "w", "scale": 2}]]}},
        {"hidden": {"weights": [[{"param": "w"}]], "biases": [{"param": "w"}]}},
        {"activation": "step"},
        {"activation": {"name": "leaky_relu", "slope": "1/2"}},
        {"activation": "square"},
        {"loss": {"name": "squared", "reduction": "max"}},
        {"threshold": -1},
        {"weights": {"domain": "integer", "low": -1, "high": 1}},
    ],
)
def test_where_it_says_nothing(change: dict[str, Any]) -> None:
    assert vertex_bits(problem_of(document([[3], [1]], [[0], [1]], **change))) is None


@pytest.mark.parametrize("seed", range(12))
def test_minima_over_the_reals_are_reached_with_so_many_bits(seed: int) -> None:
    rng = random.Random(f"vertex bits {seed}")
    count, units = rng.choice([(3, 1), (4, 1), (4, 2)])
    x = [[rng.randint(-3, 3)] for _ in range(count)]
    loss = rng.choice(["absolute", "hinge", "zero_one"])
    labels = (-2, 0, 1) if loss == "absolute" else (-1, 1)
    y = [[rng.choice(labels)] for _ in x]
    reduction = rng.choice(["sum", "mean", "max"])
    name = {"name": loss, "reduction": reduction}
    doc = document(x, y, units=units, loss=name, activation=rng.choice(["relu", "abs"]))
    outcome = minimize("smt", doc)
    assert outcome.status == "optimal" and outcome.values is not None
    least = check_certificate(doc, outcome.values, None)
    doc["threshold"] = str(least)
    bits = vertex_bits(problem_of(doc))
    assert bits is not None
    # Far fewer bits are needed: the solution found is as short as the theorem says, and more.
    longest = max(max(abs(v.numerator), v.denominator) for v in outcome.values)
    assert int(longest).bit_length() <= bits


def test_reference_agrees_on_the_smallest_case() -> None:
    """w·x on (1, 1), threshold 0: solved by 1, within one bit."""
    doc = document([[1]], [[1]], weights={"domain": "rational", "bits": 1})
    assert reference.minimum(doc)[0] == 0
    assert vertex_bits(problem_of(doc)) is not None
