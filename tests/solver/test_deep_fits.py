"""The `deep_fits` engine against naive enumeration and the other engines, and its parts alone."""

from __future__ import annotations

import itertools
import random
import time
from typing import Any

import numpy as np
import pytest

import random_instances
import reference
from engine_checks import accepted, decide, problem_of
from ermbit.engines.deep_fits import conflicts as deep_conflicts
from ermbit.engines.deep_fits import joins as deep_joins
from ermbit.engines.deep_fits import search as deep_search
from ermbit.engines.deep_fits import states as deep_states
from ermbit.engines.deep_fits.conflicts import conflicts, steepness
from ermbit.engines.deep_fits.engine import DeepFitsEngine, _Prepared
from ermbit.engines.deep_fits.joins import _list
from ermbit.engines.deep_fits.units import Addend, UnitTable, unit_table
from ermbit.engines.engine import Budget, ignore
from ermbit.engines.integer_activation import activated
from ermbit_instances.instance import parse_instance
from reference import Document

ENGINE = DeepFitsEngine()
OWNERS = {
    "ELEMENTS": deep_states,
    "TUPLES": deep_states,
    "COLLECTED": deep_states,
    "WORK": deep_joins,
    "BITMAP": deep_joins,
    "ADDED": deep_joins,
    "FIRST_SAMPLES": deep_search,
    "MORE_SAMPLES": deep_search,
    "PAIR_LIMIT": deep_conflicts,
}
CUTS = [
    (2**20, 2**18, 2**21, 2**19, 2**22, 2**15, 32, 8, 512),
    (1, 1, 1, 1, 1, 1, 1, 1, 2),  # everything one by one
    (50, 7, 30, 60, 2**9, 3, 2, 1, 70),
]
ACTIVATIONS: tuple[Any, ...] = (
    "relu",
    "relu",
    "abs",
    "sign",
    "step",
    {"name": "leaky_relu", "slope": "1/2"},
    {"name": "clip", "low": -1, "high": 2},
    "square",
)


