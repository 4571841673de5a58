"""How the time of general solvers grows with the choices that a finite instance leaves.

Clause and arithmetic solvers find exact fits by propagation, but have to go through the choices
where labels do not fit: measured on random labels, a bit of choice costs some 15%, and half of that
where only a loss of 0 counts.
"""

from __future__ import annotations

from ermbit.engines.engine import Task
from ermbit_encodings.problem import Problem

EXACT_FIT, INEXACT = 0.03, 0.06
"""log10 of the seconds for every bit of a parameter's domain."""


def choice_cost(problem: Problem, task: Task) -> float:
    """What to add to the logarithm (base 10) of an estimate in seconds."""
    bits = sum((p.domain.size or 1).bit_length() for p in problem.instance.network.parameters)
    threshold = problem.instance.threshold
    exact = task == "decide" and threshold is not None and threshold <= 0
    return bits * (EXACT_FIT if exact else INEXACT)
