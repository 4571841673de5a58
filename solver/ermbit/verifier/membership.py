"""Whether every parameter lies in its domain."""

from __future__ import annotations

from typing import Any

from ermbit_instances.certificate import Certificate, write_value
from ermbit_instances.domain import Domain
from ermbit_instances.instance import Instance

_NAMED = 20
"""So many parameters are named; of more, the number is told."""


def domain_violations(instance: Instance, certificate: Certificate) -> list[str]:
    """One line for each parameter outside its domain (the first of them, and a count)."""
    network = instance.network
    outside: list[tuple[int, Domain]] = []
    array = getattr(certificate.values, "array", None)
    for numbers, domain in network.domain_runs():
        if array is not None:
            import numpy as np

            strays = np.flatnonzero(domain.outside(array[numbers.start : numbers.stop]))
            outside += [(numbers.start + int(k), domain) for k in strays]
        else:
            outside += [(n, domain) for n in numbers if certificate.values[n] not in domain]
    lines = []
    for number, domain in outside[:_NAMED]:
        shown = str(write_value(certificate.values[number]))
        lines.append(
            f"{network.parameter_name(number)} = "
            f"{shown if len(shown) < 80 else shown[:77] + '...'} is outside "
            f"its domain {describe_domain(domain.canonical())}"
        )
    if len(outside) > _NAMED:
        lines.append(f"{len(outside) - _NAMED} more parameters are outside their domains")
    return lines


def describe_domain(form: dict[str, Any]) -> str:
    """A domain in words: ``integer -2..2``, ``rational with 3 bits``, …"""
    kind = form["domain"]
    if kind == "integer":
        tail = "" if form["denominator"] == 1 else f" over {form['denominator']}"
        return f"integer {form['low']}..{form['high']}{tail}"
    if kind == "fixed_point":
        sign = "signed" if form["signed"] else "unsigned"
        return f"fixed_point {sign} {form['bits']} bits, {form['fraction_bits']} after the point"
    if kind == "finite":
        shown = ", ".join(str(v) for v in form["values"][:8])
        return "{" + shown + (", ...}" if len(form["values"]) > 8 else "}")
    if kind == "rational":
        return f"rational with {form['bits']} bits"
    return str(form.get("format", kind))
