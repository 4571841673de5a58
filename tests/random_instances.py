"""Tiny random instance documents over the whole file format.

`random_instance` draws a legal document whose θ can all be enumerated. Documents hold integers and
strings only, so `json.dumps` keeps them exact.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from math import prod
from typing import Any, NamedTuple

import reference
from reference import Document, number

Names = dict[str, str]

ACTIVATIONS = (
    "identity",
    "relu",
    "leaky_relu",
    "abs",
    "step",
    "sign",
    "clip",
    "piecewise_linear",
    "max",
    "polynomial",
    "square",
)
LOSSES = ("absolute", "squared", "hinge", "zero_one")
CLASSIFICATION = ("hinge", "zero_one")
REDUCTIONS = ("mean", "sum", "max")
DOMAINS = ("integer", "fixed_point", "finite", "rational", "float")
SPELLINGS = ("layers", "neurons")

_FINITE: list[list[int | str]] = [
    [-1, 0, 1], [-1, 1], [0, 1], [1, 2], [2], [-2, "1/2", 1], ["-1/2", "0.25", 3], [-2, -1, 0, 2],
    [1, "1/3"], ["-3/2", 0, "1e-1"], ["1/4", "1/2", 1, 2],
]  # fmt: skip
_RATIONALS = [Fraction(t) for t in (0, 1, -1, 2, -2, 3)]
_RATIONALS += [Fraction(t) for t in ("1/2", "-1/2", "3/2", "1/3", "-2/3", "1/10", "5/4")]
_NONZERO = [v for v in _RATIONALS if v != 0]


# --- places for a weight or a bias ---------------------------------------------------------------


class Slot(NamedTuple):
    """Where a network holds a weight entry: `holder[key]`; a bias has no `source`."""

    holder: Any
    key: Any
    own_name: str
    source: str | None
    layer: str | None

    @property
    def entry(self) -> Any:
        return self.holder[self.key]

    @entry.setter
    def entry(self, value: Any) -> None:
        self.holder[self.key] = value


def explicit(document: Document) -> Document:
    """The same document with every `mask`, `weights` and `biases` written out."""
    document = copy.deepcopy(document)
    if "layers" not in document["network"]:
        return document
    for layer, sources in layer_sources(document["network"]):
        units = range(layer["units"])
        layer.setdefault("mask", [[1] * len(sources) for _ in units])
        layer.setdefault("weights", [[None] * len(sources) for _ in units])
        if layer.get("bias", True):
            layer.setdefault("biases", [None for _ in units])
    return document


def layer_sources(network: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Every layer with the keys of what it reads: `x{i}`, and `u{l}_{j}` for unit j of layer l."""
    previous = [f"x{i}" for i in range(network["inputs"])]
    by_name = {"input": previous}
    for index, layer in enumerate(network["layers"], start=1):
        if "from" in layer:
            yield layer, [key for name in layer["from"] for key in by_name[name]]
        else:
            yield layer, previous
        previous = [f"u{index}_{j}" for j in range(layer["units"])]
        if "name" in layer:
            by_name[layer["name"]] = previous


def slots(network: Mapping[str, Any]) -> list[Slot]:
    """The places of all edges and biases of an `explicit` network, inputs before bias."""
    found = []
    for neuron in network.get("neurons", ()):
        inputs, name = neuron["inputs"], neuron["id"]
        found += [Slot(inputs, s, f"W[{name},{s}]", s, None) for s in inputs]
        if "bias" in neuron:
            found.append(Slot(neuron, "bias", f"b[{name}]", None, None))
    if "layers" in network:
        for index, (layer, sources) in enumerate(layer_sources(network), start=1):
            name = layer.get("name")
            for j, row in enumerate(layer["weights"]):
                for k, source in enumerate(sources):
                    if layer["mask"][j][k]:
                        found.append(Slot(row, k, f"W{index}[{j},{k}]", source, name))
                if "biases" in layer:
                    found.append(Slot(layer["biases"], j, f"b{index}[{j}]", None, name))
    return found


# --- the generator -------------------------------------------------------------------------------


