"""Finite domains through the reals: a relaxation's solutions are rounded, or cut off.

What has no solution over the reals has none in the domains. A solution over the reals is first
rounded to the members next to it, and the loss there is computed exactly; else the domains are
split where it lies between two members (docs/theory.md C5), and the relaxation is asked again.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice, product

from gmpy2 import mpq

from ermbit.engines.engine import Budget
from ermbit.engines.mixed.search import Candidate, MixedSolver, candidate, search, split_domains
from ermbit.engines.mixed.verdict import Verdict
from ermbit.verifier.verify import exact_loss
from ermbit_encodings.mixed import encode_mixed
from ermbit_encodings.mixed.program import MixedProgram
from ermbit_encodings.problem import Problem
from ermbit_encodings.relaxation import real_relaxation
from ermbit_instances.certificate import Value
from ermbit_instances.domain import Domain
from ermbit_instances.errors import InternalError
from ermbit_instances.rational import Rational

ROUNDED = 64
"""Combinations of members next to a solution that are looked at."""

BITS = 64
"""Bits after the point of an irrational number that is rounded."""

Make = Callable[[MixedProgram, Budget], MixedSolver]
"""Makes the solver of a program."""


def refine(problem: Problem, largest: int, budget: Budget, make: Make) -> Verdict:
    """Decide L(θ) ≤ γ with every scattered domain of more than ``largest`` values widened.

    Args:
        problem: with a threshold.
        largest: as in :func:`real_relaxation`.
        budget: of all questions together.
        make: the solver of a program under a budget.

    Raises:
        NotLinearError: a domain that can neither be widened nor listed.
    """
    threshold = problem.threshold
    relaxed = real_relaxation(problem, largest)
    encoding = encode_mixed(
        relaxed, products=True, exact_fit=threshold == 0, homogenise=relaxed is problem
    )
    encoding.objective.bound(encoding.program, encoding.budget(threshold))
    if encoding.program.is_linear:
        solver = make(encoding.program, budget)
        return Verdict(*search(solver, encoding, problem, threshold, strict=False))
    while True:
        if budget.expired:
            return Verdict("unknown", reason="stopped at the deadline")
        # Made anew: a nonlinear solver gives its whole strategy to its first question only.
        solver = make(encoding.program, budget)
        status = solver.check()
        if status != "sat":
            return Verdict(status, reason="" if status == "unsat" else solver.reason)
        truths, reals = solver.model()
        try:
            found = candidate(encoding, truths, reals, problem)
        except OverflowError as error:
            return Verdict("unknown", reason=str(error))
        if isinstance(found, Candidate):
            if found.loss > threshold:
                raise InternalError(f"a model that meets {threshold} decodes to another loss")
            return Verdict("sat", found)
        near = nearby_member(problem, found)
        if near is not None:
            return Verdict("sat", near)
        if not split_domains(encoding, found, problem):
            reason = "a solution of the relaxation lies outside the domains"
            return Verdict("unknown", reason=reason)


def nearby_member(problem: Problem, values: tuple[Value, ...]) -> Candidate | None:
    """A θ in the domains with L(θ) ≤ γ among those next to a solution over the reals."""
    choices = []
    for parameter, value in zip(problem.instance.network.parameters, values, strict=True):
        if value in parameter.domain:
            choices.append([value])
            continue
        centre = value if isinstance(value, mpq) else sum(value.bounds(BITS), mpq(0)) / 2
        members = _neighbours(parameter.domain, centre)
        choices.append(sorted(members, key=lambda member: abs(member - centre)))
    for point in islice(product(*choices), ROUNDED):
        try:
            loss, _ = exact_loss(problem.instance, point)
        except OverflowError:
            return None
        if loss <= problem.threshold:
            return Candidate(point, loss)
    return None


def _neighbours(domain: Domain, value: Rational) -> list[Value]:
    if value in domain:
        return [value]
    found = (domain.below(value), domain.above(value))
    return [member for member in found if member is not None]
