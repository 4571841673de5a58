"""The real relaxation: domains too large to choose from become the reals.

``unsat`` of the relaxation carries over to the instance. ``sat`` does not: its certificate counts
only if its values happen to lie in the domains (docs/theory.md C1, C3).
"""

from __future__ import annotations

from dataclasses import replace

from ermbit_encodings.problem import Problem
from ermbit_instances.domain import REAL


def real_relaxation(problem: Problem, largest: int) -> Problem:
    """The problem with every domain of more than ``largest`` values replaced by the reals.

    Contiguous grids stay, whatever their size: bits choose from them.
    """
    network = problem.instance.network
    own = dict(network.own_domains)
    for parameter in network.parameters:
        size = parameter.domain.size
        if size is None or size <= largest:
            continue
        form = parameter.domain.canonical()
        if form["domain"] in ("integer", "fixed_point"):
            continue
        own[parameter.index] = REAL
    if own == network.own_domains:
        return problem
    instance = replace(problem.instance, network=replace(network, own_domains=own))
    return Problem(instance, relaxation_of=problem)
