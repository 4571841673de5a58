#!/usr/bin/env python3
"""Networks with polynomial activations: what is decided within a time limit, class by class.

    python scripts/bench_polynomial.py [--timeout SECONDS] [--match TEXT] [--every K]
                                       [--engine NAME] [--peers z3,cvc5]

Some hundred instances from fixed seeds with answers known by construction: planted networks,
targets moved off the span of the monomials, ranks above the number of units, thresholds on either
side of an optimum that NumPy or SciPy estimates. Every instance goes through the command line in a
fresh process; certificates are read back and verified by another. ``--peers`` asks general solvers
on natural encodings as well, in the environment that ``scripts/bench_decide.py`` makes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
PEERS = ROOT / ".venv-peers" / "bin" / "python"
PATHS = os.pathsep.join(str(ROOT / f) for f in ("solver", "encodings", "instances", "scripts"))

REAL: dict[str, Any] = {"domain": "real"}
RATIONAL: dict[str, Any] = {"domain": "rational", "bits": 12}
SMALL: dict[str, Any] = {"domain": "integer", "low": -2, "high": 2}
SIGNS: dict[str, Any] = {"domain": "finite", "values": [-1, 1]}


def power(degree: int) -> Any:
    return "square" if degree == 2 else {"name": "polynomial", "coefficients": [0] * degree + [1]}


@dataclass(frozen=True)
class Case:
    """One instance: its class, document and expected answer."""

    kind: str
    number: int
    document: dict[str, Any]
    expected: str

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.number}"


@dataclass(frozen=True)
class Shape:
    """One hidden layer of pure powers: inputs, units, degree, samples; with which biases."""

    inputs: int
    units: int
    degree: int
    samples: int
    bias: bool = True
    output_bias: bool = False
    outputs: int = 1

    def points(self, rng: random.Random) -> list[list[int]]:
        return [[rng.randint(-4, 4) for _ in range(self.inputs)] for _ in range(self.samples)]

    def monomials(self, points: Sequence[Sequence[int]]) -> np.ndarray[Any, Any]:
        """All monomials that occur, on the points: N × columns."""
        rows = []
        for x in points:
            g = [1, *x] if self.bias else x
            row = [int(np.prod(c)) for c in combinations_with_replacement(g, self.degree)]
            rows.append(row + [1] * self.output_bias)
        return np.array(rows, dtype=np.float64)

    def planted(
        self, rng: random.Random, points: Sequence[Sequence[int]], rank: int, most: int
    ) -> list[list[int]]:
        """Outputs of a network of the given number of units with small integer weights."""
        width = self.inputs + self.bias
        result = []
        units = [[rng.randint(-most, most) for _ in range(width)] for _ in range(rank)]
        outer = [[rng.choice((-most, -1, 1, most)) for _ in units] for _ in range(self.outputs)]
        for x in points:
            g = [*x, *([1] if self.bias else [])]
            values = [sum(a * b for a, b in zip(u, g, strict=True)) ** self.degree for u in units]
            result.append([sum(v * a for v, a in zip(vs, values, strict=True)) for vs in outer])
        return result

    def document(
        self,
        points: Sequence[Sequence[int]],
        targets: Sequence[Sequence[Any]],
        threshold: Any = 0,
        loss: str = "absolute",
        reduction: str = "mean",
        domain: dict[str, Any] = REAL,
    ) -> dict[str, Any]:
        return {
            "format": "ermbit-instance",
            "version": 1,
            "network": {
                "inputs": self.inputs,
                "layers": [
                    {"units": self.units, "activation": power(self.degree), "bias": self.bias},
                    {"units": self.outputs, "activation": "identity", "bias": self.output_bias},
                ],
            },
            "weights": domain,
            "data": {"x": [list(x) for x in points], "y": [list(y) for y in targets]},
            "loss": {"name": loss, "reduction": reduction},
            "threshold": str(threshold),
        }


def least(matrix: np.ndarray[Any, Any], targets: Sequence[float], loss: str) -> float:
    """The least mean loss of linear combinations of columns, in floats."""
    y = np.array(targets, dtype=np.float64)
    if loss == "squared":
        c = np.linalg.lstsq(matrix, y, rcond=None)[0]
        return float(((matrix @ c - y) ** 2).mean())
    from scipy.optimize import linprog

    count, width = matrix.shape
    goal = np.concatenate([np.zeros(width), np.full(count, 1 / count)])
    eye = np.eye(count)
    sign = y if loss == "hinge" else np.ones(count)
    above = np.block([-sign[:, None] * matrix, -eye])
    rows, sides = [above], [-(np.ones(count) if loss == "hinge" else y)]
    if loss == "absolute":
        rows.append(np.block([matrix, -eye]))
        sides.append(y)
    bounds = [(None, None)] * width + [(0, None)] * count
    answer = linprog(goal, A_ub=np.vstack(rows), b_ub=np.concatenate(sides), bounds=bounds)
    return float(answer.fun)


Maker = Callable[[random.Random, int], tuple[dict[str, Any], str]]


def exact_fit(rng: random.Random, number: int) -> tuple[dict[str, Any], str]:
    """x², γ = 0: planted ranks up to the units, on few and on many points."""
    d = rng.randint(2, 6)
    shape = Shape(d, rng.randint(1, d), 2, rng.choice((8, 20, 40, 60)), rng.random() < 0.5)
    points = shape.points(rng)
    return shape.document(points, shape.planted(rng, points, shape.units, 3)), "sat"


def large_rank(rng: random.Random, number: int) -> tuple[dict[str, Any], str]:
    """x², γ = 0: planted rank d (+1) above the units, on enough points to determine the form."""
    while True:
        d = rng.randint(2, 6)
        bias = rng.random() < 0.5
        size = d + bias
        shape = Shape(d, rng.randint(1, size - 1), 2, 60, bias)
        points = shape.points(rng)
        if np.linalg.matrix_rank(shape.monomials(points)) < size * (size + 1) // 2:
            continue
        # A diagonal form has as many squares as non-zero coefficients.
        wanted = [
            [sum(c * v * v for c, v in zip(range(1, size + 1), [*x, 1], strict=False))]
            for x in points
        ]
        return shape.document(points, wanted), "unsat"


def around_optimum(degree: int, loss: str) -> Maker:
    """Random targets, units enough for every polynomial: thresholds 1% off the optimum."""

    def make(rng: random.Random, number: int) -> tuple[dict[str, Any], str]:
        while True:
            d = rng.randint(1, {2: 6, 3: 2, 4: 2}[degree])
            count = rng.choice((20, 40, 60))
            first = Shape(d, 1, degree, count)
            points = first.points(rng)
            rank = int(np.linalg.matrix_rank(first.monomials(points)))
            shape = Shape(d, d + 1 if degree == 2 else rank, degree, count)
            y = [[rng.choice((-1, 1)) if loss == "hinge" else rng.randint(-9, 9)] for _ in points]
            value = least(shape.monomials(points), [v[0] for v in y], loss)
            if value > 0.01:
                break
        is_sat = number % 2 == 0
        threshold = Fraction(value * (1.01 if is_sat else 0.99)).limit_denominator(10**6)
        document = shape.document(points, y, threshold, loss)
        return document, "sat" if is_sat else "unsat"

    return make


def few_units(degree: int) -> Maker:
    """Fewer units than the rank, γ = 0: planted, or one target moved off the span."""

    def make(rng: random.Random, number: int) -> tuple[dict[str, Any], str]:
        d = rng.randint(1, 3)
        shape = Shape(d, rng.randint(1, 4), degree, rng.choice((20, 40)), rng.random() < 0.5)
        points = shape.points(rng)
        y = shape.planted(rng, points, shape.units, 2)
        return _moved(shape, points, y, number % 2 == 0, REAL)

    return make


def _moved(
    shape: Shape, points: list[list[int]], y: list[list[int]], is_sat: bool, domain: dict[str, Any]
) -> tuple[dict[str, Any], str]:
    """The planted instance, or one with a repeated point of another target."""
    if is_sat:
        return shape.document(points, y, domain=domain), "sat"
    matrix = shape.monomials(points)
    for i in range(len(points)):
        unit = np.zeros(len(points))
        unit[i] = 1.0
        c = np.linalg.lstsq(matrix, unit, rcond=None)[0]
        if np.abs(matrix @ c - unit).max() > 1e-3:
            y[i][0] += 1
            return shape.document(points, y, domain=domain), "unsat"
    raise ValueError("the monomials span everything")


def noisy(rng: random.Random, number: int) -> tuple[dict[str, Any], str]:
    """x², fewer units than dimensions, planted with noise: γ twice the planted loss; or a bound."""
    d = rng.randint(3, 6)
    shape = Shape(d, rng.randint(1, d - 1), 2, rng.choice((40, 60)))
    points = shape.points(rng)
    y = shape.planted(rng, points, shape.units, 2)
    noise = [rng.randint(-3, 3) for _ in y]
    moved = [[v[0] + e] for v, e in zip(y, noise, strict=True)]
    planted = Fraction(sum(e * e for e in noise), len(noise))
    if number % 2 == 0:
        return shape.document(points, moved, 2 * planted, "squared"), "sat"
    value = least(shape.monomials(points), [v[0] for v in moved], "squared")
    limit = Fraction(value * 0.99).limit_denominator(10**6)
    return shape.document(points, moved, limit, "squared"), "unsat"


def other_domain(domain: dict[str, Any]) -> Maker:
    """Rational and integer weights, γ = 0: planted, or moved off the span."""

    def make(rng: random.Random, number: int) -> tuple[dict[str, Any], str]:
        d = rng.randint(1, 3)
        shape = Shape(d, rng.randint(1, 3), rng.choice((2, 2, 3)), rng.choice((20, 40)))
        points = shape.points(rng)
        y = shape.planted(rng, points, shape.units, 2)
        return _moved(shape, points, y, number % 2 == 0, domain)

    return make


def parity(rng: random.Random, number: int) -> tuple[dict[str, Any], str]:
    """Weights ±1: a target of the wrong parity, on fewer points than monomials."""
    d = rng.randint(2, 6)
    shape = Shape(d, rng.randint(2, 8), 2, d + 1)
    points = shape.points(rng)
    y = shape.planted(rng, points, shape.units, 1)
    y[0][0] += 1
    return shape.document(points, y, domain=SIGNS), "unsat"


def several_outputs(rng: random.Random, number: int) -> tuple[dict[str, Any], str]:
    """Two outputs, units enough for all monomials: planted with γ = 0, or moved off the span."""
    d = rng.randint(1, 2)
    units = (d + 1) * (d + 2) // 2
    shape = Shape(d, units, 2, rng.choice((15, 30, 60)), outputs=2)
    points = shape.points(rng)
    y = shape.planted(rng, points, 3, 3)
    return _moved(shape, points, y, number % 2 == 0, REAL)


def deep(rng: random.Random, number: int) -> tuple[dict[str, Any], str]:
    """Two hidden layers of squares on one input: polynomials of degree 4."""
    points = [[k] for k in range(-4, 5)]
    shape = Shape(1, 2, 4, len(points))
    coefficients = [rng.randint(-3, 3) for _ in range(5)]
    y = [[sum(c * x[0] ** k for k, c in enumerate(coefficients))] for x in points]
    document, status = _moved(shape, points, y, number % 2 == 0, REAL)
    document["network"]["layers"] = [
        {"units": 2, "activation": "square"},
        {"units": 5, "activation": "square"},
        {"units": 1, "activation": "identity"},
    ]
    return document, status


def approached(rng: random.Random, number: int) -> tuple[dict[str, Any], str]:
    """Linear targets, one square with an output bias: γ = 0 is missed, γ > 0 is met."""
    d = rng.randint(1, 4)
    shape = Shape(d, 1, 2, rng.choice((20, 40)), output_bias=True)
    while True:
        points = shape.points(rng)
        full = (d + 1) * (d + 2) // 2
        if np.linalg.matrix_rank(shape.monomials(points)) == full:
            break
    slope = [rng.choice((-2, -1, 1, 2)) for _ in range(d)]
    y = [[sum(a * b for a, b in zip(slope, x, strict=True))] for x in points]
    is_sat = number % 2 == 0
    document = shape.document(points, y, Fraction(1, 1000) if is_sat else 0)
    return document, "sat" if is_sat else "unsat"


KINDS: dict[str, tuple[Maker, int]] = {
    "square-fit": (exact_fit, 12),
    "square-rank": (large_rank, 10),
    "square-absolute": (around_optimum(2, "absolute"), 8),
    "square-squared": (around_optimum(2, "squared"), 8),
    "square-hinge": (around_optimum(2, "hinge"), 6),
    "square-noisy": (noisy, 10),
    "square-approached": (approached, 6),
    "cubic-absolute": (around_optimum(3, "absolute"), 6),
    "quartic-squared": (around_optimum(4, "squared"), 6),
    "cubic-few": (few_units(3), 8),
    "quartic-few": (few_units(4), 8),
    "rational": (other_domain(RATIONAL), 8),
    "integer": (other_domain(SMALL), 8),
    "parity": (parity, 6),
    "two-outputs": (several_outputs, 6),
    "deep": (deep, 6),
}


def cases() -> Iterator[Case]:
    """All instances."""
    for kind, (make, count) in KINDS.items():
        for number in range(count):
            document, expected = make(random.Random(f"{kind} {number}"), number)
            yield Case(kind, number, document | {"name": f"{kind}-{number}"}, expected)


@dataclass
class Score:
    """What one solver did on one class."""

    decided: dict[str, int] = field(default_factory=lambda: {"sat": 0, "unsat": 0})
    wrong: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def run(command: Sequence[str], limit: float) -> dict[str, Any]:
    """The last line of a command's output as JSON; empty if it gave none in time."""
    environment = os.environ | {"PYTHONPATH": PATHS}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=limit, env=environment, check=False
        )
    except subprocess.TimeoutExpired:
        return {}
    lines = done.stdout.strip().splitlines()
    try:
        found: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    except json.JSONDecodeError:
        found = json.loads(done.stdout) if done.stdout.startswith("{") else {}
    return found


