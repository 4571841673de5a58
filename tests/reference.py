"""A naive reference for instance documents: exact loss, domain values, full enumeration.

Written from the description of the file format alone, with `fractions` and `itertools`. It shares
nothing with the packages under test, so that agreement with it is evidence. Clarity over speed; the
one concession is that whole numbers are computed with as `int` inside (`Exact`, `lean`).

A *document* is the JSON object of an instance file with inline data. Every network is read into
one form, `Neuron`s whose weights are `Entry`s: a constant, or a multiple of a named parameter.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from functools import cache
from math import gcd, prod
from pathlib import Path
from typing import Any, NamedTuple

Document = dict[str, Any]
Exact = int | Fraction  # `/` between two of these is a trap: it occurs once, on a `Fraction`
Parameters = Mapping[str, Exact]

# exponent bits, fraction bits, bias, and whether the top exponent holds finite values ("FN")
FLOAT_FORMATS = {
    "fp8_e4m3": (4, 3, 7, True),
    "fp8_e5m2": (5, 2, 15, False),
    "float16": (5, 10, 15, False),
    "bfloat16": (8, 7, 127, False),
}


class Entry(NamedTuple):
    """One weight or bias: `factor` times the parameter `name`, or the constant `factor`."""

    factor: Exact
    name: str | None

    def at(self, parameters: Parameters) -> Exact:
        return self.factor if self.name is None else self.factor * parameters[self.name]


class Neuron(NamedTuple):
    """A neuron; `respond` maps its weighted inputs and its bias to its value."""

    key: str
    inputs: list[tuple[str, Entry]]
    bias: Entry | None
    respond: Callable[[list[Exact], Exact], Exact]
    layer: str | None  # the name of its layer, where that has one


class Problem(NamedTuple):
    """A document in the one form that everything below works on."""

    neurons: dict[str, Neuron]
    outputs: list[str]
    x: list[list[Exact]]
    y: list[list[Exact]]
    sample_weights: list[Exact]
    loss: Mapping[str, Any]


def number(value: Any) -> Fraction:
    """The exact rational that a JSON value stands for: 0.1 is 1/10."""
    if isinstance(value, bool):
        raise TypeError("a boolean is not a number")
    return Fraction(repr(value)) if isinstance(value, float) else Fraction(value)


def lean(value: Any) -> Exact:
    """The same number, as an `int` where it is whole."""
    exact = number(value)
    return exact.numerator if exact.denominator == 1 else exact


def read(path: Path | str) -> Document:
    """The document in a file, decimals kept exact."""
    document: Document = json.loads(Path(path).read_text(), parse_float=Decimal)
    return document


# --- the network ---------------------------------------------------------------------------------


def entry(value: Any, own_name: str) -> Entry:
    """`null` is an own parameter, an object a named one with a factor, anything else a constant."""
    if value is None:
        return Entry(1, own_name)
    if isinstance(value, dict):
        return Entry(lean(value.get("scale", 1)), value["param"])
    return Entry(lean(value), None)


def network_of(network: Mapping[str, Any]) -> tuple[list[Neuron], list[str]]:
    """The neurons, in the order of the file, and the keys of the outputs."""
    if "neurons" in network:
        neurons = [
            Neuron(
                n["id"],
                [(s, entry(v, f"W[{n['id']},{s}]")) for s, v in n["inputs"].items()],
                entry(n["bias"], f"b[{n['id']}]") if "bias" in n else None,
                response_of(n["activation"]),
                None,
            )
            for n in network["neurons"]
        ]
        return neurons, list(network["outputs"])
    neurons = []
    previous = [f"x{i}" for i in range(network["inputs"])]
    by_name = {"input": previous}
    for number_of_layer, layer in enumerate(network["layers"], start=1):
        sources = previous
        if "from" in layer:
            sources = [key for name in layer["from"] for key in by_name[name]]
        previous = []
        for j in range(layer["units"]):
            inputs = []
            for k, source in enumerate(sources):
                if "mask" in layer and layer["mask"][j][k] == 0:
                    continue
                value = layer["weights"][j][k] if "weights" in layer else None
                inputs.append((source, entry(value, f"W{number_of_layer}[{j},{k}]")))
            bias = None
            if layer.get("bias", True):
                value = layer["biases"][j] if "biases" in layer else None
                bias = entry(value, f"b{number_of_layer}[{j}]")
            key = f"layer {number_of_layer} unit {j}"
            neurons.append(
                Neuron(key, inputs, bias, response_of(layer["activation"]), layer.get("name"))
            )
            previous.append(key)
        if "name" in layer:
            by_name[layer["name"]] = previous
    return neurons, previous


def problem_of(document: Document) -> Problem:
    """Everything that evaluation needs, with every number read once."""
    neurons, outputs = network_of(document["network"])
    data = document["data"]
    x = [[lean(v) for v in row] for row in data["x"]]
    y = [[lean(v) for v in row] for row in data["y"]]
    weights = [lean(w) for w in data.get("sample_weights", [1] * len(x))]
    by_key = {neuron.key: neuron for neuron in neurons}
    return Problem(by_key, outputs, x, y, weights, document["loss"])


# --- activations and evaluation ------------------------------------------------------------------


def activation_of(spec: Any) -> Callable[[Exact], Exact]:
    """An activation that is a function of one rational: all but `max`."""
    given: Mapping[str, Any] = {"name": spec} if isinstance(spec, str) else spec
    name = given["name"]
    if name == "identity":
        return lambda t: t
    if name == "relu":
        return lambda t: t if t > 0 else 0
    if name == "abs":
        return lambda t: t if t > 0 else -t
    if name == "step":
        return lambda t: 1 if t >= 0 else 0
    if name == "sign":
        return lambda t: 1 if t >= 0 else -1
    if name == "square":
        return lambda t: t * t
    if name == "leaky_relu":
        slope = lean(given["slope"])
        return lambda t: t if t >= 0 else slope * t
    if name == "clip":
        low, high = lean(given["low"]), lean(given["high"])
        return lambda t: low if t < low else high if t > high else t
    if name == "polynomial":
        coefficients = [lean(c) for c in given["coefficients"]]
        return lambda t: sum(c * t**k for k, c in enumerate(coefficients))
    if name == "piecewise_linear":
        breakpoints = [lean(b) for b in given["breakpoints"]]
        slopes = [lean(s) for s in given["slopes"]]
        intercepts = [lean(c) for c in given["intercepts"]]

        def pieces(t: Exact) -> Exact:
            piece = sum(1 for b in breakpoints if b <= t)
            return slopes[piece] * t + intercepts[piece]

        return pieces
    raise ValueError(f"unknown activation {name!r}")


def response_of(spec: Any) -> Callable[[list[Exact], Exact], Exact]:
    """What a neuron makes of its weighted inputs and its bias."""
    if spec in ("max", {"name": "max"}):
        return lambda terms, bias: max(terms, default=0) + bias
    function = activation_of(spec)
    return lambda terms, bias: function(sum(terms, bias))


def evaluate(problem: Problem, parameters: Parameters, x: list[Exact]) -> list[Exact]:
    """The outputs of the network at one input."""
    known = {f"x{i}": v for i, v in enumerate(x)}

    def value(key: str) -> Exact:
        if key not in known:
            neuron = problem.neurons[key]
            terms = [w.at(parameters) * value(source) for source, w in neuron.inputs]
            bias = 0 if neuron.bias is None else neuron.bias.at(parameters)
            known[key] = neuron.respond(terms, bias)
        return known[key]

    return [value(key) for key in problem.outputs]


def outputs(document: Document, parameters: Parameters) -> list[list[Fraction]]:
    """f_θ(x_i) for every sample i: N rows, one entry per output."""
    problem, exact = problem_of(document), {name: lean(v) for name, v in parameters.items()}
    return [[Fraction(f) for f in evaluate(problem, exact, x)] for x in problem.x]


# --- losses --------------------------------------------------------------------------------------


def sample_loss(loss: Mapping[str, Any], f: list[Exact], y: list[Exact]) -> Exact:
    """The loss of one sample; for `hinge` and `zero_one`, y holds the label."""
    name = loss["name"]
    if name in ("absolute", "squared"):
        gaps = [max(a - b, b - a) for a, b in zip(f, y, strict=True)]
        return sum(gaps) if name == "absolute" else sum(g * g for g in gaps)
    (label,) = y
    if len(f) == 1:
        gap = label * f[0]
    else:
        right = int(label)
        gap = min(f[right] - other for j, other in enumerate(f) if j != right)
    if name == "hinge":
        return max(0, 1 - gap)
    if name == "zero_one":
        correct = gap >= number(loss["margin"]) if "margin" in loss else gap > 0
        return 0 if correct else 1
    raise ValueError(f"unknown loss {name!r}")


def problem_loss(problem: Problem, parameters: Parameters) -> Fraction:
    """L(θ): the weighted sample losses, reduced."""
    weighted = [
        w * sample_loss(problem.loss, evaluate(problem, parameters, x), y)
        for x, y, w in zip(problem.x, problem.y, problem.sample_weights, strict=True)
    ]
    reduction = problem.loss.get("reduction", "mean")
    if reduction == "max":
        return Fraction(max(weighted))
    total = Fraction(sum(weighted))
    return total / sum(problem.sample_weights) if reduction == "mean" else total


def loss(document: Document, parameters: Parameters) -> Fraction:
    """The exact loss of a document at `parameters` (a `KeyError` names a missing one)."""
    return problem_loss(problem_of(document), {name: lean(v) for name, v in parameters.items()})


# --- domains -------------------------------------------------------------------------------------


def values(domain: Mapping[str, Any]) -> list[Fraction]:
    """All members of a finite domain, ascending, each once."""
    kind = domain["domain"]
    if kind == "integer":
        denominator = domain.get("denominator", 1)
        return [Fraction(k, denominator) for k in range(domain["low"], domain["high"] + 1)]
    if kind == "fixed_point":
        bits, unit = domain["bits"], Fraction(1, 2 ** domain["fraction_bits"])
        first = -(2 ** (bits - 1)) if domain.get("signed", True) else 0
        return [k * unit for k in range(first, first + 2**bits)]
    if kind == "finite":
        return sorted({number(v) for v in domain["values"]})
    if kind == "rational":
        top = 2 ** domain["bits"]
        pairs = itertools.product(range(-top + 1, top), range(1, top))
        return sorted(Fraction(p, q) for p, q in pairs if gcd(p, q) == 1)
    if kind == "float" and domain["format"] in FLOAT_FORMATS:
        return list(float_values(*FLOAT_FORMATS[domain["format"]]))
    raise ValueError(f"not a domain to enumerate: {domain}")


@cache
def float_values(
    exponent_bits: int, bits: int, bias: int, finite_top: bool
) -> tuple[Fraction, ...]:
    """The finite values of a binary format with `bits` stored fraction bits; ±0 is one value."""
    magnitudes = []  # ascending, as the bit patterns are
    for exponent, fraction in itertools.product(range(2**exponent_bits), range(2**bits)):
        if exponent == 2**exponent_bits - 1 and (not finite_top or fraction == 2**bits - 1):
            continue  # infinities and NaN
        significand = Fraction(fraction, 2**bits) + (1 if exponent > 0 else 0)
        magnitudes.append(significand * Fraction(2) ** (max(exponent, 1) - bias))
    return (*(-v for v in reversed(magnitudes[1:])), *magnitudes)


def parameter_domains(document: Document) -> dict[str, Mapping[str, Any]]:
    """The domain of every free parameter, as it is spelt in the document.

    Order: neuron by neuron in the order of the file, inputs before bias, named parameters at their
    first use. The override of the parameter's own name wins, then that of the layer, then `biases`.
    """
    weights = document.get("weights", {})
    overrides = weights.get("parameters", {})
    default = {k: v for k, v in weights.items() if k not in ("biases", "parameters")}
    found: dict[str, Mapping[str, Any]] = {}
    for neuron in network_of(document["network"])[0]:
        uses = [(w, False) for _, w in neuron.inputs]
        if neuron.bias is not None:
            uses.append((neuron.bias, True))
        for use, is_bias in uses:
            if use.name is None:
                continue
            if use.name in overrides:
                domain = overrides[use.name]
            elif neuron.layer in overrides:
                domain = overrides[neuron.layer]
            else:
                domain = weights.get("biases", default) if is_bias else default
            if use.name in found and values(found[use.name]) != values(domain):
                raise ValueError(f"the uses of {use.name} disagree about its domain")
            found.setdefault(use.name, domain)
    return found


def free_parameters(document: Document) -> dict[str, list[Fraction]]:
    """The values that every free parameter may take, in the order of `parameter_domains`."""
    return {name: values(domain) for name, domain in parameter_domains(document).items()}


# --- enumeration ---------------------------------------------------------------------------------


def assignment_count(document: Document) -> int:
    """How many θ there are; 1 for a network without free parameters."""
    return prod(len(members) for members in free_parameters(document).values())


def assignments(document: Document) -> Iterator[dict[str, Fraction]]:
    """Every θ, the last parameter varying fastest."""
    free = free_parameters(document)
    for chosen in itertools.product(*free.values()):
        yield dict(zip(free, chosen, strict=True))


def losses(document: Document) -> Iterator[tuple[Fraction, dict[str, Fraction]]]:
    """Every θ with its loss."""
    problem = problem_of(document)
    for theta in assignments(document):
        yield problem_loss(problem, {name: lean(v) for name, v in theta.items()}), theta


def minimum(document: Document) -> tuple[Fraction, dict[str, Fraction]]:
    """The least loss and the first θ that has it."""
    return min(losses(document), key=lambda pair: pair[0])


def achievable(document: Document) -> list[Fraction]:
    """All losses that some θ has, ascending, each once."""
    return sorted({value for value, _ in losses(document)})


def is_satisfiable(document: Document) -> bool:
    """Whether some θ has L(θ) ≤ threshold."""
    threshold = number(document["threshold"])
    return any(value <= threshold for value, _ in losses(document))
