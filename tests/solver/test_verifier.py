"""The verifier: acceptance and rejection, exact comparison, size bounds, bit-lengths."""

from __future__ import annotations

import importlib
import random
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gmpy2 import mpq

import random_instances
import reference
from ermbit.verifier import Verdict, exact_loss, verify
from ermbit.verifier.evaluation.growth import LARGEST, output_bits
from ermbit.verifier.question import Question
from ermbit_instances.certificate import Certificate, parse_certificate
from ermbit_instances.errors import InputError
from ermbit_instances.instance import Instance, parse_instance
from ermbit_instances.rational import bit_length
from piecewise_linear_cases import instance_of, naive_outputs, network_case

TERNARY = {"domain": "integer", "low": -1, "high": 1}


def instance(layers: list[dict[str, Any]], weights: Any = TERNARY, **options: Any) -> Instance:
    document = {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": 1, "layers": layers},
        "weights": weights,
        "data": {"x": options.get("x", [[1], [2]]), "y": options.get("y", [[1], [2]])},
        "loss": {"name": options.get("loss", "absolute"), "reduction": "sum"},
    }
    if "threshold" in options:
        document["threshold"] = options["threshold"]
    return parse_instance(document)


LINE = [{"units": 1, "activation": "identity"}]


@pytest.mark.parametrize("seed", range(150))
def test_verdicts_agree_with_the_reference(seed: int) -> None:
    rng = random.Random(seed)
    given = random_instances.random_instance(rng)
    theta = random_instances.random_parameters(rng, given)
    loss = reference.loss(given, theta)
    exact = mpq(loss.numerator, loss.denominator)
    certificate = {k: str(v) for k, v in theta.items()}
    for gap in (0, Fraction(1, 10**30), -Fraction(1, 10**30)):
        threshold = loss + gap
        subject = parse_instance(given | {"threshold": str(threshold)})
        verdict = verify(subject, certificate)
        assert verdict.accepted is (gap >= 0)
        assert verdict.loss == exact
        assert bool(verdict.violations) == (gap < 0)


@pytest.mark.parametrize("seed", range(60))
def test_values_outside_their_domains_are_rejected_by_name(seed: int) -> None:
    rng = random.Random(seed)
    given = random_instances.random_instance(rng, all_frozen=False)
    theta = random_instances.random_parameters(rng, given)
    if not theta:
        return
    subject = parse_instance(given | {"threshold": "100000000"})
    name = rng.choice(list(theta))
    members = reference.free_parameters(given)[name]
    outside = rng.choice([max(members) + 1, min(members) - 1, max(members) + Fraction(1, 10**9)])
    certificate = {k: str(v) for k, v in (theta | {name: outside}).items()}
    verdict = verify(subject, certificate)
    assert verdict.accepted is False
    assert len([v for v in verdict.violations if v.startswith(f"{name} = ")]) == 1


def test_a_certificate_of_another_instance_is_rejected() -> None:
    mine, other = (instance(LINE, threshold=t) for t in (0, 1))
    document = Certificate((mpq(1), mpq(0))).to_document(mine)
    assert verify(mine, document).accepted is True
    verdict = verify(other, document)
    assert verdict.accepted is False
    assert "another instance" in verdict.violations[0]
    assert verify(other, {"W1": [[1]], "b1": [0]}).accepted is True


def test_contradictions_reject() -> None:
    subject = instance([LINE[0] | {"weights": [[1]]}], threshold=0)
    assert verify(subject, {"W1": [[1]], "b1": [0]}).accepted is True
    verdict = verify(subject, {"W1": [[2]], "b1": [0]})
    assert verdict.accepted is False
    assert "frozen" in verdict.violations[0]


def test_without_a_threshold_only_domains_decide() -> None:
    subject = instance(LINE)
    assert verify(subject, {"W1": [[1]], "b1": [1]}).accepted is True
    assert verify(subject, {"W1": [[1]], "b1": [1]}).loss == 2
    assert verify(subject, {"W1": [[2]], "b1": [1]}).accepted is False


