"""All choices of one dichotomy for every unit, those with the least bounds first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, groupby
from math import comb, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ermbit.engines.dichotomies.bounds import GroupBound, Sides

CHUNK = 1 << 14
"""Choices that are bounded at a time."""

KEPT = 200_000
"""Choices below the incumbent that are remembered and sorted at a time."""

Choice = tuple[int, ...]


def choice_count(sizes: Sequence[int], kinds: Sequence[int]) -> int:
    """How many choices there are; units of one kind are interchangeable.

    Args:
        sizes: number of dichotomies of each unit.
        kinds: of each unit; equal kinds are next to each other.
    """
    alike = [list(group) for _, group in groupby(zip(kinds, sizes, strict=True))]
    return prod(comb(group[0][1] + len(group) - 1, len(group)) for group in alike)


def choices(sizes: Sequence[int], kinds: Sequence[int]) -> Iterator[NDArray[np.int64]]:
    """All choices, in blocks of rows: one dichotomy number a unit, ascending within a kind.

    Blocks may be empty: where many units are alike most are, and a caller looks at its deadline.
    """
    total = prod(sizes)
    for start in range(0, total, CHUNK):
        flat = np.arange(start, min(total, start + CHUNK))
        block = np.stack(np.unravel_index(flat, tuple(sizes)), axis=1)
        for j in range(1, len(sizes)):
            if kinds[j] == kinds[j - 1]:
                block = block[block[:, j] >= block[:, j - 1]]
        yield block


def codes(tables: Sequence[Sides], block: NDArray[np.int64]) -> NDArray[np.int64]:
    """The group of every sample under every choice: bit j is the side of unit j."""
    result = np.zeros((len(block), tables[0].shape[1]), dtype=np.int64)
    for j, table in enumerate(tables):
        result |= table[block[:, j]].astype(np.int64) << j
    return result


def cheapest_first(
    tables: Sequence[Sides],
    kinds: Sequence[int],
    bound: GroupBound,
    tried: Callable[[Choice, Any], Any],
    raised: Callable[[Any], None],
    check: Callable[[], None],
    limit: Any,
) -> None:
    """Offer every choice whose bound is not above the limit; returns after all of them.

    Args:
        tables: of each unit its dichotomies.
        kinds: of each unit; units of one kind have the same table.
        bound: lower bounds.
        tried: called with a choice and its bound; returns the limit from now on.
        raised: called with proved lower bounds for all choices, in the units of ``bound``.
        check: called now and then; may raise.
        limit: only bounds up to this matter; ``None`` for no limit.
    """
    groups = 1 << len(tables)
    first = _least(tables, kinds, bound, check, groups)
    if not first:
        return
    raised(first[0][0])
    done = set()
    for value, choice in first:
        if limit is not None and value > limit:
            break
        done.add(choice)
        limit = tried(choice, value)
    level: Any = None
    while True:
        waiting, level_next, crowded = _below(tables, kinds, bound, check, groups, level, limit)
        if crowded:
            waiting = chain(waiting, _tied(tables, kinds, bound, check, groups, level_next))
        for value, choice in waiting:
            if limit is not None and value > limit:
                return
            raised(value if limit is None else min(value, limit))
            check()
            if choice not in done:
                limit = tried(choice, value)
        if level_next is None:
            return
        level = level_next


def _least(
    tables: Sequence[Sides],
    kinds: Sequence[int],
    bound: GroupBound,
    check: Callable[[], None],
    groups: int,
) -> list[tuple[Any, Choice]]:
    """Some choices with the least bounds, in order."""
    kept: list[tuple[Any, Choice]] = []
    for values, block in _bounded(tables, kinds, bound, check, groups):
        places = np.argsort(values, kind="stable")[:32]
        kept += [(values[p].item(), tuple(block[p].tolist())) for p in places]
        kept = sorted(kept)[:32]
    return kept


def _below(
    tables: Sequence[Sides],
    kinds: Sequence[int],
    bound: GroupBound,
    check: Callable[[], None],
    groups: int,
    level: Any,
    limit: Any,
) -> tuple[Iterable[tuple[Any, Choice]], Any, bool]:
    """The choices with bounds above ``level`` up to the limit, sorted.

    Also where they were cut, if they were, and whether those at the cut itself are so many (a blind
    bound is 0 for all) that they are left out.
    """
    values_kept: list[NDArray[Any]] = []
    blocks: list[NDArray[np.int64]] = []
    cut: Any = None
    crowded = False
    count = 0
    for values, block in _bounded(tables, kinds, bound, check, groups):
        wanted = np.ones(len(values), dtype=bool)
        if level is not None:
            wanted &= values > level
        if limit is not None:
            wanted &= values <= limit
        if cut is not None:
            wanted &= (values < cut) if crowded else (values <= cut)
        values_kept.append(values[wanted])
        blocks.append(block[wanted])
        count += int(wanted.sum())
        if count > 2 * KEPT:
            all_values = np.concatenate(values_kept)
            cut = np.partition(all_values, KEPT)[KEPT].item()
            all_blocks = np.concatenate(blocks)
            near = all_values <= cut
            crowded = int(near.sum()) > 2 * KEPT
            if crowded:
                near = all_values < cut
            values_kept, blocks = [all_values[near]], [all_blocks[near]]
            count = int(near.sum())
    if not blocks:
        return [], None, False
    all_values, all_blocks = np.concatenate(values_kept), np.concatenate(blocks)
    order = np.argsort(all_values, kind="stable")
    found = [(all_values[p].item(), tuple(all_blocks[p].tolist())) for p in order]
    return found, cut, crowded


def _tied(
    tables: Sequence[Sides],
    kinds: Sequence[int],
    bound: GroupBound,
    check: Callable[[], None],
    groups: int,
    value: Any,
) -> Iterator[tuple[Any, Choice]]:
    """The choices with just this bound, one block after the other."""
    for values, block in _bounded(tables, kinds, bound, check, groups):
        for row in block[values == value].tolist():
            yield value, tuple(row)


def _bounded(
    tables: Sequence[Sides],
    kinds: Sequence[int],
    bound: GroupBound,
    check: Callable[[], None],
    groups: int,
) -> Iterator[tuple[NDArray[Any], NDArray[np.int64]]]:
    """All choices block by block, with their bounds; empty blocks are left out."""
    for block in choices([len(table) for table in tables], kinds):
        check()
        if len(block):
            yield bound.of(codes(tables, block), groups), block
