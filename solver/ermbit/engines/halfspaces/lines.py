"""One real affine neuron under ``zero_one`` as an arrangement of hyperplanes through the origin.

A neuron with own real weights u (its bias is the weight of a constant input 1) is right at (x, y)
if y u·x̂ > 0. A positive margin m changes nothing, since u can be scaled (docs/theory.md F4). If the
x̂ span r dimensions, r of their coordinates span all of them and the other weights can be 0.
Samples whose x̂ are parallel lie on one line through the origin: u is positive on one of its rays
and negative on the other, or zero on both and then wrong about every sample there (B7).

An output ``sign`` with a real own bias is the same: it is ±1, and where u·x̂ = 0 counts as positive
a slightly larger bias makes all those u·x̂ positive and changes no other sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd, lcm

from gmpy2 import mpq

from ermbit_encodings.problem import Problem
from ermbit_encodings.samples import Sample
from ermbit_instances.domain import RealDomain
from ermbit_instances.network import Entry
from ermbit_instances.rational import Rational

MOST_RANK = 6
"""Dimensions that the samples may span, the bias included."""

SAMPLE_LIMIT, WIDTH_LIMIT = 20_000, 1_000
"""Samples, and inputs, beyond which no arrangement is made."""


@dataclass(frozen=True, slots=True)
class Unit:
    """The neuron.

    Attributes:
        terms: pairs (input, entry) of the free weights; input −1 is the constant 1 of the bias,
            which comes first.
        parameters: number of free parameters of the network.
        is_sign: the activation is ``sign``, not ``identity``.
        margin: of the loss.
    """

    terms: tuple[tuple[int, Entry], ...]
    parameters: int
    is_sign: bool
    margin: Rational

    def vector(self, x: Sequence[Rational]) -> tuple[Rational, ...]:
        """x̂: the inputs that meet a free weight, unscaled."""
        return tuple(mpq(1) if k < 0 else x[k] for k, _ in self.terms)

    def values(self, weights: Sequence[Rational]) -> tuple[Rational, ...]:
        """θ by parameter number from the weights of the terms."""
        theta = [mpq(0)] * self.parameters
        for (_, entry), weight in zip(self.terms, weights, strict=True):
            assert entry.parameter is not None
            theta[entry.parameter] = weight / entry.scale
        return tuple(theta)

    def is_right(self, sample: Sample, weights: Sequence[Rational]) -> bool:
        """Whether the loss of one sample is 0, by the definition of network and loss."""
        f = sum((u * v for u, v in zip(weights, self.vector(sample.x), strict=True)), mpq(0))
        if self.is_sign:
            f = mpq(1) if f >= 0 else mpq(-1)
        score = sample.y[0] * f
        return bool(score >= self.margin if self.margin > 0 else score > 0)


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Distinct lines through the origin of R^r that span it, and what each sign costs there.

    Attributes:
        vectors: one integer vector a line, primitive, its first non-zero number positive.
        plus, minus: weight of the errors on that line if u·v > 0, and if u·v < 0.
        constant: weight of the samples at the origin, wrong in any case.
        columns, scales: vector j of a sample is x̂[columns[j]] · scales[j], up to a factor a line.
        width: numbers of x̂.
    """

    vectors: tuple[tuple[int, ...], ...]
    plus: tuple[int, ...]
    minus: tuple[int, ...]
    constant: int
    columns: tuple[int, ...]
    scales: tuple[Rational, ...]
    width: int

    @property
    def rank(self) -> int:
        return len(self.columns)

    def weights(self, u: Sequence[int]) -> tuple[Rational, ...]:
        """The weights of the neuron's terms with the same values on the samples as u."""
        found = [mpq(0)] * self.width
        for column, scale, value in zip(self.columns, self.scales, u, strict=True):
            found[column] = value * scale
        return tuple(found)


