"""Descents that end on the grid: trained solutions are rounded weight by weight, and retrained.

A slot of the pool that has reached loss 0 is scaled neuron by neuron so that as many weights as
possible lie on the grid; those are fixed. Then the weight closest to a member is fixed there and
the others descend again, until all are fixed; a weight that cannot be fixed at the nearest member
is tried at the next one, once. A slot that fails starts anew at random.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from ermbit.engines.training_network import Array, FloatNetwork
from ermbit.engines.training_objective import Objective
from ermbit.engines.training_scales import balanced, recognised, scalable_neurons
from ermbit.engines.training_squares import Pool
from ermbit.engines.training_values import Values
from ermbit_instances.network import Network

PATIENCE = 12
"""Steps without notable progress after which a descent counts as ended."""

LISTED_TOLERANCE, SIMPLE_TOLERANCE = 1e-5, 1e-7
"""How far from a member a weight of a trained solution may be and count as one."""

Offer: TypeAlias = Callable[[Array], None]
"""Takes θ (P,) with every parameter at a member of its domain, or close to one."""


@dataclass
class _Dive:
    """What a slot remembers of its last fixing."""

    theta: Array
    free: Array
    parameter: int
    member: float
    again: bool = False


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
        return drawn

    def _round(self, slot: int) -> bool:
        """Carry on from a solution; whether there is something to carry on with."""
        pool = self.pool
        theta, free = pool.theta[slot].copy(), pool.free[slot].copy()
        if self.dives[slot] is None:
            self.statistics.solved += 1
            self.ended(theta, float(pool.loss[slot]))
            best, most = theta, -1
            for scaled, near in recognised(theta, self.neurons, self.values, self.tolerance):
                if near[~self.last].all():
                    self.offer(self.values.nearest(scaled, self.tolerance))
                if near.sum() > most:
                    best, most, free = scaled, int(near.sum()), ~near | self.last
            theta = np.where(free, best, self.values.nearest(best, self.tolerance))
            self.statistics.dives += 1
        theta = balanced(theta, free, self.neurons, self.values)
        rounded = self.values.nearest(theta, self.tolerance)
        off = np.abs(rounded - theta) / np.maximum(1.0, np.abs(theta))
        sure = free & ~self.last & (off <= self.tolerance)
        theta[sure] = rounded[sure]
        free[sure] = False
        open_ones = np.flatnonzero(free & ~self.last)
        if not len(open_ones):
            self.offer(theta)
            return False
        rounded = self.values.nearest(theta)
        off = np.abs(rounded - theta)
        p = int(open_ones[off[open_ones].argmin()])
        self.dives[slot] = _Dive(theta, free, p, float(rounded[p]))
        self._fix(slot, theta, free, p, float(rounded[p]))
        return True

    def _turn_back(self, slot: int) -> bool:
        """After a failed fixing, the next best member; after a second failure nothing."""
        dive = self.dives[slot]
        if dive is None:
            self.statistics.stalled += 1
            self.ended(self.pool.theta[slot].copy(), float(self.pool.loss[slot]))
            return False
        if dive.again:
            return False
        value = dive.theta[dive.parameter]
        # Mirrored at the value, the first member lies closest to the second one.
        mirrored = np.array([2 * value - dive.member + np.sign(value - dive.member) * 0.5])
        other = float(self.values.nearest_of(dive.parameter, mirrored)[0])
        if other == dive.member:
            return False
        dive.again, dive.member = True, other
        self._fix(slot, dive.theta, dive.free, dive.parameter, other)
        return True

    def _fix(self, slot: int, theta: Array, free: Array, p: int, member: float) -> None:
        moved, rest = theta.copy(), free.copy()
        moved[p], rest[p] = member, False
        self.pool.put(np.array([slot]), moved[None], rest[None])
        self.pool.damping[slot] = 1e-4
