"""Intervals, finite sets and floating-point formats as inputs of circuits."""

from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pysat.solvers import Cadical153

from ermbit_encodings import circuit
from ermbit_encodings.circuit import FLOAT_SHAPES, Cnf, FloatShape, unit_propagation
from ermbit_encodings.errors import EncodingError


def models(cnf, inputs, read):
    """The value of ``read`` for every model of the formula, projected to the inputs."""
    found = []
    with Cadical153(bootstrap_with=cnf.clauses) as solver:
        while solver.solve():
            model = frozenset(solver.get_model())
            found.append(read(model))
            solver.add_clause([-x if x in model else x for x in inputs] or [-1])
    return found


SETS = [
    [5],
    [-1, 0, 1],
    [3, 4, 5, 6],
    [-7, -6],
    [0, 5],
    [-3, 4],
    [-4, -2, -1, 0, 1, 2, 4],
    [-(2**k) for k in range(9)] + [0] + [2**k for k in range(9)],
    [0, 1000, 10**6, -(10**9)],
    list(range(-30, 31, 3)),
    [x * x for x in range(12)],
    [2**k for k in range(0, 60, 7)],
    [1 << 700, 0, -3],
    [1, 2, 3, 5, 8, 13, 21, 34, 55, 89],
]


@pytest.mark.parametrize("values", SETS)
def test_choose_ranges_over_exactly_the_values(values):
    cnf = Cnf()
    choice = circuit.choose(cnf, reversed(values))
    assert list(choice.values) == sorted(values)
    assert sorted(models(cnf, choice.inputs, choice.decode)) == sorted(values)
    assert (choice.word.lo, choice.word.hi) == (min(values), max(values))


@given(st.sets(st.integers(-300, 300), min_size=1, max_size=40), st.integers(0, 40))
def test_choose_random_sets(values, shift):
    scaled = {value << shift for value in values}
    cnf = Cnf()
    choice = circuit.choose(cnf, scaled)
    assert sorted(models(cnf, choice.inputs, choice.decode)) == sorted(scaled)


def test_both_encodings_of_choose_occur():
    selectors = [circuit.choose(Cnf(), values).selectors for values in SETS]
    assert any(s is None for s in selectors)
    assert any(s is not None for s in selectors)


def test_selectors_name_their_values():
    values = [1 << 700, 0, -3]
    cnf = Cnf()
    choice = circuit.choose(cnf, values)
    assert choice.selectors is not None
    for selector, value in zip(choice.selectors, choice.values, strict=True):
        with Cadical153(bootstrap_with=cnf.clauses) as solver:
            assert solver.solve(assumptions=[selector])
            assert choice.decode(solver.get_model()) == value


def test_choose_inputs_determine_every_signal():
    for values in SETS:
        cnf = Cnf()
        choice = circuit.choose(cnf, values)
        doubled = circuit.multiply_constant(cnf, choice.word, 3)
        for model in models(cnf, choice.inputs, lambda m: m):
            fixed = [x if x in model else -x for x in choice.inputs]
            derived = unit_propagation(cnf.clauses, fixed)
            assert derived is not None
            assert len(derived) == cnf.variables
            assert doubled.value(derived) == 3 * choice.decode(derived)


def test_choose_refuses_nothing_and_foreign_models():
    with pytest.raises(EncodingError):
        circuit.choose(Cnf(), [])
    choice = circuit.choose(Cnf(), [0, 5, 9])
    with pytest.raises(EncodingError):
        choice.decode({x for x in choice.word.bits if x > 1} | {1})


# -- floating point -------------------------------------------------------------------------------

# Exponent bits, stored significand bits, exponent bias, and whether all exponents are ordinary.
LAYOUTS = {
    "fp8_e4m3": (4, 3, 7, True),
    "fp8_e5m2": (5, 2, 15, False),
    "float16": (5, 10, 15, False),
    "bfloat16": (8, 7, 127, False),
}


def finite_values(name):
    """All finite values of the format, as scaled integers, decoded from its encodings."""
    exponent_bits, fraction_bits, bias, all_ordinary = LAYOUTS[name]
    scale_bits = FLOAT_SHAPES[name].scale_bits
    values = set()
    for field in range(1 << exponent_bits):
        for fraction in range(1 << fraction_bits):
            if field == (1 << exponent_bits) - 1:
                if not all_ordinary or fraction == (1 << fraction_bits) - 1:
                    continue  # an infinity or not a number
            hidden = 1 << fraction_bits if field else 0
            shift = max(field, 1) - bias - fraction_bits + scale_bits
            assert shift >= 0
            values |= {(hidden + fraction) << shift, -(hidden + fraction) << shift}
    return values


