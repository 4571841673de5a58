"""The floating-point filter: one float64 pass whose outputs carry a proved error radius a sample.

For a sample let a be the true input of a layer, â the floats at hand and ρ ≥ ‖a − â‖ (Euclidean
norms throughout). W, b are the true weights, Ŵ, b̂ the floats, ω ≥ ‖W − Ŵ‖_F, β ≥ ‖b − b̂‖; n is
the fan-in, m the number of units, u = 2^−53. The pass computes ẑ = fl(fl(Ŵâ) + b̂), and

    z − ẑ = Ŵ(a − â) + (W − Ŵ)a + (b − b̂) + (Ŵâ + b̂ − ẑ).

**Rounding.** Entrywise |fl(Ŵâ) − Ŵâ| ≤ γ_n |Ŵ||â| + underflow for classical products in any order,
with or without fused operations, rounding to nearest (Higham 2002, §3.1; γ_n = nu/(1 − nu)); adding
b̂ makes that γ_{n+1}(|Ŵ||â| + |b̂|). By Cauchy–Schwarz (|Ŵ||â|)_j ≤ ‖ŵ_j‖‖â‖, so the norm of the
last term is at most γ_{n+1} M, M = ‖Ŵ‖_F‖â‖ + ‖b̂‖, and γ_{n+1} ≤ (n+3)u since n < 2^25. It costs
norms only, no product of absolute values.

**Underflow.** Each of 2n operations loses at most 2^−1022, flushed to zero or not; flushed
subnormal operands lose 2^−1022(‖â‖ + ‖ŵ_j‖)√n. TINY·(n + ‖â‖ + ‖Ŵ‖_F), TINY = 2^−960, covers both
for m, n < 2^25.

**Overflow.** Partial sums are at most M(1 + γ_{n+1}): with M < 2^1000 none occurs; otherwise, or if
M is NaN, the radius is infinite.

**Together** ρ' = ‖Ŵ‖_F ρ + ω(‖â‖ + ρ) + β + (n+3)uM + TINY·(n + ‖â‖ + ‖Ŵ‖_F). For ``max`` neurons
|max_k s_k − max_k t_k| ≤ max_k |s_k − t_k|, and each of the four terms bounds as before.

**Activation.** With Λ its largest absolute slope |φ(z) − φ(ẑ)| ≤ Λ|z − ẑ| unless a jump lies
between z and ẑ, that is unless |ẑ − t| ≤ ρ' for a unit and a jump t: then the radius is infinite.
Breakpoints are rounded up, so a float is put on its true piece. Multiplying by a rounded slope and
adding a rounded intercept costs (δ_s + 3uΛ)‖ẑ‖ + √m(δ_c + 3uC) with C the largest intercept.

For polynomials see :mod:`ermbit.verifier.bulk.float_polynomial`.

**Grids** (docs/theory.md E7). If the products of entries of Ŵ and â, and b̂, lie on the grid of
multiples of 2^e and all sums of absolute values are at most 2^53·2^e, the pass rounds nothing: the
terms in u and TINY drop, and with them the radius of quantised networks on quantised data.

**The bound's own rounding.** All terms are ≥ 0, so their relative errors do not
cancel: a norm of n terms errs by γ_{n+2} < 2^−27 relatively, the other fewer than 64 operations by
2^−46. Every norm, and every radius, is multiplied by UP = 1 + 2^−20, which covers this; so ρ is a
proved bound at each layer, and nothing accumulates. The product of an error and a factor can
underflow, so TINY is added wherever ρ > 0, on grids as well.

Not covered: products accumulated in float32 or TF32, Strassen-like kernels, emulated doubles, other
rounding modes. :mod:`ermbit.verifier.bulk.float_check` looks for those.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import TYPE_CHECKING, Any

from ermbit.verifier.bulk.float_network import FloatLayer, FloatNetwork, Reading
from ermbit.verifier.bulk.float_pieces import FloatPieces
from ermbit.verifier.bulk.float_polynomial import activate_polynomial
from ermbit.verifier.bulk.float_table import (
    TINY,
    UNIT,
    UP,
    Signals,
    fits,
    largest,
    row_norms,
)

if TYPE_CHECKING:
    import numpy as np

SAFETY = 1.0
"""Factor on every error that a layer adds: 1 is what the proof needs."""

_LARGE = 2.0**1000


def workspace(network: FloatNetwork, rows: int) -> list[np.ndarray[Any, Any]]:
    """Buffers for the inputs and for every layer, used again from chunk to chunk."""
    import numpy as np

    return [np.empty((rows, width)) for width in network.widths]


def forward(
    network: FloatNetwork,
    x: Signals,
    *,
    safety: float = SAFETY,
    buffers: Sequence[np.ndarray[Any, Any]] | None = None,
) -> Signals:
    """Outputs of a block of samples: samples × outputs, with radii.

    Args:
        network: the network at θ.
        x: the inputs.
        safety: factor on the errors; less than 1 is wrong, and tests show that it is.
        buffers: from :func:`workspace`; the result may lie in the last one.
    """
    import numpy as np

    rows = len(x.values)
    space = workspace(network, rows) if buffers is None else buffers
    signals = [x]
    with np.errstate(all="ignore"):
        for layer, buffer in zip(network.layers, space[1:], strict=True):
            inputs = _read(layer.reading, signals)
            z, norm = _affine(layer, inputs, safety, buffer[:rows])
            if layer.polynomial is not None:
                z = activate_polynomial(layer.polynomial, z, safety)
            elif layer.pieces is not None:
                z = _activate(layer.pieces, z, norm, safety)
            signals.append(z)
        outputs = _read(network.outputs, signals)
        return Signals(outputs.values, _proved(outputs.radius), outputs.exponent, outputs.bound)


def _proved(radius: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Radii with everything that is not a usable number made infinite."""
    import numpy as np

    return np.where(radius < _LARGE, radius, inf)


