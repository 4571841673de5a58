"""Small rational domains as grid domains, so that the scaled-integer form applies to them too.

``rational {bits: B}`` has no static grid in general: its common denominator lcm(1..2^B−1) has
about 1.44·2^B bits (docs/theory.md A7). For the few smallest B it is short (38 bits at B = 5), and
listing the values turns the domain into a ``finite`` one with that grid.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from ermbit_encodings.problem import Problem
from ermbit_instances.domain import Domain, FiniteDomain

VALUE_LIMIT = 4096
"""Longest list that a domain without a grid is turned into (``rational`` up to 5 bits)."""


def finite_problem(problem: Problem, max_values: int = VALUE_LIMIT) -> Problem | None:
    """The same problem with a grid for every parameter, or ``None`` if there is none.

    Domains that have no grid but at most ``max_values`` values are replaced by ``finite`` domains
    of the same values in the same order; the numbering of parameters stays, so θ of the result is
    θ of the given problem. A problem that has all its grids already is returned as it is.

    Args:
        problem: any problem.
        max_values: the longest list to make.
    """
    network = problem.instance.network
    own = dict(network.own_domains)
    changed = False
    for parameter in network.parameters:
        domain = parameter.domain
        if domain.grid is not None:
            continue
        if domain.size is None or domain.size > max_values:
            return None
        own[parameter.index] = _listed(domain)
        changed = True
    if not changed:
        return problem
    return Problem(replace(problem.instance, network=replace(network, own_domains=own)))


@cache
def _listed(domain: Domain) -> FiniteDomain:
    return FiniteDomain(tuple(domain.values()))
