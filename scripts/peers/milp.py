"""Mixed-integer linear programming: HiGHS through highspy, or through SciPy where that is missing.

Finite domains only. A continuous piecewise linear unit is a sum of ramps max(0, Z − b), each with
one binary and the tight bounds of its sample; jumps are binaries. A product of a parameter with a
value A is disaggregated: one binary x_k for each value, A = Σ A_k with low · x_k ≤ A_k ≤
high · x_k, and P · A = Σ value_k · A_k, which is the convex hull; from 9 values on the parameter is
written in binary and each bit is multiplied. Squares of integer residuals are held from below by
chords, which are exact at integers.

HiGHS computes in floating point: what it answers is only as good as its tolerances, and is checked
from outside where there is something to check.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import ceil
from typing import Any

from peers.answer import Answer, NotSupported
from peers.evaluation import unit_ranges
from peers.question import Edge, Question, Sample, Unit

LISTED = 8
"""Domains of up to this many values are disaggregated value by value."""

MOST_CHORDS = 400
"""A residual with more integer values than this is not squared."""

LARGEST = 1e9
"""Coefficients above this are past what the tolerances of the solver can tell apart."""

Linear = dict[int, float]
"""A linear expression: column → coefficient; column −1 is the constant."""


@dataclass
class Program:
    """Columns with bounds, rows lower ≤ Σ ≤ upper; grows while a model is built."""

    lower: list[float] = field(default_factory=list)
    upper: list[float] = field(default_factory=list)
    integer: list[bool] = field(default_factory=list)
    rows: list[tuple[Linear, float, float]] = field(default_factory=list)

    def column(self, low: float, high: float, integer: bool = False) -> Linear:
        """A fresh variable."""
        if max(abs(low), abs(high)) > LARGEST:
            raise NotSupported("numbers too large for floating point")
        self.lower.append(float(low))
        self.upper.append(float(high))
        self.integer.append(integer)
        return {len(self.lower) - 1: 1.0}

    def binary(self) -> Linear:
        return self.column(0, 1, True)

    def at_least(self, expression: Linear, bound: float = 0.0) -> None:
        """expression ≥ bound."""
        row = {c: v for c, v in expression.items() if c >= 0 and v}
        self.rows.append((row, bound - expression.get(-1, 0.0), float("inf")))

    def equal(self, expression: Linear) -> None:
        """expression = 0."""
        row = {c: v for c, v in expression.items() if c >= 0 and v}
        constant = -expression.get(-1, 0.0)
        self.rows.append((row, constant, constant))


def combined(*parts: tuple[float, Linear]) -> Linear:
    """Σ factor · expression."""
    result: Linear = {}
    for factor, expression in parts:
        for column, value in expression.items():
            result[column] = result.get(column, 0.0) + float(factor) * value
    return result


def constant(value: float) -> Linear:
    return {-1: float(value)}


class Builder:
    """Builds the program of one question."""

    def __init__(self, question: Question) -> None:
        if not question.integral:
            raise NotSupported("real weights: big-M bounds would be needed")
        self.question = question
        self.program = Program()
        self.parameters = [
            self.program.column(p.values[0], p.values[-1], True)  # type: ignore[index]
            for p in question.parameters
        ]
        self.pieces: dict[int, list[tuple[int, Linear]]] = {}
        for number, p in enumerate(question.parameters):
            values = p.values or ()
            if values[-1] - values[0] + 1 != len(values):
                self.listed(number)

    def listed(self, number: int) -> list[tuple[int, Linear]]:
        """The parameter as offset + Σ size · binary; a listed value each, or bits.

        The first entry is (offset, constant 1).
        """
        if number in self.pieces:
            return self.pieces[number]
        values = [int(v) for v in self.question.parameters[number].values or ()]
        run = values[-1] - values[0] + 1 == len(values)
        if len(values) <= LISTED or not run:
            found = [(v, self.program.binary()) for v in values]
            self.program.equal(combined(*((1, x) for _, x in found), (-1, constant(1))))
        else:
            bits = (len(values) - 1).bit_length()
            found = [(values[0], constant(1))]
            found += [(2**k, self.program.binary()) for k in range(bits)]
        self.program.equal(
            combined((-1, self.parameters[number]), *((v, x) for v, x in found))
        )
        self.pieces[number] = found
        return found

    def row(self, x: Sequence[Any]) -> list[tuple[Linear, float, float]]:
        """All scaled outputs for one input with their ranges."""
        ranges = unit_ranges(self.question, x)
        values = {k: constant(v) for k, v in enumerate(x)}
        for unit in self.question.units:
            z = combined(*(self.term(e, values, ranges) for e in unit.edges))
            values[unit.node] = self.activation(unit, z, ranges)
        return [
            (
                combined((factor, values[node])),
                float(factor * ranges[node][0]),
                float(factor * ranges[node][1]),
            )
            for node, factor in self.question.outputs
        ]

    def term(self, edge: Edge, values: dict[int, Linear], ranges: Any) -> tuple[float, Linear]:
        """coefficient and P · A."""
        a = constant(1) if edge.source is None else values[edge.source]
        if edge.parameter is None:
            return edge.coefficient, a
        p = self.parameters[edge.parameter]
        if set(a) <= {-1}:
            return edge.coefficient * a.get(-1, 0.0), p
        low, high = (float(v) for v in ranges[edge.source])
        if low == high:
            return edge.coefficient * low, p
        found = self.listed(edge.parameter)
        program = self.program
        if found[0][1] != constant(1):  # value by value
            parts = []
            for _, x in found:
                part = program.column(min(low, 0), max(high, 0))
                program.at_least(combined((1, part), (-low, x)))
                program.at_least(combined((high, x), (-1, part)))
                parts.append(part)
            program.equal(combined((-1, a), *((1, part) for part in parts)))
            product = combined(*((v, part) for (v, _), part in zip(found, parts, strict=True)))
            return edge.coefficient, product
        total: list[tuple[float, Linear]] = [(found[0][0], a)]
        for size, x in found[1:]:
            part = program.column(min(low, 0), max(high, 0))
            program.at_least(combined((1, part), (-low, x)))
            program.at_least(combined((high, x), (-1, part)))
            rest = combined((1, a), (-1, part))  # A − part lies in [low, high] · (1 − x)
            program.at_least(combined((1, rest), (low, x), (-low, constant(1))))
            program.at_least(combined((-1, rest), (-high, x), (high, constant(1))))
            total.append((size, part))
        return edge.coefficient, combined(*total)

    def activation(self, unit: Unit, z: Linear, ranges: Any) -> Linear:
        """A = φ(Z): a line, ramps and jumps."""
        if unit.coefficients:
            raise NotSupported(f"the activation {unit.activation}")
        low, high = (float(v) for v in ranges[-1 - unit.node])
        first = sum(b <= low for b in unit.breakpoints)
        bounds = [int(b) for b in unit.breakpoints if low < b <= high]
        pieces = list(zip(unit.slopes, unit.intercepts, strict=True))[first:]
        slope, intercept = pieces[0]
        parts = [(float(slope), z), (float(intercept), constant(1))]
        for b, before, after in zip(bounds, pieces, pieces[1:], strict=False):
            jump = (after[0] * b + after[1]) - (before[0] * b + before[1])
            turn = after[0] - before[0]
            reached = self.program.binary()
            above = combined((1, z), (-b, constant(1)))
            down, up = low - b, high - b
            if jump:  # the side of b itself matters: integers below are ≤ b − 1
                self.program.at_least(combined((1, above), (down, reached), (-down, constant(1))))
                self.program.at_least(
                    combined((-1, above), (up + 1, reached), (-1, constant(1)))
                )
                parts.append((float(jump), reached))
            if turn:
                ramp = self.program.column(0, up)
                self.program.at_least(combined((1, ramp), (-1, above)))
                self.program.at_least(combined((up, reached), (-1, ramp)))
                # ramp ≤ above − down · (1 − reached)
                self.program.at_least(
                    combined((1, above), (-1, ramp), (-down, constant(1)), (down, reached))
                )
                parts.append((float(turn), ramp))
        return combined(*parts)

    def sample_loss(self, sample: Sample, outputs: Sequence[tuple[Linear, float, float]]) -> Linear:
        """The scaled loss, held from below."""
        q, program = self.question, self.program
        if q.classification:
            scores = []
            for score in q.scores(sample):
                least = sum(
                    min(sign * outputs[o][1], sign * outputs[o][2]) for o, sign in score
                )
                scores.append(
                    (combined(*((sign, outputs[o][0]) for o, sign in score)), least)
                )
            if q.loss == "zero_one":
                wrong = program.binary()
                margin = float(q.margin or 1)
                for s, least in scores:
                    if least < margin:
                        program.at_least(combined((1, s), (margin - least, wrong)), margin)
                return wrong
            most = max(0.0, q.unit - min(least for _, least in scores))
            cost = program.column(0, most)
            for s, _ in scores:
                program.at_least(combined((1, cost), (1, s)), q.unit)
            return cost
        costs = []
        for (f, low, high), y in zip(outputs, sample.y, strict=True):
            gap = combined((1, f), (-1, constant(float(y))))
            least, most = int(low - float(y)), int(high - float(y))
            size = max(abs(least), abs(most))
            if q.loss == "absolute":
                cost = program.column(0, size)
                program.at_least(combined((1, cost), (-1, gap)))
                program.at_least(combined((1, cost), (1, gap)))
            else:
                if most - least > MOST_CHORDS:
                    raise NotSupported(f"squares of residuals of {most - least + 1} values")
                cost = program.column(0, size * size)
                for k in range(least, max(most, least + 1)):  # the chord between k and k + 1
                    program.at_least(combined((1, cost), (-(2 * k + 1), gap)), -k * (k + 1))
            costs.append(cost)
        return combined(*((1, c) for c in costs))

    def build(self, budget: int | None) -> tuple[Program, Linear]:
        """The program, with total ≤ budget, and the total."""
        outputs = [self.row(x) for x in self.question.rows]
        terms = [
            (float(s.weight), self.sample_loss(s, outputs[s.row])) for s in self.question.samples
        ]
        if self.question.maximum:
            total = self.program.column(0, LARGEST)
            for weight, cost in terms:
                self.program.at_least(combined((1, total), (-weight, cost)))
        else:
            total = combined(*terms)
        self.break_symmetry()
        if budget is not None:
            self.program.at_least(combined((-1, total)), -float(budget))
        return self.program, total

    def break_symmetry(self) -> None:
        """Lexicographic order of the units of a class; even units with a first weight ≥ 0."""
        for p in self.question.flips:
            self.program.at_least(self.parameters[p])
        for members in self.question.classes:
            for before, after in itertools.pairwise(members):
                self.lexicographic(before, after)

    def lexicographic(self, before: Sequence[int], after: Sequence[int]) -> None:
        """vector(before) ≤ vector(after): 1 − e_k marks that a place k or one before it differs."""
        program, equal = self.program, constant(1)
        for k, (a, b) in enumerate(zip(before, after, strict=True)):
            left, right = self.parameters[a], self.parameters[b]
            values = self.question.parameters[a].values or ()
            span = float(values[-1] - values[0])
            # right − left ≥ −span · (1 − equal)
            program.at_least(
                combined((1, right), (-1, left), (span, constant(1)), (-span, equal))
            )
            if k + 1 == len(before):
                return
            following = program.binary()
            program.at_least(combined((1, equal), (-1, following)))
            # it may end here (following < equal) only if right − left ≥ 1
            program.at_least(
                combined(
                    (1, right),
                    (-1, left),
                    (span, constant(1)),
                    (-span - 1, equal),
                    (1 + span, following),
                ),
                0.0,
            )
            equal = following


@dataclass(frozen=True)
class Solution:
    """What a solver says: status, values of the columns, value and bound of the objective."""

    status: str
    values: Sequence[float] | None
    value: float | None
    bound: float | None


def solve(
    program: Program, objective: Linear | None, timeout: float, threads: int
) -> Solution:
    """HiGHS on a program; minimises integers, so a gap below 1 is none."""
    try:
        import highspy  # noqa: F401
    except ImportError:
        return _solve_scipy(program, objective, timeout)
    return _solve_highspy(program, objective, timeout, threads)


def _solve_highspy(
    program: Program, objective: Linear | None, timeout: float, threads: int
) -> Solution:
    import highspy
    import numpy as np

    count = len(program.lower)
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = count, len(program.rows)
    costs = np.zeros(count)
    for column, value in (objective or {}).items():
        if column >= 0:
            costs[column] = value
    model.col_cost_ = costs
    model.offset_ = (objective or {}).get(-1, 0.0)
    model.col_lower_, model.col_upper_ = np.array(program.lower), np.array(program.upper)
    model.row_lower_ = np.array([low for _, low, _ in program.rows])
    model.row_upper_ = np.array([high for _, _, high in program.rows])
    starts = np.cumsum([0, *(len(row) for row, _, _ in program.rows)])
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_ = starts.astype(np.int32)
    model.a_matrix_.index_ = np.array([c for row, _, _ in program.rows for c in row], np.int32)
    model.a_matrix_.value_ = np.array([v for row, _, _ in program.rows for v in row.values()])
    kinds = (highspy.HighsVarType.kContinuous, highspy.HighsVarType.kInteger)
    model.integrality_ = [kinds[i] for i in program.integer]
    highs = highspy.Highs()
    highs.silent()
    highs.setOptionValue("time_limit", max(0.1, timeout))
    highs.setOptionValue("threads", threads)
    highs.setOptionValue("mip_rel_gap", 0.0)
    highs.setOptionValue("mip_abs_gap", 0.999)
    highs.setOptionValue("mip_feasibility_tolerance", 1e-7)
    highs.passModel(model)
    highs.run()
    status, info = highs.getModelStatus(), highs.getInfo()
    word = {
        highspy.HighsModelStatus.kOptimal: "optimal",
        highspy.HighsModelStatus.kInfeasible: "infeasible",
    }.get(status, "unknown")
    has = info.primal_solution_status == 2
    return Solution(
        word,
        list(highs.getSolution().col_value) if has else None,
        info.objective_function_value if has else None,
        info.mip_dual_bound,
    )


def _solve_scipy(program: Program, objective: Linear | None, timeout: float) -> Solution:
    import numpy as np
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_array

    count = len(program.lower)
    costs = np.zeros(count)
    for column, value in (objective or {}).items():
        if column >= 0:
            costs[column] = value
    offset = (objective or {}).get(-1, 0.0)
    starts = np.cumsum([0, *(len(row) for row, _, _ in program.rows)])
    indices = [c for row, _, _ in program.rows for c in row]
    data = [v for row, _, _ in program.rows for v in row.values()]
    matrix = csr_array((data, indices, starts), shape=(len(program.rows), count))
    lower = [low for _, low, _ in program.rows]
    upper = [high for _, _, high in program.rows]
    found = milp(
        costs,
        integrality=np.array(program.integer, dtype=int),
        bounds=Bounds(program.lower, program.upper),
        constraints=LinearConstraint(matrix, lower, upper),
        options={"time_limit": max(0.1, timeout), "mip_rel_gap": 0.0},
    )
    word = {0: "optimal", 2: "infeasible"}.get(found.status, "unknown")
    bound = getattr(found, "mip_dual_bound", None)
    return Solution(
        word,
        None if found.x is None else list(found.x),
        None if found.x is None else found.fun + offset,
        None if bound is None else bound + offset,
    )


def run(question: Question, task: str, timeout: float, threads: int) -> Answer:
    """Decide or minimise within ``timeout`` seconds."""
    deadline = time.monotonic() + timeout
    budget = question.budget() if task == "solve" else None
    if budget is not None and budget < 0:
        return Answer("unsat", encoding="big-M")
    builder = Builder(question)
    program, total = builder.build(None if budget is None else int(budget))
    objective = total if task == "minimize" else None
    found = solve(program, objective, deadline - time.monotonic(), threads)
    parameters: dict[str, Any] = {}
    if found.values is not None:
        columns = [next(iter(p)) for p in builder.parameters]
        parameters = question.certificate([round(found.values[c]) for c in columns])
    if task == "solve":
        word = {"infeasible": "unsat"}.get(found.status, "unknown")
        if found.values is not None:
            word = "sat"
        return Answer(word, parameters=parameters, encoding="big-M")
    if found.values is None or found.value is None:
        return Answer("unknown", reason="no answer in time", encoding="big-M")
    loss = question.loss_of(round(found.value))
    low = loss if found.status == "optimal" else _rounded_bound(question, found.bound)
    word = "optimal" if found.status == "optimal" else "feasible"
    return Answer(word, loss, low, parameters, encoding="big-M")


def _rounded_bound(question: Question, bound: float | None) -> Fraction | None:
    if bound is None or abs(bound) > LARGEST:
        return None
    return question.loss_of(max(0, ceil(bound - 1e-6)))
