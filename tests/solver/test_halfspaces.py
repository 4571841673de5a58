"""The `halfspaces` engine against weighted MaxSAT on the definition, and on planted answers."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine_checks import check_certificate, least, minimize, problem_of
from ermbit.engines.engine import Budget, ignore
from ermbit.engines.halfspaces import search as halfspace_search
from ermbit.engines.halfspaces.sweep import sweep, sweep_rows
from ermbit.engines.registry import engine
from linear_classifiers import check, classifier, least_errors
from reference import Document
from rewriters import with_threshold


def random_document(rng: random.Random) -> Document:
    """Mostly degenerate: few values, repeated and collinear points, contradictory labels."""
    inputs = rng.choice((1, 1, 2, 2, 2, 3, 3, 4))
    count = rng.randint(1, 9 if inputs < 3 else 8)
    values: Sequence[Any] = rng.choice(
        ((0, 1), (-1, 0, 1), range(-3, 4), ("1/3", "-1/2", 0, "0.1"), range(-(10**15), 10**15))
    )
    x = [[rng.choice(values) for _ in range(inputs)] for _ in range(count)]
    if rng.random() < 0.3:  # fewer dimensions than inputs
        x = [[row[0]] * inputs for row in x]
    if rng.random() < 0.3:
        x += [list(rng.choice(x)) for _ in range(2)]
    y = [rng.choice((-1, 1)) for _ in x] if rng.random() < 0.9 else [rng.choice((-1, 1))] * len(x)
    sign = rng.random() < 0.3
    weights = [rng.choice((0, 1, 1, 2, 3, "1/2", "2/3")) for _ in x]
    return classifier(
        x,
        y,
        bias=sign or rng.random() < 0.6,
        activation="sign" if sign else "identity",
        sample_weights=weights if any(weights) and rng.random() < 0.6 else None,
        reduction=rng.choice(("mean", "sum", "max")),
        margin=rng.choice((None, "1/3", 1, None if sign else 7)),
    )


@pytest.mark.parametrize("block", range(6))
def test_random_degenerate_instances(block: int) -> None:
    rng = random.Random(f"halfspaces {block}")
    for _ in range(30):
        doc = random_document(rng)
        check("halfspaces", doc, least_errors(doc))


# Any two of the four corners have a third point between them, which comes first.
TETRAHEDRON = [
    [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1],
    [0, 0, 0], [2, 0, 0], [0, 2, 0], [0, 0, 2],
]  # fmt: skip
SQUARE = [[0, 0], [0, 1], [1, 0], [1, 1]]


@pytest.mark.parametrize(
    ("doc", "minimum"),
    [
        (classifier(SQUARE, [1, -1, -1, 1]), 1),
        (classifier(SQUARE, [1, 1, 1, 1]), 0),
        (classifier(TETRAHEDRON, [1] * 10), 0),
        (classifier(TETRAHEDRON, [-1] * 10, sample_weights=range(1, 11)), 0),
        (classifier([[5, 7]], [-1]), 0),
        (classifier([[0, 0]], [1], bias=False), 1),
        (classifier([[0, 0], [0, 0]], [1, -1], bias=False), 2),
        (classifier([[0, 0], [0, 0]], [1, -1]), 1),
        (classifier([[2], [2]], [1, -1], sample_weights=[3, 2]), 2),
        (classifier([[1], [-1]], [1, 1], bias=False), 1),
        (classifier([[1], [-1]], [1, 1]), 0),
        (classifier([[k, 2 * k] for k in range(6)], [1, -1] * 3), 2),
        (classifier([[k, 2 * k] for k in range(6)], [1, -1] * 3, reduction="max"), 1),
        (
            classifier([[0, 0, 0], [1, 1, 1], [2, 2, 2]], [1, -1, 1], sample_weights=[1, "1/3", 1]),
            "1/3",
        ),
    ],
)
def test_known_minima(doc: Document, minimum: Any) -> None:
    check("halfspaces", doc, Fraction(minimum))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_planted_minima(data: st.DataObject) -> None:
    """Separable points, and pairs of opposite labels at one x, which cost one error each."""
    inputs = data.draw(st.integers(1, 3))
    size = data.draw(st.sampled_from((2, 10, 10**9, 10**20)))
    numbers = st.integers(-size, size)
    normal = data.draw(st.lists(numbers, min_size=inputs, max_size=inputs))
    offset = data.draw(numbers)
    points = data.draw(
        st.lists(st.lists(numbers, min_size=inputs, max_size=inputs), min_size=1, max_size=12)
    )
    values = [sum(a * v for a, v in zip(normal, row, strict=True)) + offset for row in points]
    x = [row for row, value in zip(points, values, strict=True) if value]
    y = [1 if value > 0 else -1 for value in values if value]
    doubles = len(x)
    x, y = x + x, y + [-label for label in y]
    single = [row for row, value in zip(points, values, strict=True) if not value]
    if not x + single:
        return
    # Points on the separating hyperplane itself get one label: it can be moved to their side.
    check("halfspaces", classifier(x + single, y + [1] * len(single)), Fraction(doubles))


def test_margin_is_met_by_the_certificate() -> None:
    doc = classifier([["1/1000", 0], ["-1/1000", 1]], [1, -1], bias=False, margin="123456.7")
    assert check_certificate(doc, minimize("halfspaces", doc).values, Fraction(0)) == 0


def test_masks_scales_and_neurons() -> None:
    """Frozen zeros are left out, a neuron may read an input twice, scales divide."""
    doc = classifier([[1, 5, 2], [2, 5, 1], [1, -5, 2]], [1, -1, -1])
    doc["network"] = {
        "inputs": 3,
        "neurons": [
            {
                "id": "f",
                "inputs": {"x0": {"param": "u", "scale": "-1/3"}, "x1": 0, "x2": None},
                "bias": {"param": "v", "scale": 2},
                "activation": "identity",
            }
        ],
        "outputs": ["f"],
    }
    check("halfspaces", doc, Fraction(1))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"loss": {"name": "hinge"}}, "zero_one"),
        ({"weights": {"domain": "integer", "low": -1, "high": 1}}, "real"),
        ({"network": {"inputs": 2, "layers": [{"units": 1, "activation": "relu"}]}}, "relu"),
        ({"network": {"inputs": 2, "layers": [{"units": 1, "activation": "identity"}] * 2}}, "one"),
        (
            {"network": {"inputs": 2, "layers": [
                {"units": 1, "activation": "sign", "bias": False}]}},
            "bias",
        ),
        (
            {"network": {"inputs": 2, "layers": [
                {"units": 1, "activation": "identity", "weights": [[None, 2]]}]}},
            "frozen",
        ),
        (
            {"network": {"inputs": 2, "layers": [
                {"units": 1, "activation": "identity",
                 "weights": [[{"param": "w"}, {"param": "w"}]]}]}},
            "shared",
        ),
    ],
)  # fmt: skip
def test_what_is_refused(change: dict[str, Any], reason: str) -> None:
    problem = problem_of(classifier([[1, 2], [3, 4]], [1, -1]) | change)
    said = engine("halfspaces").capability(problem, "minimize")
    assert not said.applicable and reason in said.reason
    assert engine("halfspaces").minimize(problem, Budget(), ignore).status == "unknown"
    assert engine("halfspaces").decide(problem, Budget(), ignore).status == "unknown"


def test_limits_are_said() -> None:
    rng = random.Random(3)
    wide = classifier([[rng.randrange(2) for _ in range(9)] for _ in range(50)], [1] * 50)
    long = classifier([[10**400, 1], [1, 3], [2, 5]], [1, -1, 1])
    many = classifier([[rng.randrange(10**6) for _ in range(5)] for _ in range(400)], [1] * 400)
    for doc, reason in ((wide, "dimensions"), (long, "long"), (many, "swept")):
        assert reason in engine("halfspaces").capability(problem_of(doc), "decide").reason


@pytest.mark.parametrize("reduction", ["sum", "max"])
def test_expired_budget(reduction: str) -> None:
    rng = random.Random(5)
    x = [[rng.randrange(100) for _ in range(3)] for _ in range(40)]
    doc = classifier(
        x, [rng.choice((-1, 1)) for _ in x], reduction=reduction, sample_weights=[1] * 20 + [2] * 20
    )
    problem = problem_of(with_threshold(doc, Fraction(0)))
    over = Budget(time.monotonic() - 1)
    outcome = engine("halfspaces").minimize(problem, over, ignore)
    assert outcome.status == "feasible" and outcome.lower_bound == 0
    assert check_certificate(doc, outcome.values, None) is not None
    assert engine("halfspaces").decide(problem, over, ignore).status == "unknown"


def test_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(11)
    x = [[rng.randrange(5) for _ in range(3)] for _ in range(30)]
    doc = classifier(x, [rng.choice((-1, 1)) for _ in x])
    whole = least("halfspaces", doc)
    monkeypatch.setattr(halfspace_search, "CHUNK", 1)
    assert least("halfspaces", doc) == whole


def brute_sweep(vectors: Sequence[tuple[int, int]], plus: list[int], minus: list[int]) -> int:
    """All directions between neighbouring normals: their sums, and the normals slightly turned."""
    normals = [(-q, p) for p, q in vectors] + [(q, -p) for p, q in vectors]
    directions = [
        (a[0] * many + b[0], a[1] * many + b[1])
        for a, b in itertools.product(normals, repeat=2)
        for many in (1, 10**60)
    ]
    costs = []
    for u in directions:
        values = [u[0] * p + u[1] * q for p, q in vectors]
        if all(values):
            costs.append(sum(
                a if value > 0 else b for value, a, b in zip(values, plus, minus, strict=True)
            ))  # fmt: skip
    return min(costs)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_sweeps_against_all_directions(data: st.DataObject) -> None:
    """Numbers around the limits of exact float64, with quotients that round to the same float."""
    size = data.draw(st.sampled_from((2, 2**25, 2**27, 2**53, 2**70)))
    near = st.integers(size - 3, size + 3) | st.integers(-3, 3) | st.integers(-size, size)
    pair = st.tuples(near, near).filter(any)
    vectors = data.draw(st.lists(pair, min_size=2, max_size=6))
    if all(vectors[0][0] * q == vectors[0][1] * p for p, q in vectors):
        vectors.append((-vectors[0][1], vectors[0][0]))
    costs = st.lists(st.integers(0, 5), min_size=len(vectors), max_size=len(vectors))
    plus, minus = data.draw(costs), data.draw(costs)
    expected = brute_sweep(vectors, plus, minus)
    cost, u = sweep(vectors, plus, minus)
    values = [u[0] * p + u[1] * q for p, q in vectors]
    assert all(values) and cost == expected
    assert cost == sum(
        a if value > 0 else b for value, a, b in zip(values, plus, minus, strict=True)
    )
    dtype = object if size > 2**60 else np.int64
    p, q = (np.array([[v[k] for v in vectors] + [0]] * 2, dtype=dtype) for k in (0, 1))
    rows = sweep_rows(p, q, np.array([*plus, 9]), np.array([*minus, 9]))
    assert list(rows) == [expected, expected]


def test_close_quotients_deceive_floats() -> None:
    """Four quotients are rounded to one float; between the first and the last lies the answer."""
    vectors = [(2**60 + k, 2**60 + 1) for k in range(4)]
    plus, minus = [0, 1, 1, 0], [1, 0, 0, 1]
    dtype: Any = object
    p, q = (np.array([[v[k] for v in vectors]], dtype=dtype) for k in (0, 1))
    assert len({a / b for a, b in vectors}) == 1
    assert list(sweep_rows(p, q, np.array(plus), np.array(minus))) == [1]


@pytest.mark.parametrize("seed", range(4))
def test_all_planes_through_points_in_general_position(seed: int) -> None:
    """More samples than MaxSAT likes: planes through d points, which then count as right."""
    rng = random.Random(f"general position {seed}")
    inputs, count = ((2, 40), (3, 14))[seed % 2]
    x = [[rng.randrange(-(10**6), 10**6) for _ in range(inputs)] for _ in range(count)]
    y = [rng.choice((-1, 1)) for _ in x]
    weights = [rng.randint(1, 4) * 10 ** (25 * (seed // 2)) for _ in x]
    minimum = sum(weights)
    for through in itertools.combinations(range(count), inputs):
        normal = hyperplane_through([x[k] for k in through])
        values = [sum(a * v for a, v in zip(normal, [*row, 1], strict=True)) for row in x]
        assert [k for k, value in enumerate(values) if not value] == list(through)
        for side in (1, -1):
            cost = sum(
                w for w, v, label in zip(weights, values, y, strict=True) if side * v * label < 0
            )
            minimum = min(minimum, cost)
    check("halfspaces", classifier(x, y, sample_weights=weights), Fraction(minimum))


def hyperplane_through(points: Sequence[Sequence[int]]) -> list[int]:
    """Cofactors: the affine function that vanishes at d points of R^d."""
    rows = [[*row, 1] for row in points]

    def determinant(matrix: list[list[int]]) -> int:
        if not matrix:
            return 1
        return sum(
            (-1) ** c * value * determinant([[*row[:c], *row[c + 1 :]] for row in matrix[1:]])
            for c, value in enumerate(matrix[0])
        )

    return [
        (-1) ** c * determinant([[*row[:c], *row[c + 1 :]] for row in rows])
        for c in range(len(rows) + 1)
    ]
