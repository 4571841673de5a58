"""Wrong answers, found by comparing all answers to one question.

An accepted certificate of loss u proves that the least loss is at most u, for every threshold and
both tasks; ``unsat`` at γ claims that it is greater than γ, ``optimal`` and a bound that it is at
least so much. A claim that a certificate refutes is wrong. So is an answer that contradicts what
the instance's source says, unless a certificate shows that the source errs. ``infimum`` has no
certificate: where it and another claim exclude each other, neither counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache

from ermbit.bench.records import Key, Record
from ermbit.bench.reply import CONCLUSIVE, exact
from ermbit_instances.certificate import Value
from ermbit_instances.errors import ErmbitError

Bound = tuple[Value, bool, str]
"""A number, whether it is excluded itself, and whose claim it is."""


@dataclass(frozen=True)
class Judgement:
    """What a comparison found.

    Attributes:
        wrong: row → why its answer is wrong.
        disputed: row → which answer excludes it, nothing telling which one is right.
        sources: lines on instances whose source states a wrong answer.
    """

    wrong: dict[Key, str] = field(default_factory=dict)
    disputed: dict[Key, str] = field(default_factory=dict)
    sources: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether nothing was found."""
        return not (self.wrong or self.disputed or self.sources)


def judge(records: Iterable[Record]) -> Judgement:
    """Compare all answers to each question."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        same = ("", record.question) if record.question else (record.set, record.instance)
        groups.setdefault(same, []).append(record)
    found = Judgement()
    for group in groups.values():
        _judge_question(group, found)
    return found


def _judge_question(group: Sequence[Record], found: Judgement) -> None:
    reached = [(value, record) for record in group if (value := upper(record)) is not None]
    satisfied = [r for r in group if r.status == "sat" and r.checked == "accepted"]
    for record in group:
        why = _refuted(record, reached, satisfied)
        contradicted = _contradicts(record)
        if not why and contradicted:
            if _is_proved(record):
                found.sources.append(
                    f"{record.instance}: said to be {record.expected}, but the certificate of "
                    f"{record.solver} proves {record.exact or record.status}"
                )
            else:
                why = f"{contradicted}, known is {record.expected}"
        if why:
            found.wrong[record.key] = why
    for record in group:
        if record.status != "infimum" or record.key in found.wrong or not record.bound:
            continue
        infimum = _number(record.bound)
        for other in group:
            low = lower(other)
            if infimum is None or low is None or other.key in found.wrong:
                continue
            if low[0] > infimum:
                found.disputed[record.key] = f"{other.solver} claims {low[2]}"
                found.disputed[other.key] = f"{record.solver} claims the infimum {record.bound}"


def upper(record: Record) -> Value | None:
    """A loss that a checked certificate reaches, or stays below."""
    if record.checked != "accepted":
        return None
    if record.exact:
        return _number(record.exact)
    return _number(record.threshold) if record.status == "sat" else None


def lower(record: Record) -> Bound | None:
    """What the row claims no loss is below."""
    if record.status == "unsat":
        value = _number(record.threshold)
        return None if value is None else (value, True, f"unsat at {record.threshold}")
    if record.status == "optimal" and (record.loss or record.exact):
        text = record.loss or record.exact
        value = _number(text)
        return None if value is None else (value, False, f"at least {text}")
    if record.bound:
        value = _number(record.bound)
        strict = record.status == "infimum"
        return None if value is None else (value, strict, f"at least {record.bound}")
    return None


def _refuted(
    record: Record, reached: Sequence[tuple[Value, Record]], satisfied: Sequence[Record]
) -> str:
    """Why a row is proved wrong, or ""."""
    if record.checked == "rejected":
        return f"certificate rejected: {record.why}"
    if record.status == "unsat":
        same = [r for r in satisfied if r.threshold == record.threshold]
        if same:
            return f"unsat, but the certificate of {same[0].solver} is accepted"
    low = lower(record)
    if low is None or not reached:
        return ""
    least, by = min(reached, key=lambda pair: pair[0])
    if least < low[0] or (low[1] and least <= low[0]):
        return f"claims {low[2]}, but {by.solver} reaches {by.exact or by.threshold}"
    return ""


def _contradicts(record: Record) -> str:
    """In what a row contradicts its expectation, or ""."""
    expected, status = record.expected, record.status
    if not expected:
        return ""
    if record.task == "solve":
        return status if status in ("sat", "unsat") and status != expected else ""
    sign, known = _parts(expected)
    low, loss = lower(record), upper(record)
    if known is None:
        return ""
    if low is not None and sign != ">" and (low[0] > known or (low[1] and low[0] >= known)):
        return f"{status}, {low[2]}"
    if loss is not None and (loss <= known if sign == ">" else not sign and loss < known):
        return f"{status} with a loss of {record.exact}"
    if status == "infimum" and low is not None and low[0] < known:
        return f"{status} {record.bound}" if sign != "<=" else ""
    return ""


def _is_proved(record: Record) -> bool:
    """Whether the row's own certificate shows that the expectation errs."""
    if record.checked != "accepted":
        return False
    if record.task == "solve":
        return record.status == "sat"
    low, loss, (sign, known) = lower(record), upper(record), _parts(record.expected)
    if loss is None or known is None or sign == "<=":
        return False
    if sign == ">":
        return bool(loss <= known)
    return bool(loss < known and (low is None or low[0] <= known))


def _parts(expected: str) -> tuple[str, Value | None]:
    """The sign (``<=``, ``>`` or none) and the number of an expected least loss."""
    sign = next((sign for sign in ("<=", ">") if expected.startswith(sign)), "")
    return sign, _number(expected.removeprefix(sign))


def is_conclusive(record: Record) -> bool:
    """A final answer that has the certificate which it needs."""
    if record.status not in CONCLUSIVE:
        return False
    return record.status in ("unsat", "infimum") or record.checked == "accepted"


@cache
def _number(text: str) -> Value | None:
    try:
        return exact(text)
    except (ErmbitError, ValueError, OverflowError):
        return None
