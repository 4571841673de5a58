"""Certificates from every source: what fits, what contradicts the network, what is refused."""

from __future__ import annotations

import json
import random
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from gmpy2 import mpq

import random_instances
from ermbit_instances.algebraic import AlgebraicNumber
from ermbit_instances.certificate import Certificate, load_certificate, parse_certificate
from ermbit_instances.errors import InputError
from ermbit_instances.instance import Instance, parse_instance
from ermbit_instances.parameter_vector import ParameterVector


def instance(layers: list[dict[str, Any]], inputs: int = 2, **weights: Any) -> Instance:
    return parse_instance(
        {
            "format": "ermbit-instance",
            "version": 1,
            "network": {"inputs": inputs, "layers": layers},
            "weights": {"domain": "real"} | weights,
            "data": {"x": [[1] * inputs], "y": [[0] * layers[-1]["units"]]},
            "loss": {"name": "absolute"},
            "threshold": 0,
        }
    )


# Row 0: own, shared with factor −2. Row 1: frozen 3, absent. Biases: shared, frozen 1/2.
MIXED = instance(
    [
        {
            "units": 2,
            "activation": "relu",
            "weights": [[None, {"param": "s", "scale": -2}], [3, None]],
            "mask": [[1, 1], [1, 0]],
            "biases": [{"param": "s"}, "1/2"],
        },
        {"units": 1, "activation": "identity"},
    ]
)
REST = {"W2": [[1, 1]], "b2": [0]}


def read(**parameters: Any) -> Certificate:
    return parse_certificate(REST | parameters, MIXED)


def test_arrays_hold_effective_weights() -> None:
    found = read(W1=[[5, -8], [3, 0]], b1=[4, "1/2"])
    assert found.contradictions == ()
    assert found.values[:2] == (5, 4)
    assert found == read(W1=[[5, None], [None, None]], s=4)
    assert found == read(**{"W1[0,0]": 5, "s": 4, "b1": None})


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"W1": [[5, -8], [4, 0]], "s": 4}, "frozen to 3"),
        ({"W1": [[5, -8], [3, 1]], "s": 4}, "absent"),
        ({"W1": [[5, -8], [3, 0]], "b1": [4, 0]}, "frozen to 1/2"),
        ({"W1": [[5, -8], [3, 0]], "s": 3}, "two different values"),
        ({"W1": [[5, -8], [3, 0]], "b1": [-8, None]}, "two different values"),
    ],
)
def test_contradictions_are_collected(parameters: dict[str, Any], text: str) -> None:
    found = read(**parameters)
    assert len(found.contradictions) == 1
    assert text in found.contradictions[0]


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"W1": [[5, -8], [3, 0]]} | {"W3": [[1]]}, "no free parameter"),
        ({"W1": [[5, -8]], "s": 4}, "units"),
        ({"W1": [[5, -8, 1], [3, 0]], "s": 4}, "fan-in"),
        ({"W1": [[5, None], [3, 0]]}, "no value for s"),
        ({"s": 4}, "no value for W1"),
        ({"W1": [[5, True], [3, 0]], "s": 4}, ""),
        ({"W1": [[5, "x"], [3, 0]], "s": 4}, "not a number"),
        ({"W1[0,1]": 5, "s": 4}, "no free parameter"),
        ({"W1[1,0]": 3, "s": 4}, "no free parameter"),
        ({"W01[0,0]": 5, "s": 4}, "no free parameter"),
        ({"W1": 5, "s": 4}, ""),
    ],
)
def test_what_does_not_fit(parameters: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError) as caught:
        read(**parameters)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [{"format": "ermbit-instance"}, {"version": 2}, {"extra": 1}, {"parameters": None}],
)
def test_the_frame_of_the_file(change: dict[str, Any]) -> None:
    document = Certificate((mpq(1), mpq(2), mpq(1), mpq(1), mpq(0))).to_document(MIXED)
    assert parse_certificate(document, MIXED).values == (1, 2, 1, 1, 0)
    with pytest.raises(InputError):
        parse_certificate(document | change, MIXED)


@pytest.mark.parametrize("seed", range(80))
def test_written_certificates_read_back(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)
    given = random_instances.random_instance(rng)
    subject = parse_instance(given)
    theta = random_instances.random_parameters(rng, given)
    found = parse_certificate({k: str(v) for k, v in theta.items()}, subject)
    path = tmp_path / "c.cert.json"
    found.write(path, subject)
    again = load_certificate(path, subject)
    assert again.values == found.values
    assert again.contradictions == ()
    assert again.instance == subject.sha256


