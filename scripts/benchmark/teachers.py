"""Planted instances: the labels are the outputs of a random network of the same kind."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

from benchmark.case import Case, document, integers


def activate(activation: Any, t: int) -> int:
    """φ(t) for the activations that teachers here may have."""
    if activation == "relu":
        return max(t, 0)
    if activation == "abs":
        return abs(t)
    if activation == "step":
        return int(t >= 0)
    if activation == "sign":
        return 1 if t >= 0 else -1
    if activation == "square":
        return t * t
    if activation == "identity":
        return t
    raise ValueError(f"no teacher with {activation!r}")


def respond(layers: Sequence[tuple[Any, list[list[int]], list[int]]], x: Sequence[int]) -> int:
    """The output of a network: layers of (activation, weights, biases)."""
    values = list(x)
    for activation, weights, biases in layers:
        values = [
            activate(activation, sum(w * v for w, v in zip(row, values, strict=True)) + b)
            for row, b in zip(weights, biases, strict=True)
        ]
    return values[0]


def teacher(
    rng: random.Random, inputs: int, hidden: Sequence[int], weight: int, activation: Any
) -> list[tuple[Any, list[list[int]], list[int]]]:
    """A random network with integer weights and biases in −weight..weight."""
    layers, before = [], inputs
    for units, kind in [*((k, activation) for k in hidden), (1, "identity")]:
        rows = [[rng.randint(-weight, weight) for _ in range(before)] for _ in range(units)]
        layers.append((kind, rows, [rng.randint(-weight, weight) for _ in range(units)]))
        before = units
    return layers


def planted(
    inputs: int,
    hidden: Sequence[int],
    weight: int,
    count: int,
    *,
    activation: Any = "relu",
    seed: int = 0,
    off: int = 0,
    domain: dict[str, Any] | None = None,
    loss: str = "absolute",
) -> Case:
    """Exact interpolation of a teacher's labels; ``off`` is added to one of them.

    A teacher whose labels take fewer than three values is drawn again. ``zero_one`` labels are the
    signs of the teacher's outputs (0 counts as negative, by 2f − 1).
    """
    shape = "-".join(map(str, hidden))
    rng = random.Random(f"planted {inputs} {shape} {weight} {count} {activation} {seed}")
    x: list[list[int]] = []
    y: list[int] = []
    while len(set(y)) < 3:
        layers = teacher(rng, inputs, hidden, weight, activation)
        x = [[rng.randint(-8, 8) for _ in range(inputs)] for _ in range(count)]
        y = [respond(layers, row) for row in x]
    y[count // 2] += off
    space = domain or integers(weight)
    size = f"W{weight}" if domain is None else domain["domain"]
    name = f"planted_{activation}_d{inputs}_h{shape}_{size}_N{count}_s{seed}"
    family = "planted" if not off else "planted, one label off"
    if domain is not None:
        family += f", {domain['domain']}"
    return Case(
        name + ("_off" if off else ""),
        family,
        "realizable",
        "solve",
        document(x, y, hidden, space, activation=activation, loss=loss),
        "" if off else "sat",
    )


SMALL = ((1, (2,), 3, 20), (2, (2,), 3, 20), (3, (2,), 3, 30), (2, (3,), 3, 30), (3, (3,), 3, 40))
LARGE = ((4, (3,), 7, 40), (6, (4,), 3, 60), (8, (4,), 3, 80))
DEEP = ((2, (2, 2), 3, 20), (2, (2, 2, 2), 2, 20))


def planted_set() -> Iterator[Case]:
    """Teachers from small to large, each exact and with one label changed by 1."""
    for shape in (*SMALL, *LARGE, *DEEP):
        for seed in range(2):
            for off in (0, 1):
                yield planted(*shape, seed=seed, off=off)
