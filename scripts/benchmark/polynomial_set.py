"""Networks with polynomial activations: what is asked of each class, from fixed seeds.

Answers are known by construction: planted networks; targets moved off the span of the monomials;
ranks above the number of units; thresholds on either side of an optimum that is convex, or that is
searched on a fine grid; repeated points with both labels; negative targets of sums of squares.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from fractions import Fraction

import numpy as np

from benchmark.case import REAL, Case, Document, integers
from benchmark.polynomial_shapes import (
    Rows,
    Shape,
    least_loss,
    least_of_one_unit,
    rounded,
)

RATIONAL: Document = {"domain": "rational", "bits": 12}
SIGNS: Document = {"domain": "finite", "values": [-1, 1]}

Maker = Callable[[random.Random, int], tuple[Document, str]]
"""From a generator and the number in its class to a document and its status."""


def exact_fit(rng: random.Random, number: int) -> tuple[Document, str]:
    """x², γ = 0: planted ranks up to the units, on few and on many points."""
    d = rng.randint(2, 6)
    shape = Shape(d, rng.randint(1, d), 2, rng.choice((8, 20, 40, 60)), rng.random() < 0.5)
    points = shape.points(rng)
    return shape.document(points, shape.planted(rng, points, shape.units, 3)), "sat"


def large_rank(rng: random.Random, number: int) -> tuple[Document, str]:
    """x², γ = 0: planted rank above the units, on enough points to determine the form."""
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


def around_optimum(degree: int, loss: str, reduction: str = "mean") -> Maker:
    """Random targets, units enough for every polynomial: thresholds 1% off the optimum."""

    def make(rng: random.Random, number: int) -> tuple[Document, str]:
        while True:
            d = rng.randint(1, 6) if degree == 2 else rng.randint(1, 2)
            bias = degree == 2 or d == 1
            first = Shape(d, 1, degree, rng.choice((20, 40, 60)), bias)
            points = first.points(rng)
            rank = int(np.linalg.matrix_rank(first.monomials(points)))
            units = d + 1 if degree == 2 else rank
            shape = Shape(d, units, degree, first.samples, bias)
            y = [rng.choice((-1, 1)) if loss == "hinge" else rng.randint(-9, 9) for _ in points]
            value = least_loss(shape.monomials(points), y, loss, reduction)
            if value > 0.01:
                break
        is_sat = number % 2 == 0
        threshold = rounded(value, 1.01 if is_sat else 0.99)
        targets = [[v] for v in y]
        document = shape.document(points, targets, threshold, loss, reduction)
        return document, "sat" if is_sat else "unsat"

    return make


def few_units(degree: int) -> Maker:
    """Fewer units than the rank, γ = 0: planted, or one target moved off the span."""

    def make(rng: random.Random, number: int) -> tuple[Document, str]:
        d = rng.randint(1, 3)
        count = rng.choice((20, 40)) if number % 2 == 0 else 60
        shape = Shape(d, rng.randint(1, 4), degree, count, rng.random() < 0.5)
        points = shape.points(rng)
        y = shape.planted(rng, points, shape.units, 2)
        return _moved(shape, points, y, number % 2 == 0, REAL)

    return make


def _moved(
    shape: Shape, points: Rows, y: Rows, is_sat: bool, domain: Document
) -> tuple[Document, str]:
    """The planted instance, or one with a target moved off the span of the monomials."""
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


def noisy(rng: random.Random, number: int) -> tuple[Document, str]:
    """x², fewer units than dimensions, planted with noise: γ twice the planted loss; or a bound."""
    d = rng.randint(3, 6)
    shape = Shape(d, rng.randint(1, d - 1), 2, rng.choice((40, 60)))
    points = shape.points(rng)
    return _noisy(rng, shape, points, number, "squared", REAL, 2)


def noisy_integers(rng: random.Random, number: int) -> tuple[Document, str]:
    """Integer weights −W..W, W from 2 to 1000, planted with noise: γ of the plant; or a bound."""
    d = rng.randint(1, 3)
    shape = Shape(d, rng.randint(1, 4), rng.choice((2, 3)), rng.choice((20, 40)))
    points = shape.points(rng)
    domain = integers((2, 5, 100, 1000)[number % 4])
    return _noisy(rng, shape, points, number // 4, rng.choice(("absolute", "squared")), domain, 1)


def _noisy(
    rng: random.Random,
    shape: Shape,
    points: Rows,
    number: int,
    loss: str,
    domain: Document,
    factor: int,
) -> tuple[Document, str]:
    y = shape.planted(rng, points, shape.units, 2)
    noise = [rng.randint(-3, 3) for _ in y]
    moved = [v[0] + e for v, e in zip(y, noise, strict=True)]
    power = 2 if loss == "squared" else 1
    planted = Fraction(sum(abs(e) ** power for e in noise), len(noise))
    targets = [[v] for v in moved]
    if number % 2 == 0:
        return shape.document(points, targets, factor * planted, loss, domain=domain), "sat"
    limit = rounded(least_loss(shape.monomials(points), moved, loss, "mean"), 0.99)
    return shape.document(points, targets, limit, loss, domain=domain), "unsat"


def one_unit(degree: int) -> Maker:
    """One unit on random targets of one sign's excess: 2% above and below the least loss."""

    def make(rng: random.Random, number: int) -> tuple[Document, str]:
        d = rng.randint(1, 2)
        shape = Shape(d, 1, degree, rng.choice((6, 10, 15)), d == 1 or number % 4 > 1)
        points = shape.points(rng)
        y = [rng.randint(-2, 9) for _ in points]
        loss = rng.choice(("absolute", "squared"))
        value = least_of_one_unit(shape, points, y, loss)
        is_sat = number % 2 == 0
        limit = rounded(value, 1.02 if is_sat else 0.98)
        document = shape.document(points, [[v] for v in y], limit, loss)
        return document, "sat" if is_sat else "unsat"

    return make