def _read(reading: Reading, signals: Sequence[Signals]) -> Signals:
    import numpy as np

    if reading.whole:
        return signals[reading.segments[0].block]
    rows = len(signals[0].values)
    parts = [s.of(signals[s.block].values) for s in reading.segments]
    values = np.concatenate(parts, axis=1) if parts else np.zeros((rows, 0))
    radius = np.zeros(rows)
    exponent: int | None = 0
    bound = 0.0
    for block, count in reading.multiplicity:
        source = signals[block]
        # A column read c times adds its error c times to the squared norm.
        radius = np.hypot(radius, count**0.5 * source.radius) * UP
        if exponent is None or source.exponent is None:
            exponent, bound = None, inf
        else:
            exponent, bound = min(exponent, source.exponent), max(bound, source.bound)
    return Signals(values, radius, exponent, bound)


def _affine(
    layer: FloatLayer, a: Signals, safety: float, out: np.ndarray[Any, Any]
) -> tuple[Signals, np.ndarray[Any, Any] | None]:
    """ẑ with its radius, and a bound of ‖ẑ‖ where one was computed."""
    import numpy as np

    _product(layer, a.values, out)
    if layer.bias is not None:
        out += layer.bias
    exponent = _grid(layer, a)
    bound = (layer.row_sum * a.bound + layer.bias_bound) * UP
    rounds = not fits(bound, exponent)
    if rounds:
        exponent, bound = None, inf
    radius = layer.weight_norm * a.radius
    norm = None
    if rounds or layer.weight_error or layer.bias_error:
        input_norm = row_norms(a.values)
        norm = (layer.weight_norm * input_norm + layer.bias_norm) * UP
        added = layer.weight_error * (input_norm + a.radius) + layer.bias_error
        if rounds:
            fan_in = layer.weights.shape[1]
            added += (fan_in + 3) * UNIT * norm
            added += TINY * (fan_in + input_norm + layer.weight_norm)
        else:
            added += TINY
        radius = (radius + safety * added) * UP
        radius = np.where(norm < _LARGE, radius, inf)
    elif a.radius.any():
        radius = np.where(a.radius == 0, 0.0, radius * UP + TINY)
    return Signals(out, _proved(radius), exponent, bound), norm


