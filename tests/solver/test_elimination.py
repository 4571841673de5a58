"""The engine for exact fits: what is irrational, what is refuted, and random networks.

Answers are known by theorem (towers of squares, the golden ratio, sums of squares), by enumeration
of small domains, or by a plain encoding of the network over the reals.
"""

from __future__ import annotations

import random
import time
from fractions import Fraction
from itertools import product
from typing import Any

import pytest
from gmpy2 import mpq
from hypothesis import given, settings
from hypothesis import strategies as st

import random_instances
import real_instances
import reference
from engine_checks import capability, minimize, problem_of
from ermbit.engines.elimination.field_roots import roots_over, sign, value_at
from ermbit.engines.elimination.forward import _Walk
from ermbit.engines.elimination.line import candidates
from ermbit.engines.elimination.residues import obstruction
from ermbit.engines.elimination.ring import Ring, coefficients_in, substitute, unknowns
from ermbit.engines.elimination.roots import prime_without_root, rational_roots, real_roots
from ermbit.engines.engine import Budget, Outcome, ignore
from ermbit.engines.registry import engine
from ermbit.verifier.verify import verify
from ermbit_instances.algebraic import AlgebraicNumber, algebraic
from ermbit_instances.certificate import parameters_document
from ermbit_instances.domain import REAL, Domain, FiniteDomain, IntegerDomain
from ermbit_instances.errors import InternalError
from ermbit_instances.float_domain import FLOAT_FORMATS, FloatDomain
from ermbit_instances.rational_domain import RationalDomain
from reference import Document

ALL_REAL = {"domain": "real"}
SHORT = [{"domain": "rational", "bits": bits} for bits in (1, 4, 64, 4096)] + [
    {"domain": "float", "format": "float32"},
    {"domain": "integer", "low": -9, "high": 9**30},
]


def neuron(name: str, activation: Any, inputs: Document, bias: Any = 0) -> Document:
    return {"id": name, "inputs": inputs, "bias": bias, "activation": activation}


def param(name: str) -> Document:
    return {"param": name}


def fit(
    neurons: list[Document], weights: Document, samples: list[tuple[list[Any], Any]],
    loss: str = "absolute",
) -> Document:  # fmt: skip
    inputs = len(samples[0][0])
    return {
        "format": "ermbit-instance",
        "version": 1,
        "name": "fit",
        "network": {"inputs": inputs, "neurons": neurons, "outputs": [neurons[-1]["id"]]},
        "weights": weights,
        "data": {"x": [x for x, _ in samples], "y": [[y] for _, y in samples]},
        "loss": {"name": loss, "reduction": "sum"},
        "threshold": 0,
    }


def tower(depth: int, target: Any, weights: Document) -> Document:
    neurons = [neuron("h1", "square", {"x0": param("w")})]
    neurons += [neuron(f"h{k}", "square", {f"h{k - 1}": 1}) for k in range(2, depth + 1)]
    return fit(neurons, weights, [([1], target)])


def golden(label: Any, weights: Document) -> Document:
    neurons = [
        neuron("t", "identity", {"x0": param("a"), "x1": 1}),
        neuron("r", "relu", {"t": -1}),
        neuron("f", "identity", {"t": param("b"), "r": 1}),
    ]
    return fit(neurons, weights, [([1, 0], label), ([-1, 1], -1)])


def form(coefficients: list[Any], target: Any, weights: Document) -> Document:
    """Σ c_i u_i² = target."""
    units = [neuron(f"h{i}", "square", {"x0": param(f"u{i}")}) for i in range(len(coefficients))]
    outer = {f"h{i}": c for i, c in enumerate(coefficients)}
    return fit([*units, neuron("f", "identity", outer)], weights, [([1], target)])


def answer(document: Document, patience: float = 60.0) -> Outcome:
    """The engine's answer; what it finds is shown to the verifier (domains may be long)."""
    problem = problem_of(document)
    outcome = engine("elimination").decide(problem, Budget(time.monotonic() + patience), ignore)
    if outcome.status == "sat":
        assert outcome.values is not None
        parameters = parameters_document(problem.instance.network, outcome.values)
        assert verify(problem.instance, parameters).accepted
    return outcome


