"""Exact evaluation of networks in bulk: matrices of integers with one denominator.

Every layer's signals are integers over one common denominator (docs/theory.md A1): with W over D_W,
inputs over D_a and biases over D_b, Z = T·z is an integer matrix for T = lcm(D_W·D_a, D_b). Whether
z ≥ t is Z ≥ ⌈t·T⌉ (A2), and φ(z) is an integer over the lcm of the denominators of s_k/T and c_k
(A3). A polynomial φ is evaluated by Horner's scheme on Z, over the lcm of the denominators of the
c_k/T^k: lengths multiply (A8). Products are those of :mod:`ermbit.verifier.bulk.limbs`: float64
products proved exact, or FLINT. Samples go through in chunks, so that memory stays bounded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import lcm
from typing import TYPE_CHECKING, Any

from gmpy2 import mpq

from ermbit.verifier.bulk.float_network import FloatLayer, FloatNetwork, Reading
from ermbit.verifier.bulk.float_table import quantum_exponent
from ermbit.verifier.bulk.limbs import (
    Integers,
    affine,
    at_least,
    elementwise,
    from_floats,
    from_list,
    from_machine,
    product,
    row_maximum,
    select,
    tight,
)
from ermbit.verifier.evaluation.evaluate import LayerBits
from ermbit_instances.activation import Activation
from ermbit_instances.rational import Rational, bit_length, ceil
from ermbit_instances.table import Table

if TYPE_CHECKING:
    import numpy as np

CHUNK_BYTES = 8 * 2**20
"""Signals of one chunk of samples; with what products need at the same time, about five times."""


@dataclass(frozen=True, slots=True)
class Scaled:
    """A matrix of rationals: ``integers`` / ``denominator``."""

    integers: Integers
    denominator: int


@dataclass(frozen=True)
class ExactLayer:
    """A layer's weights (units × fan-in) and biases as scaled integers.

    ``row_sum`` is the largest row sum of absolute weights; ``rows`` and ``present`` serve ``max``.
    """

    layer: FloatLayer
    weights: Scaled
    biases: tuple[int, ...]
    bias_denominator: int
    row_sum: int


class Bits:
    """Collects bit-lengths of the scaled integers and their denominators, layer by layer.

    They are not reduced to lowest terms, so they can exceed those that single rationals have.
    """

    def __init__(self) -> None:
        self._most: dict[int, list[int]] = {}

    def see(self, depth: int, place: int, values: Scaled) -> None:
        most = self._most.setdefault(depth, [1, 1])
        here = max(values.integers.bound.bit_length(), values.denominator.bit_length())
        most[place] = max(most[place], here)

    @property
    def layers(self) -> tuple[LayerBits, ...]:
        return tuple(LayerBits(n, *bits) for n, bits in sorted(self._most.items()))


def exact_layers(network: FloatNetwork, values: Sequence[Any]) -> tuple[ExactLayer, ...]:
    """The layers at θ = ``values`` as scaled integers."""
    return tuple(_exact_layer(layer, values) for layer in network.layers)


def _exact_layer(layer: FloatLayer, values: Sequence[Any]) -> ExactLayer:
    units = len(layer.weights)
    exact = not (layer.weight_error or layer.bias_error)
    grids = (
        quantum_exponent(layer.weights, lowest=-1100),
        None if layer.bias is None else quantum_exponent(layer.bias, lowest=-1100),
    )
    if exact and grids[0] is not None and (layer.bias is None or grids[1] is not None):
        integers, denominator = _over_grid(layer.weights, grids[0])
        biases, bias_denominator = [0] * units, 1
        if layer.bias is not None and grids[1] is not None:
            pairs = [v.as_integer_ratio() for v in layer.bias.tolist()]
            bias_denominator = lcm(*(d for _, d in pairs))
            biases = [n * (bias_denominator // d) for n, d in pairs]
    else:
        rows, given = layer.rational_rows(values)
        integers, denominator = _over_common([v for row in rows for v in row], layer.weights.shape)
        bias_denominator = lcm(*(int(b.denominator) for b in given))
        biases = [int(b.numerator) * (bias_denominator // int(b.denominator)) for b in given]
    return ExactLayer(
        layer,
        Scaled(integers, denominator),
        tuple(biases),
        bias_denominator,
        _row_sum(integers),
    )


def _over_grid(array: np.ndarray[Any, Any], exponent: int) -> tuple[Integers, int]:
    """A float array on the grid 2^exponent as integers over a power of two."""
    exponent = min(exponent, 0)
    return from_floats(array, exponent), 1 << -exponent


def _over_common(cells: Sequence[Rational], shape: tuple[int, ...]) -> tuple[Integers, int]:
    denominator = lcm(*{int(v.denominator) for v in cells})
    numbers = [int(v.numerator) * (denominator // int(v.denominator)) for v in cells]
    return from_list(numbers, shape), denominator


def _row_sum(matrix: Integers) -> int:
    import numpy as np

    if matrix.is_object:
        return max((sum(map(abs, row)) for row in matrix.limbs[0].tolist()), default=0)
    # Sums of absolute limbs: at most 2^20 each, so int64 suffices.
    total = 0
    for k, limb in enumerate(matrix.limbs):
        sums = np.abs(limb).sum(axis=1)
        total += int(sums.max(initial=0)) << (20 * k)
    return min(total, matrix.bound * int(matrix.limbs.shape[2]))


def table_rows(table: Table, indices: Sequence[int]) -> Scaled:
    """Some rows of a table, exactly."""
    import numpy as np

    if table.array is None:
        cells = [v for i in indices for v in table.rows[i]]
        return Scaled(*_over_common(cells, (len(indices), table.shape[1])))
    rows = table.array[np.asarray(indices, dtype=np.int64)]
    if rows.dtype.kind in "iub":
        return Scaled(from_machine(rows), 1)
    exact = rows.astype(np.float64)
    exponent = quantum_exponent(exact, lowest=-1100)
    assert exponent is not None, "tables hold finite numbers"
    return Scaled(*_over_grid(exact, exponent))


def evaluate_rows(
    network: FloatNetwork,
    layers: Sequence[ExactLayer],
    table: Table,
    indices: Sequence[int],
    *,
    floats: bool = True,
    bits: Bits | None = None,
) -> Iterator[tuple[Sequence[int], Scaled]]:
    """Exact outputs of some samples, chunk by chunk: (indices, samples × outputs).

    Args:
        network, layers: the network, and its layers from :func:`exact_layers`.
        table: the inputs.
        indices: which rows.
        floats: whether float64 products may be used (``float_check``).
        bits: collects bit-lengths if given.
    """
    for chunk in sample_chunks(network, layers, table, indices):
        signals = [table_rows(table, chunk)]
        for layer in layers:
            inputs = read_signals(layer.layer.reading, signals, len(chunk))
            z = pre_activation(layer, inputs, floats)
            a = activate(layer.layer.activation, z)
            a = Scaled(tight(a.integers), a.denominator)
            if bits is not None:
                z = Scaled(tight(z.integers), z.denominator)
                bits.see(layer.layer.depth, 0, z)
                bits.see(layer.layer.depth, 1, a)
            signals.append(a)
        yield chunk, read_signals(network.outputs, signals, len(chunk))


def sample_chunks(
    network: FloatNetwork, layers: Sequence[ExactLayer], table: Table, indices: Sequence[int]
) -> Iterator[Sequence[int]]:
    """Runs of samples whose signals fit into :data:`CHUNK_BYTES` together.

    A chunk has one denominator. Where the table holds rationals, rows that would make it too long
    go into another chunk.
    """
    step = _chunk_rows(network, layers, 64)
    start = 0
    while start < len(indices):
        stop = min(start + step, len(indices))
        if table.array is None:
            stop, denominator = start, 1
            while stop < min(start + step, len(indices)):
                row = table.rows[indices[stop]]
                wider = lcm(denominator, *(int(v.denominator) for v in row))
                length = 64 + wider.bit_length()
                if stop > start and wider != denominator:
                    if stop + 1 - start > _chunk_rows(network, layers, length):
                        break
                denominator, stop = wider, stop + 1
        yield indices[start:stop]
        start = stop


def _chunk_rows(network: FloatNetwork, layers: Sequence[ExactLayer], size: int) -> int:
    """Samples a chunk, from a bound on the bits of an input."""
    total = size // 8 * network.widths[0]
    for layer, width in zip(layers, network.widths[1:], strict=True):
        size += max(layer.row_sum.bit_length(), layer.weights.denominator.bit_length())
        size += layer.bias_denominator.bit_length()
        # Twice: limbs as integers and as floats.
        if layer.layer.polynomial is not None:
            coefficients = layer.layer.activation.coefficients
            size *= layer.layer.activation.degree
            size += max(bit_length(c) for c in coefficients)
        total += 2 * (size // 8 + 8) * max(width, 1)
    return max(1, min(2048, CHUNK_BYTES // total))


def read_signals(reading: Reading, signals: Sequence[Scaled], rows: int) -> Scaled:
    import numpy as np

    if reading.whole:
        return signals[reading.segments[0].block]
    parts = [signals[s.block] for s in reading.segments]
    if not parts:
        return Scaled(from_list([], (rows, 0)), 1)
    denominator = lcm(*(part.denominator for part in parts))
    columns = [
        affine(part.integers.columns(s.columns), denominator // part.denominator, [0])
        for part, s in zip(parts, reading.segments, strict=True)
    ]
    if len(columns) == 1:
        return Scaled(columns[0], denominator)
    widest = max(columns, key=lambda c: c.bound)
    same = [_like(c, widest) for c in columns]
    limbs = np.concatenate([c.limbs for c in same], axis=2)
    return Scaled(Integers(limbs, widest.bound, True), denominator)


def _like(matrix: Integers, model: Integers) -> Integers:
    """The same matrix in as many limbs as the model's bound asks for."""
    none = Integers(matrix.limbs[:1] * 0, model.bound, True)
    import numpy as np

    return select(np.ones(matrix.limbs.shape[1:], dtype=bool), matrix, none)


