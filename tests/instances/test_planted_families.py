"""Families near_teacher, interpolation and halfspaces: known answers against engines and bounds."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import product
from typing import Any

import pytest
from gmpy2 import mpq
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_checks import check_certificate, decide, least
from ermbit_instances.certificate import parse_certificate
from ermbit_instances.families import FamilyError, generate
from ermbit_instances.families.contradictions import lower_bound
from ermbit_instances.families.family import Generated
from ermbit_instances.families.halfspaces import least_errors
from ermbit_instances.families.interpolation import free_parameters
from ermbit_instances.families.labelling import reduce, sample_loss
from ermbit_instances.families.layered import architecture
from ermbit_instances.instance import parse_instance


def check_known(generated: Generated, *engines: str) -> str:
    """The status is what engines say; a certificate is within the threshold.

    ``unknown`` is never false, so it is for the caller to say where it may occur.
    """
    document, meta = generated.document, generated.document["meta"]
    threshold = Fraction(document["threshold"])
    assert (generated.certificate is not None) == (meta["status"] == "sat")
    if generated.certificate is not None:
        values = parse_certificate(generated.certificate, parse_instance(document)).values
        check_certificate(document, tuple(values), threshold)
    for engine in engines:
        outcome = decide(engine, document, threshold)
        assert outcome.status != "unknown", outcome.reason
        assert meta["status"] in (outcome.status, "unknown")
    return str(meta["status"])


# --- contradictions ------------------------------------------------------------------------------

SMALL = st.integers(-3, 3).map(mpq)


def data(classification: bool, outputs: int) -> st.SearchStrategy[Any]:
    if classification:
        labels = (-1, 1) if outputs == 1 else tuple(range(outputs))
        y = st.sampled_from(labels).map(lambda label: [mpq(label)])
    else:
        y = st.lists(SMALL, min_size=outputs, max_size=outputs)
    x = st.integers(0, 1).map(lambda v: [mpq(v)])
    return st.lists(st.tuples(x, y), min_size=1, max_size=6)


@settings(max_examples=150)
@given(st.data())
def test_no_outputs_have_less_than_the_bound(draw: st.DataObject) -> None:
    """Outputs of one x are free here: the least over a grid that holds the optima of one group."""
    loss = draw.draw(st.sampled_from(("absolute", "squared", "zero_one", "hinge")))
    reduction = draw.draw(st.sampled_from(("sum", "mean", "max")))
    outputs = draw.draw(st.integers(1, 3)) if loss in ("zero_one", "hinge") else 1
    samples = draw.draw(data(loss in ("zero_one", "hinge"), outputs))
    bound = lower_bound(samples, loss, reduction)
    grid = [mpq(k, 2) for k in range(-6, 7)] if outputs == 1 else [mpq(k, 2) for k in range(-2, 3)]
    means = {sum((y[0] for x, y in samples if x[0] == v), mpq(0)) /
             max(1, sum(x[0] == v for x, _ in samples)) for v in (0, 1)}  # fmt: skip
    choices = list(product(sorted({*grid, *means}), repeat=outputs))

    def best(value: int) -> Any:
        group = [y for x, y in samples if x[0] == value]
        losses = [[sample_loss(loss, f, y) for y in group] for f in choices]
        return min((max(row) if reduction == "max" else sum(row) for row in losses), default=0)

    parts = [best(value) for value in (0, 1) if any(x[0] == value for x, _ in samples)]
    found = max(parts) if reduction == "max" else sum(parts) / (
        len(samples) if reduction == "mean" else 1
    )  # fmt: skip
    assert bound <= found
    if outputs == 1:
        assert bound == found


# --- near_teacher --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["flipped", "contradicted"])
@pytest.mark.parametrize("loss", ["absolute", "squared", "zero_one", "hinge"])
@pytest.mark.parametrize("factor", ["1", "9/10", "1/5"])
def test_near_teacher(kind: str, loss: str, factor: str) -> None:
    for seed in range(2):
        generated = generate(
            "near_teacher", seed, kind=kind, loss=loss, factor=factor, inputs=1, hidden=2,
            domain="ternary", samples=6, data_low=-2, data_high=2,
        )  # fmt: skip
        status = check_known(generated, "exhaustive")
        document, meta = generated.document, generated.document["meta"]
        rows = zip(document["data"]["x"], document["data"]["y"], strict=True)
        samples = [([mpq(v) for v in x], [mpq(v) for v in y]) for x, y in rows]
        bound, planted = lower_bound(samples, loss, "mean"), Fraction(meta["planted_loss"])
        assert Fraction(meta["lower_bound"]) == bound
        ended, found = least("exhaustive", document)
        assert ended == "optimal" and bound <= found <= planted
        assert meta.get("minimum") == (meta["lower_bound"] if bound == planted else None)
        threshold = Fraction(document["threshold"])
        assert threshold == Fraction(factor) * planted
        expected = "sat" if threshold >= planted else "unsat" if threshold < bound else "unknown"
        assert status == expected
        if kind == "contradicted" and loss in ("absolute", "zero_one") and factor != "1":
            assert status == "unsat"


def test_near_teacher_without_wrong_labels_is_a_teacher() -> None:
    meta = generate("near_teacher", wrong=0, factor=0).document["meta"]
    assert (meta["status"], meta["minimum"], meta["planted_loss"]) == ("sat", 0, 0)


@given(st.integers(0, 200), st.integers(0, 4))
def test_contradictions_are_copies(seed: int, wrong: int) -> None:
    document = generate(
        "near_teacher", seed, kind="contradicted", wrong=wrong, loss="zero_one", outputs=3,
        reduction="sum",
    ).document  # fmt: skip
    assert len(document["data"]["x"]) == 8
    assert document["meta"]["minimum"] == document["threshold"] == wrong


# --- interpolation -------------------------------------------------------------------------------


@pytest.mark.parametrize("hidden, samples, status", [
    ("2", 3, "sat"), ("none", 3, "sat"), ("none", 4, "unsat"), ("3", 9, "unknown"),
    ("5-4", 5, "sat"),
])  # fmt: skip
def test_interpolation(hidden: str, samples: int, status: str) -> None:
    for seed in range(3):
        generated = generate("interpolation", seed, hidden=hidden, samples=samples)
        engines = ("smt",) if hidden == "none" else ()
        assert check_known(generated, *engines) == status


@pytest.mark.parametrize("activation", ["relu", "abs", "step", "sign", "clip:-4:4", "max"])
def test_interpolation_by_any_activation(activation: str) -> None:
    generated = generate(
        "interpolation", 1, activation=activation, hidden=24, samples=5, outputs=2,
        data_denominator=4, label_denominator=9, loss="squared", bias="yes",
    )  # fmt: skip
    assert check_known(generated) == "sat"


def test_interpolation_of_contradictions_is_impossible() -> None:
    generated = generate("interpolation", samples=9, data_low=0, data_high=1)
    assert check_known(generated, "smt") == "unsat"


def test_interpolation_in_a_finite_domain_is_not_known() -> None:
    generated = generate("interpolation", inputs=1, samples=3, domain="ternary", label_high=0)
    assert check_known(generated, "exhaustive") == "unknown"


@given(st.integers(1, 4), st.text("123", max_size=3), st.integers(1, 3), st.booleans())
def test_free_parameters_are_counted(inputs: int, widths: str, outputs: int, bias: bool) -> None:
    shape = architecture(inputs, "-".join(widths) or "none", "relu", outputs, bias)
    document = {
        **generate("interpolation").document, "network": shape.document(),
        "data": {"x": [[0] * inputs], "y": [[0] * outputs]},
    }  # fmt: skip
    assert free_parameters(shape) == parse_instance(document).network.parameter_count


# --- halfspaces ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels, bias, known",
    [
        ("planted", "yes", (4, 1)),
        ("planted", "no", (4, 5)),
        ("random", "yes", (1, 2)),
        ("random", "no", (0, 9)),
    ],
)
def test_halfspaces(labels: str, bias: str, known: tuple[int, int]) -> None:
    """``known`` of the 12 are sat and unsat by the hidden halfspace, or by opposite samples."""
    seen = Counter[str]()
    for seed, threshold in product(range(4), ("0", "1", "3")):
        generated = generate(
            "halfspaces", seed, labels=labels, bias=bias, inputs=2, samples=10, data_low=-2,
            data_high=2, threshold=threshold,
        )  # fmt: skip
        status = check_known(generated, "smt")
        assert status == "sat" or labels == "random" or threshold != "3", "two labels are turned"
        seen[status] += 1
    assert (seen["sat"], seen["unsat"]) == known


@pytest.mark.parametrize("reduction", ["sum", "mean", "max"])
def test_planted_halfspaces_are_reached(reduction: str) -> None:
    generated = generate("halfspaces", 2, reduction=reduction, domain="int:-9:9", inputs=5)
    assert check_known(generated) == "sat"


@given(
    st.lists(
        st.tuples(st.integers(-2, 2), st.integers(-2, 2), st.sampled_from((-1, 1))),
        min_size=1, max_size=8,
    ),
    st.booleans(),
)  # fmt: skip
def test_every_halfspace_makes_so_many_errors(points: list[Any], bias: bool) -> None:
    samples = [([mpq(a), mpq(b)], [mpq(y)]) for a, b, y in points]
    bound = least_errors(samples, bias)
    offsets = range(-3, 4) if bias else (0,)
    fewest = min(
        sum(y * (u * a + v * b + c) <= 0 for a, b, y in points)
        for u, v, c in product(range(-3, 4), range(-3, 4), offsets)
    )
    assert bound <= fewest
    zero_one = reduce([mpq(i < bound) for i in range(len(points))], "sum")
    assert zero_one == bound
    if bias:
        assert bound >= lower_bound(samples, "zero_one", "sum")


@pytest.mark.parametrize(
    "family, parameters, message",
    [
        ("near_teacher", {"wrong": 9}, "parameter wrong"),
        ("near_teacher", {"wrong": 5, "kind": "contradicted"}, "parameter wrong"),
        ("near_teacher", {"factor": "-1"}, "parameter factor"),
        ("near_teacher", {"data_low": 4}, "data_low: greater than data_high"),
        ("interpolation", {"label_low": 10}, "label_low: greater than label_high"),
        ("interpolation", {"data_denominator": 0}, "data_denominator"),
        ("halfspaces", {"flipped": 21}, "parameter flipped"),
        ("halfspaces", {"threshold": "few"}, "parameter threshold"),
        ("halfspaces", {"threshold": "-1"}, "negative threshold"),
        ("halfspaces", {"labels": "random"}, "random labels need a number"),
    ],
)
def test_illegal_requests(family: str, parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(FamilyError, match=message) as caught:
        generate(family, **parameters)
    assert "\n" not in str(caught.value)
