"""Networks as symmetric as the data: which inputs are alike, and what is made of it."""

from __future__ import annotations

import itertools
import random
import time
from collections import Counter
from fractions import Fraction
from typing import Any

import pytest
from gmpy2 import mpq

import reference
from engine_checks import decide, minimize, problem_of
from ermbit.engines import invariant
from ermbit.engines.engine import Budget, Engine, Outcome
from ermbit.engines.invariant import (
    InvariantEngine,
    Quotient,
    Search,
    alike_inputs,
    quotients,
)
from ermbit.processes.load import Load
from reference import Document

ENGINE = InvariantEngine()


def document(
    rows: list[tuple[list[int], int]], hidden: int, **more: Any
) -> Document:
    layers: list[dict[str, Any]] = [{"units": 1, "activation": "identity"}]
    if hidden:
        first = {"units": hidden, "activation": more.get("activation", "relu")}
        layers.insert(0, first | more.get("first", {}))
    data: dict[str, Any] = {"x": [x for x, _ in rows], "y": [[y] for _, y in rows]}
    if "sample_weights" in more:
        data["sample_weights"] = more["sample_weights"]
    return {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": len(rows[0][0]), "layers": layers},
        "weights": more.get("weights", {"domain": "integer", "low": -2, "high": 2}),
        "data": data,
        "loss": {"name": more.get("loss", "absolute"), "reduction": more.get("reduction", "sum")},
        "threshold": 0,
    }


def parity(bits: int) -> list[tuple[list[int], int]]:
    return [(list(x), sum(x) % 2) for x in itertools.product((0, 1), repeat=bits)]


def majority(bits: int) -> list[tuple[list[int], int]]:
    return [(list(x), int(2 * sum(x) > bits)) for x in itertools.product((0, 1), repeat=bits)]


# --- alike inputs --------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_alike_inputs_are_those_whose_swap_keeps_the_samples(seed: int) -> None:
    rng = random.Random(f"alike {seed}")
    width = rng.randint(2, 4)
    rows = [([rng.randint(0, 1) for _ in range(width)], rng.randint(0, 1)) for _ in range(3)]
    # Closed under the permutations of some of the inputs, which are therefore alike.
    some = rng.sample(range(width), rng.randint(1, width))
    for x, y in list(rows):
        for order in itertools.permutations(some):
            moved = list(x)
            for k, source in zip(some, order, strict=True):
                moved[k] = x[source]
            rows.append((moved, y))
    problem = problem_of(document(rows, 1, reduction=rng.choice(["sum", "max"])))
    weights = Counter({(row.x, row.y): row.weight for row in problem.samples.rows})

    def swapped(i: int, k: int) -> Counter[Any]:
        result: Counter[Any] = Counter()
        for (x, y), weight in weights.items():
            moved = list(x)
            moved[i], moved[k] = moved[k], moved[i]
            result[tuple(moved), y] += weight
        return result

    classes = alike_inputs(problem)
    assert sorted(k for members in classes for k in members) == list(range(width))
    where = {k: members for members in classes for k in members}
    for i, k in itertools.combinations(range(width), 2):
        assert (where[i] == where[k]) == (swapped(i, k) == weights)


def test_weights_of_samples_count() -> None:
    rows = [([0, 1], 1), ([1, 0], 1)]
    equal = problem_of(document(rows, 1, sample_weights=[2, 2]))
    different = problem_of(document(rows, 1, sample_weights=[2, 3]))
    assert alike_inputs(equal) == ((0, 1),)
    assert alike_inputs(different) == ((0,), (1,))


def test_alike_inputs_may_be_far_apart() -> None:
    rows = [([a, a + c, c], a * c) for a in range(3) for c in range(3)]
    assert alike_inputs(problem_of(document(rows, 1))) == ((0, 2), (1,))


# --- answers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6])
def test_parity_with_small_weights(bits: int) -> None:
    """n ReLUs with weights −2..2: with all weights of one sign biases would have to be larger."""
    found = decide("invariant", document(parity(bits), bits), Fraction(0))
    assert found.status == "sat"


def test_majority_of_eleven_bits() -> None:
    weights = {"domain": "integer", "low": -6, "high": 6}
    doc = document(majority(11), 1, activation="step", weights=weights)
    assert decide("invariant", doc, Fraction(0)).status == "sat"


def test_several_classes() -> None:
    """Parity of three bits plus three times the number of the others."""
    rows = [
        (list(x), sum(x[::2]) % 2 + 3 * (x[1] + x[3]))
        for x in itertools.product((0, 1), repeat=5)
    ]
    weights = {"domain": "integer", "low": -3, "high": 3}
    problem = problem_of(document(rows, 4, weights=weights))
    assert alike_inputs(problem) == ((0, 2, 4), (1, 3))
    assert decide("invariant", document(rows, 4, weights=weights), Fraction(0)).status == "sat"


@pytest.mark.parametrize("low", [-2, -1, 0])
def test_subtracted_inputs_stay_in_their_domains(low: int) -> None:
    """Where −θ is no member, what is found on differences counts for nothing."""
    weights = {"domain": "integer", "low": low, "high": 3}
    for bits, hidden in itertools.product((3, 4), (2, 3, 4)):
        decide("invariant", document(parity(bits), hidden, weights=weights), Fraction(0))


def test_real_weights_and_polynomials() -> None:
    weights = {"domain": "real"}
    square = document(parity(2), 1, activation="square", weights=weights)
    assert decide("invariant", square, Fraction(0)).status == "sat"
    relus = document(parity(3), 3, weights=weights)
    assert decide("invariant", relus, Fraction(0)).status == "sat"


