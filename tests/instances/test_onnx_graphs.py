"""ONNX graphs as certificates: what they compute, what contradicts, what is refused."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from gmpy2 import mpq
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from ermbit.verifier.evaluation.evaluate import evaluate_sample
from ermbit_instances.certificate import Certificate, load_certificate
from ermbit_instances.errors import InputError, LimitError
from ermbit_instances.instance import Instance, parse_instance
from ermbit_instances.parameter_vector import ParameterVector

Layers = list[dict[str, Any]]
Constants = dict[str, Any]
RNG = np.random.default_rng(7)


def instance(layers: Layers, inputs: int = 2) -> Instance:
    return parse_instance(
        {
            "format": "ermbit-instance",
            "version": 1,
            "network": {"inputs": inputs, "layers": layers},
            "weights": {"domain": "real"},
            "data": {"x": [[1] * inputs], "y": [[0] * layers[-1]["units"]]},
            "loss": {"name": "absolute"},
            "threshold": 0,
        }
    )


def dense(units: int, activation: Any = "identity", **more: Any) -> dict[str, Any]:
    return {"units": units, "activation": activation} | more


def node(operator: str, inputs: str, output: str, **attributes: Any) -> Any:
    """`inputs` are names apart by spaces, `-` for one that is left out."""
    names = ["" if n == "-" else n for n in inputs.split()]
    return helper.make_node(operator, names, [output], name=f"n_{output}", **attributes)


def model(
    nodes: Sequence[Any],
    constants: Constants,
    shape: Sequence[Any] = ("N", 2),
    opset: int = 17,
    kind: int = TensorProto.FLOAT,
) -> Any:
    tensors = [numpy_helper.from_array(np.asarray(a), name) for name, a in constants.items()]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(nodes[-1].output[0], kind, None)],
        initializer=tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])


def load(proto: Any, subject: Instance, folder: Path) -> Certificate:
    path = folder / "c.onnx"
    path.write_bytes(proto.SerializeToString())
    return load_certificate(path, subject)


def agrees(proto: Any, subject: Instance, folder: Path, sign: bool = False) -> Certificate:
    """The certificate, after the network has computed what the graph does on integer inputs."""
    found = load(proto, subject, folder)
    assert found.contradictions == ()
    assert bool(found.notes) == sign
    assert isinstance(found.values, ParameterVector)
    evaluator = ReferenceEvaluator(proto)
    width = subject.network.input_count
    shape = [d.dim_value or 1 for d in proto.graph.input[0].type.tensor_type.shape.dim]
    for _ in range(8):
        x = RNG.integers(-4, 5, width)
        (expected,) = evaluator.run(None, {"x": x.astype(np.float32).reshape(shape)})
        outputs = evaluate_sample(subject.network, [mpq(int(v)) for v in x], found.values)
        assert outputs == [mpq(float(v)) for v in expected.reshape(-1)]
    return found


def weights(*shape: int) -> Any:
    return RNG.integers(-3, 4, shape).astype(np.float32)


def refused(proto: Any, subject: Instance, folder: Path, text: str) -> None:
    with pytest.raises(InputError) as caught:
        load(proto, subject, folder)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "c.onnx" in str(caught.value)


MLP = instance([dense(3, "relu"), dense(2)])


def mlp(constants: Constants | None = None, **gemm: Any) -> Any:
    nodes = [
        node("Gemm", "x A a", "h", transB=1, **gemm),
        node("Relu", "h", "r"),
        node("Gemm", "r B b", "y", transB=1),
    ]
    values = {"A": weights(3, 2), "a": weights(3), "B": weights(2, 3), "b": weights(2)}
    return model(nodes, values | (constants or {}))


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


# --- windows -------------------------------------------------------------------------------------


def conv_layer(
    sizes: Sequence[int],
    channels: tuple[int, int],
    kernel: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
    group: int,
) -> tuple[dict[str, Any], list[int]]:
    """A convolution written out as a layer that shares one parameter a kernel entry."""
    rank = len(sizes)
    outputs = [
        (sizes[a] + pads[a] + pads[rank + a] - dilations[a] * (kernel[a] - 1) - 1) // strides[a] + 1
        for a in range(rank)
    ]
    into, out = channels
    fan_in = into * int(np.prod(sizes))
    rows, masks, biases = [], [], []
    for m in range(out):
        for place in itertools.product(*map(range, outputs)):
            row: list[Any] = [None] * fan_in
            mask = [0] * fan_in
            for c in range(into // group):
                channel = m // (out // group) * (into // group) + c
                for tap in itertools.product(*map(range, kernel)):
                    at = [
                        place[a] * strides[a] + tap[a] * dilations[a] - pads[a] for a in range(rank)
                    ]
                    if all(0 <= at[a] < sizes[a] for a in range(rank)):
                        index = channel
                        for a in range(rank):
                            index = index * sizes[a] + at[a]
                        row[index] = {"param": f"k{m}.{c}.{tap}"}
                        mask[index] = 1
            rows.append(row)
            masks.append(mask)
            biases.append({"param": f"bias{m}"})
    layer = {"units": len(rows), "weights": rows, "mask": masks, "biases": biases}
    return layer, outputs


def pool_layer(
    sizes: Sequence[int],
    channels: int,
    kernel: Sequence[int],
    strides: Sequence[int],
    pads: Sequence[int],
    dilations: Sequence[int],
) -> dict[str, Any]:
    layer, _ = conv_layer(sizes, (channels, channels), kernel, strides, pads, dilations, channels)
    ones = [[1 if bit else None for bit in row] for row in layer["mask"]]
    return layer | {"weights": ones, "biases": [0] * layer["units"], "activation": "max"}


CONVOLUTIONS = [
    # sizes, channels, kernel, strides, pads, dilations, group
    ([5], (1, 2), [3], [1], [0, 0], [1], 1),
    ([6], (2, 2), [2], [2], [1, 0], [2], 1),
    ([4, 4], (1, 2), [2, 3], [1, 1], [0, 0, 0, 0], [1, 1], 1),
    ([4, 5], (2, 2), [3, 2], [2, 1], [1, 0, 1, 1], [1, 2], 1),
    ([3, 3], (4, 2), [2, 2], [1, 2], [0, 1, 0, 0], [1, 1], 2),
    ([3, 4], (2, 2), [1, 1], [3, 2], [2, 0, 2, 3], [1, 1], 2),
]


@pytest.mark.parametrize("case", CONVOLUTIONS, ids=str)
def test_convolutions_are_shared_masked_layers(case: Any, tmp_path: Path) -> None:
    sizes, channels, kernel, strides, pads, dilations, group = case
    layer, _ = conv_layer(*case)
    width = channels[0] * int(np.prod(sizes))
    subject = instance([layer | {"activation": "relu"}, dense(1)], inputs=width)
    nodes = [
        node(
            "Conv", "x K k", "h",
            kernel_shape=kernel, strides=strides, pads=pads, dilations=dilations, group=group,
        ),
        node("Relu", "h", "r"),
        node("Flatten", "r", "f"),
        node("Gemm", "f B b", "y"),
    ]  # fmt: skip
    full = weights(channels[1], channels[0] // group, *kernel)
    constants = {"K": full, "k": weights(channels[1]), "B": weights(layer["units"], 1)}
    constants["b"] = weights(1)
    # A kernel entry that only ever meets padding is no parameter of the network.
    proto = model(nodes, constants, ("N", channels[0], *sizes))
    found = agrees(proto, subject, tmp_path)
    for name, number in subject.network.named.items():
        if name.startswith("k"):
            m, c, tap = name[1:].split(".")
            at = tuple(int(t) for t in tap.strip("(),").split(",") if t.strip())
            assert found.values[number] == mpq(float(full[int(m), int(c), *at]))
    # The same bias as an operator of its own.
    constants["k"] = constants["k"].reshape(-1, *(1 for _ in sizes))
    nodes[0].input[:] = ["x", "K"]
    nodes[0].output[:] = ["h0"]
    nodes.insert(1, node("Add", "h0 k", "h"))
    assert load(model(nodes, constants, (1, channels[0], *sizes)), subject, tmp_path) == found


@pytest.mark.parametrize(
    "case",
    [
        ([6], 2, [2], [2], [0, 0], [1]),
        ([5], 1, [3], [1], [1, 1], [2]),
        ([4, 4], 2, [2, 2], [2, 2], [0, 0, 0, 0], [1, 1]),
        ([4, 3], 1, [2, 3], [1, 2], [1, 1, 0, 1], [2, 1]),
    ],
    ids=str,
)
def test_pools_are_max_layers(case: Any, tmp_path: Path) -> None:
    sizes, channels, kernel, strides, pads, dilations = case
    layer = pool_layer(*case)
    width = channels * int(np.prod(sizes))
    # All inputs are made negative, where a padding of 0 would show.
    shift = {
        "units": width,
        "activation": "identity",
        "weights": [[1 if j == k else None for k in range(width)] for j in range(width)],
        "mask": [[int(j == k) for k in range(width)] for j in range(width)],
        "biases": [-9] * width,
    }
    subject = instance([shift, layer, dense(1)], inputs=width)
    nodes = [
        node("Add", "x s", "i"),
        node(
            "MaxPool", "i", "h",
            kernel_shape=kernel, strides=strides, pads=pads, dilations=dilations,
        ),
        node("Flatten", "h", "f"),
        node("MatMul", "f B", "g"),
        node("Add", "g b", "y"),
    ]  # fmt: skip
    constants = {"s": np.float32(-9), "B": weights(layer["units"], 1), "b": weights(1)}
    proto = model(nodes, constants, ("N", channels, *sizes))
    agrees(proto, subject, tmp_path)
    # An edge more than the pool has, of weight 0, could be the maximum: another function.
    row = next(r for r in layer["mask"] if 0 in r)
    at = (layer["mask"].index(row), row.index(0))
    layer["mask"][at[0]][at[1]] = 1
    layer["weights"][at[0]][at[1]] = None
    more = instance([shift, layer, dense(1)], inputs=width)
    refused(proto, more, tmp_path, "does not read")


def test_a_network_of_convolution_and_pooling(tmp_path: Path) -> None:
    first, outputs = conv_layer([4, 4], (1, 2), [3, 3], [1, 1], [1, 1, 1, 1], [1, 1], 1)
    second = pool_layer(outputs, 2, [2, 2], [2, 2], [0] * 4, [1, 1])
    width = second["units"]
    ones = [[1 if j == k else None for k in range(width)] for j in range(width)]
    mask = [[int(j == k) for k in range(width)] for j in range(width)]
    relu = dense(width, "relu", weights=ones, mask=mask, bias=False)
    subject = instance([first | {"activation": "identity"}, second, relu, dense(2)], inputs=16)
    nodes = [
        node("Conv", "x K k", "c", pads=[1, 1, 1, 1]),
        node("MaxPool", "c", "p", kernel_shape=[2, 2], strides=[2, 2]),
        node("Relu", "p", "r"),
        node("Reshape", "r to", "f"),
        node("Gemm", "f B b", "y", transB=1),
    ]
    constants = {"K": weights(2, 1, 3, 3), "k": weights(2), "to": np.array([0, -1])}
    constants |= {"B": weights(2, width), "b": weights(2)}
    agrees(model(nodes, constants, ("N", 1, 4, 4)), subject, tmp_path)


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


# --- refusals ------------------------------------------------------------------------------------

GEMM = node("Gemm", "x A a", "h", transB=1)
DENSE = {"A": weights(3, 2), "a": weights(3)}
ONE_LAYER = instance([dense(3)])
HOSTILE = [
    ([GEMM, node("Softmax", "h", "y")], "operator Softmax (node 'n_y') is not one that the"),
    ([GEMM, node("LogSoftmax", "h", "y")], "operator LogSoftmax (node 'n_y')"),
    ([GEMM, node("Sigmoid", "h", "y")], "operator Sigmoid"),
    ([GEMM, node("ArgMax", "h", "y")], "operator ArgMax"),
    ([GEMM, node("Mul", "h a", "y")], "operator Mul"),
    ([GEMM, helper.make_node("Relu", ["h"], ["y"], domain="odd")], "odd.Relu (output 'y')"),
    ([GEMM, node("Relu", "h", "r"), node("Add", "h r", "y")], "joins two computed tensors"),
    ([GEMM, node("Relu", "h", "r"), node("Add", "x r", "y")], "joins two computed tensors"),
    ([GEMM, node("Relu", "h", "r"), node("MatMul", "r r", "y")], "joins two computed tensors"),
    ([node("Relu", "h", "r"), node("Gemm", "r A a", "h", transB=1)], "depends on 0 of its inputs"),
    ([node("Relu", "h", "r"), GEMM, node("Abs", "r", "y")], "nothing before it computes"),
    ([node("Relu", "q", "y")], "depends on 0 of its inputs"),
    ([GEMM, node("Relu", "nowhere", "z"), node("Add", "z x", "y")], "nothing before"),
    (
        [GEMM, node("Relu", "h", "r"), node("Abs", "h", "s"), node("Add", "r s", "y")],
        "Abs (node 'n_s'): it reads 'h' past other operators",
    ),
    ([GEMM, node("Relu", "h h", "y")], "2 operands"),
    ([node("Gemm", "x Q a", "y", transB=1)], "reads 'Q', which nothing before"),
    ([node("Gemm", "x", "y")], "1 operands"),
    ([node("Gemm", "x -", "y")], "an operand is missing"),
    ([node("Gemm", "A x", "y")], "its data must be its first operand"),
    ([node("Gemm", "x A a", "y")], "do not fit data of shape (1, 2)"),
    ([node("Gemm", "x a", "y")], "1 axes, 2 are needed"),
    ([node("Gemm", "x A a", "y", transA=1, transB=1)], "transA"),
    ([node("Gemm", "x A A", "y", transB=1)], "does not fit data of shape (1, 3)"),
    ([node("Gemm", "x A a", "y", transB=1, alpha=float("nan"))], "not a finite number"),
    ([node("Gemm", "x A a", "y", transB="1")], "not an integer"),
    ([node("Gemm", "x A a", "y", transB=1, extra=1)], "attribute 'extra' is not read"),
    ([GEMM, node("Sub", "a h", "y")], "first operand"),
    ([node("Add", "x -", "y")], "missing"),
    ([GEMM, GEMM], "there already"),
    ([GEMM, node("Relu", "h", "A")], "there already"),
    ([node("Add", "x h", "i"), node("Relu", "i", "h"), node("Abs", "h", "y")], "reads 'h'"),
    ([node("Add", "A A", "c"), node("Gemm", "x c a", "y")], "not computed with"),
    ([node("Identity", "A", "y")], "depends on 0 of its inputs"),
    ([GEMM, node("Transpose", "h", "t")], "reorders"),
    ([GEMM, node("Transpose", "h", "t", perm=[0, 0])], "not a permutation"),
    ([GEMM, node("Flatten", "h", "f", axis=2)], "into the batch"),
    ([GEMM, node("Flatten", "h", "f", axis=0)], "into the batch"),
    ([GEMM, node("Flatten", "h", "f", axis=10**12)], "into the batch"),
    ([GEMM, node("Reshape", "h two", "f")], "do not fit"),
    ([GEMM, node("Reshape", "h flat", "f")], "no batch axis"),
    ([GEMM, node("Reshape", "h a", "f")], "shape"),
    ([GEMM, node("Reshape", "h huge", "f")], "something else than sizes"),
    ([GEMM, node("Reshape", "h A", "f")], "short vector"),
    ([GEMM, node("Reshape", "h", "f")], "do not fit"),
    ([GEMM, node("Clip", "h a", "f")], "not one number"),
    ([GEMM, node("Clip", "h two one", "f")], "above"),
    ([GEMM, node("Clip", "h nan", "f")], "bound 'min' is nan"),
    ([GEMM, node("Clip", "h - minus", "f")], "bound 'max' is -inf"),
    ([GEMM, node("Clip", "h one", "f", min=1.0)], "twice"),
    ([GEMM, node("LeakyRelu", "h", "f", alpha=1)], "not a finite number"),
    ([GEMM, node("Dropout", "h one one", "f")], "training"),
    ([GEMM, node("Conv", "h A", "f")], "does not fit data"),
    ([GEMM, node("MaxPool", "h", "f", kernel_shape=[1])], "0 axes after the channels"),
    ([GEMM, node("MaxPool", "h", "f")], "missing"),
    ([node("Constant", "", "c"), node("Add", "x c", "y")], "one value"),
    ([node("Constant", "", "c", value_float="a"), node("Add", "x c", "y")], "no number"),
    ([node("Constant", "", "c", value=1.0), node("Add", "x c", "y")], "no tensor"),
]  # fmt: skip


@pytest.mark.parametrize(("nodes", "text"), HOSTILE, ids=lambda v: v if type(v) is str else "")
def test_graphs_that_are_no_chain_of_layers(nodes: Any, text: str, tmp_path: Path) -> None:
    constants = DENSE | {
        "one": np.float32(1),
        "two": np.array([2]),
        "flat": np.array([-1]),
        "huge": np.array([0, 2**40]),
        "nan": np.float32(np.nan),
        "minus": np.float32(-np.inf),
    }
    refused(model(nodes, constants), ONE_LAYER, tmp_path, text)


WINDOWS = [
    ({"auto_pad": "SAME_UPPER"}, "auto_pad 'SAME_UPPER'"),
    ({"auto_pad": "VALID", "pads": [1, 0, 0, 0]}, "contradicts"),
    ({"pads": [0, 0, -1, 0]}, "'pads' has the entry -1"),
    ({"pads": [0, 0]}, "'pads' has 2 entries"),
    ({"pads": [2**62] * 4}, "past the limit"),
    ({"strides": [0, 1]}, "'strides' has the entry 0"),
    ({"strides": [2**62, 1]}, "past the limit"),
    ({"dilations": [2**62, 1]}, "past the limit"),
    ({"dilations": [3, 1]}, "larger than axis 0"),
    ({"strides": [1]}, "'strides' has 1 entries"),
    ({"strides": 1}, "not a list of integers"),
    ({"kernel_shape": [2**62, 1]}, ""),
    ({"kernel_shape": [3, 2]}, ""),
    ({"pads": [1000] * 4}, "the network"),
    ({"pads": [10**7] * 4}, "the network"),
]


@pytest.mark.parametrize("operator", ["Conv", "MaxPool"])
@pytest.mark.parametrize(("attributes", "text"), WINDOWS, ids=str)
def test_windows_that_are_refused(
    operator: str, attributes: dict[str, Any], text: str, tmp_path: Path
) -> None:
    pool = pool_layer([3, 3], 1, [2, 2], [1, 1], [0] * 4, [1, 1])
    subject = instance([pool], inputs=9)
    operands = "x K" if operator == "Conv" else "x"
    nodes = [node(operator, operands, "y", **{"kernel_shape": [2, 2]} | attributes)]
    refused(model(nodes, {"K": weights(1, 1, 2, 2)}, ("N", 1, 3, 3)), subject, tmp_path, text)


def test_more_windows_that_are_refused(tmp_path: Path) -> None:
    layer = pool_layer([3, 3], 1, [2, 2], [1, 1], [0] * 4, [1, 1])
    subject = instance([layer], inputs=9)

    def pool(shape: Sequence[Any] = ("N", 1, 3, 3), **attributes: Any) -> Any:
        kernel = {"kernel_shape": [2, 2]} | attributes
        return model([node("MaxPool", "x", "y", **kernel)], {}, shape)

    agrees_with = load(pool(), subject, tmp_path)
    assert len(agrees_with.values) == 0
    refused(pool(ceil_mode=1), subject, tmp_path, "ceil_mode")
    refused(pool(("N", 9), kernel_shape=[2]), subject, tmp_path, "0 axes")
    refused(pool(("N", 1, 3, 3, 1)), subject, tmp_path, "3 axes")
    refused(pool(pads=[3, 0, 3, 0]), subject, tmp_path, "units of fan-in")
    alone = [[1] * 9] * 7 * 2
    wide = instance([layer | {"units": 14, "mask": alone, "weights": alone, "biases": [0] * 14}], 9)
    refused(pool(pads=[2, 0, 3, 0]), wide, tmp_path, "padding alone")
    two = model(
        [
            helper.make_node("MaxPool", ["x"], ["p", "i"], kernel_shape=[2, 2]),
            node("Relu", "i", "y"),
        ],
        {},
        ("N", 1, 3, 3),
    )
    refused(two, subject, tmp_path, "nothing before it computes")
    for group, kernel in (
        (0, (1, 1, 2, 2)),
        (2, (1, 1, 2, 2)),
        (1, (1, 2, 2, 2)),
        (1, (0, 1, 2, 2)),
    ):
        conv = model([node("Conv", "x K", "y", group=group)], {"K": weights(*kernel)}, (1, 1, 3, 3))
        refused(conv, instance([dense(4)], 9), tmp_path, "")
    for bias in ((2,), (1, 1), ()):
        conv = model(
            [node("Conv", "x K k", "y")],
            {"K": weights(1, 1, 2, 2), "k": weights(*bias)},
            (1, 1, 3, 3),
        )
        refused(conv, instance([dense(4)], 9), tmp_path, "bias of shape")


@pytest.mark.parametrize(
    ("layers", "text"),
    [
        ([dense(3, "relu"), dense(2), dense(2)], "the graph has 2 layers"),
        ([dense(2)], "the network has 1"),
        ([dense(4, "relu"), dense(2)], "layer 1: Gemm (node 'n_h'), Relu (node 'n_r') has 3 units"),
        ([dense(3, "abs"), dense(2)], "has the activation relu, the network abs"),
        ([dense(3, "step"), dense(2)], "the network step"),
        ([dense(3, "square"), dense(2)], "the network square"),
        ([dense(3, "max"), dense(2)], "is no maximum"),
        ([dense(3, "relu"), dense(2, "relu")], "has the activation identity, the network relu"),
        ([dense(3, "relu"), dense(2, **{"from": ["input", "input"]})], "units of fan-in"),
        ([dense(3, "relu", name="h"), dense(2, **{"from": ["h", "input"]})], "other layers"),
    ],
)  # fmt: skip
def test_networks_of_another_kind(layers: Layers, text: str, tmp_path: Path) -> None:
    if "from" in layers[-1] and layers[-1]["from"] == ["input", "input"]:
        text = "other layers"
    refused(mlp(), instance(layers), tmp_path, text)


def test_linear_operators_are_not_multiplied_out(tmp_path: Path) -> None:
    nodes = [GEMM, node("MatMul", "h B", "y")]
    proto = model(nodes, DENSE | {"B": weights(3, 1)})
    refused(proto, instance([dense(1)]), tmp_path, "which are not multiplied out")
    agrees(proto, instance([dense(3), dense(1)]), tmp_path)
    refused(proto, instance([dense(3, "relu"), dense(1)]), tmp_path, "in a row are separate layers")
    twice = model([GEMM, node("Add", "h a", "y")], DENSE)
    refused(twice, ONE_LAYER, tmp_path, "the graph has 2 layers")


def test_a_slope_is_the_float_that_it_is(tmp_path: Path) -> None:
    nodes = [GEMM, node("LeakyRelu", "h", "y")]
    near = {"name": "leaky_relu", "slope": "0.01"}
    text = "slope 5368709/536870912, the network leaky_relu with slope 1/100"
    refused(model(nodes, DENSE), instance([dense(3, near)]), tmp_path, text)
    same = {"name": "leaky_relu", "slope": "5368709/536870912"}
    load(model(nodes, DENSE), instance([dense(3, same)]), tmp_path)
    bounds = [GEMM, node("Clip", "h low", "y")]
    proto = model(bounds, DENSE | {"low": np.float32(0.5)})
    refused(proto, ONE_LAYER, tmp_path, "clip with low 1/2, the network identity")


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        (("N", 3), "3 entries, the network has 2"),
        ((64, 2), "batch size 64"),
        (("N", "M"), "without a size"),
        (("N", 0), "without a size"),
        (("N", -2), "without a size"),
        ((2,), "batch first"),
        ((), "batch first"),
        (None, "batch first"),
    ],
)
def test_inputs_that_do_not_fit(shape: Any, text: str, tmp_path: Path) -> None:
    refused(model([GEMM], DENSE, shape), ONE_LAYER, tmp_path, text)


def test_frames_that_do_not_fit(tmp_path: Path) -> None:
    two_outputs = model([GEMM], DENSE)
    two_outputs.graph.output.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, None))
    refused(two_outputs, ONE_LAYER, tmp_path, "2 outputs")
    two_inputs = model([GEMM, node("Add", "h z", "y")], DENSE)
    two_inputs.graph.input.append(helper.make_tensor_value_info("z", TensorProto.FLOAT, ("N", 3)))
    refused(two_inputs, ONE_LAYER, tmp_path, "depends on 2 of its inputs")
    repeated = model([GEMM], DENSE)
    repeated.graph.initializer.append(repeated.graph.initializer[0])
    refused(repeated, ONE_LAYER, tmp_path, "same name")
    untouched = model([GEMM], DENSE)
    untouched.graph.output[0].name = "x"
    refused(untouched, ONE_LAYER, tmp_path, "depends on 0")
    outside = model([GEMM], DENSE)
    outside.graph.initializer[0].data_location = TensorProto.EXTERNAL
    refused(outside, ONE_LAYER, tmp_path, "external file")
    for dims in ([10**9, 10**9], [-1, 2], [3, 3]):
        claims = model([GEMM], DENSE)
        del claims.graph.initializer[0].dims[:]
        claims.graph.initializer[0].dims.extend(dims)
        refused(claims, ONE_LAYER, tmp_path, "initializer" if dims[0] != 3 else "")
    twice = model([GEMM], DENSE)
    twice.graph.node[0].attribute.append(twice.graph.node[0].attribute[0])
    refused(twice, ONE_LAYER, tmp_path, "given twice")
    nameless = model([GEMM], DENSE)
    del nameless.graph.node[0].output[:]
    refused(nameless, ONE_LAYER, tmp_path, "depends on 0")


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


def test_the_limit_on_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ermbit_instances import limits

    small = limits.Limit("entries", 5, "numbers", "")
    monkeypatch.setattr(limits, "ENTRIES", small)
    with pytest.raises(LimitError, match="initializer 'A' is past the limit of 5"):
        load(mlp(), MLP, tmp_path)


@pytest.mark.parametrize("seed", range(60))
def test_damaged_models_are_refused_or_read(seed: int, tmp_path: Path) -> None:
    """Bytes changed at random: a certificate or a one-line reason, nothing else."""
    rng = random.Random(seed)
    nodes = [
        node("Conv", "x K k", "c", pads=[1, 1, 1, 1]),
        node("MaxPool", "c", "p", kernel_shape=[2, 2], strides=[2, 2]),
        node("Reshape", "p to", "f"),
        node("Gemm", "f B b", "y", transB=1, alpha=0.5),
        node("Clip", "y low", "z"),
    ]
    constants = {"K": weights(2, 1, 3, 3), "k": weights(2), "to": np.array([0, -1])}
    constants |= {"B": weights(2, 8), "b": weights(2), "low": np.float32(0)}
    data = bytearray(model(nodes, constants, ("N", 1, 4, 4)).SerializeToString())
    for _ in range(rng.choice([1, 1, 2, 5])):
        data[rng.randrange(len(data))] = rng.randrange(256)
    first, outputs = conv_layer([4, 4], (1, 2), [3, 3], [1, 1], [1] * 4, [1, 1], 1)
    second = pool_layer(outputs, 2, [2, 2], [2, 2], [0] * 4, [1, 1])
    layers = [first | {"activation": "identity"}, second, dense(2, "relu")]
    subject = instance(layers, inputs=16)
    path = tmp_path / "c.onnx"
    path.write_bytes(bytes(data))
    try:
        found = load_certificate(path, subject)
    except InputError as error:
        message = str(error)
    else:
        message = ""
        assert len(found.values) == subject.network.parameter_count
    assert "\n" not in message


def test_a_model_of_the_onnx_package_is_well_formed() -> None:
    proto = mlp()
    value = helper.make_tensor_value_info("y", TensorProto.FLOAT, ("N", 2))
    proto.graph.output[0].CopyFrom(value)
    onnx.checker.check_model(proto)
