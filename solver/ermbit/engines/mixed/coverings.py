"""The ``coverings`` engine: nonlinear real arithmetic in cvc5, where cvc5 is installed.

The same polynomial programs as ``nra``, decided by cylindrical algebraic coverings instead of
nlsat: the two procedures are fast on different instances, so both run side by side.
"""

from __future__ import annotations

from importlib.util import find_spec

from ermbit.engines.engine import Budget, Capability, Task
from ermbit.engines.mixed.nra import NraEngine
from ermbit.engines.mixed.search import MixedSolver
from ermbit_encodings.mixed.program import MixedProgram
from ermbit_encodings.problem import Problem


class CoveringsEngine(NraEngine):
    """cvc5 on the polynomial encoding."""

    name = "coverings"
    summary = "nonlinear real arithmetic by coverings (cvc5, optional)"
    alone = False  # nra has these turns, at the same time

    def capability(self, problem: Problem, task: Task) -> Capability:
        if find_spec("cvc5") is None:
            return Capability(False, False, "cvc5 is not installed (extra nra)")
        base = super().capability(problem, task)
        return Capability(base.applicable, base.complete, base.reason, base.cost + 0.2)

    def solver(self, program: MixedProgram, budget: Budget) -> MixedSolver:
        from ermbit.engines.mixed.cvc5_backend import Cvc5Program

        return Cvc5Program(program, budget)
