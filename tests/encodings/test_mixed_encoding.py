"""Mixed programs: what is homogenised, what is linear, and that models decode to certificates.

The linear encoding is compared with the polynomial one, which shares neither the normalisation of
outer weights nor symmetry breaking with it, and with hand-made instances of each special case.
"""

from __future__ import annotations

import random
import time
from fractions import Fraction
from typing import Any

import pytest
from gmpy2 import mpq

import random_instances
import reference
from ermbit.engines.engine import Budget
from ermbit.engines.mixed.search import Candidate, search
from ermbit.engines.mixed.z3_backend import Z3Program
from ermbit_encodings.mixed import NotLinearError, encode_mixed
from ermbit_encodings.mixed.normalisation import absorbed_biases, homogenised_neurons
from ermbit_encodings.mixed.objective import Square
from ermbit_encodings.mixed.parameters import BinaryParameter, declare, expression
from ermbit_encodings.mixed.program import MixedProgram, evaluate
from ermbit_encodings.problem import Problem
from ermbit_instances.activation import RELU
from ermbit_instances.domain import FiniteDomain, IntegerDomain
from ermbit_instances.instance import Instance, parse_instance
from real_instances import plain_answer

REAL = {"domain": "real"}
TERNARY = {"domain": "finite", "values": [-1, 0, 1]}


def instance(
    network: Any, x: Any, y: Any, *, weights: Any = REAL, loss: Any = None, threshold: Any = 0
) -> Instance:
    if isinstance(network, list):
        network = {"inputs": len(x[0]), "layers": network}
    return parse_instance(
        {
            "format": "ermbit-instance",
            "version": 1,
            "network": network,
            "weights": weights,
            "data": {"x": x, "y": y},
            "loss": loss or {"name": "absolute", "reduction": "sum"},
            "threshold": threshold,
        }
    )


def decide(
    given: Instance, *, products: bool = False, homogenise: bool = True, symmetries: bool = True
) -> tuple[str, Candidate | None]:
    """Decide with the encoding alone; the exact loss of a candidate is checked."""
    problem = Problem(given)
    if not symmetries:
        problem.__dict__["symmetries"] = ()
    encoding = encode_mixed(problem, products=products, homogenise=homogenise)
    assert given.threshold is not None
    encoding.objective.bound(encoding.program, encoding.budget(given.threshold))
    solver = Z3Program(
        encoding.program, Budget(time.monotonic() + 60), linear=encoding.program.is_linear
    )
    status, found, _ = search(solver, encoding, problem, given.threshold, strict=False)
    if found is not None:
        assert found.loss <= given.threshold
    return status, found


def gains(given: Instance) -> dict[int, bool]:
    """Node → is a cone, of the homogenised neurons."""
    network = given.network
    real = frozenset(p.index for p in network.parameters if p.domain.size is None)
    return {node: rule.is_cone for node, rule in homogenised_neurons(network, real).items()}


def hidden(activation: Any, units: int = 1, out: Any = None, **options: Any) -> list[Any]:
    return [
        {"units": units, "activation": activation, **options},
        {"units": 1, "activation": "identity", "bias": False} | (out or {}),
    ]


ONE = [[1]], [[1]]


# --- which biases move on ------------------------------------------------------------------------


def absorbed(layers: list[Any]) -> set[str]:
    network = instance(layers, *ONE).network
    real = frozenset(p.index for p in network.parameters if p.domain.size is None)
    return {network.parameters[p].name for p in absorbed_biases(network, real)}


BIASED: dict[str, Any] = {"out": {"bias": True}}


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (hidden("max", 2, **BIASED), {"b1[0]", "b1[1]"}),
        (hidden("identity", **BIASED), {"b1[0]"}),
        (hidden("relu", **BIASED), set()),  # its bias stands inside
        (hidden("max"), set()),  # no bias to take it over
        (hidden("max", out={"bias": True, "biases": [2]}), set()),
        (hidden("max", out={"bias": True, "activation": "max"}), set()),  # one argument of it only
        (hidden("max", out={"bias": True, "activation": "relu"}), {"b1[0]"}),
        (hidden("max", 2, biases=[{"param": "s"}, {"param": "s"}], **BIASED), set()),
        (hidden("max", biases=[3], **BIASED), set()),
        # from the first layer to the second, from there to the last
        (
            [
                {"units": 1, "activation": "max"},
                {"units": 1, "activation": "identity"},
                {"units": 1, "activation": "identity"},
            ],
            {"b1[0]", "b2[0]"},
        ),
        # the output reads it as well, but has no bias
        (
            [
                {"name": "a", "units": 1, "activation": "max"},
                {"name": "b", "units": 1, "activation": "relu"},
                {"units": 1, "activation": "identity", "from": ["a", "b"], "bias": False},
            ],
            set(),
        ),
    ],
)
def test_which_biases_move_on(layers: list[Any], expected: set[str]) -> None:
    assert absorbed(layers) == expected


