"""Symmetries of the data: permutations of samples that turn choices of rows into equally good ones.

A permutation ρ of the samples that keeps targets and weights, and turns the vectors of every table
into vectors of the same table, turns a choice of rows into one of the same total. So of one unit
only one row of every orbit has to be tried. Candidates come from exchanges and reflections of the
inputs' coordinates (bits of parities, pixels of symmetric patterns); whether they are symmetries is
seen on the tables themselves, whatever the parameters are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

import numpy as np

from ermbit.engines.tables.build import Array, Check, Table, hashes
from ermbit.engines.tables.loss import GapLoss

COORDINATES = 24
"""Inputs up to which symmetries are looked for."""

Point = tuple[int, ...]


def with_orbits(
    tables: Sequence[Table], inputs: Sequence[Point], loss: GapLoss, check: Check
) -> tuple[list[Table], int]:
    """The tables, one of them reduced to one row of every orbit, and the number of generators.

    Args:
        tables: their vectors have the columns of the loss.
        inputs: of the samples.
        loss: of the sums.
        check: called between pieces of work; ends it by raising.
    """
    different = {table.key: table for table in tables}
    images: dict[object, list[Array]] = {key: [] for key in different}
    count = 0
    for columns in sample_permutations(inputs, loss):
        found: dict[object, Array] = {}
        for key, table in different.items():
            check()
            image = _image(table.vectors, columns)
            if image is None:
                break
            found[key] = image
        else:
            count += 1
            for known, image in found.items():
                images[known].append(image)
    if not count:
        return list(tables), 0
    best, place, rows = 1.0, -1, np.zeros(0, dtype=np.int64)
    keys = [table.key for table in tables]
    for u, table in enumerate(tables):
        least = _orbits(len(table), images[table.key])
        kept = np.nonzero(least == np.arange(len(table)))[0]
        # A unit that is no longer one of k equal ones gives up a factor k.
        gain = len(table) / kept.size / keys.count(table.key)
        if gain > best:
            best, place, rows = gain, u, kept
    if place < 0:
        return list(tables), 0
    full = tables[place]
    part = Table(
        full.vectors[rows], full.parameters, full.choices[rows], ("one of every orbit", full.key)
    )
    return [part if u == place else table for u, table in enumerate(tables)], count


def sample_permutations(inputs: Sequence[Point], loss: GapLoss) -> Iterator[Array]:
    """Columns after exchanges and reflections of coordinates that keep targets and weights."""
    place = {x: i for i, x in enumerate(inputs)}
    if len(place) < len(inputs) or not inputs or len(inputs[0]) > COORDINATES:
        return
    for move in _moves(inputs):
        moved = [place.get(move(x), -1) for x in inputs]
        if min(moved) < 0 or moved == list(range(len(inputs))):
            continue
        samples = np.array(moved)
        columns = np.concatenate([g * len(inputs) + samples for g in range(loss.groups)])
        same = (loss.target[columns] == loss.target).all()
        if same and (loss.weights[samples] == loss.weights).all():
            yield columns


def _moves(inputs: Sequence[Point]) -> Iterator[Callable[[Point], Point]]:
    d = len(inputs[0])
    ends = [(min(column), max(column)) for column in zip(*inputs, strict=True)]

    def exchange(i: int, j: int) -> Callable[[Point], Point]:
        order = list(range(d))
        order[i], order[j] = j, i
        return lambda x: tuple(x[k] for k in order)

    def reflection(turned: frozenset[int]) -> Callable[[Point], Point]:
        return lambda x: tuple(sum(ends[k]) - v if k in turned else v for k, v in enumerate(x))

    for i, j in combinations(range(d), 2):
        yield exchange(i, j)
    for i in range(d):
        yield reflection(frozenset([i]))
    for i, j in combinations(range(d), 2):
        yield reflection(frozenset([i, j]))
    yield reflection(frozenset(range(d)))


def _image(vectors: Array, columns: Array) -> Array | None:
    """By row the one that it becomes; ``None`` if one becomes none, or that is not seen."""
    key = hashes(list(vectors.T))
    order = np.argsort(key)
    wanted = hashes(list(vectors[:, columns].T))
    place = np.minimum(np.searchsorted(key, wanted, sorter=order), order.size - 1)
    image: Array = order[place]
    return image if (vectors[image] == vectors[:, columns]).all() else None


def _orbits(size: int, images: Sequence[Array]) -> Array:
    """By row the least row of its orbit."""
    least: Array = np.arange(size)
    while True:
        before = least.copy()
        for image in images:
            np.minimum(least, least[image], out=least)
            back = least.copy()
            back[image] = np.minimum(least[image], least)
            least = back
        if (least == before).all():
            return least
