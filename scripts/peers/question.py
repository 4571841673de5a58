"""An instance as the peers see it: units, sums of products, pieces, one loss and one budget.

Where every domain has a common denominator all numbers are scaled to integers, unit by unit, so
that integer solvers need no fraction: the value of node u is A_u = scale_u · a_u, a parameter is
P = denominator · θ. Over the reals all scales are 1 and numbers stay rational. Equal samples are
merged. Written from the description of the file format; of ermbit only its parser is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor, lcm
from pathlib import Path

from ermbit_instances.instance import Instance, load
from peers import polynomials
from peers.answer import NotSupported, written

MOST_VALUES = 4096
"""A finite domain with more values than this is not listed."""

Number = int | Fraction


@dataclass(frozen=True)
class Parameter:
    """A free parameter θ = P / denominator.

    Attributes:
        values: all P, ascending, or None for the reals.
        bits: the reals stand for the rationals of a domain of too many values: numerators and
            denominators of at most so many bits. What is refuted over the reals is refuted there.
    """

    name: str
    denominator: int
    values: tuple[Number, ...] | None
    bits: int | None = None

    def admits(self, value: Number | str) -> bool:
        """Whether a value found over the reals is in the domain; a text is irrational."""
        if self.bits is None:
            return True
        if isinstance(value, str):
            return False
        value = Fraction(value)
        return max(abs(value.numerator), value.denominator) < 2**self.bits

    @property
    def symmetric(self) -> bool:
        """Whether −P is admissible with every P."""
        return self.values is None or self.values == tuple(-v for v in reversed(self.values))


@dataclass(frozen=True)
class Edge:
    """A summand coefficient · P[parameter] · A[source]; what is None stands for 1."""

    coefficient: Number
    parameter: int | None
    source: int | None


@dataclass(frozen=True)
class Unit:
    """A neuron: Z = Σ edges, A = φ(Z) in scaled numbers.

    φ is a polynomial with ``coefficients`` from degree 0 on, or, if these are empty, slope_k Z +
    intercept_k on [breakpoint_k, breakpoint_{k+1}), the first piece from −∞ and the last to ∞. In
    integers coefficients and breakpoints are integers.
    """

    node: int
    edges: tuple[Edge, ...]
    activation: str
    breakpoints: tuple[Number, ...] = ()
    slopes: tuple[Number, ...] = ()
    intercepts: tuple[Number, ...] = ()
    coefficients: tuple[Number, ...] = ()

    @property
    def constants(self) -> bool:
        """Whether φ takes finitely many values."""
        return not self.coefficients and not any(self.slopes)

    @property
    def homogeneous(self) -> bool:
        """Whether φ(t z) = t^k φ(z) for t ≥ 0 and some k ≥ 1."""
        if self.coefficients:
            return sum(c != 0 for c in self.coefficients) == 1 and self.coefficients[0] == 0
        return not any(self.intercepts) and not any(self.breakpoints)

    def even(self) -> bool:
        """Whether φ(−z) = φ(z)."""
        if self.coefficients:
            return polynomials.is_even(self.coefficients)
        return self.activation == "abs"

    def odd(self) -> bool:
        """Whether φ is a polynomial with φ(−z) = −φ(z)."""
        return bool(self.coefficients) and polynomials.is_odd(self.coefficients)


@dataclass(frozen=True)
class Sample:
    """A sample of a merged data set: number of its input row, targets or label, weight."""

    row: int
    y: tuple[Number, ...]
    weight: Number


@dataclass(frozen=True)
class Question:
    """An instance in the form above.

    Attributes:
        integral: whether all numbers are integers.
        rows: distinct inputs, scaled; R × d.
        outputs: (node, factor): the scaled output is F = factor · A[node]; all share one scale.
        unit: what 1 in a scaled output stands for: F = unit · f.
        denominator: L = total / denominator, total the sum (or maximum) of weight · scaled loss.
        margin: a score is right if it is ≥ margin; None: if it is > 0.
        threshold: γ, or None.
        classes: of each class of interchangeable units, their incoming parameters, unit by unit.
        flips: first incoming weights whose sign is free (even activations, and odd polynomials
            whose readers can change theirs).
    """

    name: str
    integral: bool
    parameters: tuple[Parameter, ...]
    rows: tuple[tuple[Number, ...], ...]
    units: tuple[Unit, ...]
    outputs: tuple[tuple[int, Number], ...]
    samples: tuple[Sample, ...]
    loss: str
    maximum: bool
    unit: int
    margin: Number | None
    denominator: Fraction
    threshold: Fraction | None
    classes: tuple[tuple[tuple[int, ...], ...], ...]
    flips: tuple[int, ...]

    @property
    def inputs(self) -> int:
        return len(self.rows[0])

    @property
    def loss_unit(self) -> int:
        """Scaled loss of one sample for a loss of 1."""
        return {"zero_one": 1, "squared": self.unit**2}.get(self.loss, self.unit)

    @property
    def polynomial(self) -> bool:
        """Whether some activation is a polynomial."""
        return any(unit.coefficients for unit in self.units)

    @property
    def classification(self) -> bool:
        return self.loss in ("hinge", "zero_one")

    def budget(self) -> Number:
        """The greatest total that meets the threshold (an integer where all is)."""
        if self.threshold is None:
            raise NotSupported("an instance without a threshold")
        limit = self.threshold * self.denominator
        return floor(limit) if self.integral else limit

    def loss_of(self, total: Number) -> Fraction:
        """L in units of the instance."""
        return Fraction(total) / self.denominator

    def scores(self, sample: Sample) -> Iterator[tuple[tuple[int, int], ...]]:
        """Each score as a sum of (output number, sign); all must be large for the label."""
        label = int(sample.y[0])
        if len(self.outputs) == 1:
            yield ((0, label),)
            return
        for other in range(len(self.outputs)):
            if other != label:
                yield ((label, 1), (other, -1))

    def certificate(self, values: Sequence[Number | str]) -> dict[str, int | str]:
        """Values P by parameter number → θ by name; a text is an algebraic number."""
        return {
            p.name: v if isinstance(v, str) else written(Fraction(v) / p.denominator)
            for p, v in zip(self.parameters, values, strict=True)
        }


def read(path: str | Path) -> Question:
    """The question in an instance file."""
    return question_of(load(path, allow_external_data=True))


def fraction(value: object) -> Fraction:
    """A gmpy2 rational as a fraction."""
    return Fraction(int(value.numerator), int(value.denominator))  # type: ignore[attr-defined]


def question_of(instance: Instance) -> Question:
    """The scaled form; over the reals (or with an unlisted domain) unscaled.

    Raises:
        NotSupported: a domain of too many values, or an activation without a natural encoding.
    """
    network, parameters = instance.network, _parameters(instance)
    integral = all(p.values is not None for p in parameters)
    if not integral:
        parameters = tuple(
            p
            if p.values is None
            else Parameter(p.name, 1, tuple(Fraction(v, p.denominator) for v in p.values))
            for p in parameters
        )
    columns = [[fraction(v) for v in column] for column in zip(*instance.data.x, strict=True)]
    scales = [lcm(*(v.denominator for v in column)) if integral else 1 for column in columns]
    inputs = [
        tuple(_lean(v * s) for v, s in zip(row, scales, strict=True))
        for row in zip(*columns, strict=True)
    ]
    units = []
    for neuron in network.neurons:
        unit, scale = _unit(neuron, parameters, scales, integral)
        units.append(unit)
        scales.append(scale)
    targets = [tuple(fraction(v) for v in row) for row in instance.data.y]
    common = lcm(*(scales[node] for node in network.outputs)) if integral else 1
    if integral and not instance.loss.is_classification:
        common = lcm(common, *(v.denominator for row in targets for v in row))
    if not instance.loss.is_classification:
        targets = [tuple(_lean(v * common) for v in row) for row in targets]
    rows = {x: number for number, x in enumerate(dict.fromkeys(inputs))}
    weights = [fraction(w) for w in instance.data.weights]
    grid = lcm(*(w.denominator for w in weights)) if integral else 1
    maximum = instance.loss.reduction == "max"
    merged: dict[tuple[int, tuple[Number, ...]], Fraction] = {}
    for x, y, w in zip(inputs, targets, weights, strict=True):
        if w > 0:
            before = merged.get((rows[x], y), Fraction(0))
            merged[rows[x], y] = max(before, w * grid) if maximum else before + w * grid
    margin = fraction(instance.loss.margin) * common
    question = Question(
        name=instance.name,
        integral=integral,
        parameters=parameters,
        rows=tuple(rows),
        units=tuple(units),
        outputs=tuple(
            (node, common // scales[node] if integral else 1) for node in network.outputs
        ),
        samples=tuple(Sample(row, y, _lean(w)) for (row, y), w in merged.items()),
        loss=instance.loss.name,
        maximum=maximum,
        unit=common,
        margin=max(1, ceil(margin)) if integral else (margin or None),
        denominator=Fraction(1),
        threshold=None if instance.threshold is None else fraction(instance.threshold),
        classes=_classes(instance, parameters),
        flips=(),
    )
    total = sum(weights, Fraction(0)) if instance.loss.reduction == "mean" else Fraction(1)
    question = replace(question, denominator=question.loss_unit * grid * total)
    return replace(question, flips=_flips(question))


def _lean(value: Fraction) -> Number:
    return value.numerator if value.denominator == 1 else value


def _parameters(instance: Instance) -> tuple[Parameter, ...]:
    found = []
    for parameter in instance.network.parameters:
        domain = parameter.domain
        if domain.size is None:
            found.append(Parameter(parameter.name, 1, None))
            continue
        if domain.size > MOST_VALUES:
            document = domain.canonical()
            if document["domain"] != "rational":
                raise NotSupported(f"a domain of {domain.size} values")
            found.append(Parameter(parameter.name, 1, None, int(document["bits"])))
            continue
        values = [fraction(v) for v in domain.values()]
        grid = lcm(*(v.denominator for v in values))
        found.append(Parameter(parameter.name, grid, tuple(int(v * grid) for v in values)))
    return tuple(found)


def _unit(
    neuron: object, parameters: Sequence[Parameter], scales: Sequence[int], integral: bool
) -> tuple[Unit, int]:
    """A unit and the scale of its value, from the scales of all nodes before it."""
    raw: list[tuple[Fraction, int | None, int | None]] = []
    entries = list(zip(neuron.weights, neuron.sources, strict=True))  # type: ignore[attr-defined]
    if neuron.bias is not None:  # type: ignore[attr-defined]
        entries.append((neuron.bias, None))  # type: ignore[attr-defined]
    for entry, source in entries:
        factor = fraction(entry.value if entry.is_frozen else entry.scale)
        if entry.parameter is not None:
            factor /= parameters[entry.parameter].denominator
        if source is not None:
            factor /= scales[source]
        if factor:
            raw.append((factor, entry.parameter, source))
    scale = lcm(*(f.denominator for f, _, _ in raw)) if integral else 1
    edges = tuple(Edge(_lean(f * scale), p, s) for f, p, s in raw)
    node, activation = neuron.node, neuron.activation  # type: ignore[attr-defined]
    if activation.kind == "polynomial":
        powers = [fraction(c) / scale**k for k, c in enumerate(activation.coefficients)]
        out = lcm(*(c.denominator for c in powers)) if integral else 1
        return Unit(
            node, edges, activation.name, coefficients=tuple(_lean(c * out) for c in powers)
        ), out
    if activation.kind != "piecewise_linear":
        raise NotSupported(f"the activation {activation.name}")
    points = [fraction(b) * scale for b in activation.breakpoints]
    slopes = [fraction(s) for s in activation.slopes]
    intercepts = [fraction(c) for c in activation.intercepts]
    if not integral:
        return Unit(
            node, edges, activation.name, tuple(points), tuple(slopes), tuple(intercepts)
        ), 1
    if any(slopes):
        out = lcm(
            *(Fraction(s, scale).denominator for s in slopes),
            *(c.denominator for c in intercepts),
        )
    else:
        out = lcm(*(c.denominator for c in intercepts))
    return Unit(
        node,
        edges,
        activation.name,
        tuple(ceil(b) for b in points),
        tuple(int(s * out / scale) for s in slopes),
        tuple(int(c * out) for c in intercepts),
    ), out


def _classes(
    instance: Instance, parameters: Sequence[Parameter]
) -> tuple[tuple[tuple[int, ...], ...], ...]:
    """Units of dense layers that may be permuted: their incoming own parameters, unit by unit.

    Only whole layers are considered: dense with own parameters, every reader dense as well, equal
    domains from unit to unit on both sides. Sorting one layer by incoming parameters leaves the
    order of all layers before it, so all layers may be sorted at once.
    """
    network, found = instance.network, []
    readers = {layer.index: [] for layer in network.layers}  # type: ignore[var-annotated]
    for layer in network.layers:
        nodes = range(layer.first_node, layer.first_node + layer.units)
        for reader in network.layers:
            if set(nodes) & set(reader.sources):
                readers[layer.index].append(reader)
        if layer.units < 2 or set(nodes) & set(network.outputs) or not readers[layer.index]:
            continue
        if not _own(layer) or not all(_own(r) for r in readers[layer.index]):
            continue
        if any(len(set(r.sources)) < len(r.sources) for r in readers[layer.index]):
            continue
        incoming = []
        for unit in range(layer.units):
            numbers = [layer.weight(unit, k).parameter for k in range(len(layer.sources))]
            if (bias := layer.bias(unit)) is not None and bias.parameter is not None:
                numbers.append(bias.parameter)
            incoming.append(tuple(numbers))
        outgoing = []
        for node in nodes:
            numbers = [
                r.weight(unit, r.sources.index(node)).parameter
                for r in readers[layer.index]
                for unit in range(r.units)
            ]
            outgoing.append(tuple(numbers))
        if _alike(incoming, parameters) and _alike(outgoing, parameters):
            found.append(tuple(incoming))
    return tuple(found)


def _own(layer: object) -> bool:
    return layer.is_dense and (layer.biases is None)  # type: ignore[attr-defined,no-any-return]


def _alike(vectors: Sequence[Sequence[int]], parameters: Sequence[Parameter]) -> bool:
    """Whether all vectors have the same domains, place by place."""
    kinds = {
        tuple((parameters[p].denominator, parameters[p].values) for p in vector)
        for vector in vectors
    }
    return len(kinds) == 1


def _flips(question: Question) -> tuple[int, ...]:
    """One own weight of every unit that may be negated with all other incoming parameters.

    The activation is even; or it is odd, and all edges that read the unit have own parameters
    whose domains are symmetric. Sorting units afterwards keeps these weights ≥ 0.
    """
    uses: dict[int, int] = {}
    readers: dict[int, list[Edge]] = {}
    for unit in question.units:
        for edge in unit.edges:
            if edge.parameter is not None:
                uses[edge.parameter] = uses.get(edge.parameter, 0) + 1
            if edge.source is not None:
                readers.setdefault(edge.source, []).append(edge)

    def negatable(edges: Sequence[Edge]) -> bool:
        numbers = [edge.parameter for edge in edges]
        return all(
            p is not None and uses[p] == 1 and question.parameters[p].symmetric for p in numbers
        )

    outputs = {node for node, _ in question.outputs}
    found = []
    for unit in question.units:
        read = readers.get(unit.node, [])
        inner = unit.odd() and unit.node not in outputs and negatable(read)
        if (unit.even() or inner) and negatable(unit.edges):
            first = next((e.parameter for e in unit.edges if e.parameter is not None), None)
            if first is not None:
                found.append(first)
    return tuple(found)
