"""Interval evaluation of a network on tuples of tree nodes.

A tuple holds one node of every variable's tree. Its boxes are intervals for activations of first
neurons and for parameters; they are pushed through the network, all samples and thousands of
tuples at a time. Intervals of points are exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ermbit.engines.deep_tables.arithmetic import Interval, activated, narrowed, times
from ermbit.engines.deep_tables.variables import Variable, entries
from ermbit.engines.enumeration_bounds import Bounds
from ermbit.engines.tables.build import Array
from ermbit.engines.tables.loss import GapLoss
from ermbit_encodings.integer_form import IntegerForm, IntegerNeuron, IntegerTerm


class IntervalForm:
    """A network and the boxes of its variables' trees, ready for evaluation.

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
        root = Evaluation(self, list(np.zeros((len(variables), 1), dtype=np.int64)))
        self.positive = frozenset(i for i, (low, _) in enumerate(root.signals) if (low >= 0).all())

    def neuron(self, node: int) -> IntegerNeuron:
        return self.form.neurons[node - self.first]


class Evaluation:
    """One evaluation: intervals of every neuron on every sample."""

    def __init__(self, network: IntervalForm, nodes: Sequence[Array]) -> None:
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
        low, high = self.parameter(t)
        if t.parameter >= 0 and t.factor != 1:
            low, high = times((low, high), (t.factor, t.factor))
        return low, high

    def parameter(self, t: IntegerTerm) -> Interval:
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