# ---------------------------------------------------------------- irrational weights


@pytest.mark.parametrize("depth", range(1, 8))
def test_towers_of_squares(depth: int) -> None:
    found = answer(tower(depth, 2, ALL_REAL))
    assert found.status == "sat" and found.values is not None
    (w,) = found.values
    assert isinstance(w, AlgebraicNumber) and w.degree == 2**depth
    for weights in SHORT:
        refused = answer(tower(depth, 2, weights))
        assert refused.status == "unsat" and refused.reason == "t^2 - 2 has no rational root"
        whole = answer(tower(depth, 1, weights))
        assert whole.status == "sat" and whole.values == (mpq(-1),)


def test_towers_of_any_height() -> None:
    for weights in SHORT:
        assert answer(tower(300, 2, weights)).status == "unsat"
        assert answer(tower(300, 1, weights)).status == "sat"
    over = answer(tower(8, 2, ALL_REAL))
    assert over.status == "unknown" and "degree 256" in over.reason


@pytest.mark.parametrize("target, root", [(2, None), ("4/9", Fraction(2, 3)), (9, 3), (-1, None)])
def test_one_shared_weight(target: Any, root: Fraction | None) -> None:
    neurons = [
        neuron("h", "relu", {"x0": param("w")}),
        neuron("f", "identity", {"h": param("w")}),
    ]
    for weights in SHORT:
        domain = problem_of(fit(neurons, weights, [([1], target)])).instance.network.parameters[0]
        found = answer(fit(neurons, weights, [([1], target)]))
        inside = root is not None and mpq(Fraction(root)) in domain.domain
        assert found.status == ("sat" if inside else "unsat")
    found = answer(fit(neurons, ALL_REAL, [([1], target)]))
    assert found.status == ("unsat" if target == -1 else "sat")


def test_two_own_weights() -> None:
    phi = algebraic([-1, -1, 1], mpq(-1), mpq(0))
    assert answer(golden(1, ALL_REAL)).values == (phi, phi)
    root = algebraic([-2, 0, 1], mpq(-2), mpq(-1))
    assert answer(golden(2, ALL_REAL)).values == (root, 1 + root)
    for weights in SHORT:
        assert answer(golden(1, weights)).status == "unsat"
        assert answer(golden(2, weights)).status == "unsat"
    # With non-negative second labels there are rational solutions: -1 matters.
    rational = golden(1, {"domain": "rational", "bits": 1})
    rational["data"]["y"] = [[1], [0]]
    assert answer(rational).status == "sat"


@pytest.mark.parametrize("label", [1, 2, 3, -1, "1/2", "-3/4", 6])
def test_two_own_weights_against_enumeration(label: Any) -> None:
    for bits in (1, 2):
        document = golden(label, {"domain": "rational", "bits": bits})
        expected = "sat" if reference.is_satisfiable(document) else "unsat"
        assert answer(document).status == expected


# ---------------------------------------------------------------- residues


@pytest.mark.parametrize(
    "coefficients, target",
    [([1, 1], 3), ([1, 1, 1], 7), ([1, -3], 2), ([1, 1], 21), ([2, 3], 7), ([1, -2], "3/2")],
)
def test_forms_without_rational_points(coefficients: list[Any], target: Any) -> None:
    found = answer(form(coefficients, target, {"domain": "rational", "bits": 4096}))
    assert found.status == "unsat"
    assert answer(form(coefficients, target, ALL_REAL)).status == "sat"
    # The modulus of the reason is tried out: only multiples of its prime are left.
    modulus = int(found.reason.rpartition("modulo ")[2])
    prime = next(p for p in (2, 3, 5, 7) if modulus % p == 0)
    goal = Fraction(target)
    for *values, scale in product(range(modulus), repeat=len(coefficients) + 1):
        total = sum(c * v * v for c, v in zip(coefficients, values, strict=True))
        if (goal.denominator * total - goal.numerator * scale**2) % modulus == 0:
            assert all(v % prime == 0 for v in (*values, scale))


