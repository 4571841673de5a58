"""Linear lower bounds on the loss: what boxes alone do not see.

A box treats the samples as if each could be met apart from the others. For a direction a, the
single number a·gap is known for all rows below a node as an interval, and the loss is bounded from
below by it (weak duality):

    Σ w |g| ≥ |Σ σ w g|                    for σ_i = ±1
    Σ w max(0, g) ≥ Σ σ w g                for σ_i = 0, 1
    Σ w g² ≥ |2 Σ w ĝ g| − Σ w ĝ²          for any ĝ (the tangents at ±ĝ)
    some g_i > 0, so a loss ≥ min w,       if Σ g > 0 over some samples

The bounds are tight at the gaps that σ or ĝ is taken from; the best choices found before the search
are taken. Any direction gives a valid bound, so nothing depends on how good they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ermbit.engines.tables.build import Array
from ermbit.engines.tables.loss import GapLoss
from ermbit.engines.tables.tree import Tree

COUNT, LEAST_COUNT, ENDS = 64, 8, 2**24
"""Directions at most, and so few that their numbers at all nodes are not more than this, but not
fewer than the second number: on large trees more directions cost more than they save."""


@dataclass(frozen=True, slots=True)
class Directions:
    """Linear bounds on one loss.

    Attributes:
        rows: a by direction, (directions, samples).
        target: a·τ.
        offset: subtracted from what a·gap says.
        two_sided: a·gap and −a·gap both bound the loss.
        step: where not ``None``: the bound is this, where a·gap is positive.
    """

    rows: Array
    target: Array
    offset: Array
    two_sided: bool
    step: int | None

    def slants(self, tree: Tree, vectors: Array) -> Array:
        """Per node of a tree the greatest a·t, and the negated least ones if needed.

        Args:
            tree: whose nodes are meant.
            vectors: the table's rows in tree order.
        """
        values = vectors.astype(self.rows.dtype) @ self.rows.T
        if self.two_sided:
            values = np.concatenate([values, -values], axis=1)
        ends = np.empty((tree.child.size, values.shape[1]), dtype=values.dtype)
        leaves = np.nonzero(tree.child < 0)[0]
        ends[leaves] = values[tree.start[leaves]]
        for first, last in reversed(tree.levels):
            inner = first + np.nonzero(tree.child[first:last] >= 0)[0]
            child = tree.child[inner]
            ends[inner] = np.maximum(ends[child], ends[child + 1])
        return ends

    def least(self, reached: Array) -> Array:
        """Lower bounds from the sums of slants, (directions or twice as many, tuples)."""
        n = self.target.size
        value = self.target[:, None] - reached[:n]
        if self.two_sided:
            np.maximum(value, -(self.target[:, None] + reached[n:]), out=value)
        value -= self.offset[:, None]
        best: Array = value.max(axis=0)
        if self.step is not None:
            return np.where(best > 0, self.step, 0)
        return best


def directions(
    loss: GapLoss, gaps: Sequence[Array], limit: int, reach: int, nodes: int = 1
) -> Directions | None:
    """Bounds that are tight at given gaps; ``None`` where they would not help or not fit.

    Args:
        loss: to be bounded.
        gaps: of good choices, best first.
        limit: largest total that counts: for ``zero_one`` the bound is worth nothing beyond the
            least weight.
        reach: no gap and no part of one exceeds this.
        nodes: of all trees, for which each direction has a number.
    """
    if loss.largest or not gaps:
        return None
    weights = loss.column_weights.astype(np.int64)
    step: int | None = None
    drawn = np.stack([gap.astype(np.int64) for gap in gaps])
    if loss.cost == "count":
        step = int(weights.min())
        if limit >= step:
            return None
        drawn = np.concatenate([np.ones_like(drawn[:1]), drawn > 0])
    elif loss.cost == "square":
        drawn = 2 * drawn
    else:
        signs = np.where(drawn > 0, 1, -1 if loss.two_sided else 0)
        if loss.groups > 1 and not loss.two_sided:
            # Only one rival of a sample counts: the one that is missed by most.
            grouped = drawn.reshape(len(drawn), loss.groups, -1)
            worst_rival = grouped.argmax(axis=1)[:, None, :]
            only = np.arange(loss.groups)[None, :, None] == worst_rival
            signs = np.where(only, signs.reshape(grouped.shape), 0).reshape(drawn.shape)
        drawn = signs
    _, kept = np.unique(drawn, axis=0, return_index=True)
    count = min(COUNT, max(LEAST_COUNT, ENDS // nodes))
    drawn = drawn[np.sort(kept)[:count]]
    if loss.cost == "square":
        # |2 ĝ| ≤ 2 reach, and Σ w reach² fits 62 bits with the totals.
        offset = ((drawn // 2) ** 2 * weights).sum(axis=1)
    else:
        offset = np.zeros(len(drawn), dtype=np.int64)
    largest = max(
        sum(abs(int(a)) * (1 if step else int(w)) for a, w in zip(row, weights, strict=True))
        for row in drawn
    )
    worst = 3 * largest * reach + int(offset.max())
    if worst >= 2**62:
        return None
    rows = drawn if step else drawn * weights
    kind = np.int32 if worst < 2**31 else np.int64
    target = rows @ loss.target.astype(np.int64)
    return Directions(
        rows.astype(kind), target.astype(kind), offset.astype(kind), loss.two_sided, step
    )
