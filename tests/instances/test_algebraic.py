"""Real algebraic numbers: reading and writing, exact arithmetic and order, one number field."""

from __future__ import annotations

import copy
import pickle
from dataclasses import dataclass
from fractions import Fraction

import flint
import pytest
from gmpy2 import mpq, mpz
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ermbit_instances import limits
from ermbit_instances.algebraic import (
    AlgebraicLimitError,
    AlgebraicNumber,
    algebraic,
    parse_root,
)
from ermbit_instances.errors import ErmbitError

PRECISION = 400


def root(value: int, index: int = 2) -> mpq | AlgebraicNumber:
    """The positive ``index``-th root of a positive integer."""
    return algebraic([-value] + [0] * (index - 1) + [1], mpq(0), mpq(value + 1))


def ball(value: mpq | int) -> flint.arb:
    exact = mpq(value)
    return flint.arb(flint.fmpq(int(exact.numerator), int(exact.denominator)))


@dataclass(frozen=True)
class Sample:
    """A number, and a ball around it found without the code under test."""

    exact: mpq | AlgebraicNumber
    approximate: flint.arb


rationals = st.builds(mpq, st.integers(-12, 12), st.integers(1, 6))


@st.composite
def surds(draw: st.DrawFn, index: int = 2) -> Sample:
    """r + s * d**(1/index), rational now and then."""
    shift, factor, radicand = draw(rationals), draw(rationals), draw(st.integers(1, 12))
    with flint.ctx.workprec(PRECISION):
        approximate = ball(shift) + ball(factor) * flint.arb(radicand).root(index)
    return Sample(factor * root(radicand, index) + shift, approximate)


@st.composite
def polynomial_roots(draw: st.DrawFn) -> Sample:
    """Some real root of a random polynomial of degree at most 4, reducible or not."""
    coefficients = draw(st.lists(st.integers(-9, 9), min_size=2, max_size=5))
    assume(any(coefficients[1:]))
    polynomial = flint.fmpz_poly(coefficients)
    with flint.ctx.workprec(PRECISION):
        real = [z.real for z, _ in polynomial.complex_roots() if z.imag == 0]
    assume(real)
    approximate = real[draw(st.integers(0, len(real) - 1))]
    lower, upper = (_as_mpq(end) for end in (approximate.lower(), approximate.upper()))
    return Sample(
        algebraic(coefficients, lower - mpq(1, 2**60), upper + mpq(1, 2**60)), approximate
    )


def _as_mpq(point: flint.arb) -> mpq:
    exact = point.mid().fmpq()
    return mpq(int(exact.p), int(exact.q))


numbers = st.one_of(surds(), surds(3), polynomial_roots())


def assert_close(exact: mpq | AlgebraicNumber, approximate: flint.arb) -> None:
    lo, hi = exact.bounds(120) if isinstance(exact, AlgebraicNumber) else (exact, exact)
    assert hi - lo <= mpq(1, 2**120)
    with flint.ctx.workprec(PRECISION):
        assert ball(lo) <= approximate or ball(lo).overlaps(approximate)
        assert approximate <= ball(hi) or ball(hi).overlaps(approximate)


# --- roots -----------------------------------------------------------------------------------


def test_a_root_keeps_its_irreducible_factor_only() -> None:
    # (x^2 - 2)^2 (x - 3)(2 x^2 + 4), content and multiplicity included.
    product = (
        flint.fmpz_poly([-2, 0, 1]) ** 2 * flint.fmpz_poly([-3, 1]) * flint.fmpz_poly([4, 0, 2])
    )
    coefficients = [-6 * int(c) for c in product.coeffs()]
    found = algebraic(coefficients, mpq(1), mpq(2))
    assert isinstance(found, AlgebraicNumber)
    assert found.coefficients == (-2, 0, 1)
    assert found == root(2)
    assert algebraic(coefficients, mpq(2), mpq(4)) == mpq(3)
    assert type(algebraic(coefficients, mpq(2), mpq(4))) is mpq


def test_the_interval_is_closed_and_may_be_a_point() -> None:
    assert algebraic([-6, 11, -6, 1], mpq(5, 2), mpq(3)) == 3
    assert algebraic([-6, 11, -6, 1], mpq(3), mpq(7, 2)) == 3
    assert algebraic([-6, 11, -6, 1], mpq(2), mpq(2)) == 2
    assert algebraic([0, 1], mpq(0), mpq(0)) == 0
    assert AlgebraicNumber.root_of([-1, 2, 0, 0], mpq(0), mpq(1)) == mpq(1, 2)


