"""The exhaustive engine against full naive enumeration, in all its ways of cutting up the work."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from gmpy2 import mpq

import random_instances
import reference
from engine_checks import fraction, problem_of
from ermbit.engines import enumerable
from ermbit.engines.engine import Budget, Event, Incumbent, LowerBound, Outcome, ignore
from ermbit.engines.exhaustive import search as enumeration_search
from ermbit.engines.exhaustive import states as enumeration_states
from ermbit.engines.exhaustive.engine import ExhaustiveEngine
from ermbit.engines.exhaustive.states import Batch
from ermbit.engines.exhaustive.vector_evaluation import VectorEvaluator
from ermbit_encodings.finite_form import finite_problem
from ermbit_encodings.problem import Problem
from ermbit_instances.errors import InternalError

ENGINE = ExhaustiveEngine()
SETTINGS = ("SINGLE_FROM", "MERGE_FROM", "LAST_STATES", "LEAST_ELEMENTS", "TOTAL_ELEMENTS")
USUAL = tuple(getattr(enumeration_search, name) for name in SETTINGS)
CUTS = [
    USUAL,
    (1, 1, 7, *USUAL[3:]),  # every state alone, merged at every step
    (1, 10**9, 2**16, 40, 40),  # hardly any memory, so no tables and small pieces; no merging
    (20, 2, 1, 300, 300),
    (10**9, 1, 2**16, 1, 1),
]


def named(problem: Problem, outcome: Outcome) -> dict[str, Fraction]:
    """θ by name; each value is checked to lie in its own domain."""
    assert outcome.values is not None
    parameters = problem.instance.network.parameters
    for parameter, value in zip(parameters, outcome.values, strict=True):
        assert value in parameter.domain
    return {
        p.name: fraction(v)
        for p, v in zip(parameters, outcome.values, strict=True)
    }


def check(document: reference.Document) -> None:
    """Least loss, its decision, and the decision just below it, all by both."""
    least, _ = reference.minimum(document)
    exact = mpq(least.numerator, least.denominator)
    problem = problem_of(document)
    capability = ENGINE.capability(problem, "minimize")
    assert capability.applicable
    assert capability.complete
    events: list[Event] = []
    best = ENGINE.minimize(problem, Budget(), events.append)
    assert (best.status, best.lower_bound) == ("optimal", exact)
    assert reference.loss(document, named(problem, best)) == least
    losses = [e.loss for e in events if isinstance(e, Incumbent)]
    assert losses[-1] == exact
    assert losses == sorted(set(losses), reverse=True)
    bounds = [e.loss for e in events if isinstance(e, LowerBound)]
    assert bounds[0] == 0
    assert bounds[-1] == exact
    found = ENGINE.decide(problem.with_threshold(exact), Budget(), ignore)
    assert found.status == "sat"
    assert reference.loss(document, named(problem, found)) == least
    below = ENGINE.decide(problem.with_threshold(exact - mpq(1, 10**12)), Budget(), ignore)
    assert (below.status, below.values) == ("unsat", None)


def random_documents(block: int, count: int, **knobs: Any) -> list[reference.Document]:
    rng = random.Random(f"exhaustive {block}")
    return [
        random_instances.random_instance(rng, max_assignments=rng.choice([30, 120, 400]), **knobs)
        for _ in range(count)
    ]


@pytest.mark.parametrize("block", range(10))
def test_agrees_with_naive_enumeration(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for i, document in enumerate(random_documents(block, 20)):
        for name, value in zip(SETTINGS, CUTS[i % len(CUTS)], strict=True):
            monkeypatch.setattr(enumeration_search, name, value)
        check(document)


def test_the_random_documents_cover_the_format() -> None:
    seen = set[str]()
    for block in range(10):
        for document in random_documents(block, 20):
            seen |= random_instances.features(document)
    wanted = random_instances.whole_format(
        "shared", "scale", "mask", "skip", "frozen", "margin", "several outputs",
        "no free parameter", "sample weights", "zero weight", "contradiction", "constant neuron",
        "parameter override",
    )  # fmt: skip
    assert wanted <= seen


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("activation", ["relu", "sign", "square", "max"])
def test_interchangeable_neurons_in_two_layers(
    activation: str, cut: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in zip(SETTINGS, cut, strict=True):
        monkeypatch.setattr(enumeration_search, name, value)
    rng = random.Random(f"{activation} in two layers")
    for widths in ([3], [2, 2]):
        layers = [{"units": h, "activation": activation, "bias": False} for h in widths]
        document = dense(rng, 1, layers, {"domain": "finite", "values": [-1, 2]}, samples=3)
        check(document)


@pytest.mark.parametrize("activation", ["relu", "abs", "sign"])
@pytest.mark.parametrize("shared", [False, True])
def test_any_amount_of_memory_gives_the_same_answer(
    activation: str, shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(f"{activation} {shared}")
    layers: list[dict[str, Any]] = [
        {"units": 2, "activation": activation, "bias": False} for _ in range(2)
    ]
    document = dense(rng, 1, layers, {"domain": "finite", "values": [-1, 2]}, samples=3)
    network = document["network"]["layers"]
    if shared:
        network[0]["weights"] = [[{"param": "s"}], [None]]
        network[1]["weights"] = [[{"param": "s"}, None], [{"param": "t"}, None]]
        network[2]["weights"] = [[{"param": "t"}, None]]
    document["network"]["layers"][2]["bias"] = False
    check_in_little_memory(document, [1, 2, 4, 6, 7, 11, 16, 24, 37], monkeypatch)


def check_in_little_memory(
    document: reference.Document, amounts: Iterable[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    least, _ = reference.minimum(document)
    assert least > 0
    problem = problem_of(document)
    monkeypatch.setattr(enumeration_search, "TOTAL_ELEMENTS", 1)
    for elements, single, merge in itertools.product(amounts, (1, 10**9), (1, 10**9)):
        monkeypatch.setattr(enumeration_search, "LEAST_ELEMENTS", elements)
        monkeypatch.setattr(enumeration_search, "SINGLE_FROM", single)
        monkeypatch.setattr(enumeration_search, "MERGE_FROM", merge)
        best = ENGINE.minimize(problem, Budget(), ignore)
        assert best.lower_bound == mpq(least.numerator, least.denominator)
        assert best.status == "optimal"


@pytest.mark.parametrize("target", [[-7, 0], [0, 5], [9, -8], [1, 1], [-2, 3]])
def test_tables_are_not_kept_for_states_that_differ(
    target: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    # In little memory a set of one state often follows a set of one state: n3 has
    # a table for each.
    def neuron(name: str, activation: str, **inputs: int | None) -> dict[str, Any]:
        return {"id": name, "inputs": inputs, "activation": activation}

    document = dense(
        random.Random(1), 1, [], {"domain": "finite", "values": [-2, -1, 1, 3]}, samples=2
    )
    document["network"] = {
        "inputs": 1,
        "neurons": [
            neuron("m", "identity", x0=None),
            neuron("e", "identity", m=1),
            neuron("n1", "identity", x0=None),
            neuron("n2", "sign", n1=1),
            neuron("n3", "relu", n2=1),
            neuron("out", "identity", n3=None, m=1, e=1),
        ],
        "outputs": ["out"],
    }
    document["data"] = {"x": [[1], [-1]], "y": [[f"{2 * v + 1}/2"] for v in target]}
    check_in_little_memory(document, range(1, 40), monkeypatch)


def test_alike_neurons_that_are_read_differently_keep_their_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # One state at a time, since larger pieces may include what an order leaves out.
    monkeypatch.setattr(enumeration_search, "LAST_STATES", 1)
    rng = random.Random(2)
    layers: list[dict[str, Any]] = [
        {"units": 2, "activation": "identity", "bias": False},
        {"units": 2, "activation": "relu", "bias": False, "weights": [[1, 2], [3, -1]]},
    ]
    document = dense(rng, 1, layers, {"domain": "finite", "values": [1, 2, 5]}, samples=2)
    document["data"]["x"] = [[1], [-1]]
    document["network"]["layers"][2] |= {"weights": [[1, 10]], "bias": False}
    for first in (1, 2, 5):
        for second in (1, 2, 5):
            theta = {"W1[0,0]": Fraction(first), "W1[1,0]": Fraction(second)}
            outputs = reference.outputs(document, theta)
            document["data"]["y"] = [[str(v) for v in row] for row in outputs]
            check(document)


def merged(registers: dict[Any, list[list[int]]], size: int) -> dict[Any, list[list[int]]]:
    arrays = {key: np.array(rows) for key, rows in registers.items()}
    return {key: v.tolist() for key, v in Batch(size, arrays).merged().registers.items()}


@pytest.mark.parametrize("multiplier", [0, 0x9E3779B97F4A7C15])
def test_merging_keeps_one_of_each_state(multiplier: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # The multiplier 0 makes all hashes equal: then only neighbours are compared.
    monkeypatch.setattr(enumeration_states, "_MULTIPLIER", np.uint64(multiplier))
    states = {("a", 0): [[7]], ("z", 1): [[1, 1, 2, 2], [3, 3, 3, 4]]}
    assert merged(states, 4) == {("a", 0): [[7]], ("z", 1): [[1, 2, 2], [3, 3, 4]]}


def test_merging_keeps_the_least_table_position() -> None:
    states = {("z", 1): [[8, 8, 8, 9]], ("r", 0): [[5, 2, 4, 1]]}
    assert merged(states, 4) == {("z", 1): [[9, 8]], ("r", 0): [[1, 2]]}
    assert merged({("r", 0): [[5, 2, 4]]}, 3) == {("r", 0): [[2]]}
    assert merged({("a", 0): [[5]]}, 3) == {("a", 0): [[5]]}


def dense(
    rng: random.Random,
    inputs: int,
    layers: list[dict[str, Any]],
    weights: dict[str, Any],
    *,
    samples: int,
    loss: str = "absolute",
) -> reference.Document:
    return {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": inputs, "layers": [*layers, {"units": 1, "activation": "identity"}]},
        "weights": weights,
        "data": {
            "x": [[rng.randint(-3, 3) for _ in range(inputs)] for _ in range(samples)],
            "y": [[rng.choice([-1, 1, 4]) for _ in range(1)] for _ in range(samples)],
        },
        "loss": {"name": loss, "reduction": "sum"},
        "threshold": 0,
    }


def test_tables_and_multisets_leave_out_most_assignments() -> None:
    rng = random.Random(5)
    layers = [{"units": 3, "activation": "step"}]
    weights = {"domain": "integer", "low": -1, "high": 1}
    problem = problem_of(dense(rng, 2, layers, weights, samples=5))
    best = ENGINE.minimize(problem, Budget(), ignore)
    assert best.status == "optimal"
    assert problem.assignments == 3**13
    # At most 3 · 2^5 signed patterns a unit, three units as a multiset, three output biases.
    assert best.statistics["evaluated"] <= 3 * (97 * 98 * 99) // 6


@pytest.mark.parametrize("block", range(20, 22))
def test_python_integers_give_the_same_answers(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = enumerable.enumeration_bounds
    monkeypatch.setattr(
        enumerable,
        "enumeration_bounds",
        lambda form, bits: replace(usual(form, bits), magnitude=2**80),  # type: ignore[type-var]
    )
    for document in random_documents(block, 12):
        check(document)


@pytest.mark.parametrize(
    ("size", "arithmetic"), [(1, "int32"), (10**9, "int64"), (10**30, "object")]
)
def test_the_type_of_numbers_follows_their_bound(size: int, arithmetic: str) -> None:
    rng = random.Random(11)
    layers = [{"units": 2, "activation": "relu"}]
    weights = {"domain": "finite", "values": [-1, 0, 1]}
    document = dense(rng, 1, layers, weights, samples=3, loss="absolute")
    document["data"]["x"] = [[v * size] for v in (-1, 1, 2)]
    document["data"]["y"] = [[size + 1], [3], [-size]]
    check(document)
    best = ENGINE.minimize(problem_of(document), Budget(), ignore)
    assert best.statistics["arithmetic"] == arithmetic


def test_sums_that_pass_the_range_of_machine_integers() -> None:
    rng = random.Random(13)
    document = dense(
        rng,
        1,
        [{"units": 1, "activation": {"name": "polynomial", "coefficients": [0, 1, 0, 0, 0, 1]}}],
        {"domain": "finite", "values": [-7, 0, 5]},
        samples=3,
        loss="squared",
    )
    document["data"]["x"] = [[12345], [-9999], [1]]
    check(document)


@pytest.mark.parametrize(("bits", "units"), [(1, 2), (2, 1), (3, 0)])
def test_small_rational_domains(bits: int, units: int) -> None:
    rng = random.Random(bits)
    layers = [{"units": units, "activation": "relu", "bias": False}] if units else []
    weights = {"domain": "rational", "bits": bits}
    for loss in ("absolute", "squared"):
        document = dense(rng, 1, layers, weights, samples=3, loss=loss)
        document["data"]["x"] = [["1/3"], [2], ["-5/7"]]
        check(document)


def test_finite_problem_lists_the_values_in_order() -> None:
    rng = random.Random(1)
    document = dense(rng, 2, [], {"domain": "rational", "bits": 3}, samples=2)
    document["weights"]["biases"] = {"domain": "integer", "low": 0, "high": 1}
    problem = problem_of(document)
    assert problem.integer is None
    finite = finite_problem(problem)
    assert finite is not None
    assert finite.integer is not None
    for old, new in zip(
        problem.instance.network.parameters, finite.instance.network.parameters, strict=True
    ):
        assert (old.index, old.name) == (new.index, new.name)
        assert list(old.domain.values()) == list(new.domain.values())
    assert finite_problem(finite) is finite
    assert finite_problem(problem, max_values=10) is None


def test_no_grid_for_reals_and_long_rationals() -> None:
    rng = random.Random(1)
    for weights in ({"domain": "real"}, {"domain": "rational", "bits": 12}):
        problem = problem_of(dense(rng, 2, [], weights, samples=2))
        assert finite_problem(problem) is None
        assert not ENGINE.capability(problem, "decide").applicable
        assert ENGINE.decide(problem, Budget(), ignore).status == "unknown"
        assert ENGINE.minimize(problem, Budget(), ignore).status == "unknown"


def test_too_much_work_is_declined() -> None:
    weights = {"domain": "integer", "low": -100, "high": 100}
    layers = [{"units": 9, "activation": "relu"}]
    problem = problem_of(dense(random.Random(1), 3, layers, weights, samples=6))
    capability = ENGINE.capability(problem, "decide")
    assert not capability.applicable
    assert "too many" in capability.reason


def test_a_negative_threshold_is_unsat_at_once() -> None:
    weights = {"domain": "integer", "low": -1, "high": 1}
    problem = problem_of(dense(random.Random(1), 1, [], weights, samples=2))
    outcome = ENGINE.decide(problem.with_threshold(mpq(-1, 10**9)), Budget(), ignore)
    assert (outcome.status, outcome.statistics) == ("unsat", {})


def test_an_expired_deadline_proves_nothing() -> None:
    weights = {"domain": "integer", "low": -1, "high": 1}
    layers = [{"units": 2, "activation": "relu"}]
    document = dense(random.Random(3), 1, layers, weights, samples=4)
    problem = problem_of(document)
    least, _ = reference.minimum(document)
    assert least > 0
    late = Budget(deadline=time.monotonic() - 1)
    outcome = ENGINE.decide(problem, late, ignore)
    assert (outcome.status, outcome.reason) == ("unknown", "time limit")
    events: list[Event] = []
    best = ENGINE.minimize(problem, late, events.append)
    assert (best.status, best.lower_bound, best.reason) == ("feasible", 0, "time limit")
    assert [type(e) for e in events] == [LowerBound, Incumbent]
    assert reference.loss(document, named(problem, best)) >= least


def test_a_deadline_is_noticed_in_the_middle(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = 0

    class Clock(Budget):
        @property
        def expired(self) -> bool:
            nonlocal asked
            asked += 1
            return asked > 20

    monkeypatch.setattr(enumeration_search, "LAST_STATES", 1)
    weights = {"domain": "integer", "low": -1, "high": 1}
    layers = [{"units": 2, "activation": "relu"}]
    problem = problem_of(dense(random.Random(3), 1, layers, weights, samples=4))
    assert ENGINE.decide(problem, Clock(), ignore).status == "unknown"
    assert asked == 21


def test_a_wrong_loss_is_never_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(self: VectorEvaluator, registers: Any, first: int, last: int) -> Any:
        return np.zeros((1, 1), dtype=self.dtype)

    monkeypatch.setattr(VectorEvaluator, "losses", nothing)
    weights = {"domain": "finite", "values": [2, 3]}
    document = dense(random.Random(1), 1, [], weights, samples=4)
    document["data"]["y"] = [[-100], [7], [100], [0]]
    problem = problem_of(document)
    with pytest.raises(InternalError):
        ENGINE.decide(problem, Budget(), ignore)
    with pytest.raises(InternalError):
        ENGINE.minimize(problem, Budget(), ignore)
