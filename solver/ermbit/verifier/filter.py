"""The floating-point filter: one float64 pass with a proved error bound per sample.

Weights and inputs are the binary floats that they are, so they carry no error of their own. With
u = 2^−53 and C = A·B computed classically (any order, with or without FMA, round to nearest),
|fl(C) − AB| ≤ γ_n |A||B| + n·2^−1020 entrywise (Higham 2002, §3.1, with the absolute term for
underflow; docs/theory.md I1). Entrywise |A||B| costs a second product; by Cauchy–Schwarz
(|A||B|)_ij ≤ ‖a_i‖ ‖b_j‖, which costs only norms. One number a sample then carries the error:
ρ bounds the Euclidean norm of the error of a whole layer's output,

    ρ' = Λ · (‖W‖_F (ρ + c·u·(‖a‖ + ρ)) + c·u·(‖W‖_F ‖a‖ + ‖b‖) + absolute term) + rounding of φ

with Λ the largest absolute slope of φ, so relu, abs, clip and leaky_relu need no certain sign.
Jumps do: a pre-activation within ρ of a jump makes the sample uncertain. What is uncertain is
evaluated exactly by the caller; nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

UNIT = 2.0**-53
"""u, the unit roundoff of float64."""

TINY = 2.0**-1000
"""Covers every underflow in a product of fewer than 2^16 terms, flushed results included."""

SAFETY = 4.0
"""Factor on every bound: covers the rounding of the bounds' own arithmetic (each is a handful of
operations with relative error below 2^-40, and norms of n terms with relative error below n·u)."""


@dataclass(frozen=True)
class FloatLayer:
    """One fully connected layer in float64.

    Attributes:
        weights: units × fan-in, exactly the certificate's values.
        bias: units, or ``None``.
        kind: ``pieces`` or ``max``-free piecewise linear function given by the fields below.
        breakpoints, slopes, intercepts: of φ, exactly representable in float64.
        jumps: breakpoints at which φ is not continuous.
        lipschitz: Λ, the largest absolute slope.
    """

    weights: np.ndarray[Any, Any]
    bias: np.ndarray[Any, Any] | None
    breakpoints: tuple[float, ...]
    slopes: tuple[float, ...]
    intercepts: tuple[float, ...]
    jumps: tuple[float, ...]
    lipschitz: float

    def norms(self) -> tuple[float, float]:
        """‖W‖_F and ‖b‖, rounded up."""
        import numpy as np

        weight = float(np.sqrt(np.sum(self.weights * self.weights))) * (1 + 2.0**-30) + TINY
        bias = 0.0 if self.bias is None else float(np.linalg.norm(self.bias)) * (1 + 2.0**-30)
        return weight, bias


@dataclass(frozen=True)
class FloatPass:
    """Outputs of one pass over a block of samples.

    Attributes:
        outputs: block × outputs.
        radius: block: every output of sample i lies within radius[i] of its true value; infinite
            where the pass says nothing (overflow, a pre-activation too close to a jump).
    """

    outputs: np.ndarray[Any, Any]
    radius: np.ndarray[Any, Any]


def forward(
    layers: Sequence[FloatLayer], x: np.ndarray[Any, Any], safety: float = SAFETY
) -> FloatPass:
    """Pass a block of samples through the network.

    Args:
        layers: the layers, in order.
        x: block × inputs, float64, exact.
        safety: factor on the bounds; smaller than 1 is wrong, and tests show that it is.
    """
    import numpy as np

    a = x
    radius = np.zeros(len(x))
    with np.errstate(all="ignore"):
        for layer in layers:
            weight_norm, bias_norm = layer.norms()
            fan_in = layer.weights.shape[1] + 2
            norm = np.sqrt(np.einsum("ij,ij->i", a, a)) * (1 + 2.0**-30)
            z = a @ layer.weights.T
            if layer.bias is not None:
                z += layer.bias
            rounding = fan_in * UNIT * (weight_norm * (norm + radius) + bias_norm)
            radius = weight_norm * radius + safety * rounding + fan_in * TINY
            radius *= 1 + 2.0**-30
            a, radius = _activate(layer, z, radius, safety)
    bad = ~(np.isfinite(radius) & np.isfinite(a).all(axis=1))
    radius = np.where(bad, np.inf, radius)
    return FloatPass(a, radius)


def _activate(
    layer: FloatLayer, z: np.ndarray[Any, Any], radius: np.ndarray[Any, Any], safety: float
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    import numpy as np

    for jump in layer.jumps:
        close = (np.abs(z - jump) <= (radius * (1 + 2.0**-30) + abs(jump) * UNIT)[:, None]).any(
            axis=1
        )
        radius = np.where(close, np.inf, radius)
    exact, out = _exact_form(layer, z)
    if exact:
        # Selecting between z, −z, 0 and constants rounds nothing.
        return out, radius * layer.lipschitz if layer.lipschitz else radius * 0.0
    norm = np.sqrt(np.einsum("ij,ij->i", out, out)) + np.sqrt(np.einsum("ij,ij->i", z, z))
    offset = max((abs(c) for c in layer.intercepts), default=0.0) * np.sqrt(z.shape[1])
    slope = max(layer.lipschitz, 1.0)
    rounding = safety * 4 * UNIT * (slope * norm + offset) + z.shape[1] * TINY
    return out, (radius * layer.lipschitz + rounding) * (1 + 2.0**-30)


def _exact_form(
    layer: FloatLayer, z: np.ndarray[Any, Any]
) -> tuple[bool, np.ndarray[Any, Any]]:
    """φ(z), and whether it was computed without any rounding."""
    import numpy as np

    points, slopes, intercepts = layer.breakpoints, layer.slopes, layer.intercepts
    if not points:
        if slopes[0] == 1.0 and intercepts[0] == 0.0:
            return True, z
        return False, z * slopes[0] + intercepts[0]
    if points == (0.0,) and slopes == (0.0, 1.0) and intercepts == (0.0, 0.0):
        return True, np.maximum(z, 0.0, out=z)
    if points == (0.0,) and slopes == (-1.0, 1.0) and intercepts == (0.0, 0.0):
        return True, np.abs(z, out=z)
    piece = np.searchsorted(np.asarray(points), z, side="right")
    out = np.asarray(slopes)[piece] * z + np.asarray(intercepts)[piece]
    plain = all(s in (-1.0, 0.0, 1.0) for s in slopes) and all(
        s == 0.0 or c == 0.0 for s, c in zip(slopes, intercepts, strict=True)
    )
    return plain, out
