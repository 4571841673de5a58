"""Sums of square roots (docs/reductions.md 10).

Source: positive integers a_1..a_n with signs. Is S = ± √a_1 ± … ± √a_n ≤ 0? Not known to be in NP
(Garey, Graham & Johnson 1976).

Two ways. *Direct* (10A), over the reals: h_i = (p_i x_i)^2, output (h_0 + Σ ± h_i)^2; a sample
e_i → a_i says p_i^4 = a_i, the sample (1, …, 1) → 0 says p_0^2 + S = 0. *By program* (10B): a
straight-line program whose value V is ≤ 0 iff S is, made by Newton's iteration, to be compiled by
:mod:`ermbit_instances.straight_line`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import isqrt
from typing import TYPE_CHECKING

from gmpy2 import mpq

from ermbit_instances.algebraic import (
    AlgebraicLimitError,
    AlgebraicNumber,
    algebraic,
    enclosed_root,
)
from ermbit_instances.documents import Document, instance_document
from ermbit_instances.errors import UsageError
from ermbit_instances.rational import floor
from ermbit_instances.reductions.vectors import unit
from ermbit_instances.straight_line.program import Instruction, Operation, Program

if TYPE_CHECKING:
    from ermbit_instances.certificate import Value
    from ermbit_instances.domain import Domain

LARGEST = 64
"""Most terms."""

CERTIFICATE_DEGREE = 64
"""Degree of a number field of p_1..p_n up to which certificates are written: that of the whole
certificate may be twice as large, and it is verified in that field."""


@dataclass(frozen=True)
class RootSum:
    """S = Σ sign(t) √abs(t) over the terms t ≠ 0. Raises UsageError for none or too many."""

    terms: tuple[int, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.terms) <= LARGEST:
            raise UsageError(f"square roots: expected 1..{LARGEST} terms, not {len(self.terms)}")
        if 0 in self.terms:
            raise UsageError("square roots: a term is 0")

    def sign(self) -> int:
        """-1, 0 or 1, exactly.

        Terms whose product is a square are rational multiples of each other. What is left after
        adding these are square roots of numbers with different squarefree parts, which are linearly
        independent over Q (Besicovitch 1940): so S = 0 iff nothing is left, and otherwise
        enclosures of growing precision end.
        """
        classes: list[tuple[int, mpq]] = []
        for term in self.terms:
            size = abs(term)
            for k, (base, factor) in enumerate(classes):
                root = isqrt(base * size)
                if root * root == base * size:
                    # √size = root / base · √base
                    classes[k] = base, factor + mpq(root, base) * (1 if term > 0 else -1)
                    break
            else:
                classes.append((size, mpq(1 if term > 0 else -1)))
        left = [(base, factor) for base, factor in classes if factor != 0]
        bits = 16
        while left:
            low = high = mpq(0)
            for base, factor in left:
                below = isqrt(base << (2 * bits))
                ends = sorted(factor * mpq(below + k, 1 << bits) for k in (0, 1))
                low, high = low + ends[0], high + ends[1]
            if low > 0 or high < 0:
                return 1 if low > 0 else -1
            bits *= 2
        return 0


def instance(source: RootSum, weights: Document, loss: str = "absolute") -> Document:
    """The direct instance over the domain object ``weights``; γ = 0. ``meta`` has the terms."""
    n = len(source.terms)
    units = [
        {
            "id": f"h{i}",
            "inputs": {f"x{i}": {"param": f"p{i}"}},
            "bias": 0,
            "activation": "square",
        }
        for i in range(n + 1)
    ]
    outer = {"h0": 1} | {f"h{i}": 1 if t > 0 else -1 for i, t in enumerate(source.terms, 1)}
    output = {"id": "f", "inputs": outer, "bias": 0, "activation": "square"}
    return instance_document(
        "square-roots-" + "-".join(str(abs(t)) for t in source.terms[:6]),
        {"inputs": n + 1, "neurons": [*units, output], "outputs": ["f"]},
        weights,
        {
            "x": [*(unit(i, n + 1) for i in range(1, n + 1)), [1] * (n + 1)],
            "y": [*([abs(t)] for t in source.terms), [0]],
        },
        {"name": loss, "reduction": "sum"},
        0,
        {"terms": list(source.terms)},
    )


def certificate(source: RootSum) -> tuple[Value, ...] | None:
    """p_0 = √(-S), p_i = abs(t_i)^(1/4) by parameter number.

    ``None`` if S > 0, or if the number field would have too large a degree.
    """
    sizes = {abs(t) for t in source.terms}
    if source.sign() > 0:
        return None
    irrational = {a for a in sizes if isqrt(isqrt(a)) ** 4 != a}
    if min(4 ** len(irrational), 4 ** len(_primes(irrational, 4))) > CERTIFICATE_DEGREE:
        return None
    roots = {a: algebraic([-a, 0, 1], mpq(0), mpq(a)) for a in sizes}
    fourth = {a: algebraic([-a, 0, 0, 0, 1], mpq(0), mpq(a)) for a in sizes}
    total: Value = mpq(0)
    try:
        for term in source.terms:
            total = total + (roots[term] if term > 0 else -roots[-term])
        first = _square_root(-total)
    except AlgebraicLimitError:
        return None
    return (first, *(fourth[abs(t)] for t in source.terms))


def _primes(numbers: set[int], most: int) -> set[int]:
    """Prime divisors by trial division; factors without a small divisor count as one of them.

    May stop as soon as there are more than ``most``.
    """
    found: set[int] = set()
    for number in numbers:
        divisor = 2
        while divisor * divisor <= number and divisor < 10_000 and len(found) <= most:
            if number % divisor == 0:
                found.add(divisor)
                number //= divisor
            else:
                divisor += 1
        if number > 1:
            found.add(number)
    return found


def _square_root(value: Value) -> Value:
    """The square root ≥ 0 of a number ≥ 0."""
    if not isinstance(value, AlgebraicNumber):
        top = max(value, mpq(1))
        return algebraic([-int(value.numerator), 0, int(value.denominator)], mpq(0), top)
    spread = [0] * (2 * value.degree + 1)
    spread[::2] = value.coefficients

    def enclosure(bits: int) -> tuple[mpq, mpq]:
        low, high = value.bounds(2 * bits)
        below = isqrt(int(floor(max(low, mpq(0)) * 4**bits)))
        above = isqrt(int(floor(high * 4**bits))) + 1
        return mpq(below, 2**bits), mpq(above, 2**bits)

    return enclosed_root(tuple(spread), enclosure)


def within(source: RootSum, domain: Domain) -> tuple[Value, ...] | None:
    """Values of loss 0 in a domain of rational numbers, ``None`` if there are none.

    All of them have p_i = ± abs(t_i)^(1/4) and p_0 = ± √(-S), so they are rational only if all
    terms are fourth powers.
    """
    fourth = [isqrt(isqrt(abs(t))) for t in source.terms]
    if any(r**4 != abs(t) for r, t in zip(fourth, source.terms, strict=True)):
        return None
    values = certificate(source)
    found: list[Value] = []
    for value in values or ():
        signed = [v for v in (value, -value) if v in domain]
        if not signed:
            return None
        found.append(signed[0])
    return tuple(found) or None


def solution(source: RootSum, values: Sequence[Value]) -> tuple[Value, ...]:
    """What a θ of loss 0 proves: -S = p_0^2 ≥ 0, and the square roots p_i^2; in this order.

    Raises:
        UsageError: the values are no certificate.
    """
    if len(values) != len(source.terms) + 1:
        raise UsageError(f"square roots: expected {len(source.terms) + 1} values")
    squares = [value**2 for value in values]
    if any(s**2 != abs(t) for s, t in zip(squares[1:], source.terms, strict=True)):
        raise UsageError("square roots: a value is no fourth root of its term")
    # With p_i^4 = abs(t_i) the sum is S itself, so p_0 exists iff S ≤ 0.
    total: Value = squares[0]
    for square, term in zip(squares[1:], source.terms, strict=True):
        total = total + (square if term > 0 else -square)
    if total != 0:
        raise UsageError("square roots: the square of the first value is not minus the sum")
    return tuple(squares)


# ---------------------------------------------------------------- as a program


def program(source: RootSum) -> Program:
    """A straight-line program with V ≤ 0 iff S ≤ 0 (10B).

    p_i / q_i are Newton's approximations of √abs(t_i); their sum A differs from S by less than
    ½ H^(-2^n), H = max(2, n max abs(t)). If S ≠ 0 then abs(S) ≥ H^(-2^n), since S is an algebraic
    integer with at most 2^n conjugates of modulus ≤ H. So S ≤ 0 iff A ≤ ½ H^(-2^n), that is iff
    V = 2 H^(2^n) Σ ± p_i Π_{l≠i} q_l − Π q_l ≤ 0.
    """
    n = len(source.terms)
    height = max(2, n * max(abs(t) for t in source.terms))
    length = (height - 1).bit_length()
    lines = _Lines()
    pairs = []
    for term in source.terms:
        a = abs(term)
        steps = (a - 1).bit_length() + n + 2 + (length + 1).bit_length()
        number = lines.constant(a)
        p, q = number, lines.constant(1)
        for _ in range(steps):
            square = lines.add("*", q, q)
            above = lines.add("+", lines.add("*", p, p), lines.add("*", number, square))
            half = lines.add("*", p, q)
            p, q = above, lines.add("+", half, half)
        pairs.append((p, q))
    scale = lines.constant(height)
    for _ in range(n):
        scale = lines.add("*", scale, scale)
    scale = lines.add("+", scale, scale)
    denominator, numerator = lines.constant(1), lines.zero()
    for (p, q), term in zip(pairs, source.terms, strict=True):
        # N / D ± p / q = (N q ± p D) / (D q)
        crossed = lines.add("*", p, denominator)
        numerator = lines.add("+" if term > 0 else "-", lines.add("*", numerator, q), crossed)
        denominator = lines.add("*", denominator, q)
    lines.add("-", lines.add("*", scale, numerator), denominator)
    return Program(tuple(lines.instructions))


@dataclass
class _Lines:
    """A program that grows; constants are built from 1 once."""

    instructions: list[Instruction] = field(default_factory=list)
    _known: dict[int, int] = field(default_factory=dict)

    def add(self, operation: Operation, left: int = -1, right: int = -1) -> int:
        name = f"a{len(self.instructions)}"
        self.instructions.append(Instruction(name, operation, left, right))
        return len(self.instructions) - 1

    def constant(self, value: int) -> int:
        """The line with a positive integer, by doubling."""
        if value not in self._known:
            if value == 1:
                self._known[value] = self.add("1")
            else:
                half = self.constant(value // 2)
                twice = self.add("+", half, half)
                one = self.constant(1)
                self._known[value] = self.add("+", twice, one) if value % 2 else twice
        return self._known[value]

    def zero(self) -> int:
        one = self.constant(1)
        return self.add("-", one, one)
