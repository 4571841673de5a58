"""Programs with free weights that samples pin to their values (docs/reductions.md 7).

The network of a program with one neuron a gate uses few distinct weights c_1..c_K. Each becomes a
shared free parameter θ_k, and the output reads K further inputs z_k with the weights θ_k. The main
sample has (x0, z) = (1, 0), the pins have x0 = 0; there the program contributes some D(θ), the
same for all of them, with D(c) = 0, and D(θ) = 0 for all θ if σ(0) = 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from gmpy2 import mpq

from ermbit_instances import limits
from ermbit_instances.errors import LimitError, UsageError
from ermbit_instances.rational import Rational, bit_length, write_rational
from ermbit_instances.straight_line.wires import Form, Wiring

PINS = ("bounded", "relu")
DOMAINS = {"bounded": ("rational", "finite"), "relu": ("real", "rational", "finite")}
"""Domains of the free weights by pin, the default first."""


@dataclass(frozen=True)
class Pinned:
    """Parts of an instance document, and the certificate's parameters.

    ``network``, ``weights``, ``data`` and ``threshold`` go into the document; ``parameters`` are
    θ = c, accepted iff V ≤ 0.
    """

    network: dict[str, Any]
    weights: dict[str, Any]
    data: dict[str, Any]
    threshold: int
    parameters: dict[str, int | str]


def pinned(wiring: Wiring, form: Form, pin: str, domain: str | None = None) -> Pinned:
    """Free the weights of a gatewise network and pin them.

    Args:
        wiring: a gatewise network; all its weights become shared parameters.
        form: what the output reads: V for ``relu``; for ``bounded`` a value of at most 1 that has
            the sign of V.
        pin: ``bounded`` (threshold 1; right for domains with a least distance) or ``relu``
            (threshold 0, a ReLU at the output; right for every domain).
        domain: of the free weights: ``rational`` with just enough bits, ``finite`` (the weights
            themselves) or ``real`` (``relu`` only).

    Raises:
        UsageError: no such pin, or a domain that it is not right for.
        LimitError: the weights need more bits than a domain may have.
    """
    if pin not in PINS:
        raise UsageError(f"pin: expected one of {', '.join(PINS)}, not {pin!r:.60}")
    domain = DOMAINS[pin][0] if domain is None else domain
    if domain not in DOMAINS[pin]:
        known = ", ".join(DOMAINS[pin])
        raise UsageError(f"domain: pin {pin} is right for {known}, not {domain!r:.60}")
    values = sorted({*wiring.weights(), *form.values()})
    names = {value: f"c{k}" for k, value in enumerate(values, 1)}
    bits = max(map(bit_length, values))
    if domain == "rational" and bits > limits.DOMAIN_BITS.value:
        raise LimitError(
            f"weights of {bits} bits, more than the limit of {limits.DOMAIN_BITS.value}"
        )
    weights: dict[str, Any] = {"domain": domain}
    if domain == "rational":
        weights["bits"] = bits
    elif domain == "finite":
        weights["values"] = [write_rational(value) for value in values]
    if pin == "bounded":
        x, y = _bounded_samples(values, _scale(values, domain))
    else:
        x, y = _relu_samples(values)
    if not wiring.gate.vanishes_at_zero:
        # D(θ) is not known to be 0: one more sample says so.
        if pin == "bounded":
            x.append([mpq(0)] * (len(values) + 1))
            y.append(mpq(0))
        else:
            x.append([2 * entry for entry in x[1]])
            y.append(2 * y[1])
    output = {
        "id": "f",
        "inputs": {
            **{source: {"param": names[c]} for source, c in form.items()},
            **{f"x{k}": {"param": names[value]} for k, value in enumerate(values, 1)},
        },
        "bias": 0,
        "activation": "relu" if pin == "relu" else "identity",
    }
    return Pinned(
        {
            "inputs": len(values) + 1,
            "neurons": [*wiring.neuron_documents(names), output],
            "outputs": ["f"],
        },
        weights,
        {
            "x": [[write_rational(v) for v in row] for row in x],
            "y": [[write_rational(v)] for v in y],
        },
        int(pin == "bounded"),
        {names[value]: write_rational(value) for value in values},
    )


def _scale(values: list[Rational], domain: str) -> Rational:
    """S ≥ 2/δ, δ a lower bound on the distance of a weight to any other value of the domain."""
    if domain == "rational":
        # |p/q − p'/q'| ≥ 1/(q q') > 4^−B.
        return mpq(2 * 4 ** max(map(bit_length, values)))
    gaps = [b - a for a, b in pairwise(values)]
    return 2 / min(gaps, default=mpq(1))


def _bounded_samples(
    values: list[Rational], scale: Rational
) -> tuple[list[list[Rational]], list[Rational]]:
    """(1, 0) → −1 and (0, S e_k) → S c_k. A wrong θ_k costs at least 2."""
    x = [_row(mpq(1), len(values))]
    y = [mpq(-1)]
    for k, value in enumerate(values, 1):
        x.append(_row(mpq(0), len(values)))
        x[-1][k] = scale
        y.append(scale * value)
    return x, y


def _relu_samples(values: list[Rational]) -> tuple[list[list[Rational]], list[Rational]]:
    """(1, 0) → 0 and (0, sgn(c_k) e_k) → |c_k|, which is positive: the ReLU is then linear."""
    x = [_row(mpq(1), len(values))]
    y = [mpq(0)]
    for k, value in enumerate(values, 1):
        x.append(_row(mpq(0), len(values)))
        x[-1][k] = mpq(1 if value > 0 else -1)
        y.append(abs(value))
    return x, y


def _row(first: Rational, count: int) -> list[Rational]:
    return [first, *[mpq(0)] * count]