def test_integers_have_residues_of_their_own() -> None:
    assert answer(form([4, 4], 5, {"domain": "rational", "bits": 2})).status == "sat"
    whole = {"domain": "integer", "low": -(10**9), "high": 10**9}
    found = answer(form([4, 4], 5, whole))
    assert found.status == "unsat" and "for integers" in found.reason
    halves = {"domain": "integer", "low": -(10**9), "high": 10**9, "denominator": 2}
    assert answer(form([4, 4], 5, halves)).status == "sat"


def test_sums_of_two_squares() -> None:
    # A sum of two rational squares is one of integers (Fermat, Davenport and Cassels).
    for target in range(1, 40):
        squares = any(a * a + b * b == target for a, b in product(range(8), repeat=2))
        found = answer(form([1, 1], target, {"domain": "rational", "bits": 64}))
        assert found.status in (("sat",) if squares else ("unsat", "unknown")), target
        if target < 12:
            assert found.status != "unknown"


@given(
    st.lists(st.integers(-6, 6).filter(bool), min_size=2, max_size=3), st.integers(-9, 9),
    st.integers(-3, 3), st.integers(1, 4),
)  # fmt: skip
@settings(max_examples=20, deadline=None)
def test_residues_never_refute_a_point(c: list[int], v: int, w: int, scale: int) -> None:
    """A polynomial with a known rational zero has no obstruction."""
    ring = Ring(("a", "b"))
    a, b = ring.unknown(0), ring.unknown(1)
    left = c[0] * a**2 + c[1] * a * b + (c[2] if len(c) > 2 else 0) * b**3 + v * b
    value = value_at(left, {0: mpq(v, scale), 1: mpq(w, scale)})
    assert obstruction([left - ring.constant(value)], [None, None]) is None
    whole = value_at(left, {0: mpq(v), 1: mpq(w)})
    assert obstruction([left - ring.constant(whole)], [1, 1]) is None


# ---------------------------------------------------------------- sums of square roots


def roots_sum(terms: list[tuple[int, int]], weights: Document) -> Document:
    n = len(terms) + 1
    units = [neuron(f"h{i}", "square", {f"x{i}": param(f"p{i}")}) for i in range(n)]
    outer: Document = {"h0": 1} | {f"h{i + 1}": sign for i, (sign, _) in enumerate(terms)}
    samples: list[tuple[list[Any], Any]] = [
        ([int(j == i + 1) for j in range(n)], a) for i, (_, a) in enumerate(terms)
    ]
    return fit([*units, neuron("f", "square", outer)], weights, [*samples, ([1] * n, 0)])


@pytest.mark.parametrize(
    "terms, status",
    [
        ([(1, 2), (1, 8), (-1, 18)], "sat"),
        ([(1, 2), (1, 8), (-1, 17)], "unsat"),
        ([(1, 2), (-1, 2)], "sat"),
        ([(1, 4), (1, 9), (-1, 25)], "sat"),
        ([(1, 2), (-1, 3)], "sat"),
        ([(1, 3), (-1, 2)], "unsat"),
        ([(1, 2), (1, 3), (-1, 9)], "unsat"),
        ([(1, 5), (1, 6), (1, 18), (-1, 4), (-1, 12), (-1, 13)], "unknown"),
        ([(1, 2), (1, 8), (1, 3), (1, 12), (-1, 18), (-1, 27)], "sat"),
    ],
)
def test_sums_of_square_roots(terms: list[tuple[int, int]], status: str) -> None:
    if status != "unknown":
        assert answer(roots_sum(terms, ALL_REAL)).status == status
    squares = all(round(a**0.5) ** 2 == a and round(a**0.25) ** 4 == a for _, a in terms)
    assert not squares
    assert answer(roots_sum(terms, {"domain": "rational", "bits": 512})).status == "unsat"


# ---------------------------------------------------------------- random networks


@pytest.mark.parametrize("seed", range(30))
def test_random_networks_against_enumeration(seed: int) -> None:
    rng = random.Random(f"elimination {seed}")
    loss = rng.choice(["absolute", "squared"])
    document = random_instances.random_instance(rng, max_assignments=150, loss=loss)
    document["threshold"] = 0
    if not engine("elimination").capability(problem_of(document), "decide").applicable:
        return
    expected = "sat" if reference.is_satisfiable(document) else "unsat"
    complete = capability("elimination", problem_of(document), "decide")
    found = answer(document, 4.0).status
    assert found == expected or (found == "unknown" and not complete)


