"""Reading the network and its weight domains from an instance document.

Sizes are checked before anything of that size is built. The graph (a networkx DiGraph for the
``neurons`` spelling) is checked for cycles, dangling sources and outputs cut off from every input.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field, replace

from gmpy2 import mpq

from ermbit_instances import limits
from ermbit_instances.activation import read_activation
from ermbit_instances.domain import Domain
from ermbit_instances.domain_file import read_domain
from ermbit_instances.jsonfile import Node
from ermbit_instances.network import Entry, Layer, Network

_INPUT = re.compile(r"x(0|[1-9][0-9]*)\Z", re.ASCII)


@dataclass
class _Numbering:
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


def _read_entry(node: Node, numbering: _Numbering, block: int, is_bias: bool) -> Entry | None:
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


def read_network(node: Node, weights: Node | None) -> Network:
    """Read ``network`` and ``weights`` of an instance document.

    Args:
        node: the ``network`` object.
        weights: the ``weights`` object, or ``None`` if absent (legal without free parameters).

    Raises:
        InputError: anything that the format refuses, with its JSON path.
        LimitError: sizes past the documented limits.
    """
    node.keys(required=("inputs",), optional=("layers", "neurons", "outputs"))
    inputs = node.at("inputs").integer(1, limits.UNITS.value)
    numbering = _Numbering()
    layers_node, neurons_node = node.get("layers"), node.get("neurons")
    if layers_node is not None and (neurons_node is not None or node.get("outputs") is not None):
        other = neurons_node or node.at("outputs")
        other.fail("two spellings of the network at once: give either layers, or neurons+outputs")
    if layers_node is not None:
        network = _read_layers(layers_node, inputs, numbering)
    elif neurons_node is not None:
        outputs = node.get("outputs")
        if outputs is None:
            node.fail("the key 'outputs' is missing")
        network = _read_neurons(neurons_node, outputs, inputs, numbering)
    else:
        node.fail("the key 'layers' (or 'neurons' and 'outputs') is missing")
    unnamed = replace(network, named=numbering.own)
    for name, name_node in numbering.nodes.items():
        if unnamed.parameter_number(name) is not None:
            name_node.fail(f"{name!r} is already the name of an own parameter of the network")
    return _with_domains(network, weights, node, numbering)


# ---------------------------------------------------------------- layers


def _read_layers(node: Node, inputs: int, numbering: _Numbering) -> Network:
    elements = node.elements()
    if not elements:
        node.fail("at least one layer is needed")
    ranges: dict[str, range] = {"input": range(inputs)}
    previous = range(inputs)
    next_node = inputs
    layers: list[Layer] = []
    alive = {*range(inputs)}
    for index, layer_node in enumerate(elements, 1):
        layer_node.keys(
            required=("units", "activation"),
            optional=("bias", "mask", "weights", "biases", "from", "name"),
        )
        units = layer_node.at("units").integer(1, limits.UNITS.value)
        sources = _read_sources(layer_node, ranges, previous)
        numbering.add_edges(units * len(sources) + units, layer_node.at("units"))
        layer = _read_layer(layer_node, index, units, sources, next_node, numbering)
        layers.append(layer)
        _reach(layer, layer_node, alive, last=index == len(elements))
        previous = range(next_node, next_node + units)
        next_node += units
        name_node = layer_node.get("name")
        if name_node is not None:
            name = name_node.string()
            if not name:
                name_node.fail("a layer's name must not be empty")
            if name in ranges:
                name_node.fail(f"the layer name {name!r} is already taken")
            ranges[name] = previous
    return Network(
        inputs,
        tuple(layers),
        tuple(previous),
        numbering.count,
        "layers",
        numbering.named,
        numbering.explicit,
    )


def _read_sources(
    layer_node: Node, ranges: dict[str, range], previous: range
) -> tuple[int, ...]:
    member = layer_node.get("from")
    if member is None:
        return tuple(previous)
    sources: list[int] = []
    elements = member.elements()
    if not elements:
        member.fail("at least one source layer is needed")
    for element in elements:
        name = element.string()
        if name not in ranges:
            element.fail(f"no earlier layer is named {name!r}; known: {', '.join(ranges)}")
        if len(sources) + len(ranges[name]) > limits.EDGES.value:
            element.refuse(f"more than the limit of {limits.EDGES.value} edges in the network")
        sources.extend(ranges[name])
    return tuple(sources)


def _read_layer(
    node: Node,
    index: int,
    units: int,
    sources: tuple[int, ...],
    first_node: int,
    numbering: _Numbering,
) -> Layer:
    fan_in = len(sources)
    mask = _read_mask(node.get("mask"), units, fan_in)
    weights_node, bias_node, biases_node = (node.get(k) for k in ("weights", "bias", "biases"))
    has_bias = True if bias_node is None else bias_node.boolean()
    if biases_node is not None and not has_bias:
        biases_node.fail('biases are given although "bias" is false')
    first = numbering.count
    weights: tuple[tuple[Entry | None, ...], ...] | None = None
    shared_weights: list[list[Entry | None]] | None = None
    if weights_node is None and mask is None:
        numbering.count += units * fan_in
        free_weights = units * fan_in
    else:
        # First every own free entry gets its number in row order, then names get theirs, so that
        # a block's own parameters are consecutive.
        given = None if weights_node is None else _matrix(weights_node, units, fan_in)
        shape = [[mask is None or mask[j][k] for k in range(fan_in)] for j in range(units)]
        own = [
            (j, k)
            for j in range(units)
            for k in range(fan_in)
            if shape[j][k] and (given is None or given[j][k].value is None)
        ]
        free_weights = len(own)
        numbering.count += free_weights
        shared_weights = [[None] * fan_in for _ in range(units)]
        for number, (j, k) in enumerate(own, first):
            shared_weights[j][k] = Entry(number)
        if given is not None and mask is not None:
            for j in range(units):
                for k in range(fan_in):
                    cell = given[j][k]
                    if not mask[j][k] and cell.value is not None and cell.value != 0:
                        cell.fail("the mask removes this edge, yet a weight is given for it")
    free_biases = 0
    biases: list[Entry | None] | None = None
    biases_given = None
    if has_bias:
        if biases_node is None:
            free_biases = units
        else:
            biases_given = biases_node.elements()
            if len(biases_given) != units:
                biases_node.fail(f"{len(biases_given)} entries, but the layer has {units} units")
            biases = [None] * units
            for j, cell in enumerate(biases_given):
                if cell.value is None:
                    biases[j] = Entry(numbering.count + free_biases)
                    free_biases += 1
        numbering.count += free_biases
    if shared_weights is not None:
        if weights_node is not None and given is not None:
            for j in range(units):
                for k in range(fan_in):
                    if shape[j][k] and given[j][k].value is not None:
                        shared_weights[j][k] = _read_entry(given[j][k], numbering, index, False)
        weights = tuple(map(tuple, shared_weights))
    if biases_given is not None and biases is not None:
        for j, cell in enumerate(biases_given):
            if cell.value is not None:
                biases[j] = _read_entry(cell, numbering, index, True)
    activation = read_activation(node.at("activation"))
    return Layer(
        index,
        None if node.get("name") is None else node.at("name").string(),
        index,
        units,
        first_node,
        sources,
        activation,
        weights,
        None if biases is None else tuple(biases),
        has_bias,
        first,
        free_weights,
        free_biases,
    )


def _matrix(node: Node, units: int, fan_in: int) -> list[list[Node]]:
    rows = node.elements(of="matrix (a list of rows)")
    if len(rows) != units:
        node.fail(f"{len(rows)} rows, but the layer has {units} units")
    result = []
    for row in rows:
        cells = row.elements(of="row (a list)")
        if len(cells) != fan_in:
            row.fail(f"{len(cells)} entries, but the fan-in is {fan_in}")
        result.append(cells)
    return result


def _read_mask(node: Node | None, units: int, fan_in: int) -> list[list[bool]] | None:
    if node is None:
        return None
    mask = []
    for cells in _matrix(node, units, fan_in):
        row = []
        for cell in cells:
            bit = cell.rational()
            if bit not in (0, 1):
                cell.fail("mask entries are 0 or 1")
            row.append(bit == 1)
        mask.append(row)
    return mask


def _reach(layer: Layer, node: Node, alive: set[int], *, last: bool) -> None:
    """Add to ``alive`` the units that some input reaches; refuse an output that none reaches."""
    nodes = range(layer.first_node, layer.first_node + layer.units)
    if layer.weights is None and any(s in alive for s in layer.sources):
        alive.update(nodes)
        return
    for unit, number in enumerate(nodes):
        if any(
            source in alive and layer.weight(unit, k) is not None
            for k, source in enumerate(layer.sources)
        ):
            alive.add(number)
        elif last:
            node.fail(f"output unit {unit} is cut off: no path from any input reaches it")


# ---------------------------------------------------------------- neurons


def _read_neurons(node: Node, outputs: Node, inputs: int, numbering: _Numbering) -> Network:
    import networkx as nx

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
    graph = nx.DiGraph()
    graph.add_nodes_from(range(len(elements)))
    read: list[list[tuple[str, Node]]] = []
    for place, element in enumerate(elements):
        edges = list(element.at("inputs").items())
        numbering.add_edges(len(edges) + 1, element.at("inputs"))
        for source, cell in edges:
            if source in places:
                graph.add_edge(places[source], place)
            elif (match := _INPUT.match(source)) is None:
                cell.fail(f"the source {source!r} is neither an input nor a neuron's id")
            elif len(match[1]) > 9 or int(match[1]) >= inputs:
                cell.fail(f"the network has only {inputs} inputs")
        read.append(edges)
    order = _topological(graph, elements)
    number_of = {place: inputs + i for i, place in enumerate(order)}
    depth: dict[int, int] = {}
    layers: list[Layer] = []
    for index, place in enumerate(order, 1):
        depth[place] = 1 + max((depth[p] for p in graph.predecessors(place)), default=0)
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


def _topological(graph: object, elements: list[Node]) -> list[int]:
    """Topological order that keeps the file's order where it can; a cycle is refused."""
    import networkx as nx

    order: list[int] = []
    with suppress(nx.NetworkXUnfeasible):
        order = list(nx.lexicographical_topological_sort(graph))
    if not order:
        cycle = [edge[0] for edge in nx.find_cycle(graph)]
        names = [str(elements[place].at("id").value) for place in cycle]
        elements[min(cycle)].at("inputs").fail(
            "cycle: " + " -> ".join((*names[:8], names[0])) + (" ..." if len(names) > 8 else "")
        )
    return order


