"""States that were met: two with equal values and equal open questions are one.

A hash finds candidates; equality of the integers decides. Long integers are not kept but computed
again when a candidate turns up. That happens only for states that are equal, but for collisions.
"""

from __future__ import annotations

from typing import Any

from ermbit.engines.enclosures.network import Network
from ermbit.engines.enclosures.node import Boxes, Known

STORED_BITS = 2**13
"""Bits of exact values, all samples together, that are kept with a state."""

STATES = 400_000
"""States that are kept."""

Values = tuple[tuple[Any, ...], ...]
"""By neuron of the frontier, by sample."""


class States:
    """The states met so far.

    Args:
        network: the network.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self._signatures: dict[object, int] = {}
        self._met: dict[object, list[Values]] = {}
        self._long: dict[object, list[Boxes]] = {}
        self._count = 0

    def met(self, known: Known, frontier: tuple[int, ...]) -> bool:
        """Whether an equal state came before; if not, this one is remembered.

        Args:
            known: the state.
            frontier: its :meth:`~ermbit.engines.enclosures.node.Known.frontier`.
        """
        values = tuple(known.exact[n] for n in frontier)
        signature = (frontier, *known.signature())
        # One number for what many states have in common.
        number = self._signatures.setdefault(signature, len(self._signatures))
        key = (number, hash(values))
        if any(other == values for other in self._met.get(key, ())):
            return True
        for boxes in self._long.get(key, ()):
            if self._computed(boxes, frontier) == values:
                return True
        if self._count < STATES:
            self._count += 1
            if sum(v.bit_length() for row in values for v in row) <= STORED_BITS:
                self._met.setdefault(key, []).append(values)
            else:
                self._long.setdefault(key, []).append(known.boxes)
        return False

    def _computed(self, boxes: Boxes, frontier: tuple[int, ...]) -> Values:
        """The values of a frontier, which are the same for all that the boxes leave."""
        network = self._network
        exact = dict(network.inputs)
        for node in network.order[: network.order.index(frontier[-1]) + 1]:
            neuron = network.neurons[node]
            bias = () if neuron.bias is None else (neuron.bias,)
            exact[node] = network.exact_output(neuron, boxes, (*neuron.terms, *bias), exact)
        return tuple(exact[n] for n in frontier)
