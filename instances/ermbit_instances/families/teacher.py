"""Planted instances: data labelled by a network drawn from the domain (teacher and student)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ermbit_instances.families import labelling
from ermbit_instances.families.activation_text import activation_document, activation_name
from ermbit_instances.families.domain_text import domain_document
from ermbit_instances.families.family import (
    Family,
    FamilyError,
    FamilyParameter,
    Generated,
    certificate_document,
    instance_document,
    register,
)
from ermbit_instances.families.layered import shape_of
from ermbit_instances.families.planting import (
    corrupt,
    data_document,
    loss_of,
    teacher_and_samples,
)
from ermbit_instances.families.rng import Rng
from ermbit_instances.families.shared_parameters import (
    REDUCTION,
    SAMPLES,
    SHAPE,
    check_ranges,
    domain_parameter,
    loss_parameter,
    range_parameters,
    read_threshold,
)
from ermbit_instances.rational import write_rational


def build(rng: Rng, parameters: Mapping[str, Any]) -> Generated:
    """Draw a teacher, label random inputs with it, then corrupt ``corrupted`` of the labels.

    Without corruption the teacher has loss 0, so the instance is sat for every γ ≥ 0 and its
    minimum is 0. With corruption the status is sat only where the teacher's own loss is ≤ γ
    (γ = ``teacher`` sets it to exactly that loss), else unknown.
    """
    loss, reduction = parameters["loss"], parameters["reduction"]
    check_ranges(parameters, "data")
    if parameters["corrupted"] > parameters["samples"]:
        raise FamilyError("parameter corrupted: more than samples")
    activation = activation_document(parameters["activation"])
    weights = domain_document(parameters["domain"])
    shape = shape_of(parameters)
    teacher, samples = teacher_and_samples(
        rng,
        shape,
        weights,
        loss,
        parameters["samples"],
        (parameters["data_low"], parameters["data_high"]),
    )
    samples = corrupt(rng, samples, parameters["corrupted"], loss, parameters["outputs"])
    achieved = loss_of(shape, teacher, samples, loss, reduction)
    threshold = achieved
    if parameters["gamma"] != "teacher":
        threshold = read_threshold(parameters, "gamma")
    reached = achieved <= threshold
    meta: dict[str, Any] = {"status": "sat" if reached else "unknown"}
    if achieved == 0:
        meta["minimum"] = 0
    meta["how"] = (
        f"planted: the teacher has loss {write_rational(achieved)}"
        if reached
        else "labels were corrupted and the teacher misses the threshold"
    )
    document = instance_document(
        f"teacher-{parameters['inputs']}-{parameters['hidden']}-{activation_name(activation)}",
        shape.document(),
        weights,
        data_document(samples),
        labelling.loss_document(loss, reduction),
        threshold,
        meta,
    )
    return Generated(document, certificate_document(teacher.document()) if reached else None)


TEACHER = register(
    Family(
        name="teacher",
        summary="data labelled by a hidden network from the domain; planted certificate",
        source="planted teacher-student instances (Gardner & Derrida 1989)",
        parameters=(
            *SHAPE,
            domain_parameter("int:-2:2"),
            loss_parameter("absolute"),
            REDUCTION,
            SAMPLES,
            *range_parameters("data", "input", -3, 3),
            FamilyParameter("corrupted", "integer", 0, "number of wrong labels", 0, 100_000),
            FamilyParameter("gamma", "text", "0", "the threshold, or teacher: the teacher's loss"),
        ),
        build=build,
    )
)
