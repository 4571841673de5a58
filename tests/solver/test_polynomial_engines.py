"""Engines that take any activation, on polynomial ones: all find the reference's least loss."""

from __future__ import annotations

import random
from collections import Counter
from fractions import Fraction
from typing import Any

import reference
from engine_checks import SIZES, capability, decide, least, network_degree, problem_of
from random_instances import random_instance

HAIR = Fraction(1, 10**9)
ENGINES = ("exhaustive", "tables", "deep_tables", "enclosures", "sat")
ACTIVATIONS: tuple[Any, ...] = (
    "square",
    "polynomial",
    {"name": "polynomial", "coefficients": [0, 1, 1]},
    {"name": "polynomial", "coefficients": [1, -1, 0, "1/2"]},
    {"name": "polynomial", "coefficients": [0, 0, -1, 0, 1]},
)


def test_polynomial_networks() -> None:
    runs: Counter[str] = Counter()
    for number in range(45):
        document = random_instance(
            random.Random(f"polynomial engines {number}"),
            max_assignments=60,
            activation=ACTIVATIONS[number % len(ACTIVATIONS)],
            hidden_layers=1 + number % 3,
        )
        minimum = reference.achievable(document)[0]
        problem = problem_of(document)
        count, degree = reference.assignment_count(document), network_degree(document)
        for name in ENGINES:
            size = SIZES[name]
            if count > size.minimize or degree > size.minimize_degree:
                continue
            if not capability(name, problem, "minimize"):
                continue
            runs[name] += 1
            assert least(name, document) == ("optimal", minimum), (name, number)
            assert decide(name, document, minimum).status == "sat", (name, number)
            assert decide(name, document, minimum - HAIR).status == "unsat", (name, number)
    assert runs["exhaustive"] >= 40 and runs["enclosures"] >= 35
    assert min(runs[name] for name in ENGINES) >= 15, runs
