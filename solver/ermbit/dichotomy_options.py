"""The sizes of a measurement of the dichotomy, as data: for the command line, checks and help.

They stand apart from :mod:`ermbit.dichotomy` so that the command line starts without the verifier.
"""

from __future__ import annotations

from ermbit.options import Option

WIDTH = Option("width", int, 4, 1, 64, "W", "4", "units of a hidden layer, and inputs")
DEPTH = Option("depth", int, 24, 1, 1000, "D", "24", "most hidden layers")
SEED = Option("seed", int, 0, 0, 2**31 - 1, "K", "0", "seed of inputs and parameters")
BITS = Option("bits", int, 8, 1, 4096, "B", "8", "bits of inputs and parameters")
TIME_LIMIT = Option(
    "time-limit",
    float,
    10.0,
    0,
    None,
    "S",
    "10",
    "seconds for one point; an activation ends before the depth that is expected to take longer",
)
OPTIONS: tuple[Option, ...] = (WIDTH, DEPTH, SEED, BITS, TIME_LIMIT)
"""In the order of the help."""
