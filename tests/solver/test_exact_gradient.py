"""Exact backpropagation in bulk, against the walk over samples in plain rationals."""

from __future__ import annotations

import itertools
import json
import random
from typing import Any

import numpy as np
import pytest
from gmpy2 import mpq
from hypothesis import given
from hypothesis import strategies as st

import random_instances
from ermbit import gradient
from ermbit.verifier import gradient as gradient_module
from ermbit.verifier.bulk import exact_gradient, exact_matrix
from ermbit.verifier.bulk.exact_gradient import BulkGradient, bulk_gradient
from ermbit.verifier.bulk.exact_matrix import Scaled
from ermbit.verifier.bulk.float_network import NotPiecewiseLinearError
from ermbit.verifier.bulk.limb_sums import (
    column_sums,
    equal_to,
    inner,
    masked,
    scaled_rows,
    scattered,
    total,
)
from ermbit.verifier.bulk.limbs import Integers
from ermbit.verifier.evaluation.arithmetic import EXACT
from ermbit.verifier.evaluation.risk import Kink, RiskGradient, risk_gradient
from ermbit_instances.certificate import parse_certificate
from ermbit_instances.instance import Instance, parse_instance
from limb_matrices import listed, packed
from piecewise_linear_cases import ACTIVATIONS, KINDS, PIECES, Block, instance_of, network_case

_PIECEWISE = [n for n in random_instances.ACTIVATIONS if n not in ("polynomial", "square")]


def equal(instance: Instance, slow: RiskGradient, found: BulkGradient) -> bool:
    """Loss, every partial derivative and every kink, in order."""
    count = instance.network.parameter_count
    assert len(found.partials) == count
    assert found.loss == slow.loss
    assert list(found.kinks) == list(slow.kinks)
    assert [found.partials[p] for p in range(count)] == [
        slow.partials.get(p, mpq(0)) for p in range(count)
    ]
    return any(slow.partials.values())


def random_case(seed: int) -> tuple[Instance, Any]:
    rng = random.Random(seed)
    document = random_instances.random_instance(
        rng,
        activation=rng.choice(_PIECEWISE),
        output_activation=rng.choice([*_PIECEWISE, "identity", "identity"]),
    )
    theta = random_instances.random_parameters(rng, document)
    instance = parse_instance(document)
    return instance, parse_certificate({k: str(v) for k, v in theta.items()}, instance).values


@pytest.mark.parametrize(("part", "floats"), [*itertools.product(range(8), [True]), (8, False)])
def test_documents_of_every_form(part: int, floats: bool, monkeypatch: Any) -> None:
    if not floats:
        monkeypatch.setattr(exact_gradient, "float64_behaves", lambda: False)
    slopes = kinks = 0
    for seed in range(50 * part, 50 * part + 50):
        instance, values = random_case(seed)
        slow = risk_gradient(instance, values, EXACT)
        slopes += equal(instance, slow, bulk_gradient(instance, values))
        kinks += bool(slow.kinks)
        with monkeypatch.context() as patch:
            # One sample a chunk.
            patch.setattr(exact_matrix, "CHUNK_BYTES", 1)
            equal(instance, slow, bulk_gradient(instance, values))
    assert slopes >= 10
    assert kinks >= 10


LOSSES = ("absolute", "squared", "hinge", "zero_one")


@pytest.mark.parametrize("kind", KINDS)
def test_floats_that_hurt(kind: str, monkeypatch: Any) -> None:
    """Cancellation, zeros, subnormal and huge numbers: every activation, loss and reduction."""
    monkeypatch.setattr(exact_matrix, "CHUNK_BYTES", 3000)
    reductions = itertools.cycle(("mean", "sum", "max"))
    for seed, (activation, name) in enumerate(
        zip(ACTIVATIONS, itertools.cycle(LOSSES), strict=False)
    ):
        rng = np.random.default_rng(seed)
        x, blocks = network_case(rng, kind, 12, (4, 5, 3, 3), [activation, PIECES, "identity"])
        y: Any = rng.standard_normal((12, 3))
        loss = {"name": name, "reduction": next(reductions)}
        if name in ("hinge", "zero_one"):
            y = rng.integers(0, 3, (12, 1))
        weights = None if seed % 2 else [mpq(k, 7) for k in range(12)]
        instance, values = instance_of(blocks, x, y, loss, weights=weights)
        equal(instance, risk_gradient(instance, values, EXACT), bulk_gradient(instance, values))