class Knobs(NamedTuple):
    """What a caller may force; `None` leaves the choice to the draw.

    `activation` is that of the hidden neurons; when it is forced and `output_activation` is not,
    outputs have it or `identity`. Names or whole objects serve for activations and `domain`.
    """

    activation: str | Mapping[str, Any] | None = None
    output_activation: str | Mapping[str, Any] | None = None
    domain: str | Mapping[str, Any] | None = None
    loss: str | None = None
    reduction: str | None = None
    margin: bool | None = None
    spelling: str | None = None
    inputs: int | None = None
    outputs: int | None = None
    samples: int | None = None
    hidden_layers: int | None = None
    bias: bool | None = None
    masks: bool | None = None
    frozen: bool | None = None
    all_frozen: bool | None = None
    shared: bool | None = None
    skips: bool | None = None
    overrides: bool | None = None
    sample_weights: bool | None = None
    threshold: Any = None


class _Draw:
    """A random source with the vocabulary of this module."""

    def __init__(self, rng: random.Random, knobs: Knobs) -> None:
        self.rng, self.knobs = rng, knobs

    def chance(self, probability: float) -> bool:
        return self.rng.random() < probability

    def wanted(self, knob: str, probability: float) -> bool:
        """A switch: as forced, else true with the probability."""
        forced = getattr(self.knobs, knob)
        return self.chance(probability) if forced is None else bool(forced)

    def size(self, knob: str, sizes: Sequence[int]) -> int:
        forced = getattr(self.knobs, knob)
        return self.rng.choice(sizes) if forced is None else int(forced)

    def spell(self, value: Fraction) -> int | str:
        """One of the ways to write a rational."""
        if value.denominator == 1:
            return str(value) if self.chance(0.1) else int(value)
        if value.denominator in (2, 4, 10) and self.chance(0.4):
            return str(float(value))
        return str(value)

    def rational(self, choices: Sequence[Fraction] = tuple(_RATIONALS)) -> int | str:
        return self.spell(self.rng.choice(choices))

    def activation(self, wanted: str | Mapping[str, Any] | None) -> Any:
        rng = self.rng
        if isinstance(wanted, Mapping):
            return copy.deepcopy(dict(wanted))
        name = wanted or rng.choice(ACTIVATIONS)
        if name == "leaky_relu":
            return {"name": name, "slope": rng.choice(["1/10", "0.5", 2, -1, "-1/2", 0, "1e-2"])}
        if name == "clip":
            low, high = rng.choice([(0, 1), (-1, 1), ("-1/2", 2), (1, "3/2"), (-2, -1)])
            return {"name": name, "low": low, "high": high}
        if name == "polynomial":
            degree = rng.choice([2, 3])
            coefficients = [self.rational() for _ in range(degree)]
            return {"name": name, "coefficients": [*coefficients, self.rational(_NONZERO)]}
        if name == "piecewise_linear":
            breakpoints = sorted(rng.sample(_RATIONALS, rng.choice([1, 1, 2, 3])))
            slopes = [rng.choice(_RATIONALS) for _ in range(len(breakpoints) + 1)]
            intercepts = [rng.choice(_RATIONALS) for _ in slopes]
            if self.chance(0.5):  # continuous: every piece meets the one before it
                for k, b in enumerate(breakpoints):
                    intercepts[k + 1] = (slopes[k] - slopes[k + 1]) * b + intercepts[k]
            lists = {"breakpoints": breakpoints, "slopes": slopes, "intercepts": intercepts}
            return {"name": name} | {k: [self.spell(v) for v in vs] for k, vs in lists.items()}
        return {"name": name} if self.chance(0.1) else name

    def output_activation(self) -> Any:
        if self.knobs.output_activation is not None:
            return self.activation(self.knobs.output_activation)
        if self.chance(0.65):
            return "identity"
        return self.activation(self.knobs.activation)

    def domain(self) -> dict[str, Any]:
        rng, wanted = self.rng, self.knobs.domain
        if isinstance(wanted, Mapping):
            return copy.deepcopy(dict(wanted))
        kind = wanted or rng.choices(DOMAINS, [30, 20, 35, 12, 3])[0]
        domain: dict[str, Any] = {"domain": kind}
        if kind == "integer":
            low = rng.randint(-2, 1)
            domain |= {"low": low, "high": low + rng.choice([0, 1, 2, 2, 3, 4])}
            if self.chance(0.4):
                domain["denominator"] = rng.choice([1, 2, 3])
        elif kind == "fixed_point":
            domain |= {"bits": rng.choice([1, 2, 2, 3]), "fraction_bits": rng.choice([0, 1, 2])}
            if self.chance(0.6):
                domain["signed"] = self.chance(0.4)
        elif kind == "finite":
            domain["values"] = list(rng.choice(_FINITE))
        elif kind == "rational":
            domain["bits"] = rng.choice([1, 1, 2])
        elif kind == "float":
            domain["format"] = rng.choice(["fp8_e4m3", "fp8_e5m2"])
        return domain


