"""The engines ``smt`` and ``nra``: infima, exact minima, large domains, and where they give up."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
import z3
from gmpy2 import mpq

import random_instances
import reference
from ermbit.engines.engine import Budget, Engine, Incumbent, LowerBound, Outcome, ignore
from ermbit.engines.mixed.coverings import CoveringsEngine
from ermbit.engines.mixed.nra import NraEngine
from ermbit.engines.mixed.rounding import rational_nearby
from ermbit.engines.mixed.search import split_domains
from ermbit.engines.mixed.smt import SmtEngine
from ermbit.engines.mixed.z3_backend import Z3Program
from ermbit.verifier import exact_loss, verify
from ermbit_encodings.mixed import encode_mixed
from ermbit_encodings.mixed.program import MixedProgram, Row, constant, variable
from ermbit_encodings.problem import Problem
from ermbit_encodings.relaxation import real_relaxation
from ermbit_instances.algebraic import algebraic
from ermbit_instances.certificate import Certificate
from ermbit_instances.instance import Instance, parse_instance

REAL = {"domain": "real"}
SUM = {"name": "absolute", "reduction": "sum"}


def instance(
    layers: list[dict[str, Any]],
    x: Any,
    y: Any,
    *,
    loss: Any = None,
    threshold: Any = None,
    weights: Any = REAL,
    sample_weights: Any = None,
) -> Instance:
    data = {"x": x, "y": y}
    if sample_weights is not None:
        data["sample_weights"] = sample_weights
    document = {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": len(x[0]), "layers": layers},
        "weights": weights,
        "data": data,
        "loss": loss or SUM,
    }
    if threshold is not None:
        document["threshold"] = threshold
    return parse_instance(document)


def budget(seconds: float = 60) -> Budget:
    return Budget(time.monotonic() + seconds)


def minimize(given: Instance, engine: Engine | None = None) -> Outcome:
    """Minimise, checking every report against the others and against the verifier."""
    events: list[Any] = []
    outcome = (engine or SmtEngine()).minimize(Problem(given), budget(), events.append)
    bounds = [e.loss for e in events if isinstance(e, LowerBound)]
    losses = []
    for event in events:
        if isinstance(event, Incumbent):
            verdict = verify(given.with_threshold(None), Certificate(event.values))
            assert verdict.accepted is True
            assert event.loss is None or verdict.loss == event.loss
            losses.append(verdict.loss)
    assert all(b <= v for b in bounds for v in losses)
    if outcome.values is not None:
        assert exact_loss(given, outcome.values)[0] == min(losses)
    if outcome.status == "optimal":
        assert outcome.lower_bound == min(losses)
    if outcome.status == "infimum":
        assert outcome.lower_bound is not None
        assert outcome.lower_bound < min(losses)
    return outcome


def decide(given: Instance, engine: Engine | None = None) -> str:
    outcome = (engine or SmtEngine()).decide(Problem(given), budget(), ignore)
    if outcome.status == "sat":
        assert outcome.values is not None
        assert verify(given, Certificate(outcome.values)).accepted is True
    return outcome.status


def unit(activation: Any, out: Any = None, **options: Any) -> list[dict[str, Any]]:
    return [
        {"units": 1, "activation": activation, **options},
        {"units": 1, "activation": "identity", "bias": False} | (out or {}),
    ]


SHRINK = {
    "name": "piecewise_linear",
    "breakpoints": [-1, 1],
    "slopes": [1, 0, 1],
    "intercepts": [1, 0, -1],
}
JUMP = {"name": "piecewise_linear", "breakpoints": [0], "slopes": [1, 1], "intercepts": [0, 1]}
CLIP = {"name": "clip", "low": 0, "high": 1}

APPROACHED = [
    # docs/theory.md K3(c): v·φ(x/v) → x
    (unit(SHRINK), [[1], [2], [-1]], [[1], [2], [-1]]),
    # K4: u = n, v = 1/n
    (unit("relu", biases=[1]), [[-1], [0], [1]], [[0], [0], [1]]),
    # K3(d): a jump with sloped pieces
    (unit(JUMP, out={"weights": [[1]]}), [[1]], [[0]]),
]


@pytest.mark.parametrize(("layers", "x", "y"), APPROACHED, ids=["shrink", "frozen", "jump"])
@pytest.mark.parametrize("reduction", ["sum", "mean", "max"])
def test_infima_that_are_not_attained(layers: Any, x: Any, y: Any, reduction: str) -> None:
    given = instance(layers, x, y, loss={"name": "absolute", "reduction": reduction})
    outcome = minimize(given)
    assert (outcome.status, outcome.lower_bound) == ("infimum", 0)
    assert decide(given.with_threshold(mpq(0))) == "unsat"
    assert decide(given.with_threshold(mpq(1, 1000))) == "sat"


@pytest.mark.parametrize(("reduction", "least"), [("sum", 3), ("mean", 1)])
def test_an_infimum_above_zero(reduction: str, least: int) -> None:
    # f(1) → 0 from below, and the contradiction at x = 0 costs 3.
    layers, loss = unit(JUMP, out={"weights": [[1]]}), {"name": "absolute", "reduction": reduction}
    given = instance(layers, [[1], [0], [0]], [[0], [-3], [-6]], loss=loss)
    outcome = minimize(given)
    assert (outcome.status, outcome.lower_bound) == ("infimum", least)
    assert decide(given.with_threshold(mpq(least))) == "unsat"
    assert decide(given.with_threshold(mpq(least) + mpq(1, 1000))) == "sat"


def test_a_maximum_can_be_attained_where_the_sum_is_not() -> None:
    layers, loss = unit(JUMP, out={"weights": [[1]]}), {"name": "absolute", "reduction": "max"}
    outcome = minimize(instance(layers, [[1], [0], [0]], [[0], [-3], [-6]], loss=loss))
    assert (outcome.status, outcome.lower_bound) == ("optimal", mpq(3, 2))


@pytest.mark.parametrize(
    ("layers", "x", "y", "loss", "least"),
    [
        (unit(CLIP), [[0], [1], [2]], [[0], [2], [3]], SUM, 0),
        (unit("relu"), [[0], [0]], [[1], [2]], SUM, 1),
        (unit("relu"), [[0], [0]], [[1], [2]], SUM | {"reduction": "max"}, mpq(1, 2)),
        (unit("relu"), [[0], [1], [2]], [[1], [-1], [1]], {"name": "hinge"}, mpq(2, 3)),
        (unit("abs"), [[-1], [0], [1]], [[1], [0], [1]], SUM, 0),
        (unit("step"), [[-1], [0], [1]], [[0], [2], [2]], SUM, 0),
        (unit("sign", biases=[0]), [[-1], [0], [1]], [[-3], [3], [0]], SUM, 3),
        (
            unit("relu"), [[0], [1], [2], [3]], [[1], [-1], [1], [-1]],
            {"name": "zero_one", "reduction": "sum"}, 2,
        ),
        (
            unit("relu"), [[1], [1], [1]], [[1], [-1], [1]],
            {"name": "zero_one", "reduction": "max"}, 1,
        ),
    ],
)  # fmt: skip
def test_minima_that_are_attained(layers: Any, x: Any, y: Any, loss: Any, least: int | mpq) -> None:
    given = instance(layers, x, y, loss=loss)
    outcome = minimize(given)
    assert (outcome.status, outcome.lower_bound) == ("optimal", least)
    assert decide(given.with_threshold(mpq(least))) == "sat"
    if least > 0:
        assert decide(given.with_threshold(mpq(least) - mpq(1, 10**9))) == "unsat"


def test_two_outputs_share_what_one_has_for_itself() -> None:
    # K3(b): what two rows of weights span is not linear in them.
    layers = [
        {"units": 2, "activation": "relu"},
        {"units": 2, "activation": "identity", "bias": False},
    ]
    x, y = [[0, 0], [1, 0], [0, 1]], [[1, 0], [-1, 0], [0, 1]]
    given = instance(layers, x, y, threshold=0)
    assert SmtEngine().capability(Problem(given), "decide").applicable is False
    assert decide(given.with_threshold(mpq(3)), NraEngine()) == "sat"


def test_a_threshold_below_zero_is_never_met() -> None:
    given = instance(unit("relu"), [[1]], [[1]], threshold=-1)
    assert decide(given) == "unsat"
    assert decide(given, NraEngine()) == "unsat"


@pytest.mark.parametrize("seed", range(25))
def test_finite_minima_are_those_of_the_reference(seed: int) -> None:
    rng = random.Random(seed)
    given = random_instances.random_instance(
        rng, max_assignments=400, activation=rng.choice(["relu", "abs", "clip", "step", "max"])
    )
    subject = parse_instance(given)
    if not SmtEngine().capability(Problem(subject), "minimize").complete:
        return
    least, _ = reference.minimum(given)
    exact = mpq(least.numerator, least.denominator)
    outcome = minimize(subject)
    assert (outcome.status, outcome.lower_bound) == ("optimal", exact)
    assert decide(subject.with_threshold(exact)) == "sat"
    assert decide(subject.with_threshold(exact - mpq(1, 10**9))) == "unsat"


@pytest.mark.parametrize("seed", range(15))
def test_polynomial_minima_are_those_of_the_reference(seed: int) -> None:
    rng = random.Random(seed)
    given = random_instances.random_instance(
        rng,
        max_assignments=60,
        activation=rng.choice(["square", "polynomial"]),
        hidden_layers=1,
        samples=2,
    )
    subject = parse_instance(given)
    if not NraEngine().capability(Problem(subject), "decide").complete:
        return
    least, _ = reference.minimum(given)
    exact = mpq(least.numerator, least.denominator)
    assert decide(subject.with_threshold(exact), NraEngine()) == "sat"
    assert decide(subject.with_threshold(exact - mpq(1, 1000)), NraEngine()) == "unsat"


# --- squares -------------------------------------------------------------------------------------


@pytest.mark.parametrize("reduction", ["sum", "mean", "max"])
def test_squares_on_a_grid_end(reduction: str) -> None:
    weights = {"domain": "fixed_point", "bits": 4, "fraction_bits": 1}
    layers = [{"units": 1, "activation": "identity"}]
    given = instance(
        layers, [[0], [1], [2], [2]], [["1/3"], [1], [2], [-1]],
        loss={"name": "squared", "reduction": reduction}, weights=weights,
        sample_weights=["1/2", 1, 2, 3],
    )  # fmt: skip
    outcome = minimize(given)
    assert outcome.status == "optimal"
    best = min(
        exact_loss(given, (mpq(a, 2), mpq(b, 2)))[0] for a in range(-8, 8) for b in range(-8, 8)
    )
    assert outcome.lower_bound == best
    assert decide(given.with_threshold(best)) == "sat"
    assert decide(given.with_threshold(best - mpq(1, 10**6))) == "unsat"


def test_squares_over_the_reals_decide_off_the_minimum() -> None:
    # docs/theory.md D7: the optimum 62/61 lies on the boundary of its cell.
    given = instance(
        unit("relu"), [[-4], [-3], [2]], [[-1], [-1], [1]],
        loss={"name": "squared", "reduction": "sum"},
    )  # fmt: skip
    assert decide(given.with_threshold(mpq(21, 20))) == "sat"
    assert decide(given.with_threshold(mpq(19, 20))) == "unsat"
    assert SmtEngine().capability(Problem(given.with_threshold(mpq(1))), "decide").complete is False


@pytest.mark.parametrize("before", range(0, 300, 37))
def test_what_a_process_did_before_changes_nothing(before: int) -> None:
    """Terms in z3's shared context once sent the tangents of this instance astray."""
    clutter = [z3.Real(f"clutter {before} {k}") + k for k in range(before)]
    given = instance(
        unit("relu"), [[-4], [-3], [2]], [[-1], [-1], [1]],
        loss={"name": "squared", "reduction": "sum"},
    )  # fmt: skip
    outcome = SmtEngine().decide(Problem(given.with_threshold(mpq(21, 20))), budget(), ignore)
    assert outcome.status == "sat" and len(clutter) == before
    assert outcome.statistics["rows"] < 100


