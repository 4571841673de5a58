"""Windows in ONNX graphs: convolutions and pools as shared, masked layers, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gmpy2 import mpq
from onnx import helper

from onnx_models import (
    agrees,
    conv_layer,
    dense,
    instance,
    load,
    model,
    node,
    pool_layer,
    refused,
    weights,
)

# --- what is read --------------------------------------------------------------------------------

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


# --- refusals ------------------------------------------------------------------------------------

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
