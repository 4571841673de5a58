"""ONNX graphs as certificates: what they compute, how parameters are named, what contradicts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from gmpy2 import mpq
from onnx import TensorProto, helper, numpy_helper

from ermbit_instances.instance import parse_instance
from ermbit_instances.parameter_vector import ParameterVector
from onnx_models import (
    DENSE,
    GEMM,
    MLP,
    ONE_LAYER,
    agrees,
    dense,
    instance,
    load,
    mlp,
    model,
    node,
    refused,
    weights,
)

# --- what is read --------------------------------------------------------------------------------


def test_gemm_both_ways_round(tmp_path: Path) -> None:
    a, b, c, d = weights(3, 2), weights(3), weights(2, 3), weights(2)
    found = agrees(mlp({"A": a, "a": b, "B": c, "b": d}), MLP, tmp_path)
    expected = [*a.reshape(-1), *b, *c.reshape(-1), *d]
    assert found.values == [mpq(float(v)) for v in expected]
    nodes = [
        node("Gemm", "x A a", "h"),
        node("Relu", "h", "r"),
        node("Gemm", "r B b", "y", alpha=1.0, beta=1.0),
    ]
    other = model(nodes, {"A": a.T.copy(), "a": b.reshape(1, 3), "B": c.T.copy(), "b": d})
    assert agrees(other, MLP, tmp_path) == found


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int8", "int64"])
def test_matmul_and_add_is_one_layer(dtype: str, tmp_path: Path) -> None:
    subject = instance([dense(3, "abs"), dense(2, bias=False)])
    nodes = [
        node("MatMul", "x A", "h"),
        node("Add", "a h", "i"),
        node("Abs", "i", "r"),
        node("Identity", "r", "s"),
        node("Dropout", "s", "t"),
        node("MatMul", "t B", "y"),
    ]
    values = {"A": weights(2, 3), "a": weights(3), "B": weights(3, 2)}
    plain = agrees(model(nodes, values), subject, tmp_path)
    typed = model(nodes, {name: v.astype(dtype) for name, v in values.items()})
    assert load(typed, subject, tmp_path) == plain


def test_a_missing_bias_is_zero_and_sub_negates(tmp_path: Path) -> None:
    nodes = [
        node("MatMul", "x A", "h"),
        node("Relu", "h", "r"),
        node("MatMul", "r B", "i"),
        node("Sub", "i b", "y"),
    ]
    constants = {"A": weights(2, 3), "B": weights(3, 2), "b": np.float32([1, -2])}
    found = agrees(model(nodes, constants), MLP, tmp_path)
    assert found.values[6:9] == (0, 0, 0)
    assert found.values[-2:] == (-1, 2)


def test_factors_of_gemm_are_exact(tmp_path: Path) -> None:
    tenth, third = np.float32(0.1), np.float32(1 / 3)
    small = np.full((3, 2), third)
    found = load(mlp({"A": small}, alpha=float(tenth), beta=0.5), MLP, tmp_path)
    assert found.values[0] == mpq(float(tenth)) * mpq(float(third))
    assert isinstance(found.values, ParameterVector)
    wide = np.full((3, 2), 0.1)
    found = load(mlp({"A": wide}, alpha=float(tenth)), MLP, tmp_path)
    assert found.values[0] == mpq(float(tenth)) * mpq(0.1)
    assert isinstance(found.values, tuple)  # the product has too many bits for a float


@pytest.mark.parametrize(
    ("operator", "attributes", "operands", "activation", "opset"),
    [
        ("Relu", {}, "", "relu", 17),
        ("Abs", {}, "", "abs", 17),
        ("Sign", {}, "", "sign", 17),
        ("LeakyRelu", {"alpha": 0.25}, "", {"name": "leaky_relu", "slope": "1/4"}, 17),
        ("LeakyRelu", {"alpha": 0.0}, "", "relu", 17),
        ("Clip", {"min": -1.0, "max": 2.5}, "", {"name": "clip", "low": -1, "high": "5/2"}, 6),
        ("Clip", {}, "low high", {"name": "clip", "low": -1, "high": 2}, 17),
        ("Clip", {}, "zero", "relu", 17),
        ("Clip", {}, "two two", {"name": "clip", "low": 2, "high": 2}, 17),
        ("Clip", {}, "low infinite",
         {"name": "piecewise_linear", "breakpoints": [-1], "slopes": [0, 1], "intercepts": [-1, 0]},
         17),
        ("Clip", {}, "- high",
         {"name": "piecewise_linear", "breakpoints": [2], "slopes": [1, 0], "intercepts": [0, 2]},
         17),
        ("Clip", {}, "", "identity", 17),
    ],
)  # fmt: skip
def test_activations(
    operator: str,
    attributes: dict[str, Any],
    operands: str,
    activation: Any,
    opset: int,
    tmp_path: Path,
) -> None:
    subject = instance([dense(3, activation), dense(1)])
    nodes = [
        helper.make_node("Constant", [], ["low"], value_float=-1.0),
        helper.make_node("Constant", [], ["two"], value=numpy_helper.from_array(np.float32(2.0))),
        node("Gemm", "x A a", "h"),
        node(operator, f"h {operands}", "r", **attributes),
        node("Gemm", "r B b", "y"),
    ]
    if opset < 12:  # the reference of that version has no broadcast in Gemm
        nodes = nodes[2:]
        nodes[0:1] = [node("MatMul", "x A", "g"), node("Add", "g a", "h")]
        nodes[-1:] = [node("MatMul", "r B", "z"), node("Add", "z b", "y")]
    constants = {"A": weights(2, 3), "B": weights(3, 1), "b": weights(1)}
    # Off the zero of Sign, where the two differ.
    constants["a"] = np.float32([0.5, -0.5, 1.5]) if operator == "Sign" else weights(3)
    for name, value in (("high", 2), ("zero", 0), ("infinite", np.inf)):
        if name in operands:
            constants[name] = np.float32(value)
    agrees(model(nodes, constants, opset=opset), subject, tmp_path, sign=operator == "Sign")


def test_an_activation_or_bias_on_its_own_is_a_layer(tmp_path: Path) -> None:
    diagonal = {"weights": [[1, None], [None, 1]], "mask": [[1, 0], [0, 1]]}
    subject = instance(
        [dense(2, "relu", **diagonal), dense(2, "abs", **diagonal, bias=False), dense(1)]
    )
    nodes = [
        node("Sub", "x a", "i"),
        node("Relu", "i", "r"),
        node("Abs", "r", "s"),
        node("Gemm", "s B b", "y"),
    ]
    constants = {"a": weights(2), "B": weights(2, 1), "b": weights(1)}
    agrees(model(nodes, constants), subject, tmp_path)


def test_shapes_that_change_nothing(tmp_path: Path) -> None:
    subject = instance([dense(4, "relu"), dense(1)], inputs=4)
    nodes = [
        node("Transpose", "x", "t", perm=[0, 2, 1, 3]),
        node("Flatten", "t", "f"),
        helper.make_node("Constant", [], ["to"], value_ints=[0, -1]),
        node("Reshape", "f to", "g"),
        node("Transpose", "A", "AT"),
        node("Gemm", "g AT a", "h"),
        node("Relu", "h", "r"),
        node("Reshape", "r box", "s"),
        node("Flatten", "s", "u", axis=-2),
        node("MatMul", "u B", "v"),
        node("Add", "v b", "y"),
    ]
    constants = {
        "A": weights(4, 4),
        "a": weights(4),
        "B": weights(4, 1),
        "b": weights(1),
        "box": np.array([-1, 2, 2]),
    }
    agrees(model(nodes, constants, ("N", 1, 2, 2)), subject, tmp_path)


def test_a_model_of_the_onnx_package_is_well_formed() -> None:
    proto = mlp()
    value = helper.make_tensor_value_info("y", TensorProto.FLOAT, ("N", 2))
    proto.graph.output[0].CopyFrom(value)
    onnx.checker.check_model(proto)


# --- names of parameters -------------------------------------------------------------------------


def test_a_network_of_neurons_needs_names(tmp_path: Path) -> None:
    document = {
        "format": "ermbit-instance",
        "version": 1,
        "network": {
            "inputs": 2,
            "neurons": [{"id": "o", "inputs": {"x0": None, "x1": None}, "activation": "relu"}],
            "outputs": ["o"],
        },
        "weights": {"domain": "real"},
        "data": {"x": [[1, 1]], "y": [[0]]},
        "loss": {"name": "absolute"},
    }
    subject = parse_instance(document)
    refused(model([GEMM], DENSE), subject, tmp_path, "initializer 'A': a graph can be matched with")
    named = model([GEMM], {"W[o,x0]": np.float32(2), "W[o,x1]": np.array([3])})
    assert load(named, subject, tmp_path).values == (2, 3)


def test_names_of_parameters_come_first(tmp_path: Path) -> None:
    """Arrays with the names of the format are units × fan-in, whatever the graph does with them."""
    nodes = [node("Gemm", "x W1 b1", "y")]
    constants = {"W1": weights(3, 2), "b1": weights(3)}
    found = load(model(nodes, constants), ONE_LAYER, tmp_path)
    assert found.values[:6] == tuple(mpq(float(v)) for v in constants["W1"].reshape(-1))


# --- contradictions ------------------------------------------------------------------------------


def test_masked_frozen_and_shared_entries(tmp_path: Path) -> None:
    subject = instance(
        [
            dense(
                2,
                "relu",
                weights=[[{"param": "s"}, {"param": "s", "scale": -2}], [3, None]],
                mask=[[1, 1], [1, 0]],
                biases=["1/2", None],
            ),
            dense(1, bias=False),
        ]
    )
    nodes = [
        node("Gemm", "x A a", "h", transB=1),
        node("Relu", "h", "r"),
        node("Gemm", "r B b", "y", transB=1),
    ]
    fine = {
        "A": np.float32([[4, -8], [3, 0]]),
        "a": np.float32([0.5, 7]),
        "B": np.float32([[1, 2]]),
        "b": np.float32([0]),
    }
    found = load(model(nodes, fine), subject, tmp_path)
    assert found.contradictions == ()
    assert sorted(found.values) == [1, 2, 4, 7]
    for change, texts in (
        ({"A": np.float32([[4, -8], [3, 1]])}, ["$.W1[1][1]: the entry is absent, not 1"]),
        ({"A": np.float32([[4, -8], [4, 0]])}, ["$.W1[1][0]: the entry is frozen to 3, not 4"]),
        ({"A": np.float32([[4, 8], [3, 0]])}, ["$.W1[0][1]: the parameter is given two"]),
        ({"a": np.float32([0.25, 7])}, ["$.b1[0]: the entry is frozen to 1/2, not 1/4"]),
        ({"b": np.float32([1])}, ["$.b2[0]: the entry is absent, not 1"]),
        ({"A": np.float32([[4, 8], [2, 1]])}, ["two different", "frozen", "absent"]),
    ):
        found = load(model(nodes, fine | change), subject, tmp_path)
        assert len(found.contradictions) == len(texts)
        for line, text in zip(found.contradictions, texts, strict=True):
            assert text in line


def test_numbers_that_are_none(tmp_path: Path) -> None:
    broken = weights(3, 2)
    broken[1, 1] = np.nan
    refused(mlp({"A": broken}), MLP, tmp_path, "$.W1[1][1]: NaN and infinities")
    refused(mlp({"b": np.float32([0, np.inf])}), MLP, tmp_path, "$.b2[1]: NaN and infinities")
    refused(mlp({"b": np.array([1j, 0])}), MLP, tmp_path, "not numbers")
    refused(mlp({"b": np.array(["a", "b"], dtype=object)}), MLP, tmp_path, "not numbers")
    frozen = instance([dense(3, "relu", weights=[[1, 1]] * 3), dense(2)])
    refused(mlp({"A": broken}), frozen, tmp_path, "$.W1[1][1]: NaN and infinities")
