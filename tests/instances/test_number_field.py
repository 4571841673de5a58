"""One real number field: exact evaluation, order and conversion of its elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flint
import pytest
from gmpy2 import mpq, mpz
from hypothesis import given, settings
from hypothesis import strategies as st

from ermbit_instances.algebraic import AlgebraicLimitError, AlgebraicNumber, algebraic
from ermbit_instances.errors import InternalError
from ermbit_instances.field_element import FieldElement
from ermbit_instances.number_field import NumberField


def root(value: int, index: int = 2) -> mpq | AlgebraicNumber:
    """The positive ``index``-th root of a positive integer."""
    return algebraic([-value] + [0] * (index - 1) + [1], mpq(0), mpq(value + 1))


CUBIC = [algebraic([1, -3, 0, 1], mpq(lo), mpq(lo + 1)) for lo in (-2, 0, 1)]
"""The three real roots of x^3 - 3 x + 1, which generate the same cubic field."""

GENERATORS = [
    root(2),
    -root(2),
    root(3),
    root(8),
    (1 - root(5)) / 2,
    root(2, 4),
    root(3, 3) + mpq(1, 2),
    *CUBIC,
    mpq(2, 3),
]

small = st.builds(mpq, st.integers(-6, 6), st.integers(1, 4))


def test_the_field_of_rational_numbers() -> None:
    field = NumberField.containing([mpq(1, 2), 3])
    assert field.degree == 1
    half = field.element(mpq(1, 2))
    assert half.as_rational() == mpq(1, 2)
    assert (half + half).to_algebraic() == 1
    assert (half - 1).sign() == -1
    assert (half - mpq(1, 2)).sign() == 0
    assert 1 / half == 2
    assert half.bounds(10) == (mpq(1, 2), mpq(1, 2))


@pytest.mark.parametrize(
    "numbers, degree",
    [
        ([root(2)], 2),
        ([root(2), root(8), -root(2), root(2) + 1], 2),
        ([root(2), root(3)], 4),
        ([root(2), root(3), root(6)], 4),
        ([root(2), root(3), root(5), root(30)], 8),
        (CUBIC, 3),
        ([root(2, 3), root(2, 2)], 6),
        ([root(2, 2**k) for k in range(1, 6)], 32),
    ],
)
def test_the_degree_of_the_field(numbers: list[AlgebraicNumber], degree: int) -> None:
    field = NumberField.containing(numbers)
    assert field.degree == degree
    for number in numbers:
        element = field.element(number)
        assert element == number
        assert number == element
        assert element != number + 1
        lo, hi = element.bounds(80)
        assert hi - lo <= mpq(1, 2**80)
        assert lo < number < hi


def test_conjugates_are_told_apart() -> None:
    field = NumberField.containing(CUBIC)
    first, second, third = (field.element(number) for number in CUBIC)
    assert first < second < third
    assert first + second + third == 0
    assert first * second * third == -1
    assert [element.to_algebraic() for element in (first, second, third)] == CUBIC
    for element, other in ((first, CUBIC[1]), (second, CUBIC[2]), (third, CUBIC[0])):
        assert not element.equals_algebraic(other)


def test_a_wrong_expression_is_not_accepted() -> None:
    sqrt2 = root(2)
    assert isinstance(sqrt2, AlgebraicNumber)
    for polynomial in ([0, -1], [1, 1], [mpq(3, 2)]):
        entries = [flint.fmpq(int(mpq(c).numerator), int(mpq(c).denominator)) for c in polynomial]
        with pytest.raises(InternalError):
            NumberField(sqrt2, {sqrt2: flint.fmpq_poly(entries)})
    assert NumberField(sqrt2, {-sqrt2: flint.fmpq_poly([0, -1])}).element(-sqrt2) == -sqrt2


def test_numbers_outside_the_field_are_refused() -> None:
    field, other = NumberField.containing([root(2)]), NumberField.containing([root(3)])
    with pytest.raises(ValueError, match="generators"):
        field.element(root(3))
    with pytest.raises(ValueError, match="different"):
        field.element(1) + other.element(1)
    with pytest.raises(TypeError):
        field.element(1) + 0.5
    with pytest.raises(TypeError):
        max(field.element(1), 0.5)
    with pytest.raises(ZeroDivisionError):
        field.element(1) / field.element(0)
    with pytest.raises(AttributeError):
        field.element(1).polynomial = flint.fmpq_poly([2])


def test_the_degree_limit() -> None:
    with pytest.raises(AlgebraicLimitError, match="limit of 8"):
        NumberField.containing([root(2), root(3), root(5), root(7)], degree_limit=8)
    with pytest.raises(AlgebraicLimitError, match="limit of 256"):
        NumberField.containing([root(2, 300)])
    with pytest.raises(AlgebraicLimitError, match="limit of 1024"):
        NumberField.containing([root(2, 64), root(3, 64)])
    # The resultants on the way have degree 16, the field has degree 8.
    assert NumberField.containing([root(2, k) for k in (2, 4, 8)], degree_limit=8).degree == 8


def _network(a: Any, b: Any, zero: Any) -> list[Any]:
    """t = a x0 + x1, r = relu(-t), f = b t + r on the samples (1, 0) and (-1, 1)."""
    outputs = []
    for x0, x1 in ((1, 0), (-1, 1)):
        t = a * x0 + x1
        outputs.append(b * t + max(-t, zero))
    return outputs


def test_the_golden_ratio_fits_its_two_samples() -> None:
    a = (1 - root(5)) / 2
    field = NumberField.containing([a])
    assert _network(field.element(a), field.element(a), field.element(0)) == [1, -1]
    wrong = (1 + root(5)) / 2
    field = NumberField.containing([a, wrong])
    assert field.degree == 2
    assert _network(field.element(wrong), field.element(wrong), field.element(0)) != [1, -1]


def test_sum_of_square_roots_with_signs() -> None:
    values = {n: root(n) for n in (2, 8, 18, 32, 3, 5, 6)}
    field = NumberField.containing(values.values())
    r = {n: field.element(number) for n, number in values.items()}
    assert (r[2] + r[8] - r[18]).sign() == 0
    assert (r[2] + r[8] - r[18]).as_rational() == 0
    assert r[2] + r[32] == r[2] * 5
    assert (r[3] + r[5] - r[2] - r[6]).sign() == 1
    assert r[3] + r[5] - r[2] - r[6] < mpq(11, 100)
    assert (r[2] * r[3] - r[6]).sign() == 0
    assert (r[2] + r[3]).to_algebraic() == root(2) + root(3)


def test_signs_of_tiny_elements() -> None:
    field = NumberField.containing([root(2)])
    small_unit = (field.element(root(2)) - 1) ** 500
    assert small_unit.sign() == 1
    assert (-small_unit).sign() == -1
    assert small_unit < mpq(1, 2**600)
    assert float(small_unit) == pytest.approx((2**0.5 - 1) ** 500, rel=1e-9)
    assert small_unit ** (-1) * small_unit == 1


OPERATIONS: list[Callable[[Any, Any], Any]] = [
    lambda a, b: a + b,
    lambda a, b: a - b,
    lambda a, b: a * b,
    lambda a, b: max(a, b),
    lambda a, b: abs(a) - b,
]


@given(
    st.lists(st.sampled_from(GENERATORS), min_size=1, max_size=2),
    st.lists(st.tuples(st.sampled_from(OPERATIONS), st.integers(0, 1), small), max_size=4),
)
@settings(max_examples=60)
def test_field_arithmetic_agrees_with_resultants(
    generators: list[Any], steps: list[tuple[Callable[[Any, Any], Any], int, mpq]]
) -> None:
    field = NumberField.containing(generators)
    inside: Any = field.element(mpq(1))
    outside: Any = mpq(1)
    for operation, which, shift in steps:
        generator = generators[which % len(generators)]
        inside = operation(field.element(generator) + shift, inside)
        outside = operation(generator + shift, outside)
    assert inside.to_algebraic() == outside
    assert inside.sign() == (outside > 0) - (outside < 0)
    assert (inside.as_rational() is None) == isinstance(outside, AlgebraicNumber)
    assert float(inside) == float(outside)
    assert inside == outside


@given(
    st.lists(st.sampled_from(GENERATORS), min_size=2, max_size=3),
    st.lists(small, min_size=9, max_size=9),
)
@settings(max_examples=40)
def test_field_axioms(generators: list[Any], c: list[mpq]) -> None:
    field = NumberField.containing(generators)
    g = [field.element(number) for number in (generators * 2)[:3]]
    x, y, z = (c[k] + c[k + 1] * g[0] + c[k + 2] * g[1] * g[2] for k in (0, 3, 6))
    assert x + y == y + x
    assert (x * y) * z == x * (y * z)
    assert x * (y + z) == x * y + x * z
    assert x - x == 0
    assert not x - x
    if y != 0:
        assert x / y * y == x
        assert 1 / y == y**-1
    assert x * x * x == x**3
    assert (x < y) == (y > x) == (not x >= y)
    assert (x <= y) == (x < y or x == y)
    assert mpq(1, 2) - x == -(x - mpq(1, 2))
    assert mpz(2) * x == x * 2 == x + x
    assert isinstance(mpq(1, 2) + x, FieldElement)
