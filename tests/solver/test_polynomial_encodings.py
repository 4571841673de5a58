"""Encodings of polynomial networks against each other, and the engine that takes turns."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
from gmpy2 import mpq

from dense_networks import REAL, hidden, instance
from ermbit.engines.engine import Budget, ignore
from ermbit.engines.lifting.engine import LiftingEngine
from ermbit.engines.mixed.attempts import Attempt, decide_in_turns, ways
from ermbit.engines.mixed.nra import NraEngine
from ermbit.engines.mixed.rounding import rational_certificate
from ermbit.engines.mixed.search import search
from ermbit.engines.mixed.z3_backend import Z3Program
from ermbit.verifier import exact_loss, verify
from ermbit_encodings.mixed import encode_mixed, sign_patterns
from ermbit_encodings.mixed.normalisation import homogenised_neurons, is_even
from ermbit_encodings.mixed.program import MixedProgram
from ermbit_encodings.problem import Problem
from ermbit_instances.activation import piecewise, polynomial
from ermbit_instances.algebraic import algebraic
from ermbit_instances.certificate import Certificate
from ermbit_instances.instance import Instance

CUBE = {"name": "polynomial", "coefficients": [0, 0, 0, 2]}
QUADRATIC = {"name": "polynomial", "coefficients": [0, 1, 1]}


def budget(seconds: float = 60) -> Budget:
    return Budget(time.monotonic() + seconds)


def rules(given: Instance) -> dict[int, tuple[int, bool]]:
    network = given.network
    real = frozenset(p.index for p in network.parameters if p.domain.size is None)
    found = homogenised_neurons(network, real, powers=True)
    return {node: (rule.power, rule.is_odd) for node, rule in found.items()}


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (hidden("square"), {1: (2, False)}),
        (hidden(CUBE), {1: (3, True)}),
        (hidden("identity"), {1: (1, True)}),
        (hidden("square", biases=[0]), {1: (2, False)}),
        (hidden("square", biases=[1]), {}),
        (hidden(QUADRATIC), {}),
        (hidden("square", weights=[[{"param": "s"}]], biases=[{"param": "s"}]), {1: (2, False)}),
        (hidden("square", 2, weights=[[{"param": "s"}], [{"param": "s"}]]), {}),
        (hidden("square", out={"weights": [[3]]}), {}),
        (hidden("square", out={"bias": True, "biases": [None]}), {1: (2, False)}),
        ([*hidden("square", 2)[:1], {"units": 2, "activation": "identity"}], {}),
        ([*hidden("square")[:1], *hidden(CUBE)], {1: (2, False), 2: (3, True)}),
    ],
)
def test_which_powers_are_normalised(layers: list[Any], expected: Any) -> None:
    given = instance(layers, [[1]], [[0] * layers[-1]["units"]])
    assert rules(given) == expected
    network = given.network
    everything = frozenset(range(network.parameter_count))
    plain = homogenised_neurons(network, everything)
    assert all(rule.power == 1 for rule in plain.values())


def test_finite_weights_are_not_normalised() -> None:
    weights = REAL | {"parameters": {"W1[0,0]": {"domain": "finite", "values": [-1, 2]}}}
    assert rules(instance(hidden("square"), [[1]], [[0]], weights=weights)) == {}
    weights = REAL | {"parameters": {"W2[0,0]": {"domain": "finite", "values": [-1, 2]}}}
    assert rules(instance(hidden("square"), [[1]], [[0]], weights=weights)) == {}


def test_even_functions() -> None:
    assert is_even(polynomial("p", [mpq(1), mpq(0), mpq(3)]))
    assert not is_even(polynomial("p", [mpq(1), mpq(1), mpq(3)]))
    zero, one = mpq(0), mpq(1)
    assert is_even(piecewise("abs", (zero,), (-one, one), (zero, zero)))
    assert not is_even(piecewise("relu", (zero,), (zero, one), (zero, zero)))
    assert not is_even(piecewise("jump", (zero,), (-one, one), (zero, one)))
    assert not is_even(piecewise("shifted", (one,), (-one, one), (zero, zero)))


@pytest.mark.parametrize("scale", ["1", "-1/3"])
@pytest.mark.parametrize(("activation", "power"), [("square", 2), (CUBE, 3)])
@pytest.mark.parametrize("factor", [3, -3])
def test_irrational_factors_are_taken_out(
    scale: str, activation: Any, power: int, factor: int
) -> None:
    layers = hidden(activation, out={"weights": [[{"param": "v", "scale": scale}]]}, bias=False)
    x = [[1], [2]]
    given = instance(layers, x, [[factor * v[0] ** power] for v in x])
    problem = Problem(given)
    encoding = encode_mixed(problem, products=True, exact_fit=True)
    solver = Z3Program(encoding.program, budget(), linear=False)
    status, found, _ = search(solver, encoding, problem, mpq(0), strict=False)
    assert status == "sat" and found is not None
    assert all(isinstance(v, mpq) for v in found.values)
    assert found.loss == 0


def status_of(problem: Problem, **options: Any) -> str:
    """Unknown after two seconds."""
    encoding = encode_mixed(problem, products=True, exact_fit=problem.threshold == 0, **options)
    encoding.objective.bound(encoding.program, encoding.budget(problem.threshold))
    solver = Z3Program(encoding.program, budget(2), linear=False)
    if "rows" in options:
        return solver.check()
    status, found, _ = search(solver, encoding, problem, problem.threshold, strict=False)
    if status == "sat":
        assert found is not None and found.loss <= problem.threshold
    return status


def random_question(rng: random.Random) -> Instance:
    activation = rng.choice(["square", "square", CUBE, "abs", QUADRATIC])
    units = rng.choice([1, 2, 2]) if activation in ("square", "abs") else 1
    inner: list[list[Any]] = [[None] for _ in range(units)]
    if rng.random() < 0.2:
        inner[0] = [rng.choice([0, 1, {"param": "s", "scale": 2}])]
    layers = hidden(activation, units, weights=inner, bias=rng.random() < 0.6)
    if rng.random() < 0.3:
        layers.insert(1, {"units": 1, "activation": "square", "bias": False})
    x = [[k] for k in rng.sample(range(-2, 3), rng.choice([2, 3]))]
    y = [[rng.randint(-4, 4)] for _ in x]
    reduction = rng.choice(["max", "sum"])
    given = rng.choice([0, 0, "1/2", 1, 2])
    return instance(layers, x, y, given, loss={"name": "absolute", "reduction": reduction})


@pytest.mark.parametrize("seed", range(20))
def test_encodings_agree(seed: int) -> None:
    given = random_question(random.Random(seed))
    problem = Problem(given)
    plain = status_of(problem, powers=False, symmetries=False, homogenise=False)
    normalised = status_of(problem)
    patterns = sign_patterns(problem, 8) or [{}]
    parts = {status_of(problem, signs=pattern) for pattern in patterns}
    answers = {plain, normalised} - {"unknown"}
    if "sat" in parts:
        answers.add("sat")
    elif parts == {"unsat"}:
        answers.add("unsat")
    lifted = LiftingEngine()
    if lifted.capability(problem, "decide").applicable:
        answers |= {lifted.decide(problem, budget(2), ignore).status} - {"unknown"}
    assert len(answers) <= 1
    for row in range(len(problem.samples.rows)):
        assert "sat" not in answers or status_of(problem, rows=(row,)) != "unsat"


def test_patterns_of_signs_have_the_positive_ones_first() -> None:
    given = instance(hidden("square", 3), [[1]], [[0]])
    patterns = sign_patterns(Problem(given), 8)
    assert [tuple(p.values()) for p in patterns] == [
        (True, True, True),
        (True, True, False),
        (True, False, False),
        (False, False, False),
    ]
    assert sign_patterns(Problem(given), 3) == []
    assert sign_patterns(Problem(instance(hidden(CUBE, 2), [[1]], [[0]])), 8) == []
    # two units with different domains are no class
    weights = REAL | {"parameters": {"W1[0,0]": {"domain": "finite", "values": [1]}}}
    apart = instance(hidden("abs", 2, bias=False), [[1]], [[0]], weights=weights)
    assert all(len(p) <= 2 for p in sign_patterns(Problem(apart), 8))


@pytest.mark.parametrize(("target", "expected"), [(16, "sat"), (15, "unsat")])
def test_samples_are_added_until_all_are_met(target: int, expected: str) -> None:
    # (a x + b)² through 0, 1, 4, 9 and one more
    x, y = [[k] for k in range(5)], [[k * k] for k in range(4)] + [[target]]
    layers = [{"units": 1, "activation": "square"}]
    given = instance(layers, x, y, loss={"name": "absolute", "reduction": "mean"})
    problem = Problem(given)

    def make(program: MixedProgram, own: Budget) -> Z3Program:
        return Z3Program(program, own, linear=False)

    assert any(isinstance(way, Attempt) and len(way.rows) < 5 for way in ways(problem))
    verdict = decide_in_turns(problem, budget(), make, training=False)
    assert verdict.status == expected
    if expected == "sat":
        assert verdict.found is not None and verdict.found.loss == 0
    outcome = NraEngine().decide(problem, budget(), ignore)
    assert outcome.status == expected


def test_definitions_are_recognised() -> None:
    """A cubic unit whose refutation took minutes where every row was compared with 0."""
    cube = {"name": "polynomial", "coefficients": [0, 0, 0, 1]}
    x = [[-1, -1], [2, 2], [3, 3], [-2, 2], [-2, 3], [2, -2]]
    y = [[-6], [-3], [2], [7], [-4], [-8]]
    given = instance(hidden(cube, out={"bias": True}), x, y, 3)
    encoding = encode_mixed(Problem(given), products=True, powers=False, symmetries=False)
    encoding.objective.bound(encoding.program, encoding.budget(mpq(3)))
    assert Z3Program(encoding.program, budget(), linear=False).check() == "unsat"


def test_no_time_is_no_answer() -> None:
    given = instance(hidden("square"), [[1]], [[1]])
    outcome = NraEngine().decide(Problem(given), Budget(time.monotonic() - 1), ignore)
    assert (outcome.status, outcome.reason) == ("unknown", "stopped at the deadline")


def test_certificates_of_turns_are_verified() -> None:
    layers = [*hidden("square", 2)[:1], *hidden("square")]
    given = instance(layers, [[0], [1], [2]], [[4], [1], [9]], "1/10")
    outcome = NraEngine().decide(Problem(given), budget(), ignore)
    assert outcome.status == "sat" and outcome.values is not None
    assert verify(given, Certificate(outcome.values)).accepted is True


def test_irrational_points_on_the_boundary_lead_to_rational_ones_inside() -> None:
    layers = hidden("square", 2, bias=False)
    x, y = [[1], [2], [3]], [[3], [5], [21]]
    for reduction, threshold in (("max", 6), ("sum", 10), ("mean", 4)):
        loss = {"name": "absolute", "reduction": reduction}
        given = instance(layers, x, y, threshold, loss=loss)
        root = algebraic([-3, 0, 1], mpq(1), mpq(2))  # √3
        start = (root, mpq(0), mpq(1), mpq(0))
        loss_there = exact_loss(given, start)[0]
        assert isinstance(loss_there, mpq)
        # A start that misses the threshold: only the descent can lead to it.
        problem = Problem(given.with_threshold(loss_there * 9 / 10))
        found = rational_certificate(problem, start)
        assert found is not None
        assert exact_loss(given, found)[0] <= problem.threshold


def test_where_there_is_no_room_the_irrational_certificate_stands() -> None:
    given = instance(hidden("square", bias=False, out={"weights": [[1]]}), [[1]], [[3]], 0)
    root = algebraic([-3, 0, 1], mpq(1), mpq(2))
    assert rational_certificate(Problem(given), (root,)) is None