def test_samples_of_weight_zero_do_not_count() -> None:
    subject = parse_instance(
        {
            "format": "ermbit-instance",
            "version": 1,
            "network": {"inputs": 1, "layers": LINE},
            "weights": TERNARY,
            "data": {"x": [[1], [2]], "y": [[1], [99]], "sample_weights": [1, 0]},
            "loss": {"name": "absolute", "reduction": "max"},
            "threshold": 0,
        }
    )
    assert verify(subject, {"W1": [[1]], "b1": [0]}).accepted is True


def test_what_is_no_certificate_raises() -> None:
    subject = instance(LINE, threshold=0)
    for wrong in ({}, {"W1": [[1]]}, {"W1": [[1]], "b1": [0], "c": 1}, {"W1": 1, "b1": [0]}):
        with pytest.raises(InputError):
            verify(subject, wrong)
    with pytest.raises(InputError):
        verify(subject, Path("absent.cert.json"))


# --- algebraic certificates ----------------------------------------------------------------------

ROOT = "(root-of-with-interval (coeffs (- 2) 0 1) 1 2)"
SQUARE = [
    {"units": 1, "activation": "square", "bias": False},
    {"units": 1, "activation": "identity", "weights": [[1]], "bias": False},
]


def test_a_root_of_two_solves_what_no_rational_does() -> None:
    subject = instance(SQUARE, {"domain": "real"}, x=[[1]], y=[[2]], threshold=0)
    verdict = verify(subject, {"W1": [[ROOT]]})
    assert verdict.accepted is True
    assert verdict.loss == 0
    assert "number field" in verdict.method
    rejected = verify(subject, {"W1": [["14142/10000"]]})
    assert rejected.accepted is False


def test_an_algebraic_loss_is_compared_exactly() -> None:
    # The loss is √2 − 1 = 0.41421356237309504880…
    below, above = "0.414213562373095048801", "0.414213562373095048802"
    for threshold, accepted in ((below, False), (above, True)):
        subject = instance(
            [LINE[0] | {"bias": False}], {"domain": "real"}, x=[[1]], y=[[1]], threshold=threshold
        )
        assert verify(subject, {"W1": [[ROOT]]}).accepted is accepted


def test_an_irrational_value_is_in_no_finite_domain() -> None:
    subject = instance(SQUARE, {"domain": "rational", "bits": 9}, x=[[1]], y=[[2]], threshold=0)
    verdict = verify(subject, {"W1": [[ROOT]]})
    assert verdict.accepted is False
    assert "outside its domain" in verdict.violations[0]


# --- sizes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(120))
def test_the_size_bound_holds_for_every_value_met(seed: int) -> None:
    rng = random.Random(seed)
    activation = rng.choice([None, "square", "polynomial", "max", "step", "piecewise_linear"])
    given = random_instances.random_instance(rng, activation=activation)
    subject = parse_instance(given)
    theta = random_instances.random_parameters(rng, given)
    values = parse_certificate({k: str(v) for k, v in theta.items()}, subject).values
    bound = output_bits(subject, values)
    for layer in exact_loss(subject, values)[1].layers:
        assert layer.pre_activation <= bound
        assert layer.output <= bound


def test_bits_add_up_along_linear_layers_and_multiply_along_squares() -> None:
    def bits(activation: str, depth: int) -> int:
        layers = [{"units": 1, "activation": activation, "bias": False}] * depth
        subject = instance(layers, x=[["1/3"]], y=[[0]])
        values = (mpq(5, 7),) * depth
        assert bit_length(exact_loss(subject, values)[0]) <= output_bits(subject, values)
        return output_bits(subject, values)

    linear = [bits("relu", d) for d in (4, 8, 16)]
    assert linear[2] - linear[1] == 2 * (linear[1] - linear[0])
    squares = [bits("square", d) for d in (4, 5, 6)]
    assert squares[1] > 1.9 * squares[0]
    assert squares[2] > 1.9 * squares[1]