def read_unit(problem: Problem) -> Unit | str:
    """The neuron, or why the instance is not one real affine neuron under ``zero_one``."""
    network, loss = problem.instance.network, problem.instance.loss
    if loss.name != "zero_one":
        return "the loss is not zero_one"
    if network.node_count != network.input_count + 1 or len(network.outputs) != 1:
        return "more than one neuron or output"
    if network.outputs[0] != network.input_count:
        return "the output is an input"
    if network.edge_count > WIDTH_LIMIT:
        return f"more than {WIDTH_LIMIT} inputs"
    (neuron,) = network.neurons
    name = neuron.activation.name
    if name not in ("identity", "sign"):
        return f"the activation is {name}"
    terms = [(-1, neuron.bias)] if neuron.bias is not None else []
    terms += list(zip(neuron.sources, neuron.weights, strict=True))
    free = [(k, entry) for k, entry in terms if not entry.is_frozen]
    if any(entry.is_frozen and entry.value != 0 for _, entry in terms):
        return "a weight or the bias is frozen"
    own = {entry.parameter for _, entry in free}
    if len(own) != len(free) or any(entry.scale == 0 for _, entry in free):
        return "a parameter is shared or has no effect"
    if any(not isinstance(p.domain, RealDomain) for p in network.parameters):
        return "a domain is not real"
    if name == "sign":
        if not free or free[0][0] != -1:
            return "sign without a free bias"
        if loss.margin > 1:
            return "the margin is larger than 1"
    return Unit(tuple(free), network.parameter_count, name == "sign", loss.margin)


def arrangement(unit: Unit, samples: Sequence[Sample], *, counted: bool) -> Arrangement | str:
    """The lines on which the samples lie.

    Args:
        unit: the neuron.
        samples: distinct samples with integer weights.
        counted: every sample costs 1 instead of its weight.

    Returns:
        The arrangement, or why there is none.
    """
    rows = [unit.vector(sample.x) for sample in samples]
    columns = _independent_columns(rows, len(unit.terms))
    if columns is None:
        return f"the samples span more than {MOST_RANK} dimensions"
    scales = []
    for c in columns:
        denominator = lcm(*(int(row[c].denominator) for row in rows))
        common = gcd(*(int((row[c] * denominator).numerator) for row in rows))
        scales.append(mpq(denominator, common))
    costs: dict[tuple[int, ...], list[int]] = {}
    constant = 0
    for row, sample in zip(rows, samples, strict=True):
        cost = 1 if counted else sample.weight
        integers = [int((row[c] * s).numerator) for c, s in zip(columns, scales, strict=True)]
        common = gcd(*integers)
        if common == 0:
            constant += cost
            continue
        if next(v for v in integers if v) < 0:
            common = -common
        wrong_if_positive = (sample.y[0] < 0) == (common > 0)
        pair = costs.setdefault(tuple(v // common for v in integers), [0, 0])
        pair[0 if wrong_if_positive else 1] += cost
    return Arrangement(
        tuple(costs),
        tuple(pair[0] for pair in costs.values()),
        tuple(pair[1] for pair in costs.values()),
        constant,
        columns,
        tuple(scales),
        len(unit.terms),
    )


def _independent_columns(
    rows: Sequence[tuple[Rational, ...]], width: int
) -> tuple[int, ...] | None:
    """Columns that are a basis of the column space (Gauss); ``None`` beyond ``MOST_RANK``."""
    basis: list[tuple[int, list[Rational]]] = []
    for row in rows:
        if len(basis) == width:
            break
        rest = list(row)
        for pivot, line in basis:
            if factor := rest[pivot]:
                rest = [v - factor * t for v, t in zip(rest, line, strict=True)]
        pivot = next((c for c, v in enumerate(rest) if v), -1)
        if pivot >= 0:
            if len(basis) == MOST_RANK:
                return None
            basis.append((pivot, [v / rest[pivot] for v in rest]))
    return tuple(sorted(pivot for pivot, _ in basis))
