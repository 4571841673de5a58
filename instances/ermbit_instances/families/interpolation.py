"""Random inputs and random targets to be met exactly: more samples, or more parameters?

Status:

* ``unsat`` where equal inputs have different targets that cost every network more than γ;
* over the reals, without a hidden layer, exact linear algebra decides loss 0;
* over the reals, hidden layers with random small integers are tried, and the output layer is solved
  for exactly, which with N - 1 units in the last hidden layer or more nearly always meets N
  targets: then the instance is ``sat`` with a rational certificate;
* else ``unknown``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gmpy2 import mpq

from ermbit_instances.domain import RealDomain
from ermbit_instances.families import labelling
from ermbit_instances.families.contradictions import lower_bound
from ermbit_instances.families.domain_text import domain_document, domain_of
from ermbit_instances.families.family import (
    Family,
    FamilyParameter,
    Generated,
    certificate_document,
    instance_document,
    read_rational,
    register,
)
from ermbit_instances.families.layered import (
    Architecture,
    Layer,
    Weights,
    draw_weights,
    evaluate,
    shape_of,
)
from ermbit_instances.families.planting import Sample, data_document
from ermbit_instances.families.rng import Rng
from ermbit_instances.families.shared_parameters import (
    ACTIVATION,
    BIAS,
    HIDDEN,
    INPUTS,
    OUTPUTS,
    REDUCTION,
    SAMPLES,
    THRESHOLD,
    check_ranges,
    domain_parameter,
    loss_parameter,
)
from ermbit_instances.linear_equations import solve
from ermbit_instances.rational import Rational, write_rational

_TRIES = 5
_LARGEST = 200
_SPREAD = 9
_WIDE = 10**9


def build(rng: Rng, parameters: Mapping[str, Any]) -> Generated:
    """N random inputs and targets on grids of integers over the two denominators."""
    check_ranges(parameters, "data", "label")
    outputs, loss, reduction = parameters["outputs"], parameters["loss"], parameters["reduction"]
    threshold = read_rational(parameters["threshold"], "parameter threshold")
    weights = domain_document(parameters["domain"])
    shape = shape_of(parameters)
    samples: list[Sample] = []
    for _ in range(parameters["samples"]):
        x = _draw(rng, parameters, "data", shape.inputs)
        samples.append((x, _draw(rng, parameters, "label", outputs)))
    bound = lower_bound(samples, loss, reduction)
    theta = None
    meta: dict[str, Any] = {"status": "unknown", "how": "random targets"}
    if threshold < bound:
        cost = write_rational(bound)
        how = f"equal inputs with different targets cost at least {cost}"
        meta = {"status": "unsat", "how": how}
    elif isinstance(domain_of(weights), RealDomain) and bound == 0:
        theta = _fitted(rng, shape, samples)
        if theta is not None:
            meta = {"status": "sat", "minimum": 0, "how": "output layer by exact linear algebra"}
        elif len(shape.layers) == 1 and threshold == 0:
            meta = {"status": "unsat", "how": "the linear system has no solution"}
    count = free_parameters(shape)
    document = instance_document(
        f"interpolation-{shape.inputs}-{parameters['hidden']}-n{len(samples)}-p{count}",
        shape.document(),
        weights,
        data_document(samples),
        labelling.loss_document(loss, reduction),
        threshold,
        meta | {"free_parameters": count},
    )
    certificate = None if theta is None else certificate_document(theta.document())
    return Generated(document, certificate)


def free_parameters(shape: Architecture) -> int:
    """The number of weights and biases."""
    count, fan_in = 0, shape.inputs
    for layer in shape.layers:
        count += layer.units * (fan_in + shape.bias)
        fan_in = layer.units
    return count


def _draw(rng: Rng, parameters: Mapping[str, Any], kind: str, length: int) -> list[Rational]:
    low, high = parameters[f"{kind}_low"], parameters[f"{kind}_high"]
    denominator = parameters[f"{kind}_denominator"]
    return [mpq(rng.integers(low, high), denominator) for _ in range(length)]


def _fitted(rng: Rng, shape: Architecture, samples: Sequence[Sample]) -> Weights | None:
    """θ with loss 0: drawn hidden layers, and an output layer that fits them exactly."""
    if len(samples) > _LARGEST:
        return None
    *hidden, last = shape.layers
    width = hidden[-1].units if hidden else shape.inputs
    # The drawn hidden layers, as a network whose outputs are the last hidden units.
    below = Architecture(shape.inputs, tuple(hidden), shape.bias)
    for _ in range(_TRIES if hidden else 1):
        drawn = draw_weights(below, lambda: mpq(rng.integers(-_SPREAD, _SPREAD)))
        features = [evaluate(below, drawn, x) if hidden else x for x, _ in samples]
        rows = [[*row, mpq(1)] if shape.bias else row for row in features]
        solved = _output_layer(last, rows, samples)
        if solved is not None:
            matrix = tuple(tuple(row[:width]) for row in solved)
            offsets = (*drawn.biases, tuple(row[width] for row in solved)) if shape.bias else ()
            return Weights((*drawn.matrices, matrix), offsets)
    return None


def _output_layer(
    last: Layer, rows: Sequence[Sequence[Rational]], samples: Sequence[Sample]
) -> list[list[Rational]] | None:
    solved = []
    for output in range(last.units):
        row = solve(rows, [y[output] for _, y in samples])
        if row is None:
            return None
        solved.append(row)
    return solved


INTERPOLATION = register(
    Family(
        name="interpolation",
        summary="random inputs and targets, to be met exactly; status by linear algebra or unknown",
        source="capacity of networks on random targets (Baum 1988; Sontag 1997)",
        parameters=(
            INPUTS,
            HIDDEN,
            ACTIVATION,
            replace(OUTPUTS, help="outputs"),
            BIAS,
            domain_parameter("real"),
            loss_parameter("absolute", labelling.TARGET_LOSSES),
            REDUCTION,
            replace(SAMPLES, default=4),
            FamilyParameter("data_low", "integer", -9, "least numerator of inputs", -_WIDE, _WIDE),
            FamilyParameter("data_high", "integer", 9, "greatest one of inputs", -_WIDE, _WIDE),
            FamilyParameter("data_denominator", "integer", 1, "denominator of inputs", 1, _WIDE),
            FamilyParameter("label_low", "integer", -9, "least one of targets", -_WIDE, _WIDE),
            FamilyParameter("label_high", "integer", 9, "greatest one of targets", -_WIDE, _WIDE),
            FamilyParameter("label_denominator", "integer", 1, "denominator of targets", 1, _WIDE),
            THRESHOLD,
        ),
        build=build,
    )
)
