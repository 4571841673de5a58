"""Annealing on the grid: moves of one weight or two, at a temperature in units of the loss.

At every step one neuron of all S assignments is looked at; of all moves of one of its weights (and
of random pairs) one is drawn with probability ∝ exp(−E/T) (the heat-bath rule; Geman & Geman 1984).
T falls from a share of the present energy, drawn per assignment, to 0, then the best assignments
are kicked and annealed again, and the others start anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np

from ermbit.engines.training.moves import Bench, Unit, find_units
from ermbit.engines.training.network import Array, FloatNetwork
from ermbit_encodings.integer_form import IntegerForm

SWEEPS = 12
"""Passes over all neurons from the first temperature to the end."""

MOVES = 600_000
"""Array elements (assignments × moves × samples) of one step, roughly."""

CHOICES = 24
"""Values of one weight that are looked at in one step; of longer domains a selection."""

Found: TypeAlias = Callable[[Array, float], None]
"""Takes integer parameters (P,) and their total as floats have it."""


class Energy:
    """The loss on the integer form, with a slope wherever errors are counted.

    Args:
        form: gives loss, targets and weights.
    """

    def __init__(self, form: IntegerForm) -> None:
        loss = form.instance.loss
        self.name, self.by_max = loss.name, loss.reduction == "max"
        self.targets = np.array([[float(t) for t in row] for row in form.targets])
        self.weights = np.array([float(w) for w in form.weights])
        self.scale, self.margin = float(form.scale), float(form.margin)
        self.many = loss.is_classification and len(form.outputs) > 1
        self.labels = self.targets[:, 0].astype(np.intp) if self.many else None

    def of(self, outputs: Array) -> tuple[Array, Array]:
        """Energies and totals, (…), of outputs (…, N, O)."""
        if self.name in ("absolute", "squared"):
            gap = np.abs(outputs - self.targets)
            costs = (gap if self.name == "absolute" else gap * gap).sum(axis=-1)
            total = self._reduced(costs)
            return self._sloped(costs, total), total
        scores = self._scores(outputs)
        if self.name == "hinge":
            costs = np.maximum(self.scale - scores, 0.0)
            total = self._reduced(costs)
            return self._sloped(costs, total), total
        short = np.maximum(self.margin - scores, 0.0)
        total = self._reduced((short > 0).astype(np.float64))
        # The lack of margin, in units of the mean size of the scores, and a share of the count.
        unit = np.abs(scores).mean(axis=-1) + self.margin
        return (short @ self.weights) / unit + 0.3 * ((short > 0) @ self.weights), total

    def _reduced(self, costs: Array) -> Array:
        result: Array = (costs * self.weights).max(axis=-1) if self.by_max else costs @ self.weights
        return result

    def _sloped(self, costs: Array, total: Array) -> Array:
        if not self.by_max:
            return total
        sloped: Array = total + 0.2 * (costs @ self.weights) / len(self.weights)
        return sloped

    def _scores(self, outputs: Array) -> Array:
        if self.labels is None:
            scores: Array = outputs[..., 0] * self.targets[:, 0]
            return scores
        here = np.arange(len(self.labels))
        own = outputs[..., here, self.labels]
        rest = outputs.copy()
        rest[..., here, self.labels] = -np.inf
        result: Array = own - rest.max(axis=-1)
        return result


class Annealing:
    """S assignments annealed side by side.

    Args:
        form, network: of one problem, see :func:`integer_network`.
        domains: by parameter, its integer values, increasing.
        rng: for all choices.
        size: S.
        limit: totals up to this are reported whenever they are met.
        found: is called with these.
    """

    def __init__(
        self,
        form: IntegerForm,
        network: FloatNetwork,
        domains: Sequence[Array],
        rng: np.random.Generator,
        size: int,
        limit: Callable[[], float],
        found: Found,
    ) -> None:
        self.network, self.domains, self.rng = network, domains, rng
        self.energy = Energy(form)
        self.size, self.limit, self.found = size, limit, found
        self.units, self.rest = find_units(network)
        self.steps = self.rounds = 0
        self.best, self.least = np.empty((0, network.count)), np.empty(0)

    def random(self, count: int) -> Array:
        """Random assignments, (count, P); of long domains the small values more often."""
        columns = []
        for values in self.domains:
            cap = np.abs(values).max() * 2.0 ** -self.rng.integers(0, 4, size=count)
            drawn = self.rng.choice(values, size=count)
            shrunk = np.clip(drawn, -cap, cap)
            at = np.searchsorted(values, shrunk).clip(0, len(values) - 1)
            columns.append(values[at])
        return np.stack(columns, axis=1)

    def anneal(self, theta: Array) -> Iterator[None]:
        """One annealing of some starts (S, P), step by step.

        At its end :attr:`best` and :attr:`least` hold the best assignments met and their energies.
        """
        rng, states = self.rng, len(theta)
        bench = Bench(self.network, theta.copy())
        energy, total = self.energy.of(bench.outputs)
        self._tell(bench, total)
        best, least = bench.theta.copy(), energy.copy()
        first = rng.choice([0.0, 0.01, 0.03, 0.1, 0.3], size=states)
        self.rounds += 1
        quiet = 0
        for sweep in range(2 * SWEEPS):
            share = first * max(0.0, 1.0 - sweep / SWEEPS) ** 2
            improved = False
            order = rng.permutation(len(self.units) + len(self.rest))
            for u in order:
                self.steps += 1
                heat = share * energy
                if u < len(self.units):
                    pairs = sweep >= SWEEPS // 2
                    energy = self._move_unit(bench, self.units[u], energy, heat, pairs)
                else:
                    p = self.rest[u - len(self.units)]
                    energy = self._move_single(bench, p, energy, heat)
                _, total = self.energy.of(bench.outputs)
                self._tell(bench, total)
                better = energy < least
                if better.any():
                    improved = True
                    best[better], least[better] = bench.theta[better], energy[better]
                yield
            quiet = 0 if improved or sweep < SWEEPS else quiet + 1
            if quiet >= 2:
                break
        self.best, self.least = best, least

    def forever(self, seeds: Callable[[int], Array]) -> Iterator[None]:
        """Annealing after annealing, step by step.

        Args:
            seeds: gives up to so many assignments to start from, (≤ count, P), each once.
        """
        theta = self.random(self.size)
        while True:
            given = seeds(self.size // 2)
            theta[len(theta) - len(given) :] = given
            yield from self.anneal(theta)
            order = np.argsort(self.least)
            kept = self.best[order[: (self.size + 1) // 2]]
            theta = np.concatenate([self.kicked(kept), self.random(self.size - len(kept))])

    def kicked(self, theta: Array) -> Array:
        """Assignments with a few random changes, (S, P)."""
        theta = theta.copy()
        states, count = theta.shape
        changes = 1 + self.rng.integers(0, max(2, min(8, count // 3)), size=states)
        for s in range(states):
            for p in self.rng.integers(count, size=changes[s]):
                theta[s, p] = self.rng.choice(self.domains[p])
        return theta

    def _tell(self, bench: Bench, total: Array) -> None:
        for s in np.flatnonzero(total <= self.limit()):
            if total[s] <= self.limit():
                self.found(bench.theta[s].copy(), float(total[s]))

    def _choices(self, p: int, current: Array) -> Array:
        """Values of a parameter to look at, (S, V)."""
        values = self.domains[p]
        if len(values) <= CHOICES:
            return np.broadcast_to(values, (len(current), len(values)))
        at = np.searchsorted(values, current)[:, None]
        third = CHOICES // 3
        near = np.concatenate([np.arange(-(third // 2), 0), np.arange(1, third // 2 + 1)])
        reach = np.exp(self.rng.uniform(0, np.log(len(values)), size=(len(current), third)))
        far = np.rint(reach).astype(np.intp) * self.rng.choice([-1, 1], size=reach.shape)
        any_ones = self.rng.integers(len(values), size=(len(current), third))
        picked = np.concatenate([at + near, at + far, any_ones], axis=1)
        chosen: Array = values[picked.clip(0, len(values) - 1)]
        return chosen

    def _move_unit(
        self, bench: Bench, unit: Unit, energy: Array, heat: Array, pairs: bool
    ) -> Array:
        states = len(energy)
        samples = self.network.x.shape[0]
        later = [b.last - b.first for b in self.network.blocks[unit.block + 1 :]]
        width = max([*later, self.network.outputs.size])
        most = max(8, MOVES // (states * samples * width))
        entries, changes = [], []
        for k, p in enumerate(unit.parameters):
            values = self._choices(int(p), bench.theta[:, p])
            entries.append(np.full(values.shape[1], k))
            changes.append(values - bench.theta[:, p, None])
        entry, change = np.concatenate(entries), np.concatenate(changes, axis=1)
        if len(entry) > most:
            kept = self.rng.permutation(len(entry))[:most]
            entry, change = entry[kept], change[:, kept]
        inputs = bench.inputs(unit)
        first, second = np.arange(len(entry)), None
        shift = change[..., None] * inputs[:, entry]
        if pairs and len(unit.parameters) > 1:
            count = min(most, len(entry) ** 2 // 2)
            one, two = self.rng.integers(len(entry), size=(2, count))
            apart = entry[one] != entry[two]
            one, two = one[apart], two[apart]
            shift = np.concatenate([shift, shift[:, one] + shift[:, two]], axis=1)
            first, second = np.concatenate([first, one]), two
        energies, _ = self.energy.of(bench.moved(unit, shift))
        pick = self._drawn(energies, energy, heat)
        move = np.flatnonzero(pick >= 0)
        if not len(move):
            return energy
        chosen = pick[move]
        for s, m in zip(move, chosen, strict=True):
            ones = [first[m]]
            if second is not None and m >= len(entry):
                ones.append(second[m - len(entry)])
            for i in ones:
                bench.theta[s, unit.parameters[entry[i]]] += change[s, i]
        bench.refresh(move)
        energy = energy.copy()
        energy[move] = energies[move, chosen]
        return energy

    def _move_single(self, bench: Bench, p: int, energy: Array, heat: Array) -> Array:
        """Moves of a parameter that is shared, or enters a maximum: by whole evaluations."""
        values = self._choices(p, bench.theta[:, p])
        states, count = values.shape
        theta = np.repeat(bench.theta[:, None], count, axis=1)
        theta[:, :, p] = values
        outputs = self.network.outputs_at(theta.reshape(states * count, -1))
        energies, _ = self.energy.of(outputs.reshape(states, count, *outputs.shape[1:]))
        pick = self._drawn(energies, energy, heat)
        move = np.flatnonzero(pick >= 0)
        if len(move):
            bench.theta[move, p] = values[move, pick[move]]
            bench.refresh(move)
            energy = energy.copy()
            energy[move] = energies[move, pick[move]]
        return energy

    def _drawn(self, energies: Array, energy: Array, heat: Array) -> Array:
        """A move for every assignment, −1 for none, (S,)."""
        noise = -np.log(-np.log(self.rng.uniform(1e-12, 1.0, size=energies.shape)))
        with np.errstate(invalid="ignore"):
            scored = np.where(np.isfinite(energies), energies - heat[:, None] * noise, np.inf)
        pick = scored.argmin(axis=1)
        here = np.arange(len(energy))
        after = energies[here, pick]
        # Without heat a move to the same energy is taken: it walks along plateaus.
        taken = (heat > 0) | (after <= energy)
        return np.where(taken & np.isfinite(after), pick, -1)
