"""Colourings of hypergraphs in which no edge has a single colour: search, and planted sources."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import comb
from typing import TYPE_CHECKING

from ermbit_instances.errors import UsageError
from ermbit_instances.reductions import formulas, hypergraph
from ermbit_instances.reductions.classical_hypergraphs import too_few_colors
from ermbit_instances.reductions.formulas import STEPS, Clauses, Status
from ermbit_instances.reductions.hypergraph import (
    LARGEST_TOTAL,
    Hypergraph,
    random_edge,
    read_hypergraph,
)

if TYPE_CHECKING:
    from ermbit_instances.families.rng import Rng

Coloring = tuple[int, ...]
"""The colour of every vertex, colours counted from 0."""

NOTATION = f"{hypergraph.NOTATION}, planted:N:EDGES[:SIZE]"

_PLANTED = re.compile(r"planted:([0-9]{1,5}):([0-9]{1,5})(?::([0-9]{1,5}))?", re.ASCII)
_HIDDEN = 50


def is_proper(source: Hypergraph, coloring: Sequence[int]) -> bool:
    """Whether every edge has two colours (an edge of one vertex never has)."""
    return len(coloring) == source.vertices and all(
        len({coloring[vertex] for vertex in edge}) > 1 for edge in source.edges
    )


def color(
    source: Hypergraph, colors: int, steps: int = STEPS
) -> tuple[Status, Coloring | None]:
    """A proper colouring with at most ``colors`` colours, or a proof by search that none exists.

    The search is :func:`~.formulas.satisfy` on the usual clauses. Colours are interchangeable: the
    i-th vertex, most edges first, is given one of the first i colours. ``("unknown", None)`` past
    ``steps`` or past the largest formula.
    """
    degree = [0] * source.vertices
    for edge in source.edges:
        for vertex in edge:
            degree[vertex] += 1
    order = sorted(range(source.vertices), key=lambda vertex: (-degree[vertex], vertex))
    clauses = [
        tuple(1 + vertex * colors + c for c in range(min(colors, position + 1)))
        for position, vertex in enumerate(order)
    ]
    for edge in source.edges:
        clauses += [tuple(-(1 + vertex * colors + c) for vertex in edge) for c in range(colors)]
    variables = max(1, source.vertices * colors)
    if max(variables, len(clauses)) > formulas.LARGEST:
        return "unknown", None
    status, assignment = formulas.satisfy(Clauses(variables, tuple(clauses)), steps)
    if assignment is None:
        return status, None
    rows = (assignment[v * colors : (v + 1) * colors] for v in range(source.vertices))
    return "sat", tuple(row.index(True) for row in rows)


def known(
    text: str, source: Hypergraph, colors: int, hidden: Coloring | None
) -> tuple[tuple[Status, Coloring | None], str]:
    """Whether so many colours suffice, and the theorem of the literature if that is why not.

    Args:
        text: the notation of the source.
        source: the hypergraph.
        colors: their number.
        hidden: the colouring of a planted source.
    """
    theorem = too_few_colors(text, colors)
    if theorem:
        return ("unsat", None), theorem
    if hidden is not None:
        return ("sat", hidden), ""
    return color(source, colors), ""


def read_source(text: str, rng: Rng, colors: int) -> tuple[Hypergraph, Coloring | None]:
    """A hypergraph in a notation, and the hidden colouring of a planted one.

    ``planted:N:EDGES[:SIZE]`` (:func:`planted`) or what :func:`~.hypergraph.read_hypergraph` reads.

    Raises:
        UsageError: another text, or a size that is not possible.
    """
    if match := _PLANTED.fullmatch(text.strip()):
        return planted(rng, int(match[1]), int(match[2]), int(match[3] or 2), colors)
    return read_hypergraph(text, rng), None


def planted(
    rng: Rng, vertices: int, edges: int, size: int, colors: int
) -> tuple[Hypergraph, Coloring]:
    """A uniform colouring, and ``edges`` distinct sets of ``size`` vertices that it allows.

    The colouring is drawn again, at most 50 times, while it allows too few sets.

    Raises:
        UsageError: no colouring with so many sets was found, or past the limits of hypergraphs.
    """
    if edges * size > LARGEST_TOTAL:
        raise UsageError(f"hypergraph: edges of more than {LARGEST_TOTAL} vertices in all")
    for _ in range(_HIDDEN):
        hidden = tuple(rng.integers(0, colors - 1) for _ in range(vertices))
        uniform = sum(comb(hidden.count(c), size) for c in range(colors))
        if size and comb(vertices, size) - uniform >= edges:
            break
    else:
        raise UsageError(
            f"hypergraph: no colouring of {vertices} vertices was found that allows {edges} edges "
            f"of size {size}"
        )
    chosen: set[tuple[int, ...]] = set()
    while len(chosen) < edges:
        edge = random_edge(rng, vertices, size)
        if len({hidden[vertex] for vertex in edge}) > 1:
            chosen.add(edge)
    return Hypergraph(vertices, tuple(chosen)), hidden
