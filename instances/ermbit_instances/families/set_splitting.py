"""Two-colouring of hypergraphs on three threshold units (docs/reductions.md 2)."""

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
from ermbit_instances.reductions import colorability, set_splitting
from ermbit_instances.reductions.formulas import Status

_HOW: dict[Status, str] = {
    "sat": "reduction from set splitting; a colouring is known",
    "unsat": "reduction from set splitting; no colouring with two colours exists",
    "unknown": "reduction from set splitting; too large for the search of the family",
}


def build(rng: Rng, parameters: Mapping[str, Any]) -> Generated:
    """The instance of a given or random hypergraph, its status by planting or by search."""
    form = parameters["form"]
    with family_errors("parameter hypergraph: "):
        source, coloring = colorability.read_source(
            parameters["hypergraph"], rng, set_splitting.COLORS
        )
        needed = set_splitting.needed_values(source, form)
        weights = spanning_domain(parameters["domain"], needed)
        document = set_splitting.instance(source, form, weights, parameters["loss"])
    solved, theorem = colorability.known(
        parameters["hypergraph"], source, set_splitting.COLORS, coloring
    )
    return reduced(
        document,
        needed,
        solved,
        lambda colored: set_splitting.certificate(source, colored, form),
        _HOW,
        theorem,
    )


SET_SPLITTING = register(
    Family(
        name="set_splitting",
        summary="two-colouring of a hypergraph by three step units; status by planting or search",
        source="Blum & Rivest 1992; Lovász 1973; docs/reductions.md 2",
        parameters=(
            FamilyParameter(
                "form",
                "choice",
                "free",
                "whether the output is a free unit or frozen to the conjunction",
                choices=set_splitting.FORMS,
            ),
            FamilyParameter(
                "hypergraph",
                "text",
                "random:5:4:3",
                f"edges, a name or a random choice: {colorability.NOTATION}",
            ),
            DOMAIN,
            LOSS,
        ),
        build=build,
    )
)
