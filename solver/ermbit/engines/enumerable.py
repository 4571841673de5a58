"""What every enumerating engine starts from: a finite integer form with proved number bounds."""

from __future__ import annotations

from dataclasses import dataclass

from ermbit.engines.enumeration_bounds import BIT_LIMIT, Bounds, enumeration_bounds
from ermbit_encodings.finite_form import VALUE_LIMIT, finite_problem
from ermbit_encodings.integer_form import IntegerForm
from ermbit_encodings.problem import Problem


@dataclass(frozen=True, slots=True)
class Enumerable:
    """A problem whose assignments can be gone through.

    Attributes:
        finite: the problem with rational domains listed; it knows its symmetries.
        form: its integer form.
        bounds: proved bounds on every number that evaluating it meets.
    """

    finite: Problem
    form: IntegerForm
    bounds: Bounds


def enumerable(
    problem: Problem, values: int | None = None, bits: int = BIT_LIMIT, wide: bool = False
) -> Enumerable | str:
    """The start of an enumeration, or why there is none.

    Args:
        problem: the problem; the size of its network is for the caller to limit first.
        values: the most values that one domain may have.
        bits: the most bits of a number.
        wide: numbers that do not fit 64 bits are good as well.
    """
    domains = [parameter.domain for parameter in problem.instance.network.parameters]
    if any(domain.size is None for domain in domains):
        return "a parameter has infinitely many values"
    if values is not None and any((domain.size or 0) > values for domain in domains):
        return f"a parameter has more than {values} values"
    finite = finite_problem(problem)
    if finite is None:
        return f"a rational domain has more than {VALUE_LIMIT} values"
    form = finite.integer
    if form is None or not form.inputs:
        return "no integer form"
    bounds = enumeration_bounds(form, bits)
    if bounds is None:
        return "the numbers are too large"
    if bounds.dtype is object and not wide:
        return "the numbers do not fit 64 bits"
    return Enumerable(finite, form, bounds)
