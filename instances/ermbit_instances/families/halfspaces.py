"""One halfspace with few errors: random labels, or a hidden halfspace with labels turned over.

Let z = y·x, with y as a last entry where there is a bias: a sample is right iff w·z > 0. Of the
samples with z on one ray and those with z on the opposite ray only one kind can be right, and z = 0
is always an error: this proves a lower bound on the number of errors. Upper bounds are the hidden
halfspace and, where the domain has it, the constant with the commoner label.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import gcd
from typing import Any

from gmpy2 import mpq

from ermbit_instances.families import labelling
from ermbit_instances.families.domain_text import domain_document, domain_of
from ermbit_instances.families.family import (
    Family,
    FamilyError,
    FamilyParameter,
    Generated,
    certificate_document,
    instance_document,
    register,
)
from ermbit_instances.families.layered import Architecture, Weights, architecture
from ermbit_instances.families.planting import (
    Sample,
    corrupt,
    data_document,
    loss_of,
    teacher_and_samples,
)
from ermbit_instances.families.rng import Rng
from ermbit_instances.families.shared_parameters import (
    BIAS,
    INPUTS,
    REDUCTION,
    SAMPLES,
    check_ranges,
    domain_parameter,
    range_parameters,
    read_threshold,
)
from ermbit_instances.rational import Rational, write_rational

PLANTED = "planted"

_LOSS = "zero_one"


def build(rng: Rng, parameters: Mapping[str, Any]) -> Generated:
    """Labels of a hidden halfspace of which ``flipped`` are turned over, or random labels."""
    check_ranges(parameters, "data")
    count, reduction = parameters["samples"], parameters["reduction"]
    weights = domain_document(parameters["domain"])
    shape = architecture(parameters["inputs"], "none", "identity", 1, parameters["bias"] == "yes")
    hidden, samples = _samples(rng, parameters, shape, weights)
    threshold = _threshold(parameters, shape, hidden, samples)
    errors = least_errors(samples, shape.bias)
    bound = labelling.reduce([mpq(i < errors) for i in range(count)], reduction)
    meta: dict[str, Any] = {"status": "unknown", "how": "between the bounds that are known"}
    certificate = None
    for theta, how in ((hidden, "planted halfspace"), (_constant(shape, samples), "constant")):
        domain = domain_of(weights)
        if theta is None or not all(value in domain for value in theta.all_values()):
            continue
        achieved = loss_of(shape, theta, samples, _LOSS, reduction)
        if achieved == bound:
            meta["minimum"] = write_rational(achieved)
        if certificate is None and achieved <= threshold:
            how = f"{how} with loss {write_rational(achieved)}"
            meta |= {"status": "sat", "how": how}
            certificate = certificate_document(theta.document())
    if threshold < bound:
        how = f"samples that contradict each other cost at least {write_rational(bound)}"
        meta |= {"status": "unsat", "how": how}
    document = instance_document(
        f"halfspaces-{parameters['labels']}-{shape.inputs}-n{count}",
        shape.document(),
        weights,
        data_document(samples),
        labelling.loss_document(_LOSS, reduction),
        threshold,
        meta | {"lower_bound": write_rational(bound)},
    )
    return Generated(document, certificate)


def least_errors(samples: Sequence[Sample], bias: bool) -> int:
    """Errors that every halfspace makes: the bound of the module docstring."""
    rays = Counter(_direction(x, y[0], bias) for x, y in samples)
    errors = 0
    for ray, count in rays.items():
        opposite = tuple(-entry for entry in ray)
        if ray == opposite:
            errors += count
        elif ray > opposite:
            errors += min(count, rays[opposite])
    return errors


def _direction(x: Sequence[Rational], y: Rational, bias: bool) -> tuple[int, ...]:
    """z over the greatest common divisor of its entries (inputs are integers)."""
    z = [int(y * entry) for entry in (*x, *([1] if bias else []))]
    return tuple(entry // (gcd(*z) or 1) for entry in z)


def _samples(
    rng: Rng, parameters: Mapping[str, Any], shape: Architecture, weights: dict[str, Any]
) -> tuple[Weights | None, list[Sample]]:
    count, span = parameters["samples"], (parameters["data_low"], parameters["data_high"])
    if parameters["flipped"] > count:
        raise FamilyError("parameter flipped: more than samples")
    if parameters["labels"] == PLANTED:
        hidden, samples = teacher_and_samples(rng, shape, weights, _LOSS, count, span)
        return hidden, corrupt(rng, samples, parameters["flipped"], _LOSS, 1)
    samples = []
    for _ in range(count):
        x = [mpq(rng.integers(*span)) for _ in range(shape.inputs)]
        samples.append((x, [mpq(rng.choice((-1, 1)))]))
    return None, samples


def _threshold(
    parameters: Mapping[str, Any],
    shape: Architecture,
    hidden: Weights | None,
    samples: Sequence[Sample],
) -> Rational:
    if parameters["threshold"] != PLANTED:
        return read_threshold(parameters, "threshold")
    if hidden is None:
        raise FamilyError("parameter threshold: random labels need a number")
    return loss_of(shape, hidden, samples, _LOSS, parameters["reduction"])


def _constant(shape: Architecture, samples: Sequence[Sample]) -> Weights | None:
    """The halfspace that is everything or nothing, whichever has fewer errors."""
    if not shape.bias:
        return None
    label = mpq(1 if sum(y[0] for _, y in samples) >= 0 else -1)
    return Weights((((mpq(0),) * shape.inputs,),), ((label,),))


HALFSPACES = register(
    Family(
        name="halfspaces",
        summary="one halfspace with few errors; random labels or a hidden halfspace with noise",
        source="densest hemisphere (Johnson & Preparata 1978); agnostic learning of halfspaces",
        parameters=(
            replace(INPUTS, default=3),
            BIAS,
            domain_parameter("real"),
            FamilyParameter(
                "labels", "choice", PLANTED, "of a hidden halfspace, or random",
                choices=(PLANTED, "random"),
            ),
            replace(SAMPLES, default=20),
            FamilyParameter("flipped", "integer", 2, "labels turned over", 0, 100_000),
            *range_parameters("data", "input", -9, 9),
            replace(REDUCTION, default="sum"),
            FamilyParameter(
                "threshold", "text", PLANTED, "the threshold, or planted: the hidden one's loss"
            ),
        ),
        build=build,
    )
)  # fmt: skip
