"""Interval evaluation of a network on tuples of tree nodes: bounds, and where to cut.

A tuple holds one node of every variable's tree. Its boxes are intervals for activations of first
neurons and for parameters; they are pushed through the network, all samples and thousands of
tuples at a time. Intervals of points are exact, so a tuple of leaves has its total as its bound.
The same evaluation makes the incumbents: a row is a leaf.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ermbit.engines.deep_tables.arithmetic import Interval, activated, magnitude, narrowed, times
from ermbit.engines.deep_tables.variables import Variable, entries
from ermbit.engines.enumeration_bounds import Bounds
from ermbit.engines.tables.build import Array
from ermbit.engines.tables.loss import GapLoss
from ermbit.engines.tables.search import Examined
from ermbit_encodings.integer_form import IntegerForm, IntegerNeuron, IntegerTerm

TABLE_SHARE, BIAS_SHARE = 0.8, 3.0
"""Cutting a table's node pays less than its width says, cutting an output's bias more: measured."""


class IntervalNetwork:
    """A network over intervals, as the rule of a search on tuples.

    Args:
        form, bounds: of one problem.
        variables: all that is chosen.
        loss: of the outputs.
        dtype: proved wide enough for every intermediate result, twice.
    """

    def __init__(
        self,
        form: IntegerForm,
        bounds: Bounds,
        variables: Sequence[Variable],
        loss: GapLoss,
        dtype: type,
    ) -> None:
        self.form, self.bounds, self.loss, self.dtype = form, bounds, loss, dtype
        self.variables = variables
        self.first = len(form.input_scales)
        inputs: Array = np.array(form.inputs, dtype=dtype).reshape(len(form.inputs), -1)
        self.inputs = [inputs[:, i, None] for i in range(self.first)]
        self.tables: dict[int, int] = {}
        self.places: dict[int, tuple[int, int]] = {}
        self.boxes: list[Array] = []
        for u, variable in enumerate(variables):
            half = variable.tree.boxes.shape[1] // 2
            boxes = np.concatenate(
                [-variable.tree.boxes[:, half:], variable.tree.boxes[:, :half]], 1
            )
            self.boxes.append(boxes.astype(dtype))
            if variable.group.table:
                self.tables[variable.group.neuron] = u
            else:
                self.places |= {p: (u, k) for k, p in enumerate(variable.group.parameters)}
        self.positive: frozenset[int] = frozenset()
        self.rising = loss.rivals is None and bool((loss.signs > 0).all())
        self.sums = _sums(form, self.tables)
        # Everything below lies in the intervals of the roots.
        root = _Run(self, list(np.zeros((len(variables), 1), dtype=np.int64)))
        self.positive = frozenset(i for i, (low, _) in enumerate(root.signals) if (low >= 0).all())

    def examine(self, nodes: Array, limit: int) -> Examined:
        """Bounds of tuples, and the variable whose interval seems to matter most."""
        run = _Run(self, list(nodes))
        low, high = run.scores()
        bounds = self._bounds(low, high)
        alive = np.nonzero(bounds <= limit)[0]
        if alive.size == 0:
            return Examined(alive, alive, alive, alive)
        if alive.size < bounds.size:
            run.narrow(alive)
            bounds, nodes = bounds[alive], nodes.take(alive, axis=1)
            low, high = low.take(alive, axis=1), high.take(alive, axis=1)
        if self.sums:
            run.combine()
            low, high = run.scores()
            bounds = self._bounds(low, high)
        open_ = self._undecided(low, high)
        widths = run.widths(open_.astype(np.float32))
        most = np.full(alive.size, -1.0, dtype=np.float32)
        widest = np.zeros(alive.size, dtype=np.int8)
        for u, variable in enumerate(self.variables):
            width = np.maximum(widths[u], np.float32(1e-30))
            width[variable.tree.child.take(nodes[u]) < 0] = -1
            np.putmask(widest, width > most, u)
            np.maximum(most, width, out=most)
        spread = open_.any(axis=0) & (most > 0)
        kept = np.nonzero(bounds <= limit)[0]
        return Examined(alive[kept], bounds[kept], widest[kept], spread[kept])

    def _bounds(self, low: Array, high: Array) -> Array:
        return self.loss.least(np.concatenate([high, -low]) if self.loss.two_sided else high.copy())

    def totals(self, nodes: Sequence[Array]) -> Array:
        """Totals of tuples of leaves; every variable's nodes are of length 1 or of a common one."""
        low, _ = _Run(self, nodes).scores()
        return self.loss.totals(low.copy())

    def neuron(self, node: int) -> IntegerNeuron:
        return self.form.neurons[node - self.first]

    def _undecided(self, low: Array, high: Array) -> Array:
        """Where a sample's loss is not the same for the whole box, (samples, tuples)."""
        aim = self.loss.target[:, None]
        open_ = low != high
        if not self.loss.two_sided:
            open_ &= low < aim
        if self.loss.cost == "count":
            open_ &= high >= aim
        groups = open_.reshape(self.loss.groups, -1, open_.shape[1])
        return np.asarray(groups.any(axis=0))


