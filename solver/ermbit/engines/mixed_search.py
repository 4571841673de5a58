"""What the solvers of mixed programs have in common: candidates, cuts, and the descent.

A model is only a candidate: its parameters are decoded, its exact loss computed. Where squares are
held by tangents a model may lie below the true loss; then tangents at its residuals are added and
the solver is asked again.
"""

from __future__ import annotations

from dataclasses import dataclass

from gmpy2 import mpq

from ermbit_encodings.mixed import MixedEncoding
from ermbit_encodings.mixed.program import evaluate
from ermbit_encodings.problem import Problem
from ermbit_instances.certificate import Value
from ermbit_instances.rational import Rational, simplest_between
from ermbit.verifier.verify import exact_loss

from ermbit.engines.z3_backend import Z3Program


@dataclass(frozen=True, slots=True)
class Candidate:
    """Decoded parameters of a model and their exact loss."""

    values: tuple[Value, ...]
    loss: Value


def candidate(
    encoding: MixedEncoding, truths: list[bool], reals: list[Value], original: Problem
) -> Candidate | None:
    """Decode a model; ``None`` if a value lies outside its domain in the original problem.

    Raises:
        AlgebraicLimitError: an algebraic model whose number field is too large to evaluate in.
    """
    values = encoding.decode(truths, reals)
    for parameter, value in zip(original.instance.network.parameters, values, strict=True):
        if value not in parameter.domain:
            return None
    loss, _ = exact_loss(original.instance, values)
    return Candidate(values, loss)


def add_cuts(encoding: MixedEncoding, reals: list[Value]) -> int:
    """Add the tangents that the model violates; returns how many were added."""
    added = 0
    for square in encoding.objective.squares:
        residual = evaluate(square.residual, reals)  # type: ignore[arg-type]
        if not isinstance(residual, mpq) or reals[square.unknown] >= residual * residual:
            continue
        at = residual if square.grid is not None else _simple_near(residual)
        if evaluate(square.cut(at), reals) <= 0:  # type: ignore[arg-type]
            at = residual
        encoding.program.require(square.cut(at), "<=")
        added += 1
    return added


def _simple_near(value: Rational) -> Rational:
    """A simple rational close to a value: tangents there keep the solver's numbers short."""
    radius = max(abs(value), mpq(1)) / 10**6
    return simplest_between(value - radius, value + radius)


def search(
    solver: Z3Program, encoding: MixedEncoding, original: Problem, limit: Rational, *, strict: bool
) -> tuple[str, Candidate | None, str]:
    """Look for a model whose exact loss is ≤ limit (< limit if strict).

    The bound itself must already be asserted in the solver. Returns ("sat", candidate, ""),
    ("unsat", None, "") or ("unknown", None, reason).
    """
    refused = 0
    while True:
        answer = solver.check()
        if answer == "unsat":
            return "unsat", None, ""
        if answer == "unknown":
            return "unknown", None, f"z3 gave up: {solver.solver.reason_unknown()}"
        truths, reals = solver.model()
        try:
            found = candidate(encoding, truths, reals, original)
        except OverflowError as error:
            return "unknown", None, str(error)
        if found is not None and (found.loss < limit if strict else found.loss <= limit):
            return "sat", found, ""
        if add_cuts(encoding, reals):
            solver.sync()
            continue
        if found is None:
            refused += 1
            return "unknown", None, "a solution of the relaxation lies outside the domains"
        raise AssertionError(
            f"a model that meets {limit} decodes to parameters of loss {found.loss}"
        )
