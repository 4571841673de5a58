"""Subset sum on one neuron, in four forms (docs/reductions.md 1)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from gmpy2 import mpq

from ermbit_instances.domain import Domain, IntegerDomain, RealDomain
from ermbit_instances.families.domain_text import domain_of
from ermbit_instances.families.family import (
    Document,
    Family,
    FamilyError,
    FamilyParameter,
    Generated,
    read_integer,
    register,
)
from ermbit_instances.families.reduction import (
    DOMAIN,
    LOSS,
    check_domain,
    chosen_domain,
    family_errors,
    generated,
)
from ermbit_instances.families.rng import Rng
from ermbit_instances.rational import Rational
from ermbit_instances.reductions import subset_sum
from ermbit_instances.reductions.formulas import Status
from ermbit_instances.reductions.subset_sum import Subset, SubsetSum

RANDOM, PLANTED, ODD = "random", "planted", "odd"

_MEMBERS = 100_000

_HOW: dict[Status, str] = {
    "sat": "reduction from subset sum; a subset is known",
    "unsat": "reduction from subset sum; no subset has the target as its sum",
    "unknown": "reduction from subset sum; too large for the search of the family",
}

_STEP_HOW: dict[Status, str] = {
    "sat": "reduction: some w of the domain in [0, 1]^n has a.w = T",
    "unsat": "reduction: no w of the domain in [0, 1]^n has a.w = T",
    "unknown": "reduction: a.w = T for w in [0, 1]^n; too large for the search of the family",
}


def build(rng: Rng, parameters: Mapping[str, Any]) -> Generated:
    """The instance of given or random items, its status by planting, parity or search."""
    form = parameters["form"]
    weights = chosen_domain(
        parameters["domain"], "int:0:1" if form in ("linear", "step") else "int:-1:1"
    )
    with family_errors():
        source, hidden = _source(rng, parameters)
    document = subset_sum.instance(source, form, weights, parameters["loss"])
    if form == "step":
        return _boxed(source, hidden, weights, document)
    status: Status
    if hidden is not None:
        status = "sat"
    elif all(a % 2 == 0 for a in source.items) and source.target % 2 == 1:
        status = "unsat"
    else:
        status, hidden = subset_sum.solve(source)
    domain = check_domain(weights, subset_sum.needed_values(form), status)
    if form == "linear" and domain.size != 2:
        raise FamilyError("parameter domain: the form linear is subset sum over {0, 1} only")
    values = None if hidden is None else subset_sum.certificate(hidden, form)
    return generated(document, status, values, _HOW)


def _source(rng: Rng, parameters: Mapping[str, Any]) -> tuple[SubsetSum, Subset | None]:
    """Items and target, and the hidden subset of a planted target."""
    wanted = parameters["target"]
    if parameters["items"] == RANDOM:
        top = (1 << parameters["bits"]) - 1
        items = [rng.integers(1, top) for _ in range(parameters["n"])]
        if wanted == ODD:
            items = [2 * a for a in items]
    else:
        items = [read_integer(part, "parameter items") for part in parameters["items"].split(",")]
    SubsetSum(tuple(items), 0)
    hidden = None
    match wanted:
        case "planted":
            hidden = tuple(rng.integers(0, 1) for _ in items)
            target = sum(a * x for a, x in zip(items, hidden, strict=True))
        case "random":
            target = rng.integers(1, sum(items))
        case "odd":
            if any(a % 2 for a in items):
                raise FamilyError("parameter target: odd needs even items")
            target = 2 * rng.integers(0, sum(items) // 2 - 1) + 1
        case _:
            target = read_integer(wanted, "parameter target")
    return SubsetSum(tuple(items), target), hidden


def _boxed(
    source: SubsetSum, hidden: Subset | None, weights: Document, document: Document
) -> Generated:
    """The form ``step``: the answer is that of a·w = T over the domain's part of [0, 1]."""
    domain = domain_of(weights)
    values: tuple[Rational, ...] | None = None
    status: Status
    total = sum(source.items)
    if isinstance(domain, RealDomain):
        status = "sat" if source.target <= total else "unsat"
        if status == "sat":
            values = (mpq(source.target, total),) * len(source.items)
    elif hidden is not None and mpq(0) in domain and mpq(1) in domain:
        status, values = "sat", tuple(map(mpq, hidden))
    else:
        members = _unit_interval(domain)
        if members is None:
            status = "unknown"
        else:
            status, values = subset_sum.fractional_choice(source, members)
    return generated(document, status, values, _STEP_HOW)


def _unit_interval(domain: Domain) -> list[Rational] | None:
    """The members between 0 and 1; None where the domain is too long to be listed."""
    if isinstance(domain, IntegerDomain):
        low, high = max(domain.minimum, 0), min(domain.maximum, domain.denominator)
        if high - low >= _MEMBERS:
            return None
        return [mpq(k, domain.denominator) for k in range(low, high + 1)]
    if domain.size is None or domain.size > _MEMBERS:
        return None
    return [value for value in islice(domain.values(), domain.size) if 0 <= value <= 1]


SUBSET_SUM = register(
    Family(
        name="subset_sum",
        summary="is there a subset of given sum, as one neuron; status by planting or search",
        source="Karp 1972; docs/reductions.md 1",
        parameters=(
            FamilyParameter(
                "form",
                "choice",
                "abs",
                "the network: a linear neuron, one abs unit, two relu units that share weights, "
                "one step unit",
                choices=subset_sum.FORMS,
            ),
            FamilyParameter("n", "integer", 6, "number of random items", 1, 1000),
            FamilyParameter("bits", "integer", 6, "bits of a random item", 1, 1000),
            FamilyParameter(
                "items",
                "text",
                RANDOM,
                "positive integers joined by commas (n and bits then play no role), or random",
            ),
            FamilyParameter(
                "target",
                "text",
                PLANTED,
                "an integer; planted: the sum of a random subset; random: up to the sum of all; "
                "odd: even items, odd target",
            ),
            DOMAIN,
            LOSS,
        ),
        build=build,
    )
)
