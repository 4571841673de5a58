"""Turns of the nonlinear engines: their order, finite domains through the reals, training."""

from __future__ import annotations

import random
import time
from itertools import product
from typing import Any

import pytest
from gmpy2 import mpq

from dense_networks import REAL, hidden, instance
from ermbit.engines.engine import Budget, ignore
from ermbit.engines.mixed.attempts import Attempt, Relaxation, Training, decide_in_turns, ways
from ermbit.engines.mixed.nra import NraEngine
from ermbit.engines.mixed.plain_script import PlainScript, Script
from ermbit.engines.mixed.refinement import nearby_member, refine
from ermbit.engines.mixed.z3_backend import Z3Program
from ermbit.processes.load import MOST, Load
from ermbit.verifier import exact_loss
from ermbit_encodings.mixed.program import MixedProgram
from ermbit_encodings.problem import Problem
from ermbit_instances.algebraic import AlgebraicLimitError, algebraic
from ermbit_instances.instance import Instance

RATIONAL: dict[str, Any] = {"domain": "rational", "bits": 3}
SCATTERED: dict[str, Any] = {
    "domain": "finite",
    "values": ["-5/2", -2, "-7/5", "-1/2", "-1/3", 0, "1/7", "2/3", 1, 3],
}
CUBE = {"name": "polynomial", "coefficients": [0, 0, 0, 1]}
QUADRATIC = {"name": "polynomial", "coefficients": [1, 1, 2]}


def budget(seconds: float = 60) -> Budget:
    return Budget(time.monotonic() + seconds)


def make(program: MixedProgram, own: Budget) -> Z3Program:
    return Z3Program(program, own, linear=program.is_linear)


# --- the turns -----------------------------------------------------------------------------------


def test_what_is_plain_comes_first() -> None:
    problem = Problem(instance(hidden("square", 2), [[1], [2]], [[1], [2]]))
    found = ways(problem)
    assert isinstance(found[0], PlainScript)
    assert any(isinstance(way, Training) for way in found)
    for given in ({"scripts": False, "training": False}, {"scripts": False}):
        found = ways(problem, **given)
        plain = found[0]
        assert isinstance(plain, Attempt)
        assert not plain.homogenise and not plain.powers and not plain.symmetries
        assert plain.rows == (0, 1) and plain.patterns == [None]
        assert any(isinstance(way, Training) for way in found) == ("training" not in given)
    mixed = REAL | {"parameters": {"W1[0,0]": {"domain": "finite", "values": [1, 2]}}}
    finite = Problem(instance(hidden("square"), [[1]], [[1]], weights=mixed))
    assert not any(isinstance(way, PlainScript) for way in ways(finite))


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        (REAL, False),
        ({"domain": "integer", "low": -50, "high": 50}, False),
        ({"domain": "finite", "values": [-1, 0, 1]}, False),
        (SCATTERED, True),
        (RATIONAL, True),
    ],
)
def test_only_long_lists_are_relaxed_first(weights: Any, expected: bool) -> None:
    found = ways(Problem(instance(hidden("square"), [[1]], [[1]], weights=weights)))
    assert isinstance(found[0], Relaxation) == expected
    assert sum(isinstance(way, Relaxation) for way in found) == expected


def test_patterns_share_a_turn() -> None:
    # Each of the three patterns of signs has to be refuted: x² and a smaller square are no −1, 1.
    given = instance(hidden("square", 2, bias=False), [[1], [2]], [[1], [5]])
    problem = Problem(given)
    normalised = next(way for way in ways(problem) if isinstance(way, Attempt) and way.powers)
    assert len(normalised.patterns) == 3
    verdict = normalised.go(problem, budget(), make)
    assert (verdict.status, normalised.patterns) == ("unsat", [])


def test_a_model_that_is_too_heavy_ends_its_turn_only(monkeypatch: pytest.MonkeyPatch) -> None:
    def heavy(*_: object) -> None:
        raise AlgebraicLimitError("degree 1000")

    monkeypatch.setattr("ermbit_encodings.mixed.MixedEncoding.decode", heavy)
    problem = Problem(instance(hidden("square", 2), [[1], [2]], [[1], [2]]))
    plain = ways(problem, scripts=False, training=False)[0]
    assert isinstance(plain, Attempt)
    verdict = plain.go(problem, budget(), make)
    assert (verdict.status, verdict.reason) == ("unknown", "degree 1000")


