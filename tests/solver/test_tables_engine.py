"""The tables engine against naive enumeration and the exhaustive engine, and its parts alone."""

from __future__ import annotations

import itertools
import random
import time
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from gmpy2 import mpq

import random_instances
import reference
from dense_networks import random_dense
from engine_checks import accepted, check_minimum, decide, fraction, least, minimize, problem_of
from ermbit.engines.engine import Budget, Event, Incumbent, LowerBound, ignore
from ermbit.engines.exhaustive.engine import ExhaustiveEngine
from ermbit.engines.tables import incumbents as table_incumbents
from ermbit.engines.tables import run as table_run
from ermbit.engines.tables import search as table_search
from ermbit.engines.tables import units as table_units
from ermbit.engines.tables.build import Table, first_of_equals
from ermbit.engines.tables.direction import directions
from ermbit.engines.tables.engine import TablesEngine
from ermbit.engines.tables.interpolation import halves, interpolate
from ermbit.engines.tables.loss import GapLoss, gap_loss
from ermbit.engines.tables.symmetry import sample_permutations, with_orbits
from ermbit.engines.tables.tree import build_tree
from ermbit.engines.tables.units import decompose

ENGINE = TablesEngine()
NAMES = ("MERGED_ROWS", "BATCH", "STORED", "DIVE", "FIRST_ELEMENTS", "SAMPLE", "STARTS", "POLISHED")
USUAL = (4096, 4096, 3_000_000, 4, 8_000_000, 2048, 64, 2)
CUTS = [
    USUAL,
    (0, 4096, 3_000_000, 4, 1, 2, 1, 0),  # nothing merged, hardly any descent
    (0, 1, 3, 2, 1, 1, 1, 0),  # one tuple at a time, hardly any memory
    (9, 8, 10**6, 1, 1000, 3, 4, 1),  # depth first
    (0, 3, 0, 10**9, 1, 2, 1, 1),
]


def cut_up(monkeypatch: pytest.MonkeyPatch, cut: tuple[int, ...]) -> None:
    for name, value in zip(NAMES, cut, strict=True):
        owners = [m for m in (table_run, table_search, table_incumbents) if hasattr(m, name)]
        assert len(owners) == 1
        monkeypatch.setattr(owners[0], name, value)


def check(document: reference.Document) -> None:
    """The reference's minimum, and `sat` between it and the next loss."""
    attainable = reference.achievable(document)
    check_minimum("tables", document, attainable[0])
    if len(attainable) > 1:
        between = (attainable[0] + attainable[1]) / 2
        assert decide("tables", document, between).status == "sat"


def random_documents(block: int) -> list[reference.Document]:
    """Documents that the engine accepts, of all activations, domains and losses."""
    rng = random.Random(f"tables {block}")
    drawn = (
        random_instances.by_turns(
            rng,
            number,
            max_assignments=rng.choice([30, 150, 600]),
            output_activation="identity",
            outputs=rng.choice([1, 1, 2, 3]),
            hidden_layers=rng.choice([1, 1, 1, 2, 0]),
            all_frozen=False if number % 10 else None,
        )
        for number in itertools.count(block + 1)
    )
    return accepted("tables", drawn, 24)


