"""Algebraic numbers of z3 and cvc5 in the spelling of certificates."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

from peers.answer import NotSupported


def z3_root(term: Any) -> str:
    """An algebraic number of z3: its polynomial and an interval around its approximation."""
    digits = 30
    near = term.approx(digits).as_fraction()
    margin = Fraction(2, 10**digits)
    ends = " ".join(smtlib(near + side) for side in (-margin, margin))
    coefficients = " ".join(smtlib(Fraction(c.as_long())) for c in term.poly())
    return f"(root-of-with-interval (coeffs {coefficients}) {ends})"


def cvc5_root(text: str) -> str:
    """An algebraic number of cvc5: ``(_ real_algebraic_number <1*x^2 + (-2), (1, 3/2)>)``."""
    polynomial, _, interval = text.partition("<")[2].rpartition(">")[0].rpartition(", (")
    low, high = interval.rstrip(")").split(",")
    degrees: dict[int, int] = {}
    for term in re.sub(r"[() ]", "", polynomial).split("+"):
        found = re.fullmatch(r"(-?\d+)(?:\*x(?:\^(\d+))?)?", term)
        if found is None:
            raise NotSupported(f"the number {text}")
        degrees[int(found[2] or 1) if "x" in term else 0] = int(found[1])
    top = range(max(degrees) + 1)
    coefficients = " ".join(smtlib(Fraction(degrees.get(k, 0))) for k in top)
    ends = f"{smtlib(Fraction(low.strip()))} {smtlib(Fraction(high.strip()))}"
    return f"(root-of-with-interval (coeffs {coefficients}) {ends})"


def smtlib(value: Fraction) -> str:
    """A rational as a term of SMT-LIB."""
    text = str(abs(value.numerator))
    if value < 0:
        text = f"(- {text})"
    return text if value.denominator == 1 else f"(/ {text} {value.denominator})"