def ask(path: Path, timeout: float, engine: str) -> str:
    """ermbit's status; ``wrong`` if its certificate is not accepted by the verifier."""
    certificate = path.with_suffix(".cert.json")
    certificate.unlink(missing_ok=True)
    start = [sys.executable, "-m", "ermbit"]
    options = ["--timeout", str(timeout), "--engine", engine, "--certificate", str(certificate)]
    found = run([*start, "solve", str(path), "--json", *options], 3 * timeout + 20)
    status = str(found.get("status", "unknown"))
    if status == "sat":
        checked = run([*start, "verify", str(path), str(certificate), "--json"], 60)
        if checked.get("accepted") is not True:
            return "wrong"
    return status


def main() -> int:
    """Run, print a table; 1 if some answer was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds of one run")
    parser.add_argument("--match", default="", help="only instances whose name contains this")
    parser.add_argument("--every", type=int, default=1, help="only each K-th instance")
    parser.add_argument("--engine", default="auto", help="of ermbit")
    parser.add_argument("--peers", default="", help="of scripts/peers, by commas")
    given = parser.parse_args()
    peers = [name for name in given.peers.split(",") if name]
    if peers and not PEERS.exists():
        parser.error("no .venv-peers yet: run scripts/bench_decide.py once")
    scores: dict[tuple[str, str], Score] = {}
    totals: dict[str, dict[str, int]] = {}
    chosen = [case for case in cases() if given.match in case.name][:: given.every]
    with tempfile.TemporaryDirectory() as folder:
        for case in chosen:
            path = Path(folder) / f"{case.name}.erm.json"
            path.write_text(json.dumps(case.document))
            total = totals.setdefault(case.kind, {"sat": 0, "unsat": 0})
            total[case.expected] += 1
            for solver in ("ermbit", *peers):
                start = time.perf_counter()
                if solver == "ermbit":
                    status = ask(path, given.timeout, given.engine)
                else:
                    command = [str(PEERS), "-m", "peers", solver, str(path)]
                    options = ["--timeout", str(given.timeout)]
                    status = str(
                        run([*command, *options], 2 * given.timeout + 10).get("status", "unknown")
                    )
                score = scores.setdefault((solver, case.kind), Score())
                score.seconds.append(time.perf_counter() - start)
                if status == case.expected:
                    score.decided[status] += 1
                elif status in ("sat", "unsat", "wrong"):
                    score.wrong.append(case.name)
                else:
                    score.open.append(case.name)
    report(("ermbit", *peers), totals, scores)
    return int(any(score.wrong for score in scores.values()))


def report(
    solvers: Sequence[str],
    totals: dict[str, dict[str, int]],
    scores: dict[tuple[str, str], Score],
) -> None:
    """A table in Markdown, and what was not decided."""
    head = " | ".join(f"{s} sat | {s} unsat | {s} median s" for s in solvers)
    print(f"| class | {head} |")
    print("|---|" + "---|" * (3 * len(solvers)))
    for kind, total in totals.items():
        cells = []
        for solver in solvers:
            score = scores[solver, kind]
            cells += [f"{score.decided[s]}/{total[s]}" for s in ("sat", "unsat")]
            cells.append(f"{statistics.median(score.seconds):.2f}")
        print(f"| {kind} | {' | '.join(cells)} |")
    cells = []
    for solver in solvers:
        own = [score for (name, _), score in scores.items() if name == solver]
        for status in ("sat", "unsat"):
            done = sum(score.decided[status] for score in own)
            cells.append(f"{done}/{sum(total[status] for total in totals.values())}")
        cells.append(f"{statistics.median([t for score in own for t in score.seconds]):.2f}")
    print(f"| all | {' | '.join(cells)} |")
    for (solver, _), score in scores.items():
        if score.wrong:
            print(f"{solver} is WRONG on {', '.join(score.wrong)}")
        if score.open and solver == "ermbit":
            print(f"{solver} leaves open {', '.join(score.open)}")


if __name__ == "__main__":
    sys.exit(main())
