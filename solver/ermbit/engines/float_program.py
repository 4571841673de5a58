"""Linear programs in floats, by HiGHS: what they say is a proposal, never an answer.

Every caller rounds what it gets to rationals and checks those exactly. HiGHS (Q. Huangfu and
J. A. J. Hall, "Parallelizing the dual revised simplex method", 2018) is called through its own
binding: the interface in SciPy takes three times as long for a small program, and a quarter of a
second to import.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Method = Literal["choose", "simplex", "ipm"]


@dataclass(frozen=True, slots=True)
class Columns:
    """A matrix of m rows by columns: entries ``starts[j]`` to ``starts[j + 1]`` are column j's."""

    starts: NDArray[np.int32]
    rows: NDArray[np.int32]
    values: Floats

    @classmethod
    def of(cls, matrix: Floats) -> Columns:
        """The entries ≠ 0 of a dense matrix m × n."""
        columns, rows = np.nonzero(matrix.T)
        starts = np.searchsorted(columns, np.arange(matrix.shape[1] + 1))
        return cls(starts.astype(np.int32), rows.astype(np.int32), matrix[rows, columns])


@dataclass(frozen=True, slots=True)
class FloatProgram:
    """Least ``goal · x`` under ``lower ≤ matrix x ≤ upper`` and ``low ≤ x ≤ high``.

    ``goal``, ``low`` and ``high`` have n numbers, ``lower`` and ``upper`` m; infinite ones are no
    bound. ``matrix`` is m × n.
    """

    goal: Floats
    matrix: Floats | Columns
    lower: Floats
    upper: Floats
    low: Floats
    high: Floats

    def solve(self, method: Method = "choose") -> Proposal | None:
        """An optimal point, nearly; ``None`` if there is none or HiGHS does not find it.

        Overflow in the caller's numbers (infinities, NaN among the entries) ends in ``None``, too.
        """
        import highspy as package

        highspy: Any = package
        program = highspy.HighsLp()
        program.num_col_, program.num_row_ = len(self.goal), len(self.lower)
        program.col_cost_ = self.goal
        program.col_lower_, program.col_upper_ = self.low, self.high
        program.row_lower_, program.row_upper_ = self.lower, self.upper
        columns = self.matrix if isinstance(self.matrix, Columns) else Columns.of(self.matrix)
        if not (np.isfinite(columns.values).all() and np.isfinite(self.goal).all()):
            return None
        program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        program.a_matrix_.start_ = columns.starts
        program.a_matrix_.index_ = columns.rows
        program.a_matrix_.value_ = columns.values
        highs = highspy.Highs()
        for option, value in (("output_flag", False), ("threads", 1), ("solver", method)):
            highs.setOptionValue(option, value)
        if highs.passModel(program) == highspy.HighsStatus.kError:
            return None
        highs.run()
        if highs.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            return None
        solution = highs.getSolution()
        point, multipliers = np.array(solution.col_value), np.array(solution.row_dual)
        if not (np.isfinite(point).all() and np.isfinite(multipliers).all()):
            return None
        return Proposal(point, multipliers)


@dataclass(frozen=True, slots=True)
class Proposal:
    """A point x (n numbers), and by how much the least value grows with a row's bound (m numbers).

    The multiplier of a row is ≤ 0 where its ``upper`` holds it back, ≥ 0 at its ``lower``.
    """

    point: Floats
    multipliers: Floats