def random_instance(rng: random.Random, *, max_assignments: int = 4000, **knobs: Any) -> Document:
    """A legal random document with at most `max_assignments` θ; see `Knobs` for what can be forced.

    Parameters are frozen until the bound holds, all of them if need be. `frozen=False` only leaves
    out frozen entries that the bound does not ask for. A `TypeError` names an unknown knob.
    """
    draw = _Draw(rng, Knobs(**knobs))
    loss = _loss(draw)
    inputs, outputs = draw.size("inputs", [1, 1, 2, 2, 3]), draw.size("outputs", [1, 1, 1, 2, 2, 3])
    spelling = rng.choice(SPELLINGS) if draw.knobs.spelling is None else draw.knobs.spelling
    network = (_layers if spelling == "layers" else _neurons)(draw, inputs, outputs)
    samples = draw.size("samples", [1, 2, 3, 4, 4, 5])
    integral = draw.chance(0.5)
    pool = [v for v in _RATIONALS if v.denominator == 1 or not integral]
    x = [[draw.rational(pool) for _ in range(inputs)] for _ in range(samples)]
    if samples > 1 and draw.chance(0.35):  # a repeated input; its label may contradict
        x[-1] = list(x[0])
    document: Document = {
        "format": "ermbit-instance",
        "version": 1,
        "name": "random",
        "network": network,
        "weights": {},
        "data": {"x": x, "y": []},
        "loss": loss,
    }
    if draw.wanted("shared", 0.35):
        _share(draw, slots(network))
    if draw.wanted("frozen", 0.35):
        for slot in slots(network):
            if draw.chance(0.25):
                slot.entry = draw.rational()
    _weights(draw, document)
    _freeze_until(draw, document, 0 if draw.wanted("all_frozen", 0.02) else max_assignments)
    _labels(draw, document)
    if draw.wanted("sample_weights", 0.3):
        weights = [draw.rational([Fraction(w) for w in (0, 1, 1, 2, "1/2", 3)]) for _ in x]
        if all(number(w) == 0 for w in weights):
            weights[0] = 1
        document["data"]["sample_weights"] = weights
    document["threshold"] = _threshold(draw, document)
    _abbreviate(draw, document)
    return document


def by_turns(rng: random.Random, number: int, **knobs: Any) -> Document:
    """A random instance whose activation, loss, reduction and domain take turns with a number.

    Those that are given as knobs do not.
    """
    turn = {
        "activation": ACTIVATIONS[number % len(ACTIVATIONS)],
        "loss": LOSSES[number % len(LOSSES)],
        "reduction": REDUCTIONS[number % len(REDUCTIONS)],
        "domain": DOMAINS[number % 4] if number % 9 else "float",
    }
    return random_instance(rng, **(turn | knobs))


def _loss(draw: _Draw) -> dict[str, Any]:
    knobs = draw.knobs
    loss: dict[str, Any] = {"name": knobs.loss or draw.rng.choice(LOSSES)}
    reduction = knobs.reduction or draw.rng.choice(REDUCTIONS)
    if reduction != "mean" or draw.chance(0.7):  # `mean` is the default
        loss["reduction"] = reduction
    if loss["name"] == "zero_one" and draw.wanted("margin", 0.4):
        loss["margin"] = draw.rng.choice([1, "1/2", "0.1", 2])
    return loss


