"""The network: a directed acyclic graph of neurons whose weights are parameters or constants.

Nodes are numbered: inputs 0..d−1, then neurons d, d+1, … in topological order. Both spellings of
the instance file become a list of :class:`Layer` blocks (a neuron of the ``neurons`` spelling is a
block of one unit), so that large dense layers stay compact; :attr:`Network.neurons` expands them
to single neurons when something needs those.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from gmpy2 import mpq

from ermbit_instances.activation import Activation
from ermbit_instances.domain import Domain
from ermbit_instances.rational import Rational

_ONE, _ZERO = mpq(1), mpq(0)


@dataclass(frozen=True, slots=True)
class Entry:
    """One weight or bias: ``scale · θ[parameter]``, or the constant ``value`` if frozen."""

    parameter: int | None
    scale: Rational = _ONE
    value: Rational = _ZERO

    @property
    def is_frozen(self) -> bool:
        return self.parameter is None


@dataclass(frozen=True, slots=True)
class Neuron:
    """One neuron.

    Attributes:
        node: its number; nodes below the number of inputs are inputs.
        layer: number of its layer, from 1 (``neurons`` spelling: length of the longest path to it).
        label: for messages: ``"2.0"`` (layer.unit) or the neuron's id.
        sources: nodes it reads, in fan-in order; the same node may occur twice (skip connections).
        weights: one entry a source.
        bias: its bias entry, or ``None`` for no bias.
    """

    node: int
    layer: int
    label: str
    sources: tuple[int, ...]
    weights: tuple[Entry, ...]
    bias: Entry | None
    activation: Activation

    def entries(self) -> Iterator[Entry]:
        yield from self.weights
        if self.bias is not None:
            yield self.bias


@dataclass(frozen=True, slots=True)
class Layer:
    """A block of units that read the same sources.

    Attributes:
        index: position among the blocks, from 1.
        name: its name in the file (``layers``) or the neuron's id (``neurons``).
        depth: layer number for reports, from 1.
        first_node: node number of unit 0.
        sources: nodes read, in fan-in order.
        weights: rows of entries, ``None`` where a mask removes the edge; or ``None`` as a whole for
            a dense block of own free parameters numbered ``first_parameter + j·fan_in + k``.
        biases: entries (or ``None`` each for no bias); ``None`` as a whole for own free biases
            numbered after the block's weights.
        has_bias: false for ``"bias": false``; then ``biases`` is ``None``.
        free_weights, free_biases: how many parameter numbers the block owns.
    """

    index: int
    name: str | None
    depth: int
    units: int
    first_node: int
    sources: tuple[int, ...]
    activation: Activation
    weights: tuple[tuple[Entry | None, ...], ...] | None
    biases: tuple[Entry | None, ...] | None
    has_bias: bool
    first_parameter: int
    free_weights: int
    free_biases: int

    @property
    def is_dense(self) -> bool:
        """Every edge is there with its own free parameter."""
        return self.weights is None

    def weight(self, unit: int, position: int) -> Entry | None:
        if self.weights is not None:
            return self.weights[unit][position]
        return Entry(self.first_parameter + unit * len(self.sources) + position)

    def bias(self, unit: int) -> Entry | None:
        if not self.has_bias:
            return None
        if self.biases is not None:
            return self.biases[unit]
        return Entry(self.first_parameter + self.free_weights + unit)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A free parameter: its name in certificates and its domain."""

    index: int
    name: str
    domain: Domain


_WEIGHT = re.compile(r"W([0-9]+)\[([0-9]+),([0-9]+)\]\Z", re.ASCII)
_BIAS = re.compile(r"b([0-9]+)\[([0-9]+)\]\Z", re.ASCII)


