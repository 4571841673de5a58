"""Whether an answer is right: certificates are evaluated exactly, answers are compared.

A ``sat`` or a least loss counts only with a certificate that the verifier accepts. An ``unsat`` or
a bound cannot be checked alone; it is refuted by any accepted certificate that contradicts it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from benchmark.case import Case
from benchmark.records import Record
from benchmark.solvers import CONCLUSIVE, Reply
from ermbit.verifier import verify
from ermbit_instances.errors import ErmbitError
from ermbit_instances.instance import parse_instance


@dataclass(frozen=True)
class Checked:
    """``verdict``: accepted, rejected or none (nothing to check); ``loss``: exact, or None."""

    verdict: str
    loss: Fraction | None = None
    why: str = ""


def check(case: Case, reply: Reply) -> Checked:
    """Evaluate the certificate of a reply, in the domains and against the claim."""
    if not reply.parameters:
        claims = reply.status in ("sat", "optimal")
        return Checked("rejected", why="no certificate") if claims else Checked("none")
    instance = parse_instance(case.document)
    if case.task == "minimize":
        instance = instance.with_threshold(None)
    try:
        verdict = verify(instance, reply.parameters)
    except (ErmbitError, ValueError) as error:
        return Checked("rejected", why=str(error))
    loss = None
    if verdict.loss is not None and hasattr(verdict.loss, "numerator"):
        loss = Fraction(int(verdict.loss.numerator), int(verdict.loss.denominator))
    if not verdict.accepted:
        return Checked("rejected", loss, "; ".join(verdict.violations) or str(verdict.reason))
    if case.task == "minimize" and reply.loss and loss is not None:
        claimed = _rational(reply.loss)
        exact = reply.status == "optimal"  # else the claim may be an upper bound
        if claimed is not None and (claimed < loss or (exact and claimed > loss)):
            return Checked("rejected", loss, f"the loss is {loss}, not {claimed}")
    return Checked("accepted", loss)


def _rational(text: str) -> Fraction | None:
    try:
        return Fraction(text)
    except ValueError:
        return None


def disagreements(records: Iterable[Record]) -> dict[tuple[str, str], str]:
    """(instance, solver) → why its answer is wrong, from all records of all instances.

    Rejected certificates; ``unsat`` against an accepted ``sat``; a claimed least loss or bound
    above a loss that an accepted certificate has; a known answer missed.
    """
    by_instance: dict[str, list[Record]] = {}
    for record in records:
        by_instance.setdefault(record.instance, []).append(record)
    wrong = {}
    for instance, group in by_instance.items():
        reached = [f for r in group if (f := _reached(r)) is not None]
        least = min(reached, default=None)
        satisfied = [r.solver for r in group if r.status == "sat" and r.checked == "accepted"]
        for r in group:
            reason = ""
            low = _rational(r.bound) if r.bound else None
            if r.status == "optimal" and r.loss:
                low = _rational(r.loss)
            if r.checked == "rejected":
                reason = f"certificate rejected: {r.why}"
            elif r.status == "unsat" and satisfied:
                reason = f"unsat, but the certificate of {satisfied[0]} is accepted"
            elif low is not None and least is not None and low > least:
                reason = f"claims at least {low}, but {least} is reached"
            elif r.status in CONCLUSIVE and r.expected and not _expected(r):
                reason = f"{r.status} {r.loss}, known is {r.expected}"
            if reason:
                wrong[instance, r.solver] = reason
    return wrong


def _reached(record: Record) -> Fraction | None:
    if record.checked != "accepted" or record.task != "minimize":
        return None
    return _rational(record.exact) if record.exact else None


def _expected(record: Record) -> bool:
    if record.task == "solve":
        return record.status == record.expected
    value = _rational(record.loss or record.bound)
    return value is None or value == _rational(record.expected)
