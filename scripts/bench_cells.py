#!/usr/bin/env python3
"""Time of the engine `cells` on random networks with one layer of real hidden units.

    python scripts/bench_cells.py [--case NAME] [--timeout SECONDS]

Integer points in −8..8, integer labels −8..8 (or ±1) drawn from a fixed seed, one hidden layer of
`relu` with own real weights and biases, real outer weights and output bias. The time is that of the
engine alone, from the instance to its proved optimum.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
for _folder in ("instances", "encodings", "solver"):
    sys.path.insert(0, str(ROOT / _folder))

from ermbit.engines.engine import Budget, Event, Incumbent  # noqa: E402
from ermbit.engines.registry import engine  # noqa: E402
from ermbit_encodings.problem import Problem  # noqa: E402
from ermbit_instances.instance import parse_instance  # noqa: E402


@dataclass(frozen=True)
class Case:
    """Samples, inputs, hidden units, loss, reduction, seed."""

    samples: int
    inputs: int
    hidden: int
    loss: str = "absolute"
    reduction: str = "sum"
    seed: int = 0

    @property
    def name(self) -> str:
        kind = f"{self.loss}-{self.reduction}-s{self.seed}"
        return f"N{self.samples}-d{self.inputs}-h{self.hidden}-{kind}"


CASES = (
    *(Case(n, 2, 2, seed=s) for n in (10, 20, 40, 60, 80) for s in range(2)),
    *(Case(n, 1, h) for n in (20, 40, 80) for h in (1, 2, 3)),
    *(Case(n, 2, 1) for n in (20, 40, 80)),
    *(Case(n, 2, 3) for n in (10, 15, 20)),
    *(Case(n, 3, 2) for n in (10, 15, 20, 25)),
    *(Case(n, 2, 2, "squared") for n in (10, 20, 30, 40)),
    *(Case(n, 2, 2, "hinge") for n in (20, 40, 60)),
    *(Case(n, 2, 2, "absolute", "max") for n in (10, 20, 40)),
)


def document(case: Case) -> dict[str, Any]:
    """The instance of a case."""
    rng = random.Random(f"cells {case.seed}")
    x = [[rng.randint(-8, 8) for _ in range(case.inputs)] for _ in range(case.samples)]
    if case.loss == "hinge":
        y = [[rng.choice((-1, 1))] for _ in x]
    else:
        y = [[rng.randint(-8, 8)] for _ in x]
    layers = [
        {"units": case.hidden, "activation": "relu"},
        {"units": 1, "activation": "identity"},
    ]
    return {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": case.inputs, "layers": layers},
        "weights": {"domain": "real"},
        "data": {"x": x, "y": y},
        "loss": {"name": case.loss, "reduction": case.reduction},
        "threshold": 0,
    }


def run(case: Case, timeout: float) -> str:
    """One line: seconds, outcome, when the best incumbent came, statistics."""
    problem = Problem(parse_instance(document(case)))
    start, used = time.perf_counter(), time.process_time()
    incumbents: list[float] = []

    def report(event: Event) -> None:
        if isinstance(event, Incumbent):
            incumbents.append(time.perf_counter() - start)

    cells = engine("cells")
    outcome = cells.minimize(problem, Budget(time.monotonic() + timeout), report)
    seconds, used = time.perf_counter() - start, time.process_time() - used
    estimate = 10 ** cells.capability(problem, "minimize").cost
    best = f" best after {incumbents[-1]:.3f} s" if incumbents else ""
    lower = "" if outcome.lower_bound is None else f" {float(outcome.lower_bound):.5g}"
    words = f"{seconds:8.3f} s ({used:.3f} s of processor, estimate {estimate:.2g} s)"
    return f"{case.name:28} {words} {outcome.status}{lower}{best} {outcome.statistics}"


def main() -> None:
    """Run the cases whose name contains the given text."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--case", default="")
    parser.add_argument("--timeout", type=float, default=60.0)
    arguments = parser.parse_args()
    run(Case(3, 1, 1), 60.0)  # whatever is imported on first use
    for case in CASES:
        if arguments.case in case.name:
            print(run(case, arguments.timeout), flush=True)


if __name__ == "__main__":
    main()
