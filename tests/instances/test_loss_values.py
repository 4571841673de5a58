"""Losses and reductions against the naive reference."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from gmpy2 import mpq
from hypothesis import given
from hypothesis import strategies as st

import reference
from ermbit_instances.errors import InputError
from ermbit_instances.instance import parse_instance
from ermbit_instances.json_node import Node
from ermbit_instances.loss import Loss, read_loss

numbers = st.fractions(min_value=-4, max_value=4, max_denominator=4)


def read(document: dict[str, Any]) -> Loss:
    return read_loss(Node(document, "$", None))


def exact(values: list[Fraction]) -> list[mpq]:
    return [mpq(Fraction(v).numerator, Fraction(v).denominator) for v in values]


@pytest.mark.parametrize("name", ["absolute", "squared"])
@given(data=st.data())
def test_regression(name: str, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, 3))
    f, y = (data.draw(st.lists(numbers, min_size=k, max_size=k)) for _ in range(2))
    expected = Fraction(reference.sample_loss({"name": name}, f, y))
    assert read({"name": name}).sample(exact(f), exact(y)) == exact([expected])[0]


@pytest.mark.parametrize("name", ["hinge", "zero_one"])
@given(data=st.data())
def test_classification(name: str, data: st.DataObject) -> None:
    k = data.draw(st.integers(1, 3))
    f = data.draw(st.lists(numbers, min_size=k, max_size=k))
    label = Fraction(data.draw(st.sampled_from([-1, 1] if k == 1 else list(range(k)))))
    document: dict[str, Any] = {"name": name}
    if name == "zero_one" and data.draw(st.booleans()):
        document["margin"] = data.draw(st.sampled_from([1, "1/2", "1/4", 3]))
    expected = Fraction(reference.sample_loss(document, f, [label]))
    assert read(document).sample(exact(f), exact([label])) == exact([expected])[0]


def test_ties_and_zero_are_wrong_without_a_margin() -> None:
    loss = read({"name": "zero_one"})
    assert loss.sample([mpq(0)], [mpq(1)]) == 1
    assert loss.sample([mpq(0)], [mpq(-1)]) == 1
    assert loss.sample([mpq(1), mpq(1)], [mpq(0)]) == 1
    with_margin = read({"name": "zero_one", "margin": 1})
    assert with_margin.sample([mpq(1)], [mpq(1)]) == 0
    assert with_margin.sample([mpq(2), mpq(1)], [mpq(0)]) == 0
    assert with_margin.sample([mpq(2), mpq("11/10")], [mpq(0)]) == 1


def test_reductions() -> None:
    losses, weights = [mpq(1), mpq(5), mpq(2)], (mpq(2), mpq(0), mpq(1, 2))
    assert read({"name": "absolute"}).reduce(losses, weights) == mpq(3) / mpq(5, 2)
    assert read({"name": "absolute", "reduction": "sum"}).reduce(losses, weights) == 3
    assert read({"name": "absolute", "reduction": "max"}).reduce(losses, weights) == 2


def test_the_default_is_the_mean_and_is_written_out() -> None:
    assert read({"name": "hinge"}).canonical() == {"name": "hinge", "reduction": "mean"}


@pytest.mark.parametrize(
    "document",
    [
        {"name": "mse"},
        {"name": "absolute", "reduction": "median"},
        {"name": "absolute", "margin": 1},
        {"name": "hinge", "margin": 1},
        {"name": "zero_one", "margin": 0},
        {"name": "zero_one", "margin": -1},
        {"name": "zero_one", "weight": 1},
        {},
    ],
)
def test_what_is_no_loss(document: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        read(document)


@pytest.mark.parametrize("label", [2, "1/2", "1e400"])
def test_a_label_outside_the_set_is_named_in_a_short_line(label: Any) -> None:
    document = {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": 1, "layers": [{"units": 1, "activation": "identity"}]},
        "weights": {"domain": "real"},
        "data": {"x": [[1], [2]], "y": [[1], [label]]},
        "loss": {"name": "hinge"},
    }
    with pytest.raises(InputError) as caught:
        parse_instance(document)
    line = str(caught.value)
    assert "$.data.y[1]: label" in line
    assert "need -1 or 1" in line
    assert len(line) < 160
