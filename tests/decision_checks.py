"""Decisions of the float64 filter on cases in bulk, held against naive exact evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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
)


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
