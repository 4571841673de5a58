"""Random inputs with random labels: how much can a network memorise? The answer is not known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ermbit_instances.families import labelling
from ermbit_instances.families.domain_text import domain_document
from ermbit_instances.families.family import (
    Family,
    Generated,
    instance_document,
    read_rational,
    register,
)
from ermbit_instances.families.layered import shape_of
from ermbit_instances.families.rng import Rng
from ermbit_instances.families.shared_parameters import (
    REDUCTION,
    SAMPLES,
    SHAPE,
    THRESHOLD,
    check_ranges,
    domain_parameter,
    loss_parameter,
    range_parameters,
)


def build(rng: Rng, parameters: Mapping[str, Any]) -> Generated:
    """N uniform inputs and independent uniform labels; status ``unknown``.

    The labels of a classification loss are its label set (``label_low``, ``label_high`` then have
    no meaning); targets of ``absolute`` and ``squared`` are uniform in label_low..label_high.
    """
    check_ranges(parameters, "data", "label")
    loss, outputs = parameters["loss"], parameters["outputs"]
    shape = shape_of(parameters)
    x, y = [], []
    for _ in range(parameters["samples"]):
        low, high = parameters["data_low"], parameters["data_high"]
        x.append([rng.integers(low, high) for _ in range(shape.inputs)])
        if labelling.is_classification(loss):
            y.append([rng.choice(labelling.labels(outputs))])
        else:
            low, high = parameters["label_low"], parameters["label_high"]
            y.append([rng.integers(low, high) for _ in range(outputs)])
    document = instance_document(
        f"random-labels-{shape.inputs}-{parameters['hidden']}-n{parameters['samples']}",
        shape.document(),
        domain_document(parameters["domain"]),
        {"x": x, "y": y},
        labelling.loss_document(loss, parameters["reduction"]),
        read_rational(parameters["threshold"], "parameter threshold"),
        {"status": "unknown", "how": "random labels"},
    )
    return Generated(document)


RANDOM_LABELS = register(
    Family(
        name="random_labels",
        summary="random inputs with random labels; status unknown",
        source="capacity of networks on random dichotomies (Cover 1965)",
        parameters=(
            *SHAPE,
            domain_parameter("int:-2:2"),
            loss_parameter("zero_one"),
            REDUCTION,
            SAMPLES,
            *range_parameters("data", "input", -3, 3),
            *range_parameters("label", "target", -2, 2),
            THRESHOLD,
        ),
        build=build,
    )
)