@pytest.mark.parametrize("depth", [64, 3000])
def test_towers_of_squares_are_decided_without_being_built(depth: int) -> None:
    layers = [{"units": 1, "activation": "square", "bias": False}] * depth
    values = (mpq(1),) * depth
    for threshold, accepted in ((0, False), (10**9, False)):
        subject = instance(layers, threshold=threshold, y=[[1], [1]])
        assert output_bits(subject, values) == LARGEST
        verdict = verify(subject, Certificate(values))
        assert verdict.accepted is accepted
        assert verdict.loss is None
        assert "ball" in verdict.method
    one = instance(layers, threshold=0, x=[[1], [-1]], y=[[1], [1]])
    assert verify(one, Certificate(values)).accepted is True


def test_a_tower_is_rejected_where_its_domains_say_so() -> None:
    subject = instance([{"units": 1, "activation": "square", "bias": False}] * 64, threshold=0)
    verdict = verify(subject, Certificate((mpq(2),) * 64))
    assert verdict.accepted is False
    assert verdict.loss is None


def test_many_long_denominators_are_bounded_without_their_common_multiple() -> None:
    count = 400
    layers = [{"units": 1, "activation": "identity", "bias": False}]
    document = instance(layers, {"domain": "real"}, threshold=0).to_document()
    document["network"]["inputs"] = count
    del document["network"]["layers"][0]["from"]
    document["data"] = {"x": [[1] * count], "y": [[0]]}
    subject = parse_instance(document)
    values = tuple(mpq(1, 2**5000 + 2 * k + 1) for k in range(count))
    assert output_bits(subject, values) >= bit_length(exact_loss(subject, values)[0])


def test_polynomial_networks_go_by_work_and_length(monkeypatch: pytest.MonkeyPatch) -> None:
    # The package has a function of the same name.
    module = importlib.import_module("ermbit.verifier.verify")
    rng = np.random.default_rng(7)
    x, blocks = network_case(rng, "single", 40, (6, 5, 2), ["square", "identity"])
    y = rng.standard_normal((40, 2)).round(1)
    given, values = instance_of(blocks, x, y)
    singles = [
        sum(abs(a - mpq(b)) for a, b in zip(f, t, strict=True))
        for f, t in zip(naive_outputs(blocks, x), y.tolist(), strict=True)
    ]
    loss = sum(singles, mpq(0))
    tiny = mpq(1, 10**30)

    def methods(**constants: int) -> set[str]:
        for name, value in constants.items():
            monkeypatch.setattr(module, name, value)
        found = set()
        for threshold in (loss, loss + tiny, loss - tiny, 2 * loss, loss / 2):
            verdict = verify(given.with_threshold(threshold), Certificate(values))
            assert verdict.accepted is (loss <= threshold)
            assert verdict.loss in (None, loss)
            found.add(verdict.method.split()[0])
        whole = verify(given, Certificate(values), Question(exact_loss=True))
        assert whole.loss == loss
        return found

    assert methods() == {"exact"}
    work = 40 * given.network.edge_count
    assert methods(EXACT_WORK=work - 1) == {"float64"}
    assert methods(EXACT_WORK=work) == {"exact"}
    bits = output_bits(given, values)
    assert methods(EXACT_WORK=0, FILTER_BITS=bits) == {"float64"}
    assert methods(EXACT_WORK=0, FILTER_BITS=bits - 1) == {"exact"}
    assert "exact" not in methods(EXACT_BITS=0)


def test_an_irrational_certificate_is_never_filtered(monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("ermbit.verifier.verify")
    monkeypatch.setattr(module, "EXACT_WORK", 0)
    layer = LINE[0] | {"bias": False, "activation": "square"}
    subject = instance([layer], {"domain": "real"}, x=[[1]], y=[[2]], threshold=0)
    verdict = verify(subject, {"W1": [[ROOT]]})
    assert verdict.accepted is True
    assert "number field" in verdict.method


def test_verdicts_show_and_write_themselves() -> None:
    subject = instance(LINE, threshold="1/2")
    verdict = verify(subject, {"W1": [[1]], "b1": [1]})
    assert isinstance(verdict, Verdict)
    written = verdict.to_json()
    assert written["accepted"] is False
    assert written["loss"] == 2
    assert written["threshold"] == "1/2"
    assert written["bits"] == [{"layer": 1, "pre_activation": 2, "output": 2}]
    assert repr(verdict).startswith("Verdict(rejected, loss 2")
    assert "<code>" in verdict._repr_html_()