def test_load_is_a_factor_between_one_and_its_limit() -> None:
    load = Load()
    assert 1 <= load.factor() <= MOST
    end = time.process_time() + 0.03
    while time.process_time() < end:
        pass
    assert 1 <= load.factor() <= MOST
    time.sleep(0.01)
    assert load.factor() == load.factor()


def test_training_proposes_and_never_refutes() -> None:
    training = Training()
    layers = [*hidden("relu", 2)[:1], *hidden("square")]
    x = [[k] for k in range(-2, 4)]
    y = [[max(2 * k - 1, 0) ** 2] for k in range(-2, 4)]
    problem = Problem(instance(layers, x, y))
    verdict = training.go(problem, budget(20), make)
    assert verdict.status == "sat" and verdict.found is not None
    assert exact_loss(problem.instance, verdict.found.values)[0] == 0
    contradiction = Problem(instance(hidden("square"), [[1], [1]], [[0], [1]], "1/4"))
    assert training.go(contradiction, budget(0.3), make).status == "unknown"
    assert training.turns == 2
    frozen = hidden("square", weights=[[1]], bias=False, out={"weights": [[1]]})
    empty = instance(frozen, [[1]], [[2]])
    assert Training().go(Problem(empty), budget(1), make).status == "unknown"


# --- the plain script ----------------------------------------------------------------------------

ACTIVATIONS: list[Any] = [
    "identity",
    "relu",
    "abs",
    "step",
    "sign",
    "max",
    "square",
    CUBE,
    QUADRATIC,
    {"name": "clip", "low": -1, "high": 2},
    {
        "name": "piecewise_linear",
        "breakpoints": [-1, 1],
        "slopes": [1, 0, "1/2"],
        "intercepts": [0, 3, -1],
    },
]
LOSSES: list[Any] = [
    {"name": "absolute", "reduction": "max"},
    {"name": "absolute", "reduction": "mean"},
    {"name": "squared", "reduction": "sum"},
    {"name": "hinge", "reduction": "mean"},
    {"name": "zero_one", "reduction": "mean"},
    {"name": "zero_one", "reduction": "sum", "margin": "1/2"},
]


def frozen_question(rng: random.Random) -> Instance:
    """A network of two layers with one free bias that only adds a number to the first output."""
    outputs = rng.choice([1, 1, 3])
    units = rng.choice([1, 2])

    def entries(rows: int, columns: int) -> list[list[str]]:
        return [[str(mpq(rng.randint(-4, 4), 2)) for _ in range(columns)] for _ in range(rows)]

    inner = {"units": units, "activation": rng.choice(ACTIVATIONS)}
    inner |= {"weights": entries(units, 2), "biases": entries(1, units)[0]}
    top = {"units": outputs, "activation": "identity", "weights": entries(outputs, units)}
    top |= {"biases": [None, *entries(1, outputs)[0][1:]]}
    loss = rng.choice(LOSSES)
    x = [[rng.randint(-2, 2) for _ in range(2)] for _ in range(3)]
    x.append(x[0])
    classes = loss["name"] in ("hinge", "zero_one")
    if classes and outputs > 1:
        y = [[rng.randrange(outputs)] for _ in x]
    else:
        numbers = [-1, 1] if classes else range(-3, 4)
        y = [[rng.choice(numbers) for _ in range(1 if classes else outputs)] for _ in x]
    return instance([inner, top], x, y, 0, loss=loss)


@pytest.mark.parametrize("seed", range(60))
def test_the_plain_script_says_what_the_verifier_says(seed: int) -> None:
    # With the free bias pinned, the script is satisfiable iff the loss is within the threshold.
    rng = random.Random(seed)
    given = frozen_question(rng)
    pinned = mpq(rng.randint(-4, 4), 2)
    loss, _ = exact_loss(given, (pinned,))
    assert isinstance(loss, mpq)
    for threshold in {loss, loss - mpq(1, 1000), mpq(0)}:
        if threshold < 0:
            continue
        script = Script(Problem(given.with_threshold(threshold)))
        script.solver.add(script.parameters[0] == str(pinned))
        assert str(script.solver.check()) == ("sat" if loss <= threshold else "unsat")


