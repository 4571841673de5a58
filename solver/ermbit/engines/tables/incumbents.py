"""Good choices before and during the search: many descents on samples of the tables' rows.

Their best ends are continued with all rows. The ends serve twice: as incumbents, and as the gaps
that linear lower bounds are taken from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ermbit.engines.tables.build import Array, Check
from ermbit.engines.tables.descent import BestResponse
from ermbit.engines.tables.loss import GapLoss

SAMPLE = 2048
"""Rows of a table that a descent chooses from."""

STARTS, POLISHED = 64, 2
"""Descents of a round at most, and how many of the round's ends go on with all rows."""

KEPT = 1024
"""Ends that are remembered."""


class Incumbents:
    """Rounds of descents.

    Args:
        vectors: the tables, (rows, columns) each.
        loss: of the sums.
        seed: for samples and starts.
        offer: told of every end: its rows and its total.
        check: called between scans; ends the descent by raising.
    """

    def __init__(
        self,
        vectors: Sequence[Array],
        loss: GapLoss,
        seed: int,
        offer: Callable[[tuple[int, ...], int], object],
        check: Check,
    ) -> None:
        self.vectors, self.loss, self.offer, self.check = vectors, loss, offer, check
        self.rng = np.random.default_rng(seed)
        self.full = BestResponse(vectors, loss, seed, check)
        self.ends: dict[tuple[int, ...], int] = {}
        self.starts = self._sampled = 0

    @property
    def elements(self) -> int:
        """Array elements that were scanned."""
        return self.full.elements + self._sampled

    def round(self, elements: int) -> None:
        """Descents until so many array elements are scanned; at least one."""
        samples = [
            np.sort(self.rng.choice(len(v), min(len(v), SAMPLE), replace=False))
            for v in self.vectors
        ]
        parts = [v[s] for v, s in zip(self.vectors, samples, strict=True)]
        small = BestResponse(parts, self.loss, int(self.rng.integers(2**32)), self.check)
        ends: list[tuple[int, tuple[int, ...]]] = []
        while not ends or (len(ends) < STARTS and small.elements < elements):
            rows, total = small.descend()
            at = tuple(int(s[row]) for s, row in zip(samples, rows, strict=True))
            self.offer(at, total)
            ends.append((total, at))
        self._sampled += small.elements
        self.starts += len(ends)
        ends.sort()
        for _, at in ends[:POLISHED]:
            rows, total = self.full.descend(at)
            self.offer(rows, total)
            ends.append((total, rows))
        known = {**self.ends, **{rows: total for total, rows in ends}}
        best = sorted(known.items(), key=lambda end: (end[1], end[0]))
        self.ends = dict(best[:KEPT])

    def gaps(self) -> list[Array]:
        """τ − s at the ends, best first."""
        return [self.full.gaps(rows) for rows in self.ends]
