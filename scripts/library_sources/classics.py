"""Hand-written classics: exclusive or, parity, and networks that show one feature of the format."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, product

from library_sources.entry import (
    NO_BIAS,
    REAL,
    Document,
    Entry,
    dense,
    entry,
    finite,
    floats,
    integers,
    neuron,
    rational,
    samples,
)

XOR = {"x": [[0, 0], [0, 1], [1, 0], [1, 1]], "y": [[0], [1], [1], [0]]}
XOR_SIGNS = {"x": XOR["x"], "y": [[-1], [1], [1], [-1]]}
MONOTONE = (
    "proof: one unit with a monotone activation is monotone in t = w.x + b, so t(01) and t(10) "
    "would both exceed t(00) and t(11), but t(01) + t(10) = t(00) + t(11)"
)


def entries() -> Iterator[Entry]:
    """All classics."""
    yield from _exclusive_or()
    yield from _parity()
    yield from _architectures()
    yield from _frozen()


def _exclusive_or() -> Iterator[Entry]:
    def one(units: int, activation: object) -> Document:
        return dense(2, (units, activation), (1, "identity"))

    for word, domain in (("int2", integers(-2, 2)), ("real", REAL), ("fp8", floats("fp8_e5m2"))):
        yield entry(
            f"xor-1-relu-{word}", one(1, "relu"), domain, XOR, "absolute", 0,
            family="classic", how=MONOTONE,
        )  # fmt: skip
    yield entry(
        "xor-2-relu", one(2, "relu"), integers(-2, 2), XOR, "absolute", 0,
        family="classic", how="relu(s) - 2 relu(s-1) with s = x0 + x1", minimum=0,
        certificate={"W1": [[1, 1], [1, 1]], "b1": [0, -1], "W2": [[1, -2]], "b2": [0]},
    )  # fmt: skip
    yield entry(
        "xor-1-relu-skip",
        {
            "inputs": 2,
            "layers": [
                {"name": "hidden", "units": 1, "activation": "relu"},
                {"units": 1, "activation": "identity", "from": ["input", "hidden"]},
            ],
        },
        integers(-2, 2), XOR, "absolute", 0,
        family="classic", how="x0 + x1 - 2 relu(x0 + x1 - 1)", minimum=0,
        certificate={"W1": [[1, 1]], "b1": [-1], "W2": [[1, 1, -2]], "b2": [0]},
    )  # fmt: skip
    yield entry(
        "xor-1-abs", one(1, "abs"), rational(1), XOR, "squared max", 0,
        family="classic", how="1 - abs(x0 + x1 - 1)", minimum=0,
        certificate={"W1": [[1, 1]], "b1": [-1], "W2": [[-1]], "b2": [1]},
    )  # fmt: skip
    yield entry(
        "xor-1-square", one(1, "square"), finite(-1, 0, 1), XOR, "absolute sum", 0,
        family="classic", how="(x0 - x1)^2", minimum=0,
        certificate={"W1": [[1, -1]], "b1": [0], "W2": [[1]], "b2": [0]},
    )  # fmt: skip
    yield entry(
        "xor-2-sign", one(2, "sign"),
        {"domain": "fixed_point", "bits": 4, "fraction_bits": 1}, XOR_SIGNS,
        {"name": "zero_one", "reduction": "sum", "margin": 1}, 0,
        family="classic", how="sign(s - 1) - sign(s - 2) - 1 with s = x0 + x1", minimum=0,
        certificate={"W1": [[1, 1], [1, 1]], "b1": [-1, -2], "W2": [[1, -1]], "b2": [-1]},
    )  # fmt: skip
    linear = dense(2, (1, "identity"))
    yield entry(
        "xor-linear-hinge-1", linear, REAL, XOR_SIGNS, "hinge", 1,
        family="classic", minimum=1,
        how="proof: the sum over samples of y f is 0, so the mean hinge loss is at least 1; f = 0",
        certificate={"W1": [[0, 0]], "b1": [0]},
    )  # fmt: skip
    yield entry(
        "xor-linear-hinge-below-1", linear, REAL, XOR_SIGNS, "hinge", "999999999999/1000000000000",
        family="classic", minimum=1,
        how="proof: the sum over samples of y f is 0, so the mean hinge loss is at least 1",
    )  # fmt: skip


def _parity() -> Iterator[Entry]:
    cube = [list(bits) for bits in product((0, 1), repeat=3)]
    data = {"x": cube, "y": [[sum(bits) % 2] for bits in cube]}
    network = dense(3, (2, "relu"), (1, "identity"))
    assert not _two_relus_fit(cube, [row[0] for row in data["y"]], range(-2, 3))
    yield entry(
        "parity3-2-relu", network, integers(-2, 2), data, "absolute", 0, family="classic",
        how="full enumeration: all pairs of the 625 hidden units times all 125 output layers",
    )  # fmt: skip
    yield entry(
        "parity3-3-relu", dense(3, (3, "relu"), (1, "identity")), integers(-3, 3), data,
        "absolute", 0, family="classic", minimum=0,
        how="relu(s) - 2 relu(s-1) + 2 relu(s-2) with s = x0 + x1 + x2",
        certificate={"W1": [[1, 1, 1]] * 3, "b1": [0, -1, -2], "W2": [[1, -2, 2]], "b2": [0]},
    )  # fmt: skip
    square = [list(bits) for bits in product((0, 1), repeat=4)]
    pairs = {"mask": [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]}
    joins = {"mask": [[1, 1, 0, 0], [0, 0, 1, 1]]}
    yield entry(
        "parity4-tree",
        dense(4, (4, "relu", pairs), (2, "identity", joins), (2, "relu"), (1, "identity")),
        integers(-2, 2), {"x": square, "y": [[sum(bits) % 2] for bits in square]},
        "absolute", 0, family="classic", minimum=0,
        how="masked layers: the exclusive or of two exclusive ors, each with two ReLUs",
        certificate={
            "W1": [[1, 1, None, None]] * 2 + [[None, None, 1, 1]] * 2, "b1": [0, -1, 0, -1],
            "W2": [[1, -2, None, None], [None, None, 1, -2]], "b2": [0, 0],
            "W3": [[1, 1], [1, 1]], "b3": [0, -1], "W4": [[1, -2]], "b4": [0],
        },
    )  # fmt: skip


def _two_relus_fit(x: list[list[int]], y: list[int], values: range) -> bool:
    """Whether v1 relu(..) + v2 relu(..) + c = y for some parameters out of ``values``.

    Complete: c + v1 h1 = y - v2 h2 is looked up for all hidden behaviours h1, h2 and all v1, v2, c.
    """
    behaviours = {
        tuple(max(0, sum(w * v for w, v in zip(row, p, strict=False)) + row[-1]) for p in x)
        for row in product(values, repeat=len(x[0]) + 1)
    }
    left = {tuple(c + v * h for h in b) for b, v, c in product(behaviours, values, values)}
    return any(
        tuple(t - v * h for t, h in zip(y, b, strict=True)) in left
        for b, v in product(behaviours, values)
    )


def _architectures() -> Iterator[Entry]:
    strips = ([0, 0, 1, 1, 0], [1, 0, 1, 0, 1], [0, 1, 1, 1, 1], [1, 1, 1, 1, 1], [0, 1, 0, 0, 1])
    kernel = [{"param": "left"}, {"param": "right"}]
    rows = [[0] * j + kernel + [0] * (3 - j) for j in range(4)]
    shared = {"weights": rows, "biases": [{"param": "offset"}] * 4}
    rising = [[sum(a < b for a, b in pairwise(s))] for s in strips]
    yield entry(
        "conv-rising-edges",
        dense(5, (4, "relu", shared), (1, "identity", {"weights": [[1] * 4], "bias": False})),
        integers(-3, 3), {"x": [list(s) for s in strips], "y": rising}, "absolute", 0,
        family="classic", minimum=0, how="a shared kernel: sum of relu(right - left)",
        certificate={"left": -1, "right": 1, "offset": 0},
    )  # fmt: skip
    yield entry(
        "maxout-abs",
        dense(1, (2, "identity", NO_BIAS), (1, "max", {"weights": [[1, 1]], "bias": False})),
        rational(1), samples(([-2], [2]), ([1], [1]), ([3], [3]), ([0], [0])), "absolute", 0,
        family="classic", minimum=0, how="abs(x) = max(x, -x)",
        certificate={"W1": [[1], [-1]]},
    )  # fmt: skip
    pool = {"weights": [[1, 1, 1]], "bias": False}
    window = {
        "weights": [[{"param": "u"}, {"param": "v"}, 0, 0], [0, {"param": "u"}, {"param": "v"}, 0],
                    [0, 0, {"param": "u"}, {"param": "v"}]],
        "bias": False,
    }  # fmt: skip
    signals = ([1, 2, 0, -1], [0, 0, 3, 1], [-2, 1, 1, 4], [5, -1, 0, 0])
    pooled = [[f"{max(3 * b - a for a, b in pairwise(s))}/2"] for s in signals]
    yield entry(
        "conv-max-pool", dense(4, (3, "identity", window), (1, "max", pool)), floats("fp8_e4m3"),
        {"x": [list(s) for s in signals], "y": pooled}, "absolute max", 0,
        family="classic", minimum=0, how="planted kernel (-1/2, 3/2), maximum over three windows",
        certificate={"u": "-1/2", "v": "3/2"},
    )  # fmt: skip
    yield entry(
        "overrides",
        {
            "inputs": 1,
            "layers": [
                {"name": "hidden", "units": 2, "activation": "relu", "bias": False},
                {"units": 1, "activation": "identity"},
            ],
        },
        {**integers(-3, 3), "biases": finite("-1/2", 0, "1/2"),
         "parameters": {"hidden": finite(-1, 1), "b2[0]": rational(2)}},
        samples(([-2], ["7/3"]), ([0], ["1/3"]), ([3], ["10/3"])), "absolute", 0,
        family="classic", minimum=0,
        how="abs(x) + 1/3; the hidden layer is binary and b2[0] a small fraction",
        certificate={"W1": [[1], [-1]], "W2": [[1, 1]], "b2": ["1/3"]},
    )  # fmt: skip
    chain = {
        "inputs": 1,
        "neurons": [
            neuron("a", "identity", {"x0": {"param": "p"}}),
            neuron("b", "identity", {"a": {"param": "q"}}),
        ],
        "outputs": ["a", "b"],
    }
    attain = samples(([1], [0, 1]))
    yield entry(
        "infimum-not-attained", chain, REAL, attain, "absolute sum", 0, family="classic",
        how="proof: p = 0 makes the second output 0; the infimum 0 is approached by p, 1/p",
    )  # fmt: skip
    yield entry(
        "infimum-approached", chain, REAL, attain, "absolute sum", "1/1000", family="classic",
        how="p = 1/1000, q = 1000; the infimum 0 is not attained",
        certificate={"p": "1/1000", "q": 1000},
    )  # fmt: skip


def _frozen() -> Iterator[Entry]:
    frozen = dense(
        2,
        (2, "relu", {"weights": [[1, 1], [1, 1]], "biases": [0, -1]}),
        (1, "identity", {"weights": [[1, -2]], "bias": False}),
    )
    yield entry(
        "frozen-xor", frozen, {"domain": "real"}, XOR, "absolute", 0,
        family="classic", how="no free parameter: evaluation", minimum=0, certificate={},
    )  # fmt: skip
    tower = dense(1, *[(1, "square", {"weights": [[1]], "bias": False})] * 4)
    data = samples((["3/2"], [656]))
    for word, threshold, certificate in (("above", "421/500", {}), ("below", "21/25", None)):
        yield entry(
            f"frozen-tower-{word}", tower, REAL, data, "absolute", threshold,
            family="classic", minimum="55105/65536",
            how="no free parameter: (3/2)^16 - 656 = 55105/65536 = 0.8408...",
            certificate=certificate,
        )  # fmt: skip
    yield entry(
        "negative-threshold", dense(1, (1, "relu")), integers(-1, 1), samples(([1], [1])),
        "absolute", "-1/1000000", family="classic", minimum=0,
        how="proof: a loss is never negative",
    )  # fmt: skip
