"""The deep_tables engine against naive enumeration and exhaustive, and its parts alone."""

from __future__ import annotations

import itertools
import random
import time
from typing import Any

import numpy as np
import pytest

import random_instances
import reference
from dense_networks import random_dense
from engine_checks import accepted, check_minimum, fraction, least, minimize, problem_of
from ermbit.engines.deep_tables import engine as deep_tables
from ermbit.engines.deep_tables import incumbents as deep_incumbents
from ermbit.engines.deep_tables import variables as deep_variables
from ermbit.engines.deep_tables.arithmetic import direction, polynomial_range
from ermbit.engines.deep_tables.engine import DeepTablesEngine
from ermbit.engines.deep_tables.intervals import IntervalNetwork
from ermbit.engines.deep_tables.variables import Variable, variables
from ermbit.engines.engine import Budget, ignore
from ermbit.engines.exhaustive.engine import ExhaustiveEngine
from ermbit.engines.integer_activation import piecewise
from ermbit.engines.tables import search as table_search

ENGINE = DeepTablesEngine()
OWNERS = {
    "FIRST_ROWS": deep_tables,
    "PAIRED": deep_incumbents,
    "SCAN": deep_incumbents,
    "SAMPLE": deep_incumbents,
    "GROUP_LIMIT": deep_variables,
    "TABLE_ELEMENTS": deep_variables,
    "BATCH": table_search,
    "STORED": table_search,
}
CUTS = [
    (500, 2**14, 2**13, 2**12, 2**17, 2**23, 4096, 3_000_000),
    (1, 1, 3, 2, 2**17, 2**23, 4096, 3_000_000),  # hardly any descent
    (1, 1, 3, 2, 8, 2**23, 1, 3),  # hardly any groups, one tuple at a time
    (1, 9, 3, 2, 2**17, 30, 7, 0),  # hardly any tables, depth first
]


def cut_up(monkeypatch: pytest.MonkeyPatch, cut: tuple[int, ...]) -> None:
    for (name, owner), value in zip(OWNERS.items(), cut, strict=True):
        monkeypatch.setattr(owner, name, value)


def random_documents(block: int) -> list[reference.Document]:
    """Documents that the engine accepts, of all activations, domains and losses."""
    rng = random.Random(f"deep tables {block}")
    drawn = (
        random_instances.by_turns(
            rng,
            number,
            max_assignments=rng.choice([30, 150, 400]),
            outputs=rng.choice([1, 1, 2, 3]),
            hidden_layers=rng.choice([1, 2, 2, 3, 0]),
        )
        for number in itertools.count(block + 1)
    )
    return accepted("deep_tables", drawn, 16)


