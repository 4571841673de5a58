"""Who solved what, and how long it took: PAR-2, and the best peer of every case."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

from ermbit.bench.agreement import Judgement, is_conclusive, judge
from ermbit.bench.case import repeated
from ermbit.bench.records import Record
from ermbit.bench.solver import is_ours

BEST = "best peer"
LEAST_SECONDS = 0.01
"""Shorter times count as this, so that ratios do not hang on the clock."""

CaseKey = tuple[str, str, str, str]


class Scores:
    """Results of all solvers on all cases.

    Attributes:
        judgement: wrong and disputed answers.
        families: case → family, in the order of the records.
        names: case → what to call it: the instance, with task and threshold where that is needed.
        seconds: case → solver → wall clock if solved, twice the limit if not (PAR-2).
        solved: case → the solvers that solved it.
        answers: case → the status that was found, of those who solved it.
        limit: case → seconds that solvers had.
        disqualified: solver → how many of its answers are wrong.
        failed: lines on runs that crashed or gave no readable answer.
        ours, peers: the solvers; peers without those disqualified make the best peer.
    """

    def __init__(self, records: Sequence[Record]) -> None:
        self.judgement: Judgement = judge(records)
        self.families: dict[CaseKey, str] = {}
        self.seconds: dict[CaseKey, dict[str, float]] = {}
        self.solved: dict[CaseKey, set[str]] = {}
        self.answers: dict[CaseKey, str] = {}
        self.limit: dict[CaseKey, float] = {}
        self.wrong: dict[CaseKey, set[str]] = {}
        solvers: dict[str, None] = {}
        self.disqualified: dict[str, int] = {}
        for r in records:
            if r.key in self.judgement.wrong:
                self.disqualified[r.solver] = self.disqualified.get(r.solver, 0) + 1
        for r in records:
            case = r.key[:4]
            self.families.setdefault(case, r.family)
            solvers[r.solver] = None
            self.limit[case] = max(r.timeout, self.limit.get(case, 0.0))
            good = self._is_good(r)
            found = self.solved.setdefault(case, set())
            if r.key in self.judgement.wrong:
                self.wrong.setdefault(case, set()).add(r.solver)
            if good:
                found.add(r.solver)
                if r.solver not in self.disqualified:
                    self.answers.setdefault(case, r.status)
            row = self.seconds.setdefault(case, {})
            row[r.solver] = max(LEAST_SECONDS, r.seconds) if good else 2 * r.timeout
        self.names = _names(list(self.families))
        self.failed = [
            f"{r.solver} on {self.names[r.key[:4]]}: {r.note}"
            for r in records
            if r.status == "failed"
        ]
        self.ours = [s for s in solvers if is_ours(s)]
        self.peers = [s for s in solvers if not is_ours(s)]
        self._add_best()

    def _is_good(self, record: Record) -> bool:
        """A right conclusive answer within the limit."""
        return (
            is_conclusive(record)
            and record.seconds <= record.timeout
            and record.key not in self.judgement.wrong
            and record.key not in self.judgement.disputed
        )

    def _add_best(self) -> None:
        honest = self.honest_peers
        for case, row in self.seconds.items():
            times = [row[p] for p in honest if p in row]
            if times:
                row[BEST] = min(times)
                if any(p in self.solved[case] for p in honest):
                    self.solved[case].add(BEST)

    @property
    def solvers(self) -> list[str]:
        """All of them, ours first."""
        return [*self.ours, *self.peers]

    @property
    def columns(self) -> list[str]:
        """All solvers, and the best peer if there is a choice."""
        return [*self.solvers, *([BEST] if len(self.honest_peers) > 1 else [])]

    @property
    def honest_peers(self) -> list[str]:
        """Those that are not disqualified."""
        return [peer for peer in self.peers if peer not in self.disqualified]

    def members(self, family: str | None) -> list[CaseKey]:
        """The cases of a family, or all."""
        return [case for case, f in self.families.items() if family in (f, None)]

    def count(self, solver: str, cases: Sequence[CaseKey]) -> tuple[int, int]:
        """(solved, run) of a solver on some cases."""
        run = [case for case in cases if solver in self.seconds[case]]
        return sum(solver in self.solved[case] for case in run), len(run)

    def par2(self, solver: str, cases: Sequence[CaseKey]) -> float | None:
        """Mean seconds, twice the limit for what is not solved; ``None`` if nothing was run."""
        times = [self.seconds[case][solver] for case in cases if solver in self.seconds[case]]
        return sum(times) / len(times) if times else None

    def wrongs(self, solver: str, cases: Sequence[CaseKey]) -> int:
        """How many of a solver's answers to some cases are wrong."""
        return sum(solver in self.wrong.get(case, ()) for case in cases)

    def ratio(self, ours: str, cases: Sequence[CaseKey]) -> float | None:
        """Geometric mean of best peer's seconds : ours, PAR-2 each; above 1 ours is faster."""
        pairs = [
            (self.seconds[case][BEST], self.seconds[case][ours])
            for case in cases
            if ours in self.seconds[case] and BEST in self.seconds[case]
        ]
        if not pairs or ours in self.disqualified:
            return None
        return exp(sum(log(a / b) for a, b in pairs) / len(pairs))

    def slow(self, slack: float = 0.5) -> list[CaseKey]:
        """Cases that the first of ours does not solve, or a peer solves ``slack`` s faster."""
        ours = self.ours[0] if self.ours else None
        return [
            case
            for case, row in self.seconds.items()
            if ours in row
            and (ours not in self.solved[case] or row[ours] > row.get(BEST, 1e9) + slack)
        ]


def _names(cases: Sequence[CaseKey]) -> dict[CaseKey, str]:
    """Instances where that is unique, else with the task and threshold, else with the set."""
    plain = [case[1] for case in cases]
    twice = repeated(plain)
    names = {}
    for case in cases:
        _, instance, task, threshold = case
        words = [instance]
        if instance in twice:
            words += [task, *([f"at {threshold}"] if threshold else [])]
        names[case] = " ".join(words)
    again = repeated(names.values())
    return {
        case: f"{case[0]}: {name}" if name in again else name for case, name in names.items()
    }
