"""Several encodings of one real question, tried in turns that grow.

How long a decision procedure for polynomials takes depends on the encoding beyond prediction: an
outer weight that is normalised away spares an unknown and takes away one that is linear; breaking
symmetries spares cases and hides solutions. So every encoding gets a turn, then a longer one
(Luby, Sinclair & Zuckerman 1993 on restarts); each alone would be complete.

An attempt may begin with some of the samples. Losses are never negative, so what has no solution on
some samples has none on all; a solution counts once it is verified on all, and else the samples
that it misses most are added.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gmpy2 import mpq

from ermbit.engines.engine import Budget
from ermbit.engines.mixed.search import Candidate, MixedSolver, candidate
from ermbit.verifier.evaluation.evaluate import evaluate_sample
from ermbit.verifier.verify import exact_loss
from ermbit_encodings.mixed import MixedEncoding, encode_mixed, sign_patterns
from ermbit_encodings.mixed.program import MixedProgram
from ermbit_encodings.problem import Problem
from ermbit_instances.certificate import Value
from ermbit_instances.errors import InternalError
from ermbit_instances.rational import Rational

LONG, SHORT = 4.0, 2.0
"""Seconds of an encoding's first turn: a turn that ends without an answer is lost."""

GROWTH = 3.0
"""How much longer the next turn is."""

PATTERNS = 8
"""Most patterns of signs that are decided one by one."""

SPARE = 2
"""Samples that an attempt begins with beyond one equation for every parameter."""

ROUNDED = 128
"""Bits after the point of an irrational θ where it only has to choose samples."""

Make = Callable[[MixedProgram, Budget], MixedSolver]
"""Makes the solver of a program."""


@dataclass
class Attempt:
    """One way to encode the question; what it refuted stays refuted.

    Attributes:
        powers, symmetries: as in :func:`encode_mixed`.
        patterns: patterns of signs that are still open; one empty pattern for signs left open.
        turn: seconds of the first turn.
        rows: positions of the samples that are encoded.
    """

    powers: bool
    symmetries: bool
    turn: float
    patterns: list[Mapping[int, bool] | None] = field(default_factory=lambda: [None])
    rows: tuple[int, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """The end of a turn: ``sat`` with a candidate, ``unsat``, or ``unknown`` with the reason."""

    status: str
    found: Candidate | None = None
    reason: str = ""


def attempts(problem: Problem) -> list[Attempt]:
    """The encodings of a question over the reals, those that are alike only once."""
    every = tuple(range(len(problem.samples.rows)))
    wanted = problem.instance.network.parameter_count // len(problem.instance.network.outputs)
    first = every[: wanted + SPARE]
    signs: list[Mapping[int, bool] | None] = [*sign_patterns(problem, PATTERNS)]
    normalised = Attempt(True, True, SHORT, signs or [None], first)
    return [
        Attempt(False, False, LONG, rows=every),
        normalised,
        Attempt(False, True, LONG, rows=every),
    ]


def decide_in_turns(problem: Problem, budget: Budget, make: Make) -> Verdict:
    """Decide L(θ) ≤ γ over the reals, with one encoding after the other.

    Args:
        problem: with a threshold; all its domains can be encoded exactly.
        budget: of all turns together.
        make: the solver of a program under a budget.
    """
    ways = attempts(problem)
    for growth in _growths():
        for way in ways:
            remaining = budget.remaining
            if remaining is not None and remaining <= 0:
                return Verdict("unknown", reason="stopped at the deadline")
            turn = way.turn * growth
            turn = turn if remaining is None else min(turn, remaining)
            own = Budget(time.monotonic() + turn, budget.seed, budget.memory)
            verdict = _turn(way, problem, own, make)
            if verdict.status != "unknown":
                return verdict
    raise AssertionError("unreachable: turns never end")


def _growths() -> Iterator[float]:
    growth = 1.0
    while True:
        yield growth
        growth *= GROWTH


def _turn(way: Attempt, problem: Problem, budget: Budget, make: Make) -> Verdict:
    """Go on with one attempt; ``unsat`` once its last pattern is refuted."""
    reason = ""
    for pattern in list(way.patterns):
        verdict = _pattern(way, pattern, problem, budget, make)
        if verdict.status == "sat":
            return verdict
        if verdict.status == "unsat":
            way.patterns.remove(pattern)
        else:
            reason = verdict.reason
    return Verdict("unknown", reason=reason) if way.patterns else Verdict("unsat")


def _pattern(
    way: Attempt,
    pattern: Mapping[int, bool] | None,
    problem: Problem,
    budget: Budget,
    make: Make,
) -> Verdict:
    threshold = problem.threshold
    while True:
        if budget.expired:
            return Verdict("unknown", reason="stopped at the deadline")
        encoding = encode_mixed(
            problem,
            products=True,
            exact_fit=threshold == 0,
            powers=way.powers,
            symmetries=way.symmetries,
            signs=pattern,
            rows=way.rows,
        )
        encoding.objective.bound(encoding.program, encoding.budget(threshold))
        solver = make(encoding.program, budget)
        status = solver.check()
        if status != "sat":
            return Verdict(status, reason="" if status == "unsat" else solver.reason)
        truths, reals = solver.model()
        values = encoding.decode(truths, reals)
        missed = _missed(problem, values, way.rows, threshold)
        if missed:
            way.rows = tuple(sorted({*way.rows, *missed}))
            continue
        return _verified(encoding, truths, reals, problem)


def _verified(
    encoding: MixedEncoding, truths: list[bool], reals: list[Value], problem: Problem
) -> Verdict:
    try:
        found = candidate(encoding, truths, reals, problem)
    except OverflowError as error:
        return Verdict("unknown", reason=str(error))
    if not isinstance(found, Candidate) or found.loss > problem.threshold:
        raise InternalError(f"a model that meets {problem.threshold} decodes to another loss")
    return Verdict("sat", found)


def _missed(
    problem: Problem, values: Sequence[Value], rows: Sequence[int], threshold: Rational
) -> list[int]:
    """Samples to be added, those that cost most; none if the loss on all of them is small enough.

    Of an irrational θ only a rounded one is looked at: where that cannot tell, all are added.
    """
    samples, instance = problem.samples.rows, problem.instance
    known = set(rows)
    rest = [i for i in range(len(samples)) if i not in known]
    if not rest:
        return []
    rational = all(isinstance(v, mpq) for v in values)
    if rational and exact_loss(instance, tuple(values))[0] <= threshold:
        return []
    point = [v if isinstance(v, mpq) else sum(v.bounds(ROUNDED), mpq(0)) / 2 for v in values]
    noise = mpq(0) if rational else mpq(1, 1 << (ROUNDED // 2))
    costs = {}
    for i in rest:
        outputs = evaluate_sample(instance.network, samples[i].x, point)
        costs[i] = samples[i].weight * instance.loss.sample(outputs, samples[i].y)
    costly = sorted((i for i in rest if costs[i] > noise), key=lambda i: -costs[i])
    return costly[: max(1, len(rows))] or rest