@pytest.mark.parametrize(("name", "reduction"), [("hinge", "mean"), ("squared", "sum")])
def test_a_network_of_single_precision(name: str, reduction: str) -> None:
    rng = np.random.default_rng(7)
    sizes, samples = (50, 20, 10, 3), 300
    x = rng.random((samples, sizes[0]), dtype=np.float32)
    blocks = []
    for fan_in, units in itertools.pairwise(sizes):
        w = (rng.standard_normal((units, fan_in)) / fan_in**0.5).astype(np.float32)
        b = (rng.standard_normal(units) / 10).astype(np.float32)
        blocks.append(Block(w.astype(float), b.astype(float), "relu" if units > 3 else "identity"))
    y = rng.integers(0, 3, (samples, 1)) if name == "hinge" else rng.random((samples, 3))
    instance, values = instance_of(blocks, x, y, {"name": name, "reduction": reduction})
    slow = risk_gradient(instance, values, EXACT)
    assert equal(instance, slow, bulk_gradient(instance, values))


def document(layers: list[dict[str, Any]], x: Any, y: Any, **loss: Any) -> dict[str, Any]:
    return {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": len(x[0]), "layers": layers},
        "weights": {"domain": "real"},
        "data": {"x": x, "y": y},
        "loss": {"name": "absolute", "reduction": "sum"} | loss,
    }


def test_a_layer_that_reads_several_earlier_ones() -> None:
    layers: list[dict[str, Any]] = [
        {"name": "a", "units": 2, "activation": "abs"},
        {"name": "b", "units": 2, "activation": {"name": "leaky_relu", "slope": "1/3"}},
        {
            "name": "c",
            "units": 2,
            "activation": "max",
            "from": ["b", "input", "a"],
            "weights": [[None, {"param": "s", "scale": "-2/3"}, 1, None, "1/2", {"param": "s"}]]
            * 2,
        },
        {"units": 1, "activation": "identity", "from": ["c", "a", "b"]},
    ]
    rng = random.Random(3)
    x = [[rng.randint(-9, 9), mpq(rng.randint(-9, 9), 5)] for _ in range(40)]
    rows = [[str(v) for v in row] for row in x]
    instance = parse_instance(document(layers, rows, [[k % 5] for k in range(40)]))
    values = [mpq(rng.randint(-9, 9), rng.randint(1, 6)) for _ in instance.network.parameters]
    slow = risk_gradient(instance, values, EXACT)
    assert equal(instance, slow, bulk_gradient(instance, values))


def test_at_zero_all_neurons_are_at_their_kinks() -> None:
    layers = [{"units": 3, "activation": "relu"}, {"units": 2, "activation": "identity"}]
    subject = parse_instance(document(layers, [[1], [2], [3]], [[0, 1], [1, 0], [0, 0]]))
    values = [mpq(0)] * subject.network.parameter_count
    found = bulk_gradient(subject, values)
    equal(subject, risk_gradient(subject, values, EXACT), found)
    what = "the pre-activation is exactly at a breakpoint of relu"
    zero = "a residual is zero"
    listed = list(found.kinks)
    assert len(listed) == len(found.kinks) == 13
    assert listed[:4] == [*(Kink(f"1.{j}", 0, what) for j in range(3)), Kink("loss", 0, zero)]
    assert listed[-2:] == [Kink("loss", 2, zero)] * 2
    assert found.kinks[-1] == listed[-1]
    assert found.kinks[2:9:3] == tuple(listed[2:9:3])
    with pytest.raises(IndexError):
        found.kinks[13]


