"""Weight domains in a short notation, and random members of them.

``int:LOW:HIGH[:DENOMINATOR]``, ``fixed:BITS:FRACTION_BITS[:unsigned]``, ``finite:V,V,…``,
``ternary`` (-1, 0, 1), ``bipolar`` (-1, 1), ``rational:BITS``, ``real``, or the name of a
floating-point format (``fp8_e4m3``, …).
"""

from __future__ import annotations

from math import gcd
from typing import Any

from gmpy2 import mpq

from ermbit_instances.domain import Domain, FiniteDomain, IntegerDomain
from ermbit_instances.domain_file import read_domain
from ermbit_instances.errors import InputError
from ermbit_instances.families.family import FamilyError, read_rational
from ermbit_instances.families.rng import Rng
from ermbit_instances.float_domain import FLOAT_FORMATS, FloatDomain
from ermbit_instances.json_node import Node
from ermbit_instances.rational import Rational, write_rational
from ermbit_instances.rational_domain import RationalDomain

NOTATION = (
    "int:LOW:HIGH[:DENOMINATOR], fixed:BITS:FRACTION_BITS[:unsigned], finite:V,V,..., ternary, "
    "bipolar, rational:BITS, real, " + ", ".join(FLOAT_FORMATS)
)


def domain_document(text: str) -> dict[str, Any]:
    """The domain object of an instance file that ``text`` denotes.

    Raises FamilyError when the notation is unknown or the domain is empty or past the limits.

    >>> domain_document("int:-2:2")
    {'domain': 'integer', 'low': -2, 'high': 2}
    """
    document = _parse(text)
    domain_of(document, text)
    return document


def domain_of(document: dict[str, Any], text: str | None = None) -> Domain:
    """The set that a domain object means; FamilyError (about ``text``) where it is not legal."""
    try:
        return read_domain(Node(document, "domain", None))
    except InputError as error:
        raise FamilyError(f"parameter domain: {text or document}: {error.reason}") from None


def draw(domain: Domain, rng: Rng) -> Rational:
    """A random member of a domain.

    Uniform for integer, fixed_point, finite and rational domains. Uniform encodings of a float
    format would mostly be astronomically large or small, so there, and for the reals, the draw is
    of the magnitude of trained weights: a float is ±m·2^e with a uniform significand and e in
    -3..1, or zero once in eight; a real is k/4 with integer k in -12..12.
    """
    match domain:
        case IntegerDomain():
            return mpq(rng.integers(domain.minimum, domain.maximum), domain.denominator)
        case FiniteDomain():
            return rng.choice(domain.listed)
        case RationalDomain():
            top = (1 << domain.bits) - 1
            while True:
                p, q = rng.integers(-top, top), rng.integers(1, top)
                if gcd(p, q) == 1:
                    return mpq(p, q)
        case FloatDomain():
            if rng.integers(0, 7) == 0:
                return mpq(0)
            one = 1 << domain.format.mantissa
            significand = mpq(rng.integers(one, 2 * one - 1), one)
            return rng.choice((-1, 1)) * significand * mpq(2) ** rng.integers(-3, 1)
        case _:
            return mpq(rng.integers(-12, 12), 4)


def _parse(text: str) -> dict[str, Any]:
    kind, *parts = text.split(":")
    match kind, len(parts):
        case "ternary", 0:
            return {"domain": "finite", "values": [-1, 0, 1]}
        case "bipolar", 0:
            return {"domain": "finite", "values": [-1, 1]}
        case "real", 0:
            return {"domain": "real"}
        case "rational", 1:
            return {"domain": "rational", "bits": _integer(parts[0], text)}
        case "int", 2 | 3:
            document = dict(
                zip(("low", "high", "denominator"), _integers(parts, text), strict=False)
            )
            return {"domain": "integer", **document}
        case "fixed", 2 | 3 if parts[2:] in ([], ["unsigned"]):
            bits, fraction_bits = _integers(parts[:2], text)
            unsigned = {"signed": False} if parts[2:] else {}
            return {
                "domain": "fixed_point",
                "bits": bits,
                "fraction_bits": fraction_bits,
                **unsigned,
            }
        case "finite", 1:
            return {"domain": "finite", "values": [_value(v, text) for v in parts[0].split(",")]}
        case name, 0 if name in FLOAT_FORMATS:
            return {"domain": "float", "format": name}
    raise FamilyError(f"parameter domain: {text!r} is not one of {NOTATION}")


def _integers(parts: list[str], text: str) -> list[int]:
    return [_integer(part, text) for part in parts]


def _integer(part: str, text: str) -> int:
    value = _value(part, text)
    if not isinstance(value, int):
        raise FamilyError(f"parameter domain: {text!r}: {part!r} is not an integer")
    return value


def _value(part: str, text: str) -> int | str:
    return write_rational(read_rational(part, f"parameter domain: {text!r}"))
