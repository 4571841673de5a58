"""Exact backpropagation in bulk for piecewise linear networks of real size (docs/theory.md A1–A6).

Chunks of samples go through the network as in :mod:`ermbit.verifier.bulk.exact_matrix`: matrices of
integers, one denominator each. Backwards an error signal δ = ∂L/∂z is such a matrix as well; the
weights of a layer get δᵀ·A, the layers that it reads get δ·W. All summands of a partial derivative
meet over common denominators, and at the end all partial derivatives over one. Conventions at kinks
are those of :mod:`ermbit.verifier.evaluation.backpropagation`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import gcd, lcm
from typing import TYPE_CHECKING, Any

from gmpy2 import mpq

from ermbit.verifier.bulk.exact_matrix import (
    Bits,
    Scaled,
    activate,
    evaluate_rows,
    exact_layers,
    pre_activation,
    read_signals,
    sample_chunks,
    table_rows,
)
from ermbit.verifier.bulk.float_check import float64_behaves
from ermbit.verifier.bulk.float_network import FloatLayer, FloatNetwork, float_network
from ermbit.verifier.bulk.kink_table import KinkTable, neuron_kinks
from ermbit.verifier.bulk.layer_derivatives import LayerWay, layer_way, reads_of, segments
from ermbit.verifier.bulk.limb_sums import scattered, total
from ermbit.verifier.bulk.limbs import tight, to_objects
from ermbit.verifier.bulk.output_slopes import Factors, output_slopes, tie_words
from ermbit.verifier.derivatives import DeltaBits
from ermbit.verifier.evaluation.arithmetic import EXACT, check_time
from ermbit.verifier.evaluation.sample_loss import total_loss
from ermbit_instances.instance import Instance
from ermbit_instances.network import Entry
from ermbit_instances.rational import Rational

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class BulkGradient:
    """L and its partial derivatives.

    Attributes:
        loss: L(θ).
        numerators: by parameter number, Python integers: ∂L/∂θ_p · ``denominator``.
        denominator: the least one that all partial derivatives have in common.
        kinks: where a convention was used, in the order of samples, neurons and losses.
        bits: by layer, of the scaled integers and denominators that were computed. They are not
            reduced to lowest terms, so they can exceed those that single rationals have.
    """

    loss: Rational
    numerators: np.ndarray[Any, Any]
    denominator: int
    kinks: KinkTable
    bits: tuple[DeltaBits, ...]

    @property
    def partials(self) -> Mapping[int, Rational]:
        """∂L/∂θ_p by parameter number, each computed when it is read."""
        return _Partials(self.numerators, self.denominator)


class _Partials(Mapping[int, Rational]):
    def __init__(self, numerators: np.ndarray[Any, Any], denominator: int) -> None:
        self._numerators = numerators
        self._denominator = denominator

    def __getitem__(self, parameter: int) -> Rational:
        if not 0 <= parameter < len(self._numerators):
            raise KeyError(parameter)
        return mpq(self._numerators[parameter], self._denominator)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self._numerators)))

    def __len__(self) -> int:
        return len(self._numerators)


def bulk_gradient(
    instance: Instance, values: Sequence[Any], deadline: float | None = None
) -> BulkGradient:
    """L(θ) and all ∂L/∂θ_p.

    Args:
        instance: network, data, loss; domains and threshold play no role.
        values: θ by parameter number: rationals, or a sequence with an exact float64 ``array``.
        deadline: by the monotonic clock, in seconds; looked at before every chunk of samples.

    Raises:
        OutOfTime: the deadline has passed.
        NotPiecewiseLinearError: a polynomial activation, or an irrational parameter.
    """
    return _Differentiation(instance, values, deadline).run()


class _Differentiation:
    """One call of :func:`bulk_gradient`: what is summed up over the chunks."""

    def __init__(self, instance: Instance, values: Sequence[Any], deadline: float | None) -> None:
        self.instance = instance
        self.deadline = deadline
        self.network: FloatNetwork = float_network(instance.network, values)
        self.layers = exact_layers(self.network, values)
        self.reads = [reads_of(layer) for layer in self.layers]
        self.floats = float64_behaves()
        self.bits = Bits()
        self.deltas: dict[int, int] = {}
        self.loss = mpq(0)
        self.weights: list[Scaled | None] = [None] * len(self.layers)
        self.biases: list[Scaled | None] = [None] * len(self.layers)
        self.kinks = KinkTable(
            neuron_kinks(self.network, instance.network.spelling),
            tie_words(instance.loss, len(instance.network.outputs)),
        )

    def run(self) -> BulkGradient:
        loss, weights = self.instance.loss, self.instance.data.weights
        counting = [i for i, w in enumerate(weights) if w != 0]
        if loss.reduction == "max":
            self._largest(counting)
        else:
            whole = sum((weights[i] for i in counting), mpq(0)) if loss.reduction == "mean" else 1
            share = {w: w / whole for w in set(weights)}
            unit = lcm(*(int(v.denominator) for v in share.values()))
            numerator = {w: int(v * unit) for w, v in share.items()}
            data = self.instance.data
            for chunk in sample_chunks(self.network, self.layers, data.x, counting):
                self._chunk(chunk, Factors([numerator[weights[i]] for i in chunk], unit))
        numerators, denominator = self._collected()
        bits = tuple(
            DeltaBits(b.layer, b.pre_activation, b.output, self.deltas.get(b.layer, 0))
            for b in self.bits.layers
        )
        return BulkGradient(self.loss, numerators, denominator, self.kinks, bits)

    def _largest(self, counting: Sequence[int]) -> None:
        """The ``max`` reduction: only the first sample with the largest loss has slopes."""
        data, loss = self.instance.data, self.instance.loss
        losses: list[Any] = [None] * len(data)
        blocks = evaluate_rows(
            self.network, self.layers, data.x, counting, floats=self.floats, bits=self.bits
        )
        for chunk, outputs in blocks:
            check_time(self.deadline)
            targets = table_rows(data.y, chunk)
            pairs = zip(_rational_rows(outputs), _rational_rows(targets), strict=True)
            for i, (f, y) in zip(chunk, pairs, strict=True):
                losses[i] = loss.sample(f, y)
        found = total_loss(loss, losses, data.weights, EXACT)
        best = next(i for i, factor in enumerate(found.factors) if factor is not None)
        weight = found.factors[best]
        self._chunk([best], Factors([int(weight.numerator)], int(weight.denominator)))
        if found.tied:
            self.kinks.finish("the largest loss is attained by several samples")

    def _chunk(self, chunk: Sequence[int], factors: Factors) -> None:
        """Some samples forward and back."""
        check_time(self.deadline)
        data = self.instance.data
        signals, ways = [table_rows(data.x, chunk)], []
        for layer in self.layers:
            inputs = read_signals(layer.layer.reading, signals, len(chunk))
            z = pre_activation(layer, inputs, self.floats)
            a = activate(layer.layer.activation, z)
            z = Scaled(tight(z.integers), z.denominator)
            a = Scaled(tight(a.integers), a.denominator)
            self.bits.see(layer.layer.depth, 0, z)
            self.bits.see(layer.layer.depth, 1, a)
            ways.append(layer_way(layer, inputs, z))
            signals.append(a)
        outputs = read_signals(self.network.outputs, signals, len(chunk))
        found = output_slopes(self.instance.loss, outputs, table_rows(data.y, chunk), factors)
        self.loss += found.loss
        self.kinks.add(chunk, [way.ties for way in ways], found.ties)
        if found.slopes is not None:
            self._backward(found.slopes, ways)

    def _backward(self, slopes: Scaled, ways: Sequence[LayerWay]) -> None:
        widths = self.network.widths
        back: list[list[Scaled]] = [[] for _ in widths]
        for block, own, columns in segments(self.network.outputs):
            part = scattered(slopes.integers.columns(own), columns, widths[block])
            back[block].append(Scaled(part, slopes.denominator))
        for number in range(len(self.layers) - 1, -1, -1):
            parts, back[number + 1] = back[number + 1], []
            delta = ways[number].delta(total(parts)) if parts else None
            if delta is None:
                continue
            way, layer, reads = ways[number], self.layers[number], self.reads[number]
            depth = layer.layer.depth
            longest = max(delta.integers.bound.bit_length(), delta.denominator.bit_length())
            self.deltas[depth] = max(self.deltas.get(depth, 1), longest)
            if reads.weights:
                product = way.weight_slopes(layer, delta, self.floats)
                self.weights[number] = _plus(self.weights[number], product)
            if reads.biases:
                self.biases[number] = _plus(self.biases[number], way.bias_slopes(delta))
            for block, own, columns in reads.sources:
                product = way.source_slopes(layer, delta, own, self.floats)
                spread = scattered(tight(product.integers), columns, widths[block])
                back[block].append(Scaled(spread, product.denominator))

    # ------------------------------------------------------------ parameters

    def _collected(self) -> tuple[np.ndarray[Any, Any], int]:
        """All partial derivatives as numerators over their least common denominator."""
        import numpy as np

        found = [m for m in (*self.weights, *self.biases) if m is not None]
        scales = {int(e.scale.denominator) for layer in self.network.layers for e in _free(layer)}
        denominator = lcm(*(m.denominator for m in found)) * lcm(*scales)
        numerators = np.zeros(self.instance.network.parameter_count, dtype=object)
        for number, layer in enumerate(self.network.layers):
            for matrix, is_bias in ((self.weights[number], False), (self.biases[number], True)):
                if matrix is not None:
                    cells = to_objects(matrix.integers) * (denominator // matrix.denominator)
                    _deal_out(layer, cells, is_bias, numerators)
        common = gcd(denominator, *numerators.tolist())
        return numerators // common, denominator // common


def _rational_rows(matrix: Scaled) -> list[list[Rational]]:
    rows = to_objects(matrix.integers).tolist()
    return [[mpq(v, matrix.denominator) for v in row] for row in rows]


def _plus(sum_: Scaled | None, part: Scaled) -> Scaled:
    tightened = Scaled(tight(part.integers), part.denominator)
    return tightened if sum_ is None else total([sum_, tightened])


def _free(layer: FloatLayer) -> Iterator[Entry]:
    """Entries of parameters that are listed one by one."""
    for block in layer.blocks:
        rows = (*(block.weights or ()), block.biases or ())
        for row in rows:
            yield from (e for e in row if e is not None and e.parameter is not None)


def _deal_out(
    layer: FloatLayer,
    cells: np.ndarray[Any, Any],
    is_bias: bool,
    numerators: np.ndarray[Any, Any],
) -> None:
    """Add a layer's slopes, units × fan-in or 1 × units, to those of its parameters."""
    unit = 0
    for block in layer.blocks:
        own = slice(unit, unit + block.units)
        unit += block.units
        if is_bias and not block.has_bias:
            continue
        first = block.first_parameter + (block.free_weights if is_bias else 0)
        part = cells[0, own] if is_bias else cells[own].reshape(-1)
        listed = block.biases if is_bias else block.weights
        if listed is None:
            numerators[first : first + len(part)] += part
            continue
        entries = block.biases if is_bias else [e for row in block.weights or () for e in row]
        for entry, slope in zip(entries or (), part.tolist(), strict=True):
            if entry is not None and entry.parameter is not None and slope:
                scale = entry.scale
                scaled = slope * int(scale.numerator) // int(scale.denominator)
                numerators[entry.parameter] += scaled
