"""The engine ``enclosures``: rounding, long numbers, equal states, against plain evaluation."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import gmpy2
import pytest
from gmpy2 import mpq, mpz
from hypothesis import given, settings
from hypothesis import strategies as st

import ermbit
import reference
from engine_checks import decide, fraction, least, problem_of
from ermbit.engines.enclosures.activation import activated
from ermbit.engines.enclosures.interval import Enclosure, Intervals
from ermbit.engines.enclosures.network import Box, Network
from ermbit.engines.enclosures.search import Search
from ermbit.engines.engine import Budget, ignore
from ermbit.engines.registry import engine
from ermbit_encodings.integer_form import IntegerNeuron
from ermbit_instances.instance import parse_instance
from random_instances import random_instance
from reference import Document

HAIR = Fraction(1, 10**9)
SQUARE = "square"
CUBIC = {"name": "polynomial", "coefficients": [0, -1, 0, 1]}
SHIFTED = {"name": "polynomial", "coefficients": [1, 1, 1]}


def tower(
    depth: int,
    domain: list[Any],
    x: list[int],
    y: list[Any],
    *,
    activation: Any = SQUARE,
    loss: str = "absolute",
    reduction: str = "sum",
) -> Document:
    """Units one above the other, all weights and biases of one finite domain."""
    layers: list[Any] = [{"units": 1, "activation": activation} for _ in range(depth)]
    return {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": 1, "layers": [*layers, {"units": 1, "activation": "identity"}]},
        "weights": {"domain": "finite", "values": domain},
        "data": {"x": [[v] for v in x], "y": [[v] for v in y]},
        "loss": {"name": loss, "reduction": reduction},
    }


def planted(document: Document, rng: random.Random, values: list[int]) -> list[str]:
    """Targets that one network with parameters among these values meets."""
    form = problem_of(document).integer
    assert form is not None
    theta = [rng.choice(values) for _ in form.grids]
    return [mpz(form.outputs_of(x, theta)[0]).digits() for x in form.inputs]


def at(document: Document, threshold: Any) -> Document:
    return {**document, "threshold": str(threshold)}


def status(document: Document) -> str:
    problem = problem_of(document)
    return engine("enclosures").decide(problem, Budget(time.monotonic() + 300), ignore).status


# ---------------------------------------------------------------- long numbers


@pytest.mark.parametrize(("depth", "moved"), [(8, 0), (8, 1), (8, -2), (12, -3), (16, 0), (16, 1)])
def test_targets_of_thousands_of_bits(depth: int, moved: int) -> None:
    """One network meets the targets; a third one contradicts the first by a little."""
    document = tower(depth, [-1, 0, 1, 2], [3, -2], [0, 0])
    targets = planted(document, random.Random(depth), [1, 2])
    targets.append((mpz(targets[0]) + moved).digits())
    document["data"] = {"x": [[3], [-2], [3]], "y": [[t] for t in targets]}
    assert max(map(len, targets)) > 2**depth / 4
    assert status(at(document, abs(moved))) == "sat"
    if moved:
        # |f − y| + |f − y − moved| ≥ |moved|
        assert status(at(document, Fraction(2 * abs(moved) - 1, 2))) == "unsat"


@pytest.mark.parametrize("depth", [3, 12, 16])
def test_least_loss_that_is_a_long_number(depth: int) -> None:
    """Weights are at least 1, and the targets are below all outputs: the least output counts."""
    document = tower(depth, [1, 2, 3], [3, 2], [0, 1])
    form = problem_of(document).integer
    assert form is not None
    expected = form.total([1] * len(form.grids))
    outcome = engine("enclosures").minimize(problem_of(document), Budget(), ignore)
    assert outcome.status == "optimal" and outcome.lower_bound == expected
    assert status(at(document, mpz(expected).digits())) == "sat"
    assert status(at(document, mpz(expected - 1).digits())) == "unsat"


@pytest.mark.parametrize("loss", ["absolute", "squared"])
def test_the_whole_way(loss: str) -> None:
    """From the document to a verified answer, at the least loss and just below."""
    document = tower(14, [1, 2], [1, 2], [5, "-1/3"], loss=loss, reduction="mean")
    outcome = ermbit.minimize(parse_instance(document))
    assert outcome.status == "optimal" and outcome.engine == "enclosures"
    least_loss = outcome.loss
    assert isinstance(least_loss, mpq) and least_loss.numerator.bit_length() > 2**14
    below = mpq(least_loss.numerator * 2 - 1, least_loss.denominator * 2)
    for threshold, expected in ((least_loss, "sat"), (below, "unsat")):
        text = f"{threshold.numerator.digits()}/{threshold.denominator.digits()}"
        question = parse_instance({**document, "threshold": text})
        assert ermbit.solve(question).status == expected


def test_zeros_cut_a_tower_in_two() -> None:
    """3^26 assignments: zeros first, or equal states, or it would not end."""
    document = tower(12, [-1, 0, 2], [5, 6], [-3, -3])
    document["data"]["y"] = [[-3], [-4]]
    assert least("enclosures", document)[0] == "optimal"
    assert status(at(document, Fraction(1, 2))) == "unsat"


def test_equal_states_are_met_once() -> None:
    """w and −w give the same square: every layer has half as many states as choices."""
    document = tower(4, [-1, 1], [1, 2], [1000, -1000])
    form = problem_of(document).integer
    assert form is not None
    best = min(map(form.total, itertools.product((-1, 1), repeat=len(form.grids))))
    network = Network(form)
    totals: list[int] = []

    def found(parameters: tuple[int, ...], total: int) -> int:
        assert form.total(parameters) == total
        totals.append(total)
        return total - 1

    search = Search(network, 10**9, found, lambda: None)
    search.run()
    assert totals[-1] == best
    assert search.equal > 0


def test_the_end_of_the_time() -> None:
    document = tower(6, [-1, 0, 1, 2], [1, 2], [3, 4])
    past = Budget(time.monotonic() - 1)
    for task in ("decide", "minimize"):
        outcome = getattr(engine("enclosures"), task)(problem_of(at(document, 0)), past, ignore)
        assert outcome.status in ("unknown", "feasible")
        assert outcome.reason == "time limit"


def test_what_it_is_not_for() -> None:
    document = tower(2, [1, 2], [1], [1])
    document["weights"] = {"domain": "real"}
    said = engine("enclosures").capability(problem_of(document), "minimize")
    assert not said.applicable and said.reason == "a parameter has infinitely many values"
    document["weights"] = {"domain": "integer", "low": 0, "high": 10**6}
    assert not engine("enclosures").capability(problem_of(document), "minimize").applicable


# ---------------------------------------------------------------- against the reference


def drawn() -> Iterator[Document]:
    rng = random.Random("enclosures")
    for k in range(40):
        knobs: dict[str, Any] = {"activation": (SQUARE, "polynomial", CUBIC, SHIFTED)[k % 4]}
        if k % 5 == 0:
            knobs["hidden_layers"] = 3
        yield random_instance(rng, max_assignments=150, **knobs)


def test_polynomial_networks_against_the_reference() -> None:
    for document in drawn():
        attainable = reference.achievable(document)
        minimum = attainable[0]
        if engine("enclosures").capability(problem_of(document), "minimize").applicable:
            assert least("enclosures", document) == ("optimal", minimum), document
            assert decide("enclosures", document, minimum).status == "sat"
            assert decide("enclosures", document, minimum - HAIR).status == "unsat"


@pytest.mark.parametrize("loss", ["absolute", "squared", "hinge", "zero_one"])
@pytest.mark.parametrize("reduction", ["sum", "max"])
def test_towers_against_enumeration(loss: str, reduction: str) -> None:
    rng = random.Random(f"{loss} {reduction}")
    for activation in (SQUARE, CUBIC, SHIFTED, "relu"):
        y = [rng.choice((-1, 1)) if loss in ("hinge", "zero_one") else 50] * 2 + [1]
        document = tower(
            3,
            [*[-1, 0, 1][: rng.choice((2, 3))], "5/3"],
            [3, -2, 5],
            y,
            activation=activation,
            loss=loss,
            reduction=reduction,
        )
        document["network"]["layers"][1]["bias"] = False
        document["network"]["layers"][3]["bias"] = False
        form = problem_of(document).integer
        assert form is not None
        network = Network(form)
        best = min(map(form.total, itertools.product(*network.values)))
        assert least("enclosures", document)[1] == fraction(form.loss(best))


# ---------------------------------------------------------------- intervals


def contains(a: Enclosure, value: int) -> bool:
    return bool(a[0] <= value <= a[1] and abs(value) >= a[2])


RUNS = st.lists(st.integers(-(2**70), 2**70), min_size=1, max_size=4)


@settings(max_examples=150, deadline=None)
@given(RUNS, RUNS, st.sampled_from([2, 5, 24, 64]), st.integers(1, 5))
def test_enclosures_hold_all_results(a: list[int], b: list[int], bits: int, k: int) -> None:
    intervals = Intervals(bits)
    x, y = (intervals.between(min(v), max(v), min(map(abs, v))) for v in (a, b))
    for p, q in itertools.product(a, b):
        assert contains(x, p) and contains(y, q)
        assert contains(intervals.add(x, y), p + q)
        assert contains(intervals.multiply(x, y), p * q)
        assert contains(intervals.power(x, k), p**k)


NEURONS = (
    IntegerNeuron(0, 1, 1, (), None, "polynomial", coefficients=(0, 0, 1)),
    IntegerNeuron(0, 1, 1, (), None, "polynomial", coefficients=(7, -5, 0, 2)),
    IntegerNeuron(0, 1, 1, (), None, "polynomial", coefficients=(-3, 1, 1, 0, -4)),
    IntegerNeuron(0, 1, 1, (), None, "piecewise_linear", (0,), ((0, 0), (1, 0))),
    IntegerNeuron(
        0, 1, 1, (), None, "piecewise_linear", (-5, 3, 3), ((2, 1), (0, -9), (1, 1), (-3, 8))
    ),
    IntegerNeuron(0, 1, 1, (), None, "piecewise_linear", (0,), ((0, -1), (0, 1))),
)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(NEURONS),
    st.lists(st.integers(-20, 20) | st.integers(-(2**40), 2**40), min_size=1, max_size=4),
    st.sampled_from([2, 5, 24, 64]),
)
def test_enclosures_of_activations(neuron: IntegerNeuron, z: list[int], bits: int) -> None:
    intervals = Intervals(bits)
    before = intervals.between(min(z), max(z), min(map(abs, z)))
    after = activated(intervals, neuron, before)
    for value in z:
        assert contains(after, neuron.activate(value))


def test_boxes_without_zero() -> None:
    document = tower(1, [-3, -1, 0, 2, 5], [1], [1])
    form = problem_of(document).integer
    assert form is not None
    network = Network(form)
    assert network.run(0, 0, 5, True) == Box(0, 5, True)
    assert network.run(0, 2, 5, True) == Box(3, 5)
    assert network.run(0, 0, 3, True) == Box(0, 2)
    assert network.run(0, 2, 3, True) is None
    assert list(network.members(0, Box(0, 5, True))) == [0, 1, 3, 4]
    term = form.neurons[0].terms[0]
    boxes = (Box(0, 5, True), *(network.whole(p) for p in range(1, len(network.values))))
    low, high, gap = network.factor(term, boxes, Intervals(64))
    assert (low, high, gap) == (-3, 5, 1)
    assert gmpy2.get_context().precision == 53, "the context of others is left alone"