@pytest.mark.parametrize("seed", range(24))
def test_biases_that_move_on_lose_no_answer(seed: int) -> None:
    """Against the definition written out for z3: maxima and identities over the reals."""
    rng = random.Random(f"biases that move on {seed}")
    loss = rng.choice(["absolute", "zero_one", "hinge"])
    labels = [0, 1, 2, -1] if loss == "absolute" else [-1, 1]
    inner = {"units": rng.choice([1, 2]), "activation": rng.choice(["max", "max", "identity"])}
    outer: dict[str, Any] = {"units": 1, "activation": "identity"}
    if rng.random() < 0.4:
        outer["weights"] = [[rng.choice([1, -2, {"param": "v"}]) for _ in range(inner["units"])]]
    layers = [inner, outer]
    if rng.random() < 0.3:
        layers.insert(1, {"units": 1, "activation": "relu", "weights": [[1] * inner["units"]]})
        outer.pop("weights", None)
    samples = rng.choice([3, 4])
    x = [[rng.randint(-2, 2), rng.randint(-2, 2)] for _ in range(samples)]
    y = [[rng.choice(labels)] for _ in x]
    given = instance(layers, x, y, loss={"name": loss, "reduction": "sum"})
    assert absorbed_biases(given.network, frozenset(range(given.network.parameter_count)))
    for threshold in (Fraction(0), Fraction(1, 2), Fraction(1)):
        asked = parse_instance(given.to_document() | {"threshold": str(threshold)})
        status, _ = decide(asked, products=True)
        other = plain_answer(given.to_document(), threshold)
        assert "unknown" in (status, other) or status == other


# --- which neurons are homogenised ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (hidden("relu"), {1: True}),
        (hidden("max"), {1: True}),
        (hidden("relu", biases=[0]), {1: True}),
        (hidden("relu", weights=[[{"param": "s"}]], biases=[{"param": "s"}]), {1: True}),
        (hidden("relu", biases=[1]), {1: False}),
        (hidden({"name": "clip", "low": 0, "high": 1}), {1: False}),
        (hidden("step"), {}),
        (hidden("square"), {}),
        (hidden("relu", out={"weights": [[1]]}), {}),
        # shared between two neurons: scaling one would scale the other
        (hidden("relu", 2, weights=[[{"param": "s"}], [{"param": "s"}]]), {}),
        # the outer weight occurs twice
        (hidden("relu", 2, out={"weights": [[{"param": "v"}, {"param": "v"}]]}), {}),
        # two outgoing edges
        ([{"units": 1, "activation": "relu"}, {"units": 2, "activation": "identity"}], {}),
        # two edges to the same child
        (
            [
                {"name": "h", "units": 1, "activation": "relu"},
                {"units": 1, "activation": "identity", "from": ["h", "h"]},
            ],
            {},
        ),
        # a chain: both, each with its own edge
        (
            [
                {"units": 1, "activation": "relu"},
                {"units": 1, "activation": "relu"},
                {"units": 1, "activation": "identity"},
            ],
            {1: True, 2: True},
        ),
        # a known number on every sample
        (hidden("relu", weights=[[3]], biases=[1]), {}),
        # arguments of a maximum
        ([{"units": 1, "activation": "relu"}, {"units": 1, "activation": "max"}], {}),
    ],
)
def test_the_cone_condition(layers: list[Any], expected: dict[int, bool]) -> None:
    outputs = layers[-1]["units"]
    assert gains(instance(layers, [[1]], [[0] * outputs])) == expected


def test_an_output_that_feeds_others_is_left_alone() -> None:
    network = {
        "inputs": 1,
        "neurons": [
            {"id": "h", "inputs": {"x0": None}, "activation": "relu"},
            {"id": "o", "inputs": {"h": None}, "activation": "identity"},
        ],
        "outputs": ["h", "o"],
    }
    given = instance(network, [[1]], [[1, -3]])
    assert gains(given) == {}
    status, found = decide(given, products=True)
    assert status == "sat"
    assert found is not None
    assert found.values == (1, -3)


def test_finite_inner_weights_are_no_cone() -> None:
    weights = REAL | {"parameters": {"W1[0,0]": TERNARY}}
    assert gains(instance(hidden("relu"), *ONE, weights=weights)) == {1: False}


