"""The tree of partial assignments: bounds by enclosures, equal states once.

A node leaves every parameter a box of values. Enclosures of few bits rule out most nodes; those
that they leave get exact values for the neurons that are settled, and enclosures of as many bits as
these values have for the others. Children settle the parameters of the first neuron that is open.

*Zeros first*: if no total counts as long as all weights that may be 0 are not, then one of them is.
The children are those with the first zero at the output, at the neuron before, and so on: behind a
zero nothing of what was chosen matters.

*Equal states*: two nodes whose open neurons, boxes and exact values in between are equal have the
same totals below them; the second is given up. A hash finds them, equality of the integers decides.
Any order of the search will do: all children of a node have fewer values left for its open
parameters, so that none of them can be equal to it or to what it was given up for. By induction on
these values every state has been searched to its end, by itself or as an equal one, when no node
waits any more; and limits only fall, so what was ruled out stays so.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ermbit.engines.enclosures.influence import influences
from ermbit.engines.enclosures.interval import ZERO, Intervals
from ermbit.engines.enclosures.network import Box, Exact, Network, Signals
from ermbit.engines.enclosures.node import Boxes, Known, analysed
from ermbit.engines.enclosures.states import States

PRECISION = 64
"""Bits of the enclosures that all nodes get."""

FRONTIER_BITS = 32
"""Exact values up to this size lose nothing that counts in such enclosures."""

SINGLES = 6
"""Up to so many values a parameter is settled at once, beyond that in :data:`PARTS` parts."""

PARTS = 4

FORWARD = 4.0
"""How much more than one of the first open neuron a parameter must matter to be settled first, as a
binary logarithm."""


@dataclass(frozen=True, slots=True)
class Node:
    """A node that waits.

    Attributes:
        boxes: the values that are left.
        exact, rest: of its parent: see :class:`Known`.
        signals: by sample, enclosures of the rest.
        lower, upper: bounds on all totals.
    """

    boxes: Boxes
    exact: Exact
    rest: tuple[int, ...]
    signals: tuple[Signals, ...]
    lower: Any
    upper: Any


class Search:
    """One search.

    Args:
        network: with its domains.
        limit: largest integer total that counts.
        found: called with integer parameters and their total; gives the next limit; may raise.
        check: called at every node; ends the search by raising.
    """

    def __init__(
        self,
        network: Network,
        limit: int,
        found: Callable[[tuple[int, ...], int], int],
        check: Callable[[], None],
    ) -> None:
        self.network = network
        self.limit, self.found, self.check = limit, found, check
        self.quick = Intervals(PRECISION)
        self._fine: dict[int, Intervals] = {}
        self._states = States(network)
        self.nodes = self.equal = self.exact = self.precision = 0

    def statistics(self) -> dict[str, Any]:
        """What was done so far."""
        return {
            "nodes": self.nodes,
            "equal": self.equal,
            "exact": self.exact,
            "precision": self.precision,
        }

    def run(self) -> None:
        """Visit or rule out every assignment; returns only after all of them."""
        network = self.network
        boxes = tuple(network.whole(p) for p in range(len(network.values)))
        root = self._node(boxes, network.inputs, network.order)
        stack = [] if root is None else [root]
        while stack:
            self.check()
            node = stack.pop()
            if node.lower > self.limit:
                continue
            self.nodes += 1
            children = self._expanded(node)
            # Equal bounds: the first child first.
            children.sort(key=lambda child: child.lower)
            stack.extend(reversed(children))

    def _expanded(self, node: Node) -> list[Node]:
        network = self.network
        known = analysed(network, node.boxes, node.exact, node.rest, node.signals)
        if not known.rest:
            self._report(known.boxes, network.exact_total(known.exact))
            return []
        if node.upper <= self.limit:
            # All that is left counts, whatever is chosen.
            values = self._values(known.boxes)
            self._report(known.boxes, network.form.total(values))
            if node.lower == node.upper or node.lower > self.limit:
                return []
        frontier = known.frontier(network)
        if self._states.met(known, frontier):
            self.equal += 1
            return []
        if not self._may_count(known, frontier):
            return []
        split = self._zeros(known) or self._branches(known, node)
        children = []
        for boxes in split:
            child = self._node(boxes, known.exact, known.rest)
            if child is not None:
                children.append(child)
        return children

    def _report(self, boxes: Boxes, total: int) -> None:
        self.exact += 1
        if total <= self.limit:
            self.limit = self.found(self._values(boxes), total)

    def _values(self, boxes: Boxes) -> tuple[int, ...]:
        return tuple(self.network.value(p, box) for p, box in enumerate(boxes))

    # ---------------------------------------------------------------- bounds

    def _node(self, boxes: Boxes, exact: Exact, rest: tuple[int, ...]) -> Node | None:
        """A node, unless no total below it counts."""
        signals: list[Signals] = []
        lower, upper = self._bounds(boxes, exact, rest, self.quick, signals)
        if lower > self.limit:
            return None
        return Node(boxes, exact, rest, tuple(signals), lower, upper)

    def _bounds(
        self,
        boxes: Boxes,
        exact: Exact,
        rest: tuple[int, ...],
        intervals: Intervals,
        signals: list[Signals] | None = None,
    ) -> tuple[Any, Any]:
        """Bounds on all totals; only the lower one holds if it is above the limit."""
        network = self.network
        neurons = [network.neurons[n] for n in rest]
        lower = upper = ZERO[0]
        for sample in range(network.samples):
            row: Signals = {}

            def read(node: int, row: Signals = row, sample: int = sample) -> None:
                if node < 0 or node in row:
                    return
                # What is neither known nor open anymore is multiplied by 0, or 0.
                row[node] = intervals.integer(exact[node][sample]) if node in exact else ZERO

            for neuron in neurons:
                for t in neuron.terms:
                    read(t.source)
                row[neuron.node] = network.output(neuron, boxes, row, intervals)
            for node in network.form.outputs:
                read(node)
            if signals is not None:
                signals.append(row)
            low, high = network.loss(sample, row, intervals)
            if network.sums:
                lower, upper = intervals.down.add(lower, low), intervals.up.add(upper, high)
            else:
                lower, upper = max(lower, low), max(upper, high)
            if lower > self.limit:
                break
        return lower, upper

    def _may_count(self, known: Known, frontier: tuple[int, ...]) -> bool:
        """Whether enclosures of all the bits of the exact values leave the node."""
        bits = max(
            (v.bit_length() for n in frontier for v in known.exact[n]), default=0
        )
        if bits <= FRONTIER_BITS:
            return True
        bits = 1 << (bits + PRECISION).bit_length()
        intervals = self._fine.get(bits)
        if intervals is None:
            intervals = self._fine[bits] = Intervals(bits)
        self.precision = max(self.precision, bits)
        lower, _ = self._bounds(known.boxes, known.exact, known.rest, intervals)
        return not lower > self.limit

    # ---------------------------------------------------------------- branches

    def _zeros(self, known: Known) -> list[Boxes]:
        """The branches by the first zero, if nothing counts without one."""
        network = self.network
        found: dict[int, None] = {}
        for n in reversed(known.rest):
            for t in known.undecided(network, n):
                if t.source >= 0 and network.has_zero(t.parameter, known.boxes[t.parameter]):
                    found.setdefault(t.parameter)
        if not found:
            return []
        boxes = list(known.boxes)
        branches = []
        for p in found:
            zero = network.zero[p]
            assert zero is not None
            boxes[p], others = Box(zero, zero + 1), network.run(p, *boxes[p][:2], True)
            branches.append(tuple(boxes))
            assert others is not None
            boxes[p] = others
        without, _ = self._bounds(tuple(boxes), known.exact, known.rest, self.quick)
        return branches if without > self.limit else []

    def _branches(self, known: Known, node: Node) -> list[Boxes]:
        """The branches by the parameter that is to be settled next.

        That is one of the first open neuron, so that equal states meet, unless there is one whose
        values make far more of a difference.
        """
        network = self.network
        shares = influences(known, node.signals, self.quick, network)
        own = {t.parameter for t in known.undecided(network, known.rest[0])}
        p = max(shares, key=lambda q: shares[q] + (FORWARD if q in own else 0.0))
        box = known.boxes[p]
        if network.count(box) <= SINGLES:
            runs = [Box(k, k + 1) for k in network.members(p, box)]
        else:
            cuts = [box.start + (box.end - box.start) * k // PARTS for k in range(PARTS + 1)]
            made = [network.run(p, a, b, box.holed) for a, b in pairwise(cuts)]
            runs = [run for run in made if run is not None]
        return [(*known.boxes[:p], run, *known.boxes[p + 1 :]) for run in runs]
