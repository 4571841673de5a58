"""Vectors that samples of reductions are made of."""

from __future__ import annotations

from collections.abc import Collection


def unit(position: int, length: int, value: int = 1) -> list[int]:
    """``value`` times the unit vector of a position (from 0)."""
    return [value if other == position else 0 for other in range(length)]


def indicator(chosen: Collection[int], length: int, value: int | str = 1) -> list[int | str]:
    """``value`` at the chosen positions, 0 elsewhere."""
    return [value if position in chosen else 0 for position in range(length)]
