"""Exact evaluation in bulk: integer matrices in limbs, and whole networks against the reference."""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np
import pytest
from gmpy2 import mpq
from hypothesis import given
from hypothesis import strategies as st

import random_instances
import reference
from decision_checks import check_what_no_float_holds
from ermbit.verifier.bulk import exact_matrix, filtered
from ermbit.verifier.bulk.exact_matrix import Bits, evaluate_rows, exact_layers
from ermbit.verifier.bulk.filtered import filtered_loss
from ermbit.verifier.bulk.float_network import float_network
from ermbit.verifier.bulk.limbs import (
    Integers,
    affine,
    at_least,
    elementwise,
    from_floats,
    from_list,
    from_machine,
    product,
    row_maximum,
    select,
    tight,
    to_objects,
)
from ermbit_instances.certificate import parse_certificate
from ermbit_instances.instance import parse_instance
from limb_matrices import listed, packed
from piecewise_linear_cases import (
    ACTIVATIONS,
    KINDS,
    POLYNOMIALS,
    instance_of,
    naive_outputs,
    network_case,
)

# --- integers in limbs ---------------------------------------------------------

_LARGE = st.integers(0, 1200).flatmap(lambda bits: st.integers(-(1 << bits), 1 << bits))
_SIZES = st.one_of(st.integers(-3, 3), _LARGE, st.integers(-(2**62), 2**62))


@st.composite
def matrices(draw: Any, rows: int | None = None, columns: int | None = None) -> Any:
    """A list of rows, most of whose entries have similar sizes."""
    height = draw(st.integers(1, 4)) if rows is None else rows
    width = draw(st.integers(1, 4)) if columns is None else columns
    shift = draw(st.sampled_from([0, 0, 1, 19, 20, 21, 60, 61, 200, 950, 1000]))
    cells = st.one_of(_SIZES, st.integers(-5, 5).map(lambda v: v << shift))
    row = st.lists(cells, min_size=width, max_size=width)
    return draw(st.lists(row, min_size=height, max_size=height))


@given(st.data(), st.booleans())
def test_products(data: Any, floats: bool) -> None:
    a = data.draw(matrices())
    w = data.draw(matrices(columns=len(a[0])))
    row_sum = max(sum(map(abs, row)) for row in w)
    expected = [[sum(p * q for p, q in zip(r, s, strict=True)) for s in w] for r in a]
    assert listed(product(packed(a), packed(w), row_sum, floats=floats)) == expected


@pytest.mark.parametrize("floats", [True, False])
@pytest.mark.parametrize("bits", [20, 40, 60, 200, 1000])
def test_products_with_the_largest_limbs(bits: int, floats: bool) -> None:
    # All limbs at their ends, and sums of more than 2^13 products.
    fan_in = 3 * 2**13 + 5 if bits < 100 else 50
    top = (1 << bits) - 1
    a = from_list([top] * fan_in + [-top] * fan_in, (2, fan_in))
    w = from_list([top] * fan_in, (1, fan_in))
    assert listed(product(a, w, top * fan_in, floats=floats)) == [
        [top * top * fan_in],
        [-top * top * fan_in],
    ]


@given(matrices(), _SIZES, st.data())
def test_affine_maps(rows: Any, factor: int, data: Any) -> None:
    width = data.draw(st.sampled_from([1, len(rows[0])]))
    offsets = data.draw(st.lists(_SIZES, min_size=width, max_size=width))
    shifts = offsets * len(rows[0]) if width == 1 else offsets
    expected = [[factor * v + c for v, c in zip(row, shifts, strict=False)] for row in rows]
    assert listed(affine(packed(rows), factor, offsets)) == expected


@given(matrices(), st.data())
def test_comparisons(rows: Any, data: Any) -> None:
    cells = [v for row in rows for v in row]
    near = st.sampled_from(cells).flatmap(lambda v: st.integers(v - 1, v + 1))
    threshold = data.draw(st.one_of(near, st.just(0), _SIZES))
    found = at_least(packed(rows), threshold)
    assert found.dtype == bool
    assert found.tolist() == [[v >= threshold for v in row] for row in rows]


@given(st.data())
def test_selection(data: Any) -> None:
    yes = data.draw(matrices())
    no = data.draw(matrices(len(yes), len(yes[0])))
    mask = [
        [(a + b) % 2 == 0 for a, b in zip(r, s, strict=True)] for r, s in zip(yes, no, strict=True)
    ]
    expected = [
        [a if m else b for a, b, m in zip(*rows, strict=True)]
        for rows in zip(yes, no, mask, strict=True)
    ]
    assert listed(select(np.array(mask), packed(yes), packed(no))) == expected


