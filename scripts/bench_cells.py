#!/usr/bin/env python3
"""Time of the engine `cells` on random networks with one layer of real hidden units.

    python scripts/bench_cells.py [--case NAME] [--timeout SECONDS]

Integer points in −8..8, integer labels −8..8 (or ±1) drawn from a fixed seed, one hidden layer of
`relu` with own real weights and biases, real outer weights and output bias. The time is that of the
engine alone, from the instance to its proved optimum.
"""

from __future__ import annotations

import random
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
for _folder in ("instances", "encodings", "solver"):
    sys.path.insert(0, str(ROOT / _folder))

from benchmark.case import REAL, document  # noqa: E402
from benchmark.one_engine import measured, run_cases  # noqa: E402


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


def line(case: Case, timeout: float) -> str:
    """What is printed of a case."""
    rng = random.Random(f"cells {case.seed}")
    x = [[rng.randint(-8, 8) for _ in range(case.inputs)] for _ in range(case.samples)]
    if case.loss == "hinge":
        y = [rng.choice((-1, 1)) for _ in x]
    else:
        y = [rng.randint(-8, 8) for _ in x]
    question = document(x, y, (case.hidden,), REAL, loss=case.loss, reduction=case.reduction)
    return measured(case.name, "cells", "minimize", question, timeout)


if __name__ == "__main__":
    run_cases(__doc__.split("\n")[0], CASES, Case(3, 1, 1), line)
