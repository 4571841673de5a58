"""Activations in a short notation.

A plain name (``relu``, ``step``, ``max``, …), ``leaky_relu:SLOPE``, ``clip:LOW:HIGH``,
``polynomial:C0,C1,…`` or ``piecewise_linear:B,…;S,…;C,…`` (breakpoints; slopes; intercepts).
"""

from __future__ import annotations

from typing import Any

from ermbit_instances.activation import Activation, read_activation
from ermbit_instances.errors import InputError
from ermbit_instances.families.family import FamilyError, read_rational
from ermbit_instances.json_node import Node
from ermbit_instances.rational import write_rational

NOTATION = (
    "identity, relu, abs, step, sign, square, max, leaky_relu:SLOPE, clip:LOW:HIGH, "
    "polynomial:C0,C1,..., piecewise_linear:B,...;S,...;C,..."
)


def activation_document(text: str) -> Any:
    """The activation of an instance file that ``text`` denotes; FamilyError if there is none.

    >>> activation_document("leaky_relu:1/10")
    {'name': 'leaky_relu', 'slope': '1/10'}
    """
    document = _parse(text)
    activation_of(document, text)
    return document


def activation_name(document: Any) -> str:
    """The name in an activation document, without its options."""
    return str(document if isinstance(document, str) else document["name"])


def activation_of(document: Any, text: str | None = None) -> Activation:
    """The function that an activation document means; FamilyError (about ``text``) if illegal."""
    try:
        return read_activation(Node(document, "activation", None))
    except InputError as error:
        raise FamilyError(f"parameter activation: {text or document}: {error.reason}") from None


def is_monotone(activation: Activation) -> bool:
    """Whether the function is known to be non-decreasing (continuous pieces or upward jumps)."""
    if activation.kind != "piecewise_linear" or any(slope < 0 for slope in activation.slopes):
        return False
    pieces = list(zip(activation.slopes, activation.intercepts, strict=True))
    return all(
        s0 * b + c0 <= s1 * b + c1
        for b, (s0, c0), (s1, c1) in zip(
            activation.breakpoints, pieces[:-1], pieces[1:], strict=True
        )
    )


def _parse(text: str) -> Any:
    name, _, options = text.partition(":")
    match name:
        case "leaky_relu":
            slopes = _numbers(options, text)
            if len(slopes) == 1:
                return {"name": name, "slope": slopes[0]}
        case "clip":
            bounds = _numbers(options.replace(":", ","), text)
            if len(bounds) == 2:
                return {"name": name, "low": bounds[0], "high": bounds[1]}
        case "polynomial":
            return {"name": name, "coefficients": _numbers(options, text)}
        case "piecewise_linear":
            lists = [_numbers(part, text) for part in options.split(";")]
            if len(lists) == 3:
                keys = ("breakpoints", "slopes", "intercepts")
                return {"name": name, **dict(zip(keys, lists, strict=True))}
        case _ if not options:
            return name
    raise FamilyError(f"parameter activation: {text!r} is not one of {NOTATION}")


def _numbers(part: str, text: str) -> list[int | str]:
    what = f"parameter activation: {text!r}"
    return [write_rational(read_rational(number, what)) for number in part.split(",")]
