"""The ways of the verifier meet: the same verdict whichever way a certificate goes."""

from __future__ import annotations

import importlib
import random
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gmpy2 import mpq

import random_instances
import reference
from ermbit import gradient, load, verify
from ermbit.verifier.bulk import exact_matrix, filtered
from ermbit.verifier.evaluation.arithmetic import OutOfTime
from ermbit_instances.certificate import load_certificate
from ermbit_instances.instance import Instance, parse_instance
from ermbit_instances.jsonfile import dump_json

# The package has a function of the same name.
verify_module = importlib.import_module("ermbit.verifier.verify")


@pytest.mark.parametrize("seed", range(120))
def test_verdicts_do_not_depend_on_the_way(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(5000 + seed)
    document = random_instances.random_instance(rng)
    theta = random_instances.random_parameters(rng, document)
    loss = reference.loss(document, theta)
    certificate = {k: str(v) for k, v in theta.items()}
    monkeypatch.setattr(verify_module, "EXACT_WORK", 0)
    for gap in (0, Fraction(1, 10**30), -Fraction(1, 10**30)):
        subject = parse_instance(document | {"threshold": str(loss + gap)})
        verdict = verify(subject, certificate)
        assert verdict.accepted is (gap >= 0), verdict
        assert bool(verdict.violations) == (gap < 0)
        whole = verify(subject, certificate, exact_loss=True)
        assert whole.accepted is verdict.accepted
        assert whole.loss == mpq(loss.numerator, loss.denominator)
        if verdict.loss is None:
            assert verdict.bounds is not None
            low, high = verdict.bounds
            assert low <= whole.loss <= high


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 100-30-4 float32 networks, 800 samples and weights as NPZ."""
    folder = tmp_path_factory.mktemp("trained")
    rng = np.random.default_rng(3)
    x = rng.random((800, 100), dtype=np.float32)
    arrays = {
        "W1": rng.standard_normal((30, 100)).astype(np.float32) / 10,
        "b1": rng.standard_normal(30).astype(np.float32),
        "W2": rng.standard_normal((4, 30)).astype(np.float32),
        "b2": rng.standard_normal(4).astype(np.float32),
    }
    outputs = np.maximum(x @ arrays["W1"].T + arrays["b1"], 0) @ arrays["W2"].T + arrays["b2"]
    labels = outputs.argmax(axis=1)
    labels[::20] = (labels[::20] + 1) % 4  # 40 samples are wrong, if no margin is within rounding
    np.savez(folder / "data.npz", x=x, y=labels[:, None], z=outputs)
    np.savez(folder / "net.npz", **arrays)
    for loss in ("zero_one", "hinge", "absolute"):
        document = {
            "format": "ermbit-instance",
            "version": 1,
            "network": {
                "inputs": 100,
                "layers": [
                    {"units": 30, "activation": "relu"},
                    {"units": 4, "activation": "identity"},
                ],
            },
            "weights": {"domain": "float", "format": "float32"},
            "data": {"npz": "data.npz", "x": "x", "y": "z" if loss == "absolute" else "y"},
            "loss": {"name": loss},
            "threshold": "1/20",
        }
        (folder / f"{loss}.erm.json").write_text(dump_json(document))
    return folder


def with_threshold(instance: Instance, value: Any) -> Instance:
    return instance.with_threshold(mpq(value))


def test_a_trained_network_is_verified_from_arrays(trained: Path) -> None:
    instance = load(trained / "zero_one.erm.json")
    verdict = verify(instance, trained / "net.npz")
    assert verdict.accepted is True
    assert verdict.loss == mpq(1, 20)
    assert "filter" in verdict.method and "(proved)" in verdict.method
    assert verify(with_threshold(instance, "49999/1000000"), trained / "net.npz").accepted is False


@pytest.mark.parametrize("loss", ["hinge", "absolute"])
def test_a_threshold_at_the_loss_is_settled_exactly(trained: Path, loss: str) -> None:
    instance = load(trained / f"{loss}.erm.json")
    rough = verify(with_threshold(instance, 10**6), trained / "net.npz")
    assert rough.accepted is True and rough.loss is None
    assert rough.bounds is not None
    assert rough.to_json()["loss_note"].startswith("between ")
    exact = verify(instance, trained / "net.npz", exact_loss=True).loss
    low, high = rough.bounds
    assert low <= exact <= high and high - low < mpq(1, 10**6)
    tiny = mpq(1, 10**40)
    for threshold, accepted in ((exact, True), (exact + tiny, True), (exact - tiny, False)):
        verdict = verify(with_threshold(instance, threshold), trained / "net.npz")
        assert verdict.accepted is accepted
    naive = sum_by_hand(instance, trained / "net.npz", loss)
    assert exact == naive


def test_a_time_limit_before_everything_leaves_it_open(trained: Path) -> None:
    subject = load(trained / "hinge.erm.json")
    net = trained / "net.npz"
    verdict = verify(subject, net, timeout=0, loss_bit=(0, 3), leading_bits=2)
    assert verdict.accepted is None and verdict.reason == "time limit"
    for bits in (verdict.loss_bits, verdict.leading):
        assert bits is not None and bits.value is None and bits.reason == "time limit"
    assert verify(with_threshold(subject, -1), net, timeout=0).accepted is False
    found = gradient(subject, net, parameter="b2[0]", timeout=0)
    assert found["b2[0]"].sign is None and found["b2[0]"].reason == "time limit"
    assert not found.settled


@pytest.mark.parametrize("reduction", ["mean", "max"])
def test_a_time_limit_past_the_filter_keeps_what_it_decided(
    reduction: str, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = load(trained / "absolute.erm.json").canonical(inline=True)
    subject = parse_instance(document | {"loss": {"name": "absolute", "reduction": reduction}})
    certificate = load_certificate(trained / "net.npz", subject)
    exact: Any = verify(subject, certificate, exact_loss=True).loss
    calls = count()

    def check_time(deadline: float | None) -> None:
        # The filter's chunks come first; the first exact block is one too many.
        if next(calls) >= 1:
            raise OutOfTime("time limit")

    monkeypatch.setattr(filtered, "check_time", check_time)
    monkeypatch.setattr(exact_matrix, "CHUNK_BYTES", 50_000)
    # The largest loss is found in the first block, the mean is not.
    for gap, accepted in ((1, True), (-1, False), (0, True if reduction == "max" else None)):
        calls = count()
        verdict = verify(with_threshold(subject, exact + gap), certificate, exact_loss=True)
        assert verdict.accepted is accepted
        assert (verdict.reason == "time limit") is (accepted is None)
        assert verdict.loss == exact or reduction == "mean"
        if verdict.bounds is not None:
            assert verdict.bounds[0] <= exact <= verdict.bounds[1]
            assert "past the time limit" in verdict.method


def sum_by_hand(instance: Instance, certificate: Path, loss: str) -> Any:
    """The mean loss in plain rationals, of the first layers written out."""
    arrays = np.load(certificate)
    w1, b1, w2, b2 = (
        [[mpq(v) for v in row] for row in np.atleast_2d(arrays[k]).tolist()]
        for k in ("W1", "b1", "W2", "b2")
    )
    total = mpq(0)
    for x, y in zip(instance.data.x, instance.data.y, strict=True):
        hidden = [
            max(sum((a * b for a, b in zip(row, x, strict=True)), c), mpq(0))
            for row, c in zip(w1, b1[0], strict=True)
        ]
        f = [
            sum((a * b for a, b in zip(row, hidden, strict=True)), c)
            for row, c in zip(w2, b2[0], strict=True)
        ]
        if loss == "absolute":
            total += sum(abs(a - b) for a, b in zip(f, y, strict=True))
        else:
            label = int(y[0])
            rival = max(v for j, v in enumerate(f) if j != label)
            total += max(mpq(0), 1 + rival - f[label])
    return total / len(instance.data)


def test_strays_of_an_array_are_rejected_by_name(trained: Path, tmp_path: Path) -> None:
    arrays = dict(np.load(trained / "net.npz"))
    arrays["W1"] = arrays["W1"].astype(np.float64)
    arrays["W1"][3, 7] = 0.1  # no float32
    np.savez(tmp_path / "stray.npz", **arrays)
    verdict = verify(load(trained / "zero_one.erm.json"), tmp_path / "stray.npz")
    assert verdict.accepted is False
    assert verdict.violations[0].startswith("W1[3,7] = ")
    assert len(verdict.violations) == 1