@pytest.mark.parametrize(
    "coefficients, lo, hi, reason",
    [
        ([-2, 0, 1], 2, 1, "greater"),
        ([], 0, 1, "zero"),
        ([0, 0], 0, 1, "zero"),
        ([5], 0, 1, "constant"),
        ([5, 0, 0], 0, 1, "constant"),
        ([-2, 0, 1], -2, 2, "2 roots"),
        ([-2, 0, 1], 0, 1, "no root"),
        ([1, 0, 1], -9, 9, "no root"),
        ([-2, 0, 1], 1, 1, "no root"),
        ([-6, 11, -6, 1], 1, 2, "2 roots"),
        ([0, -2, 0, 1], -2, 2, "3 roots"),
        ([0.5, 1], -2, 2, "integers"),
    ],
)
def test_zero_or_several_roots_are_refused(
    coefficients: list[int], lo: int, hi: int, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        algebraic(coefficients, mpq(lo), mpq(hi))


def test_very_close_roots_are_told_apart() -> None:
    # Mignotte: x^7 - 2 (10^6 x - 1)^2 has two roots about 10^-27 apart near 10^-6.
    a = 10**6
    coefficients = [-2, 4 * a, -2 * a * a, 0, 0, 0, 0, 1]
    centre, far = mpq(1, a), mpq(1, 10**9)
    with pytest.raises(ValueError, match="2 roots"):
        algebraic(coefficients, centre - far, centre + far)
    below = algebraic(coefficients, centre - far, centre)
    above = algebraic(coefficients, centre, centre + far)
    assert below < centre < above
    assert above - centre < mpq(1, 10**26)
    assert below != above


@given(polynomial_roots())
@settings(max_examples=60)
def test_roots_agree_with_ball_arithmetic(sample: Sample) -> None:
    assert_close(sample.exact, sample.approximate)


@given(st.integers(0, 3), st.integers(1, 1000), rationals)
@settings(max_examples=60)
def test_the_representation_does_not_depend_on_the_interval(
    which: int, scale: int, factor: mpq
) -> None:
    # x^4 - 10 x^2 + 1 has the roots ±√2 ± √3, about -3.15, -0.32, 0.32, 3.15.
    loose = [(-4, -3), (-1, 0), (0, 1), (3, 4)][which]
    first = algebraic([1, 0, -10, 0, 1], mpq(loose[0]), mpq(loose[1]))
    assert isinstance(first, AlgebraicNumber)
    lo, hi = first.refine(mpq(1, scale))
    assert hi - lo <= mpq(1, scale)
    second = algebraic([-3, 0, 30, 0, -3], lo, hi + abs(factor) / 10**4)
    assert (second, hash(second), str(second)) == (first, hash(first), str(first))


@given(polynomial_roots(), st.integers(0, 700))
@settings(max_examples=60)
def test_bounds_hold_the_root_between_opposite_signs(sample: Sample, bits: int) -> None:
    number = sample.exact
    assume(isinstance(number, AlgebraicNumber))
    lo, hi = number.bounds(bits)
    assert 0 < hi - lo <= mpq(1, 2**bits)
    assert lo < number < hi
    signs = []
    for end in (lo, hi):
        value = sum(c * end**k for k, c in enumerate(number.coefficients))
        signs.append((value > 0) - (value < 0))
    assert sorted(signs) == [-1, 1]


def test_a_width_must_be_positive() -> None:
    for width in (0, mpq(-1, 2)):
        with pytest.raises(ValueError, match="positive"):
            root(2).refine(width)


# --- text ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "(root-of-with-interval (coeffs (- 2) 0 1) 1 2)",
        "(root-of-with-interval (coeffs -2 0 1) 1.0 2.00)",
        "(root-of-with-interval (coeffs 2 0 -1) 0.5 (/ 3 2))",
        "(root-of-with-interval (coeffs -2 0 1) (- (/ 1 2)) 3/2)",
        "(root-of-with-interval (coeffs -2 0 1) (/ (- 1) 2) (/ 3.0 2.0))",
        "(root-of-with-interval (coeffs -2 0 1) -1/2 1.5)",
        " ( root-of-with-interval\n( coeffs (-   2) 0\t1 0 )-0.5\r\n2)",
    ],
)
def test_spellings_of_the_square_root_of_two(text: str) -> None:
    assert parse_root(text) == root(2)


