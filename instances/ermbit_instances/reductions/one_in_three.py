"""Positive 1-in-3 satisfiability on small networks (docs/reductions.md 6).

Source: triples of distinct variables, as a hypergraph. Is there an assignment by which exactly one
variable of every triple is true? (Schaefer 1978.) γ = 0 throughout, and the answer is the source's
over every domain with the values of :func:`needed_values`.

==============  =======  ======================================================================
form            section  network
==============  =======  ======================================================================
``abs``         6A       abs(w·x + b)
``tied``        6A       relu(w·x + b) + relu(-w·x - b), with shared w and b
``one_sample``  6C       one input, one sample, an output a variable and one a triple
``relu``        6D       relu units only, one input, one output, one sample
==============  =======  ======================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from gmpy2 import mpq

from ermbit_instances.documents import Document, instance_document
from ermbit_instances.errors import UsageError
from ermbit_instances.rational import Rational
from ermbit_instances.reductions.formulas import Assignment, Status, hit_once
from ermbit_instances.reductions.hypergraph import Hypergraph
from ermbit_instances.reductions.one_sample import (
    Constraint,
    bits,
    constraints_instance,
    read_bits,
)
from ermbit_instances.reductions.subset_sum import two_tied_relus
from ermbit_instances.reductions.vectors import indicator, unit

if TYPE_CHECKING:
    from ermbit_instances.certificate import Value

Form = Literal["abs", "tied", "one_sample", "relu"]

FORMS: tuple[Form, ...] = ("abs", "tied", "one_sample", "relu")

LARGEST = 1000
"""Most variables: an instance has a column or some neurons for each."""


def check_triples(source: Hypergraph) -> None:
    """Raises UsageError unless there are 1..:data:`LARGEST` vertices and all edges are triples."""
    if not 1 <= source.vertices <= LARGEST or any(len(edge) != 3 for edge in source.edges):
        raise UsageError(f"1-in-3: expected edges of three out of 1..{LARGEST} vertices")


def holds(source: Hypergraph, assignment: Sequence[bool]) -> bool:
    """Whether exactly one variable of every triple is true."""
    return all(sum(bool(assignment[v]) for v in triple) == 1 for triple in source.edges)


def instance(source: Hypergraph, form: Form, weights: Document, loss: str) -> Document:
    """The instance over the domain object ``weights``; γ = 0.

    ``meta`` has the form and the triples. Raises UsageError where not all edges are triples.
    """
    check_triples(source)
    name = f"one-in-three-{form}-{source.vertices}-{len(source.edges)}"
    meta: Document = {"form": form, "triples": str(source)}
    n = source.vertices
    match form:
        case "one_sample":
            triples = [Constraint(dict.fromkeys(t, 1), 0, "identity", 1) for t in source.edges]
            return constraints_instance(name, n, triples, weights, loss, meta)
        case "relu":
            network, data = _relus(source), {"x": [[1]], "y": [[0]]}
        case _:
            single = {"inputs": n, "layers": [{"units": 1, "activation": "abs"}]}
            network = two_tied_relus(n) if form == "tied" else single
            data = _samples(source)
    loss_object = {"name": loss, "reduction": "sum"}
    return instance_document(name, network, weights, data, loss_object, 0, meta)


def _samples(source: Hypergraph) -> Document:
    """0 → 1 and 2e_i → 1 make w a 0/1 vector for b = -1; 4·1_C → 3 says that Σ_C w = 1."""
    n = source.vertices
    return {
        "x": [
            [0] * n,
            *(unit(i, n, 2) for i in range(n)),
            *(indicator(triple, n, 4) for triple in source.edges),
        ],
        "y": [[1], *([1] for _ in range(n)), *([3] for _ in source.edges)],
    }


def _relus(source: Hypergraph) -> Document:
    """Σ | |2v_i - 1| - 1 | + Σ |Σ_C v_i - 1| with |t| = relu(t) + relu(-t)."""
    neurons = bits(source.vertices)
    summands: list[str] = []

    def absolute(name: str, inputs: dict[str, int], bias: int) -> list[str]:
        """The two neurons whose sum is the absolute value of a linear form."""
        for sign, suffix in ((1, "p"), (-1, "n")):
            neurons.append(
                {
                    "id": name + suffix,
                    "inputs": {source: sign * c for source, c in inputs.items()},
                    "bias": sign * bias,
                    "activation": "relu",
                }
            )
        return [f"{name}p", f"{name}n"]

    for i in range(source.vertices):
        inner = absolute(f"u{i}", {f"v{i}": 2}, -1)
        summands += absolute(f"t{i}", dict.fromkeys(inner, 1), -1)
    for number, triple in enumerate(source.edges):
        summands += absolute(f"c{number}", {f"v{i}": 1 for i in triple}, -1)
    output: dict[str, Any] = {
        "id": "f",
        "inputs": dict.fromkeys(summands, 1),
        "bias": 0,
        "activation": "identity",
    }
    return {"inputs": 1, "neurons": [*neurons, output], "outputs": ["f"]}


def needed_values(form: Form) -> frozenset[int]:
    """Values that a domain must have for certificates of this form to exist."""
    return frozenset({-1, 0, 1} if form in ("abs", "tied") else {0, 1})


def certificate(assignment: Assignment, form: Form) -> tuple[Rational, ...]:
    """w = the assignment, and b = -1 where the form has one; by parameter number."""
    offset = (mpq(-1),) if form in ("abs", "tied") else ()
    return (*(mpq(int(value)) for value in assignment), *offset)


def solution(source: Hypergraph, values: Sequence[Value], form: Form) -> Assignment:
    """The assignment of any θ with loss 0: w (-w where the bias is 1), or the bits.

    Raises:
        UsageError: the values are no such θ.
    """
    check_triples(source)
    n = source.vertices
    if form in ("abs", "tied"):
        if len(values) != n + 1:
            raise UsageError(f"1-in-3: expected {n + 1} values, not {len(values)}")
        true = 1 if values[n] == -1 else -1
        assignment = tuple(value == true for value in values[:n])
    else:
        assignment = read_bits(values, n)
    if not holds(source, assignment):
        raise UsageError("1-in-3: these values are no solution")
    return assignment


def solve(source: Hypergraph) -> tuple[Status, Assignment | None]:
    """A solution by search with propagation (:func:`~.formulas.hit_once`)."""
    check_triples(source)
    return hit_once(source)
