"""Small engines for tests of what surrounds engines: honest, wrong, slow and broken ones.

They live in a module of their own because the race runs them in other processes.
"""

from __future__ import annotations

import itertools
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from gmpy2 import mpq

from ermbit.engines import registry
from ermbit.engines.engine import (
    Budget,
    Capability,
    Engine,
    Incumbent,
    LowerBound,
    Outcome,
    Report,
    Task,
)
from ermbit_encodings.problem import Problem
from ermbit_instances.algebraic import algebraic
from ermbit_instances.certificate import Value

NAP = 300  # seconds, far beyond any test

Document = dict[str, Any]


def toy(target: int = 1, threshold: int | str | None = 0, **changes: Any) -> Document:
    """One weight w in -2..2 and L(w) = |w - target|."""
    document: Document = {
        "format": "ermbit-instance",
        "version": 1,
        "name": "toy",
        "network": {"inputs": 1, "layers": [{"units": 1, "activation": "identity", "bias": False}]},
        "weights": {"domain": "integer", "low": -2, "high": 2},
        "data": {"x": [[1]], "y": [[target]]},
        "loss": {"name": "absolute"},
        "threshold": threshold,
        **changes,
    }
    if threshold is None:
        del document["threshold"]
    return document


def write_toy(folder: Path, *args: Any, **changes: Any) -> Path:
    """The toy as a file."""
    path = folder / "toy.erm.json"
    path.write_text(json.dumps(toy(*args, **changes)), encoding="utf-8")
    return path


def install(*engines: type[Engine], patch: pytest.MonkeyPatch | None = None) -> None:
    """Let these engines be all there are."""
    table = {engine.name: f"{engine.__module__}:{engine.__name__}" for engine in engines}
    if patch is None:
        registry._ENGINES = table
        registry.NAMES = tuple(table)
    else:
        patch.setattr(registry, "_ENGINES", table)
        patch.setattr(registry, "NAMES", tuple(table))


def wait_for_end(budget: Budget) -> None:
    """What an engine without an answer does."""
    end = time.monotonic() + NAP
    while time.monotonic() < end and not budget.expired:
        time.sleep(0.02)


class Fake(Engine):
    """Complete, cheap, and without an answer; the others override what they need."""

    name = "fake"
    summary = "for tests"
    complete = True
    cost = 1.0

    def capability(self, problem: Problem, task: Task) -> Capability:
        return Capability(True, self.complete, "it is a fake", self.cost)

    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        return Outcome("unknown", reason="no idea")

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        return Outcome("unknown", reason="no idea")


class Honest(Fake):
    """Tries every assignment of the integer form."""

    name = "honest"

    def _all(self, problem: Problem) -> list[tuple[Value, ...]]:
        domains = [list(p.domain.values()) for p in problem.instance.network.parameters]
        return list(itertools.product(*domains))

    def _loss(self, problem: Problem, values: tuple[Value, ...]) -> Any:
        form = problem.integer
        assert form is not None
        grid = zip(values, form.grids, strict=True)
        return form.loss(form.total([int(v * q) for v, q in grid]))

    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        for values in self._all(problem):
            if self._loss(problem, values) <= problem.threshold:
                return Outcome("sat", values, statistics={"pid": os.getpid()})
        return Outcome("unsat", reason="tried all")

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        best = None
        for values in self._all(problem):
            loss = self._loss(problem, values)
            if best is None or loss < best[0]:
                best = (loss, values)
                report(Incumbent(values, loss))
        assert best is not None
        report(LowerBound(best[0]))
        return Outcome("optimal", best[1], best[0])


class InlineHonest(Honest):
    """Under the name of the engine that may run without a process of its own."""

    name = "exhaustive"
    cost = -3.0


class Refuted(Fake):
    """A certificate inside the domains whose loss is too large, and a loss that is a lie."""

    name = "refuted"

    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        return Outcome("sat", (mpq(-2),))

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        report(Incumbent((mpq(-2),), mpq(1, 2)))
        return Outcome("unknown")


