"""The values of the parameters' domains as floats: nearest members, and the way back.

A float stands for the member of the domain that :meth:`Values.exact` gives; for the reals and long
rational domains that is the simplest rational nearby.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite

import numpy as np
from gmpy2 import mpq

from ermbit.engines.training.network import Array
from ermbit_instances.domain import Domain, FiniteDomain, IntegerDomain
from ermbit_instances.float_domain import FloatDomain
from ermbit_instances.rational import Rational, from_float, simplest_between

LISTED_LIMIT = 2**17
"""Longest list of values that is made of one domain."""

LARGEST = 1e100
"""Values beyond this are not reached: their squares would overflow."""

COARSE = 1e-4
"""Tolerances from here on ask for simple numbers, smaller ones for what is meant by a float."""

DENOMINATORS = 64
"""Denominators up to this one count as simple."""


@dataclass(frozen=True)
class _Group:
    """Parameters of one domain: by a grid q, a list, or neither."""

    columns: Array
    domain: Domain
    grid: int | None
    members: Array | None
    exact: tuple[Rational, ...]


class Values:
    """The domains of all parameters.

    Args:
        domains: by parameter number.

    Attributes:
        low, high: (P,), infinite where there is no bound of use.
        simple: (P,), whether the parameter's values are found as simple rationals, not on a list.
        density: (P,), members per unit, roughly.
    """

    def __init__(self, domains: Sequence[Domain]) -> None:
        count = len(domains)
        self.low, self.high = np.full(count, -inf), np.full(count, inf)
        self.simple = np.zeros(count, dtype=np.bool_)
        self.density = np.ones(count)
        self._sizes: dict[tuple[int, int], Array] = {}
        columns: dict[int, list[int]] = {}
        for p, domain in enumerate(domains):
            columns.setdefault(id(domain), []).append(p)
        self.groups: list[_Group] = []
        self._group_of: list[_Group] = [None] * count  # type: ignore[list-item]
        for numbers in columns.values():
            group = _group(domains[numbers[0]], np.array(numbers))
            self.groups.append(group)
            for p in numbers:
                self._group_of[p] = group
            self.simple[numbers] = group.grid is None and group.members is None
            if group.grid is not None:
                self.density[numbers] = group.grid
            self.low[numbers], self.high[numbers] = _bounds(group.domain)
        self.count = count

    def nearest(self, theta: Array, tolerance: float = 0.25) -> Array:
        """The nearest members, elementwise.

        Args:
            theta: (…, P).
            tolerance: for simple rationals, how far off the one with the least denominator may be.
        """
        result = np.empty_like(theta)
        for group in self.groups:
            result[..., group.columns] = _nearest(group, theta[..., group.columns], tolerance)
        return np.clip(result, self.low, self.high)

    def nearest_of(self, p: int, values: Array, tolerance: float = 0.25) -> Array:
        """The nearest members of one parameter's domain."""
        group = self._group_of[p]
        return np.clip(_nearest(group, values, tolerance), self.low[p], self.high[p])

    def sizes(self, p: int, most: int) -> Array:
        """Absolute values of members of one parameter's domain, increasing, positive, a selection.

        For simple rationals only 1: their scale is free.
        """
        group = self._group_of[p]
        key = (int(group.columns[0]), most)
        if key not in self._sizes:
            self._sizes[key] = _sizes(group, most)
        return self._sizes[key]

    def exact(self, theta: Array, precision: int = 30) -> tuple[Rational, ...] | None:
        """θ as members of the domains, or ``None`` if one has no member nearby.

        Args:
            theta: (P,) floats.
            precision: bits after the point that matter, for simple rationals.
        """
        if not np.isfinite(theta).all():
            return None
        found = []
        for group, value in zip(self._group_of, theta.tolist(), strict=True):
            member = _exact(group, value, precision)
            if member is None:
                return None
            found.append(member)
        return tuple(found)


def _group(domain: Domain, columns: Array) -> _Group:
    if isinstance(domain, IntegerDomain):
        return _Group(columns, domain, domain.denominator, None, ())
    size = domain.size
    if size is not None and size <= LISTED_LIMIT:
        if isinstance(domain, FiniteDomain) or domain.grid is not None or size <= 4096:
            exact = tuple(v for v in domain.values() if abs(v) <= LARGEST)
            members = np.array([float(v) for v in exact])
            if len(exact):
                return _Group(columns, domain, None, members, exact)
    return _Group(columns, domain, None, None, ())


def _sizes(group: _Group, most: int) -> Array:
    if group.members is not None:
        sizes: Array = np.unique(np.abs(group.members))
        if isinstance(group.domain, FloatDomain) and len(sizes) > most:
            sizes = np.intersect1d(sizes, np.arange(1, most + 1) / 16)
        sizes = sizes[sizes > 0]
    elif group.grid is not None:
        assert group.domain.low is not None and group.domain.high is not None
        largest = max(abs(group.domain.low), abs(group.domain.high)) * group.grid
        sizes = np.arange(1, min(int(largest), 16 * most) + 1) / group.grid
    else:
        return np.ones(1)
    return sizes if len(sizes) <= most else sizes[:: -(-len(sizes) // most)]


def _bounds(domain: Domain) -> tuple[float, float]:
    low = -inf if domain.low is None else float(max(domain.low, mpq(-LARGEST)))
    high = inf if domain.high is None else float(min(domain.high, mpq(LARGEST)))
    return low, high


def _nearest(group: _Group, values: Array, tolerance: float) -> Array:
    if group.grid is not None:
        rounded: Array = np.rint(values * group.grid) / group.grid
        return rounded
    if group.members is not None:
        members = group.members
        if isinstance(group.domain, FloatDomain) and tolerance >= COARSE:
            # Close to everything lies some float, but few sums of products of such are short.
            values = _simplest(values, tolerance)
        at = np.clip(np.searchsorted(members, values), 1, max(1, len(members) - 1))
        if len(members) == 1:
            return np.full_like(values, members[0])
        below, above = members[at - 1], members[at]
        return np.where(values - below <= above - values, below, above)
    return _simplest(values, tolerance)


def _simplest(values: Array, tolerance: float) -> Array:
    """Rationals with the least denominators that are close enough."""
    best = np.rint(values)
    for q in range(2, DENOMINATORS + 1):
        off = np.abs(best - values) > tolerance * np.maximum(1.0, np.abs(values))
        if not off.any():
            break
        closer = np.rint(values * q) / q
        improves = np.abs(closer - values) < np.abs(best - values)
        best = np.where(off & improves, closer, best)
    return best


def _exact(group: _Group, value: float, precision: int) -> Rational | None:
    if group.grid is not None:
        assert isinstance(group.domain, IntegerDomain)
        k = min(max(round(value * group.grid), group.domain.minimum), group.domain.maximum)
        return mpq(k, group.grid)
    if group.members is not None:
        at = int(np.abs(group.members - value).argmin())
        return group.exact[at]
    if not isfinite(value):
        return None
    center = from_float(value)
    radius = mpq(1, 1 << precision)
    member = simplest_between(center - radius, center + radius)
    if member in group.domain:
        return member
    below, above = group.domain.below(center), group.domain.above(center)
    near = [v for v in (below, above) if v is not None]
    return min(near, key=lambda v: abs(v - center)) if near else None
