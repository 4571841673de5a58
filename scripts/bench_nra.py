#!/usr/bin/env python3
"""The engine `nra` against natural scripts for z3 and cvc5, in processor time.

    python scripts/bench_nra.py [--limit SECONDS] [--solvers nra,z3,cvc5] [--case TEXT]

Small networks from fixed seeds, one and two hidden layers of `relu`, `abs`, squares, cubes and
other polynomials, real weights and rationals of few bits: random targets (`rand`), planted ones
(`plant`), planted with noise (`noisy`) or with one target moved (`moved`), random labels (`label`).
Each solver is one process with a limit of processor time; imports do not count. A line a case:
answer and seconds of each; then how many each decided, with the sum of the times (the limit where
there was no answer). Answers that differ are named and make the exit status 1.

`nra` is run alone, not in the race, where other engines decide most networks of one hidden layer.
Processor time of one and the same run grows several times over on a busy machine: compare within
one run only.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
for _folder in ("instances", "encodings", "solver", "scripts"):
    sys.path.insert(0, str(ROOT / _folder))

from benchmark.natural_script import Script  # noqa: E402

CUBE = {"name": "polynomial", "coefficients": [0, 0, 0, 1]}
QUARTIC = {"name": "polynomial", "coefficients": [0, 0, 0, 0, 1]}
QUADRATIC = {"name": "polynomial", "coefficients": [0, 1, 1]}
NAMES = {"sq": "square", "relu": "relu", "abs": "abs", "cube": CUBE, "quart": QUARTIC}
NAMES["gen"] = QUADRATIC

CASES = """
sq2-sq1 1 6 rand 3 absolute max; sq2-sq1 1 5 plant 0 absolute mean; sq1-sq1 1 5 rand 1 absolute max
sq1-sq1 1 5 rand 2 squared mean; sq1-sq1 1 5 rand 0 absolute mean; sq1-sq1 1 6 plant 0 absolute mean
relu1-sq1 1 6 rand 1 absolute max; relu1-sq1 1 6 moved 0 absolute mean
relu2-sq1 1 6 noisy 1/2 absolute max; relu2-sq1 1 5 rand 1 absolute max
sq1-relu1 1 6 rand 1/2 absolute max; sq1-relu1 1 6 moved 0 absolute mean
sq1-relu2 1 5 rand 1/2 absolute max; sq1-relu2 1 6 noisy 1/2 absolute mean
sq1-relu2 1 6 moved 0 absolute mean; sq1-abs1 2 6 rand 2 absolute max
cube1-relu1 1 6 rand 1 absolute max; cube1-relu1 1 6 plant 0 absolute mean
relu1-cube1 1 6 rand 1 absolute max; relu2-relu1 1 6 rand 1/2 absolute max
relu2-relu2 1 5 rand 0 absolute mean; relu2-relu2 1 6 plant 0 absolute mean
relu2-relu2 1 6 noisy 1/4 absolute max; sq1/2 2 5 rand 5 absolute max
sq1/2 2 5 moved 0 absolute mean; sq1/2 2 5 noisy 1 squared mean; sq2/2 1 5 rand 3 absolute mean
sq2/2 1 6 rand 0 absolute mean; sq2/2 1 6 plant 0 absolute mean; relu2/2 1 6 rand 0 absolute mean
relu2/2 1 6 noisy 1/2 absolute max; gen1 2 6 rand 3 absolute max; cube2 1 6 noisy 1/2 absolute mean
quart1 1 6 rand 2 absolute max; quart1 1 5 rand 1 absolute mean; sq1 2 7 rand 4 squared mean
sq1 2 7 label 1/4 hinge mean; sq1 2 9 label 2/9 zero_one mean; sq2 2 8 label 0 zero_one mean
sq1 2 5 plant 0 absolute mean 3; sq1 2 5 noisy 1/2 absolute max 4; sq1 2 5 rand 2 absolute max 6
sq1-relu1 1 5 noisy 1/2 absolute max 6; relu1-sq1 1 5 rand 1 absolute max 5
sq1-sq1 1 5 moved 0 absolute mean 6; sq1-relu1 1 8 label 1/8 zero_one mean
relu1-sq1 1 8 label 1/8 zero_one mean; relu1-sq1 1 8 label 1/4 hinge mean
"""
"""Hidden layers with their units (and outputs, if not one), inputs, samples, kind of targets, γ,
loss, reduction, bits of rational weights (real without)."""


def cases() -> dict[str, dict[str, Any]]:
    """Instance documents by name."""
    texts = [text for line in CASES.splitlines() for text in line.split(";") if text.strip()]
    named = {}
    for number, text in enumerate(texts):
        document = build(random.Random(f"nra {number} {text.strip()}"), *text.split())
        named[f"{number:02d} {text.strip()}"] = document
    return named


def build(
    rng: random.Random,
    shape: str,
    inputs: str,
    samples: str,
    kind: str,
    gamma: str,
    loss: str,
    reduction: str,
    bits: str = "",
) -> dict[str, Any]:
    """The document of one case."""
    hidden, _, outputs = shape.partition("/")
    layers = []
    for part in hidden.split("-"):
        name = part.rstrip("0123456789")
        layers.append({"units": int(part[len(name) :]), "activation": NAMES[name]})
    layers.append({"units": int(outputs or 1), "activation": "identity"})
    count, width = int(samples), int(inputs)
    x: list[list[int]] = [[k - count // 2] for k in range(count)] if width == 1 else []
    while len(x) < count:
        point = [rng.randint(-3, 3) for _ in range(width)]
        if point not in x:
            x.append(point)
    y: list[list[Any]]
    if kind == "rand":
        y = [[rng.randint(-5, 5) for _ in range(layers[-1]["units"])] for _ in x]
    elif kind == "label":
        y = [[rng.choice((-1, 1))] for _ in x]
    else:
        y = planted(rng, layers, x)
        if kind == "moved":
            y[rng.randrange(count)][0] += rng.choice((-1, 1))
        elif kind == "noisy":
            y = [[v + Fraction(rng.choice((-1, 0, 1)), 2) for v in row] for row in y]
    return {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": width, "layers": layers},
        "weights": {"domain": "rational", "bits": int(bits)} if bits else {"domain": "real"},
        "data": {"x": x, "y": [[str(v) for v in row] for row in y]},
        "loss": {"name": loss, "reduction": reduction},
        "threshold": gamma,
    }


def planted(rng: random.Random, layers: list[Any], x: list[list[int]]) -> list[list[Any]]:
    """Outputs of a network with weights −1, 1 and, with one hidden layer, −2, 2."""
    signals: list[list[Any]] = [list(row) for row in x]
    most = 1 if len(layers) > 2 else 2
    choices = [v for v in range(-most, most + 1) if v]
    for layer in layers:
        units = [
            ([rng.choice(choices) for _ in signals[0]], rng.randint(-most, most))
            for _ in range(layer["units"])
        ]
        signals = [
            [
                value(layer["activation"], sum(a * b for a, b in zip(w, row, strict=True)) + bias)
                for w, bias in units
            ]
            for row in signals
        ]
    return signals


def value(activation: Any, t: int) -> int:
    """φ(t)."""
    plain = {"identity": t, "square": t * t, "relu": max(t, 0), "abs": abs(t)}
    if isinstance(activation, str):
        return plain[activation]
    return sum(c * t**k for k, c in enumerate(activation["coefficients"]))


def run(name: str, solver: str, limit: float) -> None:
    """Decide one case in this process and print the answer and its seconds."""
    document = cases()[name]
    if solver == "nra":
        import scipy.optimize  # noqa: F401
        import z3  # noqa: F401

        from ermbit.engines.engine import Budget, ignore
        from ermbit.engines.mixed.nra import NraEngine
        from ermbit_encodings.problem import Problem
        from ermbit_instances.instance import parse_instance
    else:
        __import__("cvc5.pythonic" if solver == "cvc5" else "z3")
    start = time.process_time()
    resource.setrlimit(resource.RLIMIT_CPU, (int(start + limit) + 1, int(start + limit) + 2))
    if solver == "nra":
        problem = Problem(parse_instance(document))
        status = NraEngine().decide(problem, Budget(), ignore).status
    else:
        status = Script(document, solver).answer()
    print(json.dumps([status, time.process_time() - start]), flush=True)
    os._exit(0)


def main() -> int:
    """All cases by all solvers; 1 if two answers differ."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--limit", type=float, default=20, help="seconds of processor time")
    parser.add_argument("--solvers", default="nra,z3,cvc5", help="of nra, z3, cvc5")
    parser.add_argument("--case", default="", help="only cases with this text in their names")
    parser.add_argument("--run", nargs=2, metavar=("CASE", "SOLVER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        run(*given.run, given.limit)
    solvers, differ = given.solvers.split(","), False
    decided, seconds = dict.fromkeys(solvers, 0), dict.fromkeys(solvers, 0.0)
    for name in cases():
        if given.case not in name:
            continue
        row, answers = [], set()
        for solver in solvers:
            command = [sys.executable, __file__, "--limit", str(given.limit), "--run", name, solver]
            printed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
            status, used = json.loads(printed) if printed else ("unknown", given.limit)
            if status == "unknown":
                used = given.limit
            else:
                answers.add(status)
                decided[solver] += 1
            seconds[solver] += used
            row.append(f"{solver} {status} {used:.2f}")
        differ |= len(answers) > 1
        print(f"{name:46}", "  ".join(row), "DIFFERENT" if len(answers) > 1 else "", flush=True)
    for solver in solvers:
        print(f"{solver}: {decided[solver]} decided, {seconds[solver]:.1f} s")
    return int(differ)


if __name__ == "__main__":
    sys.exit(main())
