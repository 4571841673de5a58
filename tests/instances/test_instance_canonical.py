"""The canonical form: one hash for one question, another hash for every other question."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import random_instances
import reference
from ermbit_instances.errors import InputError
from ermbit_instances.instance import load, parse_instance


def sha(document: dict[str, Any]) -> str:
    return parse_instance(document).sha256


def shuffled(rng: random.Random, value: Any) -> Any:
    """The same document with every object's keys in another order."""
    if isinstance(value, dict):
        items = [(k, shuffled(rng, v)) for k, v in value.items()]
        rng.shuffle(items)
        return dict(items)
    return [shuffled(rng, v) for v in value] if isinstance(value, list) else value


@pytest.mark.parametrize("seed", range(60))
def test_spelling_does_not_change_the_question(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    given = random_instances.random_instance(rng)
    expected = sha(given)
    noisy = shuffled(rng, given) | {"name": "another", "meta": {"note": [1, {"deep": None}]}}
    assert sha(noisy) == expected
    path = tmp_path / "a.erm.json"
    path.write_text(json.dumps(noisy, indent=rng.choice([None, 3])), encoding="utf-8")
    assert load(path).sha256 == expected


@pytest.mark.parametrize("seed", range(120))
def test_documents_round_trip(seed: int, tmp_path: Path) -> None:
    instance = parse_instance(random_instances.random_instance(random.Random(seed)))
    assert parse_instance(instance.to_document()).sha256 == instance.sha256
    path = tmp_path / "b.erm.json"
    instance.write(path)
    assert load(path).sha256 == instance.sha256
    assert load(path).canonical() == instance.canonical()


BASE: dict[str, Any] = {
    "format": "ermbit-instance",
    "version": 1,
    "network": {
        "inputs": 2,
        "layers": [
            {
                "name": "one",
                "units": 2,
                "activation": {"name": "clip", "low": 0, "high": "1/2"},
                "weights": [[None, {"param": "s", "scale": 2}], [3, None]],
                "biases": [None, {"param": "s"}],
            },
            {
                "name": "two",
                "units": 1,
                "activation": "relu",
                "mask": [[1, 0, 1, 1]],
                "from": ["one", "input"],
                "bias": False,
            },
        ],
    },
    "weights": {
        "domain": "integer",
        "low": -2,
        "high": 2,
        "denominator": 1,
        "biases": {"domain": "fixed_point", "bits": 3, "fraction_bits": 1, "signed": True},
        "parameters": {
            "s": {"domain": "finite", "values": ["1/3", 2]},
            "two": {"domain": "rational", "bits": 2},
            "W1[0,0]": {"domain": "float", "format": "fp8_e5m2"},
        },
    },
    "data": {"x": [[1, "0.5"], [0, 3]], "y": [[1], ["2/3"]], "sample_weights": [1, 2]},
    "loss": {"name": "absolute", "reduction": "sum"},
    "threshold": "1/7",
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("data", "x", 0, 1), "1/2"),
        (("data", "x", 0, 0), "1e0"),
        (("data", "y", 1, 0), "4/6"),
        (("threshold",), "2/14"),
        (("network", "layers", 0, "activation", "high"), "0.5"),
        (("network", "layers", 0, "weights", 0, 1, "scale"), "2.0"),
        (("weights", "parameters", "s", "values"), [2, "2/6", "1/3"]),
    ],
)
def test_the_spelling_of_numbers_does_not_matter(path: tuple[Any, ...], value: Any) -> None:
    assert sha(changed(BASE, path, value)) == sha(BASE)


