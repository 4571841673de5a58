"""Thresholds far above every loss: each engine says sat, whatever width its numbers have."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest

import rewriters
from engine_checks import decide, problem_of
from ermbit.engines.registry import NAMES, engine
from reference import Document

FAR = [Fraction(2**k + d) for k in (31, 53, 62, 63, 64, 128) for d in (-1, 0, 1)]
FAR += [Fraction(10**30), Fraction(10**18, 7)]
BITS = {"domain": "integer", "low": -1, "high": 1}
SHAPES: dict[str, tuple[list[tuple[int, Any]], Any, str]] = {
    "one layer": ([(2, "relu"), (1, "identity")], BITS, "absolute"),
    "two layers": ([(1, "relu"), (2, "relu"), (1, "identity")], BITS, "absolute"),
    "squares": ([(1, "relu"), (2, "abs"), (1, "identity")], BITS, "squared"),
    "errors": ([(1, "step"), (2, "relu"), (1, "identity")], BITS, "zero_one"),
    "hinge": ([(2, "square"), (1, "identity")], BITS, "hinge"),
    "real cells": ([(2, "relu"), (1, "identity")], {"domain": "real"}, "squared"),
    "real steps": ([(2, "step"), (1, "identity")], {"domain": "real"}, "absolute"),
    "real halfspace": ([(1, "identity")], {"domain": "real"}, "zero_one"),
    "real squares": ([(3, "square"), (1, "identity")], {"domain": "real"}, "absolute"),
}


def document(shape: str, reduction: str) -> Document:
    layers, weights, loss = SHAPES[shape]
    y = [[1], [-1], [1]] if loss in ("zero_one", "hinge") else [[0], [1], ["5/3"]]
    return {
        "format": "ermbit-instance",
        "version": 1,
        "network": {
            "inputs": 1,
            "layers": [
                {"units": units, "activation": activation, "bias": number == 0}
                for number, (units, activation) in enumerate(layers)
            ],
        },
        "weights": weights,
        "data": {"x": [[0], [1], [2]], "y": y},
        "loss": {"name": loss, "reduction": reduction},
        "threshold": 0,
    }


SLOW = ("smt", "nra", "coverings")
"""Arithmetic without any width; the first is asked for a few thresholds."""


@pytest.mark.parametrize("reduction", ("mean", "sum", "max"))
@pytest.mark.parametrize("shape", SHAPES)
def test_every_engine_says_sat(shape: str, reduction: str) -> None:
    doc = document(shape, reduction)
    asked = 0
    for far in FAR:
        problem = problem_of(rewriters.with_threshold(doc, far))
        for name in NAMES:
            if name in SLOW and (name != SLOW[0] or far not in FAR[::7]):
                continue
            if engine(name).capability(problem, "decide").complete:
                asked += 1
                assert decide(name, doc, far).status == "sat", (name, far)
    # The greatest of several squares over the reals is nobody's but the slow ones'.
    assert asked or (shape, reduction) == ("real cells", "max")
