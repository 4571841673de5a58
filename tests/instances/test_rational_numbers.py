"""Reading, writing and approximating rationals exactly."""

from __future__ import annotations

from fractions import Fraction

import pytest
from gmpy2 import mpq
from hypothesis import assume, given
from hypothesis import strategies as st

from ermbit_instances import limits
from ermbit_instances.rational import (
    as_rational,
    bit_length,
    ceil,
    floor,
    from_float,
    parse_decimal,
    parse_rational,
    simplest_between,
    write_rational,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-7", mpq(-7)),
        ("+7", mpq(7)),
        ("007", mpq(7)),
        ("3/4", mpq(3, 4)),
        ("-6/4", mpq(-3, 2)),
        ("0.125", mpq(1, 8)),
        (".5", mpq(1, 2)),
        ("5.", mpq(5)),
        ("1e-3", mpq(1, 1000)),
        ("-2.5E2", mpq(-250)),
        ("0.1", mpq(1, 10)),
        ("-0", mpq(0)),
        ("0e9", mpq(0)),
    ],
)
def test_spellings(text: str, value: mpq) -> None:
    assert parse_rational(text) == value


@pytest.mark.parametrize(
    "text",
    ["", " ", "1 ", "1/0", "1/-2", "1/2/3", "1.5/2", "/2", "1/", ".", "e5", "1e", "0x10", "nan",
     "inf", "-Infinity", "1_000", "--1", "１", "1/２", "1e5.0", "1e999999", "1e-20001", "½"],
)  # fmt: skip
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a number|zero|exponent"):
        parse_rational(text)


def test_long_numbers_are_refused_before_they_are_built() -> None:
    digits = "1" * limits.DIGITS.value
    assert parse_rational(digits) > 0
    with pytest.raises(ValueError, match="digits"):
        parse_rational("1" * (limits.DIGITS.value + 65))
    assert parse_decimal("1e-300")[1] == 300


rationals = st.fractions(min_value=-9, max_value=9, max_denominator=50).map(
    lambda f: mpq(f.numerator, f.denominator)
)


@given(rationals)
def test_written_numbers_read_back(value: mpq) -> None:
    written = write_rational(value)
    assert (isinstance(written, int)) == (value.denominator == 1)
    assert parse_rational(str(written)) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_is_the_dyadic_rational_that_it_is(value: float) -> None:
    exact = Fraction(value)
    assert from_float(value) == mpq(exact.numerator, exact.denominator)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_no_number_behind_these_floats(value: float) -> None:
    with pytest.raises(ValueError, match="not numbers"):
        from_float(value)


def test_inexact_types_are_refused() -> None:
    assert as_rational(Fraction(1, 3)) == mpq(1, 3)
    assert as_rational("0.1") == mpq(1, 10)
    for value in (0.5, True, None, 1j):
        with pytest.raises(TypeError):
            as_rational(value)


@given(rationals)
def test_floor_and_ceil(value: mpq) -> None:
    assert floor(value) <= value < floor(value) + 1
    assert ceil(value) - 1 < value <= ceil(value)


def test_bit_length_is_that_of_the_longer_part() -> None:
    assert bit_length(mpq(0)) == 1
    assert bit_length(mpq(-8, 3)) == 4
    assert bit_length(mpq(1, 16)) == 5


def inside(value: mpq, low: mpq, high: mpq, open_low: bool, open_high: bool) -> bool:
    above = value > low if open_low else value >= low
    return above and (value < high if open_high else value <= high)


@given(rationals, rationals, st.booleans(), st.booleans())
def test_the_simplest_rational_has_least_denominator_and_numerator(
    a: mpq, b: mpq, open_low: bool, open_high: bool
) -> None:
    low, high = min(a, b), max(a, b)
    assume(low < high or not (open_low or open_high))
    found = simplest_between(low, high, open_low=open_low, open_high=open_high)
    assert inside(found, low, high, open_low, open_high)
    q = 1
    while True:  # the definition: the first denominator with a member, its least numerator
        near = range(floor(low * q), ceil(high * q) + 1)
        members = [p for p in near if inside(mpq(p, q), low, high, open_low, open_high)]
        if members:
            assert found.denominator == q
            assert abs(found.numerator) == min(abs(p) for p in members)
            return
        q += 1


@pytest.mark.parametrize("ends", [(True, False), (False, True), (True, True)])
def test_an_empty_interval_has_no_member(ends: tuple[bool, bool]) -> None:
    with pytest.raises(ValueError, match="empty"):
        simplest_between(mpq(1), mpq(1), open_low=ends[0], open_high=ends[1])
    with pytest.raises(ValueError, match="empty"):
        simplest_between(mpq(2), mpq(1))


def test_intervals_that_share_thousands_of_continued_fraction_terms() -> None:
    a, b = 1, 1
    for _ in range(5000):
        a, b = a + b, a
    golden, radius = mpq(a, b), mpq(1, 4 * b * b)
    found = simplest_between(golden - radius, golden + radius)
    assert golden - radius <= found <= golden + radius
    assert found.denominator <= b
