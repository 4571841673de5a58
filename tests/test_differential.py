"""Every complete engine against the naive reference, on tiny instances of the whole format.

The reference enumerates all θ; an engine has to find the same minimum, `sat` exactly at it, and
`unsat` just below. The instances are the same in every run, so what is covered is counted ahead of
running (`test_coverage`) from the same functions that decide what runs.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest

import ermbit
import random_instances
import reference
import rewriters
from engine_checks import FINITE_ENGINES, complete_engines, decide, exact, fraction, least
from ermbit.engines.engine import Task
from ermbit_instances.instance import parse_instance
from random_instances import ACTIVATIONS, DOMAINS, LOSSES, REDUCTIONS, SPELLINGS, random_instance
from reference import Document

HAIR = Fraction(1, 10**9)
BLOCKS = 40
ASSIGNMENTS = (12, 30, 60, 150)
"""Bounds on the number of θ, in turn: slow engines are asked about the smaller instances only."""

CROSS = list(itertools.product(ACTIVATIONS, DOMAINS, LOSSES, SPELLINGS))
FREE_DRAWS = 88  # besides the cross: nothing forced, so several activations in one network


SLOW = {(330, "nra")}
"""Left out: squares of a maximum of two maxima. z3 takes 10 to 25 seconds a call, for 16 θ."""


def draw(number: int) -> Document:
    """Instance `number`: one of the cross product, or a free draw."""
    rng = random.Random(f"differential {number}")
    size = ASSIGNMENTS[number % len(ASSIGNMENTS)]
    if number >= len(CROSS):
        return random_instance(rng, max_assignments=size)
    activation, domain, loss, spelling = CROSS[number]
    if domain == "float" and number % 3 == 0:
        size = 256  # room for one parameter; the others are frozen
    return random_instance(
        rng,
        max_assignments=size,
        activation=activation,
        domain=domain,
        loss=loss,
        spelling=spelling,
        reduction=REDUCTIONS[number // len(ASSIGNMENTS) % len(REDUCTIONS)],
    )


def drawn() -> range:
    return range(len(CROSS) + FREE_DRAWS)


def check_against_reference(document: Document, label: object = "", turn: int = 0) -> None:
    """All complete engines give the reference's answers around its minimum, and its minimum.

    Around it always; of the thresholds further off, which are easier, one in turn.
    """
    attainable = reference.achievable(document)
    minimum = attainable[0]
    further = (reference.number(document.get("threshold", 0)), minimum / 2, -HAIR, Fraction(-3))
    thresholds = {minimum, minimum - HAIR, further[turn % len(further)]}
    if len(attainable) > 1:  # just under the second loss only the minimisers are left
        thresholds.add(attainable[1] - min(HAIR, (attainable[1] - minimum) / 2))
    for threshold in sorted(thresholds):
        # An engine may be complete for one threshold and not for another.
        for name in complete_engines(rewriters.with_threshold(document, threshold))["decide"]:
            if (label, name) in SLOW:
                continue
            outcome = decide(name, document, threshold)
            expected = "sat" if threshold >= minimum else "unsat"
            assert outcome.status == expected, (label, name, threshold, outcome, document)
    for name in complete_engines(document)["minimize"]:
        assert least(name, document) == ("optimal", minimum), (label, name, minimum, document)


# --- random instances ----------------------------------------------------------------------------


@pytest.mark.parametrize("block", range(BLOCKS))
def test_random_instances(block: int) -> None:
    for number in drawn()[block::BLOCKS]:
        check_against_reference(draw(number), number, number // 4)


def test_coverage() -> None:
    """The instances above cover what they are meant to cover, for every engine."""
    features: Counter[str] = Counter()
    runs: Counter[tuple[str, Task]] = Counter()
    by_engine: Counter[tuple[str, str]] = Counter()
    combinations = set()
    for number in drawn():
        document = draw(number)
        found = random_instances.features(document)
        features.update(found)
        combinations.add(tuple(CROSS[number]) if number < len(CROSS) else number)
        for task, names in complete_engines(document).items():
            runs.update((name, task) for name in names)
            if task == "decide":
                by_engine.update(itertools.product(names, found))
    assert len(combinations) == len(drawn()) >= 500
    for kind, names, times in (
        ("activation", ACTIVATIONS, 30),
        ("domain", DOMAINS, 25),
        ("loss", LOSSES, 100),
        ("reduction", REDUCTIONS, 100),
        ("spelling", SPELLINGS, 200),
    ):
        for name in names:
            assert features[f"{kind}:{name}"] >= times, (kind, name)
    for flag in (
        "margin", "several outputs", "no free parameter", "frozen", "shared", "scale", "mask",
        "skip", "no bias", "biases override", "layer override", "parameter override",
        "sample weights", "zero weight", "one sample", "duplicate", "contradiction",
        "rational data", "constant neuron",
    ):  # fmt: skip
        assert features[f"has:{flag}"] >= 5, flag
    required = {
        "exhaustive": (520, 520),
        "tables": (300, 300),
        "deep_tables": (300, 300),
        "enclosures": (450, 450),
        "sat": (480, 420),
        "smt": (380, 360),
        "nra": (340, 260),
        "coverings": (180, 110),
    }
    assert set(required) == set(FINITE_ENGINES), "an engine is not tested here"
    for name, (decisions, minima) in required.items():
        assert runs[name, "decide"] >= decisions, (name, runs)
        assert runs[name, "minimize"] >= minima, (name, runs)
    for name in FINITE_ENGINES:
        skipped = ("square", "polynomial") if name == "smt" else ()
        wanted = [f"activation:{a}" for a in ACTIVATIONS if a not in skipped]
        wanted += [f"loss:{loss}" for loss in LOSSES]
        wanted += [f"reduction:{reduction}" for reduction in REDUCTIONS]
        wanted += [f"domain:{domain}" for domain in ("integer", "fixed_point", "finite")]
        wanted += ["domain:rational"]
        wanted += ["domain:float"] * (
            name in ("exhaustive", "tables", "deep_tables", "sat")
        )  # see `SIZES`
        for feature in wanted:
            assert by_engine[name, feature] >= 3, (name, feature)


# --- the public interface ------------------------------------------------------------------------


def api_draw(number: int) -> Document:
    rng = random.Random(f"public interface {number}")
    return random_instance(rng, max_assignments=120, loss=LOSSES[number % len(LOSSES)])


@pytest.mark.parametrize("number", range(25))
def test_public_interface(number: int) -> None:
    """`solve` and `minimize` with processes, a portfolio, and the certificate as a document."""
    document = api_draw(number)
    minimum, _ = reference.minimum(document)
    answer = ermbit.minimize(parse_instance(document), timeout=300, threads=2)
    assert (answer.status, answer.lower_bound) == ("optimal", exact(minimum)), (answer, document)
    assert answer.loss == exact(minimum)
    at = parse_instance(rewriters.with_threshold(document, minimum))
    assert answer.certificate is not None
    assert ermbit.verify(at, answer.certificate).accepted is True
    answer = ermbit.solve(at, timeout=300, threads=2)
    assert answer.status == "sat" and answer.certificate is not None, (answer, document)
    assert answer.loss == exact(minimum)
    assert ermbit.verify(at, answer.certificate_document()).accepted is True
    below = parse_instance(rewriters.with_threshold(document, minimum - HAIR))
    answer = ermbit.solve(below, timeout=300, threads=2)
    assert (answer.status, answer.certificate) == ("unsat", None), (answer, document)


def test_engines_one_by_one_through_the_public_interface() -> None:
    # Every engine takes a linear neuron, and no other network is for all of them.
    document = instance(neuron("identity"), [[1], [2]], [[2], [4]])
    minimum, _ = reference.minimum(document)
    assert minimum == 1
    at = parse_instance(rewriters.with_threshold(document, minimum))
    below = parse_instance(rewriters.with_threshold(document, minimum - HAIR))
    for name in [*FINITE_ENGINES, "cross-check"]:
        assert ermbit.solve(at, engine=name, timeout=300).status == "sat"
        assert ermbit.solve(below, engine=name, timeout=300).status == "unsat"
        assert ermbit.minimize(at, engine=name, timeout=300).lower_bound == 1


# --- degenerate cases ----------------------------------------------------------------------------

BITS = {"domain": "integer", "low": 0, "high": 1}
SIGNS = {"domain": "integer", "low": -1, "high": 1}


def neuron(activation: Any, inputs: int = 1, units: int = 1, **more: Any) -> dict[str, Any]:
    """One layer."""
    return {"inputs": inputs, "layers": [{"units": units, "activation": activation} | more]}


def hidden(activation: Any, inputs: int = 1, units: int = 2, outputs: int = 1) -> dict[str, Any]:
    """One hidden layer without biases below an identity layer without biases."""
    return {
        "inputs": inputs,
        "layers": [
            {"units": units, "activation": activation, "bias": False},
            {"units": outputs, "activation": "identity", "bias": False},
        ],
    }


def instance(
    network: dict[str, Any],
    x: list[list[Any]],
    y: list[list[Any]],
    loss: str = "absolute",
    weights: dict[str, Any] = SIGNS,
    reduction: str = "sum",
    sample_weights: list[Any] | None = None,
    **of_loss: Any,
) -> Document:
    data: dict[str, Any] = {"x": x, "y": y}
    if sample_weights is not None:
        data["sample_weights"] = sample_weights
    return {
        "format": "ermbit-instance",
        "version": 1,
        "name": "degenerate",
        "network": network,
        "weights": weights,
        "data": data,
        "loss": {"name": loss, "reduction": reduction, **of_loss},
        "threshold": 0,
    }


def frozen(activation: Any, weight: Any, bias: Any) -> dict[str, Any]:
    """One neuron of one input without free parameters."""
    return neuron(activation, weights=[[weight]], biases=[bias])


STEP_WITH_JUMP = {
    "name": "piecewise_linear",
    "breakpoints": [0, 1],
    "slopes": [1, 0, "-1/2"],
    "intercepts": [0, 5, 3],
}


def degenerate() -> Iterator[tuple[str, Document, Fraction | None]]:
    """Name, document, and the minimum where it is known without enumeration."""
    for loss in ("absolute", "squared"):
        yield (
            f"duplicate samples, {loss}",
            instance(neuron("relu"), [[1], [1], [1], [2]], [[1], [1], [1], [0]], loss),
            None,
        )
        yield (
            f"contradictory labels, {loss}",
            instance(neuron("identity"), [[1], [1]], [[0], [1]], loss),
            Fraction(1),
        )
    for reduction in REDUCTIONS:
        yield (
            f"contradictory duplicates, {reduction}",
            instance(neuron("identity"), [[1], [1], [1]], [[0], [1], [1]], reduction=reduction),
            {"mean": Fraction(1, 3), "sum": Fraction(1), "max": Fraction(1)}[reduction],
        )
        yield (
            f"one sample of weight, {reduction}",
            instance(
                neuron("abs"),
                [[1], [2], [3]],
                [[7], [1], [8]],
                reduction=reduction,
                sample_weights=[0, "1/3", 0],
            ),
            Fraction(0),
        )
        yield (
            f"duplicates of different weight, {reduction}",
            instance(
                neuron("step"),
                [[1], [1], [-1]],
                [[0], [0], [1]],
                reduction=reduction,
                sample_weights=["1/2", 3, 0],
            ),
            Fraction(0),
        )
    yield (
        "collinear points",
        instance(hidden("relu"), [[-1], [0], [1], [2]], [[1], [0], [1], [2]]),
        Fraction(0),
    )
    yield (
        "collinear points off the grid",
        instance(hidden("abs"), [["-1/2"], [0], ["1/2"], [1]], [[1], [0], [1], [2]]),
        Fraction(0),
    )
    yield (
        "zero columns",
        instance(neuron("relu", 3), [[0, 1, 0], [0, 2, 0]], [[1], [2]]),
        Fraction(0),
    )
    yield ("all inputs zero", instance(neuron("sign", 2), [[0, 0]] * 2, [[1], [1]]), Fraction(0))
    yield (
        "constant labels",
        instance(hidden("step"), [[-1], [0], [1]], [[1], [1], [1]]),
        None,
    )
    yield ("one sample", instance(neuron("relu"), [[5]], [[4]]), Fraction(0))
    yield (
        "fewer samples than inputs",
        instance(neuron("identity", 4, bias=False), [[1, 1, 1, 1]], [["5/2"]]),
        Fraction(1, 2),
    )
    yield (
        "single value domain",
        instance(
            neuron("relu"), [[1], [2]], [[3], [4]], weights={"domain": "finite", "values": [1]}
        ),
        Fraction(2),
    )
    yield (
        "single value next to a choice",
        instance(
            neuron("identity"),
            [[1], [2]],
            [["3/2"], ["5/2"]],
            weights={"domain": "integer", "low": 0, "high": 1}
            | {"biases": {"domain": "integer", "low": 1, "high": 1, "denominator": 2}},
        ),
        Fraction(0),
    )
    yield (
        "no free parameter",
        instance(frozen("relu", 2, "-1/3"), [[1], [0]], [[1], [1]], reduction="mean"),
        Fraction(5, 6),
    )
    yield (
        "no free parameter, squared",
        instance(frozen("square", "1/3", 1), [[1]], [[1]], "squared"),
        Fraction(49, 81),
    )
    yield (
        "three classes that tie",
        instance(
            neuron("identity", 1, 3, bias=False), [[0], [0], [0]], [[0], [1], [2]], "zero_one"
        ),
        Fraction(3),
    )
    yield (
        "three classes that tie, hinge",
        instance(neuron("identity", 1, 3, bias=False), [[0], [0], [0]], [[0], [1], [2]], "hinge"),
        Fraction(3),
    )
    for margin, minimum in ((1, 0), (2, 0), ("2.0000001", 2), ("1/2", 0)):
        yield (
            f"two classes with margin {margin}",
            instance(
                neuron("identity", 1, 2, bias=False),
                [[1], [-1]],
                [[0], [1]],
                "zero_one",
                margin=margin,
            ),
            Fraction(minimum),
        )
    yield (
        "hinge exactly at its kink",
        instance(neuron("identity", bias=False), [[1], [-1]], [[1], [-1]], "hinge"),
        Fraction(0),
    )
    yield (
        "zero_one at f = 0",
        instance(neuron("identity", bias=False), [[0], [0]], [[1], [-1]], "zero_one"),
        Fraction(2),
    )
    yield (
        "zero_one on a step output",
        instance(neuron("step"), [[1], [-1]], [[1], [-1]], "zero_one"),
        Fraction(1),
    )
    for activation, at_zero in (("step", 1), ("sign", 1), (STEP_WITH_JUMP, 5), ("relu", 0)):
        name = activation if isinstance(activation, str) else activation["name"]
        yield (
            f"{name} at exactly 0",
            instance(neuron(activation, 2, bias=False), [[1, 1], [2, 2]], [[at_zero], [at_zero]]),
            Fraction(0),
        )
        yield (
            f"{name} at exactly 0 by rationals",
            instance(
                neuron(activation, weights=[[None]], biases=["-1/3"]),
                [["1/3"]],
                [[at_zero]],
                weights={"domain": "finite", "values": [1, "999/1000"]},
            ),
            Fraction(0),
        )
    yield (
        "pieces at their breakpoints",
        instance(
            neuron(STEP_WITH_JUMP, bias=False),
            [[1], ["999999/1000000"]],
            [["5/2"], [5]],
            weights=BITS,
        ),
        Fraction(0),
    )
    yield (
        "clip at both ends",
        instance(
            neuron({"name": "clip", "low": "-1/2", "high": 1}),
            [[1], [-1], [3]],
            [[1], ["-1/2"], [1]],
        ),
        Fraction(0),
    )
    yield (
        "max of ties",
        instance(neuron("max", 3), [[1, 1, 1], [0, 0, 0]], [[1], [0]]),
        Fraction(0),
    )
    yield (
        "max of one input",
        instance(neuron("max", 1), [[-2], [1]], [[-2], [1]]),
        Fraction(0),
    )
    constant: dict[str, Any] = {
        "inputs": 1,
        "neurons": [
            {"id": "c", "inputs": {}, "bias": None, "activation": "relu"},
            {"id": "z", "inputs": {}, "activation": "step"},
            {"id": "f", "inputs": {"x0": None, "c": None, "z": 1}, "activation": "identity"},
        ],
        "outputs": ["f"],
    }
    yield ("neurons without inputs", instance(constant, [[0], [1]], [[2], [1]]), Fraction(0))
    alone: dict[str, Any] = {
        "inputs": 1,
        "neurons": [{"id": "f", "inputs": {}, "bias": None, "activation": "sign"}],
        "outputs": ["f"],
    }
    yield ("an output without inputs", instance(alone, [[0], [1]], [[1], [-1]]), Fraction(2))
    masked = hidden("relu", 2)
    masked["layers"][0] |= {"mask": [[0, 0], [1, 0]], "bias": True}
    yield ("a unit with every edge masked", instance(masked, [[1, 5]], [[2]]), Fraction(0))
    opposite = [[{"param": "w"}, {"param": "w", "scale": -1}]]
    twice = neuron("identity", 2, bias=False, weights=opposite)
    yield ("a shared parameter that cancels", instance(twice, [[1, 1]], [[1]]), Fraction(1))
    same: dict[str, Any] = {
        "inputs": 1,
        "neurons": [{"id": "f", "inputs": {"x0": None}, "activation": "abs"}],
        "outputs": ["f", "f"],
    }
    yield ("one neuron as both outputs", instance(same, [[1]], [[0, 1]]), Fraction(1))
    yield (
        "a negative slope",
        instance(neuron({"name": "leaky_relu", "slope": -1}), [[-1], [1]], [[1], [1]]),
        Fraction(0),
    )
    yield (
        "a polynomial that is constant",
        instance(neuron({"name": "polynomial", "coefficients": ["1/2", 0, 0]}), [[1]], [[1]]),
        Fraction(1, 2),
    )
    yield (
        "squares of squares",
        instance(hidden("square", units=1), [[1], [2]], [[1], [4]], "squared"),
        Fraction(0),
    )
    yield (
        "large and tiny numbers",
        instance(
            neuron("relu"),
            [["1000000000000"], ["1/1000000000000"]],
            [["1000000000001"], ["1000000000001/1000000000000"]],
        ),
        Fraction(0),
    )


DEGENERATE = {name: (document, known) for name, document, known in degenerate()}


@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_instances(name: str) -> None:
    document, known = DEGENERATE[name]
    minimum, _ = reference.minimum(document)
    assert known is None or minimum == known, "the reference contradicts the stated minimum"
    names = complete_engines(document)["decide"]
    assert {"exhaustive", "sat"} <= set(names), names
    check_against_reference(document, name)


def test_thresholds_exactly_at_every_attainable_loss() -> None:
    """`sat` with a certificate no worse than asked, at and just below each attainable loss."""
    document = instance(hidden("relu"), [[1], [-2], ["1/3"]], [[1], [1], [0]], reduction="mean")
    attainable = reference.achievable(document)
    assert len(attainable) > 5
    for name in complete_engines(rewriters.with_threshold(document, attainable[1]))["decide"]:
        for lower, loss in itertools.pairwise(attainable):
            assert decide(name, document, loss).status == "sat"
            below = decide(name, document, loss - HAIR)
            assert below.status == "sat" and below.values is not None
            theta = {
                parameter.name: fraction(value)
                for parameter, value in zip(
                    parse_instance(document).network.parameters, below.values, strict=True
                )
            }
            assert reference.loss(document, theta) <= lower
        assert decide(name, document, attainable[0] - HAIR).status == "unsat"
