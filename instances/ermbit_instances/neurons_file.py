"""Reading the ``neurons`` spelling: a graph of single neurons, put into topological order."""

from __future__ import annotations

import re
from graphlib import CycleError, TopologicalSorter
from heapq import heappop, heappush

from ermbit_instances import limits
from ermbit_instances.activation import read_activation
from ermbit_instances.json_node import Node
from ermbit_instances.network import Entry, Layer, Network
from ermbit_instances.weight_entries import Numbering, read_entry

_INPUT = re.compile(r"x(0|[1-9][0-9]*)\Z", re.ASCII)


def read_neurons(node: Node, outputs: Node, inputs: int, numbering: Numbering) -> Network:
    """Read the list of neurons and the outputs.

    Args:
        node: the ``neurons`` list, in any order.
        outputs: the ``outputs`` list of ids.
        inputs: number of network inputs.
        numbering: gets the parameters.

    Raises:
        InputError: a fault of the list, a cycle or a dangling source, with its JSON path.
    """
    elements = node.elements()
    if not elements:
        node.fail("at least one neuron is needed")
    if len(elements) > limits.UNITS.value:
        node.refuse(f"more than the limit of {limits.UNITS.value} neurons")
    places: dict[str, int] = {}
    for place, element in enumerate(elements):
        element.keys(required=("id", "inputs", "activation"), optional=("bias",))
        name = element.at("id").string()
        if not name or len(name) > 200:
            element.at("id").fail("an id must have 1 to 200 characters")
        if _INPUT.match(name):
            element.at("id").fail(f"{name!r} is the name of an input")
        if name in places:
            element.at("id").fail(f"the id {name!r} is already taken")
        places[name] = place
    predecessors: list[set[int]] = [set() for _ in elements]
    read: list[list[tuple[str, Node]]] = []
    for place, element in enumerate(elements):
        edges = list(element.at("inputs").items())
        numbering.add_edges(len(edges) + 1, element.at("inputs"))
        for source, cell in edges:
            if source in places:
                predecessors[place].add(places[source])
            elif (match := _INPUT.match(source)) is None:
                cell.fail(f"the source {source!r} is neither an input nor a neuron's id")
            elif len(match[1]) > 9 or int(match[1]) >= inputs:
                cell.fail(f"the network has only {inputs} inputs")
        read.append(edges)
    order = _topological(predecessors, elements)
    number_of = {place: inputs + i for i, place in enumerate(order)}
    depth: dict[int, int] = {}
    layers: list[Layer] = []
    for index, place in enumerate(order, 1):
        depth[place] = 1 + max((depth[p] for p in predecessors[place]), default=0)
        element = elements[place]
        sources = tuple(
            number_of[places[s]] if s in places else int(s[1:]) for s, _ in read[place]
        )
        layers.append(
            _neuron_block(
                element, read[place], sources, index, depth[place], number_of[place], numbering
            )
        )
    names = [name_node.string() for name_node in outputs.elements()]
    if not names:
        outputs.fail("at least one output is needed")
    for i, name in enumerate(names):
        if name not in places:
            outputs.at(i).fail(f"no neuron has the id {name!r}")
    return Network(
        inputs,
        tuple(layers),
        tuple(number_of[places[name]] for name in names),
        numbering.count,
        "neurons",
        {**numbering.own, **numbering.named},
        dict(numbering.explicit),
    )


def _topological(predecessors: list[set[int]], elements: list[Node]) -> list[int]:
    """Topological order that keeps the file's order where it can; a cycle is refused."""
    sorter = TopologicalSorter(dict(enumerate(predecessors)))
    try:
        sorter.prepare()
    except CycleError as error:
        cycle: list[int] = error.args[1][:-1]
        start = cycle.index(min(cycle))
        cycle = cycle[start:] + cycle[:start]
        names = [str(elements[place].at("id").value) for place in cycle]
        elements[cycle[0]].at("inputs").fail(
            "cycle: " + " -> ".join((*names[:8], names[0])) + (" ..." if len(names) > 8 else "")
        )
    order: list[int] = []
    ready: list[int] = []
    while sorter.is_active():
        for place in sorter.get_ready():
            heappush(ready, place)
        order.append(heappop(ready))
        sorter.done(order[-1])
    return order


def _neuron_block(
    node: Node,
    edges: list[tuple[str, Node]],
    sources: tuple[int, ...],
    index: int,
    depth: int,
    number: int,
    numbering: Numbering,
) -> Layer:
    name = node.at("id").string()
    first = numbering.count
    weights: list[Entry | None] = []
    own_names: list[str] = []

    def own(label: str) -> Entry:
        own_names.append(label)
        return Entry(numbering.fresh())

    for source, cell in edges:
        if cell.value is None:
            weights.append(own(f"W[{name},{source}]"))
        else:
            weights.append(None)
    free_weights = len(own_names)
    bias_node = node.get("bias")
    bias = own(f"b[{name}]") if bias_node is not None and bias_node.value is None else None
    for offset, label in enumerate(own_names):
        numbering.own[label] = first + offset
        numbering.explicit[first + offset] = label
    for k, (_, cell) in enumerate(edges):
        if weights[k] is None:
            weights[k] = read_entry(cell, numbering, index, False)
    if bias_node is not None and bias is None:
        bias = read_entry(bias_node, numbering, index, True)
    return Layer(
        index,
        name,
        depth,
        1,
        number,
        sources,
        read_activation(node.at("activation")),
        (tuple(weights),),
        (bias,),
        bias is not None,
        first,
        free_weights,
        len(own_names) - free_weights,
    )
