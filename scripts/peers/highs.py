"""HiGHS on a program: through highspy, or through SciPy where that is missing.

HiGHS computes in floating point: what it answers is only as good as its tolerances, and is checked
from outside where there is something to check.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from peers.milp_program import Linear, Program

GAP = 0.999
"""A gap below 1 between integers is none."""

TOLERANCE = 1e-9
"""A binary that is off by this moves a row by that much times its big M."""


@dataclass(frozen=True)
class Solution:
    """What a solver says: status, values of the columns, value and bound of the objective."""

    status: str
    values: Sequence[float] | None
    value: float | None
    bound: float | None


def solve(
    program: Program, objective: Linear | None, timeout: float, threads: int
) -> Solution:
    """HiGHS on a program; minimises integers, so a gap below 1 is none."""
    try:
        import highspy  # noqa: F401
    except ImportError:
        return _solve_scipy(program, objective, timeout)
    return _solve_highspy(program, objective, timeout, threads)


def _solve_highspy(
    program: Program, objective: Linear | None, timeout: float, threads: int
) -> Solution:
    import highspy
    import numpy as np

    count = len(program.lower)
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = count, len(program.rows)
    costs = np.zeros(count)
    for column, value in (objective or {}).items():
        if column >= 0:
            costs[column] = value
    model.col_cost_ = costs
    model.offset_ = (objective or {}).get(-1, 0.0)
    model.col_lower_, model.col_upper_ = np.array(program.lower), np.array(program.upper)
    model.row_lower_ = np.array([low for _, low, _ in program.rows])
    model.row_upper_ = np.array([high for _, _, high in program.rows])
    starts = np.cumsum([0, *(len(row) for row, _, _ in program.rows)])
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_ = starts.astype(np.int32)
    model.a_matrix_.index_ = np.array([c for row, _, _ in program.rows for c in row], np.int32)
    model.a_matrix_.value_ = np.array([v for row, _, _ in program.rows for v in row.values()])
    kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
    model.integrality_ = [kinds[i] for i in program.integer]
    highs = highspy.Highs()
    highs.silent()
    highs.setOptionValue("time_limit", max(0.1, timeout))
    highs.setOptionValue("threads", threads)
    highs.setOptionValue("mip_rel_gap", 0.0)
    highs.setOptionValue("mip_abs_gap", GAP)
    for option in ("mip_feasibility_tolerance", "primal_feasibility_tolerance"):
        highs.setOptionValue(option, TOLERANCE)
    highs.passModel(model)
    highs.run()
    status, info = highs.getModelStatus(), highs.getInfo()
    word = {
        highspy.HighsModelStatus.kOptimal: "optimal",
        highspy.HighsModelStatus.kInfeasible: "infeasible",
    }.get(status, "unknown")
    has = info.primal_solution_status == 2
    return Solution(
        word,
        list(highs.getSolution().col_value) if has else None,
        info.objective_function_value if has else None,
        info.mip_dual_bound,
    )


def _solve_scipy(program: Program, objective: Linear | None, timeout: float) -> Solution:
    import numpy as np
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    count = len(program.lower)
    costs = np.zeros(count)
    for column, value in (objective or {}).items():
        if column >= 0:
            costs[column] = value
    offset = (objective or {}).get(-1, 0.0)
    starts = np.cumsum([0, *(len(row) for row, _, _ in program.rows)])
    indices = [c for row, _, _ in program.rows for c in row]
    data = [v for row, _, _ in program.rows for v in row.values()]
    matrix = csr_array((data, indices, starts), shape=(len(program.rows), count))
    lower = [low for _, low, _ in program.rows]
    upper = [high for _, _, high in program.rows]
    found = milp(
        costs,
        integrality=np.array(program.integer, dtype=int),
        bounds=Bounds(program.lower, program.upper),
        constraints=LinearConstraint(matrix, lower, upper),
        options={"time_limit": max(0.1, timeout), "mip_rel_gap": 0.0},
    )
    word = {0: "optimal", 2: "infeasible"}.get(found.status, "unknown")
    bound = getattr(found, "mip_dual_bound", None)
    return Solution(
        word,
        None if found.x is None else list(found.x),
        None if found.x is None else found.fun + offset,
        None if bound is None else bound + offset,
    )