def pre_activation(layer: ExactLayer, inputs: Scaled, floats: bool) -> Scaled:
    weights = layer.weights
    unit = weights.denominator * inputs.denominator
    if layer.layer.activation.kind == "max":
        z = _maxima(layer, inputs.integers)
    else:
        z = product(inputs.integers, weights.integers, layer.row_sum, floats=floats)
    if not any(layer.biases):
        return Scaled(affine(z, 1, [0]), unit)
    total = lcm(unit, layer.bias_denominator)
    offsets = [b * (total // layer.bias_denominator) for b in layer.biases]
    return Scaled(affine(z, total // unit, offsets), total)


def _maxima(layer: ExactLayer, inputs: Integers) -> Integers:
    import numpy as np

    weights, present = layer.weights.integers, layer.layer.present
    rows, units = inputs.limbs.shape[1], weights.limbs.shape[1]
    columns = []
    for unit in range(units):
        there = np.arange(inputs.limbs.shape[2])
        if present is not None:
            there = np.flatnonzero(present[unit])
        row = Integers(weights.limbs[:, unit : unit + 1, there], weights.bound, weights.normal)
        if len(there):
            columns.append(row_maximum(inputs.columns(there), row))
        else:
            columns.append(from_list([0] * rows, (rows, 1)))
    widest = max(columns, key=lambda c: c.bound)
    limbs = np.concatenate([_like(c, widest).limbs for c in columns], axis=2)
    return Integers(limbs, widest.bound, True)


def activate(activation: Activation, z: Scaled) -> Scaled:
    """φ(z); the maximum of a ``max`` neuron has been taken before."""
    if activation.kind == "max":
        return z
    unit = z.denominator
    if activation.kind == "polynomial":
        return _polynomial(activation.coefficients, tight(z.integers), unit)
    slopes = [mpq(s) / unit for s in activation.slopes]
    scale = lcm(*(int(v.denominator) for v in (*slopes, *activation.intercepts)))
    pieces = [
        (int(s * scale), int(c * scale)) for s, c in zip(slopes, activation.intercepts, strict=True)
    ]
    result = affine(z.integers, pieces[0][0], [pieces[0][1]])
    for point, (factor, offset) in zip(activation.breakpoints, pieces[1:], strict=True):
        past = at_least(z.integers, ceil(point * unit))
        result = select(past, affine(z.integers, factor, [offset]), result)
    return Scaled(result, scale)


def _polynomial(coefficients: Sequence[Rational], z: Integers, unit: int) -> Scaled:
    """Σ c_k (Z/T)^k for T = ``unit``."""
    terms = [mpq(c) / unit**k for k, c in enumerate(coefficients)]
    scale = lcm(*(int(c.denominator) for c in terms))
    *rest, leading = (int(c * scale) for c in terms)
    value = affine(z, leading, [rest.pop()])
    while rest:
        value = affine(elementwise(value, z), 1, [rest.pop()])
    return Scaled(value, scale)
