"""Vertex cover on one neuron: the least loss is the cover number τ (docs/reductions.md 4 and 5).

Two families: ``vertex_cover_relu`` and ``vertex_cover_halfspace``. The threshold may be given
relative to τ: at ``tau`` an instance is sat, below it unsat, by however little.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from gmpy2 import mpq

from ermbit_instances.certificate import parameters_document
from ermbit_instances.documents import Document, certificate_document
from ermbit_instances.families.domain_text import domain_of
from ermbit_instances.families.family import (
    Family,
    FamilyError,
    FamilyParameter,
    Generated,
    read_rational,
    register,
)
from ermbit_instances.families.reduction import (
    DOMAIN,
    LOSS,
    check_domain,
    chosen_domain,
    family_errors,
)
from ermbit_instances.families.rng import Rng
from ermbit_instances.families.shared_parameters import BIAS
from ermbit_instances.instance import parse_instance
from ermbit_instances.rational import Rational
from ermbit_instances.reductions import vertex_cover_halfspace, vertex_cover_relu
from ermbit_instances.reductions.hypergraph import NOTATION, Hypergraph, read_hypergraph
from ermbit_instances.reductions.vertex_cover import (
    CoverNumber,
    check_graph,
    planted,
    solve,
)

_PLANTED = re.compile(r"planted:([0-9]{1,4}):([0-9]{1,4})(?::([0-9]{1,6}))?", re.ASCII)

GRAPH = FamilyParameter(
    "graph",
    "text",
    "cycle:5",
    "a graph; planted:CLIQUES:SIZE[:EDGES]: disjoint cliques and random edges between them, with a "
    f"known cover number: {NOTATION}",
)
THRESHOLD = FamilyParameter(
    "threshold",
    "text",
    "tau",
    "a number, or the cover number with something added: tau, tau-1, tau-1e-12",
)
NO_BIAS = replace(BIAS, default="no")


def build_relu(rng: Rng, parameters: Mapping[str, Any]) -> Generated:
    """The instance of one ReLU."""
    bias = parameters["bias"] == "yes"
    graph, known = _source(rng, parameters["graph"])
    threshold = _threshold(parameters["threshold"], known)
    weights = chosen_domain(parameters["domain"], "ternary" if bias else "bipolar")
    document = vertex_cover_relu.instance(graph, weights, threshold, parameters["loss"], bias)
    values = vertex_cover_relu.certificate(graph, known.cover, bias)
    needed = vertex_cover_relu.needed_values(bias)
    return _finished(document, known, threshold, values, needed)


def build_halfspace(rng: Rng, parameters: Mapping[str, Any]) -> Generated:
    """The instance of one halfspace."""
    bias = parameters["bias"] == "yes"
    graph, known = _source(rng, parameters["graph"])
    threshold = _threshold(parameters["threshold"], known)
    weights = chosen_domain(parameters["domain"], "int:-2:1" if bias else "finite:-2,1")
    document = vertex_cover_halfspace.instance(graph, weights, threshold, bias)
    values = vertex_cover_halfspace.certificate(graph, known.cover, bias)
    needed = vertex_cover_halfspace.needed_values(bias)
    return _finished(document, known, threshold, values, needed)


def _source(rng: Rng, text: str) -> tuple[Hypergraph, CoverNumber]:
    """The graph, and what is known of its cover number."""
    with family_errors("parameter graph: "):
        if match := _PLANTED.fullmatch(text):
            graph, cover = planted(rng, int(match[1]), int(match[2]), int(match[3] or 0))
            check_graph(graph)
            return graph, CoverNumber(cover, len(cover))
        graph = read_hypergraph(text, rng)
        return graph, solve(graph)


def _threshold(text: str, known: CoverNumber) -> Rational:
    what = "parameter threshold"
    if not text.startswith("tau"):
        return read_rational(text, what)
    if not known.is_exact:
        raise FamilyError(
            f"{what}: tau is only known to be {known.lower}..{len(known.cover)}: give a number, "
            "or plant a cover"
        )
    added = text.removeprefix("tau").replace(" ", "")
    if added and added[0] not in "+-":
        raise FamilyError(f"{what}: expected a number, tau, tau-1 or the like, not {text!r:.60}")
    return len(known.cover) + (read_rational(added, what) if added else mpq(0))


def _finished(
    document: Document,
    known: CoverNumber,
    threshold: Rational,
    values: Sequence[Rational],
    needed: Collection[int],
) -> Generated:
    """Status and certificate: the least loss is τ if the domain has the needed values, else ≥ τ."""
    size = len(known.cover)
    exact = f"reduction: the least loss is the cover number, {size}"
    reached = all(mpq(value) in domain_of(document["weights"]) for value in needed)
    meta: dict[str, Any] = {
        "status": "unknown",
        "how": f"the cover number is known to be {known.lower}..{size}",
    }
    certificate = None
    if threshold >= size:
        check_domain(document["weights"], needed, "sat")
        meta["status"] = "sat"
        meta["how"] = exact if known.is_exact else f"reduction: a cover of {size} vertices"
        network = parse_instance(document).network
        certificate = certificate_document(parameters_document(network, values))
    elif threshold < known.lower:
        meta["status"] = "unsat"
        meta["how"] = f"reduction: no loss is below the cover number, at least {known.lower}"
    if known.is_exact and reached:
        meta["how"] = exact
        meta["minimum"] = size
    document["meta"] = {**meta, **document["meta"]}
    return Generated(document, certificate)


VERTEX_COVER_RELU = register(
    Family(
        name="vertex_cover_relu",
        summary="vertex cover on one ReLU: the least loss is exactly the cover number tau",
        source="Manurangsi & Reichman 2018 and Dey, Wang & Xie 2020 for hardness; "
        "docs/reductions.md 4",
        parameters=(
            GRAPH,
            LOSS,
            NO_BIAS,
            THRESHOLD,
            DOMAIN,
        ),
        build=build_relu,
    )
)

VERTEX_COVER_HALFSPACE = register(
    Family(
        name="vertex_cover_halfspace",
        summary="vertex cover on one halfspace: the fewest errors are exactly the cover number tau",
        source="Johnson & Preparata 1978 and Höffgen, Simon & Van Horn 1995 for hardness; "
        "docs/reductions.md 5",
        parameters=(
            GRAPH,
            NO_BIAS,
            THRESHOLD,
            DOMAIN,
        ),
        build=build_halfspace,
    )
)
