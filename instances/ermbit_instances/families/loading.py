"""Satisfiability on masked threshold networks, or on one sample (docs/reductions.md 6B, 6C)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ermbit_instances.families.family import Family, FamilyParameter, Generated, register
from ermbit_instances.families.reduction import (
    DOMAIN,
    LOSS,
    family_errors,
    reduced,
    spanning_domain,
)
from ermbit_instances.families.rng import Rng
from ermbit_instances.reductions import loading
from ermbit_instances.reductions.formulas import NOTATION, Assignment, Status, read_source

_HOW: dict[Status, str] = {
    "sat": "reduction from satisfiability; an assignment is known",
    "unsat": "reduction from satisfiability; no assignment makes all clauses true",
    "unknown": "reduction from satisfiability; too large for the search of the family",
}


def build(rng: Rng, parameters: Mapping[str, Any]) -> Generated:
    """The instance of a given or random formula, its status by planting or by search."""
    form = parameters["form"]
    with family_errors("parameter "):
        formula, assignment = read_source(parameters["formula"], rng)
        loading.check_formula(formula)
        needed = loading.needed_values(formula, form)
        weights = spanning_domain(parameters["domain"], needed)
        document = loading.instance(formula, form, weights, parameters["loss"])
    solved: tuple[Status, Assignment | None] = ("sat", assignment)
    if assignment is None:
        solved = loading.solve(formula)
    return reduced(
        document, needed, solved, lambda found: loading.certificate(formula, found, form), _HOW
    )


LOADING = register(
    Family(
        name="loading",
        summary="satisfiability on a masked threshold network or on one sample; status by planting "
        "or search",
        source="Judd, Neural Network Design and the Complexity of Learning (1990); "
        "docs/reductions.md 6",
        parameters=(
            FamilyParameter(
                "form",
                "choice",
                "masked",
                "a step unit a variable and one a clause, or one sample and many outputs",
                choices=loading.FORMS,
            ),
            FamilyParameter(
                "formula",
                "text",
                "random:4:9",
                "clauses, or random ones (planted: that a hidden assignment solves): " + NOTATION,
            ),
            DOMAIN,
            LOSS,
        ),
        build=build,
    )
)
