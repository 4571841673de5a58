"""The public Python interface."""

from __future__ import annotations

import dataclasses
import json
import math
import tomllib
from pathlib import Path
from typing import Any

import pytest
from gmpy2 import mpq

import ermbit
import fake_engines as fakes
from ermbit.answer import Answer
from ermbit_instances.instance import parse_instance

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def honest(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(fakes.Honest, patch=monkeypatch)


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.install(patch=monkeypatch)


@pytest.mark.parametrize("name", ermbit.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert getattr(ermbit, name).__doc__


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="differentiate"):
        _ = ermbit.differentiate


def test_version_is_that_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert ermbit.__version__ == project["project"]["version"]


@pytest.mark.parametrize(
    "name", ["InputError", "LimitError", "UsageError", "InternalError", "MissingFileError"]
)
def test_errors_have_one_base(name: str) -> None:
    assert issubclass(getattr(ermbit, name), ermbit.ErmbitError)


def test_solve_a_file(tmp_path: Path, honest: None) -> None:
    answer = ermbit.solve(fakes.write_toy(tmp_path))
    assert (answer.status, answer.engine, answer.loss) == ("sat", "honest", 0)
    assert answer.certificate == {"W1": [[1]]}
    assert answer.threshold == 0
    assert answer.reason is None


def test_solve_in_memory(honest: None) -> None:
    instance = parse_instance(fakes.toy(5, 2))
    answer = ermbit.solve(instance)
    assert (answer.status, answer.certificate, answer.loss) == ("unsat", None, None)
    assert answer.instance == instance.sha256
    assert answer.reason == "tried all"
    assert ermbit.solve(instance.with_threshold(mpq(3))).status == "sat"


def test_a_threshold_may_be_replaced_without_changing_the_file(
    tmp_path: Path, honest: None
) -> None:
    instance = ermbit.load(fakes.write_toy(tmp_path, 5, 2))
    answer = ermbit.solve(instance.with_threshold(mpq(7, 2)))
    assert (answer.status, answer.threshold) == ("sat", mpq(7, 2))


def test_minimize(tmp_path: Path, honest: None) -> None:
    answer = ermbit.minimize(fakes.write_toy(tmp_path, 5, None))
    assert (answer.status, answer.loss, answer.lower_bound) == ("optimal", 3, 3)
    assert answer.certificate == {"W1": [[2]]}


def test_minimize_does_not_look_at_the_threshold(tmp_path: Path, honest: None) -> None:
    path = fakes.write_toy(tmp_path, 5, 0)
    answer = ermbit.minimize(path)
    assert (answer.status, answer.loss) == ("optimal", 3)
    answer.write_certificate(tmp_path / "c.json")
    verdict = ermbit.verify(path, tmp_path / "c.json")
    assert (verdict.accepted, verdict.loss) == (False, 3)


def test_certificates_verify(tmp_path: Path, honest: None) -> None:
    path = fakes.write_toy(tmp_path)
    answer = ermbit.solve(path)
    assert answer.certificate is not None
    assert ermbit.verify(path, answer.certificate).accepted is True
    answer.write_certificate(tmp_path / "toy.cert.json")
    verdict = ermbit.verify(ermbit.load(path), tmp_path / "toy.cert.json")
    assert (verdict.accepted, verdict.loss) == (True, 0)
    written = json.loads((tmp_path / "toy.cert.json").read_text(encoding="utf-8"))
    assert written == answer.certificate_document()
    assert written["instance"] == ermbit.load(path).sha256


def test_an_answer_without_certificate_writes_none(tmp_path: Path, honest: None) -> None:
    answer = ermbit.solve(fakes.write_toy(tmp_path, 5, 2))
    with pytest.raises(ValueError, match="without a certificate"):
        answer.write_certificate(tmp_path / "c.json")
    assert not (tmp_path / "c.json").exists()


def test_without_threshold_solve_says_what_is_missing(tmp_path: Path, honest: None) -> None:
    path = fakes.write_toy(tmp_path, 1, None)
    with pytest.raises(ermbit.InputError, match=r"toy\.erm\.json: \$: .*'threshold'"):
        ermbit.solve(path)


def test_a_negative_threshold_needs_no_engine(tmp_path: Path, no_engine: None) -> None:
    answer = ermbit.solve(fakes.write_toy(tmp_path, 1, "-1/1000"))
    assert (answer.status, answer.threshold) == ("unsat", mpq(-1, 1000))
    assert answer.reason


@pytest.mark.parametrize("threshold, status", [("5/3", "sat"), ("3/2", "unsat"), (-1, "unsat")])
def test_without_free_parameters_evaluation_decides(
    threshold: int | str, status: str, no_engine: None
) -> None:
    layer = {"units": 1, "activation": "identity", "bias": False, "weights": [["1/3"]]}
    document = fakes.toy(2, threshold, network={"inputs": 1, "layers": [layer]})
    instance = parse_instance(document)
    answer = ermbit.solve(instance)
    assert answer.status == status
    if status == "sat":
        assert (answer.certificate, answer.loss) == ({}, mpq(5, 3))
    least = ermbit.minimize(instance)
    assert (least.status, least.loss, least.lower_bound) == ("optimal", mpq(5, 3), mpq(5, 3))
    assert ermbit.verify(instance.with_threshold(None), least.certificate or {}).accepted is True


@pytest.mark.parametrize(
    "options, word",
    [
        ({"timeout": -1}, "timeout"),
        ({"timeout": math.nan}, "timeout"),
        ({"timeout": "1"}, "timeout"),
        ({"timeout": True}, "timeout"),
        ({"memory": 0}, "memory"),
        ({"memory": 1.5}, "memory"),
        ({"threads": 0}, "threads"),
        ({"threads": 10**9}, "threads"),
        ({"seed": -1}, "seed"),
        ({"seed": None}, "seed"),
        ({"engine": 3}, "engine"),
        ({"engine": "nobody"}, "nobody"),
    ],
)
@pytest.mark.parametrize("task", ["solve", "minimize"])
def test_options_are_checked(task: str, options: dict[str, Any], word: str, honest: None) -> None:
    with pytest.raises(ermbit.UsageError, match=word):
        getattr(ermbit, task)(parse_instance(fakes.toy()), **options)


def test_an_infinite_timeout_is_none(honest: None) -> None:
    assert ermbit.solve(parse_instance(fakes.toy()), timeout=math.inf).status == "sat"


def test_a_file_that_changes_meanwhile_is_not_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes.install(fakes.Vandal, patch=monkeypatch)
    with pytest.raises(ermbit.InputError, match="changed meanwhile"):
        ermbit.solve(fakes.write_toy(tmp_path))


def test_a_file_that_asks_something_else_is_not_answered(tmp_path: Path, honest: None) -> None:
    path = fakes.write_toy(tmp_path)
    instance = ermbit.load(path)
    fakes.write_toy(tmp_path, 2)
    for task in (ermbit.solve, ermbit.minimize):
        with pytest.raises(ermbit.InputError, match="changed meanwhile"):
            task(instance)
    path.unlink()
    with pytest.raises(ermbit.MissingFileError):
        ermbit.solve(instance)


def test_an_answer_is_frozen_plain_and_readable(tmp_path: Path, honest: None) -> None:
    answer = ermbit.solve(fakes.write_toy(tmp_path))
    with pytest.raises(dataclasses.FrozenInstanceError):
        answer.status = "unsat"  # type: ignore[misc]
    document = answer.to_json()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert {"status", "engine", "time_s", "certificate", "loss", "reason", "proof"} <= set(document)
    assert repr(answer).startswith("Answer(sat, loss=0, engine=honest")
    assert "<table>" in answer._repr_html_()


def test_the_notebook_sees_text_and_no_markup() -> None:
    answer = Answer("unknown", None, 0.5, reason="<script>alert(1)</script>")
    assert "<script>" not in answer._repr_html_()


def test_statistics_become_plain_data() -> None:
    odd = {"q": mpq(1, 3), "nan": math.nan, "nested": [{1: (mpq(2),)}], "path": Path("a")}
    document = Answer("unsat", "x", 1.0, statistics=odd).to_json()["statistics"]
    assert document == {"q": "1/3", "nan": "nan", "nested": [{"1": [2]}], "path": "a"}


def test_a_loss_of_a_million_digits_is_described() -> None:
    answer = Answer("sat", "x", 1.0, loss=mpq(10) ** 1_000_000)
    document = answer.to_json()
    assert document["loss"] is None
    assert "bits" in document["loss_note"]
    assert len(repr(answer)) < 300


def test_generate_is_reproducible_and_has_the_bytes_of_the_family(tmp_path: Path) -> None:
    first, second = (ermbit.generate("parity", 3, bits=2) for _ in range(2))
    assert first.to_document() == second.to_document()
    assert first.sha256 != ermbit.generate("parity", 3, bits=3).sha256
    first.write(tmp_path / "p.erm.json")
    assert ermbit.load(tmp_path / "p.erm.json").sha256 == first.sha256


@pytest.mark.parametrize(
    "family, parameters", [("nobody", {}), ("parity", {"bits": "many"}), ("parity", {"x": 1})]
)
def test_generate_refuses_what_does_not_exist(family: str, parameters: dict[str, Any]) -> None:
    with pytest.raises(ermbit.UsageError):
        ermbit.generate(family, **parameters)
