"""What the solvers of mixed programs have in common: candidates, cuts, and the descent.

A model is only a candidate: its parameters are decoded, its exact loss computed. Where squares are
held by tangents a model may lie below the true loss; then tangents at its residuals are added and
the solver is asked again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from gmpy2 import mpq

from ermbit.verifier.verify import exact_loss
from ermbit_encodings.mixed import MixedEncoding
from ermbit_encodings.mixed.parameters import expression
from ermbit_encodings.mixed.program import Polynomial, Relation, constant, evaluate
from ermbit_encodings.problem import Problem
from ermbit_instances.algebraic import AlgebraicLimitError
from ermbit_instances.certificate import Value
from ermbit_instances.domain import Domain
from ermbit_instances.errors import InternalError
from ermbit_instances.rational import Rational, simplest_between


class MixedSolver(Protocol):
    """What a solver of mixed programs offers: z3 and cvc5 have the same face."""

    @property
    def reason(self) -> str: ...

    def sync(self) -> None: ...
    def check(self) -> Literal["sat", "unsat", "unknown"]: ...
    def model(self) -> tuple[list[bool], list[Value]]: ...
    def push(self) -> None: ...
    def pop(self) -> None: ...
    def add(self, *constraints: Any) -> None: ...
    def literal(self, literal: int) -> Any: ...
    def atom(self, polynomial: Polynomial, relation: Relation) -> Any: ...
    def at_most(self, weights: Sequence[int], literals: Sequence[int], bound: int) -> Any: ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """Decoded parameters of a model and their exact loss."""

    values: tuple[Value, ...]
    loss: Value


def candidate(
    encoding: MixedEncoding, truths: list[bool], reals: list[Value], original: Problem
) -> Candidate | tuple[Value, ...]:
    """Decode a model; the bare values if one lies outside its domain in the original problem.

    Raises:
        AlgebraicLimitError: an algebraic model whose number field is too large to evaluate in.
    """
    values = encoding.decode(truths, reals)
    for parameter, value in zip(original.instance.network.parameters, values, strict=True):
        if value not in parameter.domain:
            return values
    loss, _ = exact_loss(original.instance, values)
    return Candidate(values, loss)


def split_domains(encoding: MixedEncoding, values: Sequence[Value], original: Problem) -> int:
    """Branch on parameters that a relaxation gave values outside their domains.

    Between the neighbours of such a value the domain has no member, so "≤ the lower or ≥ the
    upper neighbour" cuts nothing off; a finite domain has finitely many such gaps
    (docs/theory.md C5). Returns how many parameters were split: none if one of them was
    homogenised away, for then its unknown is not the parameter itself.
    """
    program = encoding.program
    outside = [
        p
        for p, value in zip(original.instance.network.parameters, values, strict=True)
        if value not in p.domain
    ]
    for parameter in outside:
        if not encoding.is_plain(parameter.index):
            return 0
    for parameter in outside:
        unknown = expression(encoding.parameters[parameter.index])
        value = values[parameter.index]
        below, above = _neighbours(parameter.domain, value)
        side = program.boolean()
        if below is None:
            program.clause(-side)
        else:
            program.at_most(unknown, constant(below), (side,))
        if above is None:
            program.clause(side)
        else:
            program.at_most(constant(above), unknown, (-side,))
    return len(outside)


def _neighbours(domain: Domain, value: Value) -> tuple[Rational | None, Rational | None]:
    """The members of a finite domain next to a number that is none."""
    if isinstance(value, mpq):
        return domain.below(value), domain.above(value)
    bits = 64
    while True:
        low, high = value.bounds(bits)
        above = domain.above(low)
        if above is None or above > high:
            return domain.below(low), above
        bits *= 2  # a member lies too close to tell on which side


def add_cuts(encoding: MixedEncoding, reals: list[Value]) -> int:
    """Add the tangents that the model violates; returns how many were added."""
    added = 0
    for square in encoding.objective.squares:
        residual = evaluate(square.residual, reals)
        if not isinstance(residual, mpq) or reals[square.unknown] >= residual * residual:
            continue
        at = residual if square.grid is not None else _simple_near(residual)
        if evaluate(square.cut(at), reals) <= 0:
            at = residual
        encoding.program.require(square.cut(at), "<=")
        added += 1
    return added


def _simple_near(value: Rational) -> Rational:
    """A simple rational close to a value: tangents there keep the solver's numbers short."""
    radius = max(abs(value), mpq(1)) / 10**6
    return simplest_between(value - radius, value + radius)


def search(
    solver: MixedSolver,
    encoding: MixedEncoding,
    original: Problem,
    limit: Rational | None,
    *,
    strict: bool,
) -> tuple[str, Candidate | None, str]:
    """Look for a model whose exact loss is ≤ limit (< limit if strict; any for ``None``).

    The bound itself must already be asserted in the solver. Returns ("sat", candidate, ""),
    ("unsat", None, "") or ("unknown", None, reason).
    """
    while True:
        solver.sync()
        answer = solver.check()
        if answer == "unsat":
            return "unsat", None, ""
        if answer == "unknown":
            return "unknown", None, solver.reason
        truths, reals = solver.model()
        try:
            found = candidate(encoding, truths, reals, original)
        except AlgebraicLimitError as error:
            return "unknown", None, str(error)
        if isinstance(found, Candidate):
            if limit is None or (found.loss < limit if strict else found.loss <= limit):
                return "sat", found, ""
            if not add_cuts(encoding, reals):
                raise InternalError(
                    f"a model that meets {limit} decodes to parameters of loss {found.loss}"
                )
        elif not split_domains(encoding, found, original):
            return "unknown", None, "a solution of the relaxation lies outside the domains"
