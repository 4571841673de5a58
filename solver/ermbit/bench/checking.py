"""Whether the certificate of a reply is right: it is evaluated exactly, whoever found it.

A ``sat`` or a least loss counts only with a certificate that the verifier accepts. An ``unsat`` or
a bound cannot be checked alone; :mod:`ermbit.bench.agreement` refutes it where it can.
"""

from __future__ import annotations

from dataclasses import dataclass

from ermbit.bench.case import Case
from ermbit.bench.reply import Reply, exact
from ermbit.verifier.question import Question
from ermbit.verifier.verify import verify
from ermbit_instances.certificate import write_value
from ermbit_instances.errors import ErmbitError
from ermbit_instances.instance import load
from ermbit_instances.rational import parse_rational

PATIENCE = 60.0
"""Seconds for one certificate; only those of long polynomial numbers need them."""


@dataclass(frozen=True)
class Checked:
    """What the verifier says of a reply's certificate.

    Attributes:
        verdict: ``accepted``; ``rejected`` (a wrong answer); ``undecided``; ``missing`` (the answer
            needs one); ``none`` (nothing to check).
        loss: exact, as text, or "".
        why: reason of a verdict that is neither accepted nor none.
    """

    verdict: str
    loss: str = ""
    why: str = ""


def check(case: Case, reply: Reply) -> Checked:
    """Evaluate the certificate of a reply: in the domains, and against the claim.

    Raises:
        InputError: the instance file is not there any more.
    """
    claims = reply.status in ("sat", "optimal")
    if reply.parameters is None and not claims:
        return Checked("none")
    instance = load(case.file, allow_external_data=case.allow_external_data)
    if not reply.parameters and instance.network.parameter_count:
        return Checked("missing", why="no certificate") if claims else Checked("none")
    threshold = parse_rational(case.threshold) if reply.status == "sat" else None
    try:
        verdict = verify(
            instance.with_threshold(threshold),
            {"format": "ermbit-certificate", "version": 1, "parameters": reply.parameters or {}},
            Question(exact_loss=True, timeout=PATIENCE),
        )
    except (ErmbitError, ValueError) as error:
        return Checked("rejected", why=str(error))
    loss = "" if verdict.loss is None else str(write_value(verdict.loss))
    if verdict.accepted is None:
        return Checked("undecided", loss, str(verdict.reason))
    if not verdict.accepted:
        return Checked("rejected", loss, "; ".join(verdict.violations))
    if reply.loss and verdict.loss is not None:
        claimed = exact(reply.loss)
        # What is not final may be an upper bound on the loss.
        if claimed < verdict.loss or (reply.status == "optimal" and claimed > verdict.loss):
            return Checked("rejected", loss, f"the loss is {loss}, not {reply.loss}")
    if not loss and reply.status == "optimal":
        return Checked("undecided", why=verdict.loss_note or "its loss was not computed")
    return Checked("accepted", loss)