@given(st.data())
def test_row_maxima(data: Any) -> None:
    a = data.draw(matrices())
    w = data.draw(matrices(1, len(a[0])))
    expected = [[max(p * q for p, q in zip(row, w[0], strict=True))] for row in a]
    assert listed(row_maximum(packed(a), packed(w))) == expected


@given(st.data())
def test_products_of_entries(data: Any) -> None:
    a = data.draw(matrices())
    rows = data.draw(st.sampled_from([1, len(a)]))
    b = data.draw(matrices(rows, len(a[0])))
    expected = [[p * q for p, q in zip(row, b[i % rows], strict=True)] for i, row in enumerate(a)]
    assert listed(elementwise(packed(a), packed(b))) == expected


@pytest.mark.parametrize("bits", [20, 480, 960, 2000])
def test_products_of_the_largest_entries(bits: int) -> None:
    top = (1 << bits) - 1
    a, b = from_list([top, -top, top], (1, 3)), from_list([top, top, -1], (1, 3))
    assert listed(elementwise(a, b)) == [[top * top, -top * top, -top]]


@given(matrices())
def test_tight_bounds_have_the_right_number_of_bits(rows: Any) -> None:
    most = max(abs(v) for row in rows for v in row)
    loose = packed(rows)
    loose = tight(affine(Integers(loose.limbs, loose.bound, True), 1, [0]))
    assert listed(loose) == rows
    assert loose.bound.bit_length() == most.bit_length()


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=6))
def test_floats_become_integers(terms: list[float]) -> None:
    grid = max((mpq(t).denominator for t in terms), default=1)
    found = from_floats(np.array([terms]), 1 - int(grid).bit_length())
    assert listed(found) == [[int(mpq(t) * grid) for t in terms]]


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int64", "uint64", "bool"])
def test_machine_integers(dtype: str) -> None:
    if dtype == "bool":
        values = np.array([[True, False]])
    else:
        info = np.iinfo(dtype)
        values = np.array([[info.min, info.max, 0, 1]], dtype=dtype)
    assert listed(from_machine(values)) == [[int(v) for v in values[0].tolist()]]


# --- networks ------------------------------------------------------------------


def exact_outputs(instance: Any, values: Any, *, floats: bool) -> tuple[list[list[Any]], Bits]:
    network = float_network(instance.network, values, polynomials=True)
    bits = Bits()
    found: list[list[Any]] = []
    order: list[int] = []
    for chunk, outputs in evaluate_rows(
        network,
        exact_layers(network, values),
        instance.data.x,
        range(len(instance.data)),
        floats=floats,
        bits=bits,
    ):
        order += chunk
        rows = to_objects(outputs.integers).tolist()
        found += [[mpq(v, outputs.denominator) for v in row] for row in rows]
    assert order == list(range(len(instance.data)))
    return found, bits