def test_a_breakpoint_without_a_bend_is_no_kink() -> None:
    straight = {
        "name": "piecewise_linear",
        "breakpoints": [0, "1/2"],
        "slopes": [2, 2, 4],
        "intercepts": [0, 0, -1],
    }
    layers = [{"units": 1, "activation": straight, "bias": False}]
    subject = parse_instance(document(layers, [[0], ["1/2"], [1]], [[-1]] * 3))
    found = bulk_gradient(subject, [mpq(1)])
    equal(subject, risk_gradient(subject, [mpq(1)], EXACT), found)
    assert [k.sample for k in found.kinks] == [1]
    assert found.partials[0] == 6


def test_the_largest_loss_alone_has_slopes() -> None:
    subject = parse_instance(
        document([{"units": 1, "activation": "identity"}], [[1], [-3], [3]], [[0]] * 3)
        | {"loss": {"name": "absolute", "reduction": "max"}}
    )
    found = bulk_gradient(subject, [mpq(1), mpq(0)])
    assert (found.loss, found.partials[0], found.partials[1]) == (3, 3, -1)
    assert list(found.kinks) == [
        Kink("loss", -1, "the largest loss is attained by several samples")
    ]


def test_the_denominator_is_the_least_common_one() -> None:
    layers = [{"units": 1, "activation": "identity"}]
    subject = parse_instance(document(layers, [["1/6"], ["1/3"]], [[-9], [-9]], reduction="mean"))
    found = bulk_gradient(subject, [mpq(1, 7), mpq(2)])
    # ∂L/∂w = (1/6 + 1/3)/2 and ∂L/∂b = 1.
    assert found.denominator == 4
    assert found.numerators.tolist() == [1, 4]


def test_bits_are_those_of_the_scaled_integers() -> None:
    layers = [
        {"units": 1, "activation": "relu", "weights": [["1/8"]], "bias": False},
        {"units": 1, "activation": "identity", "bias": False},
    ]
    found = bulk_gradient(parse_instance(document(layers, [[100]], [[0]])), [mpq(3)])
    # 100/8, 300/8 over the denominator 8; the error signals are 1 and 3.
    assert [(b.pre_activation, b.output, b.error_signal) for b in found.bits] == [
        (7, 7, 2),
        (9, 9, 1),
    ]


def test_polynomial_networks_are_refused() -> None:
    subject = parse_instance(document([{"units": 1, "activation": "square"}], [[1]], [[0]]))
    with pytest.raises(NotPiecewiseLinearError):
        bulk_gradient(subject, [mpq(1), mpq(0)])


# --- through the question -------------------------------------------------------


@pytest.mark.parametrize("seed", range(0, 400, 10))
def test_both_ways_answer_alike(seed: int, monkeypatch: Any) -> None:
    instance, values = random_case(seed)
    names = [p.name for p in instance.network.parameters]
    theta = dict(zip(names, map(str, values), strict=True))
    options: dict[str, Any] = {"bit": (-3, 5), "numerator_bit": (1, 70), "leading_bits": 6}
    slow = gradient(instance, theta, **options)
    monkeypatch.setattr(gradient_module, "EXACT_WORK", 0)
    fast = gradient(instance, theta, **options)
    assert "bulk" in fast.method
    assert "bulk" not in slow.method
    assert fast.loss == slow.loss
    assert tuple(fast.kinks) == slow.kinks
    assert slow.denominator % fast.denominator == 0
    for a, b in zip(slow.partials, fast.partials, strict=True):
        assert (a.parameter, a.value, a.sign) == (b.parameter, b.value, b.sign)
        assert a.bits.value == b.bits.value
        assert (a.leading.position, a.leading.value) == (b.leading.position, b.leading.value)
        numerator = abs(b.value) * fast.denominator
        assert numerator.denominator == 1
        assert b.numerator_bits.value == (int(numerator) >> 1) % 2**70
    if names:
        single = gradient(instance, theta, parameter=names[-1], **options)
        assert single.partials == fast.partials[-1:]
        assert single.denominator == fast.denominator
        assert single.to_json()["numerator_bit"] == fast.partials[-1].numerator_bits.value
    plain, bulk = slow.to_json(), fast.to_json()
    for key in ("gradient", "signs", "loss", "differentiable", "kink_count", "kinks", "settled"):
        assert plain[key] == bulk[key]


