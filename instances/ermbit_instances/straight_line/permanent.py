"""The permanent of a 0/1 matrix in the bits of one partial derivative (docs/reductions.md 8).

Let k be the bit-length of n^n, y_j = 2^(k·2^(j−1)) and P = Π_i Σ_j m_ij y_j. Bits
k(2^n − 1) .. k(2^n − 1) + k − 1 of P are per(M), the number of perfect matchings (Valiant 1979).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gmpy2 import mpq

from ermbit_instances.errors import LimitError, UsageError
from ermbit_instances.straight_line.forms import derivative_parts
from ermbit_instances.straight_line.products import SQUARE, quadratic, read_polynomial
from ermbit_instances.straight_line.wires import Form, Wiring, combination

Matrix = tuple[tuple[int, ...], ...]

SOURCE = "permanent: Valiant 1979; BitSLP: Allender et al. 2009; docs/reductions.md 8"

LARGEST = 100
"""Rows of the largest matrix."""

COUNTED = 16
"""Rows of the largest matrix whose permanent is computed for ``meta``: 2^16 column sets."""


def read_matrix(matrix: str | Sequence[Sequence[int]]) -> Matrix:
    """A square 0/1 matrix from its rows, or from a text such as ``"110,011,101"``.

    Raises:
        UsageError: not square, empty, or an entry other than 0 and 1.
        LimitError: more than :data:`LARGEST` rows.
    """
    rows: list[Sequence[int | str]]
    rows = [row.strip() for row in matrix.split(",")] if isinstance(matrix, str) else list(matrix)
    if len(rows) > LARGEST:
        raise LimitError(f"matrix: {len(rows)} rows, more than the limit of {LARGEST}")
    result = []
    for i, row in enumerate(rows, 1):
        if len(row) != len(rows):
            raise UsageError(f"matrix: row {i} has {len(row)} entries, not {len(rows)}")
        if any(entry not in ("0", "1", 0, 1) for entry in row):
            raise UsageError(f"matrix: row {i} has an entry other than 0 and 1")
        result.append(tuple(int(entry) for entry in row))
    if not result:
        raise UsageError("matrix: at least one row is needed")
    return tuple(result)


def block_bits(n: int) -> int:
    """k: the bit-length of n^n."""
    return int(n**n).bit_length()


def permanent_window(n: int) -> range:
    """The positions of the bits of P that are the permanent of an n × n matrix, units first.

    Bit 0 is that of the units.
    """
    if type(n) is not int or not 1 <= n <= LARGEST:
        raise UsageError(f"n: expected 1 to {LARGEST}, not {n!r:.60}")
    k = block_bits(n)
    start = k * (2**n - 1)
    return range(start, start + k)


def read_permanent(bits: Sequence[int]) -> int:
    """The permanent from the bits of the window, units first.

    Raises:
        UsageError: an element is not 0 or 1.
    """
    if any(bit not in (0, 1) for bit in bits):
        raise UsageError("bits: expected zeros and ones")
    return sum(int(bit) << position for position, bit in enumerate(bits))


def permanent(matrix: Sequence[Sequence[int]]) -> int:
    """per(M), row by row over the sets of used columns: n·2^n steps."""
    counts = {0: 1}
    for row in matrix:
        following: dict[int, int] = {}
        for taken, count in counts.items():
            for column, entry in enumerate(row):
                if entry and not taken >> column & 1:
                    key = taken | 1 << column
                    following[key] = following.get(key, 0) + count
        counts = following
    return sum(counts.values())


def permanent_instance(
    matrix: str | Sequence[Sequence[int]],
    polynomial: str | Sequence[object] = SQUARE,
    name: str | None = None,
) -> dict[str, Any]:
    """An instance with one free parameter w, ∂L/∂w = P at w = 0, and P in the neuron ``P``.

    Args:
        matrix: see :func:`read_matrix`.
        polynomial: the activation; with ``square`` and no all-zero row there are at most 3n − 1
            neurons.
        name: of the instance.

    Raises:
        UsageError, LimitError: as :func:`read_matrix` and :func:`~.products.read_polynomial`.
    """
    rows = read_matrix(matrix)
    n = len(rows)
    k = block_bits(n)
    # The input is y_1 = 2^k; the unit that general polynomials are shifted by is 2^-k of it.
    wiring = Wiring(quadratic(read_polynomial(polynomial)), {"x0": mpq(1, 2**k)})
    y: list[Form] = [{"x0": mpq(1)}]
    for j in range(2, n + 1):
        y.append(wiring.product(f"y{j}", y[-1], y[-1]))
    one = mpq(1)
    product: Form = {}
    for i, row in enumerate(rows, 1):
        total = combination(*((one, y[j]) for j, entry in enumerate(row) if entry))
        total_wire = wiring.wire(f"r{i}", total)
        product = total_wire if i == 1 else wiring.product(f"P{i}", product, total_wire)
    wiring.carry("P", product)
    data = {"x": [[2**k]], "y": [["-1/2"]]}
    window: list[int | str] = [_written(edge) for edge in (k * (2**n - 1), k * 2**n - 1)]
    meta: dict[str, Any] = {
        "source": SOURCE,
        "status": "sat",
        "minimum": "1/4",
        "how": "w = 0 has loss 1/4; w P is an integer, so (w P + 1/2)^2 is never smaller",
        "answer": "the bits of the window, of the derivative by w at w = 0, are the permanent",
        "matrix": ["".join(map(str, row)) for row in rows],
        "window": window,
    }
    if n <= COUNTED:
        meta["permanent"] = _written(permanent(rows))
    return {
        "format": "ermbit-instance",
        "version": 1,
        "name": f"permanent-{n}x{n}" if name is None else name,
        **derivative_parts(wiring.neuron_documents(), "P", data),
        "loss": {"name": "squared", "reduction": "sum"},
        "threshold": "1/4",
        "meta": meta,
    }


def _written(value: int) -> int | str:
    return value if value.bit_length() <= 53 else str(value)
