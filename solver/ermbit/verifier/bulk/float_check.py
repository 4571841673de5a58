"""A self-test of this machine's float64 arithmetic: what the filter's proof assumes of it.

It runs before every filtered verification, since a library loaded later can change the rounding
mode, or make subnormal numbers zero; large products, which other threads compute, are tried once a
process. It finds products accumulated in shorter formats, Strassen-like and fixed-point kernels,
directed rounding, and flushing to zero in elementwise operations (products of matrices may flush:
the bounds allow for that).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

Product = Any
"""A function of two matrices that returns their product."""


def float64_behaves(product: Callable[..., Any] | None = None) -> bool:
    """Whether the assumptions hold as far as the test can tell.

    Args:
        product: the product of matrices to test; ``numpy.matmul`` by default.
    """
    import numpy as np

    with np.errstate(all="ignore"):
        if product is None:
            return _elementwise() and _roundings(np.matmul) and _large_products()
        return _roundings(product) and _exact_products(product)


@cache
def _large_products() -> bool:
    import numpy as np

    return _exact_products(np.matmul)


def _elementwise() -> bool:
    """Subnormal numbers are kept, and results are rounded to nearest."""
    import numpy as np

    normal = np.full(33, 2.0**-1022)
    half = normal * 0.5
    single = np.full(33, 2.0**-149, dtype=np.float32).astype(np.float64)
    one, bit = np.ones(33), np.full(33, 2.0**-53)
    return bool(
        (half + half == normal).all()
        and (normal * 1.5 - normal == half).all()
        and (half > 0.0).all()
        and (np.maximum(half, 0.0) == half).all()
        and (single * 2.0**149 == 1.0).all()
        and (np.abs(-half) == half).all()
        and (one + bit == 1.0).all()
        and (-one - bit == -1.0).all()
        and (one + 1.5 * bit > 1.0).all()
    )


def _roundings(product: Callable[..., Any]) -> bool:
    """Round to nearest, full precision of operands and sums, no common exponent for a row."""
    import numpy as np

    size, bit = 48, 2.0**-53
    rows = np.zeros((size, size))
    rows[:, 0] = 1.0
    rows[:, 1] = bit
    rows[1::4, 1] = 1.5 * bit
    rows[2::4] *= -1.0
    rows[3::4, 0] = 2.0**100
    columns = np.ones((size, size))
    result = product(rows, columns)
    expected = np.array([1.0, 1.0 + 2 * bit, -1.0, 2.0**100])
    if not (result == np.tile(expected, size // 4)[:, None]).all():
        return False
    # A large entry that meets a zero must not take precision from the others.
    columns[0] = 0.0
    odd = product(rows, columns)[:4, 0]
    return bool((odd == np.array([bit, 1.5 * bit, -bit, bit])).all())


def _exact_products(product: Callable[..., Any]) -> bool:
    """Integers up to 2^53 come out right, rows and columns of very different scale too."""
    import numpy as np

    left, right, expected = _integers()
    scale = np.where(np.arange(len(left)) % 2 == 0, 2.0**200, 2.0**-200)
    result = product(left * scale[:, None], right)
    if not (result == expected * scale[:, None]).all():
        return False
    scale = np.where(np.arange(right.shape[1]) % 3 == 0, 2.0**150, 2.0**-150)
    return bool((product(left, right * scale) == expected * scale).all())


@cache
def _integers() -> tuple[np.ndarray[Any, Any], ...]:
    import numpy as np

    rows, inner, columns = 96, 300, 64
    mask = (1 << 22) - 1
    left = (np.arange(rows * inner, dtype=np.int64) * 2654435761 >> 7) & mask
    right = (np.arange(inner * columns, dtype=np.int64) * 40503 * 65599 >> 5) & mask
    a, b = left.reshape(rows, inner), right.reshape(inner, columns)
    b = np.where(b % 3 == 0, -b, b)
    # 300 · 2^44 < 2^53, so every partial sum is exact.
    return a.astype(np.float64), b.astype(np.float64), (a @ b).astype(np.float64)
