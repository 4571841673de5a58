"""Instances over the reals: irrational optima, square roots, and closed-form least losses."""

from __future__ import annotations

from collections.abc import Iterator

from library_sources.entry import (
    NO_BIAS,
    REAL,
    Document,
    Entry,
    dense,
    entry,
    floats,
    neuron,
    rational,
    root,
    samples,
)


def entries() -> Iterator[Entry]:
    """All of them."""
    yield from _square_root_of_two()
    yield from _golden_ratio()
    yield from _linear_fits()
    yield from _bits()


def _square_root_of_two() -> Iterator[Entry]:
    square = dense(1, (1, "square", NO_BIAS))
    two = samples(([1], [2]))
    how = "proof: w^2 = 2"
    yield entry(
        "sqrt2-real", square, REAL, two, "absolute", 0, family="irrational", how=how, minimum=0,
        certificate={"W1": [[root((-2, 0, 1), 1, 2)]]},
    )  # fmt: skip
    yield entry(
        "sqrt2-rational4", square, rational(4), two, "absolute", 0, family="irrational",
        how=how + " has no rational solution",
    )  # fmt: skip
    frozen = {"weights": [[1]], "bias": False}
    yield entry(
        "sqrt2-tower", dense(1, (1, "square", NO_BIAS), (1, "square", frozen)), REAL, two,
        "squared", 0, family="irrational", how="proof: w^4 = 2", minimum=0,
        certificate={"W1": [[root((-2, 0, 0, 0, 1), 1, 2)]]},
    )  # fmt: skip
    shared = {
        "inputs": 1,
        "neurons": [
            neuron("h", "relu", {"x0": {"param": "w"}}),
            neuron("f", "identity", {"h": {"param": "w"}}),
        ],
        "outputs": ["f"],
    }
    yield entry(
        "sqrt2-shared-relu", shared, REAL, two, "absolute", 0, family="irrational",
        how="proof: w relu(w) = 2 iff w is the positive square root of 2", minimum=0,
        certificate={"w": root((-2, 0, 1), 1, 2)},
    )  # fmt: skip
    yield entry(
        "sqrt2-shared-relu-float16", shared, floats("float16"), two, "absolute", 0,
        family="irrational", how="proof: w^2 = 2 has no rational solution",
    )  # fmt: skip


def _golden_ratio() -> Iterator[Entry]:
    network = {
        "inputs": 2,
        "neurons": [
            neuron("t", "identity", {"x0": {"param": "a"}, "x1": 1}),
            neuron("r", "relu", {"t": -1}),
            neuron("f", "identity", {"t": {"param": "b"}, "r": 1}),
        ],
        "outputs": ["f"],
    }
    data = samples(([1, 0], [1]), ([-1, 1], [-1]))
    how = "proof by cases: the only real solution is a = b = (1 - sqrt 5)/2"
    yield entry(
        "golden-ratio-rational3", network, rational(3), data, "absolute sum", 0,
        family="irrational", how=how,
    )  # fmt: skip


def _linear_fits() -> Iterator[Entry]:
    tent = samples(([0], [0]), ([1], [1]), ([2], [0]))
    line = dense(1, (1, "identity"))
    for name, loss, least, below, theta, how in (
        ("chebyshev", "absolute max", "1/2", "499999/1000000", {"W1": [[0]], "b1": ["1/2"]},
         "proof: y0 - 2 y1 + y2 = -2 and is 0 on lines, so 4 max >= 2"),
        ("least-squares", "squared sum", "2/3", "666666666666/1000000000000",
         {"W1": [[0]], "b1": ["1/3"]}, "proof: the normal equations give the line 1/3"),
        ("least-deviation", "absolute mean", "1/3", "333333333333/1000000000000",
         {"W1": [[0]], "b1": [0]},
         "proof: abs(r0) + 2 abs(r1) + abs(r2) >= 2 for the residuals r, so their sum is >= 1"),
    ):  # fmt: skip
        yield entry(
            f"tent-{name}", line, REAL, tent, loss, least, family="linear", how=how, minimum=least,
            certificate=theta,
        )  # fmt: skip
        yield entry(
            f"tent-{name}-below", line, REAL, tent, loss, below, family="linear", how=how,
            minimum=least,
        )  # fmt: skip
    weighted = {"x": [[1], [1], [2]], "y": [[0], [1], [0]], "sample_weights": [2, 1, 0]}
    slope = dense(1, (1, "identity", NO_BIAS))
    how = "proof: w = 0 costs 1 of the total weight 3, and 2 abs(w) + abs(w - 1) >= 1"
    ends: tuple[tuple[str, str, Document | None], ...] = (
        ("", "1/3", {"W1": [[0]]}),
        ("-below", "1/4", None),
    )
    for name, threshold, slopes in ends:
        yield entry(
            f"weighted-contradiction{name}", slope, REAL, weighted, "absolute", threshold,
            family="linear", how=how, minimum="1/3", certificate=slopes,
        )  # fmt: skip
    votes = {"x": [[1]] * 3, "y": [[1], [1], [-1]]}
    counts: tuple[tuple[int, Document | None], ...] = ((1, {"W1": [[1]]}), (0, None))
    for count, slopes in counts:
        yield entry(
            f"contradicting-votes-{count}", slope, REAL, votes, "zero_one sum", count,
            family="linear", how="proof: both labels occur at the same input", minimum=1,
            certificate=slopes,
        )  # fmt: skip


def _bits() -> Iterator[Entry]:
    permanent = {
        "inputs": 1,
        "neurons": [
            neuron("y2", "square", {"x0": 1}),
            neuron("s", "square", {"x0": 2, "y2": 1}),
            neuron("d", "square", {"y2": 1}),
            neuron("P", "identity", {"s": "1/4", "d": "-1/4"}),
            neuron("f", "identity", {"P": {"param": "w"}}),
        ],
        "outputs": ["f"],
    }
    yield entry(
        "permanent-2x2", permanent, {"domain": "integer", "low": -1, "high": 1},
        samples(([8], ["-1/2"])), "squared sum", "1/4", family="permanent", minimum="1/4",
        how="w = 0 has loss 1/4; the derivative there is 576, its bits 9..11 the permanent",
        certificate={"w": 0},
    )  # fmt: skip
    slope = dense(1, (1, "identity", NO_BIAS))
    tenth = samples(([10], [1]))
    how = "proof: 13421773/2^27 is the float32 nearest to 1/10, which is no dyadic rational"
    least = "1/67108864"
    yield entry(
        "tenth-float32", slope, floats("float32"), tenth, "absolute", 0, family="linear", how=how,
        minimum=least,
    )  # fmt: skip
    yield entry(
        "tenth-float32-nearest", slope, floats("float32"), tenth, "absolute", least,
        family="linear", how=how, minimum=least, certificate={"W1": [["13421773/134217728"]]},
    )  # fmt: skip
