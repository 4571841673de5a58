"""The `cells` engine against z3 on the definition, and on planted answers."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import z3

from cell_networks import REAL, document
from engine_checks import check_certificate, decide, fraction, least, minimize, problem_of
from ermbit.engines.cells.search import CellSearch
from ermbit.engines.engine import Budget, LowerBound, ignore
from ermbit.engines.registry import engine
from real_instances import plain_answer
from reference import Document, number
from rewriters import with_threshold

HAIR = Fraction(1, 10**9)


# --- against z3 on the definition ----------------------------------------------------------------

SLOPES = {"relu": (0, 1), "abs": (-1, 1), "identity": (1, 1)}


def slopes(activation: Any) -> tuple[Fraction, Fraction]:
    if isinstance(activation, str):
        low, high = SLOPES[activation]
        return Fraction(low), Fraction(high)
    return number(activation["slope"]), Fraction(1)


def z3_minimum(doc: Document) -> Fraction:
    """The least loss: outer weights ±1 or frozen, everything else linear with case distinctions.

    For documents of :func:`random_document` only.
    """
    hidden, output = doc["network"]["layers"]
    units, inputs = hidden["units"], doc["network"]["inputs"]
    data, loss = doc["data"], doc["loss"]
    outer = output.get("weights", [[None] * units])[0]
    choices = [[1, -1] if v is None else [number(v)] for v in outer]
    weights = [number(w) for w in data.get("sample_weights", [1] * len(data["x"]))]
    minimum: Fraction | None = None
    for signs in set(itertools.product(*choices)):
        solver = z3.Optimize()

        def entry(value: Any, name: str) -> Any:
            return z3.Real(name) if value is None else z3.RealVal(str(number(value)))

        def given_entry(rows: Any, *at: int) -> Any:
            for k in at:
                rows = None if rows is None else rows[k]
            return rows

        u = [
            [entry(given_entry(hidden.get("weights"), j, k), f"u{j}_{k}") for k in range(inputs)]
            for j in range(units)
        ]
        zero = z3.RealVal(0)
        b = [
            entry(given_entry(hidden.get("biases"), j), f"b{j}")
            if hidden.get("bias", True)
            else zero
            for j in range(units)
        ]
        c = entry(given_entry(output.get("biases"), 0), "c") if output.get("bias", True) else zero
        low, high = (z3.RealVal(str(v)) for v in slopes(hidden["activation"]))
        terms = []
        for x, y, weight in zip(data["x"], data["y"], weights, strict=True):
            f = c
            for j, sign in enumerate(signs):
                t = b[j] + z3.Sum(
                    [a * z3.RealVal(str(number(v))) for a, v in zip(u[j], x, strict=True)]
                )
                f = f + z3.RealVal(str(sign)) * z3.If(t >= 0, high * t, low * t)
            target = z3.RealVal(str(number(y[0])))
            gap = 1 - target * f if loss["name"] == "hinge" else f - target
            cost = z3.Real(f"cost{len(terms)}")
            solver.add(cost >= gap, cost >= (0 if loss["name"] == "hinge" else -gap))
            terms.append(z3.RealVal(str(weight)) * cost)
        bound = z3.Real("bound")
        if loss["reduction"] == "max":
            solver.add([bound >= term for term in terms])
        else:
            total = sum(weights) if loss["reduction"] == "mean" else 1
            solver.add(bound * z3.RealVal(str(total)) >= z3.Sum(terms))
        solver.minimize(bound)
        assert solver.check() == z3.sat
        found = Fraction(str(solver.model().eval(bound, model_completion=True).as_fraction()))
        minimum = found if minimum is None else min(minimum, found)
    assert minimum is not None
    return max(minimum, Fraction(0))


def random_document(rng: random.Random) -> Document:
    inputs, units = rng.choice([1, 1, 2]), rng.choice([1, 1, 2])
    count = rng.choice([1, 2, 3, 4, 5] if units == 1 else [1, 2, 3])
    hidden: dict[str, Any] = {
        "units": units,
        "activation": rng.choice(["relu", "relu", "abs", {"name": "leaky_relu", "slope": "1/3"}]),
    }
    output: dict[str, Any] = {}
    if rng.random() < 0.3:
        hidden["bias"] = False
    elif rng.random() < 0.2:
        hidden["biases"] = [rng.choice([0, None]) for _ in range(units)]
    if rng.random() < 0.3:
        hidden["weights"] = [
            [rng.choice([None, None, 0]) for _ in range(inputs)] for _ in range(units)
        ]
    if rng.random() < 0.4:
        output["bias"] = False
    elif rng.random() < 0.3:
        output["biases"] = [rng.choice([0, 1, "-1/2"])]
    if rng.random() < 0.3:
        output["weights"] = [[rng.choice([None, 1, -2, "1/3", 0]) for _ in range(units)]]
    loss = rng.choice(["absolute", "hinge"])
    labels = [-1, 1] if loss == "hinge" else [0, 1, 1, -1, 2, "1/2", -3]
    doc = document(
        [[rng.choice([0, 1, -1, 2, "1/2", -2, 3]) for _ in range(inputs)] for _ in range(count)],
        [rng.choice(labels) for _ in range(count)],
        hidden,
        output,
        loss=loss,
        reduction=rng.choice(["sum", "mean", "max"]),
    )
    if rng.random() < 0.3:
        weights = [rng.choice([0, 1, 2, "1/3"]) for _ in range(count)]
        doc["data"]["sample_weights"] = [1, *weights[1:]]
    return doc


@pytest.mark.parametrize("block", range(8))
def test_least_losses_are_those_of_z3(block: int) -> None:
    positive = 0
    for index in range(block, 160, 8):
        doc = random_document(random.Random(f"cells {index}"))
        minimum = z3_minimum(doc)
        assert least("cells", doc) == ("optimal", minimum), (index, doc)
        assert decide("cells", doc, minimum).status == "sat"
        if minimum > 0:
            positive += 1
            assert decide("cells", doc, minimum - HAIR).status == "unsat", (index, doc)
    assert positive >= 4


@pytest.mark.parametrize("block", range(4))
def test_least_squares_are_not_beaten(block: int) -> None:
    proved = 0
    for index in range(block, 36, 4):
        rng = random.Random(f"cells squares {index}")
        inputs, units, count = rng.choice([1, 1, 2]), rng.choice([1, 1, 2]), rng.choice([3, 4])
        doc = document(
            [
                [rng.choice([-2, -1, 0, 1, 2, 3, "1/2"]) for _ in range(inputs)]
                for _ in range(count)
            ],
            [rng.choice([-2, -1, 0, 1, "1/2"]) for _ in range(count)],
            {"units": units, "activation": rng.choice(["relu", "abs"]), "bias": rng.random() < 0.7},
            {"bias": rng.random() < 0.6},
            loss="squared",
            reduction=rng.choice(["sum", "mean"]),
            weights=[rng.choice([1, 2, "1/3"]) for _ in range(count)],
        )
        status, minimum = least("cells", doc)
        assert status == "optimal"
        assert decide("cells", doc, minimum).status == "sat"
        if minimum > 0:
            assert decide("cells", doc, minimum - HAIR).status == "unsat"
            below = plain_answer(doc, minimum * Fraction(999_999, 1_000_000), 100_000)
            assert below != "sat", (index, doc)
            proved += below == "unsat"
    assert proved >= 1


# --- known answers -------------------------------------------------------------------------------


def test_an_optimum_on_the_boundary_of_its_cell() -> None:
    """The example of docs/theory.md D7."""
    doc = document([[-4], [-3], [2]], [-1, -1, 1], output={"bias": False}, loss="squared")
    assert least("cells", doc) == ("optimal", Fraction(62, 61))


def planted(rng: random.Random, count: int, inputs: int, units: int) -> tuple[Any, list[int]]:
    x = [[rng.randint(-8, 8) for _ in range(inputs)] for _ in range(count)]
    u = [[rng.randint(-3, 3) for _ in range(inputs + 1)] for _ in range(units)]
    v = [rng.choice([-1, 1]) for _ in range(units)]
    c = rng.randint(-4, 4)
    y = [
        c + sum(s * max(0, sum(map(int.__mul__, w, [*row, 1]))) for s, w in zip(v, u, strict=True))
        for row in x
    ]
    return x, y


@pytest.mark.parametrize("loss", ["absolute", "squared"])
@pytest.mark.parametrize("inputs, units, count", [(1, 2, 12), (2, 1, 15), (2, 2, 12), (3, 1, 12)])
def test_a_planted_network_is_found(loss: str, inputs: int, units: int, count: int) -> None:
    rng = random.Random(f"planted {inputs} {units}")
    x, y = planted(rng, count, inputs, units)
    doc = document(x, y, {"units": units}, loss=loss)
    assert least("cells", doc) == ("optimal", 0)
    assert decide("cells", doc, Fraction(0)).status == "sat"
    # One label is off: the loss is at most its error, and no better than without the others.
    y[0] += 5
    bent = document(x, y, {"units": units}, loss=loss)
    status, minimum = least("cells", bent)
    assert status == "optimal" and minimum <= (5 if loss == "absolute" else 25)


def test_more_units_are_never_worse_and_enough_of_them_fit() -> None:
    rng = random.Random("cells growing")
    x, y = [[k] for k in range(8)], [rng.randint(-8, 8) for _ in range(8)]
    losses = [least("cells", document(x, y, {"units": h}))[1] for h in range(1, 5)]
    assert losses == sorted(losses, reverse=True) and losses[0] > 0
    assert losses[-1] <= losses[0] / 2


@pytest.mark.parametrize("loss", ["absolute", "squared"])
def test_moving_and_scaling_the_data_scales_the_loss(loss: str) -> None:
    rng = random.Random("cells moved")
    x = [[rng.randint(-5, 5), rng.randint(-5, 5)] for _ in range(9)]
    y = [rng.randint(-5, 5) for _ in range(9)]
    _, minimum = least("cells", document(x, y, {"units": 2}, loss=loss))
    assert minimum > 0
    # An invertible map of the inputs changes nothing; one of the labels changes the unit.
    moved = [[3 * a + b + 7, f"{2 * b - a - 1}/5"] for a, b in x]
    scaled = [f"{3 * v + 1}/7" for v in y]
    factor = Fraction(3, 7) if loss == "absolute" else Fraction(9, 49)
    order = list(range(9))
    rng.shuffle(order)
    doc = document([moved[i] for i in order], [scaled[i] for i in order], {"units": 2}, loss=loss)
    assert least("cells", doc) == ("optimal", minimum * factor)


def test_weights_repeat_samples() -> None:
    x, y = [[0], [1], [2], [3], [4]], [0, 3, -1, 2, 2]
    weights = [1, 2, 3, 1, 2]
    for loss in ("absolute", "squared"):
        weighted = document(x, y, loss=loss, weights=weights)
        copies = [i for i, w in enumerate(weights) for _ in range(w)]
        repeated = document([x[i] for i in copies], [y[i] for i in copies], loss=loss)
        assert least("cells", weighted) == least("cells", repeated)


# --- degenerate data -----------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["absolute", "squared", "hinge"])
@pytest.mark.parametrize("reduction", ["sum", "mean", "max"])
def test_degenerate_samples(loss: str, reduction: str) -> None:
    if loss == "squared" and reduction == "max":
        return
    scale = Fraction(1, 2) if reduction == "mean" else Fraction(1)
    # One sample; one point with two labels; a zero column.
    assert least("cells", document([[3]], [1], loss=loss, reduction=reduction)) == ("optimal", 0)
    doubt = document([[2, 0], [2, 0]], [1, -1], {"units": 2}, loss=loss, reduction=reduction)
    worst = {"absolute": Fraction(2), "squared": Fraction(2), "hinge": Fraction(2)}[loss]
    expected = Fraction(1) if reduction == "max" else worst * scale
    assert least("cells", doubt) == ("optimal", expected)


def test_samples_at_the_origin_of_units_without_bias() -> None:
    doc = document([[0], [0], [1]], [1, 3, 0], {"bias": False}, {"bias": False})
    assert least("cells", doc) == ("optimal", 4)
    free = document([[0], [0], [1]], [1, 3, 0], {"bias": False})
    assert least("cells", free) == ("optimal", 2)
    frozen = document([[0, 0], [0, 0]], [1, 3], {"weights": [[0, 0]], "bias": False})
    assert least("cells", frozen) == ("optimal", 2)


def test_fewer_samples_than_inputs() -> None:
    x = [[1, 2, 3, 4, 5], [2, 4, 6, 8, 11]]
    assert least("cells", document(x, [7, -7])) == ("optimal", 0)


def test_long_numbers() -> None:
    big = 10**25
    x, y = [[-4 * big], [-3 * big], [2 * big]], [-1, -1, 1]
    doc = document(x, y, output={"bias": False}, loss="squared")
    assert least("cells", doc) == ("optimal", Fraction(62, 61))
    x2 = [[f"{3 * k}/{10**14 + k}", k * k] for k in range(6)]
    doc = document(x2, [1, 0, 2, 0, 3, 0], {"units": 1})
    assert least("cells", doc)[0] == "optimal"
    huge = document([[1], [2], [3]], [big, -big, 2 * big])
    assert least("cells", huge) == ("optimal", 2 * big)


def test_numbers_past_the_range_of_floats_are_refused() -> None:
    far = ["1e-100", "1e300", 0, "1e300"]
    line = [[0], [1], [2], [3]]
    for doc in (
        document(line, far),
        document(line, [0, 1, 0, 1], weights=["1e-300", 1, "1e300", 1]),
        document(line, [0, 1, 0, 1], {"activation": {"name": "leaky_relu", "slope": "1e-320"}}),
    ):
        said = engine("cells").capability(problem_of(doc), "minimize")
        assert not said.applicable and "too long" in said.reason
        assert engine("cells").minimize(problem_of(doc), Budget(), ignore).status == "unknown"


def test_a_support_with_an_amount_of_zero() -> None:
    x = [[2, 0], [-1, 2], [2, 0], [0, 2], [2, -1], [1, 0]]
    y = [2, 2, 10**12, 0, 2, -1]
    plain = {"bias": False}
    doc = document(x, y, {"units": 2, **plain}, plain, loss="squared", reduction="mean")
    status, loss = least("cells", doc)
    assert status == "optimal"
    assert decide("cells", doc, loss - HAIR).status == "unsat"


def test_no_cut_leaves_a_region_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the data are far apart, floats mix rays that are not there any more."""
    x = [[2, "1e8"], ["1e12", "-1e12"], [1, 2], ["1e8", "-1e4"], ["1e8", 2], [-1, "1e4"]]
    cut = CellSearch._cut

    def checked(self: CellSearch, node: Any) -> None:
        table = self.tables[node.unit]
        mask = np.unpackbits(np.frombuffer(node.masks[node.unit], np.uint8), count=len(table))
        sides = table.sides[mask.astype(bool), node.sample]
        assert (sides > 0).any() and (sides < 0).any()
        cut(self, node)

    monkeypatch.setattr(CellSearch, "_cut", checked)
    doc = document(x, [-1, -1, -1, 0, 10**4, -1], {"units": 2})
    deadline = Budget(time.monotonic() + 5)
    assert engine("cells").minimize(problem_of(doc), deadline, ignore).status != "unknown"


