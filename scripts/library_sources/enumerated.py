"""Small instances over every activation, domain and loss whose least loss is found by enumeration.

Each gives a tight pair: threshold equal to the least loss (sat, with the first minimiser as its
certificate) and a trifle below it (unsat). The enumeration is that of ``tests/reference.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import reference
from library_sources.entry import (
    NO_BIAS,
    Document,
    Entry,
    dense,
    entry,
    finite,
    floats,
    integers,
    loss_document,
    neuron,
    rational,
    samples,
    written,
)

Case = tuple[str, Document, Document, Document, str | Document]

_TRIFLE = Fraction(1, 10**9)


def entries() -> Iterator[Entry]:
    """The tight pairs of all cases (only the sat half where the least loss is 0)."""
    for case in (*_piecewise(), *_jumps(), *_polynomials(), *_classifiers(), *_float_formats()):
        yield from _pair(*case)


def _pair(
    name: str, network: Document, weights: Document, data: Document, loss: str | Document
) -> Iterator[Entry]:
    document = {"network": network, "weights": weights, "data": data, "loss": loss_document(loss)}
    count = reference.assignment_count(document)
    least, theta = reference.minimum(document)
    how = f"full enumeration of {count} parameter vectors"
    certificate = {key: written(value) for key, value in theta.items()}
    yield entry(
        f"{name}-least", network, weights, data, loss, written(least), family="enumerated",
        how=how, minimum=written(least), certificate=certificate,
    )  # fmt: skip
    if least > 0:
        yield entry(
            f"{name}-below", network, weights, data, loss, written(least - _TRIFLE),
            family="enumerated", how=how, minimum=written(least),
        )  # fmt: skip


def _piecewise() -> Iterator[Case]:
    wave = samples(([-2], [1]), ([-1], [0]), ([0], [2]), ([1], [0]), ([3], [1]))
    yield ("relu-2-wave", dense(1, (2, "relu"), (1, "identity")), integers(-1, 2), wave, "absolute")
    yield (
        "leaky-plane", dense(2, (1, {"name": "leaky_relu", "slope": "1/10"})),
        {"domain": "fixed_point", "bits": 4, "fraction_bits": 2},
        samples(([1, 0], [1]), ([0, 1], ["-1/5"]), ([-2, 1], ["-1/2"]), ([1, 1], ["1/3"])),
        "squared sum",
    )  # fmt: skip
    yield (
        "abs-ternary", dense(2, (2, "abs"), (1, "identity", NO_BIAS)), finite(-1, 0, 1),
        samples(([1, 2], [3]), ([2, -1], [1]), ([0, 3], [2]), ([-2, 2], [4])), "absolute max",
    )  # fmt: skip
    yield (
        "clip-quarters",
        dense(1, (1, {"name": "clip", "low": "-1/2", "high": 1}), (1, "identity")),
        {"domain": "integer", "low": -4, "high": 4, "denominator": 4},
        samples(([-3], ["-3/4"]), ([0], ["1/4"]), ([2], ["2/3"]), ([5], [1])), "squared max",
    )  # fmt: skip
    hat = {
        "name": "piecewise_linear",
        "breakpoints": [-1, 0, 1], "slopes": [0, 1, -1, 0], "intercepts": [0, 1, 1, 0],
    }  # fmt: skip
    yield (
        "hat-rational", dense(1, (1, hat), (1, "identity", NO_BIAS)), rational(2),
        samples(([0], ["1/2"]), ([1], ["3/2"]), ([2], [0]), ([-1], ["-1/4"])), "absolute sum",
    )  # fmt: skip
    saw = {
        "name": "piecewise_linear",
        "breakpoints": [0, 1], "slopes": [1, 1, 1], "intercepts": [1, 0, -1],
    }  # fmt: skip
    yield (
        "sawtooth-jumps", dense(2, (1, saw)),
        {"domain": "fixed_point", "bits": 3, "fraction_bits": 1, "signed": False},
        samples(([1, 0], [0]), ([0, 1], ["1/2"]), ([1, 1], ["1/4"]), ([2, -1], [1])), "squared",
    )  # fmt: skip
    yield (
        "maxout-two-pieces",
        dense(1, (2, "identity"), (1, "max", {"weights": [[1, 1]], "bias": False})),
        finite(-2, -1, "-1/2", 0, "1/2", 1, 2),
        samples(([-2], [3]), ([-1], [1]), ([0], [0]), ([1], [1]), ([2], [2])), "absolute",
    )  # fmt: skip
    yield (
        "max-weighted-inputs", dense(3, (1, "max")), integers(-3, 3),
        samples(([1, 2, 3], [4]), ([3, 1, -1], [1]), ([-1, 0, 2], [0]), ([2, 2, 0], [3])),
        "absolute sum",
    )  # fmt: skip


def _jumps() -> Iterator[Case]:
    yield (
        "step-votes", dense(2, (1, "step"), (1, "step")), finite(-1, "-1/2", 0, "1/2", 1),
        {"x": [[0, 1], [1, 0], [1, 1], [0, 0], [2, 1]], "y": [[1], [0], [0], [1], [1]],
         "sample_weights": [1, "1/2", 2, 1, "1/3"]},
        "absolute",
    )  # fmt: skip
    yield (
        "sign-bipolar", dense(3, (2, "sign"), (1, "sign")), finite(-1, 1),
        samples(([1, 1, 1], [1]), ([1, -1, 1], [-1]), ([-1, -1, 1], [1]), ([-1, 1, -1], [-1]),
                ([1, 1, -1], [-1]), ([-1, -1, -1], [1])),
        "zero_one",
    )  # fmt: skip
    yield (
        "step-bitmap", dense(1, (2, "step"), (1, "identity")), integers(-2, 1),
        samples(([-1], [1]), ([0], [-1]), ([1], [0]), ([2], [1])), "squared sum",
    )  # fmt: skip


def _polynomials() -> Iterator[Case]:
    cubic = {"name": "polynomial", "coefficients": [0, "1/2", 0, -1]}
    yield (
        "cubic-rational", dense(1, (1, cubic)), rational(3),
        samples(([1], ["1/3"]), ([2], [-1]), ([-1], [0])), "squared max",
    )  # fmt: skip
    yield (
        "square-2", dense(1, (2, "square", NO_BIAS), (1, "identity")), integers(-3, 3),
        samples(([0], [1]), ([1], [2]), ([2], [7]), ([3], [10])), "absolute max",
    )  # fmt: skip
    quadratic = {"name": "polynomial", "coefficients": [1, -1, "1/4"]}
    deep = {"inputs": 1, "neurons": [
        neuron("p", quadratic, {"x0": None}, None),
        neuron("q", "square", {"p": {"param": "w"}, "x0": {"param": "w", "scale": "-1/2"}}),
        neuron("f", "identity", {"q": 1, "p": {"param": "w"}}, None),
    ], "outputs": ["f"]}  # fmt: skip
    yield (
        "quadratic-shared", deep, {"domain": "integer", "low": -4, "high": 4, "denominator": 2},
        samples(([0], [1]), ([1], ["1/2"]), ([2], [3])), "squared",
    )  # fmt: skip


def _classifiers() -> Iterator[Case]:
    three = samples(([-2], [0]), ([-1], [1]), ([0], [1]), ([1], [2]), ([2], [0]), ([3], [2]))
    yield "three-class-hinge", dense(1, (3, "identity")), finite(-1, 0, 1), three, "hinge"
    yield (
        "three-class-margin", dense(1, (3, "identity")), integers(-1, 1), three,
        {"name": "zero_one", "reduction": "sum", "margin": 2},
    )  # fmt: skip
    yield (
        "three-class-ties", dense(1, (1, "relu"), (3, "identity", NO_BIAS)), integers(-2, 2),
        three, "zero_one",
    )  # fmt: skip
    square = [[0, 0], [0, 2], [2, 0], [2, 2], [1, 1], [1, 1]]
    yield (
        "margin-half", dense(2, (1, "identity")),
        {"domain": "fixed_point", "bits": 4, "fraction_bits": 1},
        {"x": square, "y": [[-1], [1], [1], [-1], [1], [-1]]},
        {"name": "zero_one", "reduction": "mean", "margin": "1/2"},
    )  # fmt: skip
    yield (
        "hinge-weighted-max", dense(2, (1, "relu"), (1, "identity")), integers(-2, 1),
        {"x": square[:5], "y": [[-1], [1], [1], [-1], [1]],
         "sample_weights": [1, "3/2", 1, "1/4", 0]},
        {"name": "hinge", "reduction": "max"},
    )  # fmt: skip


def _float_formats() -> Iterator[Case]:
    bias = {"biases": finite(-1, 0, 1)}
    third = samples(([1], ["1/3"]), ([-2], ["5/3"]), ([300], [100]))
    for name in ("fp8_e4m3", "fp8_e5m2"):
        yield (
            f"{name.replace('_', '-')}-weight", dense(1, (1, "relu")), {**floats(name), **bias},
            third, "absolute",
        )  # fmt: skip
    slope = dense(1, (1, "identity", NO_BIAS))
    for name in ("float16", "bfloat16"):
        yield (
            f"{name}-slope", slope, floats(name), samples(([3], [1]), (["1/7"], ["1/9"])),
            "squared",
        )  # fmt: skip
