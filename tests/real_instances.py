"""Tiny random documents with real parameters, and a second opinion on them from a plain encoding.

Over the reals nothing can be enumerated. What is known without any engine: the same document over
a finite sub-domain (`sub_domain`) has a minimum that the reals can only go below; and
`plain_answer` writes the network down as it is defined, products of unknowns and all, for z3.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import z3

import random_instances
import reference
import rewriters
from reference import Document, number

HIDDEN: tuple[Any, ...] = (
    "relu",
    "abs",
    "step",
    "sign",
    {"name": "leaky_relu", "slope": "1/2"},
    {"name": "leaky_relu", "slope": -1},
    {"name": "clip", "low": 0, "high": 1},
    {"name": "clip", "low": "-1/2", "high": 2},
    {"name": "piecewise_linear", "breakpoints": [0], "slopes": [0, 1], "intercepts": [0, 1]},
    {"name": "piecewise_linear", "breakpoints": [0], "slopes": [1, 2], "intercepts": [1, -1]},
    {
        "name": "piecewise_linear",
        "breakpoints": [-1, "1/2"],
        "slopes": [0, 1, "1/2"],
        "intercepts": [2, 0, 0],
    },
    {"name": "piecewise_linear", "breakpoints": [0], "slopes": [0, 0], "intercepts": ["1/2", -1]},
)
FINITE: tuple[dict[str, Any], ...] = (
    {"domain": "finite", "values": [-1, 1]},
    {"domain": "integer", "low": -1, "high": 1},
    {"domain": "finite", "values": [0, "1/2", 2]},
)
REAL: dict[str, Any] = {"domain": "real"}
SUB_DOMAIN: dict[str, Any] = {"domain": "integer", "low": -1, "high": 1}


def random_real_instance(rng: random.Random, **fixed: Any) -> Document:
    """One hidden layer of one or two units, at most four samples, most parameters real.

    `fixed`: `activation`, `loss`, `reduction`, and `simple` for one output, no finite domain, and
    nothing frozen, masked or shared.
    """

    def some(values: Any) -> Any:
        return copy.deepcopy(rng.choice(values))

    simple = fixed.get("simple", False)
    chance = (lambda p: False) if simple else (lambda p: rng.random() < p)
    inputs, units = rng.choice([1, 1, 2]), rng.choice([1, 2])
    outputs = 2 if chance(0.15) else 1
    layer: dict[str, Any] = {
        "name": "inner",
        "units": units,
        "activation": fixed.get("activation") or some(HIDDEN),
    }
    if units * inputs > 2 or rng.random() < 0.3:
        layer["bias"] = False
    elif chance(0.35):
        layer["biases"] = [some([0, 1, -1, "1/2", None]) for _ in range(units)]
    if chance(0.25):
        layer["weights"] = [
            [some([None, None, 1, "-1/2"]) for _ in range(inputs)] for _ in range(units)
        ]
    if inputs > 1 and chance(0.3):
        layer["mask"] = [some([[1, 0], [0, 1], [1, 1]]) for _ in range(units)]
        for row, kept in zip(layer.get("weights", []), layer["mask"], strict=False):
            row[:] = [entry if keep else None for entry, keep in zip(row, kept, strict=True)]
    outer: dict[str, Any] = {"name": "outer", "units": outputs, "activation": "identity"}
    if rng.random() < 0.6:
        outer["bias"] = False
    if chance(0.3):
        outer["weights"] = [
            [some([None, 1, -2, {"param": "v"}]) for _ in range(units)] for _ in range(outputs)
        ]
    weights: dict[str, Any] = dict(REAL)
    if chance(0.5):
        weights["parameters"] = {rng.choice(["inner", "outer"]): some(FINITE)}
    loss: dict[str, Any] = {
        "name": fixed.get("loss") or rng.choice(random_instances.LOSSES),
        "reduction": fixed.get("reduction") or rng.choice(random_instances.REDUCTIONS),
    }
    if loss["name"] == "zero_one" and rng.random() < 0.4:
        loss["margin"] = rng.choice([1, "1/2"])
    points = [0, 1, -1, 2, "1/2", -2]
    x = [[rng.choice(points) for _ in range(inputs)] for _ in range(rng.choice([1, 2, 3, 3, 4]))]
    if loss["name"] in random_instances.CLASSIFICATION:
        labels = [-1, 1] if outputs == 1 else [0, 1]
        y = [[rng.choice(labels)] for _ in x]
    else:
        y = [[rng.choice([0, 1, 1, -1, 2, "1/2"]) for _ in range(outputs)] for _ in x]
    return {
        "format": "ermbit-instance",
        "version": 1,
        "name": "random real",
        "network": {"inputs": inputs, "layers": [layer, outer]},
        "weights": weights,
        "data": {"x": x, "y": y},
        "loss": loss,
        "threshold": 0,
    }


def sub_domain(document: Document, domain: Mapping[str, Any] = SUB_DOMAIN) -> Document:
    """The same document with `domain` in place of every real one."""
    new = copy.deepcopy(document)
    weights = new["weights"]
    for holder in [weights, *filter(None, [weights.get("biases")])]:
        if holder.get("domain") == "real":
            del holder["domain"]
            holder.update(domain)
    for name, own in weights.get("parameters", {}).items():
        if own["domain"] == "real":
            weights["parameters"][name] = dict(domain)
    return new


# --- the plain encoding --------------------------------------------------------------------------


def plain_answer(document: Document, threshold: Fraction, effort: int = 300_000) -> str:
    """`sat`, `unsat` or `unknown`, from the definition of the network written out for z3.

    Every parameter is an unknown, every activation a case distinction, every product a product.

    Args:
        document: an instance document; a domain is `real` or can be listed.
        threshold: γ.
        effort: z3's count of steps, so that the answer does not depend on the machine.
    """
    solver = z3.SolverFor("QF_NRA")
    solver.set("rlimit", effort)
    spelt = document
    if "layers" in document["network"]:
        spelt = _neurons(document)
    unknowns: dict[str, Any] = {}
    for name, domain in _domains(spelt).items():
        unknowns[name] = z3.Real(name)
        if domain["domain"] != "real":
            members = reference.values(domain)
            solver.add(z3.Or([unknowns[name] == _real(v) for v in members]))
    data, loss = spelt["data"], spelt["loss"]
    weights = [number(w) for w in data.get("sample_weights", [1] * len(data["x"]))]
    losses = [
        _real(w) * _sample_loss(loss, _outputs(spelt, unknowns, x), [number(v) for v in y])
        for x, y, w in zip(data["x"], data["y"], weights, strict=True)
    ]
    reduction = loss.get("reduction", "mean")
    if reduction == "max":
        solver.add([value <= _real(threshold) for value in losses])
    else:
        total = sum(weights) if reduction == "mean" else 1
        solver.add(z3.Sum(losses) <= _real(threshold * total))
    return str(solver.check())


def _neurons(document: Document) -> Document:
    """The `neurons` spelling, with the domains of overridden layers written to each parameter."""
    flat = copy.deepcopy(document)
    overrides = flat["weights"].pop("parameters", {})
    flat, names = rewriters.as_neurons(flat)
    by_name: dict[str, Any] = {}
    for slot in random_instances.slots(random_instances.explicit(document)["network"]):
        if slot.entry is None or isinstance(slot.entry, dict):
            old = slot.own_name if slot.entry is None else slot.entry["param"]
            domain = overrides.get(old, overrides.get(slot.layer))
            if domain is not None:
                by_name[names[old]] = domain
    return flat | {"weights": flat["weights"] | {"parameters": by_name}}


def _domains(document: Document) -> dict[str, Any]:
    """The domain of every free parameter of a document in the `neurons` spelling."""
    weights = document["weights"]
    found: dict[str, Any] = {}
    for slot in random_instances.slots(document["network"]):
        if slot.entry is None or isinstance(slot.entry, dict):
            name = slot.own_name if slot.entry is None else slot.entry["param"]
            default = weights.get("biases", weights) if slot.source is None else weights
            found[name] = weights.get("parameters", {}).get(name, default)
    return found


def _real(value: Any) -> Any:
    return z3.RealVal(str(value))


def _outputs(document: Document, unknowns: Mapping[str, Any], x: list[Any]) -> list[Any]:
    network = document["network"]
    neurons = {neuron["id"]: neuron for neuron in network["neurons"]}
    known = {f"x{i}": _real(number(v)) for i, v in enumerate(x)}

    def entry(value: Any, own: str) -> Any:
        if value is None:
            return unknowns[own]
        if isinstance(value, dict):
            return _real(number(value.get("scale", 1))) * unknowns[value["param"]]
        return _real(number(value))

    def value(key: str) -> Any:
        if key not in known:
            neuron = neurons[key]
            terms = [
                entry(weight, f"W[{key},{source}]") * value(source)
                for source, weight in neuron["inputs"].items()
            ]
            bias = entry(neuron["bias"], f"b[{key}]") if "bias" in neuron else _real(0)
            if neuron["activation"] in ("max", {"name": "max"}):
                known[key] = _largest(terms) + bias
            else:
                known[key] = _activation(neuron["activation"], z3.Sum([*terms, bias]))
        return known[key]

    return [value(key) for key in network["outputs"]]


def _activation(spec: Any, t: Any) -> Any:
    given: dict[str, Any] = {"name": spec} if isinstance(spec, str) else spec
    name = given["name"]
    if name == "identity":
        return t
    if name == "relu":
        return z3.If(t > 0, t, 0)
    if name == "abs":
        return z3.If(t > 0, t, -t)
    if name == "step":
        return z3.If(t >= 0, _real(1), _real(0))
    if name == "sign":
        return z3.If(t >= 0, _real(1), _real(-1))
    if name == "square":
        return t * t
    if name == "polynomial":
        value = _real(0)
        for c in reversed(given["coefficients"]):
            value = value * t + _real(number(c))
        return value
    if name == "leaky_relu":
        return z3.If(t >= 0, t, _real(number(given["slope"])) * t)
    if name == "clip":
        low, high = _real(number(given["low"])), _real(number(given["high"]))
        return z3.If(t < low, low, z3.If(t > high, high, t))
    if name == "piecewise_linear":
        lines = [
            _real(number(slope)) * t + _real(number(intercept))
            for slope, intercept in zip(given["slopes"], given["intercepts"], strict=True)
        ]
        chosen = lines[-1]
        for point, line in reversed(list(zip(given["breakpoints"], lines, strict=False))):
            chosen = z3.If(t < _real(number(point)), line, chosen)
        return chosen
    raise ValueError(f"no plain form of {name!r}")


def _largest(terms: list[Any]) -> Any:
    largest = terms[0] if terms else _real(0)
    for term in terms[1:]:
        largest = z3.If(term > largest, term, largest)
    return largest


def _sample_loss(loss: Mapping[str, Any], f: list[Any], y: list[Fraction]) -> Any:
    name = loss["name"]
    if name in ("absolute", "squared"):
        gaps = [a - _real(b) for a, b in zip(f, y, strict=True)]
        return z3.Sum([z3.If(g > 0, g, -g) if name == "absolute" else g * g for g in gaps])
    if len(f) == 1:
        gap = _real(y[0]) * f[0]
    else:
        right = int(y[0])
        gap = -_largest([other - f[right] for j, other in enumerate(f) if j != right])
    if name == "hinge":
        return z3.If(gap < 1, 1 - gap, 0)
    margin = number(loss["margin"]) if "margin" in loss else None
    correct = gap > 0 if margin is None else gap >= _real(margin)
    return z3.If(correct, _real(0), _real(1))
