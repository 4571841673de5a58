"""Numbers on which steps of the `lifting` engine have failed: it may know less, but goes on."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

from engine_checks import decide, minimize, problem_of
from ermbit.engines.engine import Budget, ignore
from ermbit.engines.registry import engine
from reference import Document
from rewriters import with_threshold

REAL: dict[str, Any] = {"domain": "real"}
PRIME = 2**31 - 1
"""The prime of the residues from which ranks are guessed."""


def document(
    x: Any, y: Any, layers: Any, *, loss: str = "squared", weights: Any = REAL
) -> Document:
    return {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": len(x[0]), "layers": layers},
        "weights": weights,
        "data": {"x": x, "y": [[v] for v in y]},
        "loss": {"name": loss, "reduction": "mean"},
        "threshold": 0,
    }


def test_denominators_that_the_prime_divides() -> None:
    layers = [{"units": 2, "activation": "square"}, {"units": 1, "activation": "identity"}]
    made = document([[f"1/{PRIME}"], [1], [2]], [1, 2, 3], layers)
    assert engine("lifting").capability(problem_of(made), "decide").applicable
    assert decide("lifting", made, Fraction(0)).status in ("sat", "unknown")


def test_an_approach_that_needs_roots() -> None:
    layers = [
        {"units": 1, "activation": "square"},
        {"units": 1, "activation": "identity", "weights": [[3]]},
    ]
    x = [[-1], [0], [1], [2]]
    rational = {"domain": "rational", "bits": 40}
    made = document(x, [v for (v,) in x], layers, loss="absolute", weights=rational)
    lifting = engine("lifting")
    problem = problem_of(with_threshold(made, Fraction(1, 10)))
    assert lifting.decide(problem, Budget(), ignore).status in ("sat", "unknown")
    outcome = lifting.minimize(problem_of(made), Budget(), ignore)
    assert outcome.status in ("feasible", "unknown")


@pytest.mark.parametrize("size", ["1e10", "1e78"])
def test_products_past_the_range_of_floats(size: str) -> None:
    plain = {"bias": False}
    layers = [{"units": 1, "activation": "square", **plain}, {"units": 1, **plain}]
    layers[1]["activation"] = "identity"
    made = document([[size, 0], [0, 1], [size, 1], [1, 1]], [1, 2, 7, 0], layers)
    assert minimize("lifting", made).status in ("feasible", "optimal", "infimum", "unknown")


def test_free_columns_alone_leave_nothing_to_shift_against() -> None:
    layers = [
        {"name": "h", "units": 1, "activation": "square", "bias": False, "mask": [[1, 0]]},
        {"units": 1, "activation": "identity", "bias": False, "from": ["h", "input"],
         "mask": [[1, 0, 1]]},
    ]  # fmt: skip
    x, y = [[1, 1], [2, 4], [3, 9], [-1, 1]], ["1e10", "3e10", "-1e10", "7e10"]
    made = document(x, y, layers, weights={"domain": "integer", "low": -5, "high": 5})
    assert minimize("lifting", made).status in ("feasible", "optimal", "infimum", "unknown")


@pytest.mark.parametrize("scale", [1, 10**9, 10**12])
def test_targets_of_any_size_are_fitted(scale: int) -> None:
    """What floats leave of a fit is small beside the targets, not beside 1."""
    x = [[a, b] for a in range(-2, 2) for b in range(-1, 2)]
    y = [scale * (3 * (2 * a - 3 * b + 1) ** 3 - (a + b - 2) ** 3 + 1) for a, b in x]
    cubes = {"units": 2, "activation": {"name": "polynomial", "coefficients": [0, 0, 0, 1]}}
    made = document(x, y, [cubes, {"units": 1, "activation": "identity"}])
    assert decide("lifting", made, Fraction(0)).status == "sat"
