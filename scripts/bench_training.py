#!/usr/bin/env python3
"""Success rates and times of the engine `training` on planted networks and on pixels.

    python scripts/bench_training.py [--case TEXT] [--seeds K] [--timeout SECONDS] [--solve]

Planted: integer points in −8..8, targets of a `relu` network with integer weights in −W..W, exact
fit, over the same integers or over the reals. Pixels: two noisy prototypes of 64 pixels in 0..16,
labels ±1, no error allowed. Every line: how many of the seeds were solved, then the median and the
longest time of these. The time is that of the engine alone; with --solve that of `ermbit solve`,
all engines racing and the start of processes included.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
for _folder in ("instances", "encodings", "solver"):
    sys.path.insert(0, str(ROOT / _folder))

import ermbit  # noqa: E402
from ermbit.engines.engine import Budget, ignore  # noqa: E402
from ermbit.engines.registry import engine  # noqa: E402
from ermbit_encodings.problem import Problem  # noqa: E402
from ermbit_instances.families import generate  # noqa: E402
from ermbit_instances.instance import parse_instance  # noqa: E402

TERNARY = {"domain": "integer", "low": -1, "high": 1}
FOUR_BITS = {"domain": "integer", "low": -8, "high": 7}


@dataclass(frozen=True)
class Planted:
    """Inputs, hidden layers, largest weight, samples; over the integers or the reals."""

    inputs: int
    hidden: str
    weight: int
    samples: int
    real: bool = False

    @property
    def name(self) -> str:
        size = f"d{self.inputs}-h{self.hidden}-W{self.weight}-N{self.samples}"
        return f"planted-{size}-{'real' if self.real else 'integer'}"

    def document(self, seed: int) -> dict[str, Any]:
        """The instance of a seed."""
        document = generate(
            "teacher",
            seed,
            inputs=self.inputs,
            hidden=self.hidden,
            domain=f"int:-{self.weight}:{self.weight}",
            samples=self.samples,
            data_low=-8,
            data_high=8,
        ).document
        if self.real:
            document["weights"] = {"domain": "real"}
        return document


@dataclass(frozen=True)
class Pixels:
    """Hidden units, samples, standard deviation of the noise, ternary or 4-bit weights."""

    hidden: int
    samples: int
    noise: float
    ternary: bool

    @property
    def name(self) -> str:
        bits = "ternary" if self.ternary else "4bit"
        return f"pixels-h{self.hidden}-N{self.samples}-noise{self.noise:g}-{bits}"

    def document(self, seed: int) -> dict[str, Any]:
        """The instance of a seed."""
        rng = np.random.default_rng(seed)
        prototypes = rng.integers(0, 17, size=(2, 64)) * (rng.random((2, 64)) < 0.5)
        labels = [1 - 2 * (i % 2) for i in range(self.samples)]
        x = [prototypes[(1 - y) // 2] + rng.normal(0, self.noise, 64) for y in labels]
        layers = [
            {"units": self.hidden, "activation": "relu"},
            {"units": 1, "activation": "identity"},
        ]
        return {
            "format": "ermbit-instance",
            "version": 1,
            "network": {"inputs": 64, "layers": layers},
            "weights": TERNARY if self.ternary else FOUR_BITS,
            "data": {
                "x": [np.clip(np.rint(row), 0, 16).astype(int).tolist() for row in x],
                "y": [[y] for y in labels],
            },
            "loss": {"name": "zero_one"},
            "threshold": 0,
        }


SHAPES = (
    (4, "3", 7, 40),
    (6, "4", 3, 60),
    (8, "4", 3, 80),
    (2, "2-2", 3, 20),
    (2, "2-2-2", 2, 20),
    (2, "2-2-2", 3, 20),
    (2, "2-2", 7, 20),
)
CASES: tuple[Planted | Pixels, ...] = (
    *(Planted(*shape, real=real) for real in (False, True) for shape in SHAPES),
    *(
        Pixels(hidden, samples, noise, ternary)
        for ternary in (True, False)
        for hidden in (2, 8)
        for samples, noise in ((10, 4.0), (40, 4.0), (40, 12.0), (40, 40.0))
    ),
)


def seconds(document: dict[str, Any], timeout: float, *, solve: bool) -> float | None:
    """Time to a certificate, ``None`` without one."""
    instance = parse_instance(document)
    start = time.monotonic()
    if solve:
        status = ermbit.solve(instance, timeout=timeout).status
    else:
        budget = Budget(start + timeout)
        status = engine("training").decide(Problem(instance), budget, ignore).status
    return time.monotonic() - start if status == "sat" else None


def main() -> None:
    """Run the cases whose name contains the given text."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--case", default="")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--timeout", type=float, default=2.0)
    parser.add_argument("--solve", action="store_true")
    arguments = parser.parse_args()
    for case in CASES:
        if arguments.case not in case.name:
            continue
        times = [
            seconds(case.document(seed), arguments.timeout, solve=arguments.solve)
            for seed in range(arguments.seeds)
        ]
        found = [t for t in times if t is not None]
        words = ""
        if found:
            words = f"median {statistics.median(found):.2f} s, longest {max(found):.2f} s"
        print(f"{case.name:40} {len(found)}/{len(times)} {words}", flush=True)


if __name__ == "__main__":
    main()