def changed(document: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    document = copy.deepcopy(document)
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    return document


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in items:
            yield from leaves(inner, (*path, key))
    else:
        yield path, value


def other_values(value: Any) -> list[Any]:
    if isinstance(value, bool):
        return [not value]
    if value is None:
        return [1, {"param": "fresh"}]
    if isinstance(value, int):
        return [value + 1, value - 1]
    swaps = {
        "relu": ["abs", "identity"],
        "clip": [],
        "absolute": ["squared"],
        "sum": ["mean", "max"],
        "fp8_e5m2": ["fp8_e4m3"],
        "input": [],
    }
    if value in swaps:
        return swaps[value]
    try:
        return [str(reference.number(value) + 1)]
    except ValueError:
        return []


CHANGES = [
    (path, other)
    for path, value in leaves(BASE)
    if path[0] not in ("format", "version") and path[-1] != "name"
    for other in other_values(value)
]


@pytest.mark.parametrize(("path", "value"), CHANGES, ids=str)
def test_every_change_of_the_question_changes_the_hash(path: tuple[Any, ...], value: Any) -> None:
    try:
        found = sha(changed(BASE, path, value))
    except InputError:
        return  # no question at all
    assert found != sha(BASE)


def test_most_changes_are_questions() -> None:
    legal = 0
    for path, value in CHANGES:
        try:
            sha(changed(BASE, path, value))
            legal += 1
        except InputError:
            pass
    assert legal > len(CHANGES) / 2 > 15


def test_layer_names_are_only_labels() -> None:
    renamed = json.loads(json.dumps(BASE).replace('"one"', '"first"').replace('"two"', '"second"'))
    assert sha(renamed) == sha(BASE)


def test_the_name_of_a_shared_parameter_is_part_of_the_question() -> None:
    # Certificates refer to it.
    assert sha(json.loads(json.dumps(BASE).replace('"s"', '"t"'))) != sha(BASE)


def test_a_threshold_makes_another_question() -> None:
    instance = parse_instance(BASE)
    without = instance.with_threshold(None)
    assert "threshold" not in without.canonical()
    assert len({instance.sha256, without.sha256}) == 2
    again = without.with_threshold(instance.threshold)
    assert again.sha256 == instance.sha256


# --- data files ----------------------------------------------------------------------------------


def with_csv(folder: Path, text: str) -> dict[str, Any]:
    (folder / "d.csv").write_text(text, encoding="utf-8")
    data = {"csv": "d.csv", "features": ["a", "b"], "target": ["y"], "sample_weights": [1, 2]}
    return changed(BASE, ("data",), data)


def test_external_data_count_by_the_hash_of_their_file(tmp_path: Path) -> None:
    text = "a,b,y\n1,0.5,1\n0,3,2/3\n"
    first = parse_instance(with_csv(tmp_path, text), folder=tmp_path)
    again = parse_instance(with_csv(tmp_path, text), folder=tmp_path)
    assert first.sha256 == again.sha256
    spaced = parse_instance(with_csv(tmp_path, text.replace("0.5", " 0.5")), folder=tmp_path)
    assert spaced.data.x.rows == first.data.x.rows
    assert spaced.sha256 != first.sha256


def test_inlining_external_data_makes_another_document_of_the_same_numbers(tmp_path: Path) -> None:
    first = parse_instance(with_csv(tmp_path, "a,b,y\n1,0.5,1\n0,3,2/3\n"), folder=tmp_path)
    inline = parse_instance(first.to_document())
    assert inline.data.x.rows == first.data.x.rows
    assert inline.sha256 == sha(BASE)
    assert inline.sha256 != first.sha256


def test_arrays_count_by_the_hash_of_their_file(tmp_path: Path) -> None:
    def read(x: Any) -> str:
        np.savez(tmp_path / "d.npz", x=x, y=np.array([[1.0], [0.25]]))
        data = {"npz": "d.npz", "x": "x", "y": "y"}
        return parse_instance(changed(BASE, ("data",), data), folder=tmp_path).sha256

    first = read(np.array([[1, 0.5], [0, 3]]))
    assert read(np.array([[1, 0.5], [0, 3]])) == first
    assert read(np.array([[1, 0.5], [0, 4]])) != first