def real_question(rng: random.Random) -> Instance:
    activation = rng.choice(["square", "relu", "abs", "step", QUADRATIC])
    layers = hidden(activation, rng.choice([1, 2]), bias=rng.random() < 0.5)
    if rng.random() < 0.4:
        layers.insert(1, {"units": 1, "activation": rng.choice(["square", "relu"]), "bias": False})
    x = [[k] for k in rng.sample(range(-2, 3), rng.choice([2, 3]))]
    y = [[rng.randint(-4, 4)] for _ in x]
    loss = {"name": "absolute", "reduction": rng.choice(["max", "sum"])}
    return instance(layers, x, y, rng.choice([0, "1/2", 1]), loss=loss)


@pytest.mark.parametrize("seed", range(16))
def test_the_plain_script_agrees_with_the_encodings(seed: int) -> None:
    problem = Problem(real_question(random.Random(seed)))
    chosen = [way for way in ways(problem) if isinstance(way, PlainScript | Attempt)]
    assert isinstance(chosen[0], PlainScript)
    answers = {way.go(problem, budget(0.5), make).status for way in chosen}
    assert len(answers - {"unknown"}) <= 1


@pytest.mark.parametrize("seed", range(30))
def test_wide_integers_are_integers(seed: int) -> None:
    """One hidden unit with v and w in a range of more than 64 integers, or of that many halves."""
    rng = random.Random(f"wide {seed}")
    low, parts = rng.choice([-50, -7, 0]), rng.choice([1, 2])
    weights = {"domain": "integer", "low": low, "high": low + 70, "denominator": parts}
    layers = hidden(rng.choice(["square", "relu", "abs", CUBE]), bias=False)
    x = [[k] for k in rng.sample(range(-3, 4), 2)]
    y = [[rng.randint(-90, 90)] for _ in x]
    loss = {"name": rng.choice(["absolute", "squared"]), "reduction": rng.choice(["max", "sum"])}
    given = instance(layers, x, y, 0, weights=weights, loss=loss)
    members = [mpq(k, parts) for k in range(low, low + 71)]
    losses = {exact_loss(given, pair)[0] for pair in product(members, repeat=2)}
    least = min(value for value in losses if isinstance(value, mpq))
    for threshold in (least, least - mpq(1, 1000)):
        problem = Problem(given.with_threshold(threshold))
        assert PlainScript.fits(problem)
        verdict = PlainScript(1.0).go(problem, budget(10), make)
        assert verdict.status in ("unknown", "sat" if threshold == least else "unsat")
        if verdict.found is not None:
            assert set(verdict.found.values) <= set(members)


def test_integers_beside_real_numbers() -> None:
    weights = REAL | {"biases": {"domain": "integer", "low": -50, "high": 1000}}
    given = instance(hidden("square"), [[1], [2], [4]], [[1], [4], [16]], weights=weights)
    assert PlainScript.fits(Problem(given))
    assert PlainScript(1.0).go(Problem(given), budget(), make).status == "sat"
    halves = instance(hidden("square", out={"weights": [[1]]}), [[0]], [["1/4"]], weights=weights)
    assert PlainScript(1.0).go(Problem(halves), budget(), make).status == "unsat"


def test_narrow_integers_and_lists_are_for_the_encodings() -> None:
    for domain in ({"domain": "integer", "low": -3, "high": 3}, RATIONAL, SCATTERED):
        given = instance(hidden("square"), [[1]], [[1]], weights=domain)
        assert not PlainScript.fits(Problem(given))


def test_the_plain_script_respects_its_budget() -> None:
    problem = Problem(instance(hidden("square"), [[1]], [[1]]))
    assert PlainScript(1.0).go(problem, budget(-1), make).status == "unknown"
    assert PlainScript(1.0).go(problem, Budget(), make).status == "sat"


# --- finite domains through the reals ------------------------------------------------------------