def _layers(draw: _Draw, inputs: int, outputs: int) -> dict[str, Any]:
    forced = draw.knobs.activation is not None
    depth = draw.size("hidden_layers", [1, 1, 2] if forced else [0, 1, 1, 1, 2, 2])
    masks, skips = draw.wanted("masks", 0.3), depth > 0 and draw.wanted("skips", 0.25)
    sizes, layers = {"input": inputs}, []
    for index in range(1, depth + 2):
        last = index > depth
        name = "out" if last else f"h{index}"
        activation = draw.output_activation() if last else draw.activation(draw.knobs.activation)
        units = outputs if last else draw.rng.choice([1, 2, 2, 3])
        layer: dict[str, Any] = {"name": name, "units": units, "activation": activation}
        sources = list(sizes)[-1:]
        if skips and index > 1 and (last or draw.chance(0.5)):
            earlier = list(sizes)[:-1]
            sources += draw.rng.sample(earlier, draw.rng.randint(1, len(earlier)))
            draw.rng.shuffle(sources)
            layer["from"] = sources
        fan_in = sum(sizes[s] for s in sources)
        layer["mask"] = [[1] * fan_in for _ in range(units)]
        layer["weights"] = [[None] * fan_in for _ in range(units)]
        if masks:
            for row in layer["mask"]:
                row[:] = [int(draw.chance(0.65)) for _ in row]
                if not any(row) and (activation in ("max", {"name": "max"}) or draw.chance(0.9)):
                    row[draw.rng.randrange(fan_in)] = 1
        if draw.wanted("bias", 0.7):
            layer["biases"] = [None] * units
        else:
            layer["bias"] = False
        layers.append(layer)
        sizes[name] = units
    network = {"inputs": inputs, "layers": layers}
    if not _outputs_see_inputs(network):
        for layer in layers:
            layer["mask"] = [[1] * len(row) for row in layer["mask"]]
    return network


def _neurons(draw: _Draw, inputs: int, outputs: int) -> dict[str, Any]:
    rng = draw.rng
    depth = draw.size("hidden_layers", [1, 2, 2])
    hidden = rng.choice([1, 2, 2, 3, 4]) if depth else 0
    depths = {f"x{i}": 0 for i in range(inputs)}  # longest path from the inputs
    neurons = []
    for index in range(hidden + outputs):
        last = index >= hidden
        name = f"o{index - hidden}" if last else f"n{index}"
        activation = draw.output_activation() if last else draw.activation(draw.knobs.activation)
        usable = [s for s, d in depths.items() if (d <= depth if last else d < depth)]
        recent = [s for s in usable if not s.startswith("x")]
        chosen = {s for s in usable if draw.chance(0.6)} | set(recent[-1:])
        if not chosen or (last and not recent):
            chosen.add(f"x{rng.randrange(inputs)}")
        if not last and activation not in ("max", {"name": "max"}) and draw.chance(0.06):
            chosen = set()  # a constant neuron
        order = sorted(chosen)
        rng.shuffle(order)
        neuron: dict[str, Any] = {"id": name, "inputs": dict.fromkeys(order)}
        if draw.wanted("bias", 0.6):
            neuron["bias"] = None
        neurons.append(neuron | {"activation": activation})
        depths[name] = 1 + max((depths[s] for s in order), default=0)
    network = {"inputs": inputs, "neurons": neurons, "outputs": [f"o{j}" for j in range(outputs)]}
    if not _outputs_see_inputs(network):
        for neuron in neurons:
            neuron["inputs"].setdefault("x0", None)
    if draw.chance(0.2):  # the file need not list a neuron after its sources
        rng.shuffle(neurons)
    return network


def _outputs_see_inputs(network: Mapping[str, Any]) -> bool:
    """Whether a path leads from some input to every output."""
    neurons, outputs = reference.network_of(network)
    sources = {n.key: [s for s, _ in n.inputs] for n in neurons}

    def sees(key: str) -> bool:
        return key not in sources or any(sees(s) for s in sources[key])

    return all(sees(key) for key in outputs)


