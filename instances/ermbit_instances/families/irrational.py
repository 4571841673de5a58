"""Fits that may need irrational weights: sat over the reals only (docs/reductions.md 9)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ermbit_instances.families.domain_text import domain_document, domain_of
from ermbit_instances.families.family import (
    Family,
    FamilyParameter,
    Generated,
    read_rational,
    register,
)
from ermbit_instances.families.reduction import LOSS, family_errors, generated
from ermbit_instances.families.rng import Rng
from ermbit_instances.families.shared_parameters import domain_parameter
from ermbit_instances.reductions import irrational
from ermbit_instances.reductions.formulas import Status

_HOW: dict[Status, str] = {
    "sat": "theorem: all real solutions are known, and one of them lies in the domain",
    "unsat": "theorem: all real solutions are known, and none of them lies in the domain",
    "unknown": "",
}


def build(rng: Rng, parameters: Mapping[str, Any]) -> Generated:
    """The instance of a form and a label; nothing is drawn at random."""
    label = read_rational(parameters["label"], "parameter label")
    with family_errors():
        source = irrational.Fit(parameters["form"], label, parameters["depth"])
    weights = domain_document(parameters["domain"])
    domain = domain_of(weights)
    document = irrational.instance(source, weights, parameters["loss"])
    points = irrational.solutions(source)
    if points is None:
        status: Status = "sat" if domain.size is None else "unsat"
        return generated(document, status, None, _HOW)
    inside = [point for point in points if all(value in domain for value in point)]
    if not inside:
        return generated(document, "unsat", None, _HOW)
    return generated(document, "sat", irrational.certificate(inside[0]), _HOW)


IRRATIONAL = register(
    Family(
        name="irrational",
        summary="fits whose only solutions are irrational: sat over the reals, unsat elsewhere",
        source="Bertschinger, Hertrich, Jungeblut, Miltzow & Weber 2023; docs/reductions.md 9",
        parameters=(
            FamilyParameter(
                "form",
                "choice",
                "own",
                "the network: squares in a row; relu with one shared weight; relu with two weights "
                "of their own",
                choices=irrational.FORMS,
            ),
            FamilyParameter(
                "label",
                "rational",
                "1",
                "label c of the first sample: w^(2^depth) = c; w^2 = c; golden ratio for 1, "
                "square root of 2 for 2",
            ),
            FamilyParameter(
                "depth",
                "integer",
                1,
                "squares in a row, of the form tower",
                1,
                irrational.DEPTH_LIMIT,
            ),
            domain_parameter("real"),
            LOSS,
        ),
        build=build,
    )
)
