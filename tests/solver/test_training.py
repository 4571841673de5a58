"""The `training` engine: planted answers, the naive reference, and what it must not claim."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import ermbit
import reference
import rewriters
from engine_checks import HAIR, check_certificate, minimize, problem_of
from ermbit.engines.engine import Budget, Event, Incumbent, Outcome, ignore
from ermbit.engines.registry import engine
from ermbit.engines.training.anneal import Energy
from ermbit.engines.training.blocks import float_network, integer_network
from ermbit.engines.training.exact import checked_loss, output_parameters, solved_outputs
from ermbit.engines.training.moves import Bench, find_units
from ermbit.engines.training.scales import recognised, scalable_neurons
from ermbit.engines.training.values import Values
from ermbit.plan import make_plan
from ermbit_encodings.finite_form import finite_problem
from ermbit_encodings.problem import Problem
from ermbit_instances.families import generate
from ermbit_instances.instance import parse_instance
from random_instances import random_instance, random_parameters
from reference import Document

PATIENCE = 12.0
"""Seconds for what is there to be found; it takes hundredths of one."""

BRIEF = 0.05
"""Seconds for what is not there."""


def run(
    document: Document, threshold: Fraction | None = None, patience: float = PATIENCE, seed: int = 0
) -> Outcome:
    """A decision; its certificate is checked, and that it ends in time without a claim."""
    if threshold is not None:
        document = rewriters.with_threshold(document, threshold)
    start = time.monotonic()
    outcome = engine("training").decide(
        problem_of(document), Budget(start + patience, seed), ignore
    )
    assert time.monotonic() - start < patience + 10
    assert outcome.status in ("sat", "unknown")
    if outcome.status == "sat":
        check_certificate(document, outcome.values, reference.number(document["threshold"]))
    else:
        assert outcome.values is None and outcome.reason
    return outcome


def planted(seed: int = 0, wider: Document | None = None, **parameters: Any) -> Document:
    """An instance whose data a network from `domain` has made, over that or a wider domain."""
    document = generate("teacher", seed, **parameters).document
    if wider is not None:
        document["weights"] = wider
    return document


def layered(
    layers: Sequence[Document],
    x: Sequence[Sequence[Any]],
    y: Sequence[Sequence[Any]],
    domain: Document,
    loss: Document | None = None,
    threshold: Any = 0,
) -> Document:
    return {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": len(x[0]), "layers": list(layers)},
        "weights": domain,
        "data": {"x": [list(row) for row in x], "y": [list(row) for row in y]},
        "loss": loss or {"name": "absolute"},
        "threshold": threshold,
    }


def integers(low: int, high: int, denominator: int = 1) -> Document:
    return {"domain": "integer", "low": low, "high": high, "denominator": denominator}


# --- planted networks ----------------------------------------------------------------------------

SHAPES = (
    (4, "3", "int:-7:7", 40),
    (6, "4", "int:-3:3", 60),
    (8, "4", "int:-3:3", 80),
    (2, "2-2", "int:-3:3", 20),
    (2, "2-2-2", "int:-2:2", 20),
)


@pytest.mark.parametrize("real", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_planted_shapes(shape: tuple[int, str, str, int], real: bool) -> None:
    inputs, hidden, domain, samples = shape
    document = planted(
        wider={"domain": "real"} if real else None,
        inputs=inputs,
        hidden=hidden,
        samples=samples,
        data_low=-8,
        data_high=8,
        domain=domain,
    )
    assert run(document, patience=120.0).status == "sat"


@pytest.mark.parametrize(
    "activation",
    ["relu", "leaky_relu:1/3", "abs", "square", "step", "sign", "clip:-1:2", "identity"],
)
@pytest.mark.parametrize("loss", ["absolute", "squared", "hinge", "zero_one"])
def test_planted_activations(activation: str, loss: str) -> None:
    document = planted(
        3, inputs=3, hidden=2, activation=activation, loss=loss, samples=16, domain="int:-2:2"
    )
    assert run(document).status == "sat"


@pytest.mark.parametrize(
    "domain",
    ["int:-9:9", "int:-8:8:4", "fixed:5:2", "finite:-2,-1,-1/3,0,1/3,1,2", "fp8_e4m3", "ternary",
     "rational:2"],
)  # fmt: skip
def test_planted_domains(domain: str) -> None:
    document = planted(1, inputs=2, hidden=2, domain=domain, samples=20, data_low=-8, data_high=8)
    assert run(document).status == "sat"


@pytest.mark.parametrize("domain", [{"domain": "real"}, {"domain": "rational", "bits": 6}])
@pytest.mark.parametrize("loss", ["absolute", "squared", "hinge", "zero_one"])
def test_planted_over_the_reals(domain: Document, loss: str) -> None:
    document = planted(2, domain, inputs=2, hidden=2, domain="int:-3:3", samples=12, loss=loss)
    assert run(document).status == "sat"


@pytest.mark.parametrize("loss", ["hinge", "zero_one"])
def test_planted_classes(loss: str) -> None:
    document = planted(0, inputs=3, hidden=3, outputs=3, samples=20, loss=loss, domain="int:-4:4")
    assert run(document).status == "sat"


@pytest.mark.parametrize("loss", ["absolute", "squared", "hinge", "zero_one"])
def test_a_teacher_with_wrong_labels(loss: str) -> None:
    document = planted(
        5, inputs=2, hidden=2, samples=15, corrupted=2, gamma="teacher", loss=loss, reduction="sum"
    )
    assert run(document).status == "sat"


def pixels(
    hidden: int, samples: int, domain: Document, seed: int, loss: str = "zero_one"
) -> Document:
    """Two noisy prototypes of 64 pixels in 0..16."""
    rng = np.random.default_rng(seed)
    prototypes = rng.integers(0, 17, size=(2, 64)) * (rng.random((2, 64)) < 0.5)
    y = [1 - 2 * (i % 2) for i in range(samples)]
    x = [
        np.clip(np.rint(prototypes[(1 - v) // 2] + rng.normal(0, 10, 64)), 0, 16).astype(int)
        for v in y
    ]
    layers = [{"units": hidden, "activation": "relu"}, {"units": 1, "activation": "identity"}]
    labels = [[v] for v in y]
    return layered(layers, [row.tolist() for row in x], labels, domain, {"name": loss})


@pytest.mark.parametrize("hidden", [2, 8])
@pytest.mark.parametrize("domain", [integers(-1, 1), integers(-8, 7)])
def test_pixels_without_error(hidden: int, domain: Document) -> None:
    assert run(pixels(hidden, 40, domain, hidden)).status == "sat"


# --- against the naive reference -----------------------------------------------------------------


def draw(number: int) -> Document:
    rng = random.Random(f"training {number}")
    return random_instance(rng, max_assignments=300)


def test_random_instances_at_and_below_their_minimum() -> None:
    """Every activation, loss, domain, mask, shared and frozen entries, weights, duplicates."""
    missed, asked = [], 0
    for number in range(120):
        document = draw(number)
        if not reference.free_parameters(document):
            continue
        asked += 1
        minimum, _ = reference.minimum(document)
        if run(document, minimum, 3.0).status != "sat":
            missed.append(number)
        if number % 4 == 0:
            assert run(document, minimum - HAIR, BRIEF).status == "unknown"
    assert asked > 100 and len(missed) <= 2, missed


@pytest.mark.parametrize("number", range(0, 60, 3))
def test_incumbents_are_what_they_claim(number: int) -> None:
    document = draw(number)
    if not reference.free_parameters(document):
        return
    minimum, _ = reference.minimum(document)
    outcome = minimize("training", document, 0.4)
    assert outcome.status in ("optimal", "feasible")
    assert (outcome.status == "optimal") <= (minimum == 0)
    events: list[Event] = []
    problem = problem_of(document)
    engine("training").minimize(problem, Budget(time.monotonic() + BRIEF, 1), events.append)
    losses = []
    for event in events:
        if isinstance(event, Incumbent):
            assert event.loss is not None
            losses.append(check_certificate(document, event.values, None))
            assert losses[-1] == reference.number(str(event.loss))
    assert losses == sorted(losses, reverse=True) and losses[-1] is not None
    assert losses[-1] >= minimum


@pytest.mark.parametrize("loss", ["absolute", "squared", "hinge", "zero_one"])
@pytest.mark.parametrize("reduction", ["mean", "max"])
@pytest.mark.parametrize("real", [False, True])
def test_good_incumbents_on_data_that_fit_nothing(loss: str, reduction: str, real: bool) -> None:
    domain = {"domain": "real"} if real else integers(-3, 3)
    layers = [{"units": 1, "activation": "relu"}, {"units": 1, "activation": "identity"}]
    x, y = [[0], [0], [1], [2], [2]], [[1], [-1], [1], [-1], [1]]
    document = layered(layers, x, y, domain, {"name": loss, "reduction": reduction})
    outcome = minimize("training", document, 0.5)
    assert outcome.status == "feasible"
    found = check_certificate(document, outcome.values, None)
    finite = document | {"weights": integers(-1, 1)}
    assert found is not None and found <= reference.minimum(finite)[0] * Fraction(11, 10)


# --- degenerate data -----------------------------------------------------------------------------

RELU = ({"units": 2, "activation": "relu"}, {"units": 1, "activation": "identity"})


@pytest.mark.parametrize(
    "domain", [integers(-4, 4), {"domain": "real"}, {"domain": "float", "format": "fp8_e4m3"}]
)
@pytest.mark.parametrize(
    "x, y",
    [
        ([[3, 0]], [[2]]),
        ([[0, 0]], [[0]]),
        ([[1, 0], [2, 0], [3, 0]], [[2], [2], [2]]),
        ([[1, 0], [1, 0], [1, 0]], [[-3], [-3], [-3]]),
        ([[0, 0], [0, 0]], [[1], [1]]),
        ([[1, 1], [2, 2], [3, 3]], [[2], [4], [6]]),
        ([["1/3", 0], ["2/3", 0]], [["1/3"], ["2/3"]]),
    ],
)
def test_degenerate_data(x: list[list[Any]], y: list[list[Any]], domain: Document) -> None:
    assert run(layered(RELU, x, y, domain)).status == "sat"


@pytest.mark.parametrize("domain", [integers(-4, 4), {"domain": "real"}])
@pytest.mark.parametrize("loss", ["absolute", "squared", "hinge", "zero_one"])
def test_contradictions_end_in_time(domain: Document, loss: str) -> None:
    document = layered(RELU, [[1, 2], [1, 2], [0, 1]], [[1], [-1], [1]], domain, {"name": loss})
    outcome = run(document, patience=0.3)
    assert outcome.status == "unknown"
    assert outcome.statistics["exact"]["starts"] > 0


def test_structure_that_scales_cannot_cross() -> None:
    """A mask, a frozen weight, shared parameters with scales, and no bias, around one teacher."""
    shared: Document = {"param": "s", "scale": "1/2"}
    layers = [
        {
            "units": 3,
            "activation": "relu",
            "mask": [[1, 0], [1, 1], [1, 1]],
            "weights": [[None, None], [shared, None], [2, None]],
            "biases": [None, -1, {"param": "s"}],
        },
        {"units": 1, "activation": "identity", "bias": False},
    ]
    x = [[i, j] for i in range(-3, 4) for j in range(-2, 3)]
    document = layered(layers, x, [[0]] * len(x), integers(-4, 4, 2))
    theta = random_parameters(random.Random(5), document)
    y = [[str(f) for f in row] for row in reference.outputs(document, theta)]
    document["data"]["y"] = y
    document["data"]["sample_weights"] = [1 + i % 3 for i in range(len(x))]
    assert run(document).status == "sat"


def test_nothing_to_train() -> None:
    layer: Document = {"units": 1, "activation": "identity", "weights": [[1]], "bias": False}
    document = layered([layer], [[1]], [[1]], integers(0, 1))
    del document["weights"]
    said = engine("training").capability(problem_of(document), "decide")
    assert not said.applicable and not said.complete
    assert run(document, patience=BRIEF).status == "unknown"


def test_a_negative_threshold_is_not_its_business() -> None:
    document = layered(RELU, [[1, 2]], [[1]], integers(-1, 1))
    assert run(document, Fraction(-1), BRIEF).status == "unknown"


def test_numbers_beyond_floats() -> None:
    document = layered(RELU, [[10**200, 1]], [[10**300]], {"domain": "real"})
    assert run(document, patience=BRIEF).status == "unknown"


def test_a_seed_gives_one_run() -> None:
    document = pixels(2, 20, integers(-1, 1), 0)
    assert run(document, seed=3).status == run(document, seed=4).status == "sat"


# --- the race ------------------------------------------------------------------------------------


def test_it_starts_among_the_first_three_where_proofs_are_dear() -> None:
    for inputs, hidden, domain, samples in SHAPES:
        for real in (False, True):
            document = planted(
                wider={"domain": "real"} if real else None,
                inputs=inputs,
                hidden=hidden,
                samples=samples,
                domain=domain,
            )
            for task in ("decide", "minimize"):
                plan = make_plan(problem_of(document), task)  # type: ignore[arg-type]
                assert "training" in [e.name for e in plan.entrants[:3]], (inputs, hidden, task)
                assert plan.is_complete or real


def test_it_is_part_of_the_portfolio() -> None:
    document = planted(
        1, inputs=6, hidden=4, samples=60, domain="int:-3:3", data_low=-8, data_high=8
    )
    answer = ermbit.solve(parse_instance(document), timeout=60)
    assert answer.status == "sat" and answer.certificate is not None
    least = ermbit.minimize(parse_instance(document), timeout=60, engine="training")
    assert (least.status, least.loss, least.engine) == ("optimal", 0, "training")


# --- the parts -----------------------------------------------------------------------------------


def arrays(problem: Problem) -> np.ndarray[Any, Any]:
    return np.array([[float(v) for v in row.x] for row in problem.samples.rows])


def drawn_problems(count: int, **knobs: Any) -> list[Problem]:
    found = []
    for number in range(count):
        rng = random.Random(f"training parts {number}")
        document = random_instance(rng, max_assignments=10**6, **knobs)
        problem = finite_problem(problem_of(document))
        if problem is not None and problem.integer is not None and problem.samples.rows:
            if problem.instance.network.parameter_count:
                found.append(problem)
    return found


def test_the_compiled_network_is_the_network() -> None:
    for problem in drawn_problems(80):
        form = problem.integer
        assert form is not None
        network = integer_network(form)
        rng = np.random.default_rng(0)
        values = Values([p.domain for p in problem.instance.network.parameters])
        theta = values.nearest(rng.uniform(-2, 2, size=(3, network.count)))
        numbers = [[round(t * q) for t, q in zip(row, form.grids, strict=True)] for row in theta]
        if max(abs(n) for row in numbers for n in row) > 2**20:
            continue
        outputs = network.outputs_at(np.array(numbers, dtype=np.float64))
        _, totals = Energy(form).of(outputs)
        floats = float_network(problem.instance.network, arrays(problem)).outputs_at(theta)
        for s, row in enumerate(numbers):
            exact = [form.outputs_of(x, row) for x in form.inputs]
            if max(abs(f) for fs in exact for f in fs) < 2**40:
                assert outputs[s].tolist() == exact
                assert totals[s] == pytest.approx(form.total(row))
                if all(b.shape.kind != "pieces" or not b.shape.jumps for b in network.blocks):
                    assert np.allclose(floats[s] * form.scale, exact)


def test_derivatives_are_those_of_the_outputs() -> None:
    for problem in drawn_problems(60):
        network = float_network(problem.instance.network, arrays(problem))
        rng = np.random.default_rng(1)
        theta = rng.normal(size=(2, network.count))
        for softness in (0.0, 0.5):
            if not softness and any(b.shape.jumps for b in network.blocks):
                continue
            trace = network.trace(theta, softness=softness)
            seed = rng.normal(size=network.outputs_of(trace).shape)
            slopes = network.pullback(trace, seed, softness=softness)
            for p in range(network.count):
                step = np.zeros(network.count)
                step[p] = 1e-6
                up = network.outputs_at(theta + step, softness=softness)
                down = network.outputs_at(theta - step, softness=softness)
                wanted = ((up - down) * seed).sum(axis=2) / 2e-6
                # A breakpoint in between is unlikely, not impossible.
                near = np.isclose(slopes[:, :, p], wanted, rtol=1e-4, atol=1e-4)
                assert near.mean() > 0.9


def test_moves_are_what_evaluation_gives() -> None:
    for problem in drawn_problems(80):
        assert problem.integer is not None
        network = integer_network(problem.integer)
        rng = np.random.default_rng(2)
        theta = rng.integers(-2, 3, size=(2, network.count)).astype(np.float64)
        bench = Bench(network, theta.copy())
        units, rest = find_units(network)
        assert sorted([*rest, *(p for u in units for p in u.parameters)]) == list(
            range(network.count)
        )
        for unit in units:
            change = rng.integers(-2, 3, size=(2, 1, len(unit.parameters)))
            shift = (change[..., None] * bench.inputs(unit)[:, None]).sum(axis=2)
            moved = theta.copy()
            moved[:, unit.parameters] += change[:, 0]
            wanted = network.outputs_at(moved)
            if np.abs(wanted).max() < 2**40:
                assert np.array_equal(bench.moved(unit, shift)[:, 0], wanted)


def test_scales_change_no_output() -> None:
    scaled = 0
    for problem in drawn_problems(80):
        network = float_network(problem.instance.network, arrays(problem))
        rng = np.random.default_rng(3)
        for neuron in scalable_neurons(problem.instance.network):
            theta = rng.normal(size=(1, network.count))
            before = network.outputs_at(theta)
            neuron.scale(theta, np.array([2.5]))
            assert np.allclose(network.outputs_at(theta), before, atol=1e-6)
            scaled += 1
    assert scaled >= 15


def test_a_rescaled_teacher_is_recognised() -> None:
    document = planted(4, inputs=3, hidden="3-2", domain="int:-5:5", samples=30)
    problem = problem_of(document)
    theta = random_parameters(random.Random(0), document)
    names = [p.name for p in problem.instance.network.parameters]
    trained = np.array([[float(theta[name]) for name in names]])
    neurons = scalable_neurons(problem.instance.network)
    rng = np.random.default_rng(0)
    for neuron in neurons:
        neuron.scale(trained, rng.uniform(0.1, 3, size=1))
    values = Values([p.domain for p in problem.instance.network.parameters])
    found = [near.all() for _, near in recognised(trained[0], neurons, values, 1e-5)]
    assert any(found)


def test_output_weights_are_solved_for_exactly() -> None:
    document = planted(0, {"domain": "real"}, inputs=2, hidden=3, domain="int:-3:3", samples=20)
    certificate = generate(
        "teacher", 0, inputs=2, hidden=3, domain="int:-3:3", samples=20
    ).certificate
    assert certificate is not None
    problem = problem_of(document)
    from ermbit_instances.certificate import parse_certificate

    teacher = parse_certificate(certificate, problem.instance).values
    numbers = output_parameters(problem.instance.network)
    assert len(numbers) == 4
    start = tuple(v if p not in numbers else v * 0 + 5 for p, v in enumerate(teacher))
    solved = solved_outputs(problem, start, numbers)
    assert solved is not None and checked_loss(problem, solved) == 0
    # With the hidden neurons switched off only a constant is left.
    off = tuple(v * 0 for v in teacher)
    targets = {tuple(row.y) for row in problem.samples.rows}
    assert (solved_outputs(problem, off, numbers) is None) == (len(targets) > 1)
