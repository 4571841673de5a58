"""Exact numbers as float64 with proved radii, and the power-of-two grid that floats lie on.

A table of floats whose entries are all multiples of 2^e takes part in sums without any rounding as
long as the sums stay below 2^53 · 2^e (docs/theory.md E7); :func:`quantum_exponent` finds e.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isinf, ldexp, nextafter
from typing import TYPE_CHECKING, Any

from gmpy2 import mpq

from ermbit_instances.rational import Rational
from ermbit_instances.table import Table

if TYPE_CHECKING:
    import numpy as np

UNIT = 2.0**-53
"""u, the unit roundoff of float64."""

TINY = 2.0**-960
"""Far more than all underflows of one sum of fewer than 2^25 products (results or operands
flushed to zero included), and a normal number, so that bounds never underflow themselves."""

UP = 1.0 + 2.0**-20
"""Factor that covers the rounding of a bound's own arithmetic (proof in ``filter``)."""

LOWEST, HIGHEST = -960, 900
"""Range of the exponents of grids: products stay clear of underflow and overflow."""


@dataclass(frozen=True, slots=True)
class Signals:
    """A block of samples in float64: centres, and how far the true values can be.

    Attributes:
        values: samples × width.
        radius: samples; the Euclidean norm of (true row − row of ``values``) is at most this.
            Infinite where nothing is known.
        exponent: every entry of ``values`` is a multiple of 2^exponent; ``None`` if unknown.
        bound: no entry of ``values`` is larger in absolute value; infinite if unknown.
    """

    values: np.ndarray[Any, Any]
    radius: np.ndarray[Any, Any]
    exponent: int | None = None
    bound: float = inf


def enclose(value: Rational) -> tuple[float, float]:
    """A float c and a radius r with |value − c| ≤ r; r = 0 iff the value is c."""
    try:
        centre = float(value)
    except OverflowError:
        return 0.0, inf
    if isinf(centre):
        return 0.0, inf
    error = abs(value - mpq(centre))
    # One conversion loses at most a unit in the last place, or everything below 2^-1074.
    return centre, 0.0 if error == 0 else float(error) * UP + TINY


def round_up(value: Rational) -> float:
    """The least float ≥ value. A finite float f has f ≥ value iff f ≥ round_up(value)."""
    if value > mpq(nextafter(inf, 0.0)):
        return inf
    if value < -mpq(nextafter(inf, 0.0)):
        return -nextafter(inf, 0.0)
    nearby = float(value)
    while mpq(nearby) < value:
        nearby = nextafter(nearby, inf)
    while (below := nextafter(nearby, -inf)) > -inf and mpq(below) >= value:
        nearby = below
    return nearby


def fits(bound: float, exponent: int | None) -> bool:
    """Whether sums of multiples of 2^exponent with Σ|terms| ≤ bound are exact in float64 (E7)."""
    if exponent is None or exponent < LOWEST:
        return False
    return bound <= ldexp(1.0, 53 + min(exponent, HIGHEST))


def quantum_exponent(array: np.ndarray[Any, Any], *, lowest: int = LOWEST) -> int | None:
    """The largest e ≤ 900 such that all entries of a float64 array are multiples of 2^e.

    ``None`` if that is below ``lowest``, or an entry is not finite.
    """
    import numpy as np

    found = HIGHEST
    flat = array.reshape(-1)
    for start in range(0, len(flat), 1 << 16):
        block = flat[start : start + (1 << 16)]
        block = block[block != 0]
        if not len(block):
            continue
        if not np.isfinite(block).all():
            return None
        mantissa, exponent = np.frexp(block)
        whole = np.ldexp(mantissa, 53).astype(np.int64)
        lowbit = (whole & -whole).astype(np.float64)
        found = min(found, int((exponent + np.frexp(lowbit)[1]).min()) - 54)
        if found < lowest:
            return None
    return found


def on_grid(array: np.ndarray[Any, Any], exponent: int) -> bool:
    """Whether all entries are multiples of 2^exponent, for exponent ≤ 0 and finite quotients."""
    import numpy as np

    scaled = array * ldexp(1.0, -exponent) if exponent else array
    return bool((np.rint(scaled) == scaled).all())


def largest(array: np.ndarray[Any, Any]) -> float:
    """The largest absolute value; NaN if there is one; 0 for an empty array."""
    return max(float(array.max()), -float(array.min())) if array.size else 0.0


def row_norms(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Upper bounds of the Euclidean norms of rows; infinite or NaN if one cannot be told."""
    import numpy as np

    # Squares below 2^-1022 may be lost: at most sqrt(width) · 2^-510 of the norm.
    lost = array.shape[1] * 2.0**-510
    norms: np.ndarray[Any, Any] = np.sqrt(np.vecdot(array, array)) * UP + lost
    return norms


def table_chunk(
    table: Table,
    start: int,
    stop: int,
    *,
    budget: float = inf,
    out: np.ndarray[Any, Any] | None = None,
) -> Signals:
    """Rows start..stop of a table.

    Args:
        table: the table.
        start, stop: the rows.
        budget: look for the grid only if some row shows it worth while, that is if bound / 2^e
            is at most this.
        out: a float64 buffer of at least as many rows.
    """
    import numpy as np

    count, width = stop - start, table.shape[1]
    buffer = np.empty((count, width)) if out is None else out[:count]
    if table.array is None:
        return _rational_chunk(table, start, buffer, budget)
    rows = table.array[start:stop]
    if rows.dtype == np.float64 and rows.flags.c_contiguous and rows.flags.aligned:
        buffer = rows
    else:
        np.copyto(buffer, rows)
    radius = np.zeros(count)
    if rows.dtype.kind in "iub":
        # Conversion rounds only integers past 2^53.
        bound = 255.0 if rows.dtype.itemsize == 1 else largest(buffer)
        if bound < 2.0**53:
            return Signals(buffer, radius, 0, bound)
        return Signals(buffer, row_norms(buffer) * (2 * UNIT), None, inf)
    return _with_grid(buffer, radius, budget)


def _with_grid(
    values: np.ndarray[Any, Any], radius: np.ndarray[Any, Any], budget: float
) -> Signals:
    if budget < 1.0:
        return Signals(values, radius)
    # A few rows show whether looking at all of them can pay.
    probe = values[:4]
    exponent = quantum_exponent(probe)
    if exponent is None or largest(probe) > budget * ldexp(1.0, exponent):
        return Signals(values, radius)
    # Zero rows lie on any grid. Scaling by 2^-e for e > 0 could flush smaller entries to 0.
    exponent = min(exponent, 0)
    bound = largest(values)
    if not bound <= ldexp(1.0, 60 + exponent) or not on_grid(values, exponent):
        exponent = quantum_exponent(values)
    return Signals(values, radius, exponent, bound)


def _rational_chunk(
    table: Table, start: int, values: np.ndarray[Any, Any], budget: float
) -> Signals:
    import numpy as np

    radius = np.zeros(len(values))
    for i in range(len(values)):
        row = table.rows[start + i]
        pairs = [enclose(v) for v in row]
        values[i] = [centre for centre, _ in pairs]
        if any(r for _, r in pairs):
            # The sum is at least the Euclidean norm.
            radius[i] = sum(r for _, r in pairs) * UP
    return _with_grid(values, radius, budget)
