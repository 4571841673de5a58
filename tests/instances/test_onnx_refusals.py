"""ONNX graphs that are refused, in one line: no chain of layers, another network, damaged files."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from ermbit_instances.certificate import load_certificate
from ermbit_instances.errors import InputError, LimitError
from onnx_models import (
    DENSE,
    GEMM,
    MLP,
    ONE_LAYER,
    Layers,
    agrees,
    conv_layer,
    dense,
    instance,
    load,
    mlp,
    model,
    node,
    pool_layer,
    refused,
    weights,
)

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
