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
from piecewise_linear_cases import (
    Block,
    Floats,
    instance_of,
    naive_loss,
    naive_outputs,
    naive_total,
    numbers,
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
    targets = [[mpq(v) for v in row] for row in y.tolist()]
    singles = [
        naive_loss(loss, f, t) for f, t in zip(naive_outputs(blocks, x), targets, strict=True)
    ]
    truth = naive_total(loss, singles, weights)
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


def check_exact_loss(document: dict[str, Any], theta: dict[str, Any]) -> FilteredLoss:
    """The exact loss of a document at θ is that of the reference, all samples evaluated exactly."""
    instance = parse_instance(document)
    values = parse_certificate(theta, instance).values
    named = {
        p.name: reference.number(str(v))
        for p, v in zip(instance.network.parameters, values, strict=True)
    }
    found = filtered_loss(instance, values, exact=True)
    assert found.loss == reference.loss(document, named)
    assert found.exact_samples == len(instance.data)
    return found