@pytest.mark.parametrize("seed", range(12))
def test_it_finds_and_never_refutes(seed: int) -> None:
    """Symmetric data, of which the best network need not be symmetric."""
    rng = random.Random(f"invariant {seed}")
    labels = [rng.randint(-1, 2) for _ in range(3)]  # of two bits, by their sum
    rows = [(list(x), labels[sum(x)]) for x in itertools.product((0, 1), repeat=2)]
    weights = {"domain": "finite", "values": [-1, 1]}
    doc = document(
        rows, rng.randint(1, 2), weights=weights, loss=rng.choice(["absolute", "squared"])
    )
    least = reference.minimum(doc)[0]
    assert decide("invariant", doc, least).status in ("sat", "unknown")
    if least > 0:
        assert decide("invariant", doc, least - Fraction(1, 1000)).status == "unknown"
    found = minimize("invariant", doc)
    assert found.status in ("feasible", "unknown")
    assert found.lower_bound is None


def test_a_lone_asymmetric_network_is_not_found() -> None:
    """|x₀ − x₁| over two bits needs weights 1 and −1, and here −1 is no member."""
    rows = [([a, b], a ^ b) for a in (0, 1) for b in (0, 1)]
    weights = {"domain": "finite", "values": [1]}
    doc = document(rows, 1, activation="abs", weights=weights)
    assert decide("invariant", doc, Fraction(0)).status == "unknown"


def test_quotients_have_the_losses_of_the_original() -> None:
    rng = random.Random("quotients")
    problem = problem_of(document(parity(4), 3, weights={"domain": "finite", "values": [-1, 1]}))
    made = list(quotients(problem))
    assert len(made) == 3
    for quotient in made:
        small = quotient.problem.instance
        assert small.network.input_count == 1
        for _ in range(20):
            values = tuple(mpq(rng.choice((-1, 1))) for _ in small.network.parameters)
            lifted = quotient.lifted(values)
            assert lifted is not None
            losses = []
            for instance, theta in ((small, values), (problem.instance, lifted)):
                named = {
                    p.name: Fraction(int(v))
                    for p, v in zip(instance.network.parameters, theta, strict=True)
                }
                losses.append(reference.loss(instance.to_document(), named))
            assert losses[0] == losses[1]


# --- where it does not apply ---------------------------------------------------------------------


def test_obstacles() -> None:
    rows = parity(2)
    plain = document(rows, 2)

    def said(doc: Document) -> str:
        capability = ENGINE.capability(problem_of(doc), "decide")
        assert not capability.complete
        assert capability.applicable == (capability.reason.startswith("finds"))
        if not capability.applicable:
            assert decide("invariant", doc, Fraction(0)).status == "unknown"
            assert minimize("invariant", doc).status == "unknown"
        return capability.reason

    assert said(plain).startswith("finds")
    assert "first layer" in said(document(rows, 2, first={"mask": [[1, 1], [1, 0]]}))
    frozen = {"weights": [[None, 1], [None, None]]}
    assert "first layer" in said(document(rows, 2, first=frozen))
    own = {"W1[0,1]": {"domain": "integer", "low": 0, "high": 1}}
    weights = {"domain": "integer", "low": -2, "high": 2, "parameters": own}
    assert "own" in said(document(rows, 2, weights=weights))
    skipping = document(rows, 2)
    skipping["network"]["layers"][0]["name"] = "hidden"
    skipping["network"]["layers"][1]["from"] = ["hidden", "input"]
    assert "later layer" in said(skipping)
    # max(W·x1, W·x2) is no function of x1 + x2.
    assert "maximum" in said(document(rows, 2, activation="max"))
    asymmetric = [([0, 1], 0), ([1, 0], 1)]
    assert "alike" in ENGINE.capability(problem_of(document(asymmetric, 1)), "decide").reason


def test_biases_with_domains_of_their_own() -> None:
    weights = {
        "domain": "integer",
        "low": -2,
        "high": 2,
        "parameters": {"b1[0]": {"domain": "integer", "low": 0, "high": 0}},
    }
    assert decide("invariant", document(parity(3), 3, weights=weights), Fraction(0)).status == "sat"


def test_few_alike_inputs_promise_less() -> None:
    """Of ten inputs two are alike, as constant pixels are: the search is hardly smaller."""
    rows = [([*(int(k == hot) for k in range(8)), 0, 0], hot) for hot in range(8)]
    little = ENGINE.capability(problem_of(document(rows, 2)), "decide")
    much = ENGINE.capability(problem_of(document(parity(4), 2)), "decide")
    assert little.applicable
    assert little.cost > much.cost


# --- turns ---------------------------------------------------------------------------------------


def test_a_turn_that_was_slept_through_is_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processes of a race rest in turns; a quotient must not be left for that."""
    monkeypatch.setattr(Load, "factor", lambda self: 1.0)
    monkeypatch.setattr(invariant, "FIRST_TURN", 0.1)
    found = Outcome("sat", ())
    plan = [Outcome("unknown"), found]

    def run(quotient: Quotient, engine: Engine, share: Budget) -> tuple[Outcome, bool]:
        assert share.remaining is not None
        time.sleep(share.remaining)
        outcome = plan.pop(0)
        return outcome, outcome is found

    problem = problem_of(document(majority(3), 1))
    search = Search(problem, Budget(time.monotonic() + 60), "decide")
    _, outcome = next(search.outcomes(run))
    assert outcome is found
    assert search.statistics["turns"] == 1
