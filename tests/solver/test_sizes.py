"""Sizes of numbers from float arrays: the same bounds as from rationals, without conversion."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from gmpy2 import mpq
from hypothesis import given
from hypothesis import strategies as st

from ermbit.verifier import exact_loss
from ermbit.verifier.evaluation.growth import output_bits
from ermbit.verifier.evaluation.sizes import Size, column_sizes, parameter_sizes, size_of
from ermbit_instances.dataset import Dataset
from ermbit_instances.instance import Instance
from ermbit_instances.parameter_vector import ParameterVector
from ermbit_instances.table import Table
from piecewise_linear_cases import (
    ACTIVATIONS,
    KINDS,
    POLYNOMIALS,
    instance_of,
    network_case,
    numbers,
)

_FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(_FLOATS, min_size=1, max_size=8))
def test_sizes_of_floats_are_those_of_rationals(terms: list[float]) -> None:
    sizes, denominators = parameter_sizes(ParameterVector(np.array(terms)))
    assert list(sizes) == [size_of(mpq(t)) for t in terms]
    assert max(denominators) == max(mpq(t).denominator for t in terms)
    assert parameter_sizes([mpq(t) for t in terms])[0] == list(sizes)


def rational_twin(instance: Instance) -> Instance:
    data = instance.data
    return replace(instance, data=Dataset(Table(data.x.rows), data.y, data.sample_weights))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "int64", "uint8", "bool"])
@pytest.mark.parametrize("kind", KINDS)
def test_columns(dtype: str, kind: str) -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        # More rows than are looked at together, and columns of different sizes.
        cells = numbers(rng, kind, (600, 4)) * [1, 1, 0, 2]
        cells[:, 1] = np.trunc(cells[:, 1])
        if dtype in ("uint8", "bool"):
            x = (np.abs(cells) > 0.5).astype(dtype) * rng.integers(0, 2, 4).astype(dtype)
        else:
            limit = 2.0**62 if dtype == "int64" else float(np.finfo(dtype).max)
            x = np.clip(cells, -limit, limit).astype(dtype)
        columns, denominators = column_sizes(Table(array=x))
        table = Table(array=x)
        expected, every = column_sizes(Table(table.rows))
        assert columns == expected
        assert max(denominators) == max(every)


@pytest.mark.parametrize("kind", KINDS)
def test_bounds_from_arrays_are_those_from_rationals(kind: str) -> None:
    for seed, activation in enumerate((*POLYNOMIALS, *ACTIVATIONS)):
        rng = np.random.default_rng(seed)
        x, blocks = network_case(rng, kind, 12, (4, 5, 3, 2), [activation, "square", "identity"])
        x = x.astype(np.float32) if kind == "single" else x
        instance, values = instance_of(blocks, x, np.zeros((12, 2)))
        bound = output_bits(instance, values)
        assert "rows" not in instance.data.x.__dict__, "the data have been converted"
        slow = output_bits(rational_twin(instance), tuple(values))
        # Of many long powers of two the least common multiple is not formed for rationals.
        assert bound == slow or kind in ("spread", "huge", "subnormal")
        assert bound <= slow
        if kind not in ("spread", "huge", "subnormal") or seed < 1:
            trace: Any = exact_loss(instance, values)[1]
            assert all(max(b.pre_activation, b.output) <= bound for b in trace.layers)


def test_sizes_past_machine_integers() -> None:
    rng = np.random.default_rng(1)
    activation = {"name": "polynomial", "coefficients": [0] * 64 + [1]}
    x, blocks = network_case(rng, "plain", 3, (2, *[2] * 12), [activation] * 12)
    instance, values = instance_of(blocks, x, np.zeros((3, 2)))
    # Twelve times degree 64 is 2^72.
    assert output_bits(instance, values) == 2**64
    assert output_bits(rational_twin(instance), tuple(values)) == 2**64


def test_products_and_powers_of_sizes() -> None:
    assert Size(1, 3) * Size(2, 0) == Size(3, 3)
    assert Size(1, 3).power(5) == Size(5, 15)
    assert Size(2**63, 1).power(3) == Size(2**64, 3)
