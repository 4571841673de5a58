"""Exact integer circuits as clauses.

Start with a `Cnf`, make words (`input_range`, `choose`, `float_word`, `constant`), combine them
with the operations below (each takes the `Cnf` that its gates go to), and assert literals or
bounds. All operations are exact on the integers; no width is ever fixed by the caller, because
each word knows its range. A model found by any solver is read back with `Word.value`.
"""

from __future__ import annotations

from ermbit_encodings.circuit.adder import (
    add,
    linear,
    multiply_constant,
    negate,
    shift_left,
    subtract,
    sum_of,
)
from ermbit_encodings.circuit.cardinality import (
    require_weighted_sum_le,
    totalizer,
    weighted_sum,
    weighted_sum_le,
)
from ermbit_encodings.circuit.choice import Choice, choose, input_range
from ermbit_encodings.circuit.cnf import FALSE, TRUE, Cnf
from ermbit_encodings.circuit.comparator import (
    equals,
    equals_constant,
    ge,
    ge_constant,
    lex_le,
    require_ge_constant,
    require_le_constant,
    restrict,
)
from ermbit_encodings.circuit.floating import (
    FLOAT_SHAPES,
    FloatShape,
    FloatWord,
    float_word,
    multiply_float,
)
from ermbit_encodings.circuit.multiplier import (
    dot_product,
    multiply,
    polynomial,
    power,
    shift_left_by,
    square,
)
from ermbit_encodings.circuit.pieces import piecewise
from ermbit_encodings.circuit.propagation import unit_propagation
from ermbit_encodings.circuit.selector import absolute, mask, max_of, relu, select
from ermbit_encodings.circuit.word import Model, Word, constant, is_true

__all__ = [
    "FALSE",
    "FLOAT_SHAPES",
    "TRUE",
    "Choice",
    "Cnf",
    "FloatShape",
    "FloatWord",
    "Model",
    "Word",
    "absolute",
    "add",
    "choose",
    "constant",
    "dot_product",
    "equals",
    "equals_constant",
    "float_word",
    "ge",
    "ge_constant",
    "input_range",
    "is_true",
    "lex_le",
    "linear",
    "mask",
    "max_of",
    "multiply",
    "multiply_constant",
    "multiply_float",
    "negate",
    "piecewise",
    "polynomial",
    "power",
    "relu",
    "require_ge_constant",
    "require_le_constant",
    "require_weighted_sum_le",
    "restrict",
    "select",
    "shift_left",
    "shift_left_by",
    "square",
    "subtract",
    "sum_of",
    "totalizer",
    "unit_propagation",
    "weighted_sum",
    "weighted_sum_le",
]
