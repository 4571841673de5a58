"""Satisfiability on masked threshold networks, or on one sample (docs/reductions.md 6B, 6C)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ermbit_instances.errors import UsageError
from ermbit_instances.families.family import (
    Family,
    FamilyError,
    FamilyParameter,
    Generated,
    register,
)
from ermbit_instances.families.reduction import (
    DOMAIN,
    LOSS,
    check_domain,
    chosen_domain,
    generated,
)
from ermbit_instances.families.rng import Rng
from ermbit_instances.reductions import loading
from ermbit_instances.reductions.formulas import NOTATION, Status, read_source

_HOW: dict[Status, str] = {
    "sat": "reduction from satisfiability; an assignment is known",
    "unsat": "reduction from satisfiability; no assignment makes all clauses true",
    "unknown": "reduction from satisfiability; too large for the search of the family",
}


def build(rng: Rng, parameters: Mapping[str, Any]) -> Generated:
    """The instance of a given or random formula, its status by planting or by search."""
    form = parameters["form"]
    try:
        formula, assignment = read_source(parameters["formula"], rng)
        loading.check_formula(formula)
        needed = loading.needed_values(formula, form)
        weights = chosen_domain(parameters["domain"], f"int:{min(needed)}:{max(needed)}")
        document = loading.instance(formula, form, weights, parameters["loss"])
    except FamilyError:
        raise
    except UsageError as error:
        raise FamilyError(f"parameter {error}") from None
    status: Status = "sat"
    if assignment is None:
        status, assignment = loading.solve(formula)
    check_domain(weights, needed, status)
    values = None if assignment is None else loading.certificate(formula, assignment, form)
    return generated(document, status, values, _HOW)


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
