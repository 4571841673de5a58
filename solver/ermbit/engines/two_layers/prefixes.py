"""First layers in an order: those that cannot be good last.

Two samples whose first-layer activations are close get outputs that are close (see
:mod:`~ermbit.engines.deep_fits.conflicts`), which bounds the loss of every first layer from below.
In the order of these bounds the search ends where they pass the best loss, and the bound of the
next first layer is a lower bound for all that are left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations_with_replacement, islice, product
from math import comb, prod
from typing import TypeAlias

import numpy as np

from ermbit.engines.tables.build import Array, Check

ORDERED = 2**20
"""First layers that are held at a time to be ordered."""

BLOCK = 2**14
"""First layers that are bounded between looks at the clock."""

Bound: TypeAlias = Callable[[Array], Array]
"""Lower bounds on the totals of some first layers."""


def first_layers(
    counts: Sequence[int],
    multisets: bool,
    size: int,
    bound: Bound,
    rng: np.random.Generator,
    check: Check,
) -> Iterator[tuple[Array, Array, int]]:
    """All choices of a vector for every first-layer unit, some at a time.

    Args:
        counts: of vectors, by unit.
        multisets: the order of the vectors does not matter.
        size: the most at a time.
        bound: of some.
        rng: for the order of equal bounds.
        check: called between pieces of work; ends it by raising.

    Yields:
        Positions, (choices, units); their bounds, ascending; and a bound for all that are left.
    """
    if multisets:
        total = comb(counts[0] + len(counts) - 1, len(counts))
        everything: Iterator[tuple[int, ...]] = combinations_with_replacement(
            (int(v) for v in rng.permutation(counts[0])), len(counts)
        )
    else:
        total = prod(counts)
        everything = product(*([int(v) for v in rng.permutation(n)] for n in counts))
    while held := list(islice(everything, ORDERED)):
        check()
        chosen = rng.permutation(np.array(held, dtype=np.int64))
        bounds = np.empty(len(chosen), dtype=np.int64)
        for start in range(0, len(chosen), BLOCK):
            check()
            bounds[start : start + BLOCK] = bound(chosen[start : start + BLOCK])
        order = np.argsort(bounds, kind="stable")
        chosen, bounds = chosen[order], bounds[order]
        for start in range(0, len(chosen), size):
            some = slice(start, start + size)
            yield chosen[some], bounds[some], int(bounds[start]) if total <= ORDERED else 0