def test_a_long_denominator_is_written_as_text(monkeypatch: Any) -> None:
    monkeypatch.setattr(gradient_module, "EXACT_WORK", 0)
    layers = [{"units": 1, "activation": "identity"}]
    third = f"1/{3**4000}"
    subject = parse_instance(document(layers * 4, [[third]] * 2, [[-1]] * 2))
    theta: dict[str, Any] = {f"b{k}[0]": 0 for k in range(1, 5)}
    theta |= {f"W{k}[0,0]": third for k in range(1, 5)}
    found = gradient(subject, theta)
    text = json.loads(json.dumps(found.to_json()))["denominator"]
    assert isinstance(text, str)
    assert mpq(text) == found.denominator == 3**16000


# --- matrices -------------------------------------------------------------------


@st.composite
def matrices(draw: Any, rows: int, columns: int) -> Any:
    shift = draw(st.sampled_from([0, 0, 1, 19, 20, 21, 60, 200, 950, 1000]))
    near = st.integers(-5, 5).map(lambda v: v << shift)
    cells = st.one_of(near, near.map(lambda v: v + 1), st.integers(-(2**45), 2**45))
    row = st.lists(cells, min_size=columns, max_size=columns)
    return draw(st.lists(row, min_size=rows, max_size=rows))


@given(matrices(3, 2), matrices(3, 2), st.data())
def test_operations_on_matrices(a: Any, b: Any, data: Any) -> None:
    cells = [v for row in a for v in row]
    value = data.draw(st.sampled_from(cells).flatmap(lambda v: st.integers(v - 1, v + 1)))
    assert equal_to(packed(a), value).tolist() == [[v == value for v in row] for row in a]
    mask = np.array(data.draw(st.lists(st.booleans(), min_size=6, max_size=6))).reshape(3, 2)
    assert listed(masked(packed(a), mask)) == (np.array(a, dtype=object) * mask).tolist()
    factors = data.draw(st.lists(st.integers(-(2**30), 2**30), min_size=3, max_size=3))
    scaled = [[v * f for v in row] for row, f in zip(a, factors, strict=True)]
    assert listed(scaled_rows(packed(a), factors)) == scaled
    assert listed(column_sums(packed(a))) == [[sum(row[k] for row in a) for k in range(2)]]
    assert inner(packed(a), packed(b)) == sum(
        p * q for r, s in zip(a, b, strict=True) for p, q in zip(r, s, strict=True)
    )


@given(st.lists(matrices(2, 2), min_size=1, max_size=4), st.data())
def test_sums_over_different_denominators(parts: Any, data: Any) -> None:
    units = data.draw(st.lists(st.integers(1, 40), min_size=len(parts), max_size=len(parts)))
    found = total([Scaled(packed(p), u) for p, u in zip(parts, units, strict=True)])
    expected = [
        [sum(mpq(p[i][k], u) for p, u in zip(parts, units, strict=True)) for k in range(2)]
        for i in range(2)
    ]
    assert [[mpq(v, found.denominator) for v in row] for row in listed(found.integers)] == expected


@given(matrices(2, 3), st.lists(st.integers(0, 4), min_size=3, max_size=3))
def test_columns_that_occur_several_times_add_up(rows: Any, columns: list[int]) -> None:
    expected = [
        [sum(v for v, k in zip(row, columns, strict=True) if k == at) for at in range(5)]
        for row in rows
    ]
    assert listed(scattered(packed(rows), np.array(columns), 5)) == expected


@pytest.mark.parametrize("value", [0, 1, -1, 5 << 20, -(5 << 20), (7 << 60) + 3, -(1 << 1000)])
def test_comparison_with_a_long_number(value: int) -> None:
    cells = [[value, value + 1], [value - (1 << 20), value + (1 << 40)]]
    assert equal_to(packed(cells), value).tolist() == [[True, False], [False, False]]


def test_inner_products_of_the_largest_limbs() -> None:
    top, count = 2**20 - 1, 2**23 + 2**20
    limbs = np.full((1, 1, count), top, dtype=np.int64)
    matrix = Integers(limbs, top, True)
    assert inner(matrix, matrix) == top * top * count
