#!/usr/bin/env python3
"""Time of the engines `tables` and `deep_tables` on random networks.

    python scripts/bench_tables.py [--case NAME] [--timeout SECONDS]

Integer points in −8..8, integer labels −8..8 (or ±1) drawn from a fixed seed, hidden layers of
`relu`, own weights and biases in −W..W, sum of absolute errors (or number of errors). The time is
that of the engine alone, from the instance to its proved optimum.
"""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass
from itertools import product
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
for _folder in ("instances", "encodings", "solver"):
    sys.path.insert(0, str(ROOT / _folder))

from benchmark.case import document, integers  # noqa: E402
from benchmark.one_engine import measured, run_cases  # noqa: E402


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


def line(case: Case, timeout: float) -> str:
    """What is printed of a case."""
    rng = random.Random(f"tables {case.seed}")
    if case.samples:
        x = [[rng.randint(-8, 8) for _ in range(case.inputs)] for _ in range(case.samples)]
        if case.loss in ("hinge", "zero_one"):
            y = [rng.choice((-1, 1)) for _ in x]
        else:
            y = [rng.randint(-8, 8) for _ in x]
    else:
        x = [list(row) for row in product((0, 1), repeat=case.inputs)]
        y = [1 if sum(row) % 2 else -1 for row in x]
    weights = integers(case.weight) | {"biases": integers(case.bias or case.weight)}
    question = document(x, y, case.layers, weights, loss=case.loss)
    solver = "tables" if len(case.layers) == 1 else "deep_tables"
    task = "solve" if case.decide else "minimize"
    return measured(case.name, solver, task, question, timeout)


if __name__ == "__main__":
    run_cases(__doc__.split("\n")[0], CASES, Case(1, 1, 1, 2), line)
