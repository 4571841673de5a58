"""Fully connected networks of the families: their documents, parameter arrays and exact values.

Families need f_θ(x) to label data with a planted θ. This evaluation is the plain definition on a
handful of samples; certificates are judged elsewhere, from the written file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gmpy2 import mpq

from ermbit_instances.activation import IDENTITY, Activation
from ermbit_instances.families.activation_text import activation_document, activation_of
from ermbit_instances.families.family import FamilyError, ParameterValue
from ermbit_instances.rational import Rational, write_rational

_LARGEST_LAYER = 4096


@dataclass(frozen=True)
class Layer:
    """A fully connected layer: its width and the activation as an instance file writes it."""

    units: int
    activation: Any


@dataclass(frozen=True)
class Architecture:
    """``inputs`` → layers, each fully connected to the one before; with or without biases."""

    inputs: int
    layers: tuple[Layer, ...]
    bias: bool = True

    def document(self) -> dict[str, Any]:
        """The ``network`` object of an instance file."""
        without = {} if self.bias else {"bias": False}
        return {
            "inputs": self.inputs,
            "layers": [
                {"units": layer.units, "activation": layer.activation, **without}
                for layer in self.layers
            ],
        }


@dataclass(frozen=True)
class Weights:
    """θ: per layer a matrix (units × fan-in) and, with biases, a vector (units)."""

    matrices: tuple[tuple[tuple[Rational, ...], ...], ...]
    biases: tuple[tuple[Rational, ...], ...]

    def document(self) -> dict[str, Any]:
        """The ``parameters`` object of a certificate file: W1, b1, W2, …"""
        arrays: dict[str, Any] = {}
        for number, matrix in enumerate(self.matrices, start=1):
            arrays[f"W{number}"] = [[write_rational(w) for w in row] for row in matrix]
            if self.biases:
                arrays[f"b{number}"] = [write_rational(b) for b in self.biases[number - 1]]
        return arrays

    def all_values(self) -> set[Rational]:
        """Every value that occurs."""
        rows = [row for matrix in self.matrices for row in matrix]
        return {value for row in (*rows, *self.biases) for value in row}


def architecture(
    inputs: int, hidden: ParameterValue, activation: Any, outputs: int, bias: bool = True
) -> Architecture:
    """Hidden layers of one activation and ``outputs`` linear outputs.

    ``hidden`` is ``none`` or widths joined by ``-``. Raises FamilyError for other texts.
    """
    widths = [] if hidden == "none" else str(hidden).split("-")
    if not all(w.isascii() and w.isdigit() and 1 <= int(w) <= _LARGEST_LAYER for w in widths):
        raise FamilyError(
            f"parameter hidden: {hidden!r} is neither none nor widths in 1..{_LARGEST_LAYER} "
            "joined by -"
        )
    layers = [Layer(int(width), activation) for width in widths]
    return Architecture(inputs, (*layers, Layer(outputs, "identity")), bias)


def shape_of(parameters: Mapping[str, Any]) -> Architecture:
    """The network that ``inputs``, ``hidden``, ``activation``, ``outputs`` and ``bias`` ask for."""
    return architecture(
        parameters["inputs"],
        parameters["hidden"],
        activation_document(parameters["activation"]),
        parameters["outputs"],
        parameters["bias"] == "yes",
    )


def draw_weights(shape: Architecture, draw: Callable[[], Rational]) -> Weights:
    """One value a parameter, layer by layer, row by row, the biases of a layer after its rows."""
    matrices, biases = [], []
    fan_in = shape.inputs
    for layer in shape.layers:
        matrices.append(tuple(tuple(draw() for _ in range(fan_in)) for _ in range(layer.units)))
        if shape.bias:
            biases.append(tuple(draw() for _ in range(layer.units)))
        fan_in = layer.units
    return Weights(tuple(matrices), tuple(biases))


def evaluate(shape: Architecture, weights: Weights, x: Sequence[Rational]) -> list[Rational]:
    """f_θ(x), exactly."""
    values = list(x)
    for number, layer in enumerate(shape.layers):
        activation = activation_of(layer.activation)
        offsets = weights.biases[number] if weights.biases else (mpq(0),) * layer.units
        values = [
            _respond(activation, [w * v for w, v in zip(row, values, strict=True)], offset)
            for row, offset in zip(weights.matrices[number], offsets, strict=True)
        ]
    return values


def _respond(activation: Activation, terms: list[Rational], offset: Rational) -> Rational:
    if activation.kind == "max":
        return max(terms) + offset
    total = sum(terms, offset)
    return total if activation is IDENTITY else activation(total)
