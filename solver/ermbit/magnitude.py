"""How large the numbers of a problem may become, computed before anything builds them.

Along layers of polynomial activations bit-lengths multiply (docs/theory.md A8): a network of forty
squarings fits on a page, and none of its values fits into any memory.
"""

from __future__ import annotations

from gmpy2 import mpq

from ermbit.verifier.evaluation.growth import output_bits
from ermbit_encodings.problem import Problem
from ermbit_instances.domain import Domain
from ermbit_instances.rational import Rational, ceil

EDGE_LIMIT = 2_000_000
"""Edges of the largest network that is examined at all."""

WORK_LIMIT = 100_000_000
"""Edges times samples of the largest instance that is examined: seconds for a single θ."""

NUMBER_BITS_LIMIT = 2**22
"""Bits of one value: its square takes milliseconds, a whole network of them minutes."""

VALUE_BITS_LIMIT = 2**34
"""Bits of all values of all neurons on all samples together (2 GiB)."""


def objection(problem: Problem) -> str | None:
    """Why no engine should even look at the problem, or ``None``."""
    network = problem.instance.network
    if network.edge_count > EDGE_LIMIT:
        return f"{network.edge_count} edges are past the limit of {EDGE_LIMIT}"
    work = network.edge_count * len(problem.instance.data)
    if work > WORK_LIMIT:
        return f"{work} edges times samples are past the limit of {WORK_LIMIT}"
    bits = number_bits(problem)
    if bits > NUMBER_BITS_LIMIT:
        return f"numbers of up to {bits} bits are past the limit of {NUMBER_BITS_LIMIT}"
    values = (network.node_count - network.input_count) * len(problem.samples.rows)
    if bits * values > VALUE_BITS_LIMIT:
        return f"{values} values of up to {bits} bits are past the limit of memory"
    return None


def number_bits(problem: Problem) -> int:
    """Most bits of a numerator or denominator met in exact evaluation.

    A bound over all θ where every parameter has a grid; elsewhere, for one θ of simple values,
    which shows how bit-lengths multiply.
    """
    point = [_extreme(parameter.domain) for parameter in problem.instance.network.parameters]
    return output_bits(problem.instance, point)


def _extreme(domain: Domain) -> Rational:
    """A number with the domain's denominator and no smaller than its largest value."""
    if domain.low is None or domain.high is None:
        return mpq(1)
    largest = ceil(max(abs(domain.low), abs(domain.high)))
    # Over a grid q > 1, largest + 1/q has denominator q.
    grid = domain.grid
    return mpq(largest) if grid is None or grid == 1 else largest + mpq(1, grid)