# --- forms of networks ---------------------------------------------------------------------------


def neurons(output: dict[str, Any], *hidden: dict[str, Any]) -> dict[str, Any]:
    return {"inputs": 1, "neurons": [*hidden, output], "outputs": [output["id"]]}


def with_network(network: dict[str, Any], x: Any, y: Any, weights: Any = None) -> Document:
    doc = document(x, y)
    return doc | {"network": network, "weights": weights or REAL}


def test_direct_edges_fixed_neurons_and_shared_inner_names() -> None:
    x, y = [[-2], [-1], [0], [1], [3]], [5, 3, 1, 0, 7]
    fixed = {"id": "g", "inputs": {"x0": 1}, "bias": 0, "activation": "square"}
    relu = {"id": "h", "inputs": {"x0": {"param": "w"}}, "bias": None, "activation": "relu"}
    # f = a x + b x² + v relu(w x + b) + c − x
    output = {
        "id": "f",
        "inputs": {"x0": None, "g": None, "h": None},
        "bias": None,
        "activation": "identity",
    }
    doc = with_network(neurons(output, fixed, relu), x, y)
    smt = least("smt", doc)
    assert least("cells", doc) == smt
    # The same parameter twice within one unit is still its own.
    twice = {
        "id": "h",
        "inputs": {"x0": {"param": "w"}},
        "bias": {"param": "w", "scale": 2},
        "activation": "relu",
    }
    plain = {"id": "f", "inputs": {"h": None}, "bias": None, "activation": "identity"}
    doc = with_network(neurons(plain, twice), x, y)
    assert least("cells", doc) == least("smt", doc)
    # A single neuron is the output itself.
    single = {"id": "h", "inputs": {"x0": None}, "bias": None, "activation": "abs"}
    doc = with_network(neurons(single), x, y)
    assert least("cells", doc) == least("smt", doc)


