"""Satisfiability on a masked threshold network, or on one sample (docs/reductions.md 6).

Source: clauses of distinct variables, at least one literal each. γ = 0, and the answer is the
source's over every domain with the values of :func:`needed_values`.

* ``masked`` (6B, in the spirit of Judd's loading problem): a hidden ``step`` unit a variable that
  reads its input only, an output ``step`` unit a clause that reads the variables of the clause, all
  weights and biases free. For every clause the assignment that falsifies it, with 1 elsewhere, and
  its neighbours in the variables of the clause are samples, labelled by the truth of all clauses;
  and 0 is one, with all labels 1.
* ``one_sample`` (6C): one input, one sample, a free weight a variable.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from gmpy2 import mpq

from ermbit_instances.documents import Document, instance_document
from ermbit_instances.errors import UsageError
from ermbit_instances.rational import Rational
from ermbit_instances.reductions.formulas import Assignment, Clauses, Status, satisfy
from ermbit_instances.reductions.one_sample import Constraint, constraints_instance, read_bits

if TYPE_CHECKING:
    from ermbit_instances.certificate import Value

Form = Literal["masked", "one_sample"]

FORMS: tuple[Form, ...] = ("masked", "one_sample")

LARGEST = 1000
"""Most variables, and most clauses: samples are as many, and have a number for each."""


def check_formula(formula: Clauses) -> None:
    """Raises UsageError for an empty clause, no clause at all, or more than :data:`LARGEST`."""
    if not all(formula.clauses):
        raise UsageError("formula: an empty clause has no unit")
    if not formula.clauses:
        raise UsageError("formula: a network without a clause has no output")
    if formula.variables > LARGEST or len(formula.clauses) > LARGEST:
        raise UsageError(f"formula: more than {LARGEST} variables or clauses")


def instance(formula: Clauses, form: Form, weights: Document, loss: str) -> Document:
    """The instance over the domain object ``weights``; γ = 0.

    ``meta`` has the form and the formula. Raises UsageError as :func:`check_formula`.
    """
    check_formula(formula)
    name = f"loading-{form}-{formula.variables}-{len(formula.clauses)}"
    meta: Document = {"form": form, "formula": str(formula)}
    if form == "one_sample":
        constraints = [_falsified(clause) for clause in formula.clauses]
        return constraints_instance(name, formula.variables, constraints, weights, loss, meta)
    samples = _samples(formula)
    return instance_document(
        name,
        _masked(formula),
        weights,
        {"x": [list(x) for x in samples], "y": [list(y) for y in samples.values()]},
        {"name": loss, "reduction": "sum"},
        0,
        meta,
    )


def _falsified(clause: Sequence[int]) -> Constraint:
    """relu(1 - Σ_pos v - Σ_neg (1 - v)) = 0: not all literals are false."""
    negative = sum(literal < 0 for literal in clause)
    coefficients = {abs(literal) - 1: -1 if literal > 0 else 1 for literal in clause}
    return Constraint(coefficients, 1 - negative, "relu", 0)


def _masked(formula: Clauses) -> Document:
    n = formula.variables
    used = [{abs(literal) - 1 for literal in clause} for clause in formula.clauses]
    return {
        "inputs": n,
        "layers": [
            {
                "units": n,
                "activation": "step",
                "mask": [[int(i == j) for j in range(n)] for i in range(n)],
            },
            {
                "units": len(used),
                "activation": "step",
                "mask": [[int(i in variables) for i in range(n)] for variables in used],
            },
        ],
    }


def _samples(formula: Clauses) -> dict[tuple[int, ...], tuple[int, ...]]:
    """Inputs with their labels, each once, in the order of the clauses; 0 is the last."""
    samples: dict[tuple[int, ...], tuple[int, ...]] = {}
    for clause in formula.clauses:
        falsifying = [1] * formula.variables
        for literal in clause:
            falsifying[abs(literal) - 1] = -1 if literal > 0 else 1
        samples.setdefault(*_labelled(formula, falsifying))
        for literal in clause:
            neighbour = list(falsifying)
            neighbour[abs(literal) - 1] *= -1
            samples.setdefault(*_labelled(formula, neighbour))
    samples[(0,) * formula.variables] = (1,) * len(formula.clauses)
    return samples


def _labelled(formula: Clauses, x: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    assignment = [value > 0 for value in x]
    truth = (int(formula.clause_holds(clause, assignment)) for clause in formula.clauses)
    return tuple(x), tuple(truth)


def needed_values(formula: Clauses, form: Form) -> frozenset[int]:
    """Values that a domain must have for every solution to have a certificate.

    ``masked``: a clause of k negative literals has the bias k - 1.
    """
    if form == "one_sample":
        return frozenset({0, 1})
    negative = [sum(literal < 0 for literal in clause) for clause in formula.clauses]
    return frozenset({-1, 0, 1, *(k - 1 for k in negative)})


def certificate(formula: Clauses, assignment: Assignment, form: Form) -> tuple[Rational, ...]:
    """Values by parameter number.

    ``masked``: h_i = step(x_i), or step(x_i - 1) if variable i is false; a clause is
    step(Σ_pos h - Σ_neg h + #neg - 1). ``one_sample``: the assignment.
    """
    if form == "one_sample":
        return tuple(mpq(int(value)) for value in assignment)
    values = [1] * formula.variables + [0 if value else -1 for value in assignment]
    for clause in formula.clauses:
        values += [1 if literal > 0 else -1 for literal in sorted(clause, key=abs)]
    values += [sum(literal < 0 for literal in clause) - 1 for clause in formula.clauses]
    return tuple(mpq(value) for value in values)


def solution(formula: Clauses, values: Sequence[Value], form: Form) -> Assignment:
    """The assignment of any θ with loss 0.

    ``masked``: variable i is true iff its unit answers alike at 0 and at 1. ``one_sample``: the
    bits.

    Raises:
        UsageError: the values are no such θ.
    """
    check_formula(formula)
    n = formula.variables
    if form == "one_sample":
        assignment = read_bits(values, n)
    else:
        count = 2 * n + sum(map(len, formula.clauses)) + len(formula.clauses)
        if len(values) != count:
            raise UsageError(f"formula: expected {count} values, not {len(values)}")
        pairs = zip(values[:n], values[n : 2 * n], strict=True)
        assignment = tuple((bias >= 0) == (weight >= -bias) for weight, bias in pairs)
    if not formula.holds(assignment):
        raise UsageError("formula: these values are no solution")
    return assignment


def solve(formula: Clauses) -> tuple[Status, Assignment | None]:
    """A solution by search with propagation (:func:`~.formulas.satisfy`)."""
    check_formula(formula)
    return satisfy(formula)
