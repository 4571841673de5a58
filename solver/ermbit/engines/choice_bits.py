"""How the time of general solvers grows with the choices that an instance leaves.

Clause and arithmetic solvers find exact fits by propagation, but have to go through the choices
where labels do not fit: measured on random labels, a bit of choice costs some 15%, and half of that
where only a loss of 0 counts. With real weights the choices are the pieces of the activations, one
a unit and sample: two relu units on 20 points take some 10 s, four times that for 4 points more.
"""

from __future__ import annotations

from math import inf

from ermbit.engines.engine import Task
from ermbit_encodings.problem import Problem

EXACT_FIT, INEXACT = 0.03, 0.06
"""log10 of the seconds for every bit of a parameter's domain."""

PIECE = 0.075
"""log10 of the seconds for every unit with pieces and every sample, if weights are real."""

PIECE_COSTS = -2.0
"""The same without any of them."""


def choice_cost(problem: Problem, task: Task) -> float:
    """What to add to the logarithm (base 10) of an estimate in seconds."""
    bits = sum((p.domain.size or 1).bit_length() for p in problem.instance.network.parameters)
    threshold = problem.instance.threshold
    exact = task == "decide" and threshold is not None and threshold <= 0
    return bits * (EXACT_FIT if exact else INEXACT)


def piece_cost(problem: Problem, task: Task) -> float:
    """log10 of the seconds to choose the pieces of all units on all samples; −∞ if none is real."""
    network = problem.instance.network
    if all(p.domain.size is not None for p in network.parameters):
        return -inf
    threshold = problem.instance.threshold
    exact = task == "decide" and threshold is not None and threshold <= 0
    units = sum(not neuron.activation.is_affine for neuron in network.neurons)
    return PIECE_COSTS + PIECE * units * len(problem.samples.rows) * (0.5 if exact else 1.0)