@pytest.mark.parametrize("name", ["W1", "b1", "b2", "W9"])
def test_shared_parameters_with_the_names_of_arrays(name: str, tmp_path: Path) -> None:
    subject = instance(
        [
            {"units": 1, "activation": "relu", "weights": [[None, {"param": name}]]},
            {"units": 1, "activation": "identity"},
        ]
    )
    values = tuple(mpq(k) for k in range(1, subject.network.parameter_count + 1))
    path = tmp_path / "c.cert.json"
    Certificate(values).write(path, subject)
    assert load_certificate(path, subject).values == values


def test_algebraic_values_are_read_and_written(tmp_path: Path) -> None:
    root = "(root-of-with-interval (coeffs (- 2) 0 1) 1 2)"
    found = read(**{"W1[0,0]": root, "s": 1})
    assert isinstance(found.values[0], AlgebraicNumber)
    path = tmp_path / "c.cert.json"
    found.write(path, MIXED)
    assert load_certificate(path, MIXED).values == found.values
    for wrong in (root.replace("1 2)", "2 3)"), "(root-of-with-interval)", "(+ 1 2)", "("):
        with pytest.raises(InputError):
            read(**{"W1[0,0]": wrong, "s": 1})


# --- arrays --------------------------------------------------------------------------------------

NAN = float("nan")
ARRAYS = {
    "W1": np.array([[0.1, NAN], [NAN, NAN]]),
    "s": np.array(-3, dtype=np.int8),
    "W2": np.array([[1, 2]], dtype=np.float32),
    "b2": np.array([0.5], dtype=np.float16),
}


def saved(path: Path, arrays: dict[str, Any]) -> Path:
    if path.suffix == ".npz":
        np.savez(path, **arrays)
        return path
    tensors = [onnx.numpy_helper.from_array(np.asarray(a), n) for n, a in arrays.items()]
    graph = onnx.helper.make_graph([], "g", [], [], initializer=tensors)
    onnx.save(onnx.helper.make_model(graph), str(path))
    return path


@pytest.mark.parametrize("ending", [".npz", ".onnx"])
def test_floats_are_read_exactly(ending: str, tmp_path: Path) -> None:
    arrays = ARRAYS | {"W1": np.array([[0.1, 6], [3, 0]])}
    found = load_certificate(saved(tmp_path / f"c{ending}", arrays), MIXED)
    assert found.values == (mpq(0.1), -3, 1, 2, mpq(1, 2))
    assert mpq(0.1) != mpq(1, 10)
    assert found.contradictions == ()


@pytest.mark.parametrize("ending", [".npz", ".onnx"])
@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"W1": np.array([[NAN, 6], [3, 0]])}, "NaN"),
        ({"b2": np.array([float("inf")])}, "not numbers"),
        ({"b2": np.array([1.0, 2.0])}, "shape"),
        ({"W1": np.array([0.1, 6])}, "shape"),
        ({"s": np.array([1.0, 2.0])}, "one number"),
        ({"unknown": np.array(1.0)}, "no free parameter"),
    ],
)
def test_arrays_that_do_not_fit(
    ending: str, change: dict[str, Any], text: str, tmp_path: Path
) -> None:
    arrays = ARRAYS | {"W1": np.array([[0.1, 6], [3, 0]])} | change
    with pytest.raises(InputError) as caught:
        load_certificate(saved(tmp_path / f"c{ending}", arrays), MIXED)
    assert text in str(caught.value)


def test_nan_stands_for_nothing_where_nothing_is_free(tmp_path: Path) -> None:
    arrays = ARRAYS | {"W1": np.array([[0.1, 6], [NAN, NAN]]), "b1": np.array([-3, NAN])}
    found = load_certificate(saved(tmp_path / "c.npz", arrays), MIXED)
    assert found.values[:2] == (mpq(0.1), -3)
    frozen = ARRAYS | {"W1": np.array([[0.1, 6], [2, 0]])}
    assert load_certificate(saved(tmp_path / "d.npz", frozen), MIXED).contradictions


