#!/usr/bin/env python3
"""Time of the engines `tables` and `deep_tables` on random networks.

    python scripts/bench_tables.py [--case NAME] [--timeout SECONDS]

Integer points in −8..8, integer labels −8..8 (or ±1) drawn from a fixed seed, hidden layers of
`relu`, own weights and biases in −W..W, sum of absolute errors (or number of errors). The time is
that of the engine alone, from the instance to its proved optimum.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from dataclasses import dataclass
from itertools import product
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
    """Inputs, hidden units, largest weight, samples (0: parity of all inputs), loss, seed.

    ``bias`` is the largest bias, where it is not that of the weights.
    """

    inputs: int
    hidden: int | tuple[int, ...]
    weight: int
    samples: int
    loss: str = "absolute"
    seed: int = 0
    decide: bool = False
    bias: int = 0

    @property
    def layers(self) -> tuple[int, ...]:
        """Units of the hidden layers."""
        return (self.hidden,) if isinstance(self.hidden, int) else self.hidden

    @property
    def name(self) -> str:
        data = f"N{self.samples}" if self.samples else "parity"
        task = "decide" if self.decide else "minimize"
        words = (data, self.loss, task, f"s{self.seed}")
        size = f"d{self.inputs}-h{'.'.join(map(str, self.layers))}-W{self.weight}"
        return f"{size}{f'-B{self.bias}' if self.bias else ''}-" + "-".join(words)


CASES = (
    *(Case(2, 2, 3, 10, seed=s) for s in range(3)),
    *(Case(2, 2, 3, 20, seed=s) for s in range(3)),
    *(Case(2, 2, 7, 20, seed=s) for s in range(3)),
    *(Case(2, 3, 3, 20, seed=s) for s in range(2)),
    *(Case(3, 2, 3, 30, "zero_one", seed=s) for s in range(2)),
    Case(4, 3, 3, 0, "zero_one", decide=True, bias=9),
    Case(4, 3, 3, 0, "zero_one", decide=True),
    Case(4, 2, 3, 0, "zero_one", decide=True),
    *(Case(2, (2, 2), 3, 8, seed=s) for s in range(3)),
    *(Case(2, (2, 2), 1, 12, loss) for loss in ("absolute", "squared", "hinge", "zero_one")),
    Case(2, (3, 2), 1, 12),
    Case(2, (2, 3), 1, 12),
    Case(2, (2, 2, 2), 1, 12),
)


def bounded(size: int) -> dict[str, Any]:
    """The domain of integers in −size..size."""
    return {"domain": "integer", "low": -size, "high": size}


def document(case: Case) -> dict[str, Any]:
    """The instance of a case."""
    rng = random.Random(f"tables {case.seed}")
    if case.samples:
        x = [[rng.randint(-8, 8) for _ in range(case.inputs)] for _ in range(case.samples)]
        if case.loss in ("hinge", "zero_one"):
            y = [[rng.choice((-1, 1))] for _ in x]
        else:
            y = [[rng.randint(-8, 8)] for _ in x]
    else:
        x = [list(row) for row in product((0, 1), repeat=case.inputs)]
        y = [[1 if sum(row) % 2 else -1] for row in x]
    layers = [
        *({"units": units, "activation": "relu"} for units in case.layers),
        {"units": 1, "activation": "identity"},
    ]
    return {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": case.inputs, "layers": layers},
        "weights": bounded(case.weight) | {"biases": bounded(case.bias or case.weight)},
        "data": {"x": x, "y": y},
        "loss": {"name": case.loss, "reduction": "sum"},
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

    tables = engine("tables" if len(case.layers) == 1 else "deep_tables")
    task = tables.decide if case.decide else tables.minimize
    outcome = task(problem, Budget(time.monotonic() + timeout), report)
    seconds, used = time.perf_counter() - start, time.process_time() - used
    estimate = 10 ** tables.capability(problem, "decide" if case.decide else "minimize").cost
    best = f" best after {incumbents[-1]:.3f} s" if incumbents else ""
    lower = "" if outcome.lower_bound is None else f" {outcome.lower_bound}"
    time_words = f"{seconds:8.3f} s ({used:.3f} s of processor, estimate {estimate:.2g} s)"
    return f"{case.name:36} {time_words} {outcome.status}{lower}{best} {outcome.statistics}"


def main() -> None:
    """Run the cases whose name contains the given text."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--case", default="")
    parser.add_argument("--timeout", type=float, default=60.0)
    arguments = parser.parse_args()
    run(Case(1, 1, 1, 2), 60.0)  # whatever is imported on first use
    for case in CASES:
        if arguments.case in case.name:
            print(run(case, arguments.timeout), flush=True)


if __name__ == "__main__":
    main()