class _Run:
    """One evaluation: intervals of every neuron on every sample."""

    def __init__(self, network: IntervalNetwork, nodes: Sequence[Array]) -> None:
        self.network = network
        self.size = max((n.size for n in nodes), default=1)
        # Rows are gathered, then turned: far cheaper than gathering columns.
        self.boxes = {
            u: np.ascontiguousarray(network.boxes[u].take(n, axis=0).T) for u, n in enumerate(nodes)
        }
        self.signals: list[Interval] = [(x, x) for x in network.inputs]
        self.inner: dict[int, Interval] = {}
        self.bent: dict[int, Array] = {}
        self.joint: list[tuple[int, int, Array]] = []
        for neuron in network.form.neurons:
            self.signals.append(self._neuron(neuron))

    def narrow(self, kept: Array) -> None:
        """Go on with some of the tuples."""
        self.size = kept.size
        tables = self.network.tables.values()
        self.boxes = {u: b.take(kept, axis=1) for u, b in self.boxes.items() if u not in tables}
        self.signals = [narrowed(signal, kept) for signal in self.signals]
        units = {unit for units in self.network.sums.values() for unit, _ in units}
        self.inner = {unit: narrowed(self.inner[unit], kept) for unit in units}

    def combine(self) -> None:
        """Tighten the outputs: add up what units that are linear on the box take from one source.

        Where units of Σ v_j φ(Σ w_jk a_k + b_j) are on one straight piece φ(z) = s z + e, their
        part is Σ_k (Σ_j s v_j w_jk) a_k + …, which the sources' widths enter but once.
        """
        network = self.network
        shape = (len(network.form.inputs), self.size)
        for output, units in network.sums.items():
            low, high = self._rest(output, units)
            low, high = np.broadcast_to(low, shape).copy(), np.broadcast_to(high, shape).copy()
            factors: dict[int, list[Array]] = {}
            for unit, outer in units:
                inner, weight = network.neuron(unit), self._weight(outer)
                z = self.inner[unit]
                straight: Array | None = None
                pieces = network.bounds.pieces[unit]
                for k, (start, slope, intercept) in enumerate(pieces):
                    if slope == 0:
                        continue
                    after = pieces[k + 1][0] if k + 1 < len(pieces) else None
                    on: Array = np.ones(shape, dtype=bool) if start is None else z[0] >= start
                    if after is not None:
                        on &= z[1] < after
                    straight = on if straight is None else straight | on
                    ends = times(weight, (slope, slope))
                    for t in entries(inner):
                        part = times(self._weight(t), ends)
                        if t.source < 0:
                            low += on * part[0]
                            high += on * part[1]
                            continue
                        found = factors.setdefault(
                            t.source, [np.zeros(shape, network.dtype) for _ in (0, 1)]
                        )
                        found[0] += on * part[0]
                        found[1] += on * part[1]
                    if intercept:
                        part = times(weight, (intercept, intercept))
                        low += on * part[0]
                        high += on * part[1]
                part = times(self.signals[unit], weight, unit in network.positive)
                if straight is None:
                    low += part[0]
                    high += part[1]
                    continue
                bent = ~straight
                low += bent * part[0]
                high += bent * part[1]
                self.bent[unit] = bent
            for source, (least, most) in factors.items():
                part = times(self.signals[source], (least, most), source in network.positive)
                low += part[0]
                high += part[1]
                self.joint.append((output, source, np.maximum(-least, most)))
            ((_, slope, intercept),) = network.bounds.pieces[output]
            low, high = times((low, high), (slope, slope))
            before = self.signals[output]
            self.signals[output] = (
                np.maximum(before[0], low + intercept),
                np.minimum(before[1], high + intercept),
            )

    def _rest(self, output: int, units: Sequence[tuple[int, IntegerTerm]]) -> Interval:
        """The sum of an output's terms that are not those of the units."""
        zero: Array = np.zeros((1, 1), dtype=self.network.dtype)
        z: Interval = (zero, zero)
        for t in entries(self.network.neuron(output)):
            if all(t.source != unit for unit, _ in units):
                term = self._term(t)
                z = z[0] + term[0], z[1] + term[1]
        return z

    def scores(self) -> Interval:
        """What the loss is a function of, (gaps, tuples)."""
        form, loss = self.network.form, self.network.loss
        lows, highs = [], []
        for node, factor in zip(form.outputs, form.output_factors, strict=True):
            low, high = times(self.signals[node], (factor, factor))
            shape = (len(form.inputs), self.size)
            lows.append(low if low.shape == shape else np.broadcast_to(low, shape))
            highs.append(high if high.shape == shape else np.broadcast_to(high, shape))
        if len(lows) == 1 and self.network.rising:
            return lows[0], highs[0]
        low, high = np.concatenate(lows), np.concatenate(highs)
        if loss.rivals is not None:
            right, wrong = loss.rivals
            return low[right] - high[wrong], high[right] - low[wrong]
        up = (loss.signs > 0)[:, None]
        return np.where(up, low, -high), np.where(up, high, -low)

    def widths(self, influence: Array) -> list[Array]:
        """By variable, about how much of the outputs' widths is due to it, (tuples) each.

        Args:
            influence: which samples are undecided, (samples, tuples).
        """
        network, form = self.network, self.network.form
        size = influence.shape[1]
        found = [np.zeros(size, dtype=np.float32) for _ in network.variables]
        felt: dict[int, Array] = {}
        for node, factor in zip(form.outputs, form.output_factors, strict=True):
            felt[node] = felt.get(node, 0) + np.float32(abs(factor)) * influence
        for neuron in reversed(form.neurons):
            here = felt.pop(neuron.node, None)
            if here is None:
                continue
            low, high = self.signals[neuron.node]
            if neuron.node in network.tables:
                wide = (high - low).astype(np.float32)
                found[network.tables[neuron.node]] += TABLE_SHARE * (here * wide).sum(axis=0)
                continue
            if neuron.node not in form.outputs:
                here = here * (high != low)
            for output, source, joint in self.joint:
                if output == neuron.node:
                    part = here * joint
                    felt[source] = felt[source] + part if source in felt else part
            for t in (*neuron.terms, *([] if neuron.bias is None else [neuron.bias])):
                self._term_widths(neuron, t, here, felt, found)
        return found

    def _term_widths(
        self,
        neuron: IntegerNeuron,
        t: IntegerTerm,
        here: Array,
        felt: dict[int, Array],
        found: list[Array],
    ) -> None:
        network = self.network
        low, high = self._parameter(t)
        factor = np.float32(abs(t.factor)) if t.parameter >= 0 else np.float32(1)
        if t.parameter >= 0:
            u, _ = network.places[t.parameter]
            wide = factor * (high - low).astype(np.float32)
            if t.source < 0:
                bias = BIAS_SHARE if neuron.node in network.form.outputs else 1.0
                found[u] += np.float32(bias) * wide[0] * here.sum(axis=0)
            else:
                found[u] += wide[0] * (here * self._reach(t.source)).sum(axis=0)
        if t.source >= network.first:
            weight = factor * magnitude((low, high))
            part = here * weight
            if neuron.node in self.bent:
                part *= self.bent[neuron.node]
            felt[t.source] = felt[t.source] + part if t.source in felt else part

    def _reach(self, node: int) -> Array:
        """Greatest absolute values of a signal."""
        low, high = self.signals[node]
        return high if node in self.network.positive else np.maximum(np.abs(low), np.abs(high))

    def _neuron(self, neuron: IntegerNeuron) -> Interval:
        u = self.network.tables.get(neuron.node, -1)
        if u >= 0:
            box = self.boxes[u]
            return box[: len(box) // 2], box[len(box) // 2 :]
        z: Interval | None = None
        for t in neuron.terms:
            term = self._term(t)
            if z is None:
                z = term
            elif neuron.kind == "max":
                z = np.maximum(z[0], term[0]), np.maximum(z[1], term[1])
            else:
                z = z[0] + term[0], z[1] + term[1]
        if neuron.bias is not None:
            term = self._term(neuron.bias)
            z = term if z is None else (z[0] + term[0], z[1] + term[1])
        if z is None:
            zero: Array = np.zeros((1, 1), dtype=self.network.dtype)
            z = zero, zero
        self.inner[neuron.node] = z
        return activated(neuron, self.network.bounds.pieces[neuron.node], z)

    def _weight(self, t: IntegerTerm) -> Interval:
        """The weight with its factor, (1, tuples)."""
        low, high = self._parameter(t)
        if t.parameter >= 0 and t.factor != 1:
            low, high = times((low, high), (t.factor, t.factor))
        return low, high

    def _parameter(self, t: IntegerTerm) -> Interval:
        """The weight without its factor, (1, tuples); constants are the factor itself."""
        if t.parameter < 0:
            factor: Array = np.array([[t.factor]], dtype=self.network.dtype)
            return factor, factor
        u, k = self.network.places[t.parameter]
        box = self.boxes[u]
        return box[k : k + 1], box[len(box) // 2 + k, None]

    def _term(self, t: IntegerTerm) -> Interval:
        weight = self._weight(t)
        if t.source < 0:
            return weight
        return times(self.signals[t.source], weight, t.source in self.network.positive)


def _sums(
    form: IntegerForm, tables: Mapping[int, int]
) -> dict[int, tuple[tuple[int, IntegerTerm], ...]]:
    """By output, if it is linear, its inner units with their terms, where these are two or more."""
    first = len(form.input_scales)
    found: dict[int, tuple[tuple[int, IntegerTerm], ...]] = {}
    for output in form.outputs:
        if output < first:
            continue
        neuron = form.neurons[output - first]
        if neuron.kind != "piecewise_linear" or neuron.breakpoints:
            continue
        units = tuple(
            (t.source, t)
            for t in neuron.terms
            if t.source >= first
            and t.source not in tables
            and form.neurons[t.source - first].kind == "piecewise_linear"
        )
        if len(units) > 1 and len({u for u, _ in units}) == len(units):
            found[output] = units
    return found
