"""An exact table of numbers, held as rationals or as the floating-point array that it came from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from gmpy2 import mpq

from ermbit_instances.rational import Rational, from_float

if TYPE_CHECKING:
    import numpy as np


class Table:
    """An immutable N × width table of rationals.

    ``array`` is the NumPy array behind the table when the numbers came from one (float or integer,
    N × width), so that vectorised readers need no conversion; otherwise ``None``.
    """

    __slots__ = ("__dict__", "_rows", "array", "shape")

    def __init__(
        self,
        rows: Sequence[Sequence[Rational]] | None = None,
        array: np.ndarray[Any, Any] | None = None,
    ) -> None:
        if (rows is None) == (array is None):
            raise ValueError("give either rows or an array")
        self._rows = None if rows is None else tuple(map(tuple, rows))
        self.array = array
        if array is not None:
            self.shape = (int(array.shape[0]), int(array.shape[1]))
        else:
            assert self._rows is not None
            self.shape = (len(self._rows), len(self._rows[0]) if self._rows else 0)

    def __len__(self) -> int:
        return self.shape[0]

    def __iter__(self) -> Iterator[tuple[Rational, ...]]:
        return iter(self.rows)

    def __getitem__(self, i: int) -> tuple[Rational, ...]:
        return self.rows[i]

    def __getstate__(self) -> tuple[Any, Any]:
        return (self._rows, self.array)

    def __setstate__(self, state: tuple[Any, Any]) -> None:
        self.__init__(*state)  # type: ignore[misc]

    @cached_property
    def rows(self) -> tuple[tuple[Rational, ...], ...]:
        """All rows as exact rationals (converted on first use)."""
        if self._rows is not None:
            return self._rows
        assert self.array is not None
        if self.array.dtype.kind in "iub":
            return tuple(tuple(mpq(v) for v in row) for row in self.array.tolist())
        return tuple(tuple(from_float(v) for v in row) for row in self.array.tolist())
