"""Sliding windows of convolution and pooling, written out as the matrices that they are.

A tensor C × D1 × D2 is flattened in row-major order (ONNX; one-dimensional ones have D2 = 1), so
that output (m, o1, o2) and input (c, i1, i2) are single units of two layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from ermbit_instances import limits
from ermbit_instances.onnx_model.file import OnnxNode

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Axis:
    """A window that slides along one axis.

    Attributes:
        size: length D of the axis.
        outputs: number of places O of the window.
        kernel, stride, dilation: window positions, steps between places, steps inside the window.
        padding: absent entries before the first one.
    """

    size: int
    outputs: int
    kernel: int
    stride: int
    dilation: int
    padding: int

    def taps(self) -> np.ndarray[Any, Any]:
        """O × D: which window position reads the entry, −1 for none."""
        import numpy as np

        place = np.arange(self.outputs, dtype=np.int64)[:, None] * self.stride
        reach = np.arange(self.size, dtype=np.int64)[None, :] + self.padding - place
        position = reach // self.dilation
        inside = (reach % self.dilation == 0) & (position >= 0) & (position < self.kernel)
        return np.where(inside, position, -1)


ONE = Axis(1, 1, 1, 1, 1, 0)


def read_axes(node: OnnxNode, sizes: tuple[int, ...], kernel: tuple[int, ...]) -> tuple[Axis, ...]:
    """The axes of a Conv or MaxPool from its attributes, checked.

    Raises:
        InputError: a rank other than 1 or 2, ``auto_pad`` by sizes, attributes that do not fit,
            no place for the window.
    """
    rank = len(sizes)
    if rank not in (1, 2):
        node.fail(f"its data have {rank} axes after the channels, 1 or 2 are read")
    steps = {
        "kernel_shape": kernel,
        "strides": node.integers("strides", (1,) * rank),
        "dilations": node.integers("dilations", (1,) * rank),
    }
    pads = node.integers("pads", (0,) * 2 * rank)
    for key, values in (*steps.items(), ("pads", pads)):
        if len(values) != (2 * rank if key == "pads" else rank):
            node.fail(f"attribute {key!r} has {len(values)} entries")
        for value in values:
            if value < (0 if key == "pads" else 1):
                node.fail(f"attribute {key!r} has the entry {value}")
            if value > limits.EDGES.value:
                node.refuse(f"attribute {key!r}: past the limit of {limits.EDGES.value}")
    padding = node.text("auto_pad", "NOTSET")
    if padding not in ("NOTSET", "VALID"):
        node.fail(f"auto_pad {padding!r} is not read; write out the pads")
    if padding == "VALID" and any(pads):
        node.fail("auto_pad VALID contradicts the pads")
    axes = []
    for a, size in enumerate(sizes):
        stride, dilation = steps["strides"][a], steps["dilations"][a]
        room = size + pads[a] + pads[rank + a] - dilation * (kernel[a] - 1) - 1
        if room < 0:
            node.fail(f"the window is larger than axis {a} of its data")
        axes.append(Axis(size, room // stride + 1, kernel[a], stride, dilation, pads[a]))
    return tuple(axes)


@dataclass(frozen=True)
class Convolution:
    """A convolution: kernel M × C/groups × K…, over C channels."""

    kernel: np.ndarray[Any, Any]
    axes: tuple[Axis, ...]
    channels: int
    groups: int

    @property
    def units(self) -> int:
        return int(self.kernel.shape[0]) * prod(axis.outputs for axis in self.axes)

    @property
    def fan_in(self) -> int:
        return self.channels * prod(axis.size for axis in self.axes)

    def matrix(self) -> np.ndarray[Any, Any]:
        """units × fan-in; 0 where there is no edge."""
        import numpy as np

        first, second = (*self.axes, ONE)[:2]
        m, c = self.kernel.shape[:2]
        # A zero after the last window position: index −1 of the taps reads it.
        padded = np.zeros((m, c, first.kernel + 1, second.kernel + 1), dtype=self.kernel.dtype)
        padded[:, :, :-1, :-1] = self.kernel.reshape(m, c, first.kernel, second.kernel)
        taps = first.taps()[:, :, None, None], second.taps()[None, None]
        edges = padded[:, :, taps[0], taps[1]].transpose(0, 2, 4, 1, 3, 5)
        if self.groups == 1:
            return edges.reshape(self.units, self.fan_in)
        whole = np.zeros((*edges.shape[:3], self.channels, *edges.shape[4:]), dtype=edges.dtype)
        share = m // self.groups
        for group in range(self.groups):
            rows = slice(group * share, (group + 1) * share)
            whole[rows, :, :, group * c : (group + 1) * c] = edges[rows]
        return whole.reshape(self.units, self.fan_in)


@dataclass(frozen=True)
class Pool:
    """Max-pooling: the same window on every channel."""

    axes: tuple[Axis, ...]
    channels: int

    @property
    def units(self) -> int:
        return self.channels * prod(axis.outputs for axis in self.axes)

    @property
    def fan_in(self) -> int:
        return self.channels * prod(axis.size for axis in self.axes)

    def edges(self) -> np.ndarray[Any, Any]:
        """units × fan-in Booleans: the entries that a window reads; padding is no entry."""
        import numpy as np

        first, second = (axis.taps() >= 0 for axis in (*self.axes, ONE)[:2])
        window = np.einsum("oi,pj->opij", first, second)
        whole = np.zeros(
            (self.channels, *window.shape[:2], self.channels, *window.shape[2:]), dtype=np.bool_
        )
        for channel in range(self.channels):
            whole[channel, :, :, channel] = window
        return whole.reshape(self.units, self.fan_in)
