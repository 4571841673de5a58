"""Parameter values held as an array of floats, each the dyadic rational that it is.

A certificate of a real-size network has 10^5 to 10^7 values. As an array they take eight bytes
each and are checked and evaluated in bulk; read one by one they are rationals like any others.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

from gmpy2 import mpq

from ermbit_instances.rational import Rational

if TYPE_CHECKING:
    import numpy as np

_CHUNK = 1 << 16
_EXACT_INTEGER = 1 << 53


class ParameterVector(Sequence[Rational]):
    """Rationals by parameter number, backed by floats.

    Attributes:
        array: 1-D float64, every entry finite, read-only; −0.0 is stored as 0.0.
    """

    __slots__ = ("array",)
    array: np.ndarray[Any, Any]

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        """Copy the entries of a 1-D array of finite float64.

        Raises:
            ValueError: another type or shape, NaN, or an infinity.
        """
        import numpy as np

        if array.dtype != np.float64 or array.ndim != 1 or not np.isfinite(array).all():
            raise ValueError("a one-dimensional array of finite float64 is needed")
        self.array = array + 0.0
        self.array.flags.writeable = False

    def __len__(self) -> int:
        return int(self.array.size)

    @overload
    def __getitem__(self, index: int) -> Rational: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Rational, ...]: ...
    def __getitem__(self, index: int | slice) -> Rational | tuple[Rational, ...]:
        if isinstance(index, slice):
            return tuple(map(_rational, self.array[index].tolist()))
        return _rational(self.array[index].item())

    def __iter__(self) -> Iterator[Rational]:
        for start in range(0, len(self), _CHUNK):
            yield from map(_rational, self.array[start : start + _CHUNK].tolist())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ParameterVector):
            return bool(self.array.shape == other.array.shape and (self.array == other.array).all())
        if isinstance(other, Sequence) and not isinstance(other, str | bytes):
            return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))
        return NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))  # equal to a tuple of the same values

    def __reduce__(self) -> tuple[object, ...]:
        return (ParameterVector, (self.array,))

    def __repr__(self) -> str:
        shown = ", ".join(str(v) for v in self[:6])
        return f"ParameterVector([{shown}{', ...' if len(self) > 6 else ''}], {len(self)} values)"


def _rational(value: float) -> Rational:
    return mpq(*value.as_integer_ratio())


def exact_array(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same numbers as float64, or as rationals in an object array where floats cannot say them.

    Takes Boolean, integer and floating-point arrays of at most 64 bits an entry, the small floats
    that other packages add to NumPy among them: all of those widen exactly. NaN and infinities
    stay what they are.
    """
    import numpy as np

    if array.dtype == np.float64 or array.dtype.kind == "O":
        return array
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8 and array.size:
        if int(array.max()) > _EXACT_INTEGER or int(array.min()) < -_EXACT_INTEGER:
            exact = np.empty(array.size, dtype=object)
            exact[:] = [mpq(v) for v in array.reshape(-1).tolist()]
            return exact.reshape(array.shape)
    return array.astype(np.float64)


def as_float(value: Rational) -> float | None:
    """The float64 that this rational is, or ``None`` if none is."""
    try:
        nearest = int(value.numerator) / int(value.denominator)  # correctly rounded
    except OverflowError:
        return None
    return nearest if mpq(nearest) == value else None
