"""Small ONNX models and the instances they are certificates of, loaded, run or refused."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gmpy2 import mpq
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from ermbit.verifier.evaluation.evaluate import evaluate_sample
from ermbit_instances.certificate import Certificate, load_certificate
from ermbit_instances.errors import InputError
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


GEMM = node("Gemm", "x A a", "h", transB=1)
DENSE = {"A": weights(3, 2), "a": weights(3)}
ONE_LAYER = instance([dense(3)])


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
