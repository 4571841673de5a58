"""All choices of pieces, sample by sample, each with its system of equations and signs."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from gmpy2 import mpq

from ermbit.engines.elimination.arithmetic import RealArithmetic
from ermbit.engines.elimination.closing import Closing
from ermbit.engines.elimination.forward import Sample, needed, solutions
from ermbit.engines.elimination.ledger import Ledger
from ermbit.engines.elimination.ring import Ring, TooLargeError
from ermbit.engines.elimination.system import Solver, System
from ermbit.engines.elimination.targets import Target, constancy, frozen_values, push_down
from ermbit.engines.engine import Budget, Outcome
from ermbit.verifier.verify import exact_loss
from ermbit_encodings.problem import Problem
from ermbit_instances.algebraic import AlgebraicLimitError
from ermbit_instances.certificate import Value
from ermbit_instances.errors import ErmbitError, InternalError
from ermbit_instances.network import Network


def choices(problem: Problem) -> int:
    """Neurons times samples at which a piece has to be chosen."""
    network = problem.instance.network
    known = constancy(network, frozenset())
    bent = sum(
        not known.frozen[n.node] and (n.activation.kind == "max" or bool(n.activation.breakpoints))
        for n in network.neurons
    )
    return bent * len({sample.x for sample in problem.samples.rows})


def degree(network: Network) -> int:
    """A bound on the degree of the outputs in one parameter."""
    degrees = [0] * network.input_count
    for neuron in network.neurons:
        inner = max(
            (
                degrees[s] + (not e.is_frozen)
                for s, e in zip(neuron.sources, neuron.weights, strict=True)
            ),
            default=0,
        )
        if neuron.bias is not None and not neuron.bias.is_frozen:
            inner = max(inner, 1)
        degrees.append(inner * neuron.activation.degree)
    return max(degrees[node] for node in network.outputs)


class OutOfTimeError(ErmbitError, TimeoutError):
    """The deadline has passed."""


@dataclass
class Search:
    """One run for an exact fit."""

    problem: Problem
    budget: Budget

    def run(self) -> Outcome:
        """``sat`` with values, ``unsat`` with the reason in words, or ``unknown``."""
        network = self.problem.instance.network
        self.ledger = Ledger()
        domains = tuple(p.domain for p in network.parameters)
        ring = Ring(tuple(p.name for p in network.parameters))
        self.solver = Solver(ring, domains, self.ledger, self._tick)
        self.arithmetic = RealArithmetic(domains)
        self.closing = Closing(self.solver, self.arithmetic, self.budget)
        self.nodes = 0
        samples = self._samples()
        if samples is None:
            return self._refuted()
        self.samples = samples
        try:
            values = self._descend(System(), 0)
        except OutOfTimeError as error:
            return Outcome("unknown", reason=str(error), statistics=self._statistics())
        except RecursionError:
            reason = "too many steps on one branch"
            return Outcome("unknown", reason=reason, statistics=self._statistics())
        if values is not None:
            self._check(values)
            return Outcome("sat", values, statistics=self._statistics())
        if self.closing.open:
            reason = "; ".join(self.closing.open[:3])
            return Outcome("unknown", reason=reason, statistics=self._statistics())
        return self._refuted()

    def _tick(self) -> None:
        if self.budget.expired:
            raise OutOfTimeError("stopped at the deadline")

    def _refuted(self) -> Outcome:
        """The end of all branches; each of them has left its reason in the ledger."""
        if not self.ledger.counts:
            raise InternalError("elimination came to no branch and refuted none")
        return Outcome("unsat", reason=self.ledger.describe(), statistics=self._statistics())

    def _statistics(self) -> dict[str, int]:
        return {"nodes": self.nodes, **self.ledger.counts}

    def _samples(self) -> list[Sample] | None:
        """Samples with their targets, least work first; ``None`` if a target is out of reach."""
        network = self.problem.instance.network
        known = constancy(network, self.solver.real)
        labels: dict[tuple[mpq, ...], tuple[mpq, ...]] = {}
        found = []
        for row in self.problem.samples.rows:
            if labels.setdefault(row.x, row.y) != row.y:
                self.ledger.note("equations", "two samples with equal inputs have other targets")
                return None
            values = frozen_values(network, known, row.x)
            targets: list[Target] = []
            for node, wanted in zip(network.outputs, row.y, strict=True):
                if known.frozen[node]:
                    if values[node] != wanted:
                        self.ledger.note("equations", "an output without parameters is wrong")
                        return None
                    continue
                target = push_down(network, known, values, node, wanted, self.ledger)
                if target is None:
                    return None
                targets.append(target)
            if targets:
                found.append(Sample(row.x, tuple(targets), needed(network, targets)))
        # Few pieces and few inputs first: their equations make the others smaller.
        return sorted(found, key=self._work)

    def _work(self, sample: Sample) -> tuple[int, int]:
        pieces = prod(1 + len(n.activation.breakpoints) for n in sample.order)
        return pieces, sum(v != 0 for v in sample.x)

    def _descend(self, system: System, position: int) -> tuple[Value, ...] | None:
        self._tick()
        self.nodes += 1
        if position == len(self.samples):
            return self.closing.close(system)
        try:
            for further in solutions(self.solver, system, self.samples[position], self._feasible):
                values = self._descend(further, position + 1)
                if values is not None:
                    return values
        except (TooLargeError, AlgebraicLimitError) as error:
            self.closing.leave_open(str(error))
        return None

    def _feasible(self, system: System) -> bool:
        self._tick()
        self.nodes += 1
        if self.arithmetic.linear_contradiction(system):
            self.ledger.note("linear", "linear arithmetic contradicts the signs")
            return False
        return True

    def _check(self, values: tuple[Value, ...]) -> None:
        """Rational certificates are evaluated here; algebraic ones by whoever receives them."""
        if all(isinstance(v, mpq) for v in values):
            if exact_loss(self.problem.instance, values)[0] != 0:
                raise InternalError("elimination found values with a loss that is not 0")
