"""Planted instances with wrong labels: the threshold is the teacher's own loss, or a part of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ermbit_instances.families import labelling
from ermbit_instances.families.activation_text import activation_document, activation_name
from ermbit_instances.families.contradictions import lower_bound
from ermbit_instances.families.domain_text import domain_document
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
from ermbit_instances.families.layered import shape_of
from ermbit_instances.families.planting import (
    Sample,
    corrupt,
    data_document,
    loss_of,
    teacher_and_samples,
    wrong_label,
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
)
from ermbit_instances.rational import Rational, write_rational


def build(rng: Rng, parameters: Mapping[str, Any]) -> Generated:
    """Data of a teacher with ``wrong`` wrong labels; γ = ``factor`` times the teacher's loss.

    The teacher reaches γ if factor ≥ 1. Below, the instance is ``unsat`` where γ is less than what
    equal inputs with different labels cost every network, else ``unknown``. ``flipped`` labels are
    those of random samples; ``contradicted`` ones are added copies of samples, so that for
    ``absolute`` and ``zero_one`` the teacher's loss is the least.
    """
    check_ranges(parameters, "data")
    loss, reduction, outputs = parameters["loss"], parameters["reduction"], parameters["outputs"]
    count, wrong = parameters["samples"], parameters["wrong"]
    contradicted = parameters["kind"] == "contradicted"
    if wrong > (count // 2 if contradicted else count):
        raise FamilyError(f"parameter wrong: too many for {count} samples")
    activation = activation_document(parameters["activation"])
    weights = domain_document(parameters["domain"])
    shape = shape_of(parameters)
    teacher, samples = teacher_and_samples(
        rng,
        shape,
        weights,
        loss,
        count - wrong if contradicted else count,
        (parameters["data_low"], parameters["data_high"]),
    )
    if contradicted:
        samples = _contradict(rng, samples, wrong, loss, outputs)
    else:
        samples = corrupt(rng, samples, wrong, loss, outputs)
    achieved = loss_of(shape, teacher, samples, loss, reduction)
    threshold = read_rational(parameters["factor"], "parameter factor") * achieved
    bound = lower_bound(samples, loss, reduction)
    reached = achieved <= threshold
    document = instance_document(
        f"near-teacher-{shape.inputs}-{parameters['hidden']}-{activation_name(activation)}-w{wrong}",
        shape.document(),
        weights,
        data_document(samples),
        labelling.loss_document(loss, reduction),
        threshold,
        known(achieved, bound, threshold),
    )
    return Generated(document, certificate_document(teacher.document()) if reached else None)


def known(achieved: Rational, bound: Rational, threshold: Rational) -> dict[str, Any]:
    """``meta`` for a loss that is reached by a planted θ and a proved lower bound."""
    meta: dict[str, Any]
    if achieved <= threshold:
        how = f"planted: the teacher has loss {write_rational(achieved)}"
        meta = {"status": "sat", "how": how}
    elif threshold < bound:
        how = f"equal inputs with different labels cost at least {write_rational(bound)}"
        meta = {"status": "unsat", "how": how}
    else:
        meta = {"status": "unknown", "how": "the teacher misses the threshold; others may not"}
    if achieved == bound:
        meta["minimum"] = write_rational(achieved)
    return meta | {"planted_loss": write_rational(achieved), "lower_bound": write_rational(bound)}


def _contradict(
    rng: Rng, samples: Sequence[Sample], count: int, loss: str, outputs: int
) -> list[Sample]:
    """The samples and ``count`` copies of distinct ones with wrong labels, shuffled."""
    copies = [(x, wrong_label(rng, y, loss, outputs)) for x, y in rng.sample(samples, count)]
    return rng.shuffle([*samples, *copies])


NEAR_TEACHER = register(
    Family(
        name="near_teacher",
        summary="data of a hidden network with wrong labels; the threshold is a part of its loss",
        source="planted teacher-student instances with noise (Gardner & Derrida 1989)",
        parameters=(
            *SHAPE,
            domain_parameter("int:-2:2"),
            loss_parameter("absolute"),
            REDUCTION,
            replace(SAMPLES, help="samples N, copies included"),
            *range_parameters("data", "input", -3, 3),
            FamilyParameter("wrong", "integer", 2, "number of wrong labels", 0, 10**5),
            FamilyParameter(
                "kind",
                "choice",
                "flipped",
                "labels of random samples, or of copies that contradict samples",
                choices=("flipped", "contradicted"),
            ),
            FamilyParameter("factor", "rational", 1, "the threshold over the teacher's loss", 0),
        ),
        build=build,
    )
)