def test_products_in_the_objective_alone_are_products() -> None:
    # min max(f², 2(1 − f)²) = 6 − 4√2 (docs/theory.md D8)
    given = instance(
        [{"units": 1, "activation": "identity"}], [[0], [0]], [[0], [1]],
        loss={"name": "squared", "reduction": "max"}, sample_weights=[1, 2],
    )  # fmt: skip
    outcome = minimize(given, NraEngine())
    assert outcome.status == "feasible"
    assert outcome.lower_bound is not None
    assert outcome.values is not None
    loss = exact_loss(given, outcome.values)[0]
    # x = 6 − 4√2 is the smaller root of x² − 12x + 4.
    below, above = outcome.lower_bound, loss
    assert below**2 - 12 * below + 4 >= 0 >= above**2 - 12 * above + 4
    assert above - below < mpq(1, 10**5)


# --- domains that are relaxed --------------------------------------------------------------------

FLOATS = {"domain": "float", "format": "float16"}
RATIONALS = {"domain": "rational", "bits": 6}


@pytest.mark.parametrize("engine", [SmtEngine(), NraEngine()], ids=["smt", "nra"])
@pytest.mark.parametrize("pair", [(FLOATS, RATIONALS), (RATIONALS, FLOATS)])
def test_relaxed_domains_keep_their_neurons_apart(engine: Engine, pair: tuple[Any, Any]) -> None:
    # Only one of the two weights can be 1/3, whichever of the two neurons it belongs to.
    layers = [
        {"units": 2, "activation": "relu", "bias": False},
        {"units": 1, "activation": "identity", "bias": False, "weights": [[1, 1]]},
    ]
    weights = REAL | {"parameters": {"W1[0,0]": pair[0], "W1[1,0]": pair[1]}}
    given = instance(layers, [[1]], [["5/6"]], weights=weights, threshold=0)
    assert decide(given, engine) == "sat"