class Outside(Fake):
    """A certificate outside its domain."""

    name = "outside"

    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        return Outcome("sat", (mpq(5),))

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        return Outcome("feasible", (mpq(5),))


class Misshapen(Fake):
    """More parameters than there are, and an optimum without any."""

    name = "misshapen"

    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        return Outcome("sat", ())

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        return Outcome("optimal")


class Confused(Fake):
    """Answers of the other task."""

    name = "confused"

    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        return Outcome("optimal", (mpq(1),))

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        return Outcome("sat", (mpq(1),))


class Overbidder(Fake):
    """Claims to have proved what is not so."""

    name = "overbidder"

    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        return Outcome("unsat")

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        report(LowerBound(mpq(4)))
        wait_for_end(budget)
        return Outcome("unknown")


class FalseOptimum(Fake):
    """A legal θ that is called optimal with a least loss that is not its own."""

    name = "false-optimum"

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        return Outcome("optimal", (mpq(0),), mpq(3))


class Climber(Fake):
    """Good incumbents, no bounds, no end."""

    name = "climber"
    complete = False

    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        wait_for_end(budget)
        return Outcome("unknown")

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        for k in (-2, 0, -1, 2):
            report(Incumbent((mpq(k),)))
        wait_for_end(budget)
        return Outcome("unknown")


class Prover(Fake):
    """The lower bound 3 (right for target 5), no incumbents, no end."""

    name = "prover"

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        for bound in (1, 2, 0, 3):
            report(LowerBound(mpq(bound)))
        wait_for_end(budget)
        return Outcome("unknown")


class Halfway(Fake):
    """An incumbent of loss 4 and the bound 2 (both right for target 5), then sleep, for good.

    It does not look at its deadline, nor at the request to end.
    """

    name = "halfway"

    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        time.sleep(NAP)
        return Outcome("unknown")

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        report(Incumbent((mpq(1),), mpq(4)))
        report(LowerBound(mpq(2)))
        time.sleep(NAP)
        return Outcome("unknown")


class Contented(Fake):
    """The same, and stops there by itself."""

    name = "contented"

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        return Outcome("feasible", (mpq(1),), mpq(2), reason="enough is enough")


class Stubborn(Halfway):
    """The same as a second racer, which ignores SIGTERM and has a child of its own."""

    name = "stubborn"

    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        self._settle_in()
        return super().decide(problem, budget, report)

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        self._settle_in()
        return super().minimize(problem, budget, report)

    def _settle_in(self) -> None:
        import signal
        import subprocess
        import sys

        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        subprocess.Popen([sys.executable, "-c", f"import time; time.sleep({NAP})"])


class Vandal(Fake):
    """Changes the threshold in the instance file, then gives a right answer to the old one."""

    name = "vandal"

    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        file = problem.instance.file
        assert file is not None
        document = json.loads(file.read_text(encoding="utf-8"))
        document["threshold"] = 7
        file.write_text(json.dumps(document), encoding="utf-8")
        return Outcome("sat", (mpq(1),))


class Buggy(Fake):
    """Raises what it should not."""

    name = "buggy"

    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        raise KeyError("a bug")

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        raise KeyError("a bug")


class Appalled(Fake):
    """Notices that a model of its own is wrong."""

    name = "appalled"

    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        raise AssertionError("the model has total 3, asked for at most 2")


class Hungry(Fake):
    """Runs out of memory."""

    name = "hungry"

    def decide(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        raise MemoryError


class Unfit(Fake):
    """Not applicable."""

    name = "unfit"

    def capability(self, problem: Problem, task: Task) -> Capability:
        return Capability(False, False, "the moon is not full")


class Approacher(Fake):
    """The infimum 3 (to be believed), and an incumbent above it."""

    name = "approacher"

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        return Outcome("infimum", (mpq(1),), mpq(3))


class Irrational(Fake):
    """The square root of 2, for `real` domains."""

    name = "irrational"

    def minimize(self, problem: Problem, budget: Budget, report: Report) -> Outcome:
        return Outcome("optimal", (algebraic((-2, 0, 1), mpq(1), mpq(2)),), mpq(1, 3))
