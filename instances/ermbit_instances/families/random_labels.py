"""Random inputs with random labels: how much can a network memorise? The answer is not known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ermbit_instances.families import labelling
from ermbit_instances.families.activation_text import activation_parameter
from ermbit_instances.families.domain_text import domain_document, domain_parameter
from ermbit_instances.families.family import (
    Family,
    FamilyParameter,
    Generated,
    instance_document,
    read_rational,
    register,
)
from ermbit_instances.families.layered import BIAS, HIDDEN, INPUTS, OUTPUTS, shape_of
from ermbit_instances.families.planting import DATA_HIGH, DATA_LOW, SAMPLES, check_ranges
from ermbit_instances.families.rng import Rng


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
            INPUTS,
            HIDDEN,
            activation_parameter(),
            OUTPUTS,
            BIAS,
            domain_parameter("int:-2:2"),
            labelling.loss_parameter("zero_one"),
            labelling.REDUCTION,
            SAMPLES,
            DATA_LOW,
            DATA_HIGH,
            FamilyParameter("label_low", "integer", -2, "least target", -(10**6), 10**6),
            FamilyParameter("label_high", "integer", 2, "greatest target", -(10**6), 10**6),
            labelling.THRESHOLD,
        ),
        build=build,
    )
)
