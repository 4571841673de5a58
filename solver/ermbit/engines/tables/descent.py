"""Good choices of rows before anything is proved: best responses from random starts.

All units but one (and the smallest, usually the output bias) are fixed; the best rows for what is
left are found by one scan over the table. Repeated until no unit can be improved alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ermbit.engines.tables.build import Array, Check
from ermbit.engines.tables.loss import GapLoss

PAIR_ELEMENTS = 4_000_000
"""Array elements of a scan up to which the smallest unit is chosen along with another."""

SCAN = 8192
"""Rows that are scanned at a time."""


class BestResponse:
    """Descent from random starts.

    Args:
        vectors: the tables, (rows, columns) each; at least one.
        loss: of the sums.
        seed: for the starts.
        check: called between scans; ends the descent by raising.
    """

    def __init__(self, vectors: Sequence[Array], loss: GapLoss, seed: int, check: Check) -> None:
        # Columns first, so that a scan runs along the rows.
        self.lines = [np.ascontiguousarray(v.T) for v in vectors]
        self.sizes = [v.shape[0] for v in vectors]
        self.loss, self.check = loss, check
        self.rng = np.random.default_rng(seed)
        self.smallest = int(np.argmin(self.sizes))
        self.elements = 0

    def descend(self, start: Sequence[int] | None = None) -> tuple[tuple[int, ...], int]:
        """One local optimum, from a random start or a given one: its rows and its total."""
        if start is None:
            rows = [int(self.rng.integers(size)) for size in self.sizes]
        else:
            rows = list(start)
        total = int(self.loss.totals(self._sum(rows, ())[:, None])[0])
        units = list(range(len(rows)))
        since = 0
        while since < len(units) and total > 0:
            for u in self.rng.permutation(units):
                before = total
                total = self._improve(rows, int(u), total)
                since = 0 if total < before else since + 1
                if since >= len(units) or total == 0:
                    break
        return tuple(rows), total

    def gaps(self, rows: Sequence[int]) -> Array:
        """τ − s at the chosen rows."""
        gap: Array = self.loss.target - self._sum(rows, ())
        return gap

    def _sum(self, rows: Sequence[int], without: Sequence[int]) -> Array:
        total = np.zeros_like(self.loss.target)
        for u, row in enumerate(rows):
            if u not in without:
                total += self.lines[u][:, row]
        return total

    def _improve(self, rows: list[int], u: int, total: int) -> int:
        """Replace the row of a unit by the best one, in place; returns the new total."""
        b = self.smallest
        paired = b != u and self.lines[u].size * self.sizes[b] <= PAIR_ELEMENTS
        fixed = self._sum(rows, (u, b) if paired else (u,))
        lines = self.lines[u]
        for other in range(self.sizes[b]) if paired else (rows[b],):
            base = fixed + self.lines[b][:, other] if paired else fixed
            for start in range(0, self.sizes[u], SCAN):
                self.check()
                sums = lines[:, start : start + SCAN] + base[:, None]
                self.elements += sums.size
                totals = self.loss.totals(sums)
                best = int(np.argmin(totals))
                if totals[best] < total:
                    total = int(totals[best])
                    rows[u] = start + best
                    if paired:
                        rows[b] = other
        return total
