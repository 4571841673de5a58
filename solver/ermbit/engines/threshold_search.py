"""Minimising by deciding: the search over integer budgets that any complete decider allows.

For finite grids every loss is an integer over a static unit Q (docs/theory.md K1), so the least
total T in [0, T₀] is found by deciding T ≤ t. An answer ``sat`` lowers the upper end to the loss
of its certificate, ``unsat`` at t raises the lower end to t + 1: at every moment both are proved.
"""

from __future__ import annotations

from collections.abc import Callable

from ermbit.engines.engine import Budget, Incumbent, LowerBound, Outcome, Report
from ermbit_encodings.integer_form import IntegerForm
from ermbit_instances.certificate import Value
from ermbit_instances.errors import InternalError

Decide = Callable[[int | None], tuple[str, tuple[int, ...] | None]]
"""Decide total ≤ budget (``None``: any θ at all): ("sat", integer parameters), ("unsat", None)
or ("unknown", None)."""


def minimize_by_thresholds(
    form: IntegerForm, decide: Decide, budget: Budget, report: Report
) -> Outcome:
    """Least total by repeated decisions.

    Steps down from the incumbent at first, since certificates are cheap near the optimum and the
    refutation is not; halves the gap once both ends are known to be far apart.
    """

    def values(parameters: tuple[int, ...]) -> tuple[Value, ...]:
        return form.values(parameters)

    status, best = decide(None)
    if status == "unsat" or best is None:
        reason = "stopped before the first certificate" if status != "unsat" else "empty domain"
        return Outcome("unknown", reason=reason)
    upper, lower, calls = form.total(best), 0, 1
    report(Incumbent(values(best), form.loss(upper)))
    report(LowerBound(form.loss(lower)))
    while lower < upper:
        if budget.expired:
            break
        # Bisect while the gap is wide; the last steps go down one by one.
        target = (lower + upper - 1) // 2 if upper - lower > 2 else upper - 1
        status, found = decide(target)
        calls += 1
        if status == "sat" and found is not None:
            total = form.total(found)
            if total > target:
                raise InternalError(f"model has total {total}, asked for at most {target}")
            best, upper = found, total
            report(Incumbent(values(best), form.loss(upper)))
        elif status == "unsat":
            lower = target + 1
            report(LowerBound(form.loss(lower)))
        else:
            break
    statistics = {"decisions": calls}
    if lower == upper:
        return Outcome("optimal", values(best), form.loss(upper), statistics=statistics)
    return Outcome(
        "feasible",
        values(best),
        form.loss(lower),
        reason="stopped before optimality was proved",
        statistics=statistics,
    )
