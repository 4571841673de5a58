"""Sizes of numbers: how often a common denominator divides them, and how large they are.

:mod:`ermbit.verifier.evaluation.growth` computes with them. Sizes of parameters and of columns of
data come from rationals one by one, or from float arrays without any conversion to rationals.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from gmpy2 import mpq

from ermbit.verifier.bulk.float_table import on_grid, quantum_exponent
from ermbit_instances.network import Layer
from ermbit_instances.rational import Rational
from ermbit_instances.table import Table

if TYPE_CHECKING:
    import numpy as np

LARGEST = 2**64
"""Exponents and magnitudes are cut off here; no number of that many bits can be built."""

_MACHINE = 2**60
"""Sizes up to this one are added by machine integers."""

_ROWS = 256


@dataclass(frozen=True, slots=True)
class Size:
    """value · Q^exponent is an integer, and abs(value) < 2^magnitude (magnitude ≥ 0)."""

    exponent: int
    magnitude: int

    def __mul__(self, other: Size) -> Size:
        return _capped(self.exponent + other.exponent, self.magnitude + other.magnitude)

    def power(self, k: int) -> Size:
        return _capped(k * self.exponent, k * self.magnitude)


def _capped(exponent: int, magnitude: int) -> Size:
    return Size(min(exponent, LARGEST), min(magnitude, LARGEST))


ONE = Size(0, 1)


def size_of(value: Rational) -> Size:
    whole = abs(value.numerator) // value.denominator
    return Size(0 if value.denominator == 1 else 1, int(whole.bit_length()))


def any_of(sizes: Iterable[Size]) -> Size:
    """A size that holds for each of the values."""
    exponent = magnitude = 0
    for size in sizes:
        exponent = max(exponent, size.exponent)
        magnitude = max(magnitude, size.magnitude)
    return Size(exponent, magnitude)


def sum_of(sizes: Sequence[Size]) -> Size:
    """A size of the sum of as many values."""
    size = any_of(sizes)
    return Size(size.exponent, size.magnitude + _carry(len(sizes)))


def _carry(terms: int) -> int:
    return (terms - 1).bit_length() if terms > 1 else 0


class ArraySizes(Sequence[Size]):
    """Sizes of the numbers in a float64 array.

    Attributes:
        exponents, magnitudes: int64, one a number.
    """

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        import numpy as np

        self.exponents = (array != np.trunc(array)).astype(np.int64)
        self.magnitudes = _magnitudes(array)

    @overload
    def __getitem__(self, index: int) -> Size: ...
    @overload
    def __getitem__(self, index: slice) -> list[Size]: ...
    def __getitem__(self, index: int | slice) -> Size | list[Size]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return Size(int(self.exponents[index]), int(self.magnitudes[index]))

    def __len__(self) -> int:
        return len(self.exponents)

    def dense(self, layer: Layer, sources: Sequence[Size]) -> list[Size] | None:
        """Sizes of the pre-activations of a dense block; ``None`` if it takes single steps."""
        import numpy as np

        plain = layer.is_dense and layer.biases is None
        if not plain or not sources or not any_of(sources).exponent < _MACHINE:
            return None
        if any_of(sources).magnitude >= _MACHINE:
            return None
        own = range(layer.first_parameter, layer.first_parameter + layer.free_weights)
        bias = own.stop
        terms = len(sources) + (1 if layer.has_bias else 0)
        columns = []
        for sizes, of_sources in (
            (self.exponents, [s.exponent for s in sources]),
            (self.magnitudes, [s.magnitude for s in sources]),
        ):
            weights = sizes[own.start : own.stop].reshape(layer.units, len(sources))
            most = (weights + np.array(of_sources, dtype=np.int64)).max(axis=1)
            if layer.has_bias:
                most = np.maximum(most, sizes[bias : bias + layer.units])
            columns.append(most.tolist())
        return [Size(e, m + _carry(terms)) for e, m in zip(*columns, strict=True)]


def _magnitudes(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Bits of the integer parts of floats."""
    import numpy as np

    bits: np.ndarray[Any, Any] = np.frexp(np.trunc(array))[1].astype(np.int64)
    return bits


def parameter_sizes(values: Sequence[Any]) -> tuple[Sequence[Size], set[int]]:
    """Sizes by parameter number, and denominators with the least common multiple of all."""
    array = getattr(values, "array", None)
    if array is not None:
        exponent = quantum_exponent(array, lowest=-1100)
        assert exponent is not None, "parameters are finite"
        return ArraySizes(array), {1 << max(-exponent, 0)}
    # An algebraic value counts as an integer with the bits of its written form.
    sizes = [size_of(v) if isinstance(v, mpq) else Size(0, 8 * len(str(v))) for v in values]
    return sizes, {int(v.denominator) for v in values if isinstance(v, mpq)}


def column_sizes(table: Table) -> tuple[list[Size], set[int]]:
    """Sizes that hold for columns of a table, and denominators as for parameters."""
    width, rows = table.shape[1], table.array
    if rows is None:
        columns = [any_of(size_of(row[i]) for row in table.rows) for i in range(width)]
        return columns, {int(v.denominator) for row in table.rows for v in row}
    high, low = rows.max(axis=0).tolist(), rows.min(axis=0).tolist()
    tops = [max(abs(int(a)), abs(int(b))) for a, b in zip(high, low, strict=True)]
    if rows.dtype.kind in "iub":
        return [Size(0, top.bit_length()) for top in tops], {1}
    import numpy as np

    fractional, exponent = np.zeros(width, dtype=bool), 0
    for start in range(0, len(rows), _ROWS):
        block = rows[start : start + _ROWS]
        if block.dtype != np.float32 or exponent < -100:
            block = block.astype(np.float64)
        with np.errstate(over="ignore"):
            # Floats whose multiples overflow are on every such grid.
            fine = exponent > -1000 and on_grid(block, exponent)
        if not fine:
            found = quantum_exponent(block.astype(np.float64), lowest=-1100)
            assert found is not None, "tables hold finite numbers"
            exponent = min(exponent, found)
        if exponent < 0 and not fractional.all():
            fractional |= (np.rint(block) != block).any(axis=0)
    pairs = zip(fractional.tolist(), tops, strict=True)
    return [Size(int(f), top.bit_length()) for f, top in pairs], {1 << -exponent}
