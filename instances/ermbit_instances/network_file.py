"""Reading the network and its weight domains from an instance document.

Sizes are checked before anything of that size is built. Cycles, dangling sources and outputs cut
off from every input are refused, with the place in the file.
"""

from __future__ import annotations

from dataclasses import replace

from ermbit_instances import limits
from ermbit_instances.domain import Domain
from ermbit_instances.domain_file import read_domain
from ermbit_instances.json_node import Node
from ermbit_instances.layers_file import read_layers
from ermbit_instances.network import Network
from ermbit_instances.neurons_file import read_neurons
from ermbit_instances.weight_entries import Numbering


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
    numbering = Numbering()
    layers_node, neurons_node = node.get("layers"), node.get("neurons")
    if layers_node is not None and (neurons_node is not None or node.get("outputs") is not None):
        other = neurons_node or node.at("outputs")
        other.fail("two spellings of the network at once: give either layers, or neurons+outputs")
    if layers_node is not None:
        network = read_layers(layers_node, inputs, numbering)
    elif neurons_node is not None:
        outputs = node.get("outputs")
        if outputs is None:
            node.fail("the key 'outputs' is missing")
        network = read_neurons(neurons_node, outputs, inputs, numbering)
    else:
        node.fail("the key 'layers' (or 'neurons' and 'outputs') is missing")
    unnamed = replace(network, named=numbering.own)
    for name, name_node in numbering.nodes.items():
        if unnamed.parameter_number(name) is not None:
            name_node.fail(f"{name!r} is already the name of an own parameter of the network")
    return _with_domains(network, weights, node, numbering)


def _with_domains(
    network: Network, weights: Node | None, node: Node, numbering: Numbering
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