@dataclass(frozen=True)
class Network:
    """A parsed network.

    Attributes:
        input_count: number of network inputs d.
        layers: blocks in topological order.
        outputs: node numbers of the outputs, in order.
        parameter_count: number of free parameters (shared ones count once).
        spelling: ``"layers"`` or ``"neurons"``: it fixes the names of parameters.
        named: names of explicitly named parameters → parameter number.
        default, bias_default: the domains of ``weights`` and of its ``biases``.
        layer_domains: per block index, the domain that overrides both.
        own_domains: per parameter number, the domain that overrides everything.
    """

    input_count: int
    layers: tuple[Layer, ...]
    outputs: tuple[int, ...]
    parameter_count: int
    spelling: str
    named: dict[str, int]
    explicit_names: dict[int, str] = field(repr=False)
    default: Domain | None = None
    bias_default: Domain | None = None
    layer_domains: dict[int, Domain] = field(default_factory=dict)
    own_domains: dict[int, Domain] = field(default_factory=dict)

    @property
    def node_count(self) -> int:
        last = self.layers[-1]
        return last.first_node + last.units

    @property
    def edge_count(self) -> int:
        """Edges and biases."""
        return sum(
            (
                layer.units * len(layer.sources)
                if layer.weights is None
                else sum(e is not None for row in layer.weights for e in row)
            )
            + (layer.units if layer.has_bias else 0)
            for layer in self.layers
        )

    @cached_property
    def neurons(self) -> tuple[Neuron, ...]:
        """All neurons in topological order; neuron i has node number ``input_count + i``."""
        result = []
        for layer in self.layers:
            for unit in range(layer.units):
                pairs = [
                    (source, entry)
                    for position, source in enumerate(layer.sources)
                    if (entry := layer.weight(unit, position)) is not None
                ]
                label = (
                    f"{layer.index}.{unit}" if self.spelling == "layers" else str(layer.name)
                )
                result.append(
                    Neuron(
                        layer.first_node + unit,
                        layer.depth,
                        label,
                        tuple(source for source, _ in pairs),
                        tuple(entry for _, entry in pairs),
                        layer.bias(unit),
                        layer.activation,
                    )
                )
        return tuple(result)

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """All free parameters by number, with their names and domains."""
        names = dict(self.explicit_names)
        weight_numbers: dict[int, Domain] = {}
        for layer in self.layers:
            override = self.layer_domains.get(layer.index)
            for number in range(
                layer.first_parameter,
                layer.first_parameter + layer.free_weights + layer.free_biases,
            ):
                is_bias = number >= layer.first_parameter + layer.free_weights
                domain = override or (self.bias_default if is_bias else self.default)
                if domain is not None:
                    weight_numbers[number] = domain
            if self.spelling == "layers":
                names.update(self._layer_names(layer))
        weight_numbers.update(self.own_domains)
        return tuple(
            Parameter(i, names[i], weight_numbers[i]) for i in range(self.parameter_count)
        )

    def domain_runs(self) -> Iterator[tuple[range, Domain]]:
        """Maximal runs of consecutive parameter numbers that share one domain object, in order.

        The domains are those of :attr:`parameters`, without listing every parameter.
        """
        first, last, shared = 0, 0, None
        for numbers, domain in self._domain_pieces():
            if domain is not shared or numbers.start != last:
                if shared is not None:
                    yield range(first, last), shared
                first, shared = numbers.start, domain
            last = numbers.stop
        if shared is not None:
            yield range(first, last), shared

    def _domain_pieces(self) -> Iterator[tuple[range, Domain]]:
        """What :meth:`domain_runs` joins: blocks of weights or biases, and single overrides."""
        blocks: list[tuple[int, int, Domain | None]] = []
        for layer in self.layers:
            override = self.layer_domains.get(layer.index)
            middle = layer.first_parameter + layer.free_weights
            blocks.append((layer.first_parameter, middle, override or self.default))
            blocks.append((middle, middle + layer.free_biases, override or self.bias_default))
        blocks.sort(key=lambda block: block[:2])
        blocks.append((self.parameter_count, self.parameter_count, None))
        own = sorted(self.own_domains)
        taken = 0
        for start, stop, domain in blocks:
            while taken < len(own) and own[taken] < stop:
                number = own[taken]
                if domain is not None and start < number:
                    yield range(start, number), domain
                yield range(number, number + 1), self.own_domains[number]
                start = max(start, number + 1)
                taken += 1
            if domain is not None and start < stop:
                yield range(start, stop), domain

    def parameter_name(self, number: int) -> str:
        """The name of one free parameter; quick where the block that owns it is dense."""
        if (name := self.explicit_names.get(number)) is not None:
            return name
        at = bisect_right(self.layers, number, key=lambda layer: layer.first_parameter) - 1
        layer = self.layers[at]
        offset = number - layer.first_parameter
        if layer.weights is None and 0 <= offset < layer.free_weights:
            fan_in = len(layer.sources)
            return f"W{layer.index}[{offset // fan_in},{offset % fan_in}]"
        if layer.biases is None and 0 <= offset - layer.free_weights < layer.free_biases:
            return f"b{layer.index}[{offset - layer.free_weights}]"
        return dict(self._layer_names(layer))[number]

    @staticmethod
    def _layer_names(layer: Layer) -> Iterator[tuple[int, str]]:
        first, index = layer.first_parameter, layer.index
        fan_in = len(layer.sources)
        if layer.weights is None:
            for n in range(layer.free_weights):
                yield first + n, f"W{index}[{n // fan_in},{n % fan_in}]"
        else:
            for j, row in enumerate(layer.weights):
                for k, entry in enumerate(row):
                    if entry is not None and entry.parameter is not None:
                        own = first <= entry.parameter < first + layer.free_weights
                        if own:
                            yield entry.parameter, f"W{index}[{j},{k}]"
        end = first + layer.free_weights
        for j in range(layer.units if layer.free_biases else 0):
            bias = layer.bias(j)
            if bias is not None and bias.parameter is not None:
                if end <= bias.parameter < end + layer.free_biases:
                    yield bias.parameter, f"b{index}[{j}]"

    def parameter_number(self, name: str) -> int | None:
        """Number of the free parameter with this name, without listing all of them."""
        if name in self.named:
            return self.named[name]
        if self.spelling != "layers":
            return None
        if match := _WEIGHT.match(name):
            index, unit, position = (int(g) for g in match.groups())
            entry = None
            if 1 <= index <= len(self.layers) and name == f"W{index}[{unit},{position}]":
                layer = self.layers[index - 1]
                if unit < layer.units and position < len(layer.sources):
                    entry = layer.weight(unit, position)
        elif match := _BIAS.match(name):
            index, unit = (int(g) for g in match.groups())
            entry = None
            if 1 <= index <= len(self.layers) and name == f"b{index}[{unit}]":
                layer = self.layers[index - 1]
                if unit < layer.units:
                    entry = layer.bias(unit)
        else:
            return None
        if entry is None or entry.parameter is None:
            return None
        # A shared parameter answers to its own name only.
        return None if entry.parameter in self.explicit_names else entry.parameter

    @property
    def depth(self) -> int:
        return max(layer.depth for layer in self.layers)
