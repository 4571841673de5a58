"""What a run starts from: every unit on the data, and which units are interchangeable."""

from __future__ import annotations

from dataclasses import dataclass
from math import log10
from typing import TYPE_CHECKING

from ermbit.engines.dichotomies.network import (
    DichotomyNetwork,
    TwoValued,
    read_dichotomy_network,
)
from ermbit.engines.one_hidden_layer import on_samples
from ermbit_encodings.problem import Problem
from ermbit_instances.rational import Rational

if TYPE_CHECKING:
    from ermbit.engines.dichotomies.bounds import GroupBound

SAMPLE_LIMIT = 2_000
"""Different samples, for ``dichotomies``."""

PATTERN_LIMIT = 400_000
"""Candidates for the dichotomies of one unit."""

CHOICE_LIMIT = 10**9
"""Choices of one dichotomy for every unit."""

ORDERS = 64
"""By how much more products may be gone through: all but one order of alike units are left out."""

Numbers = tuple[tuple[Rational, ...], ...]


@dataclass(frozen=True)
class Kind:
    """What makes two units interchangeable."""

    columns: Numbers
    fixed: tuple[Rational, ...]
    low: Rational
    high: Rational
    outer: Rational | None


@dataclass(frozen=True)
class Prepared:
    """A problem read.

    Attributes:
        problem, network: what was read.
        units: its units, interchangeable ones next to each other.
        kinds: of the units.
        free: columns with free outer weights.
        fixed: the part of the output without parameters, by sample.
        bound: what choices of dichotomies cost at least.
    """

    problem: Problem
    network: DichotomyNetwork
    units: tuple[TwoValued, ...]
    kinds: tuple[Kind, ...]
    free: Numbers
    fixed: tuple[Rational, ...]
    bound: GroupBound

    @property
    def numbers(self) -> list[int]:
        """Of each unit the number of its kind."""
        known: dict[Kind, int] = {}
        return [known.setdefault(kind, len(known)) for kind in self.kinds]


def prepare(problem: Problem) -> Prepared | str:
    """Everything the search starts from, or why there is no search."""
    network = read_dichotomy_network(problem.instance.network)
    if isinstance(network, str):
        return network
    loss = problem.instance.loss
    if loss.name == "squared" and loss.reduction == "max":
        return "largest squared loss"
    rows = problem.samples.rows
    if not rows:
        return "no samples"
    if len(rows) > SAMPLE_LIMIT:
        return f"more than {SAMPLE_LIMIT} samples"
    from ermbit.engines.dichotomies.bounds import group_bound
    from ermbit.engines.dichotomies.patterns import pattern_bound

    inputs = [row.x for row in rows]
    kinds = []
    candidates: dict[tuple[Numbers, tuple[Rational, ...]], int] = {}
    for unit in network.units:
        columns = tuple(column.values(inputs) for column in unit.columns)
        fixed = on_samples(unit.fixed, inputs)
        if (columns, fixed) not in candidates:
            candidates[columns, fixed] = pattern_bound(columns, fixed)
        kinds.append(Kind(columns, fixed, unit.low, unit.high, unit.outer))
    most = max(candidates.values())
    if most > PATTERN_LIMIT:
        return f"about 10^{log10(most):.0f} dichotomies of one unit"
    constants = on_samples(network.constant, inputs)
    if loss.margin > 0 and (any(constants) or any(k.outer is not None for k in kinds)):
        return "zero_one with a margin and a fixed part of the output"
    free = tuple(column.values(inputs) for column in network.free)
    blind = any(len(set(column)) > 1 for column in free)
    targets = [row.y[0] for row in rows]
    bound = group_bound(targets, constants, [row.weight for row in rows], loss, blind)
    if isinstance(bound, str):
        return bound
    # Interchangeable units stand next to each other.
    known: dict[Kind, int] = {}
    order = sorted(
        range(len(kinds)), key=lambda j: (known.setdefault(kinds[j], len(known)), j)
    )
    return Prepared(
        problem,
        network,
        tuple(network.units[j] for j in order),
        tuple(kinds[j] for j in order),
        free,
        constants,
        bound,
    )
