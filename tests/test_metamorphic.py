"""Rewritings that cannot change the answer, and do not.

Each instance is rewritten in every way that applies to it; the engine must give the same status at
the (rewritten) threshold and the same (scaled) minimum. Over finite domains the engines take turns;
over the reals, where nothing can be enumerated, this is the evidence that does not come from z3
itself.
"""

from __future__ import annotations

import copy
import random
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

import pytest

import random_instances
import real_instances
import reference
import rewriters
from engine_checks import FINITE_ENGINES, capability, complete_engines, decide, least, problem_of
from random_instances import LOSSES, random_instance
from reference import Document, number

FINITE = range(60)
REAL = range(24)
FACTORS = (Fraction(2), Fraction(-1), Fraction(1, 3), Fraction(-5, 2), Fraction(7, 10))
VANISHING = ("identity", "relu", "abs", "square", {"name": "leaky_relu", "slope": "1/2"})
"""Activations with φ(0) = 0."""


class Rewriting(NamedTuple):
    """A rewritten document; its losses are those of the original times `gain`."""

    name: str
    document: Document
    gain: Fraction = Fraction(1)


def shuffled(rng: random.Random, size: int) -> list[int]:
    """A permutation that moves something, where one exists."""
    order = list(range(size))
    while size > 1 and order == sorted(order):
        rng.shuffle(order)
    return order


def rewritings(document: Document, rng: random.Random) -> Iterator[Rewriting]:
    """Every rewriting that applies to a document with a threshold."""
    network, data = document["network"], document["data"]
    samples = len(data["x"])
    if samples > 1:
        order = shuffled(rng, samples)
        yield Rewriting("permute samples", rewriters.permute_samples(document, order))
    if network["inputs"] > 1:
        order = shuffled(rng, network["inputs"])
        yield Rewriting("permute inputs", rewriters.permute_inputs(document, order)[0])
    for number_of_layer, layer in enumerate(network.get("layers", [])[:-1], start=1):
        if layer["units"] > 1:
            order = shuffled(rng, layer["units"])
            rewritten, _ = rewriters.permute_hidden(document, number_of_layer, order)
            yield Rewriting("permute hidden", rewritten)
    yield Rewriting("idle sample", rewriters.add_zero_weight_sample(document, rng))
    factor = rng.choice([f for f in FACTORS if f > 0])
    yield Rewriting("sample weights", *rewriters.scale_sample_weights(document, factor))
    if "layers" in network:
        spelt, _ = rewriters.as_neurons(document)
        yield Rewriting("as neurons", spelt)
    else:
        spelt = document
    yield Rewriting("shuffle neurons", rewriters.shuffle_neurons(spelt, rng))
    constant = with_idle_neuron(spelt, rng)
    if constant is not None:
        yield Rewriting("idle neuron", constant)
    factor = rng.choice(FACTORS)
    yield Rewriting("scale inputs", rewriters.scale_inputs(document, factor)[0])
    if document["loss"]["name"] in random_instances.CLASSIFICATION:
        factor = Fraction(1) if len(reference.network_of(network)[1]) > 1 else Fraction(-1)
    yield Rewriting("scale outputs", *rewriters.scale_outputs(document, factor))


def with_idle_neuron(document: Document, rng: random.Random) -> Document | None:
    """One more neuron whose value is 0, read by some neuron by a frozen or a free weight.

    `None` if there is none to read it: for `max` a further input 0 would count.
    """
    new = copy.deepcopy(document)
    neurons = new["network"]["neurons"]
    readers = [n for n in neurons if n["activation"] not in ("max", {"name": "max"})]
    if not readers:
        return None
    inputs = {"x0": 0} if rng.random() < 0.5 else {}
    idle = {"id": "idle", "inputs": inputs, "bias": 0, "activation": rng.choice(VANISHING)}
    rng.choice(readers)["inputs"]["idle"] = rng.choice([1, "-2/3", 0, None])
    neurons.insert(rng.randint(0, len(neurons)), idle)
    return new


def threshold_of(document: Document) -> Fraction:
    return number(document["threshold"])


class Found(NamedTuple):
    """What an engine says about a document: the decision, and the kind and value of the minimum."""

    status: str
    kind: str
    minimum: Fraction


def ask(engine: str, document: Document, minima: bool) -> Found:
    status = decide(engine, document, threshold_of(document)).status
    assert status in ("sat", "unsat"), (engine, document)
    return Found(status, *(least(engine, document) if minima else ("", Fraction(0))))