@pytest.mark.parametrize("block", range(10))
def test_agrees_with_naive_enumeration(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for i, document in enumerate(random_documents(block)):
        cut_up(monkeypatch, CUTS[i % len(CUTS)])
        check(document)


def test_the_random_documents_cover_the_format() -> None:
    seen = set[str]()
    for block in range(10):
        for document in random_documents(block):
            seen |= random_instances.features(document)
    wanted = random_instances.whole_format(
        "shared", "scale", "mask", "skip", "frozen", "margin", "no free parameter",
        "sample weights", "zero weight", "contradiction", "duplicate", "one sample",
        "constant neuron", "parameter override", "biases override", "no bias",
    )  # fmt: skip
    assert wanted <= seen


SMALL = {"domain": "integer", "low": -1, "high": 1}
LISTS: list[dict[str, Any]] = [
    SMALL,
    {"domain": "fixed_point", "bits": 2, "fraction_bits": 1},  # −1, −1/2, 0, 1/2
    {"domain": "finite", "values": [-2, "1/2", 1]},
    {"domain": "rational", "bits": 1},
]


@pytest.mark.parametrize("loss", random_instances.LOSSES)
@pytest.mark.parametrize("reduction", random_instances.REDUCTIONS)
@pytest.mark.parametrize("weighted", [False, True])
def test_agrees_with_the_exhaustive_engine(
    loss: str, reduction: str, weighted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(f"{loss} {reduction} {weighted}")
    for i in range(5):
        activation = ("relu", "abs", "sign", "square", "clip")[i]
        if activation == "clip":
            activation = {"name": "clip", "low": -1, "high": 2}  # type: ignore[assignment]
        units = 2 + (i in (0, 2))
        document = random_dense(
            rng,
            1,
            (units,),
            activation,
            LISTS[i % len(LISTS)],
            samples=rng.choice([1, 4, 6]),
            loss=loss,
            reduction=reduction,
            weighted=weighted,
            outputs=1 + (i == 3),
        )
        problem = problem_of(document)
        expected = ExhaustiveEngine().minimize(problem, Budget(), ignore)
        assert expected.status == "optimal"
        for cut in CUTS:
            cut_up(monkeypatch, cut)
            check_minimum("tables", document, fraction(expected.lower_bound))


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("data", ["one label", "one sample", "contradiction", "zero column"])
def test_degenerate_data(data: str, cut: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    cut_up(monkeypatch, cut)
    x, y = {
        "one label": ([[1, 2], [-1, 0], [3, 3]], [1, 1, 1]),
        "one sample": ([[2, -1]], [-1]),
        "contradiction": ([[1, 1], [1, 1], [1, 1], [0, 2]], [1, -1, 1, -1]),
        "zero column": ([[0, 1], [0, -2], [0, 3]], [1, -1, 1]),
    }[data]
    for loss in random_instances.LOSSES:
        document = random_dense(random.Random(1), 2, (1,), "relu", SMALL, samples=1, loss=loss)
        document["data"] = {"x": x, "y": [[v] for v in y]}
        check(document)


def test_units_of_different_kinds_domains_and_masks() -> None:
    document = random_dense(random.Random(4), 2, (1,), "relu", SMALL, samples=5)
    document["network"] = {
        "inputs": 2,
        "neurons": [
            {"id": "a", "inputs": {"x0": None, "x1": 2}, "activation": "relu"},
            {"id": "b", "inputs": {"x1": None}, "bias": "1/2", "activation": "abs"},
            {"id": "c", "inputs": {"x0": {"param": "s"}}, "activation": "step"},
            {"id": "d", "inputs": {"x1": {"param": "s", "scale": 3}}, "activation": "square"},
            {
                "id": "f",
                "inputs": {"a": -2, "b": None, "c": None, "d": 1, "x0": None, "x1": "1/3"},
                "bias": 1,
                "activation": "identity",
            },
        ],
        "outputs": ["f"],
    }
    document["weights"] = SMALL | {"parameters": {"s": {"domain": "finite", "values": [-1, 2]}}}
    form = problem_of(document).integer
    assert form is not None
    parts = decompose(form)
    assert not isinstance(parts, str)
    # a; b; c and d, which share s; the edge of x0; the frozen edge of x1 and bias.
    assert sorted(unit.raw for unit in parts.units) == [1, 1, 3, 3, 6, 9]
    check(document)


@pytest.mark.parametrize("hidden", [2, 3])
@pytest.mark.parametrize("loss", ["absolute", "squared"])
def test_planted_interpolation(hidden: int, loss: str) -> None:
    rng = random.Random(f"planted {hidden} {loss}")
    weights = {"domain": "integer", "low": -2, "high": 2}
    for _ in range(3):
        document = random_dense(rng, 2, (hidden,), "relu", weights, samples=12, loss=loss)
        planted = random_instances.random_parameters(rng, document)
        values = reference.outputs(document, planted)
        document["data"]["y"] = [[str(v) for v in row] for row in values]
        found = decide("tables", document, Fraction(0))
        assert found.status == "sat"
        assert found.statistics["interpolation"]
        assert least("tables", document) == ("optimal", 0)
        # An odd half is out of reach of integer weights.
        document["data"]["y"][0] = [str(values[0][0] + Fraction(1, 2))]
        assert decide("tables", document, Fraction(0)).status == "unsat"


def test_the_seed_changes_no_answer() -> None:
    document = random_dense(random.Random(8), 2, (2,), "relu", SMALL, samples=8)
    problem = problem_of(document)
    bounds = {ENGINE.minimize(problem, Budget(seed=s), ignore).lower_bound for s in range(4)}
    assert len(bounds) == 1


def test_a_timeout_leaves_an_incumbent_and_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    weights = {"domain": "integer", "low": -2, "high": 2}
    document = random_dense(random.Random(3), 2, (2,), "relu", weights, samples=8)
    problem = problem_of(document)
    minimum = ENGINE.minimize(problem, Budget(), ignore).lower_bound
    assert minimum is not None and minimum > 0
    ends: list[str] = []
    for checks in (0, 1, 5, 30, 60, 100, 200):
        left = itertools.count(checks, -1)
        monkeypatch.setattr(Budget, "expired", property(lambda _, left=left: next(left) <= 0))
        events: list[Event] = []
        outcome = ENGINE.minimize(problem, Budget(), events.append)
        monkeypatch.undo()
        ends.append(outcome.status)
        assert outcome.values is not None and outcome.lower_bound is not None
        losses = [e.loss for e in events if isinstance(e, Incumbent)]
        bounds = [e.loss for e in events if isinstance(e, LowerBound)]
        assert losses == sorted(losses, reverse=True) and losses[-1] is not None
        assert bounds == sorted(bounds) and bounds[-1] == outcome.lower_bound
        assert outcome.lower_bound <= minimum <= losses[-1]
        form = problem.integer
        assert form is not None
        integers = [int(v * q) for v, q in zip(outcome.values, form.grids, strict=True)]
        assert form.loss(form.total(integers)) == losses[-1]
    assert ends[0] == "feasible"
    below = problem.with_threshold(minimum - mpq(1, 2))
    late = ENGINE.decide(below, Budget(time.monotonic() - 1), ignore)
    assert (late.status, late.values, late.reason) == ("unknown", None, "time limit")


def test_bounds_rise_while_the_search_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    cut_up(monkeypatch, (0, 4, 10**6, 10**9, 1, 2, 1, 0))
    weights = {"domain": "integer", "low": -2, "high": 2}
    document = random_dense(random.Random(6), 1, (2,), "relu", weights, samples=6)
    events: list[Event] = []
    outcome = ENGINE.minimize(problem_of(document), Budget(), events.append)
    bounds = [e.loss for e in events if isinstance(e, LowerBound)]
    assert outcome.status == "optimal"
    assert len(set(bounds)) > 2 and bounds == sorted(bounds)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "relu output": (
        {"network": {"inputs": 1, "layers": [{"units": 1, "activation": "relu"}]}},
        "an output is not linear",
    ),
    "real weights": ({"weights": {"domain": "real"}}, "a parameter has infinitely many values"),
    "long list": (
        {"weights": {"domain": "rational", "bits": 9}},
        "a rational domain has more than 4096 values",
    ),
    "large table": (
        {"weights": {"domain": "integer", "low": -3000, "high": 3000}},
        "a table of about 10^11 rows is too large",
    ),
    "large numbers": (
        {"weights": {"domain": "float", "format": "bfloat16"}},
        "the numbers do not fit 64 bits",
    ),
    "large targets": ({"data": {"x": [[1]], "y": [[10**19]]}}, "the numbers do not fit 64 bits"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_with_a_reason(case: str) -> None:
    changes, reason = REFUSED[case]
    document = random_dense(random.Random(1), 1, (1,), "relu", SMALL, samples=1) | changes
    problem = problem_of(document)
    for task in ("decide", "minimize"):
        said = ENGINE.capability(problem, task)  # type: ignore[arg-type]
        assert (said.applicable, said.complete, said.reason) == (False, False, reason)
    assert ENGINE.decide(problem, Budget(), ignore).status == "unknown"
    assert ENGINE.minimize(problem, Budget(), ignore).reason == reason


def test_many_edges_and_samples_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_units, "RANGE_WORK", 1)
    document = random_dense(random.Random(1), 1, (1,), "relu", SMALL, samples=1)
    said = ENGINE.capability(problem_of(document), "decide")
    assert said.reason == "too many edges and samples"


@pytest.mark.parametrize("size", [1, 10**4, 10**8, 10**15])
def test_the_type_of_numbers_follows_their_bound(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_up(monkeypatch, CUTS[1])
    document = random_dense(random.Random(11), 1, (2,), "relu", SMALL, samples=3)
    document["data"] = {"x": [[v * size] for v in (-1, 1, 2)], "y": [[size + 1], [3], [-size]]}
    check(document)
    best = ENGINE.minimize(problem_of(document), Budget(), ignore)
    kinds = {1: "int16", 10**4: "int32", 10**8: "int32", 10**15: "int64"}
    assert best.statistics["type"] == kinds[size]


# --- the parts -----------------------------------------------------------------------------------


def losses_of_gaps() -> list[tuple[GapLoss, int]]:
    """Losses on six samples, and how far gaps reach."""
    rng = random.Random(21)
    made = []
    for loss, reduction, outputs in itertools.product(
        random_instances.LOSSES, ("sum", "max"), (1, 3)
    ):
        document = random_dense(
            rng,
            2,
            (2,),
            "relu",
            SMALL,
            samples=6,
            loss=loss,
            reduction=reduction,
            weighted=True,
            outputs=outputs,
        )
        form = problem_of(document).integer
        assert form is not None
        gaps = gap_loss(form, (2, 1, -1)[:outputs], 100)
        assert gaps is not None
        made.append((gaps, 100))
    return made


def test_boxes_and_directions_bound_every_point_inside() -> None:
    rng = np.random.default_rng(5)
    helpful = 0
    for loss, reach in losses_of_gaps():
        n = loss.target.size
        points = rng.integers(-9, 10, (50, 7, n)).astype(np.int16)
        high, low = points.max(axis=1), points.min(axis=1)
        totals = loss.totals(points.reshape(-1, n).T.copy()).reshape(50, 7)
        for sums, total in zip(points.reshape(-1, n), totals.ravel(), strict=True):
            gap = loss.target.astype(int) - sums
            cost = {
                "linear": np.abs(gap) if loss.two_sided else np.maximum(gap, 0),
                "square": gap * gap,
                "count": (gap > 0).astype(int),
            }[loss.cost]
            cost = cost.reshape(loss.groups, -1)
            parts = (cost.sum(axis=0) if loss.two_sided else cost.max(axis=0)) * loss.weights
            assert total == (parts.max() if loss.largest else parts.sum())
        ends = np.concatenate([high, -low], axis=1) if loss.two_sided else high
        bounds = loss.least(np.ascontiguousarray(ends.T))
        assert (bounds <= totals.min(axis=1)).all()
        gaps = [loss.target - p for p in points[:4, 0]]
        found = directions(loss, gaps, int(loss.weights.min()) - 1, reach)
        assert (found is None) == loss.largest
        if found is None:
            continue
        values = points.astype(found.rows.dtype) @ found.rows.T
        slants = values.max(axis=1)
        if found.two_sided:
            slants = np.concatenate([slants, -values.min(axis=1)], axis=1)
        lower = found.least(np.ascontiguousarray(slants.T))
        assert (lower <= totals.min(axis=1)).all()
        helpful += int((lower > bounds).sum())
        single = values[:4, 0]
        if found.two_sided:
            single = np.concatenate([single, -single], axis=1)
        if loss.cost != "count":
            # Tight where they come from.
            assert (found.least(np.ascontiguousarray(single.T)) == totals[:4, 0]).all()
    assert helpful > 0


@pytest.mark.parametrize("seed", range(6))
def test_trees_enclose_their_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(1, 60))
    vectors = rng.integers(-3, 4, (rows, 3)).astype(np.int16) * rng.choice(
        [1, 1, 1, 500], (rows, 1)
    )
    tree = build_tree(vectors, np.array([1.0, 0.0, 2.0]), True, lambda: None)
    assert sorted(tree.order) == list(range(rows))
    ordered = vectors[tree.order]
    assert (tree.start[0], tree.end[0]) == (0, rows)
    for node, child in enumerate(tree.child):
        inside = ordered[tree.start[node] : tree.end[node]]
        assert (inside.max(axis=0) == tree.boxes[node, :3]).all()
        assert (inside.min(axis=0) == -tree.boxes[node, 3:]).all()
        assert (child < 0) == (tree.spread[node] == 0) == (inside == inside[0]).all()
        if child >= 0:
            assert tree.start[child] == tree.start[node] < tree.end[child]
            assert tree.end[child] == tree.start[child + 1] < tree.end[child + 1]
            assert tree.end[child + 1] == tree.end[node]


def test_one_of_equal_vectors_is_kept() -> None:
    lines = [np.array([1, 2, 1, 1, 2]), np.array([5, 5, 5, 6, 5])]
    assert first_of_equals(lines).tolist() == [0, 1, 3]


@pytest.mark.parametrize("sizes", [(1,), (4, 5), (3, 4, 2), (2, 3, 2, 3)])
def test_meeting_in_the_middle_finds_a_sum_iff_there_is_one(sizes: tuple[int, ...]) -> None:
    rng = np.random.default_rng(sum(sizes))
    parts = halves(sizes)
    assert parts is not None and sorted(parts[0] + parts[1]) == list(range(len(sizes)))
    outcomes = set()
    for _ in range(40):
        tables = [rng.integers(-1, 2, (size, 3)) for size in sizes]
        target = rng.integers(-2, 3, 3)
        sums = [sum(choice) for choice in itertools.product(*tables)]
        rows = interpolate(tables, target, parts, lambda: None)
        assert (rows is not None) == any((s == target).all() for s in sums)
        outcomes.add(rows is not None)
        if rows is not None:
            assert (sum(t[r] for t, r in zip(tables, rows, strict=True)) == target).all()
    assert len(sizes) == 1 or outcomes == {True, False}


def test_too_many_sums_are_not_met_in_the_middle() -> None:
    assert halves((10**6, 10**6, 10**6)) is None
    assert halves((10**4, 10**6)) == ((0,), (1,))


@pytest.mark.parametrize("loss", random_instances.LOSSES)
@pytest.mark.parametrize("corners", [(0, 1), (-1, 1)])
@pytest.mark.parametrize("labels", ["parity", "and", "first"])
def test_symmetric_data(
    loss: str, corners: tuple[int, int], labels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(f"{loss} {corners} {labels}")
    bits = list(itertools.product((0, 1), repeat=2))
    rng.shuffle(bits)
    value = {"parity": lambda a, b: a ^ b, "and": lambda a, b: a & b, "first": lambda a, b: a}
    for activation, hidden in (("relu", 2), ("abs", 1), ("step", 2)):
        document = random_dense(rng, 2, (hidden,), activation, SMALL, samples=1, loss=loss)
        document["data"] = {
            "x": [[corners[a], corners[b]] for a, b in bits],
            "y": [[2 * value[labels](a, b) - 1] for a, b in bits],
        }
        expected = ExhaustiveEngine().minimize(problem_of(document), Budget(), ignore)
        for cut in CUTS[:2]:
            cut_up(monkeypatch, cut)
            found = minimize("tables", document)
            assert (found.status, found.lower_bound) == ("optimal", expected.lower_bound)


def test_one_row_of_every_orbit_reaches_all_totals() -> None:
    rng = random.Random(8)
    document = random_dense(rng, 2, (2,), "relu", SMALL, samples=1, loss="absolute")
    points = list(itertools.product((-1, 0, 2), repeat=2))
    document["data"] = {"x": [list(p) for p in points], "y": [[abs(a + b)] for a, b in points]}
    form = problem_of(document).integer
    assert form is not None
    loss = gap_loss(form, [0], 100)
    assert loss is not None
    (exchange,) = sample_permutations(form.inputs, loss)
    assert exchange.tolist() == [points.index((b, a)) for a, b in points]
    closed = np.array(list(itertools.product((0, 1), repeat=9)))
    tables = [
        Table(closed.astype(loss.target.dtype), (k,), np.arange(512)[:, None], key)
        for k, key in enumerate((("a",), ("b",)))
    ]
    reduced, generators = with_orbits(tables, form.inputs, loss, lambda: None)
    assert generators == 1 and sorted(map(len, reduced)) == [288, 512]
    kept = {tuple(v) for v in min(reduced, key=len).vectors}
    assert all({tuple(v), tuple(v[exchange])} & kept for v in closed)
    # A table that is not closed under the exchange allows nothing.
    rest = closed[(closed != np.eye(9, dtype=int)[1]).any(axis=1)]
    broken = Table(rest.astype(loss.target.dtype), (1,), np.arange(511)[:, None], ("c",))
    same, generators = with_orbits([tables[0], broken], form.inputs, loss, lambda: None)
    assert generators == 0 and same[0] is tables[0] and same[1] is broken


def test_contradictory_labels_have_no_symmetry() -> None:
    document = random_dense(random.Random(1), 2, (1,), "relu", SMALL, samples=1, loss="zero_one")
    document["data"] = {"x": [[0, 1], [1, 0], [1, 0]], "y": [[1], [1], [-1]]}
    form = problem_of(document).integer
    assert form is not None
    loss = gap_loss(form, [0], 100)
    assert loss is not None and not list(sample_permutations(form.inputs, loss))
    check(document)
