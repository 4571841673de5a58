"""Gathering a certificate's values, and what in it contradicts the network.

Two collectors with the same questions: one of any values by parameter number (JSON), one into an
array of floats (NPZ, ONNX), which takes whole dense blocks without looking at single entries.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from gmpy2 import mpq

from ermbit_instances.json_node import Node
from ermbit_instances.network import Entry, Layer, Network
from ermbit_instances.parameter_vector import ParameterVector, as_float
from ermbit_instances.rational import Rational, from_float, write_rational

if TYPE_CHECKING:
    import numpy as np

    from ermbit_instances.algebraic import AlgebraicNumber

Value: TypeAlias = "Rational | AlgebraicNumber"
"""Value of a parameter: rational, or algebraic in a ``real`` domain."""


def write_value(value: Value) -> int | str:
    return write_rational(value) if isinstance(value, mpq) else str(value)


class ValueCollector:
    """Gathers values by parameter number and notes contradictions."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.values: dict[int, Value] = {}
        self.contradictions: list[str] = []

    def set(self, number: int, value: Value, place: str) -> None:
        known = self.values.setdefault(number, value)
        if known is not value and known != value:
            self.contradict(place)

    def contradict(self, place: str) -> None:
        self.contradictions.append(f"{place}: the parameter is given two different values")

    def cell(self, entry: Entry | None, value: Value, place: str) -> None:
        """An array cell: the weight of an edge, which may be absent, frozen or shared."""
        if entry is None or entry.parameter is None:
            fixed = mpq(0) if entry is None else entry.value
            if value != fixed:
                what = "absent" if entry is None else f"frozen to {write_rational(fixed)}"
                shown = write_value(value)
                self.contradictions.append(f"{place}: the entry is {what}, not {shown}")
            return
        self.set(entry.parameter, value if entry.scale == 1 else value / entry.scale, place)

    def finish(self, place: Node) -> Sequence[Value]:
        """All values by number.

        Raises:
            InputError: at ``place``: a parameter has none.
        """
        count = self.network.parameter_count
        self.check_missing([i for i in range(count) if i not in self.values], place)
        return tuple(self.values[i] for i in range(count))

    def check_missing(self, missing: list[int], place: Node) -> None:
        if missing:
            names = [self.network.parameter_name(i) for i in missing[:3]]
            more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
            place.fail(f"no value for {', '.join(names)}{more}")


class VectorCollector(ValueCollector):
    """Gathers rationals into an array of floats; those that no float64 is are kept aside."""

    def __init__(self, network: Network) -> None:
        import numpy as np

        super().__init__(network)
        # NaN where ``values`` holds the value: it differs from every float, as it must.
        self.numbers = np.zeros(network.parameter_count, dtype=np.float64)
        self.known = np.zeros(network.parameter_count, dtype=np.bool_)

    def set(self, number: int, value: Value, place: str) -> None:
        nearest = as_float(value) if isinstance(value, mpq) else None
        if self.known[number]:
            held = self.numbers[number]
            if (self.values[number] != value) if held != held else (held != nearest):
                self.contradict(place)
            return
        self.known[number] = True
        if nearest is None:
            self.values[number] = value
            nearest = float("nan")
        self.numbers[number] = nearest

    def array(
        self, layer: Layer, kind: str, array: np.ndarray[Any, Any], place: Node, *, null: bool
    ) -> None:
        """The weights (``kind`` "W", units × fan-in) or biases ("b", units) of a layer.

        Args:
            layer: the layer.
            kind: which of the two.
            array: float64, or an object array of rationals (:func:`exact_array`).
            place: where it came from, for messages.
            null: NaN stands for ``null`` in frozen and absent cells.

        Raises:
            InputError: wrong shape; an entry is NaN or infinite.
        """
        fan_in = len(layer.sources)
        shape = (layer.units, fan_in) if kind == "W" else (layer.units,)
        if array.shape != shape:
            place.fail(f"shape {array.shape}, but the layer needs {shape}")
        if array.dtype != object and kind == "W" and layer.weights is None:
            self._run(layer.first_parameter, array, place)
        elif array.dtype != object and kind == "b" and layer.biases is None and layer.has_bias:
            self._run(layer.first_parameter + layer.free_weights, array, place)
        else:
            for j, row in enumerate(array.tolist()):
                for k, value in enumerate(row if kind == "W" else [row]):
                    entry = layer.weight(j, k) if kind == "W" else layer.bias(j)
                    if entry is None and value == 0:
                        continue
                    if null and value != value and (entry is None or entry.is_frozen):
                        continue
                    where = f"{place.path}[{j}][{k}]" if kind == "W" else f"{place.path}[{j}]"
                    self.cell(entry, exact(value, place.member(None, where)), where)

    def _run(self, first: int, array: np.ndarray[Any, Any], place: Node) -> None:
        """Own parameters numbered consecutively, in the order of the array's entries."""
        import numpy as np

        flat = array.reshape(-1)
        finite = np.isfinite(flat)
        if not finite.all():
            at = int(np.argmin(finite))
            exact(flat[at].item(), place.member(None, _cell_path(place, array, at)))
        part = slice(first, first + flat.size)
        known = self.known[part]
        if known.any():
            for at in np.flatnonzero(known & (self.numbers[part] != flat)).tolist():
                self.contradict(_cell_path(place, array, at))
            flat = np.where(known, self.numbers[part], flat)
        self.numbers[part] = flat
        self.known[part] = True

    def finish(self, place: Node) -> Sequence[Value]:
        import numpy as np

        if not self.known.all():
            self.check_missing(np.flatnonzero(~self.known).tolist(), place)
        if not self.values:
            return ParameterVector(self.numbers)
        return tuple(
            from_float(v) if v == v else self.values[i] for i, v in enumerate(self.numbers.tolist())
        )


def _cell_path(place: Node, array: np.ndarray[Any, Any], at: int) -> str:
    if array.ndim == 1:
        return f"{place.path}[{at}]"
    row, column = divmod(at, array.shape[1])
    return f"{place.path}[{row}][{column}]"


def exact(value: object, place: Node) -> Rational:
    """The rational that an entry of an array is.

    Raises:
        InputError: at ``place``: NaN or an infinity.
    """
    try:
        return from_float(value) if isinstance(value, float) else mpq(value)
    except (ValueError, TypeError) as error:
        place.fail(str(error))
