"""One hidden layer of polynomials: points, planted targets, documents; least losses in floats."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.case import REAL, Document

Rows = list[list[int]]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Shape:
    """Inputs, units, degree, samples; with which biases.

    Attributes:
        frozen: value of all outer weights, if they are not free.
        activation: coefficients; empty for the pure power of the degree.
    """

    inputs: int
    units: int
    degree: int
    samples: int
    bias: bool = True
    output_bias: bool = False
    outputs: int = 1
    frozen: int | None = None
    activation: tuple[int | str, ...] = ()

    def points(self, rng: random.Random) -> Rows:
        return [[rng.randint(-4, 4) for _ in range(self.inputs)] for _ in range(self.samples)]

    def coefficients(self) -> tuple[int | str, ...]:
        return self.activation or (0,) * self.degree + (1,)

    def monomials(self, points: Rows) -> Floats:
        """All monomials that occur, on the points: N × columns."""
        degrees = range(1, self.degree + 1) if self.activation else (self.degree,)
        rows = []
        for x in points:
            g = [1, *x] if self.bias else x
            row = [int(np.prod(c)) for k in degrees for c in combinations_with_replacement(g, k)]
            rows.append(row + [1] * (self.output_bias or bool(self.activation)))
        return np.array(rows, dtype=np.float64)

    def planted(self, rng: random.Random, points: Rows, rank: int, most: int) -> list[list[Any]]:
        """Outputs of a network of the given number of units with small integer weights."""
        width = self.inputs + self.bias
        result = []
        units = [[rng.randint(-most, most) for _ in range(width)] for _ in range(rank)]
        outer = [[rng.choice((-most, -1, 1, most)) for _ in units] for _ in range(self.outputs)]
        if self.frozen is not None:
            outer = [[self.frozen for _ in units] for _ in range(self.outputs)]
        powers = [Fraction(c) for c in self.coefficients()]
        for x in points:
            g = [*x, *([1] if self.bias else [])]
            sums = [sum(a * b for a, b in zip(u, g, strict=True)) for u in units]
            values = [sum(c * t**k for k, c in enumerate(powers)) for t in sums]
            result.append([sum(v * a for v, a in zip(vs, values, strict=True)) for vs in outer])
        return [[int(v) if v.denominator == 1 else str(v) for v in row] for row in result]

    def document(
        self,
        points: Rows,
        targets: Sequence[Sequence[Any]],
        threshold: Any = 0,
        loss: str = "absolute",
        reduction: str = "mean",
        domain: Document = REAL,
    ) -> Document:
        pure = self.degree == 2 and not self.activation
        power = {"name": "polynomial", "coefficients": list(self.coefficients())}
        last: Document = {
            "units": self.outputs,
            "activation": "identity",
            "bias": self.output_bias,
        }
        if self.frozen is not None:
            last["weights"] = [[self.frozen] * self.units] * self.outputs
        return {
            "format": "ermbit-instance",
            "version": 1,
            "network": {
                "inputs": self.inputs,
                "layers": [
                    {
                        "units": self.units,
                        "activation": "square" if pure else power,
                        "bias": self.bias,
                    },
                    last,
                ],
            },
            "weights": domain,
            "data": {"x": [list(x) for x in points], "y": [list(y) for y in targets]},
            "loss": {"name": loss, "reduction": reduction},
            "threshold": str(threshold),
        }


def rounded(value: float, factor: float) -> Fraction:
    """A multiple of a float, of few digits, so that the last bits of the float do not count."""
    return Fraction(f"{value * factor:.3e}")


def least_loss(matrix: Floats, targets: Sequence[float], loss: str, reduction: str) -> float:
    """The least loss of linear combinations of columns, in floats."""
    y = np.array(targets, dtype=np.float64)
    if loss == "squared":
        c = np.linalg.lstsq(matrix, y, rcond=None)[0]
        return float(((matrix @ c - y) ** 2).mean())
    from scipy.optimize import linprog

    count, width = matrix.shape
    bounds_on = np.ones((count, 1)) if reduction == "max" else np.eye(count)
    parts = bounds_on.shape[1]
    goal = np.concatenate([np.zeros(width), np.full(parts, 1 / parts)])
    sign = y if loss == "hinge" else np.ones(count)
    rows = [np.hstack([-sign[:, None] * matrix, -bounds_on])]
    sides = [-(np.ones(count) if loss == "hinge" else y)]
    if loss == "absolute":
        rows.append(np.hstack([matrix, -bounds_on]))
        sides.append(y)
    bounds = [(None, None)] * width + [(0, None)] * parts
    answer = linprog(goal, A_ub=np.vstack(rows), b_ub=np.concatenate(sides), bounds=bounds)
    return float(answer.fun)


def least_of_one_unit(shape: Shape, points: Rows, targets: Sequence[int], loss: str) -> float:
    """The least mean loss of v (u·g)^k, in floats: directions on a grid that is refined."""
    g = np.array([[*x, *([1] if shape.bias else [])] for x in points], dtype=np.float64)
    y = np.array(targets, dtype=np.float64)
    width = g.shape[1]

    def best_at(angles: Floats) -> Floats:
        """Least losses for directions by angles: M × (width − 1)."""
        u = np.ones((len(angles), width))
        for k in range(width - 1):
            u[:, k] *= np.cos(angles[:, k])
            u[:, k + 1 :] *= np.sin(angles[:, k])[:, None]
        z = (u @ g.T) ** shape.degree
        if loss == "squared":
            norms = (z * z).sum(axis=1)
            gain = (z @ y) ** 2 / np.where(norms > 1e-12, norms, np.inf)
            least: Floats = ((y @ y) - gain) / len(y)
            return least
        # A weighted median: at the best v some residual is 0, or v = 0.
        with np.errstate(divide="ignore", invalid="ignore"):
            v = np.nan_to_num(y / z, nan=0.0, posinf=0.0, neginf=0.0)
        found = np.full(len(angles), np.abs(y).mean())
        for i in range(len(y)):
            found = np.minimum(found, np.abs(v[:, i : i + 1] * z - y).mean(axis=1))
        return found

    if width == 1:
        return float(best_at(np.zeros((1, 0)))[0])
    steps = 20_000 if width == 2 else 300
    axis = np.linspace(0, np.pi, steps)
    grid = np.stack(np.meshgrid(*[axis] * (width - 1)), axis=-1).reshape(-1, width - 1)
    values = best_at(grid)
    best = float(values.min())
    starts = grid[np.argsort(values)[:40]]
    size = np.pi / steps
    rng = np.random.default_rng(0)
    for start in starts:
        center, step = start, size
        for _ in range(40):
            near = center + step * rng.uniform(-1, 1, (60, width - 1))
            found = best_at(near)
            if found.min() < best_at(center[None])[0]:
                center = near[found.argmin()]
            else:
                step *= 0.6
        best = min(best, float(best_at(center[None])[0]))
    return best
