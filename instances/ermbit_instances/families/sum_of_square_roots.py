"""Is a sum of square roots at most 0? Two ways to ask (docs/reductions.md 10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ermbit_instances.errors import LimitError
from ermbit_instances.families.domain_text import domain_document, domain_of
from ermbit_instances.families.family import (
    Family,
    FamilyError,
    FamilyParameter,
    Generated,
    read_integer,
    register,
)
from ermbit_instances.families.reduction import family_errors, generated
from ermbit_instances.families.rng import Rng
from ermbit_instances.families.shared_parameters import domain_parameter
from ermbit_instances.reductions import sum_of_square_roots
from ermbit_instances.reductions.formulas import Status
from ermbit_instances.reductions.sum_of_square_roots import LARGEST, RootSum
from ermbit_instances.straight_line import compile_program

RANDOM, TIE = "random", "tie"
DIRECT = "direct"

_DIRECT: dict[Status, str] = {
    "sat": "reduction: the sum of square roots is at most 0",
    "unsat": "reduction: the sum of square roots is positive, or its fits are irrational",
    "unknown": "",
}
_PROGRAM = "reduction: V is at most 0 iff the sum of square roots is; its sign is known"


def build(rng: Rng, parameters: Mapping[str, Any]) -> Generated:
    """The instance of given or random terms; the sign of the sum is always known."""
    with family_errors():
        source = RootSum(_terms(rng, parameters))
    if parameters["form"] != DIRECT:
        if parameters["domain"] != "real":
            raise FamilyError("parameter domain: only the form direct has free parameters")
        return _compiled(source, parameters["form"])
    weights = domain_document(parameters["domain"])
    domain = domain_of(weights)
    document = sum_of_square_roots.instance(source, weights)
    if domain.size is None:
        status: Status = "sat" if source.sign() <= 0 else "unsat"
        values = sum_of_square_roots.certificate(source)
    else:
        values = sum_of_square_roots.within(source, domain)
        status = "unsat" if values is None else "sat"
    return generated(document, status, values, _DIRECT)


def _terms(rng: Rng, parameters: Mapping[str, Any]) -> tuple[int, ...]:
    n, top = parameters["n"], (1 << parameters["bits"]) - 1
    match parameters["terms"]:
        case "random":
            return tuple(rng.integers(1, top) * rng.choice((1, -1)) for _ in range(n))
        case "tie":
            base = rng.integers(2, max(2, top))
            factors = [rng.integers(1, 3) for _ in range(max(1, n - 1))]
            return (*(base * f * f for f in factors), -base * sum(factors) ** 2)
        case text:
            return tuple(read_integer(part, "parameter terms") for part in text.split(","))


def _compiled(source: RootSum, form: str) -> Generated:
    """The instance of the program: sat iff the sum is ≤ 0, for ``zero_one`` iff it is > 0."""
    name = "square-roots-" + form + "-" + "-".join(str(abs(t)) for t in source.terms[:6])
    try:
        compiled = compile_program(sum_of_square_roots.program(source), form=form, name=name)
    except LimitError as error:
        raise FamilyError(error.reason) from None
    holds = (source.sign() <= 0) != (form == "zero_one")
    document = dict(compiled.document)
    meta = {"status": "sat" if holds else "unsat", "how": _PROGRAM, "terms": list(source.terms)}
    document["meta"] = {**document["meta"], **meta}
    return Generated(document, compiled.certificate if holds else None)


SUM_OF_SQUARE_ROOTS = register(
    Family(
        name="sum_of_square_roots",
        summary="is a sum of square roots at most 0, by fourth roots or by a program",
        source="Garey, Graham & Johnson 1976; Allender et al. 2009; docs/reductions.md 10",
        parameters=(
            FamilyParameter(
                "form",
                "choice",
                DIRECT,
                "direct: free real weights; others: those of posslp, sat iff the sum is at most 0 "
                "(zero_one: iff it is positive)",
                choices=(DIRECT, "hinge", "zero_one", "absolute", "squared"),
            ),
            FamilyParameter(
                "terms",
                "text",
                "2,8,-18",
                "integers joined by commas, a negative one for minus its root; random: n terms; "
                "tie: n terms whose sum is 0",
            ),
            FamilyParameter("n", "integer", 3, "number of random terms", 1, LARGEST),
            FamilyParameter("bits", "integer", 5, "bits of a random term", 1, 1000),
            domain_parameter("real"),
        ),
        build=build,
    )
)
