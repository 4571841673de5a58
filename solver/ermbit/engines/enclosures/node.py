"""What is known of a partial assignment: exact values, what still matters, when two are equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gmpy2 import mpz

from ermbit.engines.enclosures.interval import is_point
from ermbit.engines.enclosures.network import Box, Exact, Network, Signals
from ermbit_encodings.integer_form import IntegerNeuron, IntegerTerm

Boxes = tuple[Box, ...]
"""By parameter, the values that are left."""


@dataclass(frozen=True, slots=True)
class Known:
    """A partial assignment after its analysis.

    Attributes:
        boxes: the values that are left.
        exact: by node, values that are the same for all of them, among these all that ``rest``
            and the outputs read from outside of it.
        rest: neurons that an output depends on and whose values are not known, in order.
        alive: by neuron of ``rest``, the terms (the bias last) that are not 0 throughout.
    """

    boxes: Boxes
    exact: dict[int, tuple[Any, ...]]
    rest: tuple[int, ...]
    alive: dict[int, tuple[IntegerTerm, ...]]

    def undecided(self, network: Network, node: int) -> list[IntegerTerm]:
        """Alive terms of a neuron whose parameter has several values left."""
        return [
            t
            for t in self.alive[node]
            if t.parameter >= 0 and not network.is_single(t.parameter, self.boxes[t.parameter])
        ]

    def frontier(self, network: Network) -> tuple[int, ...]:
        """Neurons of known values that an unknown one reads, or that are outputs."""
        read = {t.source for n in self.rest for t in self.alive[n] if t.source in self.exact}
        read.update(n for n in network.form.outputs if n in self.exact)
        return tuple(sorted(read.difference(network.inputs)))

    def signature(self) -> tuple[object, ...]:
        """What decides all losses from here on, together with the frontier and its values."""
        return (
            self.rest,
            tuple(
                (t, self.boxes[t.parameter] if t.parameter >= 0 else None)
                for n in self.rest
                for t in self.alive[n]
            ),
        )


def analysed(
    network: Network,
    boxes: Boxes,
    exact: Exact,
    rest: Sequence[int],
    signals: Sequence[Signals],
) -> Known:
    """Follow the network back from its outputs, then compute what can be.

    Args:
        network: the network.
        boxes: the values that are left.
        exact: known already, the inputs included.
        rest: all neurons that may matter and are not in ``exact``, in topological order.
        signals: by sample, enclosures of at least these neurons.
    """
    found = dict(exact)
    wanted = set(network.form.outputs)
    needed = []
    dead: dict[int, bool] = {}

    def is_dead(node: int) -> bool:
        if node not in dead:
            if node in exact:
                dead[node] = not any(exact[node])
            else:
                dead[node] = all(s[node][0] == 0 == s[node][1] for s in signals)
        return dead[node]

    def matters(term: IntegerTerm) -> bool:
        if term.parameter < 0:
            return term.factor != 0
        box = boxes[term.parameter]
        return not network.is_single(term.parameter, box) or bool(
            term.factor * network.value(term.parameter, box)
        )

    alive: dict[int, tuple[IntegerTerm, ...]] = {}
    for node in reversed(rest):
        if node not in wanted:
            continue
        if all(is_point(s[node]) for s in signals):
            # One number is left, and it is an integer.
            found[node] = tuple(mpz(s[node][0]) for s in signals)
            continue
        needed.append(node)
        neuron = network.neurons[node]
        alive[node] = tuple(
            t for t in _terms(neuron) if matters(t) and not (t.source >= 0 and is_dead(t.source))
        )
        wanted.update(t.source for t in alive[node])
    left = []
    for node in reversed(needed):
        ready = all(
            (t.source < 0 or t.source in found)
            and (t.parameter < 0 or network.is_single(t.parameter, boxes[t.parameter]))
            for t in alive[node]
        )
        if ready:
            found[node] = network.exact_output(network.neurons[node], boxes, alive[node], found)
        else:
            left.append(node)
    return Known(boxes, found, tuple(left), {n: alive[n] for n in left})


def _terms(neuron: IntegerNeuron) -> tuple[IntegerTerm, ...]:
    return neuron.terms if neuron.bias is None else (*neuron.terms, neuron.bias)