def cut_up(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    for (name, owner), value in zip(OWNERS.items(), CUTS[number % len(CUTS)], strict=True):
        monkeypatch.setattr(owner, name, value)


def random_documents(block: int) -> list[Document]:
    """Documents that the engine accepts, of all activations and domains."""
    rng = random.Random(f"deep fits {block}")
    drawn = (
        random_instances.by_turns(
            rng,
            number,
            max_assignments=rng.choice([30, 150, 500]),
            loss=rng.choice(["absolute", "squared"]),
            outputs=rng.choice([1, 1, 2, 3]),
            hidden_layers=rng.choice([2, 2, 2, 3]),
            samples=rng.choice([1, 2, 3, 4, 6, 9]),
            threshold=0,
        )
        for number in itertools.count(block + 1)
    )
    return accepted("deep_fits", drawn, 14)


@pytest.mark.parametrize("block", range(6))
def test_agrees_with_naive_enumeration(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, document in enumerate(random_documents(block)):
        cut_up(monkeypatch, number)
        fits = reference.minimum(document)[0] == 0
        assert decide("deep_fits", document, 0).status == ("sat" if fits else "unsat")


def test_the_random_documents_cover_the_format() -> None:
    seen = set[str]()
    for block in range(6):
        for document in random_documents(block):
            seen |= random_instances.features(document)
    wanted = {
        f"has:{word}"
        for word in ("shared", "scale", "mask", "skip", "frozen", "several outputs",
                     "sample weights", "zero weight", "contradiction", "duplicate", "one sample",
                     "constant neuron", "parameter override", "biases override", "no bias")
    }  # fmt: skip
    assert wanted <= seen


def deep(
    rng: random.Random,
    hidden: tuple[int, ...],
    *,
    inputs: int = 2,
    samples: int = 8,
    low: int = -1,
    high: int = 1,
    biases: bool = True,
    outputs: int = 1,
    activation: Any = None,
) -> tuple[Document, dict[str, Any]]:
    """A network in the `neurons` spelling whose units read in mixed orders, labelled by a θ."""
    below, neurons = [f"x{i}" for i in range(inputs)], []
    for level, units in enumerate((*hidden, outputs)):
        here = [f"{'abcdef'[level]}{u}" for u in range(units)]
        kind = rng.choice(ACTIVATIONS) if activation is None else activation
        for name in here:
            read = rng.sample(below, len(below))
            neuron: dict[str, Any] = {"id": name, "inputs": dict.fromkeys(read)}
            neuron["activation"] = "identity" if level == len(hidden) else kind
            if biases:
                neuron["bias"] = None
            neurons.append(neuron)
        below = here
    rng.shuffle(neurons)
    document: Document = {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": inputs, "neurons": neurons, "outputs": below},
        "weights": {"domain": "integer", "low": low, "high": high},
        "data": {
            "x": [[rng.randint(-4, 4) for _ in range(inputs)] for _ in range(samples)],
            "y": [[0] * outputs] * samples,
        },
        "loss": {"name": "absolute", "reduction": "sum"},
        "threshold": 0,
    }
    values: dict[str, Any] = {
        p.name: rng.randint(low, high) for p in parse_instance(document).network.parameters
    }
    planted = reference.outputs(document, {k: reference.number(v) for k, v in values.items()})
    document["data"]["y"] = [[str(v) for v in f] for f in planted]
    return document, values


SHAPES: list[tuple[tuple[int, ...], dict[str, Any]]] = [
    ((2, 2), {"inputs": 1, "biases": False}),
    ((2, 2), {"inputs": 1, "low": 0}),
    ((2, 1), {"inputs": 2, "samples": 4}),
    ((1, 2), {"inputs": 1, "outputs": 2, "low": 0}),
    ((2, 2, 2), {"inputs": 1, "biases": False, "low": 0}),
    ((1, 1, 1), {"inputs": 2}),
    ((3, 2), {"inputs": 1, "biases": False, "low": 0}),
    ((2, 3), {"inputs": 1, "biases": False, "low": 0, "samples": 3}),
]


@pytest.mark.parametrize("shape", range(len(SHAPES)))
def test_units_that_read_in_another_order(shape: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Labels of a network, of one with a wrong label, and of one with a label that may be right."""
    hidden, options = SHAPES[shape]
    for seed in range(6):
        rng = random.Random(f"deep fits {shape} {seed}")
        cut_up(monkeypatch, seed)
        document, _ = deep(rng, hidden, **options)
        assert decide("deep_fits", document, 0).status == "sat"
        label = document["data"]["y"][0]
        for off in (1, rng.choice((-1, 2))):
            document["data"]["y"][0] = [str(reference.number(label[0]) + off), *label[1:]]
            expected = decide("exhaustive", document, 0).status
            assert decide("deep_fits", document, 0).status == expected


@pytest.mark.parametrize("hidden", [(2, 2), (2, 2, 2), (3, 2), (1, 1, 1, 1)])
def test_networks_that_made_the_data_are_found(hidden: tuple[int, ...]) -> None:
    """With more samples than the search begins with, some of them twice."""
    for seed in range(3):
        rng = random.Random(f"deep fits planted {hidden} {seed}")
        high = 2 if len(hidden) == 2 and hidden[0] == 2 else 1
        document, _ = deep(rng, hidden, samples=45, high=high, low=-high, activation="relu")
        data = document["data"]
        data["x"].append(data["x"][3])
        data["y"].append(data["y"][3])
        assert decide("deep_fits", document, 0).status == "sat"
        data["y"][-1] = [str(reference.number(data["y"][-1][0]) + 1)]
        assert decide("deep_fits", document, 0).status == "unsat"


def test_a_refutation_that_two_layers_confirms() -> None:
    for seed in range(3):
        document, _ = deep(
            random.Random(f"deep fits off {seed}"),
            (2, 2),
            samples=12,
            activation="relu",
        )
        data = document["data"]
        data["y"][5] = [str(reference.number(data["y"][5][0]) + 1)]
        assert decide("deep_fits", document, 0).status == decide("two_layers", document, 0).status


def prepared_of(document: Document) -> _Prepared:
    prepared = ENGINE.prepare(problem_of(document))
    assert not isinstance(prepared, str)
    return prepared


@pytest.mark.parametrize("seed", range(12))
def test_a_network_is_in_no_conflict_with_its_own_outputs(seed: int) -> None:
    rng = random.Random(f"conflicts {seed}")
    hidden, outputs = rng.choice([(2, 2), (2, 1, 2), (3, 2)]), rng.choice([1, 2])
    document, theta = deep(rng, hidden, outputs=outputs, low=-2, high=3)
    p = prepared_of(document)
    form = p.form
    parameters = [theta[q.name] for q in form.instance.network.parameters]
    targets = np.array([form.outputs_of(x, parameters) for x in form.inputs]).T
    apart = conflicts(form, p.bounds, p.layers, targets, np.random.default_rng(0))
    columns = np.array(form.inputs).T
    signals = {node: column[:, None] for node, column in enumerate(columns)}
    for neuron in form.neurons:
        fixed = dict(enumerate(parameters))
        table = unit_table(form, p.bounds, neuron, fixed, np.int64)
        signals[neuron.node] = table.of_rows(signals, np.zeros(1, dtype=np.int64))
    for level, slack in enumerate(apart.slack):
        close = [apart.close(level, node, signals[node]) for node in slack]
        assert not np.bitwise_and.reduce(close).any()


def test_samples_that_agree_are_a_conflict() -> None:
    document, _ = deep(random.Random("agree"), (2, 2), activation="relu")
    p = prepared_of(document)
    apart = conflicts(p.form, p.bounds, p.layers, np.array([[0, 0, 1]]), np.random.default_rng(0))
    node = p.layers.levels[0][0].node
    bits = [int(apart.close(1, node, np.array([a]).T)[0, 0]) for a in ([5, 5, 5], [5, 4, 3])]
    assert bits[0] == 0b11 and bits[1] & 0b11 != 0b11


@pytest.mark.parametrize("activation", ACTIVATIONS[:-1])
def test_steepness_bounds_every_difference(activation: Any) -> None:
    document, _ = deep(random.Random(1), (2, 2), inputs=1, activation=activation)
    p = prepared_of(document)
    neuron = p.layers.levels[0][0]
    z = np.arange(-9, 10)
    a = activated(neuron, p.bounds.pieces[neuron.node], z)
    steep = steepness(neuron, p.bounds)
    assert steep is not None
    for k, m in itertools.combinations(range(z.size), 2):
        assert abs(a[k] - a[m]) <= steep * abs(z[k] - z[m])


def tables_of(document: Document) -> dict[str, UnitTable]:
    p = prepared_of(document)
    names = {n.node: n.label for n in p.form.instance.network.neurons}
    return {
        names[n.node]: unit_table(p.form, p.bounds, n, {}, np.int64)
        for members in p.layers.levels
        for n in members
    }


def test_units_are_compared_by_what_they_do() -> None:
    document, _ = deep(random.Random("kinds"), (3, 2), activation="relu")
    neurons = {n["id"]: n for n in document["network"]["neurons"]}
    neurons["a0"]["inputs"] = {"x0": None, "x1": None}
    neurons["a1"]["inputs"] = {"x1": None, "x0": None}
    neurons["a2"]["inputs"] = {"x1": None, "x0": 1}
    neurons["b1"]["inputs"] = {"a2": None, "a1": {"param": "w", "scale": 2}, "a0": None}
    tables = tables_of(document)
    assert tables["a0"].kind == tables["a1"].kind != tables["a2"].kind
    a0, a1, a2 = (tables[name].neuron.node for name in ("a0", "a1", "a2"))
    assert tables["b0"].is_symmetric(a0, a1) and tables["b0"].is_symmetric(a0, a2)
    assert tables["b1"].is_symmetric(a0, a2) and not tables["b1"].is_symmetric(a0, a1)


def test_a_weight_read_twice_is_no_symmetry() -> None:
    document, _ = deep(random.Random("twice"), (3, 2), activation="relu")
    neurons = {n["id"]: n for n in document["network"]["neurons"]}
    neurons["b0"]["inputs"] = {"a0": {"param": "w"}, "a1": {"param": "w"}, "a2": None}
    tables = tables_of(document)
    a0, a1, a2 = (tables[name].neuron.node for name in ("a0", "a1", "a2"))
    assert tables["b0"].is_symmetric(a0, a1) and not tables["b0"].is_symmetric(a0, a2)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("outputs", [1, 2])
def test_lists_hold_every_contribution(activation: Any, outputs: int) -> None:
    document, _ = deep(random.Random(2), (2, 2), low=-2, high=3, activation=activation)
    table = tables_of(document)["b0"]
    values = [-3, -2, 0, 1, 4]
    factors = np.array(list(itertools.product(values, repeat=outputs)))
    entry = _list(Addend(table.neuron.node, factors, (), np.zeros((len(factors), 0))), table)
    rng = np.random.default_rng(0)
    signals = {s: rng.integers(-5, 6, size=(3, 1)) for s in table.sources}
    lines = np.stack([table.activations(signals, i)[0] for i in range(3)], axis=1)

    def contributions(rows: Any, outer: Any) -> set[tuple[int, ...]]:
        made = lines[rows][:, None, :] * factors[outer][:, :, None]
        return {tuple(v.ravel()) for v in made}

    pairs = np.array(list(itertools.product(range(len(table)), range(len(factors)))))
    assert contributions(entry.rows, entry.outer) == contributions(*pairs.T)
    assert entry.rows.size < len(pairs)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"loss": {"name": "hinge", "reduction": "sum"}}, "no exact fit"),
        ({"threshold": 1}, "no exact fit"),
        ({"weights": {"domain": "real"}}, "infinitely many"),
        ({"weights": {"domain": "integer", "low": 0, "high": 99}}, "assignments"),
    ],
)
def test_what_is_refused_says_why(change: dict[str, Any], reason: str) -> None:
    document, _ = deep(random.Random("refused"), (2, 2))
    document |= change
    if "loss" in change:
        document["data"]["y"] = [[1]] * 8
    said = ENGINE.capability(problem_of(document), "decide")
    assert not said.applicable and not said.complete and reason in said.reason
    assert ENGINE.decide(problem_of(document), Budget(), ignore).status == "unknown"


def test_it_does_not_minimise() -> None:
    document, _ = deep(random.Random("refused"), (2, 2))
    assert not ENGINE.capability(problem_of(document), "minimize").applicable
    assert ENGINE.minimize(problem_of(document), Budget(), ignore).status == "unknown"


def test_a_deadline_ends_the_search() -> None:
    document, _ = deep(random.Random(3), (3, 2), samples=8, low=-6, high=6, activation="relu")
    document["data"]["y"][0] = [10**4]
    start = time.monotonic()
    outcome = ENGINE.decide(problem_of(document), Budget(start + 0.5), ignore)
    assert outcome.status == "unknown" and "time" in outcome.reason
    assert time.monotonic() - start < 60


def test_a_gain_past_64_bits_is_refused_even_where_it_meets_zeros() -> None:
    steep = {"name": "piecewise_linear", "breakpoints": [], "slopes": [2**40], "intercepts": [0]}
    units = [("relu", 1), ("relu", 1), (steep, 1)]
    zero = {"domain": "finite", "values": [0]}
    made = {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": 1, "layers": [{"units": u, "activation": a} for a, u in units]},
        "weights": {
            "domain": "integer",
            "low": -1,
            "high": 1,
            "parameters": {"W3[0,0]": zero, "b3[0]": zero},
        },
        "data": {"x": [[0], [1]], "y": [[0], [f"1/{2**40}"]]},
        "loss": {"name": "absolute"},
        "threshold": 0,
    }
    said = DeepFitsEngine().capability(problem_of(made), "decide")
    assert not said.applicable and "64 bits" in said.reason