def test_formats_agree_with_numpy():
    """The decoding above, on the format that numpy has."""
    numbers = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = numbers[np.isfinite(numbers)].astype(np.float64)
    assert finite_values("float16") == {int(x * 2.0**24) for x in finite}


@pytest.mark.parametrize("name, count", [("fp8_e4m3", 253), ("fp8_e5m2", 247)])
def test_float_word_enumerates_the_format(name, count):
    cnf = Cnf()
    number = circuit.float_word(cnf, FLOAT_SHAPES[name])
    found = models(cnf, number.inputs, number.decode)
    assert len(found) == len(set(found)) == count
    assert set(found) == finite_values(name)


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_shape_describes_all_values_of_the_format(name):
    """m 2^e with |m| < 2^p, e >= 0, bounded by the largest: exactly the format's values."""
    shape = FLOAT_SHAPES[name]
    described = {0}
    for exponent in range(shape.largest.bit_length() - shape.precision + 1):
        for significand in range(1 << shape.precision):
            if significand << exponent <= shape.largest:
                described |= {significand << exponent, -(significand << exponent)}
    assert described == finite_values(name)


def test_float32_shape():
    shape = FLOAT_SHAPES["float32"]
    largest = int(np.finfo(np.float32).max)
    assert shape.largest == largest << shape.scale_bits
    assert float(np.finfo(np.float32).smallest_subnormal) == 2.0**-shape.scale_bits
    assert shape.precision == np.finfo(np.float32).nmant + 1


@pytest.mark.parametrize("name", FLOAT_SHAPES)
def test_float_word_takes_sample_values_once(name):
    """Fixing the word fixes the fields; neighbours that are not representable are impossible."""
    shape = FLOAT_SHAPES[name]
    cnf = Cnf()
    number = circuit.float_word(cnf, shape)
    half, top = 1 << shape.precision - 1, shape.largest
    unit = 1 << top.bit_length() - shape.precision
    valid = [0, 1, -1, half, 2 * half - 1, 2 * half, -4 * half + 2, top, -top, top - unit]
    invalid = [2 * half + 1, -2 * half - 1, top - 1, 1 - top, 4 * half + 2]
    width = number.word.width
    with Cadical153(bootstrap_with=cnf.clauses) as solver:
        for value in valid + invalid:
            if not -top <= value <= top:
                continue
            bits = [b if value >> i & 1 else -b for i, b in enumerate(number.word.extended(width))]
            assert solver.solve(assumptions=bits) == (value in valid), value
            if value in valid:
                model = frozenset(solver.get_model())
                assert number.decode(model) == value
                fields = [x if x in model else -x for x in number.inputs]
                derived = unit_propagation(cnf.clauses, fields)
                assert derived is not None
                assert len(derived) == cnf.variables
                assert number.decode(derived) == value


@pytest.mark.parametrize("shape", [FloatShape(1, 0, 4), FloatShape(2, 0, 12), FloatShape(3, 0, 20)])
def test_products_with_floats(shape):
    for lo, hi in [(-3, 4), (0, 5), (-1, 1), (7, 7), (-6, -2)]:
        cnf = Cnf()
        number = circuit.float_word(cnf, shape)
        word = circuit.input_range(cnf, lo, hi)
        out = circuit.multiply_float(cnf, number, word)
        free = [x for x in (*number.inputs, *word.bits) if abs(x) > 1]
        found = models(cnf, free, frozenset)
        triples = [(number.decode(m), word.value(m), out.value(m)) for m in found]
        top = shape.largest
        expected = {
            sign * (m << e)
            for m in range(1 << shape.precision)
            for e in range(top.bit_length() - shape.precision + 1)
            for sign in (1, -1)
            if m << e <= top
        }
        assert all(f * x == got for f, x, got in triples)
        assert sorted((f, x) for f, x, _ in triples) == sorted(product(expected, range(lo, hi + 1)))
        assert (out.lo, out.hi) == (min(-top * hi, top * lo), max(top * hi, -top * lo))


@pytest.mark.parametrize("precision, largest", [(3, 9), (4, 7), (0, 1), (2, 13)])
def test_impossible_shapes_are_refused(precision, largest):
    with pytest.raises(EncodingError):
        circuit.float_word(Cnf(), FloatShape(precision, 0, largest))


def test_values_are_spaced_as_in_a_format():
    """Spacing never shrinks away from zero: the shape is a floating-point one."""
    values = sorted(v for v in finite_values("fp8_e5m2") if v >= 0)
    gaps = [b - a for a, b in pairwise(values)]
    assert gaps == sorted(gaps)
