"""k-d trees over tables: every node a run of rows and the box that encloses them.

Built level by level, all nodes of a level at once. A node is cut across its widest weighted side,
at the middle of that side unless nearly everything lies on one side of it (Bentley 1975; the
sliding midpoint of Maneewongvatana & Mount 1999).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ermbit.engines.tables.build import Array, Check

LEAST_SHARE = 16
"""A cut that leaves less than this fraction (1/16) on one side is made at the median instead."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A table's rows in tree order with the boxes of the nodes; node 0 is the root.

    Attributes:
        order: the row at every position.
        start, end: positions of a node's rows, start ≤ position < end.
        child: the first of the two children, which are numbered one after the other; −1: a leaf.
        boxes: greatest coordinates, followed by the negated least ones if asked for.
        spread: weighted sum of the sides; 0 for leaves, whose rows are all equal.
        levels: ranges of node numbers, from the root down.
    """

    order: Array
    start: Array
    end: Array
    child: Array
    boxes: Array
    spread: Array
    levels: tuple[tuple[int, int], ...]


def build_tree(vectors: Array, weights: Array, two_sided: bool, check: Check) -> Tree:
    """The tree of the rows of a table.

    Args:
        vectors: (rows, columns) integers whose negatives and differences fit their type.
        weights: of the columns, float64: they shape the tree and decide nothing.
        two_sided: whether lower ends are stored as well.
        check: called between levels; ends the building by raising.
    """
    rows = vectors.shape[0]
    order = np.arange(rows)
    starts, ends = np.array([0]), np.array([rows])
    found: list[tuple[Array, ...]] = []
    levels: list[tuple[int, int]] = []
    count = 0
    while starts.size:
        check()
        sizes = ends - starts
        offsets = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        segment = np.repeat(np.arange(starts.size), sizes)
        places = np.arange(int(sizes.sum())) + (starts - offsets)[segment]
        points = vectors[order[places]]
        high = np.maximum.reduceat(points, offsets, axis=0)
        low = np.minimum.reduceat(points, offsets, axis=0)
        sides = (high - low) * weights
        spread = sides.sum(axis=1)
        # A weight too small for floats must not turn different rows into a leaf.
        inner = (high != low).any(axis=1)
        spread = np.where(inner, np.maximum(spread, 1e-30), 0.0)
        boxes = np.concatenate([high, -low], axis=1) if two_sided else high
        levels.append((count, count + starts.size))
        count += starts.size
        child = np.full(starts.size, -1)
        child[inner] = count + 2 * np.arange(int(inner.sum()))
        found.append((starts, ends, child, boxes, spread))
        axis = np.argmax(np.where(high != low, sides, -1.0), axis=1)
        each = np.arange(starts.size)
        least, most = low[each, axis], high[each, axis]
        middle = least + (most - least) // 2
        key = points[np.arange(points.shape[0]), axis[segment]]
        below = np.bincount(segment[key <= middle[segment]], minlength=starts.size)
        lopsided = np.minimum(below, sizes - below) * LEAST_SHARE < sizes
        below = np.where(lopsided, sizes // 2, below)
        order[places] = order[places[np.lexsort((key, segment))]]
        cuts = (starts + below)[inner]
        starts, ends = (
            np.stack([starts[inner], cuts], axis=1).ravel(),
            np.stack([cuts, ends[inner]], axis=1).ravel(),
        )
    start, end, child, boxes, spread = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return Tree(order, start, end, child, boxes, spread.astype(np.float32), tuple(levels))
