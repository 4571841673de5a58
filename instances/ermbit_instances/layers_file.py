"""Reading the ``layers`` spelling: blocks of units, with masks, frozen and shared entries."""

from __future__ import annotations

from ermbit_instances import limits
from ermbit_instances.activation import read_activation
from ermbit_instances.json_node import Node
from ermbit_instances.network import Entry, Layer, Network
from ermbit_instances.weight_entries import Numbering, read_entry


def read_layers(node: Node, inputs: int, numbering: Numbering) -> Network:
    """Read the list of layers.

    Args:
        node: the ``layers`` list.
        inputs: number of network inputs.
        numbering: gets the parameters.

    Raises:
        InputError: a fault of the list, with its JSON path.
    """
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
    numbering: Numbering,
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
                        shared_weights[j][k] = read_entry(given[j][k], numbering, index, False)
        weights = tuple(map(tuple, shared_weights))
    if biases_given is not None and biases is not None:
        for j, cell in enumerate(biases_given):
            if cell.value is not None:
                biases[j] = read_entry(cell, numbering, index, True)
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
