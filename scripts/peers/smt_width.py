"""The width of words in which nothing of a question overflows."""

from __future__ import annotations

from peers.answer import NotSupported
from peers.evaluation import edge_range, unit_ranges
from peers.question import Question


def word_width(question: Question) -> int:
    """Bits of a two's-complement word that holds every number of every sample, and the total."""
    top, total = 1, 0
    for sample in question.samples:
        ranges = unit_ranges(question, question.rows[sample.row])
        top = max(top, *(abs(int(v)) for pair in ranges.values() for v in pair))
        for p in question.parameters:
            top = max(top, *(abs(int(v)) for v in (p.values[0], p.values[-1])))  # type: ignore[index]
        for unit in question.units:
            parts = sum(
                max(abs(int(v)) for v in edge_range(question, e, ranges)) for e in unit.edges
            )
            top = max(top, parts)
            top = max(top, *(abs(int(b)) for b in (*unit.breakpoints, *unit.intercepts, 0)))
            pieces = zip(unit.slopes, unit.intercepts, strict=True)
            top = max(top, *(abs(int(m)) * parts + abs(int(c)) for m, c in pieces), 0)
            sizes = [abs(int(c)) * parts**k for k, c in enumerate(unit.coefficients)]
            top = max(top, sum(sizes), parts ** max(0, len(unit.coefficients) - 1))
        most = 0
        spans = [
            max(abs(int(f * v)) for v in ranges[node]) for node, f in question.outputs
        ]
        if question.loss == "zero_one":
            most = 1
            top = max(top, 2 * sum(spans), int(question.margin or 0))
        elif question.loss == "hinge":
            most = question.unit + 2 * sum(spans)
        else:
            gaps = [s + abs(int(y)) for s, y in zip(spans, sample.y, strict=True)]
            most = sum(g * g if question.loss == "squared" else g for g in gaps)
        top = max(top, most)
        total += int(sample.weight) * most
    width = max(top, total).bit_length() + 2
    if width > 64:
        raise NotSupported(f"bit-vectors of {width} bits")
    return width
