"""Few squares under the squared loss: the distance of the best form from all forms of small rank.

Where the outputs determine M, the total is base + q(M − M*), with M* the form of the relaxed
minimum and q a positive definite quadratic form of its entries (direct terms are eliminated). For
any matrix T the form TᵀMT has no more positive and negative squares than M, and differs from TᵀM*T
by at least the eigenvalues of the latter that are too many (Eckart & Young 1936, Hoffman & Wielandt
1953). So if q ≥ c ‖Tᵀ·T‖² (Frobenius norm), then

    total ≥ base + c Σ' λ_k(TᵀM*T)².

T and c come from floats: T maps to the first eigenvectors of M* in coordinates in which the columns
are orthonormal on the data, and is improved at random. q − c ‖Tᵀ·T‖² ≥ 0 and lower bounds on the
eigenvalues are proved by exact elimination (Sylvester).
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
from gmpy2 import mpq
from numpy.typing import NDArray

from ermbit.engines.lifting.form_system import FormSystem
from ermbit.engines.lifting.forms import Matrix, conjugated, inertia
from ermbit.engines.lifting.linear import Column, independent
from ermbit.engines.lifting.multipliers import are_short, read_dual
from ermbit.engines.lifting.one_sign import freed
from ermbit.engines.lifting.program import least_squares
from ermbit.engines.lifting.relaxation import Relaxation
from ermbit_instances.rational import Rational

SIZE_LIMIT = 40
"""Entries of M."""

ROUNDED = 1 << 16
"""Denominator of the entries of T, but for scales."""

TRIALS, STEP = 400, 0.1
"""Random changes of T, and their first relative size."""

Floats = NDArray[np.float64]

_ZERO = mpq(0)


def distance_bound(
    system: FormSystem, relaxation: Relaxation, deadline: float | None
) -> Rational | None:
    """A lower bound on L for every network, ``None`` where there is none of this kind."""
    try:
        return _bound(system, relaxation, deadline)
    except (np.linalg.LinAlgError, OverflowError, ZeroDivisionError):
        return None  # products of the columns pass the range of floats, which only choose c and T


def _bound(
    system: FormSystem, relaxation: Relaxation, deadline: float | None
) -> Rational | None:
    loss = relaxation.problem.instance.loss
    if loss.name != "squared" or loss.reduction == "max" or len(system.fixed) != 1:
        return None
    is_short = are_short((*system.columns, *system.direct[0]))
    if not is_short or read_dual(relaxation, system.fixed[0]) is None:
        return None
    left, free = freed(system)
    size = len(left)
    pairs = [(a, b) for a in range(size) for b in range(a, size)]
    if not left or len(pairs) > SIZE_LIMIT:
        return None
    g = [system.columns[k] for k in left]
    monomials = [tuple(v * w for v, w in zip(g[a], g[b], strict=True)) for a, b in pairs]
    every = [*monomials, *free]
    rows = relaxation.rows
    seen = [tuple(column[r] for r in rows) for column in every]
    if len(independent(seen)) < len(seen):
        return None
    weights = [mpq(s.weight) for s in relaxation.samples]
    sides = [
        s.y[0] - system.fixed[0][r] for s, r in zip(relaxation.samples, rows, strict=True)
    ]
    point, base = least_squares(seen, sides, weights)
    best = _matrix(size, pairs, point)
    gram = _eliminated(seen, weights, len(pairs))
    capacity = system.network.capacity
    chosen = _chosen(best, gram, pairs, [[c[r] for r in rows] for c in g], capacity)
    if chosen is None or (deadline is not None and time.monotonic() >= deadline):
        return None
    c = _least_ratio(gram, _norm(chosen, pairs))
    if c is None:
        return None
    moved = conjugated(best, [list(row) for row in zip(*chosen, strict=True)])
    return (base + c * _surplus(moved, capacity)) / relaxation.unit


def _matrix(size: int, pairs: Sequence[tuple[int, int]], amounts: Sequence[Rational]) -> Matrix:
    full = [[_ZERO] * size for _ in range(size)]
    for (a, b), v in zip(pairs, amounts, strict=False):
        full[a][b] = full[b][a] = v if a == b else v / 2
    return tuple(map(tuple, full))


def _chosen(
    best: Matrix,
    gram: Matrix,
    pairs: Sequence[tuple[int, int]],
    g: Sequence[Sequence[int]],
    capacity: tuple[int, int, int],
) -> Matrix | None:
    """A matrix T of good value, rounded."""
    tops = np.array([float(max(map(abs, c))) for c in g])
    scaled = np.array([[float(v) for v in c] for c in g]) / tops[:, None]
    scales = np.array([tops[a] * tops[b] for a, b in pairs])
    quadratic = _floats(gram) / np.outer(scales, scales)
    root = np.linalg.cholesky(scaled @ scaled.T / scaled.shape[1])
    inverse = np.linalg.inv(quadratic)
    form = _floats(best) * np.outer(tops, tops)

    def value(t: Floats) -> float:
        images = np.array(
            [(np.outer(t[a], t[b]) + np.outer(t[b], t[a])).ravel() / 2 for a, b in pairs]
        )
        most = float(np.linalg.eigvalsh(images.T @ inverse @ images)[-1])
        values = np.linalg.eigvalsh(t.T @ form @ t)
        sides = (values[values > 0].tolist(), (-values[values < 0]).tolist())
        return _least_surplus(sides, capacity) / most

    values, vectors = np.linalg.eigh(root.T @ form @ root)
    order = np.argsort(-np.abs(values))
    least = min(sum(capacity) + 1, len(tops))
    starts = [root @ vectors[:, order[:k]] for k in range(least, len(tops) + 1)]
    found = max(starts, key=value)
    top, step = value(found), STEP
    rng = np.random.default_rng(0)
    for _ in range(TRIALS):
        near = found + step * float(np.abs(found).max()) * rng.normal(size=found.shape)
        if (improved := value(near)) > top:
            found, top, step = near, improved, step * 1.3
        else:
            step *= 0.97
    if not np.isfinite(found).all() or top <= 0:
        return None
    size = float(np.abs(found).max())
    return tuple(
        tuple(mpq(round(v / size * ROUNDED), ROUNDED) * int(t) for v in row)
        for row, t in zip(found.tolist(), tops.tolist(), strict=True)
    )


def _least_surplus(sides: Sequence[Sequence[float]], capacity: tuple[int, int, int]) -> float:
    """The least Σ λ² over eigenvalues of either sign that units of given signs cannot have."""
    plus, minus, free = capacity
    squares = [sorted((v * v for v in side), reverse=True) for side in sides]
    return min(
        sum(squares[0][plus + taken :]) + sum(squares[1][minus + free - taken :])
        for taken in range(free + 1)
    )


def _norm(basis: Matrix, pairs: Sequence[tuple[int, int]]) -> Matrix:
    """‖Tᵀ M T‖² as a quadratic form of the amounts of monomials."""
    size = len(basis[0])
    images: list[list[Rational]] = []
    for a, b in pairs:
        # M has the single monomial g_a g_b.
        image = [
            [(basis[a][i] * basis[b][j] + basis[b][i] * basis[a][j]) / 2 for j in range(size)]
            for i in range(size)
        ]
        images.append([v for row in image for v in row])
    return _gram(images, [mpq(1)] * (size * size))


def _gram(vectors: Sequence[Sequence[Rational]], weights: Sequence[Rational]) -> Matrix:
    found = []
    for u in vectors:
        weighted = [a * w for a, w in zip(u, weights, strict=True)]
        found.append(
            tuple(sum((a * b for a, b in zip(weighted, v, strict=True)), _ZERO) for v in vectors)
        )
    return tuple(found)


def _eliminated(
    columns: Sequence[Column],
    weights: Sequence[Rational],
    kept: int,
) -> Matrix:
    """The Gram matrix of the first columns, others being free (a Schur complement)."""
    full = [list(row) for row in _gram([[mpq(v) for v in c] for c in columns], weights)]
    for k in range(len(columns) - 1, kept - 1, -1):
        pivot = full[k][k]
        for i in range(k):
            factor = full[i][k] / pivot
            if factor:
                full[i] = [a - factor * b for a, b in zip(full[i], full[k], strict=True)]
    return tuple(tuple(row[:kept]) for row in full[:kept])


def _least_ratio(gram: Matrix, norm: Matrix) -> Rational | None:
    """A proved c > 0 with gram − c norm positive semidefinite."""
    scale = np.array([float(row[k]) ** -0.5 for k, row in enumerate(gram)])
    shape = np.outer(scale, scale)
    inverse = np.linalg.inv(_floats(gram) * shape)
    # The largest eigenvalue of gram⁻¹ norm is that of norm^½ gram⁻¹ norm^½.
    values, vectors = np.linalg.eigh(_floats(norm) * shape)
    half = vectors * np.sqrt(np.maximum(values, 0.0))
    ratio = float(np.linalg.eigvalsh(half.T @ inverse @ half)[-1])
    if not np.isfinite(ratio) or ratio <= 0:
        return None
    for slack in (1e-6, 1e-3, 0.1):
        c = mpq((1 - slack) / ratio)
        rest = tuple(
            tuple(a - c * b for a, b in zip(r, s, strict=True))
            for r, s in zip(gram, norm, strict=True)
        )
        if inertia(rest)[1] == 0:
            return c
    return None


def _floats(matrix: Matrix) -> Floats:
    return np.array([[float(v) for v in row] for row in matrix])


def _surplus(matrix: Matrix, capacity: tuple[int, int, int]) -> Rational:
    """The least Σ λ² over eigenvalues that units of given signs cannot have."""
    plus, minus, free = capacity
    values = np.linalg.eigvalsh(_floats(matrix))
    sides = [sorted((float(v) for v in s * values if v > 0), reverse=True) for s in (1, -1)]
    squares = []
    for sign, side in zip((1, -1), sides, strict=True):
        proved = []
        for k, value in enumerate(side):
            low = mpq(value * (1 - 1e-9))
            shifted = tuple(
                tuple(sign * v - (low if i == j else 0) for j, v in enumerate(row))
                for i, row in enumerate(matrix)
            )
            proved.append(low * low if inertia(shifted)[0] > k else _ZERO)
        squares.append(proved)
    totals = []
    for taken in range(free + 1):
        kept = plus + taken, minus + free - taken
        totals.append(sum((sum(s[k:], _ZERO) for s, k in zip(squares, kept, strict=True)), _ZERO))
    return min(totals)
