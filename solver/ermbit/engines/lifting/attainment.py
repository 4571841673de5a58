"""Networks that attain a solution of the relaxation, or come ever nearer to it.

Free outer weights or sums of squares may reach the outputs of a relaxed solution; some outputs are
only limits of networks with ever larger weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ermbit.engines.engine import Budget
from ermbit.engines.lifting.findings import Findings
from ermbit.engines.lifting.linear import Vector
from ermbit.engines.lifting.linked import Outputs
from ermbit.engines.lifting.outer import Span, span, theta_for
from ermbit.engines.lifting.prepared import Prepared
from ermbit.engines.lifting.program import Undecided
from ermbit.engines.lifting.rank import Reach, approaching, reach, reaching
from ermbit.engines.lifting.relaxation import Relaxed
from ermbit_instances.certificate import Value
from ermbit_instances.rational import Rational

DOUBLINGS = 400
"""How often the size of a network that approaches an infimum is doubled."""


@dataclass
class Attainment:
    """The ways from a relaxed solution to networks.

    Attributes:
        prepared: the relaxation, and what may reach it.
        budget: of the run.
        known: told of every network.
    """

    prepared: Prepared
    budget: Budget
    known: Findings

    @cached_property
    def _span(self) -> Span | None:
        """What the outer weights reach, exactly."""
        prepared = self.prepared
        if prepared.outer is None or prepared.choice is None:
            return None
        network, inputs = prepared.relaxation.problem.instance.network, prepared.relaxation.inputs
        return span(network, prepared.outer, inputs, prepared.choice.inner)

    def by_outer_weights(self, relaxed: Relaxed, limit: Rational) -> bool:
        """Take θ with the outputs of a relaxed solution, if outer weights reach them."""
        if self._span is None or self.prepared.outer is None:
            return False
        theta = theta_for(self.prepared.outer, self._span, relaxed.values)
        return theta is not None and self.known.offer(theta, limit)

    def reached(self, relaxed: Relaxed) -> Reach | Outputs | None:
        """What is known of networks with the outputs of a relaxed solution."""
        if self.prepared.forms is not None:
            try:
                return reach(self.prepared.forms, relaxed.values, self.budget.deadline)
            except Undecided:
                return None
        if self.prepared.linked is not None:
            return self.prepared.linked.reach(relaxed.values[0])
        return None

    def by_forms(self, found: Reach | Outputs, relaxed: Relaxed, limit: Rational) -> bool:
        """Take θ with attained outputs."""
        theta: tuple[Value, ...] | None = None
        if isinstance(found, Outputs):
            assert self.prepared.linked is not None
            theta = self.prepared.linked.reaching(found, relaxed.values[0])
        else:
            assert self.prepared.forms is not None
            theta = reaching(self.prepared.forms, found, relaxed.values)
        return theta is not None and self.known.offer(theta, limit)

    def approach(self, found: Reach | Outputs, relaxed: Relaxed, limit: Rational) -> bool:
        """Networks that come ever nearer, until the loss is at most the limit."""
        size = 1
        for _ in range(DOUBLINGS):
            if self.budget.expired:
                return False
            theta = self._near(found, size, relaxed.values[0])
            if theta is not None and self.known.offer(theta, limit):
                return True
            size *= 4
        return False

    def _near(self, found: Reach | Outputs, size: int, values: Vector) -> tuple[Value, ...] | None:
        if isinstance(found, Outputs):
            assert self.prepared.linked is not None
            return self.prepared.linked.approaching(found, size, values)
        assert self.prepared.forms is not None and found.line is not None
        through, sign = found.line
        return approaching(self.prepared.forms, through, sign * size, values)

    @property
    def is_real(self) -> bool:
        """Whether the forms of the network have real weights."""
        forms, linked = self.prepared.forms, self.prepared.linked
        if forms is not None:
            return forms.network.is_real
        return linked is not None and linked.is_real