def _neuron_block(
    node: Node,
    edges: list[tuple[str, Node]],
    sources: tuple[int, ...],
    index: int,
    depth: int,
    number: int,
    numbering: _Numbering,
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
            weights[k] = _read_entry(cell, numbering, index, False)
    if bias_node is not None and bias is None:
        bias = _read_entry(bias_node, numbering, index, True)
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


# ---------------------------------------------------------------- domains


def _with_domains(
    network: Network, weights: Node | None, node: Node, numbering: _Numbering
) -> Network:
    if weights is None:
        if network.parameter_count:
            node.fail("the network has free parameters, but the instance has no 'weights'")
        return network
    default = read_domain(weights, also=("biases", "parameters"))
    member = weights.get("biases")
    bias_default = default if member is None else read_domain(member)
    layer_domains: dict[int, Domain] = {}
    own: dict[int, Domain] = {}
    overrides = weights.get("parameters")
    if overrides is not None:
        by_name = {layer.name: layer.index for layer in network.layers if layer.name is not None}
        for key, value in overrides.items():
            domain = read_domain(value)
            number = network.parameter_number(key)
            block = by_name.get(key)
            if number is not None and block is not None:
                value.fail(f"{key!r} names both a parameter and a layer")
            if number is not None:
                own[number] = domain
            elif block is not None:
                layer_domains[block] = domain
            else:
                value.fail(f"no free parameter or layer is named {key!r}")
    for number, uses in numbering.uses.items():
        if number in own:
            continue
        found = {
            layer_domains.get(block) or (bias_default if is_bias else default)
            for block, is_bias in uses
        }
        if len(found) > 1:
            name = numbering.explicit[number]
            weights.fail(
                f"the shared parameter {name!r} is given different domains where it is used; "
                "name its domain under 'parameters'"
            )
        own[number] = found.pop()
    return replace(
        network,
        default=default,
        bias_default=bias_default,
        layer_domains=layer_domains,
        own_domains=own,
    )
