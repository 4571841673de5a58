"""The best cell of a central arrangement, by recursion on the dimension.

Let V be vectors on distinct lines that span R^r. A *cell* is a set of all u with given strict signs
of u·v. Those are all the dichotomies that count: a u with u·v = 0 for some v ≠ 0 is wrong there,
and moving it towards any u' with u'·v ≠ 0 for all v keeps the other signs and costs no more.

For r ≥ 2 every cell is a proper cone and has a facet, in the hyperplane of some v. Inside that
hyperplane the facet is a cell of the other vectors modulo v, which span r − 1 dimensions; and every
cell there is a facet of two cells, one on either side of v. So

    least(V) = min over v of  min(plus_v, minus_v) + least(V / v)

where vectors that become parallel are merged. With r = 2 a sweep takes O(n log n), and many are
made at a time: O(n^(r-1) log n) in all (docs/theory.md D2, D4). In the step from 4 to 3 dimensions
a pair v, w without other vectors in its span would be met twice, and is met once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import gcd

import numpy as np

from ermbit.engines.halfspaces.lines import Arrangement
from ermbit.engines.halfspaces.sweep import Array, sweep, sweep_rows

CHUNK = 2**17
"""Vectors in the plane that are swept at a time."""

Found = tuple[int, tuple[int, ...]]
"""A cost and an integer u that has it, u·v ≠ 0 for every vector."""


@dataclass(frozen=True, slots=True)
class _Lines:
    """Vectors (n × r, int64 if they fit, else Python integers) on distinct lines, with costs.

    ``wanted`` are the numbers of the vectors to be factored out.
    """

    vectors: Array
    plus: Array
    minus: Array
    wanted: Array


def improvements(lines: Arrangement, below: int, check: Callable[[], None]) -> Iterator[Found]:
    """Ever better u, each of a cost less than those before and less than ``below``.

    Ends with the best one, or without any if no u costs less than ``below``. ``check`` is called
    now and then and may raise to stop; never before there was a chance to find something.
    """
    constant = lines.constant
    if lines.rank == 0:
        if constant < below:
            yield constant, ()
        return
    costs = np.int64 if sum(lines.plus) + sum(lines.minus) < 2**60 else object
    vectors = _compact(np.array(lines.vectors, dtype=object).reshape(-1, lines.rank))
    plus, minus = (np.array(c, dtype=costs) for c in (lines.plus, lines.minus))
    whole = _Lines(vectors, plus, minus, np.arange(len(vectors)))
    for cost, u in _improvements(whole, below - constant, check):
        yield cost + constant, u


def _improvements(lines: _Lines, below: int, check: Callable[[], None]) -> Iterator[Found]:
    rank = lines.vectors.shape[1]
    if rank <= 2:
        found = _single(lines)
        if found[0] < below:
            yield found
        return
    if rank == 3:
        yield from _spatial(lines, below, check)
        return
    for i in map(int, lines.wanted):
        own = min(int(lines.plus[i]), int(lines.minus[i]))
        for cost, inner in _improvements(_quotient(lines, i), below - own, check):
            below = cost + own
            yield below, _lifted(lines, i, inner)


def _single(lines: _Lines) -> Found:
    """All of at most two dimensions."""
    plus, minus = ([int(c) for c in costs] for costs in (lines.plus, lines.minus))
    if lines.vectors.shape[1] == 1:  # one line, and its vector is 1
        return min((plus[0], (1,)), (minus[0], (-1,)))
    return sweep([(int(p), int(q)) for p, q in lines.vectors], plus, minus)


def _spatial(lines: _Lines, below: int, check: Callable[[], None]) -> Iterator[Found]:
    """Three dimensions: sweeps around every wanted vector."""
    count = len(lines.vectors)
    step = max(1, CHUNK // count)
    for start in range(0, len(lines.wanted), step):
        chosen = lines.wanted[start : start + step]
        p, q = _planes(lines.vectors, chosen)
        own = np.minimum(lines.plus[chosen], lines.minus[chosen])
        least = sweep_rows(p, q, lines.plus, lines.minus) + own
        row = int(np.argmin(least))
        if least[row] < below:
            below = int(least[row])
            i = int(chosen[row])
            kept = [k for k in range(count) if k != i]
            vectors = [(int(p[row, k]), int(q[row, k])) for k in kept]
            plus, minus = ([int(c[k]) for k in kept] for c in (lines.plus, lines.minus))
            yield below, _lifted(lines, i, sweep(vectors, plus, minus)[1])
        check()


def _pivot(vector: Sequence[int]) -> int:
    """The coordinate of least absolute value among those that are not 0."""
    return min((abs(int(v)), c) for c, v in enumerate(vector) if v)[1]


def _planes(vectors: Array, chosen: Array) -> tuple[Array, Array]:
    """Coordinates of all vectors modulo each chosen one, rows × n."""
    vectors = _roomy(vectors)
    sizes = abs(vectors[chosen])
    pivots = np.where(sizes == 0, sizes.max() + 1, sizes).argmin(axis=1)
    others = np.array([[1, 2], [0, 2], [0, 1]])[pivots]
    scale, columns = vectors[chosen, pivots][:, None], vectors.T
    along = columns[pivots]
    p, q = (
        columns[others[:, k]] * scale - vectors[chosen, others[:, k]][:, None] * along
        for k in (0, 1)
    )
    return p, q


def _quotient(lines: _Lines, i: int) -> _Lines:
    """The other vectors modulo vector i, parallel ones merged."""
    vectors = _roomy(lines.vectors)
    pivot = _pivot(vectors[i])
    kept = [c for c in range(vectors.shape[1]) if c != pivot]
    others = np.array([k for k in range(len(vectors)) if k != i])
    reduced = vectors[others][:, kept] * vectors[i, pivot]
    reduced = reduced - vectors[others, pivot][:, None] * vectors[i, kept]
    divisor = np.gcd.reduce(reduced, axis=1)
    leading = reduced[np.arange(len(others)), (reduced != 0).argmax(axis=1)]
    flip = np.asarray(leading < 0, dtype=bool)
    reduced = _compact(reduced // np.where(flip, -divisor, divisor)[:, None])
    plus, minus = lines.plus[others], lines.minus[others]
    plus, minus = np.where(flip, minus, plus), np.where(flip, plus, minus)
    order, first = _grouped(reduced)
    sizes = np.diff(np.append(first, len(order)))
    # A pair whose span holds no third vector is met from the smaller number only.
    wanted = (sizes > 1) | (others[order[first]] > i)
    if reduced.shape[1] > 3:
        wanted[:] = True
    return _Lines(
        reduced[order[first]],
        np.add.reduceat(plus[order], first),
        np.add.reduceat(minus[order], first),
        np.nonzero(wanted)[0],
    )


def _grouped(vectors: Array) -> tuple[Array, Array]:
    """An order in which equal vectors are neighbours, and where each run begins."""
    if vectors.dtype == object:
        order = np.array(sorted(range(len(vectors)), key=lambda k: tuple(vectors[k])))
    else:
        order = np.lexsort(vectors.T)
    ordered = vectors[order]
    new = np.asarray(ordered[1:] != ordered[:-1], dtype=bool).any(axis=1)
    return order, np.append(0, np.nonzero(new)[0] + 1)


def _lifted(lines: _Lines, i: int, inner: Sequence[int]) -> tuple[int, ...]:
    """The u next to ``inner``, which lives modulo vector i, on the cheaper side of vector i."""
    chosen = [int(v) for v in lines.vectors[i]]
    pivot = _pivot(chosen)
    rest = [v for c, v in enumerate(chosen) if c != pivot]
    u = [chosen[pivot] * w for w in inner]
    u.insert(pivot, -sum(w * v for w, v in zip(inner, rest, strict=True)))
    side = 1 if lines.plus[i] <= lines.minus[i] else -1
    # u·v is 0 for vector i and not for any other: enough of u keeps all the other signs.
    many = 1
    for vector in lines.vectors:
        value = sum(a * int(v) for a, v in zip(u, vector, strict=True))
        if value:
            shift = side * sum(a * int(v) for a, v in zip(chosen, vector, strict=True))
            many = max(many, -shift // value + 1) if shift * value < 0 else many
    moved = [many * a + side * v for a, v in zip(u, chosen, strict=True)]
    common = gcd(*moved)
    return tuple(v // common for v in moved)


def _roomy(vectors: Array) -> Array:
    """The vectors in a type that holds differences of two products of their numbers."""
    if vectors.dtype == object or 2 * int(abs(vectors).max()) ** 2 < 2**62:
        return vectors
    return vectors.astype(object)


def _compact(vectors: Array) -> Array:
    if vectors.dtype == object and max(map(abs, vectors.flat)) < 2**60:
        return vectors.astype(np.int64)
    return vectors