def _share(draw: _Draw, places: list[Slot]) -> None:
    """Names a few parameters, most of them used more than once."""
    for name in draw.rng.sample(["s", "t", "shared.w"], draw.rng.choice([1, 1, 2])):
        own = [slot for slot in places if slot.entry is None]
        for slot in draw.rng.sample(own, min(len(own), draw.rng.choice([1, 2, 2, 3]))):
            slot.entry = {"param": name}
            if draw.chance(0.5):
                slot.entry["scale"] = draw.rational(_NONZERO)


def _weights(draw: _Draw, document: Document) -> None:
    """The domains: one for all, with overrides for the biases, a layer, and parameters."""
    rng, network = draw.rng, document["network"]
    weights = document["weights"]
    weights.update(draw.domain())
    used = [slot for slot in slots(network) if slot.entry is None or isinstance(slot.entry, dict)]
    uses: dict[str, list[Slot]] = {}
    for slot in used:
        uses.setdefault(slot.entry["param"] if slot.entry else slot.own_name, []).append(slot)
    by_name: dict[str, Any] = {}
    if uses and draw.wanted("overrides", 0.4):
        kind = rng.choice(["biases", "layer", "parameter", "all"])
        if kind in ("biases", "all"):
            weights["biases"] = draw.domain()
        if kind in ("layer", "all") and "layers" in network:
            by_name[rng.choice(network["layers"])["name"]] = draw.domain()
        if kind in ("parameter", "all"):
            by_name[rng.choice(list(uses))] = draw.domain()
    for name, places in uses.items():
        given = [
            by_name.get(s.layer or "", weights.get("biases") if s.source is None else None)
            for s in places
        ]
        if name not in by_name and any(spec != given[0] for spec in given):
            by_name[name] = draw.domain()  # its uses disagree: it needs a domain of its own
    if by_name:
        weights["parameters"] = by_name


def _freeze_until(draw: _Draw, document: Document, max_assignments: int) -> None:
    """Freezes parameters at random until few enough θ are left; all of them for 0."""
    free = reference.free_parameters(document)
    while free and prod(len(members) for members in free.values()) > max_assignments:
        several = [name for name, members in free.items() if len(members) > 1]
        name = draw.rng.choice(several or list(free))
        members = free.pop(name)
        value = draw.rng.choice(members if draw.chance(0.8) else _RATIONALS)
        for slot in slots(document["network"]):
            if slot.entry is None and slot.own_name == name:
                slot.entry = draw.spell(value)
            elif isinstance(slot.entry, dict) and slot.entry["param"] == name:
                slot.entry = draw.spell(value * number(slot.entry.get("scale", 1)))
        overrides = document["weights"].get("parameters", {})
        overrides.pop(name, None)
        if not overrides:
            document["weights"].pop("parameters", None)


def random_parameters(rng: random.Random, document: Document) -> dict[str, Fraction]:
    """A random θ inside its domains."""
    return {name: rng.choice(m) for name, m in reference.free_parameters(document).items()}


def _labels(draw: _Draw, document: Document) -> None:
    """Targets or class labels: some planted by a θ, some random."""
    rng, data = draw.rng, document["data"]
    planted = reference.outputs(document, random_parameters(rng, document))
    keep = rng.choice([0.0, 0.7, 1.0])
    for f in planted:
        classes = [-1, 1] if len(f) == 1 else list(range(len(f)))
        if document["loss"]["name"] not in CLASSIFICATION:
            y = [draw.spell(v) if draw.chance(keep) else draw.rational() for v in f]
        elif not draw.chance(keep):
            y = [rng.choice(classes)]
        elif len(f) == 1:
            y = [1 if f[0] > 0 else -1]
        else:
            y = [f.index(max(f))]
        data["y"].append(y)


