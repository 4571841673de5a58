"""Terms and assertions in one theory, for z3 and cvc5 through the interface that both share.

Theories: ``bits`` (bit-vectors of one width, signed), ``integer``, ``real``. Numbers that are known
stay numbers of Python until a term is needed.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from peers import polynomials
from peers.question import Number, count
from peers.smt_roots import cvc5_root, z3_root

MOST_SQUARES = 200
"""In integer arithmetic, a pre-activation of at most this width is squared case by case."""


class Terms:
    """The terms of one solver package.

    Attributes:
        s: the module ``z3`` or ``cvc5.pythonic``.
        theory: ``bits``, ``integer`` or ``real``.
        width: bits of a word, for ``bits``.
        assertions: that have been made.
        nonlinear: whether a product of two unknowns occurred.
    """

    def __init__(self, backend: str, theory: str, width: int = 0) -> None:
        self.s: Any = importlib.import_module({"cvc5": "cvc5.pythonic"}.get(backend, backend))
        self.theory = theory
        self.width = width
        self.assertions: list[Any] = []
        self.nonlinear = False
        self.fresh = 0

    def variable(self, name: str) -> Any:
        if self.theory == "bits":
            return self.s.BitVec(name, self.width)
        return self.s.Int(name) if self.theory == "integer" else self.s.Real(name)

    def new(self) -> Any:
        self.fresh += 1
        return self.variable(f"t{self.fresh}")

    def constant(self, value: Number) -> Any:
        if self.theory == "bits":
            return self.s.BitVecVal(int(value), self.width)
        if self.theory == "integer":
            return self.s.IntVal(int(value))
        value = Fraction(value)
        return self.s.Q(value.numerator, value.denominator)

    def scaled(self, factor: Number, term: Any) -> Any:
        """factor · term, for a constant factor."""
        if isinstance(term, int | Fraction):
            return factor * term
        if factor == 0:
            return 0
        if factor == 1:
            return term
        return -term if factor == -1 else self.constant(factor) * term

    def added(self, terms: Sequence[Any]) -> Any:
        """The sum; numbers are added up first, so that a constant sum is a number."""
        number = sum(t for t in terms if isinstance(t, int | Fraction))
        symbolic = [t for t in terms if not isinstance(t, int | Fraction)]
        if not symbolic:
            return number
        total = symbolic[0]
        for term in symbolic[1:]:
            total = total + term
        return total if number == 0 else total + self.constant(number)

    def term(self, value: Any) -> Any:
        """A number as a term; terms stay."""
        return self.constant(value) if isinstance(value, int | Fraction) else value

    def greatest(self, terms: Sequence[Any]) -> Any:
        """The maximum: an unknown that no term exceeds and some term reaches."""
        numbers = [t for t in terms if isinstance(t, int | Fraction)]
        symbolic = [t for t in terms if not isinstance(t, int | Fraction)]
        if not symbolic:
            return max(numbers)
        if numbers:
            symbolic.append(self.constant(max(numbers)))
        if len(symbolic) == 1:
            return symbolic[0]
        result = self.new()
        self.assertions += [result >= t for t in symbolic]
        self.assertions.append(self.s.Or([result <= t for t in symbolic]))
        return result

    def restrict(self, v: Any, values: Sequence[Number] | None) -> None:
        """v ∈ values; a run of integers by its ends."""
        if values is None:
            return
        run = self.theory != "real" and values[-1] - values[0] + 1 == count(values)
        if run:
            self.assertions += [self.term(values[0]) <= v, v <= self.term(values[-1])]
        else:
            self.assertions.append(self.s.Or([v == self.constant(c) for c in values]))

    def polynomial(
        self, coefficients: Sequence[Number], term: Any, ends: tuple[Number, Number] | None
    ) -> Any:
        """Σ c_k term^k; in integers of few values case by case, so that all stays linear."""
        side = self.new()
        self.assertions.append(side == term)
        if self.theory == "integer" and ends is not None and ends[1] - ends[0] <= MOST_SQUARES:
            result = self.new()
            for v in range(int(ends[0]), int(ends[1]) + 1):
                known = self.constant(polynomials.value(coefficients, v))
                self.assertions.append(self.s.Implies(side == self.constant(v), result == known))
            self.assertions += [side >= self.constant(ends[0]), side <= self.constant(ends[1])]
            return result
        self.nonlinear |= self.theory != "bits"
        found = polynomials.terms(coefficients, side, lambda _, a, b: a * b)
        return self.added([coefficients[0], *(self.scaled(c, power) for c, power in found)])

    def number(self, term: Any) -> Number | str:
        """The number that a value stands for; an algebraic one in the spelling of certificates."""
        if self.theory == "bits":
            return int(term.as_signed_long())
        if self.theory == "integer":
            return int(term.as_long())
        if self.s.__name__ == "z3" and self.s.is_algebraic_value(term):
            return z3_root(term)
        if hasattr(getattr(term, "ast", None), "isRealAlgebraicNumber"):
            if not hasattr(term, "as_fraction") and term.ast.isRealAlgebraicNumber():
                return cvc5_root(str(term))
        if not hasattr(term, "as_fraction"):  # z3's optimiser gives whole numbers as integers
            return int(term.as_long())
        return Fraction(str(term.as_fraction()))
