"""The permanent in the bits of P: against enumerated matchings, for every small matrix."""

from __future__ import annotations

from itertools import permutations, product
from random import Random
from typing import Any

import networkx as nx
import pytest
from gmpy2 import mpq

import ermbit
from ermbit.verifier.evaluation.evaluate import evaluate_sample
from ermbit_instances.errors import LimitError, UsageError
from ermbit_instances.families import FamilyError, generate
from ermbit_instances.instance import parse_instance
from ermbit_instances.straight_line import (
    permanent,
    permanent_instance,
    permanent_window,
    read_matrix,
    read_permanent,
)

Rows = tuple[tuple[int, ...], ...]
POLYNOMIALS = ("0,0,1", "1,1,1", "5,-1/3,0,2", "0,-1,0,0,1")


def matrices(n: int) -> list[Rows]:
    return [
        tuple(entries[i * n : i * n + n] for i in range(n))
        for entries in product((0, 1), repeat=n * n)
    ]


def matchings(matrix: Rows) -> int:
    """Number of perfect matchings of the bipartite graph, by networkx.

    Each cell is a vertex, two of one row or column are adjacent: maximal cliques of the complement
    with n cells are the perfect matchings.
    """
    n = len(matrix)
    cells = [(i, j) for i in range(n) for j in range(n) if matrix[i][j]]
    graph = nx.Graph()
    graph.add_nodes_from(cells)
    graph.add_edges_from(
        (a, b) for a in cells for b in cells if a < b and a[0] != b[0] and a[1] != b[1]
    )
    return sum(len(clique) == n for clique in nx.find_cliques(graph))


def by_permutations(matrix: Rows) -> int:
    n = len(matrix)
    return sum(all(matrix[i][p[i]] for i in range(n)) for p in permutations(range(n)))


def product_of_sums(matrix: Rows) -> int:
    """P by its definition."""
    n = len(matrix)
    k = (n**n).bit_length()
    total = 1
    for row in matrix:
        total *= sum(entry << (k * 2**j) for j, entry in enumerate(row))
    return total


def network_value(matrix: Rows, polynomial: str = "0,0,1") -> int:
    """The exact value of the neuron P: the output at w = 1."""
    instance = parse_instance(permanent_instance(matrix, polynomial))
    (value,) = evaluate_sample(instance.network, instance.data.x[0], [mpq(1)])
    assert value.denominator == 1
    return int(value.numerator)


def from_window(value: int, n: int) -> int:
    return read_permanent([value >> position & 1 for position in permanent_window(n)])


@pytest.mark.parametrize("n", [1, 2, 3])
def test_every_small_matrix(n: int) -> None:
    counts = set()
    for matrix in matrices(n):
        value = network_value(matrix)
        assert value == product_of_sums(matrix)
        count = matchings(matrix)
        assert count == by_permutations(matrix) == permanent(matrix)
        assert from_window(value, n) == count
        counts.add(count)
    assert counts == {1: {0, 1}, 2: {0, 1, 2}, 3: {0, 1, 2, 3, 4, 6}}[n]


@pytest.mark.parametrize("n, samples", [(4, 40), (5, 15), (6, 6)])
def test_larger_matrices(n: int, samples: int) -> None:
    random = Random(n)
    ones = tuple((1,) * n for _ in range(n))
    identity = tuple(tuple(int(i == j) for j in range(n)) for i in range(n))
    chosen = [ones, identity, ((0,) * n, *ones[1:]), (*ones[1:], (0,) * n), ((0,) * n,) * n]
    for _ in range(samples):
        weights = (1, random.choice((1, 2, 4)))
        chosen.append(tuple(tuple(random.choices((0, 1), weights, k=n)) for _ in range(n)))
    for matrix in chosen:
        count = by_permutations(matrix)
        assert count == matchings(matrix) == permanent(matrix)
        assert from_window(network_value(matrix), n) == count


@pytest.mark.parametrize("polynomial", POLYNOMIALS)
def test_every_polynomial(polynomial: str) -> None:
    random = Random(polynomial)
    for n in (1, 2, 3, 4):
        for _ in range(6):
            matrix = tuple(tuple(random.choices((0, 1), (1, 3), k=n)) for _ in range(n))
            assert network_value(matrix, polynomial) == product_of_sums(matrix)


