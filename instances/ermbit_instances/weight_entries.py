"""Weight entries of a network file, and the numbers that its free parameters get."""

from __future__ import annotations

from dataclasses import dataclass, field

from gmpy2 import mpq

from ermbit_instances import limits
from ermbit_instances.json_node import Node
from ermbit_instances.network import Entry


@dataclass
class Numbering:
    """Hands out parameter numbers while a network is read.

    ``own`` holds the names of own parameters of the ``neurons`` spelling, ``named`` the shared
    ones of either spelling, ``uses`` for each of those the (block, is a bias) it occurs in.
    """

    count: int = 0
    edges: int = 0
    own: dict[str, int] = field(default_factory=dict)
    named: dict[str, int] = field(default_factory=dict)
    explicit: dict[int, str] = field(default_factory=dict)
    uses: dict[int, list[tuple[int, bool]]] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)

    def fresh(self) -> int:
        self.count += 1
        return self.count - 1

    def shared(self, name: str, block: int, is_bias: bool, node: Node) -> int:
        if name not in self.named:
            number = self.fresh()
            self.named[name] = number
            self.explicit[number] = name
            self.nodes[name] = node
        number = self.named[name]
        self.uses.setdefault(number, []).append((block, is_bias))
        return number

    def add_edges(self, number: int, node: Node) -> None:
        self.edges += number
        if self.edges > limits.EDGES.value:
            node.refuse(f"more than the limit of {limits.EDGES.value} edges in the network")


def read_entry(node: Node, numbering: Numbering, block: int, is_bias: bool) -> Entry | None:
    """A weight entry; ``None`` stands for an own free parameter, numbered by the caller."""
    value = node.value
    if value is None:
        return None
    if isinstance(value, dict):
        node.keys(required=("param",), optional=("scale",))
        name = node.at("param").string()
        if not name or len(name) > 200:
            node.at("param").fail("a parameter's name must have 1 to 200 characters")
        member = node.get("scale")
        scale = mpq(1) if member is None else member.rational()
        if member is not None and scale == 0:
            member.fail("the scale must not be zero")
        return Entry(numbering.shared(name, block, is_bias, node.at("param")), scale)
    return Entry(None, value=node.rational())
