"""Rational certificates near algebraic ones.

If the constraints leave room around an algebraic model, some rational point close by is a
certificate too, and a rational certificate is what users want. Every candidate is evaluated
exactly; where none of them passes, the algebraic certificate stands.
"""

from __future__ import annotations

from gmpy2 import mpq

from ermbit.verifier.verify import exact_loss
from ermbit_instances.certificate import Value
from ermbit_instances.instance import Instance
from ermbit_instances.rational import Rational, simplest_between

PRECISIONS = (4, 8, 16, 32, 64)
"""Bits after the point that are kept, one attempt each."""


def rational_nearby(
    instance: Instance, values: tuple[Value, ...], threshold: Rational
) -> tuple[Rational, ...] | None:
    """A rational θ close to an algebraic one with L(θ) ≤ threshold, or ``None``.

    Returns the values themselves if they are rational already.
    """
    if all(isinstance(v, mpq) for v in values):
        return values
    for bits in PRECISIONS:
        rounded = tuple(_round(v, bits) for v in values)
        inside = all(
            v in p.domain for v, p in zip(rounded, instance.network.parameters, strict=True)
        )
        if inside and exact_loss(instance, rounded)[0] <= threshold:
            return rounded
    return None


def _round(value: Value, bits: int) -> Rational:
    if isinstance(value, mpq):
        return value
    low, high = value.bounds(bits + 4)
    radius = mpq(1, 1 << bits)
    return simplest_between(low - radius, high + radius)
