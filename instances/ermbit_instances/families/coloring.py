"""Colouring of graphs and hypergraphs by a sum of ReLUs (docs/reductions.md 3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ermbit_instances.families.family import Family, FamilyParameter, Generated, register
from ermbit_instances.families.reduction import (
    DOMAIN,
    LOSS,
    chosen_domain,
    family_errors,
    reduced,
)
from ermbit_instances.families.rng import Rng
from ermbit_instances.reductions import colorability, coloring
from ermbit_instances.reductions.formulas import Status

_HOW: dict[Status, str] = {
    "sat": "reduction from colouring; a colouring is known",
    "unsat": "reduction from colouring; no colouring with so many colours exists",
    "unknown": "reduction from colouring; too large for the search of the family",
}


def build(rng: Rng, parameters: Mapping[str, Any]) -> Generated:
    """The instance of a given or random hypergraph, its status by planting or by search."""
    form, colors = parameters["form"], parameters["colors"]
    with family_errors("parameter hypergraph: "):
        source, found = colorability.read_source(parameters["hypergraph"], rng, colors)
        needed = coloring.needed_values(source, colors, form)
        values_text = ",".join(map(str, sorted(needed)))
        smallest = (
            f"finite:{values_text}" if form == "plain" else f"int:{min(needed)}:{max(needed)}"
        )
        weights = chosen_domain(parameters["domain"], smallest)
        document = coloring.instance(source, colors, form, weights, parameters["loss"])
    solved, theorem = colorability.known(parameters["hypergraph"], source, colors, found)
    return reduced(
        document,
        needed,
        solved,
        lambda colored: coloring.certificate(source, colors, colored, form),
        _HOW,
        theorem,
    )


COLORING = register(
    Family(
        name="coloring",
        summary="colouring of a hypergraph by a sum of ReLUs; status by planting or search",
        source="Goel, Klivans, Manurangsi & Reichman 2021 for hardness; docs/reductions.md 3",
        parameters=(
            FamilyParameter(
                "form",
                "choice",
                "plain",
                "units without biases, with biases, or all parameters free",
                choices=coloring.FORMS,
            ),
            FamilyParameter("colors", "integer", 3, "number of colours k", 1, 100),
            FamilyParameter(
                "hypergraph",
                "text",
                "random:6:11",
                f"edges, a name or a random choice: {colorability.NOTATION}",
            ),
            DOMAIN,
            LOSS,
        ),
        build=build,
    )
)
