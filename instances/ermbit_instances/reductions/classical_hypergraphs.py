"""Graphs and hypergraphs of combinatorics whose colourings have been studied, and what is proved.

=================  =============================================================================
text               vertices; edges
=================  =============================================================================
``kneser:N:K``     sets of K of N points; disjoint sets
``mycielski:K``    3·2^(K-2) - 1 vertices; Mycielski's construction, begun with one edge
``queens:N``       squares of an N × N board; squares on a common line
``paley:Q``        residues modulo a prime Q, 1 modulo 4; residues that differ by a square
``waerden:N:K``    0..N-1; arithmetic progressions of length K
``schur:N``        1..N; the numbers of x + y = z, x ≤ y
``ramsey:N:K``     edges of the complete graph of N vertices; the edges of a complete subgraph of K
=================  =============================================================================

A vertex is numbered by its place in the order of the table, sets and edges lexicographically.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations
from math import comb

from ermbit_instances.errors import UsageError

Plain = tuple[int, list[tuple[int, ...]]]
"""Number of vertices, and edges."""

_MOST_CELLS = 20_000_000
"""Pairs or sets that are looked at; the limits of hypergraphs are stricter."""


def kneser(points: int, size: int) -> Plain:
    """The Kneser graph KG(N, K)."""
    _limit(comb(points, size) ** 2 if 0 < size <= points else 0)
    sets = [frozenset(s) for s in combinations(range(points), size)] if size else []
    return len(sets), [p for p in combinations(range(len(sets)), 2) if not sets[p[0]] & sets[p[1]]]


def mycielski(chromatic: int) -> Plain:
    """The triangle-free graph M_K of chromatic number K: M_2 = K_2, M_3 is the 5-cycle."""
    if not 2 <= chromatic <= 12:
        raise UsageError(f"hypergraph: mycielski:K with K = 2 to 12, not {chromatic}")
    n, edges = 2, [(0, 1)]
    for _ in range(chromatic - 2):
        # Vertex i has the copy n + i, and 2n is joined to all copies.
        copies = [pair for u, v in edges for pair in ((u, n + v), (v, n + u))]
        edges = [*edges, *copies, *((n + i, 2 * n) for i in range(n))]
        n = 2 * n + 1
    return n, list(edges)


def queens(side: int) -> Plain:
    """The queen graph: a row, column or diagonal in common."""
    _limit(side**4)
    squares = [(row, column) for row in range(side) for column in range(side)]
    pairs = combinations(range(len(squares)), 2)
    return len(squares), [(u, v) for u, v in pairs if _attack(squares[u], squares[v])]


def _attack(a: tuple[int, int], b: tuple[int, int]) -> bool:
    down, right = b[0] - a[0], b[1] - a[1]
    return down == 0 or right == 0 or abs(down) == abs(right)


def paley(prime: int) -> Plain:
    """The Paley graph of a prime that is 1 modulo 4."""
    _limit(prime**2)
    if prime % 4 != 1 or any(prime % d == 0 for d in range(2, int(prime**0.5) + 1)):
        raise UsageError(f"hypergraph: paley:Q with a prime Q = 1 modulo 4, not {prime}")
    squares = {x * x % prime for x in range(1, prime)}
    return prime, [(u, v) for u, v in combinations(range(prime), 2) if v - u in squares]


def waerden(numbers: int, length: int) -> Plain:
    """Arithmetic progressions: van der Waerden's theorem."""
    if length < 2:
        raise UsageError("hypergraph: waerden:N:K with progressions of length 2 or more")
    _limit(numbers**2)
    return numbers, [
        tuple(range(first, first + length * step, step))
        for step in range(1, numbers)
        for first in range(numbers - (length - 1) * step)
    ]


def schur(numbers: int) -> Plain:
    """Sums x + y = z, x = y included: Schur's theorem. Vertex i is the number i + 1."""
    _limit(numbers**2)
    return numbers, [
        (x - 1, y - 1, x + y - 1)
        for x in range(1, numbers + 1)
        for y in range(x, numbers - x + 1)
    ]


def ramsey(vertices: int, clique: int) -> Plain:
    """Complete subgraphs of a complete graph: Ramsey's theorem."""
    if clique < 2:
        raise UsageError("hypergraph: ramsey:N:K with cliques of 2 or more")
    _limit(comb(vertices, clique) * comb(clique, 2))
    number = {pair: place for place, pair in enumerate(combinations(range(vertices), 2))}
    cliques = combinations(range(vertices), clique)
    return len(number), [tuple(number[p] for p in combinations(c, 2)) for c in cliques]


def _limit(cells: int) -> None:
    if cells > _MOST_CELLS:
        raise UsageError("hypergraph: more vertices or edges than are allowed")


CLASSICAL: dict[tuple[str, int], Callable[..., Plain]] = {
    ("kneser", 2): kneser,
    ("mycielski", 1): mycielski,
    ("queens", 1): queens,
    ("paley", 1): paley,
    ("waerden", 2): waerden,
    ("schur", 1): schur,
    ("ramsey", 2): ramsey,
}
"""(name, number of its numbers) → vertices and edges."""

_WAERDEN = {
    (3, 2): (9, "van der Waerden 1927"),
    (3, 3): (27, "Chvátal 1970"),
    (3, 4): (76, "Beeler & O'Neil 1979"),
    (4, 2): (35, "Chvátal 1970"),
    (5, 2): (178, "Stevens & Shantaram 1978"),
}
_SCHUR = {2: (4, "Schur 1916"), 3: (13, "Schur 1916"), 4: (44, "Baumert 1961")}
_RAMSEY = {
    (3, 2): (6, "Greenwood & Gleason 1955"),
    (3, 3): (17, "Greenwood & Gleason 1955"),
    (4, 2): (18, "Greenwood & Gleason 1955"),
}


def too_few_colors(text: str, colors: int) -> str:
    """Why no colouring with so many colours leaves every edge two of them, or "".

    Theorems only, in words; "" says nothing of the hypergraph.
    """
    name, *rest = text.strip().split(":")
    if not all(part.isascii() and part.isdigit() for part in rest):
        return ""
    numbers = [int(part) for part in rest]
    match name, numbers:
        case "kneser", [n, k] if k >= 1 and n >= 2 * k and colors < n - 2 * k + 2:
            return f"the chromatic number is {n - 2 * k + 2} (Lovász 1978)"
        case "mycielski", [k] if colors < k:
            return f"the chromatic number is {k} (Mycielski 1955)"
        case "waerden", [n, k] if n >= _WAERDEN.get((k, colors), (n + 1, ""))[0]:
            least, source = _WAERDEN[k, colors]
            return f"W({k};{colors}) = {least} ({source})"
        case "schur", [n] if n > _SCHUR.get(colors, (n, ""))[0]:
            most, source = _SCHUR[colors]
            return f"{colors} colours suffice up to {most} only ({source})"
        case "ramsey", [n, k] if n >= _RAMSEY.get((k, colors), (n + 1, ""))[0]:
            least, source = _RAMSEY[k, colors]
            return f"the Ramsey number of K_{k} in {colors} colours is {least} ({source})"
    return ""
