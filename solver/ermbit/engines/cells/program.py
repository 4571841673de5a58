"""The relaxation at a node of the search: every unit may use all rays of its region.

Every unit has a sign and a set of rays; what it contributes is any non-negative combination of
their values, which is exact if all rays lie in one cell and a relaxation otherwise. The least loss
of such sums is a convex program: a linear one
(:class:`~ermbit.engines.cells.linear_program.LinearProgram`), or least squares
(:class:`~ermbit.engines.cells.squares.SquaredProgram`). Here is what the search asks of either,
and what it gets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import numpy as np
from gmpy2 import mpq
from numpy.typing import NDArray

from ermbit.engines.cells.ascent import Floats, Vertex
from ermbit.engines.cells.bounds import ExactRows
from ermbit.engines.cells.rays import RayTable
from ermbit_instances.rational import Rational

Mask = NDArray[np.bool_]
"""Which rays of a table a unit may use."""


@dataclass(frozen=True, slots=True)
class Support:
    """Row numbers of the rays of a least-squares solution, with their amounts."""

    numbers: tuple[int, ...]
    amounts: tuple[float, ...]


Start: TypeAlias = Vertex | Support
"""What a solution leaves for the nodes below it to start from."""


@dataclass(frozen=True, slots=True)
class Relaxed:
    """A solution of a relaxation, in floats.

    Attributes:
        value: the total of the losses: a lower bound, up to rounding.
        multipliers: λ, one a sample.
        units, rays, amounts: the combination: amount · (scaled values of that ray of that unit).
            Empty if ``complete`` is false.
        free: the amounts of the linear terms.
        start: to start from below this node.
        complete: the climb went to its end.
    """

    value: float
    multipliers: Floats
    units: NDArray[np.intp]
    rays: NDArray[np.intp]
    amounts: Floats
    free: Floats
    start: Start | None
    complete: bool


@dataclass(frozen=True, slots=True)
class Combination:
    """An exact solution: amounts of the linear terms, and of rays by unit (values, unscaled)."""

    free: tuple[Rational, ...]
    parts: tuple[tuple[int, int, Rational], ...]


class Program(Protocol):
    """The relaxations for one choice of signs."""

    signs: tuple[int, ...]

    def solve(
        self, masks: Sequence[Mask], start: Start | None, target: float
    ) -> Relaxed | None: ...

    def bound(self, relaxed: Relaxed, masks: Sequence[Mask]) -> Rational | None: ...

    def combination(self, relaxed: Relaxed) -> Combination | None: ...

    def settle(
        self, masks: Sequence[Mask], check: Callable[[], None]
    ) -> tuple[Rational, Combination]: ...


@dataclass(frozen=True)
class Units:
    """The tables of all units, and their exact values."""

    tables: tuple[RayTable, ...]
    exact: tuple[ExactRows, ...]
    offsets: tuple[int, ...]

    @classmethod
    def of(cls, tables: Sequence[RayTable]) -> Units:
        known: dict[int, ExactRows] = {}
        for table in tables:
            if id(table) not in known:
                known[id(table)] = ExactRows.of(table)
        offsets, total = [], 1
        for table in tables:
            offsets.append(total)
            total += len(table)
        return cls(tuple(tables), tuple(known[id(t)] for t in tables), tuple(offsets))

    def locate(self, number: int) -> tuple[int, int]:
        """Unit and ray of a row number (0 is the budget, negative ones are equations)."""
        unit = max(j for j, offset in enumerate(self.offsets) if offset <= number)
        return unit, number - self.offsets[unit]


def scaled_floats(values: Sequence[int], unit: int) -> Floats:
    """Integers divided by another, however long they are."""
    return np.array([float(mpq(v, unit)) for v in values], dtype=np.float64)
