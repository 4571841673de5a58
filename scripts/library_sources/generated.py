"""Instances from the families of the package, with their planted or constructed certificates."""

from __future__ import annotations

from collections.abc import Iterator

from ermbit_instances.families import generate
from library_sources.entry import Entry

# (name in the library, family, seed, parameters)
CHOSEN: tuple[tuple[str, str, int, dict[str, object]], ...] = (
    ("teacher-relu-int", "teacher", 1, {"inputs": 3, "hidden": "3", "samples": 12}),
    ("teacher-relu-deep", "teacher", 2, {"inputs": 3, "hidden": "3-2", "domain": "ternary"}),
    ("teacher-abs-fixed", "teacher", 3, {"activation": "abs", "domain": "fixed:4:2"}),
    (
        "teacher-sign-binarised",
        "teacher",
        4,
        {
            "inputs": 5,
            "hidden": "3-3",
            "activation": "sign",
            "domain": "bipolar",
            "loss": "zero_one",
            "samples": 20,
            "data_low": -1,
            "data_high": 1,
        },
    ),
    ("teacher-step-finite", "teacher", 5, {"activation": "step", "domain": "finite:-2,-1,1,2"}),
    (
        "teacher-clip-fp8",
        "teacher",
        6,
        {"activation": "clip:0:6", "domain": "fp8_e4m3", "inputs": 2},
    ),
    (
        "teacher-leaky-bfloat16",
        "teacher",
        7,
        {"activation": "leaky_relu:1/10", "domain": "bfloat16", "samples": 6},
    ),
    (
        "teacher-max-rational",
        "teacher",
        8,
        {"activation": "max", "domain": "rational:2", "hidden": "2"},
    ),
    (
        "teacher-cubic-int",
        "teacher",
        9,
        {"activation": "polynomial:0,1,0,-1/6", "domain": "int:-2:2", "loss": "squared"},
    ),
    (
        "teacher-square-deep",
        "teacher",
        10,
        {"activation": "square", "hidden": "2-2-1", "domain": "int:-1:1", "samples": 5},
    ),
    (
        "teacher-piecewise-float16",
        "teacher",
        11,
        {"activation": "piecewise_linear:-1,1;0,1,0;-1,0,1", "domain": "float16"},
    ),
    (
        "teacher-classes-hinge",
        "teacher",
        12,
        {"outputs": 3, "loss": "hinge", "hidden": "4", "domain": "int:-3:3", "samples": 15},
    ),
    (
        "teacher-noisy",
        "teacher",
        13,
        {"corrupted": 2, "gamma": "teacher", "samples": 12, "hidden": "3", "reduction": "sum"},
    ),
    ("teacher-real", "teacher", 14, {"domain": "real", "hidden": "3", "samples": 12}),
    (
        "parity4-abs",
        "parity",
        0,
        {"bits": 4, "hidden": 3, "activation": "abs", "domain": "int:-3:3"},
    ),
    (
        "parity5-step-hinge",
        "parity",
        0,
        {"bits": 5, "hidden": 5, "activation": "step", "loss": "hinge", "domain": "int:-5:5"},
    ),
    (
        "parity3-square",
        "parity",
        0,
        {"bits": 3, "hidden": 6, "activation": "square", "domain": "real"},
    ),
    (
        "parity4-1-leaky",
        "parity",
        0,
        {"bits": 4, "hidden": 1, "activation": "leaky_relu:1/4", "domain": "rational:3"},
    ),
    ("iris-setosa-virginica-millimetres", "real_data", 0, {"classes": "setosa-vs-virginica"}),
    (
        "iris-setosa-30-hinge",
        "real_data",
        1,
        {"samples": 30, "loss": "hinge", "features": "0,1,2,3", "scale": 1, "domain": "int:-9:9"},
    ),
)


def entries() -> Iterator[Entry]:
    """The chosen instances under their names in the library."""
    for name, family, seed, parameters in CHOSEN:
        made = generate(family, seed, **parameters)
        certificate = None if made.certificate is None else made.certificate["parameters"]
        yield Entry({**made.document, "name": name}, certificate)