def test_finite_outer_weights_are_not_normalised() -> None:
    weights = REAL | {"parameters": {"W2[0,0]": TERNARY}}
    assert gains(instance(hidden("relu"), *ONE, weights=weights)) == {}


# --- decoding ------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", ["-1/3", "5/2"])
@pytest.mark.parametrize("target", [-2, 0, 7])
@pytest.mark.parametrize("bias", [None, 1])
def test_outer_weights_come_back_with_factor_and_sign(
    factor: str, target: int, bias: int | None
) -> None:
    layers = hidden(
        "relu", biases=[bias], out={"weights": [[{"param": "v", "scale": factor}]]}
    )
    given = instance(layers, [[1], [0]], [[target], [0 if bias is None else target]])
    status, found = decide(given)
    assert status == "sat"
    assert found is not None
    assert found.loss == 0


def test_a_zero_outer_weight_is_a_case_of_its_own() -> None:
    # relu(u x + 1) is 1 at x = 0, so f(0) = 0 needs v = 0, and then f(1) = 0.
    given = instance(hidden("relu", biases=[1]), [[0], [1]], [[0], [0]])
    assert decide(given)[0] == "sat"
    given = instance(hidden("relu", biases=[1]), [[0], [1]], [[0], [1]])
    assert decide(given)[0] == "unsat"


def test_half_a_relu_with_a_frozen_bias_needs_a_real_outer_weight() -> None:
    # ½·relu(4x + 1): v in {−1, 0, 1} would not do (docs/theory.md B1).
    given = instance(hidden("relu", biases=[1]), [[0], [1], [-1]], [["1/2"], ["5/2"], [0]])
    status, found = decide(given)
    assert status == "sat"
    assert found is not None
    assert found.values == (4, mpq(1, 2))


def test_gains_run_through_a_chain_of_real_layers() -> None:
    layers = [
        {"units": 1, "activation": "relu", "biases": [1]},
        {"units": 1, "activation": "abs", "biases": [-2]},
        {"units": 1, "activation": "identity", "bias": False},
    ]
    # 3·|2·relu(5x + 1) − 2| on x = 0, 1, −1
    assert gains(instance(layers, [[0]], [[0]])) == {1: False, 2: False}
    status, found = decide(instance(layers, [[0], [1], [-1]], [[0], [30], [6]]))
    assert status == "sat"
    assert found is not None
    assert found.loss == 0
    # no output of one sign can be followed by one of the other
    assert decide(instance(layers, [[0], [1], [-1]], [[0], [30], [-6]]))[0] == "unsat"


def test_frozen_features_leave_a_plain_linear_program() -> None:
    frozen = {"weights": [[1], [-1], [2]], "biases": [0, 1, "-1/2"]}
    encoding = encode_mixed(Problem(instance(hidden("relu", 3, **frozen), [[0], [1]], [[1], [2]])))
    assert encoding.program.booleans == 0
    assert encoding.program.is_linear
    # f(0) and f(1) use different features, so both fit exactly.
    assert decide(instance(hidden("relu", 3, **frozen), [[0], [1]], [[1], [2]]))[0] == "sat"


def test_contradictory_labels_stay_apart() -> None:
    loss = {"name": "zero_one", "reduction": "sum"}
    given = instance(hidden("relu"), [[1], [1]], [[1], [-1]], loss=loss)
    assert decide(given)[0] == "unsat"
    assert decide(given.with_threshold(mpq(1)))[0] == "sat"


def test_step_networks_of_any_depth_are_linear() -> None:
    layers = [
        {"units": 2, "activation": "step"},
        {"units": 2, "activation": "sign"},
        {"units": 2, "activation": "identity"},
    ]
    x = [[0, 0], [0, 1], [1, 0], [1, 1]]
    parity = [[0, 5], [1, 5], [1, 5], [0, 5]]
    assert decide(instance(layers, x, parity))[0] == "sat"
    layers[0]["units"] = layers[1]["units"] = 1
    assert decide(instance(layers, x, parity))[0] == "unsat"


