"""A network with parameter values, as float64 arrays with proved radii.

Blocks of the network become layers of arrays: weight matrices, biases, pieces of activations, and
which columns of which earlier block a layer reads. Numbers that no float64 equals carry a radius.
Consecutive neurons of the ``neurons`` spelling with equal sources and activation make one layer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ldexp, sqrt
from typing import TYPE_CHECKING, Any

from gmpy2 import mpq

from ermbit.verifier.bulk.float_pieces import FloatPieces, float_pieces
from ermbit.verifier.bulk.float_polynomial import FloatPolynomial, float_polynomial
from ermbit.verifier.bulk.float_table import UP, enclose, largest, quantum_exponent
from ermbit.verifier.evaluation.evaluate import entry_value
from ermbit_instances.activation import Activation
from ermbit_instances.errors import ErmbitError
from ermbit_instances.network import Entry, Layer, Network

if TYPE_CHECKING:
    import numpy as np

Array = Any
"""A NumPy array (the name stands in for it where NumPy is not imported)."""


class NotPiecewiseLinearError(ErmbitError, ValueError):
    """A polynomial activation where none may be, or an irrational θ. Never reaches users."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive columns of a layer's input: columns of one earlier block (0: the inputs)."""

    block: int
    columns: slice | Array

    def of(self, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return values[..., self.columns]


@dataclass(frozen=True)
class Reading:
    """What a layer reads.

    Attributes:
        segments: columns in order; one whole block is read without a copy.
        whole: whether that is so.
        multiplicity: per block, how often its most used column occurs.
    """

    segments: tuple[Segment, ...]
    whole: bool
    multiplicity: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class FloatLayer:
    """Units that read the same sources.

    Attributes:
        blocks: the network's blocks that it consists of.
        depth: layer number for reports.
        reading: where its fan-in comes from.
        activation: φ exactly; ``pieces`` or ``polynomial`` is φ in float64, both ``None`` for
            ``max``.
        weights: units × fan-in, absent edges 0.
        present: units × fan-in; ``None`` if no edge is absent.
        bias: units; ``None`` if all are 0.
        weight_error, bias_error: bounds of the Frobenius and Euclidean norms of rounding errors;
            both 0 iff every entry is the float.
        weight_norm, bias_norm: upper bounds of the norms of ``weights`` and ``bias``.
        row_sum: upper bound of the row sums of absolute weights; bias_bound: of absolute biases.
        exponent, bias_exponent: grids of weights and biases (see ``float_table``).
    """

    blocks: tuple[Layer, ...]
    depth: int
    reading: Reading
    activation: Activation
    pieces: FloatPieces | None
    weights: np.ndarray[Any, Any]
    present: np.ndarray[Any, Any] | None
    bias: np.ndarray[Any, Any] | None
    weight_error: float
    bias_error: float
    weight_norm: float
    bias_norm: float
    row_sum: float
    bias_bound: float
    exponent: int | None
    bias_exponent: int | None
    polynomial: FloatPolynomial | None = None

    def rational_rows(self, values: Sequence[Any]) -> tuple[list[list[Any]], list[Any]]:
        """Weights and biases exactly; 0 for what is absent."""
        rows, biases = [], []
        for block in self.blocks:
            for unit in range(block.units):
                cells = (block.weight(unit, k) for k in range(len(block.sources)))
                rows.append([mpq(0) if e is None else entry_value(e, values) for e in cells])
                bias = block.bias(unit)
                biases.append(mpq(0) if bias is None else entry_value(bias, values))
        return rows, biases


@dataclass(frozen=True)
class FloatNetwork:
    """The layers in order, what the outputs read, and the widths of all blocks.

    ``input_budget`` is the largest |x| / 2^e, for inputs on the grid 2^e, with which some layer
    that reads inputs can be evaluated without rounding.
    """

    layers: tuple[FloatLayer, ...]
    outputs: Reading
    widths: tuple[int, ...]
    input_budget: float


def float_network(
    network: Network, values: Sequence[Any], *, polynomials: bool = False
) -> FloatNetwork:
    """The network at θ = ``values`` (rationals, or a sequence with an exact float64 ``array``).

    Args:
        network: the network.
        values: θ by parameter number.
        polynomials: whether polynomial activations may occur (derivatives in bulk do without).

    Raises:
        NotPiecewiseLinearError: a polynomial activation (without ``polynomials``), or an
            irrational value.
    """
    import numpy as np

    if not polynomials and any(layer.activation.kind == "polynomial" for layer in network.layers):
        raise NotPiecewiseLinearError("a polynomial activation")
    centres, radii = _parameters(values)
    groups = _groups(network)
    widths = [network.input_count, *(sum(b.units for b in group) for group in groups)]
    starts = np.cumsum([0, *widths])
    layers = []
    for group in groups:
        layers.append(_layer(group, _reading(group[0].sources, starts), values, centres, radii))
    budget = 0.0
    for layer in layers:
        if layer.exponent is not None and any(s.block == 0 for s in layer.reading.segments):
            reach = max(layer.row_sum, 2.0**-900)
            budget = max(budget, ldexp(1.0, 53 + min(layer.exponent, 0)) / reach)
    return FloatNetwork(tuple(layers), _reading(network.outputs, starts), tuple(widths), budget)


def _parameters(values: Sequence[Any]) -> tuple[Array, Array | None]:
    import numpy as np

    array = getattr(values, "array", None)
    if array is not None:
        return array, None
    if any(not isinstance(v, mpq) for v in values):
        raise NotPiecewiseLinearError("an irrational parameter")
    pairs = np.array([enclose(v) for v in values]).reshape(-1, 2)
    radii = np.ascontiguousarray(pairs[:, 1])
    return np.ascontiguousarray(pairs[:, 0]), radii if radii.any() else None


def _groups(network: Network) -> list[list[Layer]]:
    groups: list[list[Layer]] = []
    for layer in network.layers:
        last = groups[-1][-1] if groups else None
        if (
            last is not None
            and network.spelling == "neurons"
            and last.sources == layer.sources
            and last.activation == layer.activation
        ):
            groups[-1].append(layer)
        else:
            groups.append([layer])
    return groups


def _reading(sources: Sequence[int], starts: Array) -> Reading:
    import numpy as np

    nodes = np.asarray(sources, dtype=np.int64)
    block = np.searchsorted(starts, nodes, side="right") - 1
    column = nodes - starts[block]
    cuts = np.flatnonzero(np.diff(block)) + 1
    segments = []
    for part in np.split(np.arange(len(nodes)), cuts):
        if not len(part):
            continue
        columns = column[part]
        run = bool((np.diff(columns) == 1).all())
        first, last = int(columns[0]), int(columns[-1])
        segments.append(Segment(int(block[part[0]]), slice(first, last + 1) if run else columns))
    width = 0 if not segments else int(starts[segments[0].block + 1] - starts[segments[0].block])
    whole = len(segments) == 1 and np.array_equal(column, np.arange(width))
    uses = [(int(b), int(np.bincount(column[block == b]).max())) for b in np.unique(block).tolist()]
    return Reading(tuple(segments), whole, tuple(uses))


def _layer(
    group: list[Layer], reading: Reading, values: Sequence[Any], centres: Array, radii: Array | None
) -> FloatLayer:
    import numpy as np

    block = group[0]
    fan_in = len(block.sources)
    present = None
    weight_error = 0.0
    if block.weights is None:
        first, last = block.first_parameter, block.first_parameter + block.free_weights
        weights = centres[first:last].reshape(block.units, fan_in)
        if radii is not None:
            weight_error = _norm(radii[first:last])
    else:
        entries = [e for b in group for row in b.weights or () for e in row]
        flat, weight_error = _entries(entries, values, centres, radii)
        weights = flat.reshape(-1, fan_in) if fan_in else flat.reshape(len(group), 0)
        if any(e is None for e in entries):
            there = np.array([e is not None for e in entries])
            present = there.reshape(weights.shape)
    biases = [b.bias(j) for b in group for j in range(b.units)]
    bias, bias_error = _entries(biases, values, centres, radii)
    activation = block.activation
    return FloatLayer(
        tuple(group),
        block.depth,
        reading,
        activation,
        float_pieces(activation) if activation.kind == "piecewise_linear" else None,
        weights,
        present,
        bias if bias.any() else None,
        weight_error,
        bias_error,
        _norm(weights),
        _norm(bias),
        _row_sum(weights) if fan_in else 0.0,
        largest(bias),
        quantum_exponent(weights),
        quantum_exponent(bias),
        float_polynomial(activation) if activation.kind == "polynomial" else None,
    )


def _entries(
    entries: Sequence[Entry | None], values: Sequence[Any], centres: Array, radii: Array | None
) -> tuple[Array, float]:
    """Centres of entries (0 for absent ones), and the norm of their rounding errors."""
    import numpy as np

    number = np.array(
        [-1 if e is None or e.parameter is None or e.scale != 1 else e.parameter for e in entries],
        dtype=np.int64,
    )
    own = number >= 0
    result, errors = np.zeros(len(entries)), np.zeros(len(entries))
    result[own] = centres[number[own]]
    if radii is not None:
        errors[own] = radii[number[own]]
    for i in np.flatnonzero(~own).tolist():
        entry = entries[i]
        if entry is not None:
            result[i], errors[i] = enclose(entry_value(entry, values))
    return result, _norm(errors) if errors.any() else 0.0


def _row_sum(weights: Array) -> float:
    """An upper bound of the largest sum of absolute values of a row; infinite on overflow."""
    import numpy as np

    with np.errstate(over="ignore"):
        return float(np.abs(weights).sum(axis=1).max()) * UP


def _norm(array: Array) -> float:
    """An upper bound of the Euclidean norm of all entries."""
    import numpy as np

    flat = array.reshape(-1)
    if not flat.any():
        return 0.0
    # Entries whose squares underflow lose at most 2^-510 each.
    with np.errstate(all="ignore"):
        return float(np.sqrt(np.dot(flat, flat))) * UP + sqrt(len(flat)) * 2.0**-500
