"""Colouring with k colours as fitting a sum of k ReLUs with loss 0 (docs/reductions.md 3).

Source: a hypergraph and k. Is there a colouring with no edge of one colour?

=========  =======  =========================================================================
form       section  network
=========  =======  =========================================================================
``plain``  3A       k relu units without biases, their sum is the output
``bias``   3B       the same with biases
``free``   3C       output weights and all biases are free; one more input and 2k + 2 samples
=========  =======  =========================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from gmpy2 import mpq

from ermbit_instances.documents import Document, instance_document
from ermbit_instances.errors import UsageError
from ermbit_instances.rational import Rational, write_rational
from ermbit_instances.reductions.colorability import Coloring, color, is_proper
from ermbit_instances.reductions.formulas import STEPS, Status
from ermbit_instances.reductions.hypergraph import Hypergraph
from ermbit_instances.reductions.vectors import indicator, unit

if TYPE_CHECKING:
    from ermbit_instances.certificate import Value

Form = Literal["plain", "bias", "free"]

FORMS: tuple[Form, ...] = ("plain", "bias", "free")


def instance(
    source: Hypergraph, colors: int, form: Form, weights: Document, loss: str = "absolute"
) -> Document:
    """The instance over the domain object ``weights``; γ = 0. ``meta`` has form, k, hypergraph.

    An edge of one vertex, which no colouring allows, gives two samples that contradict each other.

    Raises:
        UsageError: no vertex, or no colour.
    """
    n = source.vertices
    if n < 1 or colors < 1:
        raise UsageError("coloring: at least one vertex and one colour are needed")
    samples: list[tuple[list[Any], int]] = [(unit(i, n), 1) for i in range(n)]
    for edge in source.edges:
        value = 1 if form == "plain" else write_rational(mpq(1, len(edge)))
        samples.append((indicator(edge, n, value), 0))
    hidden: Document = {"units": colors, "activation": "relu"}
    output: Document = {"units": 1, "activation": "identity"}
    if form == "plain":
        hidden["bias"] = False
    if form != "free":
        output |= {"bias": False, "weights": [[1] * colors]}
    else:
        samples = [([*x, 0], y) for x, y in samples]
        samples += [([0] * n + [t], _ramp(t, colors)) for t in range(-1, 2 * colors + 1)]
    return instance_document(
        f"coloring-{form}-{n}-{len(source.edges)}-k{colors}",
        {"inputs": n + (form == "free"), "layers": [hidden, output]},
        weights,
        {"x": [x for x, _ in samples], "y": [[y] for _, y in samples]},
        {"name": loss, "reduction": "sum"},
        0,
        {"form": form, "colors": colors, "hypergraph": str(source)},
    )


def _ramp(t: int, colors: int) -> int:
    """G(t): the slope grows by 1 at 1, 3, …, 2k - 1, which shows the k units one by one."""
    return sum(max(0, t - (2 * j + 1)) for j in range(colors))


def needed_values(source: Hypergraph, colors: int, form: Form) -> frozenset[int]:
    """Values that :func:`certificate` may use."""
    r = max(2, source.rank)
    match form:
        case "plain":
            return frozenset({1, 1 - r})
        case "bias":
            return frozenset({0, 1, 1 - r})
        case _:
            kinks = range(1, 2 * colors, 2)
            own = {value for kink in kinks for value in (-kink, kink + 1, kink + 1 - r)}
            return frozenset({0, 1} | own)


def certificate(
    source: Hypergraph, colors: int, coloring: Coloring, form: Form
) -> tuple[Rational, ...]:
    """Unit j is positive at the vertices of colour j only, and at no edge; by parameter number."""
    r = max(2, source.rank)
    values: list[int] = []
    for j in range(colors):
        # In the form free the unit's kink on the line is at 2j + 1; elsewhere it is lifted by that.
        lift = 2 * j + 1 if form == "free" else 0
        values += [lift + (1 if c == j else 1 - r) for c in coloring]
        values += [1] if form == "free" else []
    if form == "bias":
        values += [0] * colors
    if form == "free":
        values += [-(2 * j + 1) for j in range(colors)]
        values += [1] * colors + [0]
    return tuple(map(mpq, values))


def solution(source: Hypergraph, colors: int, values: Sequence[Value], form: Form) -> Coloring:
    """The colouring of any θ with loss 0: the first unit that is positive at the vertex.

    Raises:
        UsageError: the values are no certificate of this instance.
    """
    n, inputs = source.vertices, source.vertices + (form == "free")
    extra = {"plain": 0, "bias": colors, "free": 2 * colors + 1}[form]
    if len(values) != colors * inputs + extra:
        raise UsageError(f"coloring: expected {colors * inputs + extra} values, not {len(values)}")
    offsets = [mpq(0)] * colors if form == "plain" else values[colors * inputs :][:colors]
    chosen = [
        next((j for j in range(colors) if values[j * inputs + i] + offsets[j] > 0), None)
        for i in range(n)
    ]
    coloring = tuple(c for c in chosen if c is not None)
    if not is_proper(source, coloring):
        raise UsageError("coloring: these values leave a vertex without colour or an edge with one")
    return coloring


def solve(source: Hypergraph, colors: int, steps: int = STEPS) -> tuple[Status, Coloring | None]:
    """Whether k colours suffice: see :func:`~.colorability.color`."""
    return color(source, colors, steps)
