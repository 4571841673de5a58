"""Enclosures of neurons and losses where some parameters have several values left.

A *box* says which values of a parameter are left: a run of its increasing integer values, with or
without 0 among them. Everything is about the integers of the scaled form.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from gmpy2 import mpz

from ermbit.engines.enclosures.activation import activated
from ermbit.engines.enclosures.interval import ZERO, Enclosure, Intervals, is_point
from ermbit_encodings.integer_form import IntegerForm, IntegerNeuron, IntegerTerm, integer_domain

Signals = dict[int, Enclosure]
"""By node, on one sample."""

Exact = Mapping[int, tuple[Any, ...]]
"""By node, its value on every sample."""


class Box(NamedTuple):
    """Values start ≤ k < end of a parameter, without 0 if ``holed``; 0 is at neither end then."""

    start: int
    end: int
    holed: bool = False


class Network:
    """A form with its domains listed.

    Attributes:
        form: the integer form.
        values: by parameter, its values, increasing.
        zero: by parameter, the position of 0 among them, or ``None``.
        neurons: by node.
        order: nodes of the neurons in topological order.
        samples: number of samples.
    """

    def __init__(self, form: IntegerForm) -> None:
        self.form = form
        self.values = tuple(tuple(integer_domain(form, p)) for p in range(len(form.grids)))
        self.zero = tuple(_position(values, 0) for values in self.values)
        self.neurons = {neuron.node: neuron for neuron in form.neurons}
        self.order = tuple(self.neurons)
        self.samples = len(form.inputs)
        self.inputs: dict[int, tuple[Any, ...]] = {
            i: tuple(mpz(row[i]) for row in form.inputs) for i in range(len(form.input_scales))
        }
        self.sums = form.instance.loss.reduction != "max"
        self._factors: dict[tuple[int, int, Box, int], Enclosure] = {}

    def whole(self, parameter: int) -> Box:
        """All values."""
        return Box(0, len(self.values[parameter]))

    def is_single(self, parameter: int, box: Box) -> bool:
        return box.end - box.start == 1

    def count(self, box: Box) -> int:
        """How many values are left."""
        return box.end - box.start - box.holed

    def members(self, parameter: int, box: Box) -> Iterable[int]:
        """Positions of the values that are left."""
        zero = self.zero[parameter] if box.holed else None
        return (k for k in range(box.start, box.end) if k != zero)

    def run(self, parameter: int, start: int, end: int, holed: bool) -> Box | None:
        """The box of a run; ``None`` if it is empty."""
        zero = self.zero[parameter]
        if holed and zero is not None:
            if start == zero:
                start += 1
            if end == zero + 1:
                end -= 1
            holed = start < zero < end - 1
        else:
            holed = False
        return Box(start, end, holed) if start < end else None

    def has_zero(self, parameter: int, box: Box) -> bool:
        zero = self.zero[parameter]
        return zero is not None and not box.holed and box.start <= zero < box.end

    def value(self, parameter: int, box: Box) -> int:
        """The first value that is left."""
        return self.values[parameter][box.start]

    def factor(self, term: IntegerTerm, boxes: Sequence[Box], intervals: Intervals) -> Enclosure:
        """factor · P of a term."""
        box = boxes[term.parameter] if term.parameter >= 0 else Box(0, 1)
        key = (term.factor, term.parameter, box, intervals.precision)
        known = self._factors.get(key)
        if known is not None:
            return known
        if term.parameter < 0:
            made = intervals.integer(term.factor)
        else:
            values = self.values[term.parameter]
            ends = sorted((term.factor * values[box.start], term.factor * values[box.end - 1]))
            gap = 0
            if ends[0] < 0 < ends[1] and not self.has_zero(term.parameter, box):
                above = bisect_left(values, 0)
                below = above - 1
                above += values[above] == 0
                gap = abs(term.factor) * min(values[above], -values[below])
            made = intervals.between(ends[0], ends[1], gap)
        if len(self._factors) > 100_000:
            self._factors.clear()
        self._factors[key] = made
        return made

    def term(
        self, term: IntegerTerm, boxes: Sequence[Box], signals: Signals, intervals: Intervals
    ) -> Enclosure:
        """factor · P · A."""
        factor = self.factor(term, boxes, intervals)
        return factor if term.source < 0 else intervals.multiply(factor, signals[term.source])

    def output(
        self, neuron: IntegerNeuron, boxes: Sequence[Box], signals: Signals, intervals: Intervals
    ) -> Enclosure:
        """A of one neuron."""
        terms = [self.term(t, boxes, signals, intervals) for t in neuron.terms]
        if neuron.kind == "max":
            z = ZERO
            if terms:
                low, high = max(t[0] for t in terms), max(t[1] for t in terms)
                z = (low, high, low if low > 0 else ZERO[2])
        else:
            z = intervals.total(terms)
        if neuron.bias is not None:
            z = intervals.add(z, self.factor(neuron.bias, boxes, intervals))
        return activated(intervals, neuron, z)

    def exact_output(
        self,
        neuron: IntegerNeuron,
        boxes: Sequence[Box],
        alive: Sequence[IntegerTerm],
        exact: Exact,
    ) -> tuple[Any, ...]:
        """A of one neuron on every sample.

        Args:
            neuron: the neuron.
            boxes: of one value, for all parameters of the alive terms.
            alive: its terms, and its bias, without those that are 0 on every sample.
            exact: the values of all that these read.
        """
        columns: list[Any] = []
        for t in neuron.terms:
            if t not in alive:
                columns.append([mpz(0)] * self.samples)
                continue
            factor = mpz(t.factor * self._single(t, boxes))
            columns.append([factor * a for a in exact[t.source]])
        bias = 0
        if neuron.bias is not None and neuron.bias in alive:
            bias = neuron.bias.factor * self._single(neuron.bias, boxes)
        result = []
        for i in range(self.samples):
            row = [column[i] for column in columns]
            z = max(row, default=mpz(0)) if neuron.kind == "max" else sum(row, mpz(0))
            result.append(mpz(neuron.activate(z + bias)))
        return tuple(result)

    def _single(self, term: IntegerTerm, boxes: Sequence[Box]) -> int:
        return 1 if term.parameter < 0 else self.value(term.parameter, boxes[term.parameter])

    # ---------------------------------------------------------------- losses

    def loss(
        self, sample: int, signals: Signals, intervals: Intervals
    ) -> tuple[Any, Any]:
        """Bounds on the weighted loss ŵ ℓ̂ of one sample."""
        form = self.form
        finals = []
        for node, factor in zip(form.outputs, form.output_factors, strict=True):
            f = signals[node]
            if factor != 1:
                f = intervals.multiply(intervals.integer(factor), f)
            finals.append(f)
        target = form.targets[sample]
        name = form.instance.loss.name
        if name in ("absolute", "squared"):
            gaps = [self._gap(f, t, intervals) for f, t in zip(finals, target, strict=True)]
            if name == "squared":
                gaps = [intervals.power(g, 2) for g in gaps]
            low, high, _ = intervals.total(gaps)
        else:
            low, high = self._classified(finals, target[0], intervals)
        weight = form.weights[sample]
        if weight != 1:
            low, high, _ = intervals.multiply(intervals.integer(weight), (low, high, ZERO[2]))
        return low, high

    def _gap(self, f: Enclosure, target: int, intervals: Intervals) -> Enclosure:
        """|F − Y|."""
        shifted = intervals.add(f, intervals.integer(-target))
        gap = shifted[2]
        return gap, intervals.magnitude(shifted), gap

    def _classified(
        self, finals: list[Enclosure], label: int, intervals: Intervals
    ) -> tuple[Any, Any]:
        form = self.form
        if len(finals) == 1:
            score = intervals.multiply(intervals.integer(label), finals[0])
        else:
            others = [f for j, f in enumerate(finals) if j != label]
            low, high = max(f[0] for f in others), max(f[1] for f in others)
            minus = (intervals.down.minus(high), intervals.up.minus(low), ZERO[2])
            score = intervals.add(finals[label], minus)
        if form.instance.loss.name == "zero_one":
            one = intervals.integer(1)[0]
            zero = ZERO[0]
            return (
                zero if score[1] >= form.margin else one,
                zero if score[0] >= form.margin else one,
            )
        minus = (intervals.down.minus(score[1]), intervals.up.minus(score[0]), ZERO[2])
        short = intervals.add(intervals.integer(form.scale), minus)
        return max(short[0], ZERO[0]), max(short[1], ZERO[1])

    def exact_loss(self, sample: int, exact: Exact) -> Any:
        """ŵ ℓ̂ of one sample."""
        form = self.form
        finals = [
            factor * exact[node][sample]
            for node, factor in zip(form.outputs, form.output_factors, strict=True)
        ]
        return form.weights[sample] * form.sample_loss(finals, form.targets[sample])

    def exact_total(self, exact: Exact) -> int:
        """The integer total, all outputs known."""
        losses = [self.exact_loss(i, exact) for i in range(self.samples)]
        return int(sum(losses) if self.sums else max(losses))


def _position(values: Sequence[int], wanted: int) -> int | None:
    at = bisect_left(values, wanted)
    return at if at < len(values) and values[at] == wanted else None


__all__ = ["Box", "Exact", "Network", "Signals", "is_point"]
