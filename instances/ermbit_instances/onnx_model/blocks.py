"""Layers as an ONNX graph says them: a linear map, a bias, an activation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from ermbit_instances.activation import IDENTITY, Activation
from ermbit_instances.onnx_model.file import OnnxNode
from ermbit_instances.onnx_model.window import Convolution, Pool

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Dense:
    """A matrix, units × fan-in."""

    weights: np.ndarray[Any, Any]

    @property
    def units(self) -> int:
        return int(self.weights.shape[0])

    @property
    def fan_in(self) -> int:
        return int(self.weights.shape[1])

    def matrix(self) -> np.ndarray[Any, Any]:
        return self.weights


@dataclass(frozen=True)
class Diagonal:
    """The identity matrix: a bias or an activation on its own."""

    units: int

    @property
    def fan_in(self) -> int:
        return self.units

    def matrix(self) -> np.ndarray[Any, Any]:
        import numpy as np

        return np.eye(self.units)


Linear: TypeAlias = Dense | Diagonal | Convolution | Pool


@dataclass
class Block:
    """One layer: activation(linear · x + bias); for a pool the maximum, plus the bias.

    Attributes:
        operators: the nodes that make it up.
        linear: its map.
        bias: a constant to be broadcast to 1 × ``shape``, or ``None``.
        shape: of its output, without the batch.
        activation: as a piecewise linear function.
    """

    operators: list[OnnxNode]
    linear: Linear
    shape: tuple[int, ...]
    bias: np.ndarray[Any, Any] | None = None
    activation: Activation = IDENTITY

    def bias_vector(self) -> np.ndarray[Any, Any]:
        """One bias a unit; zeros where there is none."""
        import numpy as np

        if self.bias is None:
            return np.zeros(self.linear.units)
        return np.broadcast_to(self.bias, (1, *self.shape)).reshape(-1)