@pytest.mark.parametrize("seed", range(30))
def test_random_real_networks_against_a_plain_encoding(seed: int) -> None:
    rng = random.Random(f"elimination real {seed}")
    document = real_instances.random_real_instance(rng, loss=rng.choice(["absolute", "squared"]))
    found = answer(document | {"threshold": 0}, 4.0)
    if found.status != "unknown":
        assert real_instances.plain_answer(document, Fraction(0)) in (found.status, "unknown")


@given(st.integers(0, 10**9))
@settings(max_examples=25, deadline=None)
def test_one_parameter_is_always_decided(seed: int) -> None:
    """Sums of bent and polynomial units in one shared weight, against all values of a domain."""
    rng = random.Random(seed)
    kinds = ["relu", "abs", "step", "square", "sign", {"name": "clip", "low": -1, "high": 1}]
    weights: Document = rng.choice(
        [
            {"domain": "rational", "bits": 2},
            {"domain": "integer", "low": -3, "high": 3, "denominator": 2},
            {"domain": "float", "format": "fp8_e4m3"},
        ]
    )
    units = [
        neuron(f"h{i}", rng.choice(kinds), {"x0": {"param": "w", "scale": rng.choice([1, -2])}},
               rng.choice([0, 1, "-1/2"]))
        for i in range(2)
    ]  # fmt: skip
    outer = neuron("f", "identity", {"h0": param("w"), "h1": rng.choice([1, -1])}, param("w"))
    samples: list[tuple[list[Any], Any]] = [([rng.choice([1, 2, "1/2"])], 0) for _ in range(2)]
    document = fit([*units, outer], weights, samples)
    members = reference.free_parameters(document)["w"]
    theta = {"w": rng.choice(members)}
    if rng.random() < 0.7:  # else targets that may be out of reach
        document["data"]["y"] = [
            [str(v) for v in row] for row in reference.outputs(document, theta)
        ]
    assert capability("elimination", problem_of(document), "decide")
    expected = "sat" if reference.is_satisfiable(document) else "unsat"
    assert answer(document).status == expected


def test_signs_without_equations() -> None:
    """All targets are met on whole intervals: members of the domain are told from the roots."""
    step = [neuron("z", "square", {"x0": param("w")}, -2), neuron("f", "step", {"z": -1}, "1/16")]
    # (w² - 2)² ≤ 1/16 is not decided by any equation; w = √2 is inside, and so is 4/3 …
    document = fit(step, {"domain": "rational", "bits": 2}, [([1], 1)])
    assert answer(document).status == ("sat" if reference.is_satisfiable(document) else "unsat")
    assert answer(document | {"weights": ALL_REAL}).status == "sat"
    assert answer(fit(step, ALL_REAL, [([1], 1), ([2], 1)])).status == "unsat"


@pytest.mark.parametrize(
    "top, bits, status",
    [("3/2", None, "sat"), ("7/5", None, "unsat"), ("3/2", 2, "sat"), ("3/2", 1, "unsat")],
)
def test_signs_beside_an_irrational_weight(top: str, bits: int | None, status: str) -> None:
    """p = √2 ≤ w ≤ top, with w real or of a few bits."""
    neurons = [
        neuron("h", "square", {"x0": param("p")}),
        neuron("positive", "step", {"x0": param("p")}),
        neuron("above", "step", {"x0": {"param": "p", "scale": -1}, "x1": param("w")}),
        neuron("below", "step", {"x1": {"param": "w", "scale": -1}}, top),
    ]
    weights: Document = {"domain": "real"}
    if bits is not None:
        weights["parameters"] = {"w": {"domain": "rational", "bits": bits}}
    document = fit(neurons, weights, [([1, 1], 0)])
    document["network"]["outputs"] = [n["id"] for n in neurons]
    document["data"]["y"] = [[2, 1, 1, 1]]
    found = answer(document)
    assert found.status == status
    if found.values is not None:
        assert found.values[0] == algebraic([-2, 0, 1], mpq(1), mpq(2))


