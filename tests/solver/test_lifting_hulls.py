"""What the outputs of polynomial networks can be: hulls, ranks, lattices."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Sequence
from typing import Any

from gmpy2 import mpq

from engine_checks import least, problem_of
from ermbit.engines.engine import Budget, ignore
from ermbit.engines.lifting.hull import network_hulls
from ermbit.engines.lifting.lattice import is_missed
from ermbit.engines.lifting.linear import coordinates, rank
from ermbit.engines.lifting.outer import best_choice, evaluated, read_outer_weights, span
from ermbit.engines.registry import engine
from polynomial_networks import CUBIC, MIXED, SHIFTED, SQUARE, answer, document, is_complete


def monomials(rows: Sequence[Sequence[int]], degree: int, least_degree: int = 0) -> int:
    """The rank of all monomials of these degrees on the data."""
    columns = []
    for total in range(least_degree, degree + 1):
        for chosen in itertools.combinations_with_replacement(range(len(rows[0])), total):
            column = []
            for row in rows:
                value = 1
                for k in chosen:
                    value *= row[k]
                column.append(value)
            columns.append(tuple(column))
    return rank(columns)


def test_ranks_of_units_are_those_of_the_monomials() -> None:
    rng = random.Random(4)
    for _ in range(60):
        d, degree = rng.randint(1, 2), rng.randint(2, 3)
        rows = [[rng.randint(-2, 2) for _ in range(d)] for _ in range(rng.randint(1, 9))]
        bias = rng.random() < 0.5
        power = {"name": "polynomial", "coefficients": [0] * degree + [1]}
        doc = document(rows, [0] * len(rows), 12, activation=power, bias=bias)
        network = problem_of(doc).instance.network
        inputs = tuple(dict.fromkeys(tuple(map(mpq, row)) for row in rows))
        hulls = network_hulls(network, inputs)
        assert not isinstance(hulls, str)
        assert hulls[0].rank == monomials(rows, degree, 0 if bias else degree)
        outer = read_outer_weights(network)
        assert not isinstance(outer, str)
        choice = best_choice(network, outer, inputs, [hulls[0].rank], 0)
        assert choice.ranks == (hulls[0].rank,)
        assert span(network, outer, inputs, choice.inner).ranks == choice.ranks


def random_entry(rng: random.Random) -> Any:
    return rng.choice([None, None, None, 0, 1, "-1/2", {"param": "s"}])


def test_outputs_lie_in_the_hulls() -> None:
    rng = random.Random(5)
    for _ in range(120):
        d, h = rng.randint(1, 2), rng.randint(1, 3)
        rows = [[rng.randint(-2, 2) for _ in range(d)] for _ in range(rng.randint(1, 7))]
        activation = rng.choice([SQUARE, SHIFTED, MIXED, CUBIC])
        doc = document(
            rows,
            [0] * len(rows),
            h,
            activation=activation,
            bias=rng.random() < 0.5,
            output_bias=rng.random() < 0.5,
            inner=[[random_entry(rng) for _ in range(d)] for _ in range(h)],
            outer=[[random_entry(rng) for _ in range(h)]],
        )
        if rng.random() < 0.3:
            doc["network"]["layers"].insert(1, {"units": h, "activation": SQUARE})
        network = problem_of(doc).instance.network
        inputs = tuple(dict.fromkeys(tuple(map(mpq, row)) for row in rows))
        hulls = network_hulls(network, inputs)
        assert not isinstance(hulls, str)
        for _ in range(3):
            values = [mpq(rng.randint(-4, 4), rng.randint(1, 3)) for _ in network.parameters]
            outputs = evaluated(network, values, inputs)[network.outputs[0]]
            rest = [a - b for a, b in zip(outputs, hulls[0].constant, strict=True)]
            assert coordinates(hulls[0].columns, rest) is not None


def test_frozen_inner_weights_shrink_the_hull() -> None:
    # (x + b)² spans 2bx + b² beside x²: with v = 1 the square itself is a constant part.
    x = [[0], [1], [2], [3]]
    free = document(x, [0] * 4, 3, inner=[[1]] * 3)
    frozen = document(x, [1, 4, 9, 16], 1, inner=[[1]], outer=[[1]])
    for doc, ranks in ((free, 3), (frozen, 2)):
        inputs = tuple((mpq(row[0]),) for row in x)
        hulls = network_hulls(problem_of(doc).instance.network, inputs)
        assert not isinstance(hulls, str) and hulls[0].rank == ranks
    assert least("lifting", free)[0] == "optimal"
    assert answer(frozen, 0).status == "unknown" or answer(frozen, 0).status == "sat"
    frozen["data"]["y"] = [[0], [2], [8], [18]]
    assert answer(frozen, 0).status == "unsat"


def test_deep_networks_are_reached_through_their_last_layer() -> None:
    x = [[-1], [0], [1], [2], [3]]
    doc = document(x, [1, 0, 5, 2, 2], 2)
    doc["network"]["layers"] = [
        {"units": 2, "activation": SQUARE},
        {"units": 5, "activation": SQUARE},
        {"units": 1, "activation": "identity"},
    ]
    assert is_complete(doc, "minimize")
    assert least("lifting", doc) == ("optimal", 0)


def test_parity_refutes_integer_parameters() -> None:
    # With weights ±1, v (u x + b)² is v at x = 0 and even at x = 1.
    doc = document([[0], [1]], [1, 1], 1, domain={"domain": "finite", "values": [-1, 1]})
    network = problem_of(doc).instance.network
    inputs = ((mpq(0),), (mpq(1),))
    assert is_missed(network, inputs, [(mpq(1), mpq(1))]) is True
    assert is_missed(network, inputs, [(mpq(1), mpq(4))]) is False
    found = answer(doc, 0)
    assert found.status == "unsat" and "lattice" in found.reason
    doc["weights"] = {"domain": "real"}
    assert is_missed(problem_of(doc).instance.network, inputs, [(mpq(1), mpq(1))]) is None
    assert answer(doc, 0).status == "sat"


def test_what_it_does_not_treat() -> None:
    plain = document([[1], [2]], [1, 2], 2, activation="relu")
    assert not engine("lifting").capability(problem_of(plain), "decide").applicable
    mixed = document([[1], [2]], [1, 2], 2)
    mixed["network"]["layers"].insert(0, {"units": 2, "activation": "relu"})
    assert not engine("lifting").capability(problem_of(mixed), "decide").applicable
    # A kink on frozen terms is a constant.
    mixed["network"]["layers"][0] |= {"bias": False, "weights": [[1], [-1]]}
    assert is_complete(mixed, "minimize")
    assert least("lifting", mixed) == ("optimal", 0)
    late = engine("lifting").decide(problem_of(plain), Budget(time.monotonic()), ignore)
    assert late.status == "unknown" and late.reason
