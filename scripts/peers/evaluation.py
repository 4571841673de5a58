"""Values of a question: the exact total of parameters, and ranges of all units by intervals."""

from __future__ import annotations

from collections.abc import Sequence

from peers import polynomials
from peers.answer import NotSupported
from peers.question import Edge, Number, Question, Sample, Unit


def total_at(question: Question, values: Sequence[Number]) -> Number:
    """The exact scaled total loss of parameters P."""
    outputs = [_outputs_at(question, row, values) for row in question.rows]
    losses = [s.weight * _loss_at(question, s, outputs[s.row]) for s in question.samples]
    return max(losses) if question.maximum else sum(losses)


def _outputs_at(
    question: Question, row: Sequence[Number], values: Sequence[Number]
) -> list[Number]:
    known: dict[int, Number] = dict(enumerate(row))
    for unit in question.units:
        z = sum(_summand(e, known, values) for e in unit.added)
        z += max((_summand(e, known, values) for e in unit.compared), default=0)
        if unit.coefficients:
            known[unit.node] = polynomials.value(unit.coefficients, z)
        else:
            piece = sum(b <= z for b in unit.breakpoints)
            known[unit.node] = unit.slopes[piece] * z + unit.intercepts[piece]
    return [factor * known[node] for node, factor in question.outputs]


def _summand(edge: Edge, known: dict[int, Number], values: Sequence[Number]) -> Number:
    p = 1 if edge.parameter is None else values[edge.parameter]
    return edge.coefficient * p * (1 if edge.source is None else known[edge.source])


def _loss_at(question: Question, sample: Sample, outputs: Sequence[Number]) -> Number:
    if question.classification:
        score = min(sum(sign * outputs[o] for o, sign in s) for s in question.scores(sample))
        if question.loss == "hinge":
            return max(0, question.unit - score)
        margin = question.margin
        return 1 - int(score > 0 if margin is None else score >= margin)
    gaps = [abs(f - y) for f, y in zip(outputs, sample.y, strict=True)]
    return sum(g * g for g in gaps) if question.loss == "squared" else sum(gaps)


def unit_ranges(question: Question, row: Sequence[Number]) -> dict[int, tuple[Number, Number]]:
    """For one input row the range of every node's value A, and under −1 − node that of Z.

    Interval arithmetic over the boxes of the parameters; finite domains only.
    """
    found: dict[int, tuple[Number, Number]] = {k: (v, v) for k, v in enumerate(row)}
    for unit in question.units:
        low: Number = 0
        high: Number = 0
        for edge in unit.added:
            least, most = edge_range(question, edge, found)
            low, high = low + least, high + most
        if unit.compared:
            ends = [edge_range(question, e, found) for e in unit.compared]
            low += max(least for least, _ in ends)
            high += max(most for _, most in ends)
        found[-1 - unit.node] = (low, high)
        found[unit.node] = activation_range(unit, low, high)
    return found


def edge_range(
    question: Question, edge: Edge, known: dict[int, tuple[Number, Number]]
) -> tuple[Number, Number]:
    """The range of one summand."""
    a = (1, 1) if edge.source is None else known[edge.source]
    p: tuple[Number, Number] = (1, 1)
    if edge.parameter is not None:
        values = question.parameters[edge.parameter].values
        if values is None:
            raise NotSupported("ranges over the reals")
        p = (values[0], values[-1])
    corners = [edge.coefficient * u * v for u in a for v in p]
    return min(corners), max(corners)


def activation_range(unit: Unit, low: Number, high: Number) -> tuple[Number, Number]:
    """The range of φ on [low, high] (hull)."""
    if unit.coefficients:
        integral = all(isinstance(v, int) for v in (*unit.coefficients, low, high))
        return polynomials.value_range(unit.coefficients, low, high, integral=integral)
    ends: list[Number] = []
    bounds = (None, *unit.breakpoints, None)
    for k, (slope, intercept) in enumerate(zip(unit.slopes, unit.intercepts, strict=True)):
        first, last = bounds[k], bounds[k + 1]
        left = low if first is None else max(low, first)
        right = high if last is None else min(high, last)
        if left <= right and (last is None or left < last):
            ends += [slope * left + intercept, slope * right + intercept]
    return min(ends), max(ends)
