"""``ermbit verify``, ``info``, ``generate`` and ``families``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import ermbit
import fake_engines as fakes
from cli.command_line import one_error, run_here

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def fake_table(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(fakes.Unfit, fakes.Climber, fakes.Honest, patch=monkeypatch)


def write_certificate(folder: Path, value: Any) -> Path:
    path = folder / "toy.cert.json"
    document = {"format": "ermbit-certificate", "version": 1, "parameters": {"W1": [[value]]}}
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def squares(count: int) -> dict[str, Any]:
    return {"inputs": 1, "layers": [{"units": 1, "activation": "square", "bias": False}] * count}


@pytest.mark.parametrize(
    "value, status, first",
    [(1, 0, "accepted"), (0, 1, "rejected"), (7, 1, "rejected"), ("1/2", 1, "rejected")],
)
def test_verify(value: Any, status: int, first: str, tmp_path: Path, capfd: Capture) -> None:
    path, certificate = fakes.write_toy(tmp_path), write_certificate(tmp_path, value)
    done = run_here(capfd, "verify", path, certificate)
    assert (done.status, done.err) == (status, "")
    lines = done.out.splitlines()
    assert lines[0] == first
    assert "threshold: 0" in lines
    assert any("proved" in line for line in lines)
    assert next(line.split() for line in lines[-2:])[:2] == ["layer", "before"]
    as_json = run_here(capfd, "verify", path, certificate, "--json")
    assert as_json.document == ermbit.verify(path, certificate).to_json()
    assert as_json.status == status
    if first == "rejected":
        assert as_json.document["violations"]
        assert all(f"violation: {text}" in lines for text in as_json.document["violations"])


def test_verify_may_be_undecided(tmp_path: Path, capfd: Capture) -> None:
    """w·3^(2^60) − 3^(2^60) at w = 1: equal to 0, and no proof of that fits into the memory."""
    neurons = [{"id": "a0", "inputs": {"x0": 1}, "activation": "square"}]
    neurons += [
        {"id": f"a{k}", "inputs": {f"a{k - 1}": 1}, "activation": "square"} for k in range(1, 60)
    ]
    neurons += [
        {"id": "b", "inputs": {"a59": {"param": "w"}}, "activation": "identity"},
        {"id": "f", "inputs": {"b": 1, "a59": -1}, "activation": "identity"},
    ]
    path = fakes.write_toy(
        tmp_path,
        network={"inputs": 1, "neurons": neurons, "outputs": ["f"]},
        weights={"domain": "real"},
        data={"x": [[3]], "y": [[0]]},
    )
    certificate = tmp_path / "c.json"
    document = {"format": "ermbit-certificate", "version": 1, "parameters": {"w": 1}}
    certificate.write_text(json.dumps(document), encoding="utf-8")
    done = run_here(capfd, "verify", path, certificate)
    assert done.status == 3
    assert done.out.startswith("undecided\n")
    assert "equal to 0 with an error of at most 2^-1" in done.out
    assert run_here(capfd, "verify", path, certificate, "--json").document["accepted"] is None


def test_verify_names_the_file_that_is_wrong(tmp_path: Path, capfd: Capture) -> None:
    path = fakes.write_toy(tmp_path)
    certificate = write_certificate(tmp_path, "many")
    message = one_error(run_here(capfd, "verify", path, certificate))
    assert message.startswith(f"{certificate}: $.parameters.W1[0][0]: ")


def test_external_data_need_a_permission(tmp_path: Path, capfd: Capture) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "d.csv").write_text("a,t\n1,1\n", encoding="utf-8")
    data = {"csv": "../d.csv", "features": ["a"], "target": ["t"]}
    path = fakes.write_toy(home, data=data)
    certificate = write_certificate(home, 1)
    for words in (["verify", path, certificate], ["info", path], ["solve", path]):
        assert "$.data.csv" in one_error(run_here(capfd, *words))
    allowed = "--allow-external-data"
    assert run_here(capfd, "verify", path, certificate, allowed).status == 0
    assert run_here(capfd, "info", path, allowed).status == 0
    assert run_here(capfd, "solve", path, allowed).status == 10


def test_info(tmp_path: Path, capfd: Capture) -> None:
    layers = [{"units": 2, "activation": "relu"}, {"units": 1, "activation": "identity"}]
    path = fakes.write_toy(tmp_path, network={"inputs": 1, "layers": layers})
    done = run_here(capfd, "info", path)
    assert (done.status, done.err) == (0, "")
    assert "parameters: 7\n  7 in integer -2..2 (5 values)\nassignments: 78125\n" in done.out
    assert "interchangeable neurons: {1.0, 1.1}\n" in done.out
    assert "    solve: complete, starts as number 2: it is a fake\n" in done.out
    assert "    solve: incomplete, starts as number 1: it is a fake\n" in done.out
    assert "    solve: not applicable: the moon is not full\n" in done.out
    facts = run_here(capfd, "info", path, "--json").document
    assert facts["assignments"] == 5**7
    assert facts["instance"] == ermbit.load(path).sha256
    engines = {engine["name"]: engine for engine in facts["engines"]}
    assert engines["honest"]["minimize"]["complete"] is True
    assert engines["unfit"]["solve"]["place"] is None
    # z = w x + b with |w|, |b| <= 2 and x = 1, then 2 relu(4) twice plus a bias: at most 18.
    rows = [(row["layer"], row["pre_activation"], row["output"]) for row in facts["bits"]["layers"]]
    assert rows == [(1, 3, 3), (2, 5, 5)]


def test_info_bounds_hold_for_every_parameter(tmp_path: Path, capfd: Capture) -> None:
    weights = {"domain": "fixed_point", "bits": 3, "fraction_bits": 2}
    path = fakes.write_toy(tmp_path, weights=weights, network=squares(3))
    facts = run_here(capfd, "info", path, "--json").document
    bound = facts["bits"]["bound"]
    for a in (-4, -3, 3):
        for b in (-4, -1, 3):
            values = {"W1": [[f"{a}/4"]], "W2": [[f"{b}/4"]], "W3": [["-3/4"]]}
            verdict = ermbit.verify(path, values)
            assert all(row.pre_activation <= bound and row.output <= bound for row in verdict.bits)


@pytest.mark.parametrize(
    "changes, reason",
    [
        ({"weights": {"domain": "real"}}, "unbounded"),
        ({"weights": {"domain": "rational", "bits": 3}}, "rational"),
        ({"network": squares(60)}, "too many"),
    ],
)
def test_info_says_why_there_is_no_bound(
    changes: dict[str, Any], reason: str, tmp_path: Path, capfd: Capture
) -> None:
    path = fakes.write_toy(tmp_path, **changes)
    assert run_here(capfd, "info", path).status == 0
    bits = run_here(capfd, "info", path, "--json").document["bits"]
    assert bits["layers"] == []
    assert reason in bits["reason"]


def test_info_without_threshold_speaks_of_minimize_only(tmp_path: Path, capfd: Capture) -> None:
    facts = run_here(capfd, "info", fakes.write_toy(tmp_path, 1, None), "--json").document
    assert facts["threshold"] is None
    assert all("minimize" in e and "solve" not in e for e in facts["engines"])


def test_info_prints_odd_names_as_escapes(tmp_path: Path, capfd: Capture) -> None:
    done = run_here(capfd, "info", fakes.write_toy(tmp_path, name="a\x1b[31m\nb"))
    assert done.status == 0
    assert "\x1b" not in done.out
    assert done.out.startswith("a\\x1b[31m\\nb\n")


def test_generate_writes_the_same_bytes_every_time(tmp_path: Path, capfd: Capture) -> None:
    words = ["generate", "teacher", "--set", "inputs=2", "samples=3", "--set", "hidden=2"]
    words += ["--seed", "4", "--count", "2"]
    first = run_here(capfd, *words, "--out", tmp_path / "a")
    assert (first.status, first.err) == (0, "")
    second = run_here(capfd, *words, "--out", tmp_path / "b" / "deeper", "--json")
    assert second.document["seeds"] == {"first": 4, "count": 2}
    ours, theirs = first.out.splitlines(), second.document["files"]
    assert len(ours) == 4
    for mine, other in zip(ours, theirs, strict=True):
        assert Path(mine).name == Path(other).name
        assert Path(mine).read_bytes() == Path(other).read_bytes()
    instances = [path for path in ours if path.endswith(".erm.json")]
    assert len({ermbit.load(path).sha256 for path in instances}) == 2
    certificate = instances[0].replace(".erm.json", ".cert.json")
    assert run_here(capfd, "verify", instances[0], certificate).status == 0


def test_generate_writes_here_by_default(
    tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run_here(capfd, "generate", "parity")
    files = done.out.splitlines()
    assert files
    assert {path.name for path in tmp_path.iterdir()} == set(files)


@pytest.mark.parametrize(
    "words",
    [
        ["nobody"],
        ["parity", "--set", "bits=many"],
        ["parity", "--set", "bits"],
        ["parity", "--set", "bits=2", "bits=3"],
        ["parity", "--set", "seed=1"],
        ["parity", "--seed", "-1"],
        ["parity", "--seed", "9" * 30],
        ["parity", "--count", "0"],
        ["parity", "--count", "x"],
        ["parity", "--out", "/dev/null/x"],
    ],
)
def test_generate_refuses(
    words: list[str], tmp_path: Path, capfd: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    one_error(run_here(capfd, "generate", *words))
    assert list(tmp_path.iterdir()) == []


def test_families(capfd: Capture) -> None:
    done = run_here(capfd, "families")
    assert (done.status, done.err) == (0, "")
    document = run_here(capfd, "families", "--json").document
    names = [family["name"] for family in document["families"]]
    assert "parity" in names
    assert [line for line in done.out.splitlines() if not line.startswith(" ")] == names
    one = run_here(capfd, "families", "parity", "--json").document["families"]
    assert [family["name"] for family in one] == ["parity"]
    assert {"name", "default", "help"} <= set(one[0]["parameters"][0])
    assert "nobody" in one_error(run_here(capfd, "families", "nobody"))
