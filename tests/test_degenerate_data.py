"""Degenerate data, of which there is more in practice than of the other kind.

Repeated and collinear points, inputs that never change, constant and contradictory labels, one
sample, fewer samples than inputs: nothing may assume general position. Finite domains are held
against the reference; over the reals all engines that are complete must agree, at a minimum that
one of them claims and just below it.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

import reference
from engine_checks import capability, complete_engines, decide, least, problem_of
from ermbit.engines.registry import NAMES
from random_instances import CLASSIFICATION, LOSSES
from reference import Document
from rewriters import with_threshold

HAIR = Fraction(1, 10**9)

Rows = list[list[int]]


def _grid(rng: random.Random, samples: int, inputs: int) -> Rows:
    return [[rng.randint(-2, 2) for _ in range(inputs)] for _ in range(samples)]


def duplicates(rng: random.Random) -> Rows:
    rows = _grid(rng, 2, 2)
    return [rng.choice(rows) for _ in range(6)]


def collinear(rng: random.Random) -> Rows:
    start, step = _grid(rng, 2, 2)
    return [[a + k * b for a, b in zip(start, step, strict=True)] for k in range(-2, 3)]


def through_the_origin(rng: random.Random) -> Rows:
    return [[k, -k] for k in (-2, -1, 0, 1, 2)]


def zero_column(rng: random.Random) -> Rows:
    return [[row[0], 0] for row in _grid(rng, 5, 1)]


def constant_column(rng: random.Random) -> Rows:
    return [[1, row[0]] for row in _grid(rng, 5, 1)]


def equal_columns(rng: random.Random) -> Rows:
    return [[row[0], row[0]] for row in _grid(rng, 5, 1)]


def one_sample(rng: random.Random) -> Rows:
    return _grid(rng, 1, 2)


def fewer_samples_than_inputs(rng: random.Random) -> Rows:
    return _grid(rng, 2, 3)


def the_origin(rng: random.Random) -> Rows:
    return [[0, 0]] * 3


DATA: tuple[Callable[[random.Random], Rows], ...] = (
    duplicates,
    collinear,
    through_the_origin,
    zero_column,
    constant_column,
    equal_columns,
    one_sample,
    fewer_samples_than_inputs,
    the_origin,
)
LABELS = ("random", "constant", "contradictory")
FINITE = ("relu", "abs", "step", "square")
REAL = ("relu", "abs", "step", "identity")


def document(
    rng: random.Random, data: Callable[[random.Random], Rows], labels: str, loss: str, **more: Any
) -> Document:
    x = data(rng)
    values = (-1, 1) if loss in CLASSIFICATION else (-2, -1, 0, 1, 3)
    y = [rng.choice(values) for _ in x]
    if labels == "constant":
        y = [y[0]] * len(x)
    elif labels == "contradictory":
        x, y = x[:3] * 2, [*y[:3], *(-v if v else 1 for v in y[:3])]
    layers: list[dict[str, Any]] = [{"units": 1, "activation": "identity"}]
    if more["activation"] != "identity":
        layers.insert(0, {"units": more.get("units", 1), "activation": more["activation"]})
    return {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": len(x[0]), "layers": layers},
        "weights": more["weights"],
        "data": {"x": x, "y": [[v] for v in y]},
        "loss": {"name": loss, "reduction": rng.choice(("sum", "mean", "max"))},
        "threshold": 0,
    }


def every_other(activations: tuple[str, ...], loss: str) -> list[tuple[int, str, str]]:
    """Every other pair of labels and activation, in turn the odd and the even ones by loss."""
    pairs = itertools.product(activations, LABELS)  # an odd number last: all activations occur
    numbered = [(n, labels, activation) for n, (activation, labels) in enumerate(pairs)]
    return numbered[LOSSES.index(loss) % 2 :: 2]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("data", DATA)
def test_finite_domains(data: Callable[[random.Random], Rows], loss: str) -> None:
    asked: Counter[str] = Counter()
    for number, labels, activation in every_other(FINITE, loss):
        rng = random.Random(f"{data.__name__} {loss} {number}")
        small = {"domain": "finite", "values": [-1, 1]} | (
            {"biases": {"domain": "finite", "values": [0, 1]}} if number % 2 else {}
        )
        doc = document(rng, data, labels, loss, activation=activation, weights=small)
        minimum = reference.minimum(doc)[0]
        for name in complete_engines(doc)["minimize"]:
            assert least(name, doc) == ("optimal", minimum), (name, minimum, doc)
        for threshold, answer in ((minimum, "sat"), (minimum - HAIR, "unsat")):
            for name in complete_engines(with_threshold(doc, threshold))["decide"]:
                asked[name] += 1
                assert decide(name, doc, threshold).status == answer, (name, minimum, doc)
    assert min(asked[name] for name in ("exhaustive", "tables", "sat", "smt")) >= 4, asked


@pytest.mark.parametrize("loss", [name for name in LOSSES if name != "squared"])
@pytest.mark.parametrize("data", DATA)
def test_real_domains(data: Callable[[random.Random], Rows], loss: str) -> None:
    for number, labels, activation in every_other(REAL, loss):
        rng = random.Random(f"real {data.__name__} {loss} {number}")
        weights = {"domain": "real"}
        doc = document(rng, data, labels, loss, activation=activation, weights=weights)
        # Products of unknowns are the business of the tests of nra.
        engines = [n for n in NAMES if n not in ("nra", "coverings")]
        minimising = [n for n in engines if capability(n, problem_of(doc), "minimize")]
        minima = {name: least(name, doc) for name in minimising}
        assert "smt" in minima and len(set(minima.values())) == 1, (minima, doc)
        status, infimum = minima["smt"]
        at = "sat" if status == "optimal" else "unsat"
        expected = {infimum: at, infimum - HAIR: "unsat", infimum + HAIR: "sat"}
        for threshold, answer in expected.items():
            # An engine may be complete for one threshold and not for another.
            problem = problem_of(with_threshold(doc, threshold))
            for name in engines:
                if capability(name, problem, "decide"):
                    assert decide(name, doc, threshold).status == answer, (name, threshold, doc)