@pytest.mark.parametrize("ending", [".json", ".npz", ".onnx"])
def test_files_that_are_something_else(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"c{ending}"
    with pytest.raises(InputError):
        load_certificate(path, MIXED)
    path.write_bytes(b"\x00\x01 not this")
    with pytest.raises(InputError):
        load_certificate(path, MIXED)
    path.write_text(json.dumps([1, 2]), encoding="utf-8")
    with pytest.raises(InputError):
        load_certificate(path, MIXED)


def npy(header: bytes) -> bytes:
    """An array's file with this header."""
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


@pytest.mark.parametrize(
    "header",
    [
        b"__import__('os').system('true')",
        b"{'descr': '<f8', 'fortran_order': False, 'shape': (2,",
        b"{'descr': '<f8' 'x' 3}",
        b'"',
        b"(((",
        b"  x",
        b"\xff" * 20,
        b"",
    ],
)
def test_headers_of_arrays_that_are_no_headers(header: bytes, tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("W1.npy", npy(header))
    with pytest.raises(InputError) as caught:
        load_certificate(path, MIXED)
    assert str(caught.value).startswith(f"{path}: $: ")
    assert str(caught.value).count("c.npz") == 1


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_arrays_of_one_name(tmp_path: Path) -> None:
    path = tmp_path / "c.npz"
    saved(path, WHOLE)
    with zipfile.ZipFile(path) as archive:
        first = archive.read("W1.npy")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("W1.npy", first)
    with pytest.raises(InputError, match="two arrays have the name 'W1'"):
        load_certificate(path, DENSE)


def test_initializers_read_by_name_beside_operators(tmp_path: Path) -> None:
    tensors = [onnx.numpy_helper.from_array(WHOLE[name], name) for name in WHOLE]
    node = onnx.helper.make_node("Sigmoid", ["W1"], ["y"])
    graph = onnx.helper.make_graph([node], "g", [], [], initializer=tensors)
    onnx.save(onnx.helper.make_model(graph), str(tmp_path / "c.onnx"))
    (note,) = load_certificate(tmp_path / "c.onnx", DENSE).notes
    assert note.endswith("the graph's operators were not looked at")
    assert not load_certificate(saved(tmp_path / "d.onnx", WHOLE), DENSE).notes


@pytest.mark.parametrize("array", [np.array([1 + 2j]), np.array(["1"], dtype=object)])
def test_initializers_that_are_no_numbers(array: Any, tmp_path: Path) -> None:
    arrays = ARRAYS | {"W1": np.array([[0.1, 6], [3, 0]]), "b2": array}
    with pytest.raises(InputError, match="not numbers"):
        load_certificate(saved(tmp_path / "c.onnx", arrays), MIXED)


# --- dense layers, as whole arrays ---------------------------------------------------------------

DENSE = instance(
    [{"units": 3, "activation": "relu"}, {"units": 2, "activation": "identity", "bias": False}]
)
WHOLE = {
    "W1": np.array([[1, 2], [3, 4], [5, 6.5]]),
    "b1": np.array([7, 8, 9], dtype=np.float16),
    "W2": np.array([[0.1, -0.0, 5e-324], [1, 2, 3]]),
}


@pytest.mark.parametrize("ending", [".npz", ".onnx"])
def test_dense_layers_become_a_vector(ending: str, tmp_path: Path) -> None:
    found = load_certificate(saved(tmp_path / f"c{ending}", WHOLE), DENSE)
    assert isinstance(found.values, ParameterVector)
    tiny = mpq(1, 2**1074)
    expected = (1, 2, 3, 4, 5, mpq(13, 2), 7, 8, 9, mpq(0.1), 0, tiny, 1, 2, 3)
    assert found.values == expected
    assert found == Certificate(expected)
    path = tmp_path / "c.cert.json"
    found.write(path, DENSE)
    assert load_certificate(path, DENSE).values == found.values
    singles = {f"W1[{j},{k}]": WHOLE["W1"][j, k] for j in range(3) for k in range(2)}
    apart = singles | {"b1": WHOLE["b1"], "W2": WHOLE["W2"]}
    assert load_certificate(saved(tmp_path / f"d{ending}", apart), DENSE) == found


@pytest.mark.parametrize("ending", [".npz", ".onnx"])
@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"W1": np.array([[1, 2], [3, NAN], [NAN, 6]])}, "$.W1[1][1]: NaN"),
        ({"b1": np.array([1, 2, -np.inf])}, "$.b1[2]: NaN and infinities are not numbers here"),
        ({"W2": np.zeros((3, 2))}, "$.W2: shape (3, 2), but the layer needs (2, 3)"),
        ({"W2": np.zeros(6)}, "$.W2: shape (6,)"),
        ({"W2": None}, "no value for W2[0,0], W2[0,1], W2[0,2] and 3 more"),
        ({"b1": None, "b1[1]": np.array(1)}, "no value for b1[0], b1[2]"),
        ({"b2": np.zeros(3)}, "$.b2: shape (3,), but the layer needs (2,)"),
        ({"W3": np.zeros(3)}, "$.W3: the network has no free parameter"),
    ],
)  # fmt: skip
def test_dense_arrays_that_do_not_fit(
    ending: str, change: dict[str, Any], text: str, tmp_path: Path
) -> None:
    arrays = {name: array for name, array in (WHOLE | change).items() if array is not None}
    with pytest.raises(InputError) as caught:
        load_certificate(saved(tmp_path / f"c{ending}", arrays), DENSE)
    assert text in str(caught.value)


