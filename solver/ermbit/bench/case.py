"""A case of a benchmark: one question, and what is known of its answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ermbit_instances.certificate import Value, write_value
from ermbit_instances.instance import Instance
from ermbit_instances.rational import Rational, write_rational

Task = Literal["solve", "minimize"]


@dataclass(frozen=True)
class Case:
    """One question, that every solver is asked in the same words.

    Attributes:
        set: which collection it is from.
        name: unique in its set.
        family: rows of the tables.
        kind: another label of the set's own, or "".
        task: ``solve`` or ``minimize``.
        file: the instance file that solvers read.
        question: ``"sha256:…"`` of the instance without its threshold.
        threshold: γ as text (``solve``), or "".
        expected: of :func:`expectation`.
        allow_external_data: as for reading an instance.
    """

    set: str
    name: str
    family: str
    kind: str
    task: Task
    file: Path
    question: str
    threshold: str
    expected: str = ""
    allow_external_data: bool = False


@dataclass(frozen=True)
class Known:
    """What is known of an instance at its own threshold.

    Attributes:
        status: ``sat``, ``unsat`` or "".
        minimum: the least loss, which is attained; or ``None``.
    """

    status: str = ""
    minimum: Value | None = None


def expectation(
    task: Task, known: Known, filed: Rational | None, asked: Rational | None
) -> str:
    """What a right answer is like, as text; "" if nothing is known.

    Args:
        filed: the threshold that ``known.status`` is about.
        asked: the threshold of the case (``solve``).

    Returns:
        ``sat`` or ``unsat`` for ``solve``. For ``minimize`` the least loss, or ``<=γ`` or ``>γ``
        where only the answer to the decision is known.
    """
    if task == "solve":
        assert asked is not None
        if known.minimum is not None:
            return "sat" if known.minimum <= asked else "unsat"
        if filed is None or not known.status:
            return ""
        carries = asked >= filed if known.status == "sat" else asked <= filed
        return known.status if carries else ""
    if known.minimum is not None:
        return str(write_value(known.minimum))
    if filed is None or not known.status:
        return ""
    return ("<=" if known.status == "sat" else ">") + str(write_rational(filed))


def question_hash(instance: Instance) -> str:
    """The hash that instances share which differ in their thresholds only."""
    return instance.with_threshold(None).sha256


def repeated(names: Iterable[str]) -> set[str]:
    """Names that occur more than once."""
    seen: set[str] = set()
    twice: set[str] = set()
    for name in names:
        (twice if name in seen else seen).add(name)
    return twice
