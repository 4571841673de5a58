"""Real parameters: engines against each other, a plain encoding, sub-domains, and known answers."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import pytest

import random_instances
import real_instances
import reference
from engine_checks import (
    HAIR,
    capability,
    check_certificate,
    complete_engines,
    decide,
    fraction,
    least,
    minimize,
    named_values,
    problem_of,
)
from ermbit.engines.registry import NAMES
from ermbit_instances.instance import parse_instance
from random_instances import LOSSES
from real_instances import HIDDEN, REAL, plain_answer, random_real_instance, sub_domain
from reference import Document
from rewriters import with_threshold

BLOCKS = 11  # no divisor in common with the number of activations
INSTANCES = range(96)


def real_engines(document: Document) -> list[str]:
    """The engines that claim to be complete for deciding, cvc5's aside: it shares nra's encoding.

    That one is asked about the families below.
    """
    problem = problem_of(document)
    return [n for n in NAMES if n != "coverings" and capability(n, problem, "decide")]


# --- random instances ----------------------------------------------------------------------------


def draw(index: int) -> Document:
    rng = random.Random(f"real {index}")
    # Squares need products of unknowns: one instance in seven, with two samples at most.
    squared = index % 7 == 0
    document = random_real_instance(
        rng,
        activation=HIDDEN[index % len(HIDDEN)],
        loss="squared" if squared else rng.choice([n for n in LOSSES if n != "squared"]),
        simple=index % 3 == 0,
    )
    if squared:
        for rows in document["data"].values():
            del rows[2:]
    return document


def check_block(indices: Sequence[int]) -> Counter[str]:
    """What engines, plain encoding and sub-domain say must fit together; counts what was said."""
    said: Counter[str] = Counter()
    for index in indices:
        document = draw(index)
        attained, _ = reference.minimum(sub_domain(document))
        engines = real_engines(document)
        for threshold in sorted({attained, attained / 2, attained - HAIR, Fraction(0)}):
            asked = real_engines(with_threshold(document, threshold))
            answers = {name: decide(name, document, threshold).status for name in asked}
            assert "unknown" not in answers.values(), (index, threshold, answers)
            answers["plain"] = plain_answer(document, threshold)
            definite = set(answers.values()) - {"unknown"}
            assert len(definite) == 1, (index, threshold, answers, document)
            if threshold >= attained:
                assert definite == {"sat"}, (index, threshold, answers, document)
            said.update(f"{name} {status}" for name, status in answers.items())
        problem = problem_of(document)
        for name in engines:
            if document["loss"]["name"] == "squared" or not capability(name, problem, "minimize"):
                continue
            status, infimum = least(name, document)
            assert infimum <= attained
            said[f"{name} {status}"] += 1
            exactly = plain_answer(document, infimum)
            assert exactly != ("unsat" if status == "optimal" else "sat"), (index, infimum)
            if infimum > 0:
                assert plain_answer(document, infimum - HAIR) != "sat", (index, infimum)
            assert plain_answer(document, infimum + HAIR) != "unsat", (index, infimum)
    return said


@pytest.mark.parametrize("block", range(BLOCKS))
def test_random_real_instances(block: int) -> None:
    said = check_block(INSTANCES[block::BLOCKS])
    for claim in ("smt sat", "smt unsat", "nra sat", "nra unsat", "plain sat", "plain unsat"):
        assert said[claim] >= 2, (claim, said)
    assert said["smt optimal"] >= 1, said


def test_an_infimum_that_is_not_attained() -> None:
    """φ(z) = z below 0 and 2 from 0 on comes as close to 0 as you like, and never there."""
    document: Document = {
        "format": "ermbit-instance",
        "version": 1,
        "network": {
            "inputs": 1,
            "neurons": [
                {
                    "id": "f",
                    "inputs": {"x0": None},
                    "activation": {
                        "name": "piecewise_linear",
                        "breakpoints": [0],
                        "slopes": [1, 0],
                        "intercepts": [0, 2],
                    },
                }
            ],
            "outputs": ["f"],
        },
        "weights": REAL,
        "data": {"x": [[1]], "y": [[0]]},
        "loss": {"name": "absolute", "reduction": "sum"},
        "threshold": 0,
    }
    assert least("smt", document) == ("infimum", 0)
    for name in ("smt", "nra"):
        assert decide(name, document, Fraction(0)).status == "unsat"
        assert decide(name, document, HAIR).status == "sat"


# --- families with known answers -----------------------------------------------------------------


def family(
    network: dict[str, Any], x: Any, y: Any, weights: Any = REAL, loss: str = "absolute"
) -> Document:
    return {
        "format": "ermbit-instance",
        "version": 1,
        "network": network,
        "weights": dict(weights),
        "data": {"x": x, "y": y},
        "loss": {"name": loss, "reduction": "sum"},
        "threshold": 0,
    }


def unit(n: int, *places: int, value: Any = 1) -> list[Any]:
    """The vector with `value` at some places."""
    return [value if i in places else 0 for i in range(n)]


def one_neuron(activation: str, inputs: int, **more: Any) -> dict[str, Any]:
    return {"inputs": inputs, "layers": [{"units": 1, "activation": activation, **more}]}


def subset_sum(items: list[int], target: int, weights: Any = REAL) -> Document:
    """One abs neuron: some items sum to the target."""
    n = len(items)
    x = [[0] * n, *(unit(n, i, value=2) for i in range(n)), [2 * a for a in items]]
    return family(one_neuron("abs", n), x, [*[[1]] * (n + 1), [2 * target - 1]], weights)


def step_subset_sum(items: list[int], target: int, weights: Any) -> Document:
    """One step neuron: 0 ≤ w ≤ 1 and items·w = target."""
    n = len(items)
    x = [[*unit(n, i), 0] for i in range(n)]
    x += [[*unit(n, i, value=-1), 1] for i in range(n)]
    x += [[*items, -target], [*(-a for a in items), target]]
    layer = one_neuron("step", n + 1, bias=False, weights=[[None] * n + [1]])
    return family(layer, x, [[1]] * len(x), weights)


def splitting(n: int, sets: list[tuple[int, ...]], *, free_output: bool) -> Document:
    """Two step neurons below a step: a 2-colouring without a set of one colour."""
    x = [[0] * n, *(unit(n, i) for i in range(n)), *(unit(n, *c) for c in sets)]
    y = [[1], *[[0]] * n, *[[1]] * len(sets)]
    output: dict[str, Any] = {"units": 1, "activation": "step"}
    if free_output:
        x.append(unit(n, 0, value=-1))
        y.append([0])
    else:
        output |= {"weights": [[1, 1]], "biases": [-2]}
    layers = [{"units": 2, "activation": "step"}, output]
    return family({"inputs": n, "layers": layers}, x, y)


def colouring(n: int, edges: list[tuple[int, int]], colours: int, weights: Any = REAL) -> Document:
    """A sum of ReLUs: a proper colouring."""
    x = [unit(n, i) for i in range(n)] + [unit(n, *e) for e in edges]
    layers = [
        {"units": colours, "activation": "relu", "bias": False},
        {"units": 1, "activation": "identity", "bias": False, "weights": [[1] * colours]},
    ]
    return family({"inputs": n, "layers": layers}, x, [[1]] * n + [[0]] * len(edges), weights)


def relu_cover(n: int, edges: list[tuple[int, int]], loss: str = "absolute") -> Document:
    """One ReLU: the least loss is the size of a least vertex cover."""
    x = [unit(n, i) for i in range(n)] + [unit(n, *e) for e in edges]
    y = [[1]] * n + [[0]] * len(edges)
    return family(one_neuron("relu", n, bias=False), x, y, loss=loss)


def halfspace_cover(n: int, edges: list[tuple[int, int]], *, bias: bool) -> Document:
    """One halfspace: the least number of errors is the size of a least vertex cover."""
    x = [unit(n, i) for i in range(n)] + [unit(n, *e, value="1/2") for e in edges]
    y = [[1]] * n + [[-1]] * len(edges)
    return family(one_neuron("identity", n, bias=bias), x, y, loss="zero_one")


def one_in_three(n: int, triples: list[tuple[int, ...]], weights: Any = REAL) -> Document:
    """One abs neuron: exactly one true in every triple."""
    x = [[0] * n, *(unit(n, i, value=2) for i in range(n))]
    x += [unit(n, *c, value=4) for c in triples]
    return family(one_neuron("abs", n), x, [[1]] * (n + 1) + [[3]] * len(triples), weights)


def one_sample_sat(n: int, clauses: list[list[int]], weights: Any = REAL) -> Document:
    """One input, one sample: a model of a CNF (literals are signed, from 1)."""
    neurons: list[dict[str, Any]] = []
    for i in range(1, n + 1):
        neurons += [
            {"id": f"v{i}", "inputs": {"x0": None}, "activation": "relu"},
            {"id": f"o{i}", "inputs": {f"v{i}": 1}, "bias": "-1/2", "activation": "abs"},
        ]
    for j, clause in enumerate(clauses):
        negative = sum(literal < 0 for literal in clause)
        inputs = {f"v{abs(literal)}": -1 if literal > 0 else 1 for literal in clause}
        neurons.append(
            {"id": f"c{j}", "inputs": inputs, "bias": 1 - negative, "activation": "relu"}
        )
    outputs = [f"o{i}" for i in range(1, n + 1)] + [f"c{j}" for j in range(len(clauses))]
    network = {"inputs": 1, "neurons": neurons, "outputs": outputs}
    return family(network, [[1]], [["1/2"] * n + [0] * len(clauses)], weights)


def golden_ratio(first: int = 1) -> Document:
    neurons = [
        {"id": "t", "inputs": {"x0": {"param": "a"}, "x1": 1}, "activation": "identity"},
        {"id": "r", "inputs": {"t": -1}, "bias": 0, "activation": "relu"},
        {"id": "f", "inputs": {"t": {"param": "b"}, "r": 1}, "activation": "identity"},
    ]
    network = {"inputs": 2, "neurons": neurons, "outputs": ["f"]}
    return family(network, [[1, 0], [-1, 1]], [[first], [-1]])


def square_tower(squares: int, weights: Any = REAL) -> Document:
    """w to the power 2^squares is 2."""
    layers: list[dict[str, Any]] = [{"units": 1, "activation": "square", "bias": False}]
    for _ in range(squares - 1):
        layers.append({"units": 1, "activation": "square", "bias": False, "weights": [[1]]})
    return family({"inputs": 1, "layers": layers}, [[1]], [[2]], weights)


def shared_square(weights: Any = REAL) -> Document:
    """w·relu(w) = 2."""
    neurons = [
        {"id": "h", "inputs": {"x0": {"param": "w"}}, "activation": "relu"},
        {"id": "f", "inputs": {"h": {"param": "w"}}, "activation": "identity"},
    ]
    network = {"inputs": 1, "neurons": neurons, "outputs": ["f"]}
    return family(network, [[1]], [[2]], weights)


def root_sum(terms: list[tuple[int, int]]) -> Document:
    """Σ sign·√a ≤ 0."""
    n = len(terms)
    neurons: list[dict[str, Any]] = [
        {"id": f"h{i}", "inputs": {f"x{i}": None}, "activation": "square"} for i in range(n + 1)
    ]
    inputs = {"h0": 1} | {f"h{i}": sign for i, (sign, _) in enumerate(terms, start=1)}
    neurons.append({"id": "f", "inputs": inputs, "activation": "square"})
    x = [unit(n + 1, i) for i in range(1, n + 1)] + [[1] * (n + 1)]
    y = [[a] for _, a in terms] + [[0]]
    return family({"inputs": n + 1, "neurons": neurons, "outputs": ["f"]}, x, y)


def integers(bound: int) -> dict[str, Any]:
    return {"domain": "integer", "low": -bound, "high": bound}


def rationals(bits: int) -> dict[str, Any]:
    return {"domain": "rational", "bits": bits}


TRIANGLE = [(0, 1), (0, 2), (1, 2)]
PATH = [(0, 1), (1, 2)]
STAR = [(0, 1), (0, 2), (0, 3)]
PENTAGON = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 0)]
K4 = list(itertools.combinations(range(4), 2))
ALL_TRIPLES = list(itertools.combinations(range(4), 3))
UNSAT_CNF = [[1, 2], [1, -2], [-1, 2], [-1, -2]]

KNOWN: dict[str, tuple[Document, str]] = {
    "subset sum 2+7": (subset_sum([2, 3, 7], 9), "sat"),
    "subset sum 8 of 2, 3, 7": (subset_sum([2, 3, 7], 8), "unsat"),
    "subset sum, integers": (subset_sum([2, 3], 5, integers(1)), "sat"),
    "subset sum, rationals": (subset_sum([2, 3], 4, rationals(1)), "unsat"),
    "half a subset, integers": (step_subset_sum([2, 2], 3, integers(2)), "unsat"),
    "half a subset, rationals of 1 bit": (step_subset_sum([2, 2], 3, rationals(1)), "unsat"),
    "half a subset, rationals of 2 bits": (step_subset_sum([2, 2], 3, rationals(2)), "sat"),
    "half a subset, reals": (step_subset_sum([2, 2], 3, REAL), "sat"),
    "half a subset, out of reach": (step_subset_sum([2, 2], 5, REAL), "unsat"),
    "splitting a path": (splitting(3, PATH, free_output=False), "sat"),
    "splitting a triangle": (splitting(3, TRIANGLE, free_output=False), "unsat"),
    "splitting a path, free": (splitting(3, PATH, free_output=True), "sat"),
    "splitting a triangle, free": (splitting(3, TRIANGLE, free_output=True), "unsat"),
    "3 colours for K4": (colouring(4, K4, 3), "unsat"),
    "4 colours for K4": (colouring(4, K4, 4), "sat"),
    "3 colours for K4, signs": (
        colouring(4, K4, 3, {"domain": "finite", "values": [-1, 1]}),
        "unsat",
    ),
    "3 colours for a pentagon": (colouring(5, PENTAGON, 3), "sat"),
    "2 colours for a pentagon": (colouring(5, PENTAGON, 2), "unsat"),
    "one in three": (one_in_three(4, ALL_TRIPLES[:2]), "sat"),
    "one in three of all triples": (one_in_three(4, ALL_TRIPLES), "unsat"),
    "one in three of all triples, integers": (one_in_three(4, ALL_TRIPLES, integers(1)), "unsat"),
    "a CNF": (one_sample_sat(2, UNSAT_CNF[:3]), "sat"),
    "a CNF without model": (one_sample_sat(2, UNSAT_CNF), "unsat"),
    "a CNF, bits": (one_sample_sat(2, UNSAT_CNF[1:], integers(1)), "sat"),
    "a CNF without model, bits": (one_sample_sat(2, UNSAT_CNF, integers(1)), "unsat"),
    "square root of 2": (square_tower(1), "sat"),
    "square root of 2, rationals": (square_tower(1, rationals(3)), "unsat"),
    "fourth root of 2": (square_tower(2), "sat"),
    "fourth root of 2, rationals": (square_tower(2, rationals(2)), "unsat"),
    "shared square root of 2": (shared_square(), "sat"),
    "shared square root of 2, rationals": (shared_square(rationals(3)), "unsat"),
    "golden ratio": (golden_ratio(), "sat"),
    "1 minus the square root of 2": (golden_ratio(2), "sat"),
    "golden ratio, rationals": (
        golden_ratio() | {"weights": rationals(2)},
        "unsat",
    ),
    "root 2 less than root 3": (root_sum([(1, 2), (-1, 3)]), "sat"),
    "root 3 less than root 2": (root_sum([(1, 3), (-1, 2)]), "unsat"),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_answers(name: str) -> None:
    document, expected = KNOWN[name]
    problem = problem_of(document)
    engines = [n for n in NAMES if capability(n, problem, "decide")]
    real = document["weights"]["domain"] == "real"
    assert set(engines) & ({"smt", "nra"} if real else {"exhaustive", "sat"}), engines
    if not real:
        assert reference.is_satisfiable(document) == (expected == "sat")
        engines = [n for n in engines if n in complete_engines(document)["decide"]]
    for engine in engines:
        outcome = decide(engine, document, Fraction(0))
        assert outcome.status == expected, (engine, outcome)


@pytest.mark.parametrize(
    "name, polynomial, sign",
    [
        ("golden ratio", {"a": (-1, -1, 1), "b": (-1, -1, 1)}, -1),
        ("1 minus the square root of 2", {"a": (-2, 0, 1), "b": (-1, -2, 1)}, -1),
        ("shared square root of 2", {"w": (-2, 0, 1)}, 1),
        ("square root of 2", {"W1[0,0]": (-2, 0, 1)}, 0),
        ("fourth root of 2", {"W1[0,0]": (-2, 0, 0, 0, 1)}, 0),
    ],
)
def test_irrational_certificates(
    name: str, polynomial: dict[str, tuple[int, ...]], sign: int
) -> None:
    """The only solutions are known algebraic numbers: roots of the stated polynomials."""
    document, _ = KNOWN[name]
    problem = problem_of(document)
    outcome = decide("nra", document, Fraction(0))
    assert outcome.status == "sat" and outcome.values is not None
    instance = parse_instance(document)
    theta: dict[str, Any] = named_values(instance, outcome.values)
    assert set(theta) == set(polynomial)
    for parameter, coefficients in polynomial.items():
        low, high = theta[parameter].bounds(100)
        assert high - low <= Fraction(1, 2**90)
        at_ends = [
            sum(c * fraction(end) ** k for k, c in enumerate(coefficients)) for end in (low, high)
        ]
        assert at_ends[0] * at_ends[1] < 0, (parameter, theta[parameter])
        assert sign == 0 or sign * low > 0
    # The verifier's field arithmetic is exact: nothing below the threshold passes for it.
    assert problem.instance.network.parameter_count == len(theta)
    assert check_certificate(document, outcome.values, Fraction(0)) is None


GRAPHS = {
    "edge": (2, [(0, 1)], 1),
    "path": (3, PATH, 1),
    "triangle": (3, TRIANGLE, 2),
    "star": (4, STAR, 1),
    "K4": (4, K4, 3),
    "pentagon": (5, PENTAGON, 3),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_vertex_cover_on_one_relu(name: str) -> None:
    """The exact optimum of `absolute` over the reals, and thresholds that no tolerance survives."""
    n, edges, cover = GRAPHS[name]
    document = relu_cover(n, edges)
    assert least("smt", document) == ("optimal", cover)
    for engine in real_engines(document):
        assert decide(engine, document, Fraction(cover)).status == "sat"
        just_below = Fraction(cover) - Fraction(1, 10**12)
        assert decide(engine, document, just_below).status == "unsat"


@pytest.mark.parametrize("name", ["edge", "path"])
def test_vertex_cover_with_squared_loss(name: str) -> None:
    """The same optimum with squares: `unsat` just below it, and no bound above it."""
    n, edges, cover = GRAPHS[name]
    document = relu_cover(n, edges, "squared")
    assert decide("nra", document, Fraction(cover)).status == "sat"
    assert decide("nra", document, cover - Fraction(1, 10**12)).status == "unsat"
    outcome = minimize("smt", document, patience=2)
    assert outcome.lower_bound is None or fraction(outcome.lower_bound) <= cover


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("name", GRAPHS)
def test_vertex_cover_on_one_halfspace(name: str, bias: bool) -> None:
    n, edges, cover = GRAPHS[name]
    document = halfspace_cover(n, edges, bias=bias)
    assert least("smt", document) == ("optimal", cover)
    below = Fraction(cover) - Fraction(1, 10**12)
    for threshold, status in ((Fraction(cover), "sat"), (below, "unsat")):
        # Some engines are complete for some thresholds only.
        for engine in real_engines(with_threshold(document, threshold)):
            assert decide(engine, document, threshold).status == status


@pytest.mark.parametrize("name", ["path", "triangle"])
def test_integer_certificates_carry_over_to_the_reals(name: str) -> None:
    n, edges, cover = GRAPHS[name]
    real = relu_cover(n, edges)
    integer = sub_domain(real)
    for engine in complete_engines(integer)["decide"]:
        outcome = decide(engine, integer, Fraction(cover))
        assert outcome.status == "sat"
        assert check_certificate(real, outcome.values, Fraction(cover)) is not None


def test_the_plain_encoding_agrees_with_enumeration() -> None:
    """The second opinion itself, where everything can be enumerated."""
    said: Counter[str] = Counter()
    for index in range(20):
        document = sub_domain(draw(index))
        attained, _ = reference.minimum(document)
        for threshold in (attained, attained - HAIR):
            answer = plain_answer(document, threshold)
            assert answer in ("unknown", "sat" if threshold >= attained else "unsat"), index
            said[answer] += 1
    assert said["sat"] >= 10 and said["unsat"] >= 10, said
    assert random_instances.features(sub_domain(draw(1))) >= {"spelling:layers"}
    assert real_instances.SUB_DOMAIN["domain"] == "integer"
