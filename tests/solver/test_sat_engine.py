"""The ``sat`` engine against full enumeration, and on instances with known answers."""

from __future__ import annotations

import random
import time
from fractions import Fraction
from typing import Any

import pytest
from gmpy2 import mpq

import random_instances
import reference
from dense_networks import dense
from engine_checks import fraction
from ermbit.engines import sat
from ermbit.engines.engine import Budget, Event, Incumbent, LowerBound, Outcome, ignore
from ermbit.engines.sat import SatEngine
from ermbit_encodings.cnf_encoding import CnfEncoding
from ermbit_encodings.problem import Problem
from ermbit_instances.errors import InternalError
from ermbit_instances.instance import parse_instance

ENGINE = SatEngine()


def problem(document: dict[str, Any]) -> Problem:
    return Problem(parse_instance(document))


def integers(width: int) -> dict[str, Any]:
    return {"domain": "integer", "low": -width, "high": width}


def parity(bits: int) -> tuple[list[list[int]], list[list[int]]]:
    x = [[i >> k & 1 for k in range(bits)] for i in range(1 << bits)]
    return x, [[sum(row) % 2] for row in x]


def loss_of(document: dict[str, Any], instance: Problem, outcome: Outcome | Incumbent) -> Fraction:
    """The loss by the reference of the values found, which must lie in their domains."""
    assert outcome.values is not None
    parameters = {}
    for parameter, value in zip(instance.instance.network.parameters, outcome.values, strict=True):
        assert value in parameter.domain
        parameters[parameter.name] = fraction(value)
    return reference.loss(document, parameters)


@pytest.mark.parametrize("seed", range(150))
def test_agrees_with_enumeration(seed: int) -> None:
    document = random_instances.random_instance(random.Random(seed), max_assignments=200)
    instance = problem(document)
    least, _ = reference.minimum(document)
    minimum = mpq(least.numerator, least.denominator)
    for task in ("decide", "minimize"):
        capability = ENGINE.capability(instance, task)
        assert capability.applicable and capability.complete

    events: list[Event] = []
    outcome = ENGINE.minimize(instance, Budget(seed=seed), events.append)
    assert outcome.status == "optimal"
    assert outcome.lower_bound == minimum
    assert loss_of(document, instance, outcome) == least
    for event in events:
        if isinstance(event, LowerBound):
            assert event.loss <= minimum
        else:
            assert event.loss is not None and event.loss >= minimum
            assert loss_of(document, instance, event) == Fraction(str(event.loss))

    at = ENGINE.decide(instance.with_threshold(minimum), Budget(), ignore)
    assert at.status == "sat"
    assert loss_of(document, instance, at) == least
    below = instance.with_threshold(minimum - mpq(1, 10**9))
    assert ENGINE.decide(below, Budget(), ignore).status == "unsat"


@pytest.mark.parametrize(
    "bits, hidden, width, status",
    [
        (2, 1, 2, "unsat"),
        (2, 2, 2, "sat"),
        (3, 2, 2, "unsat"),
        (3, 2, 3, "unsat"),
        (3, 3, 3, "sat"),
    ],
)
def test_parity(bits: int, hidden: int, width: int, status: str) -> None:
    """Parity of n bits on the cube needs n − 1 kinks on its diagonal."""
    document = dense(*parity(bits), integers(width), hidden=[hidden])
    instance = problem(document)
    outcome = ENGINE.decide(instance, Budget(), ignore)
    assert outcome.status == status
    if status == "sat":
        assert loss_of(document, instance, outcome) == 0


def test_float16_neuron() -> None:
    """The float16 number next to 1/3 is 1365/4096; the best slope misses 1/3 + 2/3 + 1 by 6 ulp."""
    document = dense(
        [[1], [2], [3]],
        [["1/3"], ["2/3"], [1]],
        {"domain": "float", "format": "float16"},
    )
    document["network"]["layers"][0]["bias"] = False
    instance = problem(document)
    outcome = ENGINE.minimize(instance, Budget(), ignore)
    assert outcome.status == "optimal"
    near = min(
        (Fraction(k, 4096) for k in range(1300, 1400)),
        key=lambda v: abs(3 * v - 1),
    )
    assert Fraction(str(outcome.lower_bound)) == 6 * abs(near - Fraction(1, 3))
    assert outcome.values == (mpq(near.numerator, near.denominator),)


