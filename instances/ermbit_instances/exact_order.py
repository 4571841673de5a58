"""Comparison operators for exact real numbers that know how they compare."""

from __future__ import annotations

from abc import ABC, abstractmethod


class ExactOrder(ABC):
    """Gives ``<``, ``<=``, ``>``, ``>=`` to a class that defines ``_order``."""

    __slots__ = ()

    @abstractmethod
    def _order(self, other: object) -> int | None:
        """-1, 0 or 1 for self <, =, > other; ``None`` for a type without a common order."""

    def __lt__(self, other: object) -> bool:
        order = self._order(other)
        return NotImplemented if order is None else order < 0

    def __le__(self, other: object) -> bool:
        order = self._order(other)
        return NotImplemented if order is None else order <= 0

    def __gt__(self, other: object) -> bool:
        order = self._order(other)
        return NotImplemented if order is None else order > 0

    def __ge__(self, other: object) -> bool:
        order = self._order(other)
        return NotImplemented if order is None else order >= 0
