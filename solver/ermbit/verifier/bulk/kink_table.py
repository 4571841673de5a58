"""Kinks of many samples, a few bytes each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

from ermbit.verifier.bulk.float_network import FloatNetwork
from ermbit.verifier.evaluation.risk import Kink

if TYPE_CHECKING:
    import numpy as np


class KinkTable(Sequence[Kink]):
    """A sequence of :class:`Kink`, made when they are read.

    At θ = 0 every relu of every sample is at its kink; as arrays that takes twelve bytes a kink.
    """

    def __init__(self, neurons: Sequence[tuple[str, str]], losses: Sequence[str]) -> None:
        """Start without kinks.

        Args:
            neurons: label and words of each neuron's kinks, in order.
            losses: words of a sample's kinks of the loss, in order.
        """
        self._words = [*neurons, *(("loss", what) for what in losses)]
        self._samples: list[np.ndarray[Any, Any]] = []
        self._codes: list[np.ndarray[Any, Any]] = []
        self._ends: list[int] = []
        self._last: list[Kink] = []

    def add(
        self,
        samples: Sequence[int],
        neurons: Sequence[np.ndarray[Any, Any]],
        losses: np.ndarray[Any, Any],
    ) -> None:
        """Add the kinks of some samples.

        Args:
            samples: their indices.
            neurons: by layer, samples × units, where there is a kink.
            losses: samples × words.
        """
        import numpy as np

        row, code = np.nonzero(np.concatenate([*neurons, losses], axis=1))
        if len(row):
            self._samples.append(np.asarray(samples, dtype=np.int64)[row])
            self._codes.append(code.astype(np.int32))
            self._ends.append(len(row) + (self._ends[-1] if self._ends else 0))

    def finish(self, what: str) -> None:
        """Add the last kink, of the reduction over all samples."""
        self._last.append(Kink("loss", -1, what))

    def __len__(self) -> int:
        return (self._ends[-1] if self._ends else 0) + len(self._last)

    @overload
    def __getitem__(self, index: int) -> Kink: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Kink, ...]: ...
    def __getitem__(self, index: int | slice) -> Kink | tuple[Kink, ...]:
        from bisect import bisect_right

        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        at = range(len(self))[index]
        part = bisect_right(self._ends, at)
        if part == len(self._ends):
            return self._last[at - (self._ends[-1] if self._ends else 0)]
        at -= self._ends[part - 1] if part else 0
        where, what = self._words[int(self._codes[part][at])]
        return Kink(where, int(self._samples[part][at]), what)


def neuron_kinks(network: FloatNetwork, spelling: str) -> list[tuple[str, str]]:
    """Label and words of every neuron's kinks, in the order of neurons."""
    found = []
    for layer in network.layers:
        what = f"the pre-activation is exactly at a breakpoint of {layer.activation.name}"
        if layer.activation.kind == "max":
            what = "several inputs attain the maximum"
        for block in layer.blocks:
            for unit in range(block.units):
                label = f"{block.index}.{unit}" if spelling == "layers" else str(block.name)
                found.append((label, what))
    return found
