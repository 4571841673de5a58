"""What a search over real weights knows: the best network of the domains, and a lower bound.

Domains may be smaller than the reals that are searched. A network outside of them proves nothing
about what is inside, so it is counted, not kept; refutations and lower bounds hold all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gmpy2 import mpq

from ermbit.engines.engine import Incumbent, LowerBound, Outcome, Report
from ermbit.verifier.verify import exact_loss
from ermbit_instances.errors import InternalError
from ermbit_instances.instance import Instance
from ermbit_instances.rational import Rational

OUTSIDE = "a solution of the relaxation lies outside the domains"

Theta = tuple[Rational, ...]

_ZERO = mpq(0)


@dataclass
class RealIncumbents:
    """The state of one search.

    Attributes:
        instance: whose loss and domains count.
        report: told of better incumbents and bounds.
        best, least: the best network inside the domains, and its loss.
        lower: proved lower bound on all losses.
        outside: some network would have been better, but is outside the domains.
    """

    instance: Instance
    report: Report
    best: Theta | None = None
    least: Rational | None = None
    lower: Rational = _ZERO
    outside: bool = False

    def loss(self, values: Theta) -> Rational:
        """The loss by the definition."""
        loss, _ = exact_loss(self.instance, values)
        if not isinstance(loss, mpq):
            raise InternalError("a rational network has an irrational loss")
        return loss

    def keeps(self, values: Theta, loss: Rational) -> bool:
        """Make a network that is better than the best one the best, if it is inside."""
        parameters = self.instance.network.parameters
        if all(v in p.domain for v, p in zip(values, parameters, strict=True)):
            self.best, self.least = values, loss
            return True
        self.outside = True
        return False

    def improve(self, values: Theta, loss: Rational) -> None:
        """Report a network if it is better than the best one, and inside."""
        if (self.least is None or loss < self.least) and self.keeps(values, loss):
            self.report(Incumbent(values, loss))

    def raise_to(self, loss: Rational) -> None:
        """Report a lower bound if it is better."""
        if loss > self.lower:
            self.lower = loss
            self.report(LowerBound(loss))

    def minimized(self, reason: str, statistics: dict[str, Any]) -> Outcome:
        """How minimising ended, with the reason if that is not an optimum."""
        if self.best is None:
            return Outcome("unknown", None, self.lower, reason, statistics)
        if self.least == self.lower:
            return Outcome("optimal", self.best, self.lower, statistics=statistics)
        return Outcome("feasible", self.best, self.lower, reason, statistics)
