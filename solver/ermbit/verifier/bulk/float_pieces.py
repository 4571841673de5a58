"""Piecewise linear activations in float64, with what rounding their constants costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ermbit.verifier.bulk.float_table import enclose, quantum_exponent, round_up
from ermbit_instances.activation import Activation
from ermbit_instances.rational import Rational


@dataclass(frozen=True)
class FloatPieces:
    """A piecewise linear φ in float64.

    Attributes:
        breakpoints: rounded up, so that a float is past one iff it is past the true one.
        slopes, intercepts: one a piece, rounded.
        jumps: breakpoints at which φ jumps, with their rounding errors.
        lipschitz: Λ, at least the largest absolute slope; offset: the same for intercepts.
        slope_error, intercept_error: largest rounding error of one.
        plain: whether computing φ rounds nothing (slopes −1, 0, 1; intercepts on flat pieces).
        exponents: grids of the slopes and of the intercepts that are not rounded, else ``None``.
    """

    breakpoints: tuple[float, ...]
    slopes: tuple[float, ...]
    intercepts: tuple[float, ...]
    jumps: tuple[tuple[float, float], ...]
    lipschitz: float
    offset: float
    slope_error: float
    intercept_error: float
    plain: bool
    exponents: tuple[int | None, int | None]


def float_pieces(activation: Activation) -> FloatPieces:
    """φ in float64; not for ``max`` or polynomials."""
    import numpy as np

    points, slopes, intercepts = activation.breakpoints, activation.slopes, activation.intercepts
    jumps = []
    for k, t in enumerate(points):
        if slopes[k] * t + intercepts[k] != slopes[k + 1] * t + intercepts[k + 1]:
            jumps.append(enclose(t))
    pairs: tuple[list[tuple[float, float]], list[tuple[float, float]]] = (
        [enclose(s) for s in slopes],
        [enclose(c) for c in intercepts],
    )
    errors = [max(r for _, r in group) for group in pairs]
    grids = [
        None if error else quantum_exponent(np.array([c for c, _ in group]))
        for group, error in zip(pairs, errors, strict=True)
    ]

    def top(group: Sequence[Rational]) -> float:
        return max(round_up(abs(v)) for v in group)

    return FloatPieces(
        tuple(round_up(t) for t in points),
        tuple(s for s, _ in pairs[0]),
        tuple(c for c, _ in pairs[1]),
        tuple(jumps),
        top(slopes),
        top(intercepts),
        errors[0],
        errors[1],
        not any(errors)
        and all(
            s in (-1, 0, 1) and (s == 0 or c == 0) for s, c in zip(slopes, intercepts, strict=True)
        ),
        (grids[0], grids[1]),
    )
