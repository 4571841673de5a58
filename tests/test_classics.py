"""Small facts that every version must reproduce, through the public interface."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import ermbit
from ermbit_instances.instance import parse_instance

LIBRARY = Path(__file__).resolve().parent.parent / "instances" / "library"
SECONDS = 120.0


def parity(bits: int, hidden: int, bound: int) -> Any:
    rows = [[(k >> i) & 1 for i in range(bits)] for k in range(2**bits)]
    return parse_instance(
        {
            "format": "ermbit-instance",
            "version": 1,
            "network": {
                "inputs": bits,
                "layers": [
                    {"units": hidden, "activation": "relu"},
                    {"units": 1, "activation": "identity"},
                ],
            },
            "weights": {"domain": "integer", "low": -bound, "high": bound},
            "data": {"x": rows, "y": [[sum(row) % 2] for row in rows]},
            "loss": {"name": "absolute"},
            "threshold": 0,
        }
    )


@pytest.mark.parametrize(
    ("bits", "hidden", "bound", "status"),
    [(2, 1, 2, "unsat"), (2, 2, 2, "sat"), (3, 2, 2, "unsat"), (3, 3, 3, "sat")],
    ids=["xor-1", "xor-2", "parity3-2", "parity3-3"],
)
def test_parity(bits: int, hidden: int, bound: int, status: str) -> None:
    answer = ermbit.solve(parity(bits, hidden, bound), timeout=SECONDS)
    assert answer.status == status, answer


def test_setosa_against_the_rest_is_separable() -> None:
    answer = ermbit.minimize(LIBRARY / "iris-setosa-int3.erm.json", timeout=SECONDS)
    assert (answer.status, answer.loss) == ("optimal", 0)


@pytest.mark.parametrize(
    ("name", "errors"),
    [("iris-versicolor-virginica-petals-3", 3), ("iris-versicolor-virginica-sepals-25", 25)],
)
def test_versicolor_against_virginica(name: str, errors: int) -> None:
    instance = ermbit.load(LIBRARY / f"{name}.erm.json")
    answer = ermbit.minimize(instance, timeout=SECONDS)
    assert answer.status == "optimal", answer
    share = instance.loss.reduction == "mean"
    assert answer.loss * (100 if share else 1) == errors
