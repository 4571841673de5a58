"""Set splitting on three threshold units (docs/reductions.md 2).

Source: a hypergraph. Do two colours suffice, no edge of one colour? The network has two hidden
``step`` units with biases and a ``step`` output, which is frozen to the conjunction (form
``frozen``, section 2A) or free (``free``, 2B, with one more sample).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from gmpy2 import mpq

from ermbit_instances.documents import Document, instance_document
from ermbit_instances.errors import UsageError
from ermbit_instances.rational import Rational
from ermbit_instances.reductions.colorability import Coloring, color, is_proper
from ermbit_instances.reductions.formulas import STEPS, Status
from ermbit_instances.reductions.hypergraph import Hypergraph
from ermbit_instances.reductions.vectors import indicator, unit

if TYPE_CHECKING:
    from ermbit_instances.certificate import Value

Form = Literal["frozen", "free"]

FORMS: tuple[Form, ...] = ("frozen", "free")

COLORS = 2


def instance(
    source: Hypergraph, form: Form, weights: Document, loss: str = "absolute"
) -> Document:
    """The instance over the domain object ``weights``; γ = 0. ``meta`` has form and hypergraph.

    An edge of one vertex, which no colouring splits, gives two samples that contradict each other.

    Raises:
        UsageError: no vertex: the network would have no input.
    """
    n = source.vertices
    if n < 1:
        raise UsageError("hypergraph: at least one vertex is needed")
    samples: list[tuple[list[Any], int]] = [
        ([0] * n, 1),
        *((unit(i, n), 0) for i in range(n)),
        *((indicator(edge, n), 1) for edge in source.edges),
    ]
    output: Document = {"units": 1, "activation": "step"}
    if form == "frozen":
        output |= {"weights": [[1, 1]], "biases": [-2]}
    else:
        samples.append((unit(0, n, -1), 0))
    return instance_document(
        f"set-splitting-{form}-{n}-{len(source.edges)}",
        {"inputs": n, "layers": [{"units": COLORS, "activation": "step"}, output]},
        weights,
        {"x": [x for x, _ in samples], "y": [[y] for _, y in samples]},
        {"name": loss, "reduction": "sum"},
        0,
        {"form": form, "hypergraph": str(source)},
    )


def needed_values(source: Hypergraph, form: Form) -> frozenset[int]:
    """Values that :func:`certificate` uses."""
    return frozenset({-1, 0, _pull(source)} | ({1, -2} if form == "free" else set()))


def _pull(source: Hypergraph) -> int:
    """r - 1: one vertex of the other colour outweighs all others of an edge."""
    return max(1, source.rank - 1)


def certificate(source: Hypergraph, coloring: Coloring, form: Form) -> tuple[Rational, ...]:
    """Unit j has weight -1 on vertices of colour j, r - 1 on the others, and bias 0."""
    pull = _pull(source)
    rows = [-1 if c == unit_ else pull for unit_ in range(COLORS) for c in coloring]
    output = [1, 1, -2] if form == "free" else []
    return tuple(map(mpq, [*rows, 0, 0, *output]))


def solution(source: Hypergraph, values: Sequence[Value], form: Form) -> Coloring:
    """The colouring of any θ with loss 0.

    Vertex i has colour 0 if the first unit answers otherwise at e_i than at the origin, else 1: the
    output is a conjunction of two literals that both hold at the origin.

    Raises:
        UsageError: the values are no certificate of this instance.
    """
    n = source.vertices
    count = COLORS * (n + 1) + (3 if form == "free" else 0)
    if len(values) != count:
        raise UsageError(f"set splitting: expected {count} values, not {len(values)}")
    weights, offset = values[:n], values[COLORS * n]
    coloring = tuple(int((offset + weight >= 0) == (offset >= 0)) for weight in weights)
    if not is_proper(source, coloring):
        raise UsageError("set splitting: these values leave an edge of one colour")
    return coloring


def solve(source: Hypergraph, steps: int = STEPS) -> tuple[Status, Coloring | None]:
    """Whether two colours suffice: see :func:`~.colorability.color`."""
    return color(source, COLORS, steps)
