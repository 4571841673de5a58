"""Several ways to one real question, tried in turns that grow.

How long a decision procedure for polynomials takes depends on the encoding beyond prediction: an
outer weight that is normalised away spares an unknown and takes away one that is linear; breaking
symmetries spares cases and hides solutions. So every encoding gets a turn, then a longer one
(Luby, Sinclair & Zuckerman 1993 on restarts); each alone would be complete.

The first encoding is the plain one, the network as it is written down: what is easy for a solver
without any preparation stays so. Training in floats has a turn too, and proposes solutions only.

An attempt may begin with some of the samples. Losses are never negative, so what has no solution on
some samples has none on all; a solution counts once it is verified on all, and else the samples
that it misses most are added.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from gmpy2 import mpq

from ermbit.engines.engine import Budget, ignore
from ermbit.engines.mixed.plain_script import PlainScript
from ermbit.engines.mixed.refinement import Make, refine
from ermbit.engines.mixed.search import Candidate, candidate
from ermbit.engines.mixed.verdict import Verdict
from ermbit.engines.patience import patiently
from ermbit.processes.load import Load
from ermbit.verifier.evaluation.evaluate import evaluate_sample
from ermbit.verifier.verify import exact_loss
from ermbit_encodings.mixed import MixedEncoding, encode_mixed, sign_patterns
from ermbit_encodings.problem import Problem
from ermbit_encodings.relaxation import real_relaxation
from ermbit_instances.algebraic import AlgebraicLimitError
from ermbit_instances.certificate import Value
from ermbit_instances.errors import InternalError
from ermbit_instances.rational import Rational

PLAIN, OTHER = 1.5, 0.8
"""Seconds of processor time of the first turns, the first for what comes close to the network as it
is written. A turn that ends without an answer is lost."""

TRAINED = 0.6
"""Seconds of the first turn of training."""

GROWTH = 3.0
"""How much longer the next turn is."""

PATTERNS = 8
"""Most patterns of signs that are decided one by one."""

SPARE = 2
"""Samples that an attempt begins with beyond one equation for every parameter."""

ROUNDED = 128
"""Bits after the point of an irrational θ where it only has to choose samples."""

SCATTERED = 8
"""Values of the longest list that is chosen from where a relaxation has a turn of its own."""


class Way(Protocol):
    """Something that may answer the question within a budget, and goes on later."""

    @property
    def turn(self) -> float: ...

    def go(self, problem: Problem, budget: Budget, make: Make) -> Verdict: ...


@dataclass
class Attempt:
    """One way to encode the question; what it refuted stays refuted.

    Attributes:
        powers, symmetries, homogenise: as in :func:`encode_mixed`.
        patterns: patterns of signs that are still open; one empty pattern for signs left open.
        turn: seconds of processor time of the first turn.
        rows: positions of the samples that are encoded.
    """

    powers: bool
    symmetries: bool
    turn: float
    homogenise: bool = True
    patterns: list[Mapping[int, bool] | None] = field(default_factory=lambda: [None])
    rows: tuple[int, ...] = ()

    def go(self, problem: Problem, budget: Budget, make: Make) -> Verdict:
        """Go on; ``unsat`` once the last pattern is refuted. All open patterns get equal shares."""
        reason = ""
        patterns = list(self.patterns)
        for done, pattern in enumerate(patterns):
            verdict = _pattern(self, pattern, problem, _share(budget, len(patterns) - done), make)
            if verdict.status == "sat":
                return verdict
            if verdict.status == "unsat":
                self.patterns.remove(pattern)
            else:
                reason = verdict.reason
        return Verdict("unknown", reason=reason) if self.patterns else Verdict("unsat")


@dataclass
class Training:
    """Least squares in floats from random starts; every turn has others."""

    turn: float = TRAINED
    turns: int = 0

    def go(self, problem: Problem, budget: Budget, make: Make) -> Verdict:
        """``sat`` or ``unknown``: what is found has been evaluated exactly."""
        from ermbit.engines.training.engine import TrainingEngine

        engine = TrainingEngine()
        own = Budget(budget.deadline, budget.seed + self.turns, budget.memory)
        self.turns += 1
        if not engine.capability(problem, "decide").applicable:
            return Verdict("unknown", reason="nothing to train")
        outcome = engine.decide(problem, own, ignore)
        if outcome.status != "sat" or outcome.values is None:
            return Verdict("unknown", reason=outcome.reason)
        values = tuple(outcome.values)
        loss, _ = exact_loss(problem.instance, values)
        if loss > problem.threshold:
            raise InternalError(f"training claims {problem.threshold} for a loss that is larger")
        return Verdict("sat", Candidate(values, loss))


@dataclass
class Relaxation:
    """Lists of values as reals first: what has no solution there needs no choice."""

    turn: float = OTHER

    def go(self, problem: Problem, budget: Budget, make: Make) -> Verdict:
        return refine(problem, SCATTERED, budget, make)


def ways(problem: Problem, *, scripts: bool = True, training: bool = True) -> list[Way]:
    """The ways to a question whose domains can all be encoded exactly, in their order.

    Args:
        problem: the problem.
        scripts: the solver is z3: its plain script takes the place of the plain encoding.
        training: let training have turns.
    """
    every = tuple(range(len(problem.samples.rows)))
    wanted = problem.instance.network.parameter_count // len(problem.instance.network.outputs)
    first = every[: wanted + SPARE]
    signs: list[Mapping[int, bool] | None] = [*sign_patterns(problem, PATTERNS)]
    found: list[Way] = []
    if real_relaxation(problem, SCATTERED) is not problem:
        found.append(Relaxation())
    if scripts and PlainScript.fits(problem):
        found.append(PlainScript(PLAIN))
    else:
        found.append(Attempt(False, False, PLAIN, homogenise=False, rows=every))
    if training:
        found.append(Training())
    found += [
        Attempt(False, False, PLAIN, rows=every),
        Attempt(True, True, OTHER, patterns=signs or [None], rows=first),
        Attempt(False, True, OTHER, rows=every),
    ]
    return found


def decide_in_turns(
    problem: Problem,
    budget: Budget,
    make: Make,
    *,
    scripts: bool = True,
    training: bool = True,
) -> Verdict:
    """Decide L(θ) ≤ γ, with one way after the other.

    Args:
        problem: with a threshold; all its domains can be encoded exactly.
        budget: of all turns together.
        make: the solver of a program under a budget.
        scripts, training: as in :func:`ways`.
    """
    load = Load()
    chosen = ways(problem, scripts=scripts, training=training)
    for growth in _growths():
        for way in chosen:
            remaining = budget.remaining
            if remaining is not None and remaining <= 0:
                return Verdict("unknown", reason="stopped at the deadline")
            trial = partial(_try, way, problem, budget, make)
            seconds = way.turn * growth
            verdict = patiently(trial, seconds, budget.deadline, load, _is_open)
            if not _is_open(verdict):
                return verdict
    raise AssertionError("unreachable: turns never end")


def _try(way: Way, problem: Problem, budget: Budget, make: Make, end: float) -> Verdict:
    return way.go(problem, Budget(end, budget.seed, budget.memory), make)


def _is_open(verdict: Verdict) -> bool:
    return verdict.status == "unknown"


def _growths() -> Iterator[float]:
    growth = 1.0
    while True:
        yield growth
        growth *= GROWTH


def _share(budget: Budget, parts: int) -> Budget:
    """The first of equal parts of what is left of a budget."""
    remaining = budget.remaining
    if remaining is None or parts == 1:
        return budget
    return Budget(time.monotonic() + remaining / parts, budget.seed, budget.memory)


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
            homogenise=way.homogenise,
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
        try:
            values = encoding.decode(truths, reals)
        except AlgebraicLimitError as error:  # ends this turn only
            return Verdict("unknown", reason=str(error))
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
    except AlgebraicLimitError as error:
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