# --- the two encodings agree ---------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(45))
def test_linear_and_polynomial_encodings_agree(seed: int) -> None:
    rng = random.Random(seed)
    activation = rng.choice(["relu", "abs", "clip", "max", "piecewise_linear", "leaky_relu"])
    given = random_instances.random_instance(
        rng,
        max_assignments=10**9,
        activation=activation,
        loss=rng.choice(["absolute", "hinge", "zero_one"]),
        outputs=rng.choice([1, 1, 2]),
        samples=rng.choice([2, 3]),
        hidden_layers=1,
    )
    chance = rng.choice([0, 0.3])
    given["weights"] = REAL | {
        "parameters": {
            name: TERNARY if rng.random() < chance else REAL
            for name in reference.free_parameters(given)
        }
    }
    if not given["weights"]["parameters"] or reference.number(given["threshold"]) < 0:
        return
    parsed = parse_instance(given)
    try:
        linear = decide(parsed)[0]
    except NotLinearError:
        return
    assert linear in ("sat", "unsat")
    other = decide(parsed, products=True, homogenise=False, symmetries=False)[0]
    assert other in (linear, "unknown")


# --- parts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [9, 10, 15, 16, 17, 31, 33])
def test_binary_choices_have_exactly_the_values_of_the_domain(size: int) -> None:
    program = MixedProgram()
    parameter = declare(program, IntegerDomain(-4, size - 5, 3))
    assert isinstance(parameter, BinaryParameter)
    found = set()
    for code in range(1 << len(parameter.bits)):
        bits = [code >> i & 1 for i in range(len(parameter.bits))]
        if all(
            any((bits[abs(p) - 1] == 1) == (p > 0) for p in clause) for clause in program.clauses
        ):
            steps = [s * b for s, b in zip(parameter.steps, bits, strict=True)]
            found.add(sum(steps, parameter.low))
            reals = [mpq(0)] * program.reals
            for unknown, step in zip(parameter.unknowns, steps, strict=True):
                reals[unknown] = mpq(step)
            assert evaluate(expression(parameter), reals) == sum(steps, parameter.low)
    assert found == {mpq(k, 3) for k in range(-4, size - 4)}


def test_progressions_are_chosen_by_bits_and_other_sets_by_value() -> None:
    even = FiniteDomain(tuple(mpq(k, 2) for k in range(20)))
    uneven = FiniteDomain(tuple(mpq(k * k) for k in range(20)))
    assert type(declare(MixedProgram(), even)).__name__ == "BinaryParameter"
    assert type(declare(MixedProgram(), uneven)).__name__ == "ListedParameter"
    with pytest.raises(NotLinearError, match="too large"):
        declare(MixedProgram(), FiniteDomain(tuple(mpq(k * k) for k in range(2000))))


@pytest.mark.parametrize("grid", [None, 1, 6])
def test_cuts_lie_below_the_square_and_touch_it(grid: int | None) -> None:
    square = Square(1, {(0,): mpq(1)}, grid)
    points = [mpq(k, grid or 4) for k in range(-20, 21)]
    for at in points:
        line = square.cut(at)
        for r in points:
            # line ≤ r², as line − unknown ≤ 0 must hold for unknown = r².
            assert evaluate(line, [r, r * r]) <= 0
        assert evaluate(line, [at, at * at]) == 0


def test_a_convex_activation_is_exact_in_its_encoding() -> None:
    layers = [{"units": 1, "activation": "relu", "bias": False, "weights": [[{"param": "w"}]]}]
    for target, status in ((3, "sat"), (0, "sat"), (-1, "unsat")):
        assert decide(instance(layers, [[1]], [[target]]))[0] == status
    assert RELU.is_continuous


def test_maxima_are_attained_and_never_exceeded() -> None:
    weights = [[{"param": "a"}, {"param": "b"}]]
    layers = [{"units": 1, "activation": "max", "weights": weights, "bias": False}]
    x = [[1, 0], [0, 1], [1, 1]]
    assert decide(instance(layers, x, [[2], [3], [3]]))[0] == "sat"
    assert decide(instance(layers, x, [[2], [3], [2]]))[0] == "unsat"
    assert decide(instance(layers, x, [[2], [3], [4]]))[0] == "unsat"
    # max(a, 0) on the first sample cannot be negative
    assert decide(instance(layers, x, [[-1], [3], [3]]))[0] == "unsat"


def test_weights_past_the_machine_integers_bound_the_loss() -> None:
    given = parse_instance(
        {
            "format": "ermbit-instance",
            "version": 1,
            "network": {"inputs": 1, "layers": [{"units": 1, "activation": "identity"}]},
            "weights": REAL,
            "data": {
                "x": [[0], [0], [1]],
                "y": [[1], [-1], [1]],
                "sample_weights": [10**10, "20000000000.5", 3],
            },
            "loss": {"name": "zero_one", "reduction": "sum"},
            "threshold": 10**10,
        }
    )
    assert decide(given)[0] == "sat"
    assert decide(given.with_threshold(mpq(10**10) - mpq(1, 2)))[0] == "unsat"
