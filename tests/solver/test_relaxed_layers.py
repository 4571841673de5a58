"""Finite domains that are relaxed to the reals: refutations and bounds hold, no more is claimed."""

from __future__ import annotations

import copy
import random
from fractions import Fraction
from typing import Any

import pytest

import reference
from engine_checks import decide, fraction, least, minimize, problem_of
from ermbit.engines import one_hidden_layer
from ermbit.engines.registry import engine
from reference import Document

WIDE: list[dict[str, Any]] = [
    {"domain": "integer", "low": -100, "high": 100},
    {"domain": "fixed_point", "bits": 8, "fraction_bits": 4},
    {"domain": "float", "format": "fp8_e4m3"},
    {"domain": "float", "format": "float16"},
]


def document(
    rng: random.Random, domains: dict[str, Any], activation: str, units: int, samples: int
) -> Document:
    """One input, labels −3 … 3 for ``absolute`` and −1, 1 for ``hinge``."""
    loss = rng.choice(["absolute", "hinge"])
    labels = (-1, 1) if loss == "hinge" else range(-3, 4)
    return {
        "format": "ermbit-instance",
        "version": 1,
        "network": {
            "inputs": 1,
            "layers": [
                {"name": "inner", "units": units, "activation": activation},
                {"name": "outer", "units": 1, "activation": "identity"},
            ],
        },
        "weights": domains,
        "data": {
            "x": [[rng.randint(-3, 3)] for _ in range(samples)],
            "y": [[rng.choice(labels)] for _ in range(samples)],
        },
        "loss": {"name": loss, "reduction": rng.choice(["sum", "mean", "max"])},
        "threshold": 0,
    }


@pytest.mark.parametrize("index", range(24))
def test_against_enumeration(index: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_hidden_layer, "CHOICES", 0)
    rng = random.Random(f"relaxed layers {index}")
    name, activation = rng.choice(
        [("cells", "relu"), ("cells", "abs"), ("dichotomies", "step"), ("dichotomies", "sign")]
    )
    domains: dict[str, Any] = {"domain": "integer", "low": -2, "high": rng.choice([0, 2])}
    domains["parameters"] = {
        "outer": rng.choice(
            [
                {"domain": "finite", "values": [1, 2]},
                {"domain": "finite", "values": [-3, "-1/2", 0]},
                {"domain": "finite", "values": [0]},
                {"domain": "integer", "low": -1, "high": 1},
            ]
        )
    }
    doc = document(rng, domains, activation, rng.choice([1, 1, 2]), rng.randint(1, 5))
    said = engine(name).capability(problem_of(doc), "decide")
    assert said.applicable and not said.complete
    minimum, _ = reference.minimum(doc)
    for threshold in (minimum, minimum * Fraction(9, 10)):
        # A refutation or a certificate is right; the latter is checked by ``decide``.
        truth = "sat" if threshold >= minimum else "unsat"
        assert decide(name, doc, threshold).status in (truth, "unknown")
    outcome = minimize(name, doc)
    assert outcome.lower_bound is not None and fraction(outcome.lower_bound) <= minimum
    if outcome.status == "optimal":
        assert fraction(outcome.lower_bound) == minimum


@pytest.mark.parametrize("domains", WIDE, ids=lambda d: str(d.get("format", d["domain"])))
@pytest.mark.parametrize(("name", "activation"), [("cells", "relu"), ("dichotomies", "step")])
def test_bounds_are_those_of_the_reals(name: str, activation: str, domains: Any) -> None:
    rng = random.Random(f"{name} {domains}")
    doc = document(rng, copy.deepcopy(domains), activation, 2, 9)
    status, bound = least(name, doc | {"weights": {"domain": "real"}})
    assert status == "optimal"
    outcome = minimize(name, doc)
    assert outcome.lower_bound is not None and fraction(outcome.lower_bound) == bound
    if bound:
        assert decide(name, doc, bound * Fraction(99, 100)).status == "unsat"


def test_large_outer_domains_keep_their_signs() -> None:
    """Σ v_j relu(…) with v_j ≥ 0 is convex; the labels 0, 1, 0 are not."""
    rng = random.Random(0)
    doc = document(rng, {"domain": "real"}, "relu", 2, 3)
    doc["data"] = {"x": [[0], [1], [2]], "y": [[0], [1], [0]]}
    doc["loss"] = {"name": "absolute", "reduction": "sum"}
    doc["weights"]["parameters"] = {"outer": {"domain": "integer", "low": 0, "high": 10**6}}
    outcome = minimize("cells", doc)
    assert outcome.lower_bound is not None and fraction(outcome.lower_bound) == 1
    doc["weights"]["parameters"] = {"outer": {"domain": "integer", "low": -1, "high": 10**6}}
    assert decide("cells", doc, Fraction(0)).status in ("sat", "unknown")


def test_few_choices_are_left_to_enumeration() -> None:
    doc = document(random.Random(0), {"domain": "integer", "low": -1, "high": 1}, "relu", 2, 4)
    said = engine("cells").capability(problem_of(doc), "decide")
    assert not said.applicable and "finite" in said.reason
