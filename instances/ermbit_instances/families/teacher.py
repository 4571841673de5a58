"""Planted instances: data labelled by a network drawn from the domain (teacher and student)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gmpy2 import mpq

from ermbit_instances.families import labelling
from ermbit_instances.families.activation_text import activation_document, activation_parameter
from ermbit_instances.families.domain_text import (
    domain_document,
    domain_of,
    domain_parameter,
    draw,
)
from ermbit_instances.families.family import (
    Family,
    FamilyError,
    FamilyParameter,
    Generated,
    certificate_document,
    instance_document,
    read_rational,
    register,
)
from ermbit_instances.families.layered import (
    BIAS,
    HIDDEN,
    Architecture,
    Weights,
    architecture,
    draw_weights,
    evaluate,
)
from ermbit_instances.families.rng import Rng
from ermbit_instances.rational import Rational, write_rational

_TEACHERS = 50
_INPUTS_PER_SAMPLE = 40

Sample = tuple[list[Rational], list[Rational]]


def build(rng: Rng, parameters: Mapping[str, Any]) -> Generated:
    """Draw a teacher, label random inputs with it, then corrupt ``corrupted`` of the labels.

    Without corruption the teacher has loss 0, so the instance is sat for every γ ≥ 0 and its
    minimum is 0. With corruption the status is sat only where the teacher's own loss is ≤ γ
    (γ = ``teacher`` sets it to exactly that loss), else unknown.
    """
    loss, reduction = parameters["loss"], parameters["reduction"]
    if parameters["data_low"] > parameters["data_high"]:
        raise FamilyError("parameter data_low: greater than data_high")
    if parameters["corrupted"] > parameters["samples"]:
        raise FamilyError("parameter corrupted: more than samples")
    activation = activation_document(parameters["activation"])
    weights = domain_document(parameters["domain"])
    shape = architecture(
        parameters["inputs"],
        parameters["hidden"],
        activation,
        parameters["outputs"],
        parameters["bias"] == "yes",
    )
    teacher, samples = _teacher_and_samples(rng, parameters, shape, weights)
    samples = _corrupt(rng, samples, parameters["corrupted"], loss, parameters["outputs"])
    achieved = labelling.reduce(
        [labelling.sample_loss(loss, evaluate(shape, teacher, x), y) for x, y in samples],
        reduction,
    )
    threshold = achieved
    if parameters["gamma"] != "teacher":
        threshold = read_rational(parameters["gamma"], "parameter gamma")
    if threshold < 0:
        raise FamilyError("parameter gamma: a negative threshold is never reached")
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
        f"teacher-{parameters['inputs']}-{parameters['hidden']}-{_word(activation)}",
        shape.document(),
        weights,
        {"x": _written(x for x, _ in samples), "y": _written(y for _, y in samples)},
        labelling.loss_document(loss, reduction),
        threshold,
        meta,
    )
    return Generated(document, certificate_document(teacher.document()) if reached else None)


def _teacher_and_samples(
    rng: Rng, parameters: Mapping[str, Any], shape: Architecture, weights: dict[str, Any]
) -> tuple[Weights, list[Sample]]:
    """A teacher and inputs on which it has a label of loss 0, redrawing both as needed."""
    domain = domain_of(weights)
    low, high = parameters["data_low"], parameters["data_high"]
    for _ in range(_TEACHERS):
        teacher = draw_weights(shape, lambda: draw(domain, rng))
        samples: list[Sample] = []
        for _ in range(_INPUTS_PER_SAMPLE * parameters["samples"]):
            x = [mpq(rng.integers(low, high)) for _ in range(shape.inputs)]
            y = labelling.perfect_label(parameters["loss"], evaluate(shape, teacher, x))
            if y is not None:
                samples.append((x, y))
            if len(samples) == parameters["samples"]:
                return teacher, samples
    raise FamilyError(
        f"no teacher was found whose outputs have {parameters['loss']} loss 0 on enough inputs: "
        "widen the domain or the data range"
    )


def _corrupt(rng: Rng, samples: list[Sample], count: int, loss: str, outputs: int) -> list[Sample]:
    """Give ``count`` samples a wrong label: another class, or one target moved by 1..3."""
    wrong = set(rng.sample(range(len(samples)), count))
    result = []
    for position, (x, y) in enumerate(samples):
        if position in wrong and labelling.is_classification(loss):
            y = [mpq(rng.choice([v for v in labelling.labels(outputs) if v != y[0]]))]
        elif position in wrong:
            output = rng.integers(0, outputs - 1)
            shift = rng.choice((-1, 1)) * rng.integers(1, 3)
            y = [t + shift if o == output else t for o, t in enumerate(y)]
        result.append((x, y))
    return result


def _written(rows: Any) -> list[list[int | str]]:
    return [[write_rational(value) for value in row] for row in rows]


def _word(activation: Any) -> str:
    return str(activation if isinstance(activation, str) else activation["name"])


TEACHER = register(
    Family(
        name="teacher",
        summary="data labelled by a hidden network from the domain; planted certificate",
        source="planted teacher-student instances (Gardner & Derrida 1989)",
        parameters=(
            FamilyParameter("inputs", "integer", 2, "input dimension", 1, 1000),
            HIDDEN,
            activation_parameter(),
            FamilyParameter("outputs", "integer", 1, "outputs (classes, if above 1)", 1, 100),
            BIAS,
            domain_parameter("int:-2:2"),
            labelling.loss_parameter("absolute"),
            labelling.REDUCTION,
            FamilyParameter("samples", "integer", 8, "number of samples N", 1, 100_000),
            FamilyParameter("data_low", "integer", -3, "least input", -(10**6), 10**6),
            FamilyParameter("data_high", "integer", 3, "greatest input", -(10**6), 10**6),
            FamilyParameter("corrupted", "integer", 0, "number of wrong labels", 0, 100_000),
            FamilyParameter("gamma", "text", "0", "the threshold, or teacher: the teacher's loss"),
        ),
        build=build,
    )
)
