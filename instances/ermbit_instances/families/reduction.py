"""What families of reductions share: the domain, the status, the certificate (docs/reductions.md).

The backward proofs hold over the reals, so ``unsat`` is right for every domain; ``sat`` needs a
domain that holds the values of the forward map.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from gmpy2 import mpq

from ermbit_instances.certificate import parameters_document
from ermbit_instances.domain import Domain
from ermbit_instances.errors import UsageError
from ermbit_instances.families.domain_text import NOTATION, domain_document, domain_of
from ermbit_instances.families.family import (
    Document,
    FamilyError,
    FamilyParameter,
    Generated,
    certificate_document,
)
from ermbit_instances.families.labelling import TARGET_LOSSES
from ermbit_instances.families.shared_parameters import loss_parameter
from ermbit_instances.instance import parse_instance
from ermbit_instances.rational import Rational
from ermbit_instances.reductions.formulas import Status

AUTO = "auto"

DOMAIN = FamilyParameter(
    "domain", "text", AUTO, f"domain of all parameters, or auto: a small one that fits: {NOTATION}"
)

LOSS = loss_parameter("absolute", TARGET_LOSSES)

S = TypeVar("S")


def chosen_domain(text: str, smallest: str) -> Document:
    """The domain object that a family's parameter asks for; ``smallest`` is meant by ``auto``."""
    return domain_document(smallest if text == AUTO else text)


def spanning_domain(text: str, needed: Iterable[int]) -> Document:
    """The domain object; ``auto`` means the integers from the least one needed to the greatest."""
    values = list(needed)
    return chosen_domain(text, f"int:{min(values)}:{max(values)}")


@contextmanager
def family_errors(prefix: str = "") -> Iterator[None]:
    """What a reduction refuses is an error of the family; the prefix names the parameter."""
    try:
        yield
    except FamilyError:
        raise
    except UsageError as error:
        raise FamilyError(f"{prefix}{error}") from None


def check_domain(weights: Document, needed: Iterable[Rational | int], status: Status) -> Domain:
    """The domain; FamilyError where the values needed for the forward map are not in it.

    An instance that is ``unsat`` needs none of them.
    """
    domain = domain_of(weights)
    lacking = sorted(value for value in needed if mpq(value) not in domain)
    if lacking and status != "unsat":
        shown = ", ".join(map(str, lacking[:8]))
        raise FamilyError(f"parameter domain: it lacks {shown}, which solutions are written with")
    return domain


def reduced(
    document: Document,
    needed: Iterable[Rational | int],
    solved: tuple[Status, S | None],
    certificate: Callable[[S], Sequence[Rational]],
    how: dict[Status, str],
    theorem: str = "",
) -> Generated:
    """The instance of a source with its status and, if one is known, the source's solution.

    Args:
        document: of the instance.
        needed: the values that solutions are written with.
        solved: status and solution of the source.
        certificate: the map of solutions to parameter values.
        how: by status, for ``meta``.
        theorem: of the literature, on which the status rests.
    """
    status, solution = solved
    check_domain(document["weights"], needed, status)
    values = None if solution is None else certificate(solution)
    return generated(document, status, values, how, theorem)


def generated(
    document: Document,
    status: Status,
    values: Sequence[Rational] | None,
    how: dict[Status, str],
    theorem: str = "",
) -> Generated:
    """The instance with status, ``minimum`` 0 if it is sat, and the certificate of given values.

    ``theorem``: of the literature, on which the status rests.
    """
    meta: dict[str, Any] = {"status": status, "how": how[status]}
    if theorem:
        meta["how"] += f": {theorem}"
    if status == "sat":
        meta["minimum"] = 0
    document = {**document, "meta": {**meta, **document["meta"]}}
    if values is None:
        return Generated(document)
    network = parse_instance(document).network
    return Generated(document, certificate_document(parameters_document(network, values)))