def test_contradictions_and_degenerate_data() -> None:
    line = [neuron("f", "identity", {"x0": param("w")}, param("b"))]
    assert answer(fit(line, ALL_REAL, [([1], 1), ([1], 2)])).status == "unsat"
    assert answer(fit(line, ALL_REAL, [([1], 1), ([1], 1)])).status == "sat"
    assert answer(fit(line, ALL_REAL, [([0], 1), ([1], 1), ([2], 2)])).status == "unsat"
    frozen = [neuron("g", "identity", {"x0": 2}), neuron("f", "relu", {"g": param("w")})]
    assert answer(fit(frozen, ALL_REAL, [([0], 0)])).status == "sat"
    assert answer(fit(frozen, ALL_REAL, [([0], 1)])).status == "unsat"


def test_the_maximum_of_no_inputs_is_its_bias(monkeypatch: pytest.MonkeyPatch) -> None:
    neurons = [neuron("m", "max", {}, None), neuron("f", "identity", {"x0": None, "m": 1})]
    samples: list[tuple[list[Any], Any]] = [([1], 3), ([2], 5)]
    assert answer(fit(neurons, ALL_REAL, samples)).status == "sat"
    assert answer(fit(neurons, ALL_REAL, [*samples, ([3], 6)])).status == "unsat"
    # Branches that are nowhere are no refutation.
    monkeypatch.setattr(_Walk, "_maximum", lambda *_: iter(()))
    with pytest.raises(InternalError):
        answer(fit(neurons, ALL_REAL, samples))


def test_many_samples() -> None:
    square = [neuron("f", "square", {"x0": param("w")})]
    samples: list[tuple[list[Any], Any]] = [([k], 4 * k * k) for k in range(1, 301)]
    assert answer(fit(square, ALL_REAL, samples)).status == "sat"
    assert answer(fit(square, ALL_REAL, [*samples[:-1], ([300], 4)])).status == "unsat"
    more = fit(square, ALL_REAL, [*samples, ([301], 4 * 301**2)])
    assert not engine("elimination").capability(problem_of(more), "decide").applicable


def test_where_it_does_not_apply() -> None:
    document = golden(1, ALL_REAL)
    ask = engine("elimination").capability
    assert ask(problem_of(document), "decide").applicable
    assert not ask(problem_of(document), "decide").complete
    assert not ask(problem_of(document | {"threshold": "1/9"}), "decide").applicable
    assert not ask(problem_of(document | {"loss": {"name": "hinge"}}), "decide").applicable
    tall = tower(1, 2, ALL_REAL)
    assert ask(problem_of(tall), "decide").complete
    assert not ask(problem_of(tall), "minimize").complete


def test_minimum_of_zero_or_nothing() -> None:
    assert minimize("elimination", golden(1, ALL_REAL)).status == "optimal"
    refused = minimize("elimination", golden(1, {"domain": "rational", "bits": 9}))
    assert refused.status == "unknown" and refused.lower_bound is None


# ---------------------------------------------------------------- polynomials


RATIONALS = st.builds(mpq, st.integers(-9, 9), st.integers(1, 9))


def product_of(roots: list[mpq], power: int, rest: list[int]) -> dict[int, mpq]:
    """∏ (x^power - r) · rest."""
    total = [mpq(c) for c in rest]
    for root in roots:
        longer = [mpq(0)] * (len(total) + power)
        for k, c in enumerate(total):
            longer[k + power] += c
            longer[k] -= root * c
        total = longer
    return {k: c for k, c in enumerate(total) if c}


@given(st.lists(RATIONALS, min_size=1, max_size=4), st.integers(1, 3))
def test_rational_roots(roots: list[mpq], power: int) -> None:
    sparse = product_of(roots, power, [3, 0, 1])
    expected = {r for r in roots if power == 1}
    for root in roots if power > 1 else []:
        for p, q in product(range(-9, 10), range(1, 10)):
            if mpq(p, q) ** power == root:
                expected.add(mpq(p, q))
    assert set(rational_roots(sparse)) == expected
    assert {r for r in real_roots(sparse) if isinstance(r, mpq)} == expected