def test_derivative_at_the_certificate_is_the_product() -> None:
    for matrix in (((1, 1), (1, 0)), ((1, 1, 1),) * 3, ((0, 0), (1, 1))):
        instance = parse_instance(permanent_instance(matrix))
        loss = {w: ermbit.verify(instance, {"w": w}).loss for w in (-1, 0, 1)}
        # L(w) = (w P + 1/2)^2 is a quadratic: its derivative at 0 is the symmetric difference.
        assert (loss[1] - loss[-1]) / 2 == product_of_sums(matrix)
        assert loss[0] == min(loss.values()) == mpq(1, 4)
        answer = ermbit.solve(instance)
        assert answer.status == "sat" == instance.meta["status"]


@pytest.mark.parametrize("polynomial", POLYNOMIALS[:3])
def test_bits_of_the_gradient_are_the_permanent(polynomial: str) -> None:
    random = Random(7)
    for n in (1, 2, 3, 4, 5):
        matrix = tuple(tuple(random.choices((0, 1), (1, 4), k=n)) for _ in range(n))
        instance = parse_instance(permanent_instance(matrix, polynomial))
        window = permanent_window(n)
        bits = ermbit.gradient(instance, {"w": 0}, bit=(window.start, len(window)))["w"].bits
        assert bits is not None
        assert bits.value == by_permutations(matrix)


def test_neurons_and_meta() -> None:
    for n in range(1, 9):
        document = permanent_instance([[int(i + j < n + 1) for j in range(n)] for i in range(n)])
        assert len(document["network"]["neurons"]) <= 3 * n - 1
    document = permanent_instance([[1, 1], [1, 0]])
    assert len(document["network"]["neurons"]) == 5
    assert document["meta"]["permanent"] == 1
    assert document["meta"]["window"] == [9, 11]
    assert document["meta"]["matrix"] == ["11", "10"]
    large = permanent_instance(["1" * 40] * 40)
    assert "permanent" not in large["meta"]
    assert large["meta"]["window"][0] == 213 * (2**40 - 1)
    parse_instance(large)


@pytest.mark.parametrize(
    "n, window",
    [(1, (1, 1)), (2, (9, 11)), (3, (35, 39)), (4, (135, 143)), (5, (372, 383)), (6, (1008, 1023))],
)
def test_windows(n: int, window: tuple[int, int]) -> None:
    assert permanent_window(n) == range(window[0], window[1] + 1)


def test_matrices_of_any_spelling() -> None:
    assert read_matrix("110, 011,101") == ((1, 1, 0), (0, 1, 1), (1, 0, 1))
    assert read_matrix([[True, 0], [1, 1]]) == ((1, 0), (1, 1))


@pytest.mark.parametrize("matrix", ["", "11,1", "12,11", "1a,11", [], [[1, 2], [0, 0]], [[1, 1]]])
def test_matrices_that_are_refused(matrix: Any) -> None:
    with pytest.raises(UsageError):
        permanent_instance(matrix)


def test_limits() -> None:
    with pytest.raises(LimitError):
        permanent_instance(["1" * 101] * 101)
    for n in (0, 101, "3", True):
        with pytest.raises(UsageError):
            permanent_window(n)  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        read_permanent([0, 1, 2])


def test_family() -> None:
    given = generate("permanent", matrix="110,011,101").document
    assert given["meta"]["permanent"] == 2
    drawn = {
        tuple(generate("permanent", seed, n=4, density="3/4").document["meta"]["matrix"])
        for seed in range(5)
    }
    assert len(drawn) == 5
    for density, entry in (("0", "0"), ("1", "1")):
        document = generate("permanent", n=3, density=density).document
        assert document["meta"]["matrix"] == [entry * 3] * 3
    generated = generate("permanent", 3, n=5)
    instance = parse_instance(generated.document)
    assert generated.certificate is not None
    assert ermbit.verify(instance, generated.certificate).accepted
    (value,) = evaluate_sample(instance.network, instance.data.x[0], [mpq(1)])
    assert from_window(int(value), 5) == instance.meta["permanent"]
    for parameters in ({"matrix": "11"}, {"polynomial": "1"}, {"density": "2"}, {"n": 41}):
        with pytest.raises(FamilyError):
            generate("permanent", **parameters)