def test_finite_outer_weights_count_by_their_signs() -> None:
    x, y = [[0], [1], [2]], [0, -1, -4]
    domains = {
        "domain": "real",
        "parameters": {"outer": {"domain": "finite", "values": [2, 5]}},
    }
    positive = document(x, y, output={"bias": False}, domains=domains)
    assert least("cells", positive) == ("optimal", 5)
    domains["parameters"] = {"outer": {"domain": "finite", "values": [0, "-1/3"]}}
    negative = document(x, y, output={"bias": False}, domains=domains)
    assert least("cells", negative) == least("smt", negative)


@pytest.mark.parametrize("margin", [None, 3])
@pytest.mark.parametrize("reduction", ["sum", "mean", "max"])
def test_all_samples_right(reduction: str, margin: Any) -> None:
    x, y = [[0, 0], [0, 1], [1, 0], [1, 1]], [-1, 1, 1, -1]

    def parity(units: int, weights: Sequence[Any]) -> Document:
        doc = document(
            x, y, {"units": units}, loss="zero_one", reduction=reduction, weights=weights
        )
        if margin is not None:
            doc["loss"]["margin"] = margin
        return doc

    for threshold in (Fraction(0), Fraction(1, 8)):
        assert decide("cells", parity(1, [1, 1, 1, 1]), threshold).status == "unsat"
        assert decide("cells", parity(2, [1, 1, 1, 1]), threshold).status == "sat"
    # A sample of weight 0 does not count; a light one is free under the largest loss only.
    assert decide("cells", parity(1, [0, 1, 1, 1]), Fraction(0)).status == "sat"
    light = decide("cells", parity(1, ["1/9", 1, 1, 1]), Fraction(1, 8))
    assert light.status == ("sat" if reduction == "max" else "unknown")