def test_roots_of_huge_degree() -> None:
    assert rational_roots({2**40: mpq(1), 0: mpq(-2)}) == ()
    assert rational_roots({2**40: mpq(3), 2**39: mpq(-3)}) == (mpq(-1), mpq(0), mpq(1))
    sparse = {2001: mpq(1), 2: mpq(1), 0: mpq(1)}
    prime = prime_without_root(sparse)
    assert prime is not None
    assert all(sum(c * t**k for k, c in sparse.items()) % prime for t in range(prime))
    assert rational_roots(sparse) == ()


DOMAINS: tuple[Domain, ...] = (
    RationalDomain(2),
    IntegerDomain(-2, 5, 2),
    FiniteDomain((mpq(-1), mpq(1, 3), mpq(7, 2))),
    FloatDomain(FLOAT_FORMATS["fp8_e5m2"]),
)


@given(st.lists(RATIONALS, max_size=3), st.sampled_from([[1], [-2, 0, 1], [-1, 3, 0, 1]]),
       st.sampled_from(DOMAINS))  # fmt: skip
def test_every_sign_pattern_of_a_domain_is_found(
    roots: list[mpq], rest: list[int], domain: Domain
) -> None:
    sparse = product_of(roots, 1, rest)
    if max(sparse) == 0:
        sparse = {1: mpq(1)}

    def pattern(value: mpq) -> int:
        total = sum(c * value**k for k, c in sparse.items())
        return int(total > 0) - int(total < 0)

    found = list(candidates(real_roots(sparse), domain))
    assert all(v in domain for v in found)
    rational = [v for v in found if isinstance(v, mpq)]
    assert {pattern(v) for v in domain.values()} == {pattern(v) for v in rational}
    everywhere = [v for v in candidates(real_roots(sparse), REAL) if isinstance(v, mpq)]
    assert {pattern(v) for v in everywhere} >= {pattern(v) for v in rational} - {0}


def test_roots_over_a_field() -> None:
    ring = Ring(("a", "b", "x"))
    a, b, x = (ring.unknown(j) for j in range(3))
    two, three = algebraic([-2, 0, 1], mpq(1), mpq(2)), algebraic([-3, 0, 1], mpq(1), mpq(2))
    known = ((0, two), (1, three))
    assert isinstance(two, AlgebraicNumber) and isinstance(three, AlgebraicNumber)
    assert roots_over(x - a * b, 2, known) == (two * three,)
    assert roots_over(x**2 - 2 * a * x + 2, 2, known) == (two,)
    assert roots_over(x**2 - a * x - x + a, 2, known) == (mpq(1), two)
    assert roots_over(x**3 + x - a * b, 2, known) is not None
    assert len(roots_over(x**3 + x - a * b, 2, known) or ()) == 1
    assert roots_over(x**2 + a, 2, known) == ()
    assert roots_over((a**2 - 2) * x, 2, known) is None
    assert sign(a**2 * b - 2 * b, known) == 0 and sign(a - b, known) == -1
    assert value_at(a * b + x, {0: two, 1: three, 2: mpq(1, 2)}) == two * three + mpq(1, 2)


@given(st.integers(-4, 4), st.integers(1, 4), st.integers(-4, 4))
def test_substitution_of_quotients(above: int, below: int, other: int) -> None:
    ring = Ring(("a", "b"))
    a, b = ring.unknown(0), ring.unknown(1)
    polynomial = a**3 * b - 2 * a * b**2 + 5
    top, bottom = above * b + 1, below * b**2 + 1
    result = substitute(polynomial, 0, top, bottom, even=True)
    at = {0: mpq(0), 1: mpq(other)}
    quotient = value_at(top, at) / value_at(bottom, at)
    expected = value_at(polynomial, {0: quotient, 1: mpq(other)}) * value_at(bottom, at) ** 4
    assert value_at(result, at) == expected
    assert unknowns(result) == (1,)
    assert coefficients_in(polynomial, 0)[1] == -2 * b**2
