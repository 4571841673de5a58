"""A network over intervals as the rule of a search on tuples: bounds, and where to cut.

A tuple of leaves has its total as its bound, because intervals of points are exact. The same
evaluation makes the incumbents: a row is a leaf.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ermbit.engines.deep_tables.cuts import widths
from ermbit.engines.deep_tables.evaluation import Evaluation, IntervalForm
from ermbit.engines.deep_tables.variables import Variable
from ermbit.engines.enumeration_bounds import Bounds
from ermbit.engines.tables.build import Array
from ermbit.engines.tables.loss import GapLoss
from ermbit.engines.tables.search import Examined
from ermbit_encodings.integer_form import IntegerForm


class IntervalNetwork:
    """What a search on tuples asks of a network.

    Args:
        form, bounds: of one problem.
        variables: all that is chosen.
        loss: of the outputs.
        dtype: proved wide enough for every intermediate result, twice.
    """

    def __init__(
        self,
        form: IntegerForm,
        bounds: Bounds,
        variables: Sequence[Variable],
        loss: GapLoss,
        dtype: type,
    ) -> None:
        self.form = IntervalForm(form, bounds, variables, loss, dtype)
        self.variables, self.loss = variables, loss

    def examine(self, nodes: Array, limit: int) -> Examined:
        """Bounds of tuples, and the variable whose interval seems to matter most."""
        run = Evaluation(self.form, list(nodes))
        low, high = run.scores()
        bounds = self._bounds(low, high)
        alive = np.nonzero(bounds <= limit)[0]
        if alive.size == 0:
            return Examined(alive, alive, alive, alive)
        if alive.size < bounds.size:
            run.narrow(alive)
            bounds, nodes = bounds[alive], nodes.take(alive, axis=1)
            low, high = low.take(alive, axis=1), high.take(alive, axis=1)
        if self.form.sums:
            run.combine()
            low, high = run.scores()
            bounds = self._bounds(low, high)
        open_ = self._undecided(low, high)
        due = widths(run, open_.astype(np.float32))
        most = np.full(alive.size, -1.0, dtype=np.float32)
        widest = np.zeros(alive.size, dtype=np.int8)
        for u, variable in enumerate(self.variables):
            width = np.maximum(due[u], np.float32(1e-30))
            width[variable.tree.child.take(nodes[u]) < 0] = -1
            np.putmask(widest, width > most, u)
            np.maximum(most, width, out=most)
        spread = open_.any(axis=0) & (most > 0)
        kept = np.nonzero(bounds <= limit)[0]
        return Examined(alive[kept], bounds[kept], widest[kept], spread[kept])

    def _bounds(self, low: Array, high: Array) -> Array:
        return self.loss.least(np.concatenate([high, -low]) if self.loss.two_sided else high.copy())

    def totals(self, nodes: Sequence[Array]) -> Array:
        """Totals of tuples of leaves; every variable's nodes are of length 1 or of a common one."""
        low, _ = Evaluation(self.form, nodes).scores()
        return self.loss.totals(low.copy())

    def _undecided(self, low: Array, high: Array) -> Array:
        """Where a sample's loss is not the same for the whole box, (samples, tuples)."""
        aim = self.loss.target[:, None]
        open_ = low != high
        if not self.loss.two_sided:
            open_ &= low < aim
        if self.loss.cost == "count":
            open_ &= high >= aim
        groups = open_.reshape(self.loss.groups, -1, open_.shape[1])
        return np.asarray(groups.any(axis=0))
