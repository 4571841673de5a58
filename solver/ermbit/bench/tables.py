"""Tables in Markdown: wrong answers first, then solved and PAR-2 of every family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ermbit.bench.records import Key, Record
from ermbit.bench.scores import BEST, CaseKey, Scores

MOST_FAILURES = 10
"""So many are listed; all are in the file of results."""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table in Markdown, columns aligned."""
    widths = [max(3, *(len(line[k]) for line in (head, *rows))) for k in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=True)]
        return f"| {' | '.join(padded)} |"

    return [line(head), line(["-" * width for width in widths]), *(line(row) for row in rows)]


def report(scores: Scores, records: Sequence[Record], *, details: bool = False) -> list[str]:
    """The whole page as lines."""
    lines = alerts(scores)
    if not records:
        return [*lines, "no results"]
    limits = sorted({(r.timeout, r.cores) for r in records})
    words = ", ".join(f"{t:g} s on {c} processor{'s' if c > 1 else ''}" for t, c in limits)
    lines += ["", f"Solved of run, mean PAR-2 seconds; limit {words}.", ""]
    lines += family_table(scores)
    behind = scores.slow()
    if behind and not details:
        first = scores.ours[0]
        lines += ["", f"Unsolved by {first}, or a peer is faster:", "", *case_table(scores, behind)]
    if details:
        lines += ["", *case_table(scores, list(scores.seconds))]
    return lines


def progress(record: Record) -> str:
    """One result in a line."""
    words = f"{record.instance}, {record.solver}: {record.status}"
    if record.loss or record.exact:
        words += f" {record.loss or record.exact}"
    words += f", {record.seconds:.2f} s"
    if record.checked == "rejected":
        words += f"; WRONG, certificate rejected: {record.why}"
    elif record.checked in ("missing", "undecided"):
        words += f"; certificate {record.checked}: {record.why}"
    elif record.note:
        words += f"; {record.note}"
    return words


def alerts(scores: Scores) -> list[str]:
    """A line that counts wrong answers, then one for each of them."""
    found = scores.judgement
    run = sum(solver != BEST for row in scores.seconds.values() for solver in row)
    lines = [f"no wrong answer in {run} run{'s' if run != 1 else ''}"]
    if found.wrong:
        count = len(found.wrong)
        out = ", ".join(sorted(scores.disqualified))
        lines = [f"{count} wrong answer{'s' if count != 1 else ''}; disqualified: {out}"]
        lines += [f"WRONG {line}" for line in _complaints(scores, found.wrong)]
    lines += [f"DISPUTED {line}" for line in _complaints(scores, found.disputed)]
    lines += [f"WRONG SOURCE {line}" for line in found.sources]
    lines += [f"FAILED {line}" for line in scores.failed[:MOST_FAILURES]]
    if len(scores.failed) > MOST_FAILURES:
        lines.append(f"FAILED {len(scores.failed) - MOST_FAILURES} more")
    return lines


def _complaints(scores: Scores, found: dict[Key, str]) -> list[str]:
    return [f"{key[4]} on {scores.names[key[:4]]}: {why}" for key, why in sorted(found.items())]


def family_table(scores: Scores) -> list[str]:
    """Per family and solver: solved of those that were run, and mean PAR-2 seconds."""
    rows = []
    families = list(dict.fromkeys(scores.families.values()))
    for family in [*families, None] if len(families) != 1 else families:
        members = scores.members(family)
        cells = [family if family is not None else "all", str(len(members))]
        cells += [_cell(scores, solver, members) for solver in scores.columns]
        if scores.honest_peers:
            ratios = [scores.ratio(solver, members) for solver in scores.ours]
            cells += ["" if ratio is None else f"{ratio:.3g}" for ratio in ratios]
        rows.append(cells)
    ratio_heads = [f"{BEST} : {s}" for s in scores.ours] if scores.honest_peers else []
    return table(["family", "cases", *scores.columns, *ratio_heads], rows)


def _cell(scores: Scores, solver: str, members: Sequence[CaseKey]) -> str:
    solved, run = scores.count(solver, members)
    if solver in scores.disqualified:
        wrong = scores.wrongs(solver, members)
        return f"{wrong} wrong" if wrong else "disqualified"
    par = scores.par2(solver, members)
    return "" if par is None else f"{solved}/{run}, {par:.3g}"


def case_table(scores: Scores, cases: Sequence[CaseKey]) -> list[str]:
    """Seconds of every solver on single cases; a dash is unsolved, nothing is not run."""
    rows = []
    for case in cases:
        cells = []
        for solver in scores.columns:
            if solver in scores.wrong.get(case, ()):
                cells.append("wrong")
            elif solver in scores.solved[case]:
                cells.append(f"{scores.seconds[case][solver]:.2f}")
            else:
                cells.append("-" if solver in scores.seconds[case] else "")
        rows.append([scores.names[case], scores.answers.get(case, "-"), *cells])
    return table(["instance", "answer", *scores.columns], rows)


def document(scores: Scores) -> dict[str, Any]:
    """The same as data, for JSON."""
    families = list(dict.fromkeys(scores.families.values()))

    def of(solver: str, family: str | None) -> dict[str, Any]:
        members = scores.members(family)
        solved, run = scores.count(solver, members)
        wrong = scores.wrongs(solver, members)
        return {
            "solver": solver,
            "family": family,
            "solved": solved,
            "run": run,
            "par2": scores.par2(solver, members),
            "wrong": wrong,
            "disqualified": solver in scores.disqualified,
        }

    found = scores.judgement
    return {
        "wrong": _complaints(scores, found.wrong),
        "disputed": _complaints(scores, found.disputed),
        "wrong_sources": list(found.sources),
        "failed": list(scores.failed),
        "scores": [of(solver, f) for f in [*families, None] for solver in scores.columns],
    }
