"""The sources that decide all others where more constraints only make a source harder.

A source is a set of constraints out of a finite pool, and its instance over the reals asks for all
that the instance of a part of it asks for: samples or outputs are added, nothing is taken away. So
an ``unsat`` holds for every source with more constraints, a ``sat`` for every one with fewer, and
the least unsolvable sources with the greatest solvable ones are enough to decide the whole pool.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations, permutations, product
from typing import NamedTuple

from ermbit_instances.reductions.hypergraph import Hypergraph
from reference import Document


class Critical(NamedTuple):
    """Numbers of constraints in the pool, one source of each class under the symmetries."""

    unsolvable: list[tuple[int, ...]]
    solvable: list[tuple[int, ...]]


def critical(
    violated: Iterable[Iterable[int]], count: int, symmetries: Sequence[Sequence[int]]
) -> Critical:
    """Least unsolvable and greatest solvable sets of ``count`` constraints.

    Arguments:
        violated: for every assignment the constraints that it violates.
        count: size of the pool.
        symmetries: permutations of the pool, a group.
    """
    masks = {sum(1 << number for number in broken) for broken in violated}
    # Where an assignment violates less than another, what the other satisfies it satisfies too.
    masks = {mask for mask in masks if not any(m != mask and m & mask == m for m in masks)}
    full = (1 << count) - 1
    return Critical(
        _classes(least_hitting_sets(masks), symmetries),
        _classes([full & ~mask for mask in masks], symmetries),
    )


def least_hitting_sets(masks: Iterable[int]) -> list[int]:
    """The least sets that meet every set, all as bit masks: Berge's multiplication.

    A set that hits nothing yet is extended by one element; what it extends to is least unless it
    contains a set that hits already, as two that hit nothing never contain one another.
    """
    found = [0]
    for mask in sorted(masks, key=lambda m: (m.bit_count(), m)):
        missing = [s for s in found if not s & mask]
        found = hitting = [s for s in found if s & mask]
        for element in (1 << i for i in range(mask.bit_length()) if mask >> i & 1):
            rest = [h & ~element for h in hitting if h & element]
            found = found + [s | element for s in missing if not any(r & s == r for r in rest)]
    return found


def _classes(masks: Iterable[int], symmetries: Sequence[Sequence[int]]) -> list[tuple[int, ...]]:
    seen: set[frozenset[int]] = set()
    found = []
    for mask in sorted(masks):
        numbers = tuple(i for i in range(mask.bit_length()) if mask >> i & 1)
        if frozenset(numbers) not in seen:
            seen.update(frozenset(image[i] for i in numbers) for image in symmetries)
            found.append(numbers)
    return found


def critical_hypergraphs(
    vertices: int, colors: int, sizes: Iterable[int] | None = None, *, fixed: int = 0
) -> tuple[list[Hypergraph], list[Hypergraph]]:
    """Those that decide all hypergraphs with edges of these sizes, or of all.

    One of each class under the renamings of the vertices that leave the first ``fixed`` in place.
    """
    sizes = range(1, vertices + 1) if sizes is None else sizes
    edges = [s for size in sizes for s in combinations(range(vertices), size)]
    return _systems(
        vertices,
        edges,
        product(range(colors), repeat=vertices),
        lambda edge, coloring: len({coloring[v] for v in edge}) > 1,
        fixed,
    )


def critical_triples(vertices: int) -> tuple[list[Hypergraph], list[Hypergraph]]:
    """Those that decide all systems of triples each of which shall have exactly one true vertex."""
    return _systems(
        vertices,
        list(combinations(range(vertices), 3)),
        product((0, 1), repeat=vertices),
        lambda triple, assignment: sum(assignment[v] for v in triple) == 1,
        0,
    )


def _systems(
    vertices: int,
    edges: Sequence[tuple[int, ...]],
    assignments: Iterable[tuple[int, ...]],
    holds: Callable[[tuple[int, ...], tuple[int, ...]], bool],
    fixed: int,
) -> tuple[list[Hypergraph], list[Hypergraph]]:
    violated = [[i for i, e in enumerate(edges) if not holds(e, a)] for a in assignments]
    number = {frozenset(edge): i for i, edge in enumerate(edges)}
    symmetries = [
        [number[frozenset(order[v] for v in edge)] for edge in edges]
        for rest in permutations(range(fixed, vertices))
        for order in [(*range(fixed), *rest)]
    ]
    found = critical(violated, len(edges), symmetries)
    unsolvable, solvable = (
        [Hypergraph(vertices, tuple(edges[i] for i in numbers)) for numbers in sets]
        for sets in found
    )
    return unsolvable, solvable


def asks_less(document: Document, other: Document) -> bool:
    """Whether every sample of an instance is one of the other, on the same network."""
    samples, others = (
        {str(sample) for sample in zip(d["data"]["x"], d["data"]["y"], strict=True)}
        for d in (document, other)
    )
    return bool(document["network"] == other["network"] and samples <= others)