@pytest.mark.parametrize("block", range(6))
def test_agrees_with_naive_enumeration(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for i, document in enumerate(random_documents(block)):
        cut_up(monkeypatch, CUTS[i % len(CUTS)])
        check_minimum("deep_tables", document, reference.minimum(document)[0])


def test_the_random_documents_cover_the_format() -> None:
    seen = set[str]()
    for block in range(6):
        for document in random_documents(block):
            seen |= random_instances.features(document)
    wanted = random_instances.whole_format(
        "shared", "scale", "mask", "skip", "frozen", "margin", "sample weights", "zero weight",
        "contradiction", "duplicate", "one sample", "constant neuron", "parameter override",
        "biases override", "no bias",
    )  # fmt: skip
    assert wanted <= seen


TERNARY = {"domain": "integer", "low": -1, "high": 1}
LISTS: list[dict[str, Any]] = [
    TERNARY,
    {"domain": "finite", "values": [-2, "1/2"]},
    {"domain": "integer", "low": 0, "high": 1},
    {"domain": "finite", "values": ["1/3", -1]},
]


@pytest.mark.parametrize("loss", random_instances.LOSSES)
@pytest.mark.parametrize("reduction", ("sum", "max"))
def test_agrees_with_the_exhaustive_engine(
    loss: str, reduction: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = random.Random(f"deep {loss} {reduction}")
    activations: list[Any] = [
        "relu",
        "abs",
        {"name": "leaky_relu", "slope": "1/2"},
        "square",
        "sign",
        "step",
        "relu",
    ]
    activations[3] = {"name": "clip", "low": -1, "high": 2} if loss == "hinge" else "square"
    for i, activation in enumerate(activations):
        document = random_dense(
            rng,
            1,
            ((2, 1), (2, 2), (2, 2), (1, 2), (1, 2), (1, 1, 2), (2, 2))[i],
            activation,
            LISTS[(i + (i == 6)) % len(LISTS)],
            samples=rng.choice([1, 3, 5]),
            loss=loss,
            reduction=reduction,
            weighted=bool(i % 2),
            outputs=1 + (i == 4),
            top="sign" if i == 5 and loss == "zero_one" else "identity",
        )
        expected = ExhaustiveEngine().minimize(problem_of(document), Budget(), ignore)
        assert expected.status == "optimal" and expected.lower_bound is not None
        minimum = fraction(expected.lower_bound)
        cut_up(monkeypatch, CUTS[i % len(CUTS)])
        if i % 3 == 0:
            check_minimum("deep_tables", document, minimum)
        else:
            assert least("deep_tables", document) == ("optimal", minimum)


def chosen(document: reference.Document) -> tuple[Variable, ...]:
    """The variables of a document."""
    prepared = ENGINE.prepare(problem_of(document))
    assert not isinstance(prepared, str)
    return variables(
        prepared.form,
        prepared.bounds,
        prepared.groups,
        prepared.symmetries,
        prepared.dtype,
        lambda: None,
    )


def test_the_variables_of_a_dense_network() -> None:
    weights = {"domain": "integer", "low": -3, "high": 3}
    document = random_dense(random.Random(1), 2, (2, 2), "relu", weights, samples=8)
    found = chosen(document)
    assert [v.group.table for v in found] == [True, True, False, False, False]
    assert [v.group.raw for v in found] == [343, 343, 2401, 2401, 7]
    assert [v.mate for v in found] == [-1, 0, -1, 2, -1]
    # Positive multiples are one row, and so are all that a relu turns into 0.
    scaled = {
        (s, *(abs(v) * w for w in row)) if v and max(row) > 0 else (0, 0, 0, 0)
        for *row, v in itertools.product(range(-3, 4), repeat=4)
        for s in [(v > 0) - (v < 0)]
    }
    assert len(found[2].choices) == len(scaled) == 1561


def test_shared_parameters_and_masks_are_no_symmetry() -> None:
    document = random_dense(random.Random(2), 1, (2, 2), "relu", TERNARY, samples=4)
    document["network"] = {
        "inputs": 1,
        "neurons": [
            {"id": "a", "inputs": {"x0": None}, "activation": "relu"},
            {"id": "b", "inputs": {"x0": None}, "activation": "relu"},
            {"id": "c", "inputs": {"a": None, "b": 1}, "activation": "relu"},
            {"id": "d", "inputs": {"a": {"param": "s"}, "b": {"param": "s"}}, "activation": "abs"},
            {"id": "f", "inputs": {"c": None, "d": 1, "x0": None}, "activation": "identity"},
        ],
        "outputs": ["f"],
    }
    document["weights"] = {"domain": "finite", "values": [-1, 2]}
    assert all(v.mate == -1 for v in chosen(document))
    expected = ExhaustiveEngine().minimize(problem_of(document), Budget(), ignore)
    found = minimize("deep_tables", document)
    assert (found.status, found.lower_bound) == ("optimal", expected.lower_bound)


@pytest.mark.parametrize(
    "pieces",
    [
        ((None, 0, 0), (0, 1, 0)),
        ((None, -1, 0), (0, 1, 0)),
        ((None, 0, -1), (0, 0, 1)),
        ((None, 0, 3), (-2, 1, 5), (1, -2, 0)),
        ((None, 2, 0), (2, 2, -9)),
        ((None, -2, 7),),
    ],
)
def test_intervals_of_activations_hold_their_values(pieces: Any) -> None:
    z = np.arange(-6, 7)
    values = piecewise(pieces, z)
    steps = np.diff(values)
    rising = direction(pieces)
    assert rising != 1 or (steps >= 0).all()
    assert rising != -1 or (steps <= 0).all()
    assert rising == 0 or (steps >= 0).all() or (steps <= 0).all()


@pytest.mark.parametrize("coefficients", [(3,), (1, -2), (0, 0, 1), (1, 3, -2), (1, -5, 1, 2)])
def test_intervals_of_polynomials(coefficients: tuple[int, ...]) -> None:
    z = np.arange(-6, 7)
    values = sum(c * z**k for k, c in enumerate(coefficients)) + 0 * z
    for a, b in itertools.combinations_with_replacement(range(13), 2):
        low, high = polynomial_range(coefficients, z[a : a + 1], z[b : b + 1])
        inside = values[a : b + 1]
        assert low[0] <= inside.min() and inside.max() <= high[0]
        if len(coefficients) < 4 or a == b:
            assert (low[0], high[0]) == (inside.min(), inside.max())


@pytest.mark.parametrize("loss", random_instances.LOSSES)
@pytest.mark.parametrize("activation", ["relu", "abs", "square", "sign"])
def test_bounds_of_random_tuples_hold_for_all_choices_below(loss: str, activation: str) -> None:
    rng = random.Random(f"{loss} {activation}")
    weights = {"domain": "integer", "low": -2, "high": 2}
    document = random_dense(rng, 1, (2, 2), activation, weights, samples=4, loss=loss)
    prepared = ENGINE.prepare(problem_of(document))
    assert not isinstance(prepared, str)
    found = chosen(document)
    network = IntervalNetwork(prepared.form, prepared.bounds, found, prepared.loss, prepared.dtype)
    for _ in range(60):
        rows = [rng.randrange(len(v.choices)) for v in found]
        total = prepared.form.total(parameters(prepared.form, found, rows))
        nodes = []
        for variable, row in zip(found, rows, strict=True):
            node = 0
            while variable.tree.child[node] >= 0 and rng.random() < 0.8:
                node = variable.tree.child[node]
                node += variable.tree.start[node + 1] <= row
            nodes.append(node)
        seen = network.examine(np.array(nodes)[:, None], 2**40)
        assert seen.bounds[0] <= total
        if not seen.spread[0]:
            assert seen.bounds[0] == total
        leaves = [
            np.nonzero((v.tree.child < 0) & (v.tree.start <= r) & (r < v.tree.end))[0]
            for v, r in zip(found, rows, strict=True)
        ]
        assert network.totals(leaves)[0] == total


def parameters(form: Any, found: tuple[Variable, ...], rows: list[int]) -> list[int]:
    """Integer parameters of rows."""
    values = [0] * len(form.grids)
    for variable, row in zip(found, rows, strict=True):
        for p, value in zip(variable.group.parameters, variable.choices[row], strict=True):
            values[p] = int(value)
    return values


def test_a_deadline_ends_the_search() -> None:
    weights = {"domain": "integer", "low": -9, "high": 9}
    document = random_dense(random.Random(3), 2, (2, 2), "relu", weights, samples=20)
    start = time.monotonic()
    outcome = ENGINE.minimize(problem_of(document), Budget(start + 0.5), ignore)
    assert outcome.status == "feasible" and "time" in outcome.reason
    assert time.monotonic() - start < 60


def test_what_is_refused_says_why() -> None:
    real = random_dense(random.Random(3), 1, (2, 2), "relu", {"domain": "real"}, samples=2)
    wide = random_dense(
        random.Random(3), 1, (2, 2), "relu", {"domain": "integer", "low": 0, "high": 10**9},
        samples=2,
    )  # fmt: skip
    for document in (real, wide):
        said = ENGINE.capability(problem_of(document), "minimize")
        assert not said.applicable and not said.complete and said.reason
        assert ENGINE.minimize(problem_of(document), Budget(), ignore).status == "unknown"


LARGE = "1/100003"


@pytest.mark.parametrize("case", ["factors", "slopes"])
def test_large_factors_of_zeros_fit_the_arrays(case: str) -> None:
    """A number of 17 bits that only ever meets zeros is multiplied into arrays all the same."""
    shared = {"weights": [[{"param": "s"}]] * 2, "biases": [{"param": "z"}] * 2}
    leaky = {"name": "leaky_relu", "slope": LARGE}
    layers: list[dict[str, Any]] = [{"units": 2, "activation": "step", **shared}]
    weights: dict[str, Any] = {"domain": "integer", "low": -1, "high": 1}
    x, y = [[0], [LARGE]], [[0], [1]]
    if case == "factors":
        weights["parameters"] = {"z": {"domain": "finite", "values": [0]}}
    else:
        layers = [{"units": 1, "activation": leaky, "bias": False} for _ in range(2)]
        layers.append({"units": 2, "activation": "step", "bias": False})
        x, y = [[0]], [[0]]
    layers.append({"units": 1, "activation": "identity"})
    document = {
        "format": "ermbit-instance",
        "version": 1,
        "network": {"inputs": 1, "layers": layers},
        "weights": weights,
        "data": {"x": x, "y": y},
        "loss": {"name": "absolute"},
    }
    problem = problem_of(document)
    assert ENGINE.capability(problem, "minimize").complete
    outcome = ENGINE.minimize(problem, Budget(), ignore)
    assert (outcome.status, outcome.lower_bound) == ("optimal", reference.minimum(document)[0])
