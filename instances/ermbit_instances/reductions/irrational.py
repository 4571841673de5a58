"""Fits whose only solutions over the reals may be irrational (docs/reductions.md 9).

==========  =======  =====================================  ==============================
form        section  network                                loss 0 iff
==========  =======  =====================================  ==============================
``tower``   9A       d squares in a row, first weight free  w^(2^d) = c
``shared``  9B       w·relu(w x), shared w                  w > 0 and w^2 = c, for c > 0
``own``     9C       b t + relu(-t), t = a x_0 + x_1        one of :func:`solutions`:
                                                            a = b = (1 - √5)/2 for c = 1
==========  =======  =====================================  ==============================

The theorems list all real solutions, so the answer is known for every domain: it is sat iff one of
them lies in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from gmpy2 import is_square, isqrt, mpq

from ermbit_instances import limits
from ermbit_instances.algebraic import AlgebraicNumber, algebraic
from ermbit_instances.documents import Document, instance_document
from ermbit_instances.errors import UsageError
from ermbit_instances.rational import Rational, write_rational

if TYPE_CHECKING:
    from ermbit_instances.certificate import Value

Form = Literal["tower", "shared", "own"]
FORMS: tuple[Form, ...] = ("tower", "shared", "own")

DEPTH_LIMIT = 64
"""Most squares in a row."""


@dataclass(frozen=True)
class Fit:
    """A form with its label c, and for ``tower`` its number d of squares.

    Raises UsageError for a depth outside 1..:data:`DEPTH_LIMIT`, and for the label 0 of ``shared``,
    which every w ≤ 0 has.
    """

    form: Form
    label: Rational
    depth: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.depth <= DEPTH_LIMIT:
            raise UsageError(f"irrational: expected a depth in 1..{DEPTH_LIMIT}, not {self.depth}")
        if self.form == "shared" and self.label == 0:
            raise UsageError("irrational: the form shared needs a label other than 0")


def instance(source: Fit, weights: Document, loss: str = "absolute") -> Document:
    """The instance over the domain object ``weights``; γ = 0. ``meta`` has form, label, depth."""
    label = write_rational(source.label)
    meta: Document = {"form": source.form, "label": label}
    samples = [([1], label)]
    match source.form:
        case "tower":
            neurons = [_neuron("h1", "square", {"x0": {"param": "w"}})]
            for k in range(2, source.depth + 1):
                neurons.append(_neuron(f"h{k}", "square", {f"h{k - 1}": 1}))
            meta["depth"] = source.depth
        case "shared":
            neurons = [
                _neuron("h", "relu", {"x0": {"param": "w"}}),
                _neuron("f", "identity", {"h": {"param": "w"}}),
            ]
        case "own":
            neurons = [
                _neuron("t", "identity", {"x0": {"param": "a"}, "x1": 1}),
                _neuron("r", "relu", {"t": -1}),
                _neuron("f", "identity", {"t": {"param": "b"}, "r": 1}),
            ]
            samples = [([1, 0], label), ([-1, 1], -1)]
    inputs = len(samples[0][0])
    height = f"-{source.depth}" if source.form == "tower" else ""
    return instance_document(
        f"irrational-{source.form}{height}",
        {"inputs": inputs, "neurons": neurons, "outputs": [neurons[-1]["id"]]},
        weights,
        {"x": [x for x, _ in samples], "y": [[y] for _, y in samples]},
        {"name": loss, "reduction": "sum"},
        0,
        meta,
    )


def _neuron(name: str, activation: str, inputs: Document) -> Document:
    return {"id": name, "inputs": inputs, "bias": 0, "activation": activation}


def solutions(source: Fit) -> tuple[tuple[Value, ...], ...] | None:
    """All θ over the reals with loss 0, by parameter number.

    ``None`` if there are some, all irrational, of a degree past the limit ``root_degree``.
    """
    match source.form:
        case "tower":
            roots = _tower_roots(source.label, source.depth)
            return None if roots is None else tuple((w,) for w in roots)
        case "shared":
            return tuple((w,) for w in _square_roots(source.label) if w > 0)
        case "own":
            return _own(source.label)


def _tower_roots(label: Rational, depth: int) -> tuple[Value, ...] | None:
    """All real w with w^(2^depth) = label."""
    if label < 0:
        return ()
    if label in (0, 1):
        return (mpq(0),) if label == 0 else (mpq(1), mpq(-1))
    # As long as the label is a square: w^(2^(d-1)) is positive, so it is the positive root.
    while depth and is_square(label.numerator) and is_square(label.denominator):
        label, depth = mpq(isqrt(label.numerator), isqrt(label.denominator)), depth - 1
    if depth == 0:
        return (label, -label)
    # x^(2^depth) - label is irreducible: the label is no square and positive.
    if 1 << depth > limits.ROOT_DEGREE.value:
        return None
    middle = [0] * ((1 << depth) - 1)
    coefficients = [-int(label.numerator), *middle, int(label.denominator)]
    root = algebraic(coefficients, mpq(0), max(label, mpq(1)))
    return (root, -root)


def _square_roots(value: Rational) -> tuple[Value, ...]:
    """All real square roots, the positive one first."""
    roots = _tower_roots(value, 1)
    assert roots is not None
    return roots


def _own(c: Rational) -> tuple[tuple[Value, ...], ...]:
    """All (a, b) of form ``own`` with label c."""
    found: list[tuple[Value, ...]] = []
    if c > 0:  # a < 0: a^2 + (c - 2) a = c
        a = (2 - c - _square_roots(c * c + 4)[0]) / 2
        found.append((a, a + c - 1))
    else:  # 0 <= a <= 1: b = c - 1, a b = c
        found.append((c / (c - 1), c - 1))
    if c >= 4:  # a > 1: a + b = a b = c
        for root in _square_roots(c * c - 4 * c):
            found.append(((c + root) / 2, (c - root) / 2))
    return tuple(found)


def certificate(point: Sequence[Value]) -> tuple[Value, ...]:
    """θ by parameter number: a solution as it is."""
    return tuple(point)


def solution(source: Fit, values: Sequence[Value]) -> tuple[Value, ...]:
    """The solution that a θ of loss 0 is.

    Raises:
        UsageError: the values are no solution.
    """
    point = tuple(values)
    found = solutions(source)
    if found is None:
        # Only the degree of w is past the limit: such a w cannot be written down either.
        found = ()
    if point not in found:
        raise UsageError("irrational: these values are no solution")
    return point


def is_rational(point: Sequence[Value]) -> bool:
    """Whether no value is irrational."""
    return not any(isinstance(value, AlgebraicNumber) for value in point)