def test_the_canonical_text() -> None:
    assert str(root(2)) == "(root-of-with-interval (coeffs (- 2) 0 1) 1 2)"
    assert str(-root(2) / 4) == "(root-of-with-interval (coeffs (- 1) 0 8) (- 1) 0)"
    close = algebraic([1, 0, -200, 0, 9800], mpq(0), mpq(1, 10)) + 1
    assert isinstance(close, AlgebraicNumber)
    assert "(/ " in str(close)
    assert parse_root(str(close)) == close
    assert parse_root("(root-of-with-interval (coeffs (- 1) 2) 0 1)") == mpq(1, 2)


@given(numbers)
@settings(max_examples=60)
def test_text_and_pickle_give_the_same_number_back(sample: Sample) -> None:
    number = sample.exact
    assume(isinstance(number, AlgebraicNumber))
    number.bounds(500)
    for again in (parse_root(str(number)), pickle.loads(pickle.dumps(number)), copy.copy(number)):
        assert again == number
        assert hash(again) == hash(number)
        assert str(again) == str(number)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2",
        "(",
        ")",
        "()",
        "(root-of (coeffs (- 2) 0 1) 1 2)",
        "root-of-with-interval (coeffs (- 2) 0 1) 1 2",
        "(root-of-with-interval (coeffs (- 2) 0 1) 1 2",
        "(root-of-with-interval (coeffs (- 2) 0 1) 1 2))",
        "(root-of-with-interval (coeffs (- 2) 0 1) 1 2) 3",
        "(root-of-with-interval (coeffs (- 2) 0 1 1 2)",
        "(root-of-with-interval (coeffs (- 2) 0 1) 1)",
        "(root-of-with-interval (coeffs (- 2) 0 1) 1 2 3)",
        "(root-of-with-interval (coeffs) 1 2)",
        "(root-of-with-interval (coeffs 0) 0 0)",
        "(root-of-with-interval (coeffs 1) 0 2)",
        "(root-of-with-interval (coeffs (- 2) 0 1) 2 1)",
        "(root-of-with-interval (coeffs (- 2) 0 1) (- 2) 2)",
        "(root-of-with-interval (coeffs (- 2) 0 1) 0 1)",
        "(root-of-with-interval (coeffs (- 2) 0 0.5) 1 2)",
        "(root-of-with-interval (coeffs (- -2) 0 1) 1 2)",
        "(root-of-with-interval (coeffs (- (- 2)) 0 1) 1 2)",
        "(root-of-with-interval (coeffs (/ 2 1) 0 1) 1 2)",
        "(root-of-with-interval (coeffs +2 0 1) 1 2)",
        "(root-of-with-interval (coeffs -02 0 1) 1 2)",
        "(root-of-with-interval (coeffs -2 0 1_0) 1 2)",
        "(root-of-with-interval (coeffs -2 0 1e0) 1 2)",
        "(root-of-with-interval (coeffs -2 0 ١) 1 2)",
        "(root-of-with-interval (coeffs -2 0 1) 1 ２)",
        "(root-of-with-interval (coeffs -2 0 1) 1\u00a02)",
        "(root-of-with-interval (coeffs -2 0 1) 1. 2)",
        "(root-of-with-interval (coeffs -2 0 1) .5 2)",
        "(root-of-with-interval (coeffs -2 0 1) 1 2e0)",
        "(root-of-with-interval (coeffs -2 0 1) 1/0 2)",
        "(root-of-with-interval (coeffs -2 0 1) (/ 1 0) 2)",
        "(root-of-with-interval (coeffs -2 0 1) (/ 1) 2)",
        "(root-of-with-interval (coeffs -2 0 1) (/ (/ 1 2) 3) 2)",
        "(root-of-with-interval (coeffs -2 0 1) (- (- 1)) 2)",
        "(root-of-with-interval (coeffs -2 0 1) (- (- 1)) 2)" + "(" * 5000,
        "(root-of-with-interval (coeffs -2 0 1) (+ 1) 2)",
        "(root-of-with-interval (coeffs -2 0 1) inf 2)",
        "(root-of-with-interval (coeffs -2 0 1) nan 2)",
        "(root-of-with-interval (coeffs -2 0 1) 1 " + "9" * 10_001 + ")",
        "(root-of-with-interval (coeffs " + "0 " * (limits.ROOT_DEGREE.value + 1) + "1) 0 0)",
        "(" * 100_000,
    ],
)
def test_malformed_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_root(text)
    assert len(str(caught.value)) < 200