@pytest.mark.parametrize("ending", [".npz", ".onnx"])
def test_a_dense_entry_given_twice(ending: str, tmp_path: Path) -> None:
    # Names are taken in alphabetical order, "W1" before "W1[...": the array comes first.
    arrays = WHOLE | {"W1[0,1]": np.array(2), "W1[2,1]": np.array(6), "b2": np.zeros(2)}
    found = load_certificate(saved(tmp_path / f"c{ending}", arrays), DENSE)
    assert found.contradictions == ("W1[2,1]: the parameter is given two different values",)
    assert found.values[5] == mpq(13, 2)
    # Here a shared name comes before the array of another layer that holds it too.
    subject = instance(
        [
            {"units": 1, "activation": "relu", "weights": [[None, {"param": "A"}]]},
            {"units": 1, "activation": "identity"},
        ]
    )
    arrays = {"A": np.array(1), "W1": np.array([[1, 2]]), "b1": [0.5], "W2": [[1]], "b2": [0]}
    found = load_certificate(saved(tmp_path / f"d{ending}", arrays), subject)
    assert found.contradictions == ("$.W1[0][1]: the parameter is given two different values",)
    assert found.values[subject.network.named["A"]] == 1


@pytest.mark.parametrize("ending", [".npz", ".onnx"])
def test_numbers_that_no_float_is_are_kept(ending: str, tmp_path: Path) -> None:
    large = 2**53 + 1
    arrays = WHOLE | {"W2": np.array([[large, 1, -large], [2**63 - 1, -(2**63), 0]])}
    found = load_certificate(saved(tmp_path / f"c{ending}", arrays), DENSE)
    assert isinstance(found.values, tuple)
    assert found.values[9:] == (large, 1, -large, 2**63 - 1, -(2**63), 0)
    assert found.values[:2] == (1, 2)
    twice = arrays | {"W2[0,0]": np.array(large), "W2[0,2]": np.array(-float(large))}
    found = load_certificate(saved(tmp_path / f"d{ending}", twice), DENSE)
    assert found.contradictions == ("W2[0,2]: the parameter is given two different values",)
    third = instance(
        [{"units": 1, "activation": "relu", "weights": [[{"param": "s", "scale": 3}, 1]]}]
    )
    arrays = {"W1": np.array([[1.0, 1.0]]), "b1": np.array([0.0])}
    found = load_certificate(saved(tmp_path / f"e{ending}", arrays), third)
    assert sorted(found.values) == [0, mpq(1, 3)]
    again = load_certificate(saved(tmp_path / f"f{ending}", arrays | {"s": np.array(1 / 3)}), third)
    assert len(again.contradictions) == 1


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (onnx.TensorProto.BFLOAT16, 1.5),
        (onnx.TensorProto.FLOAT8E4M3FN, 448.0),
        (onnx.TensorProto.FLOAT8E5M2, -0.25),
        (onnx.TensorProto.INT8, -7),
        (onnx.TensorProto.UINT64, 3),
        (onnx.TensorProto.BOOL, 1),
    ],
)
def test_other_types_widen_exactly(kind: int, value: float, tmp_path: Path) -> None:
    tensors = [onnx.numpy_helper.from_array(WHOLE[name], name) for name in ("W1", "W2")]
    tensors.append(onnx.helper.make_tensor("b1", kind, [3], [value] * 3))
    graph = onnx.helper.make_graph([], "g", [], [], initializer=tensors)
    onnx.save(onnx.helper.make_model(graph), str(tmp_path / "c.onnx"))
    found = load_certificate(tmp_path / "c.onnx", DENSE)
    assert isinstance(found.values, ParameterVector)
    assert found.values[6:9] == (mpq(value),) * 3
