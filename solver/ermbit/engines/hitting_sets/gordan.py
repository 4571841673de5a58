"""Systems a·θ > 0: a rational solution, or a minimal subsystem without one, proved by multipliers.

Gordan: either some θ makes all forms positive, or Σ λ_i a_i = 0 for some λ ≥ 0, λ ≠ 0, never both
(docs/theory.md F2, F3). A float linear program proposes the one or the other. A solution is rounded
to integers and tried; the support of λ is a set of forms whose exact kernel is computed, and only
multipliers that add up to zero in integers count. Where floats do not help, z3 decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np
from gmpy2 import mpq

from ermbit.engines.float_program import FloatProgram
from ermbit_instances.errors import InternalError
from ermbit_instances.rational import Rational

ROUNDINGS = (8, 16, 30, 48)
"""Bits after the point that a float solution is rounded to, one after the other."""

SOLVED, SUPPORTED = 1e-9, 1e-10
"""Least margin, and least multiplier, that a float program's answer is taken up for."""

FLOAT_BITS = 900
"""Longest coefficients that are converted to floats."""


@dataclass(frozen=True, slots=True)
class Core:
    """Forms that cannot all be positive.

    Attributes:
        forms: their positions.
        multipliers: positive integers λ with Σ λ_i a_i = 0.
    """

    forms: tuple[int, ...]
    multipliers: tuple[int, ...]


class System:
    """Integer forms, of which subsets are asked for.

    Args:
        forms: (count, parameters) integers of any length.
    """

    def __init__(self, forms: Sequence[Sequence[int]]) -> None:
        self.forms = forms
        self.programs = self.exact = 0
        longest = max((abs(v).bit_length() for a in forms for v in a), default=0)
        self._scaled: Any = None
        if longest <= FLOAT_BITS:
            floats = np.array([[float(v) for v in a] for a in forms])
            floats = floats.reshape(len(forms), -1)
            norms = np.abs(floats).max(axis=1, initial=0.0)
            self._scaled = floats / np.where(norms > 0, norms, 1.0)[:, None]
            widths = np.abs(self._scaled).max(axis=0, initial=0.0)
            self._widths = np.where(widths > 0, widths, 1.0)
            self._scaled = self._scaled / self._widths

    def solve(self, chosen: Sequence[int]) -> tuple[Rational, ...] | Core:
        """θ with every chosen form positive, or a core of the chosen forms.

        Args:
            chosen: positions, none twice.
        """
        if not chosen:
            width = len(self.forms[0]) if self.forms else 0
            return (mpq(0),) * width
        for i in chosen:
            if not any(self.forms[i]):
                return Core((i,), (1,))
        if self._scaled is not None:
            proposed = self._proposed(chosen)
            if proposed is not None:
                return proposed
        return self._exactly(chosen)

    def _proposed(self, chosen: Sequence[int]) -> tuple[Rational, ...] | Core | None:
        """What a float program suggests, if it holds exactly."""
        self.programs += 1
        rows = self._scaled[list(chosen)]
        count, width = rows.shape
        # Largest t with a·u ≥ t for all forms and |u_k| ≤ 1.
        left = np.concatenate([-rows, np.ones((count, 1))], axis=1)
        goal = np.zeros(width + 1)
        goal[-1] = -1.0
        answer = FloatProgram(
            goal=goal,
            matrix=left,
            lower=np.full(count, -np.inf),
            upper=np.zeros(count),
            low=np.append(np.full(width, -1.0), -np.inf),
            high=np.ones(width + 1),
        ).solve()
        if answer is None:
            return None
        if answer.point[-1] > SOLVED:
            u = answer.point[:-1] / self._widths
            u = u / max(float(np.abs(u).max()), 1e-300)
            for bits in ROUNDINGS:
                integers = [round(float(v) * (1 << bits)) for v in u]
                if self.are_positive(chosen, integers):
                    return tuple(mpq(v, 1 << bits) for v in integers)
            return None
        multipliers = -answer.multipliers
        support = [i for i, m in zip(chosen, multipliers, strict=True) if m > SUPPORTED]
        return self._core(support)

    def are_positive(self, chosen: Sequence[int], theta: Sequence[int]) -> bool:
        """Whether integers θ make every chosen form positive."""
        used = [k for k, t in enumerate(theta) if t]
        return all(sum(self.forms[i][k] * theta[k] for k in used) > 0 for i in chosen)

    def _core(self, support: Sequence[int]) -> Core | None:
        """The core that a set of forms holds, if its kernel is spanned by one vector λ ≥ 0."""
        import flint

        if not support:
            return None
        width = len(self.forms[0])
        matrix = flint.fmpz_mat([[int(self.forms[i][k]) for i in support] for k in range(width)])
        kernel, nullity = matrix.nullspace()
        if nullity != 1:
            return None
        values = [int(kernel[r, 0]) for r in range(len(support))]
        if all(v <= 0 for v in values):
            values = [-v for v in values]
        if any(v < 0 for v in values):
            return None
        common = gcd(*values)
        used = [(i, v // common) for i, v in zip(support, values, strict=True) if v]
        core = Core(tuple(i for i, _ in used), tuple(v for _, v in used))
        self.check(core)
        return core

    def check(self, core: Core) -> None:
        """Add the forms up.

        Raises:
            InternalError: the multipliers prove nothing.
        """
        if not core.forms or any(m <= 0 for m in core.multipliers):
            raise InternalError("multipliers of a core are not positive")
        for k in range(len(self.forms[0])):
            pairs = zip(core.multipliers, core.forms, strict=True)
            if sum(m * self.forms[i][k] for m, i in pairs):
                raise InternalError("the forms of a core do not add up to zero")

    def _exactly(self, chosen: Sequence[int]) -> tuple[Rational, ...] | Core:
        """The same by exact arithmetic throughout."""
        self.exact += 1
        answer = self._asked(chosen)
        if not isinstance(answer, list):
            return answer
        core = answer
        for i in list(core):
            rest = [k for k in core if k != i]
            shorter = self._asked(rest)
            if isinstance(shorter, list):
                core = [k for k in core if k in shorter]
        # A minimal core has one kernel vector, without zeros (Gleeson and Ryan 1990).
        found = self._core(core)
        if found is None:
            raise InternalError("a minimal core has no multipliers")
        return found

    def _asked(self, chosen: Sequence[int]) -> tuple[Rational, ...] | list[int]:
        """z3's θ, or forms that it needs for a contradiction."""
        import z3

        width = len(self.forms[0])
        if not chosen:
            return (mpq(0),) * width
        unknowns = [z3.Real(f"u{k}") for k in range(width)]
        solver = z3.SimpleSolver()
        solver.set("core.minimize", True)
        names = {}
        for i in chosen:
            name = z3.Bool(f"form{i}")
            names[str(name)] = i
            terms = [z3.IntVal(v) * unknowns[k] for k, v in enumerate(self.forms[i]) if v]
            solver.assert_and_track(z3.Sum(terms) >= 1 if terms else z3.BoolVal(False), name)
        status = solver.check()
        if status == z3.unsat:
            return [names[str(name)] for name in solver.unsat_core()]
        if status != z3.sat:
            raise MemoryError(f"z3 does not decide linear forms: {solver.reason_unknown()}")
        model = solver.model()
        theta = []
        for u in unknowns:
            value = model.eval(u, model_completion=True)
            theta.append(mpq(value.numerator_as_long(), value.denominator_as_long()))
        return tuple(theta)