def test_float16_hidden_neuron_fits_exactly() -> None:
    document = dense(
        [[1], [2], [3]],
        [[0], [1], [2]],
        {"domain": "float", "format": "float16"},
        hidden=[1],
    )
    instance = problem(document)
    outcome = ENGINE.decide(instance, Budget(), ignore)
    assert outcome.status == "sat"
    assert loss_of(document, instance, outcome) == 0


def test_fixed_point() -> None:
    """x ↦ wx + b in steps of 1/4 up to 7/4: the slope 2 is out of reach by 1/4 at each step."""
    document = dense(
        [[0], [1], [2]],
        [[0], [2], [4]],
        {"domain": "fixed_point", "bits": 4, "fraction_bits": 2},
    )
    instance = problem(document)
    outcome = ENGINE.minimize(instance, Budget(), ignore)
    assert outcome.status == "optimal"
    assert outcome.lower_bound == mpq(1, 2)
    assert loss_of(document, instance, outcome) == Fraction(1, 2)


def test_negative_threshold_is_unsat_at_once() -> None:
    document = dense([[1]], [[1]], integers(1), threshold="-1/1000000")
    outcome = ENGINE.decide(problem(document), Budget(), ignore)
    assert outcome.status == "unsat"
    assert outcome.statistics == {}


def test_no_grid_is_not_applicable() -> None:
    for domain in ({"domain": "real"}, {"domain": "rational", "bits": 40}):
        instance = problem(dense([[1]], [[1]], domain))
        assert not ENGINE.capability(instance, "decide").applicable
        assert ENGINE.decide(instance, Budget(), ignore).status == "unknown"
        assert ENGINE.minimize(instance, Budget(), ignore).status == "unknown"


def test_past_the_clause_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sat, "CLAUSE_LIMIT", 100)
    instance = problem(dense(*parity(3), integers(3), hidden=[3]))
    assert not ENGINE.capability(instance, "decide").applicable
    outcome = ENGINE.decide(instance, Budget(), ignore)
    assert outcome.status == "unknown" and "clauses" in outcome.reason
    least = ENGINE.minimize(instance, Budget(), ignore)
    assert least.status == "feasible" and "clauses" in least.reason
    assert least.lower_bound == 0


def test_deadline_in_the_past() -> None:
    instance = problem(dense(*parity(3), integers(2), hidden=[2]))
    budget = Budget(deadline=time.monotonic() - 1)
    assert ENGINE.decide(instance, budget, ignore).status == "unknown"
    assert ENGINE.minimize(instance, budget, ignore).status in ("feasible", "unknown")


def test_deadline_ends_a_hard_run() -> None:
    """Parity of five bits is far out of reach: only the deadline can end these runs."""
    document = dense(*parity(5), integers(7), hidden=[4])
    instance = problem(document)
    outcome = ENGINE.decide(instance, Budget(deadline=time.monotonic() + 2), ignore)
    assert outcome.status == "unknown"
    least = ENGINE.minimize(instance, Budget(deadline=time.monotonic() + 2), ignore)
    assert least.status == "feasible"
    assert least.lower_bound is not None
    assert loss_of(document, instance, least) >= Fraction(str(least.lower_bound))


@pytest.mark.parametrize(
    "target, threshold, claimed",
    [(2, 0, (1, 0)), (6, 3, (9, 0))],
    ids=["loss too large", "outside the domain"],
)
def test_a_wrong_model_is_an_internal_error(
    monkeypatch: pytest.MonkeyPatch, target: int, threshold: int, claimed: tuple[int, int]
) -> None:
    instance = problem(dense([[1]], [[target]], integers(3), threshold=threshold))
    assert ENGINE.decide(instance, Budget(), ignore).status == "sat"
    monkeypatch.setattr(CnfEncoding, "decode", lambda self, model: claimed)
    with pytest.raises(InternalError):
        ENGINE.decide(instance, Budget(), ignore)


def test_answers_do_not_depend_on_the_seed() -> None:
    document = dense([[0], [1], [2], [3]], [[1], [0], [2], [0]], integers(2), hidden=[1])
    instance = problem(document)
    bounds = {ENGINE.minimize(instance, Budget(seed=seed), ignore).lower_bound for seed in range(5)}
    least, _ = reference.minimum(document)
    assert bounds == {mpq(least.numerator, least.denominator)}
