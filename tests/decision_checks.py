"""Decisions of the float64 filter on cases in bulk, held against naive exact evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gmpy2 import mpq

import reference
from ermbit.verifier.bulk.filtered import FilteredLoss, filtered_loss
from ermbit_instances.certificate import parse_certificate
from ermbit_instances.instance import parse_instance
from piecewise_linear_cases import Block, Floats, instance_of, naive_risk, numbers

LOSSES: tuple[dict[str, Any], ...] = (
    {"name": "absolute"},
    {"name": "squared"},
    {"name": "hinge"},
    {"name": "zero_one"},
    {"name": "zero_one", "margin": "1/3"},
)


def labels_for(
    rng: np.random.Generator, loss: dict[str, Any], kind: str, rows: int, last: Block
) -> Any:
    """Labels for the outputs of a last block; two of several classes are made to tie always."""
    width = len(last.weights)
    if loss["name"] not in ("hinge", "zero_one"):
        return numbers(rng, kind, (rows, width))
    if width == 1:
        return rng.choice([-1, 1], (rows, 1))
    # Two outputs that are always equal: ties, which the float pass may compute unequal.
    last.weights[1], last.bias[1] = last.weights[0], last.bias[0]
    if last.mask is not None:
        last.mask[1] = last.mask[0]
    return rng.integers(0, width, (rows, 1))


def sample_weights(rng: np.random.Generator, rows: int) -> list[Any]:
    """Sixths from 0 to 4/6, and a 1."""
    weights = [mpq(int(v), 6) for v in rng.integers(0, 5, rows)]
    weights[3] = mpq(1)
    return weights


def check_decisions(
    loss: dict[str, Any],
    blocks: Sequence[Block],
    x: Floats,
    y: Floats,
    weights: Sequence[Any] | None,
) -> FilteredLoss:
    """Ask for thresholds at the loss, a hair off it, and far off; then for the loss itself."""
    truth = naive_risk(loss, blocks, x, y, weights)
    for nudge in (0, mpq(1, 10**40), -mpq(1, 10**40), truth / 3 + 1, -truth / 3):
        threshold = truth + nudge
        instance, values = instance_of(blocks, x, y, loss, weights=weights, threshold=threshold)
        found = filtered_loss(instance, values, exact=False)
        assert found.above is (truth > threshold)
        assert found.low <= truth <= found.high
        assert found.loss in (None, truth)
    found = filtered_loss(instance, values, exact=True)
    assert found.loss == found.low == found.high == truth
    return found


def check_that_bounds_matter(blocks: Sequence[Block], x: Floats) -> None:
    """Labels 1 of which a pass without error bounds gets some wrong."""
    loss, y = {"name": "zero_one", "reduction": "sum"}, np.ones((len(x), 1))
    instance, values = instance_of(blocks, x, y, loss, threshold=mpq(0))
    truth = naive_risk(loss, blocks, x, y)
    assert filtered_loss(instance, values, exact=True).loss == truth
    assert filtered_loss(instance, values, exact=True, safety=0.0).loss != truth


def check_what_no_float_holds(
    hidden: Any, output: Any, x: list[list[Any]], y: list[list[Any]]
) -> None:
    """Fractions and numbers out of range, at two inputs, three hidden units and one output.

    The loss is that of the reference, all samples evaluated exactly.
    """
    document = {
        "format": "ermbit-instance",
        "version": 1,
        "network": {
            "inputs": 2,
            "layers": [{"units": 3, "activation": hidden}, {"units": 1, "activation": output}],
        },
        "weights": {"domain": "real"},
        "data": {"x": x, "y": y},
        "loss": {"name": "absolute", "reduction": "sum"},
    }
    theta: dict[str, Any] = {
        "W1": [["1/3", "2/7"], [10**320, -1], ["1e-400", 3]],
        "b1": ["1/10", 0, "-1/9"],
        "W2": [["1/3", f"1/{10**320}", 1]],
        "b2": ["-1/11"],
    }
    instance = parse_instance(document)
    values = parse_certificate(theta, instance).values
    named = {
        p.name: reference.number(str(v))
        for p, v in zip(instance.network.parameters, values, strict=True)
    }
    found = filtered_loss(instance, values, exact=True)
    assert found.loss == reference.loss(document, named)
    assert found.exact_samples == len(instance.data)
