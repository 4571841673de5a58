"""One run: trained descents and annealing side by side, whatever they find checked exactly."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ermbit.engines.engine import Budget, Incumbent, Report
from ermbit.engines.training.anneal import Annealing
from ermbit.engines.training.blocks import float_network, integer_network
from ermbit.engines.training.dives import Dives
from ermbit.engines.training.exact import checked_loss, output_parameters, solved_outputs
from ermbit.engines.training.network import Array
from ermbit.engines.training.objective import Objective
from ermbit.engines.training.values import LARGEST, LISTED_LIMIT, Values
from ermbit_encodings.finite_form import finite_problem
from ermbit_encodings.integer_form import IntegerForm, integer_domain
from ermbit_encodings.problem import Problem
from ermbit_instances.rational import Rational

PATIENCE = 120.0
"""Seconds of processor time after which a run without a deadline gives up."""

ELEMENTS = 2_000_000
"""Numbers in the derivatives of all copies together, roughly."""

SMALL = 40_000
"""Numbers in the derivatives of all copies together that still fit the fastest memory."""

EQUATIONS = 1500
"""Largest system that is solved in every step."""

COPIES, STATES = (16, 96), 16
"""Descents and assignments side by side, where they are small enough."""

GLANCE = 8
"""Steps of all descents between two looks at the best one on its way."""

CLASSES_SHARE = 6.0
"""Share of annealing for classes, against 1 for least squares."""

PRECISIONS = (4, 10, 20, 40)
"""Bits after the point to which real parameters are rounded, one attempt each."""


class Ended(Exception):
    """The run has its answer, or no time left."""


@dataclass
class Best:
    """The best θ so far.

    Attributes:
        threshold: what is good enough.
        report: told of every better one.
        deadline: of the run.
    """

    problem: Problem
    threshold: Rational
    report: Report
    deadline: float | None = None
    values: tuple[Rational, ...] | None = None
    loss: Rational | None = None
    seen: set[tuple[Rational, ...]] = field(default_factory=set)
    checked: int = 0

    def offer(self, values: tuple[Rational, ...]) -> None:
        """Look at θ exactly.

        Raises:
            Ended: it is good enough.
        """
        if values in self.seen:
            return
        if len(self.seen) < 10_000:
            self.seen.add(values)
        self.checked += 1
        loss = checked_loss(self.problem, values, self.deadline)
        if loss is None or (self.loss is not None and loss >= self.loss):
            return
        self.values, self.loss = values, loss
        self.report(Incumbent(values, loss))
        if loss <= self.threshold:
            raise Ended


class Run:
    """A search for θ with L(θ) ≤ threshold.

    Args:
        problem: the problem.
        threshold: γ; 0 for minimising.
        agnostic: losses above 0 are worth having too.
        budget, report: of the engine.
    """

    def __init__(
        self, problem: Problem, threshold: Rational, budget: Budget, report: Report, agnostic: bool
    ) -> None:
        self.problem, self.budget, self.agnostic = problem, budget, agnostic
        self.best = Best(problem, threshold, report, budget.deadline)
        network = problem.instance.network
        self.network = network
        self.values = Values([p.domain for p in network.parameters])
        self.rng = np.random.default_rng(budget.seed)
        self.last = output_parameters(network) if self.values.simple.any() else ()
        self.seeds: deque[Array] = deque(maxlen=256)
        self.statistics: dict[str, Any] = {}
        self.start = time.process_time()

    @property
    def expired(self) -> bool:
        """No time is left."""
        if self.budget.deadline is not None:
            return self.budget.expired
        return time.process_time() - self.start > PATIENCE

    def go(self) -> None:
        """Search until there is an answer or no time; see :attr:`best`."""
        with np.errstate(all="ignore"), suppress(Ended):
            if self.agnostic:
                # Something to begin with, however early the end.
                plain = self.values.exact(self.values.nearest(np.zeros(self.values.count)))
                if plain is not None:
                    self.best.offer(plain)
            self._take_turns(self._workers())

    def _take_turns(self, workers: Sequence[tuple[float, Iterator[None]]]) -> None:
        """The worker that has had the least time for its share goes on."""
        used = [0.0] * len(workers)
        while workers and not self.expired:
            at = used.index(min(used))
            share, worker = workers[at]
            start = time.process_time()
            next(worker)
            # The clock may be too coarse for a single step.
            used[at] += max(time.process_time() - start, 1e-5) / share

    def _workers(self) -> list[tuple[float, Iterator[None]]]:
        """Whatever can be done for the problem, with shares of the time."""
        workers = []
        form = annealable(self.problem)
        # Classes leave room around a solution, which annealing finds far sooner.
        classes = self.problem.instance.loss.is_classification
        if form is not None and classes:
            workers.append((CLASSES_SHARE, self._annealing(form)))
        if trainable(self.problem) is None:
            workers.append((1.0, self._training(exact=True)))
            if self.agnostic:
                workers.append((1.0, self._training(exact=False)))
        if form is not None and not classes:
            workers.append((1.0, self._annealing(form)))
        return workers

    def _training(self, *, exact: bool) -> Iterator[None]:
        rows = self.problem.samples.rows
        x = np.array([[float(v) for v in row.x] for row in rows])
        floats = float_network(self.network, x)
        objective = Objective(self.problem, floats, exact=exact)
        size = len(rows) * max(1, floats.outputs.size) * max(1, floats.count)
        few, many = COPIES
        copies = min(max(few, min(many, SMALL // size)), max(1, ELEMENTS // size))
        dives = Dives(
            self.network,
            floats,
            objective,
            self.values,
            self.rng,
            copies,
            self._offer,
            self._offer_end,
            self.last,
        )
        self.statistics["exact" if exact else "agnostic"] = dives.statistics
        least = np.inf
        while True:
            dives.step()
            yield
            # A long descent is worth looking at before it ends.
            slot = int(dives.pool.loss.argmin())
            loss = float(dives.pool.loss[slot])
            if self.agnostic and dives.pool.steps % GLANCE == 0 and loss < 0.9 * least:
                least = loss
                self._offer_end(dives.pool.theta[slot].copy(), loss, PRECISIONS[-1:])

    def _offer(self, theta: Array) -> None:
        """A trained network with its weights on the grid, or close to it."""
        values = self.values.exact(theta)
        if values is None:
            return
        if self.last and not self.problem.instance.loss.is_classification:
            solved = solved_outputs(self.problem, values, self.last)
            if solved is not None:
                self.best.offer(solved)
        self.best.offer(values)

    def _offer_end(self, theta: Array, loss: float, precisions: Sequence[int] = PRECISIONS) -> None:
        """Where a descent has ended: rounded, and kept for the annealing."""
        if not self.agnostic and loss > 0:
            return
        if self.values.simple.any():
            for precision in precisions:
                values = self.values.exact(theta, precision)
                if values is not None:
                    self.best.offer(values)
            return
        rounded = self.values.nearest(theta, 0.0)
        self.seeds.append(rounded)
        if self.agnostic:
            values = self.values.exact(rounded)
            if values is not None:
                self.best.offer(values)

    def _annealing(self, form: IntegerForm) -> Iterator[None]:
        network = integer_network(form)
        lists: dict[int, Array] = {}
        for parameter in form.instance.network.parameters:
            key = id(parameter.domain)
            if key not in lists:
                values = integer_domain(form, parameter.index)
                lists[key] = np.array([float(v) for v in values])
        domains = [lists[id(parameter.domain)] for parameter in form.instance.network.parameters]
        grids = np.array([float(q) for q in form.grids])

        def limit() -> float:
            if not self.agnostic or self.best.loss is None:
                return float(form.budget(self.best.threshold))
            return float(form.budget(self.best.loss)) - 1

        def found(theta: Array, total: float) -> None:
            self.best.offer(form.values([int(v) for v in theta]))

        def seeds(count: int) -> Array:
            taken = [self.seeds.pop() for _ in range(min(count, len(self.seeds)))]
            if not taken:
                return np.empty((0, network.count))
            scaled: Array = np.rint(np.array(taken) * grids)
            return scaled

        states = max(2, min(STATES, ELEMENTS // max(1, form_size(form))))
        annealing = Annealing(form, network, domains, self.rng, states, limit, found)
        steps = annealing.forever(seeds)
        while True:
            next(steps)
            self.statistics["annealing"] = annealing.steps
            yield


def form_size(form: IntegerForm) -> int:
    """Signals of one assignment on all samples."""
    return len(form.inputs) * (len(form.input_scales) + len(form.neurons))


def trainable(problem: Problem) -> str | None:
    """Why gradients are out of reach, or ``None``."""
    network, rows = problem.instance.network, problem.samples.rows
    residuals = len(rows) * len(network.outputs)
    if min(residuals, network.parameter_count) > EQUATIONS:
        return "too many parameters and samples for least squares"
    if residuals * max(network.parameter_count, network.node_count) > 10 * ELEMENTS:
        return "too many derivatives"
    if any(abs(v) > LARGEST for row in rows for v in (*row.x, *row.y)):
        return "numbers of the data are too large for floats"
    return None


def annealable(problem: Problem) -> IntegerForm | None:
    """The integer form, if its numbers are short enough for floats and its domains for lists."""
    sizes = [p.domain.size for p in problem.instance.network.parameters]
    if any(size is None or size > LISTED_LIMIT for size in sizes):
        return None
    finite = finite_problem(problem)
    form = None if finite is None else finite.integer
    if form is None:
        return None
    scales = [n.output_scale for n in form.neurons] + [form.scale, form.margin, form.loss_unit]
    numbers = (abs(v) for row in (*form.inputs, *form.targets) for v in row)
    if max(*scales, *numbers).bit_length() > 300:
        return None
    return form