def test_numbers_within_the_limits_are_read() -> None:
    big = "9" * 9_999
    assert parse_root(f"(root-of-with-interval (coeffs -{big} 1) 0 {big})") == mpq(mpz(big))
    degree = limits.ROOT_DEGREE.value
    zeros = "0 " * (degree - 1)
    assert parse_root(f"(root-of-with-interval (coeffs -2 {zeros}1) 1 2)").degree == degree


# --- arithmetic ------------------------------------------------------------------------------


def test_known_sums_and_products() -> None:
    sqrt2, sqrt3, sqrt8, sqrt18 = root(2), root(3), root(8), root(18)
    assert (sqrt2 + sqrt3).coefficients == (1, 0, -10, 0, 1)
    assert type(sqrt2 * sqrt2) is mpq
    assert sqrt2 * sqrt2 == 2
    assert sqrt2 + sqrt8 == sqrt18
    assert sqrt2 + sqrt8 - sqrt18 == 0
    assert sqrt2 * sqrt8 == 4
    assert sqrt8 / sqrt2 == 2
    assert sqrt2 - sqrt2 == 0
    assert sqrt2 / sqrt2 == 1
    assert sqrt2 + (3 - sqrt2) == 3
    assert (sqrt2 + sqrt3) * (sqrt3 - sqrt2) == 1
    assert sqrt2 * sqrt3 == root(6)
    assert sqrt2**2 == 2
    assert sqrt2**0 == 1
    assert sqrt2**-2 == mpq(1, 2)
    assert sqrt2**3 == sqrt8


def test_the_golden_ratio_fits_its_two_samples() -> None:
    # t = a x0 + x1, r = relu(-t), f = b t + r must map (1, 0) to 1 and (-1, 1) to -1.
    a = b = (1 - root(5)) / 2
    assert a == algebraic([-1, -1, 1], mpq(-1), mpq(0))
    for x0, x1, target in ((1, 0, 1), (-1, 1, -1)):
        t = a * x0 + x1
        assert b * t + max(-t, mpq(0)) == target
    conjugate = (1 + root(5)) / 2
    assert conjugate != a
    assert conjugate * conjugate == conjugate + 1
    assert conjugate * conjugate + max(-conjugate, mpq(0)) != 1


@pytest.mark.parametrize("height", range(1, 6))
def test_towers_of_squares(height: int) -> None:
    value: mpq | AlgebraicNumber = root(2, 2**height)
    assert isinstance(value, AlgebraicNumber)
    assert value.degree == 2**height
    assert value ** (2**height) == 2
    for _ in range(height):
        value = value * value
    assert type(value) is mpq
    assert value == 2


@given(numbers, numbers)
@settings(max_examples=60)
def test_arithmetic_agrees_with_ball_arithmetic(one: Sample, two: Sample) -> None:
    a, b, x, y = one.exact, two.exact, one.approximate, two.approximate
    with flint.ctx.workprec(PRECISION):
        results = [(a + b, x + y), (a - b, x - y), (a * b, x * y), (abs(a), abs(x)), (-a, -x)]
        if b != 0:
            results.append((a / b, x / y))
    for exact, approximate in results:
        assert_close(exact, approximate)


@given(surds(), surds(), surds())
@settings(max_examples=40)
def test_field_axioms(one: Sample, two: Sample, three: Sample) -> None:
    a, b, c = one.exact, two.exact, three.exact
    assert a + b == b + a
    assert a * b == b * a
    assert (a + b) + c == a + (b + c)
    assert (a * b) * c == a * (b * c)
    assert a * (b + c) == a * b + a * c
    assert a - a == 0
    assert a + b - b == a
    if b != 0:
        assert a / b * b == a


