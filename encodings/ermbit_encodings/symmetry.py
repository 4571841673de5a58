"""Interchangeable neurons: transpositions that leave the question unchanged.

A transposition (j l) of two neurons with an accompanying permutation π of the parameters is an
automorphism iff every edge, bias, activation, domain and output is mapped onto an equal one
(docs/theory.md B2). Candidates come from signatures; each is then checked edge by edge, so masks,
frozen entries and shared parameters need no rules of their own.

For breaking, one total order of all parameters is fixed: neurons in topological order, incoming
weights then bias. Any conjunction of θ ≤_lex πθ over automorphisms π is then sound, since the
lexicographically least point of each orbit satisfies all of them (B3). Mixing orders is not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ermbit_instances.domain import Domain
from ermbit_instances.network import Entry, Network, Neuron

EDGE_LIMIT = 200_000
"""Networks with more edges than this are not searched for symmetries."""


@dataclass(frozen=True, slots=True)
class Symmetry:
    """An interchange of two neurons.

    Attributes:
        neurons: their node numbers j < l.
        permutation: π as pairs (p, π(p)) of different parameter numbers, each unordered pair once.
        first, second: the constraint (θ[first]) ≤_lex (θ[second]) breaks it; any prefix is sound.
    """

    neurons: tuple[int, int]
    permutation: tuple[tuple[int, int], ...]

    @property
    def first(self) -> tuple[int, ...]:
        return tuple(p for p, _ in self.permutation)

    @property
    def second(self) -> tuple[int, ...]:
        return tuple(p for _, p in self.permutation)


def parameter_order(network: Network) -> list[int]:
    """The one total order of parameters: by first use, neuron by neuron, row then bias."""
    order: dict[int, None] = {}
    for neuron in network.neurons:
        for entry in neuron.entries():
            if entry.parameter is not None:
                order.setdefault(entry.parameter)
    return list(order)


def neuron_symmetries(network: Network) -> tuple[Symmetry, ...]:
    """Transpositions of neighbouring members of each class of interchangeable neurons."""
    if network.edge_count > EDGE_LIMIT:
        return ()
    finder = _Finder(network)
    found: list[Symmetry] = []
    classes: dict[object, list[list[Neuron]]] = {}
    for neuron in network.neurons:
        if neuron.node in finder.outputs:
            continue
        for members in classes.setdefault(finder.signature(neuron), []):
            symmetry = finder.transposition(members[-1], neuron)
            if symmetry is not None:
                if symmetry.permutation:
                    found.append(symmetry)
                members.append(neuron)
                break
        else:
            classes[finder.signature(neuron)].append([neuron])
    return tuple(found)


class _Finder:
    def __init__(self, network: Network) -> None:
        self.network = network
        self.outputs = frozenset(network.outputs)
        self.domains: list[Domain] = [p.domain for p in network.parameters]
        self.rank = {p: i for i, p in enumerate(parameter_order(network))}
        self.children: dict[int, list[Neuron]] = {}
        self.users: dict[int, list[Neuron]] = {}
        for neuron in network.neurons:
            for source in dict.fromkeys(neuron.sources):
                self.children.setdefault(source, []).append(neuron)
            used = {e.parameter for e in neuron.entries() if e.parameter is not None}
            for parameter in used:
                self.users.setdefault(parameter, []).append(neuron)

    def signature(self, neuron: Neuron) -> object:
        """Equal for all neurons that could be interchanged with this one."""
        edges = sorted(
            (source, repr(self._kind(entry)))
            for source, entry in zip(neuron.sources, neuron.weights, strict=True)
        )
        bias = None if neuron.bias is None else repr(self._kind(neuron.bias))
        children = tuple(child.node for child in self.children.get(neuron.node, ()))
        return (neuron.activation, tuple(edges), bias, children)

    def _kind(self, entry: Entry) -> tuple[object, ...]:
        if entry.parameter is None:
            return ("frozen", str(entry.value))
        return ("free", str(entry.scale), repr(self.domains[entry.parameter].canonical()))

    def transposition(self, j: Neuron, l: Neuron) -> Symmetry | None:
        """The interchange of j and l, if it is an automorphism."""
        swap = {j.node: l.node, l.node: j.node}
        if j.node in l.sources or l.node in j.sources:
            return None
        images: dict[int, int] = {}
        if not self._match(self._edges(j), self._edges(l), images):
            return None
        if (j.bias is None) != (l.bias is None):
            return None
        if j.bias is not None and l.bias is not None and not _pair(j.bias, l.bias, images):
            return None
        for child in self.children.get(j.node, ()):
            mine = [e for s, e in self._edges(child) if s == j.node]
            other = [e for s, e in self._edges(child) if s == l.node]
            if len(mine) != len(other):
                return None
            if not all(_pair(a, b, images) for a, b in zip(mine, other, strict=True)):
                return None
        if any(self.domains[p] != self.domains[q] for p, q in images.items()):
            return None
        if not self._is_automorphism(swap, images):
            return None
        moved = sorted((p for p, q in images.items() if p != q), key=self.rank.__getitem__)
        seen: set[int] = set()
        pairs = []
        for p in moved:
            if p not in seen:
                pairs.append((p, images[p]))
                seen |= {p, images[p]}
        return Symmetry((j.node, l.node), tuple(pairs))

    @staticmethod
    def _edges(neuron: Neuron) -> list[tuple[int, Entry]]:
        return list(zip(neuron.sources, neuron.weights, strict=True))

    @staticmethod
    def _match(
        mine: list[tuple[int, Entry]], other: list[tuple[int, Entry]], images: dict[int, int]
    ) -> bool:
        if len(mine) != len(other):
            return False
        key = lambda edge: edge[0]  # noqa: E731
        return all(
            s == t and _pair(a, b, images)
            for (s, a), (t, b) in zip(sorted(mine, key=key), sorted(other, key=key), strict=True)
        )

    def _is_automorphism(self, swap: dict[int, int], images: dict[int, int]) -> bool:
        """Check every neuron that the swap or the permutation touches, edge by edge."""
        touched: dict[int, Neuron] = {}
        for node in swap:
            touched[node] = self.network.neurons[node - self.network.input_count]
            touched.update((child.node, child) for child in self.children.get(node, ()))
        for parameter in images:
            touched.update((user.node, user) for user in self.users.get(parameter, ()))
        for neuron in touched.values():
            image = self.network.neurons[
                swap.get(neuron.node, neuron.node) - self.network.input_count
            ]
            if image.activation != neuron.activation:
                return False
            mapped = [
                (swap.get(s, s), *_image(e, images)) for s, e in self._edges(neuron)
            ] + ([] if neuron.bias is None else [(-1, *_image(neuron.bias, images))])
            actual = [(s, *_image(e, {})) for s, e in self._edges(image)] + (
                [] if image.bias is None else [(-1, *_image(image.bias, {}))]
            )
            if sorted(mapped) != sorted(actual):
                return False
        return True


def _pair(a: Entry, b: Entry, images: dict[int, int]) -> bool:
    """Extend the involution so that it maps entry a to entry b; False if it cannot."""
    if a.parameter is None or b.parameter is None:
        return a.parameter is b.parameter and a.value == b.value
    if a.scale != b.scale:
        return False
    return (
        images.setdefault(a.parameter, b.parameter) == b.parameter
        and images.setdefault(b.parameter, a.parameter) == a.parameter
    )


def _image(entry: Entry, images: dict[int, int]) -> tuple[int, str, str]:
    parameter = -1 if entry.parameter is None else images.get(entry.parameter, entry.parameter)
    return (parameter, str(entry.scale), str(entry.value))


def interchangeable_classes(symmetries: Iterable[Symmetry]) -> list[list[int]]:
    """Classes of interchangeable neurons (node numbers), from their transpositions."""
    classes: list[list[int]] = []
    for symmetry in symmetries:
        j, l = symmetry.neurons
        for members in classes:
            if j in members:
                members.append(l)
                break
        else:
            classes.append([j, l])
    return classes
