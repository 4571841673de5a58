"""Signs of polynomials in one parameter: a value of its domain that has them all, or none has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from gmpy2 import mpq

from ermbit_instances.certificate import Value
from ermbit_instances.domain import Domain
from ermbit_instances.rational import Rational, ceil, floor, simplest_between


def candidates(roots: Iterable[Value], domain: Domain) -> Iterator[Value]:
    """Values of the domain such that every sign pattern that one of its members has occurs.

    The real roots of some polynomials cut the line into points and open intervals on which all of
    them have constant signs: a member of each is enough.
    """
    roots = sorted(set(roots))
    if domain.size is None:
        yield from _between(roots)
        return
    for root in roots:
        if root in domain:
            yield root
    low, high = domain.low, domain.high
    assert low is not None and high is not None
    ends: list[Value | None] = [None, *roots, None]
    for left, right in pairwise(ends):
        member = domain.above(low) if left is None else _next_above(domain, left)
        if member is not None and (right is None or member < right):
            yield member


def _between(roots: Sequence[Value]) -> Iterator[Value]:
    """Rational points in all open intervals, then the roots."""
    if not roots:
        yield mpq(0)
        return
    yield mpq(_whole(roots[0], up=False) - 1)
    for left, right in pairwise(roots):
        yield _simplest(left, right)
    yield mpq(_whole(roots[-1], up=True) + 1)
    yield from roots


def _whole(value: Value, *, up: bool) -> int:
    """An integer at or beyond a number."""
    if isinstance(value, mpq):
        return int(ceil(value) if up else floor(value))
    low, high = value.bounds(1)
    return int(ceil(high) if up else floor(low))


def _simplest(left: Value, right: Value) -> Rational:
    """A short rational strictly between two different numbers."""
    bits = 4
    while True:
        low = left if isinstance(left, mpq) else left.bounds(bits)[1]
        high = right if isinstance(right, mpq) else right.bounds(bits)[0]
        if low < high:
            return simplest_between(low, high, open_low=True, open_high=True)
        bits *= 2


def _next_above(domain: Domain, value: Value) -> Rational | None:
    """The least member of a finite domain that is greater than a number."""
    if isinstance(value, mpq):
        return _strictly_above(domain, value)
    bits = 8
    while True:
        low, high = value.bounds(bits)
        first, second = domain.above(low), domain.above(high)
        # No member lies in the enclosure, so none lies between its ends and the number.
        if first == second:
            return first
        bits *= 2


def _strictly_above(domain: Domain, value: Rational) -> Rational | None:
    if value not in domain:
        return domain.above(value)
    gap = mpq(1)
    while True:
        # Steps that shrink until the member found above is one also for half the step.
        member = domain.above(value + gap)
        closer = domain.above(value + gap / 2)
        if member == closer and _is_next(domain, value, member):
            return member
        gap /= 2


def _is_next(domain: Domain, value: Rational, member: Rational | None) -> bool:
    """Whether no member lies strictly between the value and the member (or above the value)."""
    if member is None:
        below = domain.high
        return bool(below == value)
    below = domain.below((value + member) / 2)
    return bool(below == value and domain.above((value + member) / 2) == member)