@pytest.mark.parametrize("index", range(24))
def test_right_samples_are_those_of_the_plain_encoding(index: int) -> None:
    rng = random.Random(f"cells right {index}")
    count, inputs = rng.randint(3, 5), rng.choice([1, 2])
    doc = document(
        [[rng.randint(-2, 2) for _ in range(inputs)] for _ in range(count)],
        [rng.choice([-1, 1]) for _ in range(count)],
        {"bias": rng.random() < 0.5, "activation": rng.choice(["relu", "abs"])},
        {"bias": rng.random() < 0.5},
        loss="zero_one",
    )
    answer = plain_answer(doc, Fraction(0), 100_000)
    assert answer != "unknown"
    assert decide("cells", doc, Fraction(0)).status == answer, doc


def test_rational_domains_are_relaxed() -> None:
    domains = {"domain": "rational", "bits": 4}
    doc = document([[0], [1], [2]], [1, 0, 1], {"activation": "abs"}, domains=domains)
    said = engine("cells").capability(problem_of(doc), "decide")
    assert said.applicable and not said.complete
    assert decide("cells", doc, Fraction(0)).status == "sat"
    doc = document([[0], [0]], [0, 1], domains=domains)
    assert decide("cells", doc, Fraction(99, 100)).status == "unsat"
    assert decide("cells", doc, Fraction(1)).status == "sat"
    far = document([[1]], [1000], domains=domains)
    assert decide("cells", far, Fraction(0)).status in ("sat", "unknown")
    outcome = minimize("cells", far)
    assert outcome.lower_bound == 0