@pytest.mark.parametrize("floats", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_bulk_evaluation_is_exact(kind: str, floats: bool) -> None:
    for seed, activation in enumerate(ACTIVATIONS):
        rng = np.random.default_rng(seed)
        x, blocks = network_case(rng, kind, 40, (5, 6, 4, 2), [activation, activation, "identity"])
        instance, values = instance_of(blocks, x, np.zeros((40, 2)))
        assert exact_outputs(instance, values, floats=floats)[0] == naive_outputs(blocks, x)


@pytest.mark.parametrize("floats", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_polynomials_in_bulk_are_exact(kind: str, floats: bool) -> None:
    for seed, activation in enumerate(POLYNOMIALS):
        rng = np.random.default_rng(seed)
        x, blocks = network_case(rng, kind, 12, (4, 5, 3, 2), [activation, "relu", "square"])
        instance, values = instance_of(blocks, x, np.zeros((12, 2)))
        assert exact_outputs(instance, values, floats=floats)[0] == naive_outputs(blocks, x)


def test_scales_of_polynomials_are_no_finer_than_needed() -> None:
    layer = {"units": 1, "activation": "square", "weights": [["1/8"]], "bias": False}
    document = {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": 1, "layers": [layer]},
        "data": {"x": [[100], [-5]], "y": [[0], [0]]},
        "loss": {"name": "absolute"},
    }
    bits = exact_outputs(parse_instance(document), (), floats=True)[1]
    # 100 over 8, then 10000 over 64.
    assert [(b.pre_activation, b.output) for b in bits.layers] == [(7, 14)]
    layer["activation"] = {"name": "polynomial", "coefficients": [0, -2, 16]}
    # 9900 over 4, and not 158400 over 64.
    found = exact_outputs(parse_instance(document), (), floats=True)[1]
    assert [(b.pre_activation, b.output) for b in found.layers] == [(7, 14)]


@pytest.mark.parametrize("dtype", ["float16", "float32", "int64", "uint64", "uint8", "bool"])
def test_input_types(dtype: str) -> None:
    rng = np.random.default_rng(4)
    x, blocks = network_case(rng, "plain", 20, (3, 4, 2), ["relu", "identity"])
    if dtype in ("int64", "uint64"):
        x = rng.integers(2**62, 2**63, x.shape)  # past 2^53: no float64 holds them
    x = (x > 0) if dtype == "bool" else np.abs(x).astype(dtype)
    instance, values = instance_of(blocks, x, np.zeros((20, 2)))
    truth = naive_outputs(blocks, x)
    assert exact_outputs(instance, values, floats=True)[0] == truth
    loss = sum((abs(v) for row in truth for v in row), mpq(0))
    found = filtered_loss(instance.with_threshold(loss), values, exact=False)
    assert found.above is False
    assert found.low <= loss <= found.high


def test_small_chunks_give_the_same(monkeypatch: Any) -> None:
    rng = np.random.default_rng(1)
    x, blocks = network_case(rng, "single", 30, (4, 5, 2), ["relu", "identity"])
    instance, values = instance_of(blocks, x, np.zeros((30, 2)))
    monkeypatch.setattr(exact_matrix, "CHUNK_BYTES", 3000)
    assert exact_outputs(instance, values, floats=True)[0] == naive_outputs(blocks, x)


def test_reported_bits_are_those_of_the_scaled_integers() -> None:
    document = {
        "format": "ermbit-instance",
        "version": 1,
        "network": {
            "inputs": 1,
            "layers": [
                {"units": 1, "activation": "relu", "weights": [["1/8"]], "bias": False},
                {"units": 1, "activation": "step", "weights": [[-3]], "bias": False},
            ],
        },
        "data": {"x": [[100], [-5]], "y": [[0], [0]]},
        "loss": {"name": "absolute"},
    }
    bits = exact_outputs(parse_instance(document), (), floats=True)[1]
    # 100/8 and −300/8 over the denominator 8; then 0 and 1 over 1.
    assert [(b.layer, b.pre_activation, b.output) for b in bits.layers] == [(1, 7, 7), (2, 9, 1)]


_POLYNOMIAL = ["polynomial", "square"]
_PIECEWISE = [n for n in random_instances.ACTIVATIONS if n not in _POLYNOMIAL]


@pytest.mark.parametrize(
    ("part", "floats", "polynomial"),
    [
        *itertools.product(range(6), [True], [False]),
        (6, False, False),
        (7, False, False),
        *itertools.product(range(8, 12), [True], [True]),
        (12, False, True),
    ],
)
def test_documents_of_every_form_agree_with_the_reference(
    part: int, floats: bool, polynomial: bool, monkeypatch: Any
) -> None:
    if not floats:
        monkeypatch.setattr(filtered, "float64_behaves", lambda: False)
    for seed in range(40 * part, 40 * part + 40):
        rng = random.Random(seed)
        document = random_instances.random_instance(
            rng,
            activation=rng.choice(_POLYNOMIAL if polynomial else _PIECEWISE),
            output_activation=rng.choice(
                [*_PIECEWISE, *_POLYNOMIAL * polynomial, "identity", "identity"]
            ),
        )
        theta = random_instances.random_parameters(rng, document)
        loss = reference.loss(document, theta)
        truth = mpq(loss.numerator, loss.denominator)
        instance = parse_instance(document)
        values = parse_certificate({k: str(v) for k, v in theta.items()}, instance).values
        found = exact_outputs(instance, values, floats=floats)[0]
        assert found == reference.outputs(document, theta)
        for nudge in (0, mpq(1, 10**30), -mpq(1, 10**30)):
            verdict = filtered_loss(
                instance.with_threshold(truth + nudge), values, exact=bool(seed % 2)
            )
            assert verdict.above is (nudge < 0)
            assert verdict.low <= truth <= verdict.high
            assert verdict.loss in (None, truth)
        assert filtered_loss(instance, values, exact=True).loss == truth
        plain = filtered_loss(instance.with_threshold(None), values, exact=False)
        assert plain.above is None
        assert plain.low <= truth <= plain.high


def test_parameters_that_no_float_holds() -> None:
    check_what_no_float_holds("relu", "identity", [["1/3", 2], [10**400, 1]], [[1], [2]])
