"""Real roots of integer polynomials: counting, isolating and narrowing, all in exact arithmetic.

Counting uses Descartes' rule of signs on an interval: the number of sign variations of
``(1 + x)**n p((lo + hi x) / (1 + x))`` is at least the number of roots in the open interval
(lo, hi), of the same parity, and for a squarefree p it is exact once the interval is short enough
(Vincent's theorem in the form of Collins & Akritas 1976 and Obreshkoff). Only the values 0 and 1
are taken as counts; anything else is halved further.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from gmpy2 import mpq, mpz

from ermbit_instances.integer_polynomials import Coefficients, to_fmpq
from ermbit_instances.rational import floor


@dataclass(frozen=True, slots=True)
class DyadicCell:
    """The closed interval [index / 2**depth, (index + 1) / 2**depth]."""

    index: int
    depth: int

    @property
    def lower(self) -> mpq:
        return mpq(self.index, 1 << self.depth)

    @property
    def upper(self) -> mpq:
        return mpq(self.index + 1, 1 << self.depth)


def sign_at(coefficients: Coefficients, point: mpq) -> int:
    """The sign (-1, 0, 1) of the polynomial at a rational point."""
    return _sign(_homogeneous(coefficients, point.numerator, point.denominator))


def count_roots(coefficients: Coefficients, lo: mpq, hi: mpq) -> int:
    """The number of distinct real roots in the closed interval [lo, hi].

    The polynomial must be squarefree (irreducible ones are); otherwise this need not end.
    """
    if lo > hi:
        return 0
    count = int(sign_at(coefficients, lo) == 0)
    if lo == hi:
        return count
    count += int(sign_at(coefficients, hi) == 0)
    open_intervals = [(lo, hi)]
    while open_intervals:
        left, right = open_intervals.pop()
        bound = _variations_inside(coefficients, left, right)
        if bound <= 1:
            count += bound
            continue
        middle = (left + right) / 2
        count += int(sign_at(coefficients, middle) == 0)
        open_intervals += [(left, middle), (middle, right)]
    return count


def root_exceeds(coefficients: Coefficients, lo: mpq, hi: mpq, point: mpq) -> bool:
    """Whether the root in (lo, hi) is greater than ``point``.

    The polynomial has no rational root and exactly one root, a simple one, in [lo, hi].
    """
    if point <= lo:
        return True
    if point >= hi:
        return False
    return sign_at(coefficients, point) == sign_at(coefficients, lo)


def isolating_cell(coefficients: Coefficients, lo: mpq, hi: mpq) -> DyadicCell:
    """The canonical cell of the only root in [lo, hi]: a function of polynomial and root alone.

    It is the first cell with one sign variation among ``[floor(2**d x) / 2**d, (floor(2**d x) + 1)
    / 2**d]``, d = 0, 1, ..., x the root. The polynomial is irreducible of degree at least 2, so no
    cell has a root at an end.
    """
    low, high = floor(lo), floor(hi)
    while low < high:
        middle = (low + high + 1) // 2
        if root_exceeds(coefficients, lo, hi, mpq(middle)):
            low = middle
        else:
            high = middle - 1
    cell = DyadicCell(low, 0)
    while _variations_inside(coefficients, cell.lower, cell.upper) != 1:
        index, depth = 2 * cell.index, cell.depth + 1
        right_half = root_exceeds(coefficients, lo, hi, mpq(index + 1, 1 << depth))
        cell = DyadicCell(index + int(right_half), depth)
    return cell


def narrow(coefficients: Coefficients, cell: DyadicCell, depth: int) -> DyadicCell:
    """The cell of the same root at ``depth``, or ``cell`` itself if it is that deep already.

    The polynomial has no rational root and one root in the cell, a simple one. Quadratic interval
    refinement (Abbott 2014): interpolate linearly to guess the right one of 2**step parts, keep
    the guess only if the exact signs at both its ends confirm it; one step is a plain halving.
    """
    step = 1
    while cell.depth < depth:
        step = min(step, depth - cell.depth)
        part = _confirmed_part(coefficients, cell, step)
        if part is None:
            step = max(1, step // 2)
        else:
            cell = DyadicCell((cell.index << step) + part, cell.depth + step)
            step *= 2
    return cell


def _confirmed_part(coefficients: Coefficients, cell: DyadicCell, step: int) -> int | None:
    """The number of the part with the root among 2**step parts of the cell, None if not guessed.

    Never None for step 1.
    """
    parts = 1 << step
    base, scale = cell.index << step, 1 << (cell.depth + step)
    at_lower = _homogeneous(coefficients, base, scale)
    at_upper = _homogeneous(coefficients, base + parts, scale)
    below = _sign(at_lower)
    guess = int(parts * abs(at_lower) // (abs(at_lower) + abs(at_upper)))
    guess = min(max(guess, 1), parts - 1)

    def root_right_of(part: int) -> bool:
        if part <= 0:
            return True
        if part >= parts:
            return False
        return _sign(_homogeneous(coefficients, base + part, scale)) == below

    if root_right_of(guess):
        return None if root_right_of(guess + 1) else guess
    return guess - 1 if root_right_of(guess - 1) else None


def _variations_inside(coefficients: Coefficients, lo: mpq, hi: mpq) -> int:
    """Sign variations of ``(1 + x)**n p((lo + hi x) / (1 + x))`` for lo < hi."""
    from flint import fmpq_poly, fmpz_poly

    line = fmpq_poly([to_fmpq(lo), to_fmpq(hi - lo)])
    unit_interval = fmpq_poly(list(coefficients))(line).numer()
    # x -> 1 / (1 + x) maps the positive numbers onto (0, 1).
    mapped = fmpz_poly(unit_interval.coeffs()[::-1])(fmpz_poly([1, 1]))
    return _sign_changes([_sign(int(value)) for value in mapped.coeffs()])


def _sign_changes(signs: Sequence[int]) -> int:
    nonzero = [sign for sign in signs if sign]
    return sum(first != second for first, second in pairwise(nonzero))


def _homogeneous(coefficients: Coefficients, numerator: int, denominator: int) -> mpz:
    """``p(numerator / denominator) * denominator**n``, an integer."""
    total = mpz(0)
    power = mpz(1)
    for coefficient in reversed(coefficients):
        total = total * numerator + coefficient * power
        power *= denominator
    return total


def _sign(value: mpz | int) -> int:
    return int(value > 0) - int(value < 0)
