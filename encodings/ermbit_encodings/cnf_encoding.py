"""An instance as a propositional formula: L(θ) ≤ t for integer totals t.

The formula is built from the scaled-integer form (docs/theory.md A1–A5, K1), so it is exact: an
assignment of the parameter words extends to a model with ``threshold(t)`` true if and only if the
integer total of these parameters is at most t (and they are least in their orbit under the broken
symmetries, B3). Gates are equivalences, so the parameter words determine everything else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from ermbit_encodings.circuit import FALSE, TRUE, Cnf, Model, lex_le
from ermbit_encodings.cnf_loss import SampleLoss, TotalLoss, sample_loss, total_loss
from ermbit_encodings.cnf_network import NetworkCircuit, ParameterWord, parameter_words
from ermbit_encodings.errors import EncodingError
from ermbit_encodings.finite_form import finite_problem
from ermbit_encodings.integer_form import IntegerForm
from ermbit_encodings.problem import Problem
from ermbit_encodings.symmetry import Symmetry

LISTED_VALUES = 1024
"""Longest list of values that a domain without a grid is turned into."""


def grid_problem(problem: Problem) -> Problem | None:
    """The problem with a grid for every parameter, or ``None`` where there is none of use."""
    return finite_problem(problem, LISTED_VALUES)


@dataclass(frozen=True)
class CnfEncoding:
    """The clauses of an instance and what their variables mean.

    Attributes:
        form: the integer form that was encoded.
        cnf: the clauses; ``threshold`` appends to them.
        parameters: the words of θ.
        losses: per sample.
        budget: totals above it were excluded when the formula was built (``None``: none were).
    """

    form: IntegerForm
    cnf: Cnf
    parameters: tuple[ParameterWord, ...]
    losses: tuple[SampleLoss, ...]
    budget: int | None

    def decode(self, model: Model) -> tuple[int, ...]:
        """The integer parameters P in a model."""
        literals = model if isinstance(model, (set, frozenset)) else frozenset(model)
        return tuple(parameter.decode(literals) for parameter in self.parameters)

    def threshold(self, total: int) -> int:
        """The literal of: the integer total is at most ``total``.

        Beside the sum, the literal implies the bound of every single sample. Its gates are
        appended to ``cnf``. (Totals above ``budget`` are excluded whatever it says.)
        """
        if total < 0:
            return FALSE
        cnf = self.cnf
        literals: list[int] = []
        exact = True
        allowed = 0
        for loss in self.losses:
            bound = total // loss.weight
            literals += loss.within(cnf, bound)
            exact = exact and loss.is_exact(bound)
            allowed += loss.weight * bound
        if self.form.instance.loss.reduction == "max":
            if not exact:
                for loss, word in zip(self.losses, self._costs, strict=True):
                    literals.append(word.at_most(cnf, total // loss.weight))
        elif not exact or allowed > total:
            literals.append(self._total.at_most(cnf, total))
        return cnf.and_all(literals)

    @cached_property
    def _costs(self) -> tuple[TotalLoss, ...]:
        return tuple(TotalLoss(1, loss.cost(self.cnf)) for loss in self.losses)

    @cached_property
    def _total(self) -> TotalLoss:
        return total_loss(self.cnf, self.losses, self.budget)


def encode_cnf(
    problem: Problem,
    *,
    budget: int | None = None,
    break_symmetries: bool = True,
    clause_limit: int | None = None,
    interrupt: Callable[[], None] | None = None,
) -> CnfEncoding:
    """Encode an instance.

    Args:
        problem: an instance whose parameters all have finite domains with a grid, or few values.
        budget: assert that the integer total is at most this (any total if ``None``).
        break_symmetries: keep only one order of interchangeable neurons.
        clause_limit: stop with an error past this many clauses.
        interrupt: called now and then; may raise to stop.

    Raises:
        EncodingError: a parameter has no finite grid.
        EncodingLimitError: more clauses than ``clause_limit``.
    """
    finite = grid_problem(problem)
    form = None if finite is None else finite.integer
    if finite is None or form is None:
        raise EncodingError("a parameter has no finite grid of values")
    cnf = Cnf(clause_limit=clause_limit, interrupt=interrupt)
    parameters = parameter_words(cnf, form)
    if break_symmetries:
        for symmetry in finite.symmetries:
            _break(cnf, parameters, symmetry)
    network = NetworkCircuit(cnf, form, parameters)
    losses = []
    for row, target, weight in zip(form.inputs, form.targets, form.weights, strict=True):
        loss = sample_loss(cnf, form, network.outputs(row), target, weight)
        if budget is not None and budget >= 0:
            loss = loss.restricted(cnf, budget // weight)
        losses.append(loss)
    encoding = CnfEncoding(form, cnf, parameters, tuple(losses), budget)
    if budget is not None:
        within = encoding.threshold(budget)
        if within != TRUE:
            cnf.require(within)
    return encoding


def _break(cnf: Cnf, parameters: tuple[ParameterWord, ...], symmetry: Symmetry) -> None:
    # Equal domains have equal grids, so the order of the integers P is that of the values.
    lex_le(
        cnf,
        [parameters[p].word for p in symmetry.first],
        [parameters[p].word for p in symmetry.second],
    )