def test_what_it_does_not_take_on() -> None:
    x, y = [[0], [1]], [0, 1]
    for reason, doc in [
        ("wrong", document(x, [1, -1], loss="zero_one") | {"threshold": 1}),
        ("squared", document(x, y, loss="squared", reduction="max")),
        ("step", document(x, y, {"activation": "step"})),
        ("frozen", document(x, y, {"biases": [1]})),
        ("finite", document(x, y, domains={"domain": "integer", "low": -1, "high": 1})),
        ("relu", document(x, y, output={"activation": "relu"})),
        (
            "shared",
            document(x, y, {"weights": [[{"param": "a"}]]}, {"weights": [[{"param": "a"}]]}),
        ),
    ]:
        problem = problem_of(doc)
        said = engine("cells").capability(problem, "decide")
        assert not said.applicable and reason in said.reason, (reason, said)
        assert engine("cells").decide(problem, Budget(), ignore).status == "unknown"
        assert engine("cells").minimize(problem, Budget(), ignore).status == "unknown"


def test_the_deadline_is_kept_and_bounds_stay_proved() -> None:
    rng = random.Random("cells late")
    x = [[rng.randint(-8, 8) for _ in range(2)] for _ in range(12)]
    y = [rng.randint(-8, 8) for _ in range(12)]
    doc = document(x, y, {"units": 2})
    _, minimum = least("cells", doc)
    for patience in (0.0, 0.05):
        outcome = minimize("cells", doc, patience)
        assert outcome.lower_bound is not None and fraction(outcome.lower_bound) <= minimum
        if outcome.status != "optimal":
            assert outcome.status == "feasible"
            check_certificate(doc, outcome.values, None)
    over = Budget(time.monotonic() - 1)
    question = problem_of(with_threshold(doc, minimum - HAIR))
    assert engine("cells").decide(question, over, ignore).status == "unknown"


def test_lower_bounds_rise_to_the_minimum() -> None:
    rng = random.Random("cells rising")
    x, y = [[rng.randint(-8, 8)] for _ in range(10)], [rng.randint(-8, 8) for _ in range(10)]
    seen: list[Any] = []
    doc = document(x, y, {"units": 2})
    outcome = engine("cells").minimize(problem_of(doc), Budget(), seen.append)
    bounds = [event.loss for event in seen if isinstance(event, LowerBound)]
    assert bounds == sorted(bounds) and bounds[-1] == outcome.lower_bound
