"""Networks that treat alike the inputs that the data treat alike: a much smaller search.

Two inputs are *alike* if swapping them maps the samples onto themselves, labels and weights
included; that is an equivalence, since a swap of i and k is made of swaps of i, j and of j, k.
Parities, majorities and every other symmetric function have alike inputs only. If all units of the
first layer give alike inputs equal weights, they see nothing but the sums over the classes of alike
inputs. So the networks of this kind are the networks on those sums: fewer inputs, fewer parameters,
and mostly far fewer distinct samples (n + 1 instead of 2ⁿ for a symmetric function of n bits). A
complete engine searches those. What it finds is a certificate; what it refutes are the networks of
this kind alone, for the best network need not be symmetric although the data are.

If besides the samples stay what they are when two alike inputs are both reflected and swapped (as
for parities: two bits that flip), equal weights up to sign are as good: some inputs of a class are
subtracted. Sums are then small on both sides of zero, and so are biases.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, TypeAlias

from ermbit.engines import registry
from ermbit.engines.engine import (
    Budget,
    Capability,
    Engine,
    Event,
    Incumbent,
    Outcome,
    Report,
    Task,
    ignore,
)
from ermbit.engines.patience import patiently
from ermbit.processes.load import Load
from ermbit_encodings.problem import Problem
from ermbit_instances.algebraic import AlgebraicNumber
from ermbit_instances.certificate import Value
from ermbit_instances.instance import parse_instance
from ermbit_instances.network import Entry
from ermbit_instances.rational import Rational, write_rational

CELLS_LIMIT = 200_000
"""Samples times inputs beyond which nothing is compared."""

COST = -0.3
"""log10 of the seconds that a search is expected to take: reading, and a small problem. Where few
inputs are alike (pixels that are always dark) the problem is hardly smaller, and costs more."""

FIRST_TURN = 0.5
"""Seconds of processor time of the first turn of each quotient."""

LONGER = 4
"""By how much a turn is longer than the one before it."""

SEARCH_COST = 2.0
"""Largest cost of an engine that searches the networks on sums."""

Classes = tuple[tuple[int, ...], ...]
"""Numbers of inputs, each class in ascending order."""

Signs = tuple[int, ...]
"""1 or −1 for every input: whether it is added or subtracted in its class."""


class InvariantEngine(Engine):
    """Networks on the sums of alike inputs."""

    name: ClassVar[str] = "invariant"
    summary: ClassVar[str] = "searches networks as symmetric as the data (never refutes)"

    def capability(self, problem: Problem, task: Task) -> Capability:
        obstacle = _obstacle(problem)
        if obstacle is not None:
            return Capability(False, False, obstacle)
        classes = alike_inputs(problem)
        if len(classes) == problem.instance.network.input_count:
            return Capability(False, False, "no two inputs are alike")
        reason = "finds networks as symmetric as the data, refutes nothing"
        distinct = len(classes) / problem.instance.network.input_count
        return Capability(True, False, reason, COST + max(0.0, 2 * distinct - 1))

    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        if (obstacle := _obstacle(problem)) is not None:
            return Outcome("unknown", reason=obstacle)
        search = Search(problem, budget, "decide")

        def run(quotient: Quotient, engine: Engine, share: Budget) -> tuple[Outcome, bool]:
            outcome = engine.decide(quotient.problem, share, ignore)
            return outcome, outcome.status != "unknown"

        for quotient, outcome in search.outcomes(run):
            if outcome.status == "sat" and outcome.values is not None:
                found = quotient.lifted(outcome.values)
                if found is not None:
                    return Outcome("sat", found, statistics=search.statistics)
        reason = "no network as symmetric as the data was found"
        return Outcome("unknown", reason=reason, statistics=search.statistics)

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        if (obstacle := _obstacle(problem)) is not None:
            return Outcome("unknown", reason=obstacle)
        search = Search(problem, budget, "minimize")
        best: Incumbent | None = None

        def run(quotient: Quotient, engine: Engine, share: Budget) -> tuple[Outcome, bool]:
            def pass_on(event: Event) -> None:
                nonlocal best
                # A bound on symmetric networks bounds nothing else.
                if isinstance(event, Incumbent) and event.loss is not None:
                    found = quotient.lifted(event.values)
                    better = best is None or best.loss is None or event.loss < best.loss
                    if found is not None and better:
                        best = Incumbent(found, event.loss)
                        report(best)

            outcome = engine.minimize(quotient.problem, share, pass_on)
            return outcome, outcome.status in ("optimal", "infimum")

        for _ in search.outcomes(run):
            if best is not None and best.loss == 0:
                break
        reason = "networks as symmetric as the data bound no others"
        if best is None:
            return Outcome("unknown", reason=reason, statistics=search.statistics)
        return Outcome("feasible", best.values, reason=reason, statistics=search.statistics)


Run: TypeAlias = "Callable[[Quotient, Engine, Budget], tuple[Outcome, bool]]"
"""One engine on one quotient: what it ended with, and whether that closes the quotient."""


Turn: TypeAlias = tuple[Outcome, bool, bool]
"""What a run ended with, whether that closes the quotient, and whether the run was cut off."""


class Search:
    """The quotients of a problem in turns, each turn longer than the last.

    Which of them has a good network is not known, and the first may be the hardest to refute.
    """

    def __init__(self, problem: Problem, budget: Budget, task: Task) -> None:
        self.budget = budget
        self.left = [(q, _engines(q.problem, task)) for q in quotients(problem)]
        self.statistics: dict[str, object] = {"quotients": len(self.left), "turns": 0}

    def outcomes(self, run: Run) -> Iterator[tuple[Quotient, Outcome]]:
        """What engines end with, until the time is up or every quotient is closed."""
        load = Load()
        seconds = FIRST_TURN
        turns = 0
        while self.left:
            remaining = []
            for quotient, engines in self.left:
                if self.budget.expired or not engines:
                    continue

                def trial(
                    end: float, quotient: Quotient = quotient, engine: Engine = engines[0]
                ) -> Turn:
                    share = replace(self.budget, deadline=end)
                    return *run(quotient, engine, share), time.monotonic() >= end

                deadline = self.budget.deadline
                outcome, closed, cut_off = patiently(trial, seconds, deadline, load, _is_open)
                turns += 1
                self.statistics |= {"turns": turns, "by": engines[0].name}
                self.statistics |= {"samples": len(quotient.problem.samples.rows)}
                yield quotient, outcome
                if not closed:
                    # An engine that gave up has had its turn; one that was cut off takes the next.
                    remaining.append((quotient, engines if cut_off else engines[1:]))
            self.left = remaining
            seconds *= LONGER


def _is_open(turn: Turn) -> bool:
    """Whether an engine was cut off before it was done."""
    _, closed, cut_off = turn
    return cut_off and not closed


@dataclass(frozen=True)
class Quotient:
    """The problem on sums of alike inputs.

    Attributes:
        original: the problem.
        problem: one input a class.
        sources: for every parameter of the original the parameter here whose value it has, and
            whether with the same sign.
    """

    original: Problem
    problem: Problem
    sources: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, problem: Problem, classes: Classes, signs: Signs) -> Quotient:
        """The quotient of a problem without obstacle."""
        instance = problem.instance
        document = instance.to_document()
        document["network"]["inputs"] = len(classes)
        document["data"]["x"] = [
            [write_rational(sum(signs[k] * row[k] for k in members)) for members in classes]
            for row in instance.data.x
        ]
        small = parse_instance(document)
        where = {k: number for number, members in enumerate(classes) for k in members}
        sources = [(-1, 1)] * instance.network.parameter_count
        for original, layer in zip(instance.network.layers, small.network.layers, strict=True):
            pairs: list[tuple[Entry | None, Entry | None, int]] = []
            for unit in range(original.units):
                pairs.append((original.bias(unit), layer.bias(unit), 1))
                for k, source in enumerate(original.sources):
                    reads_inputs = original.index == 1
                    position = where[source] if reads_inputs else k
                    sign = signs[source] if reads_inputs else 1
                    pairs.append((original.weight(unit, k), layer.weight(unit, position), sign))
            for old, new, sign in pairs:
                if old is not None and old.parameter is not None:
                    assert new is not None and new.parameter is not None
                    sources[old.parameter] = new.parameter, sign
        assert all(number >= 0 for number, _ in sources)
        return cls(problem, Problem(small), tuple(sources))

    def lifted(self, values: tuple[Value, ...]) -> tuple[Value, ...] | None:
        """θ of the original problem from θ of this one; ``None`` if −θ_k leaves a domain."""
        found: list[Value] = []
        for parameter, (source, sign) in zip(
            self.original.instance.network.parameters, self.sources, strict=True
        ):
            value = values[source]
            if sign < 0:
                if isinstance(value, AlgebraicNumber) or -value not in parameter.domain:
                    return None
                value = -value
            found.append(value)
        return tuple(found)


def quotients(problem: Problem) -> Iterator[Quotient]:
    """The problems on sums: all inputs added, then more and more of each class subtracted."""
    classes = alike_inputs(problem)
    width = problem.instance.network.input_count
    reflected = [members for members in classes if _is_reflected(problem, members)]
    for count in range(1 + max((len(members) // 2 for members in reflected), default=0)):
        signs = [1] * width
        for members in reflected:
            for k in members[: min(count, len(members) // 2)]:
                signs[k] = -1
        yield Quotient.of(problem, classes, tuple(signs))


def _is_reflected(problem: Problem, members: tuple[int, ...]) -> bool:
    """Whether the samples stay what they are if two inputs of a class trade places reflected."""
    if len(members) < 2:
        return False
    i, k = members[:2]
    rows = problem.samples.rows
    values = {row.x[i] for row in rows}
    ends = min(values) + max(values)
    weights = {(row.x, row.y): row.weight for row in rows}
    return all(
        weights.get(((*x[:i], ends - x[k], *x[i + 1 : k], ends - x[i], *x[k + 1 :]), y)) == weight
        for (x, y), weight in weights.items()
    )


def alike_inputs(problem: Problem) -> Classes:
    """The inputs in classes that the samples do not tell apart, each class in ascending order."""
    weights = {(row.x, row.y): row.weight for row in problem.samples.rows}
    classes: list[list[int]] = []
    for k in range(problem.instance.network.input_count):
        for members in classes:
            i = members[0]
            if all(
                x[i] == x[k] or weights.get((_swapped(x, i, k), y)) == weight
                for (x, y), weight in weights.items()
            ):
                members.append(k)
                break
        else:
            classes.append([k])
    return tuple(tuple(members) for members in classes)


def _swapped(row: tuple[Rational, ...], i: int, k: int) -> tuple[Rational, ...]:
    """A row with places i < k exchanged."""
    return (*row[:i], row[k], *row[i + 1 : k], row[i], *row[k + 1 :])


def _obstacle(problem: Problem) -> str | None:
    """Why there are no networks on sums, or ``None``."""
    network = problem.instance.network
    first = network.layers[0]
    inputs = range(network.input_count)
    if network.spelling != "layers" or first.sources != tuple(inputs) or not first.is_dense:
        return "the first layer does not read all inputs with weights of its own"
    if first.activation.kind == "max":
        return "a maximum of weighted inputs does not see their sum"
    if any(source in inputs for layer in network.layers[1:] for source in layer.sources):
        return "a later layer reads inputs"
    own = range(first.first_parameter, first.first_parameter + first.free_weights)
    if any(number in own for number in network.own_domains):
        return "weights of the first layer have domains of their own"
    if any(
        (entry := layer.weight(unit, k)) is not None and entry.parameter in own
        for layer in network.layers[1:]
        if not layer.is_dense
        for unit in range(layer.units)
        for k in range(len(layer.sources))
    ):
        return "weights of the first layer occur elsewhere"
    if len(problem.samples.rows) * network.input_count > CELLS_LIMIT:
        return "too many samples and inputs to compare"
    if not problem.samples.rows:
        return "no sample counts"
    return None


def _engines(problem: Problem, task: Task) -> list[Engine]:
    """Complete engines for the networks on sums, the cheapest first."""
    found: list[tuple[float, int, Engine]] = []
    for name in registry.NAMES:
        if name == InvariantEngine.name:
            continue
        engine = registry.engine(name)
        capability = engine.capability(problem, task)
        if capability.applicable and capability.complete and capability.cost <= SEARCH_COST:
            found.append((capability.cost, len(found), engine))
    return [engine for _, _, engine in sorted(found, key=lambda entry: entry[:2])]
