"""Polynomial activations in float64 with proved error radii.

As in :mod:`ermbit.verifier.bulk.filter` z are a sample's true pre-activations, ẑ the floats,
ρ ≥ ‖z − ẑ‖, m the number of units, u = 2^−53. φ(t) = Σ c_k t^k has degree d ≤ 64; ĉ_k are its
coefficients as floats, ε_k ≥ |c_k − ĉ_k|, c̄_k ≥ |c_k|, |ĉ_k|. Let M = max_j |ẑ_j| + ρ + TINY,
TINY = 2^−960. All of ẑ_j, z_j are in [−M, M]. Horner's scheme computes h_d = ĉ_d,
h_{k−1} = fl(fl(h_k ẑ) + ĉ_{k−1}), and φ̂(ẑ) = h_0.

**Propagation.** On [−M, M] the slope of φ is at most Λ = Σ k c̄_k M^{k−1}, and with |z_j − ẑ_j| for
each unit, ‖φ(z) − φ(ẑ)‖ ≤ Λρ: no sign has to be certain.

**Coefficients.** Those of φ in place of ĉ change φ(ẑ_j) by at most E = Σ ε_k M^k.

**Rounding.** |φ̂(ẑ_j) − Σ ĉ_k ẑ_j^k| ≤ γ_{2d} φ̃(M), φ̃(M) = Σ c̄_k M^k (Higham 2002, §5.1, (5.3));
γ_{2d} ≤ (2d + 1)u since d ≤ 64. Steps with a coefficient 0 or a leading 1 only leave roundings out.

**Underflow.** In step k results and operands that are lost or flushed to zero change h_{k−1} by at
most 2^−1022(4 + |h_k| + M), and what follows multiplies that by M^{k−1}, up to 1 + 2^−40. Now
Σ_k |h_k| M^{k−1} ≤ Σ_k Σ_{i≥k} c̄_i M^{i−1} = Λ up to the same factor, so all steps together lose
less than TINY·(d(1 + M)^d + Λ).

**Overflow.** All |h_k| and |h_k ẑ_j| are at most A = Σ c̄_k times (1 + M)^d, up to 1 + 2^−40. With
A(1 + M)^d < 2^1000 nothing overflows; otherwise, or if a NaN comes in, the radius is infinite.

**Together** ρ' = Λρ + √m((2d + 1)u φ̃ + E + TINY·(d(1 + M)^d + Λ)).

**Grids** (docs/theory.md E7). Let ẑ lie on the multiples of 2^e with |ẑ_j| ≤ B, and ĉ_k = c_k on
those of 2^{g_k}. Then h_k lies on 2^{e_k} with e_d = g_d, e_{k−1} = min(e_k + e, g_{k−1}), and
|h_k| ≤ H_k with H_{k−1} = H_k B + c̄_{k−1}. If H_k ≤ 2^53·2^{e_k} for all k, nothing is rounded: the
product is on the grid 2^{e_k + e}, no finer than that of the sum, and below the bound of the sum.
So ρ' = Λρ then, and 0 if ρ is. For ``square`` that is: multiples of 2^{2e} up to 2^53·2^{2e}.

**The bounds' own rounding.** Λ, φ̃, E, (1 + M)^d are sums and products of numbers ≥ 0: at most 130
operations, a relative error below 2^−44, which the factors UP = 1 + 2^−20 cover. They need not be
normal numbers: what underflow takes from Λ, φ̃ and E, evaluated by Horner's scheme as well, is less
than TINY·d(1 + M)^d by the same count (M itself is normal), and that is added to each of them. What
it takes from Λρ is less than TINY, which is added unless ρ = 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ermbit.verifier.bulk.float_table import (
    HIGHEST,
    TINY,
    UNIT,
    UP,
    Signals,
    enclose,
    fits,
    largest,
    quantum_exponent,
    round_up,
)
from ermbit_instances.activation import Activation

if TYPE_CHECKING:
    import numpy as np

_LARGE = 2.0**1000


@dataclass(frozen=True)
class FloatPolynomial:
    """A polynomial φ of degree ≥ 2 in float64; coefficients ascend.

    Attributes:
        coefficients: ĉ, rounded.
        errors: ε, bounds of their rounding errors; 0 iff a coefficient is the float.
        sizes: c̄, rounded up.
        slopes: k c̄_k for k = 1 … d.
        exponents: grids g of the coefficients; ``None`` where one is rounded.
    """

    coefficients: tuple[float, ...]
    errors: tuple[float, ...]
    sizes: tuple[float, ...]
    slopes: tuple[float, ...]
    exponents: tuple[int | None, ...]

    @property
    def degree(self) -> int:
        return len(self.coefficients) - 1


def float_polynomial(activation: Activation) -> FloatPolynomial:
    """φ in float64; for the kind ``polynomial`` only."""
    import numpy as np

    pairs = [enclose(c) for c in activation.coefficients]
    # The float nearest to a number may be larger than the number, but not than this float.
    sizes = tuple(round_up(abs(c)) for c in activation.coefficients)
    return FloatPolynomial(
        tuple(c for c, _ in pairs),
        tuple(r for _, r in pairs),
        sizes,
        tuple(k * size * UP for k, size in enumerate(sizes))[1:],
        tuple(None if r else quantum_exponent(np.array([c])) for c, r in pairs),
    )


def activate_polynomial(phi: FloatPolynomial, z: Signals, safety: float) -> Signals:
    """φ(ẑ) with its radius; overwrites the values of ``z``.

    Args:
        phi: the activation.
        z: pre-activations, samples × units.
        safety: factor on the errors that the evaluation adds (1 is what the proof needs).
    """
    import numpy as np

    exponent = _grid(phi, z)
    radius = z.radius
    if exponent is None or radius.any():
        top = np.maximum(z.values.max(axis=1), -z.values.min(axis=1))
        m = (top + radius) * UP + TINY
        powers = np.ones(len(m))
        for _ in range(phi.degree):
            powers *= 1.0 + m
        lost = (phi.degree * TINY * UP) * powers
        slope = _horner(phi.slopes, m) * UP + lost
        magnitude = sum(phi.sizes) * UP * powers
        radius = np.where(radius == 0, 0.0, slope * radius + TINY)
        if exponent is None:
            added = (2 * phi.degree + 1) * UNIT * (_horner(phi.sizes, m) * UP + lost)
            if any(phi.errors):
                added += _horner(phi.errors, m) * UP + lost
            added += lost + TINY * slope
            radius += safety * z.values.shape[1] ** 0.5 * added
        radius = radius * UP
        # Comparisons with NaN fail.
        radius = np.where((magnitude < _LARGE) & (radius < _LARGE), radius, np.inf)
    values = _evaluate(phi, z.values)
    bound = np.inf if exponent is None else largest(values)
    return Signals(values, radius, exponent, bound)


def _grid(phi: FloatPolynomial, z: Signals) -> int | None:
    """The grid of φ(ẑ) if Horner's scheme rounds nothing, else ``None``."""
    if z.exponent is None or any(g is None for g in phi.exponents):
        return None
    exponent, bound = HIGHEST, 0.0
    terms = zip(reversed(phi.exponents), reversed(phi.sizes), strict=True)
    for k, (own, size) in enumerate(terms):
        assert own is not None
        exponent = own if k == 0 else min(exponent + z.exponent, own)
        bound = (bound * z.bound + size) * UP
        if not fits(bound, exponent):
            return None
    return exponent


def _horner(coefficients: tuple[float, ...], m: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Σ coefficients[k] m^k."""
    import numpy as np

    total = np.full(len(m), coefficients[-1])
    for c in coefficients[-2::-1]:
        total *= m
        total += c
    return total


def _evaluate(phi: FloatPolynomial, z: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """φ(ẑ) by Horner's scheme, in place if φ is t²."""
    import numpy as np

    c = phi.coefficients
    if c == (0.0, 0.0, 1.0):
        np.multiply(z, z, out=z)
        return z
    value: np.ndarray[Any, Any] = z.copy() if c[-1] == 1.0 else z * c[-1]
    for k in range(phi.degree - 1, -1, -1):
        if c[k]:
            value += c[k]
        if k:
            value *= z
    return value