def sums_of_squares(rng: random.Random, number: int) -> tuple[Document, str]:
    """x² with frozen outer weights 1: planted; or negative targets, so that 0 is best."""
    d = rng.randint(2, 5)
    shape = Shape(d, rng.randint(1, d), 2, rng.choice((20, 40)), rng.random() < 0.5, frozen=1)
    points = shape.points(rng)
    if number % 2 == 0:
        return shape.document(points, shape.planted(rng, points, shape.units, 3)), "sat"
    y = [[rng.randint(-9, -1)] for _ in points]
    loss = rng.choice(("absolute", "squared"))
    power = 2 if loss == "squared" else 1
    best = Fraction(sum(abs(v[0]) ** power for v in y), len(y))
    return shape.document(points, y, best * Fraction(99, 100), loss), "unsat"


def labels(degree: int) -> Maker:
    """``zero_one``, labels of a planted network, k points repeated with the other label."""

    def make(rng: random.Random, number: int) -> tuple[Document, str]:
        while True:
            d = rng.randint(1, 4 if degree == 2 else 2)
            shape = Shape(d, rng.randint(1, 3), degree, rng.choice((20, 40)))
            points = shape.points(rng)
            values = [v[0] for v in shape.planted(rng, points, shape.units, 3)]
            kept = [k for k, v in enumerate(values) if v]
            if len({values[k] > 0 for k in kept}) == 2:
                break
        x = [points[k] for k in kept]
        y = [[1 if values[k] > 0 else -1] for k in kept]
        distinct = list({tuple(row): k for k, row in enumerate(x)}.values())
        count = rng.randint(0, 3)
        for k in rng.sample(distinct, min(count, len(distinct))):
            x, y = [*x, x[k]], [*y, [-y[k][0]]]
        errors = len(x) - len(kept)
        is_sat = number % 2 == 0 or errors == 0
        threshold = Fraction(errors if is_sat else errors - 1, len(x))
        document = shape.document(x, y, threshold, "zero_one")
        return document, "sat" if is_sat else "unsat"

    return make


