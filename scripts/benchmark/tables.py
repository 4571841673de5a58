"""Tables in Markdown from records: solved, PAR-2, virtual best peer, slow cases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import exp, log

from benchmark.checking import disagreements
from benchmark.records import Record
from benchmark.solvers import CONCLUSIVE

OURS = "ermbit"
BEST = "best peer"
LEAST_SECONDS = 0.01


def solved(record: Record, wrong: dict[tuple[str, str], str]) -> bool:
    """A right conclusive answer within the limit."""
    return (
        record.status in CONCLUSIVE
        and record.seconds <= record.timeout
        and (record.instance, record.solver) not in wrong
    )


class Scores:
    """Seconds of every (instance, solver): wall clock, or twice the limit if not solved."""

    def __init__(self, records: Sequence[Record]) -> None:
        self.wrong = disagreements(records)
        self.families: dict[str, str] = {}
        self.seconds: dict[str, dict[str, float]] = {}
        self.solved: dict[str, set[str]] = {}
        solvers: dict[str, None] = {}
        for r in records:
            self.families.setdefault(r.instance, r.family)
            solvers[r.solver] = None
            good = solved(r, self.wrong)
            self.solved.setdefault(r.instance, set())
            if good:
                self.solved[r.instance].add(r.solver)
            row = self.seconds.setdefault(r.instance, {})
            row[r.solver] = max(LEAST_SECONDS, r.seconds) if good else 2 * r.timeout
        self.peers = [s for s in solvers if s.partition(":")[0] != OURS]
        self.ours = [s for s in solvers if s not in self.peers]
        for instance, row in self.seconds.items():
            of_peers = [row[p] for p in self.peers if p in row]
            if of_peers:
                row[BEST] = min(of_peers)
                if any(p in self.solved[instance] for p in self.peers):
                    self.solved[instance].add(BEST)

    @property
    def columns(self) -> list[str]:
        return [*self.ours, *self.peers, *([BEST] if self.peers else [])]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def family_table(scores: Scores) -> str:
    """Per family and solver: solved of those that were run, and mean PAR-2 seconds."""
    families = list(dict.fromkeys(scores.families.values()))
    rows = []
    for family in [*families, "all"]:
        members = [i for i, f in scores.families.items() if family in (f, "all")]
        cells = [family, str(len(members))]
        for solver in scores.columns:
            known = [i for i in members if solver in scores.seconds[i]]
            if not known:
                cells.append("")
                continue
            count = sum(solver in scores.solved[i] for i in known)
            par = sum(scores.seconds[i][solver] for i in known) / len(known)
            cells.append(f"{count}/{len(known)}, {par:.3g}")
        cells += [ratio(scores, members, s) for s in scores.ours] if scores.peers else []
        rows.append(cells)
    ratios = [f"{BEST} : {s}" for s in scores.ours] if scores.peers else []
    return table(["family", "cases", *scores.columns, *ratios], rows)


def ratio(scores: Scores, members: Sequence[str], ours: str) -> str:
    """Geometric mean of (best peer's seconds / ours), PAR-2 each: above 1 ours is faster."""
    pairs = [
        (scores.seconds[i][BEST], scores.seconds[i][ours])
        for i in members
        if ours in scores.seconds[i] and BEST in scores.seconds[i]
    ]
    if not pairs:
        return ""
    return f"{exp(sum(log(a / b) for a, b in pairs) / len(pairs)):.3g}"


def case_table(scores: Scores, instances: Sequence[str]) -> str:
    """Seconds of every solver on single instances; a dash is unsolved."""
    rows = []
    for i in instances:
        cells = [
            f"{scores.seconds[i][s]:.2f}" if s in scores.solved[i] else "-"
            for s in scores.columns
        ]
        rows.append([i, *cells])
    return table(["instance", *scores.columns], rows)


def slow(scores: Scores, slack: float = 0.5) -> list[str]:
    """Instances that ours does not solve, or a peer solves ``slack`` seconds faster."""
    found = []
    for i, row in scores.seconds.items():
        for ours in scores.ours:
            if ours not in row:
                continue
            if ours not in scores.solved[i] or row[ours] > row.get(BEST, 1e9) + slack:
                found.append(i)
                break
    return found


def alerts(scores: Scores) -> list[str]:
    """One line for every wrong answer."""
    return [f"WRONG {solver} on {i}: {why}" for (i, solver), why in sorted(scores.wrong.items())]


def report(records: Sequence[Record], details: bool = False) -> str:
    """The whole page: alerts first."""
    scores = Scores(records)
    limits = sorted({(r.timeout, r.cores) for r in records})
    words = ", ".join(f"{t:g} s on {c} processor{'s' if c > 1 else ''}" for t, c in limits)
    parts = []
    if scores.wrong:
        parts.append("**Wrong answers**\n\n" + "\n".join(f"- {a}" for a in alerts(scores)))
    parts.append(f"Solved of run, mean PAR-2 seconds; limit {words}.\n\n{family_table(scores)}")
    behind = slow(scores)
    if behind and scores.ours:
        parts.append(f"Unsolved by {OURS}, or slower than a peer:\n\n{case_table(scores, behind)}")
    if details:
        parts.append(case_table(scores, list(scores.seconds)))
    return "\n\n".join(parts) + "\n"
