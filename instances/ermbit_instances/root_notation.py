"""The text form of a real algebraic number: SMT-LIB's ``root-of-with-interval``.

``(root-of-with-interval (coeffs c0 c1 ... cn) lo hi)`` is the one root of
``c0 + c1 x + ... + cn x**n`` in the closed interval [lo, hi]. Coefficients are integers: ``3``,
``-3`` or ``(- 3)``. The ends are rationals: also ``0.5``, ``1/2``, ``(/ 1 2)``, ``(- (/ 1 2))``.
Numerals have ASCII digits and no leading zeros, as in SMT-LIB. Reading only checks the form;
whether there is such a root is decided by ``ermbit_instances.algebraic``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from gmpy2 import mpq, mpz

from ermbit_instances import limits
from ermbit_instances.integer_polynomials import Coefficients

MAX_DIGITS = 10_000
MAX_TEXT = 8_000_000

_HEAD = "root-of-with-interval"
_NUMERAL = "(?:0|[1-9][0-9]*)"
_TOKEN = re.compile(r"\(|\)|[^ \t\r\n()]+")
_INTEGER = re.compile(f"-?{_NUMERAL}")
_UNSIGNED = re.compile(rf"(?P<whole>{_NUMERAL})(?:\.(?P<places>[0-9]+)|/(?P<below>{_NUMERAL}))?")


@dataclass(frozen=True, slots=True)
class RootText:
    """What the text says, unchecked: ascending coefficients and the closed interval [lo, hi]."""

    coefficients: Coefficients
    lo: mpq
    hi: mpq


def read_root(text: str) -> RootText:
    """Read ``(root-of-with-interval (coeffs c0 ... cn) lo hi)``.

    Raises:
        ValueError: the text has another form, a degree past ``limits.ROOT_DEGREE``, or a
            number of more than ``MAX_DIGITS`` digits.
    """
    if len(text) > MAX_TEXT:
        raise ValueError(f"algebraic number: the text has more than {MAX_TEXT} characters")
    tokens = _Tokens(_TOKEN.findall(text))
    tokens.expect("(")
    tokens.expect(_HEAD)
    tokens.expect("(")
    tokens.expect("coeffs")
    coefficients: list[int] = []
    while tokens.peek() != ")":
        if len(coefficients) > limits.ROOT_DEGREE.value:
            raise ValueError(
                f"algebraic number: the degree is larger than {limits.ROOT_DEGREE.value}"
            )
        coefficients.append(_read_integer(tokens))
    tokens.expect(")")
    lo = _read_rational(tokens)
    hi = _read_rational(tokens)
    tokens.expect(")")
    tokens.expect("")
    return RootText(tuple(coefficients), lo, hi)


def write_root(coefficients: Coefficients, lo: mpq, hi: mpq) -> str:
    """The same form in its one canonical spelling: ``(- 3)``, ``(/ 1 2)``, ``(- (/ 1 2))``."""
    inner = " ".join(_write_rational(mpq(value)) for value in coefficients)
    return f"({_HEAD} (coeffs {inner}) {_write_rational(lo)} {_write_rational(hi)})"


class _Tokens:
    """A cursor over the tokens; the end of the text reads as the empty token."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._next = 0

    def peek(self, ahead: int = 0) -> str:
        position = self._next + ahead
        return self._tokens[position] if position < len(self._tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self._next += 1
        return token

    def expect(self, wanted: str) -> None:
        found = self.take()
        if found != wanted:
            raise ValueError(f"algebraic number: expected {_shown(wanted)}, found {_shown(found)}")


def _read_integer(tokens: _Tokens) -> int:
    if tokens.peek() == "(":
        tokens.expect("(")
        tokens.expect("-")
        value = -_integer_atom(tokens.take(), signed=False)
        tokens.expect(")")
        return value
    return _integer_atom(tokens.take(), signed=True)


def _read_rational(tokens: _Tokens) -> mpq:
    """An atom, ``(- r)`` with r not negated again, or a quotient of such numbers."""
    if tokens.peek() == "(" and tokens.peek(1) == "-":
        return _read_negated(tokens)
    if tokens.peek() == "(":
        return _read_quotient(tokens)
    return _rational_atom(tokens.take(), signed=True)


def _read_negated(tokens: _Tokens) -> mpq:
    tokens.expect("(")
    tokens.expect("-")
    if tokens.peek() == "(":
        value = _read_quotient(tokens)
    else:
        value = _rational_atom(tokens.take(), signed=False)
    tokens.expect(")")
    return -value


def _read_quotient(tokens: _Tokens) -> mpq:
    tokens.expect("(")
    tokens.expect("/")
    above = _read_quotient_term(tokens)
    below = _read_quotient_term(tokens)
    tokens.expect(")")
    if below == 0:
        raise ValueError("algebraic number: division by zero in a bound")
    return above / below


def _read_quotient_term(tokens: _Tokens) -> mpq:
    if tokens.peek() == "(" and tokens.peek(2) != "(":
        return _read_negated(tokens)
    return _rational_atom(tokens.take(), signed=True)


def _integer_atom(token: str, *, signed: bool) -> int:
    if not _INTEGER.fullmatch(token) or (token.startswith("-") and not signed):
        raise ValueError(f"algebraic number: expected an integer, found {_shown(token)}")
    _limit_digits(token)
    return int(mpz(token))


def _rational_atom(token: str, *, signed: bool) -> mpq:
    negative = signed and token.startswith("-")
    match = _UNSIGNED.fullmatch(token[1:] if negative else token)
    if match is None:
        raise ValueError(f"algebraic number: expected a rational, found {_shown(token)}")
    _limit_digits(token)
    value = mpq(mpz(match["whole"]))
    if match["places"]:
        value += mpq(mpz(match["places"], 10), mpz(10) ** len(match["places"]))
    if match["below"]:
        below = mpz(match["below"])
        if below == 0:
            raise ValueError("algebraic number: division by zero in a bound")
        value /= below
    return -value if negative else value


def _limit_digits(token: str) -> None:
    if len(token) > MAX_DIGITS:
        raise ValueError(f"algebraic number: a number has more than {MAX_DIGITS} digits")


def _write_rational(value: mpq) -> str:
    if value < 0:
        return f"(- {_write_rational(-value)})"
    if value.denominator == 1:
        return str(value.numerator)
    return f"(/ {value.numerator} {value.denominator})"


def _shown(token: str) -> str:
    if not token:
        return "the end of the text"
    return repr(token if len(token) <= 40 else token[:40] + "...")