def general_polynomial(rng: random.Random, number: int) -> tuple[Document, str]:
    """Activations of several terms, γ = 0: planted, or moved off the span."""
    activation = rng.choice(([0, 1, 1], [0, -1, 0, 1], [1, 0, "1/2", 1], [0, 0, 1, 0, -1]))
    d = rng.randint(1, 2)
    shape = Shape(d, rng.randint(1, 4), len(activation) - 1, 40, activation=tuple(activation))
    points = shape.points(rng)
    y = shape.planted(rng, points, shape.units, 2)
    return _moved(shape, points, y, number % 2 == 0, REAL)


def other_domain(domain: Document) -> Maker:
    """Rational and integer weights, γ = 0: planted, or moved off the span."""

    def make(rng: random.Random, number: int) -> tuple[Document, str]:
        d = rng.randint(1, 3)
        count = rng.choice((20, 40)) if number % 2 == 0 else 60
        shape = Shape(d, rng.randint(1, 3), rng.choice((2, 2, 3)), count)
        points = shape.points(rng)
        y = shape.planted(rng, points, shape.units, 2)
        return _moved(shape, points, y, number % 2 == 0, domain)

    return make


def parity(rng: random.Random, number: int) -> tuple[Document, str]:
    """Weights ±1: a target of the wrong parity, on fewer points than monomials."""
    d = rng.randint(2, 6)
    shape = Shape(d, rng.randint(2, 8), 2, d + 1)
    points = shape.points(rng)
    y = shape.planted(rng, points, shape.units, 1)
    y[0][0] += 1
    return shape.document(points, y, domain=SIGNS), "unsat"


def several_outputs(rng: random.Random, number: int) -> tuple[Document, str]:
    """Two outputs, units enough for all monomials: planted with γ = 0, or moved off the span."""
    d = rng.randint(1, 2)
    units = (d + 1) * (d + 2) // 2
    shape = Shape(d, units, 2, rng.choice((15, 30, 60)), outputs=2)
    points = shape.points(rng)
    y = shape.planted(rng, points, 3, 3)
    return _moved(shape, points, y, number % 2 == 0, REAL)


def deep(rng: random.Random, number: int) -> tuple[Document, str]:
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


def approached(rng: random.Random, number: int) -> tuple[Document, str]:
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
    "square-fit": (exact_fit, 8),
    "square-rank": (large_rank, 8),
    "square-absolute": (around_optimum(2, "absolute"), 6),
    "square-squared": (around_optimum(2, "squared"), 6),
    "square-max": (around_optimum(2, "absolute", "max"), 6),
    "square-hinge": (around_optimum(2, "hinge"), 6),
    "square-labels": (labels(2), 6),
    "square-noisy": (noisy, 8),
    "square-one": (one_unit(2), 8),
    "square-signs": (sums_of_squares, 8),
    "square-approached": (approached, 4),
    "cubic-absolute": (around_optimum(3, "absolute"), 4),
    "cubic-few": (few_units(3), 6),
    "cubic-one": (one_unit(3), 4),
    "cubic-labels": (labels(3), 4),
    "quartic-squared": (around_optimum(4, "squared"), 4),
    "quartic-few": (few_units(4), 6),
    "general": (general_polynomial, 8),
    "rational": (other_domain(RATIONAL), 6),
    "integer": (other_domain(integers(2)), 6),
    "integer-noisy": (noisy_integers, 8),
    "parity": (parity, 4),
    "two-outputs": (several_outputs, 4),
    "deep": (deep, 4),
}


def polynomial_set() -> Iterator[Case]:
    """All instances."""
    for kind, (make, count) in KINDS.items():
        for number in range(count):
            document, expected = make(random.Random(f"polynomial {kind} {number}"), number)
            group = "agnostic" if expected == "unsat" else "realizable"
            family = f"{kind}, {expected}"
            yield Case(f"{kind}-{number}", family, group, "solve", document, expected)