def test_no_infimum_is_claimed_for_a_relaxed_domain() -> None:
    given = instance(unit("relu", biases=[1]), [[-1], [0], [1]], [[0], [0], [1]], weights=FLOATS)
    problem = Problem(given)
    outcome = SmtEngine().minimize(problem, budget(3), ignore)
    assert outcome.status in ("feasible", "unknown", "optimal")
    if outcome.status == "optimal":
        assert outcome.lower_bound is not None
        assert outcome.lower_bound > 0


def test_splits_leave_every_member_and_cut_the_value_off() -> None:
    given = instance(
        [{"units": 1, "activation": "identity", "bias": False}], [[1]], [[0]], weights=RATIONALS
    )
    problem = Problem(given)
    members = list(given.network.parameters[0].domain.values())
    near = algebraic([-2, 0, 10**44], mpq(0), mpq(1))  # √2·10⁻²², next to the member 0
    for value in (mpq(1, 100), mpq(1000), mpq(-1000), mpq(22, 777), near, -near):
        relaxed = real_relaxation(problem, 100)
        encoding = encode_mixed(relaxed, homogenise=False)
        rows, clauses = len(encoding.program.rows), len(encoding.program.clauses)
        assert split_domains(encoding, [value], problem) == 1
        solver = Z3Program(encoding.program, budget(), linear=True)
        unknown = variable(encoding.parameters[0].unknown)  # type: ignore[union-attr]
        added = len(encoding.program.rows) + len(encoding.program.clauses) - rows - clauses
        assert added == 2
        inside = members[len(members) // 2 - 3 : len(members) // 2 + 4]
        for member in [members[0], members[-1], *inside]:
            solver.push()
            solver.add(solver.atom(unknown | constant(-member), "=="))
            assert solver.check() == "sat"
            solver.pop()
        probe = value if isinstance(value, mpq) else value.bounds(400)[0]
        solver.add(solver.atom(unknown | constant(-probe), "=="))
        assert solver.check() == "unsat"


# --- z3 ------------------------------------------------------------------------------------------


def test_an_expired_budget_is_unknown_and_says_so() -> None:
    given = instance(unit("relu"), [[1], [2]], [[1], [3]], threshold=0)
    for engine in (SmtEngine(), NraEngine()):
        spent = Budget(time.monotonic() - 1)
        outcome = engine.decide(Problem(given), spent, ignore)
        assert outcome.status == "unknown"
        assert "deadline" in outcome.reason
        assert engine.minimize(Problem(given), spent, ignore).status == "unknown"


def test_a_far_deadline_is_no_error() -> None:
    given = instance(unit("relu"), [[1]], [[1]], threshold=0)
    far = Budget(time.monotonic() + 10**9)
    assert SmtEngine().decide(Problem(given), far, ignore).status == "sat"
    assert SmtEngine().minimize(Problem(given), far, ignore).status == "optimal"


def test_pop_forgets_bounds_and_keeps_the_program() -> None:
    program = MixedProgram()
    x = variable(program.real())
    solver = Z3Program(program, budget(), linear=True)
    solver.push()
    solver.add(solver.atom(x | constant(mpq(1)), "<="))
    program.require(x | constant(mpq(-5)), "==")  # a cut found inside
    solver.sync()
    assert solver.check() == "unsat"
    solver.pop()
    solver.sync()
    assert solver.check() == "sat"
    assert solver.model()[1] == [5]
    assert program.rows == [Row(x | constant(mpq(-5)), "==")]


def test_weighted_errors_are_bounded_in_nonlinear_programs() -> None:
    layers = [
        {"units": 1, "activation": "relu"},
        {"units": 2, "activation": "relu"},
        {"units": 1, "activation": "identity"},
    ]
    loss = {"name": "zero_one", "reduction": "sum"}
    x, y = [[0], [1], [2], [0]], [[1], [-1], [1], [-1]]
    given = instance(layers, x, y, loss=loss, sample_weights=[1, 3, 2, 2], threshold=1)
    assert decide(given, NraEngine()) == "sat"
    assert decide(given.with_threshold(mpq(1, 2)), NraEngine()) == "unsat"


def test_irrational_models_become_rational_where_there_is_room() -> None:
    square = unit("square", out={"weights": [[1]]}, bias=False)
    exact = instance(square, [[1]], [[2]], threshold=0)
    outcome = NraEngine().decide(Problem(exact), budget(), ignore)
    assert outcome.status == "sat"
    assert outcome.values is not None
    assert not isinstance(outcome.values[0], mpq)
    assert rational_nearby(exact, outcome.values, mpq(0)) is None
    near = rational_nearby(exact, outcome.values, mpq(1, 10))
    assert near is not None
    assert exact_loss(exact, near)[0] <= mpq(1, 10)


def test_models_past_the_range_of_floats_stay_algebraic() -> None:
    # u² = 2 at both samples; p·10^-400 is anything from 1 to 3, so p has 401 digits.
    tiny = {"x0": {"param": "p", "scale": "1e-400"}}
    document = {
        "format": "ermbit-instance",
        "version": 1,
        "network": {
            "inputs": 1,
            "neurons": [
                {"id": "h", "inputs": {"x0": {"param": "u"}}, "activation": "square"},
                {"id": "g", "inputs": tiny, "activation": "identity"},
            ],
            "outputs": ["h", "g"],
        },
        "weights": REAL,
        "data": {"x": [[1], [1]], "y": [[2, 1], [2, 3]]},
        "loss": SUM,
        "threshold": 2,
    }
    given = parse_instance(document)
    outcome = NraEngine().decide(Problem(given), budget(), ignore)
    assert outcome.status == "sat" and outcome.values is not None
    assert exact_loss(given, outcome.values)[0] <= 2


def test_large_lists_beside_real_parameters_are_only_enclosed() -> None:
    def given(weights: Any) -> Problem:
        return Problem(instance([{"units": 1, "activation": "identity"}], [[1]], [[1]],
                                weights=weights))  # fmt: skip

    rational = {"domain": "rational", "bits": 8}
    mixed = given(REAL | {"biases": rational})
    assert not SmtEngine().capability(mixed, "minimize").complete
    assert SmtEngine().capability(mixed, "decide").complete
    assert SmtEngine().capability(given(rational), "minimize").complete


@pytest.mark.parametrize("activation", ["relu", "max", "sign"])
@pytest.mark.parametrize("samples", [2, 8, 40, 200])
def test_the_linear_encoding_comes_before_the_polynomial_one(
    activation: str, samples: int
) -> None:
    """With three engines at a time the last of the three hardly gets a processor."""
    layers = [{"units": 3, "activation": activation}, {"units": 1, "activation": "identity"}]
    x, y = [[k] for k in range(samples)], [[k % 2] for k in range(samples)]
    problem = Problem(instance(layers, x, y, threshold=0))
    costs = []
    for engine in (SmtEngine(), NraEngine(), CoveringsEngine()):
        capability = engine.capability(problem, "decide")
        assert capability.applicable and capability.complete
        costs.append(capability.cost)
    assert costs == sorted(costs)