def _threshold(draw: _Draw, document: Document) -> Any:
    """At, just under, or away from a loss that some θ has."""
    rng = draw.rng
    if draw.knobs.threshold is not None:
        return draw.knobs.threshold
    free = reference.free_parameters(document)
    thetas = [{name: rng.choice(members) for name, members in free.items()} for _ in range(6)]
    best = min(reference.loss(document, theta) for theta in thetas)
    kind = rng.choice(["at", "at", "under", "under", "half", "zero", "any"])
    if kind == "any":
        return draw.rational()
    amount = {"at": best, "under": best - Fraction(1, 997), "half": best / 2}.get(kind)
    return 0 if amount is None else draw.spell(amount)


def _abbreviate(draw: _Draw, document: Document) -> None:
    """Leaves out what the format lets a layer leave out, most of the time."""
    network = document["network"]
    layers = network.get("layers", [])
    needed = set(document["weights"].get("parameters", {}))
    needed |= {name for layer in layers for name in layer.get("from", ())}
    for layer in layers:
        if all(v == 1 for row in layer["mask"] for v in row) and draw.chance(0.9):
            del layer["mask"]
        if all(v is None for row in layer["weights"] for v in row) and draw.chance(0.9):
            del layer["weights"]
        if all(v is None for v in layer.get("biases", [0])) and draw.chance(0.9):
            del layer["biases"]
        if layer["name"] not in needed and draw.chance(0.6):
            del layer["name"]


def whole_format(*details: str) -> set[str]:
    """Every activation, loss, reduction and domain, in the words of :func:`features`; details."""
    named = {
        "activation": ACTIVATIONS,
        "loss": LOSSES,
        "reduction": REDUCTIONS,
        "domain": DOMAINS,
        "has": details,
    }
    return {f"{kind}:{word}" for kind, words in named.items() for word in words}


def features(document: Document) -> set[str]:
    """What a document exercises, as `kind:value` words, for coverage counts."""
    spelt = explicit(document)
    network, data, weights = spelt["network"], spelt["data"], spelt["weights"]
    layers = network.get("layers", [])
    places = slots(network)
    entries = [slot.entry for slot in places]
    found = {"spelling:" + ("layers" if layers else "neurons")}
    for unit in layers or network["neurons"]:
        a = unit["activation"]
        found.add("activation:" + (a if isinstance(a, str) else a["name"]))
    for name, domain in reference.parameter_domains(document).items():
        found |= {"domain:" + domain["domain"], "has:free"}
        if name in weights.get("parameters", {}):
            found.add("has:parameter override")
    found.add("loss:" + spelt["loss"]["name"])
    found.add("reduction:" + spelt["loss"].get("reduction", "mean"))
    rows = [tuple(number(v) for v in row) for row in data["x"]]
    labelled = {(row, *map(number, y)) for row, y in zip(rows, data["y"], strict=True)}
    named = [e["param"] for e in entries if isinstance(e, dict)]
    outputs = len(reference.network_of(network)[1])
    flags = {
        "margin": "margin" in spelt["loss"],
        "one output": outputs == 1,
        "several outputs": outputs > 1,
        "no free parameter": "has:free" not in found,
        "frozen": any(isinstance(e, (int, str)) for e in entries),
        "named": bool(named),
        "shared": len(set(named)) < len(named),
        "scale": any(isinstance(e, dict) and "scale" in e for e in entries),
        "mask": any(v == 0 for layer in layers for row in layer["mask"] for v in row),
        "skip": any(len(layer.get("from", ())) > 1 for layer in layers),
        "no bias": any("biases" not in layer for layer in layers)
        or any("bias" not in neuron for neuron in network.get("neurons", ())),
        "constant neuron": any(not n["inputs"] for n in network.get("neurons", ())),
        "biases override": "biases" in weights,
        "layer override": any(s.layer in weights.get("parameters", {}) for s in places),
        "sample weights": "sample_weights" in data,
        "zero weight": any(number(w) == 0 for w in data.get("sample_weights", ())),
        "one sample": len(rows) == 1,
        "duplicate": len(labelled) < len(rows),
        "contradiction": len(set(rows)) < len(labelled),
        "rational data": any(v.denominator > 1 for row in rows for v in row),
    }
    return found | {"has:" + flag for flag, holds in flags.items() if holds}
