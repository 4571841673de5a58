"""Descents that end on the grid: trained solutions are rounded weight by weight, and retrained.

A slot of the pool that has reached loss 0 is scaled neuron by neuron so that as many weights as
possible lie on the grid; those are fixed. Then the weight closest to a member is fixed there and
the others descend again, until all are fixed; a weight that cannot be fixed at the nearest member
is tried at the next one, once. A slot that fails starts anew at random.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from ermbit.engines.training.network import Array, FloatNetwork
from ermbit.engines.training.objective import Objective
from ermbit.engines.training.scales import balanced, recognised, scalable_neurons
from ermbit.engines.training.squares import Pool
from ermbit.engines.training.values import Values
from ermbit_instances.network import Network

CENTRED = 0.25
"""Share of the starts whose hidden neurons are bent in the midst of the data."""

PATIENCE = 7
"""Steps without notable progress after which a descent counts as ended."""

TRIES, FAILURES = 4, 6
"""Dives from one solution, and weights that may fail in one dive."""

SHARE = 24
"""Of so many weights that are open one is fixed at a time."""

NOISE = 0.1
"""How much worse than the closest a weight may be that is fixed next: no two dives are the same."""

LISTED_TOLERANCE, SIMPLE_TOLERANCE = 1e-5, 1e-7
"""How far from a member a weight of a trained solution may be and count as one."""

Offer: TypeAlias = Callable[[Array], None]
"""Takes θ (P,) with every parameter at a member of its domain, or close to one."""


@dataclass
class _Fixing:
    """Weights that were fixed together: what there was before, and where they went."""

    theta: Array
    free: Array
    parameters: Array
    members: Array
    again: bool = False


@dataclass
class _Dive:
    """What a slot remembers on its way to the grid.

    Attributes:
        solution: the trained θ that it began with.
        tries: dives from there that are left.
        fixings: the way so far.
        failures: weights that could not be fixed.
    """

    solution: Array
    tries: int
    fixings: list[_Fixing] = field(default_factory=list)
    failures: int = 0


@dataclass
class Statistics:
    """Counts of what has happened."""

    starts: int = 0
    solved: int = 0
    dives: int = 0
    stalled: int = 0


class Dives:
    """A pool of descents with what becomes of them.

    Args:
        network: as in the instance.
        floats, objective: compiled from it.
        values: the domains.
        rng: for the starts.
        size: slots.
        offer: is called with every θ that has all its weights on the grid.
        ended: is called with every θ that a descent from a random start ends at, and its loss.
        last: parameters that are left open, for an exact solution afterwards.
    """

    def __init__(
        self,
        network: Network,
        floats: FloatNetwork,
        objective: Objective,
        values: Values,
        rng: np.random.Generator,
        size: int,
        offer: Offer,
        ended: Callable[[Array, float], None],
        last: tuple[int, ...] = (),
    ) -> None:
        self.floats, self.objective, self.values = floats, objective, values
        self.rng, self.offer, self.ended = rng, offer, ended
        self.neurons = scalable_neurons(network)
        self.pool = Pool(floats, objective, values.low, values.high, size)
        self.dives: list[_Dive | None] = [None] * size
        self.last = np.zeros(floats.count, dtype=np.bool_)
        self.last[list(last)] = True
        self.statistics = Statistics()
        simple = values.simple
        self.tolerance = SIMPLE_TOLERANCE if simple.any() else LISTED_TOLERANCE
        self._start(np.arange(size))

    def step(self) -> None:
        """One step of all descents; those that have ended are rounded or replaced."""
        pool = self.pool
        pool.step()
        solved = pool.loss <= self.objective.zero
        if not self.objective.exact:
            solved[:] = False
        over = solved | (pool.idle >= PATIENCE)
        fresh = []
        for slot in np.flatnonzero(over):
            going = self._round(int(slot)) if solved[slot] else self._turn_back(int(slot))
            if not going:
                fresh.append(int(slot))
        self._start(np.array(fresh, dtype=np.intp))

    def _start(self, slots: Array) -> None:
        if not len(slots):
            return
        self.statistics.starts += len(slots)
        for slot in slots:
            self.dives[slot] = None
        self.pool.put(slots, self.random(len(slots)))

    def random(self, count: int) -> Array:
        """Random starts, (count, P)."""
        values, rng = self.values, self.rng
        cap = 2.0 ** rng.uniform(-1.0, 4.0, size=(count, 1))
        low, high = np.maximum(values.low, -cap), np.minimum(values.high, cap)
        high = np.maximum(low, high)
        drawn: Array = rng.uniform(low, high)
        centred = rng.random(count) < CENTRED
        drawn[centred] = self.floats.centred(drawn[centred], rng, values.low, values.high)
        return drawn

    def _round(self, slot: int) -> bool:
        """Carry on from a solution; whether there is something to carry on with."""
        pool, dive = self.pool, self.dives[slot]
        if dive is None:
            self.statistics.solved += 1
            theta = pool.theta[slot].copy()
            return self._dive(slot, _Dive(theta, TRIES))
        return self._descend(slot, dive, pool.theta[slot].copy(), pool.free[slot].copy())

    def _dive(self, slot: int, dive: _Dive) -> bool:
        """Begin at the trained solution, with scales drawn anew."""
        if not dive.tries:
            return False
        self.statistics.dives += 1
        first = dive.tries == TRIES
        dive.tries -= 1
        dive.fixings, dive.failures = [], 0
        theta, best, most = dive.solution, dive.solution, -1.0
        free = np.ones(self.floats.count, dtype=np.bool_)
        for scaled, near in recognised(theta, self.neurons, self.values, self.tolerance):
            if first and near[~self.last].all():
                self.offer(self.values.nearest(scaled, self.tolerance))
            # Solutions that are not unique lie on the grid at many scales: one of the best.
            score = near.sum() + self.rng.random()
            if score > most:
                best, most, free = scaled, score, ~near | self.last
        theta = np.where(free, best, self.values.nearest(best, self.tolerance))
        self.ended(balanced(theta, free, self.neurons, self.values), 0.0)
        self.dives[slot] = dive
        return self._descend(slot, dive, theta, free)

    def _descend(self, slot: int, dive: _Dive, theta: Array, free: Array) -> bool:
        """Fix what lies on the grid, and the weight closest to it."""
        theta = balanced(theta, free, self.neurons, self.values)
        rounded = self.values.nearest(theta, self.tolerance)
        off = np.abs(rounded - theta) / np.maximum(1.0, np.abs(theta))
        sure = free & ~self.last & (off <= self.tolerance)
        theta[sure] = rounded[sure]
        free[sure] = False
        open_ones = np.flatnonzero(free & ~self.last)
        if not len(open_ones):
            self.offer(theta)
            return self._turn_back(slot)
        # Of simple rationals those with larger denominators come later.
        rounded = self.values.nearest(theta, 0.25 * 0.2 ** (TRIES - 1 - dive.tries))
        off = np.abs(rounded - theta) + NOISE * self.rng.random(len(theta))
        count = max(1, len(open_ones) // SHARE)
        closest = open_ones[np.argsort(off[open_ones])[:count]]
        dive.fixings.append(_Fixing(theta, free, closest, rounded[closest]))
        self._fix(slot, dive.fixings[-1])
        return True

    def _turn_back(self, slot: int) -> bool:
        """After a failure the last weight goes to its next best member, or the one before it."""
        dive = self.dives[slot]
        if dive is None:
            self.statistics.stalled += 1
            self.ended(self.pool.theta[slot].copy(), float(self.pool.loss[slot]))
            return False
        dive.failures += 1
        while dive.fixings and dive.failures <= FAILURES:
            if self._retry(dive.fixings[-1]):
                self._fix(slot, dive.fixings[-1])
                return True
            dive.fixings.pop()
        return self._dive(slot, dive)

    def _retry(self, fixing: _Fixing) -> bool:
        """Change a fixing that failed: half of the weights, or one to the other side; or not."""
        if len(fixing.parameters) > 1:
            half = len(fixing.parameters) // 2
            fixing.parameters, fixing.members = fixing.parameters[:half], fixing.members[:half]
            return True
        if fixing.again:
            return False
        p, member = int(fixing.parameters[0]), float(fixing.members[0])
        value = fixing.theta[p]
        # Mirrored at the value and a little beyond, the first member lies closest to the second.
        beyond = np.sign(value - member) * 0.5 / self.values.density[p]
        mirrored = np.array([2 * value - member + beyond])
        other = self.values.nearest_of(p, mirrored)
        fixing.again, fixing.members = True, other
        return bool(other[0] != member)

    def _fix(self, slot: int, fixing: _Fixing) -> None:
        moved, rest = fixing.theta.copy(), fixing.free.copy()
        moved[fixing.parameters], rest[fixing.parameters] = fixing.members, False
        self.pool.put(np.array([slot]), moved[None], rest[None])
        self.pool.damping[slot] = 1e-4