def check_rewritings(document: Document, engine: str, rng: random.Random, minima: bool) -> None:
    """The engine says the same of a document and of all its rewritings."""
    found = ask(engine, document, minima)
    for rewriting in rewritings(document, rng):
        expected = found._replace(minimum=found.minimum * rewriting.gain)
        assert ask(engine, rewriting.document, minima) == expected, (engine, rewriting, document)
    sample = rng.randrange(len(document["data"]["x"]))
    twice, heavy = rewriters.duplicate_sample_as_weight(document, sample)
    assert ask(engine, twice, minima) == ask(engine, heavy, minima), (engine, sample, document)


# --- finite domains ------------------------------------------------------------------------------


def finite_draw(index: int) -> Document:
    rng = random.Random(f"metamorphic {index}")
    return random_instance(rng, max_assignments=(40, 12)[index % 2], loss=LOSSES[index % 4])


def finite_engine(index: int, document: Document) -> str:
    """Those that are complete and quick enough here take turns; the most particular has more."""
    complete = complete_engines(document)["minimize"]
    return complete[-1 if index % 3 == 0 else index % len(complete)]


@pytest.mark.parametrize("index", FINITE)
def test_finite_domains(index: int) -> None:
    document = finite_draw(index)
    check_rewritings(
        document, finite_engine(index, document), random.Random(f"rewriting {index}"), True
    )


def test_coverage() -> None:
    """Every rewriting is applied often, and every engine has its turn."""
    applied: Counter[str] = Counter()
    engines: Counter[str] = Counter()
    for index in FINITE:
        document = finite_draw(index)
        engines[finite_engine(index, document)] += 1
        applied.update(r.name for r in rewritings(document, random.Random(f"rewriting {index}")))
    for name in (
        "permute samples", "permute inputs", "permute hidden", "idle sample", "sample weights",
        "as neurons", "shuffle neurons", "idle neuron", "scale inputs", "scale outputs",
    ):  # fmt: skip
        assert applied[name] >= 10, (name, applied)
    assert all(engines[name] >= 3 for name in FINITE_ENGINES), engines
    turns = Counter(real_engine(index, real_draw(index)) for index in REAL)
    assert turns["smt"] >= 8 and turns["nra"] >= 6, turns


def test_rewritings_change_the_document() -> None:
    """The identity would pass everything above."""
    document = random_instance(
        random.Random("change"), max_assignments=40, inputs=2, samples=3, spelling="layers",
        hidden_layers=1, activation="relu", loss="absolute",
    )  # fmt: skip
    for rewriting in rewritings(document, random.Random(5)):
        assert rewriting.document != document, rewriting.name


# --- real domains --------------------------------------------------------------------------------


def real_draw(index: int) -> Document:
    """A small network whose threshold is attained over the integers −1..1, or a little less."""
    rng = random.Random(f"metamorphic real {index}")
    document = real_instances.random_real_instance(
        rng,
        activation=("relu", "abs", "step", "sign")[index % 4],
        loss=("absolute", "hinge", "zero_one")[index % 3],
        simple=index % 2 == 0,
    )
    attained, _ = reference.minimum(real_instances.sub_domain(document))
    factor = rng.choice([Fraction(1), Fraction(1, 2), Fraction(9, 10)])
    return rewriters.with_threshold(document, attained * factor)


def real_engine(index: int, document: Document) -> str:
    """nra every third time, and where smt is not complete."""
    problem = problem_of(document)
    complete = [name for name in ("smt", "nra") if capability(name, problem, "decide")]
    return complete[-1 if index % 3 == 2 else 0]


@pytest.mark.parametrize("index", REAL)
def test_real_domains(index: int) -> None:
    document = real_draw(index)
    engine = real_engine(index, document)
    minima = capability(engine, problem_of(document), "minimize")
    check_rewritings(document, engine, random.Random(f"real {index}"), minima)


@pytest.mark.parametrize("index", range(6))
def test_an_unread_neuron_of_the_reals(index: int) -> None:
    """A neuron that nothing reads changes nothing, whatever its parameters may be."""
    document, _ = rewriters.as_neurons(real_draw(2 * index))
    more = copy.deepcopy(document)
    more["network"]["neurons"].append(
        {"id": "unread", "inputs": {"x0": None}, "bias": None, "activation": "relu"}
    )
    engine = real_engine(index, document)
    minima = capability(engine, problem_of(more), "minimize")
    assert ask(engine, more, minima) == ask(engine, document, minima), (engine, document)
