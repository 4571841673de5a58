"""Constraints on bits as one sample of one input (docs/reductions.md 6C).

The input is 1; v_i = relu(w_i) with w_i the only free parameters. The outputs |v_i - 1/2|, labelled
1/2, make every v_i 0 or 1, and further outputs of the v_i are the constraints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ermbit_instances.documents import Document, instance_document
from ermbit_instances.errors import UsageError

if TYPE_CHECKING:
    from ermbit_instances.certificate import Value
    from ermbit_instances.reductions.formulas import Assignment


@dataclass(frozen=True)
class Constraint:
    """An output φ(Σ coefficient · v_i + bias) and its label.

    Attributes:
        coefficients: by position i, from 0.
        bias: the constant.
        activation: the name of φ.
        label: what the output is to be.
    """

    coefficients: Mapping[int, int]
    bias: int
    activation: str
    label: int


def bits(count: int) -> list[Document]:
    """The neurons v0, v1, … = relu(w_i · x0)."""
    return [
        {"id": f"v{i}", "inputs": {"x0": None}, "bias": 0, "activation": "relu"}
        for i in range(count)
    ]


def constraints_instance(
    name: str,
    count: int,
    constraints: Sequence[Constraint],
    weights: Document,
    loss: str,
    meta: Document,
) -> Document:
    """The instance of ``count`` bits, with loss 0 iff some bits meet all constraints."""
    neurons = bits(count)
    neurons += [
        {"id": f"u{i}", "inputs": {f"v{i}": 1}, "bias": "-1/2", "activation": "abs"}
        for i in range(count)
    ]
    neurons += [
        {
            "id": f"c{number}",
            "inputs": {f"v{i}": c for i, c in sorted(constraint.coefficients.items())},
            "bias": constraint.bias,
            "activation": constraint.activation,
        }
        for number, constraint in enumerate(constraints)
    ]
    labels: list[int | str] = [*("1/2" for _ in range(count)), *(c.label for c in constraints)]
    outputs = [neuron["id"] for neuron in neurons[count:]]
    return instance_document(
        name,
        {"inputs": 1, "neurons": neurons, "outputs": outputs},
        weights,
        {"x": [[1]], "y": [labels]},
        {"name": loss, "reduction": "sum"},
        0,
        meta,
    )


def read_bits(values: Sequence[Value], count: int) -> Assignment:
    """v_i > 0, of any θ.

    Raises:
        UsageError: another number of values.
    """
    if len(values) != count:
        raise UsageError(f"formula: expected {count} values, not {len(values)}")
    return tuple(bool(value > 0) for value in values)