@given(polynomial_roots(), st.integers(-4, 6))
@settings(max_examples=40)
def test_powers_are_repeated_products(sample: Sample, exponent: int) -> None:
    number = sample.exact
    assume(number != 0)
    product: mpq | AlgebraicNumber = mpq(1)
    for _ in range(abs(exponent)):
        product = product * number
    assert number**exponent == (product if exponent >= 0 else 1 / product)


@given(numbers, rationals)
@settings(max_examples=60)
def test_rational_operands_on_both_sides(sample: Sample, rational: mpq) -> None:
    number = sample.exact
    assume(isinstance(number, AlgebraicNumber))
    assert rational + number == number + rational
    assert rational - number == -(number - rational)
    assert rational * number == number * rational
    assert (rational / number) * number == rational
    if rational != 0:
        assert number / rational == number * (1 / rational)
    above = (number - rational).sign() > 0
    assert (rational < number, number > rational) == (above, above)
    assert (rational <= number) == (rational < number)
    assert (rational >= number) == (number < rational) == (number <= rational)
    assert rational != number
    assert number != rational
    assert mpz(3) + number == 3 + number == mpq(3) + number


def test_zero_divisors_and_foreign_types() -> None:
    sqrt2 = root(2)
    for zero in (0, mpq(0)):
        with pytest.raises(ZeroDivisionError):
            sqrt2 / zero
    assert 0 / sqrt2 == 0
    for act in (
        lambda: sqrt2 + 0.5,
        lambda: 0.5 * sqrt2,
        lambda: sqrt2 < 1.5,
        lambda: sqrt2 - "1",
        lambda: sqrt2 / None,
        lambda: sqrt2**0.5,
    ):
        with pytest.raises(TypeError):
            act()
    assert sqrt2 != 1.4142135623730951
    with pytest.raises(AttributeError):
        sqrt2.coefficients = (1, 2)


def test_a_degree_past_the_limit_is_a_typed_error() -> None:
    first, second = root(2, 64), root(3, 64)
    with pytest.raises(AlgebraicLimitError, match="4096") as caught:
        first * second
    assert isinstance(caught.value, ErmbitError)
    assert isinstance(caught.value, OverflowError)
    # A resultant past the limit of results is fine as long as the result itself is not.
    assert root(2, 32) * root(2, 16) == root(8, 32)


# --- order -----------------------------------------------------------------------------------


@given(numbers, numbers)
@settings(max_examples=100)
def test_order_agrees_with_ball_arithmetic(one: Sample, two: Sample) -> None:
    a, b = one.exact, two.exact
    with flint.ctx.workprec(PRECISION):
        below = bool(one.approximate < two.approximate)
        above = bool(one.approximate > two.approximate)
    # Numbers of this size that differ do so by much more than 2**-350.
    assert (a < b, a > b, a == b) == (below, above, not below and not above)
    assert (a <= b, a >= b, a != b) == (not above, not below, below or above)
    assert max(a, b) == (b if below else a)


def test_order_next_to_a_close_rational() -> None:
    # Convergents p/q of the square root of 2 are as close as 1 / (3 q**2).
    sqrt2, p, q = root(2), 1, 1
    for _ in range(300):
        p, q = p + 2 * q, p + q
        assert (sqrt2 < mpq(p, q)) == (p * p > 2 * q * q)
        assert (mpq(p, q) < sqrt2) == (p * p < 2 * q * q)


def test_close_sums_of_square_roots() -> None:
    # A difference of about 10^-9 between sums of three square roots.
    left = root(5) + root(6) + root(18)
    right = root(4) + root(12) + root(12)
    assert left != right
    assert (left < right) == (float(left) < float(right))
    nearly = root(10**12 + 1) + root(10**12 - 1)
    assert nearly < 2 * 10**6
    assert nearly > 2 * 10**6 - mpq(1, 10**17)


@given(numbers)
@settings(max_examples=60)
def test_floats_are_correctly_rounded(sample: Sample) -> None:
    number = sample.exact
    assume(isinstance(number, AlgebraicNumber))
    lo, hi = number.bounds(300)
    nearest = float(Fraction(int(lo.numerator), int(lo.denominator)))
    assert float(Fraction(int(hi.numerator), int(hi.denominator))) == nearest
    assert float(number) == nearest


def test_floats_of_extreme_numbers() -> None:
    assert float(root(2) / 10**400) == 0.0
    with pytest.raises(OverflowError):
        float(root(2) * 10**400)
