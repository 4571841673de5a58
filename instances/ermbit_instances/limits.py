"""Limits on input, as data: one row a limit, from which messages and documentation are made.

They bound time and memory *before* anything is allocated: a hostile file is refused from its
first bytes, its size on disk, or the numbers in it, never from what it made us build.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit: its name, largest allowed value, unit, and what it protects."""

    name: str
    value: int
    unit: str
    help: str


JSON_BYTES = Limit("json_bytes", 128 * 2**20, "bytes", "size of an instance or certificate file")
CSV_BYTES = Limit("csv_bytes", 512 * 2**20, "bytes", "size of a CSV data file")
ARRAY_BYTES = Limit("array_bytes", 1024 * 2**20, "bytes", "uncompressed size of one NPZ array")
DEPTH = Limit("depth", 64, "levels", "nesting of JSON lists and objects")
DIGITS = Limit("digits", 100_000, "digits", "length of one number in a file")
EXPONENT = Limit("exponent", 20_000, "decimal places", "absolute exponent of one decimal")
EXPANSION = Limit(
    "expansion", 20_000_000, "digits", "digits that the exponents in one file expand to"
)
UNITS = Limit("units", 1_000_000, "units", "units of one layer, and number of network inputs")
EDGES = Limit("edges", 20_000_000, "edges", "edges and biases of the whole network")
ENTRIES = Limit("entries", 50_000_000, "numbers", "entries of a data table")
DEGREE = Limit("degree", 64, "", "degree of a polynomial activation")
DOMAIN_BITS = Limit("domain_bits", 4096, "bits", "bit-length B of a fixed_point or rational domain")
DOMAIN_VALUES = Limit("domain_values", 1_000_000, "values", "length of a finite domain's list")
ROOT_DEGREE = Limit("root_degree", 128, "", "degree of the polynomial of an algebraic number")
SLP_BYTES = Limit("slp_bytes", 4 * 2**20, "bytes", "size of a straight-line program file")
SLP_LINES = Limit("slp_lines", 10_000, "instructions", "length of a straight-line program")

ALL: tuple[Limit, ...] = (
    JSON_BYTES,
    CSV_BYTES,
    ARRAY_BYTES,
    DEPTH,
    DIGITS,
    EXPONENT,
    EXPANSION,
    UNITS,
    EDGES,
    ENTRIES,
    DEGREE,
    DOMAIN_BITS,
    DOMAIN_VALUES,
    ROOT_DEGREE,
    SLP_BYTES,
    SLP_LINES,
)
