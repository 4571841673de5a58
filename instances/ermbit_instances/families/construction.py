"""Networks with one hidden layer that are written down, not searched: their parameter values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from gmpy2 import mpq

from ermbit_instances.families.layered import Weights
from ermbit_instances.rational import Rational

# Hidden rows, hidden biases, output weights, output bias.
Construction = tuple[list[list[int]], list[int], list[Rational], Rational]


def padded(construction: Construction, hidden: int, n: int) -> Weights:
    """The construction with surplus hidden units of weight 0."""
    rows, offsets, outputs, bias = construction
    surplus = hidden - len(rows)
    matrix = [[mpq(w) for w in row] for row in rows] + [[mpq(0)] * n] * surplus
    return Weights(
        (tuple(map(tuple, matrix)), (tuple(outputs + [mpq(0)] * surplus),)),
        (tuple(mpq(b) for b in offsets + [0] * surplus), (bias,)),
    )


def signed(construction: Construction) -> Construction:
    """2f - 1: outputs -1 and 1 instead of 0 and 1."""
    rows, offsets, outputs, bias = construction
    return rows, offsets, [2 * v for v in outputs], 2 * bias - 1


def smallest_domain(values: Iterable[Rational]) -> str:
    """A symmetric integer domain with these values and ±1, over a denominator where one is needed.

    >>> smallest_domain([mpq(-3), mpq(1, 2)])
    'int:-6:6:2'
    """
    listed = [mpq(1), *values]
    denominator = max(int(value.denominator) for value in listed)
    most = int(max(abs(value) for value in listed) * denominator)
    suffix = "" if denominator == 1 else f":{denominator}"
    return f"int:-{most}:{most}{suffix}"


def symmetric_degree(values: Sequence[int]) -> int:
    """Degree of the polynomial in s through (s, values[s]), s = 0..n; -1 for the zero function.

    On 0/1 inputs a symmetric function with these values at s ones has that multilinear degree
    (Minsky & Papert 1969).
    """
    degree, differences, order = -1, list(values), 0
    while differences:
        if differences[0] != 0:
            degree = order
        differences = [b - a for a, b in pairwise(differences)]
        order += 1
    return degree


def multilinear_degree(table: Sequence[int]) -> int:
    """Degree of the multilinear polynomial of a function on 0/1 inputs; -1 for the zero function.

    ``table`` has 2^n values; bit i of the position is one of the inputs (Möbius transform).
    """
    coefficients = list(table)
    step = 1
    while step < len(coefficients):
        for position in range(len(coefficients)):
            if position & step:
                coefficients[position] -= coefficients[position ^ step]
        step *= 2
    return max((p.bit_count() for p, c in enumerate(coefficients) if c), default=-1)
