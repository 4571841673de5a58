"""Good choices of rows for a deep network: best responses from random starts.

All variables but one are fixed and all rows of that one are tried at once, together with all rows
of the shortest variable (usually an output's bias). Repeated until no variable can be improved.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ermbit.engines.deep_tables.intervals import IntervalNetwork
from ermbit.engines.tables.build import Array, Check

PAIRED = 2**14
"""Rows of a scan up to which the shortest variable is chosen along with another."""

SCAN = 2**13
"""Rows that are evaluated at a time."""

SHORTEST = 2**9
"""Rows that a scan counts at least: what the calls cost without any."""

SAMPLE = 2**12
"""Rows of a variable that a scan takes at most, drawn anew for every descent."""


class DeepIncumbents:
    """Descents from random starts.

    Args:
        network: the network.
        seed: for starts and samples.
        offer: told of every end: its nodes (leaves) and its total.
        check: called between scans; ends the descent by raising.
    """

    def __init__(
        self,
        network: IntervalNetwork,
        seed: int,
        offer: Callable[[tuple[int, ...], int], object],
        check: Check,
    ) -> None:
        self.network, self.offer, self.check = network, offer, check
        self.rng = np.random.default_rng(seed)
        self.leaves = [np.nonzero(v.tree.child < 0)[0] for v in network.variables]
        self.shortest = int(np.argmin([leaves.size for leaves in self.leaves]))
        self.evaluated = self.starts = 0

    def until(self, evaluated: int) -> None:
        """Descents until so many rows have been evaluated in all; at least one."""
        self.descend()
        while self.evaluated < evaluated:
            self.descend()

    def descend(self) -> None:
        """One local optimum from a random start."""
        self.starts += 1
        rows = [leaves[self.rng.integers(leaves.size)] for leaves in self.leaves]
        nodes = np.array(rows, dtype=np.int64)
        total: int | None = None
        since = 0
        while since < nodes.size:
            for u in self.rng.permutation(nodes.size):
                found = self._improved(nodes, int(u), total)
                since = since + 1 if found is None else 0
                total = total if found is None else found
                if since >= nodes.size or total == 0:
                    break
            if total == 0:
                break
        assert total is not None
        self.offer(tuple(int(n) for n in nodes), total)

    def _improved(self, nodes: Array, u: int, total: int | None) -> int | None:
        """Put the best leaf in the place of a variable's; its total, if that is less."""
        rows, b = self.leaves[u], self.shortest
        if rows.size > SAMPLE:
            rows = self.rng.choice(rows, SAMPLE, replace=False)
        others = self.leaves[b]
        paired = b != u and rows.size * others.size <= PAIRED
        if paired:
            rows, others = np.repeat(rows, others.size), np.tile(others, rows.size)
        better: int | None = None
        for start in range(0, rows.size, SCAN):
            self.check()
            tried = [nodes[k : k + 1] for k in range(nodes.size)]
            tried[u] = rows[start : start + SCAN]
            if paired:
                tried[b] = others[start : start + SCAN]
            totals = self.network.totals(tried)
            self.evaluated += max(totals.size, SHORTEST)
            best = int(np.argmin(totals))
            if total is None or totals[best] < total:
                better = total = int(totals[best])
                nodes[u] = tried[u][best]
                if paired:
                    nodes[b] = tried[b][best]
        return better
