"""Positive 1-in-3 satisfiability on small networks (docs/reductions.md 6A, 6C, 6D)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ermbit_instances.errors import UsageError
from ermbit_instances.families.family import Family, FamilyParameter, Generated, register
from ermbit_instances.families.reduction import (
    DOMAIN,
    LOSS,
    family_errors,
    reduced,
    spanning_domain,
)
from ermbit_instances.families.rng import Rng
from ermbit_instances.reductions import one_in_three
from ermbit_instances.reductions.formulas import Assignment, Status, planted_triples
from ermbit_instances.reductions.hypergraph import LARGEST, NOTATION, Hypergraph, read_hypergraph

_PLANTED = re.compile(r"planted:([0-9]{1,6}):([0-9]{1,6})", re.ASCII)

_HOW: dict[Status, str] = {
    "sat": "reduction from 1-in-3 satisfiability; an assignment is known",
    "unsat": "reduction from 1-in-3 satisfiability; no assignment has one true variable a triple",
    "unknown": "reduction from 1-in-3 satisfiability; too large for the search of the family",
}


def build(rng: Rng, parameters: Mapping[str, Any]) -> Generated:
    """The instance of given or random triples, its status by planting or by search."""
    form = parameters["form"]
    needed = one_in_three.needed_values(form)
    weights = spanning_domain(parameters["domain"], needed)
    with family_errors("parameter triples: "):
        source, assignment = _source(parameters["triples"], rng)
        document = one_in_three.instance(source, form, weights, parameters["loss"])
    solved: tuple[Status, Assignment | None] = ("sat", assignment)
    if assignment is None:
        solved = one_in_three.solve(source)
    return reduced(
        document, needed, solved, lambda found: one_in_three.certificate(found, form), _HOW
    )


def _source(text: str, rng: Rng) -> tuple[Hypergraph, Assignment | None]:
    """The triples, and their planted solution."""
    if match := _PLANTED.fullmatch(text):
        variables, count = int(match[1]), int(match[2])
        if variables > one_in_three.LARGEST or count > LARGEST:
            raise UsageError(f"{text}: too large")
        return planted_triples(rng, variables, count)
    return read_hypergraph(text, rng), None


ONE_IN_THREE = register(
    Family(
        name="one_in_three",
        summary="positive 1-in-3 satisfiability on small networks; status by planting or search",
        source="Schaefer 1978; docs/reductions.md 6",
        parameters=(
            FamilyParameter(
                "form",
                "choice",
                "abs",
                "the network: one abs unit, two relu units that share weights, one sample and many "
                "outputs, one sample and relu units only",
                choices=one_in_three.FORMS,
            ),
            FamilyParameter(
                "triples",
                "text",
                "random:6:4:3",
                "edges of three; planted:N:TRIPLES: random ones that a hidden assignment solves: "
                + NOTATION,
            ),
            DOMAIN,
            LOSS,
        ),
        build=build,
    )
)
