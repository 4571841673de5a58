"""What a run has found and proved so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from gmpy2 import mpq

from ermbit.engines.engine import Incumbent, LowerBound, Report
from ermbit.verifier.verify import exact_loss
from ermbit_encodings.problem import Problem
from ermbit_instances.algebraic import AlgebraicLimitError
from ermbit_instances.certificate import Value
from ermbit_instances.errors import InternalError
from ermbit_instances.rational import Rational


@dataclass
class Findings:
    """The best network of the domains, and a lower bound.

    Attributes:
        problem: whose loss and domains count.
        report: told of better networks and bounds.
        best, least: the best θ and its loss.
        lower: no network has a smaller loss.
        outside: a θ was found that lies outside the domains.
    """

    problem: Problem
    report: Report
    best: tuple[Value, ...] | None = None
    least: Rational | None = None
    lower: Rational = field(default_factory=lambda: mpq(0))
    outside: bool = False

    @property
    def is_optimal(self) -> bool:
        """Whether the best network is proved to be as good as any."""
        return bool(self.least is not None and self.least == self.lower)

    def meets(self, threshold: Rational) -> bool:
        """Whether the best network is as good as a threshold asks."""
        return bool(self.least is not None and self.least <= threshold)

    def offer(self, theta: tuple[Value, ...], limit: Rational) -> bool:
        """Keep θ if it is admissible and better; whether its loss is at most the limit."""
        parameters = self.problem.instance.network.parameters
        if not all(v in p.domain for v, p in zip(theta, parameters, strict=True)):
            self.outside = True
            return False
        try:
            loss, _ = exact_loss(self.problem.instance, theta)
        except AlgebraicLimitError:
            return False
        if not isinstance(loss, mpq):
            return False
        if loss < self.lower:
            raise InternalError("a network is better than its relaxation")
        if self.least is None or loss < self.least:
            self.best, self.least = theta, loss
            self.report(Incumbent(theta, loss))
        return bool(loss <= limit)

    def raise_to(self, bound: Rational) -> None:
        """Report a lower bound if it is better."""
        if bound > self.lower:
            self.lower = bound
            self.report(LowerBound(bound))
