"""The set ``main``: many small families over losses, activations, domains and shapes.

Agnostic bases have random labels. Each gives three cases: find the least loss; decide at the least
loss (sat); decide just below (unsat). The least losses are stored in ``optima.json``, written by
``scripts/bench_decide.py optima``; a base without one is only minimised.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

from benchmark.case import REAL, Case, Document, document, integers
from benchmark.teachers import planted

OPTIMA = Path(__file__).with_name("optima.json")

LEAKY = {"name": "leaky_relu", "slope": "1/4"}
CLIP = {"name": "clip", "low": 0, "high": 4}
FIXED = {"domain": "fixed_point", "bits": 3, "fraction_bits": 1}
POWERS = {"domain": "finite", "values": [-4, -2, -1, 0, 1, 2, 4]}


@dataclass(frozen=True)
class Base:
    """A data set with random labels, a network, a loss: what is minimised."""

    family: str
    name: str
    inputs: int
    hidden: tuple[int, ...]
    count: int
    domain: Document = field(hash=False)
    activation: Any = "relu"
    loss: str = "absolute"
    reduction: str = "sum"
    seed: int = 0

    def document(self, threshold: Any = 0) -> Document:
        """The instance with a threshold."""
        rng = random.Random(f"main {self.name}")
        x = [[rng.randint(-8, 8) for _ in range(self.inputs)] for _ in range(self.count)]
        if self.loss in ("hinge", "zero_one"):
            y = [rng.choice((-1, 1)) for _ in x]
        else:
            y = [rng.randint(-8, 8) for _ in x]
        return document(
            x,
            y,
            self.hidden,
            self.domain,
            activation=self.activation,
            loss=self.loss,
            reduction=self.reduction,
            threshold=threshold,
        )

    @property
    def unit(self) -> Fraction:
        """A step down from the least loss that certainly crosses no attainable loss from above.

        On integers losses are integers, so 1; elsewhere a thousandth, which is only a question, not
        a fact about the loss.
        """
        whole = self.domain["domain"] == "integer" and not isinstance(self.activation, dict)
        return Fraction(1) if whole or self.loss == "zero_one" else Fraction(1, 1000)


def base(
    family: str,
    inputs: int,
    hidden: tuple[int, ...] | int,
    count: int,
    domain: Document,
    size: str,
    **more: Any,
) -> Base:
    """A base whose name says everything that it was drawn for."""
    units = (hidden,) if isinstance(hidden, int) else hidden
    activation = more.get("activation", "relu")
    word = activation if isinstance(activation, str) else activation["name"]
    shape = "-".join(map(str, units)) or "0"
    words = [word, more.get("loss", "absolute"), more.get("reduction", "sum")]
    name = f"d{inputs}_h{shape}_{size}_N{count}_{'_'.join(words)}_s{more.get('seed', 0)}"
    return Base(family, name, inputs, units, count, domain, **more)


def bases() -> Iterator[Base]:
    """All agnostic bases, in a fixed order."""
    shapes = (
        (1, 1, 7, 20), (1, 2, 3, 10), (1, 2, 3, 30), (2, 1, 7, 60), (2, 2, 1, 20), (2, 2, 2, 12),
        (2, 2, 3, 15), (2, 3, 1, 15), (3, 1, 3, 30), (3, 2, 1, 20),
    )  # fmt: skip
    for seed in range(2):
        for d, h, w, n in shapes:
            yield base("agnostic, absolute", d, h, n, integers(w), f"W{w}", seed=seed)
    for loss, reduction in (
        ("squared", "sum"), ("absolute", "max"), ("hinge", "sum"), ("zero_one", "sum"),
    ):  # fmt: skip
        family = f"agnostic, {'max' if reduction == 'max' else loss}"
        for d, h, w, n in ((2, 2, 3, 15), (3, 2, 1, 20), (2, 1, 7, 40)):
            yield base(
                family, d, h, n, integers(w), f"W{w}", loss=loss, reduction=reduction
            )
    for activation in ("abs", "step", "sign", "square", LEAKY, CLIP):
        word = activation if isinstance(activation, str) else activation["name"]
        for d, h, n in ((2, 2, 12), (1, 2, 20)):
            yield base(
                f"agnostic, {word}", d, h, n, integers(2), "W2", activation=activation
            )
    for d, h, n in ((1, 2, 12), (2, 1, 20)):
        yield base("agnostic, fixed point", d, h, n, FIXED, "fixed")
        yield base("agnostic, powers of two", d, h, n, POWERS, "powers")
    for d, h, w, n in ((2, 2, 7, 20), (2, 3, 3, 20), (3, 2, 3, 30), (3, 3, 1, 40), (2, 2, 3, 60)):
        yield base("agnostic, larger", d, h, n, integers(w), f"W{w}")
    yield base("agnostic, larger", 3, 2, 30, integers(3), "W3", loss="zero_one")
    yield base("agnostic, larger", 2, (2, 2), 8, integers(3), "W3")
    yield base("agnostic, larger", 2, 2, 15, REAL, "real")
    yield base("agnostic, larger", 1, 3, 10, REAL, "real")
    yield base("agnostic, deep", 1, (2, 2), 8, integers(1), "W1")
    yield base("agnostic, deep", 2, (2, 2), 6, integers(1), "W1")
    yield base("agnostic, real", 1, 1, 8, REAL, "real")
    yield base("agnostic, real", 1, 1, 20, REAL, "real")
    yield base("agnostic, real", 2, 1, 10, REAL, "real")
    yield base("agnostic, real", 2, 1, 20, REAL, "real")
    yield base("agnostic, real", 1, 2, 8, REAL, "real")
    yield base("agnostic, real", 2, 2, 8, REAL, "real")
    yield base("agnostic, real", 2, 1, 10, REAL, "real", reduction="max")
    yield base("agnostic, real", 1, 1, 8, REAL, "real", loss="hinge")
    yield base("agnostic, real step", 1, 2, 10, REAL, "real", activation="step", loss="zero_one")
    yield base("agnostic, real halfspace", 2, (), 30, REAL, "real", loss="zero_one")
    yield base("agnostic, real halfspace", 3, (), 20, REAL, "real", loss="zero_one")


def optima() -> dict[str, str]:
    """The stored least losses, by the names of the bases."""
    if not OPTIMA.exists():
        return {}
    found: dict[str, str] = json.loads(OPTIMA.read_text(encoding="ascii"))
    return found


def main_set() -> Iterator[Case]:
    """All cases of ``main``."""
    known = optima()
    for b in bases():
        least = known.get(b.name, "")
        yield Case(f"{b.name}_min", b.family, "agnostic", "minimize", b.document(), least)
        if least:
            value = Fraction(least)
            yield Case(
                f"{b.name}_at", b.family, "agnostic", "solve", b.document(spelt(value)), "sat"
            )
            if value < b.unit:
                continue
            below = spelt(value - b.unit)
            yield Case(f"{b.name}_below", b.family, "agnostic", "solve", b.document(below), "unsat")
    yield from realizable()


def spelt(value: Fraction) -> int | str:
    """A rational as an instance spells it."""
    return value.numerator if value.denominator == 1 else str(value)


def realizable() -> Iterator[Case]:
    """Teachers, teachers with one label off, parities, real students of integer teachers."""
    for activation in ("relu", "abs", "step", "square"):
        for shape in ((1, (2,), 3, 12), (2, (2,), 3, 20), (3, (2,), 2, 30), (2, (3,), 2, 20)):
            for off in (0, 1):
                yield planted(*shape, activation=activation, off=off)
    for shape in ((2, (2,), 7, 40), (3, (3,), 3, 60), (3, (3,), 1, 60)):
        for off in (0, 1):
            yield planted(*shape, off=off)
    for shape in ((1, (2, 2), 2, 10), (2, (2, 2), 2, 12)):
        for off in (0, 1):
            yield planted(*shape, off=off)
    for shape in ((1, (2,), 3, 10), (2, (1,), 3, 15), (2, (2,), 3, 12), (2, (2,), 3, 20)):
        for off in (0, 1):
            yield planted(*shape, off=off, domain=REAL)
    for bits, hidden, weight, activation, answer in (
        (2, 1, 3, "relu", "unsat"), (2, 2, 2, "relu", "sat"), (2, 2, 1, "step", ""),
        (3, 2, 2, "relu", ""), (3, 2, 3, "relu", ""), (3, 3, 2, "relu", ""), (3, 3, 2, "step", ""),
        (3, 1, 3, "square", ""), (3, 2, 1, "abs", ""), (4, 2, 2, "relu", ""),
    ):  # fmt: skip
        x = [list(row) for row in product((0, 1), repeat=bits)]
        y = [1 if sum(row) % 2 else -1 for row in x]
        yield Case(
            f"parity{bits}_h{hidden}_W{weight}_{activation}",
            "parity",
            "realizable",
            "solve",
            document(x, y, (hidden,), integers(weight), activation=activation, loss="zero_one"),
            answer,
        )
