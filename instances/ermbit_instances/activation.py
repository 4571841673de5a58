"""Activation functions, in three kinds.

* *Piecewise linear*: breakpoints b_1 < … < b_m and pieces s_k t + c_k on the half-open intervals
  [b_k, b_{k+1}), the first from −∞ and the last to ∞. ``identity``, ``relu``, ``leaky_relu``,
  ``abs``, ``step``, ``sign``, ``clip`` are spelt out in this form once, so no engine knows their
  names.
* *Polynomial*: coefficients c_0, c_1, …; ``square`` is one. Degree ≤ 1 is piecewise linear.
* *Max*: the maximum of the weighted inputs, the bias added after it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gmpy2 import mpq

from ermbit_instances import limits
from ermbit_instances.json_node import Node
from ermbit_instances.rational import Rational, write_rational

Kind = Literal["piecewise_linear", "polynomial", "max"]

_ZERO, _ONE = mpq(0), mpq(1)


@dataclass(frozen=True, slots=True)
class Activation:
    """One activation function in normal form.

    Attributes:
        name: as in the instance file.
        kind: which of the three kinds; it says which of the fields below are used.
        breakpoints: b_1 < … < b_m (piecewise linear).
        slopes, intercepts: m + 1 pieces (piecewise linear).
        coefficients: ascending, last one non-zero, degree ≥ 2 (polynomial).
        options: the file's own options, for the canonical form.
    """

    name: str
    kind: Kind
    breakpoints: tuple[Rational, ...] = ()
    slopes: tuple[Rational, ...] = ()
    intercepts: tuple[Rational, ...] = ()
    coefficients: tuple[Rational, ...] = ()
    options: tuple[tuple[str, Rational | tuple[Rational, ...]], ...] = ()

    def __call__(self, t: Any) -> Any:
        """φ(t) for a rational or algebraic number. Not defined for ``max``."""
        if self.kind == "polynomial":
            value: Any = _ZERO
            for c in reversed(self.coefficients):
                value = value * t + c
            return value
        k = self.piece(t)
        slope = self.slopes[k]
        if slope == 0:
            return self.intercepts[k]
        return slope * t + self.intercepts[k]

    def piece(self, t: Any) -> int:
        """Index k of the piece with b_k ≤ t < b_{k+1} (piecewise linear only)."""
        return bisect_right(self.breakpoints, t)

    @property
    def is_affine(self) -> bool:
        return self.kind == "piecewise_linear" and not self.breakpoints

    @property
    def is_continuous(self) -> bool:
        return all(
            s0 * b + c0 == s1 * b + c1
            for b, s0, s1, c0, c1 in zip(
                self.breakpoints,
                self.slopes,
                self.slopes[1:],
                self.intercepts,
                self.intercepts[1:],
                strict=False,
            )
        )

    @property
    def is_piecewise_constant(self) -> bool:
        """Whether finitely many values occur: ``step``, ``sign``, a constant."""
        return self.kind == "piecewise_linear" and not any(self.slopes)

    @property
    def is_homogeneous(self) -> bool:
        """φ(αt) = αφ(t) for α ≥ 0: ``relu``, ``leaky_relu``, ``abs``, ``identity``, ``max``."""
        if self.kind == "max":
            return True
        return (
            self.kind == "piecewise_linear"
            and not any(self.intercepts)
            and not any(self.breakpoints)
        )

    @property
    def degree(self) -> int:
        return len(self.coefficients) - 1 if self.kind == "polynomial" else 1

    def canonical(self) -> Any:
        """The form in the canonical instance: a name, or an object with explicit options."""
        if not self.options:
            return self.name
        form: dict[str, Any] = {"name": self.name}
        for key, value in self.options:
            form[key] = (
                [write_rational(v) for v in value]
                if isinstance(value, tuple)
                else write_rational(value)
            )
        return form


def piecewise(
    name: str,
    breakpoints: Sequence[Rational],
    slopes: Sequence[Rational],
    intercepts: Sequence[Rational],
    options: tuple[tuple[str, Rational | tuple[Rational, ...]], ...] = (),
) -> Activation:
    """A piecewise linear activation from its pieces."""
    return Activation(
        name,
        "piecewise_linear",
        tuple(map(mpq, breakpoints)),
        tuple(map(mpq, slopes)),
        tuple(map(mpq, intercepts)),
        options=options,
    )


def polynomial(name: str, coefficients: Sequence[Rational], *, given: bool = False) -> Activation:
    """A polynomial activation; degree ≤ 1 becomes a single linear piece."""
    c = [mpq(v) for v in coefficients]
    options = (("coefficients", tuple(c)),) if given else ()
    while c and c[-1] == 0:
        c.pop()
    if len(c) <= 2:
        c += [_ZERO] * (2 - len(c))
        return piecewise(name, (), (c[1],), (c[0],), options)
    return Activation(name, "polynomial", coefficients=tuple(c), options=options)


IDENTITY = piecewise("identity", (), (_ONE,), (_ZERO,))
RELU = piecewise("relu", (_ZERO,), (_ZERO, _ONE), (_ZERO, _ZERO))
ABS = piecewise("abs", (_ZERO,), (-_ONE, _ONE), (_ZERO, _ZERO))
STEP = piecewise("step", (_ZERO,), (_ZERO, _ZERO), (_ZERO, _ONE))
SIGN = piecewise("sign", (_ZERO,), (_ZERO, _ZERO), (-_ONE, _ONE))
SQUARE = polynomial("square", (_ZERO, _ZERO, _ONE))
MAX = Activation("max", "max")

_PLAIN = {a.name: a for a in (IDENTITY, RELU, ABS, STEP, SIGN, SQUARE, MAX)}
_OPTIONS: dict[str, tuple[str, ...]] = {
    "leaky_relu": ("slope",),
    "clip": ("low", "high"),
    "piecewise_linear": ("breakpoints", "slopes", "intercepts"),
    "polynomial": ("coefficients",),
}
NAMES: tuple[str, ...] = tuple(sorted({*_PLAIN, *_OPTIONS}))


def read_activation(node: Node) -> Activation:
    """Read an activation: a name, or an object with ``name`` and its options.

    Raises:
        InputError: unknown name, missing or unknown option, unsorted breakpoints, wrong lengths.
    """
    if isinstance(node.value, str):
        name_node, name = node, node.value
    else:
        member = node.get("name")
        if member is None:
            node.fail("the key 'name' is missing")
        name_node, name = member, member.string()
    if name in _PLAIN:
        if node is not name_node:
            node.keys(required=("name",))
        return _PLAIN[name]
    if name not in _OPTIONS:
        name_node.fail(f"unknown activation {name!r}; known: {', '.join(NAMES)}")
    if node is name_node:
        node.fail(f"{name} needs an object with {', '.join(_OPTIONS[name])}")
    node.keys(required=("name", *_OPTIONS[name]))
    if name == "leaky_relu":
        slope = node.at("slope").rational()
        return piecewise(name, (_ZERO,), (slope, _ONE), (_ZERO, _ZERO), (("slope", slope),))
    if name == "clip":
        low, high = node.at("low").rational(), node.at("high").rational()
        if low > high:
            node.at("low").fail("low is greater than high")
        options = (("low", low), ("high", high))
        if low == high:
            return piecewise(name, (), (_ZERO,), (low,), options)
        return piecewise(name, (low, high), (_ZERO, _ONE, _ZERO), (low, _ZERO, high), options)
    if name == "polynomial":
        coefficients = [v.rational() for v in node.at("coefficients").elements()]
        if not coefficients:
            node.at("coefficients").fail("at least one coefficient is needed")
        if len(coefficients) - 1 > limits.DEGREE.value:
            node.at("coefficients").refuse(f"degree past the limit of {limits.DEGREE.value}")
        return polynomial(name, coefficients, given=True)
    lists = {key: [v.rational() for v in node.at(key).elements()] for key in _OPTIONS[name]}
    points = lists["breakpoints"]
    for k in range(1, len(points)):
        if points[k - 1] >= points[k]:
            node.at("breakpoints").at(k).fail("breakpoints must increase strictly")
    for key in ("slopes", "intercepts"):
        if len(lists[key]) != len(points) + 1:
            node.at(key).fail(
                f"{len(points)} breakpoints make {len(points) + 1} pieces, not {len(lists[key])}"
            )
    given = tuple((key, tuple(value)) for key, value in lists.items())
    return piecewise(name, points, lists["slopes"], lists["intercepts"], given)