def brute_force(given: Instance) -> bool:
    domains = [list(p.domain.values()) for p in given.network.parameters]
    assert given.threshold is not None
    return any(exact_loss(given, point)[0] <= given.threshold for point in product(*domains))


def finite_question(rng: random.Random) -> Instance:
    activation = rng.choice(["square", CUBE, "relu", QUADRATIC])
    layers = hidden(activation, bias=rng.random() < 0.5)
    if rng.random() < 0.3:
        layers = [*hidden("relu", bias=False)[:1], *hidden("square", bias=False)]
    x = [[k] for k in rng.sample(range(-3, 4), rng.choice([1, 2, 3]))]
    y = [[rng.randint(-4, 4)] for _ in x]
    loss = {"name": rng.choice(["absolute", "squared"]), "reduction": rng.choice(["max", "mean"])}
    threshold = rng.choice([0, "1/2", 1, 3])
    return instance(layers, x, y, threshold, weights=SCATTERED, loss=loss)


@pytest.mark.parametrize("seed", range(16))
def test_finite_domains_through_the_reals(seed: int) -> None:
    given = finite_question(random.Random(seed))
    problem = Problem(given)
    expected = "sat" if brute_force(given) else "unsat"
    verdict = refine(problem, 8, budget(2), make)
    assert verdict.status in (expected, "unknown")
    outcome = NraEngine().decide(problem, budget(), ignore)
    assert outcome.status == expected
    if expected == "sat":
        assert outcome.values is not None and given.threshold is not None
        assert exact_loss(given, outcome.values)[0] <= given.threshold
        parameters = given.network.parameters
        assert all(v in p.domain for v, p in zip(outcome.values, parameters, strict=True))


@pytest.mark.parametrize("weights", [SCATTERED, RATIONAL, RATIONAL | {"bits": 6}])
def test_what_the_reals_refute_is_refuted(weights: Any) -> None:
    # (a x + b)² is never negative.
    given = instance(hidden("square", out={"weights": [[1]]}), [[1]], [[-2]], 1, weights=weights)
    problem = Problem(given)
    assert refine(problem, 8, budget(), make).status == "unsat"
    assert NraEngine().decide(problem, budget(), ignore).status == "unsat"


def test_members_next_to_a_solution() -> None:
    layers = hidden("square", bias=False, out={"weights": [[1]]})
    problem = Problem(instance(layers, [[1]], [[2]], 2, weights=SCATTERED))
    root = algebraic([-2, 0, 1], mpq(1), mpq(2))  # √2, between 1 and 3
    near = nearby_member(problem, (root,))
    assert near is not None and near.values == (mpq(1),) and near.loss == 1
    exact = Problem(problem.instance.with_threshold(mpq(0)))
    assert nearby_member(exact, (root,)) is None
    assert refine(exact, 8, budget(), make).status == "unsat"
    # beyond the ends of the domain there is one neighbour only
    wide = Problem(instance(layers, [[1]], [[9]], weights=SCATTERED))
    near = nearby_member(wide, (mpq(100),))
    assert near is not None and near.values == (mpq(3),)


def test_real_parameters_keep_their_values_next_to_rounded_ones() -> None:
    layers = hidden("square", bias=False)
    weights = REAL | {"parameters": {"W1[0,0]": SCATTERED}}
    problem = Problem(instance(layers, [[1]], [[2]], "3/5", weights=weights))
    root = algebraic([-2, 0, 1], mpq(1), mpq(2))
    near = nearby_member(problem, (mpq(11, 10), root))
    assert near is not None and near.values == (mpq(1), root)


def test_domains_are_split_until_a_member_is_found() -> None:
    # a b = 1/7 for members a, b: with 1; 1/11 has a prime that no member has.
    layers = hidden("identity", bias=False) + hidden("square", bias=False)[1:]
    layers[1]["weights"] = [[{"param": "b"}]]
    weights = {**SCATTERED, "parameters": {"b": SCATTERED}}
    for target, expected in (("1/7", "sat"), ("1/11", "unsat")):
        problem = Problem(instance(layers, [[1]], [[target]], weights=weights))
        verdict = refine(problem, 8, budget(), make)
        assert verdict.status in (expected, "unknown")
        assert decide_in_turns(problem, budget(), make).status == expected
