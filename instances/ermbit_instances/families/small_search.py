"""Every network with one small hidden layer over a small domain, by its units' value tables.

A hidden unit matters through the vector of its values at all samples only. All vectors v·u, u the
table of a unit and v an output weight, are listed once; exact fits are sums of h of them, found by
a list of half sums (meet in the middle), sign conditions by going through all multisets.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement, product
from typing import Literal

from gmpy2 import mpq

from ermbit_instances.activation import Activation
from ermbit_instances.families.layered import Weights
from ermbit_instances.rational import Rational

LARGEST = 100_000
"""Most units, half sums or multisets that a search goes through."""

_CELLS = 200_000

Goal = Literal["equal", "margin", "sign"]
Vector = tuple[Rational, ...]
Term = tuple[Rational, Vector]
"""An output weight, and a unit: its weights and then its bias."""


class TooLargeError(Exception):
    """The search was not begun: it would go through more than the limits."""


def search(
    values: Sequence[Rational],
    activation: Activation,
    hidden: int,
    x: Sequence[Sequence[int]],
    y: Sequence[int],
    goal: Goal,
) -> Weights | None:
    """θ over the domain ``values`` with f(x) = y, y·f(x) ≥ 1 or y·f(x) > 0 at every sample.

    One hidden layer of ``hidden`` ≥ 1 units and one output, all with biases. None is a proof by
    enumeration that there is no such θ.

    Raises:
        TooLargeError: before the search, or for units that take a maximum.
    """
    n = len(x[0])
    if activation.kind == "max" or len(values) ** (n + 1) * len(x) > _CELLS:
        raise TooLargeError
    tables: dict[Vector, Vector] = {}
    for unit in product(values, repeat=n + 1):
        table = tuple(
            activation(sum((w * b for w, b in zip(unit, bits, strict=False)), unit[n]))
            for bits in x
        )
        tables.setdefault(table, unit)
    terms: dict[Vector, Term] = {}
    for table, unit in tables.items():
        for v in values:
            terms.setdefault(tuple(v * entry for entry in table), (v, unit))
    wanted = tuple(mpq(target) for target in y)
    if goal == "equal":
        found = _exact_fit(list(terms), hidden, values, wanted)
    else:
        found = _sign_fit(list(terms), hidden, values, wanted, goal == "margin")
    if found is None:
        return None
    bias, vectors = found
    chosen = [terms[vector] for vector in vectors]
    rows = tuple(unit[:n] for _, unit in chosen)
    return Weights(
        (rows, (tuple(v for v, _ in chosen),)),
        (tuple(unit[n] for _, unit in chosen), (bias,)),
    )


def _exact_fit(
    vectors: Sequence[Vector], hidden: int, biases: Sequence[Rational], wanted: Vector
) -> tuple[Rational, tuple[Vector, ...]] | None:
    upper, lower = hidden - hidden // 2, hidden // 2
    if len(vectors) ** upper > LARGEST or len(vectors) ** lower * len(biases) > LARGEST:
        raise TooLargeError
    halves = {_total(chosen, wanted): chosen for chosen in _multisets(vectors, upper)}
    for rest in _multisets(vectors, lower):
        missing = [t - s for t, s in zip(wanted, _total(rest, wanted), strict=True)]
        for bias in biases:
            other = halves.get(tuple(entry - bias for entry in missing))
            if other is not None:
                return bias, (*other, *rest)
    return None


def _sign_fit(
    vectors: Sequence[Vector],
    hidden: int,
    biases: Sequence[Rational],
    wanted: Vector,
    margin: bool,
) -> tuple[Rational, tuple[Vector, ...]] | None:
    if len(vectors) ** hidden * len(biases) > LARGEST:
        raise TooLargeError
    for chosen in _multisets(vectors, hidden):
        total = _total(chosen, wanted)
        for bias in biases:
            signed = [t * (s + bias) for t, s in zip(wanted, total, strict=True)]
            if all(value >= 1 if margin else value > 0 for value in signed):
                return bias, chosen
    return None


def _multisets(vectors: Sequence[Vector], size: int) -> Sequence[tuple[Vector, ...]]:
    return list(combinations_with_replacement(vectors, size))


def _total(chosen: Sequence[Vector], like: Vector) -> Vector:
    """The sum of vectors of the length of ``like``; zeros for none."""
    columns = zip(*chosen, strict=True) if chosen else ((),) * len(like)
    return tuple(sum(column, mpq(0)) for column in columns)