def _grid(layer: FloatLayer, a: Signals) -> int | None:
    if a.exponent is None or layer.exponent is None or layer.bias_exponent is None:
        return None
    exponent = layer.exponent + a.exponent
    return exponent if layer.bias is None else min(exponent, layer.bias_exponent)


def _product(layer: FloatLayer, a: np.ndarray[Any, Any], out: np.ndarray[Any, Any]) -> None:
    """Ŵâ, or for ``max`` the largest product over the edges that are there (0 if none is)."""
    import numpy as np

    if layer.activation.kind != "max":
        np.matmul(a, layer.weights.T, out=out)
        return
    for unit, weights in enumerate(layer.weights):
        columns: Any = slice(None)
        if layer.present is not None:
            columns = np.flatnonzero(layer.present[unit])
        terms = a[:, columns] * weights[columns]
        out[:, unit] = terms.max(axis=1) if terms.shape[1] else 0.0


def _activate(
    pieces: FloatPieces, z: Signals, norm: np.ndarray[Any, Any] | None, safety: float
) -> Signals:
    import numpy as np

    radius = z.radius
    for jump, error in pieces.jumps:
        inexact = np.flatnonzero(radius > 0)
        if len(inexact):
            near = np.abs(z.values[inexact] - jump).min(axis=1)
            close = inexact[~(near > (radius[inexact] + error) * UP)]
            radius = radius.copy()
            radius[close] = inf
    sloped = pieces.lipschitz > 0
    slope_grid, exponent = pieces.exponents
    if sloped and exponent is not None:
        known = z.exponent is not None and slope_grid is not None
        exponent = min(exponent, (z.exponent or 0) + (slope_grid or 0)) if known else None
    if not sloped:
        radius = np.where(radius < inf, 0.0, inf)
    elif pieces.lipschitz != 1.0:
        radius = np.where(radius == 0, 0.0, radius * (pieces.lipschitz * UP + TINY) + TINY)
    total = pieces.lipschitz * z.bound + pieces.offset if sloped else pieces.offset
    exact = pieces.slope_error == 0 == pieces.intercept_error and fits(total * UP, exponent)
    if not (pieces.plain or exact):
        exponent = None
        z_norm = row_norms(z.values) if norm is None else norm * UP
        units = z.values.shape[1]
        added = (pieces.slope_error + 3 * UNIT * pieces.lipschitz) * z_norm
        added += units**0.5 * (pieces.intercept_error + 3 * UNIT * pieces.offset) + units * TINY
        radius = (radius + safety * added) * UP
        magnitude = pieces.lipschitz * z_norm + pieces.offset
        radius = np.where(magnitude < _LARGE, radius, inf)
    values = _apply(pieces, z.values)
    bound = inf if exponent is None else largest(values)
    return Signals(values, _proved(radius), exponent, bound)


def _apply(pieces: FloatPieces, z: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """φ(z), in place."""
    import numpy as np

    points, slopes, intercepts = pieces.breakpoints, pieces.slopes, pieces.intercepts
    if pieces.plain and points == (0.0,) and slopes == (0.0, 1.0) and intercepts[0] == 0.0:
        np.maximum(z, 0.0, out=z)
        return z
    if pieces.plain and points == (0.0,) and slopes == (-1.0, 1.0):
        np.abs(z, out=z)
        return z
    if pieces.plain and slopes == (0.0, 1.0, 0.0) and (intercepts[0], intercepts[2]) == points:
        np.clip(z, points[0], points[1], out=z)
        return z
    result = _line(z, slopes[0], intercepts[0])
    for point, slope, intercept in zip(points, slopes[1:], intercepts[1:], strict=True):
        np.copyto(result, _line(z, slope, intercept), where=z >= point)
    return result


def _line(z: np.ndarray[Any, Any], slope: float, intercept: float) -> np.ndarray[Any, Any]:
    import numpy as np

    if slope == 0.0:
        return np.full(z.shape, intercept)
    line: np.ndarray[Any, Any] = z * slope
    if intercept:
        line += intercept
    return line
