"""Reading a domain object of an instance file."""

from __future__ import annotations

from ermbit_instances import limits
from ermbit_instances.domain import REAL, Domain, FiniteDomain, IntegerDomain
from ermbit_instances.float_domain import FLOAT_FORMATS, FloatDomain
from ermbit_instances.json_node import Node
from ermbit_instances.rational_domain import RationalDomain

_KEYS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "integer": (("low", "high"), ("denominator",)),
    "fixed_point": (("bits", "fraction_bits"), ("signed",)),
    "finite": (("values",), ()),
    "float": (("format",), ()),
    "rational": (("bits",), ()),
    "real": ((), ()),
}


def read_domain(node: Node, *, also: tuple[str, ...] = ()) -> Domain:
    """Read a domain object; ``also`` names further keys that its holder reads.

    Raises:
        InputError: unknown domain, missing or unknown key, empty domain, past the limits.
    """
    kind_node = node.get("domain")
    if kind_node is None:
        node.fail("the key 'domain' is missing")
    kind = kind_node.string()
    if kind not in _KEYS:
        kind_node.fail(f"unknown domain {kind!r}; known: {', '.join(_KEYS)}")
    required, optional = _KEYS[kind]
    node.keys(required=("domain", *required), optional=(*optional, *also))
    if kind == "real":
        return REAL
    if kind == "rational":
        return RationalDomain(node.at("bits").integer(1, limits.DOMAIN_BITS.value))
    if kind == "float":
        name = node.at("format").string()
        if name not in FLOAT_FORMATS:
            node.at("format").fail(f"unknown format {name!r}; known: {', '.join(FLOAT_FORMATS)}")
        return FloatDomain(FLOAT_FORMATS[name])
    if kind == "finite":
        array = node.at("values").array()
        if not array:
            node.at("values").fail("the domain is empty")
        if len(array) > limits.DOMAIN_VALUES.value:
            node.at("values").refuse(f"more than the limit of {limits.DOMAIN_VALUES.value} values")
        return FiniteDomain(tuple(sorted({v.rational() for v in node.at("values").elements()})))
    if kind == "fixed_point":
        bits = node.at("bits").integer(1, limits.DOMAIN_BITS.value)
        fraction = node.at("fraction_bits").integer(0, limits.DOMAIN_BITS.value)
        member = node.get("signed")
        signed = True if member is None else member.boolean()
        low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
        return IntegerDomain(low, high, 1 << fraction, (bits, fraction, signed))
    minimum, maximum = node.at("low").integer(), node.at("high").integer()
    if minimum > maximum:
        node.at("low").fail("low is greater than high: the domain is empty")
    member = node.get("denominator")
    return IntegerDomain(minimum, maximum, 1 if member is None else member.integer(1))
