"""Cases at the edges of the proofs: underflow of radii, grids, claims on the way, denominators."""

from __future__ import annotations

import importlib
import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from gmpy2 import mpz

from ermbit import gradient, verify
from ermbit.cli.main import main
from ermbit.verifier.long_numbers import escalation
from ermbit_instances.instance import Instance, parse_instance
from twin_towers import twin_towers

verify_module = importlib.import_module("ermbit.verifier.verify")

SMALL = str(Fraction(1, 2**120))
SMALLER = str(Fraction(1, 2**200))


def instance(network: Any, x: Any, y: Any, loss: str, threshold: Any = None) -> Instance:
    document: dict[str, Any] = {
        "format": "ermbit-instance",
        "version": 1,
        "network": network,
        "weights": {"domain": "real"},
        "data": {"x": x, "y": y},
        "loss": {"name": loss, "reduction": "sum"},
    }
    if threshold is not None:
        document["threshold"] = threshold
    return parse_instance(document)


def one_unit(weights: list[Any], activation: Any = "identity") -> dict[str, Any]:
    layer = {"units": 1, "activation": activation, "bias": False, "weights": [weights]}
    return {"inputs": len(weights), "layers": [layer]}


FLAT = {
    "name": "piecewise_linear",
    "breakpoints": [0],
    "slopes": [SMALLER, SMALLER],
    "intercepts": [0, 0],
}


@pytest.mark.parametrize(
    ("network", "y", "loss", "accepted"),
    [
        (one_unit([1]), 0, "squared", False),
        (one_unit([SMALL]), 0, "absolute", False),
        (one_unit([SMALL]), 1, "zero_one", True),
        (one_unit([1], FLAT), 0, "absolute", False),
    ],
)
def test_a_radius_that_underflows_is_not_zero(
    network: Any, y: int, loss: str, accepted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject = instance(network, [["1e-400"]], [[y]], loss, 0)
    assert verify(subject, {}).accepted is accepted
    monkeypatch.setattr(verify_module, "EXACT_WORK", 0)
    assert verify(subject, {}).accepted is accepted


def test_zero_rows_do_not_show_a_grid_for_tiny_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """2^-200 + 2^-260 − 2^-200 is rounded to 0, whatever the first rows are."""
    a, b = Fraction(1, 2**200), Fraction(1, 2**260)
    x: list[Any] = [[0, 0, 0]] * 4 + [[str(a), str(b), str(-a)]]
    subject = instance(one_unit([1, 1, 1]), x, [[0]] * 5, "absolute", 0)
    monkeypatch.setattr(verify_module, "EXACT_WORK", 0)
    assert verify(subject, {}).accepted is False


def test_a_residue_behind_a_claim_rejects_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """t = step(−p) = 0, so the loss is 0; modulo p the argument is 0 and t would be 1."""
    prime = escalation.random_prime(300)
    monkeypatch.setattr(escalation, "random_prime", lambda bits: prime)
    last = {"a69": 1, "b69": -1}
    then: list[dict[str, Any]] = [
        {"id": "t", "inputs": last | {"x1": -prime}, "activation": "step"},
        {"id": "f", "inputs": last | {"t": 1}, "activation": "identity"},
    ]
    subject = instance(twin_towers(70, then, inputs=2), [[3, 1]], [[0]], "absolute", 0)
    assert verify(subject, {}, memory=8).accepted is not False


def test_a_number_that_is_zero_without_error_is_zero_over_any_denominator() -> None:
    neurons: list[dict[str, Any]] = []
    before = "x0"
    for level in range(70):
        neurons.append({"id": f"a{level}", "inputs": {before: 1}, "activation": "square"})
        before = f"a{level}"
    neurons.append({"id": "f", "inputs": {before: 0}, "activation": "identity"})
    network = {"inputs": 1, "neurons": neurons, "outputs": ["f"]}
    assert verify(instance(network, [["1/3"]], [[0]], "absolute", 0), {}).accepted is True


def test_a_scale_may_cancel_a_part_of_a_denominator() -> None:
    """5/6 · 1/35 = 1/42, and 21 is no product of powers of 3 and 35."""
    network = one_unit([{"param": "s", "scale": "5/6"}])
    found = gradient(instance(network, [[1]], [[0]], "absolute"), {"s": "1/35"})
    assert found.loss == Fraction(1, 42)
    assert found.partials[0].value == Fraction(5, 6)


def test_an_unsettled_gradient_is_not_called_differentiable() -> None:
    then: list[dict[str, Any]] = [
        {"id": "t", "inputs": {"a69": 1, "b69": -1}, "activation": "relu"},
        {"id": "f", "inputs": {"t": {"param": "w"}}, "activation": "identity"},
    ]
    found = gradient(instance(twin_towers(70, then), [[3]], [[5]], "absolute"), {"w": 1}, memory=8)
    assert not found.settled
    assert found.differentiable is not True


def test_bounds_past_the_range_of_floats_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    document = {
        "format": "ermbit-instance",
        "version": 1,
        "network": one_unit(["1/3"]),
        "weights": {"domain": "real"},
        "data": {"x": [[1]], "y": [[0]], "sample_weights": ["1e400"]},
        "loss": {"name": "absolute", "reduction": "sum"},
    }
    monkeypatch.setattr(verify_module, "EXACT_WORK", 0)
    for threshold in (0, "1e500"):
        verdict = verify(parse_instance(document | {"threshold": threshold}), {})
        assert verdict.accepted is (threshold != 0)
        assert verdict.to_json()["loss_bounds"] is not None


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_long_runs_of_bits_are_printed(
    words: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    question, answer = tmp_path / "q.erm.json", tmp_path / "a.json"
    document = {
        "format": "ermbit-instance",
        "version": 1,
        "network": one_unit(["1/3"]),
        "data": {"x": [[1]], "y": [[0]]},
        "loss": {"name": "absolute", "reduction": "sum"},
    }
    question.write_text(json.dumps(document))
    answer.write_text('{"format": "ermbit-certificate", "version": 1, "parameters": {}}')
    status = main(["verify", str(question), str(answer), "--loss-bit=-20000:20000", *words])
    assert status == 0
    assert str(mpz(2**20000 // 3)) in capsys.readouterr().out
